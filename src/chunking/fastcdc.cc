#include "mmh/chunking/fastcdc.h"

#include <algorithm>
#include <bit>

#include "gear.h"
#include "mmh/base/check.h"

namespace mmh::chunking {
namespace {

// Normalisation level 2 of the paper: masks two bits longer before the average size and two bits shorter behind it.
constexpr int kNormalisation = 2;
constexpr int kAverageBitsMax = 24;

// A mask of the `bits` highest bits, which all bytes of the window reach, makes the test "hash & mask == 0" a
// comparison.
std::uint32_t limit_for(int bits) { return std::uint32_t{1} << (32 - bits); }

}  // namespace

std::size_t first_cut(ByteView data, const ChunkSizes& sizes) {
  const int bits = std::countr_zero(sizes.average);
  MMH_CHECK(sizes.size_min >= 64 && sizes.size_min <= sizes.average && sizes.average <= sizes.size_max &&
            std::has_single_bit(sizes.average) && bits <= kAverageBitsMax);
  const std::size_t size = std::min<std::size_t>(data.size(), sizes.size_max);
  if (size <= sizes.size_min) return size;

  // Positions are those of the byte before a cut. The window reaches back before the least cut, so that a place is a
  // cut or not whatever lies further before it.
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(data.data());
  const std::size_t least = sizes.size_min - 1;
  const std::size_t normal = std::clamp<std::size_t>(sizes.average - 1, least, size);
  std::size_t found = find_hash_below(bytes, least, normal, limit_for(bits + kNormalisation));
  if (found == normal) found = find_hash_below(bytes, normal, size, limit_for(bits - kNormalisation));
  return std::min(found + 1, size);
}

}  // namespace mmh::chunking
