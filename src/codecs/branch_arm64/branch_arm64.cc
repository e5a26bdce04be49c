#include "../branch.h"

namespace mmh::codecs {
namespace {

// Instructions are four bytes, aligned from the first of them.
constexpr std::size_t kSize = 4;

// BL: 26 bits, in instructions, all of which take part.
constexpr std::uint32_t kBlMask = 0xfc000000;
constexpr std::uint32_t kBl = 0x94000000;

// ADRP: 21 bits, in pages of 4 KiB. Only those within 512 MiB are converted, modulo 2^18 and sign-extended, so that
// data that happens to look like ADRP is mostly left alone and the inverse takes the same decisions.
constexpr std::uint32_t kAdrpMask = 0x9f000000;
constexpr std::uint32_t kAdrp = 0x90000000;
constexpr std::uint32_t kPageBits = 21;
constexpr std::uint32_t kRange = UINT32_C(1) << 18;
constexpr unsigned kPageShift = 12;

std::uint32_t adrp_page(std::uint32_t instruction) {
  return ((instruction >> 29) & 3) | ((instruction >> 3) & 0x1ffffc);
}
std::uint32_t with_adrp_page(std::uint32_t instruction, std::uint32_t page) {
  return (instruction & 0x9f00001f) | (page & 3) << 29 | (page & 0x1ffffc) << 3;
}
// Whether bits 17..20 are all equal: a signed number of 18 bits.
bool within_range(std::uint32_t page) { return ((page + kRange / 2) & ((UINT32_C(1) << kPageBits) - kRange)) == 0; }

template <bool kForward>
std::uint32_t moved(std::uint32_t value, std::uint32_t by) {
  return kForward ? value + by : value - by;
}

template <bool kForward>
void convert(Bytes code) {
  for (std::size_t i = 0; i + kSize <= code.size(); i += kSize) {
    const Bytes place = code.subspan(i, kSize);
    const auto instruction = load_le<std::uint32_t>(place);
    const auto position = static_cast<std::uint32_t>(i);
    if ((instruction & kBlMask) == kBl) {
      store_le(place, kBl | (moved<kForward>(instruction, position / kSize) & ~kBlMask));
    } else if ((instruction & kAdrpMask) == kAdrp) {
      std::uint32_t page = adrp_page(instruction);
      if (!within_range(page)) continue;
      page = moved<kForward>(page, position >> kPageShift) & (kRange - 1);
      if ((page & (kRange / 2)) != 0) page |= ~(kRange - 1);
      store_le(place, with_adrp_page(instruction, page));
    }
  }
}

}  // namespace

const codec::Codec& branch_arm64_codec() {
  static const BranchCodec codec(codec::CodecId::branch_arm64, "branch_arm64",
                                 "absolute call and page targets in ARM64 code, before a general codec", kSize,
                                 convert<true>, convert<false>);
  return codec;
}

}  // namespace mmh::codecs
