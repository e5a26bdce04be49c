#pragma once
// Directory trees for tests: made from a seed, described, and compared exactly.

#include <cstdint>
#include <string>
#include <vector>

#include "mmh/base/bytes.h"

namespace mmh::test {

/// What a file holds.
enum class Sample : unsigned { text, source, json, log, floats, integers, image, random, zeros };
inline constexpr unsigned kSampleCount = static_cast<unsigned>(Sample::zeros) + 1;

/// `size` bytes of that kind; the same for the same seed on every machine.
Buffer sample_bytes(Sample kind, std::size_t size, std::uint64_t seed);

/// A random tree. The same spec gives the same tree, but for what the file system or the user's rights do not allow
/// (xattrs and ACLs where there are none; foreign owners and nothing else when not root).
struct TreeSpec {
  std::uint64_t seed = 1;
  unsigned entries = 100;                       ///< Objects of all kinds, about.
  std::uint64_t file_size_bytes_max = 1 << 20;  ///< Most files are far smaller.
  std::uint64_t total_bytes_max = 16 << 20;
  unsigned depth_max = 6;
  std::size_t long_path_bytes = 1000;  ///< One file's path below the root is this long (0: none).
  bool odd_names = true;               ///< Not UTF-8, spaces, quotes, controls, newlines, leading dashes, 255 bytes.
  bool symlinks = true;
  bool hard_links = true;
  bool special_modes = true;  ///< Set-uid, set-gid, sticky, unreadable and read-only.
  bool odd_times = true;      ///< Before 1970, far future; otherwise all within 2001-2030. Nanoseconds always.
  bool xattrs = true;
  bool acls = true;
  bool owners = true;
  bool sparse = true;
  bool empty_directories = true;
  bool fifos = true;
  bool duplicates = true;  ///< Files that equal, or nearly equal, earlier ones.
};

/// Makes the tree in `root`, which is made when missing. The root's own mode and time are set too.
void make_tree(const std::string& root, const TreeSpec& spec);

struct CompareOptions {
  bool root = false;  ///< Compare the metadata of the two roots themselves.
  bool modes = true;
  bool owners = true;
  bool times = true;   ///< mtime to the nanosecond, symlinks and directories included.
  bool xattrs = true;  ///< ACLs included; security.selinux left out.
  bool hard_links = true;
  bool holes = false;  ///< The same runs of data, as the file system tells them.
};

/// Nothing when the trees are equal; otherwise one line per difference (the first 50), paths escaped.
std::string compare_trees(const std::string& a, const std::string& b, const CompareOptions& options = {});

/// One line per object, sorted by path: type, mode, owner, size, mtime, path, link target, content fingerprint, xattrs.
/// Equal text means an untouched tree.
std::string describe_tree(const std::string& root);

/// Paths of all objects below `root`, sorted as bytes.
std::vector<std::string> list_tree(const std::string& root);

}  // namespace mmh::test
