#include <sys/stat.h>

#include <filesystem>

#include "api/support.h"
#include "support/process.h"
#include "support/trees.h"

namespace mmh::test {
namespace {

namespace fs = std::filesystem;

class Append : public testing::Test {
 protected:
  void pack(const std::string& root) { ASSERT_OK(create_pack({root}, file(), pack_options(temp_ / "."))); }
  Result<PackSummary> append(const std::vector<std::string>& roots) {
    return append_to_pack(file(), roots, pack_options(temp_ / "."));
  }
  std::string file() const { return temp_ / "t.mmh"; }
  TempDir temp_;
};

TEST_F(Append, GivesTheRootOfAPackMadeAtOnce) {
  make_tree(temp_ / "in", {.seed = 1, .entries = 200});
  pack("in");
  make_tree(temp_ / "in/more", {.seed = 2, .entries = 50});
  const auto appended = append({"in"});
  ASSERT_OK(appended);
  const auto fresh = create_pack({"in"}, temp_ / "fresh.mmh", pack_options(temp_ / "."));
  ASSERT_OK(fresh);
  EXPECT_EQ(appended->root, fresh->root);
  unpack_all(file(), temp_ / "out");
  EXPECT_EQ(compare_trees(temp_ / "in", temp_ / "out/in"), "");
  const auto opened = Pack::open(file());
  ASSERT_OK(opened);
  EXPECT_EQ(opened->info().generation, 1u);
  EXPECT_TRUE(opened->verify(true, {})->sound);
}

TEST_F(Append, StoresKnownContentNoSecondTime) {
  fs::create_directories(temp_ / "in");
  write_file(temp_ / "in/big", random_bytes(20 << 20, 1));
  write_file(temp_ / "in/small", random_bytes(5000, 2));
  pack("in");
  fs::create_directories(temp_ / "copy");
  fs::copy(temp_ / "in/big", temp_ / "copy/big");
  fs::copy(temp_ / "in/small", temp_ / "copy/small");
  const auto appended = append({"copy"});
  ASSERT_OK(appended);
  EXPECT_LT(appended->written_bytes, 8192u);
  unpack_all(file(), temp_ / "out");
  EXPECT_EQ(compare_trees(temp_ / "copy", temp_ / "out/copy"), "");
}

TEST_F(Append, OldBytesStayAsTheyWere) {
  make_tree(temp_ / "in", {.seed = 5, .entries = 40});
  pack("in");
  const Buffer before = read_file(file());
  write_file(temp_ / "in/added", as_bytes("x"));
  ASSERT_OK(append({"in/added"}));
  const Buffer after = read_file(file());
  ASSERT_GT(after.size(), before.size());
  EXPECT_TRUE(std::equal(before.begin(), before.end(), after.begin()));
}

TEST_F(Append, EveryCutLeavesTheOldPackOrTheNewOne) {
  fs::create_directories(temp_ / "in");
  write_file(temp_ / "in/old", text_bytes(3000, 1));
  pack("in");
  const std::size_t old_size = read_file(file()).size();
  const Hash old_root = Pack::open(file())->info().root;
  write_file(temp_ / "in/new", text_bytes(2000, 2));
  ASSERT_OK(append({"in/new"}));
  const Buffer whole = read_file(file());
  const Hash new_root = Pack::open(file())->info().root;
  for (std::size_t keep = old_size; keep <= whole.size(); ++keep) {
    write_file(temp_ / "cut.mmh", ByteView(whole).first(keep));
    const auto opened = Pack::open(temp_ / "cut.mmh");
    ASSERT_OK(opened);
    const Hash root = opened->info().root;
    EXPECT_TRUE(root == old_root || root == new_root) << keep;
    // The new generation counts as soon as the first copy of its trailer is whole.
    if (keep < old_size + (whole.size() - old_size) / 2) {
      EXPECT_EQ(root, old_root) << keep;
    }
  }
  // An append behind a cut-off one drops what that left.
  write_file(file(), ByteView(whole).first(old_size + 300));
  ASSERT_OK(append({"in/new"}));
  EXPECT_EQ(read_file(file()).size(), whole.size());
  const auto again = Pack::open(file());
  ASSERT_OK(again);
  EXPECT_EQ(again->info().root, new_root);
  EXPECT_TRUE(again->verify(true, {})->sound);
}

TEST_F(Append, ReplacesFilesDirectoriesAndLinks) {
  fs::create_directories(temp_ / "in/dir");
  write_file(temp_ / "in/a", as_bytes("old a"));
  fs::create_hard_link(temp_ / "in/a", temp_ / "in/link1");
  fs::create_hard_link(temp_ / "in/a", temp_ / "in/link2");
  write_file(temp_ / "in/dir/inside", as_bytes("inside"));
  pack("in");

  fs::create_directories(temp_ / "new/in");
  write_file(temp_ / "new/in/a", as_bytes("new a"));
  write_file(temp_ / "new/in/dir", as_bytes("a file now"));
  PackOptions options = pack_options(temp_ / "new");
  ASSERT_OK(append_to_pack(file(), {"in/a", "in/dir"}, options));
  unpack_all(file(), temp_ / "out");
  EXPECT_EQ(list_tree(temp_ / "out/in"), (std::vector<std::string>{"a", "dir", "link1", "link2"}));
  EXPECT_EQ(as_text(read_file(temp_ / "out/in/a")), "new a");
  EXPECT_EQ(as_text(read_file(temp_ / "out/in/dir")), "a file now");
  EXPECT_EQ(as_text(read_file(temp_ / "out/in/link1")), "old a");
  EXPECT_TRUE(fs::equivalent(temp_ / "out/in/link1", temp_ / "out/in/link2"));
}

TEST_F(Append, ToADamagedPackIsRefusedAndChangesNothing) {
  fs::create_directories(temp_ / "in");
  write_file(temp_ / "in/x", as_bytes("x"));
  write_file(file(), random_bytes(5000, 1));
  const Buffer before = read_file(file());
  EXPECT_EQ(error_of(append({"in"})), Errc::corrupt);
  EXPECT_TRUE(read_file(file()) == before);
}

}  // namespace
}  // namespace mmh::test
