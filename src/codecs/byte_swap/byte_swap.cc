#include <bit>

#include "../numbers.h"

namespace mmh::codecs {
namespace {

void swap(std::size_t width, const std::byte* from, std::size_t count, std::byte* __restrict to) {
  for_integers(width, [=]<class T>(T) {
    for (std::size_t i = 0; i < count; ++i) set_element<T>(to, i, std::byteswap(element<T>(from, i)));
  });
}

}  // namespace

const codec::Codec& byte_swap_codec() {
  static const NumbersCodec codec(codec::CodecId::byte_swap, "byte_swap",
                                  "big-endian numbers: little-endian ones, which other codecs know", swap, swap);
  return codec;
}

}  // namespace mmh::codecs
