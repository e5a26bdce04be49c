#pragma once
// Small dense matrices over GF(2^8).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace mmh::fec {

/// Row after row.
class Matrix {
 public:
  Matrix() = default;
  Matrix(std::size_t rows, std::size_t columns) : columns_(columns), values_(rows * columns) {}
  std::size_t rows() const { return columns_ == 0 ? 0 : values_.size() / columns_; }
  std::size_t columns() const { return columns_; }
  std::span<std::uint8_t> operator[](std::size_t row) { return std::span(values_).subspan(row * columns_, columns_); }
  std::span<const std::uint8_t> operator[](std::size_t row) const {
    return std::span(values_).subspan(row * columns_, columns_);
  }
  std::size_t memory_bytes() const { return values_.capacity(); }

 private:
  std::size_t columns_ = 0;
  std::vector<std::uint8_t> values_;
};

/// to += factor * from. Requires: one size.
void add_multiple(std::span<std::uint8_t> to, std::span<const std::uint8_t> from, std::uint8_t factor);

Matrix product(const Matrix& a, const Matrix& b);

/// A matrix X (columns x rows of `a`) with X a = 1; nothing when the columns of `a` are not independent.
std::optional<Matrix> left_inverse(Matrix a);

}  // namespace mmh::fec
