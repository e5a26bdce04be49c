#include "raptorq_solver.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "gf256.h"
#include "kernels.h"

namespace mmh::fec {
namespace {

using Word = std::uint64_t;
constexpr std::size_t kWordBits = 64;
/// Rows of bits are multiples of this many words, so that adding them takes whole vectors.
constexpr std::size_t kWordGroup = 4;

/// Rows of bits.
class BitMatrix {
 public:
  BitMatrix(std::size_t rows, std::size_t columns)
      : words_((columns + kWordBits * kWordGroup - 1) / (kWordBits * kWordGroup) * kWordGroup), bits_(rows * words_) {}
  Word* operator[](std::size_t row) { return bits_.data() + row * words_; }
  const Word* operator[](std::size_t row) const { return bits_.data() + row * words_; }
  std::size_t words() const { return words_; }

 private:
  std::size_t words_;
  std::vector<Word> bits_;
};

bool bit_of(const Word* row, std::size_t column) { return (row[column / kWordBits] >> (column % kWordBits) & 1) != 0; }
void flip(Word* row, std::size_t column) { row[column / kWordBits] ^= Word{1} << (column % kWordBits); }
/// Requires: `words` a multiple of kWordGroup.
void add(Word* to, const Word* from, std::size_t words) {
  for (std::size_t w = 0; w < words; w += kWordGroup) {
    for (std::size_t i = 0; i < kWordGroup; ++i) to[w + i] ^= from[w + i];
  }
}

/// The sparse part: which rows eliminate which columns, and which columns become inactive.
class Elimination {
 public:
  explicit Elimination(const RaptorqEquations& equations)
      : equations_(equations),
        columns_(equations.parameters().w),
        left_(equations.rows()),
        used_(equations.rows()),
        gone_(columns_),
        parent_(columns_),
        size_(columns_, 1) {
    std::iota(parent_.begin(), parent_.end(), std::uint16_t{0});
    index_columns();
  }

  void run() {
    const std::size_t rows = equations_.rows();
    for (std::uint32_t row = 0; row < rows; ++row) {
      if (left_[row].count == 1) single_.push_back(row);
      if (left_[row].count == 2) double_.push_back(row);
    }
    std::size_t left = columns_;
    while (left > 0) {
      if (!single_.empty()) {
        const std::uint32_t row = single_.back();
        single_.pop_back();
        if (left_[row].count != 1) continue;
        used_[row] = true;
        pivot_rows.push_back(row);
        pivot_columns.push_back(left_[row].sum);
        remove(left_[row].sum);
        --left;
      } else {
        const std::size_t before = inactive.size();
        if (!inactivate_for_double()) inactivate_for_least();
        left -= inactive.size() - before;
      }
    }
  }

  bool used(std::size_t row) const { return used_[row]; }

  std::vector<std::uint32_t> pivot_rows;
  std::vector<std::uint16_t> pivot_columns;
  std::vector<std::uint16_t> inactive;  ///< Without the permanently inactive columns.

 private:
  void index_columns() {
    begins_.assign(columns_ + 1, 0);
    for (std::size_t row = 0; row < equations_.rows(); ++row) {
      for (const std::uint16_t column : equations_[row]) {
        if (column < columns_) ++begins_[column + 1];
      }
    }
    for (std::size_t column = 0; column < columns_; ++column) begins_[column + 1] += begins_[column];
    rows_.resize(begins_.back());
    std::vector<std::uint32_t> next(begins_.begin(), begins_.end() - 1);
    for (std::uint32_t row = 0; row < equations_.rows(); ++row) {
      for (const std::uint16_t column : equations_[row]) {
        if (column >= columns_) continue;
        rows_[next[column]++] = row;
        ++left_[row].count;
        left_[row].sum ^= column;
      }
    }
  }

  /// Takes a column out of all rows.
  void remove(std::uint16_t column) {
    gone_[column] = true;
    for (std::uint32_t i = begins_[column]; i < begins_[column + 1]; ++i) {
      const std::uint32_t row = rows_[i];
      Left& left = left_[row];
      left.sum ^= column;
      --left.count;
      if (left.count == 1) single_.push_back(row);
      if (left.count == 2) double_.push_back(row);
    }
  }

  void inactivate(std::uint16_t column) {
    inactive.push_back(column);
    remove(column);
  }

  std::uint16_t root(std::uint16_t column) {
    while (parent_[column] != column) column = parent_[column] = parent_[parent_[column]];
    return column;
  }

  /// Rows with two columns are the edges of a graph; setting one column aside solves all columns connected with it, so
  /// the largest component is worth most (section 5.4.2.2). Components vanish whole or grow: no edge is ever lost
  /// alone.
  bool inactivate_for_double() {
    for (const std::uint32_t row : double_) {
      if (left_[row].count != 2) continue;
      const std::uint16_t first = *std::ranges::find_if(
          equations_[row], [&](std::uint16_t column) { return column < columns_ && !gone_[column]; });
      std::uint16_t a = root(first);
      std::uint16_t b = root(static_cast<std::uint16_t>(left_[row].sum ^ first));
      if (a == b) continue;
      if (size_[a] < size_[b]) std::swap(a, b);
      parent_[b] = a;
      size_[a] += size_[b];
    }
    double_.clear();
    std::uint16_t size = 1;
    std::uint16_t largest = 0;
    for (std::uint32_t column = 0; column < columns_; ++column) {
      if (size_[column] > size && !gone_[column]) {
        size = size_[column];
        largest = static_cast<std::uint16_t>(column);
      }
    }
    if (size == 1) return false;
    inactivate(largest);
    return true;
  }

  /// Without such a row: all columns but one of a row with the fewest.
  void inactivate_for_least() {
    std::size_t best = equations_.rows();
    for (std::size_t row = 0; row < equations_.rows(); ++row) {
      if (left_[row].count == 0) continue;
      if (best == equations_.rows() || left_[row].count < left_[best].count ||
          (left_[row].count == left_[best].count && equations_[row].size() < equations_[best].size())) {
        best = row;
      }
    }
    if (best == equations_.rows()) {
      for (std::uint32_t column = 0; column < columns_; ++column) {
        if (!gone_[column]) inactivate(static_cast<std::uint16_t>(column));
      }
      return;
    }
    for (const std::uint16_t column : equations_[best]) {
      if (left_[best].count > 1 && column < columns_ && !gone_[column]) inactivate(column);
    }
  }

  const RaptorqEquations& equations_;
  std::uint32_t columns_;  ///< Those that are not permanently inactive.
  std::vector<std::uint32_t> begins_;
  std::vector<std::uint32_t> rows_;  ///< Per column, those it stands in.
  struct Left {
    std::uint16_t count = 0;
    std::uint16_t sum = 0;
  };
  std::vector<Left> left_;  ///< Per row: how many columns are left in it, and their exclusive or.
  std::vector<bool> used_;
  std::vector<bool> gone_;
  std::vector<std::uint32_t> single_;  ///< Rows that came to have one column; may have fewer by now.
  std::vector<std::uint32_t> double_;
  std::vector<std::uint16_t> parent_;
  std::vector<std::uint16_t> size_;  ///< Of a component, at its root.
};

/// The dense part, in terms of the inactive columns.
class Dense {
 public:
  Dense(const RaptorqEquations& equations, const Elimination& elimination, RaptorqSolution& solution)
      : equations_(equations), q_(equations.parameters()), elimination_(elimination), solution_(solution) {}

  bool solve() {
    inactive_ = elimination_.inactive;
    for (std::uint32_t column = q_.w; column < q_.l; ++column) inactive_.push_back(static_cast<std::uint16_t>(column));
    place_.assign(q_.l, 0);
    for (std::size_t i = 0; i < inactive_.size(); ++i) place_[inactive_[i]] = static_cast<std::uint16_t>(i);
    const std::size_t steps = solution_.pivot_columns.size();
    BitMatrix pivots(steps, inactive_.size());
    for (std::size_t step = 0; step < steps; ++step) {
      fill(pivots, solution_.pivot_rows[step], solution_.pivot_columns[step], pivots[step]);
    }
    solve_residual(pivots);
    return solve_free(pivots);
  }

 private:
  /// What the row comes to in inactive columns, `own` (its pivot) aside.
  void fill(const BitMatrix& pivots, std::size_t row, std::size_t own, Word* out) const {
    for (const std::uint16_t column : equations_[row]) {
      if (column == own) continue;
      if (const std::uint16_t step = solution_.step_of[column]; step != RaptorqSolution::kInactive) {
        add(out, pivots[step], pivots.words());
      } else {
        flip(out, place_[column]);
      }
    }
  }

  /// Gauss-Jordan over the residual rows, beside a record of which of them each row is the sum of.
  void solve_residual(const BitMatrix& pivots) {
    std::vector<std::uint32_t> rows;
    for (std::uint32_t row = 0; row < equations_.rows(); ++row) {
      if (!elimination_.used(row)) rows.push_back(row);
    }
    const std::size_t unknowns = inactive_.size();
    const std::size_t words = pivots.words();
    BitMatrix system(rows.size(), words * kWordBits + rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      fill(pivots, rows[i], q_.l, system[i]);
      flip(system[i], words * kWordBits + i);
    }
    std::vector<std::uint32_t> lines(rows.size());  // row i stands in line lines[i]
    for (std::size_t i = 0; i < lines.size(); ++i) lines[i] = static_cast<std::uint32_t>(i);
    std::vector<std::uint16_t> free_places;
    std::vector<std::uint16_t> solved_places;
    std::size_t rank = 0;
    for (std::size_t unknown = 0; unknown < unknowns; ++unknown) {
      std::size_t found = rank;
      while (found < lines.size() && !bit_of(system[lines[found]], unknown)) ++found;
      if (found == lines.size()) {
        free_places.push_back(static_cast<std::uint16_t>(unknown));
        continue;
      }
      std::swap(lines[rank], lines[found]);
      const Word* from = system[lines[rank]];
      const std::size_t first = unknown / (kWordBits * kWordGroup) * kWordGroup;
      for (std::size_t i = 0; i < lines.size(); ++i) {
        if (i != rank && bit_of(system[lines[i]], unknown)) {
          add(system[lines[i]] + first, from + first, system.words() - first);
        }
      }
      solved_places.push_back(static_cast<std::uint16_t>(unknown));
      ++rank;
    }

    // A sum of rows names only rows that were once pivots here: those in the first `rank` lines.
    for (std::size_t i = 0; i < rank; ++i) solution_.residual_rows.push_back(rows[lines[i]]);
    for (const std::uint16_t place : solved_places) solution_.solved.push_back(inactive_[place]);
    for (const std::uint16_t place : free_places) solution_.free.push_back(inactive_[place]);
    const auto groups = [](std::size_t count) { return (count + Selection::kGroup - 1) / Selection::kGroup; };
    solution_.picks.resize(groups(rank) * rank);
    solution_.free_picks.resize(groups(free_places.size()) * rank);
    for (std::size_t i = 0; i < rank; ++i) {
      const Word* line = system[lines[i]];
      for (std::size_t s = 0; s < rank; ++s) {
        const unsigned bit = bit_of(line, words * kWordBits + lines[s]) ? 1 : 0;
        solution_.picks[s / Selection::kGroup * rank + i] |= static_cast<std::uint8_t>(bit << (s % Selection::kGroup));
      }
      for (std::size_t s = 0; s < free_places.size(); ++s) {
        const unsigned bit = bit_of(line, free_places[s]) ? 1 : 0;
        solution_.free_picks[s / Selection::kGroup * rank + i] |=
            static_cast<std::uint8_t>(bit << (s % Selection::kGroup));
      }
    }
  }

  /// The HDPC rows over all inactive columns, by the recurrence that defines them. Elements of the field are kept as 8
  /// planes of bits, so that doubling is a renaming of planes and three additions.
  Matrix hdpc_rows(const BitMatrix& pivots) const {
    const std::size_t words = pivots.words();
    std::vector<Word> z(8 * words);
    std::array<Word*, 8> plane{};
    for (std::size_t bit = 0; bit < 8; ++bit) plane[bit] = z.data() + bit * words;
    std::vector<Word> sums(std::size_t{q_.h} * 8 * words);
    const auto add_to = [&](std::size_t row) {
      Word* to = sums.data() + row * 8 * words;
      for (std::size_t bit = 0; bit < 8; ++bit) add(to + bit * words, plane[bit], words);
    };
    const auto double_z = [&] {
      std::ranges::rotate(plane, plane.end() - 1);
      for (const std::size_t bit : {2U, 3U, 4U}) add(plane[bit], plane[0], words);
    };
    const std::vector<std::uint8_t> pairs = hdpc_pairs(q_);
    const std::size_t steps = q_.k_padded + q_.s;
    for (std::size_t column = 0; column < steps; ++column) {
      double_z();
      if (const std::uint16_t step = solution_.step_of[column]; step != RaptorqSolution::kInactive) {
        add(plane[0], pivots[step], words);
      } else {
        flip(plane[0], place_[column]);
      }
      if (column + 1 < steps) {
        add_to(pairs[2 * column]);
        add_to(pairs[2 * column + 1]);
      }
    }
    for (std::size_t row = 0; row < q_.h; ++row) {
      add_to(row);
      double_z();
    }
    Matrix out(q_.h, inactive_.size());
    for (std::size_t row = 0; row < q_.h; ++row) {
      for (std::size_t i = 0; i < inactive_.size(); ++i) {
        for (std::size_t bit = 0; bit < 8; ++bit) {
          if (bit_of(sums.data() + (row * 8 + bit) * words, i)) out[row][i] |= static_cast<std::uint8_t>(1U << bit);
        }
      }
      out[row][place_[steps + row]] ^= 1;
    }
    return out;
  }

  /// h_free free + h_solved solved = residue, where solved = first + picks free: so
  /// (h_free + h_solved picks) free = residue + h_solved first.
  bool solve_free(const BitMatrix& pivots) {
    const std::size_t free = solution_.free.size();
    const std::size_t solved = solution_.solved.size();
    if (free == 0) return true;
    if (free > q_.h) return false;
    const Matrix hdpc = hdpc_rows(pivots);
    Matrix system(q_.h, free);
    Matrix right(q_.h, q_.h + solved);
    for (std::size_t row = 0; row < q_.h; ++row) {
      right[row][row] = 1;
      for (std::size_t f = 0; f < free; ++f) system[row][f] = hdpc[row][place_[solution_.free[f]]];
      for (std::size_t i = 0; i < solved; ++i) {
        const std::uint8_t factor = hdpc[row][place_[solution_.solved[i]]];
        right[row][q_.h + i] = factor;
        for (std::size_t f = 0; f < free; ++f) {
          const unsigned pick = solution_.free_picks[f / Selection::kGroup * solved + i];
          if ((pick >> (f % Selection::kGroup) & 1) != 0) system[row][f] ^= factor;
        }
      }
    }
    const std::optional<Matrix> inverse = left_inverse(std::move(system));
    if (!inverse) return false;
    solution_.free_factors = product(*inverse, right);
    return true;
  }

  const RaptorqEquations& equations_;
  const RaptorqParameters& q_;
  const Elimination& elimination_;
  RaptorqSolution& solution_;
  std::vector<std::uint16_t> inactive_;
  std::vector<std::uint16_t> place_;  ///< Per inactive column, where it stands in inactive_.
};

}  // namespace

RaptorqEquations::RaptorqEquations(const RaptorqParameters& parameters, std::span<const std::uint32_t> symbols)
    : parameters_(parameters) {
  const RaptorqParameters& q = parameters_;
  // Section 5.3.3.3: each LT symbol that is not an LDPC symbol stands in three rows, and each row has an LDPC symbol
  // and two permanently inactive ones of its own.
  std::vector<std::vector<std::uint16_t>> ldpc(q.s);
  for (std::uint32_t column = 0; column < q.w - q.s; ++column) {
    const std::uint32_t step = 1 + column / q.s;
    for (std::uint32_t i = 0; i < 3; ++i) {
      ldpc[(column + i * step) % q.s].push_back(static_cast<std::uint16_t>(column));
    }
  }
  begins_.reserve(q.s + symbols.size() + 1);
  columns_.reserve(std::size_t{q.l} * 3 + symbols.size() * 8);
  for (std::uint32_t row = 0; row < q.s; ++row) {
    begins_.push_back(static_cast<std::uint32_t>(columns_.size()));
    columns_.insert(columns_.end(), ldpc[row].begin(), ldpc[row].end());
    columns_.push_back(static_cast<std::uint16_t>(q.w - q.s + row));
    columns_.push_back(static_cast<std::uint16_t>(q.w + row % q.p));
    columns_.push_back(static_cast<std::uint16_t>(q.w + (row + 1) % q.p));
  }
  for (const std::uint32_t symbol : symbols) {
    begins_.push_back(static_cast<std::uint32_t>(columns_.size()));
    append_neighbours(q, symbol, columns_);
  }
  begins_.push_back(static_cast<std::uint32_t>(columns_.size()));
}

std::vector<std::uint8_t> hdpc_pairs(const RaptorqParameters& q) {
  const std::uint32_t steps = q.k_padded + q.s;
  std::vector<std::uint8_t> pairs;
  pairs.reserve(2 * std::size_t{steps - 1});
  for (std::uint32_t column = 0; column + 1 < steps; ++column) {
    const std::uint32_t first = raptorq_random(column + 1, 6, q.h);
    pairs.push_back(static_cast<std::uint8_t>(first));
    pairs.push_back(static_cast<std::uint8_t>((first + raptorq_random(column + 1, 7, q.h - 1) + 1) % q.h));
  }
  return pairs;
}

std::optional<RaptorqSolution> solve(const RaptorqEquations& equations) {
  Elimination elimination(equations);
  elimination.run();
  const RaptorqParameters& q = equations.parameters();
  if (elimination.inactive.size() + q.p > kRaptorqInactiveMax) return std::nullopt;
  RaptorqSolution solution;
  solution.pivot_rows = elimination.pivot_rows;
  solution.pivot_columns = elimination.pivot_columns;
  solution.step_of.assign(q.l, RaptorqSolution::kInactive);
  for (std::size_t step = 0; step < solution.pivot_columns.size(); ++step) {
    solution.step_of[solution.pivot_columns[step]] = static_cast<std::uint16_t>(step);
  }
  if (!Dense(equations, elimination, solution).solve()) return std::nullopt;
  return solution;
}

}  // namespace mmh::fec
