#pragma once
// Writes entries beneath a target directory and nowhere else.

#include <functional>
#include <memory>
#include <string>

#include "mmh/base/result.h"
#include "mmh/base/sys.h"
#include "mmh/tree/entry.h"
#include "mmh/tree/walk.h"

namespace mmh::tree {

enum class Overwrite : std::uint8_t { never, ask, always, newer };

struct RestoreOptions {
  std::string target = ".";  ///< Made, with the directories above it, when missing. May itself be named through links.
  Overwrite overwrite = Overwrite::never;  ///< never: an existing file is an error of code exists, for that file only.
  /// Asked with the path when overwrite is `ask`; may be called from any thread, one at a time.
  std::function<bool(std::string_view path)> ask = {};
  /// Keep all mode bits (set-uid, set-gid, sticky, and those that the umask would clear), ACLs and file capabilities.
  /// Set-uid and set-gid bits are kept only where the owner and the group come out as recorded.
  bool permissions = false;
  bool owners = false;  ///< Keep owners: by name where the name exists here and ids are not forced, else by id.
  bool numeric_owners = false;
  bool devices = false;  ///< Make device nodes and FIFOs; otherwise they are reported and left out.
  bool xattrs = true;    ///< Keep extended attributes; what the file system refuses goes to the problem sink.
  bool sync = false;     ///< Bring the content of each file to the disk before it gets its final name.
};

/// A regular file being restored; nothing is under its final name before commit(). Destroyed uncommitted, it vanishes.
/// Must not outlive its Restorer.
class RestoredFile {
 public:
  virtual ~RestoredFile() = default;
  /// Writes at an offset; parts never written are holes. Threads may write parts that do not overlap. Errors: corrupt
  /// (beyond the entry's size), no_space, io.
  virtual Result<> write_at(std::uint64_t offset, ByteView bytes) = 0;
  /// Reads back what was written, for verification.
  virtual Result<> read_back(std::uint64_t offset, Bytes out) = 0;
  /// Sets size, metadata and, last, the final name. Errors: exists, no_space, io…
  virtual Result<> commit() = 0;
};

/// Restores entries. Every path is resolved beneath the target without following any symlink (openat2), so neither
/// hostile paths nor links made earlier lead outside. Missing parents are made. Non-empty directories are never
/// replaced by other things; a directory that exists gets the entry's metadata, whatever the policy. A failed call
/// leaves what was there. Thread-safe; the problem sink is called from any thread, one at a time. Errors of all calls:
/// unsafe (bad path, or a symlink where a directory is needed), exists, not_found (a hard link's target), permission,
/// no_space, io.
class Restorer {
 public:
  static Result<std::unique_ptr<Restorer>> open(Sys& sys, RestoreOptions options, ProblemSink problems);
  virtual ~Restorer() = default;
  /// Makes a directory, symlink, hard link or node. A hard link's target must have been committed. Returns false when
  /// it was left as it was (overwrite policy). Errors also: unsupported (a node without `devices`).
  virtual Result<bool> make(const Entry& entry) = 0;
  /// Starts a regular file; null when the overwrite policy keeps what is there.
  virtual Result<std::unique_ptr<RestoredFile>> begin_file(const Entry& entry) = 0;
  /// One call for a small file: the same as begin_file, write_at(0), commit. False: kept what was there.
  virtual Result<bool> write_file(const Entry& entry, ByteView content) = 0;
  /// Sets owners, modes, ACLs and times of the directories made, deepest first; trouble goes to the problem sink. Call
  /// once, last.
  virtual Result<> finish() = 0;
};

}  // namespace mmh::tree
