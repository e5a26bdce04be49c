#pragma once
// A Sys that counts and records operations and makes chosen ones fail, come up short, or kill the process.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mmh/base/sys.h"

namespace mmh::test {

/// One value per method of Sys.
enum class SysOp : unsigned {
  openat,
  openat_beneath,
  close,
  read,
  pread,
  write,
  pwrite,
  lseek,
  fsync,
  ftruncate,
  fallocate,
  fstat,
  fstatat,
  list_directory,
  readlinkat,
  mkdirat,
  symlinkat,
  linkat,
  mknodat,
  unlinkat,
  renameat,
  fchmod,
  fchmodat,
  lchownat,
  fchown,
  futimens,
  lutimensat,
  flistxattr,
  fgetxattr,
  fsetxattr,
  llistxattr,
  lgetxattr,
  lsetxattr,
};
inline constexpr unsigned kSysOpCount = static_cast<unsigned>(SysOp::lsetxattr) + 1;
std::string_view sys_op_name(SysOp op);

/// A set of operations: `SysOp::read | SysOp::pread`.
class SysOps {
 public:
  constexpr SysOps() = default;
  constexpr SysOps(SysOp op) : bits_(std::uint64_t{1} << static_cast<unsigned>(op)) {}  // NOLINT: converts on purpose
  constexpr bool has(SysOp op) const { return (bits_ & SysOps(op).bits_) != 0; }
  friend constexpr SysOps operator|(SysOps a, SysOps b) { return SysOps(a.bits_ | b.bits_); }
  friend constexpr SysOps operator&(SysOps a, SysOps b) { return SysOps(a.bits_ & b.bits_); }
  friend constexpr SysOps operator~(SysOps a) { return SysOps(~a.bits_ & ((std::uint64_t{1} << kSysOpCount) - 1)); }

 private:
  constexpr explicit SysOps(std::uint64_t bits) : bits_(bits) {}
  std::uint64_t bits_ = 0;
};
constexpr SysOps operator|(SysOp a, SysOp b) { return SysOps(a) | SysOps(b); }
inline constexpr SysOps kEveryOp = ~SysOps();
inline constexpr SysOps kReads = SysOp::read | SysOp::pread;
inline constexpr SysOps kWrites = SysOp::write | SysOp::pwrite;

/// Operations are counted from 1, each rule counting only the operations of its own set, from the rule's making on.
/// close() cannot fail (it is counted, logged, and can kill). A failing operation is not carried out. Thread-safe.
class FaultySys : public Sys {
 public:
  explicit FaultySys(Sys& under = real_sys());
  ~FaultySys() override;

  /// The n-th operation of `which` gives `error`; the others work.
  void fail_nth(std::uint64_t n, int error, SysOps which = kEveryOp);
  /// The n-th operation of `which` and all of them after it give `error`: a disk that died.
  void fail_from(std::uint64_t n, int error, SysOps which = kEveryOp);
  /// The n-th operation of `which` ends the process with _exit(137), before anything of it is carried out. See
  /// in_child().
  void kill_at(std::uint64_t n, SysOps which = kEveryOp);
  /// Reads and writes of `which` move at most `bytes_max` bytes (at least 1) per call.
  void shorten(std::size_t bytes_max, SysOps which = kReads | kWrites);
  /// After `bytes` more written bytes, writes give ENOSPC; the one that crosses the border is short.
  void limit_space(std::uint64_t bytes);

  /// Whether any operation was made to fail.
  bool faulted() const;
  /// Operations of `which` asked for so far, failed ones included.
  std::uint64_t count(SysOps which = kEveryOp) const;

  struct Call {
    SysOp op;
    int fd;            ///< The descriptor or directory the call was given; -1 when it takes neither.
    std::string path;  ///< Empty when the call takes none. For two paths: the destination.
    int error;         ///< 0, or the errno value it gave.
    bool injected;     ///< The failure is this class's work.
  };
  /// Turns recording on; off at first, to stay small over millions of calls.
  void record();
  std::vector<Call> log() const;
  /// The log, one call a line, for failure messages.
  std::string log_text() const;

  SysResult<int> openat(int dir, const char* path, int flags, mode_t mode) override;
  SysResult<int> openat_beneath(int dir, const char* path, int flags, mode_t mode) override;
  void close(int fd) override;
  SysResult<std::size_t> read(int fd, Bytes out) override;
  SysResult<std::size_t> pread(int fd, Bytes out, std::uint64_t offset) override;
  SysResult<std::size_t> write(int fd, ByteView in) override;
  SysResult<std::size_t> pwrite(int fd, ByteView in, std::uint64_t offset) override;
  SysResult<std::uint64_t> lseek(int fd, std::int64_t offset, int whence) override;
  int fsync(int fd) override;
  int ftruncate(int fd, std::uint64_t size) override;
  int fallocate(int fd, int mode, std::uint64_t offset, std::uint64_t length) override;
  SysResult<struct stat> fstat(int fd) override;
  SysResult<struct stat> fstatat(int dir, const char* path, int flags) override;
  SysResult<std::vector<DirectoryName>> list_directory(int fd) override;
  SysResult<std::string> readlinkat(int dir, const char* path) override;
  int mkdirat(int dir, const char* path, mode_t mode) override;
  int symlinkat(const char* target, int dir, const char* path) override;
  int linkat(int from_dir, const char* from, int to_dir, const char* to, int flags) override;
  int mknodat(int dir, const char* path, mode_t mode, dev_t device) override;
  int unlinkat(int dir, const char* path, int flags) override;
  int renameat(int from_dir, const char* from, int to_dir, const char* to, unsigned flags) override;
  int fchmod(int fd, mode_t mode) override;
  int fchmodat(int dir, const char* path, mode_t mode) override;
  int lchownat(int dir, const char* path, uid_t uid, gid_t gid) override;
  int fchown(int fd, uid_t uid, gid_t gid) override;
  int futimens(int fd, const timespec times[2]) override;
  int lutimensat(int dir, const char* path, const timespec times[2]) override;
  SysResult<std::vector<std::string>> flistxattr(int fd) override;
  SysResult<std::string> fgetxattr(int fd, const char* name) override;
  int fsetxattr(int fd, const char* name, ByteView value) override;
  SysResult<std::vector<std::string>> llistxattr(const char* path) override;
  SysResult<std::string> lgetxattr(const char* path, const char* name) override;
  int lsetxattr(const char* path, const char* name, ByteView value) override;

 private:
  struct State;
  template <class Work>
  auto guarded(SysOp op, int fd, const char* path, Work work);
  std::size_t allowed(SysOp op, std::size_t bytes) const;
  template <class Put>
  SysResult<std::size_t> put(SysOp op, int fd, std::size_t size, Put put_bytes);

  Sys& under_;
  std::unique_ptr<State> state_;
};

/// Calls `attempt` with a fresh FaultySys whose n-th operation of `which` fails with `error`, for n = 1, 2, 3, …, and
/// ends after the first attempt in which nothing failed any more. Gives the number of faulty attempts.
std::uint64_t sweep_faults(int error, SysOps which, const std::function<void(FaultySys&, std::uint64_t n)>& attempt,
                           Sys& under = real_sys());

/// Runs `attempt` in a child that is killed at its n-th operation of `which`, for n = 1, 2, 3, …, calls `check` after
/// each, and ends after the first child that lived. Gives the number of killed ones. Call it without other threads
/// running.
std::uint64_t sweep_kills(SysOps which, const std::function<void(FaultySys&)>& attempt,
                          const std::function<void(std::uint64_t n)>& check, Sys& under = real_sys());

/// Runs `work` in a forked child that ends with _exit(0); the wait status. Call it without other threads running.
int in_child(const std::function<void()>& work);

}  // namespace mmh::test
