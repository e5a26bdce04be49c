#include "mmh/pack/packer.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <deque>
#include <map>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "base_index.h"
#include "dedup_index.h"
#include "hard_links.h"
#include "lanes.h"
#include "mmh/base/check.h"
#include "mmh/base/task_pool.h"
#include "mmh/codec/frame.h"
#include "mmh/pack/pack_file.h"
#include "record_merge.h"
#include "segment.h"
#include "zeros.h"

namespace mmh::pack {

namespace {

using content::ContentClass;
using content::ContentType;

constexpr std::size_t kBatchItemsMax = 256;
constexpr std::size_t kDictionarySize = std::size_t{64} << 10;
constexpr std::size_t kDictionarySamplesMax = std::size_t{4} << 20;
constexpr std::size_t kDictionaryBlockMax = std::size_t{256} << 10;  // larger blocks are their own dictionary
constexpr std::size_t kWholeMax = std::size_t{16} << 20;             // bytes of a file that stays in one block
constexpr int kPageLevel = 6;
constexpr std::uint64_t kBaseMarginMin = std::uint64_t{1} << 10;
constexpr std::uint64_t kBaseMarginMax = std::uint64_t{32} << 10;

constexpr chunking::ChunkSizes kChunkSizes{std::uint32_t{16} << 10, std::uint32_t{64} << 10, std::uint32_t{256} << 10};

/// How the memory budget is divided.
struct Budget {
  explicit Budget(const PackerOptions& options)
      : window(options.level <= 2 ? std::min<std::uint64_t>(options.memory / 8, std::uint64_t{64} << 20)
                                  : options.memory / 8),
        dedup(options.memory / 8),
        records(static_cast<std::size_t>(options.memory / 8 / 1024)),
        block(static_cast<std::size_t>(options.memory / 44)) {}
  std::uint64_t window;  ///< Bytes of read buffers that wait in lanes.
  std::size_t dedup;     ///< Bytes of the chunk index.
  std::size_t records;   ///< Records that wait for their content to be written.
  std::size_t block;     ///< Most raw bytes of a block: an LZMA encoder takes 11 times that.
};

/// A run of a record's content: a hole, or a chunk whose place may not be known yet.
struct RecordPiece {
  std::shared_ptr<ChunkPlace> place;  ///< Null: `extent` stands.
  Extent extent;
};

struct WaitingRecord {
  FileRecord record;
  std::vector<RecordPiece> pieces;
  std::size_t settled = 0;  ///< Pieces that are in the record's extents already.
  bool complete = false;    ///< All pieces are known.
  bool is_settled() const { return complete && settled == pieces.size(); }
};

void add_extent(std::vector<Extent>& extents, const Extent& next) {
  if (!extents.empty()) {
    Extent& last = extents.back();
    const bool adjoins =
        last.is_hole() ? next.is_hole() : last.block == next.block && last.offset + last.length == next.offset;
    if (adjoins) {
      last.length += next.length;
      return;
    }
  }
  extents.push_back(next);
}

/// Moves pieces whose place is known into the record's extents.
void settle(WaitingRecord& waiting) {
  constexpr std::size_t kForgetAt = 4096;
  for (; waiting.settled < waiting.pieces.size(); ++waiting.settled) {
    RecordPiece& piece = waiting.pieces[waiting.settled];
    if (piece.place == nullptr) {
      add_extent(waiting.record.extents, piece.extent);
    } else {
      if (piece.place->block == Extent::kHole) break;
      add_extent(waiting.record.extents, Extent{piece.place->block, piece.place->offset, piece.place->length});
      piece.place.reset();
    }
  }
  if (waiting.settled >= kForgetAt) {
    waiting.pieces.erase(waiting.pieces.begin(), waiting.pieces.begin() + static_cast<std::ptrdiff_t>(waiting.settled));
    waiting.settled = 0;
  }
}

/// Where a file stands in relation to the base.
struct BaseTrack {
  TensorNames names;
  std::optional<BaseFile> version;    ///< What it is a version of.
  std::optional<std::uint64_t> next;  ///< Where in the base's content what comes next is likely to be.
};

/// One object of a batch, and what reading it gave.
struct BatchItem {
  tree::WalkItem found;
  std::optional<Error> failure;  ///< The object is left out.
  bool changed = false;
  bool grown = false;  ///< No longer fits a batch: to be read as a long file.
  Segment segment;
  std::vector<tree::DataRun> runs;
  CutPlan cuts;
  ContentType type;
  std::optional<chunking::Sketch> sketch;
  BaseTrack track;
};

/// A file too long for one segment; shared by the segments in flight.
struct LongFile {
  tree::WalkItem found;
  tree::OpenedFile opened;
  CutPlan cuts;
  ContentType type;
  BaseTrack track;
  std::uint64_t next_offset = 0;  ///< Of the segment to schedule next.
  // From here on: used when segments come back, in order.
  hash::Blake3 hasher;
  std::uint64_t content_size = 0;
  bool ended_early = false;
  bool failed = false;
  LikenessKey key;
  std::shared_ptr<ReadBuffer> last_buffer;  ///< Holds `carried`.
  ByteView carried;                         ///< What the segment before took of the next one's bytes.
  WaitingRecord* record = nullptr;
};

/// A task that reads: a batch of small objects, or one segment of a long file.
struct ReadJob {
  std::vector<BatchItem> items;
  std::size_t planned_bytes = 0;
  std::size_t further_bytes = 0;  ///< Behind the segment: the rest of its last chunk.
  std::shared_ptr<LongFile> long_file;
  Segment segment;
  bool last_segment = false;
  int error = 0;
  std::shared_ptr<ReadBuffer> buffer = std::make_shared<ReadBuffer>();
  TaskPool::Handle task;
};

/// A task that compresses one block.
struct BlockJob {
  BlockContent content;
  std::shared_ptr<const codec::Dictionary> dictionary;
  Buffer frame;
  bool needs_base = false;
  hash::Digest hash;
  std::optional<Error> failure;
  TaskPool::Handle task;
};

/// An open file as it is packed: zeros in its holes.
class OpenedSource final : public RandomAccessSource {
 public:
  OpenedSource(Sys& sys, const tree::OpenedFile& file) : sys_(sys), file_(file) {}
  std::uint64_t size() const override { return static_cast<std::uint64_t>(file_.info.st_size); }
  Result<> read_at(std::uint64_t offset, Bytes out) const override {
    const auto got = read_segment(sys_, file_.fd.get(), file_.runs, offset, out);
    if (got.error != 0) return fail(errno_error(got.error, "cannot read"));
    if (got.value < out.size()) return fail(Errc::changed, "became shorter");
    return {};
  }
  const std::string& name() const override { return name_; }

 private:
  Sys& sys_;
  const tree::OpenedFile& file_;
  std::string name_;
};

class Packer {
 public:
  Packer(const PackerOptions& options, PackFileWriter& writer)
      : options_(options),
        budget_(options),
        writer_(writer),
        index_(budget_.dedup),
        lanes_(std::min({kWholeMax, budget_.block,
                         options.block_size == 0 ? kWholeMax : static_cast<std::size_t>(options.block_size)})),
        pool_(options.threads),
        builder_([this](ByteView raw) { return store_structure(BlockType::manifest, raw); }) {
    const auto chunk_max = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(kChunkSizes.size_max, std::bit_floor(block_size(ContentClass::text))));
    sizes_.size_max = chunk_max;
    sizes_.average = std::min(sizes_.average, chunk_max);
    sizes_.size_min = std::min(sizes_.size_min, chunk_max);
    // Beside a block that is coded against the base stands up to three times as much of it.
    const std::uint64_t in_flight_bytes = options.memory / 8 / (options.base == nullptr ? 1 : 4);
    blocks_in_flight_max_ =
        static_cast<std::size_t>(std::clamp<std::uint64_t>(in_flight_bytes / block_size(ContentClass::text), 2, 64));
    const std::uint64_t reads = options.memory / 8 / kSegmentSize;
    reads_in_flight_max_ =
        static_cast<std::size_t>(std::clamp<std::uint64_t>(options.threads + 2, 2, std::max<std::uint64_t>(2, reads)));
  }

  /// Records are kept instead of streamed to the manifest.
  void collect_records() { collecting_ = true; }
  std::vector<FileRecord>& collected() { return collected_; }
  /// Content of an existing pack that need not be stored again.
  void know(const FileRecord& record, std::vector<Extent>&& extents) {
    known_sizes_.insert(record.entry.size);
    known_files_.try_emplace(record.hash, std::move(extents));
  }

  /// Learns what the base holds, where there is one. The first call.
  Result<> take_base() {
    if (options_.base == nullptr) return {};
    base_.emplace(*options_.base, options_.memory / 16);
    return base_->scan(pool_, sizes_, options_.cancel);
  }

  Result<> run_walk(const tree::WalkOptions& walk) {
    walk_options_ = walk;
    MMH_LET(walker_, tree::Walker::open(*options_.sys, walk, [this](const Error& error) { problem(error); }));
    bool walked = false;
    for (;;) {
      MMH_TRY(check_cancelled(options_.cancel));
      while (!walked && reads_.size() < reads_in_flight_max_) {
        MMH_LET(const bool more, schedule_read());
        walked = !more;
      }
      if (reads_.empty()) break;
      MMH_TRY(finish_oldest_read());
    }
    return finish_content();
  }

  Result<> run_tar(tree::TarReader& tar) {
    for (;;) {
      MMH_TRY(check_cancelled(options_.cancel));
      MMH_LET(std::optional<tree::Entry> entry, tar.next());
      if (!entry) break;
      MMH_TRY(take_tar_entry(tar, *std::move(entry)));
    }
    while (!reads_.empty()) MMH_TRY(finish_oldest_read());
    return finish_content();
  }

  Result<> add_record(const FileRecord& record) {
    if (record.extents.size() <= kInlineExtentsMax) return builder_.add(record);
    FileRecord listed{record.entry, record.hash, {}, {}};
    std::uint64_t file_offset = 0;
    for (std::span<const Extent> left = record.extents; !left.empty();) {
      const auto part = left.first(std::min(left.size(), kExtentListEntries));
      MMH_LET(const std::uint64_t block, store_structure(BlockType::extents, write_extent_list(part)));
      listed.lists.push_back({file_offset, block});
      for (const Extent& extent : part) file_offset += extent.length;
      left = left.subspan(part.size());
    }
    return builder_.add(listed);
  }

  /// `seal`: what to do when everything but index and trailers is written.
  Result<PackerTotals> finish(const std::function<Result<>()>& seal) {
    Trailer trailer;
    MMH_LET(trailer.top, builder_.finish());
    trailer.height = builder_.height();
    trailer.root = manifest_root(trailer.top);
    trailer.writer = options_.writer;
    trailer.libraries = options_.libraries;
    trailer.level = options_.level;
    if (needs_base_) writer_.need_base({options_.base->trailer().root, options_.base_name});
    if (seal) MMH_TRY(seal());
    MMH_LET(trailer, writer_.finish(std::move(trailer)));
    totals_.entries = trailer.top.entries;
    totals_.root = trailer.root;
    totals_.pack_bytes = writer_.bytes_written();
    report_progress();
    return totals_;
  }

  void problem(const Error& error) {
    if (options_.problem) options_.problem(error);
  }

  PackerTotals& totals() { return totals_; }
  /// Page bytes that an existing pack already holds, by their hash.
  std::unordered_map<hash::Digest, std::uint64_t, hash::DigestHash>& known_pages() { return known_pages_; }

 private:
  std::size_t block_size(const ContentType& type) const {
    std::size_t size = std::min(options_.planner->block_size(type, options_.level), codec::kRawSizeMax);
    size = std::min(size, budget_.block);
    if (options_.block_size != 0) size = std::min(size, static_cast<std::size_t>(options_.block_size));
    return size;
  }

  void report_progress() {
    if (options_.progress) options_.progress(totals_.content_bytes, totals_.files);
  }

  // ---- scheduling reads, in walk order ----

  /// False when the walk has ended and nothing was scheduled.
  Result<bool> schedule_read() {
    if (long_file_ != nullptr) {
      schedule_segment();
      return true;
    }
    auto job = std::make_unique<ReadJob>();
    while (job->items.size() < kBatchItemsMax && job->planned_bytes < kSegmentSize) {
      std::optional<tree::WalkItem> found;
      if (held_back_) {
        found = std::exchange(held_back_, std::nullopt);
      } else {
        MMH_LET(found, walker_->next());
        if (found) hard_links_.mark(*found);
      }
      if (!found) break;
      const bool has_content = found->entry.type == tree::EntryType::regular;
      const std::uint64_t size = has_content ? found->entry.size : 0;
      if (size > kSegmentSize) {
        if (job->items.empty()) return start_long_file(*std::move(found));
        held_back_ = std::move(found);
        break;
      }
      if (job->planned_bytes + size > kSegmentSize) {
        held_back_ = std::move(found);
        break;
      }
      job->planned_bytes += static_cast<std::size_t>(size);
      job->items.emplace_back().found = *std::move(found);
    }
    if (job->items.empty()) return held_back_.has_value();
    submit(std::move(job), [this](ReadJob& read) { read_batch(read); });
    return true;
  }

  template <class Work>
  void submit(std::unique_ptr<ReadJob> job, Work work) {
    ReadJob* const read = job.get();
    read->task = pool_.submit([read, work] { work(*read); });
    reads_.push_back(std::move(job));
  }

  Result<bool> start_long_file(tree::WalkItem found) {
    auto file = std::make_shared<LongFile>();
    auto opened = tree::open_file(*options_.sys, found, walk_options_);
    if (!opened) {
      leave_out(found.entry, opened.error());
      return true;
    }
    file->found = std::move(found);
    file->opened = *std::move(opened);
    file->found.entry.size = static_cast<std::uint64_t>(file->opened.info.st_size);
    if (known_sizes_.contains(file->found.entry.size)) {
      MMH_LET(const bool reused, reuse_known_file(*file));
      if (reused) return true;
    }
    const OpenedSource source(*options_.sys, file->opened);
    Buffer head(kLookSize);
    // A file that cannot be read is told of when its segments are.
    if (source.read_at(0, head)) {
      take_look(*file, look_at(head, file->found.entry, [&](content::LayoutFormat format) {
        return content::find_layout(source, format, base_.has_value());
      }));
    }
    long_file_ = std::move(file);
    schedule_segment();
    return true;
  }

  /// What a file is, by its first bytes and its path, and how its typed regions are to be cut; `find_regions` finds
  /// those of the format that the head promises.
  FileLook look_at(ByteView head, const tree::Entry& entry, const auto& find_regions) const {
    return look_at_file(head, entry.path, entry.size, sizes_.size_max, base_.has_value(), find_regions);
  }

  /// `file`: a BatchItem or a LongFile.
  static void take_look(auto& file, FileLook look) {
    file.type = look.type;
    file.cuts = std::move(look.cuts);
    file.track.names = TensorNames(std::move(look.regions));
  }

  void schedule_segment() {
    auto job = std::make_unique<ReadJob>();
    job->long_file = long_file_;
    job->segment.file_offset = long_file_->next_offset;
    const std::uint64_t size = long_file_->found.entry.size;
    const std::uint64_t end = std::min(size, long_file_->next_offset + kSegmentSize);
    long_file_->next_offset = end;
    job->planned_bytes = static_cast<std::size_t>(end - job->segment.file_offset);
    job->further_bytes = static_cast<std::size_t>(std::min(size, long_file_->cuts.free_from(end)) - end);
    job->last_segment = end == size;
    if (job->last_segment) long_file_.reset();
    submit(std::move(job), [this](ReadJob& read) { read_long_segment(read); });
  }

  // ---- on any thread ----

  void read_batch(ReadJob& job) {
    job.buffer->bytes.resize(job.planned_bytes);
    std::size_t used = 0;
    for (BatchItem& item : job.items) {
      tree::Entry& entry = item.found.entry;
      if (entry.type != tree::EntryType::regular) {
        if (entry.type != tree::EntryType::hard_link) {
          if (auto read = tree::read_xattrs(*options_.sys, item.found, walk_options_); !read)
            item.failure = read.error();
        }
        continue;
      }
      // The file may have changed its size since the walk saw it; it gets the room that was planned for it and no more.
      const auto room = static_cast<std::size_t>(entry.size);
      read_small_file(item, Bytes(job.buffer->bytes).subspan(used, room));
      used += item.segment.size;
    }
  }

  void read_small_file(BatchItem& item, Bytes room) {
    tree::Entry& entry = item.found.entry;
    auto opened = tree::open_file(*options_.sys, item.found, walk_options_);
    if (!opened) {
      item.failure = opened.error();
      return;
    }
    const auto size = static_cast<std::uint64_t>(opened->info.st_size);
    if (size > room.size()) {
      item.grown = true;
      return;
    }
    const auto got = read_segment(*options_.sys, opened->fd.get(), opened->runs, 0, room.first(size));
    if (!got) {
      item.failure =
          errno_error(got.error, fmt::format("{}: cannot read at offset {}", display_path(entry.path), got.value));
      return;
    }
    item.changed = got.value < size || has_moved(*opened);
    entry.size = got.value;
    item.runs = std::move(opened->runs);
    item.segment.size = got.value;
    item.segment.data = room.first(got.value);
    analyse_item(item);
  }

  void analyse_item(BatchItem& item) {
    const ByteView data = item.segment.data;
    take_look(item, look_at(data, item.found.entry, [&](content::LayoutFormat format) {
                return content::find_layout(*memory_source(data, {}), format, base_.has_value());
              }));
    analyse_segment(item.segment, item.runs, item.cuts, true, sizes_);
    if ((options_.level > 1 || base_) && wants_sketch(item.type.content, data.size())) {
      item.sketch = chunking::similarity_sketch(data);
    }
  }

  void read_long_segment(ReadJob& job) {
    LongFile& file = *job.long_file;
    Segment& segment = job.segment;
    const auto& runs = file.opened.runs;
    const std::size_t wanted = job.planned_bytes + job.further_bytes;
    const auto run = std::ranges::upper_bound(runs, segment.file_offset, {},
                                              [](const tree::DataRun& r) { return r.offset + r.length; });
    const bool all_hole = run == runs.end() || run->offset >= segment.file_offset + wanted;
    if (all_hole && wanted <= kSegmentSize) {
      segment.data = zeros(wanted);
      segment.size = job.planned_bytes;
    } else {
      job.buffer->bytes.resize(wanted);
      const auto got = read_segment(*options_.sys, file.opened.fd.get(), runs, segment.file_offset, job.buffer->bytes);
      job.error = got.error;
      segment.data = ByteView(job.buffer->bytes).first(got.value);
      segment.size = std::min(got.value, job.planned_bytes);
    }
    analyse_segment(segment, runs, file.cuts, false, sizes_);
  }

  // ---- in order, on the calling thread ----

  Result<> finish_oldest_read() {
    const std::unique_ptr<ReadJob> job = std::move(reads_.front());
    reads_.pop_front();
    pool_.wait(job->task);
    if (job->long_file != nullptr) {
      MMH_TRY(take_long_segment(*job));
    } else {
      for (BatchItem& item : job->items) MMH_TRY(take_item(*job, item));
    }
    report_progress();
    while (lanes_.held_bytes() > budget_.window) MMH_TRY(emit(lanes_.take_largest(block_size_of())));
    if (records_.size() > budget_.records) MMH_TRY(emit(lanes_.take_all(block_size_of())));
    return {};
  }

  BlockSizeOf block_size_of() const {
    return [this](const ContentType& type) { return block_size(type); };
  }

  void leave_out(const tree::Entry& entry, const Error& error) {
    // A link to what is left out would dangle.
    left_out_.insert(entry.path);
    problem(error);
  }

  void warn_changed(const std::string& path) {
    problem({Errc::changed, display_path(path) + ": changed while it was read; the pack holds what was read"});
  }

  /// What comes from a tar stream has no descriptor and stands still.
  bool has_moved(const tree::OpenedFile& file) const {
    if (!file.fd) return false;
    const auto moved = tree::changed_since(*options_.sys, file);
    return !moved || *moved;
  }

  Result<> take_item(ReadJob& job, BatchItem& item) {
    tree::Entry& entry = item.found.entry;
    if (item.failure) {
      leave_out(entry, *item.failure);
      return {};
    }
    if (item.grown) {
      warn_changed(entry.path);
      return take_grown(std::move(item.found));
    }
    if (entry.type == tree::EntryType::hard_link && left_out_.contains(entry.link)) {
      leave_out(entry,
                {Errc::not_found, fmt::format("{}: left out, as it is another name of {}, which could not be read",
                                              display_path(entry.path), display_path(entry.link))});
      return {};
    }
    if (item.changed) warn_changed(entry.path);
    WaitingRecord& waiting = records_.emplace_back();
    waiting.complete = true;
    if (entry.type == tree::EntryType::regular) {
      waiting.record.hash = item.segment.file_hash;
      ++totals_.files;
      ++totals_.classes[static_cast<std::size_t>(item.type.content)].files;
      totals_.content_bytes += entry.size;
      if (const auto known = known_files_.find(item.segment.file_hash); known != known_files_.end()) {
        for (const Extent& extent : known->second) waiting.pieces.push_back({nullptr, extent});
        totals_.duplicate_bytes += entry.size;
      } else if (!item.segment.pieces.empty()) {
        const chunking::Sketch* const sketch = item.sketch ? &*item.sketch : nullptr;
        const auto key = lanes_.key_for(item.type, entry.path, options_.level > 1 ? sketch : nullptr);
        if (base_) item.track.version = base_->version_of(entry.path, sketch);
        add_pieces(waiting, item.segment, job.buffer, item.type, key, item.track);
      }
    }
    waiting.record.entry = std::move(entry);
    return drain_records();
  }

  // Rare: reads here and now what outgrew its batch.
  Result<> take_grown(tree::WalkItem found) {
    std::deque<std::unique_ptr<ReadJob>> later;
    later.swap(reads_);
    auto long_later = std::exchange(long_file_, nullptr);
    MMH_TRY(start_long_file(std::move(found)));
    while (long_file_ != nullptr || !reads_.empty()) {
      if (reads_.empty()) schedule_segment();
      MMH_TRY(finish_oldest_read());
    }
    reads_ = std::move(later);
    long_file_ = std::move(long_later);
    return {};
  }

  void add_pieces(WaitingRecord& waiting, const Segment& segment, const std::shared_ptr<ReadBuffer>& buffer,
                  const ContentType& file_type, const LikenessKey& key, BaseTrack& track) {
    if (base_ && !track.version && !track.next) find_start(segment, track);
    for (const Piece& piece : segment.pieces) {
      if (piece.hole) {
        waiting.pieces.push_back({nullptr, Extent{Extent::kHole, 0, piece.length}});
        totals_.hole_bytes += piece.length;
        continue;
      }
      if (const auto stored = index_.find(piece.hash); stored && stored->length == piece.length) {
        waiting.pieces.push_back({nullptr, Extent{stored->block, stored->offset, stored->length}});
        totals_.duplicate_bytes += piece.length;
        continue;
      }
      const auto [known, is_new] = waiting_chunks_.try_emplace(piece.hash);
      if (is_new) {
        known->second = std::make_shared<ChunkPlace>();
        known->second->length = piece.length;
        WaitingChunk chunk{key, known->second, buffer, segment.data.subspan(piece.offset, piece.length), piece.hash};
        ContentType type = piece.type.value_or(file_type);
        if (base_) use_base(chunk, type, segment.file_offset + piece.offset, track);
        lanes_.add(type, std::move(chunk));
      } else {
        totals_.duplicate_bytes += piece.length;
      }
      waiting.pieces.push_back({known->second, {}});
    }
  }

  /// Where in the base a file without a known version begins, going by its first chunk that the base holds.
  void find_start(const Segment& segment, BaseTrack& track) const {
    for (const Piece& piece : segment.pieces) {
      if (piece.hole) continue;
      const auto held = base_->find_chunk(piece.hash, piece.length);
      if (!held) continue;
      track.next = *held - std::min<std::uint64_t>(*held, piece.offset - segment.pieces.front().offset);
      return;
    }
  }

  /// Finds what of the base serves a chunk of a file at `file_offset`. Its type loses its elements where they are not
  /// in their place in the base.
  void use_base(WaitingChunk& chunk, ContentType& type, std::uint64_t file_offset, BaseTrack& track) {
    const std::uint64_t length = chunk.data.size();
    const auto& version = track.version;
    if (const auto held = base_->find_chunk(chunk.hash, static_cast<std::uint32_t>(length))) {
      chunk.use = BaseUse::copied;
      chunk.base = {{*held, length}};
      chunk.key = {};  // as they come: so neighbours in the base stay neighbours
      totals_.base_bytes += length;
      // What stands elsewhere, such as a run of zeros, says nothing about what comes next.
      if (!version || (*held >= version->offset && *held - version->offset < version->size))
        track.next = *held + length;
      return;
    }
    if (type.has_elements) chunk.base = base_->find_tensors(version, track.names, file_offset, length);
    if (!chunk.base.empty()) {
      track.next = chunk.base.back().offset + chunk.base.back().length;
    } else if (!type.has_elements || type.content != ContentClass::tensor) {
      chunk.base = guess_range(file_offset, length, track);
      if (!chunk.base.empty()) type = ContentType(type.content);
    }
    if (!chunk.base.empty()) chunk.use = BaseUse::changed;
  }

  /// Where a version of a chunk is likely to be in the base, with what is around it: insertions and deletions shift it.
  std::vector<codec::BaseRange> guess_range(std::uint64_t file_offset, std::uint64_t length, BaseTrack& track) const {
    std::uint64_t floor = 0;
    std::uint64_t ceiling = options_.base->trailer().top.content_bytes;
    if (track.version) {
      floor = track.version->offset;
      ceiling = floor + track.version->size;
      if (!track.next) track.next = floor + std::min(file_offset, track.version->size);
    }
    if (!track.next) return {};
    const std::uint64_t margin = std::clamp<std::uint64_t>(length / 2, kBaseMarginMin, kBaseMarginMax);
    const std::uint64_t at = std::clamp(*track.next, floor, ceiling);
    track.next = at + length;
    std::uint64_t from = std::max(floor, at - std::min(at, margin));
    const std::uint64_t until = std::min(ceiling, at + length + margin);
    // At the end of the file: what stands before it.
    if (until - from < length + margin) from = std::max(floor, until - std::min(until, length + margin));
    if (from == until) return {};
    return {{from, until - from}};
  }

  /// The front of a segment is stored as the last chunk of the one before it read it. Where it has changed since, what
  /// was stored is what counts: the hash of the content must be that of the pack's bytes.
  void keep_carried(ReadJob& job) {
    const ByteView carried = job.long_file->carried;
    Segment& segment = job.segment;
    if (segment.size >= carried.size() && std::ranges::equal(segment.data.first(carried.size()), carried)) return;
    warn_changed(job.long_file->found.entry.path);
    Buffer& bytes = job.buffer->bytes;
    const bool cut_short = segment.size < carried.size();
    if (bytes.empty()) bytes.assign(segment.data.begin(), segment.data.end());
    if (cut_short) bytes.resize(carried.size());
    std::ranges::copy(carried, bytes.begin());
    if (cut_short) segment.size = carried.size();
    segment.data = ByteView(bytes).first(std::max(segment.size, segment.data.size()));
    hash_content(segment, false);
  }

  Result<> take_long_segment(ReadJob& job) {
    LongFile& file = *job.long_file;
    Segment& segment = job.segment;
    tree::Entry& entry = file.found.entry;
    if (segment.file_offset == 0) {
      file.key = lanes_.key_for(file.type, entry.path, nullptr);
      if (base_) file.track.version = base_->version_of(entry.path, nullptr);
      file.record = &records_.emplace_back();
      ++totals_.files;
    }
    if (job.error != 0 && !file.failed) {
      file.failed = true;
      leave_out(entry, errno_error(job.error, fmt::format("{}: cannot read at offset {}", display_path(entry.path),
                                                          segment.file_offset + segment.size)));
    }
    if (!file.failed && !file.ended_early) {
      keep_carried(job);
      add_pieces(*file.record, segment, job.buffer, file.type, file.key, file.track);
      settle(*file.record);
      totals_.content_bytes += segment.size;
      file.content_size += segment.size;
      file.ended_early = segment.size < job.planned_bytes;
      file.carried = segment.data.subspan(segment.size);
      file.last_buffer = job.buffer;
      if (segment.size == kSegmentSize) {
        for (const hash::ChainingValue& half : segment.halves) file.hasher.push_subtree(half, kHalfSegmentSize);
      } else {
        file.hasher.update(segment.content());
      }
    }
    if (!job.last_segment) return {};
    WaitingRecord& waiting = *file.record;
    if (file.failed) {
      // The record keeps its place in the queue and is passed over when its turn comes.
      waiting.record.entry.path.clear();
      waiting.pieces.clear();
      waiting.settled = 0;
      --totals_.files;
    } else {
      if (file.ended_early || has_moved(file.opened)) warn_changed(entry.path);
      ++totals_.classes[static_cast<std::size_t>(file.type.content)].files;
      waiting.record.hash = file.hasher.finish();
      entry.size = file.content_size;
      waiting.record.entry = std::move(entry);
    }
    waiting.complete = true;
    return drain_records();
  }

  /// Appending: a long file that the pack already holds is read once to see that it is the same, and not stored again.
  Result<bool> reuse_known_file(LongFile& file) {
    hash::Blake3 hasher;
    Buffer buffer(kSegmentSize);
    const std::uint64_t size = file.found.entry.size;
    for (std::uint64_t at = 0; at < size;) {
      MMH_TRY(check_cancelled(options_.cancel));
      const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(size - at, buffer.size()));
      const auto got =
          read_segment(*options_.sys, file.opened.fd.get(), file.opened.runs, at, Bytes(buffer).first(part));
      if (!got || got.value < part) return false;
      hasher.update(ByteView(buffer).first(part));
      at += part;
    }
    const auto known = known_files_.find(hasher.finish());
    if (known == known_files_.end()) return false;
    while (!reads_.empty()) MMH_TRY(finish_oldest_read());
    WaitingRecord& waiting = records_.emplace_back();
    waiting.record = {std::move(file.found.entry), known->first, known->second, {}};
    waiting.complete = true;
    ++totals_.files;
    totals_.content_bytes += size;
    totals_.duplicate_bytes += size;
    MMH_TRY(drain_records());
    return true;
  }

  // ---- tar ----

  Result<> take_tar_entry(tree::TarReader& tar, tree::Entry entry) {
    if (entry.type != tree::EntryType::regular || entry.size == 0) {
      while (!reads_.empty()) MMH_TRY(finish_oldest_read());
      ReadJob job;
      BatchItem item;
      item.found.entry = std::move(entry);
      item.segment.file_hash = hash::blake3({});
      return take_item(job, item);
    }
    const std::vector<tree::DataRun> runs = tar.runs();
    if (entry.size <= kSegmentSize) {
      auto job = std::make_unique<ReadJob>();
      BatchItem& item = job->items.emplace_back();
      item.found.entry = std::move(entry);
      item.runs = runs;
      job->buffer->bytes.resize(static_cast<std::size_t>(item.found.entry.size));
      MMH_TRY(fill_from_tar(tar, job->buffer->bytes));
      item.segment.size = job->buffer->bytes.size();
      item.segment.data = job->buffer->bytes;
      submit(std::move(job), [this](ReadJob& read) { analyse_item(read.items[0]); });
    } else {
      auto file = std::make_shared<LongFile>();
      file->found.entry = std::move(entry);
      file->opened.runs = runs;
      const std::uint64_t size = file->found.entry.size;
      Buffer ahead;  // what was read of the next segment
      for (std::uint64_t at = 0; at < size; at += kSegmentSize) {
        MMH_TRY(check_cancelled(options_.cancel));
        auto job = std::make_unique<ReadJob>();
        job->long_file = file;
        job->segment.file_offset = at;
        job->planned_bytes = static_cast<std::size_t>(std::min<std::uint64_t>(size - at, kSegmentSize));
        job->last_segment = at + kSegmentSize >= size;
        Buffer& bytes = job->buffer->bytes;
        bytes = std::move(ahead);
        const std::size_t had = bytes.size();
        bytes.resize(job->planned_bytes);
        MMH_TRY(fill_from_tar(tar, Bytes(bytes).subspan(had)));
        if (at == 0) {
          take_look(*file, look_at(bytes, file->found.entry, [&](content::LayoutFormat format) {
            return content::find_layout(bytes, size, format, base_.has_value());
          }));
        }
        const std::uint64_t end = at + job->planned_bytes;
        bytes.resize(job->planned_bytes + static_cast<std::size_t>(std::min(size, file->cuts.free_from(end)) - end));
        MMH_TRY(fill_from_tar(tar, Bytes(bytes).subspan(job->planned_bytes)));
        ahead.assign(bytes.begin() + static_cast<std::ptrdiff_t>(job->planned_bytes), bytes.end());
        job->segment.size = job->planned_bytes;
        job->segment.data = bytes;
        submit(std::move(job), [this](ReadJob& read) {
          analyse_segment(read.segment, read.long_file->opened.runs, read.long_file->cuts, false, sizes_);
        });
        if (reads_.size() >= reads_in_flight_max_) MMH_TRY(finish_oldest_read());
      }
    }
    if (reads_.size() >= reads_in_flight_max_) MMH_TRY(finish_oldest_read());
    return {};
  }

  static Result<> fill_from_tar(tree::TarReader& tar, Bytes out) {
    for (std::size_t done = 0; done < out.size();) {
      MMH_LET(const std::size_t got, tar.read(out.subspan(done)));
      if (got == 0) return fail(Errc::corrupt, "the tar stream ends within a file");
      done += got;
    }
    return {};
  }

  // ---- blocks ----

  Result<> emit(std::vector<BlockContent> blocks) {
    for (BlockContent& content : blocks) {
      auto job = std::make_unique<BlockJob>();
      MMH_LET(job->dictionary, dictionary_for(content));
      job->content = std::move(content);
      BlockJob* const block = job.get();
      block->task = pool_.submit([this, block] { compress(*block); });
      blocks_.push_back(std::move(job));
      // A fixed number in flight, whatever the number of threads: it decides where pages fall between blocks.
      while (blocks_.size() > blocks_in_flight_max_) MMH_TRY(finish_oldest_block());
    }
    return {};
  }

  void compress(BlockJob& job) {
    if (const auto stopped = check_cancelled(options_.cancel); !stopped) {
      job.failure = stopped.error();
      return;
    }
    Buffer raw(job.content.size);
    std::size_t at = 0;
    for (WaitingChunk& chunk : job.content.chunks) {
      std::memcpy(raw.data() + at, chunk.data.data(), chunk.data.size());
      at += chunk.data.size();
      chunk.owner.reset();
    }
    job.needs_base = job.content.use == BaseUse::copied;
    auto frame = job.needs_base ? encode_against_base(job.content, raw) : encode_alone(job, raw);
    if (frame && job.content.use == BaseUse::changed) {
      auto against = encode_against_base(job.content, raw);
      job.needs_base = !against || against->size() < frame->size();
      if (job.needs_base) frame = std::move(against);
    }
    if (!frame) {
      job.failure = frame.error();
      return;
    }
    job.frame = *std::move(frame);
    job.hash = hash::blake3(job.frame);
  }

  Result<Buffer> encode_alone(const BlockJob& job, ByteView raw) const {
    codec::Plan plan = options_.planner->plan(raw, job.content.type, options_.level);
    if (plan.codec == codec::CodecId::zstd && plan.children.empty()) plan.options.dictionary = job.dictionary;
    return codec::encode_frame(*options_.registry, plan, raw, options_.cancel);
  }

  Result<Buffer> encode_against_base(const BlockContent& content, ByteView raw) const {
    auto reference = std::make_shared<codec::BaseReference>();
    const bool exact = content.use == BaseUse::copied || content.type.has_elements;
    reference->ranges = gather_ranges(content, exact);
    MMH_CHECK(!reference->ranges.empty());
    codec::Plan plan;
    if (content.use == BaseUse::copied) {
      plan.codec = codec::CodecId::base_copy;
      plan.options.base = std::move(reference);
    } else {
      std::size_t size = 0;
      for (const codec::BaseRange& range : reference->ranges) size += static_cast<std::size_t>(range.length);
      reference->bytes.resize(size);
      Bytes room = reference->bytes;
      for (const codec::BaseRange& range : reference->ranges) {
        const auto length = static_cast<std::size_t>(range.length);
        MMH_TRY(options_.base->read_content(range.offset, room.first(length)));
        room = room.subspan(length);
      }
      plan = options_.planner->plan_from_base(raw, std::move(reference), content.type, options_.level);
    }
    return codec::encode_frame(*options_.registry, plan, raw, options_.cancel);
  }

  /// The ranges of a block's chunks. `exact`: each byte has its own, else those that overlap are joined, as far as a
  /// block may refer to.
  static std::vector<codec::BaseRange> gather_ranges(const BlockContent& content, bool exact) {
    std::vector<codec::BaseRange> ranges;
    const std::uint64_t total_max =
        exact ? content.size : std::min<std::uint64_t>(codec::kRawSizeMax, 2 * content.size + kBaseMarginMax);
    std::uint64_t total = 0;
    for (const WaitingChunk& chunk : content.chunks) {
      for (const codec::BaseRange& range : chunk.base) {
        const std::uint64_t end = ranges.empty() ? 0 : ranges.back().offset + ranges.back().length;
        const bool meets = !ranges.empty() &&
                           (exact ? range.offset == end : range.offset >= ranges.back().offset && range.offset <= end);
        const std::uint64_t until = range.offset + range.length;
        const std::uint64_t added = meets ? until - std::min(until, end) : range.length;
        if (added == 0 || total + added > total_max) continue;
        total += added;
        if (meets) {
          ranges.back().length += added;
        } else {
          ranges.push_back(range);
        }
      }
    }
    return ranges;
  }

  Result<> finish_oldest_block() {
    const std::unique_ptr<BlockJob> job = std::move(blocks_.front());
    blocks_.pop_front();
    pool_.wait(job->task);
    if (job->failure) return fail(*std::move(job->failure));
    MMH_LET(const std::uint64_t number, writer_.add_block(BlockType::data, job->frame, job->content.size, job->hash));
    std::uint32_t offset = 0;
    for (const WaitingChunk& chunk : job->content.chunks) {
      chunk.place->block = number;
      chunk.place->offset = offset;
      offset += chunk.place->length;
      index_.insert(chunk.hash, *chunk.place);
      waiting_chunks_.erase(chunk.hash);
    }
    needs_base_ = needs_base_ || job->needs_base;
    ClassUse& use = totals_.classes[static_cast<std::size_t>(job->content.type.content)];
    use.raw_bytes += job->content.size;
    use.stored_bytes += kBlockHeaderSize + job->frame.size();
    report_progress();
    return drain_records();
  }

  /// A dictionary for a class, when blocks are too small to hold the context that they need. Trained on the first
  /// blocks of the class that come, and stored before them.
  Result<std::shared_ptr<const codec::Dictionary>> dictionary_for(const BlockContent& block) {
    if (block.use != BaseUse::none) return std::shared_ptr<const codec::Dictionary>();
    if (!options_.train_dictionary || block_size(block.type) > kDictionaryBlockMax ||
        block.type.content == ContentClass::compressed) {
      return std::shared_ptr<const codec::Dictionary>();
    }
    auto& known = dictionaries_[static_cast<std::size_t>(block.type.content)];
    if (known) return *known;
    Buffer samples;
    std::vector<std::size_t> sizes;
    for (const WaitingChunk& chunk : block.chunks) {
      if (samples.size() + chunk.data.size() > kDictionarySamplesMax) break;
      append(samples, chunk.data);
      sizes.push_back(chunk.data.size());
    }
    known = nullptr;
    Buffer trained = options_.train_dictionary(samples, sizes, kDictionarySize);
    if (!trained.empty()) {
      MMH_LET(const std::uint64_t number, store_structure(BlockType::dictionary, trained));
      known = std::make_shared<codec::Dictionary>(codec::Dictionary{number, std::move(trained)});
    }
    return *known;
  }

  Result<std::uint64_t> store_structure(BlockType type, ByteView raw) {
    const auto raw_hash = type == BlockType::manifest ? hash::blake3(raw) : hash::Digest{};
    if (type == BlockType::manifest) {
      if (const auto known = known_pages_.find(raw_hash); known != known_pages_.end()) return known->second;
    }
    codec::Plan plan;
    plan.codec = codec::CodecId::zstd;
    plan.options.level = kPageLevel;
    MMH_LET(const Buffer frame, codec::encode_frame(*options_.registry, plan, raw));
    return writer_.add_block(type, frame, raw.size(), hash::blake3(frame));
  }

  Result<> finish_content() {
    MMH_TRY(emit(lanes_.take_all(block_size_of())));
    while (!blocks_.empty()) {
      MMH_TRY(check_cancelled(options_.cancel));
      MMH_TRY(finish_oldest_block());
    }
    MMH_TRY(drain_records());
    MMH_CHECK(records_.empty());
    return {};
  }

  /// Passes on the records at the front whose content is written.
  Result<> drain_records() {
    while (!records_.empty()) {
      WaitingRecord& front = records_.front();
      settle(front);
      if (!front.is_settled()) return {};
      if (!front.record.entry.path.empty()) {
        if (collecting_) {
          collected_.push_back(std::move(front.record));
        } else {
          MMH_TRY(add_record(front.record));
        }
      }
      records_.pop_front();
    }
    return {};
  }

  const PackerOptions& options_;
  const Budget budget_;
  PackFileWriter& writer_;
  chunking::ChunkSizes sizes_ = kChunkSizes;
  std::size_t blocks_in_flight_max_;
  std::size_t reads_in_flight_max_;
  PackerTotals totals_;

  tree::WalkOptions walk_options_;
  std::unique_ptr<tree::Walker> walker_;
  std::optional<tree::WalkItem> held_back_;
  std::shared_ptr<LongFile> long_file_;  ///< Whose segments are being scheduled.
  HardLinks hard_links_;
  std::unordered_set<std::string> left_out_;

  std::optional<BaseIndex> base_;
  bool needs_base_ = false;  ///< Whether a block that is written does.

  DedupIndex index_;
  std::unordered_map<hash::Digest, std::shared_ptr<ChunkPlace>, hash::DigestHash> waiting_chunks_;
  Lanes lanes_;
  std::optional<std::shared_ptr<const codec::Dictionary>> dictionaries_[content::kContentClassCount];
  std::deque<WaitingRecord> records_;  // a deque: long files keep a pointer to theirs
  bool collecting_ = false;
  std::vector<FileRecord> collected_;
  std::unordered_map<hash::Digest, std::vector<Extent>, hash::DigestHash> known_files_;
  std::unordered_set<std::uint64_t> known_sizes_;
  std::unordered_map<hash::Digest, std::uint64_t, hash::DigestHash> known_pages_;

  // Tasks use what stands above; the pool joins its threads first, and queued tasks go with it.
  std::deque<std::unique_ptr<ReadJob>> reads_;
  std::deque<std::unique_ptr<BlockJob>> blocks_;
  TaskPool pool_;
  ManifestBuilder builder_;
};

}  // namespace

Result<PackerTotals> pack_tree(const PackerOptions& options, const tree::WalkOptions& walk, ByteSink& out) {
  MMH_LET(const auto writer, PackFileWriter::create(out, options.base != nullptr));
  Packer packer(options, *writer);
  MMH_TRY(packer.take_base());
  MMH_TRY(packer.run_walk(walk));
  MMH_LET(PackerTotals totals, packer.finish(nullptr));
  totals.written_bytes = totals.pack_bytes;
  return totals;
}

Result<PackerTotals> pack_tar(const PackerOptions& options, tree::TarReader& tar, ByteSink& out) {
  MMH_LET(const auto writer, PackFileWriter::create(out, options.base != nullptr));
  Packer packer(options, *writer);
  MMH_TRY(packer.take_base());
  packer.collect_records();
  MMH_TRY(packer.run_tar(tar));
  const auto problem = [&](const Error& error) { packer.problem(error); };
  for (const FileRecord& record : sort_records(std::move(packer.collected()), problem))
    MMH_TRY(packer.add_record(record));
  MMH_LET(PackerTotals totals, packer.finish(nullptr));
  totals.written_bytes = totals.pack_bytes;
  return totals;
}

Result<PackerTotals> append_tree(const PackerOptions& options, const Reader& existing, const tree::WalkOptions& walk,
                                 ByteSink& out, const std::function<Result<>()>& before_trailer) {
  const Trailer& old = existing.trailer();
  std::vector<BlockInfo> tail;
  for (std::uint64_t number = old.block_count - old.block_count % kIndexPageEntries; number < old.block_count;
       ++number) {
    MMH_LET(tail.emplace_back(), existing.block_info(number));
  }
  const auto writer =
      PackFileWriter::resume(out, existing.pack_size(), old, existing.trailer_offset(), std::move(tail));
  Packer packer(options, *writer);
  packer.collect_records();
  MMH_TRY(existing.visit("", [&](FileRecord&& record) -> Result<bool> {
    if (record.entry.type == tree::EntryType::regular && record.entry.size > 0) {
      MMH_LET(std::vector<Extent> extents, existing.extents_of(record));
      packer.know(record, std::move(extents));
    }
    return true;
  }));
  for (std::uint64_t number = 0; number < old.block_count; ++number) {
    MMH_LET(const BlockInfo block, existing.block_info(number));
    if (block.type != BlockType::manifest) continue;
    MMH_LET(const Buffer page, existing.read_block_uncached(number));
    packer.known_pages().try_emplace(hash::blake3(page), number);
  }
  MMH_TRY(packer.run_walk(walk));
  const auto problem = [&](const Error& error) { packer.problem(error); };
  RecordMerge merge(std::move(packer.collected()), problem,
                    [&](const FileRecord& record) { return packer.add_record(record); });
  MMH_TRY(existing.visit("", [&](FileRecord&& record) -> Result<bool> {
    if (record.extents.empty() && !record.lists.empty()) {
      MMH_LET(record.extents, existing.extents_of(record));
      record.lists.clear();
    }
    MMH_TRY(merge.take_existing(std::move(record)));
    return true;
  }));
  MMH_TRY(merge.finish());
  MMH_LET(PackerTotals totals, packer.finish(before_trailer));
  totals.written_bytes = totals.pack_bytes - existing.pack_size();
  return totals;
}

}  // namespace mmh::pack
