#pragma once
// Counts that tell kinds of data apart; integer arithmetic throughout.

#include <array>
#include <cstdint>

#include "mmh/base/bytes.h"

namespace mmh::content {

/// log2(value) in 1/65536, rounded down. Requires: value > 0.
std::uint32_t log2_fixed(std::uint32_t value);

using Histogram = std::array<std::uint32_t, 256>;

/// Adds every byte of `data` to `counts`.
void count_bytes(ByteView data, Histogram& counts);

/// Places at which `a` and `b`, of one size, hold the same byte.
std::uint32_t count_equal(ByteView a, ByteView b);

/// Sum of the counts.
std::uint64_t total(const Histogram& counts);

/// Order-0 cost of what was counted, in 1/256 bits a byte.
std::uint32_t entropy_of(const Histogram& counts);

/// How uneven the counts are: the chance that two bytes are equal, times 256, less 1, in 1/1024 (0: uniform).
std::uint32_t skew_of(const Histogram& counts);

/// The distance in bytes (2..256) at which pairs of bytes most often come back, where that is often enough to speak of
/// records; else 0. A few KiB are enough.
std::size_t record_period(ByteView data);

/// Whether one in sixteen of the words of 64 bits (but zeros) that stand at multiples of 16 bytes has stood at another
/// such place before, however far: rows of a matrix that come again. Looks at one in 64 of those words, told by their
/// value.
bool has_far_matches(ByteView data);

/// Up to `pieces` pieces of `piece_size` bytes spread evenly over `data`, first and last included, laid end to end by
/// calling `take` for each. The whole of `data` as one piece where it is not longer than all pieces together.
template <class Take>
void sample(ByteView data, std::size_t pieces, std::size_t piece_size, Take&& take) {
  if (data.size() <= pieces * piece_size) {
    if (!data.empty()) take(data);
    return;
  }
  const std::size_t step = (data.size() - piece_size) / (pieces - 1);
  for (std::size_t i = 0; i < pieces; ++i) take(data.subspan(i * step, piece_size));
}

}  // namespace mmh::content
