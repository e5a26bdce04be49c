#pragma once
// Fixed structures of pack format 1 (docs/format/pack.md): header, block header, footer. All integers little-endian.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "mmh/base/bytes.h"
#include "mmh/base/result.h"
#include "mmh/hash/digest.h"

namespace mmh::pack {

inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::size_t kHeaderSize = 64;
inline constexpr std::size_t kBlockHeaderSize = 88;
inline constexpr std::size_t kFooterSize = 64;
inline constexpr std::uint64_t kIndexPageEntries = 1024;  ///< Blocks that a full index page lists.
/// Most stored bytes of one block: the largest frame.
inline constexpr std::uint64_t kStoredSizeMax = (std::uint64_t{64} << 20) + 64;
inline constexpr std::uint64_t kPackSizeMax = ~std::uint64_t{0} >> 1;  ///< Offsets are below 2^63, as POSIX has them.

/// Feature bits a reader must know to read a pack.
enum Feature : std::uint64_t {
  kFeatureEncryption = 1u << 0,
  kFeatureBase = 1u << 1,  ///< Content is coded against another pack.
};
inline constexpr std::uint64_t kFeaturesKnown = kFeatureBase;
/// "encryption (bit 0), bit 17": what this reader lacks of `features`. Empty: nothing.
std::string missing_features(std::uint64_t features);

enum class BlockType : std::uint16_t {
  data = 1,
  dictionary = 2,
  extents = 3,   ///< Extent list of a very large file.
  manifest = 4,  ///< A manifest page.
  index = 5,     ///< A page of the block index.
  trailer = 6,
  parity = 7,  // 7 to 9 are reserved for later work; readers pass over them
  signature = 8,
  key = 9,
};
std::string_view block_type_name(BlockType type);

struct PackHeader {
  std::uint32_t version = kFormatVersion;
  std::uint64_t features = 0;  ///< Feature bits.
};
void write_header(const PackHeader& header, Bytes out);  ///< Requires: out.size() == kHeaderSize.
/// Errors: corrupt (no MMH pack, or damaged), unsupported (newer version, unknown features: named).
Result<PackHeader> parse_header(ByteView in);

/// Stands before every block's payload and is found by its magic bytes when the index is gone.
struct BlockHeader {
  BlockType type = BlockType::data;
  std::uint64_t number = 0;  ///< Position in the block index. Index pages and trailers are not numbered: kUnnumbered.
  std::uint64_t offset = 0;  ///< Of the header itself, from the start of the pack.
  std::uint64_t stored_size = 0;  ///< Payload bytes that follow.
  std::uint64_t raw_size = 0;     ///< Bytes after decoding.
  hash::Digest hash;              ///< BLAKE3 of the payload.
  bool operator==(const BlockHeader&) const = default;
};
inline constexpr std::uint64_t kUnnumbered = ~std::uint64_t{0};
void write_block_header(const BlockHeader& header, Bytes out);  ///< Requires: out.size() == kBlockHeaderSize.
/// Errors: corrupt. Sizes are within the format's limits; whether the offset field is true is for the caller to see.
Result<BlockHeader> parse_block_header(ByteView in);
/// The offset of the first place in `in`, from `from` on, where a block header's magic stands; nothing when there is
/// none.
std::optional<std::size_t> find_block_magic(ByteView in, std::size_t from = 0);

/// Whether the first bytes of `in`, up to eight, are those of a pack's magic; empty input has none.
bool begins_like_pack(ByteView in);
/// The same for a block's magic or a footer's. Requires: !in.empty().
bool begins_like_block_or_footer(ByteView in);

/// The last bytes of a pack: where its two trailer copies are.
struct Footer {
  std::uint64_t offset = 0;            ///< Of the footer itself.
  std::uint64_t trailers[2] = {0, 0};  ///< Offsets of the block headers of the two trailer copies.
};
void write_footer(const Footer& footer, Bytes out);  ///< Requires: out.size() == kFooterSize.
/// Errors: corrupt. Whether the offset field is true is for the caller to see.
Result<Footer> parse_footer(ByteView in);

}  // namespace mmh::pack
