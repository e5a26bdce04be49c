#pragma once
// At what distances data repeats itself.

#include <cstdint>
#include <vector>

#include "mmh/base/bytes.h"

namespace mmh::content {

inline constexpr std::uint32_t kPeriodMax = 4096;  ///< Longest distance looked at, in bytes.

/// A distance, and how many of the bytes looked at equal the one that far before them.
struct PeriodPeak {
  std::uint32_t period = 0;
  std::uint32_t equal = 0;     ///< In 1/65536.
  std::uint32_t expected = 0;  ///< The same for the bytes in no order: the chance that two of them are equal.
};

/// Autocorrelation of bytes: up to `count` distances at which clearly more bytes are equal than chance and the shorter
/// distances that divide them explain; the strongest first. Looks at 64 KiB of `data`, spread evenly, in integers.
std::vector<PeriodPeak> find_periods(ByteView data, std::size_t count);

}  // namespace mmh::content
