#pragma once
// JPEG files among other bytes.

#include <algorithm>
#include <cstdint>
#include <optional>

#include "mmh/base/bytes.h"

namespace mmh::codecs {

/// A whole JPEG file: from its first marker to its last.
struct JpegMember {
  std::size_t offset = 0;
  std::size_t size = 0;      ///< Bytes.
  std::uint64_t pixels = 0;  ///< Of the frame, going by its header.
};

/// The first JPEG file that begins at `from` or behind it, is there to its end and is of a kind that libjxl takes: 8
/// bits, Huffman-coded, baseline or progressive. Nothing is decoded.
std::optional<JpegMember> next_jpeg(ByteView bytes, std::size_t from);

inline constexpr std::uint64_t kJpegPixelsMax = std::uint64_t{26} << 20;

/// Most pixels of a JPEG file of `size` bytes that is taken apart: enough for all but blank pictures, and what keeps
/// memory in proportion.
constexpr std::uint64_t jpeg_pixels_max(std::size_t size) {
  constexpr std::uint64_t kAlways = std::uint64_t{64} << 10;
  return std::min(kJpegPixelsMax, kAlways + 32 * std::uint64_t{size});
}

}  // namespace mmh::codecs
