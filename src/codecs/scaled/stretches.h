#pragma once
// Where in a plane of symbols the statistics change, and how the scale of each stretch depends on row and column.

#include <array>
#include <vector>

#include "mmh/base/bytes.h"
#include "rans/rans_tables.h"
#include "scaled_kernels.h"

namespace mmh::codecs::scaled {

inline constexpr std::size_t kUnit = 1024;        ///< Stretches are multiples of so many symbols, but for the last.
inline constexpr std::size_t kPeriodMax = 4096;   ///< Most columns.
inline constexpr std::size_t kRowMin = 16;        ///< Least symbols of a row block.
inline constexpr std::size_t kRowMax = 1U << 20;  ///< And most.
inline constexpr unsigned kStepMax = 128;         ///< Most symbols that a doubling may make.

/// Symbols whose scale, in doublings, is that of their column plus that of their row. Places count from the start of a
/// stretch: symbol i is of column i % period and of row i / row_size.
struct Scales {
  std::size_t period = 0;    ///< Columns; 0: none.
  std::size_t row_size = 0;  ///< Symbols; 0: no rows.
  Buffer columns = {};       ///< A signed byte each.
  Buffer rows = {};
};

/// A run of symbols with one table.
struct Stretch {
  std::size_t begin = 0;
  std::size_t size = 0;
  Scales scales = {};
  rans::Histogram histogram = {};  ///< Without the scales.
};

/// Moves symbols of a stretch by their scales, or back.
class Mover {
 public:
  explicit Mover(unsigned step);
  /// For a stretch of these scales. `forth`: adds them; else takes them away. `columns` and `rows` must outlive it.
  void begin(std::size_t period, ByteView columns, std::size_t row_size, ByteView rows, bool forth);
  /// `place`: of the first symbol, in its stretch.
  void move(std::uint8_t* symbols, std::size_t place, std::size_t count) const;

 private:
  const Kernels& kernels_ = *best_kernels();
  std::array<std::array<std::uint8_t, 256>, 2> numbers_;  // by scale: what takes it away, what adds it
  bool forth_ = true;
  std::size_t row_size_ = 0;
  ByteView rows_;
  std::vector<std::uint8_t> by_;  // of each column, several times over; empty: no columns
};

/// Cuts `symbols` into stretches, without scales. `level`: 1..9, how finely. Requires: size > 0.
std::vector<Stretch> find_stretches(const std::uint8_t* symbols, std::size_t size, int level);

/// Takes the scales of stretches away, in place, where that pays. `step`: symbols that a doubling makes. `level`: 1..9,
/// how far to look for periods.
void take_scales(std::uint8_t* symbols, std::vector<Stretch>& stretches, unsigned step, int level);

}  // namespace mmh::codecs::scaled
