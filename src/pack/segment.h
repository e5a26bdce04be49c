#pragma once
// The parallel part of packing: reading a stretch of a file, hashing it and cutting it into chunks.

#include <array>
#include <memory>
#include <vector>

#include "mmh/base/sys.h"
#include "mmh/chunking/fastcdc.h"
#include "mmh/chunking/sketch.h"
#include "mmh/content/classify.h"
#include "mmh/hash/blake3.h"
#include "mmh/tree/entry.h"

namespace mmh::pack {

/// Files are read in segments of this many bytes: a power of two, so that each is a whole BLAKE3 subtree.
inline constexpr std::size_t kSegmentSize = std::size_t{4} << 20;
inline constexpr std::size_t kHalfSegmentSize = kSegmentSize / 2;

/// A run of a segment: a chunk of data, or a hole.
struct Piece {
  std::uint32_t offset = 0;  ///< In the segment.
  std::uint32_t length = 0;
  bool hole = false;
  hash::Digest hash;  ///< Of a chunk.
};

/// Bytes of one file from `file_offset` on, and what was learnt of them.
struct Segment {
  std::uint64_t file_offset = 0;
  std::size_t size = 0;  ///< Bytes of content, holes included; less than asked for when the file ended early.
  ByteView data;         ///< `size` bytes, in a buffer that the batch owns or zero_segment().
  std::vector<Piece> pieces;
  hash::Digest file_hash;  ///< Where the segment is the whole file.
  /// Of a whole segment of a longer file. Halves, since a single subtree could not become a root if the file ended
  /// here.
  std::array<hash::ChainingValue, 2> halves{};
};

/// kSegmentSize zeros, for segments that are all hole.
ByteView zero_segment();

/// Hashes segment.data and cuts the data runs into chunks. `runs` are offsets in the file; `whole`
/// says that the segment is all of its file. Fills pieces, and file_hash or halves.
void analyse_segment(Segment& segment, std::span<const tree::DataRun> runs, bool whole,
                     const chunking::ChunkSizes& sizes);

/// Reads [offset, offset + size) of a file into `out` (zeros in holes); the bytes there were, or an errno value.
SysResult<std::size_t> read_segment(Sys& sys, int fd, std::span<const tree::DataRun> runs, std::uint64_t offset,
                                    Bytes out);

}  // namespace mmh::pack
