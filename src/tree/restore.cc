#include "mmh/tree/restore.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <list>
#include <mutex>
#include <set>
#include <unordered_map>

#include "mmh/base/checked.h"
#include "mmh/base/files.h"
#include "owners.h"

namespace mmh::tree {

namespace {

using Xattrs = std::vector<std::pair<std::string, std::string>>;
using Directory = std::shared_ptr<const Fd>;

constexpr std::size_t kOpenDirectoriesMax = 128;
constexpr std::size_t kNameSizeMax = 255;
constexpr std::uint64_t kIdMax = 0xfffffffe;  // (uid_t)-1 tells chown to leave the owner alone

struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

/// Descriptors of directories by path, the least recently used closed first. Thread-safe.
class DirectoryCache {
 public:
  Directory find(std::string_view path) {
    const std::lock_guard lock(mutex_);
    const auto at = index_.find(path);
    if (at == index_.end()) return nullptr;
    used_.splice(used_.begin(), used_, at->second);
    return at->second->second;
  }
  void insert(std::string_view path, Directory directory) {
    const std::lock_guard lock(mutex_);
    if (index_.find(path) != index_.end()) return;
    used_.emplace_front(std::string(path), std::move(directory));
    index_.emplace(path, used_.begin());
    if (used_.size() <= kOpenDirectoriesMax) return;
    index_.erase(index_.find(used_.back().first));
    used_.pop_back();
  }
  void erase(std::string_view path) {
    const std::lock_guard lock(mutex_);
    const auto at = index_.find(path);
    if (at == index_.end()) return;
    used_.erase(at->second);
    index_.erase(at);
  }

 private:
  using Used = std::list<std::pair<std::string, Directory>>;
  std::mutex mutex_;
  Used used_;  // most recent first
  std::unordered_map<std::string, Used::iterator, StringHash, std::equal_to<>> index_;
};

struct SplitPath {
  std::string_view parent;  // empty for the target itself
  std::string_view name;
};

SplitPath split(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {{}, path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

std::unexpected<Error> fail_at(std::string_view path, int error, std::string_view action) {
  return fail(errno_error(error, fmt::format("{}: {}", display_path(path), action)));
}

// What an attribute says about who may do what, and so goes with `permissions`.
bool is_permission(std::string_view xattr) {
  return xattr.starts_with("system.posix_acl_") || xattr == "security.capability";
}

mode_t read_umask(Sys& sys) {
  const auto opened = sys.openat(AT_FDCWD, "/proc/self/status", O_RDONLY);
  if (opened) {
    const Fd fd(sys, opened.value);
    Buffer text(4096);
    const auto got = read_full(sys, fd.get(), text);
    const std::string_view status = as_text(ByteView(text).first(got ? got.value : 0));
    constexpr std::string_view kField = "\nUmask:\t";
    if (const std::size_t at = status.find(kField); at != std::string_view::npos) {
      mode_t mask = 0;
      const char* const first = status.data() + at + kField.size();
      if (std::from_chars(first, status.data() + status.size(), mask, 8).ec == std::errc()) return mask;
    }
  }
  // The only other way to read it is to change it for a moment.
  const mode_t mask = ::umask(077);
  ::umask(mask);
  return mask;
}

struct Owner {
  uid_t uid;
  gid_t gid;
};

// A directory whose metadata waits for finish().
struct PendingDirectory {
  std::string path;
  mode_t mode;
  Owner owner;
  timespec mtime;
  bool set_mode;
  std::unique_ptr<const Xattrs> acls;
};

timespec mtime_of(const Entry& entry) {
  return {static_cast<time_t>(entry.mtime_seconds), static_cast<long>(entry.mtime_nanoseconds)};
}

class RestorerImpl final : public Restorer {
 public:
  RestorerImpl(Sys& sys, RestoreOptions options, ProblemSink problems)
      : sys_(sys), options_(std::move(options)), problems_(std::move(problems)), umask_(read_umask(sys)) {}

  Result<> open() {
    auto opened = sys_.openat(AT_FDCWD, options_.target.c_str(), O_PATH | O_DIRECTORY);
    if (opened.error == ENOENT) {
      MMH_TRY(make_target());
      opened = sys_.openat(AT_FDCWD, options_.target.c_str(), O_PATH | O_DIRECTORY);
    }
    if (!opened) return fail_at(options_.target, opened.error, "cannot open the directory to restore into");
    target_ = std::make_shared<const Fd>(sys_, opened.value);
    return {};
  }

  Result<bool> make(const Entry& entry) override;
  Result<std::unique_ptr<RestoredFile>> begin_file(const Entry& entry) override;
  Result<bool> write_file(const Entry& entry, ByteView content) override;
  Result<> finish() override;

 private:
  friend class RestoredFileImpl;
  enum class Verdict { go_on, keep };

  // A place to put an entry.
  struct Place {
    Directory parent;
    std::string name;
  };

  Result<> make_target();
  Result<> check(const Entry& entry) const;
  Result<> check_file(const Entry& entry) const;
  Result<Directory> directory(std::string_view path);
  std::unexpected<Error> refuse_directory(std::string_view path, int error);
  Result<Place> place(const Entry& entry);
  Result<Verdict> judge(const Entry& entry, const struct stat& existing);
  Result<Verdict> judge(const Entry& entry, const Place& place);
  std::string temporary_name(std::string_view name);
  Result<bool> make_directory(const Entry& entry, const Place& place);
  Result<bool> make_hard_link(const Entry& entry, const Place& place);
  template <class Make, class Dress>
  Result<bool> make_other(const Entry& entry, const Place& place, Make make, Dress dress);
  Result<> move_into_place(const Entry& entry, const Place& place, const std::string& temporary);
  Result<> remove_empty_directory(const Entry& entry, const Place& place);
  Result<std::pair<Fd, std::string>> create_temporary(const Entry& entry, const Place& place);
  Result<> dress_file(const Entry& entry, int fd);
  void dress_node(const Entry& entry, const Place& place, const std::string& name);
  Owner owner_of(const Entry& entry);
  mode_t allowed_mode(mode_t recorded, const Owner& wanted, const struct stat& now) const;
  Result<> finish_directory(const PendingDirectory& pending);
  template <class Set>
  void set_xattrs(std::string_view path, const Xattrs& xattrs, bool permissions, bool others, Set set);
  void report(const Error& error) {
    const std::lock_guard lock(problems_mutex_);
    problems_(error);
  }
  void report(std::string_view path, int error, std::string_view action) {
    report(errno_error(error, fmt::format("{}: {}", display_path(path), action)));
  }

  // The same, but what is refused on principle, and so for every file alike, is told once.
  void report_refusal(std::string_view path, int error, std::string action) {
    if (error == EPERM || error == EACCES || error == ENOTSUP) {
      const std::lock_guard lock(problems_mutex_);
      constexpr std::size_t kRememberedMax = 1000;
      if (refusals_.size() < kRememberedMax && !refusals_.emplace(action, error).second) return;
      action += " (told once for all files)";
    }
    report(path, error, action);
  }

  Sys& sys_;
  RestoreOptions options_;
  ProblemSink problems_;
  std::mutex problems_mutex_;
  std::set<std::pair<std::string, int>> refusals_;  // guarded by problems_mutex_
  std::mutex ask_mutex_;
  const mode_t umask_;
  const pid_t process_ = ::getpid();
  const bool is_root_ = ::geteuid() == 0;
  Directory target_;
  DirectoryCache cache_;
  std::atomic<std::uint64_t> temporaries_{0};
  std::mutex owners_mutex_;
  OwnerIds owners_;
  std::mutex pending_mutex_;
  std::vector<PendingDirectory> pending_;
};

/// A file under a temporary name.
class RestoredFileImpl final : public RestoredFile {
 public:
  RestoredFileImpl(RestorerImpl& restorer, Entry entry, RestorerImpl::Place place, Fd fd, std::string temporary)
      : restorer_(restorer),
        entry_(std::move(entry)),
        place_(std::move(place)),
        fd_(std::move(fd)),
        temporary_(std::move(temporary)) {}

  ~RestoredFileImpl() override {
    if (!temporary_.empty()) restorer_.sys_.unlinkat(place_.parent->get(), temporary_.c_str(), 0);
  }

  Result<> write_at(std::uint64_t offset, ByteView bytes) override {
    if (!range_within<std::uint64_t>(offset, bytes.size(), entry_.size)) {
      return fail(Errc::corrupt, fmt::format("{}: holds bytes up to {}, but is {} bytes long",
                                             display_path(entry_.path), offset + bytes.size(), entry_.size));
    }
    if (bytes.empty()) return {};
    if (const int error = pwrite_full(restorer_.sys_, fd_.get(), bytes, offset)) {
      return fail_at(entry_.path, error, fmt::format("cannot write at offset {}", offset));
    }
    const std::uint64_t end = offset + bytes.size();
    for (std::uint64_t seen = end_; seen < end && !end_.compare_exchange_weak(seen, end);) {
    }
    return {};
  }

  Result<> read_back(std::uint64_t offset, Bytes out) override {
    if (!range_within<std::uint64_t>(offset, out.size(), entry_.size)) {
      return fail(Errc::usage, display_path(entry_.path) + ": read back beyond its end");
    }
    const auto got = pread_full(restorer_.sys_, fd_.get(), out, offset);
    if (!got) return fail_at(entry_.path, got.error, fmt::format("cannot read back at offset {}", offset));
    // A hole at the end is not there yet.
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(got.value), out.end(), std::byte{0});
    return {};
  }

  Result<> commit() override {
    if (end_ < entry_.size) {
      if (const int error = restorer_.sys_.ftruncate(fd_.get(), entry_.size)) {
        return fail_at(entry_.path, error, "cannot set its size");
      }
    }
    MMH_TRY(restorer_.dress_file(entry_, fd_.get()));
    MMH_TRY(restorer_.move_into_place(entry_, place_, temporary_));
    temporary_.clear();
    return {};
  }

 private:
  RestorerImpl& restorer_;
  Entry entry_;
  RestorerImpl::Place place_;
  Fd fd_;
  std::string temporary_;               // empty once it has its final name
  std::atomic<std::uint64_t> end_ = 0;  // of what was written
};

Result<> RestorerImpl::make_target() {
  const std::string& path = options_.target;
  for (std::size_t end = 0; end < path.size();) {
    end = std::min(path.find('/', end + 1), path.size());
    const int error = sys_.mkdirat(AT_FDCWD, path.substr(0, end).c_str(), 0777);
    if (error != 0 && error != EEXIST) {
      return fail_at(path, error, "cannot make the directory to restore into");
    }
  }
  return {};
}

Result<> RestorerImpl::check(const Entry& entry) const {
  MMH_TRY(check_path(entry.path));
  if (entry.mtime_nanoseconds > 999'999'999) {
    return fail(Errc::corrupt, display_path(entry.path) + ": modification time has too many nanoseconds");
  }
  return {};
}

Result<> RestorerImpl::check_file(const Entry& entry) const {
  if (entry.type != EntryType::regular) return fail(Errc::usage, display_path(entry.path) + ": is not a regular file");
  return check(entry);
}

// The directory at `path` beneath the target, made if missing.
Result<Directory> RestorerImpl::directory(std::string_view path) {
  // Descends from the deepest directory that is there, making one after the other.
  std::vector<std::string_view> missing;
  Directory found;
  for (std::string_view at = path;;) {
    if (at.empty()) {
      found = target_;
      break;
    }
    found = cache_.find(at);
    if (found != nullptr) break;
    const auto opened = sys_.openat_beneath(target_->get(), std::string(at).c_str(), O_PATH | O_DIRECTORY);
    if (opened) {
      found = std::make_shared<const Fd>(sys_, opened.value);
      cache_.insert(at, found);
      break;
    }
    if (opened.error != ENOENT) return refuse_directory(at, opened.error);
    missing.push_back(at);
    at = split(at).parent;
  }
  while (!missing.empty()) {
    const std::string_view at = missing.back();
    const std::string name(split(at).name);
    missing.pop_back();
    const int error = sys_.mkdirat(found->get(), name.c_str(), 0777);
    if (error != 0 && error != EEXIST) return fail_at(at, error, "cannot make the directory");
    const auto opened = sys_.openat_beneath(found->get(), name.c_str(), O_PATH | O_DIRECTORY);
    if (!opened) return refuse_directory(at, opened.error);
    found = std::make_shared<const Fd>(sys_, opened.value);
    cache_.insert(at, found);
  }
  return found;
}

// Says which component of `path` is in the way.
std::unexpected<Error> RestorerImpl::refuse_directory(std::string_view path, int error) {
  if (error != ELOOP && error != ENOTDIR && error != EXDEV) return fail_at(path, error, "cannot open the directory");
  for (std::size_t end = 0; end < path.size();) {
    end = std::min(path.find('/', end + 1), path.size());
    const std::string_view at = path.substr(0, end);
    const SplitPath parts = split(at);
    const auto parent = parts.parent.empty() ? SysResult<int>{-1, 0}
                                             : sys_.openat_beneath(target_->get(), std::string(parts.parent).c_str(),
                                                                   O_PATH | O_DIRECTORY);
    if (!parent) break;
    const Fd parent_fd(sys_, parent.value);
    const auto info = sys_.fstatat(parent_fd ? parent_fd.get() : target_->get(), std::string(parts.name).c_str(),
                                   AT_SYMLINK_NOFOLLOW);
    if (!info) break;
    if (S_ISLNK(info.value.st_mode)) {
      return fail(Errc::unsafe, fmt::format("{}: is a symbolic link in the directory to restore into, and nothing is "
                                            "written through links; remove it, or restore elsewhere",
                                            display_path(at)));
    }
    if (!S_ISDIR(info.value.st_mode)) {
      return fail(Errc::exists, fmt::format("{}: is not a directory, but entries are to be restored beneath it; remove "
                                            "it, or restore elsewhere",
                                            display_path(at)));
    }
  }
  return fail(Errc::unsafe, display_path(path) + ": leads out of the directory to restore into, or changes meanwhile");
}

Result<RestorerImpl::Place> RestorerImpl::place(const Entry& entry) {
  const SplitPath parts = split(entry.path);
  MMH_LET(Directory parent, directory(parts.parent));
  return Place{std::move(parent), std::string(parts.name)};
}

// Whether `entry` may take the place of what is there.
Result<RestorerImpl::Verdict> RestorerImpl::judge(const Entry& entry, const struct stat& existing) {
  switch (options_.overwrite) {
    case Overwrite::never:
      return fail(Errc::exists, display_path(entry.path) + ": exists already; choose what to do with --overwrite");
    case Overwrite::always:
      return Verdict::go_on;
    case Overwrite::newer: {
      const auto entry_time = std::pair<std::int64_t, std::int64_t>(entry.mtime_seconds, entry.mtime_nanoseconds);
      const auto existing_time =
          std::pair<std::int64_t, std::int64_t>(existing.st_mtim.tv_sec, existing.st_mtim.tv_nsec);
      return entry_time > existing_time ? Verdict::go_on : Verdict::keep;
    }
    case Overwrite::ask: {
      const std::lock_guard lock(ask_mutex_);
      return options_.ask && options_.ask(entry.path) ? Verdict::go_on : Verdict::keep;
    }
  }
  return Verdict::keep;
}

Result<RestorerImpl::Verdict> RestorerImpl::judge(const Entry& entry, const Place& place) {
  const auto existing = sys_.fstatat(place.parent->get(), place.name.c_str(), AT_SYMLINK_NOFOLLOW);
  if (existing.error == ENOENT) return Verdict::go_on;
  if (!existing) return fail_at(entry.path, existing.error, "cannot stat");
  return judge(entry, existing.value);
}

std::string RestorerImpl::temporary_name(std::string_view name) {
  const std::string tail = fmt::format(".mmh-{}-{}.tmp", process_, temporaries_.fetch_add(1));
  return fmt::format(".{}{}", name.substr(0, kNameSizeMax - 1 - tail.size()), tail);
}

Result<> RestorerImpl::remove_empty_directory(const Entry& entry, const Place& place) {
  const int error = sys_.unlinkat(place.parent->get(), place.name.c_str(), AT_REMOVEDIR);
  cache_.erase(entry.path);
  if (error == ENOTEMPTY || error == EEXIST) {
    return fail(Errc::exists,
                display_path(entry.path) + ": a directory that is not empty is in the way; remove it first");
  }
  if (error != 0 && error != ENOENT) return fail_at(entry.path, error, "cannot remove the directory in the way");
  return {};
}

// Gives what is under a temporary name its final one. On failure it keeps the temporary one.
Result<> RestorerImpl::move_into_place(const Entry& entry, const Place& place, const std::string& temporary) {
  const int parent = place.parent->get();
  const char* const name = place.name.c_str();
  int error = 0;
  if (options_.overwrite == Overwrite::never) {
    error = sys_.renameat(parent, temporary.c_str(), parent, name, RENAME_NOREPLACE);
    if (error == EINVAL || error == ENOSYS) {
      // A file system without that flag. A second name is refused where there is one, too.
      error = sys_.linkat(parent, temporary.c_str(), parent, name, 0);
      if (error == 0) {
        sys_.unlinkat(parent, temporary.c_str(), 0);
        return {};
      }
      if (error == EPERM || error == EOPNOTSUPP || error == ENOSYS) {
        MMH_TRY(judge(entry, place));
        error = sys_.renameat(parent, temporary.c_str(), parent, name);
      }
    }
    if (error == EEXIST) {
      return fail(Errc::exists, display_path(entry.path) + ": exists already; choose what to do with --overwrite");
    }
  } else {
    error = sys_.renameat(parent, temporary.c_str(), parent, name);
    if (error == EISDIR) {
      MMH_TRY(remove_empty_directory(entry, place));
      error = sys_.renameat(parent, temporary.c_str(), parent, name);
    }
  }
  if (error != 0) return fail_at(entry.path, error, "cannot give it its name");
  return {};
}

Owner RestorerImpl::owner_of(const Entry& entry) {
  std::uint64_t uid = entry.uid;
  std::uint64_t gid = entry.gid;
  if (!options_.numeric_owners && (!entry.user.empty() || !entry.group.empty())) {
    const std::lock_guard lock(owners_mutex_);
    uid = owners_.user(entry.user).value_or(uid);
    gid = owners_.group(entry.group).value_or(gid);
  }
  constexpr auto kUnchanged = static_cast<uid_t>(-1);
  return {uid <= kIdMax ? static_cast<uid_t>(uid) : kUnchanged, gid <= kIdMax ? static_cast<gid_t>(gid) : kUnchanged};
}

// The mode to give to something that looks like `now`.
mode_t RestorerImpl::allowed_mode(mode_t recorded, const Owner& wanted, const struct stat& now) const {
  if (!options_.permissions) return recorded & 0777U & ~umask_;
  mode_t mode = recorded & 07777U;
  if (now.st_uid != wanted.uid) mode &= ~static_cast<mode_t>(S_ISUID);
  // On a directory, set-gid gives nobody rights.
  if (now.st_gid != wanted.gid && !S_ISDIR(now.st_mode)) mode &= ~static_cast<mode_t>(S_ISGID);
  return mode;
}

// Sets those that are permissions, or the others, or both.
template <class Set>
void RestorerImpl::set_xattrs(std::string_view path, const Xattrs& xattrs, bool permissions, bool others, Set set) {
  if (!options_.xattrs) return;
  for (const auto& [name, value] : xattrs) {
    if (is_permission(name) ? !(permissions && options_.permissions) : !others) continue;
    const int error = name.find('\0') != std::string::npos ? EINVAL : set(name.c_str(), as_bytes(value));
    if (error == 0) continue;
    report_refusal(path, error, "cannot set extended attribute " + display_path(name));
  }
}

// Owner, mode, attributes and times, in the order in which none undoes another.
Result<> RestorerImpl::dress_file(const Entry& entry, int fd) {
  if (options_.owners) {
    const Owner owner = owner_of(entry);
    if (const int error = sys_.fchown(fd, owner.uid, owner.gid))
      report_refusal(entry.path, error, "cannot set its owner");
  }
  if (options_.permissions) {
    struct stat now{};  // looked at only where it matters, to save a call per file
    if ((entry.mode & (S_ISUID | S_ISGID)) != 0) {
      const auto info = sys_.fstat(fd);
      if (!info) return fail_at(entry.path, info.error, "cannot stat");
      now = info.value;
    }
    if (const int error = sys_.fchmod(fd, allowed_mode(entry.mode, owner_of(entry), now)))
      return fail_at(entry.path, error, "cannot set its mode");
  }
  set_xattrs(entry.path, entry.xattrs, true, true,
             [&](const char* name, ByteView value) { return sys_.fsetxattr(fd, name, value); });
  const timespec times[2] = {{0, UTIME_OMIT}, mtime_of(entry)};
  if (const int error = sys_.futimens(fd, times)) report(entry.path, error, "cannot set its modification time");
  if (options_.sync) {
    if (const int error = sys_.fsync(fd)) return fail_at(entry.path, error, "cannot sync");
  }
  return {};
}

// The same for links and nodes, which cannot be opened.
void RestorerImpl::dress_node(const Entry& entry, const Place& place, const std::string& name) {
  const int parent = place.parent->get();
  if (options_.owners) {
    const Owner owner = owner_of(entry);
    if (const int error = sys_.lchownat(parent, name.c_str(), owner.uid, owner.gid)) {
      report_refusal(entry.path, error, "cannot set its owner");
    }
  }
  if (entry.type != EntryType::symlink && options_.permissions) {
    // Through a descriptor, so that a link put there meanwhile is not followed.
    const auto opened = sys_.openat(parent, name.c_str(), O_PATH | O_NOFOLLOW);
    const Fd fd(sys_, opened ? opened.value : -1);
    const auto info = opened ? sys_.fstat(fd.get()) : SysResult<struct stat>{{}, opened.error};
    int error = info.error;
    if (info && !S_ISLNK(info.value.st_mode)) {
      error = sys_.fchmodat(AT_FDCWD, fmt::format("/proc/self/fd/{}", fd.get()).c_str(),
                            allowed_mode(entry.mode, owner_of(entry), info.value));
    }
    if (error != 0) report(entry.path, error, "cannot set its mode");
  }
  if (!entry.xattrs.empty()) {
    const std::string path = fmt::format("/proc/self/fd/{}/{}", parent, name);
    set_xattrs(entry.path, entry.xattrs, true, true,
               [&](const char* xattr, ByteView value) { return sys_.lsetxattr(path.c_str(), xattr, value); });
  }
  const timespec times[2] = {{0, UTIME_OMIT}, mtime_of(entry)};
  if (const int error = sys_.lutimensat(parent, name.c_str(), times)) {
    report(entry.path, error, "cannot set its modification time");
  }
}

// Makes a link or node with `make(name)` under its final name or, to replace what is there, first under another.
template <class Make, class Dress>
Result<bool> RestorerImpl::make_other(const Entry& entry, const Place& place, Make make, Dress dress) {
  int error = make(place.name);
  if (error == 0) {
    dress(place.name);
    return true;
  }
  if (error != EEXIST) return fail_at(entry.path, error, "cannot make it");
  MMH_LET(const Verdict verdict, judge(entry, place));
  if (verdict == Verdict::keep) return false;
  const std::string temporary = temporary_name(place.name);
  error = make(temporary);
  if (error != 0) return fail_at(entry.path, error, "cannot make it");
  dress(temporary);
  auto moved = move_into_place(entry, place, temporary);
  // After success it is still there when both names were the same file.
  if (!moved || entry.type == EntryType::hard_link) sys_.unlinkat(place.parent->get(), temporary.c_str(), 0);
  if (!moved) return fail(std::move(moved).error());
  return true;
}

Result<bool> RestorerImpl::make_directory(const Entry& entry, const Place& place) {
  const int parent = place.parent->get();
  const char* const name = place.name.c_str();
  // Its owner may write to it until finish() sets the final mode.
  int error = sys_.mkdirat(parent, name, (entry.mode & 0777U) | 0700U);
  bool made = error == 0;
  if (error == EEXIST) {
    const auto existing = sys_.fstatat(parent, name, AT_SYMLINK_NOFOLLOW);
    if (!existing) return fail_at(entry.path, existing.error, "cannot stat");
    if (S_ISDIR(existing.value.st_mode)) {
      error = 0;
      if ((existing.value.st_mode & 0700U) != 0700U && !is_root_) {
        const auto opened = sys_.openat_beneath(parent, name, O_RDONLY | O_DIRECTORY);
        // Without leave to read, there is nothing that could be opened up.
        if (opened) {
          const Fd fd(sys_, opened.value);
          sys_.fchmod(fd.get(), (existing.value.st_mode & 07777U) | 0700U);
        }
      }
    } else {
      MMH_LET(const Verdict verdict, judge(entry, existing.value));
      if (verdict == Verdict::keep) return false;
      error = sys_.unlinkat(parent, name, 0);
      if (error == 0) error = sys_.mkdirat(parent, name, (entry.mode & 0777U) | 0700U);
      made = error == 0;
    }
  }
  if (error != 0) return fail_at(entry.path, error, "cannot make the directory");

  const auto opened = sys_.openat_beneath(parent, name, O_PATH | O_DIRECTORY);
  if (!opened) return fail_at(entry.path, opened.error, "cannot open the directory");
  cache_.erase(entry.path);
  cache_.insert(entry.path, std::make_shared<const Fd>(sys_, opened.value));

  PendingDirectory pending{entry.path,
                           entry.mode & 07777U,
                           owner_of(entry),
                           mtime_of(entry),
                           options_.permissions || !made || (entry.mode & 0700U) != 0700U,
                           nullptr};
  if (!entry.xattrs.empty()) {
    const std::string path = fmt::format("/proc/self/fd/{}", opened.value);
    // ACLs wait: a default ACL would pass to everything made in the directory.
    set_xattrs(entry.path, entry.xattrs, false, true,
               [&](const char* xattr, ByteView value) { return sys_.lsetxattr((path + "/.").c_str(), xattr, value); });
    Xattrs acls;
    std::copy_if(entry.xattrs.begin(), entry.xattrs.end(), std::back_inserter(acls),
                 [](const auto& xattr) { return is_permission(xattr.first); });
    if (!acls.empty()) pending.acls = std::make_unique<const Xattrs>(std::move(acls));
  }
  const std::lock_guard lock(pending_mutex_);
  pending_.push_back(std::move(pending));
  return true;
}

Result<bool> RestorerImpl::make_hard_link(const Entry& entry, const Place& place) {
  MMH_TRY(check_path(entry.link).in(display_path(entry.path) + ": hard link target"));
  const SplitPath target = split(entry.link);
  const auto missing = [&] {
    return fail(Errc::not_found, fmt::format("{}: is a hard link to {}, which is not there", display_path(entry.path),
                                             display_path(entry.link)));
  };
  Directory from = target.parent.empty() ? target_ : cache_.find(target.parent);
  if (from == nullptr) {
    const auto opened = sys_.openat_beneath(target_->get(), std::string(target.parent).c_str(), O_PATH | O_DIRECTORY);
    if (opened.error == ENOENT) return missing();
    if (!opened) return refuse_directory(target.parent, opened.error);
    from = std::make_shared<const Fd>(sys_, opened.value);
    cache_.insert(target.parent, from);
  }
  const std::string from_name(target.name);
  const auto make_link = [&](const std::string& name) {
    return sys_.linkat(from->get(), from_name.c_str(), place.parent->get(), name.c_str(), 0);
  };
  const int error = make_link(place.name);
  if (error == 0) return true;
  if (error == ENOENT) return missing();
  if (error == EEXIST) {
    const auto there = sys_.fstatat(from->get(), from_name.c_str(), AT_SYMLINK_NOFOLLOW);
    const auto here = sys_.fstatat(place.parent->get(), place.name.c_str(), AT_SYMLINK_NOFOLLOW);
    if (there.error == ENOENT) return missing();
    if (there && here && there.value.st_ino == here.value.st_ino && there.value.st_dev == here.value.st_dev)
      return true;
  }
  return make_other(entry, place, make_link, [](const std::string&) {});
}

Result<bool> RestorerImpl::make(const Entry& entry) {
  MMH_TRY(check(entry));
  const bool is_node = entry.type == EntryType::fifo || entry.type == EntryType::character_device ||
                       entry.type == EntryType::block_device;
  if (is_node && !options_.devices) {
    return fail(Errc::unsupported,
                display_path(entry.path) + ": is a device or FIFO; left out, unless --devices asks for it");
  }
  MMH_LET(const Place where, place(entry));
  const int parent = where.parent->get();
  switch (entry.type) {
    case EntryType::directory:
      return make_directory(entry, where);
    case EntryType::hard_link:
      return make_hard_link(entry, where);
    case EntryType::symlink:
      if (entry.link.empty() || entry.link.find('\0') != std::string::npos) {
        return fail(Errc::corrupt,
                    display_path(entry.path) + ": symbolic link whose target is empty or holds a NUL byte");
      }
      return make_other(
          entry, where,
          [&](const std::string& name) { return sys_.symlinkat(entry.link.c_str(), parent, name.c_str()); },
          [&](const std::string& name) { dress_node(entry, where, name); });
    case EntryType::fifo:
    case EntryType::character_device:
    case EntryType::block_device: {
      const mode_t type = entry.type == EntryType::fifo               ? S_IFIFO
                          : entry.type == EntryType::character_device ? S_IFCHR
                                                                      : S_IFBLK;
      const dev_t device = type == S_IFIFO ? 0 : makedev(entry.device_major, entry.device_minor);
      return make_other(
          entry, where,
          [&](const std::string& name) {
            return sys_.mknodat(parent, name.c_str(), type | (entry.mode & 0777U), device);
          },
          [&](const std::string& name) { dress_node(entry, where, name); });
    }
    case EntryType::regular:
      break;
  }
  return fail(Errc::usage, display_path(entry.path) + ": is not to be made but written");
}

Result<std::pair<Fd, std::string>> RestorerImpl::create_temporary(const Entry& entry, const Place& place) {
  constexpr int kTriesMax = 100;
  for (int tries = 0;; ++tries) {
    std::string name = temporary_name(place.name);
    const auto opened = sys_.openat(place.parent->get(), name.c_str(), O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW,
                                    options_.permissions ? 0600 : entry.mode & 0777U);
    if (opened) return std::pair(Fd(sys_, opened.value), std::move(name));
    // Left behind by a process of the same number.
    if (opened.error == EEXIST && tries < kTriesMax) continue;
    return fail_at(entry.path, opened.error, "cannot create");
  }
}

Result<std::unique_ptr<RestoredFile>> RestorerImpl::begin_file(const Entry& entry) {
  MMH_TRY(check_file(entry));
  MMH_LET(Place where, place(entry));
  if (options_.overwrite != Overwrite::always) {
    MMH_LET(const Verdict verdict, judge(entry, where));
    if (verdict == Verdict::keep) return nullptr;
  }
  MMH_LET(auto created, create_temporary(entry, where));
  return std::make_unique<RestoredFileImpl>(*this, entry, std::move(where), std::move(created.first),
                                            std::move(created.second));
}

Result<bool> RestorerImpl::write_file(const Entry& entry, ByteView content) {
  MMH_TRY(check_file(entry));
  if (entry.size != content.size()) {
    return fail(Errc::corrupt, fmt::format("{}: content of {} bytes, but its size is {}", display_path(entry.path),
                                           content.size(), entry.size));
  }
  MMH_LET(const Place where, place(entry));
  // With `never`, the final rename finds out.
  if (options_.overwrite == Overwrite::ask || options_.overwrite == Overwrite::newer) {
    MMH_LET(const Verdict verdict, judge(entry, where));
    if (verdict == Verdict::keep) return false;
  }
  MMH_LET(const auto created, create_temporary(entry, where));
  const auto& [fd, temporary] = created;
  auto done = [&]() -> Result<> {
    if (const int error = write_full(sys_, fd.get(), content)) return fail_at(entry.path, error, "cannot write");
    MMH_TRY(dress_file(entry, fd.get()));
    return move_into_place(entry, where, temporary);
  }();
  if (!done) {
    sys_.unlinkat(where.parent->get(), temporary.c_str(), 0);
    return fail(std::move(done).error());
  }
  return true;
}

Result<> RestorerImpl::finish() {
  const std::lock_guard lock(pending_mutex_);
  // Backwards in manifest order, what is below a directory comes before it.
  std::stable_sort(pending_.begin(), pending_.end(), [](const PendingDirectory& a, const PendingDirectory& b) {
    return compare_paths(a.path, b.path) > 0;
  });
  for (const PendingDirectory& pending : pending_) {
    if (auto done = finish_directory(pending); !done) report(std::move(done).error());
  }
  pending_.clear();
  return {};
}

Result<> RestorerImpl::finish_directory(const PendingDirectory& pending) {
  const SplitPath parts = split(pending.path);
  MMH_LET(const Directory parent, directory(parts.parent));
  const auto opened = sys_.openat_beneath(parent->get(), std::string(parts.name).c_str(), O_RDONLY | O_DIRECTORY);
  if (!opened) return fail_at(pending.path, opened.error, "cannot open the directory");
  const Fd fd(sys_, opened.value);
  if (options_.owners) {
    if (const int error = sys_.fchown(fd.get(), pending.owner.uid, pending.owner.gid)) {
      report_refusal(pending.path, error, "cannot set its owner");
    }
  }
  if (pending.set_mode) {
    const auto now = sys_.fstat(fd.get());
    if (!now) return fail_at(pending.path, now.error, "cannot stat");
    mode_t mode = allowed_mode(pending.mode, pending.owner, now.value);
    // A set-gid directory passes that bit on to those made in it.
    if (!options_.permissions) mode |= now.value.st_mode & S_ISGID;
    if (const int error = sys_.fchmod(fd.get(), mode)) report(pending.path, error, "cannot set its mode");
  }
  if (pending.acls) {
    set_xattrs(pending.path, *pending.acls, true, false,
               [&](const char* name, ByteView value) { return sys_.fsetxattr(fd.get(), name, value); });
  }
  const timespec times[2] = {{0, UTIME_OMIT}, pending.mtime};
  if (const int error = sys_.futimens(fd.get(), times)) return fail_at(pending.path, error, "cannot set its times");
  return {};
}

}  // namespace

Result<std::unique_ptr<Restorer>> Restorer::open(Sys& sys, RestoreOptions options, ProblemSink problems) {
  auto restorer = std::make_unique<RestorerImpl>(sys, std::move(options), std::move(problems));
  MMH_TRY(restorer->open());
  return restorer;
}

}  // namespace mmh::tree
