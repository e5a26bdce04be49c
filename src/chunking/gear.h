#pragma once
// The Gear hash: h = 2 h + kGear[byte], in 32 bits, so that it forgets everything older than 32 bytes. Fixed for ever:
// cuts depend on it.

#include <array>
#include <cstddef>
#include <cstdint>

namespace mmh::chunking {

/// Bytes that a hash depends on: itself and the 31 before it.
inline constexpr std::size_t kGearWindow = 32;

/// "MMHGEAR1" read as a big-endian number.
inline constexpr std::uint64_t kGearSeed = 0x4D4D484745415231;

/// The upper halves of the first 24 outputs of splitmix64 (Steele, Lea, Flood: OOPSLA 2014) started from kGearSeed:
/// eight random numbers for each of three groups of bits.
inline constexpr std::array<std::array<std::uint32_t, 8>, 3> kGearParts = [] {
  std::array<std::array<std::uint32_t, 8>, 3> parts{};
  std::uint64_t state = kGearSeed;
  for (auto& part : parts) {
    for (std::uint32_t& entry : part) {
      state += 0x9E3779B97F4A7C15;
      std::uint64_t z = state;
      z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
      z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
      entry = static_cast<std::uint32_t>((z ^ (z >> 31)) >> 32);
    }
  }
  return parts;
}();

/// One random number for each byte value: the sum of those of its bits 0-2, 3-5 and 5-7. A table of this form is looked
/// up with vector permutations of eight numbers, where one of 256 would need a load for each byte.
inline constexpr std::array<std::uint32_t, 256> kGear = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::size_t byte = 0; byte < table.size(); ++byte) {
    table[byte] = kGearParts[0][byte & 7] + kGearParts[1][byte >> 3 & 7] + kGearParts[2][byte >> 5];
  }
  return table;
}();

/// The first position in [begin, end) whose hash is below `limit`, or `end`. Requires: begin >= kGearWindow - 1.
std::size_t find_hash_below(const std::uint8_t* data, std::size_t begin, std::size_t end, std::uint32_t limit);
/// The same on any CPU: the oracle.
std::size_t find_hash_below_portable(const std::uint8_t* data, std::size_t begin, std::size_t end, std::uint32_t limit);

}  // namespace mmh::chunking
