#include <array>
#include <bit>

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

constexpr std::size_t kPiece = 64;

constexpr std::uint64_t kOnes = 0x0101010101010101;

// The top bit of each byte of `word` that is `value`.
std::uint64_t bytes_equal(std::uint64_t word, std::uint8_t value) {
  const std::uint64_t differing = word ^ kOnes * value;
  return ~(((differing & kOnes * 0x7f) + kOnes * 0x7f) | differing) & kOnes * 0x80;
}

// Of the `kPiece` bytes at the front, behind which one more can be read: a bit for each that may begin an instruction:
// a call or a jump, or what leads in a conditional one.
std::uint64_t openings(ByteView code) {
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  std::uint64_t found = 0;
  for (std::size_t i = 0; i < kPiece; i += kWord) {
    const auto here = load_le<std::uint64_t>(code.subspan(i, kWord));
    const auto next = load_le<std::uint64_t>(code.subspan(i + 1, kWord));
    const std::uint64_t is_call = bytes_equal(here & kOnes * 0xfe, 0xe8);
    const std::uint64_t is_branch = bytes_equal(here, 0x0f) & bytes_equal(next & kOnes * 0xf0, 0x80);
    // Gathers the top bits of the bytes in the top byte.
    constexpr std::uint64_t kGather = 0x0002040810204081;
    found |= ((is_call | is_branch) >> 7) * (kGather << 7) >> 56 << i;
  }
  return found;
}

template <bool kForward>
void convert(Bytes code) {
  constexpr std::size_t kLongest = 2 + kOperandSize;
  if (code.size() < kLongest) return;
  const std::size_t last = code.size() - kLongest;  // where an instruction may begin
  std::uint8_t* const bytes = u8(code);
  std::size_t i = 0;
  for (std::size_t piece = 0; piece <= last; piece += kPiece) {
    std::uint64_t found;
    if (code.size() - piece > kPiece) {
      found = openings(code.subspan(piece));
    } else {
      std::array<std::byte, kPiece + 1> padded{};
      copy_bytes(code.subspan(piece), padded);
      found = openings(padded);
    }
    while (true) {
      if (i > piece) {
        if (i - piece >= kPiece) break;
        found &= ~std::uint64_t{0} << (i - piece);
      }
      if (found == 0) break;
      i = piece + static_cast<std::size_t>(std::countr_zero(found));
      if (i > last) return;
      const std::size_t opcode = bytes[i] == 0x0f ? 2 : 1;
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
}

}  // namespace

const codec::Codec& branch_x86_codec() {
  static const BranchCodec codec(codec::CodecId::branch_x86, "branch_x86",
                                 "absolute call and jump targets in x86 code, before a general codec", 1, convert<true>,
                                 convert<false>);
  return codec;
}

}  // namespace mmh::codecs
