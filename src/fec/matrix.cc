#include "matrix.h"

#include <algorithm>
#include <utility>

#include "gf256.h"

namespace mmh::fec {

void add_multiple(std::span<std::uint8_t> to, std::span<const std::uint8_t> from, std::uint8_t factor) {
  if (factor == 0) return;
  const auto& table = kHalfProducts[factor];
  for (std::size_t i = 0; i < to.size(); ++i) {
    to[i] ^= static_cast<std::uint8_t>(table[from[i] & 15] ^ table[16 + (from[i] >> 4)]);
  }
}

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix out(a.rows(), b.columns());
  for (std::size_t row = 0; row < a.rows(); ++row) {
    for (std::size_t i = 0; i < a.columns(); ++i) add_multiple(out[row], b[i], a[row][i]);
  }
  return out;
}

std::optional<Matrix> left_inverse(Matrix a) {
  const std::size_t rows = a.rows();
  const std::size_t columns = a.columns();
  Matrix made(rows, rows);  // a = made * (the matrix given)
  for (std::size_t i = 0; i < rows; ++i) made[i][i] = 1;
  for (std::size_t column = 0; column < columns; ++column) {
    std::size_t pivot = column;
    while (pivot < rows && a[pivot][column] == 0) ++pivot;
    if (pivot >= rows) return std::nullopt;
    if (pivot != column) {
      std::ranges::swap_ranges(a[pivot], a[column]);
      std::ranges::swap_ranges(made[pivot], made[column]);
    }
    const std::uint8_t inverse = gf_invert(a[column][column]);
    for (std::uint8_t& value : a[column]) value = gf_multiply(value, inverse);
    for (std::uint8_t& value : made[column]) value = gf_multiply(value, inverse);
    for (std::size_t row = 0; row < rows; ++row) {
      if (row == column) continue;
      const std::uint8_t factor = a[row][column];
      add_multiple(a[row], a[column], factor);
      add_multiple(made[row], made[column], factor);
    }
  }
  Matrix out(columns, rows);
  for (std::size_t row = 0; row < columns; ++row) std::ranges::copy(made[row], out[row].begin());
  return out;
}

}  // namespace mmh::fec
