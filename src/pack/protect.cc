// Making a protection, and bringing one up to date.

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "mmh/base/checked.h"
#include "protected_files.h"
#include "protection_format.h"

namespace mmh::pack {

namespace {

constexpr std::size_t kCopy = 1 << 20;
// A set that is smaller than this many times what is encoded anyway is encoded with it: so sets stay few, and each byte
// is encoded again only a few times while a collection grows.
constexpr std::uint64_t kMergeFactor = 2;

bool lies_beneath(std::string_view path, std::string_view root) {
  return root == "." || path == root || (path.starts_with(root) && path.substr(root.size()).starts_with('/'));
}

// A file as it will be listed.
struct Next {
  ProtectedFile file;
  bool listed = false;  // it was protected before, in the set file.set
  bool encode = false;  // parity is to be made for it
  bool gone = false;    // it is not there, or cannot be read
  bool hashed = false;  // `stamp` is of when file.hash was made
  FileStamp stamp = {};
};

class Update {
 public:
  Update(std::string output, const ProtectGoal& goal, const ParityContext& context, const tree::ProblemSink& problems)
      : output_(std::move(output)), goal_(goal), context_(context), problems_(problems), sys_(*context.sys) {}

  Result<ProtectTotals> run() {
    MMH_TRY(load_old());
    MMH_LET(directory_, open_directory(sys_, goal_.base));
    loss_ppm_ = goal_.loss_ppm.value_or(old_ ? old_->list.loss_ppm : goal_.loss_ppm_default);
    dirty_.assign(old_ ? old_->list.sets.size() : 0, old_ && old_->list.loss_ppm != loss_ppm_);
    MMH_TRY(find_files());
    MMH_TRY(hash_candidates());
    MMH_TRY(choose_sets());
    return write();
  }

 private:
  Result<> load_old() {
    const auto info = sys_.fstatat(AT_FDCWD, output_.c_str(), 0);
    if (!info) return {};
    output_inode_ = {info.value.st_dev, info.value.st_ino};
    if (S_ISREG(info.value.st_mode)) {
      MMH_LET(source_, open_source(sys_, output_));
    }
    if (!source_ || !looks_like_protection(*source_)) {
      return fail(Errc::exists, display_path(output_) +
                                    ": exists, and is no protection of files; name another with -o, or, if it is a "
                                    "damaged one, mend it with mmh repair");
    }
    MMH_LET(old_, load_protection(*source_, context_.cancel));
    MMH_LET(state_, check_protection(*source_, *old_, context_));
    for (const bool whole : state_.sections) {
      if (!whole) return fail(Errc::corrupt, display_path(output_) + ": is damaged; mend it with mmh repair first");
    }
    return {};
  }

  // ---- what is there, and what was ----

  Result<> find_files() {
    tree::WalkOptions walk{.base = goal_.base,
                           .roots = goal_.roots,
                           .exclude = goal_.exclude,
                           .include = goal_.include,
                           .one_file_system = goal_.one_file_system,
                           .xattrs = false,
                           .cancel = context_.cancel};
    if (output_inode_) walk.skip_inodes.push_back(*output_inode_);
    MMH_LET(const auto walker, tree::Walker::open(sys_, walk, problems_));
    const std::vector<ProtectedFile> none;
    const std::vector<ProtectedFile>& before = old_ ? old_->list.files : none;
    std::size_t at = 0;
    for (;;) {
      MMH_LET(const auto item, walker->next());
      if (!item) break;
      if (item->entry.type != tree::EntryType::regular) continue;
      while (at < before.size() && tree::compare_paths(before[at].path, item->entry.path) < 0)
        keep_unseen(before[at++]);
      if (next_.size() >= kProtectedFilesMax) {
        return fail(Errc::limit, "more than 2^21 files; protect parts of them apart, or pack them");
      }
      ProtectedFile file;
      file.path = item->entry.path;
      file.size = item->entry.size;
      file.mtime_seconds = item->entry.mtime_seconds;
      file.mtime_nanoseconds = item->entry.mtime_nanoseconds;
      file.mode = item->entry.mode;
      const bool listed = at < before.size() && before[at].path == file.path;
      if (listed && is_as_listed(before[at], file)) {
        const std::uint32_t mode = file.mode;
        file = before[at];
        file.mode = mode;
        next_.push_back({.file = std::move(file), .listed = true});
      } else {
        if (listed) file.set = before[at].set;
        candidates_.push_back(next_.size());
        next_.push_back({.file = std::move(file), .listed = listed});
        if (listed) listed_before_.emplace(next_.size() - 1, before[at]);
      }
      if (listed) ++at;
    }
    while (at < before.size()) keep_unseen(before[at++]);
    return {};
  }

  static bool is_as_listed(const ProtectedFile& before, const ProtectedFile& now) {
    return before.size == now.size && before.mtime_seconds == now.mtime_seconds &&
           before.mtime_nanoseconds == now.mtime_nanoseconds;
  }

  // A file that is listed but was not met.
  void keep_unseen(const ProtectedFile& file) {
    const bool named =
        std::ranges::any_of(goal_.roots, [&](const std::string& root) { return lies_beneath(file.path, root); });
    const auto there = sys_.fstatat(directory_.get(), file.path.c_str(), AT_SYMLINK_NOFOLLOW);
    const bool gone = !there || !S_ISREG(there.value.st_mode);
    if (!gone && named) {  // left out this time
      drop(file);
      return;
    }
    next_.push_back({.file = file, .listed = true, .gone = gone});
  }

  void drop(const ProtectedFile& file) {
    if (file.size > 0) dirty_[file.set] = true;
    ++totals_.dropped;
  }

  // ---- what has changed ----

  Result<> hash_candidates() {
    for (const std::size_t index : candidates_) hash_total_ += next_[index].file.size;
    encode_total_ = hash_total_;
    std::vector<bool> left_out(next_.size());
    if (!old_) MMH_TRY(expect_content());
    MMH_TRY(hash_files(
        directory_.get(), candidates_.size(),
        [&](std::size_t i) -> const std::string& { return next_[candidates_[i]].file.path; }, context_, hash_progress(),
        [&](std::size_t i, Result<HashedFile> hashed) -> Result<> {
          const std::size_t index = candidates_[i];
          Next& next = next_[index];
          if (!hashed) {
            problems_(hashed.error());
            left_out[index] = !next.listed;
            if (next.listed) {
              next.file = listed_before_.at(index);
              next.gone = true;
            }
            return {};
          }
          take(next, *hashed);
          return {};
        },
        seen_ ? SeenBytes([this](std::size_t i, std::uint64_t offset, ByteView bytes) { see(i, offset, bytes); })
              : SeenBytes()));
    find_moved(left_out);
    forget_gone(left_out);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < next_.size(); ++i) {
      if (left_out[i]) continue;
      if (kept != i) next_[kept] = std::move(next_[i]);
      ++kept;
    }
    next_.resize(kept);
    return {};
  }

  // Where everything is new, all of it is encoded, in this order: so the checks of symbols come of the same reading as
  // the hashes.
  Result<> expect_content() {
    std::uint64_t size = 0;
    for (const std::size_t index : candidates_) {
      expected_.push_back({size, next_[index].file.size});
      size += next_[index].file.size;
    }
    if (size == 0) return {};
    MMH_LET(const ParityLayout layout, plan_parity({.data_size = size, .loss_ppm = loss_ppm_, .detached = true}));
    seen_.emplace(layout.symbols);
    return {};
  }

  // Called by many threads.
  void see(std::size_t candidate, std::uint64_t offset, ByteView bytes) {
    const ByteRange& place = expected_[candidate];
    if (offset >= place.length) return;
    const std::uint64_t left = place.length - offset;
    seen_->see(place.offset + offset,
               bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(left, bytes.size()))));
  }

  // Whether what was seen is what is to be encoded: no file came, went or changed its size meanwhile.
  bool seen_as_expected() const {
    if (!seen_ || next_.size() != expected_.size()) return false;
    for (std::size_t i = 0; i < next_.size(); ++i) {
      const ProtectedFile& file = next_[i].file;
      if (file.size != expected_[i].length || (file.size > 0 && file.offset != expected_[i].offset)) return false;
    }
    return true;
  }

  static void take(Next& next, const HashedFile& hashed) {
    next.file.hash = hashed.hash;
    next.file.size = hashed.stamp.size;
    next.file.mtime_seconds = hashed.stamp.mtime_seconds;
    next.file.mtime_nanoseconds = hashed.stamp.mtime_nanoseconds;
    next.file.mode = hashed.stamp.mode;
    next.stamp = hashed.stamp;
    next.hashed = true;
  }

  // Files under new names whose content is that of a file that is gone keep its place in its set.
  void find_moved(std::vector<bool>& left_out) {
    std::multimap<hash::Digest, std::size_t> gone;
    for (std::size_t i = 0; i < next_.size(); ++i) {
      if (next_[i].gone) gone.emplace(next_[i].file.hash, i);
    }
    for (const std::size_t index : candidates_) {
      Next& next = next_[index];
      if (!next.hashed) continue;
      if (next.listed) {
        const ProtectedFile& before = listed_before_.at(index);
        if (before.hash == next.file.hash && before.size == next.file.size) {
          next.file.set = before.set;
          next.file.offset = before.offset;
        } else {
          ++totals_.changed;
          if (before.size > 0) dirty_[before.set] = true;
          next.encode = true;
        }
        continue;
      }
      const auto was = gone.find(next.file.hash);
      if (was == gone.end()) {
        ++totals_.added;
        next.encode = true;
        continue;
      }
      const std::size_t old_index = was->second;
      gone.erase(was);
      next.file.set = next_[old_index].file.set;
      next.file.offset = next_[old_index].file.offset;
      next.listed = true;
      left_out[old_index] = true;
      ++totals_.moved;
    }
  }

  void forget_gone(std::vector<bool>& left_out) {
    for (std::size_t i = 0; i < next_.size(); ++i) {
      if (!next_[i].gone || left_out[i]) continue;
      if (goal_.forget) {
        drop(next_[i].file);
        left_out[i] = true;
        continue;
      }
      ++totals_.missing;
      problems_({Errc::not_found, display_path(next_[i].file.path) +
                                      ": is gone or cannot be read; it stays protected (mmh repair brings it back, "
                                      "--forget drops it)"});
    }
  }

  // ---- what is encoded ----

  Result<> choose_sets() {
    std::vector<bool> lacks(dirty_.size());
    for (const Next& next : next_) {
      if (next.gone && next.listed && next.file.size > 0) lacks[next.file.set] = true;
    }
    std::uint64_t work = 0;
    for (const Next& next : next_) work += next.encode ? next.file.size : 0;
    std::vector<bool> counted(dirty_.size());
    for (bool more = true; more;) {
      more = false;
      for (std::size_t set = 0; set < dirty_.size(); ++set) {
        const std::uint64_t size = old_->list.sets[set].data_size;
        if (!dirty_[set] && !lacks[set] && size / kMergeFactor < work) dirty_[set] = true;
        if (!dirty_[set] || counted[set]) continue;
        counted[set] = true;
        more = true;
        work += size;
      }
    }
    std::vector<std::size_t> unread;
    for (std::size_t i = 0; i < next_.size(); ++i) {
      Next& next = next_[i];
      if (next.encode || !next.listed || next.file.size == 0 || !dirty_[next.file.set]) continue;
      if (next.gone) {
        return fail(Errc::corrupt, display_path(next.file.path) +
                                       ": is gone, and what it was protected with is to be made anew; bring it back "
                                       "with mmh repair first, or drop it with --forget");
      }
      next.encode = true;
      if (!next.hashed) unread.push_back(i);
    }
    for (const std::size_t i : unread) hash_total_ += next_[i].file.size;
    encode_total_ = work;
    return hash_files(
        directory_.get(), unread.size(),
        [&](std::size_t i) -> const std::string& { return next_[unread[i]].file.path; }, context_, hash_progress(),
        [&](std::size_t i, Result<HashedFile> hashed) -> Result<> {
          Next& next = next_[unread[i]];
          if (!hashed) return fail(hashed.error());
          const ProtectedFile before = next.file;
          take(next, *hashed);
          if (next.file.hash == before.hash) return {};
          if (is_as_listed(before, next.file)) {
            return fail(Errc::corrupt,
                        display_path(before.path) +
                            ": is damaged; mend it with mmh repair before it is protected anew (or touch it, to "
                            "have it protected as it is)");
          }
          ++totals_.changed;
          return {};
        });
  }

  std::function<void(std::uint64_t)> hash_progress() {
    return [this](std::uint64_t bytes) {
      hash_done_ += bytes;
      if (context_.progress) context_.progress(hash_done_, std::max(hash_done_, hash_total_) + encode_total_);
    };
  }

  // ---- writing ----

  Result<ProtectTotals> write() {
    if (next_.empty()) return fail(Errc::usage, "there are no files to protect");
    ProtectionList list;
    list.loss_ppm = loss_ppm_;
    std::set<std::string> roots(goal_.roots.begin(), goal_.roots.end());
    if (old_) roots.insert(old_->list.roots.begin(), old_->list.roots.end());
    list.roots.assign(roots.begin(), roots.end());
    std::vector<std::size_t> kept;  // old sets by their new number
    std::vector<std::uint32_t> number(dirty_.size());
    for (std::size_t set = 0; set < dirty_.size(); ++set) {
      if (dirty_[set]) continue;
      number[set] = static_cast<std::uint32_t>(kept.size());
      kept.push_back(set);
      list.sets.push_back(old_->list.sets[set]);
    }
    FileSequence content(sys_, "the files");
    for (Next& next : next_) {
      if (next.file.size == 0) {
        next.file.set = 0;
        next.file.offset = 0;
      } else if (next.encode) {
        next.file.set = static_cast<std::uint32_t>(kept.size());
        next.file.offset = content.size();
        content.add(directory_.get(), next.file.path, next.file.size);
      } else {
        next.file.set = number[next.file.set];
      }
      totals_.bytes += next.file.size;
      list.files.push_back(next.file);
    }
    totals_.files = list.files.size();
    totals_.encoded_bytes = content.size();
    if (old_ && content.size() == 0 && state_.frame && list.files == old_->list.files &&
        list.roots == old_->list.roots && list.loss_ppm == old_->list.loss_ppm && list.sets == old_->list.sets) {
      totals_.stored_bytes = source_->size();
      return totals_;
    }
    std::optional<ParityLayout> layout;
    if (content.size() > 0) {
      MMH_LET(layout, plan_parity({.data_size = content.size(), .loss_ppm = loss_ppm_, .detached = true}));
      list.sets.push_back({content.size(), layout->section_size()});
    }
    MMH_LET(const auto out, AtomicFile::create(sys_, output_, old_.has_value()));
    MMH_TRY(write_protection(
        list,
        [&](std::size_t set, ByteSink& sink) -> Result<> {
          if (set < kept.size()) return copy_section(kept[set], sink);
          ParityContext context = context_;
          if (context_.progress) {
            context.progress = [this](std::uint64_t done, std::uint64_t total) {
              context_.progress(hash_done_ + done, hash_done_ + total);
            };
          }
          MMH_TRY(write_parity(content, *layout, {}, set_subject(list, set), context, sink,
                               seen_as_expected() ? &*seen_ : nullptr));
          return {};
        },
        *out));
    MMH_TRY(require_unchanged());
    MMH_TRY(out->commit());
    const auto info = sys_.fstatat(AT_FDCWD, output_.c_str(), 0);
    totals_.stored_bytes = info ? static_cast<std::uint64_t>(info.value.st_size) : 0;
    totals_.written = true;
    return totals_;
  }

  Result<> copy_section(std::size_t set, ByteSink& sink) const {
    Buffer piece(kCopy);
    const std::uint64_t begin = old_->section_offsets[set];
    const std::uint64_t size = old_->list.sets[set].section_size;
    for (std::uint64_t done = 0; done < size;) {
      MMH_TRY(check_cancelled(context_.cancel));
      const Bytes part = Bytes(piece).first(static_cast<std::size_t>(std::min<std::uint64_t>(kCopy, size - done)));
      MMH_TRY(source_->read_at(begin + done, part));
      MMH_TRY(sink.write(part));
      done += part.size();
    }
    return {};
  }

  // Files are read several times; parity of bytes that changed meanwhile would be worth nothing.
  Result<> require_unchanged() const {
    for (const Next& next : next_) {
      if (!next.encode || next.file.size == 0) continue;
      const auto file = open_regular(sys_, directory_.get(), next.file.path);
      if (!file || stamp_of(file->info) != next.stamp) {
        return fail(Errc::changed, display_path(next.file.path) +
                                       ": changed while it was read, so nothing was written; protect it again when it "
                                       "is at rest");
      }
    }
    return {};
  }

  const std::string output_;
  const ProtectGoal& goal_;
  const ParityContext& context_;
  const tree::ProblemSink& problems_;
  Sys& sys_;
  Fd directory_;
  std::optional<std::pair<std::uint64_t, std::uint64_t>> output_inode_;
  std::unique_ptr<RandomAccessSource> source_;
  std::optional<LoadedProtection> old_;
  ProtectionState state_;
  std::uint32_t loss_ppm_ = 0;
  std::vector<Next> next_;  // in path order
  std::vector<std::size_t> candidates_;
  std::unordered_map<std::size_t, ProtectedFile> listed_before_;  // of candidates
  std::vector<bool> dirty_;                                       // old sets that are not kept
  std::vector<ByteRange> expected_;                               // of candidates, in what is encoded
  std::optional<SeenChecks> seen_;
  std::uint64_t hash_done_ = 0, hash_total_ = 0, encode_total_ = 0;
  ProtectTotals totals_;
};

}  // namespace

Result<ProtectTotals> protect(const std::string& output, const ProtectGoal& goal, const ParityContext& context,
                              const tree::ProblemSink& problems) {
  return Update(output, goal, context, problems).run();
}

}  // namespace mmh::pack
