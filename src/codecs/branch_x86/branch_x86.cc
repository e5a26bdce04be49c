#include "../branch.h"

namespace mmh::codecs {
namespace {

// The operand of a near call, jump or conditional jump is relative to the byte behind it. Only operands whose top byte
// is 00 or FF (targets within 16 MiB) are converted, modulo 2^25 and sign-extended, which keeps that top byte 00 or FF.
// The inverse must take the same decisions from the converted bytes, on any bytes: so the operand of a converted
// instruction is passed over, and so is all but the top byte of one that was not, lest an instruction found in it
// changes that byte.
template <bool kForward>
void convert(Bytes code) {
  constexpr std::size_t kOperandSize = 4;
  constexpr std::uint32_t kRange = UINT32_C(1) << 25;
  std::uint8_t* const bytes = u8(code);
  std::uint8_t before = 0;
  for (std::size_t i = 0; i + kOperandSize < code.size();) {
    const std::uint8_t opcode = bytes[i];
    const bool call_or_jump = (opcode & 0xfe) == 0xe8;
    const bool conditional_jump = before == 0x0f && (opcode & 0xf0) == 0x80;
    before = opcode;
    if (!call_or_jump && !conditional_jump) {
      ++i;
      continue;
    }
    const std::uint8_t top = bytes[i + kOperandSize];
    if (top != 0x00 && top != 0xff) {
      before = bytes[i + kOperandSize - 1];
      i += kOperandSize;
      continue;
    }
    const auto position = static_cast<std::uint32_t>(i + 1 + kOperandSize);
    const Bytes operand = code.subspan(i + 1, kOperandSize);
    const auto given = load_le<std::uint32_t>(operand);
    std::uint32_t made = (kForward ? given + position : given - position) & (kRange - 1);
    if ((made & (kRange >> 1)) != 0) made |= ~(kRange - 1);
    store_le(operand, made);
    before = static_cast<std::uint8_t>(made >> 24);
    i += 1 + kOperandSize;
  }
}

}  // namespace

const codec::Codec& branch_x86_codec() {
  static const BranchCodec codec(codec::CodecId::branch_x86, "branch_x86",
                                 "absolute call and jump targets in x86 code, before a general codec", convert<true>,
                                 convert<false>);
  return codec;
}

}  // namespace mmh::codecs
