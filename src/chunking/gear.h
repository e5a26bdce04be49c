#pragma once
// The Gear table: one random 64-bit number for each byte value. Fixed for ever: cuts depend on it.

#include <array>
#include <cstdint>

namespace mmh::chunking {

/// "MMHGEAR1" read as a big-endian number.
inline constexpr std::uint64_t kGearSeed = 0x4D4D484745415231;

/// kGear[b] is output b of splitmix64 started from kGearSeed (Steele, Lea, Flood: OOPSLA 2014).
inline constexpr std::array<std::uint64_t, 256> kGear = [] {
  std::array<std::uint64_t, 256> table{};
  std::uint64_t state = kGearSeed;
  for (std::uint64_t& entry : table) {
    state += 0x9E3779B97F4A7C15;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    entry = z ^ (z >> 31);
  }
  return table;
}();

}  // namespace mmh::chunking
