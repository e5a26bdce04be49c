// The kernels for every instruction set that Highway has, except those whose vectors have no fixed size; and for GFNI,
// which Highway does not know, beside AVX-512.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels_simd.cc"
// Arrays of scalable vectors are impossible; the processors that have SVE also have NEON.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#endif
#include <hwy/cache_control.h>

#include <algorithm>

#include "gf256.h"
#include "kernels.h"
#include "mmh/base/simd.h"
// Must stand after the inclusions that are not repeated and before highway.h.
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mmh::fec {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128 || (defined(HWY_SSE2) && HWY_TARGET == HWY_SSE2)

// Without a byte shuffle in hardware the portable kernels are as fast as any.
const Kernels* get_kernels(bool /*gfni*/) { return &kPortableKernels; }

#else

namespace hn = hwy::HWY_NAMESPACE;

/// By two look-ups: of the low half of each byte, and of the high half.
template <class D>
class Multiplier {
  using V = hn::Vec<D>;

 public:
  struct Input {
    V low;
    V high;
  };
  using Factor = Input;

  explicit HWY_INLINE Multiplier(D d) : d_(d), mask_(hn::Set(d, 15)) {}
  HWY_INLINE Input prepare(V v) const { return {hn::And(v, mask_), hn::And(hn::ShiftRight<4>(v), mask_)}; }
  HWY_INLINE Factor factor(std::uint8_t value) const {
    const std::uint8_t* table = kHalfProducts[value].data();
    return {hn::LoadDup128(d_, table), hn::LoadDup128(d_, table + 16)};
  }
  HWY_INLINE V multiply(const Factor& factor, const Input& input) const {
    return hn::Xor(hn::TableLookupBytes(factor.low, input.low), hn::TableLookupBytes(factor.high, input.high));
  }

 private:
  D d_;
  V mask_;
};

inline constexpr std::size_t kOutputsMax = HWY_MAX_BYTES >= 64 ? 6 : 4;
#include "combine-inl.h"

// ---- slices

using Byte = hn::ScalableTag<std::uint8_t>;
using Vec = hn::Vec<Byte>;
inline constexpr std::size_t kVec = sizeof(Vec);

HWY_INLINE Vec load(const std::byte* place) { return hn::LoadU(Byte(), reinterpret_cast<const std::uint8_t*>(place)); }
HWY_INLINE Vec load_row(const std::byte* place) {
  return hn::Load(Byte(), reinterpret_cast<const std::uint8_t*>(place));
}
HWY_INLINE void store_row(Vec v, std::byte* place) { hn::Store(v, Byte(), reinterpret_cast<std::uint8_t*>(place)); }

/// As many bytes of a row as its width.
template <std::size_t kWidth>
struct Slice {
  static constexpr std::size_t kCount = kWidth / kVec;
  Vec v[kCount];

  HWY_INLINE void clear() {
    for (Vec& part : v) part = hn::Zero(Byte());
  }
  HWY_INLINE void read(const std::byte* row) {
    for (std::size_t i = 0; i < kCount; ++i) v[i] = load_row(row + i * kVec);
  }
  HWY_INLINE void add(const std::byte* row) {
    for (std::size_t i = 0; i < kCount; ++i) v[i] = hn::Xor(v[i], load_row(row + i * kVec));
  }
  HWY_INLINE void write(std::byte* row) const {
    for (std::size_t i = 0; i < kCount; ++i) store_row(v[i], row + i * kVec);
  }
};

template <std::size_t kWidth>
void sum_slices(const Sums& sums, std::byte* rows, const std::byte* const* inputs, std::byte* const* outputs,
                std::size_t at) {
  // Inputs lie far apart, in an order that no processor foresees.
  constexpr std::size_t kAhead = 16;
  const std::uint16_t* code = sums.code;
  for (std::size_t i = 0; i < sums.count; ++i) {
    Slice<kWidth> slice;
    slice.clear();
    if (inputs != nullptr) {
      if (i + kAhead < sums.count && sums.inputs[i + kAhead] != Sums::kNoInput) {
        const std::byte* place = inputs[sums.inputs[i + kAhead]] + at;
        for (std::size_t line = 0; line < kWidth; line += 64) hwy::Prefetch(place + line);
      }
      if (sums.inputs[i] != Sums::kNoInput) {
        const std::byte* place = inputs[sums.inputs[i]] + at;
        for (std::size_t v = 0; v < slice.kCount; ++v) slice.v[v] = load(place + v * kVec);
      }
    }
    if (sums.add) {
      for (std::size_t v = 0; v < slice.kCount; ++v) slice.v[v] = load(outputs[i] + at + v * kVec);
    }
    std::size_t count = *code++;
    for (; count >= 4; count -= 4, code += 4) {
      slice.add(rows + code[0] * kWidth);
      slice.add(rows + code[1] * kWidth);
      slice.add(rows + code[2] * kWidth);
      slice.add(rows + code[3] * kWidth);
    }
    for (; count > 0; --count) slice.add(rows + *code++ * kWidth);
    if (outputs == nullptr) {
      slice.write(rows + sums.to[i] * kWidth);
    } else {
      for (std::size_t v = 0; v < slice.kCount; ++v) {
        hn::StoreU(slice.v[v], Byte(), reinterpret_cast<std::uint8_t*>(outputs[i]) + at + v * kVec);
      }
    }
  }
}

/// A group's 64 sums of its sources.
template <std::size_t kWidth>
HWY_INLINE void fill_table(const std::uint16_t* sources, std::size_t count, const std::byte* rows, std::byte* table) {
  Slice<kWidth> slice;
  slice.clear();
  slice.write(table);
  for (std::size_t bit = 0; bit < count; ++bit) {
    Slice<kWidth> source;
    source.read(rows + sources[bit] * kWidth);
    const std::size_t half = std::size_t{1} << bit;
    for (std::size_t entry = 0; entry < half; ++entry) {
      slice = source;
      slice.add(table + entry * kWidth);
      slice.write(table + (half + entry) * kWidth);
    }
  }
}

/// The targets' sums over kTables groups, whose tables stand one after another.
template <std::size_t kWidth, std::size_t kTables>
HWY_INLINE void add_picks(const Selection& selection, std::size_t group, bool add, std::byte* rows,
                          const std::byte* tables) {
  constexpr std::size_t kTable = (std::size_t{1} << Selection::kGroup) * kWidth;
  const std::uint8_t* picks = selection.picks + group * selection.target_count;
  for (std::size_t i = 0; i < selection.target_count; ++i) {
    std::byte* target = rows + selection.targets[i] * kWidth;
    Slice<kWidth> slice;
    slice.read(tables + picks[i] * kWidth);
    if (add) slice.add(target);
    for (std::size_t t = 1; t < kTables; ++t) {
      slice.add(tables + t * kTable + picks[t * selection.target_count + i] * kWidth);
    }
    slice.write(target);
  }
}

template <std::size_t kWidth>
void select_slices(const Selection& selection, std::byte* rows, std::byte* tables) {
  constexpr std::size_t kTable = (std::size_t{1} << Selection::kGroup) * kWidth;
  constexpr std::size_t kTables = kSelectionScratch / kTable;
  const std::size_t groups = (selection.source_count + Selection::kGroup - 1) / Selection::kGroup;
  const auto fill = [&](std::size_t group, std::byte* table) HWY_ATTR {
    const std::size_t first = group * Selection::kGroup;
    fill_table<kWidth>(selection.sources + first, HWY_MIN(Selection::kGroup, selection.source_count - first), rows,
                       table);
  };
  bool add = selection.add;
  std::size_t group = 0;
  for (; group + kTables <= groups; group += kTables) {
    for (std::size_t t = 0; t < kTables; ++t) fill(group + t, tables + t * kTable);
    add_picks<kWidth, kTables>(selection, group, add, rows, tables);
    add = true;
  }
  for (; group < groups; ++group) {
    fill(group, tables);
    add_picks<kWidth, 1>(selection, group, add, rows, tables);
    add = true;
  }
}

HWY_INLINE Vec doubled(Vec v) {
  const Byte d;
  const hn::RebindToSigned<Byte> signed_bytes;
  const auto reduce = hn::BitCast(d, hn::BroadcastSignBit(hn::BitCast(signed_bytes, v)));
  return hn::Xor(hn::Add(v, v), hn::And(reduce, hn::Set(d, 0x1D)));
}

template <std::size_t kWidth>
void recur_slices(const Recurrence& recurrence, std::byte* rows) {
  std::byte* out = rows + recurrence.first_output * kWidth;
  Slice<kWidth> z;
  z.clear();
  for (std::size_t output = 0; output < recurrence.outputs; ++output) z.write(out + output * kWidth);
  const auto add_to = [&](std::size_t output) HWY_ATTR {
    Slice<kWidth> sum = z;
    sum.add(out + output * kWidth);
    sum.write(out + output * kWidth);
  };
  for (std::size_t step = 0; step < recurrence.steps; ++step) {
    for (Vec& part : z.v) part = doubled(part);
    z.add(rows + step * kWidth);
    if (step + 1 < recurrence.steps) {
      add_to(recurrence.pairs[2 * step]);
      add_to(recurrence.pairs[2 * step + 1]);
    }
  }
  for (std::size_t output = 0; output < recurrence.outputs; ++output) {
    add_to(output);
    for (Vec& part : z.v) part = doubled(part);
  }
}

void sum(const Sums& sums, std::byte* rows, std::size_t width, const std::byte* const* inputs,
         std::byte* const* outputs, std::size_t at) {
  if (width == 64) return sum_slices<64>(sums, rows, inputs, outputs, at);
  sum_slices<128>(sums, rows, inputs, outputs, at);
}

void select(const Selection& selection, std::byte* rows, std::size_t width, std::byte* scratch) {
  if (width == 64) return select_slices<64>(selection, rows, scratch);
  select_slices<128>(selection, rows, scratch);
}

void recur(const Recurrence& recurrence, std::byte* rows, std::size_t width) {
  if (width == 64) return recur_slices<64>(recurrence, rows);
  recur_slices<128>(recurrence, rows);
}

#if HWY_TARGET == HWY_AVX3 && HWY_COMPILER_GCC_ACTUAL
#define MMH_GFNI 1
#pragma GCC push_options
#pragma GCC target("gfni")
namespace gfni {

/// By a matrix of bits for each factor.
template <class D>
class Multiplier {
  using V = hn::Vec<D>;

 public:
  struct Input {
    V value;
  };
  struct Factor {
    __m512i matrix;
  };

  explicit HWY_INLINE Multiplier(D /*d*/) {}
  HWY_INLINE Input prepare(V v) const { return {v}; }
  HWY_INLINE Factor factor(std::uint8_t value) const {
    return {_mm512_set1_epi64(static_cast<long long>(kBitMatrices[value]))};
  }
  HWY_INLINE V multiply(const Factor& factor, const Input& input) const {
    return V{_mm512_gf2p8affine_epi64_epi8(input.value.raw, factor.matrix, 0)};
  }
};

#include "combine-inl.h"

}  // namespace gfni
#pragma GCC pop_options
#endif

const Kernels* get_kernels([[maybe_unused]] bool gfni) {
#if defined(MMH_GFNI)
#undef MMH_GFNI
  static const Kernels kGfni = {"GFNI", gfni::combine, sum, select, recur};
  if (gfni && __builtin_cpu_supports("gfni")) return &kGfni;
#endif
  static const Kernels kKernels = {hwy::TargetName(HWY_TARGET), combine, sum, select, recur};
  return &kKernels;
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace mmh::fec
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mmh::fec {

MMH_KERNELS(kTargets, get_kernels);

const Kernels& best_kernels() {
  static const Kernels& best = *kTargets.best()(true);
  return best;
}

std::vector<const Kernels*> all_kernels() {
  std::vector<const Kernels*> all = {&kPortableKernels};
  for (const auto get : kTargets.all()) {
    for (const bool gfni : {false, true}) {
      const Kernels* kernels = get(gfni);
      if (std::ranges::find(all, kernels) == all.end()) all.push_back(kernels);
    }
  }
  return all;
}

}  // namespace mmh::fec
#endif
