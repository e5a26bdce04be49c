#include "mmh/chunking/fastcdc.h"

#include <rapidcheck.h>

#include <cstdlib>
#include <set>

#include "gear.h"
#include "support/support.h"
#include "support/targets.h"

namespace mmh::chunking {
namespace {

constexpr ChunkSizes kTypical{16 << 10, 64 << 10, 256 << 10};
constexpr ChunkSizes kSmall{64, 256, 1024};

// The definition: at each position the hash of the 32 bytes before it, worked out anew.
std::size_t first_cut_oracle(ByteView data, const ChunkSizes& sizes) {
  const int bits = std::countr_zero(sizes.average);
  for (std::size_t cut = sizes.size_min; cut < data.size() && cut < sizes.size_max; ++cut) {
    std::uint32_t hash = 0;
    for (std::size_t i = cut - 32; i < cut; ++i) hash = (hash << 1) + kGear[std::to_integer<std::uint8_t>(data[i])];
    const int zeros = std::countl_zero(hash);
    if (zeros >= (cut < sizes.average ? bits + 2 : bits - 2)) return cut;
  }
  return std::min<std::size_t>(data.size(), sizes.size_max);
}

std::vector<std::size_t> cuts_of(ByteView data, const ChunkSizes& sizes) {
  std::vector<std::size_t> cuts;
  for (std::size_t at = 0; at < data.size();) {
    at += first_cut(data.subspan(at), sizes);
    cuts.push_back(at);
  }
  return cuts;
}

// RapidCheck takes its seed from the environment, and a random one where that has none.
const int seeded = setenv("RC_PARAMS", "seed=20240601 max_success=60", 0);

ChunkSizes any_sizes() {
  const auto bits = *rc::gen::inRange(6, 12);
  const std::uint32_t average = 1U << bits;
  return {*rc::gen::inRange<std::uint32_t>(64, average + 1), average,
          average + *rc::gen::inRange<std::uint32_t>(0, 4 * average)};
}

// Random bytes with runs and repeats of themselves.
Buffer any_data() {
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  test::Random random(seed);
  Buffer data;
  const std::size_t pieces = random.below(8);
  for (std::size_t i = 0; i < pieces; ++i) {
    switch (random.below(3)) {
      case 0:
        append(data, test::random_bytes(random.below(20000), random.next()));
        break;
      case 1:
        data.resize(data.size() + random.below(5000), std::byte(random.below(256)));
        break;
      default:
        append(data, Buffer(data.begin(), data.begin() + std::ptrdiff_t(random.below(data.size() + 1))));
    }
  }
  return data;
}

TEST(Gear, TableIsFixed) {
  EXPECT_EQ(kGear[0], 3944007829u);
  EXPECT_EQ(kGear[1], 4180111134u);
  EXPECT_EQ(kGear[127], 3637549284u);
  EXPECT_EQ(kGear[255], 1719806954u);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kGear.size(); ++i) sum += kGear[i] * (i + 1);
  EXPECT_EQ(sum, 70668559321488u);
}

TEST(Gear, EveryCpuFindsTheSame) {
  test::for_every_target([](const char* target) {
    SCOPED_TRACE(target);
    test::Random random(11);
    for (int round = 0; round < 300; ++round) {
      const Buffer data = test::random_bytes(kGearWindow + random.below(20'000), random.next());
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(data.data());
      const std::size_t begin = kGearWindow - 1 + random.below(data.size() - kGearWindow + 1);
      const std::uint32_t limit = 1U << (14 + random.below(12));
      ASSERT_EQ(find_hash_below(bytes, begin, data.size(), limit),
                find_hash_below_portable(bytes, begin, data.size(), limit));
    }
  });
}

TEST(FastCdc, CutsAreFixed) {
  EXPECT_THAT(cuts_of(test::random_bytes(500'000, 1), kTypical),
              testing::ElementsAre(52850, 130381, 198006, 266042, 356113, 428364, 500000));
  EXPECT_THAT(cuts_of(test::text_bytes(500'000, 1), kTypical),
              testing::ElementsAre(69947, 154179, 227514, 295231, 376719, 394652, 483372, 500000));
  EXPECT_THAT(cuts_of(test::random_bytes(2000, 2), kSmall),
              testing::ElementsAre(360, 623, 907, 1291, 1552, 1631, 1837, 2000));
}

TEST(FastCdc, DataWithoutACutIsOneChunkUpToTheGreatestSize) {
  const Buffer zeros(1'000'000, std::byte{0});
  EXPECT_EQ(first_cut(zeros, kTypical), kTypical.size_max);
  EXPECT_EQ(first_cut(ByteView(zeros).first(100'000), kTypical), 100'000u);
}

TEST(FastCdc, DataUpToTheLeastSizeIsOneChunk) {
  const Buffer data = test::random_bytes(kTypical.size_min, 3);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{kTypical.size_min}}) {
    EXPECT_EQ(first_cut(ByteView(data).first(size), kTypical), size);
  }
}

TEST(FastCdc, AgreesWithTheDefinitionAndKeepsTheBounds) {
  EXPECT_TRUE(rc::check([] {
    const ChunkSizes sizes = any_sizes();
    const Buffer data = any_data();
    std::size_t at = 0;
    while (at < data.size()) {
      const ByteView rest = ByteView(data).subspan(at);
      const std::size_t cut = first_cut(rest, sizes);
      RC_ASSERT(cut == first_cut_oracle(rest, sizes));
      RC_ASSERT(cut <= sizes.size_max);
      RC_ASSERT(cut >= sizes.size_min || cut == rest.size());
      at += cut;
    }
    RC_ASSERT(at == data.size());
  }));
}

TEST(FastCdc, ACutDependsOnItsOwnChunkAlone) {
  EXPECT_TRUE(rc::check([] {
    const ChunkSizes sizes = any_sizes();
    Buffer data = any_data();
    if (data.empty()) return;
    const std::size_t cut = first_cut(data, sizes);
    RC_ASSERT(first_cut(ByteView(data).first(cut), sizes) == cut);
    for (std::size_t i = cut; i < data.size(); ++i) data[i] ^= std::byte{0x5A};
    RC_ASSERT(first_cut(data, sizes) == cut);
  }));
}

TEST(FastCdc, AnInsertionChangesNearbyCutsOnly) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const Buffer data = test::random_bytes(400'000, seed);
    const std::size_t place = 100'000 + seed * 1000;
    Buffer changed(data.begin(), data.begin() + std::ptrdiff_t(place));
    append(changed, test::random_bytes(37, seed + 100));
    changed.insert(changed.end(), data.begin() + std::ptrdiff_t(place), data.end());

    const ChunkSizes sizes{512, 2048, 8192};
    const auto before = cuts_of(data, sizes);
    const auto after = cuts_of(changed, sizes);
    std::set<std::size_t> kept;
    for (const std::size_t cut : after) kept.insert(cut <= place ? cut : cut - 37);
    std::size_t lost = 0;
    std::size_t furthest = 0;
    for (const std::size_t cut : before) {
      if (kept.contains(cut)) continue;
      ++lost;
      ASSERT_GT(cut, place);
      furthest = std::max(furthest, cut - place);
    }
    EXPECT_LE(lost, 8u) << seed;
    EXPECT_LE(furthest, 40'000u) << seed;
  }
}

TEST(FastCdc, AverageIsNearTheOneAskedFor) {
  const Buffer data = test::random_bytes(8 << 20, 5);
  const auto cuts = cuts_of(data, {1024, 4096, 16384});
  const std::size_t average = data.size() / cuts.size();
  EXPECT_GT(average, 3500u);
  EXPECT_LT(average, 5500u);
}

}  // namespace
}  // namespace mmh::chunking
