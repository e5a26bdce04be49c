#pragma once
// The loops of the scaled codec: plain, compiled for every instruction set; the compiler makes vectors of them.

#include <cstddef>
#include <cstdint>

namespace mmh::codecs::scaled {

/// Symbols other than 0 are moved up by a number of 0..254, modulo 255; 0 stays 0. Moving by m and then by 255 - m
/// restores them.
inline constexpr unsigned kModulus = 255;

inline constexpr std::size_t kPiece = 64;  ///< Symbols whose sum decides about rows.

struct Kernels {
  const char* name;  ///< Of the instruction set, as Highway spells it, or "portable".
  /// Moves each symbol by its own number.
  void (*move)(std::uint8_t* symbols, const std::uint8_t* by, std::size_t count);
  /// Moves all by one number.
  void (*move_all)(std::uint8_t* symbols, std::uint8_t by, std::size_t count);
  /// Adds each symbol to its sum, and 1 to its count where it is not 0. Requires: sums and counts have room.
  void (*add)(const std::uint8_t* symbols, std::size_t count, std::uint16_t* sums, std::uint16_t* counts);
  /// Sums of kPiece symbols each, and how many of them are not 0.
  void (*add_pieces)(const std::uint8_t* symbols, std::size_t pieces, std::uint16_t* sums, std::uint8_t* counts);
  /// The least and the greatest symbol. Requires: count > 0.
  void (*range)(const std::uint8_t* symbols, std::size_t count, std::uint8_t& low, std::uint8_t& high);
  /// The sum of a[i] * b[i]. Requires: each |a[i] * b[i]| and the sum fit 31 bits.
  std::int32_t (*correlate)(const std::int16_t* a, const std::int16_t* b, std::size_t count);
};

extern const Kernels kPortable;
/// The set for this machine's instruction set.
const Kernels* best_kernels();

}  // namespace mmh::codecs::scaled
