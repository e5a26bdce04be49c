#include "mmh/content/periods.h"

#include <algorithm>
#include <array>

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

}  // namespace

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
