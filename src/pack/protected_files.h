#pragma once
// Reading the files that a protection protects: hashing many, and many as one sequence of bytes.

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "mmh/pack/parity.h"

namespace mmh::pack {

/// A regular file opened beneath a directory, no link on its way followed. Errors: not_found (none there, or something
/// else), permission, io.
struct OpenedRegular {
  Fd fd;
  struct stat info{};
};
Result<OpenedRegular> open_regular(Sys& sys, int directory, const std::string& path);

/// Opens a directory; links are followed.
Result<Fd> open_directory(Sys& sys, const std::string& path);

/// Size and times of a file when it was read.
struct FileStamp {
  std::uint64_t size = 0;
  std::int64_t mtime_seconds = 0;
  std::uint32_t mtime_nanoseconds = 0;
  std::int64_t ctime_seconds = 0;
  std::uint32_t ctime_nanoseconds = 0;
  std::uint32_t mode = 0;
  bool operator==(const FileStamp&) const = default;
};
FileStamp stamp_of(const struct stat& info);

/// BLAKE3 of `size` bytes that `fill` gives piece by piece, by all threads at once and in any order. Errors: cancelled,
/// and what `fill` returns.
Result<hash::Digest> hash_pieces(std::uint64_t size, const ParityContext& context,
                                 const std::function<void(std::uint64_t bytes)>& progress,
                                 const std::function<Result<>(std::uint64_t offset, Bytes out)>& fill);

/// Bytes of file `index` from `offset` on.
using SeenBytes = std::function<void(std::size_t index, std::uint64_t offset, ByteView bytes)>;

struct HashedFile {
  hash::Digest hash;
  FileStamp stamp;
};
/// Hashes `count` files side by side and tells each, in order: path(i) beneath `directory`. Errors of a file go to
/// `told`: those of open_regular(), and changed. `seen` gets all bytes of each file, in pieces, by any thread; may be
/// null. Errors: cancelled, and what `told` returns.
Result<> hash_files(int directory, std::size_t count, const std::function<const std::string&(std::size_t)>& path,
                    const ParityContext& context, const std::function<void(std::uint64_t bytes)>& progress,
                    const std::function<Result<>(std::size_t index, Result<HashedFile> file)>& told,
                    const SeenBytes& seen = {});

/// Files one after another as one source. A file is opened when it is read; the few last ones stay open. What cannot be
/// read is an error of that range alone. Thread-safe.
class FileSequence final : public RandomAccessSource {
 public:
  FileSequence(Sys& sys, std::string name) : sys_(sys), name_(std::move(name)) {}
  /// Appends a file of `size` bytes, which lies beneath `directory`, a descriptor that outlives this.
  void add(int directory, std::string path, std::uint64_t size);
  /// Appends the first `size` bytes of an open file.
  void add(std::shared_ptr<const Fd> file, std::uint64_t size);
  /// Appends bytes that nobody has.
  void add_gap(std::uint64_t size);

  std::uint64_t size() const override { return size_; }
  const std::string& name() const override { return name_; }
  Result<> read_at(std::uint64_t offset, Bytes out) const override;

 private:
  struct Part {
    std::uint64_t offset;
    std::uint64_t size;
    int directory;
    std::string path;
    std::shared_ptr<const Fd> file;
  };
  Result<std::shared_ptr<const Fd>> opened(std::size_t part) const;

  Sys& sys_;
  std::string name_;
  std::vector<Part> parts_;
  std::uint64_t size_ = 0;
  mutable std::mutex mutex_;
  mutable std::list<std::pair<std::size_t, std::shared_ptr<const Fd>>> open_;  // the last used first
};

}  // namespace mmh::pack
