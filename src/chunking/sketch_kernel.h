#pragma once
// The sampling pass of the sketch, as the kernels share it: what is sampled, and what a sample does.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace mmh::chunking {

inline constexpr std::size_t kFeatureCount = 12;
inline constexpr std::size_t kSampleBytes = 16;  ///< A sample is the 16 bytes from its position on.
inline constexpr std::size_t kStretch = 4096;    ///< Positions between two looks at the count of samples.
inline constexpr std::uint32_t kSelectAdd = 0x7F4A7C15;
inline constexpr std::uint32_t kSelectMultiply = 0x9E3779B1;
using Features = std::array<std::uint32_t, kFeatureCount>;

/// Odd multipliers: each makes another permutation of the sampled values, whose maximum is a feature (min-wise
/// hashing).
alignas(16) inline constexpr Features kMultiply = {0x85EBCA6B, 0xC2B2AE35, 0x27D4EB2F, 0x165667B1,
                                                   0x9E3779B9, 0xB5297A4D, 0x68E31DA5, 0x1B56C4E9,
                                                   0x2545F491, 0xD1B54A33, 0x8CB92BA7, 0xABC98389};
alignas(16) inline constexpr Features kAdd = {0x68E31DA4, 0xB5297A4C, 0x1B56C4E9, 0x7FEB352D, 0x846CA68B, 0x3C6EF372,
                                              0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19, 0xCBBB9D5D};

/// What decides whether a position is sampled: the 8 bytes at it, as two little-endian numbers.
inline std::uint32_t select_hash(std::uint32_t first, std::uint32_t second) {
  return ((first ^ std::rotl(second, 15)) + kSelectAdd) * kSelectMultiply;
}

/// The value of a sample: a mix of its 16 bytes.
inline std::uint32_t sample_value(const std::uint8_t* place) {
  std::uint64_t low;
  std::uint64_t high;
  std::memcpy(&low, place, 8);
  std::memcpy(&high, place + 8, 8);
  const std::uint64_t mixed = (low * 0x9E3779B97F4A7C15) ^ std::rotl(high * 0xD6E8FEB86659FD93, 32);
  return static_cast<std::uint32_t>((mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9 >> 32);
}

/// Samples the positions [0, count) of `data`, those whose select_hash is below `limit`, into the features; returns how
/// many were sampled. Requires: count <= kStretch, count + kSampleBytes - 1 readable bytes.
std::size_t sample_stretch(const std::uint8_t* data, std::size_t count, std::uint32_t limit, Features& features);
/// The same, a position at a time: the oracle.
std::size_t sample_stretch_portable(const std::uint8_t* data, std::size_t count, std::uint32_t limit,
                                    Features& features);

}  // namespace mmh::chunking
