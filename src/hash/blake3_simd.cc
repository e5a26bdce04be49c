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
#include "mmh/base/simd.h"
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

/// Rotates words; by whole bytes with one byte shuffle, except where there is a true rotation.
template <class D>
class Rotate {
 public:
  explicit HWY_INLINE Rotate(D d) {
    hn::Store(hn::LoadDup128(kD8, kRotate16), kD8, by16_);
    hn::Store(hn::LoadDup128(kD8, kRotate8), kD8, by8_);
    (void)d;
  }

  template <int kBits>
  HWY_INLINE Vec<D> right(Vec<D> v) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
    return hn::RotateRight<kBits>(v);
#else
    if constexpr (kBits == 16) return shuffle(v, by16_);
    if constexpr (kBits == 8) return shuffle(v, by8_);
    return hn::RotateRight<kBits>(v);
#endif
  }

 private:
  static constexpr hn::Repartition<std::uint8_t, D> kD8{};
  using Table = std::uint8_t[sizeof(Vec<D>)];

  HWY_INLINE Vec<D> shuffle(Vec<D> v, Table& table) {
#if HWY_ARCH_X86
    // The state alone fills the sixteen registers of x86 before AVX-512. Believing that the table may have changed, the
    // compiler reads it as a memory operand, instead of holding it in a register and spilling the state: 15 % faster.
    asm("" : "+m"(table));
#endif
    return hn::TableLookupBytes(v, hn::BitCast(D(), hn::Load(kD8, table)));
  }

  alignas(64) Table by16_;
  alignas(64) Table by8_;
};

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

/// Block b of the result is the 16 bytes at inputs[step * b] + offset.
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

/// The same for two neighbouring quarters of a message block.
template <class D>
HWY_INLINE void load_block_pair(D d, const std::byte* const* inputs, std::size_t offset, Vec<D>& first,
                                Vec<D>& second) {
#if HWY_ARCH_X86 && HWY_MAX_BYTES >= 64
  if constexpr (kLanesOf<D> == 16) {
    // Two shuffles where four insertions would be needed for each.
    const Lanes<8> half;
    const auto load = [&](std::size_t i) HWY_ATTR {
      return hn::LoadU(half, reinterpret_cast<const std::uint32_t*>(inputs[i] + offset));
    };
    const Vec<D> low = hn::Combine(d, load(4), load(0));
    const Vec<D> high = hn::Combine(d, load(12), load(8));
    first = Vec<D>{_mm512_shuffle_i32x4(low.raw, high.raw, 0x88)};
    second = Vec<D>{_mm512_shuffle_i32x4(low.raw, high.raw, 0xDD)};
    return;
  }
#endif
  first = load_blocks(d, inputs, 4, offset);
  second = load_blocks(d, inputs, 4, offset + 16);
}

/// Word w of the block at `offset` of every input becomes m[w].
template <class D>
HWY_INLINE void load_message(D d, const std::byte* const* inputs, std::size_t offset, Vec<D>* m) {
#pragma GCC unroll 2
  for (std::size_t half = 0; half < 2; ++half) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      load_block_pair(d, inputs + i, offset + 32 * half, m[8 * half + i], m[8 * half + 4 + i]);
    }
    transpose_blocks(d, m[8 * half], m[8 * half + 1], m[8 * half + 2], m[8 * half + 3]);
    transpose_blocks(d, m[8 * half + 4], m[8 * half + 5], m[8 * half + 6], m[8 * half + 7]);
  }
}

/// Block b of `v` goes to out[step * b], from word `offset` on.
template <class D>
HWY_INLINE void store_blocks(D d, Vec<D> v, ChainingValue* out, std::size_t step, std::size_t offset) {
  if constexpr (kLanesOf<D> == 4) {
    hn::StoreU(v, d, out->data() + offset);
  } else {
    const hn::Half<D> half;
    store_blocks(half, hn::LowerHalf(half, v), out, step, offset);
    store_blocks(half, hn::UpperHalf(half, v), out + step * kLanesOf<D> / 8, step, offset);
  }
}

/// Four independent mixes, step by step side by side, for each step waits for the one before it. The message words are
/// added first, for b comes last.
template <class D>
HWY_INLINE void mix4(Vec<D>* v, std::size_t diagonal, const std::uint8_t* s, const Vec<D>* m, Rotate<D>& rotate) {
  const auto b = [=](std::size_t i) { return 4 + (i + diagonal) % 4; };
  const auto c = [=](std::size_t i) { return 8 + (i + 2 * diagonal) % 4; };
  const auto e = [=](std::size_t i) { return 12 + (i + 3 * diagonal) % 4; };
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) v[i] = hn::Add(hn::Add(v[i], m[s[2 * i]]), v[b(i)]);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) v[e(i)] = rotate.template right<16>(hn::Xor(v[e(i)], v[i]));
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) v[c(i)] = hn::Add(v[c(i)], v[e(i)]);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) v[b(i)] = rotate.template right<12>(hn::Xor(v[b(i)], v[c(i)]));
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) v[i] = hn::Add(hn::Add(v[i], m[s[2 * i + 1]]), v[b(i)]);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) v[e(i)] = rotate.template right<8>(hn::Xor(v[e(i)], v[i]));
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) v[c(i)] = hn::Add(v[c(i)], v[e(i)]);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) v[b(i)] = rotate.template right<7>(hn::Xor(v[b(i)], v[c(i)]));
}

/// A run of inputs for one pass. No copy of Inputs, which would be read by wide loads that wait for its writer's narrow
/// stores.
struct Run {
  HWY_INLINE Run(const Inputs& inputs, std::size_t begin, std::size_t size)
      : stride(inputs.blocks * kBlockSize),
        data(inputs.data + begin * stride),
        count(size),
        counter(inputs.counter + begin * inputs.counter_step) {}

  /// Where input `lane` begins; lanes beyond the last input repeat it.
  HWY_INLINE const std::byte* lane(std::size_t lane) const {
    return data + HWY_MIN(lane * stride, (count - 1) * stride);
  }

  std::size_t stride;
  const std::byte* data;
  std::size_t count;
  std::uint64_t counter;
};

/// Hashes `count` inputs from number `begin` on. Requires: 0 < count <= kLanesOf<D>.
template <class D>
HWY_NOINLINE void hash_columns(D d, const ChainingValue& key, const Inputs& inputs, std::size_t begin,
                               std::size_t count, ChainingValue* out) {
  const Run run(inputs, begin, count);
  constexpr std::size_t kLanes = kLanesOf<D>;
  const std::byte* data[kLanes];
#pragma GCC unroll 16
  for (std::size_t lane = 0; lane < kLanes; ++lane) data[lane] = run.lane(lane);
  const Vec<D> first_low = hn::Set(d, static_cast<std::uint32_t>(run.counter));
  const Vec<D> first_high = hn::Set(d, static_cast<std::uint32_t>(run.counter >> 32));
  const Vec<D> step = hn::Set(d, inputs.counter_step == 0 ? 0u : ~0u);
  const Vec<D> counter_low = hn::Add(first_low, hn::And(hn::Iota(d, 0), step));
  const Vec<D> one = hn::Set(d, 1);
  const Vec<D> counter_high = hn::Add(first_high, hn::IfThenElseZero(hn::Lt(counter_low, first_low), one));
  Rotate<D> rotate(d);

  Vec<D> h[8];
#pragma GCC unroll 8
  for (std::size_t w = 0; w < 8; ++w) h[w] = hn::Set(d, key[w]);
  std::uint32_t flags = inputs.flags | inputs.flags_first;
  for (std::size_t b = 0; b < inputs.blocks; ++b) {
    if (b + 1 == inputs.blocks) flags |= inputs.flags_last;
    Vec<D> m[16];
    load_message(d, data, b * kBlockSize, m);
    // The streams lie a chunk apart, which hides from the processor that the next group follows directly.
    if (inputs.blocks == kBlocksPerChunk) {
#pragma GCC unroll 16
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
                    counter_low,
                    counter_high,
                    hn::Set(d, static_cast<std::uint32_t>(kBlockSize)),
                    hn::Set(d, flags)};
#pragma GCC unroll 7
    for (std::size_t round = 0; round < 7; ++round) {
      mix4(v, 0, &kSchedule[round][0], m, rotate);
      mix4(v, 1, &kSchedule[round][8], m, rotate);
    }
#pragma GCC unroll 8
    for (std::size_t w = 0; w < 8; ++w) h[w] = hn::Xor(v[w], v[w + 8]);
    flags = inputs.flags;
  }

  transpose_blocks(d, h[0], h[1], h[2], h[3]);
  transpose_blocks(d, h[4], h[5], h[6], h[7]);
  ChainingValue spare[kLanes];
  ChainingValue* const target = count < kLanes ? spare : out;
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) {
    store_blocks(d, h[i], target + i, 4, 0);
    store_blocks(d, h[i + 4], target + i, 4, 4);
  }
  if (target == spare) {
    for (std::size_t i = 0; i < count; ++i) out[i] = spare[i];
  }
}

// ---- rows

// A message m is four vectors in each round: x and y for the columns, z and w for the diagonals. The diagonals keep row
// b in place, so their lane 0 is the last of the four mixes. A state v is the rows a, b, c, e. Arrays, for the implicit
// constructor of a struct would lack the target's attributes.

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
HWY_INLINE void load_rows(D d, const std::byte* const* inputs, std::size_t offset, Vec<D>* m) {
  const hn::Repartition<std::uint64_t, D> d64;
  const auto even_odd = same_blocks(d, kEvenOdd);
  const auto part = [&](std::size_t quarter) HWY_ATTR {
    return hn::BitCast(d64, hn::TableLookupBytes(load_blocks(d, inputs, 1, offset + 16 * quarter), even_odd));
  };
  const auto words0 = part(0);
  const auto words1 = part(1);
  const auto words2 = part(2);
  const auto words3 = part(3);
  m[0] = hn::BitCast(d, hn::InterleaveLower(d64, words0, words1));
  m[1] = hn::BitCast(d, hn::InterleaveUpper(d64, words0, words1));
  m[2] = hn::Shuffle2103(hn::BitCast(d, hn::InterleaveLower(d64, words2, words3)));
  m[3] = hn::Shuffle2103(hn::BitCast(d, hn::InterleaveUpper(d64, words2, words3)));
}

template <class D>
HWY_INLINE void permute(D d, Vec<D>* m) {
  const Vec<D> x = m[0], y = m[1], z = m[2], w = m[3];
  m[0] = hn::Or(pick(d, x, kXFromX), pick(d, y, kXFromY));
  m[1] = hn::Or(hn::Or(pick(d, x, kYFromX), pick(d, z, kYFromZ)), pick(d, w, kYFromW));
  m[2] = hn::Or(hn::Or(pick(d, w, kZFromW), pick(d, y, kZFromY)), pick(d, z, kZFromZ));
  m[3] = hn::Or(hn::Or(pick(d, z, kWFromZ), pick(d, w, kWFromW)), pick(d, y, kWFromY));
}

template <class D>
HWY_INLINE void mix_rows(Vec<D>* v, Vec<D> x, Vec<D> y, Rotate<D>& rotate) {
  v[0] = hn::Add(hn::Add(v[0], x), v[1]);
  v[3] = rotate.template right<16>(hn::Xor(v[3], v[0]));
  v[2] = hn::Add(v[2], v[3]);
  v[1] = rotate.template right<12>(hn::Xor(v[1], v[2]));
  v[0] = hn::Add(hn::Add(v[0], y), v[1]);
  v[3] = rotate.template right<8>(hn::Xor(v[3], v[0]));
  v[2] = hn::Add(v[2], v[3]);
  v[1] = rotate.template right<7>(hn::Xor(v[1], v[2]));
}

/// All seven rounds for kVectors vectors of states side by side.
template <std::size_t kVectors, class D>
HWY_INLINE void compress_rows(D d, Vec<D> (*v)[4], Vec<D> (*m)[4], Rotate<D>& rotate) {
#pragma GCC unroll 7
  for (std::size_t round = 0; round < 7; ++round) {
#pragma GCC unroll 2
    for (std::size_t i = 0; i < kVectors; ++i) {
      mix_rows(v[i], m[i][0], m[i][1], rotate);
      v[i][0] = hn::Shuffle2103(v[i][0]);
      v[i][2] = hn::Shuffle0321(v[i][2]);
      v[i][3] = hn::Shuffle1032(v[i][3]);
    }
#pragma GCC unroll 2
    for (std::size_t i = 0; i < kVectors; ++i) {
      mix_rows(v[i], m[i][2], m[i][3], rotate);
      v[i][0] = hn::Shuffle0321(v[i][0]);
      v[i][2] = hn::Shuffle2103(v[i][2]);
      v[i][3] = hn::Shuffle1032(v[i][3]);
      if (round < 6) permute(d, m[i]);
    }
  }
}

/// The last row of the initial state, from the counters in the even 64-bit lanes.
template <class D, class V64>
HWY_INLINE Vec<D> last_row(D d, V64 counters, std::uint32_t size, std::uint32_t flags) {
  const hn::Repartition<std::uint64_t, D> d64;
  return hn::BitCast(d, hn::InterleaveLower(d64, counters, hn::Set(d64, size | std::uint64_t{flags} << 32)));
}

/// Hashes `count` inputs from number `begin` on. Requires: 0 < count <= kVectors * kLanesOf<D> / 4.
template <std::size_t kVectors, class D>
HWY_NOINLINE void hash_rows(D d, const ChainingValue& key, const Inputs& inputs, std::size_t begin, std::size_t count,
                            ChainingValue* out) {
  const Run run(inputs, begin, count);
  constexpr std::size_t kStates = kLanesOf<D> / 4;
  constexpr std::size_t kInputs = kVectors * kStates;
  const hn::Repartition<std::uint64_t, D> d64;
  const std::byte* data[kInputs];
#pragma GCC unroll 4
  for (std::size_t i = 0; i < kInputs; ++i) data[i] = run.lane(i);
  const auto step = hn::And(hn::ShiftRight<1>(hn::Iota(d64, 0)), hn::Set(d64, inputs.counter_step == 0 ? 0u : ~0ull));
  const Vec<D> initial = hn::LoadDup128(d, kInitialValue.data());
  Rotate<D> rotate(d);
  Vec<D> v[kVectors][4];
#pragma GCC unroll 2
  for (std::size_t i = 0; i < kVectors; ++i) {
    v[i][0] = hn::LoadDup128(d, key.data());
    v[i][1] = hn::LoadDup128(d, key.data() + 4);
  }
  std::uint32_t flags = inputs.flags | inputs.flags_first;
  for (std::size_t block = 0; block < inputs.blocks; ++block) {
    if (block + 1 == inputs.blocks) flags |= inputs.flags_last;
    Vec<D> m[kVectors][4];
#pragma GCC unroll 2
    for (std::size_t i = 0; i < kVectors; ++i) {
      const auto first = hn::Set(d64, run.counter + i * kStates * inputs.counter_step);
      v[i][2] = initial;
      v[i][3] = last_row(d, hn::Add(first, step), kBlockSize, flags);
      load_rows(d, data + i * kStates, block * kBlockSize, m[i]);
    }
    compress_rows<kVectors>(d, v, m, rotate);
#pragma GCC unroll 2
    for (std::size_t i = 0; i < kVectors; ++i) {
      v[i][0] = hn::Xor(v[i][0], v[i][2]);
      v[i][1] = hn::Xor(v[i][1], v[i][3]);
    }
    flags = inputs.flags;
  }
  ChainingValue spare[kInputs];
  ChainingValue* const target = count < kInputs ? spare : out;
#pragma GCC unroll 2
  for (std::size_t i = 0; i < kVectors; ++i) {
    store_blocks(d, v[i][0], target + i * kStates, 1, 0);
    store_blocks(d, v[i][1], target + i * kStates, 1, 4);
  }
  if (target == spare) {
    for (std::size_t i = 0; i < count; ++i) out[i] = spare[i];
  }
}

void compress(const ChainingValue& value, const std::byte* block, std::uint32_t size, std::uint64_t counter,
              std::uint32_t flags, std::uint32_t* out) {
  using D = Lanes<4>;
  const D d;
  const Vec<D> low = hn::LoadU(d, value.data());
  const Vec<D> high = hn::LoadU(d, value.data() + 4);
  Rotate<D> rotate(d);
  Vec<D> v[1][4] = {{low, high, hn::LoadU(d, kInitialValue.data()),
                     last_row(d, hn::Set(hn::Repartition<std::uint64_t, D>(), counter), size, flags)}};
  Vec<D> m[1][4];
  load_rows(d, &block, 0, m[0]);
  compress_rows<1>(d, v, m, rotate);
  hn::StoreU(hn::Xor(v[0][0], v[0][2]), d, out);
  hn::StoreU(hn::Xor(v[0][1], v[0][3]), d, out + 4);
  hn::StoreU(hn::Xor(v[0][2], low), d, out + 8);
  hn::StoreU(hn::Xor(v[0][3], high), d, out + 12);
}

void hash_many(const ChainingValue& key, const Inputs& inputs, ChainingValue* out) {
  constexpr Lanes<4> d4;
  constexpr Lanes<HWY_MIN(8, kWidth)> d8;
  constexpr Lanes<kWidth> d;
  // Each count by whatever takes it in one pass at the least cost.
  for (std::size_t begin = 0; begin < inputs.count; begin += kWidth, out += kWidth) {
    const std::size_t count = HWY_MIN(kWidth, inputs.count - begin);
    if (count == 1) {
      hash_rows<1>(d4, key, inputs, begin, count, out);
    } else if (count == 2) {
      hash_rows<kWidth == 4 ? 2 : 1>(d8, key, inputs, begin, count, out);
    } else if (kWidth > 4 && count <= 4) {
      hash_rows<kWidth == 8 ? 2 : 1>(d, key, inputs, begin, count, out);
    } else if (count <= 8) {
      hash_columns(d8, key, inputs, begin, count, out);
    } else {
      hash_columns(d, key, inputs, begin, count, out);
    }
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
MMH_KERNELS(kTargets, get_kernels);
const Kernels* best_kernels() { return kTargets.best()(); }
}  // namespace mmh::hash::detail
#endif
