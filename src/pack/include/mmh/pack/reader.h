#pragma once
// Opens a pack and reads from it, verifying every byte it uses.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mmh/base/files.h"
#include "mmh/codec/frame.h"
#include "mmh/pack/manifest.h"
#include "mmh/pack/pack_file.h"

namespace mmh::pack {

class Reader;

/// How a reader is to work.
struct ReaderOptions {
  std::uint64_t cache_bytes = std::uint64_t{256} << 20;  ///< Decoded blocks kept.
  /// Gives the right bytes where those of the file are damaged; called by many threads. Null: damage is an error.
  std::function<Result<>(std::uint64_t offset, Bytes out)> heal = {};
  /// Gives the pack that this one's blocks are coded against; called once, when the first of them is read, by any
  /// thread. Null: such blocks cannot be read. Errors: not_found, and those of opening a pack.
  std::function<Result<std::shared_ptr<const Reader>>(const BaseName& base)> open_base = {};
};

using BlockData = std::shared_ptr<const Buffer>;

/// A pack opened for reading. Thread-safe. Touches O(log n) pages to open it and find one entry.
class Reader {
 public:
  /// Finds the newest trailer that is whole: by the footer, else by scanning backwards (a killed append leaves bytes
  /// behind the last footer; warning() then says so). `registry` outlives the reader. Errors: corrupt, unsupported, io.
  static Result<std::unique_ptr<Reader>> open(std::unique_ptr<RandomAccessSource> source,
                                              const codec::Registry& registry, ReaderOptions options = {});
  virtual ~Reader() = default;

  virtual const Trailer& trailer() const = 0;
  virtual std::uint64_t trailer_offset() const = 0;
  /// Bytes up to and with the footer of the trailer in use; less than the file where an append was cut off. Where that
  /// footer is missing: bytes up to the end of the trailer.
  virtual std::uint64_t pack_size() const = 0;
  virtual const RandomAccessSource& source() const = 0;
  /// What was odd at opening; empty: nothing.
  virtual const std::string& warning() const = 0;

  /// The record at `path`; nothing when there is none.
  virtual Result<std::optional<FileRecord>> find(std::string_view path) const = 0;
  /// Visits records in order: the entry at `prefix` and all below it ("" visits all). The visitor returns false to
  /// stop.
  virtual Result<> visit(std::string_view prefix, const std::function<Result<bool>(FileRecord&&)>& visitor) const = 0;
  /// All extents of a record, those in extent lists included.
  virtual Result<std::vector<Extent>> extents_of(const FileRecord& record) const = 0;
  /// The same one after another, from the extent that covers byte `from` of the file on, without holding more than one
  /// list. The visitor gets each extent's place in the file; it returns false to stop.
  virtual Result<> visit_extents(
      const FileRecord& record, std::uint64_t from,
      const std::function<Result<bool>(std::uint64_t file_offset, const Extent& extent)>& visitor) const = 0;

  /// The page that `reference` (of the trailer, or of a page above) names, checked against it, through a bounded cache.
  /// That its last path comes before the next page's first one is for the caller to see.
  virtual Result<std::shared_ptr<const ManifestPage>> manifest_page(const PageReference& reference,
                                                                    unsigned height) const = 0;

  /// The base, where the trailer names one, else null; opened by the first call. Errors: not_found (it is not to be
  /// had, or is another pack), and those of opening a pack.
  virtual Result<std::shared_ptr<const Reader>> base() const = 0;
  /// Fills `out` with bytes of the pack's content from `offset` on: its regular files end to end, in manifest order.
  /// Errors: corrupt (the range ends behind the end; damage).
  virtual Result<> read_content(std::uint64_t offset, Bytes out) const = 0;

  virtual Result<BlockInfo> block_info(std::uint64_t number) const = 0;
  /// The payload of a block, verified against the hash in the index. (Its header repeats what the index says and serves
  /// those who have no index: it is not needed here, and damage to it alone costs nobody any content.)
  virtual Result<Buffer> read_stored(std::uint64_t number) const = 0;
  /// The first bytes of it, at most `size`, without a look at the rest and so not verified: only for what is shown.
  virtual Result<Buffer> peek_stored(std::uint64_t number, std::size_t size) const = 0;
  /// Decoded bytes, through the cache.
  virtual Result<BlockData> read_block(std::uint64_t number) const = 0;
  /// Decoded bytes, past the cache (a caller that reads each block once).
  virtual Result<Buffer> read_block_uncached(std::uint64_t number) const = 0;

  /// Bytes of a file from `offset` on, fewer at its end. Holes read as zeros. Every block used is verified; the file's
  /// own hash is not (it needs all of the file).
  virtual Result<std::size_t> read_file(const FileRecord& record, std::uint64_t offset, Bytes out) const = 0;
  /// The whole content in order. The last piece is handed over only after the whole has matched the record's hash.
  /// Errors: corrupt, and what `sink` returns.
  virtual Result<> stream_file(const FileRecord& record, const std::function<Result<>(ByteView)>& sink) const = 0;
};

}  // namespace mmh::pack
