#pragma once
// DEFLATE streams among other bytes: in PNG pictures, gzip files and zip archives.

#include <cstdint>
#include <optional>
#include <vector>

#include "mmh/base/bytes.h"

namespace mmh::codecs::inflated {

/// A run of the bytes searched.
struct Piece {
  std::size_t offset = 0;
  std::size_t size = 0;
};

/// Where a stream is likely to begin: at the first of the pieces that hold it, ordered, with something between any two.
/// It may end before they do.
struct Found {
  std::vector<Piece> pieces;
  unsigned window_bits = 15;
  bool is_picture = false;
};

/// The first stream whose headers begin at `from` or behind it. Nothing is decoded.
std::optional<Found> next_stream(ByteView bytes, std::size_t from);

}  // namespace mmh::codecs::inflated
