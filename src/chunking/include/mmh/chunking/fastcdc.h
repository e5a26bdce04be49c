#pragma once
// Content-defined chunking: FastCDC with normalised chunking (Xia et al., USENIX ATC 2016 and TPDS 2020) over the Gear
// hash.

#include <cstddef>
#include <cstdint>

#include "mmh/base/bytes.h"

namespace mmh::chunking {

/// Chunk sizes in bytes. Requires: 64 <= min <= average <= max, average a power of two of
/// at most 16 MiB.
struct ChunkSizes {
  std::uint32_t size_min;
  std::uint32_t average;
  std::uint32_t size_max;
};

/// The size of the first chunk of `data`: depends on the chunk's own bytes only. data.size() when no cut falls before
/// the end or size_max. Fixed tables: the same bytes are cut the same way for ever (pinned by test vectors).
std::size_t first_cut(ByteView data, const ChunkSizes& sizes);

}  // namespace mmh::chunking
