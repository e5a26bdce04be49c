#pragma once
// What codecs of fixed-width elements share: parameters of a width and the bytes that fill no element.

#include <cstring>
#include <string_view>
#include <type_traits>

#include "common.h"

namespace mmh::codecs {

/// The parameters `width tail`: the size of an element in bytes, varint, and the bytes behind the last whole one.
struct Elements {
  std::size_t width;
  ByteView tail;
};
/// Appends them for `raw`.
void put_elements(Buffer& parameters, std::size_t width, ByteView raw);
/// Errors: corrupt (a width outside `least`..`most`, a tail that is an element or more).
Result<Elements> take_elements(ByteView parameters, std::size_t least, std::size_t most);
/// Copies the tail to the end of `raw`. Errors: corrupt, unless the rest of `raw` is whole elements.
Result<std::size_t> place_tail(const Elements& elements, Bytes raw);

/// The parameters of numbers. Errors: corrupt, as take_elements() and for a width that no integer has.
Result<Elements> take_numbers(std::string_view codec, ByteView parameters);
/// Errors: usage, for a width that no integer has.
Result<> check_number_width(std::string_view codec, unsigned width);

inline bool is_integer_width(std::uint64_t width) { return width == 1 || width == 2 || width == 4 || width == 8; }

template <class T>
T element(const std::byte* in, std::size_t index) {
  T value;
  std::memcpy(&value, in + index * sizeof(T), sizeof value);
  return value;
}
template <class T>
void set_element(std::byte* out, std::size_t index, T value) {
  std::memcpy(out + index * sizeof(T), &value, sizeof value);
}

// Small numbers of either sign become small numbers, whose high bytes are zero.
template <class T>
T zigzag(T number) {
  using Signed = std::make_signed_t<T>;
  constexpr int kTopBit = sizeof(T) * 8 - 1;
  return static_cast<T>(static_cast<T>(number << 1) ^ static_cast<T>(static_cast<Signed>(number) >> kTopBit));
}
template <class T>
T unzigzag(T coded) {
  return static_cast<T>(static_cast<T>(coded >> 1) ^ static_cast<T>(T{0} - static_cast<T>(coded & 1)));
}

/// Calls `with` with a value of the unsigned type of `width` bytes. Requires: is_integer_width(width).
template <class With>
auto for_integers(std::size_t width, With with) {
  switch (width) {
    case 1:
      return with(std::uint8_t{});
    case 2:
      return with(std::uint16_t{});
    case 4:
      return with(std::uint32_t{});
    default:
      return with(std::uint64_t{});
  }
}

}  // namespace mmh::codecs
