#include "mmh/tree/entry.h"

#include "support/support.h"

namespace mmh::tree {
namespace {

using test::error_of;

TEST(ComparePaths, PutsADirectoryRightBeforeWhatIsBelowIt) {
  const std::vector<std::string> sorted = {"a", "a/b", "a/b/c", "a/c", "a!", "a.b", "ab", "b\xff", "\xc3\xa4", "\xff"};
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    for (std::size_t j = 0; j < sorted.size(); ++j) {
      const int order = compare_paths(sorted[i], sorted[j]);
      EXPECT_EQ(order < 0, i < j) << sorted[i] << ' ' << sorted[j];
      EXPECT_EQ(order > 0, i > j) << sorted[i] << ' ' << sorted[j];
    }
  }
}

TEST(CheckPath, RefusesWhatCouldLeadOutside) {
  for (const std::string path : {"", "/", "/a", "..", ".", "../a", "a/..", "a/../b", "a/./b", "a//b", "a/", "./a"}) {
    EXPECT_EQ(error_of(check_path(path)), Errc::unsafe) << path;
  }
  EXPECT_EQ(error_of(check_path(std::string_view("a\0b", 3))), Errc::unsafe);
  EXPECT_EQ(error_of(check_path(std::string(kPathSizeMax + 1, 'a'))), Errc::unsafe);
}

TEST(CheckPath, TakesAnyOtherBytes) {
  for (const std::string path : {"a", "a/b", "...", "..a/b..", "\xff\xfe", "a\nb", "a b/c\\d", ".hidden"}) {
    EXPECT_OK(check_path(path));
  }
  EXPECT_OK(check_path(std::string(kPathSizeMax, 'a')));
}

}  // namespace
}  // namespace mmh::tree
