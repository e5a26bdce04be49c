#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "mmh/base/check.h"
#include "mmh/base/checked.h"
#include "mmh/base/files.h"
#include "temporary_name.h"

namespace mmh {

namespace {

constexpr std::uint64_t kWritebackSize = std::uint64_t{8} << 20;

struct SplitPath {
  std::string directory;
  std::string name;
};

Result<SplitPath> split(const std::string& path) {
  const auto slash = path.rfind('/');
  SplitPath parts =
      slash == std::string::npos ? SplitPath{".", path} : SplitPath{path.substr(0, slash + 1), path.substr(slash + 1)};
  if (parts.name.empty() || parts.name == "." || parts.name == "..") {
    return fail(Errc::usage, display_path(path) + ": is a directory; name a file for the output");
  }
  return parts;
}

std::unexpected<Error> exists_error(const std::string& path) {
  return fail(Errc::exists, display_path(path) + ": exists already; use --force to replace it");
}

// The system or file system has no such operation, or forbids it here; another way may work.
bool is_refusal(int error) {
  return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP || error == EPERM || error == EACCES ||
         error == ENOENT || error == EXDEV;
}

// What was written to a file that somebody else keeps open.
class WrittenSource final : public RandomAccessSource {
 public:
  WrittenSource(Sys& sys, int fd, std::uint64_t size, std::string name)
      : sys_(sys), fd_(fd), size_(size), name_(std::move(name)) {}
  std::uint64_t size() const override { return size_; }
  const std::string& name() const override { return name_; }
  Result<> read_at(std::uint64_t offset, Bytes out) const override {
    MMH_CHECK(range_within<std::uint64_t>(offset, out.size(), size_));
    const auto got = pread_full(sys_, fd_, out, offset);
    if (!got) return fail(errno_error(got.error, display_path(name_) + ": cannot read back what was written"));
    if (got.value < out.size()) return fail(Errc::io, display_path(name_) + ": what was written is gone");
    return {};
  }

 private:
  Sys& sys_;
  int fd_;
  std::uint64_t size_;
  std::string name_;
};

class AtomicFileImpl final : public AtomicFile {
 public:
  AtomicFileImpl(Sys& sys, std::string path, std::string name, bool replace, Fd directory)
      : sys_(sys),
        path_(std::move(path)),
        name_(std::move(name)),
        replace_(replace),
        directory_(std::move(directory)) {}

  ~AtomicFileImpl() override {
    if (!temporary_.empty()) sys_.unlinkat(directory_.get(), temporary_.c_str(), 0);
  }

  Result<> open(mode_t mode) {
    if (open_unnamed(mode)) return {};
    // Whatever the reason was, it either does not hold for a file with a name or comes back as its error.
    const int error = with_temporary_name(name_, [&](const std::string& temporary) {
      const auto opened = sys_.openat(directory_.get(), temporary.c_str(), O_CREAT | O_EXCL | O_RDWR, mode);
      if (opened) {
        fd_ = Fd(sys_, opened.value);
        temporary_ = temporary;
      }
      return opened.error;
    });
    if (error != 0) return fail(errno_error(error, display_path(path_) + ": cannot create"));
    return {};
  }

  Result<> write(ByteView bytes) override {
    MMH_CHECK(!committed_);
    if (const int error = write_full(sys_, fd_.get(), bytes)) {
      return fail(errno_error(error, display_path(path_) + ": cannot write; nothing was left behind"));
    }
    written_ += bytes.size();
    if (written_ - writeback_begun_ >= kWritebackSize) {
      sys_.start_writeback(fd_.get(), writeback_begun_, written_ - writeback_begun_);
      writeback_begun_ = written_;
    }
    return {};
  }

  Result<std::unique_ptr<RandomAccessSource>> written() const override {
    return std::make_unique<WrittenSource>(sys_, fd_.get(), written_, path_);
  }

  Result<> commit() override {
    MMH_CHECK(!committed_);
    committed_ = true;
    if (const int error = sys_.fsync(fd_.get())) return failed(error, "sync");
    if (const int error = temporary_.empty() ? name_unnamed() : rename_temporary()) {
      return error == EEXIST ? exists_error(path_) : failed(error, "give the finished file its name");
    }
    return sync_directory();
  }

 private:
  std::unexpected<Error> failed(int error, std::string_view action) const {
    return fail(errno_error(error, fmt::format("{}: cannot {}", display_path(path_), action)));
  }

  // A file without a name vanishes even when the process is killed. It can be named later only by way of /proc.
  bool open_unnamed(mode_t mode) {
    const auto opened = sys_.openat(directory_.get(), ".", O_TMPFILE | O_RDWR, mode);
    if (!opened) return false;
    fd_ = Fd(sys_, opened.value);
    if (sys_.fstatat(AT_FDCWD, proc_path().c_str(), 0)) return true;
    fd_ = Fd();
    return false;
  }

  std::string proc_path() const { return fmt::format("/proc/self/fd/{}", fd_.get()); }

  int link_unnamed(const std::string& to) {
    const int error = sys_.linkat(AT_FDCWD, proc_path().c_str(), directory_.get(), to.c_str(), AT_SYMLINK_FOLLOW);
    if (!is_refusal(error)) return error;
    // Some sandboxes refuse the way through /proc. This one needs a privilege, or a recent kernel.
    const int second = sys_.linkat(fd_.get(), "", directory_.get(), to.c_str(), AT_EMPTY_PATH);
    return is_refusal(second) ? error : second;
  }

  int name_unnamed() {
    const int error = link_unnamed(name_);
    if (error != EEXIST || !replace_) return error;
    // linkat cannot replace; a short-lived name and a rename can.
    const int linked = with_temporary_name(name_, [&](const std::string& temporary) {
      const int result = link_unnamed(temporary);
      if (result == 0) temporary_ = temporary;
      return result;
    });
    return linked != 0 ? linked : rename_temporary();
  }

  int rename_temporary() {
    int error = sys_.renameat(directory_.get(), temporary_.c_str(), directory_.get(), name_.c_str(),
                              replace_ ? 0 : RENAME_NOREPLACE);
    // Network file systems lack RENAME_NOREPLACE, but hard links do not replace either.
    if (!replace_ && is_refusal(error)) error = link_temporary();
    if (error == 0) temporary_.clear();
    return error;
  }

  int link_temporary() {
    const int error = sys_.linkat(directory_.get(), temporary_.c_str(), directory_.get(), name_.c_str(), 0);
    if (error == 0) {
      // Named and whole: a second name that cannot be removed is no reason to call it failed.
      sys_.unlinkat(directory_.get(), temporary_.c_str(), 0);
      return 0;
    }
    if (!is_refusal(error)) return error;
    // No hard links either (FAT by way of FUSE): look, then rename.
    const auto existing = sys_.fstatat(directory_.get(), name_.c_str(), AT_SYMLINK_NOFOLLOW);
    if (existing) return EEXIST;
    if (existing.error != ENOENT) return existing.error;
    return sys_.renameat(directory_.get(), temporary_.c_str(), directory_.get(), name_.c_str());
  }

  Result<> sync_directory() {
    int error = sys_.fsync(directory_.get());
    // A directory that may be written but not read cannot be synced itself; syncing the file brings its name along on
    // the journaling file systems.
    if (error == EBADF) error = sys_.fsync(fd_.get());
    // Some file systems refuse to sync a directory; there the name is as safe as they make it.
    if (error == 0 || error == EINVAL || error == EOPNOTSUPP) return {};
    return fail(errno_error(
        error, display_path(path_) + ": is whole, but its directory cannot be synced, so a power failure now may undo "
                                     "its name"));
  }

  Sys& sys_;
  std::string path_;
  std::string name_;
  bool replace_;
  bool committed_ = false;
  Fd directory_;
  Fd fd_;
  std::uint64_t written_ = 0;
  std::uint64_t writeback_begun_ = 0;
  std::string temporary_;  // where a name is to be removed; else empty
};

Result<Fd> open_directory(Sys& sys, const std::string& path) {
  auto opened = sys.openat(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY);
  if (opened.error == EACCES) opened = sys.openat(AT_FDCWD, path.c_str(), O_PATH | O_DIRECTORY);
  if (!opened) return fail(errno_error(opened.error, display_path(path) + ": cannot open the directory"));
  return Fd(sys, opened.value);
}

// Found at the start rather than after hours of work.
Result<> check_place(Sys& sys, int directory, const std::string& name, const std::string& path, bool replace) {
  const auto named = sys.fstatat(directory, name.c_str(), AT_SYMLINK_NOFOLLOW);
  if (named.error == ENOENT) return {};
  if (!named) return fail(errno_error(named.error, display_path(path) + ": cannot look for an existing file"));
  const auto meant = S_ISLNK(named.value.st_mode) ? sys.fstatat(directory, name.c_str(), 0) : named;
  if (meant && S_ISDIR(meant.value.st_mode)) {
    return fail(Errc::usage, display_path(path) + ": is a directory; name a file for the output");
  }
  // Replacing /dev/null by a regular file would be a disaster.
  if (meant && !S_ISREG(meant.value.st_mode)) {
    return fail(Errc::usage, display_path(path) +
                                 ": is a device, pipe or socket, which cannot be replaced by a file; "
                                 "write to standard output and redirect that");
  }
  if (!replace) return exists_error(path);
  return {};
}

}  // namespace

Result<std::unique_ptr<AtomicFile>> AtomicFile::create(Sys& sys, const std::string& path, bool replace, mode_t mode) {
  MMH_LET(const SplitPath parts, split(path));
  MMH_LET(Fd directory, open_directory(sys, parts.directory));
  MMH_TRY(check_place(sys, directory.get(), parts.name, path, replace));
  auto file = std::make_unique<AtomicFileImpl>(sys, path, parts.name, replace, std::move(directory));
  MMH_TRY(file->open(mode));
  return file;
}

}  // namespace mmh
