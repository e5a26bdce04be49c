// Globs: the first line is the pattern, the rest the path. Matching ends soon, and quoting makes any path match itself.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "mmh/base/check.h"
#include "mmh/tree/entry.h"
#include "mmh/tree/glob.h"

using namespace mmh::tree;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kSizeMax = 512;
  const std::string_view text(reinterpret_cast<const char*>(data), std::min(size, kSizeMax));
  const std::size_t line = std::min(text.find('\n'), text.size());
  const std::string_view pattern = text.substr(0, line);
  const std::string_view path = text.substr(std::min(line + 1, text.size()));
  const bool matches = glob_match(pattern, path);
  const bool above = glob_match_tree(pattern, path);
  MMH_CHECK(above || !matches);
  if (!check_path(path)) return 0;
  std::string quoted = "/";
  for (const char c : path) {
    if (std::string_view("*?[\\").find(c) != std::string_view::npos) quoted += '\\';
    quoted += c;
  }
  MMH_CHECK(glob_match(quoted, path));
  MMH_CHECK(glob_match("**", path));
  return 0;
}
