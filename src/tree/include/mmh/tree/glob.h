#pragma once
// Globs over paths, as users of tar and rsync expect.

#include <string_view>

namespace mmh::tree {

/// Whether `pattern` matches `path`. '*' and '?' do not match '/', "**" does; [abc], [a-z] and [!a] are sets; '\'
/// quotes. A pattern without '/' is matched against every single component's name; one with '/' against the whole path
/// (a leading
/// '/' anchors and is dropped; a trailing '/' is dropped).
bool glob_match(std::string_view pattern, std::string_view path);
/// Whether `path` or a directory above it matches.
bool glob_match_tree(std::string_view pattern, std::string_view path);

}  // namespace mmh::tree
