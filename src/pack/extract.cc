#include "mmh/pack/extract.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "mmh/base/check.h"
#include "mmh/base/task_pool.h"
#include "mmh/hash/blake3.h"
#include "mmh/tree/tar.h"
#include "zeros.h"

namespace mmh::pack {

namespace {

constexpr std::size_t kWindowRecords = 32768;
constexpr std::uint64_t kAloneSizeMax = std::uint64_t{64} << 20;  // longer files are restored by all threads at once

/// A wanted record and the path it comes back under.
struct Wanted {
  FileRecord record;
  std::string stored_path;
};

/// Small files whose content lies in one block: restored by one task that decodes the block once.
struct BlockGroup {
  std::uint64_t block = 0;
  std::vector<const Wanted*> files;
};

bool ends_extraction(const Error& error) { return error.code == Errc::no_space || error.code == Errc::cancelled; }

class Extractor {
 public:
  Extractor(const Reader& reader, tree::Restorer& restorer, const ExtractOptions& options)
      : reader_(reader), restorer_(restorer), options_(options), pool_(options.threads) {}

  Result<ExtractTotals> run() {
    std::vector<Wanted> window;
    const auto take = [&](FileRecord&& record) -> Result<bool> {
      MMH_TRY(check_cancelled(options_.cancel));
      std::string stored_path = record.entry.path;
      std::optional<std::string> path = options_.place ? options_.place(record.entry) : stored_path;
      if (!path) return true;
      record.entry.path = *std::move(path);
      window.push_back({std::move(record), std::move(stored_path)});
      if (window.size() == kWindowRecords) {
        MMH_TRY(restore_window(window));
        window.clear();
      }
      return true;
    };
    for (const std::string& prefix : options_.prefixes) MMH_TRY(reader_.visit(prefix, take));
    MMH_TRY(restore_window(window));
    // Links may name files of a later window when paths were changed, so they all come last.
    for (const Wanted& link : links_) MMH_TRY(restore_link(link));
    if (auto finished = restorer_.finish(); !finished) report(finished.error());
    return totals_;
  }

 private:
  Result<> restore_window(std::vector<Wanted>& window) {
    std::map<std::uint64_t, BlockGroup> groups;
    std::vector<const Wanted*> spread;
    for (Wanted& wanted : window) {
      const FileRecord& record = wanted.record;
      if (record.entry.type == tree::EntryType::hard_link) {
        links_.push_back(std::move(wanted));
      } else if (record.entry.type != tree::EntryType::regular) {
        const Result<bool> made = restorer_.make(record.entry);
        if (!made && made.error().code == Errc::unsupported) left_out_.insert(record.entry.path);
        MMH_TRY(count(made, record, 0));
      } else if (record.extents.empty() && record.lists.empty()) {
        MMH_TRY(restore_empty(record));
      } else if (record.extents.size() == 1 && !record.extents[0].is_hole()) {
        BlockGroup& group = groups[record.extents[0].block];
        group.block = record.extents[0].block;
        group.files.push_back(&wanted);
      } else {
        spread.push_back(&wanted);
      }
    }
    MMH_TRY(restore_side_by_side(groups, [this](const auto& group) { restore_group(group.second); }));
    const auto long_ones =
        std::ranges::stable_partition(spread, [](const Wanted* w) { return w->record.entry.size <= kAloneSizeMax; });
    const std::span<const Wanted*> short_ones(spread.begin(), long_ones.begin());
    MMH_TRY(restore_side_by_side(short_ones, [this](const Wanted* wanted) { restore_alone(wanted->record); }));
    for (const Wanted* wanted : long_ones) MMH_TRY(restore_spread(wanted->record));
    return {};
  }

  Result<> restore_empty(const FileRecord& record) {
    if (record.hash != hash::blake3({})) return report_entry(record, content_error(record));
    return count(restorer_.write_file(record.entry, {}), record, 0);
  }

  // ---- files side by side: those within one block, and those of some blocks ----

  /// Runs `restore(group)` for each on all threads.
  template <class Groups, class Restore>
  Result<> restore_side_by_side(const Groups& groups, Restore restore) {
    std::deque<TaskPool::Handle> running;
    const auto finish_oldest = [&]() -> Result<> {
      pool_.wait(running.front());
      running.pop_front();
      const std::lock_guard lock(mutex_);
      progress();
      if (fatal_) return fail(*fatal_);
      return check_cancelled(options_.cancel);
    };
    const auto finish_all = [&]() -> Result<> {
      for (const auto& group : groups) {
        running.push_back(pool_.submit([&restore, &group] { restore(group); }));
        if (running.size() > options_.threads + 1) MMH_TRY(finish_oldest());
      }
      while (!running.empty()) MMH_TRY(finish_oldest());
      return {};
    };
    Result<> finished = finish_all();
    for (const auto& task : running) pool_.wait(task);
    return finished;
  }

  bool has_ended() {
    const std::lock_guard lock(mutex_);
    return fatal_.has_value();
  }

  void count_on_any_thread(const Result<bool>& restored, const FileRecord& record, std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    if (auto counted = count(restored, record, bytes); !counted && !fatal_) fatal_ = counted.error();
  }

  // On any thread.
  void restore_group(const BlockGroup& group) {
    if (has_ended()) return;
    const auto block = reader_.read_block(group.block);
    for (const Wanted* wanted : group.files) {
      if (!check_cancelled(options_.cancel)) return;
      const FileRecord& record = wanted->record;
      const auto written = block ? write_from(record, **block) : Result<bool>(fail(block.error()));
      count_on_any_thread(written, record, record.entry.size);
    }
  }

  Result<bool> write_from(const FileRecord& record, const Buffer& block) {
    const Extent& extent = record.extents[0];
    MMH_LET(const ByteView content, content_of(extent, block));
    if (content.size() != record.entry.size) return fail(Errc::corrupt, "its extent is not as long as the file");
    if (hash::blake3(content) != record.hash) return fail(content_error(record));
    return restorer_.write_file(record.entry, content);
  }

  // On any thread, alone.
  void restore_alone(const FileRecord& record) {
    if (has_ended()) return;
    const auto restored = [&]() -> Result<bool> {
      MMH_LET(const auto file, restorer_.begin_file(record.entry));
      if (file == nullptr) return false;
      MMH_LET(const std::vector<Extent> extents, reader_.extents_of(record));
      hash::Blake3 hasher;
      std::uint64_t offset = 0;
      for (const Extent& extent : extents) {
        MMH_TRY(check_cancelled(options_.cancel));
        if (extent.is_hole()) {
          MMH_TRY(hash_hole(extent, hasher));
        } else {
          MMH_LET(const BlockData block, reader_.read_block(extent.block));
          MMH_LET(const ByteView content, content_of(extent, *block));
          MMH_TRY(file->write_at(offset, content));
          hasher.update(content);
        }
        offset += extent.length;
      }
      if (offset != record.entry.size || hasher.finish() != record.hash) return fail(content_error(record));
      MMH_TRY(file->commit());
      return true;
    }();
    count_on_any_thread(restored, record, record.entry.size);
  }

  static Result<ByteView> content_of(const Extent& extent, const Buffer& block) {
    if (extent.offset > block.size() || extent.length > block.size() - extent.offset) {
      return fail(Errc::corrupt, "an extent lies outside its block");
    }
    return ByteView(block).subspan(extent.offset, extent.length);
  }

  // ---- long files, one at a time, their blocks decoded ahead ----

  Result<> restore_spread(const FileRecord& record) {
    MMH_TRY(check_cancelled(options_.cancel));
    auto begun = restorer_.begin_file(record.entry);
    if (!begun) return report_entry(record, begun.error());
    if (*begun == nullptr) return count(false, record, 0);
    return count(write_spread(record, **begun), record, record.entry.size);
  }

  /// An extent on its way into its file; what was written is kept for the hash, which goes from front to back.
  struct Ahead {
    Extent extent;
    std::uint64_t file_offset = 0;
    std::optional<Result<BlockData>> block;
    ByteView content;
    Result<> written;
    TaskPool::Handle decoded;  ///< Of the first that needs a block.
    TaskPool::Handle task;
  };

  Result<bool> write_spread(const FileRecord& record, tree::RestoredFile& file) {
    MMH_LET(const std::vector<Extent> extents, reader_.extents_of(record));
    std::deque<std::unique_ptr<Ahead>> ahead;
    std::size_t next = 0;
    std::uint64_t next_offset = 0;
    std::map<std::uint64_t, std::size_t> blocks_ahead;  // each with the extents that use it: they hold it in memory
    hash::Blake3 hasher;
    constexpr std::size_t kExtentsAhead = 256;
    const auto written = [&]() -> Result<> {
      for (std::size_t done = 0; done < extents.size(); ++done) {
        const std::size_t first_new = ahead.size();
        while (next < extents.size() && ahead.size() < kExtentsAhead && blocks_ahead.size() <= options_.threads + 1) {
          const Extent& extent = extents[next++];
          ahead.push_back(std::make_unique<Ahead>());
          ahead.back()->extent = extent;
          ahead.back()->file_offset = next_offset;
          next_offset += extent.length;
          // Before the extents that need it, lest threads wait for one another.
          if (!extent.is_hole() && ++blocks_ahead[extent.block] == 1) decode_ahead(*ahead.back());
        }
        for (std::size_t i = first_new; i < ahead.size(); ++i) write_ahead(*ahead[i], file);
        const std::unique_ptr<Ahead> now = std::move(ahead.front());
        ahead.pop_front();
        if (now->task) pool_.wait(now->task);
        MMH_TRY(check_cancelled(options_.cancel));
        if (now->extent.is_hole()) {
          MMH_TRY(hash_hole(now->extent, hasher));
          continue;
        }
        MMH_TRY(std::move(now->written));
        hasher.update(now->content);
        if (const auto users = blocks_ahead.find(now->extent.block); --users->second == 0) blocks_ahead.erase(users);
      }
      return {};
    }();
    for (const auto& rest : ahead) {
      if (rest->task) pool_.wait(rest->task);
    }
    if (!written) return fail(written.error());
    if (next_offset != record.entry.size || hasher.finish() != record.hash) return fail(content_error(record));
    MMH_TRY(file.commit());
    return true;
  }

  void decode_ahead(Ahead& item) {
    item.decoded = pool_.submit([this, &item] { item.block = reader_.read_block(item.extent.block); });
  }

  void write_ahead(Ahead& item, tree::RestoredFile& file) {
    if (item.extent.is_hole()) return;
    item.task = pool_.submit([this, &item, &file] {
      if (item.decoded) pool_.wait(item.decoded);
      item.written = write_extent(item, file);
    });
  }

  // On any thread.
  Result<> write_extent(Ahead& item, tree::RestoredFile& file) {
    if (!item.block) item.block = reader_.read_block(item.extent.block);
    if (!*item.block) return fail(item.block->error());
    MMH_LET(item.content, content_of(item.extent, ***item.block));
    return file.write_at(item.file_offset, item.content);
  }

  Result<> hash_hole(const Extent& hole, hash::Blake3& hasher) {
    for (std::uint64_t left = hole.length; left > 0;) {
      MMH_TRY(check_cancelled(options_.cancel));
      const ByteView part = zeros(left);
      hasher.update(part);
      left -= part.size();
    }
    return {};
  }

  // ---- links ----

  Result<> restore_link(const Wanted& link) {
    MMH_LET(std::optional<FileRecord> target, reader_.find(link.record.entry.link));
    if (!target) {
      return report_entry(link.record, {Errc::corrupt, fmt::format("is a hard link to {}, which is not in the pack",
                                                                   display_path(link.record.entry.link))});
    }
    const std::optional<std::string> place = options_.place ? options_.place(target->entry) : target->entry.path;
    if (place) {
      tree::Entry entry = link.record.entry;
      entry.link = *place;
      if (left_out_.contains(*place)) {
        return report_entry(link.record, {Errc::unsupported, fmt::format("is a hard link to {}, which was left out",
                                                                         display_path(*place))});
      }
      return count(restorer_.make(entry), link.record, 0);
    }
    // What it names is not wanted; the content is.
    target->entry.path = link.record.entry.path;
    if (target->entry.type != tree::EntryType::regular) return count(restorer_.make(target->entry), *target, 0);
    if (target->entry.size == 0) return restore_empty(*target);
    return restore_spread(*target);
  }

  // ---- accounts ----

  static Error content_error(const FileRecord& record) {
    return {Errc::corrupt, "content does not match its BLAKE3 hash " + record.hash.hex()};
  }

  /// Counts a result. An error is reported and passed over unless going on is pointless.
  Result<> count(const Result<bool>& restored, const FileRecord& record, std::uint64_t bytes) {
    if (!restored) return report_entry(record, restored.error());
    if (!*restored) {
      ++totals_.kept;
      return {};
    }
    ++totals_.entries;
    if (record.entry.type == tree::EntryType::regular) ++totals_.files;
    totals_.bytes += bytes;
    return {};
  }

  Result<> report_entry(const FileRecord& record, Error error) {
    const std::string place = display_path(record.entry.path);
    if (!error.what.starts_with(place)) error.what.insert(0, place + ": ");
    if (ends_extraction(error)) return fail(std::move(error));
    report(error);
    return {};
  }

  void report(const Error& error) {
    ++totals_.problems;
    if (error.code == Errc::corrupt) ++totals_.damaged;
    if (options_.problem) options_.problem(error);
  }

  void progress() {
    if (options_.progress) options_.progress(totals_.bytes, totals_.files);
  }

  const Reader& reader_;
  tree::Restorer& restorer_;
  const ExtractOptions& options_;
  std::vector<Wanted> links_;
  std::unordered_set<std::string> left_out_;  // what cannot be made here: links to it cannot, either
  std::mutex mutex_;                          // guards totals_ and fatal_ while tasks run
  ExtractTotals totals_;
  std::optional<Error> fatal_;
  TaskPool pool_;
};

/// Writes a tar stream in manifest order while other threads decode the blocks that come next.
class TarExtractor {
 public:
  TarExtractor(const Reader& reader, ByteSink& out, const ExtractOptions& options)
      : reader_(reader), options_(options), tar_(tree::TarWriter::open(out)), pool_(options.threads) {}

  Result<ExtractTotals> run() {
    for (const std::string& prefix : options_.prefixes) {
      MMH_TRY(reader_.visit(prefix, [&](FileRecord&& record) -> Result<bool> {
        MMH_TRY(take(std::move(record)));
        return true;
      }));
    }
    while (!steps_.empty()) MMH_TRY(do_first());
    MMH_TRY(tar_->finish());
    return totals_;
  }

 private:
  /// A block that is being decoded, and how many steps wait for it.
  struct Ahead {
    std::optional<Result<BlockData>> block;
    TaskPool::Handle task;
    std::uint64_t raw_size = 0;
    std::size_t users = 0;
  };
  /// What is to be written next: the header of an entry, a piece of its content, or its end.
  struct Step {
    enum class Kind : std::uint8_t { begin, content, end } kind;
    std::shared_ptr<const FileRecord> record;
    Extent extent = {};
  };

  std::optional<std::string> place_of(const tree::Entry& entry) const {
    return options_.place ? options_.place(entry) : std::optional(entry.path);
  }

  Result<> take(FileRecord&& record) {
    const std::optional<std::string> path = place_of(record.entry);
    if (!path) return {};
    if (record.entry.type == tree::EntryType::hard_link) {
      MMH_LET(std::optional<FileRecord> target, reader_.find(record.entry.link));
      if (!target) return fail(Errc::corrupt, display_path(*path) + ": is a hard link to what is not in the pack");
      if (const auto target_place = place_of(target->entry)) {
        record.entry.link = *target_place;
      } else {
        record = *std::move(target);
      }
    }
    record.entry.path = *path;
    const auto shared = std::make_shared<const FileRecord>(std::move(record));
    MMH_TRY(push({Step::Kind::begin, shared}));
    if (shared->entry.type != tree::EntryType::regular) return {};
    MMH_TRY(reader_.visit_extents(*shared, 0, [&](std::uint64_t, const Extent& extent) -> Result<bool> {
      MMH_TRY(push({Step::Kind::content, shared, extent}));
      return true;
    }));
    return push({Step::Kind::end, shared});
  }

  /// Adds a step; does the first ones where too much would wait.
  Result<> push(Step step) {
    constexpr std::size_t kStepsMax = 4096;
    while (steps_.size() >= kStepsMax) MMH_TRY(do_first());
    if (step.kind == Step::Kind::content && !step.extent.is_hole()) {
      const std::uint64_t number = step.extent.block;
      if (!ahead_.contains(number)) {
        MMH_LET(const BlockInfo block, reader_.block_info(number));
        if (block.type != BlockType::data) return fail(misplaced(*step.record));
        while (!ahead_.empty() && ahead_bytes_ + block.raw_size > options_.memory / 4) MMH_TRY(do_first());
        schedule(number, block.raw_size);
      }
      ++ahead_.at(number)->users;
    }
    steps_.push_back(std::move(step));
    return {};
  }

  void schedule(std::uint64_t number, std::uint64_t raw_size) {
    auto item = std::make_unique<Ahead>();
    item->raw_size = raw_size;
    ahead_bytes_ += raw_size;
    Ahead* const task_item = item.get();
    item->task = pool_.submit([this, task_item, number] {
      const auto cancelled = check_cancelled(options_.cancel);
      task_item->block = cancelled ? reader_.read_block(number) : fail(cancelled.error());
    });
    ahead_.emplace(number, std::move(item));
  }

  Result<> do_first() {
    MMH_TRY(check_cancelled(options_.cancel));
    const Step step = std::move(steps_.front());
    steps_.pop_front();
    const FileRecord& record = *step.record;
    switch (step.kind) {
      case Step::Kind::begin:
        ++totals_.entries;
        return tar_->begin(record.entry);
      case Step::Kind::content:
        return write_extent(record, step.extent).in(display_path(record.entry.path));
      case Step::Kind::end:
        return end_file(record);
    }
    MMH_CHECK(false);
  }

  Result<> write_extent(const FileRecord& record, const Extent& extent) {
    if (extent.is_hole()) {
      for (std::uint64_t left = extent.length; left > 0;) {
        MMH_TRY(check_cancelled(options_.cancel));
        const ByteView part = zeros(left);
        MMH_TRY(write_piece(part, nullptr));
        left -= part.size();
      }
      return {};
    }
    const auto found = ahead_.find(extent.block);
    pool_.wait(found->second->task);
    const Result<BlockData> block = *found->second->block;
    if (--found->second->users == 0) {
      ahead_bytes_ -= found->second->raw_size;
      ahead_.erase(found);
    }
    if (!block) return fail(block.error());
    if (extent.offset > (*block)->size() || extent.length > (*block)->size() - extent.offset) {
      return fail(misplaced(record));
    }
    return write_piece(ByteView(**block).subspan(extent.offset, extent.length), *block);
  }

  /// The last piece is held back until the whole has matched its hash.
  Result<> write_piece(ByteView piece, BlockData owner) {
    hasher_.update(piece);
    if (!held_.empty()) MMH_TRY(tar_->write(held_));
    held_ = piece;
    held_owner_ = std::move(owner);
    return {};
  }

  Result<> end_file(const FileRecord& record) {
    const std::string path = display_path(record.entry.path);
    if (std::exchange(hasher_, {}).finish() != record.hash) {
      return fail(Errc::corrupt, path + ": the content does not match its hash");
    }
    if (!held_.empty()) MMH_TRY(tar_->write(std::exchange(held_, {})).in(path));
    held_owner_.reset();
    ++totals_.files;
    totals_.bytes += record.entry.size;
    if (options_.progress) options_.progress(totals_.bytes, totals_.files);
    return {};
  }

  static Error misplaced(const FileRecord& record) {
    return {Errc::corrupt, display_path(record.entry.path) + ": its content is said to lie where there is none"};
  }

  const Reader& reader_;
  const ExtractOptions& options_;
  const std::unique_ptr<tree::TarWriter> tar_;
  std::deque<Step> steps_;
  std::map<std::uint64_t, std::unique_ptr<Ahead>> ahead_;
  std::uint64_t ahead_bytes_ = 0;
  hash::Blake3 hasher_;
  ByteView held_;
  BlockData held_owner_;  // keeps held_ alive
  ExtractTotals totals_;
  TaskPool pool_;  // goes first: its tasks use the others
};

}  // namespace

Result<ExtractTotals> extract(const Reader& reader, tree::Restorer& restorer, const ExtractOptions& options) {
  return Extractor(reader, restorer, options).run();
}

Result<ExtractTotals> write_tar(const Reader& reader, ByteSink& out, const ExtractOptions& options) {
  return TarExtractor(reader, out, options).run();
}

}  // namespace mmh::pack
