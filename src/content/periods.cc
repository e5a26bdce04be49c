#include "mmh/content/periods.h"

#include <algorithm>
#include <array>
#include <bit>

#include "statistics.h"

namespace mmh::content {

namespace {

constexpr std::size_t kPieces = 4;
constexpr std::size_t kPieceSize = std::size_t{16} << 10;
constexpr std::uint32_t kOne = 65536;

// Adds, for each distance, the bytes of `piece` that equal the one that far before, and how many were compared.
void correlate(ByteView piece, std::vector<std::uint32_t>& equal, std::vector<std::uint32_t>& compared) {
  const std::size_t longest = std::min<std::size_t>(kPeriodMax, piece.size() / 2);
  for (std::size_t distance = 1; distance <= longest; ++distance) {
    const std::size_t size = piece.size() - distance;
    equal[distance] += count_equal(piece.first(size), piece.subspan(distance));
    compared[distance] += static_cast<std::uint32_t>(size);
  }
}

std::uint32_t chance_of_equal(const Histogram& counts) {
  const std::uint64_t all = total(counts);
  if (all == 0) return 0;
  std::uint64_t pairs = 0;
  for (const std::uint64_t count : counts) pairs += count * count;
  return static_cast<std::uint32_t>(pairs * kOne / (all * all));
}

// Bits in their order, 64 to a word, the first one lowest; one word more than they fill.
std::vector<std::uint64_t> bits_of(ByteView piece, bool high_first) {
  std::vector<std::uint64_t> words(piece.size() / 8 + 1);
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    std::uint64_t word = load_le<std::uint64_t>(piece.subspan(8 * i));
    if (high_first) {
      word = (word & 0x5555555555555555) << 1 | (word >> 1 & 0x5555555555555555);
      word = (word & 0x3333333333333333) << 2 | (word >> 2 & 0x3333333333333333);
      word = (word & 0x0f0f0f0f0f0f0f0f) << 4 | (word >> 4 & 0x0f0f0f0f0f0f0f0f);
    }
    words[i] = word;
  }
  return words;
}

// Of `count` words, the bits that differ from those `shift` bits above them in `other`. Requires: shift < 64.
[[gnu::always_inline]] inline std::uint32_t unequal_bits(const std::uint64_t* words, const std::uint64_t* other,
                                                         unsigned shift, std::size_t count) {
  std::uint32_t unequal = 0;
  for (std::size_t i = 0; i < count; ++i) {
    // A shift by 64 would mean nothing: two steps make it one.
    const std::uint64_t moved = other[i] >> shift | other[i + 1] << (63 - shift) << 1;
    unequal += static_cast<std::uint32_t>(std::popcount(words[i] ^ moved));
  }
  return unequal;
}

// Not every x86 processor has the instruction, and what is compiled for all of them calls a function instead.
#ifdef __x86_64__
[[gnu::target("popcnt")]] std::uint32_t unequal_bits_by_instruction(const std::uint64_t* words,
                                                                    const std::uint64_t* other, unsigned shift,
                                                                    std::size_t count) {
  return unequal_bits(words, other, shift, count);
}
#endif

// By distance: how many of the first bits equal those so far behind them; as many are looked at for each.
std::vector<std::uint32_t> equal_bits(const std::vector<std::uint64_t>& words) {
  constexpr std::size_t kWordsMax = kBitPeriodMax / 64 + 1;
  const std::size_t count = words.size() - 1 - kWordsMax;
  std::uint32_t (*count_unequal)(const std::uint64_t*, const std::uint64_t*, unsigned,
                                 std::size_t) = [](const std::uint64_t* a, const std::uint64_t* b, unsigned shift,
                                                   std::size_t size) { return unequal_bits(a, b, shift, size); };
#ifdef __x86_64__
  if (__builtin_cpu_supports("popcnt")) count_unequal = unequal_bits_by_instruction;
#endif
  std::vector<std::uint32_t> equal(kBitPeriodMax + 1);
  for (unsigned distance = kBitPeriodMin; distance <= kBitPeriodMax; ++distance) {
    const std::uint32_t changed = count_unequal(words.data(), words.data() + distance / 64, distance % 64, count);
    equal[distance] = static_cast<std::uint32_t>(64 * count) - changed;
  }
  return equal;
}

struct BitPeak {
  unsigned distance = 0;
  std::uint32_t excess = 0;  // bits that are equal beyond what is usual
};

// The least distance that shows nearly as much as the best does.
BitPeak bit_peak(const std::vector<std::uint32_t>& equal, std::uint32_t all) {
  std::vector<std::uint32_t> sorted(equal.begin() + kBitPeriodMin, equal.end());
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::ranges::nth_element(sorted, middle);
  const std::uint32_t usual = *middle;
  const std::uint32_t best = *std::max_element(equal.begin() + kBitPeriodMin, equal.end());
  // Chance makes eight standard deviations of no distance.
  if (best - usual < (all - usual) / 16) return {};
  unsigned distance = kBitPeriodMin;
  while (std::uint64_t{equal[distance]} * 8 < std::uint64_t{usual} * 8 + (std::uint64_t{best} - usual) * 7) ++distance;
  return {distance, equal[distance] - usual};
}

// The place in a record, counted from the first bit of the words, where bits change from those that vary least to those
// that vary most.
unsigned record_begin(const std::vector<std::uint64_t>& words, unsigned bits, bool high_first) {
  const auto bit = [&](std::size_t i) { return words[i / 64] >> (i % 64) & 1; };
  const std::size_t size = (words.size() - 1) * 64 / bits * bits;
  std::vector<std::int32_t> equal(bits);
  for (std::size_t i = bits; i < size; ++i) equal[i % bits] += bit(i) == bit(i - bits) ? 1 : 0;
  unsigned best = 0;
  std::int32_t best_step = 0;
  for (unsigned place = 0; place < bits; ++place) {
    const std::int32_t before = equal[(place + bits - 1) % bits];
    const std::int32_t step = high_first ? equal[place] - before : before - equal[place];
    if (step <= best_step) continue;
    best = place;
    best_step = step;
  }
  return best;
}

}  // namespace

std::optional<BitPeriod> find_bit_period(ByteView data) {
  constexpr std::size_t kBitsPieceSize = 2048;
  if (data.size() < kBitsPieceSize) return std::nullopt;
  const std::size_t offset = (data.size() - kBitsPieceSize) / 2;
  const ByteView piece = data.subspan(offset, kBitsPieceSize);
  std::optional<BitPeriod> found;
  std::uint32_t most = 0;
  for (const bool high_first : {false, true}) {
    const std::vector<std::uint64_t> words = bits_of(piece, high_first);
    const std::vector<std::uint32_t> equal = equal_bits(words);
    const BitPeak peak = bit_peak(equal, static_cast<std::uint32_t>(8 * piece.size()));
    if (peak.excess <= most || peak.distance % 8 == 0) continue;
    most = peak.excess;
    const unsigned begin = record_begin(words, peak.distance, high_first);
    const auto before = static_cast<unsigned>(8 * offset % peak.distance);
    found = BitPeriod{.bits = peak.distance, .phase = (begin + before) % peak.distance, .high_first = high_first};
  }
  return found;
}

std::vector<PeriodPeak> find_periods(ByteView data, std::size_t count) {
  std::vector<std::uint32_t> equal(kPeriodMax + 1), compared(kPeriodMax + 1);
  Histogram counts{};
  sample(data, kPieces, kPieceSize, [&](ByteView piece) {
    correlate(piece, equal, compared);
    count_bytes(piece, counts);
  });
  const std::uint32_t expected = chance_of_equal(counts);
  std::vector<std::uint32_t> shares(kPeriodMax + 1);
  for (std::uint32_t distance = 1; distance <= kPeriodMax; ++distance) {
    if (compared[distance] == 0) continue;
    shares[distance] = static_cast<std::uint32_t>(std::uint64_t{equal[distance]} * kOne / compared[distance]);
  }
  // What every distance shows, such as runs of one byte, belongs to none of them.
  std::vector<std::uint32_t> sorted(shares.begin() + 1, shares.end());
  std::ranges::nth_element(sorted, sorted.begin() + kPeriodMax / 2);
  const std::uint32_t usual = std::max(expected, sorted[kPeriodMax / 2]);

  std::vector<PeriodPeak> peaks;
  for (std::uint32_t distance = 1; distance <= kPeriodMax; ++distance) {
    const std::uint32_t share = shares[distance];
    // A tenth of what can still be gained, and more than its neighbours have.
    if (share <= usual + (kOne - usual) / 10) continue;
    if (share < shares[distance - 1] || (distance < kPeriodMax && share < shares[distance + 1])) continue;
    const bool explained = std::ranges::any_of(peaks, [&](const PeriodPeak& shorter) {
      return distance % shorter.period == 0 && share < shorter.equal + (kOne - shorter.equal) / 10;
    });
    if (!explained) peaks.push_back({distance, share, expected});
  }
  std::ranges::stable_sort(peaks, std::ranges::greater{}, &PeriodPeak::equal);
  if (peaks.size() > count) peaks.resize(count);
  return peaks;
}

}  // namespace mmh::content
