#pragma once
// The parallel part of packing: reading a stretch of a file, hashing it and cutting it into chunks.

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "mmh/base/sys.h"
#include "mmh/chunking/fastcdc.h"
#include "mmh/chunking/sketch.h"
#include "mmh/content/content_type.h"
#include "mmh/hash/blake3.h"
#include "mmh/tree/entry.h"

namespace mmh::pack {

/// Files are read in segments of this many bytes: a power of two, so that each is a whole BLAKE3 subtree.
inline constexpr std::size_t kSegmentSize = std::size_t{4} << 20;
inline constexpr std::size_t kHalfSegmentSize = kSegmentSize / 2;

/// Where the typed regions of a file want chunks to end. In a region of elements chunks have one size, counted from the
/// region's begin, whatever stands before it in the file: tensors that did not change give the same chunks in every
/// file that holds them, and each chunk begins with an element.
class CutPlan {
 public:
  CutPlan() = default;
  /// `chunk_max`: bytes of a chunk, at most.
  CutPlan(std::vector<content::Region> regions, std::uint32_t chunk_max);

  /// A stretch of the file without a border inside.
  struct Stretch {
    std::uint64_t begin = 0;  ///< Of the region; elsewhere the offset asked for.
    std::uint64_t end = 0;
    const content::Region* region = nullptr;  ///< Null: of no known type.
    std::uint32_t chunk_size = 0;             ///< Of every chunk, counted from the region's begin; 0: the bytes decide.
  };
  /// The stretch from `offset` on.
  Stretch at(std::uint64_t offset) const;
  /// The first offset, from `offset` on, where a chunk may begin that is not in the middle of another.
  std::uint64_t free_from(std::uint64_t offset) const;

 private:
  std::vector<content::Region> regions_;
  std::uint32_t chunk_max_ = 0;
};

/// What the first bytes of a file, at most this many, its path and its size tell.
inline constexpr std::size_t kLookSize = std::size_t{64} << 10;
struct FileLook {
  content::ContentType type;
  CutPlan cuts;                          ///< How its typed regions are to be cut.
  std::vector<content::Region> regions;  ///< Those regions, where they were asked for.
};
/// `find_regions` finds those of the format that the head promises. `chunk_max`: as CutPlan.
FileLook look_at_file(ByteView head, std::string_view path, std::uint64_t size, std::uint32_t chunk_max,
                      bool keep_regions,
                      const std::function<std::vector<content::Region>(content::LayoutFormat)>& find_regions);

/// Whether a file is worth a similarity sketch.
bool wants_sketch(content::ContentClass content, std::size_t size);

/// A run of a segment: a chunk of data, or a hole.
struct Piece {
  std::uint32_t offset = 0;  ///< In the segment.
  std::uint32_t length = 0;
  bool hole = false;
  std::optional<content::ContentType> type = std::nullopt;  ///< Of a typed region; else what the file is.
  hash::Digest hash = {};                                   ///< Of a chunk.
};

/// Bytes of one file from `file_offset` on, and what was learnt of them.
struct Segment {
  std::uint64_t file_offset = 0;
  std::size_t size = 0;  ///< Bytes of content, holes included; less than asked for when the file ended early.
  /// In a buffer that the batch owns or zeros(): `size` bytes, and behind them those that belong to the last
  /// chunk, which the next segment holds too.
  ByteView data;
  ByteView content() const { return data.first(size); }
  std::vector<Piece> pieces;
  hash::Digest file_hash;  ///< Where the segment is the whole file.
  /// Of a whole segment of a longer file. Halves, since a single subtree could not become a root if the file ended
  /// here.
  std::array<hash::ChainingValue, 2> halves{};
};

/// Hashes the segment's content and cuts its data runs into chunks. `runs` are offsets in the file; `whole` says that
/// the segment is all of its file. Fills pieces, and file_hash or halves.
void analyse_segment(Segment& segment, std::span<const tree::DataRun> runs, const CutPlan& cuts, bool whole,
                     const chunking::ChunkSizes& sizes);
/// The second half of that: hashes the content. Needed again where bytes were changed.
void hash_content(Segment& segment, bool whole);

/// Reads [offset, offset + size) of a file into `out` (zeros in holes); the bytes there were, or an errno value.
SysResult<std::size_t> read_segment(Sys& sys, int fd, std::span<const tree::DataRun> runs, std::uint64_t offset,
                                    Bytes out);

}  // namespace mmh::pack
