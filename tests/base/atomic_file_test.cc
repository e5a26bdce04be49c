#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "mmh/base/files.h"
#include "support/faulty_sys.h"
#include "support/support.h"
#include "support/trees.h"

namespace mmh {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::FaultySys;
using test::SysOp;
using test::TempDir;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// Systems that lack this or that, as real ones do.
struct Lacks {
  const char* name;
  bool tmpfile = false;           // O_TMPFILE: NFS, FUSE, old overlayfs
  bool proc = false;              // /proc is not mounted
  bool proc_link = false;         // a sandbox forbids linking by way of /proc
  bool rename_noreplace = false;  // NFS, old FUSE
  bool hard_links = false;        // FAT
  bool directory_sync = false;
  bool directory_read = false;  // may be written and searched only
};

class LackingSys : public Sys {
 public:
  explicit LackingSys(const Lacks& lacks) : lacks_(lacks) {}

  SysResult<int> openat(int dir, const char* path, int flags, mode_t mode) override {
    if (lacks_.tmpfile && (flags & O_TMPFILE) == O_TMPFILE) return {-1, EOPNOTSUPP};
    const bool directory = (flags & O_TMPFILE) != O_TMPFILE && (flags & O_DIRECTORY) != 0;
    if (lacks_.directory_read && directory && (flags & O_PATH) == 0) return {-1, EACCES};
    return Sys::openat(dir, path, flags, mode);
  }
  SysResult<struct stat> fstatat(int dir, const char* path, int flags) override {
    if (lacks_.proc && std::string_view(path).starts_with("/proc/")) return {{}, ENOENT};
    return Sys::fstatat(dir, path, flags);
  }
  int linkat(int from_dir, const char* from, int to_dir, const char* to, int flags) override {
    const bool by_proc = std::string_view(from).starts_with("/proc/");
    if (by_proc && (lacks_.proc_link || lacks_.proc)) return EACCES;
    if (lacks_.hard_links && *from != '\0' && !by_proc) return EPERM;
    return Sys::linkat(from_dir, from, to_dir, to, flags);
  }
  int renameat(int from_dir, const char* from, int to_dir, const char* to, unsigned flags) override {
    if (lacks_.rename_noreplace && flags != 0) return EINVAL;
    return Sys::renameat(from_dir, from, to_dir, to, flags);
  }
  int fsync(int fd) override {
    struct stat info{};
    if (lacks_.directory_sync && ::fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) return EINVAL;
    return Sys::fsync(fd);
  }

 private:
  Lacks lacks_;
};

// What is under the name before, and whether it may be replaced.
enum class Before { nothing, nothing_but_replaceable, older_file };
constexpr Before kEveryBefore[] = {Before::nothing, Before::nothing_but_replaceable, Before::older_file};

const std::string kOld = "what was here before";
const std::string kNew = "onetwothree";

Result<> write_whole(Sys& sys, const std::string& path, bool replace, const std::vector<std::string_view>& pieces) {
  MMH_LET(const auto file, AtomicFile::create(sys, path, replace));
  for (const auto piece : pieces) MMH_TRY(file->write(as_bytes(piece)));
  return file->commit();
}

class AtomicFileWithout : public ::testing::TestWithParam<Lacks> {
 protected:
  std::string path() const { return dir_ / "out.mmh"; }

  void SetUp() override {
    if (GetParam().proc_link && !can_link_without_proc()) GTEST_SKIP() << "needs a privilege or a recent kernel";
  }

  bool can_link_without_proc() const {
    const Fd fd(real_sys(), ::open(dir_.path().c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    const bool can = fd && ::linkat(fd.get(), "", AT_FDCWD, path().c_str(), AT_EMPTY_PATH) == 0;
    fs::remove(path());
    return can;
  }

  void prepare(Before before) {
    for (const auto& entry : fs::directory_iterator(dir_.path())) fs::remove(entry.path());
    before_ = before;
    if (before == Before::older_file) test::write_file(path(), as_bytes(kOld));
  }

  Result<> attempt(Sys& sys) {
    return write_whole(sys, path(), before_ != Before::nothing, {"one", "", "two", "three"});
  }

  std::optional<std::string> content() const {
    if (!fs::exists(path())) return std::nullopt;
    return std::string(as_text(test::read_file(path())));
  }
  std::optional<std::string> content_before() const {
    return before_ == Before::older_file ? std::optional(kOld) : std::nullopt;
  }
  std::vector<std::string> others() const {
    auto names = test::list_tree(dir_.path());
    std::erase(names, "out.mmh");
    return names;
  }
  // What must hold after an attempt, whatever happened to it.
  void expect_whole_or_as_before(const Result<>& result) const {
    if (result) {
      EXPECT_EQ(content(), kNew);
    } else if (result.error().what.find("is whole") != std::string::npos) {
      EXPECT_EQ(content(), kNew);
      EXPECT_THAT(result.error().what, HasSubstr("cannot be synced"));
    } else {
      EXPECT_EQ(content(), content_before());
      EXPECT_THAT(result.error().what, StartsWith(dir_ / ""));
    }
  }

  TempDir dir_;
  LackingSys lacking_{GetParam()};
  Before before_ = Before::nothing;
};

TEST_P(AtomicFileWithout, AppearsWholeUnderItsName) {
  for (const Before before : kEveryBefore) {
    prepare(before);
    EXPECT_OK(attempt(lacking_));
    EXPECT_EQ(content(), kNew);
    EXPECT_THAT(others(), IsEmpty());
  }
}

TEST_P(AtomicFileWithout, LeavesNothingWhenItIsNotCommitted) {
  for (const Before before : kEveryBefore) {
    prepare(before);
    auto file = AtomicFile::create(lacking_, path(), before != Before::nothing).value();
    EXPECT_OK(file->write(as_bytes("one")));
    EXPECT_EQ(content(), content_before());
    file.reset();
    EXPECT_EQ(content(), content_before());
    EXPECT_THAT(others(), IsEmpty());
  }
}

TEST_P(AtomicFileWithout, IsWholeOrAbsentWhicheverOperationFails) {
  for (const Before before : kEveryBefore) {
    for (const int error : {EIO, ENOSPC, EPERM}) {
      const auto attempt_with = [&](FaultySys& sys, std::uint64_t n) {
        prepare(before);
        sys.record();
        const Result<> result = attempt(sys);
        SCOPED_TRACE(fmt::format("operation {}, error {}\n{}", n, error, sys.log_text()));
        expect_whole_or_as_before(result);
        const auto log = sys.log();
        const bool unlink_failed = std::any_of(
            log.begin(), log.end(), [](const auto& call) { return call.injected && call.op == SysOp::unlinkat; });
        EXPECT_EQ(others().size(), unlink_failed ? 1u : 0u);
      };
      EXPECT_GE(test::sweep_faults(error, test::kEveryOp, attempt_with, lacking_), 8u);
    }
  }
}

TEST_P(AtomicFileWithout, IsWholeOrAbsentOnADiskThatDies) {
  for (const Before before : kEveryBefore) {
    bool faulted = true;
    for (std::uint64_t n = 1; faulted; ++n) {
      prepare(before);
      FaultySys sys(lacking_);
      // Removing works: this is about the final name.
      sys.fail_from(n, EIO, ~test::SysOps(SysOp::unlinkat));
      expect_whole_or_as_before(attempt(sys));
      EXPECT_THAT(others(), IsEmpty()) << n;
      faulted = sys.faulted();
    }
  }
}

TEST_P(AtomicFileWithout, IsWholeOrAbsentWhereverTheProcessIsKilled) {
  const bool has_temporary_name = GetParam().tmpfile || GetParam().proc;
  for (const Before before : kEveryBefore) {
    prepare(before);
    std::size_t left_behind = 0;
    const auto check = [&](std::uint64_t n) {
      if (content() != content_before()) {
        EXPECT_EQ(content(), kNew) << n;
      }
      for (const std::string& name : others()) EXPECT_THAT(name, StartsWith(".out.mmh.mmh-")) << n;
      left_behind += others().size();
      prepare(before);
    };
    const auto kills =
        test::sweep_kills(test::kEveryOp, [&](FaultySys& sys) { static_cast<void>(attempt(sys)); }, check, lacking_);
    EXPECT_GE(kills, 8u);
    // Over an existing file there is a moment between two names; otherwise a file without a name just vanishes.
    if (!has_temporary_name) {
      EXPECT_EQ(left_behind, before == Before::older_file ? 1u : 0u);
    }
  }
}

TEST_P(AtomicFileWithout, WritesOnAfterShortWrites) {
  prepare(Before::nothing);
  FaultySys sys(lacking_);
  sys.shorten(1);
  EXPECT_OK(attempt(sys));
  EXPECT_EQ(content(), kNew);
}

TEST_P(AtomicFileWithout, TellsThatTheDiskIsFull) {
  for (const Before before : kEveryBefore) {
    prepare(before);
    FaultySys sys(lacking_);
    sys.limit_space(5);
    EXPECT_EQ(error_of(attempt(sys)), Errc::no_space);
    EXPECT_EQ(content(), content_before());
    EXPECT_THAT(others(), IsEmpty());
  }
}

TEST_P(AtomicFileWithout, DoesNotReplaceWhatAppearedMeanwhile) {
  auto file = AtomicFile::create(lacking_, path(), false).value();
  EXPECT_OK(file->write(as_bytes("new")));
  test::write_file(path(), as_bytes("somebody else's"));
  EXPECT_EQ(error_of(file->commit()), Errc::exists);
  file.reset();
  EXPECT_EQ(content(), "somebody else's");
  EXPECT_THAT(others(), IsEmpty());
}

TEST_P(AtomicFileWithout, LeavesTheTemporariesOfOthersAlone) {
  const std::string theirs = fmt::format(".out.mmh.mmh-{}.tmp", ::getpid());
  for (const Before before : kEveryBefore) {
    prepare(before);
    test::write_file(dir_ / theirs, as_bytes("theirs"));
    EXPECT_OK(attempt(lacking_));
    EXPECT_EQ(content(), kNew);
    EXPECT_THAT(others(), ElementsAre(theirs));
    EXPECT_EQ(as_text(test::read_file(dir_ / theirs)), "theirs");
  }
}

TEST_P(AtomicFileWithout, TwoAtOnceKeepApart) {
  auto one = AtomicFile::create(lacking_, path(), true).value();
  auto two = AtomicFile::create(lacking_, path(), true).value();
  EXPECT_OK(one->write(as_bytes("first")));
  EXPECT_OK(two->write(as_bytes("second")));
  EXPECT_OK(one->commit());
  EXPECT_EQ(content(), "first");
  EXPECT_OK(two->commit());
  EXPECT_EQ(content(), "second");
  EXPECT_THAT(others(), IsEmpty());
}

constexpr Lacks kSystems[] = {
    {.name = "Nothing"},
    {.name = "Tmpfile", .tmpfile = true},
    {.name = "Proc", .proc = true},
    {.name = "LinkingByProc", .proc_link = true},
    {.name = "WhatNetworkFileSystemsLack", .tmpfile = true, .rename_noreplace = true},
    {.name = "WhatFatLacks", .tmpfile = true, .rename_noreplace = true, .hard_links = true},
    {.name = "DirectorySync", .directory_sync = true},
    {.name = "DirectoryRead", .directory_read = true},
};

INSTANTIATE_TEST_SUITE_P(Systems, AtomicFileWithout, ::testing::ValuesIn(kSystems),
                         [](const auto& test_info) { return std::string(test_info.param.name); });

TEST(AtomicFile, IsBuiltWithoutANameSoThatKillingItLeavesNothing) {
  const TempDir dir;
  auto file = AtomicFile::create(real_sys(), dir / "out", false).value();
  EXPECT_OK(file->write(as_bytes("one")));
  EXPECT_THAT(test::list_tree(dir.path()), IsEmpty());
}

TEST(AtomicFile, RefusesAnExistingFileBeforeAnyWork) {
  const TempDir dir;
  test::write_file(dir / "out", as_bytes("old"));
  const auto file = AtomicFile::create(real_sys(), dir / "out", false);
  EXPECT_EQ(error_of(file), Errc::exists);
  EXPECT_THAT(file.error().what, HasSubstr("--force"));
}

TEST(AtomicFile, RefusesADanglingLinkBeforeAnyWork) {
  const TempDir dir;
  fs::create_symlink("nowhere", dir / "out");
  EXPECT_EQ(error_of(AtomicFile::create(real_sys(), dir / "out", false)), Errc::exists);
}

TEST(AtomicFile, ReplacesALinkAndNotWhatItPointsTo) {
  const TempDir dir;
  test::write_file(dir / "target", as_bytes("old"));
  fs::create_symlink("target", dir / "out");
  EXPECT_OK(write_whole(real_sys(), dir / "out", true, {"new"}));
  EXPECT_FALSE(fs::is_symlink(dir / "out"));
  EXPECT_EQ(as_text(test::read_file(dir / "out")), "new");
  EXPECT_EQ(as_text(test::read_file(dir / "target")), "old");
}

TEST(AtomicFile, RefusesDirectoriesHoweverTheyAreNamed) {
  const TempDir dir;
  fs::create_directory(dir / "sub");
  fs::create_symlink("sub", dir / "link");
  for (const char* const name : {"sub", "sub/", "sub/.", "sub/..", "link", ""}) {
    EXPECT_EQ(error_of(AtomicFile::create(real_sys(), dir / name, true)), Errc::usage) << name;
  }
}

TEST(AtomicFile, NeverReplacesADeviceOrPipe) {
  const TempDir dir;
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  fs::create_symlink("/dev/null", dir / "null");
  for (const std::string& path : {dir / "pipe", dir / "null", std::string("/dev/null")}) {
    for (const bool replace : {false, true}) {
      const auto file = AtomicFile::create(real_sys(), path, replace);
      EXPECT_EQ(error_of(file), Errc::usage) << path;
      EXPECT_THAT(file.error().what, HasSubstr("standard output"));
    }
  }
}

TEST(AtomicFile, NamesAMissingDirectory) {
  const TempDir dir;
  const auto file = AtomicFile::create(real_sys(), dir / "missing/out", false);
  EXPECT_EQ(error_of(file), Errc::not_found);
  EXPECT_THAT(file.error().what, HasSubstr("missing/: cannot open the directory"));
}

TEST(AtomicFile, TakesANameInTheCurrentDirectory) {
  const TempDir dir;
  const fs::path here = fs::current_path();
  fs::current_path(dir.path());
  EXPECT_OK(write_whole(real_sys(), "out", false, {"new"}));
  fs::current_path(here);
  EXPECT_EQ(as_text(test::read_file(dir / "out")), "new");
}

TEST(AtomicFile, TakesTheLongestNames) {
  const TempDir dir;
  for (const std::string& name : {std::string(255, 'n'), std::string(127, '\xc3') + "x"}) {
    for (const bool tmpfile : {false, true}) {
      LackingSys sys({.name = "", .tmpfile = tmpfile});
      EXPECT_OK(write_whole(sys, dir / name, true, {"new"}));
    }
  }
  EXPECT_EQ(error_of(AtomicFile::create(real_sys(), dir / std::string(256, 'n'), true)), Errc::limit);
}

TEST(AtomicFile, HeedsModeAndUmask) {
  const TempDir dir;
  const mode_t old = ::umask(027);
  for (const bool tmpfile : {false, true}) {
    LackingSys sys({.name = "", .tmpfile = tmpfile});
    auto file = AtomicFile::create(sys, dir / "out", true, 0666).value();
    EXPECT_OK(file->commit());
    struct stat info{};
    ASSERT_EQ(::stat((dir / "out").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0640u);
  }
  ::umask(old);
}

TEST(AtomicFile, SyncsTheBytesBeforeTheNameAndTheNameAfter) {
  const TempDir dir;
  FaultySys sys;
  sys.record();
  EXPECT_OK(write_whole(sys, dir / "out", false, {"new"}));
  std::vector<SysOp> order;
  for (const auto& call : sys.log()) {
    if (call.op == SysOp::write || call.op == SysOp::fsync || call.op == SysOp::linkat) order.push_back(call.op);
  }
  EXPECT_THAT(order, ElementsAre(SysOp::write, SysOp::fsync, SysOp::linkat, SysOp::fsync));
}

}  // namespace
}  // namespace mmh
