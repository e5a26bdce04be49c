#include "segment.h"

#include <algorithm>

#include "mmh/base/files.h"

namespace mmh::pack {

namespace {

// Calls visit(begin, end, hole) for each stretch of [offset, offset + size), in order.
template <class Visit>
void for_each_stretch(std::span<const tree::DataRun> runs, std::uint64_t offset, std::uint64_t size, Visit visit) {
  const std::uint64_t end = offset + size;
  std::uint64_t at = offset;
  auto run = std::ranges::lower_bound(runs, offset, {}, [](const tree::DataRun& r) { return r.offset + r.length; });
  for (; run != runs.end() && run->offset < end; ++run) {
    const std::uint64_t begin = std::max(at, run->offset);
    const std::uint64_t stop = std::min(end, run->offset + run->length);
    if (begin > at) visit(at, begin, true);
    if (stop > begin) visit(begin, stop, false);
    at = std::max(at, stop);
  }
  if (at < end) visit(at, end, true);
}

}  // namespace

ByteView zero_segment() {
  static const Buffer zeros = [] {
    Buffer buffer(kSegmentSize);
    std::ranges::fill(buffer, std::byte{0});
    return buffer;
  }();
  return zeros;
}

SysResult<std::size_t> read_segment(Sys& sys, int fd, std::span<const tree::DataRun> runs, std::uint64_t offset,
                                    Bytes out) {
  std::size_t done = 0;
  int error = 0;
  bool short_read = false;
  for_each_stretch(runs, offset, out.size(), [&](std::uint64_t begin, std::uint64_t end, bool hole) {
    if (error != 0 || short_read) return;
    const Bytes part = out.subspan(begin - offset, end - begin);
    if (hole) {
      std::memset(part.data(), 0, part.size());
      done += part.size();
      return;
    }
    const auto got = pread_full(sys, fd, part, begin);
    error = got.error;
    done += got.value;
    short_read = got.value < part.size();
  });
  return {done, error};
}

void analyse_segment(Segment& segment, std::span<const tree::DataRun> runs, bool whole,
                     const chunking::ChunkSizes& sizes) {
  segment.pieces.clear();
  for_each_stretch(runs, segment.file_offset, segment.size, [&](std::uint64_t begin, std::uint64_t end, bool hole) {
    auto at = static_cast<std::uint32_t>(begin - segment.file_offset);
    const auto stop = static_cast<std::uint32_t>(end - segment.file_offset);
    if (hole) {
      segment.pieces.push_back({at, stop - at, true, {}});
      return;
    }
    while (at < stop) {
      const auto length = static_cast<std::uint32_t>(chunking::first_cut(segment.data.subspan(at, stop - at), sizes));
      segment.pieces.push_back({at, length, false, {}});
      at += length;
    }
  });
  const bool single = segment.pieces.size() == 1 && !segment.pieces[0].hole;
  if (!(whole && single)) {
    for (Piece& piece : segment.pieces) {
      if (!piece.hole) piece.hash = hash::blake3(segment.data.subspan(piece.offset, piece.length));
    }
  }
  if (whole) {
    segment.file_hash = hash::blake3(segment.data);
    if (single) segment.pieces[0].hash = segment.file_hash;
  } else if (segment.size == kSegmentSize) {
    segment.halves = {
        hash::blake3_subtree(segment.data.first(kHalfSegmentSize), segment.file_offset),
        hash::blake3_subtree(segment.data.last(kHalfSegmentSize), segment.file_offset + kHalfSegmentSize)};
  }
}

}  // namespace mmh::pack
