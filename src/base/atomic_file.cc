#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <unistd.h>

#include <cerrno>

#include "mmh/base/files.h"

namespace mmh {

namespace {

struct SplitPath {
  std::string directory;
  std::string name;
};

Result<SplitPath> split(const std::string& path) {
  const auto slash = path.rfind('/');
  SplitPath parts = slash == std::string::npos ? SplitPath{".", path}
                                               : SplitPath{path.substr(0, slash + 1), path.substr(slash + 1)};
  if (parts.name.empty() || parts.name == "." || parts.name == "..") {
    return fail(Errc::usage, display_path(path) + ": is a directory; name a file for the output");
  }
  return parts;
}

class AtomicFileImpl final : public AtomicFile {
 public:
  AtomicFileImpl(Sys& sys, std::string path, std::string name, bool replace, Fd directory)
      : sys_(sys), path_(std::move(path)), name_(std::move(name)), replace_(replace), directory_(std::move(directory)) {}

  ~AtomicFileImpl() override {
    if (!temporary_.empty()) sys_.unlinkat(directory_.get(), temporary_.c_str(), 0);
  }

  Result<> open(mode_t mode) {
    // Unnamed, so that even kill -9 leaves nothing.
    auto opened = sys_.openat(directory_.get(), ".", O_TMPFILE | O_WRONLY, mode);
    if (!opened && (opened.error == EOPNOTSUPP || opened.error == EISDIR || opened.error == EINVAL)) {
      const std::string temporary = temporary_name();
      opened = sys_.openat(directory_.get(), temporary.c_str(), O_CREAT | O_EXCL | O_WRONLY, mode);
      if (opened) temporary_ = temporary;
    }
    if (!opened) return fail(errno_error(opened.error, display_path(path_) + ": cannot create"));
    fd_ = Fd(sys_, opened.value);
    return {};
  }

  Result<> write(ByteView bytes) override {
    if (const int error = write_full(sys_, fd_.get(), bytes)) {
      return fail(errno_error(error, display_path(path_) + ": cannot write; nothing was left behind"));
    }
    return {};
  }

  Result<> commit() override {
    const auto failed = [&](int error, std::string_view action) {
      return fail(errno_error(error, fmt::format("{}: cannot {}", display_path(path_), action)));
    };
    if (const int error = sys_.fsync(fd_.get())) return failed(error, "sync");
    if (temporary_.empty()) {
      const std::string proc = fmt::format("/proc/self/fd/{}", fd_.get());
      if (!replace_) {
        const int error = sys_.linkat(AT_FDCWD, proc.c_str(), directory_.get(), name_.c_str(), AT_SYMLINK_FOLLOW);
        if (error == EEXIST) return exists_error();
        if (error != 0) return failed(error, "name");
        return sync_directory();
      }
      // linkat cannot replace; a short-lived name can.
      const std::string temporary = temporary_name();
      sys_.unlinkat(directory_.get(), temporary.c_str(), 0);
      if (const int error = sys_.linkat(AT_FDCWD, proc.c_str(), directory_.get(), temporary.c_str(), AT_SYMLINK_FOLLOW)) {
        return failed(error, "name");
      }
      temporary_ = temporary;
    }
    const int error = sys_.renameat(directory_.get(), temporary_.c_str(), directory_.get(), name_.c_str(),
                                    replace_ ? 0 : RENAME_NOREPLACE);
    if (error == EEXIST) return exists_error();
    if (error != 0) return failed(error, "rename to its final name");
    temporary_.clear();
    return sync_directory();
  }

 private:
  std::string temporary_name() const { return fmt::format(".{}.mmh-{}.tmp", name_.substr(0, 200), ::getpid()); }

  std::unexpected<Error> exists_error() const {
    return fail(Errc::exists, display_path(path_) + ": exists already; use --force to replace it");
  }

  Result<> sync_directory() {
    // Some file systems refuse to sync a directory; there the name is as safe as they make it.
    if (const int error = sys_.fsync(directory_.get()); error != 0 && error != EINVAL) {
      return fail(errno_error(error, display_path(path_) + ": cannot sync its directory"));
    }
    return {};
  }

  Sys& sys_;
  std::string path_;
  std::string name_;
  bool replace_;
  Fd directory_;
  Fd fd_;
  std::string temporary_;
};

}  // namespace

Result<std::unique_ptr<AtomicFile>> AtomicFile::create(Sys& sys, const std::string& path, bool replace, mode_t mode) {
  MMH_LET(const SplitPath parts, split(path));
  const auto opened = sys.openat(AT_FDCWD, parts.directory.c_str(), O_RDONLY | O_DIRECTORY);
  if (!opened) return fail(errno_error(opened.error, display_path(parts.directory) + ": cannot open the directory"));
  Fd directory(sys, opened.value);
  const auto existing = sys.fstatat(directory.get(), parts.name.c_str(), 0);
  if (existing && S_ISDIR(existing.value.st_mode)) {
    return fail(Errc::usage, display_path(path) + ": is a directory; name a file for the output");
  }
  if (existing && !replace) return fail(Errc::exists, display_path(path) + ": exists already; use --force to replace it");
  auto file = std::make_unique<AtomicFileImpl>(sys, path, parts.name, replace, std::move(directory));
  MMH_TRY(file->open(mode));
  return file;
}

}  // namespace mmh
