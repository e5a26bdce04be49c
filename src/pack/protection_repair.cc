// Comparing files with what was protected, and bringing them back.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <unordered_set>

#include "mmh/base/check.h"
#include "mmh/base/checked.h"
#include "mmh/hash/blake3.h"
#include "mmh/tree/restore.h"
#include "protected_files.h"
#include "protection_format.h"
#include "spool.h"

namespace mmh::pack {

namespace {

constexpr std::size_t kCopy = 1 << 20;

// Where a file's content is.
struct Origin {
  enum Kind : std::uint8_t {
    own,        // at its path, whole or not
    file,       // at another protected file's path, which is whole
    held,       // in a file that is not as it was protected, and is kept open
    candidate,  // in a file that is not protected
    nowhere,
  } kind = own;
  std::size_t index = 0;
};

struct FileState {
  bool whole = false;
  bool there = false;
  FileStamp stamp;
  Origin origin;
};

// A file that may hold what was lost.
struct Candidate {
  int directory;
  std::string path;
  std::uint64_t size;
  std::string shown;  // how to name it
  bool in_base;       // under a name that its user may have given it
};

// What a repair that was killed may have left behind.
bool is_temporary(const std::string& name) {
  return name.starts_with('.') && name.ends_with(".tmp") && name.find(".mmh-") != std::string::npos;
}

// A file of the list that is there, but not as it was; its bytes stay at hand when another takes its name.
struct Held {
  std::size_t file;
  std::shared_ptr<const Fd> fd;
  std::uint64_t size;
  hash::Digest hash;
};

std::uint64_t held_max() {
  struct rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 256;
  return std::min<std::uint64_t>(limit.rlim_cur / 2, 4096);
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}
std::string name_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

class Examination {
 public:
  Examination(const RandomAccessSource& source, std::string path, const LoadedProtection& loaded,
              const ExamineGoal& goal, const ParityContext& context, const tree::ProblemSink& problems)
      : source_(source),
        path_(std::move(path)),
        loaded_(loaded),
        goal_(goal),
        context_(context),
        problems_(problems),
        sys_(*context.sys) {}

  Result<ProtectionReport> run() {
    MMH_LET(own_, check_protection(source_, loaded_, context_));
    MMH_LET(base_, open_directory(sys_, goal_.base));
    report_.files = list().files.size();
    for (const ProtectedFile& file : list().files) report_.bytes += file.size;
    report_.own_damage = !own_.frame || std::ranges::find(own_.sections, false) != own_.sections.end();
    MMH_TRY(look_at_files());
    if (std::ranges::any_of(states_, [](const FileState& state) { return !state.whole; })) {
      MMH_TRY(hold_bad_files());
      MMH_TRY(find_candidates());
      MMH_TRY(match_contents());
    }
    list_findings();
    if (report_.sound()) return std::move(report_);
    sections_.resize(list().sets.size());
    for (std::size_t set = 0; set < list().sets.size(); ++set) MMH_TRY(work_on_set(set));
    if (goal_.repair) MMH_TRY(restore_empty_files());
    if (restorer_) MMH_TRY(restorer_->finish());
    if (goal_.repair && goal_.target.empty() && report_.own_damage && report_.own_healable) MMH_TRY(mend_own());
    return std::move(report_);
  }

 private:
  const ProtectionList& list() const { return loaded_.list; }

  // ---- what is there ----

  Result<> look_at_files() {
    states_.resize(list().files.size());
    expect_sets();
    std::uint64_t done = 0;
    return hash_files(
        base_.get(), states_.size(), [&](std::size_t i) -> const std::string& { return list().files[i].path; },
        context_,
        [&](std::uint64_t bytes) {
          done += bytes;
          if (context_.progress) context_.progress(std::min(done, report_.bytes), report_.bytes);
        },
        [&](std::size_t i, Result<HashedFile> hashed) -> Result<> {
          FileState& state = states_[i];
          if (!hashed && hashed.error().code == Errc::permission) return fail(hashed.error());
          if (!hashed) {
            // A file with bytes that a disk cannot read is there, and its other bytes are good.
            if (const auto opened = open_regular(sys_, base_.get(), list().files[i].path)) {
              state.there = true;
              state.stamp = stamp_of(opened->info);
            }
            return {};
          }
          const ProtectedFile& file = list().files[i];
          state.there = true;
          state.stamp = hashed->stamp;
          state.whole = hashed->stamp.size == file.size && hashed->hash == file.hash;
          if (!state.whole) hashes_.emplace(i, hashed->hash);
          return {};
        },
        seen_.empty() ? SeenBytes() : [this](std::size_t i, std::uint64_t offset, ByteView bytes) {
          const ProtectedFile& file = list().files[i];
          if (offset >= file.size) return;
          const std::uint64_t size = std::min<std::uint64_t>(file.size - offset, bytes.size());
          seen_[file.set].see(file.offset + offset, bytes.first(static_cast<std::size_t>(size)));
        });
  }

  // Who repairs expects damage: then the same reading that finds the files which are damaged tells which symbols are.
  void expect_sets() {
    if (!goal_.repair) return;
    std::uint64_t bytes = 0;
    for (const ProtectedSet& set : list().sets) {
      const auto layout = plan_parity({.data_size = set.data_size, .loss_ppm = list().loss_ppm, .detached = true});
      if (layout) bytes += SeenChecks::memory_bytes(layout->symbols);
      if (!layout || bytes > context_.memory / 8) {
        seen_.clear();
        return;
      }
      seen_.emplace_back(layout->symbols);
    }
  }

  // Symbols of files whose bytes are taken from elsewhere were not seen.
  const SeenChecks* seen_of(std::size_t set, const fec::Interleaving& symbols) {
    if (seen_.empty() || seen_[set].symbols() != symbols) return nullptr;
    for (const std::size_t file : files_of_set(list(), set)) {
      const ProtectedFile& entry = list().files[file];
      if (states_[file].origin.kind != Origin::own) seen_[set].forget(entry.offset, entry.size);
    }
    return &seen_[set];
  }

  Result<> hold_bad_files() {
    const std::uint64_t most = held_max();
    for (std::size_t i = 0; i < states_.size() && held_.size() < most; ++i) {
      if (states_[i].whole) continue;
      auto file = open_regular(sys_, base_.get(), list().files[i].path);
      if (!file) continue;
      const auto size = static_cast<std::uint64_t>(file->info.st_size);
      const auto hash = hashes_.find(i);
      held_of_.emplace(i, held_.size());
      held_.push_back({i, std::make_shared<const Fd>(std::move(file->fd)), size,
                       hash == hashes_.end() ? hash::Digest{} : hash->second});
    }
    return {};
  }

  // Files beside those that are protected: content that was moved, or copies.
  Result<> find_candidates() {
    for (const ProtectedFile& file : list().files) known_.insert(file.path);
    const auto own = sys_.fstatat(AT_FDCWD, path_.c_str(), 0);
    if (own) skip_ = {own.value.st_dev, own.value.st_ino};
    std::vector<std::string> directories;
    std::vector<std::string> trees;
    for (const std::string& root : list().roots) {
      const auto info = sys_.fstatat(base_.get(), root.c_str(), AT_SYMLINK_NOFOLLOW);
      if (info && S_ISDIR(info.value.st_mode)) {
        trees.push_back(root);
      } else {
        directories.push_back(parent_of(root));
      }
    }
    if (!trees.empty()) MMH_TRY(walk(goal_.base, base_.get(), trees, true));
    std::ranges::sort(directories);
    directories.erase(std::unique(directories.begin(), directories.end()), directories.end());
    for (const std::string& directory : directories) list_files(directory);
    for (const std::string& from : goal_.from) MMH_TRY(add_copy(from));
    return {};
  }

  Result<> walk(const std::string& base, int directory, const std::vector<std::string>& roots, bool in_base) {
    tree::WalkOptions options{.base = base, .roots = roots, .xattrs = false, .cancel = context_.cancel};
    if (skip_) options.skip_inodes.push_back(*skip_);
    MMH_LET(const auto walker, tree::Walker::open(sys_, options, [](const Error&) {}));
    for (;;) {
      MMH_LET(const auto item, walker->next());
      if (!item) return {};
      if (item->entry.type == tree::EntryType::regular) {
        add_candidate({directory, item->entry.path, item->entry.size,
                       in_base ? item->entry.path : base + "/" + item->entry.path, in_base});
      }
    }
  }

  void list_files(const std::string& directory) {
    const auto opened = sys_.openat_beneath(base_.get(), directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!opened) return;
    const Fd fd(sys_, opened.value);
    const auto names = sys_.list_directory(fd.get());
    if (!names) return;
    for (const DirectoryName& name : names.value) {
      const auto info = sys_.fstatat(fd.get(), name.name.c_str(), AT_SYMLINK_NOFOLLOW);
      if (!info || !S_ISREG(info.value.st_mode)) continue;
      if (skip_ && skip_->first == info.value.st_dev && skip_->second == info.value.st_ino) continue;
      const std::string path = directory == "." ? name.name : directory + "/" + name.name;
      add_candidate({base_.get(), path, static_cast<std::uint64_t>(info.value.st_size), path, true});
    }
  }

  Result<> add_copy(const std::string& from) {
    const auto info = sys_.fstatat(AT_FDCWD, from.c_str(), 0);
    if (!info) return fail(errno_error(info.error, display_path(from) + ": cannot look there"));
    const bool directory = S_ISDIR(info.value.st_mode);
    const std::string base = directory ? from : (from.find('/') == std::string::npos ? "." : parent_of(from));
    MMH_LET(Fd opened, open_directory(sys_, base.empty() ? "/" : base));
    directories_.push_back(std::move(opened));
    const int fd = directories_.back().get();
    if (directory) return walk(from, fd, {"."}, false);
    add_candidate({fd, name_of(from), static_cast<std::uint64_t>(info.value.st_size), from, false});
    return {};
  }

  void add_candidate(Candidate candidate) {
    if (candidate.size == 0 || (candidate.in_base && known_.contains(candidate.path))) return;
    candidate.in_base = candidate.in_base && !is_temporary(name_of(candidate.path));
    candidates_.push_back(std::move(candidate));
  }

  // Where the content of files that are not whole is, whole.
  Result<> match_contents() {
    std::multimap<hash::Digest, std::size_t> wanted;
    std::unordered_set<std::uint64_t> sizes;
    for (std::size_t i = 0; i < states_.size(); ++i) {
      if (states_[i].whole || list().files[i].size == 0) continue;
      wanted.emplace(list().files[i].hash, i);
      sizes.insert(list().files[i].size);
      states_[i].origin = {states_[i].there ? Origin::own : Origin::nowhere, 0};
    }
    const auto found = [&](const hash::Digest& hash, Origin origin) {
      const auto [begin, end] = wanted.equal_range(hash);
      for (auto at = begin; at != end; ++at) states_[at->second].origin = origin;
      wanted.erase(begin, end);
    };
    for (std::size_t i = 0; i < held_.size(); ++i) found(held_[i].hash, {Origin::held, i});
    std::vector<std::size_t> fitting;
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      if (sizes.contains(candidates_[i].size)) fitting.push_back(i);
    }
    // All of one directory are hashed together.
    for (std::size_t begin = 0; begin < fitting.size() && !wanted.empty();) {
      std::size_t end = begin;
      const int directory = candidates_[fitting[begin]].directory;
      while (end < fitting.size() && candidates_[fitting[end]].directory == directory) ++end;
      MMH_TRY(hash_files(
          directory, end - begin,
          [&](std::size_t i) -> const std::string& { return candidates_[fitting[begin + i]].path; }, context_, {},
          [&](std::size_t i, Result<HashedFile> hashed) -> Result<> {
            if (hashed) found(hashed->hash, {Origin::candidate, fitting[begin + i]});
            return {};
          }));
      begin = end;
    }
    for (std::size_t i = 0; i < states_.size() && !wanted.empty(); ++i) {
      if (states_[i].whole) found(list().files[i].hash, {Origin::file, i});
    }
    return {};
  }

  // ---- what that means ----

  void list_findings() {
    for (std::size_t i = 0; i < states_.size(); ++i) {
      const FileState& state = states_[i];
      if (state.whole) continue;
      const ProtectedFile& file = list().files[i];
      ProtectionFinding finding;
      finding.file = i;
      const bool same_time = state.there && state.stamp.mtime_seconds == file.mtime_seconds &&
                             state.stamp.mtime_nanoseconds == file.mtime_nanoseconds;
      if (state.origin.kind == Origin::held && state.origin.index < held_.size()) {
        finding.found = list().files[held_[state.origin.index].file].path;
      }
      if (state.origin.kind == Origin::candidate) finding.found = candidates_[state.origin.index].shown;
      if (state.there) {
        finding.kind = same_time ? FindingKind::damaged : FindingKind::changed;
      } else {
        const bool renamed = state.origin.kind == Origin::held ||
                             (state.origin.kind == Origin::candidate && candidates_[state.origin.index].in_base);
        finding.kind = renamed ? FindingKind::moved : FindingKind::missing;
      }
      if (finding.kind == FindingKind::damaged || finding.kind == FindingKind::missing) {
        if (state.origin.kind == Origin::held) finding.found.clear();
      }
      report_.findings.push_back(std::move(finding));
    }
  }

  bool is_wanted(const ProtectionFinding& finding) const {
    return finding.kind == FindingKind::damaged || finding.kind == FindingKind::missing || goal_.undo;
  }
  bool has_whole_origin(std::size_t file) const {
    const FileState& state = states_[file];
    return state.whole || (state.origin.kind != Origin::own && state.origin.kind != Origin::nowhere);
  }

  // ---- one set ----

  void add_content(FileSequence& sequence, std::size_t file) const {
    const ProtectedFile& protected_file = list().files[file];
    const Origin& origin = states_[file].origin;
    switch (origin.kind) {
      case Origin::own:
        // Not by its path, which another file may take while this one is still read.
        if (const auto held = held_of_.find(file); held != held_of_.end()) {
          return sequence.add(held_[held->second].fd, protected_file.size);
        }
        return sequence.add(base_.get(), protected_file.path, protected_file.size);
      case Origin::file:
        return sequence.add(base_.get(), list().files[origin.index].path, protected_file.size);
      case Origin::held:
        return sequence.add(held_[origin.index].fd, protected_file.size);
      case Origin::candidate:
        return sequence.add(candidates_[origin.index].directory, candidates_[origin.index].path, protected_file.size);
      case Origin::nowhere:
        return sequence.add_gap(protected_file.size);
    }
  }

  Result<> work_on_set(std::size_t set) {
    std::vector<ProtectionFinding*> findings;
    bool whole = true;  // all content can be had without parity
    for (ProtectionFinding& finding : report_.findings) {
      const ProtectedFile& file = list().files[finding.file];
      if (file.size == 0 || file.set != set) continue;
      findings.push_back(&finding);
      whole = whole && has_whole_origin(finding.file);
    }
    const bool idle = goal_.repair && std::ranges::none_of(findings, [&](const ProtectionFinding* finding) {
                        return is_wanted(*finding);
                      });
    if ((findings.empty() || idle) && own_.sections[set]) return {};
    FileSequence content(sys_, display_path(source_.name()) + ": what it protects");
    for (const std::size_t file : files_of_set(list(), set)) add_content(content, file);
    if (whole) {
      if (goal_.repair && !own_.sections[set]) MMH_TRY(remake_section(set, content));
      return restore(findings, [&](std::uint64_t offset, Bytes out) { return content.read_at(offset, out); });
    }
    return heal_set(set, content, findings);
  }

  // Parity is made of the content alone, so it can be made anew.
  Result<> remake_section(std::size_t set, const FileSequence& content) {
    MMH_LET(const ParityLayout layout,
            plan_parity({.data_size = content.size(), .loss_ppm = list().loss_ppm, .detached = true}));
    if (layout.section_size() != list().sets[set].section_size) {
      report_.own_healable = false;
      return {};
    }
    MMH_LET(sections_[set], Spool::make(sys_, layout.section_size(), context_.memory / 8, "parity"));
    SpoolWriter out(sections_[set]);
    MMH_TRY(write_parity(content, layout, {}, set_subject(list(), set), context_, out));
    return {};
  }

  Result<> heal_set(std::size_t set, const FileSequence& content, const std::vector<ProtectionFinding*>& findings) {
    const auto lose = [&]() -> Result<> {
      if (!own_.sections[set]) report_.own_healable = false;
      std::vector<ProtectionFinding*> rest;
      for (ProtectionFinding* finding : findings) {
        if (has_whole_origin(finding->file)) {
          rest.push_back(finding);
        } else {
          finding->healable = false;
        }
      }
      return restore(rest, [&](std::uint64_t offset, Bytes out) { return content.read_at(offset, out); });
    };
    const SourceWindow window(source_, loaded_.section_offsets[set]);
    const auto head = section_head(source_, loaded_, set, true);
    if (!head) return lose();
    auto opened = ParityHealer::open(content, window, *head, {}, context_);
    if (!opened && (opened.error().code == Errc::corrupt || opened.error().code == Errc::limit)) return lose();
    MMH_LET(const auto healer, std::move(opened));
    if (const SeenChecks* seen = seen_of(set, head->layout.symbols)) healer->use(*seen);
    MMH_TRY(healer->locate());
    MMH_TRY(healer->plan());
    // Only where parity alone does not suffice is it worth while to look at every offset of other files.
    FileSequence held(sys_, "files that were changed");
    FileSequence others(sys_, "other files");
    for (const Held& file : held_) held.add(file.fd, file.size);
    for (const Candidate& candidate : candidates_) others.add(candidate.directory, candidate.path, candidate.size);
    const RandomAccessSource* const more[] = {&held, &source_, &others};
    for (const RandomAccessSource* const place : more) {
      if (healer->report().healable()) break;
      if (place->size() == 0 || (place == &source_ && !report_.own_damage)) continue;
      MMH_TRY(healer->search_in(*place));
      MMH_TRY(healer->plan());
    }
    if (goal_.repair) MMH_TRY(healer->heal());
    const std::vector<ByteRange>& hopeless = healer->report().hopeless;
    std::vector<ProtectionFinding*> rest;
    for (ProtectionFinding* finding : findings) {
      const ProtectedFile& file = list().files[finding->file];
      finding->healable =
          has_whole_origin(finding->file) || std::ranges::none_of(hopeless, [&](const ByteRange& range) {
            return range.offset < file.offset + file.size && file.offset < range.offset + range.length;
          });
      if (finding->healable) rest.push_back(finding);
    }
    if (!own_.sections[set] && !healer->report().healable()) report_.own_healable = false;
    if (!goal_.repair) return {};
    if (!own_.sections[set] && healer->report().healable()) {
      MMH_LET(sections_[set], Spool::make(sys_, list().sets[set].section_size, context_.memory / 8, "parity"));
      SpoolWriter out(sections_[set]);
      const Result<> written = healer->write_section(out);
      if (!written && written.error().code != Errc::corrupt) return fail(written.error());
      if (!written || !out.full()) report_.own_healable = false;
    }
    std::vector<ProtectionFinding*> found;
    std::erase_if(rest, [&](ProtectionFinding* finding) {
      if (!has_whole_origin(finding->file)) return false;
      found.push_back(finding);
      return true;
    });
    MMH_TRY(restore(found, [&](std::uint64_t offset, Bytes out) { return content.read_at(offset, out); }));
    return restore(rest, [&](std::uint64_t offset, Bytes out) { return healer->read_data(offset, out); });
  }

  // ---- restoring ----

  Result<> restore(const std::vector<ProtectionFinding*>& findings,
                   const std::function<Result<>(std::uint64_t, Bytes)>& read) {
    if (!goal_.repair) return {};
    for (ProtectionFinding* finding : findings) {
      if (!is_wanted(*finding)) continue;
      MMH_TRY(check_cancelled(context_.cancel));
      MMH_TRY(restore_one(*finding, read));
    }
    return {};
  }

  Result<> restore_empty_files() {
    for (ProtectionFinding& finding : report_.findings) {
      if (list().files[finding.file].size == 0 && is_wanted(finding)) {
        MMH_TRY(restore_one(finding, [](std::uint64_t, Bytes) -> Result<> { return {}; }));
      }
    }
    return {};
  }

  Result<> restore_one(ProtectionFinding& finding, const std::function<Result<>(std::uint64_t, Bytes)>& read) {
    const ProtectedFile& file = list().files[finding.file];
    const auto lost = [&](const Error& error) -> Result<> {
      // One file that cannot be written does not keep the others from coming back.
      if (error.code == Errc::cancelled || error.code == Errc::no_space) return fail(error);
      problems_(error);
      finding.healable = finding.healable && error.code != Errc::corrupt;
      return {};
    };
    if (!restorer_) {
      const tree::RestoreOptions options{
          .target = goal_.target.empty() ? goal_.base : goal_.target,
          .overwrite = goal_.target.empty() || goal_.replace ? tree::Overwrite::always : tree::Overwrite::never,
          .permissions = true,
          .owners = ::geteuid() == 0,
          .numeric_owners = true,
          .sync = true};
      MMH_LET(restorer_, tree::Restorer::open(sys_, options, problems_));
    }
    auto entry = entry_for(finding.file);
    if (!entry) return lost(entry.error());
    auto begun = restorer_->begin_file(*entry);
    if (!begun) return lost(begun.error());
    MMH_CHECK(*begun != nullptr);
    tree::RestoredFile& out = **begun;
    const auto digest = hash_pieces(file.size, context_, {}, [&](std::uint64_t offset, Bytes bytes) -> Result<> {
      MMH_TRY(read(file.offset + offset, bytes));
      return out.write_at(offset, bytes);
    });
    if (!digest) return lost(digest.error());
    if (*digest != file.hash) {
      return lost({Errc::corrupt, display_path(file.path) + ": what parity gives is not what was protected; it is left "
                                                            "as it is"});
    }
    const Result<> committed = out.commit();
    if (!committed) return lost(committed.error());
    finding.restored = true;
    if (goal_.restored) goal_.restored(finding, file);
    return {};
  }

  // Mode, times, owner and attributes for a file that is to come back.
  Result<tree::Entry> entry_for(std::size_t index) {
    const ProtectedFile& file = list().files[index];
    tree::Entry entry;
    entry.path = file.path;
    entry.mode = file.mode;
    entry.mtime_seconds = file.mtime_seconds;
    entry.mtime_nanoseconds = file.mtime_nanoseconds;
    entry.size = file.size;
    struct stat info{};
    if (const auto base = sys_.fstat(base_.get())) info = base.value;
    if (states_[index].there) {
      const auto opened = sys_.openat_beneath(base_.get(), parent_of(file.path).c_str(), O_RDONLY | O_DIRECTORY);
      if (!opened) return fail(errno_error(opened.error, display_path(file.path) + ": cannot open its directory"));
      tree::WalkItem item;
      item.entry = entry;
      item.parent = std::make_shared<const Fd>(sys_, opened.value);
      item.name = name_of(file.path);
      const auto found = sys_.fstatat(opened.value, item.name.c_str(), AT_SYMLINK_NOFOLLOW);
      if (found) {
        info = found.value;
        item.device = info.st_dev;
        item.inode = info.st_ino;
        if (auto old = tree::open_file(sys_, item, {})) {
          entry.xattrs = std::move(item.entry.xattrs);
          entry.mode = info.st_mode & 07777;
        }
      }
    }
    entry.uid = info.st_uid;
    entry.gid = info.st_gid;
    return entry;
  }

  // ---- the protection itself ----

  Result<> mend_own() {
    const auto info = sys_.fstatat(AT_FDCWD, path_.c_str(), 0);
    const mode_t mode = info ? info.value.st_mode & 0777 : 0666;
    MMH_LET(const auto out, AtomicFile::create(sys_, path_, true, mode));
    MMH_TRY(write_protection(
        list(),
        [&](std::size_t set, ByteSink& sink) -> Result<> {
          const std::uint64_t size = list().sets[set].section_size;
          const bool whole = own_.sections[set];
          Buffer piece(kCopy);
          for (std::uint64_t done = 0; done < size;) {
            MMH_TRY(check_cancelled(context_.cancel));
            const Bytes part =
                Bytes(piece).first(static_cast<std::size_t>(std::min<std::uint64_t>(kCopy, size - done)));
            MMH_TRY(whole ? source_.read_at(loaded_.section_offsets[set] + done, part)
                          : sections_[set].read_at(done, part));
            MMH_TRY(sink.write(part));
            done += part.size();
          }
          return {};
        },
        *out));
    MMH_LET(const auto written, out->written());
    MMH_LET(const LoadedProtection again, load_protection(*written, context_.cancel));
    MMH_LET(const ProtectionState state, check_protection(*written, again, context_));
    if (!state.frame || std::ranges::find(state.sections, false) != state.sections.end()) {
      return fail(Errc::corrupt, display_path(path_) + ": was mended, but does not verify; it is left as it is");
    }
    MMH_TRY(out->commit());
    report_.own_mended = true;
    return {};
  }

  const RandomAccessSource& source_;
  const std::string path_;
  const LoadedProtection& loaded_;
  const ExamineGoal& goal_;
  const ParityContext& context_;
  const tree::ProblemSink& problems_;
  Sys& sys_;
  ProtectionState own_;
  Fd base_;
  std::vector<FileState> states_;                         // by file
  std::unordered_map<std::size_t, hash::Digest> hashes_;  // of files that are not whole
  std::vector<SeenChecks> seen_;                          // by set
  std::vector<Held> held_;
  std::unordered_map<std::size_t, std::size_t> held_of_;  // by file
  std::vector<Fd> directories_;                           // of candidates
  std::unordered_set<std::string> known_;
  std::optional<std::pair<std::uint64_t, std::uint64_t>> skip_;
  std::vector<Candidate> candidates_;
  std::vector<Spool> sections_;  // those that were made again
  std::unique_ptr<tree::Restorer> restorer_;
  ProtectionReport report_;
};

}  // namespace

Result<ProtectionReport> examine_protection(const RandomAccessSource& source, const std::string& path,
                                            const LoadedProtection& loaded, const ExamineGoal& goal,
                                            const ParityContext& context, const tree::ProblemSink& problems) {
  return Examination(source, path, loaded, goal, context, problems).run();
}

}  // namespace mmh::pack
