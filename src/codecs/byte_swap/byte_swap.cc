#include "../numbers.h"

namespace mmh::codecs {
namespace {

template <class T>
T reversed(T number) {
  if constexpr (sizeof(T) == 8) return __builtin_bswap64(number);
  if constexpr (sizeof(T) == 4) return __builtin_bswap32(number);
  if constexpr (sizeof(T) == 2) return __builtin_bswap16(number);
  return number;
}

void swap(std::size_t width, const std::byte* from, std::size_t count, std::byte* __restrict to) {
  for_integers(width, [=]<class T>(T) {
    for (std::size_t i = 0; i < count; ++i) set_element<T>(to, i, reversed(element<T>(from, i)));
  });
}

}  // namespace

const codec::Codec& byte_swap_codec() {
  static const NumbersCodec codec(codec::CodecId::byte_swap, "byte_swap",
                                  "big-endian numbers: little-endian ones, which other codecs know", swap, swap);
  return codec;
}

}  // namespace mmh::codecs
