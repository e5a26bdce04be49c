#pragma once
// The field of 256 elements that Reed-Solomon and RaptorQ share: polynomial x^8 + x^4 + x^3 + x^2 + 1, generator 2.

#include <array>
#include <cstddef>
#include <cstdint>

namespace mmh::fec {

namespace detail {

struct Logarithms {
  std::array<std::uint8_t, 510> exp{};  ///< Twice around, so that sums of two logarithms need no reduction.
  std::array<std::uint8_t, 256> log{};
};

inline constexpr Logarithms kLogarithms = [] {
  Logarithms tables;
  unsigned value = 1;
  for (std::size_t i = 0; i < 255; ++i) {
    tables.exp[i] = tables.exp[i + 255] = static_cast<std::uint8_t>(value);
    tables.log[value] = static_cast<std::uint8_t>(i);
    value <<= 1;
    if (value > 255) value ^= 0x11D;
  }
  return tables;
}();

}  // namespace detail

/// 2 to the power of `exponent`. Requires: exponent < 510.
constexpr std::uint8_t gf_power(std::size_t exponent) { return detail::kLogarithms.exp[exponent]; }

constexpr std::uint8_t gf_multiply(std::uint8_t a, std::uint8_t b) {
  if (a == 0 || b == 0) return 0;
  return gf_power(std::size_t{detail::kLogarithms.log[a]} + detail::kLogarithms.log[b]);
}

/// Requires: a != 0.
constexpr std::uint8_t gf_invert(std::uint8_t a) { return gf_power(255U - detail::kLogarithms.log[a]); }

/// A table for each factor: its products with the 16 values of the low half of a byte, then of the high half.
alignas(64) inline constexpr auto kHalfProducts = [] {
  std::array<std::array<std::uint8_t, 32>, 256> products{};
  for (std::size_t factor = 0; factor < 256; ++factor) {
    for (std::size_t half = 0; half < 16; ++half) {
      const auto f = static_cast<std::uint8_t>(factor);
      products[factor][half] = gf_multiply(f, static_cast<std::uint8_t>(half));
      products[factor][16 + half] = gf_multiply(f, static_cast<std::uint8_t>(half << 4));
    }
  }
  return products;
}();

/// The matrix of bits that multiplies by each factor, as GF2P8AFFINEQB takes it: byte 7 - i tells which bits of the
/// input make bit i of the output.
alignas(64) inline constexpr auto kBitMatrices = [] {
  std::array<std::uint64_t, 256> matrices{};
  for (std::size_t factor = 0; factor < 256; ++factor) {
    for (unsigned in = 0; in < 8; ++in) {
      const unsigned product = gf_multiply(static_cast<std::uint8_t>(factor), static_cast<std::uint8_t>(1U << in));
      for (unsigned out = 0; out < 8; ++out) {
        if ((product >> out & 1) != 0) matrices[factor] |= std::uint64_t{1} << (8 * (7 - out) + in);
      }
    }
  }
  return matrices;
}();

}  // namespace mmh::fec
