#include "mmh/tree/restore.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <thread>

#include "mmh/base/files.h"
#include "support/faulty_sys.h"
#include "support/process.h"
#include "support/trees.h"
#include "tree_support.h"

namespace mmh::tree {
namespace {

using test::compare_trees;
using test::copy_tree;
using test::describe_tree;
using test::error_of;
using test::FaultySys;
using test::keep_all;
using test::list_tree;
using test::Problems;
using test::SysOp;
using test::TempDir;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(WalkAndRestore, KeepEverythingThatRsyncKeeps) {
  const TempDir temp;
  test::make_tree(temp / "from", test::readable({.seed = 11, .entries = 300}));
  test::add_odd_objects(temp / "from");
  Problems problems;
  ASSERT_OK(copy_tree(real_sys(), {.base = temp.path(), .roots = {"from"}}, keep_all(temp / "to"), problems));
  EXPECT_THAT(problems.messages, IsEmpty());
  EXPECT_EQ(compare_trees(temp / "from", temp / "to/from", {.root = true, .holes = true}), "");
  if (!test::program_exists("rsync")) GTEST_SKIP() << "rsync is not installed";
  const std::string compare = "rsync -aHAXSn --devices --specials --delete --itemize-changes ";
  EXPECT_EQ(test::shell(compare + test::quoted(temp / "from") + "/ " + test::quoted(temp / "to/from") + "/"), "");
  // The comparison would have seen a difference.
  test::shell("touch -d 2001-01-01 " + test::quoted(temp / "to/from/hole"));
  EXPECT_NE(test::shell(compare + test::quoted(temp / "from") + "/ " + test::quoted(temp / "to/from") + "/"), "");
}

TEST(WalkAndRestore, ASecondRestoreOverTheFirstChangesNothing) {
  const TempDir temp;
  test::make_tree(temp / "from", test::readable({.seed = 12, .entries = 150}));
  for (const Overwrite overwrite : {Overwrite::always, Overwrite::newer}) {
    for (int round = 0; round < 2; ++round) {
      Problems problems;
      RestoreOptions options = keep_all(temp / "to");
      options.overwrite = overwrite;
      ASSERT_OK(copy_tree(real_sys(), {.base = temp.path(), .roots = {"from"}}, options, problems));
      EXPECT_THAT(problems.messages, IsEmpty());
      EXPECT_EQ(compare_trees(temp / "from", temp / "to/from", {.root = true}), "");
    }
  }
}

TEST(WalkAndRestore, ShortReadsAndWritesMakeNoDifference) {
  const TempDir temp;
  test::make_tree(temp / "from",
                  test::readable({.seed = 13, .entries = 60, .file_size_bytes_max = 5000, .total_bytes_max = 100'000}));
  FaultySys sys;
  sys.shorten(13);
  Problems problems;
  ASSERT_OK(copy_tree(sys, {.base = temp.path(), .roots = {"from"}}, keep_all(temp / "to"), problems));
  EXPECT_THAT(problems.messages, IsEmpty());
  EXPECT_EQ(compare_trees(temp / "from", temp / "to/from"), "");
}

class Restore : public testing::Test {
 protected:
  void SetUp() override {
    ::mkdir((temp_ / "to").c_str(), 0755);
    ::mkdir((temp_ / "outside").c_str(), 0755);
    test::write_file(temp_ / "outside/secret", as_bytes("secret"));
    outside_ = describe_tree(temp_ / "outside");
  }
  void TearDown() override {
    EXPECT_EQ(describe_tree(temp_ / "outside"), outside_) << "something was written outside the target";
    for (const std::string& path : list_tree(temp_ / "to")) {
      EXPECT_EQ(path.find(".mmh-"), std::string::npos) << "left behind: " << path;
    }
  }
  void open(RestoreOptions options = {}) {
    options.target = temp_ / "to";
    auto opened = Restorer::open(sys_ != nullptr ? *sys_ : real_sys(), std::move(options), problems_.sink());
    ASSERT_OK(opened);
    restorer_ = *std::move(opened);
  }
  static Entry entry(std::string path, EntryType type = EntryType::regular, std::string link = {}) {
    Entry made;
    made.path = std::move(path);
    made.type = type;
    made.mode = type == EntryType::directory ? 0755 : 0644;
    made.mtime_seconds = 1'000'000'000;
    made.mtime_nanoseconds = 123;
    made.uid = ::getuid();
    made.gid = ::getgid();
    made.link = std::move(link);
    return made;
  }
  Result<bool> write(std::string path, std::string_view content) {
    Entry made = entry(std::move(path));
    made.size = content.size();
    return restorer_->write_file(made, as_bytes(content));
  }
  // The same by begin_file and commit.
  Result<bool> write_in_steps(std::string path, std::string_view content) {
    Entry made = entry(std::move(path));
    made.size = content.size();
    MMH_LET(const auto file, restorer_->begin_file(made));
    if (file == nullptr) return false;
    MMH_TRY(file->write_at(0, as_bytes(content)));
    MMH_TRY(file->commit());
    return true;
  }
  Result<bool> make(std::string path, EntryType type, std::string link = {}) {
    return restorer_->make(entry(std::move(path), type, std::move(link)));
  }
  std::string at(const std::string& path) const { return temp_ / ("to/" + path); }
  std::string text(const std::string& path) const { return std::string(as_text(test::read_file(at(path)))); }
  mode_t mode_of(const std::string& path) const {
    struct stat st{};
    EXPECT_EQ(::lstat(at(path).c_str(), &st), 0) << path;
    return st.st_mode;
  }

  TempDir temp_;
  Problems problems_;
  std::string outside_;
  std::unique_ptr<FaultySys> sys_;  // used when set; outlives the restorer
  std::unique_ptr<Restorer> restorer_;
};

TEST_F(Restore, RefusesPathsThatLeadOutside) {
  open({.overwrite = Overwrite::always});
  for (const std::string path : {"", "/etc/x", "../x", "a/../../x", "a/..", ".", "a//b", "a/./b"}) {
    EXPECT_EQ(error_of(write(path, "x")), Errc::unsafe) << path;
    EXPECT_EQ(error_of(write_in_steps(path, "x")), Errc::unsafe) << path;
    EXPECT_EQ(error_of(make(path, EntryType::directory)), Errc::unsafe) << path;
    EXPECT_EQ(error_of(make(path, EntryType::symlink, "x")), Errc::unsafe) << path;
    EXPECT_EQ(error_of(make("link", EntryType::hard_link, path)), Errc::unsafe) << path;
  }
  EXPECT_EQ(error_of(write(std::string("a\0b", 3), "x")), Errc::unsafe);
  EXPECT_THAT(list_tree(temp_ / "to"), IsEmpty());
}

TEST_F(Restore, WritesNothingThroughALinkItMade) {
  open({.overwrite = Overwrite::always});
  for (const std::string& target : {temp_ / "outside", std::string("../outside"), std::string(".")}) {
    ASSERT_OK(make("link", EntryType::symlink, target));
    const auto refused = write("link/file", "x");
    EXPECT_EQ(error_of(refused), Errc::unsafe);
    EXPECT_THAT(refused.error().what, HasSubstr("link: is a symbolic link"));
    EXPECT_EQ(error_of(make("link/dir", EntryType::directory)), Errc::unsafe);
    EXPECT_EQ(error_of(make("link/deep/dir", EntryType::directory)), Errc::unsafe);
    EXPECT_EQ(error_of(make("link/sym", EntryType::symlink, "x")), Errc::unsafe);
    EXPECT_EQ(error_of(make("hard", EntryType::hard_link, "link/secret")), Errc::unsafe);
  }
}

TEST_F(Restore, WritesNothingThroughALinkThatWasThere) {
  ASSERT_EQ(::symlink((temp_ / "outside").c_str(), at("a").c_str()), 0);
  open({.overwrite = Overwrite::never});
  EXPECT_EQ(error_of(write("a/secret", "x")), Errc::unsafe);
  EXPECT_EQ(error_of(make("a", EntryType::directory)), Errc::exists);
  EXPECT_TRUE(S_ISLNK(mode_of("a")));
  // Asked to overwrite, it replaces the link itself.
  open({.overwrite = Overwrite::always});
  EXPECT_OK(make("a", EntryType::directory));
  EXPECT_OK(write("a/secret", "x"));
  EXPECT_TRUE(S_ISDIR(mode_of("a")));
}

TEST_F(Restore, WritesNothingThroughAFileThatIsALink) {
  ASSERT_EQ(::symlink((temp_ / "outside/secret").c_str(), at("a").c_str()), 0);
  open({.overwrite = Overwrite::never});
  EXPECT_EQ(error_of(write("a", "x")), Errc::exists);
  open({.overwrite = Overwrite::always});
  EXPECT_OK(write("a", "x"));
  EXPECT_TRUE(S_ISREG(mode_of("a")));
  EXPECT_EQ(text("a"), "x");
}

TEST_F(Restore, AReplacedDirectoryIsNotWrittenToThroughWhatTookItsPlace) {
  open({.overwrite = Overwrite::always});
  ASSERT_OK(make("d", EntryType::directory));
  // The empty directory, remembered from before, gives way to a link.
  ASSERT_OK(make("d", EntryType::symlink, temp_ / "outside"));
  EXPECT_EQ(error_of(write("d/file", "x")), Errc::unsafe);
  ASSERT_OK(restorer_->finish());
  EXPECT_EQ(problems_.codes.size(), 1U) << "the directory's times could not be set";
}

TEST_F(Restore, HardLinksOnlyLeadToWhatIsBeneath) {
  open();
  ASSERT_OK(write("d/file", "content"));
  ASSERT_OK(make("e/again", EntryType::hard_link, "d/file"));
  ASSERT_OK(make("e/again", EntryType::hard_link, "d/file"));  // it is that already
  EXPECT_EQ(text("e/again"), "content");
  struct stat st{};
  ASSERT_EQ(::stat(at("d/file").c_str(), &st), 0);
  EXPECT_EQ(st.st_nlink, 2U);
  EXPECT_EQ(error_of(make("x", EntryType::hard_link, "missing")), Errc::not_found);
  EXPECT_EQ(error_of(make("x", EntryType::hard_link, "missing/too")), Errc::not_found);
  EXPECT_EQ(error_of(make("x", EntryType::hard_link, "../outside/secret")), Errc::unsafe);
  EXPECT_EQ(error_of(make("x", EntryType::hard_link, temp_ / "outside/secret")), Errc::unsafe);
  // A hard link to a symlink is another name of the link, not of what it leads to.
  ASSERT_OK(make("sym", EntryType::symlink, temp_ / "outside/secret"));
  ASSERT_OK(make("sym2", EntryType::hard_link, "sym"));
  EXPECT_TRUE(S_ISLNK(mode_of("sym2")));
  // Over something else, by policy.
  ASSERT_OK(write("other", "other"));
  EXPECT_EQ(error_of(make("other", EntryType::hard_link, "d/file")), Errc::exists);
  open({.overwrite = Overwrite::always});
  ASSERT_OK(make("other", EntryType::hard_link, "d/file"));
  EXPECT_EQ(text("other"), "content");
}

TEST_F(Restore, KeepsNamesOfAnyBytes) {
  open();
  const std::string longest(255, 'n');
  for (const std::string& name :
       {std::string("new\nline"), std::string("\xff\xfe\x80"), longest, std::string("-rf"), std::string("...")}) {
    EXPECT_OK(write(name, name));
    EXPECT_EQ(text(name), name);
    EXPECT_OK(write_in_steps("d/" + name, name));
  }
  EXPECT_EQ(error_of(write(std::string(256, 'n'), "x")), Errc::limit);
}

TEST_F(Restore, MakesPathsOfFullLength) {
  open();
  std::string path;
  while (path.size() + 2 < kPathSizeMax - 250) path += "d/";
  path += std::string(kPathSizeMax - path.size(), 'n');
  ASSERT_EQ(path.size(), kPathSizeMax);
  EXPECT_OK(write(path, "deep"));
  path.resize(path.size() - 1);
  EXPECT_OK(make(path, EntryType::directory));
  EXPECT_OK(restorer_->finish());
  EXPECT_THAT(problems_.messages, IsEmpty());
  test::shell("rm -r " + test::quoted(at("d")));
}

TEST_F(Restore, NeverOverwritesUnlessAsked) {
  test::write_file(at("file"), as_bytes("old"));
  ASSERT_EQ(::symlink("old", at("sym").c_str()), 0);
  ::mkdir(at("dir").c_str(), 0700);
  open();
  for (const std::string name : {"file", "sym", "dir"}) {
    EXPECT_EQ(error_of(write(name, "new")), Errc::exists) << name;
    EXPECT_EQ(error_of(write_in_steps(name, "new")), Errc::exists) << name;
    EXPECT_EQ(error_of(make(name, EntryType::symlink, "new")), Errc::exists) << name;
    if (name == "dir") continue;
    EXPECT_EQ(error_of(make(name, EntryType::directory)), Errc::exists) << name;
  }
  EXPECT_EQ(text("file"), "old");
  // What appeared meanwhile is not replaced either.
  Entry late = entry("late");
  const auto file = restorer_->begin_file(late);
  ASSERT_OK(file);
  test::write_file(at("late"), as_bytes("theirs"));
  EXPECT_EQ(error_of((*file)->commit()), Errc::exists);
  EXPECT_EQ(text("late"), "theirs");
}

TEST_F(Restore, OverwritesNeverByRenameWhereTheFlagIsMissing) {
  sys_ = std::make_unique<FaultySys>();
  sys_->fail_from(1, EINVAL, SysOp::renameat);
  open();
  EXPECT_OK(write("file", "new"));
  EXPECT_EQ(error_of(write("file", "newer")), Errc::exists);
  EXPECT_EQ(text("file"), "new");
}

TEST_F(Restore, AsksWithThePath) {
  std::vector<std::string> asked;
  open({.overwrite = Overwrite::ask, .ask = [&](std::string_view path) {
          asked.emplace_back(path);
          return path != "keep";
        }});
  test::write_file(at("keep"), as_bytes("old"));
  test::write_file(at("sub"), as_bytes("old"));
  test::write_file(at("replace"), as_bytes("old"));
  EXPECT_EQ(write("keep", "new").value(), false);
  EXPECT_EQ(write_in_steps("keep", "new").value(), false);
  EXPECT_EQ(make("keep", EntryType::symlink, "x").value(), false);
  EXPECT_EQ(make("keep", EntryType::directory).value(), false);
  EXPECT_EQ(write("replace", "new").value(), true);
  EXPECT_EQ(make("sub", EntryType::directory).value(), true);
  EXPECT_EQ(write("fresh", "new").value(), true);
  EXPECT_THAT(asked, ElementsAre("keep", "keep", "keep", "keep", "replace", "sub"));
  EXPECT_EQ(text("keep"), "old");
  EXPECT_EQ(text("replace"), "new");
}

TEST_F(Restore, ReplacesOnlyWhatIsOlder) {
  open({.overwrite = Overwrite::newer});
  const auto age = [&](const std::string& name, long seconds, long nanoseconds) {
    test::write_file(at(name), as_bytes("old"));
    const timespec times[2] = {{0, UTIME_OMIT}, {seconds, nanoseconds}};
    ::utimensat(AT_FDCWD, at(name).c_str(), times, 0);
  };
  age("older", 1'000'000'000, 122);
  age("same", 1'000'000'000, 123);
  age("newer", 1'000'000'000, 124);
  EXPECT_EQ(write("older", "new").value(), true);
  EXPECT_EQ(write("same", "new").value(), false);
  EXPECT_EQ(write("newer", "new").value(), false);
}

TEST_F(Restore, NeverReplacesADirectoryThatIsNotEmpty) {
  open({.overwrite = Overwrite::always});
  ASSERT_OK(write("full/file", "x"));
  ASSERT_OK(make("empty", EntryType::directory));
  for (const std::string name : {"full"}) {
    EXPECT_EQ(error_of(write(name, "x")), Errc::exists);
    EXPECT_EQ(error_of(write_in_steps(name, "x")), Errc::exists);
    EXPECT_EQ(error_of(make(name, EntryType::symlink, "x")), Errc::exists);
    EXPECT_EQ(error_of(make(name, EntryType::hard_link, "full/file")), Errc::exists);
  }
  EXPECT_OK(write("empty", "x"));
  EXPECT_EQ(text("empty"), "x");
  EXPECT_EQ(error_of(write("empty/below", "x")), Errc::exists);
}

TEST_F(Restore, DirectoriesGetTheirMetadataEvenWhenTheyExist) {
  ::mkdir(at("dir").c_str(), 0700);
  open({.permissions = true});
  Entry dir = entry("dir", EntryType::directory);
  dir.mode = 01555;
  ASSERT_OK(restorer_->make(dir));
  ASSERT_OK(write("dir/inside", "x"));
  ASSERT_OK(restorer_->finish());
  struct stat st{};
  ASSERT_EQ(::stat(at("dir").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777U, 01555U);
  EXPECT_EQ(st.st_mtim.tv_sec, 1'000'000'000);
  EXPECT_EQ(st.st_mtim.tv_nsec, 123);
  EXPECT_THAT(problems_.messages, IsEmpty());
}

TEST_F(Restore, AppliesTheUmaskAndDropsSpecialBitsUnlessAsked) {
  const mode_t before = ::umask(027);
  open({.overwrite = Overwrite::always});
  Entry file = entry("file");
  file.mode = 07777;
  Entry dir = entry("dir", EntryType::directory);
  dir.mode = 07577;
  ASSERT_OK(restorer_->write_file(file, {}));
  ASSERT_OK(restorer_->make(dir));
  ASSERT_OK(restorer_->finish());
  EXPECT_EQ(mode_of("file") & 07777U, 0750U);
  EXPECT_EQ(mode_of("dir") & 07777U, 0550U);
  ::umask(before);
  open({.overwrite = Overwrite::always, .permissions = true});
  ASSERT_OK(restorer_->write_file(file, {}));
  ASSERT_OK(restorer_->make(dir));
  ASSERT_OK(restorer_->finish());
  EXPECT_EQ(mode_of("file") & 07777U, 07777U);
  EXPECT_EQ(mode_of("dir") & 07777U, 07577U);
}

TEST_F(Restore, KeepsSetUidOnlyForTheRecordedOwner) {
  open({.permissions = true});
  Entry file = entry("file");
  file.mode = 06755;
  file.uid = 12345;
  file.gid = 54321;
  ASSERT_OK(restorer_->write_file(file, {}));
  EXPECT_EQ(mode_of("file") & 07777U, 0755U);
  if (::geteuid() != 0) GTEST_SKIP() << "only root may give files away";
  open({.overwrite = Overwrite::always, .permissions = true, .owners = true});
  ASSERT_OK(restorer_->write_file(file, {}));
  EXPECT_EQ(mode_of("file") & 07777U, 06755U);
}

TEST_F(Restore, PrefersOwnersByName) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may give files away";
  const auto owner = [&](const std::string& path) {
    struct stat st{};
    EXPECT_EQ(::lstat(at(path).c_str(), &st), 0);
    return st.st_uid;
  };
  Entry file = entry("file");
  file.uid = 12345;
  file.user = "root";
  Entry stranger = entry("stranger");
  stranger.uid = 12345;
  stranger.user = "no such user here";
  open({.overwrite = Overwrite::always, .owners = true});
  ASSERT_OK(restorer_->write_file(file, {}));
  ASSERT_OK(restorer_->write_file(stranger, {}));
  EXPECT_EQ(owner("file"), 0U);
  EXPECT_EQ(owner("stranger"), 12345U);
  open({.overwrite = Overwrite::always, .owners = true, .numeric_owners = true});
  ASSERT_OK(restorer_->write_file(file, {}));
  EXPECT_EQ(owner("file"), 12345U);
  // An id that fits no uid_t leaves the owner as it is.
  file.uid = std::uint64_t{1} << 32;
  ASSERT_OK(restorer_->write_file(file, {}));
  EXPECT_EQ(owner("file"), 0U);
}

TEST_F(Restore, LeavesNodesOutUnlessAsked) {
  open();
  EXPECT_EQ(error_of(make("fifo", EntryType::fifo)), Errc::unsupported);
  EXPECT_EQ(error_of(make("dev", EntryType::character_device)), Errc::unsupported);
  EXPECT_THAT(list_tree(temp_ / "to"), IsEmpty());
  open({.devices = true});
  EXPECT_EQ(make("fifo", EntryType::fifo).value(), true);
  EXPECT_TRUE(S_ISFIFO(mode_of("fifo")));
}

TEST_F(Restore, AclsAreLeftOutWithoutPermissions) {
  // Everybody may write: user::rwx, group::rwx, other::rwx, in the kernel's form.
  const unsigned char acl[] = {2, 0, 0,   0,   1,   0,   7,  0, 255, 255, 255, 255, 4,   0,
                               7, 0, 255, 255, 255, 255, 32, 0, 7,   0,   255, 255, 255, 255};
  Entry file = entry("file");
  file.xattrs = {{"system.posix_acl_access", std::string(reinterpret_cast<const char*>(acl), sizeof acl)}};
  open({.overwrite = Overwrite::always});
  ASSERT_OK(restorer_->write_file(file, {}));
  EXPECT_EQ(mode_of("file") & 0002U, 0U);
  open({.overwrite = Overwrite::always, .permissions = true});
  ASSERT_OK(restorer_->write_file(file, {}));
  if (!problems_.messages.empty()) GTEST_SKIP() << "no ACLs here";
  EXPECT_EQ(mode_of("file") & 0777U, 0777U);
}

TEST_F(Restore, ReportsWhatIsRefusedForAllFilesOnce) {
  sys_ = std::make_unique<FaultySys>();
  sys_->fail_from(1, EPERM, SysOp::fsetxattr | SysOp::fchown);
  open({.owners = true});
  for (const std::string name : {"a", "b", "c"}) {
    Entry file = entry(name);
    file.xattrs = {{"security.label", "x"}, {"user.other", "y"}};
    EXPECT_OK(restorer_->write_file(file, {}));
  }
  EXPECT_EQ(problems_.codes.size(), 3U);
}

TEST_F(Restore, WritesPartsAndKeepsHoles) {
  open();
  Entry file = entry("sparse");
  file.size = 10 << 20;
  {
    auto out = restorer_->begin_file(file);
    ASSERT_OK(out);
    ASSERT_OK((*out)->write_at(1 << 20, as_bytes("middle")));
    EXPECT_EQ(error_of((*out)->write_at((10 << 20) - 2, as_bytes("over"))), Errc::corrupt);
    EXPECT_EQ(error_of((*out)->write_at(~std::uint64_t{0}, as_bytes("over"))), Errc::corrupt);
    Buffer back(10);
    ASSERT_OK((*out)->read_back(1 << 20, back));
    EXPECT_EQ(as_text(back), std::string_view("middle\0\0\0\0", 10));
    ASSERT_OK((*out)->read_back(9 << 20, back));
    EXPECT_THAT(list_tree(temp_ / "to").size(), 1U) << "only the temporary";
    EXPECT_EQ(::access(at("sparse").c_str(), F_OK), -1);
    ASSERT_OK((*out)->commit());
    ASSERT_OK((*out)->read_back((10 << 20) - 10, back));
  }
  struct stat st{};
  ASSERT_EQ(::stat(at("sparse").c_str(), &st), 0);
  EXPECT_EQ(st.st_size, 10 << 20);
  EXPECT_LT(st.st_blocks * 512, 1 << 20);
}

TEST_F(Restore, DropsWhatIsNotCommitted) {
  open();
  {
    Entry file = entry("file");
    file.size = 5;
    auto out = restorer_->begin_file(file);
    ASSERT_OK(out);
    ASSERT_OK((*out)->write_at(0, as_bytes("12345")));
  }
  EXPECT_THAT(list_tree(temp_ / "to"), IsEmpty());
}

TEST_F(Restore, MakesItsTarget) {
  RestoreOptions options;
  options.target = temp_ / "to/new/deep/er/";
  ASSERT_OK(Restorer::open(real_sys(), options, problems_.sink()));
  EXPECT_TRUE(S_ISDIR(mode_of("new/deep/er")));
  test::write_file(at("file"), {});
  options.target = temp_ / "to/file";
  EXPECT_EQ(error_of(Restorer::open(real_sys(), options, problems_.sink())), Errc::not_found);
}

TEST_F(Restore, RefusesTimesAndLinksThatMakeNoSense) {
  open();
  Entry file = entry("file");
  file.mtime_nanoseconds = 1'000'000'000;
  EXPECT_EQ(error_of(restorer_->write_file(file, {})), Errc::corrupt);
  file = entry("file");
  file.size = 3;
  EXPECT_EQ(error_of(restorer_->write_file(file, as_bytes("four"))), Errc::corrupt);
  EXPECT_EQ(error_of(restorer_->write_file(entry("dir", EntryType::directory), {})), Errc::usage);
  EXPECT_EQ(error_of(restorer_->begin_file(entry("dir", EntryType::directory))), Errc::usage);
  EXPECT_EQ(error_of(make("file", EntryType::regular)), Errc::usage);
  EXPECT_EQ(error_of(make("sym", EntryType::symlink, "")), Errc::corrupt);
  EXPECT_EQ(error_of(make("sym", EntryType::symlink, std::string("a\0b", 3))), Errc::corrupt);
}

TEST_F(Restore, ManyThreadsMayRestoreAtOnce) {
  open({.permissions = true});
  std::vector<std::jthread> threads;
  std::atomic<int> failures = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 300; ++i) {
        // The same directories at the same time from all threads, more than stay open.
        const std::string dir = "d" + std::to_string(i % 150) + "/e";
        if (t == 0 && !make(dir, EntryType::directory)) ++failures;
        if (!write(dir + "/f" + std::to_string(t) + "." + std::to_string(i), "content")) ++failures;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(failures, 0);
  EXPECT_OK(restorer_->finish());
  EXPECT_THAT(problems_.messages, IsEmpty());
  EXPECT_EQ(list_tree(temp_ / "to").size(), 150U * 2 + 1200);
}

TEST_F(Restore, AFaultInAnyOperationLeavesNothingHalfMade) {
  const auto restore = [&](FaultySys& sys) -> Result<> {
    MMH_LET(const auto restorer,
            Restorer::open(
                sys, {.target = temp_ / "to", .overwrite = Overwrite::always, .permissions = true, .owners = true},
                problems_.sink()));
    Entry dir = entry("d", EntryType::directory);
    dir.xattrs = {{"user.a", "b"}};
    MMH_TRY(restorer->make(dir));
    Entry file = entry("d/file");
    file.size = 7;
    file.xattrs = {{"user.a", "b"}};
    MMH_TRY(restorer->write_file(file, as_bytes("content")));
    file.path = "d/steps";
    MMH_LET(const auto out, restorer->begin_file(file));
    MMH_TRY(out->write_at(0, as_bytes("content")));
    MMH_TRY(out->commit());
    MMH_TRY(restorer->make(entry("d/sym", EntryType::symlink, "file")));
    MMH_TRY(restorer->make(entry("d/hard", EntryType::hard_link, "d/file")));
    return restorer->finish();
  };
  FaultySys sound;
  ASSERT_OK(restore(sound));
  const std::string whole = describe_tree(at("d"));
  for (const int error : {EIO, ENOSPC, EACCES}) {
    const std::uint64_t attempts =
        test::sweep_faults(error, ~test::SysOps(SysOp::unlinkat), [&](FaultySys& sys, std::uint64_t n) {
          test::shell("rm -rf " + test::quoted(at("d")));
          problems_ = {};
          const auto done = restore(sys);
          for (const std::string& path : list_tree(temp_ / "to")) {
            EXPECT_EQ(path.find(".mmh-"), std::string::npos) << n << ": left behind: " << path;
            EXPECT_TRUE((path != "d/file" && path != "d/steps") || text(path) == "content") << n;
          }
          if (done && problems_.messages.empty()) {
            EXPECT_EQ(describe_tree(at("d")), whole) << n << "\n" << sys.log_text();
          }
          EXPECT_TRUE(done || error != ENOSPC || done.error().code == Errc::no_space) << done.error().what;
        });
    EXPECT_GT(attempts, 20U);
  }
}

TEST_F(Restore, AKillAtAnyPointLeavesNoPartialFileUnderItsName) {
  const std::string content(20'000, 'c');
  test::sweep_kills(
      test::kEveryOp,
      [&](FaultySys& sys) {
        sys.shorten(7000);
        auto restorer = Restorer::open(sys, {.target = temp_ / "to"}, problems_.sink());
        Entry file = entry("file");
        file.size = content.size();
        if (restorer) static_cast<void>((*restorer)->write_file(file, as_bytes(content)).has_value());
      },
      [&](std::uint64_t n) {
        for (const std::string& path : list_tree(temp_ / "to")) {
          if (path == "file") {
            EXPECT_EQ(text(path), content) << n;
          } else {
            EXPECT_THAT(path, testing::MatchesRegex("\\.file\\.mmh-[0-9]+-[0-9]+\\.tmp")) << n;
          }
        }
        test::shell("cd " + test::quoted(temp_ / "to") + " && rm -f file .file*.tmp");
      });
}

}  // namespace
}  // namespace mmh::tree
