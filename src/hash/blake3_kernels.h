#pragma once
// The compression kernels of BLAKE3: one set per instruction set, and the portable twin that is their oracle.

#include <array>
#include <cstddef>
#include <cstdint>

#include "mmh/hash/blake3.h"

namespace mmh::hash::detail {

inline constexpr std::size_t kBlockSize = 64;
inline constexpr std::size_t kBlocksPerChunk = kBlake3ChunkSize / kBlockSize;
/// Most inputs that one pass of the widest kernel takes; the tree is walked in groups of this many nodes.
inline constexpr std::size_t kLanesMax = 16;

inline constexpr ChainingValue kInitialValue = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                                                0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};

// Domain separation, section 2.2 of the specification.
inline constexpr std::uint32_t kChunkStart = 1 << 0;
inline constexpr std::uint32_t kChunkEnd = 1 << 1;
inline constexpr std::uint32_t kParent = 1 << 2;
inline constexpr std::uint32_t kRoot = 1 << 3;
inline constexpr std::uint32_t kKeyedHash = 1 << 4;
inline constexpr std::uint32_t kDeriveKeyContext = 1 << 5;
inline constexpr std::uint32_t kDeriveKeyMaterial = 1 << 6;

/// The order in which each round takes the sixteen message words.
inline constexpr std::array<std::array<std::uint8_t, 16>, 7> kSchedule = [] {
  constexpr std::array<std::uint8_t, 16> permutation = {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8};
  std::array<std::array<std::uint8_t, 16>, 7> schedule{};
  for (std::uint8_t word = 0; word < 16; ++word) schedule[0][word] = word;
  for (std::size_t round = 1; round < schedule.size(); ++round) {
    for (std::size_t word = 0; word < 16; ++word) schedule[round][word] = schedule[round - 1][permutation[word]];
  }
  return schedule;
}();

/// What the inputs of one hash_many() call have in common. All have `blocks` whole blocks and follow each other without
/// a gap: chunks, the start of one chunk, or pairs of chaining values.
struct Inputs {
  const std::byte* data;
  std::size_t count;
  std::size_t blocks;  ///< Of one input; at least 1.
  std::uint64_t counter;
  std::uint64_t counter_step;  ///< From one input to the next: 1 for chunks, 0 for parents, nothing else.
  std::uint32_t flags;
  std::uint32_t flags_first;  ///< Added for the first block of each input.
  std::uint32_t flags_last;   ///< Added for the last block of each input.
};

struct Kernels {
  const char* name;  ///< Of the instruction set, as Highway spells it, or "portable".
  /// Writes the chaining values of all inputs. `out` may be where `inputs.data` is when inputs.blocks is 1.
  void (*hash_many)(const ChainingValue& key, const Inputs& inputs, ChainingValue* out);
  /// One compression with all sixteen output words. `block` has kBlockSize bytes, of which `size` count (the rest is
  /// 0).
  void (*compress)(const ChainingValue& value, const std::byte* block, std::uint32_t size, std::uint64_t counter,
                   std::uint32_t flags, std::uint32_t* out);
};

/// The portable twin.
extern const Kernels kPortable;
/// The best set for this processor, or for the targets that Highway was told to support.
const Kernels* best_kernels();
/// The set in use.
const Kernels& kernels();
/// Makes every later hash of this process use `chosen`; nullptr: the best. For tests.
void use_kernels(const Kernels* chosen);

}  // namespace mmh::hash::detail
