#include "mmh/base/sys.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>

#include "mmh/base/files.h"
#include "support/faulty_sys.h"
#include "support/support.h"

namespace mmh {
namespace {

namespace fs = std::filesystem;
using test::TempDir;
using ::testing::UnorderedElementsAre;

Fd open_directory(const std::string& path) {
  return Fd(real_sys(), real_sys().openat(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY).value);
}

struct Beneath {
  const char* path;
  int error;
};
constexpr Beneath kBeneath[] = {
    {"file", 0},
    {"dir/file", 0},
    {"./dir/./file", 0},
    {"missing", ENOENT},
    {"missing/file", ENOENT},
    {"file/x", ENOTDIR},
    {"link", ELOOP},
    {"dangling", ELOOP},
    {"dirlink/file", ELOOP},
    {"dir/up/file", ELOOP},
    {"../file", EXDEV},
    {"dir/../../file", EXDEV},
    {"/etc/passwd", EXDEV},
    {"proc/self/root", ELOOP},
};

void make_beneath(const TempDir& dir) {
  test::write_file(dir / "file", as_bytes("x"));
  fs::create_directory(dir / "dir");
  test::write_file(dir / "dir/file", as_bytes("x"));
  fs::create_symlink("file", dir / "link");
  fs::create_symlink("nowhere", dir / "dangling");
  fs::create_symlink("dir", dir / "dirlink");
  fs::create_symlink("..", dir / "dir/up");
  fs::create_symlink("/proc", dir / "proc");
}

TEST(OpenBeneath, FollowsNoLinkAndNeverLeadsOut) {
  const TempDir dir;
  make_beneath(dir);
  const Fd root = open_directory(dir.path());
  for (const auto& [path, error] : kBeneath) {
    const auto opened = real_sys().openat_beneath(root.get(), path, O_RDONLY);
    EXPECT_EQ(opened.error, error) << path;
    if (opened) real_sys().close(opened.value);
  }
}

// Makes openat2 fail as it does before Linux 5.6 and under old container runtimes.
bool forbid_openat2() {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{static_cast<unsigned short>(std::size(code)), code};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST(OpenBeneath, GivesTheSameAnswersWhereTheKernelLacksOpenat2) {
  const TempDir dir;
  make_beneath(dir);
  constexpr int kCannotForbid = 100;
  const int status = test::in_child([&] {
    if (!forbid_openat2()) ::_exit(kCannotForbid);
    const Fd root = open_directory(dir.path());
    int number = 1;
    for (const auto& [path, error] : kBeneath) {
      if (real_sys().openat_beneath(root.get(), path, O_RDONLY).error != error) ::_exit(number);
      ++number;
    }
  });
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kCannotForbid) GTEST_SKIP() << "no seccomp here";
  const auto number = static_cast<std::size_t>(WEXITSTATUS(status));
  EXPECT_EQ(number, 0u) << kBeneath[std::min(number - 1, std::size(kBeneath) - 1)].path;
}

TEST(OpenBeneath, MakesFilesWithTheModeAskedFor) {
  const TempDir dir;
  const Fd root = open_directory(dir.path());
  const Fd file(real_sys(), real_sys().openat_beneath(root.get(), "x", O_CREAT | O_EXCL | O_WRONLY, 0600).value);
  ASSERT_TRUE(file);
  EXPECT_EQ(real_sys().fstat(file.get()).value.st_mode & 07777, 0600u);
  // A mode that is not used is no error either.
  EXPECT_EQ(Fd(real_sys(), real_sys().openat_beneath(root.get(), ".", O_RDONLY | O_DIRECTORY, 0600).value) ? 0 : 1, 0);
}

TEST(Sys, ListsADirectoryWholeEveryTimeItIsAsked) {
  const TempDir dir;
  test::write_file(dir / "a", {});
  fs::create_directory(dir / "b");
  test::write_file(dir / "...", {});
  const Fd root = open_directory(dir.path());
  for (int i = 0; i < 2; ++i) {
    std::vector<std::string> names;
    for (const auto& [name, type] : real_sys().list_directory(root.get()).value) names.push_back(name);
    EXPECT_THAT(names, UnorderedElementsAre("a", "b", "..."));
  }
  test::write_file(dir / "file", {});
  const Fd file(real_sys(), real_sys().openat(root.get(), "file", O_RDONLY).value);
  EXPECT_EQ(real_sys().list_directory(file.get()).error, ENOTDIR);
}

TEST(Sys, ReadsLinksOfAnyLength) {
  const TempDir dir;
  for (const std::size_t size : {1u, 255u, 256u, 257u, 4000u}) {
    const std::string target(size, 't');
    const std::string link = dir / std::to_string(size);
    ASSERT_EQ(real_sys().symlinkat(target.c_str(), AT_FDCWD, link.c_str()), 0);
    EXPECT_EQ(real_sys().readlinkat(AT_FDCWD, link.c_str()).value, target);
  }
  EXPECT_EQ(real_sys().readlinkat(AT_FDCWD, (dir / "x").c_str()).error, ENOENT);
}

TEST(Sys, ReadsExtendedAttributesOfAnySize) {
  const TempDir dir;
  test::write_file(dir / "x", {});
  const Fd file(real_sys(), real_sys().openat(AT_FDCWD, (dir / "x").c_str(), O_RDWR).value);
  if (real_sys().fsetxattr(file.get(), "user.size0", {}) != 0) GTEST_SKIP() << "no extended attributes here";
  std::vector<std::string> expected = {"user.size0"};
  for (const std::size_t size : {1u, 256u, 257u, 1000u}) {
    const std::string name = "user.size" + std::to_string(size);
    const Buffer value = test::random_bytes(size, size);
    ASSERT_EQ(real_sys().fsetxattr(file.get(), name.c_str(), value), 0);
    EXPECT_EQ(real_sys().fgetxattr(file.get(), name.c_str()).value, as_text(value));
    EXPECT_EQ(real_sys().lgetxattr((dir / "x").c_str(), name.c_str()).value, as_text(value));
    expected.push_back(name);
  }
  for (unsigned i = 0; i < 20; ++i) {
    expected.push_back("user.a-name-to-make-the-list-long." + std::to_string(i));
    ASSERT_EQ(real_sys().fsetxattr(file.get(), expected.back().c_str(), {}), 0);
  }
  for (auto names : {real_sys().flistxattr(file.get()).value, real_sys().llistxattr((dir / "x").c_str()).value}) {
    std::erase_if(names, [](const std::string& name) { return !name.starts_with("user."); });
    EXPECT_THAT(names, ::testing::UnorderedElementsAreArray(expected));
  }
  EXPECT_EQ(real_sys().fgetxattr(file.get(), "user.none").error, ENODATA);
}

TEST(Sys, TakesAFileSystemWithoutExtendedAttributesForOneWithNoneSet) {
  const auto names = real_sys().llistxattr("/proc/self/status");
  EXPECT_EQ(names.error, 0);
  EXPECT_TRUE(names.value.empty());
}

struct Pipe {
  Fd read, write;
  explicit Pipe(int flags) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC | flags), 0);
    read = Fd(real_sys(), ends[0]);
    write = Fd(real_sys(), ends[1]);
  }
};

TEST(Sys, WaitsOnNonBlockingDescriptors) {
  Pipe pipe(O_NONBLOCK);
  const Buffer sent = test::random_bytes(1 << 20, 3);
  Buffer received(sent.size());
  std::jthread reader([&] { EXPECT_EQ(read_full(real_sys(), pipe.read.get(), received).value, sent.size()); });
  EXPECT_EQ(write_full(real_sys(), pipe.write.get(), sent), 0);
  reader.join();
  EXPECT_EQ(received, sent);
}

TEST(Sys, RepeatsCallsThatASignalInterrupts) {
  struct sigaction action{};
  static volatile std::sig_atomic_t signals = 0;
  action.sa_handler = [](int) { signals = signals + 1; };
  struct sigaction old{};
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &old), 0);  // without SA_RESTART
  Pipe pipe(0);
  std::jthread interrupter([&, reader = ::pthread_self()] {
    for (int i = 0; i < 20; ++i) {
      ::pthread_kill(reader, SIGUSR1);
      ::poll(nullptr, 0, 1);
    }
    EXPECT_EQ(write_full(real_sys(), pipe.write.get(), as_bytes("x")), 0);
  });
  Buffer out(1);
  const auto got = real_sys().read(pipe.read.get(), out);
  EXPECT_EQ(got.error, 0);
  EXPECT_EQ(got.value, 1u);
  interrupter.join();
  EXPECT_GT(signals, 0);
  ::sigaction(SIGUSR1, &old, nullptr);
}

TEST(Sys, DescriptorsAreCloseOnExec) {
  const Fd root = open_directory("/");
  EXPECT_EQ(::fcntl(root.get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST(Fd, ClosesOnceHoweverOftenItMoves) {
  test::FaultySys sys;
  {
    Fd one(sys, sys.openat(AT_FDCWD, "/", O_RDONLY, 0).value);
    Fd two(std::move(one));
    EXPECT_FALSE(one);  // NOLINT(bugprone-use-after-move): that is the promise
    Fd three(sys, sys.openat(AT_FDCWD, "/", O_RDONLY, 0).value);
    three = std::move(two);
    EXPECT_EQ(sys.count(test::SysOp::close), 1u);
    EXPECT_TRUE(three);
    const int fd = three.release();
    sys.close(fd);
  }
  EXPECT_EQ(sys.count(test::SysOp::close), 2u);
}

}  // namespace
}  // namespace mmh
