#pragma once
// Where each distinct chunk is: an open-addressing table of bounded size.

#include <cstdint>
#include <optional>
#include <vector>

#include "mmh/hash/digest.h"

namespace mmh::pack {

/// A place in a data block.
struct ChunkPlace {
  std::uint64_t block = ~std::uint64_t{0};
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
};

/// Maps chunk digests to places in at most `memory_max` bytes. When it is full it keeps a sample (digests that end in
/// more and more zero bits), so that duplicates of long inputs are still found in part. Deterministic. Compares 192
/// bits of the digest: 96-bit collision resistance.
class DedupIndex {
 public:
  explicit DedupIndex(std::size_t memory_max);
  std::optional<ChunkPlace> find(const hash::Digest& digest) const;
  /// Requires: the digest is not in the index.
  void insert(const hash::Digest& digest, const ChunkPlace& place);

 private:
  struct Slot {
    std::uint64_t key[3];
    std::uint64_t block;
    std::uint32_t offset;
    std::uint32_t length;  // 0: empty
  };
  static bool sampled(const hash::Digest& digest, unsigned bits);
  void rebuild(std::size_t slots);
  void place_slot(const Slot& slot);

  std::size_t slots_max_;
  std::vector<Slot> slots_;
  std::size_t used_ = 0;
  unsigned sample_bits_ = 0;
};

}  // namespace mmh::pack
