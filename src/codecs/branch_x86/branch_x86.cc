#include <bit>
#include <cstring>

#include "../branch.h"

namespace mmh::codecs {
namespace {

// The operand of a near call, jump or conditional jump is relative to the byte behind it. Only operands whose top byte
// is 00 or FF (targets within 16 MiB) are converted, modulo 2^25 and sign-extended, which keeps that top byte 00 or FF.
// The inverse must take the same decisions from the converted bytes, on any bytes: so the operand of a converted
// instruction is passed over, and so is all but the top byte of one that was not, lest an instruction found in it
// changes that byte.
constexpr std::size_t kOperandSize = 4;
constexpr std::uint32_t kRange = UINT32_C(1) << 25;

// A mask whose lowest set bit is the top bit of the first byte of `word` that is `value`; 0 where none is.
std::uint64_t bytes_equal(std::uint64_t word, std::uint8_t value) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  const std::uint64_t differing = word ^ kOnes * value;
  return (differing - kOnes) & ~differing & (kOnes << 7);
}

// Bytes of `eight` in front of the first that may be an instruction: a call, a jump, or what 0F leads in.
std::size_t quiet_bytes(const std::uint8_t* eight) {
  constexpr std::uint64_t kWithoutLowBit = 0xfefefefefefefefe;
  std::uint64_t word;
  std::memcpy(&word, eight, sizeof word);
  const std::uint64_t found = bytes_equal(word & kWithoutLowBit, 0xe8) | bytes_equal(word, 0x0f);
  return static_cast<std::size_t>(std::countr_zero(found)) / 8;
}

// Bytes of the opcode at `at`, or 0.
std::size_t opcode_size(const std::uint8_t* at) {
  if ((at[0] & 0xfe) == 0xe8) return 1;
  return at[0] == 0x0f && (at[1] & 0xf0) == 0x80 ? 2 : 0;
}

template <bool kForward>
void convert(Bytes code) {
  constexpr std::size_t kLongest = 2 + kOperandSize;
  constexpr std::size_t kStep = 8;
  std::uint8_t* const bytes = u8(code);
  for (std::size_t i = 0; i + kLongest <= code.size();) {
    if (i + kStep <= code.size()) {
      const std::size_t quiet = quiet_bytes(bytes + i);
      i += quiet;
      if (quiet == kStep || i + kLongest > code.size()) continue;
    }
    const std::size_t opcode = opcode_size(bytes + i);
    if (opcode == 0) {
      ++i;
      continue;
    }
    const std::uint8_t top = bytes[i + opcode + kOperandSize - 1];
    if (top != 0x00 && top != 0xff) {
      i += opcode + kOperandSize - 1;
      continue;
    }
    const std::size_t behind = i + opcode + kOperandSize;
    const Bytes operand = code.subspan(i + opcode, kOperandSize);
    const auto given = load_le<std::uint32_t>(operand);
    const auto position = static_cast<std::uint32_t>(behind);
    std::uint32_t made = (kForward ? given + position : given - position) & (kRange - 1);
    if ((made & (kRange >> 1)) != 0) made |= ~(kRange - 1);
    store_le(operand, made);
    i = behind;
  }
}

}  // namespace

const codec::Codec& branch_x86_codec() {
  static const BranchCodec codec(codec::CodecId::branch_x86, "branch_x86",
                                 "absolute call and jump targets in x86 code, before a general codec", 1, convert<true>,
                                 convert<false>);
  return codec;
}

}  // namespace mmh::codecs
