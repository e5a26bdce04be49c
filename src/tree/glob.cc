#include "mmh/tree/glob.h"

#include <array>
#include <cstddef>
#include <optional>
#include <utility>

namespace mmh::tree {

namespace {

bool in_class(std::string_view name, unsigned char c) {
  const bool lower = c >= 'a' && c <= 'z';
  const bool upper = c >= 'A' && c <= 'Z';
  const bool digit = c >= '0' && c <= '9';
  if (name == "alpha") return lower || upper;
  if (name == "digit") return digit;
  if (name == "alnum") return lower || upper || digit;
  if (name == "lower") return lower;
  if (name == "upper") return upper;
  if (name == "space") return c == ' ' || (c >= '\t' && c <= '\r');
  if (name == "xdigit") return digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  if (name == "punct") return c > ' ' && c < 0x7f && !lower && !upper && !digit;
  return false;
}

struct SetMatch {
  bool matches;
  std::size_t size;  // of the set's text, brackets included
};

// The set at the front of `pattern`, which starts with '['; nothing when it is never closed ('[' is then a plain byte).
std::optional<SetMatch> match_set(std::string_view pattern, unsigned char c) {
  std::size_t at = 1;
  bool negated = false;
  if (at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^')) {
    negated = true;
    ++at;
  }
  bool found = false;
  for (bool first = true; at < pattern.size(); first = false) {
    if (pattern[at] == ']' && !first) return SetMatch{found != negated, at + 1};
    if (pattern.substr(at).starts_with("[:")) {
      const std::size_t end = pattern.find(":]", at + 2);
      if (end != std::string_view::npos) {
        found = found || in_class(pattern.substr(at + 2, end - at - 2), c);
        at = end + 2;
        continue;
      }
    }
    const auto take = [&] {
      if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
      return static_cast<unsigned char>(pattern[at++]);
    };
    const unsigned char low = take();
    unsigned char high = low;
    if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
      ++at;
      high = take();
    }
    found = found || (low <= c && c <= high);
  }
  return std::nullopt;
}

// The number of pattern bytes that match the one byte `c`, or 0.
std::size_t match_one(std::string_view pattern, char c) {
  switch (pattern[0]) {
    case '?':
      return c != '/' ? 1 : 0;
    case '\\':
      if (pattern.size() > 1) return pattern[1] == c ? 2 : 0;
      return c == '\\' ? 1 : 0;
    case '[':
      if (const auto set = match_set(pattern, static_cast<unsigned char>(c))) {
        return set->matches && c != '/' ? set->size : 0;
      }
      return c == '[' ? 1 : 0;
    default:
      return pattern[0] == c ? 1 : 0;
  }
}

// Two places to go back to suffice: the shortest match of a '*' is as good as any longer one (only a "**" before it
// could do what it cannot, cross a '/'), and what follows the last "**" may start anywhere.
bool match_whole(std::string_view pattern, std::string_view path) {
  constexpr std::size_t kNone = std::string_view::npos;
  std::size_t p = 0;
  std::size_t at = 0;
  std::size_t star_pattern = kNone, star_path = 0;
  std::size_t deep_pattern = kNone, deep_path = 0;
  bool deep_whole_components = false;
  for (;;) {
    if (p < pattern.size() && pattern[p] == '*') {
      const bool at_component = p == 0 || pattern[p - 1] == '/';
      std::size_t end = p;
      while (end < pattern.size() && pattern[end] == '*') ++end;
      if (end - p == 1) {
        star_pattern = end;
        star_path = at;
      } else {
        // "**/" stands for any number of directories, none included.
        deep_whole_components = at_component && end < pattern.size() && pattern[end] == '/';
        deep_pattern = deep_whole_components ? end + 1 : end;
        deep_path = at;
        star_pattern = kNone;
        end = deep_pattern;
      }
      p = end;
      continue;
    }
    if (at < path.size() && p < pattern.size()) {
      if (const std::size_t used = match_one(pattern.substr(p), path[at])) {
        p += used;
        ++at;
        continue;
      }
    } else if (at == path.size() && p == pattern.size()) {
      return true;
    }
    if (star_pattern != kNone && star_path < path.size() && path[star_path] != '/') {
      p = star_pattern;
      at = ++star_path;
      continue;
    }
    if (deep_pattern == kNone) return false;
    star_pattern = kNone;
    if (deep_whole_components) {
      const std::size_t slash = path.find('/', deep_path);
      if (slash == kNone) return false;
      deep_path = slash + 1;
    } else if (deep_path++ == path.size()) {
      return false;
    }
    p = deep_pattern;
    at = deep_path;
  }
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view path) {
  while (pattern.size() > 1 && pattern.back() == '/') pattern.remove_suffix(1);
  if (pattern.find('/') != std::string_view::npos) {
    if (pattern.starts_with("./")) pattern.remove_prefix(1);
    while (pattern.starts_with('/')) pattern.remove_prefix(1);
    return match_whole(pattern, path);
  }
  for (;;) {
    const std::size_t slash = path.find('/');
    if (match_whole(pattern, path.substr(0, slash))) return true;
    if (slash == std::string_view::npos) return false;
    path.remove_prefix(slash + 1);
  }
}

bool glob_match_tree(std::string_view pattern, std::string_view path) {
  for (;;) {
    if (glob_match(pattern, path)) return true;
    const std::size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) return false;
    path = path.substr(0, slash);
  }
}

}  // namespace mmh::tree
