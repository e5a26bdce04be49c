#pragma once
// What the codecs of self-delimiting fields share.

#include <algorithm>

#include "common.h"

namespace mmh::codecs {

inline constexpr std::size_t kFieldWidthMax = 65536;  ///< Of fixed fields.

/// Bytes of the field at the front of `in`; 0: it does not end there, or there is none.
inline std::size_t field_size(const codec::Field& field, ByteView in) {
  switch (field.kind) {
    case codec::Field::Kind::fixed:
      return in.size() >= field.width ? field.width : 0;
    case codec::Field::Kind::prefixed: {
      if (in.empty()) return 0;
      const std::size_t size = std::to_integer<std::size_t>(in[0]) + 1;
      return in.size() >= size ? size : 0;
    }
    case codec::Field::Kind::terminated: {
      if (in.empty()) return 0;
      const void* const end = std::memchr(in.data(), field.terminator, in.size());
      return end == nullptr ? 0 : static_cast<std::size_t>(static_cast<const std::byte*>(end) - in.data()) + 1;
    }
  }
  return 0;
}

/// Appends kind, and width or terminator where the kind has one: varints.
void put_field(Buffer& out, const codec::Field& field);
/// Reads what put_field() wrote and moves `in` behind it. Errors: corrupt.
Result<codec::Field> take_field(ByteView& in);
/// Errors: usage, for a field that take_field() would refuse.
Result<> check_field(std::string_view codec, const codec::Field& field);

/// Copies a short field: sizes that the compiler knows are moves, others are calls.
inline void copy_field(std::byte* to, const std::byte* from, std::size_t size) {
  switch (size) {
    case 1:
      *to = *from;
      return;
    case 2:
      std::memcpy(to, from, 2);
      return;
    case 4:
      std::memcpy(to, from, 4);
      return;
    case 8:
      std::memcpy(to, from, 8);
      return;
    default:
      std::memcpy(to, from, size);
  }
}

}  // namespace mmh::codecs
