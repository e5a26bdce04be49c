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

/// Reads a tar stream front to back. Hostile input is normal: names are normalised as Walker does it.
class TarReader {
 public:
  /// `read` fills as much of its argument as it can and gives the count; 0 at the end.
  using ReadBytes = std::function<Result<std::size_t>(Bytes)>;
  static std::unique_ptr<TarReader> open(ReadBytes read);
  virtual ~TarReader() = default;
  /// The next entry, passing over what is left of the one before; nothing at the end of the archive.
  virtual Result<std::optional<Entry>> next() = 0;
  /// Content of the current regular file, in order, holes filled with zeros; the count, 0 at its end.
  virtual Result<std::size_t> read(Bytes out) = 0;
  /// Data runs of the current file where the archive keeps it sparse; else one run over all of it.
  virtual const std::vector<DataRun>& runs() const = 0;
};

/// Writes a pax tar stream. Deterministic.
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
