#include "mmh/tree/entry.h"

#include <fmt/format.h>

#include <algorithm>

#include "mmh/base/files.h"

namespace mmh::tree {

int compare_paths(std::string_view a, std::string_view b) {
  const std::size_t shared = std::min(a.size(), b.size());
  const auto [at_a, at_b] = std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(shared), b.begin());
  if (at_a == a.begin() + static_cast<std::ptrdiff_t>(shared)) {
    return a.size() == b.size() ? 0 : (a.size() < b.size() ? -1 : 1);
  }
  if (*at_a == '/') return -1;
  if (*at_b == '/') return 1;
  return static_cast<unsigned char>(*at_a) < static_cast<unsigned char>(*at_b) ? -1 : 1;
}

Result<> check_path(std::string_view path) {
  const auto refuse = [&](std::string_view why) {
    return fail(Errc::unsafe, fmt::format("path \"{}\" {}", display_path(path.substr(0, 200)), why));
  };
  if (path.empty()) return refuse("is empty");
  if (path.size() > kPathSizeMax) {
    return refuse(fmt::format("is {} bytes long; at most {} are allowed", path.size(), kPathSizeMax));
  }
  if (path.front() == '/') return refuse("is absolute");
  if (path.find('\0') != std::string_view::npos) return refuse("holds a NUL byte");
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string_view component = path.substr(start, end - start);
    if (component.empty()) return refuse("has an empty component");
    if (component == "." || component == "..") return refuse("has a \".\" or \"..\" component");
    start = end + 1;
  }
  return {};
}

}  // namespace mmh::tree
