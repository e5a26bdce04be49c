#pragma once
// Whole-file helpers over Sys: exact reads, full writes, and output that appears under its name only when whole.

#include <memory>
#include <string>

#include "mmh/base/cancel.h"
#include "mmh/base/result.h"
#include "mmh/base/sys.h"

namespace mmh {

/// Bytes at absolute offsets. Safe to use from many threads at once.
class RandomAccessSource {
 public:
  virtual ~RandomAccessSource() = default;
  virtual std::uint64_t size() const = 0;
  /// Fills `out` from `offset`. Errors: corrupt (the range ends behind the end), changed (the file became shorter), io.
  virtual Result<> read_at(std::uint64_t offset, Bytes out) const = 0;
  /// What to call it in messages.
  virtual const std::string& name() const = 0;
};

/// A file or block device opened for reading; a pipe or character device is spooled. Errors: usage (a directory),
/// not_found, permission, io, no_space.
Result<std::unique_ptr<RandomAccessSource>> open_source(Sys& sys, const std::string& path);
/// The first `size` bytes of an open file.
std::unique_ptr<RandomAccessSource> file_source(Sys& sys, Fd fd, std::uint64_t size, std::string name);
/// The same over bytes in memory that outlive it.
std::unique_ptr<RandomAccessSource> memory_source(ByteView bytes, std::string name);
/// Copies `fd` to its end into an unnamed temporary file (in $TMPDIR, or /var/tmp, or /tmp) and gives that. Errors: io,
/// no_space, cancelled.
Result<std::unique_ptr<RandomAccessSource>> spool_source(Sys& sys, int fd, std::string name,
                                                         const CancelFlag* cancel = nullptr);

/// A file without a name, open for reading and writing, that vanishes when it is closed (in $TMPDIR, or /var/tmp, or
/// /tmp). `purpose` says in messages what it is for. Errors: io, no_space, permission.
Result<Fd> temporary_file(Sys& sys, std::string_view purpose);

/// Bytes written one after another.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual Result<> write(ByteView bytes) = 0;
};

/// Writes to a descriptor that the caller owns (a pipe, standard output).
std::unique_ptr<ByteSink> fd_sink(Sys& sys, int fd, std::string name);

/// Output that appears under its final name only when whole and synced. Until commit() the bytes are in a file with no
/// name (O_TMPFILE) or, where the file system has none of those, in `.NAME.mmh-PID.tmp` beside the final name (-N is
/// added to PID where that is taken). Destroying it uncommitted leaves nothing behind. A process killed leaves nothing
/// behind either, but for the temporary name where there is one: in commit() over an existing file, for a moment.
class AtomicFile : public ByteSink {
 public:
  /// A symlink at `path` is itself what is replaced. `mode` is subject to the umask. Errors: usage (a directory, device
  /// or pipe is there), exists (and not `replace`), not_found, permission, io.
  static Result<std::unique_ptr<AtomicFile>> create(Sys& sys, const std::string& path, bool replace,
                                                    mode_t mode = 0666);
  /// The bytes written so far, to be read while this object lives.
  virtual Result<std::unique_ptr<RandomAccessSource>> written() const = 0;
  /// Syncs the bytes, gives them the final name, syncs the directory. The last call. Errors: exists (made meanwhile,
  /// and not `replace`), io, no_space. After an error nothing is under the final name but what was there before, unless
  /// the message says that the file is whole.
  virtual Result<> commit() = 0;
};

/// Reads until `out` is full or the file ends; the count read. `offset` as pread. `cancel` (may be null) also ends a
/// wait for a pipe that has nothing to give, with the error ECANCELED.
SysResult<std::size_t> pread_full(Sys& sys, int fd, Bytes out, std::uint64_t offset);
SysResult<std::size_t> read_full(Sys& sys, int fd, Bytes out, const CancelFlag* cancel = nullptr);
/// Writes all of `in`; 0 or an errno value. A write of zero bytes that makes no progress is EIO.
int write_full(Sys& sys, int fd, ByteView in);
int pwrite_full(Sys& sys, int fd, ByteView in, std::uint64_t offset);

/// `path` for a message: bytes that are not printable UTF-8, and directional marks, become \xNN, and '\' becomes "\\".
std::string display_path(std::string_view path);

}  // namespace mmh
