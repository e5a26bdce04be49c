#pragma once
// Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF (Unicode 15, table 3-7).

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mmh {

/// The character at the front of a text. `size` is 0 where the text is empty or not well-formed there.
struct Utf8Character {
  std::uint32_t value = 0;
  std::size_t size = 0;  ///< Bytes, 0 to 4.
};
Utf8Character first_utf8_character(std::string_view text);

bool is_utf8(std::string_view text);

}  // namespace mmh
