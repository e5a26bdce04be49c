#pragma once
// Chunks waiting to be put into blocks, kept apart by content type and ordered by likeness.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dedup_index.h"
#include "mmh/base/bytes.h"
#include "mmh/chunking/sketch.h"
#include "mmh/codec/codec.h"
#include "mmh/content/content_type.h"
#include "mmh/hash/digest.h"

namespace mmh::pack {

/// Bytes read in one go; chunks point into it.
struct ReadBuffer {
  Buffer bytes;
  std::uint64_t waiting_chunks = 0;  ///< In lanes; the buffer counts against the window until this is 0.
};

/// Orders chunks within a lane: by file name extension, then beside what is alike, then as they came.
struct LikenessKey {
  std::uint32_t extension = 0;
  std::uint64_t group = 0;  ///< The first file of those that are alike.
  std::uint64_t file = 0;
  std::uint64_t sequence = 0;
  auto operator<=>(const LikenessKey&) const = default;
};

/// How the base of a pack serves a chunk.
enum class BaseUse : std::uint8_t {
  none,
  copied,   ///< The base holds it: its ranges are its bytes.
  changed,  ///< Its ranges hold something like it.
};

/// A chunk on its way into a block. `place` is shared with the records that use the chunk and is set when it is
/// written.
struct WaitingChunk {
  LikenessKey key;
  std::shared_ptr<ChunkPlace> place;
  std::shared_ptr<ReadBuffer> owner;
  ByteView data;
  hash::Digest hash;
  BaseUse use = BaseUse::none;
  std::vector<codec::BaseRange> base = {};  ///< Not empty unless `use` is none.
};

/// Chunks of one block, which use the base in the same way.
struct BlockContent {
  content::ContentType type;
  std::vector<WaitingChunk> chunks;
  std::size_t size = 0;
  BaseUse use = BaseUse::none;
};

using BlockSizeOf = std::function<std::size_t(const content::ContentType&)>;

/// All lanes. Deterministic: what comes out depends on the chunks added and their order alone.
class Lanes {
 public:
  /// `whole_max`: bytes up to which a file that a codec takes as a whole stays in one block, whatever the blocks' size.
  explicit Lanes(std::size_t whole_max) : whole_max_(whole_max) {}
  /// Where a file's chunks stand among others: give each chunk of the file the same key but for `sequence`.
  LikenessKey key_for(const content::ContentType& type, std::string_view path, const chunking::Sketch* sketch);
  void add(const content::ContentType& type, WaitingChunk chunk);
  /// Bytes of read buffers that waiting chunks keep alive.
  std::uint64_t held_bytes() const { return held_bytes_; }
  bool empty() const { return waiting_ == 0; }

  /// Takes full blocks out of the lane that holds most; its rest stays, unless that is all it has: then the rest goes
  /// too.
  std::vector<BlockContent> take_largest(const BlockSizeOf& block_size_of);
  /// Takes everything, largest block first. Small remainders of several types share a block.
  std::vector<BlockContent> take_all(const BlockSizeOf& block_size_of);

 private:
  struct Version {
    std::uint64_t group = 0;
    std::optional<chunking::Sketch> sketch;
  };
  struct Lane {
    std::vector<WaitingChunk> chunks;
    std::uint64_t bytes = 0;
    std::unordered_map<std::uint64_t, std::uint64_t> group_of_feature;
    std::unordered_map<std::string, std::vector<Version>> versions_of_name;
    std::size_t remembered = 0;  ///< Files in these maps.

    /// The group of a file that looks like it, whatever its name; else of one of its name that has something in common
    /// with it.
    std::optional<std::uint64_t> find_group(std::string_view name, const chunking::Sketch* sketch) const;
    /// For files that come later.
    void remember(std::string_view name, const chunking::Sketch* sketch, std::uint64_t group);
    void forget();
  };
  using LaneKey = std::pair<BaseUse, content::ContentType>;
  std::vector<BlockContent> cut(const LaneKey& key, Lane& lane, std::size_t block_size, bool all);
  std::vector<BlockContent> take_remainders(BaseUse use, const BlockSizeOf& block_size_of);
  void release(const WaitingChunk& chunk);

  const std::size_t whole_max_;
  std::map<LaneKey, Lane> lanes_;
  std::uint64_t held_bytes_ = 0;
  std::uint64_t waiting_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint64_t files_ = 0;
};

}  // namespace mmh::pack
