#include "../numbers.h"

namespace mmh::codecs {
namespace {

void fold(std::size_t width, const std::byte* from, std::size_t count, std::byte* __restrict to) {
  for_integers(width, [=]<class T>(T) {
    for (std::size_t i = 0; i < count; ++i) set_element<T>(to, i, zigzag(element<T>(from, i)));
  });
}

void unfold(std::size_t width, const std::byte* from, std::size_t count, std::byte* __restrict to) {
  for_integers(width, [=]<class T>(T) {
    for (std::size_t i = 0; i < count; ++i) set_element<T>(to, i, unzigzag(element<T>(from, i)));
  });
}

}  // namespace

const codec::Codec& zigzag_codec() {
  static const NumbersCodec codec(codec::CodecId::zigzag, "zigzag",
                                  "signed integers: small ones of either sign become small", fold, unfold);
  return codec;
}

}  // namespace mmh::codecs
