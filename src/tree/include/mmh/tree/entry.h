#pragma once
// One file-system object as a pack or a tar stream keeps it.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mmh/base/result.h"

namespace mmh::tree {

enum class EntryType : std::uint8_t {
  regular = 0,
  directory = 1,
  symlink = 2,
  hard_link = 3,  ///< Another name of the regular file (or other object) at `link`, an entry that sorts before it.
  fifo = 4,
  character_device = 5,
  block_device = 6,
};

/// A file's metadata. Paths are bytes: relative, components separated by single '/', no "." or "..", no trailing '/'.
struct Entry {
  std::string path;
  EntryType type = EntryType::regular;
  std::uint32_t mode = 0;  ///< Permission bits with set-uid, set-gid and sticky: 07777.
  std::int64_t mtime_seconds = 0;
  std::uint32_t mtime_nanoseconds = 0;
  std::uint64_t uid = 0;
  std::uint64_t gid = 0;
  std::string user;  ///< Owner's name; empty when unknown.
  std::string group;
  std::uint64_t size = 0;  ///< Bytes of content; regular files only.
  std::string link;        ///< Target of a symlink, or path of the entry that a hard link names again.
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::vector<std::pair<std::string, std::string>> xattrs;  ///< Sorted by name, POSIX ACLs included.
};

inline constexpr std::size_t kPathSizeMax = 4096;

/// Manifest order: component by component, so that a directory is followed by all that is below it.
/// As bytes, with '/' taken as lower than every other byte. Negative, 0 or positive as a sorts before, with or after b.
int compare_paths(std::string_view a, std::string_view b);

/// Refuses a path that is empty, absolute, too long, holds NUL, or has empty, "." or ".." components. Errors: unsafe.
Result<> check_path(std::string_view path);

/// A run of bytes of a sparse file that holds data; between runs are holes, which read as zeros.
struct DataRun {
  std::uint64_t offset;
  std::uint64_t length;
};

}  // namespace mmh::tree
