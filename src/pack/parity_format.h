#pragma once
// The structures of a parity section (docs/format/parity.md).

#include <cstdint>
#include <span>

#include "mmh/pack/format.h"
#include "mmh/pack/parity.h"

namespace mmh::pack {

using ParityId = std::array<std::byte, 16>;

enum class ParityPart : std::uint32_t { head = 1, anchors = 2, checks = 3, repair = 4, root = 5, list = 6 };

inline constexpr std::size_t kParityHeadSize = 192;
inline constexpr std::size_t kParityPrefixSize = 24;
inline constexpr std::size_t kParityCheckSize = 16;
inline constexpr std::size_t kParityStrongSize = 12;
inline constexpr std::size_t kParityWeakWindow = 64;
inline constexpr std::uint64_t kParityRepairBlockMax = std::uint64_t{32} << 20;

/// Begins the payload of each block of a section.
struct ParityPrefix {
  ParityId id{};
  ParityPart part = ParityPart::head;
  std::uint32_t index = 0;  ///< Of a check shard or repair block; of the others: the copy.
};
void write_prefix(const ParityPrefix& prefix, Bytes out);
/// Requires: in.size() >= kParityPrefixSize.
ParityPrefix parse_prefix(ByteView in);

/// The payload of a head; sets head.id.
Buffer write_head(ParityHead& head);
/// Errors: corrupt.
Result<ParityHead> parse_head(ByteView payload);

Buffer write_anchors(std::span<const ParityAnchor> anchors);
Result<std::vector<ParityAnchor>> parse_anchors(ByteView in, std::uint64_t data_size);

/// How bytes of which half may be lost are cut into shards: the table of checks, or a list of files. Requires: bytes >
/// 0.
fec::Interleaving shards_of(std::uint64_t bytes);
/// Begins the payload of a check shard: its prefix, and the head of the section.
inline constexpr std::size_t kParityShardLead = kParityPrefixSize + kParityHeadSize;
/// Bytes of a block that holds a check shard.
inline std::uint64_t check_block_size(const fec::Interleaving& checks) {
  return kBlockHeaderSize + kParityShardLead + checks.symbol_size;
}

/// A block of the section: header and payload.
Buffer parity_block(std::uint64_t offset, ByteView payload);

/// The check of a symbol: 12 bytes of BLAKE3 of its bytes, then the weak hash of the first kParityWeakWindow of them.
void write_check(ByteView symbol, Bytes out);
/// Whether the bytes are those of the symbol with this check.
bool matches_check(ByteView symbol, ByteView check);

/// A hash that rolls: of any kParityWeakWindow bytes.
class WeakHash {
 public:
  /// Missing bytes count as zeros.
  static std::uint32_t of(ByteView bytes);
  /// That of the window one byte further.
  static std::uint32_t roll(std::uint32_t hash, std::byte out, std::byte in) {
    return (hash - value(out) * kOldest) * kFactor + value(in);
  }

 private:
  static constexpr std::uint32_t kFactor = 0x9E3779B1u;
  // kFactor to the power of kParityWeakWindow - 1.
  static constexpr std::uint32_t kOldest = [] {
    std::uint32_t result = 1;
    for (std::size_t i = 1; i < kParityWeakWindow; ++i) result *= kFactor;
    return result;
  }();
  static std::uint32_t value(std::byte byte) { return static_cast<std::uint32_t>(byte) + 1; }
};

}  // namespace mmh::pack
