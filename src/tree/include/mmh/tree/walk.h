#pragma once
// Walks directories in manifest order and reads metadata.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mmh/base/cancel.h"
#include "mmh/base/result.h"
#include "mmh/base/sys.h"
#include "mmh/tree/entry.h"

namespace mmh::tree {

struct WalkOptions {
  std::string base = ".";  ///< Roots are resolved beneath this directory (tar's -C).
  /// Files and directories to take, as the user named them. An absolute root is not resolved beneath `base`. A trailing
  /// '/' takes the directory that a symlink points to. "." takes what is in the base, without an entry for itself.
  std::vector<std::string> roots = {};
  std::vector<std::string> exclude = {};  ///< Globs (see glob.h); what matches is left out, with all below it.
  /// Not empty: only what matches, all below directories that match, and the directories above them.
  std::vector<std::string> include = {};
  /// Take what symlinks point to; a link that dangles or leads to a directory above itself stays a link.
  bool follow = false;
  bool one_file_system = false;  ///< Do not cross mount points (the mount point itself is kept, empty).
  /// Keep extended attributes and ACLs. As rsync does it: root keeps all, others keep user attributes, ACLs and file
  /// capabilities, but not labels that belong to the host (security.selinux).
  bool xattrs = true;
  /// Device and inode of files never to take, such as the output itself.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> skip_inodes = {};
  const CancelFlag* cancel = nullptr;  ///< Looked at before every object.
};

/// One object found. `entry` has everything but xattrs, and hard_link is not yet decided.
struct WalkItem {
  Entry entry;
  /// The directory that holds it, for openat. Items of one directory share it; items kept in flight keep theirs open,
  /// so bound them below the limit on open files.
  std::shared_ptr<const Fd> parent;
  std::string name;  ///< Its name in there.
  std::uint64_t device = 0, inode = 0, links = 1;
  std::int64_t ctime_seconds = 0;
  std::uint32_t ctime_nanoseconds = 0;
  std::uint64_t allocated = 0;  ///< Bytes on disk; less than size hints at holes.
};

/// Told of what cannot be read; the walk goes on. Errors carry the path.
using ProblemSink = std::function<void(const Error&)>;

/// Yields objects one at a time in compare_paths() order; memory is bounded by the directories on the current path.
/// Entry paths: leading '/' and "./" are dropped, "a/../b" is refused (unsafe). Roots are merged into one sorted order;
/// a root below another root is not taken twice. Sockets are reported as a problem and left out. One thread at a time.
class Walker {
 public:
  /// Errors: not_found (the base, or every root), unsafe ("..", or two roots that would share a path), usage (no
  /// roots).
  static Result<std::unique_ptr<Walker>> open(Sys& sys, WalkOptions options, ProblemSink problems);
  virtual ~Walker() = default;
  /// The next object; nothing at the end. Errors: cancelled; I/O trouble goes to the problem sink.
  virtual Result<std::optional<WalkItem>> next() = 0;
};

/// A regular file opened for packing.
struct OpenedFile {
  Fd fd;
  struct stat info;
  /// Data runs of a sparse file, in order; a single run over all when it has no holes; none when it is empty.
  std::vector<DataRun> runs;
};
/// Opens what the walk found without following links and without touching its access time where allowed, checks that it
/// is still the same inode, fills item.entry (size, mode, times, xattrs) from the open file. Only of `options`: follow
/// and xattrs. Thread-safe. Errors: changed (gone, or another file now), permission, io.
Result<OpenedFile> open_file(Sys& sys, WalkItem& item, const WalkOptions& options);
/// Fills the xattrs of what is not a regular file. Thread-safe. Errors: changed, permission, io.
Result<> read_xattrs(Sys& sys, WalkItem& item, const WalkOptions& options);
/// Whether the file differs from what open_file() saw (size, mtime or ctime moved).
Result<bool> changed_since(Sys& sys, const OpenedFile& file);

}  // namespace mmh::tree
