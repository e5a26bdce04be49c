#pragma once
// tar streams: reads ustar, pax (POSIX.1-2001) and GNU (long names, sparse 0.0/0.1/1.0 and old GNU) archives; writes
// pax.

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "mmh/base/files.h"
#include "mmh/base/result.h"
#include "mmh/tree/entry.h"

namespace mmh::tree {

/// Reads a tar stream front to back. Hostile input is normal; memory is bounded (an entry's extended headers count at
/// most 32 MiB). Names are normalised as Walker does it: leading '/' and "./" are dropped, the root itself is passed
/// over, ".." is refused. An entry may come twice. ACLs of GNU tar and star become system.posix_acl_* attributes. Bytes
/// behind the end of the archive are read and dropped, as tar does it. Errors of all calls: corrupt (damaged, cut
/// short), unsafe (".."), unsupported, limit, and what `read` gives.
class TarReader {
 public:
  /// `read` fills as much of its argument as it can and gives the count; 0 at the end.
  using ReadBytes = std::function<Result<std::size_t>(Bytes)>;
  static std::unique_ptr<TarReader> open(ReadBytes read);
  virtual ~TarReader() = default;
  /// The next entry, passing over what is left of the one before; nothing at the end of the archive.
  virtual Result<std::optional<Entry>> next() = 0;
  /// Content of the current regular file, in order, holes filled with zeros; fills `out` unless the file ends; 0 at its
  /// end.
  virtual Result<std::size_t> read(Bytes out) = 0;
  /// Data runs of the current file where the archive keeps it sparse; else one run over all of it, none when empty.
  virtual const std::vector<DataRun>& runs() const = 0;
};

/// Writes a pax tar stream, ustar where that can tell all. ACLs become text with numeric ids, as `tar --acls` reads
/// them; files are written without holes. Deterministic. Errors of all calls: usage (content of another size), unsafe
/// (a path that check_path() refuses), limit, and what the sink gives.
class TarWriter {
 public:
  static std::unique_ptr<TarWriter> open(ByteSink& out);
  virtual ~TarWriter() = default;
  /// Writes the header of the next entry; for a regular file, exactly entry.size bytes must follow by write().
  virtual Result<> begin(const Entry& entry) = 0;
  virtual Result<> write(ByteView content) = 0;
  /// Pads the last entry and writes the end of the archive.
  virtual Result<> finish() = 0;
};

}  // namespace mmh::tree
