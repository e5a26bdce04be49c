#pragma once
// The seam to the operating system: every file operation of MMH goes through Sys, so that tests can make any of them
// fail.

#include <dirent.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mmh/base/bytes.h"

namespace mmh {

/// Either a system call's value or its errno. Kept apart from Result<>: the caller knows the path and writes the
/// message.
template <class T>
struct SysResult {
  T value{};
  int error = 0;  ///< 0, or an errno value.
  explicit operator bool() const { return error == 0; }
};

/// One name in a directory, as readdir gives it. `type` is a DT_ constant and may be DT_UNKNOWN.
struct DirectoryName {
  std::string name;
  unsigned char type = DT_UNKNOWN;
};

/// System calls, one method each, with the semantics of the call it names unless said otherwise. Opening, reading,
/// writing and syncing are repeated when a signal interrupts them; reads and writes wait where a descriptor is
/// non-blocking. Short reads and writes are passed on. Descriptors are close-on-exec. Methods may run on any thread.
/// `dir` may be AT_FDCWD.
class Sys {
 public:
  virtual ~Sys() = default;

  virtual SysResult<int> openat(int dir, const char* path, int flags, mode_t mode = 0);
  /// openat2(2) that stays beneath `dir` and follows no link: EXDEV for a path that leads out, ELOOP for a link on it.
  /// Where the kernel lacks openat2, walks the path component by component, and refuses any ".." and a trailing "/"
  /// (EXDEV).
  virtual SysResult<int> openat_beneath(int dir, const char* path, int flags, mode_t mode = 0);
  virtual void close(int fd);
  virtual SysResult<std::size_t> read(int fd, Bytes out);
  virtual SysResult<std::size_t> pread(int fd, Bytes out, std::uint64_t offset);
  virtual SysResult<std::size_t> write(int fd, ByteView in);
  virtual SysResult<std::size_t> pwrite(int fd, ByteView in, std::uint64_t offset);
  virtual SysResult<std::uint64_t> lseek(int fd, std::int64_t offset, int whence);
  virtual int fsync(int fd);
  /// Begins to write this part of the file to its disk without waiting, so that a later fsync finds less to do. A hint:
  /// what it cannot do it leaves.
  virtual void start_writeback(int fd, std::uint64_t offset, std::uint64_t length);
  virtual int ftruncate(int fd, std::uint64_t size);
  virtual int fallocate(int fd, int mode, std::uint64_t offset, std::uint64_t length);

  virtual SysResult<struct stat> fstat(int fd);
  virtual SysResult<struct stat> fstatat(int dir, const char* path, int flags);
  /// All names but "." and "..", in no particular order. Takes a directory's fd and leaves it open.
  virtual SysResult<std::vector<DirectoryName>> list_directory(int fd);
  virtual SysResult<std::string> readlinkat(int dir, const char* path);

  virtual int mkdirat(int dir, const char* path, mode_t mode);
  virtual int symlinkat(const char* target, int dir, const char* path);
  virtual int linkat(int from_dir, const char* from, int to_dir, const char* to, int flags);
  virtual int mknodat(int dir, const char* path, mode_t mode, dev_t device);
  virtual int unlinkat(int dir, const char* path, int flags);
  /// renameat2(2); `flags` may be RENAME_NOREPLACE.
  virtual int renameat(int from_dir, const char* from, int to_dir, const char* to, unsigned flags = 0);

  virtual int fchmod(int fd, mode_t mode);
  /// Follows a final symlink: only for paths whose last component the caller knows, such as /proc/self/fd/N.
  virtual int fchmodat(int dir, const char* path, mode_t mode);
  /// fchownat(2) with AT_SYMLINK_NOFOLLOW.
  virtual int lchownat(int dir, const char* path, uid_t uid, gid_t gid);
  virtual int fchown(int fd, uid_t uid, gid_t gid);
  virtual int futimens(int fd, const timespec times[2]);
  /// utimensat(2) with AT_SYMLINK_NOFOLLOW.
  virtual int lutimensat(int dir, const char* path, const timespec times[2]);

  /// Names of all extended attributes; empty where the file system has none.
  virtual SysResult<std::vector<std::string>> flistxattr(int fd);
  virtual SysResult<std::string> fgetxattr(int fd, const char* name);
  virtual int fsetxattr(int fd, const char* name, ByteView value);
  /// The same for what cannot be opened (symlinks, devices): `path` is resolved without following a final link.
  virtual SysResult<std::vector<std::string>> llistxattr(const char* path);
  virtual SysResult<std::string> lgetxattr(const char* path, const char* name);
  virtual int lsetxattr(const char* path, const char* name, ByteView value);
};

/// The real operating system.
Sys& real_sys();

/// Owns a file descriptor of a Sys; closes it when it goes.
class Fd {
 public:
  Fd() = default;
  Fd(Sys& sys, int fd) : sys_(&sys), fd_(fd) {}
  Fd(Fd&& other) noexcept : sys_(other.sys_), fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release();
  void reset();

 private:
  Sys* sys_ = nullptr;
  int fd_ = -1;
};

}  // namespace mmh
