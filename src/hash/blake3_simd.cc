// The kernels for every instruction set that Highway has, except those whose vectors have no fixed size.
//
// Two ways of spreading the work over a vector of 32-bit lanes. *Columns*: lane i holds one state word of input i, so
// 4, 8 or 16 inputs run side by side with no shuffle but the transposition of the message. *Rows*: a 128-bit block
// holds one row of one input's state; it serves few inputs (1, 2 or 4), where columns would run empty lanes.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "blake3_simd.cc"
// Arrays of scalable vectors are impossible; the processors that have SVE also have NEON.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#endif
#include <hwy/cache_control.h>

#include "blake3_kernels.h"
// Must stand after the inclusions that are not repeated and before highway.h.
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mmh::hash::detail {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128 || (defined(HWY_SSE2) && HWY_TARGET == HWY_SSE2)

// Without a byte shuffle in hardware the portable kernels are as fast as any.
const Kernels* get_kernels() { return &kPortable; }

#else

namespace hn = hwy::HWY_NAMESPACE;

template <class D>
using Vec = hn::Vec<D>;

/// All vectors here are whole: a count of lanes known to the compiler.
template <class D>
inline constexpr std::size_t kLanesOf = sizeof(Vec<D>) / sizeof(std::uint32_t);

template <std::size_t kLanes>
using Lanes = hn::CappedTag<std::uint32_t, kLanes>;

inline constexpr std::size_t kWidth = HWY_MAX_BYTES >= 64 ? 16 : HWY_MAX_BYTES >= 32 ? 8 : 4;

/// The same 16 bytes in each block of the vector.
template <class D>
HWY_INLINE Vec<D> same_blocks(D d, const std::uint8_t* table) {
  const hn::Repartition<std::uint8_t, D> d8;
  return hn::BitCast(d, hn::LoadDup128(d8, table));
}

alignas(16) inline constexpr std::uint8_t kRotate16[16] = {2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13};
alignas(16) inline constexpr std::uint8_t kRotate8[16] = {1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12};

/// Rotations by whole bytes are one byte shuffle, except where there is a true rotation.
template <int kBits, class D>
HWY_INLINE Vec<D> rotate_right(D d, Vec<D> v) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  (void)d;
  return hn::RotateRight<kBits>(v);
#else
  if constexpr (kBits == 16 || kBits == 8) {
    return hn::TableLookupBytes(v, same_blocks(d, kBits == 16 ? kRotate16 : kRotate8));
  } else {
    return hn::RotateRight<kBits>(v);
  }
#endif
}

// ---- columns

/// Transposes the 4 x 4 words of each block: v[i] holds words 0..3 of input i, and then word i of inputs 0..3.
template <class D>
HWY_INLINE void transpose_blocks(D d, Vec<D>& v0, Vec<D>& v1, Vec<D>& v2, Vec<D>& v3) {
  const hn::Repartition<std::uint64_t, D> d64;
  const auto low01 = hn::BitCast(d64, hn::InterleaveLower(d, v0, v1));
  const auto high01 = hn::BitCast(d64, hn::InterleaveUpper(d, v0, v1));
  const auto low23 = hn::BitCast(d64, hn::InterleaveLower(d, v2, v3));
  const auto high23 = hn::BitCast(d64, hn::InterleaveUpper(d, v2, v3));
  v0 = hn::BitCast(d, hn::InterleaveLower(d64, low01, low23));
  v1 = hn::BitCast(d, hn::InterleaveUpper(d64, low01, low23));
  v2 = hn::BitCast(d, hn::InterleaveLower(d64, high01, high23));
  v3 = hn::BitCast(d, hn::InterleaveUpper(d64, high01, high23));
}

/// Block b of the result is the 16 bytes at inputs[4 b] + offset.
template <class D>
HWY_INLINE Vec<D> load_blocks(D d, const std::byte* const* inputs, std::size_t step, std::size_t offset) {
  if constexpr (kLanesOf<D> == 4) {
    return hn::LoadU(d, reinterpret_cast<const std::uint32_t*>(inputs[0] + offset));
  } else {
    const hn::Half<D> half;
    return hn::Combine(d, load_blocks(half, inputs + step * kLanesOf<D> / 8, step, offset),
                       load_blocks(half, inputs, step, offset));
  }
}

/// Word w of the block at `offset` of every input becomes m[w].
template <class D>
HWY_INLINE void load_message(D d, const std::byte* const* inputs, std::size_t offset, Vec<D>* m) {
  for (std::size_t quarter = 0; quarter < 4; ++quarter) {
    for (std::size_t i = 0; i < 4; ++i) m[4 * quarter + i] = load_blocks(d, inputs + i, 4, offset + 16 * quarter);
    transpose_blocks(d, m[4 * quarter], m[4 * quarter + 1], m[4 * quarter + 2], m[4 * quarter + 3]);
  }
}

/// Block b of `v` goes to the words at out[4 b] + offset.
template <class D>
HWY_INLINE void store_blocks(D d, Vec<D> v, ChainingValue* out, std::size_t offset) {
  if constexpr (kLanesOf<D> == 4) {
    hn::StoreU(v, d, out->data() + offset);
  } else {
    const hn::Half<D> half;
    store_blocks(half, hn::LowerHalf(half, v), out, offset);
    store_blocks(half, hn::UpperHalf(half, v), out + kLanesOf<D> / 2, offset);
  }
}

template <class D>
HWY_INLINE void mix(D d, Vec<D>& a, Vec<D>& b, Vec<D>& c, Vec<D>& e, Vec<D> x, Vec<D> y) {
  a = hn::Add(hn::Add(a, x), b);
  e = rotate_right<16>(d, hn::Xor(e, a));
  c = hn::Add(c, e);
  b = rotate_right<12>(d, hn::Xor(b, c));
  a = hn::Add(hn::Add(a, y), b);
  e = rotate_right<8>(d, hn::Xor(e, a));
  c = hn::Add(c, e);
  b = rotate_right<7>(d, hn::Xor(b, c));
}

/// Four independent mixes, step by step side by side: each step waits for the one before it.
template <class D>
HWY_INLINE void mix4(D d, Vec<D>* v, std::size_t diagonal, const std::uint8_t* s, const Vec<D>* m) {
  const auto b = [=](std::size_t i) { return 4 + (i + diagonal) % 4; };
  const auto c = [=](std::size_t i) { return 8 + (i + 2 * diagonal) % 4; };
  const auto e = [=](std::size_t i) { return 12 + (i + 3 * diagonal) % 4; };
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) v[i] = hn::Add(hn::Add(v[i], m[s[2 * i]]), v[b(i)]);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) v[e(i)] = rotate_right<16>(d, hn::Xor(v[e(i)], v[i]));
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) v[c(i)] = hn::Add(v[c(i)], v[e(i)]);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) v[b(i)] = rotate_right<12>(d, hn::Xor(v[b(i)], v[c(i)]));
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) v[i] = hn::Add(hn::Add(v[i], m[s[2 * i + 1]]), v[b(i)]);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) v[e(i)] = rotate_right<8>(d, hn::Xor(v[e(i)], v[i]));
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) v[c(i)] = hn::Add(v[c(i)], v[e(i)]);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) v[b(i)] = rotate_right<7>(d, hn::Xor(v[b(i)], v[c(i)]));
}

/// Hashes inputs.count <= Lanes(D) inputs; empty lanes repeat the last one.
template <class D>
HWY_NOINLINE void hash_columns(D d, const ChainingValue& key, const Inputs& inputs, ChainingValue* out) {
  constexpr std::size_t kLanes = kLanesOf<D>;
  const std::byte* data[kLanes];
  alignas(64) std::uint32_t counter_low[kLanes];
  alignas(64) std::uint32_t counter_high[kLanes];
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const std::size_t i = lane < inputs.count ? lane : inputs.count - 1;
    data[lane] = inputs.data + i * inputs.blocks * kBlockSize;
    const std::uint64_t counter = inputs.counter + i * inputs.counter_step;
    counter_low[lane] = static_cast<std::uint32_t>(counter);
    counter_high[lane] = static_cast<std::uint32_t>(counter >> 32);
  }

  Vec<D> h[8];
#pragma GCC unroll 8
  for (std::size_t w = 0; w < 8; ++w) h[w] = hn::Set(d, key[w]);
  std::uint32_t flags = inputs.flags | inputs.flags_first;
  for (std::size_t b = 0; b < inputs.blocks; ++b) {
    if (b + 1 == inputs.blocks) flags |= inputs.flags_last;
    Vec<D> m[16];
    load_message(d, data, b * kBlockSize, m);
    // The 16 streams lie a chunk apart, which hides from the processor that the next group follows directly.
    if (inputs.blocks > 1) {
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        hwy::Prefetch(data[lane] + kLanes * kBlake3ChunkSize + b * kBlockSize);
      }
    }
    Vec<D> v[16] = {h[0],
                    h[1],
                    h[2],
                    h[3],
                    h[4],
                    h[5],
                    h[6],
                    h[7],
                    hn::Set(d, kInitialValue[0]),
                    hn::Set(d, kInitialValue[1]),
                    hn::Set(d, kInitialValue[2]),
                    hn::Set(d, kInitialValue[3]),
                    hn::Load(d, counter_low),
                    hn::Load(d, counter_high),
                    hn::Set(d, static_cast<std::uint32_t>(kBlockSize)),
                    hn::Set(d, flags)};
#pragma GCC unroll 7
    for (std::size_t round = 0; round < 7; ++round) {
      mix4(d, v, 0, &kSchedule[round][0], m);
      mix4(d, v, 1, &kSchedule[round][8], m);
    }
#pragma GCC unroll 8
    for (std::size_t w = 0; w < 8; ++w) h[w] = hn::Xor(v[w], v[w + 8]);
    flags = inputs.flags;
  }

  transpose_blocks(d, h[0], h[1], h[2], h[3]);
  transpose_blocks(d, h[4], h[5], h[6], h[7]);
  ChainingValue spare[kLanes];
  ChainingValue* const target = inputs.count < kLanes ? spare : out;
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) {
    store_blocks(d, h[i], target + i, 0);
    store_blocks(d, h[i + 4], target + i, 4);
  }
  if (target == spare) {
    for (std::size_t i = 0; i < inputs.count; ++i) out[i] = spare[i];
  }
}

// ---- rows

/// The sixteen words of each block's message, ordered for one round: x and y for the columns, z and w for the
/// diagonals. The diagonals keep row b in place, so lane 0 is the last of the four mixes.
template <class D>
struct Message {
  Vec<D> x, y, z, w;
};

#define MMH_WORD(i) 4 * (i), 4 * (i) + 1, 4 * (i) + 2, 4 * (i) + 3
#define MMH_NONE 0x80, 0x80, 0x80, 0x80
alignas(16) inline constexpr std::uint8_t kEvenOdd[16] = {MMH_WORD(0), MMH_WORD(2), MMH_WORD(1), MMH_WORD(3)};
// The words of the next round's x, y, z, w that come from this round's x, y, z, w.
alignas(16) inline constexpr std::uint8_t kXFromX[16] = {MMH_WORD(1), MMH_NONE, MMH_NONE, MMH_WORD(2)};
alignas(16) inline constexpr std::uint8_t kXFromY[16] = {MMH_NONE, MMH_WORD(1), MMH_WORD(3), MMH_NONE};
alignas(16) inline constexpr std::uint8_t kYFromX[16] = {MMH_WORD(3), MMH_NONE, MMH_WORD(0), MMH_NONE};
alignas(16) inline constexpr std::uint8_t kYFromZ[16] = {MMH_NONE, MMH_WORD(2), MMH_NONE, MMH_NONE};
alignas(16) inline constexpr std::uint8_t kYFromW[16] = {MMH_NONE, MMH_NONE, MMH_NONE, MMH_WORD(3)};
alignas(16) inline constexpr std::uint8_t kZFromW[16] = {MMH_WORD(0), MMH_NONE, MMH_NONE, MMH_WORD(1)};
alignas(16) inline constexpr std::uint8_t kZFromY[16] = {MMH_NONE, MMH_WORD(0), MMH_NONE, MMH_NONE};
alignas(16) inline constexpr std::uint8_t kZFromZ[16] = {MMH_NONE, MMH_NONE, MMH_WORD(3), MMH_NONE};
alignas(16) inline constexpr std::uint8_t kWFromZ[16] = {MMH_WORD(1), MMH_NONE, MMH_NONE, MMH_WORD(0)};
alignas(16) inline constexpr std::uint8_t kWFromW[16] = {MMH_NONE, MMH_WORD(2), MMH_NONE, MMH_NONE};
alignas(16) inline constexpr std::uint8_t kWFromY[16] = {MMH_NONE, MMH_NONE, MMH_WORD(2), MMH_NONE};
#undef MMH_WORD
#undef MMH_NONE

template <class D>
HWY_INLINE Vec<D> pick(D d, Vec<D> v, const std::uint8_t* table) {
  return hn::TableLookupBytesOr0(v, same_blocks(d, table));
}

template <class D>
HWY_INLINE Message<D> load_rows(D d, const std::byte* const* inputs, std::size_t offset) {
  const hn::Repartition<std::uint64_t, D> d64;
  const auto even_odd = same_blocks(d, kEvenOdd);
  const auto part = [&](std::size_t quarter) HWY_ATTR {
    return hn::BitCast(d64, hn::TableLookupBytes(load_blocks(d, inputs, 1, offset + 16 * quarter), even_odd));
  };
  const auto words0 = part(0);
  const auto words1 = part(1);
  const auto words2 = part(2);
  const auto words3 = part(3);
  return {hn::BitCast(d, hn::InterleaveLower(d64, words0, words1)),
          hn::BitCast(d, hn::InterleaveUpper(d64, words0, words1)),
          hn::Shuffle2103(hn::BitCast(d, hn::InterleaveLower(d64, words2, words3))),
          hn::Shuffle2103(hn::BitCast(d, hn::InterleaveUpper(d64, words2, words3)))};
}

template <class D>
HWY_INLINE Message<D> permute(D d, const Message<D>& m) {
  return {hn::Or(pick(d, m.x, kXFromX), pick(d, m.y, kXFromY)),
          hn::Or(hn::Or(pick(d, m.x, kYFromX), pick(d, m.z, kYFromZ)), pick(d, m.w, kYFromW)),
          hn::Or(hn::Or(pick(d, m.w, kZFromW), pick(d, m.y, kZFromY)), pick(d, m.z, kZFromZ)),
          hn::Or(hn::Or(pick(d, m.z, kWFromZ), pick(d, m.w, kWFromW)), pick(d, m.y, kWFromY))};
}

/// All seven rounds over the rows a, b, c, e of one state per block.
template <class D>
HWY_INLINE void compress_rows(D d, Vec<D>& a, Vec<D>& b, Vec<D>& c, Vec<D>& e, Message<D> m) {
#pragma GCC unroll 7
  for (std::size_t round = 0; round < 7; ++round) {
    mix(d, a, b, c, e, m.x, m.y);
    a = hn::Shuffle2103(a);
    c = hn::Shuffle0321(c);
    e = hn::Shuffle1032(e);
    mix(d, a, b, c, e, m.z, m.w);
    a = hn::Shuffle0321(a);
    c = hn::Shuffle2103(c);
    e = hn::Shuffle1032(e);
    if (round < 6) m = permute(d, m);
  }
}

/// Hashes exactly Lanes(D) / 4 inputs.
template <class D>
HWY_NOINLINE void hash_rows(D d, const ChainingValue& key, const Inputs& inputs, ChainingValue* out) {
  constexpr std::size_t kBlocks = kLanesOf<D> / 4;
  const std::byte* data[kBlocks];
  alignas(64) std::uint32_t last_row[4 * kBlocks];
  for (std::size_t i = 0; i < kBlocks; ++i) {
    data[i] = inputs.data + i * inputs.blocks * kBlockSize;
    const std::uint64_t counter = inputs.counter + i * inputs.counter_step;
    last_row[4 * i] = static_cast<std::uint32_t>(counter);
    last_row[4 * i + 1] = static_cast<std::uint32_t>(counter >> 32);
    last_row[4 * i + 2] = kBlockSize;
    last_row[4 * i + 3] = 0;
  }
  alignas(16) constexpr std::uint32_t kFlagsMask[4] = {0, 0, 0, ~0u};
  const Vec<D> flags_mask = hn::LoadDup128(d, kFlagsMask);
  const Vec<D> last = hn::Load(d, last_row);
  Vec<D> a = hn::LoadDup128(d, key.data());
  Vec<D> b = hn::LoadDup128(d, key.data() + 4);
  const Vec<D> initial = hn::LoadDup128(d, kInitialValue.data());
  std::uint32_t flags = inputs.flags | inputs.flags_first;
  for (std::size_t block = 0; block < inputs.blocks; ++block) {
    if (block + 1 == inputs.blocks) flags |= inputs.flags_last;
    Vec<D> c = initial;
    Vec<D> e = hn::Or(last, hn::And(hn::Set(d, flags), flags_mask));
    compress_rows(d, a, b, c, e, load_rows(d, data, block * kBlockSize));
    a = hn::Xor(a, c);
    b = hn::Xor(b, e);
    flags = inputs.flags;
  }
  if constexpr (kBlocks == 1) {
    hn::StoreU(a, d, out->data());
    hn::StoreU(b, d, out->data() + 4);
  } else {
    alignas(64) std::uint32_t rows[2][4 * kBlocks];
    hn::Store(a, d, rows[0]);
    hn::Store(b, d, rows[1]);
    for (std::size_t i = 0; i < kBlocks; ++i) {
      for (std::size_t w = 0; w < 4; ++w) {
        out[i][w] = rows[0][4 * i + w];
        out[i][w + 4] = rows[1][4 * i + w];
      }
    }
  }
}

void compress(const ChainingValue& value, const std::byte* block, std::uint32_t size, std::uint64_t counter,
              std::uint32_t flags, std::uint32_t* out) {
  const Lanes<4> d;
  const Vec<Lanes<4> > value_low = hn::LoadU(d, value.data());
  const Vec<Lanes<4> > value_high = hn::LoadU(d, value.data() + 4);
  alignas(16) const std::uint32_t last_row[4] = {static_cast<std::uint32_t>(counter),
                                                 static_cast<std::uint32_t>(counter >> 32), size, flags};
  Vec<Lanes<4> > a = value_low;
  Vec<Lanes<4> > b = value_high;
  Vec<Lanes<4> > c = hn::LoadU(d, kInitialValue.data());
  Vec<Lanes<4> > e = hn::Load(d, last_row);
  compress_rows(d, a, b, c, e, load_rows(d, &block, 0));
  hn::StoreU(hn::Xor(a, c), d, out);
  hn::StoreU(hn::Xor(b, e), d, out + 4);
  hn::StoreU(hn::Xor(c, value_low), d, out + 8);
  hn::StoreU(hn::Xor(e, value_high), d, out + 12);
}

void hash_many(const ChainingValue& key, const Inputs& inputs, ChainingValue* out) {
  Inputs rest = inputs;
  while (rest.count > 0) {
    std::size_t taken;
    const std::size_t left = rest.count;
    const auto pass = [&](std::size_t lanes) {
      taken = left < lanes ? left : lanes;
      Inputs group = rest;
      group.count = taken;
      return group;
    };
    if (left == 1) {
      hash_rows(Lanes<4>(), key, pass(1), out);
    } else if (kWidth >= 8 && left == 2) {
      hash_rows(Lanes<HWY_MIN(8, kWidth)>(), key, pass(2), out);
    } else if (left <= 4 || kWidth == 4) {
      hash_columns(Lanes<4>(), key, pass(4), out);
    } else if (left <= 8 || kWidth == 8) {
      hash_columns(Lanes<HWY_MIN(8, kWidth)>(), key, pass(8), out);
    } else {
      hash_columns(Lanes<kWidth>(), key, pass(16), out);
    }
    rest.count -= taken;
    rest.data += taken * rest.blocks * kBlockSize;
    rest.counter += taken * rest.counter_step;
    out += taken;
  }
}

const Kernels* get_kernels() {
  static const Kernels kKernels = {hwy::TargetName(HWY_TARGET), hash_many, compress};
  return &kKernels;
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace mmh::hash::detail
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mmh::hash::detail {
HWY_EXPORT(get_kernels);
const Kernels* best_kernels() { return HWY_DYNAMIC_DISPATCH(get_kernels)(); }
}  // namespace mmh::hash::detail
#endif
