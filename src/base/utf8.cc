#include "mmh/base/utf8.h"

#include <cstring>

namespace mmh {

Utf8Character first_utf8_character(std::string_view text) {
  if (text.empty()) return {};
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::uint32_t first = at(0);
  if (first < 0x80) return {first, 1};
  Utf8Character character;
  if (first >= 0xc2 && first < 0xe0) {
    character = {first & 0x1f, 2};
  } else if (first >= 0xe0 && first < 0xf0) {
    character = {first & 0x0f, 3};
  } else if (first >= 0xf0 && first < 0xf5) {
    character = {first & 0x07, 4};
  }
  if (character.size == 0 || text.size() < character.size) return {};
  for (std::size_t i = 1; i < character.size; ++i) {
    if ((at(i) & 0xc0) != 0x80) return {};
    character.value = character.value << 6 | (at(i) & 0x3fu);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = character.value >= 0xd800 && character.value < 0xe000;
  if (character.value < kLeast[character.size] || character.value > 0x10ffff || surrogate) return {};
  return character;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    // Nearly all text is ASCII: eight bytes at a time.
    std::uint64_t word = 0;
    if (text.size() >= sizeof word) {
      std::memcpy(&word, text.data(), sizeof word);
      if ((word & 0x8080808080808080) == 0) {
        text.remove_prefix(sizeof word);
        continue;
      }
    }
    const auto character = first_utf8_character(text);
    if (character.size == 0) return false;
    text.remove_prefix(character.size);
  }
  return true;
}

}  // namespace mmh
