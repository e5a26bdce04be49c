#include "mmh/tree/walk.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

#include "mmh/base/files.h"
#include "support/faulty_sys.h"
#include "support/process.h"
#include "support/trees.h"
#include "tree_support.h"

namespace mmh::tree {
namespace {

using test::error_of;
using test::FaultySys;
using test::Problems;
using test::SysOp;
using test::TempDir;
using test::walk_all;
using test::walk_paths;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

void touch(const std::string& path, std::string_view text = "x") { test::write_file(path, as_bytes(text)); }

class Walk : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* const name : {"a", "a/b", "a/b/c", "a.d", "z"}) ::mkdir((temp_ / name).c_str(), 0755);
    for (const char* const name : {"a/b/c/one.c", "a/b/two.o", "a/three.c", "a.d/four", "five", "a!"})
      touch(temp_ / name);
  }
  std::vector<std::string> paths(std::vector<std::string> roots, WalkOptions options = {}) {
    options.base = temp_.path();
    options.roots = std::move(roots);
    return walk_paths(std::move(options), problems_);
  }
  Errc refusal(std::vector<std::string> roots) {
    return error_of(Walker::open(real_sys(), {.base = temp_.path(), .roots = std::move(roots)}, problems_.sink()));
  }
  TempDir temp_;
  Problems problems_;
};

TEST_F(Walk, YieldsManifestOrder) {
  EXPECT_THAT(paths({"."}), ElementsAre("a", "a/b", "a/b/c", "a/b/c/one.c", "a/b/two.o", "a/three.c", "a!", "a.d",
                                        "a.d/four", "five", "z"));
  EXPECT_THAT(problems_.messages, IsEmpty());
}

TEST_F(Walk, StoresRootsWithoutTheDirectoriesAboveThem) {
  EXPECT_THAT(paths({"a/b/c"}), ElementsAre("a/b/c", "a/b/c/one.c"));
  EXPECT_THAT(paths({"./a//b/./c/"}), ElementsAre("a/b/c", "a/b/c/one.c"));
  const std::string absolute = temp_ / "a.d";
  EXPECT_THAT(paths({absolute}), ElementsAre(absolute.substr(1), absolute.substr(1) + "/four"));
}

TEST_F(Walk, MergesRootsIntoOneOrderAndTakesNothingTwice) {
  EXPECT_THAT(paths({"z", "five", "a/b", "a", "a/b/c/one.c", "five", "a!"}),
              ElementsAre("a", "a/b", "a/b/c", "a/b/c/one.c", "a/b/two.o", "a/three.c", "a!", "five", "z"));
  EXPECT_THAT(paths({"a", "."}).size(), 11);
}

TEST_F(Walk, RefusesRootsThatCannotBeStored) {
  EXPECT_EQ(refusal({"../x"}), Errc::unsafe);
  EXPECT_EQ(refusal({"a/../five"}), Errc::unsafe);
  EXPECT_EQ(refusal({""}), Errc::usage);
  EXPECT_EQ(refusal({}), Errc::usage);
  const std::string absolute = temp_ / "a";
  EXPECT_EQ(refusal({absolute, absolute.substr(1)}), Errc::unsafe);
}

TEST_F(Walk, MissingRootsAreProblemsUnlessNoneIsThere) {
  EXPECT_EQ(refusal({"missing", "nor/this"}), Errc::not_found);
  EXPECT_THAT(paths({"missing", "five", "nor/this"}), ElementsAre("five"));
  EXPECT_THAT(problems_.codes, ElementsAre(Errc::not_found, Errc::not_found));
}

TEST_F(Walk, ExcludesWithAllBelow) {
  EXPECT_THAT(paths({"."}, {.exclude = {"b", "*.d", "/z"}}), ElementsAre("a", "a/three.c", "a!", "five"));
  EXPECT_THAT(paths({"."}, {.exclude = {"a/*/"}}), ElementsAre("a", "a!", "a.d", "a.d/four", "five", "z"));
  EXPECT_THAT(paths({"a/b/c"}, {.exclude = {"a/b"}}), IsEmpty());
}

TEST_F(Walk, IncludesWithTheDirectoriesAbove) {
  EXPECT_THAT(paths({"."}, {.include = {"*.c"}}), ElementsAre("a", "a/b", "a/b/c", "a/b/c/one.c", "a/three.c"));
  EXPECT_THAT(paths({"."}, {.include = {"a/b/c"}}), ElementsAre("a", "a/b", "a/b/c", "a/b/c/one.c"));
  EXPECT_THAT(paths({"."}, {.exclude = {"one*"}, .include = {"*.c", "z"}}), ElementsAre("a", "a/three.c", "z"));
  EXPECT_THAT(paths({"a/b"}, {.include = {"a"}}), ElementsAre("a/b", "a/b/c", "a/b/c/one.c", "a/b/two.o"));
  EXPECT_THAT(paths({"."}, {.include = {"nothing"}}), IsEmpty());
}

TEST_F(Walk, SkipsGivenInodes) {
  struct stat st{};
  ASSERT_EQ(::stat((temp_ / "five").c_str(), &st), 0);
  EXPECT_THAT(paths({"five", "z"}, {.skip_inodes = {{1, 1}, {st.st_dev, st.st_ino}}}), ElementsAre("z"));
}

TEST_F(Walk, KeepsLinksUnlessFollowing) {
  ASSERT_EQ(::symlink("../a.d", (temp_ / "z/dir").c_str()), 0);
  ASSERT_EQ(::symlink("../five", (temp_ / "z/file").c_str()), 0);
  ASSERT_EQ(::symlink("nowhere", (temp_ / "z/dangling").c_str()), 0);
  ASSERT_EQ(::symlink("..", (temp_ / "z/up").c_str()), 0);
  ASSERT_EQ(::symlink("self", (temp_ / "z/self").c_str()), 0);
  const auto types = [&](bool follow) {
    std::vector<std::pair<std::string, EntryType>> all;
    for (const WalkItem& item : walk_all(
             real_sys(), {.base = temp_.path(), .roots = {"z"}, .exclude = {"a", "a!"}, .follow = follow}, problems_)) {
      all.emplace_back(item.entry.path, item.entry.type);
    }
    return all;
  };
  using enum EntryType;
  EXPECT_THAT(types(false),
              ElementsAre(std::pair("z", directory), std::pair("z/dangling", symlink), std::pair("z/dir", symlink),
                          std::pair("z/file", symlink), std::pair("z/self", symlink), std::pair("z/up", symlink)));
  // "up" is not above itself at first, but its "z" is.
  EXPECT_THAT(types(true),
              ElementsAre(std::pair("z", directory), std::pair("z/dangling", symlink), std::pair("z/dir", directory),
                          std::pair("z/dir/four", regular), std::pair("z/file", regular), std::pair("z/self", symlink),
                          std::pair("z/up", directory), std::pair("z/up/a.d", directory),
                          std::pair("z/up/a.d/four", regular), std::pair("z/up/five", regular)));
}

TEST_F(Walk, TrailingSlashOfARootFollowsItsLink) {
  ASSERT_EQ(::symlink("a.d", (temp_ / "link").c_str()), 0);
  EXPECT_THAT(paths({"link"}), ElementsAre("link"));
  Problems problems;
  auto items = walk_all(real_sys(), {.base = temp_.path(), .roots = {"link/"}}, problems);
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0].entry.type, EntryType::directory);
  EXPECT_OK(read_xattrs(real_sys(), items[0], {}));
  EXPECT_EQ(items[1].entry.path, "link/four");
  EXPECT_THAT(paths({"five/", "z"}), ElementsAre("z"));
  EXPECT_THAT(problems_.messages, ElementsAre(HasSubstr("not a directory")));
}

TEST_F(Walk, ReportsSocketsAndGoesOn) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (temp_ / "z/socket").copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  touch(temp_ / "z/t");
  EXPECT_THAT(paths({"z"}), ElementsAre("z", "z/t"));
  EXPECT_THAT(problems_.codes, ElementsAre(Errc::unsupported));
  ::close(fd);
}

TEST_F(Walk, ReportsWhatItCannotReadAndGoesOn) {
  // Root may read everything, so the refusal is made up.
  FaultySys sys;
  sys.fail_nth(3, EACCES, SysOp::openat);
  const auto items = walk_all(sys, {.base = temp_.path(), .roots = {"."}}, problems_);
  EXPECT_EQ(items.size(), 6U) << "all but what is below a";
  EXPECT_THAT(problems_.codes, ElementsAre(Errc::permission));
  EXPECT_THAT(problems_.messages, ElementsAre(HasSubstr("a: cannot open")));
}

TEST_F(Walk, SurvivesAFaultInEveryOperation) {
  test::sweep_faults(EIO, test::kEveryOp, [&](FaultySys& sys, std::uint64_t n) {
    Problems problems;
    auto walker = Walker::open(sys, {.base = temp_.path(), .roots = {"a", "five", "z"}}, problems.sink());
    if (!walker) return;
    std::size_t count = 0;
    for (;;) {
      auto item = (*walker)->next();
      ASSERT_TRUE(item.has_value());
      if (!*item) break;
      ++count;
      // Faults in here are the caller's to report.
      if ((*item)->entry.type == EntryType::regular) {
        static_cast<void>(open_file(sys, **item, {}).has_value());
      }
    }
    EXPECT_TRUE(count == 8 || !problems.messages.empty()) << n;
  });
}

TEST_F(Walk, StopsWhenCancelled) {
  CancelFlag cancel;
  const auto walker =
      Walker::open(real_sys(), {.base = temp_.path(), .roots = {"."}, .cancel = &cancel}, problems_.sink());
  ASSERT_OK(walker);
  ASSERT_OK((*walker)->next());
  cancel.set();
  EXPECT_EQ(error_of((*walker)->next()), Errc::cancelled);
}

TEST_F(Walk, OneFileSystemKeepsMountPointsEmpty) {
  if (::geteuid() != 0 || test::run_process({"mount", "-t", "tmpfs", "none", temp_ / "z"}).status != 0) {
    GTEST_SKIP() << "cannot mount";
  }
  ::mkdir((temp_ / "z/in").c_str(), 0755);
  touch(temp_ / "z/in/side");
  EXPECT_THAT(paths({"."}, {.exclude = {"a*"}}), ElementsAre("five", "z", "z/in", "z/in/side"));
  EXPECT_THAT(paths({"."}, {.exclude = {"a*"}, .one_file_system = true}), ElementsAre("five", "z"));
  EXPECT_THAT(paths({".", "z"}, {.exclude = {"a*"}, .one_file_system = true}),
              ElementsAre("five", "z", "z/in", "z/in/side"));
  EXPECT_EQ(test::run_process({"umount", temp_ / "z"}).status, 0);
}

// Makes `levels` directories of one name, each in the one before; their whole path may be longer than paths may be.
// `extra` is called in every one.
void make_deep(const std::string& from, const std::string& name, int levels, const std::function<void(int)>& extra) {
  int fd = ::open(from.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (int level = 0; level < levels; ++level) {
    ASSERT_EQ(::mkdirat(fd, name.c_str(), 0755), 0);
    const int below = ::openat(fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    extra(fd);
    ::close(fd);
    fd = below;
    ASSERT_GE(fd, 0);
  }
  ::close(fd);
}

TEST(WalkDeep, GoesDeeperThanDescriptorsLast) {
  const TempDir temp;
  constexpr int kLevels = 600;
  make_deep(temp.path(), "deep", kLevels, [](int directory) {
    ::close(::openat(directory, "after", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    ASSERT_EQ(::mkdirat(directory, "zz", 0755), 0);
  });
  for (const bool follow : {false, true}) {
    FaultySys sys;
    sys.record();
    Problems problems;
    std::size_t count = 0;
    auto walker = Walker::open(sys, {.base = temp.path(), .roots = {"."}, .follow = follow}, problems.sink());
    ASSERT_OK(walker);
    for (;;) {
      auto item = (*walker)->next();
      ASSERT_OK(item);
      if (!*item) break;
      ++count;
      if (!problems.messages.empty()) break;
    }
    EXPECT_THAT(problems.messages, IsEmpty());
    EXPECT_EQ(count, 3U * kLevels);
    int highest = 0;
    for (const FaultySys::Call& call : sys.log()) highest = std::max(highest, call.fd);
    EXPECT_LT(highest, 120);
  }
}

TEST(WalkDeep, LeavesOutAndReportsPathsBeyondTheLimit) {
  const TempDir temp;
  make_deep(temp.path(), std::string(250, 'x'), 20, [](int) {});
  Problems problems;
  const auto paths = walk_paths({.base = temp.path(), .roots = {"."}}, problems);
  EXPECT_THAT(problems.codes, ElementsAre(Errc::limit));
  std::size_t longest = 0;
  for (const std::string& path : paths) longest = std::max(longest, path.size());
  EXPECT_GT(longest, 4000U);
  EXPECT_LE(longest, kPathSizeMax);
}

TEST(WalkRandomTree, AgreesWithFind) {
  const TempDir temp;
  test::make_tree(temp / "tree", test::readable({.seed = 5, .entries = 400}));
  test::add_odd_objects(temp / "tree");
  Problems problems;
  std::vector<std::string> lines;
  for (const WalkItem& item : walk_all(real_sys(), {.base = temp / "tree", .roots = {"."}}, problems)) {
    const Entry& e = item.entry;
    const char types[] = "fdlhpcb";
    std::string line = e.path + "|" + types[static_cast<unsigned>(e.type)];
    line += "|" + std::to_string(e.uid) + "|" + std::to_string(e.gid) + "|" + std::to_string(item.inode) + "|" +
            std::to_string(item.links);
    if (e.type == EntryType::regular) line += "|" + std::to_string(e.size);
    line += "|" + e.link;
    lines.push_back(std::move(line));
  }
  EXPECT_THAT(problems.messages, IsEmpty());
  std::vector<std::string> found;
  const std::string out = test::shell("cd " + test::quoted(temp / "tree") +
                                      " && find . -mindepth 1 \\( -type f -printf '%P|%y|%U|%G|%i|%n|%s|\\0' \\) -o "
                                      "-printf '%P|%y|%U|%G|%i|%n|%l\\0'");
  for (std::size_t start = 0; start < out.size(); start = out.find('\0', start) + 1)
    found.emplace_back(out.c_str() + start);
  ASSERT_GT(found.size(), 300U);
  EXPECT_TRUE(std::is_sorted(lines.begin(), lines.end(), [](const std::string& a, const std::string& b) {
    return compare_paths(a.substr(0, a.find('|')), b.substr(0, b.find('|'))) < 0;
  }));
  std::sort(found.begin(), found.end());
  std::sort(lines.begin(), lines.end());
  EXPECT_EQ(lines, found);
}

class OpenFile : public testing::Test {
 protected:
  WalkItem find(const std::string& name) {
    auto items = walk_all(real_sys(), {.base = temp_.path(), .roots = {name}}, problems_);
    EXPECT_EQ(items.size(), 1U);
    return std::move(items.at(0));
  }
  TempDir temp_;
  Problems problems_;
};

TEST_F(OpenFile, FindsTheRunsOfData) {
  test::add_odd_objects(temp_.path());
  touch(temp_ / "plain", "plain");
  touch(temp_ / "empty", "");
  const auto runs = [&](const std::string& name) {
    WalkItem item = find(name);
    const auto file = open_file(real_sys(), item, {});
    EXPECT_TRUE(file.has_value());
    std::vector<std::pair<std::uint64_t, std::uint64_t>> all;
    for (const DataRun& run : file->runs) all.emplace_back(run.offset, run.length);
    return all;
  };
  EXPECT_THAT(runs("plain"), ElementsAre(std::pair(0, 5)));
  EXPECT_THAT(runs("empty"), IsEmpty());
  EXPECT_THAT(runs("hole"), IsEmpty());
  EXPECT_THAT(runs("sparse"), ElementsAre(std::pair(1 << 20, 4096), std::pair(3 << 20, 4096)));
}

TEST_F(OpenFile, NoticesWhatTookItsPlace) {
  touch(temp_ / "file", "one");
  touch(temp_ / "other", "other");
  WalkItem item = find("file");
  ASSERT_OK(open_file(real_sys(), item, {}));
  for (const std::string command :
       {"mv other file", "ln -sf /etc/passwd file", "rm file && mkfifo file", "rm file && mkdir file", "rmdir file"}) {
    test::shell("cd " + test::quoted(temp_.path()) + " && " + command);
    EXPECT_EQ(error_of(open_file(real_sys(), item, {})), Errc::changed) << command;
  }
}

TEST_F(OpenFile, TakesSizeAndTimesFromTheOpenFile) {
  touch(temp_ / "file", "one");
  WalkItem item = find("file");
  touch(temp_ / "file", "longer");
  const timespec times[2] = {{5, 6}, {7, 8}};
  ::utimensat(AT_FDCWD, (temp_ / "file").c_str(), times, 0);
  auto file = open_file(real_sys(), item, {});
  ASSERT_OK(file);
  EXPECT_EQ(item.entry.size, 6U);
  EXPECT_EQ(item.entry.mtime_seconds, 7);
  EXPECT_EQ(item.entry.mtime_nanoseconds, 8U);
  EXPECT_EQ(changed_since(real_sys(), *file).value(), false);
  touch(temp_ / "file", "again6");
  EXPECT_EQ(changed_since(real_sys(), *file).value(), true);
}

TEST_F(OpenFile, LeavesTheAccessTimeAlone) {
  touch(temp_ / "file", "one");
  const timespec times[2] = {{5, 6}, {7, 8}};
  ::utimensat(AT_FDCWD, (temp_ / "file").c_str(), times, 0);
  WalkItem item = find("file");
  auto file = open_file(real_sys(), item, {});
  ASSERT_OK(file);
  Buffer bytes(3);
  ASSERT_EQ(real_sys().pread(file->fd.get(), bytes, 0).value, 3U);
  struct stat st{};
  ASSERT_EQ(::stat((temp_ / "file").c_str(), &st), 0);
  EXPECT_EQ(st.st_atim.tv_sec, 5);
}

TEST_F(OpenFile, OpensOthersFilesWithoutThatPrivilege) {
  touch(temp_ / "file", "one");
  WalkItem item = find("file");
  FaultySys sys;
  sys.fail_nth(1, EPERM, SysOp::openat);
  EXPECT_OK(open_file(sys, item, {}));
}

TEST_F(OpenFile, ReadsAttributesSorted) {
  touch(temp_ / "file", "one");
  if (test::run_process({"setfattr", "-n", "user.zz", "-v", "2", temp_ / "file"}).status != 0)
    GTEST_SKIP() << "no xattrs";
  test::shell("setfattr -n user.aa -v 1 " + test::quoted(temp_ / "file"));
  WalkItem item = find("file");
  ASSERT_OK(open_file(real_sys(), item, {}));
  EXPECT_THAT(item.entry.xattrs, ElementsAre(std::pair("user.aa", "1"), std::pair("user.zz", "2")));
  WalkItem without = find("file");
  ASSERT_OK(open_file(real_sys(), without, {.xattrs = false}));
  EXPECT_THAT(without.entry.xattrs, IsEmpty());
}

}  // namespace
}  // namespace mmh::tree
