#include "mmh/base/sys.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <string_view>
#include <utility>

namespace mmh {

namespace {

template <class Call>
auto repeat(Call call) {
  auto value = call();
  while (value < 0 && errno == EINTR) value = call();
  return value;
}

int error_of(int value) { return value < 0 ? errno : 0; }

// Standard streams may be non-blocking because another program that shares them wants it so; nobody here does.
template <class Call>
SysResult<std::size_t> transferred(int fd, short event, Call call) {
  for (;;) {
    const ssize_t value = repeat(call);
    if (value >= 0) return {static_cast<std::size_t>(value), 0};
    if (errno != EAGAIN) return {0, errno};
    pollfd waited{fd, event, 0};
    if (repeat([&] { return ::poll(&waited, 1, -1); }) < 0) return {0, errno};
  }
}

SysResult<int> opened(int fd) {
  if (fd < 0) return {-1, errno};
  return {fd, 0};
}

// Attribute calls tell the size first; a value may grow in between, so the pair is repeated.
template <class Call>
SysResult<std::string> sized(Call call) {
  std::string value(256, '\0');
  for (;;) {
    const ssize_t size = call(value.data(), value.size());
    if (size >= 0 && static_cast<std::size_t>(size) <= value.size()) {
      value.resize(static_cast<std::size_t>(size));
      return {std::move(value), 0};
    }
    if (errno != ERANGE) return {{}, errno};
    const ssize_t wanted = call(nullptr, 0);
    if (wanted < 0) return {{}, errno};
    value.resize(static_cast<std::size_t>(wanted) + 64);
  }
}

SysResult<std::vector<std::string>> split_names(const SysResult<std::string>& list) {
  if (list.error == ENOTSUP || list.error == ENODATA) return {};
  if (!list) return {{}, list.error};
  std::vector<std::string> names;
  for (std::size_t at = 0; at < list.value.size();) {
    names.emplace_back(list.value.c_str() + at);
    at += names.back().size() + 1;
  }
  return {std::move(names), 0};
}

SysResult<int> walk_beneath(int dir, std::string_view path, int flags, mode_t mode) {
  int current = dir;
  for (;;) {
    const auto slash = path.find('/');
    const std::string name(path.substr(0, slash));
    const bool last = slash == std::string_view::npos;
    int fd = -1;
    if (name == ".." || name.empty()) {
      errno = EXDEV;
    } else {
      fd = repeat([&] {
        return ::openat(current, name.c_str(),
                        last ? flags | O_NOFOLLOW : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, mode);
      });
    }
    int error = fd < 0 ? errno : 0;
    struct stat info{};
    // The kernel calls a link on the way "not a directory" here, and ELOOP where it resolves the whole path.
    if (error == ENOTDIR && ::fstatat(current, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISLNK(info.st_mode)) {
      error = ELOOP;
    }
    if (current != dir) ::close(current);
    if (fd < 0) return {-1, error};
    if (last) return {fd, 0};
    current = fd;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace

SysResult<int> Sys::openat(int dir, const char* path, int flags, mode_t mode) {
  return opened(repeat([&] { return ::openat(dir, path, flags | O_CLOEXEC, mode); }));
}

SysResult<int> Sys::openat_beneath(int dir, const char* path, int flags, mode_t mode) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(static_cast<unsigned>(flags | O_CLOEXEC));
  // openat2 refuses a mode where none is used. O_TMPFILE has the bit of O_DIRECTORY in it.
  how.mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? mode : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  for (int tries = 0;; ++tries) {
    const auto fd = static_cast<int>(::syscall(SYS_openat2, dir, path, &how, sizeof how));
    if (fd >= 0) return {fd, 0};
    // EAGAIN: a concurrent rename made the kernel unsure; it asks for another try.
    if (errno == EINTR || (errno == EAGAIN && tries < 100)) continue;
    if (errno == ENOSYS || errno == EPERM) return walk_beneath(dir, path, flags | O_CLOEXEC, mode);
    return {-1, errno};
  }
}

void Sys::close(int fd) { ::close(fd); }

SysResult<std::size_t> Sys::read(int fd, Bytes out) {
  return transferred(fd, POLLIN, [&] { return ::read(fd, out.data(), out.size()); });
}

SysResult<std::size_t> Sys::pread(int fd, Bytes out, std::uint64_t offset) {
  return transferred(fd, POLLIN, [&] { return ::pread(fd, out.data(), out.size(), static_cast<off_t>(offset)); });
}

SysResult<std::size_t> Sys::write(int fd, ByteView in) {
  return transferred(fd, POLLOUT, [&] { return ::write(fd, in.data(), in.size()); });
}

SysResult<std::size_t> Sys::pwrite(int fd, ByteView in, std::uint64_t offset) {
  return transferred(fd, POLLOUT, [&] { return ::pwrite(fd, in.data(), in.size(), static_cast<off_t>(offset)); });
}

SysResult<std::uint64_t> Sys::lseek(int fd, std::int64_t offset, int whence) {
  const off_t at = ::lseek(fd, offset, whence);
  if (at < 0) return {0, errno};
  return {static_cast<std::uint64_t>(at), 0};
}

int Sys::fsync(int fd) {
  return error_of(repeat([&] { return ::fsync(fd); }));
}

void Sys::start_writeback(int fd, std::uint64_t offset, std::uint64_t length) {
  ::sync_file_range(fd, static_cast<off_t>(offset), static_cast<off_t>(length), SYNC_FILE_RANGE_WRITE);
}

int Sys::ftruncate(int fd, std::uint64_t size) {
  return error_of(repeat([&] { return ::ftruncate(fd, static_cast<off_t>(size)); }));
}

int Sys::fallocate(int fd, int mode, std::uint64_t offset, std::uint64_t length) {
  return error_of(
      repeat([&] { return ::fallocate(fd, mode, static_cast<off_t>(offset), static_cast<off_t>(length)); }));
}

SysResult<struct stat> Sys::fstat(int fd) {
  struct stat info{};
  if (::fstat(fd, &info) < 0) return {{}, errno};
  return {info, 0};
}

SysResult<struct stat> Sys::fstatat(int dir, const char* path, int flags) {
  struct stat info{};
  if (::fstatat(dir, path, &info, flags) < 0) return {{}, errno};
  return {info, 0};
}

SysResult<std::vector<DirectoryName>> Sys::list_directory(int fd) {
  const int copy = repeat([&] { return ::openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (copy < 0) return {{}, errno};
  DIR* const stream = ::fdopendir(copy);
  if (stream == nullptr) {
    const int error = errno;
    ::close(copy);
    return {{}, error};
  }
  SysResult<std::vector<DirectoryName>> names;
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(stream);
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.value.push_back({std::string(name), entry->d_type});
  }
  names.error = errno;
  ::closedir(stream);
  return names;
}

SysResult<std::string> Sys::readlinkat(int dir, const char* path) {
  std::string target(256, '\0');
  for (;;) {
    const ssize_t size = ::readlinkat(dir, path, target.data(), target.size());
    if (size < 0) return {{}, errno};
    if (static_cast<std::size_t>(size) < target.size()) {
      target.resize(static_cast<std::size_t>(size));
      return {std::move(target), 0};
    }
    target.resize(2 * target.size());
  }
}

int Sys::mkdirat(int dir, const char* path, mode_t mode) { return error_of(::mkdirat(dir, path, mode)); }
int Sys::symlinkat(const char* target, int dir, const char* path) { return error_of(::symlinkat(target, dir, path)); }
int Sys::linkat(int from_dir, const char* from, int to_dir, const char* to, int flags) {
  return error_of(::linkat(from_dir, from, to_dir, to, flags));
}
int Sys::mknodat(int dir, const char* path, mode_t mode, dev_t device) {
  return error_of(::mknodat(dir, path, mode, device));
}
int Sys::unlinkat(int dir, const char* path, int flags) { return error_of(::unlinkat(dir, path, flags)); }
int Sys::renameat(int from_dir, const char* from, int to_dir, const char* to, unsigned flags) {
  return error_of(flags == 0 ? ::renameat(from_dir, from, to_dir, to) : ::renameat2(from_dir, from, to_dir, to, flags));
}

int Sys::fchmod(int fd, mode_t mode) { return error_of(::fchmod(fd, mode)); }
int Sys::fchmodat(int dir, const char* path, mode_t mode) { return error_of(::fchmodat(dir, path, mode, 0)); }
int Sys::lchownat(int dir, const char* path, uid_t uid, gid_t gid) {
  return error_of(::fchownat(dir, path, uid, gid, AT_SYMLINK_NOFOLLOW));
}
int Sys::fchown(int fd, uid_t uid, gid_t gid) { return error_of(::fchown(fd, uid, gid)); }
int Sys::futimens(int fd, const timespec times[2]) { return error_of(::futimens(fd, times)); }
int Sys::lutimensat(int dir, const char* path, const timespec times[2]) {
  return error_of(::utimensat(dir, path, times, AT_SYMLINK_NOFOLLOW));
}

SysResult<std::vector<std::string>> Sys::flistxattr(int fd) {
  return split_names(sized([&](char* out, std::size_t size) { return ::flistxattr(fd, out, size); }));
}
SysResult<std::string> Sys::fgetxattr(int fd, const char* name) {
  return sized([&](char* out, std::size_t size) { return ::fgetxattr(fd, name, out, size); });
}
int Sys::fsetxattr(int fd, const char* name, ByteView value) {
  return error_of(::fsetxattr(fd, name, value.data(), value.size(), 0));
}
SysResult<std::vector<std::string>> Sys::llistxattr(const char* path) {
  return split_names(sized([&](char* out, std::size_t size) { return ::llistxattr(path, out, size); }));
}
SysResult<std::string> Sys::lgetxattr(const char* path, const char* name) {
  return sized([&](char* out, std::size_t size) { return ::lgetxattr(path, name, out, size); });
}
int Sys::lsetxattr(const char* path, const char* name, ByteView value) {
  return error_of(::lsetxattr(path, name, value.data(), value.size(), 0));
}

Sys& real_sys() {
  static Sys sys;
  return sys;
}

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    sys_ = other.sys_;
    fd_ = other.release();
  }
  return *this;
}

int Fd::release() { return std::exchange(fd_, -1); }

void Fd::reset() {
  if (fd_ >= 0) sys_->close(fd_);
  fd_ = -1;
}

}  // namespace mmh
