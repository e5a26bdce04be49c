#pragma once
// Solves the equations of RaptorQ for its intermediate symbols, without their bytes: which sums to form, in which
// order.
//
// Inactivation decoding (RFC 6330, section 5.4), in another arrangement. Columns (intermediate symbols) are eliminated
// one after another, each with a row that has no other column left (a *pivot*); where no row has so few, columns are
// set aside as *inactive*. So each pivot's symbol is its row's right side plus earlier pivots plus inactive symbols.
// The rows left over, *residual*, and the HDPC rows then say what the inactive symbols are: a small dense system. Once
// these are known, all pivots follow from their rows as they were given: no row's symbol is ever changed in between.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "matrix.h"
#include "raptorq_code.h"

namespace mmh::fec {

/// The sparse equations over bits: rows 0 to s - 1 are the LDPC rows, whose right side is 0; then one row per encoding
/// symbol.
class RaptorqEquations {
 public:
  /// `symbols`: internal numbers.
  RaptorqEquations(const RaptorqParameters& parameters, std::span<const std::uint32_t> symbols);

  std::size_t rows() const { return begins_.size() - 1; }
  /// The columns whose sum the row is.
  std::span<const std::uint16_t> operator[](std::size_t row) const {
    return std::span(columns_).subspan(begins_[row], begins_[row + 1] - begins_[row]);
  }
  const RaptorqParameters& parameters() const { return parameters_; }

 private:
  RaptorqParameters parameters_;
  std::vector<std::uint32_t> begins_;
  std::vector<std::uint16_t> columns_;
};

struct RaptorqSolution {
  /// Step i gives column pivot_columns[i] from row pivot_rows[i].
  std::vector<std::uint32_t> pivot_rows;
  std::vector<std::uint16_t> pivot_columns;
  /// Per column: its step, or kInactive.
  std::vector<std::uint16_t> step_of;
  static constexpr std::uint16_t kInactive = 0xFFFF;

  /// The residual rows that are used.
  std::vector<std::uint32_t> residual_rows;
  /// As many inactive columns: each is the sum of the residual rows that `picks` tells (as a Selection has them), plus
  /// that of the free columns that `free_picks` tells.
  std::vector<std::uint16_t> solved;
  std::vector<std::uint8_t> picks;
  std::vector<std::uint8_t> free_picks;
  /// The other inactive columns, from the residues of the h HDPC rows and then from the first sum of each solved
  /// column.
  std::vector<std::uint16_t> free;
  Matrix free_factors;
};

/// Each column's two rows of HDPC but the last column's; as a Recurrence has them.
std::vector<std::uint8_t> hdpc_pairs(const RaptorqParameters& parameters);

/// Most inactive columns: some hundreds are usual, more than this only contrived sets of symbols need.
inline constexpr std::size_t kRaptorqInactiveMax = 8192;

/// Nothing when the equations do not determine the intermediate symbols, or leave more than kRaptorqInactiveMax
/// inactive.
std::optional<RaptorqSolution> solve(const RaptorqEquations& equations);

}  // namespace mmh::fec
