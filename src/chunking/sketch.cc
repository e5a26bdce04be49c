#include "mmh/chunking/sketch.h"

#include "mmh/base/simd.h"
#include "sketch_kernel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "sketch.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mmh::chunking {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
std::size_t sample_stretch(const std::uint8_t* data, std::size_t count, std::uint32_t limit, Features& features) {
  return sample_stretch_portable(data, count, limit, features);
}
#else

// Four vectors of numbers at byte offsets 0 to 3 cover every position of a vector's bytes.
std::size_t sample_stretch(const std::uint8_t* data, std::size_t count, std::uint32_t limit, Features& features) {
  const hn::ScalableTag<std::uint8_t> bytes;
  const hn::Repartition<std::uint32_t, decltype(bytes)> words;
  const hn::FixedTag<std::uint32_t, 4> four;
  const std::size_t width = hn::Lanes(bytes);
  const auto add = hn::Set(words, kSelectAdd);
  const auto multiply = hn::Set(words, kSelectMultiply);
  const auto limits = hn::Set(words, limit);
  const auto hash_at = [&](const std::uint8_t* place) HWY_ATTR {
    const auto first = hn::BitCast(words, hn::LoadU(bytes, place));
    const auto second = hn::BitCast(words, hn::LoadU(bytes, place + 4));
    return hn::Mul(hn::Add(hn::Xor(first, hn::RotateRight<17>(second)), add), multiply);
  };

  auto f0 = hn::LoadU(four, features.data());
  auto f1 = hn::LoadU(four, features.data() + 4);
  auto f2 = hn::LoadU(four, features.data() + 8);
  const auto m0 = hn::Load(four, kMultiply.data());
  const auto m1 = hn::Load(four, kMultiply.data() + 4);
  const auto m2 = hn::Load(four, kMultiply.data() + 8);
  const auto a0 = hn::Load(four, kAdd.data());
  const auto a1 = hn::Load(four, kAdd.data() + 4);
  const auto a2 = hn::Load(four, kAdd.data() + 8);

  // Two passes without a branch to mispredict: one bit for each position, then the list of the positions selected.
  const std::size_t word_lanes = hn::Lanes(words);
  std::uint64_t bits[kStretch / 16];
  // The last vector begins 3 bytes in and its second half 4 further on; samples themselves read 16 bytes.
  const std::size_t readable = count + kSampleBytes - 1;
  const std::size_t groups = std::min(count, readable < 7 ? 0 : readable - 7) / width;
  for (std::size_t g = 0; g < groups; ++g) {
    const std::uint8_t* place = data + g * width;
    std::uint64_t word = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      std::uint8_t mask[8] = {};
      hn::StoreMaskBits(words, hn::Lt(hash_at(place + k), limits), mask);
      std::uint64_t part;
      std::memcpy(&part, mask, sizeof part);
      word |= part << (k * word_lanes);
    }
    bits[g] = word;
  }
  std::uint16_t selected[kStretch + 64];
  std::size_t sampled = 0;
  const std::size_t lane_log = static_cast<std::size_t>(std::countr_zero(word_lanes));
  for (std::size_t g = 0; g < groups; ++g) {
    std::uint64_t word = bits[g];
    const auto take = [&] {
      const auto bit = static_cast<std::size_t>(std::countr_zero(word));
      const std::size_t lane = bit & (word_lanes - 1);
      selected[sampled] = static_cast<std::uint16_t>(g * width + lane * 4 + (bit >> lane_log));
      sampled += word != 0;
      word &= word - 1;
    };
    take();
    take();
    while (word != 0) take();
  }
  for (std::size_t s = 0; s < sampled; ++s) {
    const auto value = hn::Set(four, sample_value(data + selected[s]));
    f0 = hn::Max(f0, hn::Add(hn::Mul(value, m0), a0));
    f1 = hn::Max(f1, hn::Add(hn::Mul(value, m1), a1));
    f2 = hn::Max(f2, hn::Add(hn::Mul(value, m2), a2));
  }
  const std::size_t i = groups * width;
  hn::StoreU(f0, four, features.data());
  hn::StoreU(f1, four, features.data() + 4);
  hn::StoreU(f2, four, features.data() + 8);
  return sampled + sample_stretch_portable(data + i, count - i, limit, features);
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace mmh::chunking
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mmh::chunking {

MMH_KERNELS(kSampleStretch, sample_stretch);

std::size_t sample_stretch(const std::uint8_t* data, std::size_t count, std::uint32_t limit, Features& features) {
  return kSampleStretch.best()(data, count, limit, features);
}

std::size_t sample_stretch_portable(const std::uint8_t* data, std::size_t count, std::uint32_t limit,
                                    Features& features) {
  std::size_t sampled = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t first;
    std::uint32_t second;
    std::memcpy(&first, data + i, 4);
    std::memcpy(&second, data + i + 4, 4);
    if (select_hash(first, second) >= limit) continue;
    const std::uint32_t value = sample_value(data + i);
    for (std::size_t f = 0; f < kFeatureCount; ++f) {
      features[f] = std::max(features[f], value * kMultiply[f] + kAdd[f]);
    }
    ++sampled;
  }
  return sampled;
}

bool have_common_feature(const Sketch& a, const Sketch& b) {
  for (std::size_t f = 0; f < kFeatureCount; ++f) {
    if (a.features[f] == b.features[f]) return true;
  }
  return false;
}

Sketch similarity_sketch(ByteView data) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(data.data());
  Sketch sketch;
  Features& features = sketch.features;
  if (data.size() < kSampleBytes) {
    std::uint8_t padded[kSampleBytes] = {};
    std::copy_n(bytes, data.size(), padded);
    features.fill(sample_value(padded));
  } else {
    // One position in 16 of small inputs, so that they have samples at all; one in 128 of the others.
    const std::uint32_t limit = std::uint32_t{1} << (data.size() < 4096 ? 28 : 25);
    const std::size_t positions = data.size() - kSampleBytes + 1;
    // Repetitive data may select every position; several times the expected number of samples says enough about it.
    const std::size_t enough = 256 + data.size() / 32;
    std::size_t sampled = 0;
    for (std::size_t at = 0; at < positions && sampled <= enough; at += kStretch) {
      sampled += sample_stretch(bytes + at, std::min(kStretch, positions - at), limit, features);
    }
    if (sampled == 0) features.fill(sample_value(bytes));
  }

  constexpr std::size_t kEach = kFeatureCount / std::tuple_size_v<decltype(sketch.super_features)>;
  for (std::size_t s = 0; s < sketch.super_features.size(); ++s) {
    std::uint64_t mixed = s + 1;
    for (std::size_t f = 0; f < kEach; ++f) {
      mixed = (mixed ^ features[s * kEach + f]) * 0x9E3779B97F4A7C15;
      mixed ^= mixed >> 32;
    }
    sketch.super_features[s] = static_cast<std::uint32_t>(mixed);
  }
  return sketch;
}

}  // namespace mmh::chunking
#endif
