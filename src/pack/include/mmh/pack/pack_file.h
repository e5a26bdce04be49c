#pragma once
// Writes the blocks, index, trailer and footer of a pack; knows nothing of files and directories.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mmh/base/files.h"
#include "mmh/base/result.h"
#include "mmh/pack/format.h"
#include "mmh/pack/manifest.h"

namespace mmh::pack {

/// One block as the index lists it.
struct BlockInfo {
  BlockType type = BlockType::data;
  std::uint64_t offset = 0;  ///< Of its header.
  std::uint64_t stored_size = 0;
  std::uint64_t raw_size = 0;
  hash::Digest hash;
  bool operator==(const BlockInfo&) const = default;
};

/// Where an index page is.
struct IndexPage {
  std::uint64_t first_number = 0;
  BlockInfo block;
};
/// Requires: blocks.size() <= kIndexPageEntries.
Buffer write_index_page(std::uint64_t first_number, std::span<const BlockInfo> blocks);
/// Errors: corrupt (not canonical, another first number, no entries or too many, sizes beyond the format's limits).
Result<std::vector<BlockInfo>> parse_index_page(ByteView raw, std::uint64_t first_number);

/// The pack that the blocks of another are coded against.
struct BaseName {
  hash::Digest root;
  std::string name;  ///< What its file was called, without directories: a hint where to look. May be empty.
  bool operator==(const BaseName&) const = default;
};
inline constexpr std::size_t kBaseNameMax = 255;
/// `name` where it is one that a base may be called by, else nothing: a file name without a directory.
std::string base_name_of(std::string_view name);
/// Most packs that stand behind one another, the last of which needs no base.
inline constexpr unsigned kBaseChainMax = 16;

/// The trailer: all that a reader needs to start.
struct Trailer {
  std::uint32_t version = kFormatVersion;
  std::uint64_t features = 0;
  hash::Digest root;
  PageReference top;  ///< first_path is not stored.
  unsigned height = 0;
  std::uint64_t block_count = 0;
  std::vector<IndexPage> index;
  std::uint64_t generation = 0;        ///< Times appended to.
  std::uint64_t previous_trailer = 0;  ///< Offset of the trailer that this one supersedes; 0: none.
  std::string writer;                  ///< "mmh 0.1.0".
  std::vector<std::string> libraries;  ///< What the bytes depend on, such as "zstd 1.5.4".
  int level = 0;                       ///< For information only.
  std::optional<BaseName> base;        ///< Where blocks need one.
};
Buffer write_trailer(const Trailer& trailer);
/// Errors: corrupt, unsupported (newer version, unknown features: named).
Result<Trailer> parse_trailer(ByteView raw);

/// Appends blocks to a sink and remembers their index entries. Frames come encoded and hashed (any thread may do that);
/// this class only orders and writes them. Not thread-safe.
class PackFileWriter {
 public:
  /// A new pack: writes the header. `may_need_base`: whether need_base() may be called.
  static Result<std::unique_ptr<PackFileWriter>> create(ByteSink& sink, bool may_need_base = false);
  /// Goes on behind an existing pack of `size` bytes. `tail_blocks`: the last block_count % kIndexPageEntries blocks of
  /// it, whose index page is not full and will be written anew.
  static std::unique_ptr<PackFileWriter> resume(ByteSink& sink, std::uint64_t size, const Trailer& old_trailer,
                                                std::uint64_t old_trailer_offset, std::vector<BlockInfo> tail_blocks);

  /// Writes a numbered block and gives its number. `hash` is BLAKE3 of `frame`. Errors: limit, and what the sink
  /// returns; after an error the pack is lost and nothing may be written any more.
  Result<std::uint64_t> add_block(BlockType type, ByteView frame, std::uint64_t raw_size, const hash::Digest& hash);
  /// What the trailer says of the base; resume() takes over what the old one says.
  void need_base(BaseName base) { base_ = std::move(base); }
  /// Writes index, both trailer copies and the footer, the latter three by a single write. `trailer` comes with root,
  /// top, height, writer, libraries, level.
  Result<Trailer> finish(Trailer trailer);
  std::uint64_t bytes_written() const { return offset_; }
  std::uint64_t next_number() const { return next_number_; }

 private:
  explicit PackFileWriter(ByteSink& sink) : sink_(sink) {}
  Result<BlockInfo> write_block(BlockType type, std::uint64_t number, ByteView frame, std::uint64_t raw_size,
                                const hash::Digest& hash);
  Result<> flush_index_page();
  ByteSink& sink_;
  std::uint64_t offset_ = 0;
  std::uint64_t next_number_ = 0;
  std::vector<BlockInfo> pending_;  // blocks of the index page that is being filled
  std::vector<IndexPage> index_;
  std::uint64_t generation_ = 0;
  std::uint64_t previous_trailer_ = 0;
  std::optional<BaseName> base_;
};

}  // namespace mmh::pack
