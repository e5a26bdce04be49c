#pragma once
// Integer arithmetic that reports overflow instead of wrapping; for sizes and offsets that come from outside.

#include <concepts>
#include <optional>

namespace mmh {

/// a + b, or nothing when it does not fit.
template <std::integral T>
constexpr std::optional<T> checked_add(T a, T b) {
  T sum;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

/// a * b, or nothing when it does not fit.
template <std::integral T>
constexpr std::optional<T> checked_mul(T a, T b) {
  T product;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

/// Whether [offset, offset + length) lies within [0, size).
template <std::unsigned_integral T>
constexpr bool range_within(T offset, T length, T size) {
  return offset <= size && length <= size - offset;
}

}  // namespace mmh
