#pragma once
// At what distances data repeats itself.

#include <cstdint>
#include <optional>
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

inline constexpr unsigned kBitPeriodMin = 4;     ///< Shortest distance looked at, in bits.
inline constexpr unsigned kBitPeriodMax = 1024;  ///< And longest.

/// Records of a number of bits that is no multiple of eight.
struct BitPeriod {
  unsigned bits = 0;
  unsigned phase = 0;       ///< Bits before the first record.
  bool high_first = false;  ///< Bits of a byte count from its high end.
};

/// Autocorrelation of bits, counted from either end of a byte: the least distance at which clearly more of them are
/// equal than usual. Nothing where that is a multiple of eight both times: such records are whole bytes. Looks at 2 KiB
/// from the middle of `data`, in integers.
std::optional<BitPeriod> find_bit_period(ByteView data);

}  // namespace mmh::content
