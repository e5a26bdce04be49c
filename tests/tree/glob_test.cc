#include "mmh/tree/glob.h"

#include "support/support.h"

namespace mmh::tree {
namespace {

struct Case {
  const char* pattern;
  const char* path;
  bool matches;
};

TEST(Glob, MatchesAsTarAndRsyncUsersExpect) {
  const Case cases[] = {
      {"*.o", "a.o", true},
      {"*.o", "src/deep/a.o", true},
      {"*.o", "a.oo", false},
      {"*.o", ".o", true},
      {"build", "build", true},
      {"build", "src/build/x", true},
      {"build/", "src/build", true},
      {"build", "src/rebuild", false},
      {"/build", "build", true},
      {"/build", "src/build", false},
      {"./build", "src/build", false},
      {"src/*.c", "src/a.c", true},
      {"src/*.c", "src/x/a.c", false},
      {"src/*.c", "top/src/a.c", false},
      {"src/**.c", "src/x/y/a.c", true},
      {"src/**/a.c", "src/a.c", true},
      {"src/**/a.c", "src/x/y/a.c", true},
      {"src/**/a.c", "src/x/ya.c", false},
      {"**/a.c", "a.c", true},
      {"**/a.c", "x/a.c", true},
      {"**/a.c", "xa.c", false},
      {"src/**", "src/x/y", true},
      {"src/**", "src", false},
      {"**", "any/thing", true},
      {"a/**/b/*c/**/d", "a/x/b/y/b/zc/w/d", true},
      {"a/**/b/*c/**/d", "a/x/b/y/b/z/w/d", false},
      {"a?c", "abc", true},
      {"a?c", "ac", false},
      {"x/a?c", "x/a/c", false},
      {"[abc]x", "bx", true},
      {"[abc]x", "dx", false},
      {"[a-c]x", "bx", true},
      {"[!a-c]x", "bx", false},
      {"[^a-c]x", "dx", true},
      {"[]a]", "]", true},
      {"[a-]", "-", true},
      {"[[:digit:]]*", "7up", true},
      {"[[:digit:]]*", "up7", false},
      {"x/a[!b]c", "x/a/c", false},
      {"[ab", "[ab", true},
      {"\\*", "*", true},
      {"\\*", "a", false},
      {"a\\", "a\\", true},
      {"[\\]]", "]", true},
      {"*a*b*c*", "xxaxxbxxcxx", true},
      {"*a*b*c*", "xxaxxcxxbxx", false},
      {"", "a", false},
      {"*", "\xff\n", true},
  };
  for (const Case& c : cases) EXPECT_EQ(glob_match(c.pattern, c.path), c.matches) << c.pattern << "  " << c.path;
}

TEST(GlobTree, MatchesWhatLiesBelowAMatchingDirectory) {
  EXPECT_TRUE(glob_match_tree("src/x", "src/x/deep/a.c"));
  EXPECT_TRUE(glob_match_tree("src/x", "src/x"));
  EXPECT_FALSE(glob_match_tree("src/x", "src/xy/a.c"));
  EXPECT_FALSE(glob_match_tree("src/x/deep", "src/x"));
}

// The plain definition, as slow as it likes.
bool oracle(std::string_view pattern, std::string_view path, bool at_component) {
  if (pattern.empty()) return path.empty();
  if (pattern.starts_with("**")) {
    if (at_component && pattern.starts_with("**/") && oracle(pattern.substr(3), path, true)) return true;
    const bool whole = at_component && pattern.starts_with("**/");
    if (whole) {
      for (std::size_t i = 0; i < path.size(); ++i) {
        if (path[i] == '/' && oracle(pattern.substr(3), path.substr(i + 1), true)) return true;
      }
      return false;
    }
    for (std::size_t i = 0; i <= path.size(); ++i) {
      if (oracle(pattern.substr(2), path.substr(i), false)) return true;
    }
    return false;
  }
  if (pattern[0] == '*') {
    for (std::size_t i = 0;; ++i) {
      if (oracle(pattern.substr(1), path.substr(i), false)) return true;
      if (i == path.size() || path[i] == '/') return false;
    }
  }
  if (path.empty() || !(pattern[0] == path[0] || (pattern[0] == '?' && path[0] != '/'))) return false;
  return oracle(pattern.substr(1), path.substr(1), pattern[0] == '/');
}

TEST(Glob, AgreesWithThePlainDefinitionOnRandomInput) {
  test::Random random(7);
  const auto text = [&](std::string_view alphabet, std::size_t size_max) {
    std::string made;
    for (std::size_t size = random.below(size_max + 1); made.size() < size;)
      made += alphabet[random.below(alphabet.size())];
    return made;
  };
  for (int round = 0; round < 200'000; ++round) {
    const std::string pattern = "a/" + text("ab*?/", 8) + "b";
    const std::string path = "a/" + text("ab/", 10);
    if (pattern.find("***") != std::string::npos || pattern.find("//") != std::string::npos) continue;
    ASSERT_EQ(glob_match(pattern, path), oracle(pattern, path, true)) << pattern << "  " << path;
  }
}

}  // namespace
}  // namespace mmh::tree
