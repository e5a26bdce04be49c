#include "mmh/tree/restore.h"

#include <sys/stat.h>
#include <unistd.h>

#include "tree_support.h"

namespace mmh::tree {
namespace {

using test::copy_tree;
using test::describe_tree;
using test::error_of;
using test::Problems;
using test::TempDir;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

RestoreOptions keep_all(const std::string& target) {
  RestoreOptions options;
  options.target = target;
  options.permissions = options.owners = options.devices = true;
  return options;
}

TEST(WalkAndRestore, KeepEverythingOfARichTree) {
  const TempDir temp;
  test::make_rich_tree(temp / "from");
  Problems problems;
  ASSERT_OK(copy_tree(real_sys(), {.base = temp / "from", .roots = {"."}}, keep_all(temp / "to"), problems));
  EXPECT_THAT(problems.messages, IsEmpty());
  EXPECT_EQ(describe_tree(temp / "to"), describe_tree(temp / "from"));
  if (!test::has_program("rsync")) GTEST_SKIP() << "rsync is not installed";
  EXPECT_EQ(test::shell("rsync -aHAXSn --devices --delete --itemize-changes " + test::quoted(temp / "from") + "/ " +
                        test::quoted(temp / "to") + "/ | grep -v '^\\.d\\.\\.t\\.\\.\\.\\.\\.\\. \\./$' || true"),
            "");
}

}  // namespace
}  // namespace mmh::tree
