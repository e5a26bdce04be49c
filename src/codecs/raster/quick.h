#pragma once
// The quick way of `raster`: what is expected of an element depends on its neighbours alone, and the context of what is
// missed on the misses of rows above, so that nothing but the prediction itself waits for the element before. Format:
// spec.md.

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "../residuals.h"

namespace mmh::codecs {

inline constexpr unsigned kQuickPredictorCount = 6;

/// How the elements of a picture lie, and what is expected of them.
struct QuickShape {
  std::size_t width = 1;     ///< Of an element: 1 or 2 bytes.
  std::size_t channels = 1;  ///< Elements of a pixel.
  std::size_t row = 2;       ///< Elements from one row to the next, at least two pixels.
  std::size_t slice = 0;     ///< Elements from one picture to the next one that is like it; 0: none.
  unsigned predictor = 0;
  bool colour = false;
};

/// What is missed of elements from `begin` on, folded. `values`: all elements up to the last of them, as numbers of the
/// machine's order. Requires: with `colour`, `begin` is a multiple of the row.
void quick_misses(const std::byte* values, const QuickShape& shape, std::size_t begin, std::span<std::uint16_t> missed);

/// The way back: makes the elements from `begin` on, those before them being there. Changes `missed`.
void quick_values(std::span<std::uint16_t> missed, const QuickShape& shape, std::size_t begin, std::byte* values);

/// The stream of each element, by what was missed in the two rows above.
class QuickContexts {
 public:
  /// `groups`: channels that have contexts of their own, or 1.
  QuickContexts(const QuickShape& shape, const ActivityContexts& contexts, std::size_t groups)
      : row_(static_cast<std::ptrdiff_t>(shape.row)),
        channels_(static_cast<std::ptrdiff_t>(shape.channels)),
        groups_(groups),
        contexts_(contexts) {}

  /// Calls `take` with the streams of elements from `begin` to `end`, a run of them at a time. Where it is called, the
  /// misses of all elements before the run must be there. `missed`: those of `begin`; two rows stand before them.
  template <class Take>
  void for_runs(const std::uint16_t* missed, std::size_t begin, std::size_t end, Take&& take) const {
    std::array<std::uint8_t, kRunMax> streams;
    const std::size_t run_max = std::min(kRunMax, static_cast<std::size_t>(row_ - channels_));
    for (std::size_t at = begin; at < end; at += run_max) {
      const auto run = std::span(streams).first(std::min(run_max, end - at));
      find(missed + (at - begin), at, run);
      take(at, std::span<const std::uint8_t>(run));
    }
  }

  /// `missed`: of an element; those of the two rows before it stand there, too.
  static std::uint32_t activity(const std::uint16_t* missed, std::ptrdiff_t row, std::ptrdiff_t channels) {
    return std::uint32_t{missed[-row]} + missed[-row - channels] + missed[-row + channels] + missed[-2 * row];
  }

 private:
  static constexpr std::size_t kRunMax = 1024;
  void find(const std::uint16_t* missed, std::size_t index, std::span<std::uint8_t> streams) const;

  const std::ptrdiff_t row_, channels_;
  const std::size_t groups_;
  const ActivityContexts& contexts_;
};

}  // namespace mmh::codecs
