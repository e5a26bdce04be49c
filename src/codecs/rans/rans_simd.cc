// The kernels for x86 with AVX2 or AVX-512, whose gathers look up many lanes at once. Other instruction sets of Highway
// get the portable kernels: without gathers there is nothing to win.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "rans/rans_simd.cc"
#include <bit>

#include "mmh/base/simd.h"
#include "rans_kernels.h"
// Must stand after the inclusions that are not repeated and before highway.h.
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mmh::codecs::rans {
namespace HWY_NAMESPACE {

#if HWY_TARGET != HWY_SCALAR

namespace hn = hwy::HWY_NAMESPACE;

// A symbol's row of eight bits is found by its low four bits, in either half of the set, and its bit by the next three.
void count_others(const std::uint8_t* symbols, std::size_t size, const SymbolSet& set, Histogram& histogram) {
  const hn::ScalableTag<std::uint8_t> d;
  constexpr std::size_t kUnroll = 4;
  const std::size_t step = hn::Lanes(d);
  alignas(16) static constexpr std::uint8_t kBits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  alignas(16) std::uint8_t rows[32];
  std::memcpy(rows, set.data(), sizeof rows);
  const auto rows_low = hn::LoadDup128(d, rows);
  const auto rows_high = hn::LoadDup128(d, rows + 16);
  const auto bits = hn::LoadDup128(d, kBits);
  const auto missing = [&](std::size_t place) HWY_ATTR {
    const auto symbol = hn::LoadU(d, symbols + place);
    const auto low = hn::And(symbol, hn::Set(d, 0x8f));
    const auto row = hn::Or(hn::TableLookupBytesOr0(rows_low, low),
                            hn::TableLookupBytesOr0(rows_high, hn::Xor(low, hn::Set(d, 0x80))));
    const auto bit = hn::TableLookupBytes(bits, hn::And(hn::ShiftRight<4>(symbol), hn::Set(d, 0x0f)));
    return hn::Eq(hn::And(row, bit), hn::Zero(d));
  };
  std::size_t i = 0;
  for (; i + kUnroll * step <= size; i += kUnroll * step) {
    const auto any =
        hn::Or(hn::Or(missing(i), missing(i + step)), hn::Or(missing(i + 2 * step), missing(i + 3 * step)));
    if (HWY_LIKELY(hn::AllFalse(d, any))) continue;
    kPortable.count_others(symbols + i, kUnroll * step, set, histogram);
  }
  kPortable.count_others(symbols + i, size - i, set, histogram);
}

#endif

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL

constexpr std::size_t kVectors = kLanes / 16;
constexpr auto kWordsMin = static_cast<std::ptrdiff_t>(kWordSize * kLanes);  // what a round may take

// A gather reads its destination too, and so waits for whatever was there before, which chains all of them. Setting it
// to zero breaks the chain; GCC leaves that out where it knows that every lane is asked for.
HWY_INLINE __m512i gather(const std::uint32_t* table, __m512i index) {
  __mmask16 all = 0xffff;
  asm("" : "+Yk"(all));
  return _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), all, index, table, 4);
}
HWY_INLINE __m512i gather(const std::uint64_t* table, __m512i index) {
  __mmask8 all = 0xff;
  asm("" : "+Yk"(all));
  return _mm512_mask_i64gather_epi64(_mm512_setzero_si512(), all, index, table, 8);
}

// One coder on its way; kVectors states stay in registers.
struct LaneVectors {
  __m512i x[kVectors];
};

HWY_INLINE const std::uint8_t* decode_round(const std::uint32_t* table, LaneVectors& lanes, const std::uint8_t* end,
                                            std::uint8_t* symbols) {
  const __m512i slot_mask = _mm512_set1_epi32(kTotal - 1);
  const __m512i high = _mm512_set1_epi32(static_cast<int>(~(kStateMin - 1)));
  __mmask16 low[kVectors];
#pragma GCC unroll 4
  for (std::size_t v = 0; v < kVectors; ++v) {
    __m512i& x = lanes.x[v];
    const __m512i entry = gather(table, _mm512_and_si512(x, slot_mask));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(symbols + 16 * v), _mm512_cvtepi32_epi8(entry));
    const __m512i product = _mm512_mullo_epi32(_mm512_srli_epi32(entry, 20), _mm512_srli_epi32(x, kTotalLog));
    x = _mm512_add_epi32(product, _mm512_and_si512(_mm512_srli_epi32(entry, 8), slot_mask));
    low[v] = _mm512_testn_epi32_mask(x, high);
  }
  std::size_t counts[kVectors];
#pragma GCC unroll 4
  for (std::size_t v = 0; v < kVectors; ++v) {
    counts[v] = static_cast<std::size_t>(std::popcount(static_cast<unsigned>(low[v])));
  }
  end -= kWordSize * ((counts[0] + counts[1]) + (counts[2] + counts[3]));
  const std::uint8_t* next = end;
#pragma GCC unroll 4
  for (std::size_t v = 0; v < kVectors; ++v) {
    __m512i& x = lanes.x[v];
    const __m512i words = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(next)));
    const __m512i fresh = _mm512_maskz_expand_epi32(low[v], words);
    x = _mm512_or_si512(_mm512_mask_slli_epi32(x, low[v], x, 16), fresh);
    next += kWordSize * counts[v];
  }
  return end;
}

HWY_INLINE void load(const States& states, LaneVectors& lanes) {
#pragma GCC unroll 4
  for (std::size_t v = 0; v < kVectors; ++v) lanes.x[v] = _mm512_loadu_si512(states.data() + 16 * v);
}
HWY_INLINE void store(const LaneVectors& lanes, States& states) {
#pragma GCC unroll 4
  for (std::size_t v = 0; v < kVectors; ++v) _mm512_storeu_si512(states.data() + 16 * v, lanes.x[v]);
}

// Even lanes and odd lanes take turns in the multiplications, which yield 64 bits.
std::uint8_t* encode(const EncodeTable& table, States& states, const std::uint8_t* symbols, std::size_t rounds,
                     std::uint8_t* words) {
  LaneVectors lanes;
  load(states, lanes);
  const __m512i field = _mm512_set1_epi32(kTotal - 1);
  const __m512i total = _mm512_set1_epi32(kTotal);
  const __m512i even = _mm512_set1_epi64(0xffffffff);
  while (rounds-- > 0) {
    const std::uint8_t* const round = symbols + rounds * kLanes;
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVectors; ++v) {
      __m512i& x = lanes.x[v];
      const __m512i symbol = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(round + 16 * v)));
      const __m512i entry_even = gather(table.entries.data(), _mm512_and_si512(symbol, even));
      const __m512i entry_odd = gather(table.entries.data(), _mm512_srli_epi64(symbol, 32));
      const __m512i entry = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(entry_even, 32), entry_odd);
      const __m512i frequency = _mm512_and_si512(entry, field);
      const __mmask16 full = _mm512_cmpge_epu32_mask(x, _mm512_slli_epi32(frequency, 31 - kTotalLog));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(words),
                          _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(full, x)));
      words += kWordSize * static_cast<std::size_t>(std::popcount(static_cast<unsigned>(full)));
      x = _mm512_mask_srli_epi32(x, full, x, 16);
      const __m512i quotient_even =
          _mm512_srlv_epi64(_mm512_mul_epu32(x, entry_even), _mm512_srli_epi64(entry_even, 56));
      const __m512i quotient_odd =
          _mm512_srlv_epi64(_mm512_mul_epu32(_mm512_srli_epi64(x, 32), entry_odd), _mm512_srli_epi64(entry_odd, 56));
      const __m512i quotient = _mm512_or_si512(quotient_even, _mm512_slli_epi64(quotient_odd, 32));
      const __m512i start = _mm512_and_si512(_mm512_srli_epi32(entry, 12), field);
      x = _mm512_add_epi32(_mm512_add_epi32(x, start),
                           _mm512_mullo_epi32(quotient, _mm512_sub_epi32(total, frequency)));
    }
  }
  store(lanes, states);
  return words;
}

#elif HWY_TARGET == HWY_AVX2

constexpr std::size_t kVectors = kLanes / 8;
constexpr auto kWordsMin = static_cast<std::ptrdiff_t>(kWordSize * kLanes);  // what a round may take

// By mask of lanes: for each lane, how many before it are in the mask; and the lanes in the mask, in order.
struct alignas(32) LaneTable {
  std::uint32_t lanes[256][8];
};
constexpr LaneTable kExpand = [] {
  LaneTable table{};
  for (unsigned mask = 0; mask < 256; ++mask) {
    for (unsigned lane = 0, next = 0; lane < 8; ++lane) {
      table.lanes[mask][lane] = next;
      next += mask >> lane & 1;
    }
  }
  return table;
}();
constexpr LaneTable kCompress = [] {
  LaneTable table{};
  for (unsigned mask = 0; mask < 256; ++mask) {
    for (unsigned lane = 0, next = 0; lane < 8; ++lane) {
      if ((mask >> lane & 1) != 0) table.lanes[mask][next++] = lane;
    }
  }
  return table;
}();

HWY_INLINE __m256i lanes_of_mask(const LaneTable& table, unsigned mask) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(table.lanes[mask]));
}

struct LaneVectors {
  __m256i x[kVectors];
};

HWY_INLINE void load(const States& states, LaneVectors& lanes) {
#pragma GCC unroll 8
  for (std::size_t v = 0; v < kVectors; ++v) {
    lanes.x[v] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(states.data() + 8 * v));
  }
}
HWY_INLINE void store(const LaneVectors& lanes, States& states) {
#pragma GCC unroll 8
  for (std::size_t v = 0; v < kVectors; ++v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(states.data() + 8 * v), lanes.x[v]);
  }
}

HWY_INLINE const std::uint8_t* decode_round(const std::uint32_t* table, LaneVectors& lanes, const std::uint8_t* end,
                                            std::uint8_t* symbols) {
  const __m256i slot_mask = _mm256_set1_epi32(kTotal - 1);
  const __m256i low_bytes = _mm256_set1_epi32(0x0c080400);
  const __m256i first_words = _mm256_setr_epi32(0, 4, 0, 0, 0, 0, 0, 0);
  unsigned masks[kVectors];
  std::size_t total = 0;
#pragma GCC unroll 8
  for (std::size_t v = 0; v < kVectors; ++v) {
    __m256i& x = lanes.x[v];
    const __m256i entry =
        _mm256_i32gather_epi32(reinterpret_cast<const int*>(table), _mm256_and_si256(x, slot_mask), 4);
    const __m256i symbol = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(entry, low_bytes), first_words);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(symbols + 8 * v), _mm256_castsi256_si128(symbol));
    const __m256i product = _mm256_mullo_epi32(_mm256_srli_epi32(entry, 20), _mm256_srli_epi32(x, kTotalLog));
    x = _mm256_add_epi32(product, _mm256_and_si256(_mm256_srli_epi32(entry, 8), slot_mask));
    const __m256i low = _mm256_cmpeq_epi32(_mm256_srli_epi32(x, kStateLog), _mm256_setzero_si256());
    masks[v] = static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(low)));
    total += static_cast<std::size_t>(std::popcount(masks[v]));
  }
  end -= kWordSize * total;
  const std::uint8_t* next = end;
#pragma GCC unroll 8
  for (std::size_t v = 0; v < kVectors; ++v) {
    __m256i& x = lanes.x[v];
    const __m256i words = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(next)));
    const __m256i fresh = _mm256_permutevar8x32_epi32(words, lanes_of_mask(kExpand, masks[v]));
    const __m256i low = _mm256_cmpeq_epi32(_mm256_srli_epi32(x, kStateLog), _mm256_setzero_si256());
    x = _mm256_blendv_epi8(x, _mm256_or_si256(_mm256_slli_epi32(x, 16), fresh), low);
    next += kWordSize * static_cast<std::size_t>(std::popcount(masks[v]));
  }
  return end;
}

// As with AVX-512.
std::uint8_t* encode(const EncodeTable& table, States& states, const std::uint8_t* symbols, std::size_t rounds,
                     std::uint8_t* words) {
  LaneVectors lanes;
  load(states, lanes);
  const auto* const entries = reinterpret_cast<const long long*>(table.entries.data());
  const __m256i field = _mm256_set1_epi32(kTotal - 1);
  const __m256i total = _mm256_set1_epi32(kTotal);
  const __m256i even = _mm256_set1_epi64x(0xffffffff);
  const __m256i low_half = _mm256_set1_epi32(0xffff);
  while (rounds-- > 0) {
    const std::uint8_t* const round = symbols + rounds * kLanes;
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      __m256i& x = lanes.x[v];
      const __m256i symbol = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(round + 8 * v)));
      const __m256i entry_even = _mm256_i64gather_epi64(entries, _mm256_and_si256(symbol, even), 8);
      const __m256i entry_odd = _mm256_i64gather_epi64(entries, _mm256_srli_epi64(symbol, 32), 8);
      const __m256i entry = _mm256_blend_epi32(_mm256_srli_epi64(entry_even, 32), entry_odd, 0xaa);
      const __m256i frequency = _mm256_and_si256(entry, field);
      // Both are below 2^31, so that a signed comparison does.
      const __m256i fits = _mm256_cmpgt_epi32(_mm256_slli_epi32(frequency, 31 - kTotalLog), x);
      const unsigned full = ~static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(fits))) & 0xff;
      const __m256i compressed =
          _mm256_and_si256(_mm256_permutevar8x32_epi32(x, lanes_of_mask(kCompress, full)), low_half);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(words),
                       _mm_packus_epi32(_mm256_castsi256_si128(compressed), _mm256_extracti128_si256(compressed, 1)));
      words += kWordSize * static_cast<std::size_t>(std::popcount(full));
      x = _mm256_blendv_epi8(_mm256_srli_epi32(x, 16), x, fits);
      const __m256i quotient_even =
          _mm256_srlv_epi64(_mm256_mul_epu32(x, entry_even), _mm256_srli_epi64(entry_even, 56));
      const __m256i quotient_odd =
          _mm256_srlv_epi64(_mm256_mul_epu32(_mm256_srli_epi64(x, 32), entry_odd), _mm256_srli_epi64(entry_odd, 56));
      const __m256i quotient = _mm256_or_si256(quotient_even, _mm256_slli_epi64(quotient_odd, 32));
      const __m256i start = _mm256_and_si256(_mm256_srli_epi32(entry, 12), field);
      x = _mm256_add_epi32(_mm256_add_epi32(x, start),
                           _mm256_mullo_epi32(quotient, _mm256_sub_epi32(total, frequency)));
    }
  }
  store(lanes, states);
  return words;
}

#endif

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX2

void decode(Section& section) {
  LaneVectors lanes;
  load(section.states, lanes);
  const std::uint8_t* end = section.end;
  std::uint8_t* symbols = section.symbols;
  std::size_t rounds = section.rounds;
  for (; rounds > 0 && end - section.begin >= kWordsMin; --rounds) {
    end = decode_round(section.table->entries.data(), lanes, end, symbols);
    symbols += kLanes;
  }
  store(lanes, section.states);
  section.end = end;
  section.symbols = symbols;
  section.rounds = rounds;
}

void decode_two(Section& a, Section& b) {
  LaneVectors lanes_a;
  LaneVectors lanes_b;
  load(a.states, lanes_a);
  load(b.states, lanes_b);
  const std::uint8_t* end_a = a.end;
  const std::uint8_t* end_b = b.end;
  std::uint8_t* symbols_a = a.symbols;
  std::uint8_t* symbols_b = b.symbols;
  const std::uint32_t* const table_a = a.table->entries.data();
  const std::uint32_t* const table_b = b.table->entries.data();
  std::size_t done = 0;
  for (; done < a.rounds && done < b.rounds && end_a - a.begin >= kWordsMin && end_b - b.begin >= kWordsMin; ++done) {
    end_a = decode_round(table_a, lanes_a, end_a, symbols_a);
    end_b = decode_round(table_b, lanes_b, end_b, symbols_b);
    symbols_a += kLanes;
    symbols_b += kLanes;
  }
  store(lanes_a, a.states);
  store(lanes_b, b.states);
  a.end = end_a;
  b.end = end_b;
  a.symbols = symbols_a;
  b.symbols = symbols_b;
  a.rounds -= done;
  b.rounds -= done;
}

const Kernels* get_kernels() {
  static const Kernels kKernels = {hwy::TargetName(HWY_TARGET), encode, decode, decode_two, count_others};
  return &kKernels;
}

#elif HWY_TARGET == HWY_SCALAR

const Kernels* get_kernels() { return &kPortable; }

#else

const Kernels* get_kernels() {
  static const Kernels kKernels = {hwy::TargetName(HWY_TARGET), kPortable.encode, kPortable.decode,
                                   kPortable.decode_two, count_others};
  return &kKernels;
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace mmh::codecs::rans
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mmh::codecs::rans {
MMH_KERNELS(kTargets, get_kernels);
const Kernels* best_kernels() { return kTargets.best()(); }
}  // namespace mmh::codecs::rans
#endif
