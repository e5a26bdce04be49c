#include "support/faulty_sys.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <mutex>
#include <type_traits>

#include "mmh/base/check.h"

namespace mmh::test {

namespace {
constexpr int kKilledStatus = 137;

constexpr std::array<std::string_view, kSysOpCount> kNames = {
    "openat",     "openat_beneath", "close",      "read",      "pread",     "write",      "pwrite",
    "lseek",      "fsync",          "ftruncate",  "fallocate", "fstat",     "fstatat",    "list_directory",
    "readlinkat", "mkdirat",        "symlinkat",  "linkat",    "mknodat",   "unlinkat",   "renameat",
    "fchmod",     "fchmodat",       "lchownat",   "fchown",    "futimens",  "lutimensat", "flistxattr",
    "fgetxattr",  "fsetxattr",      "llistxattr", "lgetxattr", "lsetxattr",
};

struct Rule {
  enum class Kind { fail_once, fail_on, kill } kind;
  SysOps which;
  std::uint64_t nth;
  int error;
  std::uint64_t seen = 0;
};

int error_in(int result) { return result; }
template <class T>
int error_in(const SysResult<T>& result) {
  return result.error;
}

template <class R>
R failure(int error) {
  if constexpr (std::is_same_v<R, int>) {
    return error;
  } else if constexpr (std::is_same_v<R, SysResult<int>>) {
    return {-1, error};
  } else {
    return {{}, error};
  }
}
}  // namespace

std::string_view sys_op_name(SysOp op) { return kNames[static_cast<unsigned>(op)]; }

struct FaultySys::State {
  mutable std::mutex mutex;
  std::vector<Rule> rules;
  std::array<std::uint64_t, kSysOpCount> counts{};
  std::uint64_t space = std::numeric_limits<std::uint64_t>::max();
  std::size_t short_max = std::numeric_limits<std::size_t>::max();
  SysOps shortened;
  bool faulted = false;
  bool recording = false;
  std::vector<Call> log;

  // Counts the operation, and gives the error it must fail with, or 0.
  int begin(SysOp op) {
    const std::lock_guard lock(mutex);
    ++counts[static_cast<unsigned>(op)];
    int error = 0;
    for (Rule& rule : rules) {
      if (!rule.which.has(op)) continue;
      ++rule.seen;
      if (rule.kind == Rule::Kind::kill) {
        if (rule.seen == rule.nth) ::_exit(kKilledStatus);
      } else if (rule.seen == rule.nth || (rule.kind == Rule::Kind::fail_on && rule.seen > rule.nth)) {
        error = rule.error;
      }
    }
    if (error != 0) faulted = true;
    return error;
  }

  void end(SysOp op, int fd, const char* path, int error, bool injected) {
    const std::lock_guard lock(mutex);
    if (recording) log.push_back({op, fd, path == nullptr ? "" : path, error, injected});
  }
};

FaultySys::FaultySys(Sys& under) : under_(under), state_(std::make_unique<State>()) {}
FaultySys::~FaultySys() = default;

void FaultySys::fail_nth(std::uint64_t n, int error, SysOps which) {
  const std::lock_guard lock(state_->mutex);
  state_->rules.push_back({Rule::Kind::fail_once, which & ~SysOps(SysOp::close), n, error});
}

void FaultySys::fail_from(std::uint64_t n, int error, SysOps which) {
  const std::lock_guard lock(state_->mutex);
  state_->rules.push_back({Rule::Kind::fail_on, which & ~SysOps(SysOp::close), n, error});
}

void FaultySys::kill_at(std::uint64_t n, SysOps which) {
  const std::lock_guard lock(state_->mutex);
  state_->rules.push_back({Rule::Kind::kill, which, n, 0});
}

void FaultySys::shorten(std::size_t bytes_max, SysOps which) {
  const std::lock_guard lock(state_->mutex);
  state_->short_max = std::max<std::size_t>(bytes_max, 1);
  state_->shortened = which;
}

void FaultySys::limit_space(std::uint64_t bytes) {
  const std::lock_guard lock(state_->mutex);
  state_->space = bytes;
}

bool FaultySys::faulted() const {
  const std::lock_guard lock(state_->mutex);
  return state_->faulted;
}

std::uint64_t FaultySys::count(SysOps which) const {
  const std::lock_guard lock(state_->mutex);
  std::uint64_t sum = 0;
  for (unsigned i = 0; i < kSysOpCount; ++i) {
    if (which.has(static_cast<SysOp>(i))) sum += state_->counts[i];
  }
  return sum;
}

void FaultySys::record() {
  const std::lock_guard lock(state_->mutex);
  state_->recording = true;
}

std::vector<FaultySys::Call> FaultySys::log() const {
  const std::lock_guard lock(state_->mutex);
  return state_->log;
}

std::string FaultySys::log_text() const {
  std::string text;
  for (const Call& call : log()) {
    text += fmt::format("{} fd={} {}", sys_op_name(call.op), call.fd, call.path);
    if (call.error != 0) text += fmt::format(" -> {}{}", std::strerror(call.error), call.injected ? " (injected)" : "");
    text += '\n';
  }
  return text;
}

template <class Work>
auto FaultySys::guarded(SysOp op, int fd, const char* path, Work work) {
  using R = decltype(work());
  const int injected = state_->begin(op);
  R result = injected != 0 ? failure<R>(injected) : work();
  state_->end(op, fd, path, error_in(result), injected != 0);
  return result;
}

std::size_t FaultySys::allowed(SysOp op, std::size_t bytes) const {
  const std::lock_guard lock(state_->mutex);
  return state_->shortened.has(op) ? std::min(bytes, state_->short_max) : bytes;
}

template <class Put>
SysResult<std::size_t> FaultySys::put(SysOp op, int fd, std::size_t size, Put put_bytes) {
  const int injected = state_->begin(op);
  if (injected != 0) {
    state_->end(op, fd, nullptr, injected, true);
    return {0, injected};
  }
  std::size_t wanted = allowed(op, size);
  {
    const std::lock_guard lock(state_->mutex);
    if (wanted > 0 && state_->space == 0) {
      state_->faulted = true;
      if (state_->recording) state_->log.push_back({op, fd, "", ENOSPC, true});
      return {0, ENOSPC};
    }
    wanted = static_cast<std::size_t>(std::min<std::uint64_t>(wanted, state_->space));
    if (state_->space != std::numeric_limits<std::uint64_t>::max()) state_->space -= wanted;
  }
  const SysResult<std::size_t> result = put_bytes(wanted);
  state_->end(op, fd, nullptr, result.error, false);
  return result;
}

SysResult<int> FaultySys::openat(int dir, const char* path, int flags, mode_t mode) {
  return guarded(SysOp::openat, dir, path, [&] { return under_.openat(dir, path, flags, mode); });
}
SysResult<int> FaultySys::openat_beneath(int dir, const char* path, int flags, mode_t mode) {
  return guarded(SysOp::openat_beneath, dir, path, [&] { return under_.openat_beneath(dir, path, flags, mode); });
}
void FaultySys::close(int fd) {
  state_->begin(SysOp::close);
  under_.close(fd);
  state_->end(SysOp::close, fd, nullptr, 0, false);
}
SysResult<std::size_t> FaultySys::read(int fd, Bytes out) {
  return guarded(SysOp::read, fd, nullptr,
                 [&] { return under_.read(fd, out.first(allowed(SysOp::read, out.size()))); });
}
SysResult<std::size_t> FaultySys::pread(int fd, Bytes out, std::uint64_t offset) {
  return guarded(SysOp::pread, fd, nullptr,
                 [&] { return under_.pread(fd, out.first(allowed(SysOp::pread, out.size())), offset); });
}
SysResult<std::size_t> FaultySys::write(int fd, ByteView in) {
  return put(SysOp::write, fd, in.size(), [&](std::size_t size) { return under_.write(fd, in.first(size)); });
}
SysResult<std::size_t> FaultySys::pwrite(int fd, ByteView in, std::uint64_t offset) {
  return put(SysOp::pwrite, fd, in.size(), [&](std::size_t size) { return under_.pwrite(fd, in.first(size), offset); });
}
SysResult<std::uint64_t> FaultySys::lseek(int fd, std::int64_t offset, int whence) {
  return guarded(SysOp::lseek, fd, nullptr, [&] { return under_.lseek(fd, offset, whence); });
}
int FaultySys::fsync(int fd) {
  return guarded(SysOp::fsync, fd, nullptr, [&] { return under_.fsync(fd); });
}
int FaultySys::ftruncate(int fd, std::uint64_t size) {
  return guarded(SysOp::ftruncate, fd, nullptr, [&] { return under_.ftruncate(fd, size); });
}
int FaultySys::fallocate(int fd, int mode, std::uint64_t offset, std::uint64_t length) {
  return guarded(SysOp::fallocate, fd, nullptr, [&] { return under_.fallocate(fd, mode, offset, length); });
}
SysResult<struct stat> FaultySys::fstat(int fd) {
  return guarded(SysOp::fstat, fd, nullptr, [&] { return under_.fstat(fd); });
}
SysResult<struct stat> FaultySys::fstatat(int dir, const char* path, int flags) {
  return guarded(SysOp::fstatat, dir, path, [&] { return under_.fstatat(dir, path, flags); });
}
SysResult<std::vector<DirectoryName>> FaultySys::list_directory(int fd) {
  return guarded(SysOp::list_directory, fd, nullptr, [&] { return under_.list_directory(fd); });
}
SysResult<std::string> FaultySys::readlinkat(int dir, const char* path) {
  return guarded(SysOp::readlinkat, dir, path, [&] { return under_.readlinkat(dir, path); });
}
int FaultySys::mkdirat(int dir, const char* path, mode_t mode) {
  return guarded(SysOp::mkdirat, dir, path, [&] { return under_.mkdirat(dir, path, mode); });
}
int FaultySys::symlinkat(const char* target, int dir, const char* path) {
  return guarded(SysOp::symlinkat, dir, path, [&] { return under_.symlinkat(target, dir, path); });
}
int FaultySys::linkat(int from_dir, const char* from, int to_dir, const char* to, int flags) {
  return guarded(SysOp::linkat, to_dir, to, [&] { return under_.linkat(from_dir, from, to_dir, to, flags); });
}
int FaultySys::mknodat(int dir, const char* path, mode_t mode, dev_t device) {
  return guarded(SysOp::mknodat, dir, path, [&] { return under_.mknodat(dir, path, mode, device); });
}
int FaultySys::unlinkat(int dir, const char* path, int flags) {
  return guarded(SysOp::unlinkat, dir, path, [&] { return under_.unlinkat(dir, path, flags); });
}
int FaultySys::renameat(int from_dir, const char* from, int to_dir, const char* to, unsigned flags) {
  return guarded(SysOp::renameat, to_dir, to, [&] { return under_.renameat(from_dir, from, to_dir, to, flags); });
}
int FaultySys::fchmod(int fd, mode_t mode) {
  return guarded(SysOp::fchmod, fd, nullptr, [&] { return under_.fchmod(fd, mode); });
}
int FaultySys::fchmodat(int dir, const char* path, mode_t mode) {
  return guarded(SysOp::fchmodat, dir, path, [&] { return under_.fchmodat(dir, path, mode); });
}
int FaultySys::lchownat(int dir, const char* path, uid_t uid, gid_t gid) {
  return guarded(SysOp::lchownat, dir, path, [&] { return under_.lchownat(dir, path, uid, gid); });
}
int FaultySys::fchown(int fd, uid_t uid, gid_t gid) {
  return guarded(SysOp::fchown, fd, nullptr, [&] { return under_.fchown(fd, uid, gid); });
}
int FaultySys::futimens(int fd, const timespec times[2]) {
  return guarded(SysOp::futimens, fd, nullptr, [&] { return under_.futimens(fd, times); });
}
int FaultySys::lutimensat(int dir, const char* path, const timespec times[2]) {
  return guarded(SysOp::lutimensat, dir, path, [&] { return under_.lutimensat(dir, path, times); });
}
SysResult<std::vector<std::string>> FaultySys::flistxattr(int fd) {
  return guarded(SysOp::flistxattr, fd, nullptr, [&] { return under_.flistxattr(fd); });
}
SysResult<std::string> FaultySys::fgetxattr(int fd, const char* name) {
  return guarded(SysOp::fgetxattr, fd, name, [&] { return under_.fgetxattr(fd, name); });
}
int FaultySys::fsetxattr(int fd, const char* name, ByteView value) {
  return guarded(SysOp::fsetxattr, fd, name, [&] { return under_.fsetxattr(fd, name, value); });
}
SysResult<std::vector<std::string>> FaultySys::llistxattr(const char* path) {
  return guarded(SysOp::llistxattr, -1, path, [&] { return under_.llistxattr(path); });
}
SysResult<std::string> FaultySys::lgetxattr(const char* path, const char* name) {
  return guarded(SysOp::lgetxattr, -1, path, [&] { return under_.lgetxattr(path, name); });
}
int FaultySys::lsetxattr(const char* path, const char* name, ByteView value) {
  return guarded(SysOp::lsetxattr, -1, path, [&] { return under_.lsetxattr(path, name, value); });
}

std::uint64_t sweep_faults(int error, SysOps which, const std::function<void(FaultySys&, std::uint64_t)>& attempt,
                           Sys& under) {
  for (std::uint64_t n = 1;; ++n) {
    FaultySys sys(under);
    sys.fail_nth(n, error, which);
    attempt(sys, n);
    if (!sys.faulted()) return n - 1;
  }
}

int in_child(const std::function<void()>& work) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  MMH_CHECK(child >= 0);
  if (child == 0) {
    work();
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) MMH_CHECK(errno == EINTR);
  return status;
}

std::uint64_t sweep_kills(SysOps which, const std::function<void(FaultySys&)>& attempt,
                          const std::function<void(std::uint64_t)>& check, Sys& under) {
  for (std::uint64_t n = 1;; ++n) {
    const int status = in_child([&] {
      FaultySys sys(under);
      sys.kill_at(n, which);
      attempt(sys);
    });
    MMH_CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == kKilledStatus));
    check(n);
    if (WEXITSTATUS(status) == 0) return n - 1;
  }
}

}  // namespace mmh::test
