#include "mmh/base/utf8.h"

#include <string>

#include "support/support.h"

namespace mmh {
namespace {

std::string encoded(std::uint32_t value) {
  const auto tail = [&](unsigned shift) { return static_cast<char>(0x80 | (value >> shift & 0x3f)); };
  if (value < 0x80) return {static_cast<char>(value)};
  if (value < 0x800) return {static_cast<char>(0xc0 | value >> 6), tail(0)};
  if (value < 0x10000) return {static_cast<char>(0xe0 | value >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | value >> 18), tail(12), tail(6), tail(0)};
}

TEST(Utf8, TakesEveryCharacterAndNoSurrogate) {
  for (std::uint32_t value = 0; value < 0x110000; ++value) {
    const std::string text = encoded(value);
    const bool surrogate = value >= 0xd800 && value < 0xe000;
    const auto character = first_utf8_character(text + "x");
    ASSERT_EQ(character.size, surrogate ? 0 : text.size()) << value;
    if (!surrogate) {
      ASSERT_EQ(character.value, value);
    }
    ASSERT_EQ(is_utf8(text), !surrogate) << value;
  }
}

TEST(Utf8, RefusesEveryTruncation) {
  for (const std::uint32_t value : {0x80u, 0x800u, 0x10000u, 0x10ffffu}) {
    const std::string text = encoded(value);
    for (std::size_t keep = 1; keep < text.size(); ++keep) {
      EXPECT_FALSE(is_utf8(text.substr(0, keep))) << value;
      EXPECT_FALSE(is_utf8(text.substr(0, keep) + "padding of many bytes")) << value;
    }
  }
}

TEST(Utf8, RefusesOverlongFormsAndWhatLiesBeyondUnicode) {
  for (const std::string_view text : {"\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\x80", "\xbf"}) {
    EXPECT_FALSE(is_utf8(text));
  }
}

TEST(Utf8, FindsAFaultAtEveryPlaceOfALongText) {
  std::string text(40, 'a');
  EXPECT_TRUE(is_utf8(text));
  for (char& byte : text) {
    byte = '\xff';
    EXPECT_FALSE(is_utf8(text));
    byte = 'a';
  }
}

TEST(Utf8, TakesTheEmptyText) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_EQ(first_utf8_character("").size, 0u);
}

}  // namespace
}  // namespace mmh
