// The helpers that other suites rely on.

#include "support/support.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <set>

#include "support/faulty_sys.h"
#include "support/process.h"
#include "support/trees.h"

namespace mmh::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

TreeSpec small_tree(std::uint64_t seed) {
  TreeSpec spec;
  spec.seed = seed;
  spec.file_size_bytes_max = 100'000;
  spec.total_bytes_max = 1'000'000;
  return spec;
}

TEST(Trees, SameSeedMakesTheSameTree) {
  const TempDir dir;
  make_tree(dir / "a", small_tree(7));
  make_tree(dir / "b", small_tree(7));
  CompareOptions options;
  options.root = true;
  options.holes = true;
  EXPECT_THAT(compare_trees(dir / "a", dir / "b", options), IsEmpty());
  EXPECT_EQ(describe_tree(dir / "a"), describe_tree(dir / "b"));
}

TEST(Trees, OtherSeedsMakeOtherTrees) {
  const TempDir dir;
  make_tree(dir / "a", small_tree(7));
  make_tree(dir / "b", small_tree(8));
  EXPECT_NE(compare_trees(dir / "a", dir / "b"), "");
}

TEST(Trees, HoldEveryKindOfObject) {
  const TempDir dir;
  TreeSpec spec = small_tree(3);
  spec.entries = 400;
  make_tree(dir / "a", spec);
  std::set<mode_t> types;
  bool linked = false, sparse = false, not_ascii = false, long_path = false;
  for (const std::string& path : list_tree(dir / "a")) {
    struct stat info{};
    ASSERT_EQ(::lstat((dir / ("a/" + path)).c_str(), &info), 0) << path;
    types.insert(info.st_mode & S_IFMT);
    linked = linked || (S_ISREG(info.st_mode) && info.st_nlink > 1);
    sparse = sparse || (S_ISREG(info.st_mode) && info.st_blocks * 512 + 4096 < info.st_size);
    not_ascii = not_ascii || path.find('\xff') != std::string::npos;
    long_path = long_path || path.size() == spec.long_path_bytes;
  }
  EXPECT_EQ(types, (std::set<mode_t>{S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO}));
  EXPECT_TRUE(linked);
  EXPECT_TRUE(sparse);
  EXPECT_TRUE(not_ascii);
  EXPECT_TRUE(long_path);
}

TEST(Trees, EverySampleIsDeterministicAndOfTheAskedSize) {
  for (unsigned kind = 0; kind < kSampleCount; ++kind) {
    for (const std::size_t size : {0u, 1u, 1000u, 4097u}) {
      const Buffer one = sample_bytes(static_cast<Sample>(kind), size, 5);
      EXPECT_EQ(one.size(), size);
      EXPECT_EQ(one, sample_bytes(static_cast<Sample>(kind), size, 5)) << kind;
    }
  }
}

class CompareTrees : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* const root : {"a", "b"}) {
      fs::create_directory(dir_ / root);
      write_file(dir_ / (root + std::string("/file")), as_bytes("content"));
      ASSERT_EQ(::symlink("target", (dir_ / (root + std::string("/link"))).c_str()), 0);
      set_time(root + std::string("/file"), 1);
      set_time(root + std::string("/link"), 2);
    }
    ASSERT_EQ(compare(), "");
  }

  void set_time(const std::string& path, long nanoseconds) {
    const timespec times[2] = {{1, nanoseconds}, {1, nanoseconds}};
    ASSERT_EQ(::utimensat(AT_FDCWD, (dir_ / path).c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
  }
  std::string compare() { return compare_trees(dir_ / "a", dir_ / "b"); }

  TempDir dir_;
};

TEST_F(CompareTrees, TellsContent) {
  write_file(dir_ / "b/file", as_bytes("CONTENT"));
  set_time("b/file", 1);
  EXPECT_EQ(compare(), "file: content differs\n");
}

TEST_F(CompareTrees, TellsNanoseconds) {
  set_time("b/link", 3);
  EXPECT_EQ(compare(), "link: mtime 1.000000002 against 1.000000003\n");
}

TEST_F(CompareTrees, TellsModes) {
  ASSERT_EQ(::chmod((dir_ / "b/file").c_str(), 0600), 0);
  EXPECT_EQ(compare(), "file: mode 644 against 600\n");
}

TEST_F(CompareTrees, TellsLinkTargets) {
  fs::remove(dir_ / "b/link");
  fs::create_symlink("other", dir_ / "b/link");
  set_time("b/link", 2);
  EXPECT_EQ(compare(), "link: link target target against other\n");
}

TEST_F(CompareTrees, TellsTypes) {
  fs::remove(dir_ / "b/link");
  fs::create_directory(dir_ / "b/link");
  EXPECT_EQ(compare(), "link: type symlink against directory\n");
}

TEST_F(CompareTrees, TellsWhatIsMissing) {
  write_file(dir_ / "a/x\xff", {});
  EXPECT_EQ(compare(), "x\\xff: only in " + dir_ / "a" + "\n");
  fs::remove(dir_ / "a/x\xff");
  fs::create_directory(dir_ / "b/y");
  EXPECT_EQ(compare(), "y: only in " + dir_ / "b" + "\n");
}

TEST_F(CompareTrees, TellsHardLinksFromCopies) {
  fs::create_hard_link(dir_ / "a/file", dir_ / "a/same");
  write_file(dir_ / "b/same", as_bytes("content"));
  set_time("b/same", 1);
  EXPECT_THAT(compare(), HasSubstr("same: hard link of file against "));
}

TEST_F(CompareTrees, TellsExtendedAttributes) {
  if (::setxattr((dir_ / "b/file").c_str(), "user.x", "1", 1, 0) != 0) GTEST_SKIP() << "no extended attributes here";
  EXPECT_EQ(compare(), "file: xattr user.x only in " + dir_ / "b" + "\n");
  ASSERT_EQ(::setxattr((dir_ / "a/file").c_str(), "user.x", "2", 1, 0), 0);
  EXPECT_EQ(compare(), "file: xattr user.x: 2 against 1\n");
}

TEST(RunProcess, PassesInputOutputAndStatus) {
  std::string input(300'000, 'x');
  input += '\0';
  const auto result = run_process({"sh", "-c", "cat; echo oops >&2; exit 3"}, input);
  EXPECT_EQ(result.status, 3);
  EXPECT_EQ(result.out, input);
  EXPECT_EQ(result.err, "oops\n");
  EXPECT_FALSE(result.timed_out);
  EXPECT_GT(result.peak_memory_bytes, 0u);
}

TEST(RunProcess, SurvivesAChildThatDoesNotRead) {
  EXPECT_EQ(run_process({"true"}, std::string(1 << 20, 'x')).status, 0);
}

TEST(RunProcess, KillsAtTheDeadline) {
  ProcessOptions options;
  options.argv = {"sleep", "100"};
  options.timeout = std::chrono::milliseconds(20);
  const auto result = run_process(options);
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.status, 128 + SIGKILL);
}

TEST(RunProcess, SetsEnvironmentAndDirectory) {
  ProcessOptions options;
  options.argv = {"sh", "-c", "echo $MMH_SAMPLE; pwd"};
  options.environment = {{"MMH_SAMPLE", "a b"}};
  options.directory = "/";
  EXPECT_EQ(run_process(options).out, "a b\n/\n");
}

TEST(RunProcess, ReportsAProgramThatIsNotThere) {
  const auto result = run_process({"/nowhere/program"});
  EXPECT_EQ(result.status, 127);
  EXPECT_THAT(result.err, StartsWith("/nowhere/program: "));
}

TEST(RunProcess, SignalsReachTheChild) {
  ProcessOptions options;
  options.argv = {"sh", "-c", "trap 'echo caught; exit 5' TERM; echo ready; while :; do sleep 0.01; done"};
  Process process(options);
  ASSERT_TRUE(process.wait_for("ready"));
  process.signal(SIGTERM);
  const auto result = process.wait();
  EXPECT_EQ(result.status, 5);
  EXPECT_EQ(result.out, "ready\ncaught\n");
}

TEST(FaultySys, FailsTheChosenOperationOnly) {
  FaultySys sys;
  sys.record();
  sys.fail_nth(2, EIO, SysOp::fsync);
  const TempDir dir;
  const auto opened = sys.openat(AT_FDCWD, (dir / "x").c_str(), O_CREAT | O_WRONLY, 0600);
  ASSERT_TRUE(opened);
  EXPECT_EQ(sys.fsync(opened.value), 0);
  EXPECT_FALSE(sys.faulted());
  EXPECT_EQ(sys.fsync(opened.value), EIO);
  EXPECT_EQ(sys.fsync(opened.value), 0);
  sys.close(opened.value);
  EXPECT_TRUE(sys.faulted());
  EXPECT_EQ(sys.count(), 5u);
  EXPECT_EQ(sys.count(SysOp::fsync), 3u);
  EXPECT_THAT(sys.log_text(), HasSubstr("(injected)"));
}

TEST(FaultySys, LimitsSpaceWithAShortWriteAtTheBorder) {
  FaultySys sys;
  sys.limit_space(10);
  const TempDir dir;
  const Fd fd(sys, sys.openat(AT_FDCWD, (dir / "x").c_str(), O_CREAT | O_WRONLY, 0600).value);
  EXPECT_EQ(sys.write(fd.get(), as_bytes("1234567")).value, 7u);
  EXPECT_EQ(sys.write(fd.get(), as_bytes("1234567")).value, 3u);
  EXPECT_EQ(sys.write(fd.get(), as_bytes("1234567")).error, ENOSPC);
}

TEST(FaultySys, ShortensTransfers) {
  FaultySys sys;
  sys.shorten(2, kWrites);
  const TempDir dir;
  const Fd fd(sys, sys.openat(AT_FDCWD, (dir / "x").c_str(), O_CREAT | O_RDWR, 0600).value);
  EXPECT_EQ(sys.write(fd.get(), as_bytes("123")).value, 2u);
  Buffer out(3);
  EXPECT_EQ(sys.pread(fd.get(), out, 0).value, 2u);
}

TEST(FaultySys, SweepsMeetEveryOperationOnce) {
  std::uint64_t attempts = 0;
  const auto three = [](FaultySys& sys) {
    for (int i = 0; i < 3; ++i) static_cast<void>(sys.fstatat(AT_FDCWD, "/", 0));
  };
  EXPECT_EQ(sweep_faults(EIO, kEveryOp, [&](FaultySys& sys, std::uint64_t) { three(sys), ++attempts; }), 3u);
  EXPECT_EQ(attempts, 4u);
  EXPECT_EQ(sweep_kills(kEveryOp, three, [](std::uint64_t) {}), 3u);
}

}  // namespace
}  // namespace mmh::test
