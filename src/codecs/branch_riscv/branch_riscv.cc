#include "../branch.h"

namespace mmh::codecs {
namespace {

// Instructions are of two or four bytes, aligned to two.
constexpr std::size_t kAlignment = 2;
constexpr std::size_t kSize = 4;

constexpr std::uint32_t kLow12 = 0xfff;
constexpr std::uint32_t kLow20 = 0xfffff;

// JAL that saves the return address: in x1, or in x5.
bool is_call(std::uint32_t instruction) { return (instruction & kLow12) == 0x0ef || (instruction & kLow12) == 0x2ef; }

// Its operand, in bytes, modulo 2^21; the lowest bit is 0.
std::uint32_t distance_of(std::uint32_t instruction) {
  return (instruction >> 11 & 0x100000) | (instruction & 0xff000) | (instruction >> 9 & 0x800) |
         (instruction >> 20 & 0x7fe);
}
std::uint32_t with_distance(std::uint32_t instruction, std::uint32_t distance) {
  return (instruction & kLow12) | (distance & 0x100000) << 11 | (distance & 0xff000) | (distance & 0x800) << 9 |
         (distance & 0x7fe) << 20;
}

bool is_auipc(std::uint32_t instruction) { return (instruction & 0x7f) == 0x17; }

// Whether what follows AUIPC adds the rest of the address to the same register: JALR, ADDI or a load. Only bits that
// conversion leaves as they are take part.
bool completes(std::uint32_t auipc, std::uint32_t next) {
  if ((next >> 15 & 31) != (auipc >> 7 & 31)) return false;
  switch (next & 0x7f) {
    case 0x67:  // JALR
    case 0x13:  // ADDI
      return (next >> 12 & 7) == 0;
    case 0x03:  // loads
    case 0x07:  // loads of floats
      return true;
    default:
      return false;
  }
}

template <bool kForward>
void convert(Bytes code) {
  for (std::size_t i = 0; i + kSize <= code.size();) {
    const Bytes place = code.subspan(i, kSize);
    const auto instruction = load_le<std::uint32_t>(place);
    const auto position = static_cast<std::uint32_t>(i);
    if (is_call(instruction)) {
      // The target stands in order in the upper 20 bits.
      const std::uint32_t low = instruction & kLow12;
      if constexpr (kForward) {
        store_le(place, low | ((distance_of(instruction) + position) << 11 & ~kLow12));
      } else {
        store_le(place, with_distance(low, (instruction >> 12 << 1) - position));
      }
      i += kSize;
    } else if (is_auipc(instruction)) {
      i += kSize;
      if (i + kSize > code.size()) break;
      const Bytes place_of_next = code.subspan(i, kSize);
      const auto next = load_le<std::uint32_t>(place_of_next);
      if (!completes(instruction, next)) continue;
      // The second operand is signed, and so takes from the first.
      constexpr std::uint32_t kSign = 0x800;
      std::uint32_t address = (instruction & ~kLow12) | next >> 20;
      if constexpr (kForward) {
        address = (address ^ kSign) - kSign + position;
      } else {
        address = (address - position + kSign) ^ kSign;
      }
      store_le(place, (instruction & kLow12) | (address & ~kLow12));
      store_le(place_of_next, (next & kLow20) | address << 20);
      i += kSize;
    } else {
      i += kAlignment;
    }
  }
}

}  // namespace

const codec::Codec& branch_riscv_codec() {
  static const BranchCodec codec(codec::CodecId::branch_riscv, "branch_riscv",
                                 "absolute call and data addresses in RISC-V code, before a general codec", kAlignment,
                                 convert<true>, convert<false>);
  return codec;
}

}  // namespace mmh::codecs
