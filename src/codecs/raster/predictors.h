#pragma once
// What both ways of `raster` expect of an element by its neighbours. Format: spec.md.

#include <cstdint>

namespace mmh::codecs {

/// Between the elements to the left and above.
inline std::int32_t mean_of(std::int32_t w, std::int32_t n) { return (w + n) >> 1; }

/// The middle one of left, above, and their plane with the corner between them.
inline std::int32_t median_of(std::int32_t w, std::int32_t n, std::int32_t nw) {
  const std::int32_t least = w < n ? w : n;
  const std::int32_t most = w < n ? n : w;
  const std::int32_t plane = w + n - nw;
  const std::int32_t raised = plane < least ? least : plane;
  return raised > most ? most : raised;
}

/// The mean, raised by how the row above rises.
inline std::int32_t slope_of(std::int32_t w, std::int32_t n, std::int32_t nw, std::int32_t ne) {
  return mean_of(w, n) + ((ne - nw) >> 2);
}

}  // namespace mmh::codecs
