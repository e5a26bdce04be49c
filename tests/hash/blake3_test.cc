#include "mmh/hash/blake3.h"

#include <algorithm>
#include <ostream>
#include <set>

#include "blake3_kernels.h"
#include "hash/blake3_vectors.h"
#include "support/process.h"
#include "support/support.h"
#include "support/targets.h"

namespace mmh::hash {

namespace detail {
// For GoogleTest, which would print an address. NOLINTNEXTLINE(readability-identifier-naming)
static void PrintTo(const Kernels* kernels, std::ostream* out) { *out << kernels->name; }
}  // namespace detail

namespace {

using detail::Inputs;
using detail::Kernels;
using detail::kPortable;
using mmh::test::Random;
using mmh::test::random_bytes;

constexpr std::size_t kExtendedSize = 131;

/// The inputs of the known answers.
Buffer counting_bytes(std::size_t size) {
  Buffer bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i % 251);
  return bytes;
}

std::string hex(ByteView bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += kDigits[std::to_integer<unsigned>(byte) >> 4];
    text += kDigits[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

Key vector_key() {
  Key key;
  std::ranges::copy(as_bytes(test::kVectorKey), key.begin());
  return key;
}

Buffer extended(const Blake3& state, std::size_t size, std::uint64_t offset = 0) {
  Buffer out(size);
  state.finish_extended(out, offset);
  return out;
}

/// Every set of kernels that this processor can run, and the portable twin.
std::vector<const Kernels*> all_kernels() {
  std::vector<const Kernels*> all = {&kPortable};
  mmh::test::for_every_target([&](const char*) {
    const Kernels* const best = detail::best_kernels();
    if (std::ranges::find(all, best) == all.end()) all.push_back(best);
  });
  return all;
}

std::string kernels_name(const testing::TestParamInfo<const Kernels*>& info) { return info.param->name; }

class Blake3Kernels : public testing::TestWithParam<const Kernels*> {
 protected:
  void SetUp() override { detail::use_kernels(GetParam()); }
  void TearDown() override { detail::use_kernels(nullptr); }

  /// What the portable twin says.
  static Digest oracle(ByteView input) {
    detail::use_kernels(&kPortable);
    const Digest digest = blake3(input);
    detail::use_kernels(GetParam());
    return digest;
  }
};

INSTANTIATE_TEST_SUITE_P(Targets, Blake3Kernels, testing::ValuesIn(all_kernels()), kernels_name);

TEST_P(Blake3Kernels, NamesItsTarget) { EXPECT_EQ(blake3_target(), GetParam()->name); }

TEST_P(Blake3Kernels, GivesTheKnownAnswers) {
  for (const test::Vector& vector : test::kVectors) {
    SCOPED_TRACE(vector.size);
    const Buffer input = counting_bytes(vector.size);
    EXPECT_EQ(hex(extended(Blake3().update(input), kExtendedSize)), vector.hash);
    EXPECT_EQ(hex(extended(Blake3::keyed(vector_key()).update(input), kExtendedSize)), vector.keyed_hash);
    EXPECT_EQ(hex(extended(Blake3::derive_key(test::kVectorContext).update(input), kExtendedSize)), vector.derive_key);
    EXPECT_EQ(blake3(input).hex(), vector.hash.substr(0, 64));
    EXPECT_EQ(Blake3::keyed(vector_key()).update(input).finish().hex(), vector.keyed_hash.substr(0, 64));
    EXPECT_EQ(Blake3::derive_key(test::kVectorContext).update(input).finish().hex(), vector.derive_key.substr(0, 64));
  }
}

/// Sizes around every boundary: blocks, chunks, full vectors of chunks, powers of two.
std::set<std::size_t> boundary_sizes() {
  std::set<std::size_t> sizes;
  const auto around = [&](std::size_t size) {
    for (const std::size_t near : {size - 1, size, size + 1}) sizes.insert(near);
  };
  for (std::size_t size = 0; size <= 130; ++size) sizes.insert(size);
  for (std::size_t blocks = 3; blocks <= 48; ++blocks) around(blocks * 64);
  for (std::size_t chunks = 3; chunks <= 34; ++chunks) around(chunks * kBlake3ChunkSize);
  for (std::size_t chunks = 64; chunks <= 256; chunks *= 2) around(chunks * kBlake3ChunkSize);
  sizes.insert({80 * kBlake3ChunkSize + 7, 200 * kBlake3ChunkSize});
  return sizes;
}

TEST_P(Blake3Kernels, AgreesWithThePortableTwinAtEveryBoundary) {
  for (const std::size_t size : boundary_sizes()) {
    const Buffer input = random_bytes(size, size);  // its own buffer, so that a sanitizer sees overreads
    const Digest expected = oracle(input);
    EXPECT_EQ(blake3(input), expected) << size;
    EXPECT_EQ(Blake3().update(input).finish(), expected) << size;
  }
}

TEST_P(Blake3Kernels, HashesAnyNumberOfInputsAtAnyCounter) {
  for (const std::size_t blocks : {1u, 2u, 16u}) {
    for (std::size_t count = 0; count <= 37; ++count) {
      SCOPED_TRACE(testing::Message() << count << " inputs of " << blocks << " blocks");
      const Buffer data = random_bytes(count * blocks * detail::kBlockSize, count);
      // The low word of the counter overflows among the inputs.
      const Inputs inputs = {data.data(), count, blocks, 0x5FFFFFFF9, blocks == 2 ? 0u : 1u, 0x10, 1, 2};
      std::vector<ChainingValue> expected(count);
      std::vector<ChainingValue> values(count);
      kPortable.hash_many(detail::kInitialValue, inputs, expected.data());
      GetParam()->hash_many(detail::kInitialValue, inputs, values.data());
      EXPECT_EQ(values, expected);
    }
  }
}

TEST_P(Blake3Kernels, ReplacesNodesByTheirParentsInPlace) {
  for (std::size_t pairs = 1; pairs <= 40; ++pairs) {
    std::vector<ChainingValue> nodes(2 * pairs);
    const Buffer random = random_bytes(nodes.size() * sizeof nodes[0], pairs);
    std::memcpy(nodes.data(), random.data(), random.size());
    std::vector<ChainingValue> expected(pairs);
    const Inputs inputs = {random.data(), pairs, 1, 0, 0, detail::kParent, 0, 0};
    kPortable.hash_many(detail::kInitialValue, inputs, expected.data());
    Inputs in_place = inputs;
    in_place.data = reinterpret_cast<const std::byte*>(nodes.data());
    GetParam()->hash_many(detail::kInitialValue, in_place, nodes.data());
    nodes.resize(pairs);
    EXPECT_EQ(nodes, expected) << pairs;
  }
}

TEST_P(Blake3Kernels, CompressesToAllSixteenWords) {
  Random random(7);
  const Buffer block = random_bytes(detail::kBlockSize, 8);
  const ChainingValue value = detail::kInitialValue;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t counter = random.next();
    const auto size = static_cast<std::uint32_t>(random.below(65));
    const auto flags = static_cast<std::uint32_t>(random.below(128));
    std::array<std::uint32_t, 16> expected;
    std::array<std::uint32_t, 16> words;
    kPortable.compress(value, block.data(), size, counter, flags, expected.data());
    GetParam()->compress(value, block.data(), size, counter, flags, words.data());
    EXPECT_EQ(words, expected);
  }
}

TEST_P(Blake3Kernels, DoesNotCareHowTheInputIsCut) {
  const Buffer input = random_bytes(100'003, 3);
  const Digest expected = oracle(input);
  for (const std::size_t piece :
       {1u, 63u, 64u, 65u, 1000u, 1024u, 1025u, 2048u, 5000u, 16384u, 16385u, 65536u, 131072u}) {
    Blake3 state;
    for (std::size_t offset = 0; offset < input.size(); offset += piece) {
      EXPECT_EQ(state.bytes_added(), offset);
      state.update(ByteView(input).subspan(offset, std::min(piece, input.size() - offset)));
    }
    EXPECT_EQ(state.finish(), expected) << piece;
  }
  Random random(4);
  for (int round = 0; round < 8; ++round) {
    Blake3 state;
    ByteView rest = input;
    while (!rest.empty()) {
      const std::size_t taken = std::min<std::size_t>(rest.size(), random.below(std::uint64_t{1} << random.below(18)));
      state.update(rest.first(taken));
      rest = rest.subspan(taken);
    }
    EXPECT_EQ(state.finish(), expected) << round;
  }
}

TEST_P(Blake3Kernels, GivesEveryPrefixWhileItGoesOn) {
  const Buffer input = random_bytes(70 * kBlake3ChunkSize, 5);
  Blake3 state;
  for (std::size_t size = 0; size < input.size(); size += 512) {
    const ByteView prefix = ByteView(input).first(size);
    EXPECT_EQ(state.finish(), blake3(prefix)) << size;
    Blake3 copy = state;
    EXPECT_EQ(copy.update(ByteView(input).subspan(size, 100)).finish(), blake3(ByteView(input).first(size + 100)));
    state.update(ByteView(input).subspan(size, 512));
  }
}

TEST_P(Blake3Kernels, AssemblesSubtrees) {
  Random random(6);
  const Buffer input = random_bytes(200 * kBlake3ChunkSize + 345, 6);
  const Digest expected = oracle(input);
  for (int round = 0; round < 6; ++round) {
    Blake3 state;
    std::size_t offset = 0;
    while (input.size() - offset >= kBlake3ChunkSize) {
      // Any power of two that divides the offset and fits.
      std::size_t size = kBlake3ChunkSize << random.below(9);
      while (offset % size != 0 || input.size() - offset < size) size /= 2;
      const ByteView part = ByteView(input).subspan(offset, size);
      if (random.below(3) == 0) {
        state.update(part);
      } else {
        state.push_subtree(blake3_subtree(part, offset), size);
      }
      offset += size;
      EXPECT_EQ(state.bytes_added(), offset);
    }
    EXPECT_EQ(state.update(ByteView(input).subspan(offset)).finish(), expected) << round;
  }
}

TEST_P(Blake3Kernels, EndsWithASubtree) {
  for (const std::size_t chunks : {2u, 4u, 64u, 128u}) {
    const Buffer input = random_bytes(chunks * kBlake3ChunkSize, chunks);
    const std::size_t half = input.size() / 2;
    Blake3 state;
    state.push_subtree(blake3_subtree(ByteView(input).first(half), 0), half);
    state.push_subtree(blake3_subtree(ByteView(input).subspan(half), half), half);
    EXPECT_EQ(state.finish(), oracle(input)) << chunks;
  }
}

TEST_P(Blake3Kernels, SeeksInTheExtendedOutput) {
  const Blake3 state = Blake3().update(counting_bytes(3000));
  const Buffer whole = extended(state, 5000);
  Random random(9);
  for (int i = 0; i < 200; ++i) {
    const std::size_t offset = random.below(whole.size());
    const std::size_t size = random.below(whole.size() - offset + 1);
    const auto part = ByteView(whole).subspan(offset, size);
    EXPECT_TRUE(std::ranges::equal(extended(state, size, offset), part)) << offset << " " << size;
  }
  // Where the block number needs its high word.
  const std::uint64_t far = (std::uint64_t{1} << 38) - 64;
  const Buffer across = extended(state, 128, far);
  detail::use_kernels(&kPortable);
  EXPECT_EQ(across, extended(state, 128, far));
}

TEST(Blake3, AgreesWithItselfOnAnyNumberOfThreads) {
  const Buffer input = random_bytes((std::size_t{3} << 20) + 12345, 10);
  for (const unsigned threads : {1u, 2u, 7u}) {
    TaskPool pool(threads);
    for (const std::size_t size : {std::size_t{0}, std::size_t{100}, std::size_t{1} << 18, (std::size_t{1} << 18) + 1,
                                   std::size_t{1} << 20, std::size_t{2} << 20, input.size()}) {
      const ByteView part = ByteView(input).first(size);
      EXPECT_EQ(blake3(part, pool), blake3(part)) << threads << " threads, " << size << " bytes";
    }
  }
}

TEST(Blake3, AgreesWithB3sum) {
  if (!mmh::test::program_exists("b3sum")) GTEST_SKIP() << "b3sum is not installed";
  for (const std::size_t size : {0u, 1u, 1024u, 100'000u, 3'000'000u}) {
    const Buffer input = random_bytes(size, size + 1);
    const mmh::test::ProcessResult result =
        mmh::test::run_process({"b3sum", "--no-names"}, std::string(as_text(input)));
    ASSERT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(blake3(input).hex() + "\n", result.out) << size;
  }
}

TEST(Blake3, TellsItsModesApart) {
  const ByteView input = as_bytes("abc");
  Key zero{};
  const std::set<Digest> digests = {blake3(input), Blake3::keyed(zero).update(input).finish(),
                                    Blake3::derive_key("").update(input).finish(),
                                    Blake3::derive_key("a").update(input).finish()};
  EXPECT_EQ(digests.size(), 4u);
}

TEST(Blake3DeathTest, RefusesASubtreeOutOfPlace) {
  const Buffer input = random_bytes(4 * kBlake3ChunkSize, 11);
  const ChainingValue value = blake3_subtree(ByteView(input).first(2048), 0);
  EXPECT_DEATH(Blake3().update(ByteView(input).first(1)).push_subtree(value, 2048), "MMH_CHECK|chunk_used_");
  EXPECT_DEATH(Blake3().update(ByteView(input).first(1024)).push_subtree(value, 2048), "chunks_done_");
  EXPECT_DEATH(Blake3::keyed(Key{}).push_subtree(value, 2048), "flags_");
  EXPECT_DEATH(blake3_subtree(ByteView(input).first(3072), 0), "has_single_bit");
  EXPECT_DEATH(Blake3().push_subtree(value, 2048).finish(), "stack_size");
}

TEST(Digest, PrintsAsLowerCaseHexadecimal) {
  EXPECT_EQ(blake3({}).hex(), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
}

TEST(Digest, OrdersAndHashesByItsBytes) {
  Digest low;
  Digest high;
  low.bytes[31] = std::byte{1};
  high.bytes[0] = std::byte{1};
  EXPECT_LT(low, high);
  EXPECT_EQ(low, Digest(low));
  EXPECT_EQ(DigestHash()(low), 0u);
  EXPECT_EQ(DigestHash()(high), 1u);
}

}  // namespace
}  // namespace mmh::hash
