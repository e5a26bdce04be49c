#pragma once
// Finds blocks by their headers alone: what is left of a pack whose index or trailer is gone. But for scan_blocks(), a
// header counts only where its own offset field says it is, so that a pack stored inside a pack is not taken for part
// of it.

#include <functional>
#include <optional>
#include <vector>

#include "mmh/base/files.h"
#include "mmh/base/result.h"
#include "mmh/pack/format.h"

namespace mmh::pack {

// Stretches of the file that cannot be read count as damaged here: they hold no header, and match no hash.

/// Told of bytes done of bytes in all.
using ProgressSink = std::function<void(std::uint64_t done, std::uint64_t total)>;

struct FoundBlock {
  BlockHeader header;       ///< Its `offset` is where the block stands.
  std::uint64_t shift = 0;  ///< Bytes between where it says it stands and where it does, modulo 2^64.
};
/// Every block that is whole (header, and payload that matches its hash), in order of offsets; blocks do not overlap.
/// Also those that have moved, since bytes were inserted or cut off in front of them, and those of a pack that is
/// stored in a block that is damaged. Memory is bounded by the blocks found. Errors: limit (a hostile file with more
/// false headers than can be looked into).
Result<std::vector<FoundBlock>> scan_blocks(const RandomAccessSource& source, const ProgressSink& progress = {});

/// The first whole block header that lies within [from, to) and whose payload ends within the file. The payload is not
/// looked at.
std::optional<BlockHeader> next_block_header(const RandomAccessSource& source, std::uint64_t from, std::uint64_t to);

/// The last such header of a trailer that begins before `before`.
std::optional<BlockHeader> last_trailer_header(const RandomAccessSource& source, std::uint64_t before);

/// The whole header at exactly `offset`, its payload within the file. Errors: corrupt (none there).
Result<BlockHeader> block_header_at(const RandomAccessSource& source, std::uint64_t offset);

/// Whether the bytes from `from` to the end of the file are what a killed append leaves: whole blocks, then at most the
/// beginning of another.
bool is_cut_off_append(const RandomAccessSource& source, std::uint64_t from);

/// Fills `out`, with zeros where the file cannot be read.
void read_readable(const RandomAccessSource& source, std::uint64_t offset, Bytes out);

/// Whether the payload of `header` matches its hash.
bool payload_matches(const RandomAccessSource& source, const BlockHeader& header);

}  // namespace mmh::pack
