#include "elements.h"

#include <fmt/format.h>

#include <algorithm>

#include "mmh/base/varint.h"

namespace mmh::codecs {

void put_elements(Buffer& parameters, std::size_t width, ByteView raw) {
  put_varint(parameters, width);
  append(parameters, raw.last(raw.size() % width));
}

Result<Elements> take_elements(ByteView parameters, std::size_t least, std::size_t most) {
  MMH_LET(const std::uint64_t width, take_varint(parameters));
  if (width < least || width > most) return fail(Errc::corrupt, fmt::format("elements of {} bytes", width));
  if (parameters.size() >= width) {
    return fail(Errc::corrupt, fmt::format("{} bytes behind elements of {}", parameters.size(), width));
  }
  return Elements{.width = static_cast<std::size_t>(width), .tail = parameters};
}

Result<Elements> take_numbers(std::string_view codec, ByteView parameters) {
  MMH_LET(const Elements elements, take_elements(parameters, 1, 8));
  if (!is_integer_width(elements.width)) {
    return fail(Errc::corrupt, fmt::format("{}: no numbers of {} bytes", codec, elements.width));
  }
  return elements;
}

Result<> check_number_width(std::string_view codec, unsigned width) {
  if (is_integer_width(width)) return {};
  return fail(Errc::usage, fmt::format("{}: no numbers of {} bytes", codec, width));
}

Result<std::size_t> place_tail(const Elements& elements, Bytes raw) {
  if (raw.size() < elements.tail.size() || (raw.size() - elements.tail.size()) % elements.width != 0) {
    return fail(Errc::corrupt, fmt::format("{} bytes are no elements of {}", raw.size(), elements.width));
  }
  const std::size_t whole = raw.size() - elements.tail.size();
  copy_bytes(elements.tail, raw.subspan(whole));
  return whole / elements.width;
}

}  // namespace mmh::codecs
