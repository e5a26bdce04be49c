#pragma once
// Splitting numbers into byte planes and joining them, with a rotation of each number: plain loops, compiled for every
// instruction set; the compiler makes vectors of them.

#include <array>
#include <cstddef>
#include <cstdint>

namespace mmh::codecs::planes {

inline constexpr std::size_t kWidthMin = 1;
inline constexpr std::size_t kWidthMax = 16;

/// Plane p holds byte p of each number, p = 0 being the lowest.
using PlanesOut = std::array<std::uint8_t*, kWidthMax>;
using PlanesIn = std::array<const std::uint8_t*, kWidthMax>;

struct Kernels {
  const char* name;  ///< Of the instruction set, as Highway spells it, or "portable".
  /// Rotates each of `count` numbers of `width` bytes left by `rotate` bits and deals its bytes to the planes.
  /// Requires: kWidthMin <= width <= kWidthMax; rotate < 8 * width, and 0 unless width is 1, 2, 4 or 8.
  void (*split)(const std::uint8_t* in, std::size_t count, std::size_t width, unsigned rotate, const PlanesOut& planes);
  /// The reverse.
  void (*join)(const PlanesIn& planes, std::size_t count, std::size_t width, unsigned rotate, std::uint8_t* out);
};

extern const Kernels kPortable;
/// The set for this machine's instruction set.
const Kernels* best_kernels();

}  // namespace mmh::codecs::planes
