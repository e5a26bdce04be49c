// Code of other machines than this one: calls of one function look alike, and every program comes back.

#include <array>

#include "mmh/codec/codec.h"
#include "mmh/codecs/builtin.h"
#include "support/support.h"

namespace mmh::test {
namespace {

using codec::CodecId;

Buffer encoded_by(CodecId id, ByteView code, unsigned phase = 0) {
  auto encoded = codecs::builtin_registry().find(id)->encode(code, {.phase = phase});
  EXPECT_OK(encoded);
  Buffer back(code.size());
  const std::array<ByteView, 1> streams = {encoded->streams[0]};
  EXPECT_OK(codecs::builtin_registry().find(id)->decode(encoded->parameters, streams, back, {}));
  EXPECT_TRUE(std::ranges::equal(back, code));
  return std::move(encoded->streams[0]);
}

std::uint32_t word_at(ByteView code, std::size_t at) { return load_le<std::uint32_t>(code.subspan(at, 4)); }
void put_word(Buffer& code, std::size_t at, std::uint32_t word) { store_le(Bytes(code).subspan(at, 4), word); }

// JAL x1, distance; The RISC-V Instruction Set Manual, volume I, 2.5.
std::uint32_t jal(std::int32_t distance) {
  const auto d = static_cast<std::uint32_t>(distance);
  return (d >> 20 & 1) << 31 | (d >> 1 & 0x3ff) << 21 | (d >> 11 & 1) << 20 | (d >> 12 & 0xff) << 12 | 1U << 7 | 0x6f;
}
// AUIPC x5 and JALR x1, x5, which together reach `distance`.
std::array<std::uint32_t, 2> far_call(std::int32_t distance) {
  const auto d = static_cast<std::uint32_t>(distance);
  return {((d + 0x800) & 0xfffff000) | 5U << 7 | 0x17, (d & 0xfff) << 20 | 5U << 15 | 1U << 7 | 0x67};
}

TEST(BranchRiscv, CallsOfOneFunctionLookAlike) {
  Buffer code(600'000, std::byte{0});
  const std::array<std::size_t, 3> near = {10, 2'000, 500'000};
  for (const std::size_t at : near) put_word(code, at, jal(300'000 - static_cast<std::int32_t>(at)));
  const std::array<std::size_t, 3> far = {100, 70'002, 599'000};
  for (const std::size_t at : far) {
    const auto call = far_call(0x12345ffe - static_cast<std::int32_t>(at));
    put_word(code, at, call[0]);
    put_word(code, at + 4, call[1]);
  }
  const Buffer coded = encoded_by(CodecId::branch_riscv, code);
  for (const std::size_t at : near) EXPECT_EQ(word_at(coded, at), 300'000U >> 1 << 12 | 0x0ef) << at;
  for (const std::size_t at : far) {
    EXPECT_EQ(word_at(coded, at), 0x12345297U) << at;
    EXPECT_EQ(word_at(coded, at + 4), 0xffe280e7U) << at;
  }
}

TEST(BranchRiscv, AnyProgramComesBack) {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    Buffer code = random_bytes(40 + random.below(200), random.next());
    // Instructions that are converted, that complete others or nearly do, over one another.
    for (std::size_t at = random.below(3); at + 4 <= code.size(); at += 2 * random.below(4)) {
      constexpr std::array<std::uint32_t, 8> kLow = {0x0ef, 0x2ef, 0x297, 0x097, 0x28067, 0x28093, 0x2b083, 0x0f};
      const std::uint32_t low = kLow[random.below(kLow.size())];
      const std::uint32_t mask = low > 0xfff ? 0xfffff : 0xfff;
      put_word(code, at, low | (static_cast<std::uint32_t>(random.next()) & ~mask));
      if (random.below(5) == 0) ++at;
    }
    encoded_by(CodecId::branch_riscv, code, static_cast<unsigned>(random.below(2)));
  }
}

}  // namespace
}  // namespace mmh::test
