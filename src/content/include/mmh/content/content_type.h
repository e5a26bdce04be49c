#pragma once
// What a stretch of bytes is made of, as far as that steers grouping and planning.

#include <compare>
#include <cstdint>

#include "mmh/content/layout.h"

namespace mmh::content {

/// A class and, for bytes of a typed region, what its elements are and how they lie. Stretches of one type begin with
/// an element, and may stand in one block.
struct ContentType {
  ContentClass content = ContentClass::binary;
  bool has_elements = false;  ///< Whether the rest stands.
  ElementType element = ElementType::uint8;
  bool big_endian = false;
  std::uint32_t channels = 1;    ///< Elements of a pixel, a moment or a record.
  std::uint64_t row_size = 0;    ///< Bytes from one row of a picture to the next; 0 elsewhere.
  std::uint64_t slice_size = 0;  ///< Bytes from one picture to the next one that is like it; 0: unknown.
  bool is_whole = false;         ///< Files each of which a codec takes as a whole, or not at all.

  ContentType() = default;
  ContentType(ContentClass of) : content(of) {}
  auto operator<=>(const ContentType&) const = default;
};

/// The type of a file of a class, by its first bytes, as far as that is known at once.
ContentType content_type(ContentClass content, ByteView head);
/// The type of a region's bytes.
ContentType content_type(const Region& region);
}  // namespace mmh::content
