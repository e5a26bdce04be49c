#include "record_fields.h"

#include <fmt/format.h>

#include "mmh/base/varint.h"

namespace mmh::codecs {

using codec::Field;

void put_field(Buffer& out, const Field& field) {
  put_varint(out, static_cast<std::uint64_t>(field.kind));
  if (field.kind == Field::Kind::fixed) put_varint(out, field.width);
  if (field.kind == Field::Kind::terminated) put_varint(out, field.terminator);
}

Result<Field> take_field(ByteView& in) {
  MMH_LET(const std::uint64_t kind, take_varint(in));
  if (kind > static_cast<std::uint64_t>(Field::Kind::terminated)) {
    return fail(Errc::corrupt, fmt::format("a field of kind {}", kind));
  }
  Field field{.kind = static_cast<Field::Kind>(kind)};
  if (field.kind == Field::Kind::prefixed) return field;
  const bool is_fixed = field.kind == Field::Kind::fixed;
  MMH_LET(const std::uint64_t value, take_varint(in));
  if (is_fixed ? value < 1 || value > kFieldWidthMax : value > 255) {
    return fail(Errc::corrupt, fmt::format("a field of width or end {}", value));
  }
  if (is_fixed)
    field.width = static_cast<std::uint32_t>(value);
  else
    field.terminator = static_cast<std::uint8_t>(value);
  return field;
}

Result<> check_field(std::string_view codec, const Field& field) {
  if (field.kind != Field::Kind::fixed || (field.width >= 1 && field.width <= kFieldWidthMax)) return {};
  return fail(Errc::usage, fmt::format("{}: no fields of {} bytes", codec, field.width));
}

}  // namespace mmh::codecs
