#include "mmh/chunking/fastcdc.h"

#include <algorithm>
#include <bit>

#include "gear.h"
#include "mmh/base/check.h"

namespace mmh::chunking {
namespace {

// A hash of 64 bits shifted once a byte forgets everything older than 64 bytes: hash(i) depends on data[i-64, i) alone.
constexpr std::size_t kWindow = 64;
// Normalisation level 2 of the paper: masks two bits longer before the average size and two bits shorter behind it.
constexpr int kNormalisation = 2;

// A mask of the `bits` highest bits, which all 64 bytes of the window reach, makes the test "hash & mask == 0" a
// comparison with one limit. `bits` is 4..33: an average is a power of two from 64 to 2^31.
std::uint64_t limit_for(int bits) { return std::uint64_t{1} << (64 - bits); }

// Rolls `hash` over [at, end) and returns the first cut, a position behind the byte that made it, or 0. Two bytes a
// step: the new hash needs one shift and one addition to the old one (t is ready early), half the latency of a byte a
// step.
std::size_t scan(const std::uint8_t* data, std::size_t& at, std::size_t end, std::uint64_t limit, std::uint64_t& hash) {
  std::uint64_t h = hash;
  std::size_t i = at;
  const auto step = [&](std::size_t offset) {
    const std::uint64_t first = kGear[data[i + offset]];
    const std::uint64_t second = kGear[data[i + offset + 1]];
    const std::uint64_t middle = (h << 1) + first;
    h = (h << 2) + ((first << 1) + second);
    return middle < limit ? 1U : h < limit ? 2U : 0U;
  };
  for (; end - i >= 8; i += 8) {
    if (const unsigned found = step(0); found != 0) [[unlikely]]
      return i + found;
    if (const unsigned found = step(2); found != 0) [[unlikely]]
      return i + 2 + found;
    if (const unsigned found = step(4); found != 0) [[unlikely]]
      return i + 4 + found;
    if (const unsigned found = step(6); found != 0) [[unlikely]]
      return i + 6 + found;
  }
  for (; i < end; ++i) {
    h = (h << 1) + kGear[data[i]];
    if (h < limit) return i + 1;
  }
  at = i;
  hash = h;
  return 0;
}

}  // namespace

std::size_t first_cut(ByteView data, const ChunkSizes& sizes) {
  MMH_CHECK(sizes.size_min >= kWindow && sizes.size_min <= sizes.average && sizes.average <= sizes.size_max &&
            std::has_single_bit(sizes.average));
  const std::size_t size = std::min<std::size_t>(data.size(), sizes.size_max);
  if (size <= sizes.size_min) return size;

  const auto* bytes = reinterpret_cast<const std::uint8_t*>(data.data());
  const int bits = std::countr_zero(sizes.average);
  // The window before the least cut fills the hash, so that a place is a cut or not whatever lies further before it.
  std::size_t at = sizes.size_min - kWindow;
  std::uint64_t hash = 0;
  scan(bytes, at, sizes.size_min - 1, 0, hash);
  const std::size_t normal = std::min<std::size_t>(size, sizes.average - 1);
  if (at < normal) {
    if (const std::size_t cut = scan(bytes, at, normal, limit_for(bits + kNormalisation), hash); cut != 0) return cut;
  }
  if (const std::size_t cut = scan(bytes, at, size, limit_for(bits - kNormalisation), hash); cut != 0) return cut;
  return size;
}

}  // namespace mmh::chunking
