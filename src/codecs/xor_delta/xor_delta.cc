#include "../numbers.h"

namespace mmh::codecs {
namespace {

void to_differences(std::size_t width, const std::byte* from, std::size_t count, std::byte* __restrict to) {
  for_integers(width, [=]<class T>(T) {
    if (count > 0) set_element<T>(to, 0, element<T>(from, 0));
    for (std::size_t i = 1; i < count; ++i) {
      set_element<T>(to, i, static_cast<T>(element<T>(from, i) ^ element<T>(from, i - 1)));
    }
  });
}

void from_differences(std::size_t width, const std::byte* from, std::size_t count, std::byte* __restrict to) {
  for_integers(width, [=]<class T>(T) {
    T value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      value = static_cast<T>(value ^ element<T>(from, i));
      set_element<T>(to, i, value);
    }
  });
}

}  // namespace

const codec::Codec& xor_delta_codec() {
  static const NumbersCodec codec(codec::CodecId::xor_delta, "xor_delta",
                                  "exclusive or of neighbours: floats that change little", to_differences,
                                  from_differences);
  return codec;
}

}  // namespace mmh::codecs
