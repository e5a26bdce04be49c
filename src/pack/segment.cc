#include "segment.h"

#include <algorithm>

#include "mmh/base/files.h"

namespace mmh::pack {

namespace {

constexpr std::uint64_t kRegionMin = std::uint64_t{4} << 10;  // smaller ones cost more in chunks than they gain
constexpr std::size_t kSketchSizeMin = 512;
constexpr std::size_t kSketchSizeMax = std::size_t{1} << 20;
constexpr std::uint64_t kTypedChunkSize = std::uint64_t{128} << 10;  // as near as whole elements come to it

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

CutPlan::CutPlan(std::vector<content::Region> regions, std::uint32_t chunk_max)
    : regions_(content::coarse_layout(std::move(regions), kRegionMin)), chunk_max_(chunk_max) {}

CutPlan::Stretch CutPlan::at(std::uint64_t offset) const {
  const auto [region, end] = content::stretch_at(regions_, offset);
  Stretch stretch{offset, end, region, 0};
  if (region == nullptr) return stretch;
  stretch.begin = region->offset;
  const std::uint64_t unit = content::cut_unit(*region);
  const std::uint64_t aim = std::min<std::uint64_t>(kTypedChunkSize, chunk_max_);
  if (unit > 1 && unit <= aim) stretch.chunk_size = static_cast<std::uint32_t>(aim / unit * unit);
  return stretch;
}

std::uint64_t CutPlan::free_from(std::uint64_t offset) const {
  const Stretch stretch = at(offset);
  if (stretch.chunk_size == 0) return offset;
  const std::uint64_t chunks = (offset - stretch.begin + stretch.chunk_size - 1) / stretch.chunk_size;
  return std::min(stretch.end, stretch.begin + chunks * stretch.chunk_size);
}

FileLook look_at_file(ByteView head, std::string_view path, std::uint64_t size, std::uint32_t chunk_max,
                      bool keep_regions,
                      const std::function<std::vector<content::Region>(content::LayoutFormat)>& find_regions) {
  head = head.first(std::min(head.size(), kLookSize));
  FileLook look;
  look.type = content::content_type(content::classify(head, path), head);
  const auto format = content::layout_format(head, size, look.type.content);
  if (!format) return look;
  std::vector<content::Region> regions = find_regions(*format);
  if (keep_regions) look.regions = regions;
  look.cuts = CutPlan(std::move(regions), chunk_max);
  return look;
}

bool wants_sketch(content::ContentClass content, std::size_t size) {
  return size >= kSketchSizeMin && size <= kSketchSizeMax && content != content::ContentClass::compressed;
}

void hash_content(Segment& segment, bool whole) {
  if (whole) {
    segment.file_hash = hash::blake3(segment.content());
  } else if (segment.size == kSegmentSize) {
    segment.halves = {
        hash::blake3_subtree(segment.data.first(kHalfSegmentSize), segment.file_offset),
        hash::blake3_subtree(segment.content().last(kHalfSegmentSize), segment.file_offset + kHalfSegmentSize)};
  }
}

void analyse_segment(Segment& segment, std::span<const tree::DataRun> runs, const CutPlan& cuts, bool whole,
                     const chunking::ChunkSizes& sizes) {
  segment.pieces.clear();
  const auto place = [&](std::uint64_t offset) { return static_cast<std::uint32_t>(offset - segment.file_offset); };
  const auto cut_run = [&](std::uint64_t at, std::uint64_t end) {
    while (at < end) {
      const CutPlan::Stretch stretch = cuts.at(at);
      const std::uint64_t stop = std::min(end, stretch.end);
      std::optional<content::ContentType> type;
      if (stretch.region != nullptr) type = content_type(*stretch.region);
      while (at < stop) {
        std::uint64_t length = 0;
        if (stretch.chunk_size == 0) {
          length = chunking::first_cut(segment.data.subspan(place(at), static_cast<std::size_t>(stop - at)), sizes);
        } else {
          length = std::min(stop - at, stretch.chunk_size - (at - stretch.begin) % stretch.chunk_size);
        }
        segment.pieces.push_back({place(at), static_cast<std::uint32_t>(length), false, type, {}});
        at += length;
      }
    }
  };
  const std::uint64_t begin = cuts.free_from(segment.file_offset);
  const std::uint64_t end = segment.file_offset + segment.data.size();
  if (begin < end) {
    for_each_stretch(runs, begin, end - begin, [&](std::uint64_t from, std::uint64_t to, bool hole) {
      if (hole) {
        segment.pieces.push_back({place(from), static_cast<std::uint32_t>(to - from), true, {}, {}});
      } else {
        cut_run(from, to);
      }
    });
  }
  hash_content(segment, whole);
  for (Piece& piece : segment.pieces) {
    if (piece.hole) continue;
    const bool is_file = whole && piece.length == segment.size;
    piece.hash = is_file ? segment.file_hash : hash::blake3(segment.data.subspan(piece.offset, piece.length));
  }
}

}  // namespace mmh::pack
