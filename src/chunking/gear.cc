#include "gear.h"

#include <algorithm>

#include "mmh/base/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gear.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mmh::chunking {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET <= HWY_AVX3

namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::ScalableTag<std::uint32_t>;
using Words = hn::Vec<Tag>;

// Intrinsics rather than TableLookupLanes, which wants its indices masked: here the bits above the lowest do no harm,
// as the instruction passes over them (AVX2) or the table is there twice (AVX-512).
HWY_INLINE Words look_up(Words table, Words indices) {
#if HWY_TARGET == HWY_AVX2
  return Words{_mm256_permutevar8x32_epi32(table.raw, indices.raw)};
#else
  return Words{_mm512_permutexvar_epi32(indices.raw, table.raw)};
#endif
}

// Every lane of a vector walks a stretch of its own, after the 31 bytes before it; a stretch with a find is walked
// again.
std::size_t find_hash_below(const std::uint8_t* data, std::size_t begin, std::size_t end, std::uint32_t limit) {
  constexpr std::size_t kStretchMax = 512;
  constexpr std::size_t kStretchMin = 64;
  const Tag tag;
  const hn::RebindToSigned<Tag> signed_tag;
  const std::size_t lanes = hn::Lanes(tag);
  const auto load_part = [&](std::size_t which) HWY_ATTR {
    HWY_ALIGN std::uint32_t twice[HWY_MAX_BYTES / 4];
    for (std::size_t i = 0; i < lanes; ++i) twice[i] = kGearParts[which][i & 7];
    return hn::Load(tag, twice);
  };
  const Words low = load_part(0);
  const Words middle = load_part(1);
  const Words high = load_part(2);

  while (end - begin >= lanes * kStretchMin) {
    const std::size_t stretch = std::min((end - begin) / lanes & ~std::size_t{3}, kStretchMax);
    const auto offsets = hn::Mul(hn::Iota(signed_tag, 0), hn::Set(signed_tag, static_cast<std::int32_t>(stretch)));
    const auto fetch = [&](const std::uint8_t* place) HWY_ATTR {
      return hn::BitCast(tag, hn::GatherOffset(signed_tag, reinterpret_cast<const std::int32_t*>(place), offsets));
    };
    Words hash = hn::Zero(tag);
    Words least = hn::Set(tag, ~std::uint32_t{0});
    const auto roll = [&](Words bytes) HWY_ATTR {
      const Words number = hn::Add(hn::Add(look_up(low, bytes), look_up(middle, hn::ShiftRight<3>(bytes))),
                                   look_up(high, hn::ShiftRight<5>(bytes)));
      hash = hn::Add(hn::Add(hash, hash), number);
    };
    const std::uint8_t* place = data + begin - kGearWindow;
    for (std::size_t i = 0; i < kGearWindow; i += 4) {
      Words bytes = fetch(place + i);
      for (int b = 0; b < 4; ++b) {
        roll(bytes);
        bytes = hn::ShiftRight<8>(bytes);
      }
    }
    place = data + begin;
    for (std::size_t i = 0; i < stretch; i += 4) {
      // The stretches confuse the prefetcher of the CPU, so the next ones are asked for here.
      hwy::Prefetch(place + lanes * (stretch + i));
      Words bytes = fetch(place + i);
      for (int b = 0; b < 4; ++b) {
        roll(bytes);
        least = hn::Min(least, hash);
        bytes = hn::ShiftRight<8>(bytes);
      }
    }
    const std::intptr_t lane = hn::FindFirstTrue(tag, hn::Lt(least, hn::Set(tag, limit)));
    if (lane >= 0) {
      const std::size_t from = begin + static_cast<std::size_t>(lane) * stretch;
      return find_hash_below_portable(data, from, from + stretch, limit);
    }
    begin += lanes * stretch;
  }
  return find_hash_below_portable(data, begin, end, limit);
}

#else

std::size_t find_hash_below(const std::uint8_t* data, std::size_t begin, std::size_t end, std::uint32_t limit) {
  return find_hash_below_portable(data, begin, end, limit);
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace mmh::chunking
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mmh::chunking {

MMH_KERNELS(kFindHashBelow, find_hash_below);

std::size_t find_hash_below(const std::uint8_t* data, std::size_t begin, std::size_t end, std::uint32_t limit) {
  return kFindHashBelow.best()(data, begin, end, limit);
}

// Two bytes a step: the new hash needs one shift and one addition to the old one (the rest is ready early), half the
// latency of a byte a step.
std::size_t find_hash_below_portable(const std::uint8_t* data, std::size_t begin, std::size_t end,
                                     std::uint32_t limit) {
  std::uint32_t hash = 0;
  for (std::size_t i = begin - (kGearWindow - 1); i < begin; ++i) hash = (hash << 1) + kGear[data[i]];
  std::size_t i = begin;
  for (; end - i >= 8; i += 8) {
    for (std::size_t k = 0; k < 8; k += 2) {
      const std::uint32_t first = kGear[data[i + k]];
      const std::uint32_t second = kGear[data[i + k + 1]];
      if ((hash << 1) + first < limit) [[unlikely]]
        return i + k;
      hash = (hash << 2) + ((first << 1) + second);
      if (hash < limit) [[unlikely]]
        return i + k + 1;
    }
  }
  for (; i < end; ++i) {
    hash = (hash << 1) + kGear[data[i]];
    if (hash < limit) return i;
  }
  return end;
}

}  // namespace mmh::chunking
#endif
