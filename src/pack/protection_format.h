#pragma once
// The structures of a protection (docs/format/protection.md).

#include "mmh/pack/protection.h"
#include "parity_format.h"

namespace mmh::pack {

inline constexpr std::size_t kProtectionRootSize = 192;
inline constexpr std::uint64_t kProtectionListMax = std::uint64_t{1} << 28;

/// Where everything in a protection is.
struct ProtectionLayout {
  fec::Interleaving shards{};  ///< Of the list.
  std::vector<std::uint64_t> sections;
  std::uint64_t shards_end = 0;     ///< Of those in front.
  std::uint64_t repair_shards = 0;  ///< Where those behind begin.
  std::uint64_t size = 0;

  std::uint64_t shard_block() const { return kBlockHeaderSize + kParityPrefixSize + shards.symbol_size; }
  std::uint64_t shard_offset(std::uint64_t shard) const;
};
/// Errors: limit, corrupt.
Result<ProtectionLayout> lay_out_protection(std::uint64_t list_size, std::span<const ProtectedSet> sets);

/// Stands at both ends.
struct ProtectionRoot {
  ParityId id{};
  std::uint64_t list_size = 0;
  std::uint64_t file_size = 0;
  std::uint32_t loss_ppm = 0;
  hash::Digest list_hash;
};
/// Sets root.id.
Buffer write_root(ProtectionRoot& root);
/// Errors: corrupt, unsupported.
Result<ProtectionRoot> parse_root(ByteView in);

Buffer write_list(const ProtectionList& list);
/// Errors: corrupt, unsafe (a path that leads out), limit.
Result<ProtectionList> parse_list(ByteView in);

/// What the section of a set says it belongs to: BLAKE3 of the hashes of its files in order.
hash::Digest set_subject(const ProtectionList& list, std::size_t set);
/// The files of a set with content, in the order of their bytes.
std::vector<std::size_t> files_of_set(const ProtectionList& list, std::size_t set);

/// Writes root and shards; the sections come from `section`, which writes that of a set.
Result<> write_protection(const ProtectionList& list,
                          const std::function<Result<>(std::size_t set, ByteSink&)>& section, ByteSink& out);

/// Whether every stored byte of a protection is as it was written; for each set whether its section is.
struct ProtectionState {
  bool frame = false;  ///< Roots and shards.
  std::vector<bool> sections;
};
Result<ProtectionState> check_protection(const RandomAccessSource& source, const LoadedProtection& loaded,
                                         const ParityContext& context);

/// A part of a source, to its end, with offsets of its own.
class SourceWindow final : public RandomAccessSource {
 public:
  SourceWindow(const RandomAccessSource& source, std::uint64_t begin)
      : source_(source), begin_(std::min(begin, source.size())) {}
  std::uint64_t size() const override { return source_.size() - begin_; }
  const std::string& name() const override { return source_.name(); }
  Result<> read_at(std::uint64_t offset, Bytes out) const override { return source_.read_at(begin_ + offset, out); }

 private:
  const RandomAccessSource& source_;
  std::uint64_t begin_;
};

}  // namespace mmh::pack
