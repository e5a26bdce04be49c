#include "statistics.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <vector>

#include "mmh/content/classify.h"

namespace mmh::content {
namespace {

constexpr int kLogBits = 8;

// kLogTable[i] = log2(1 + i/256) in 1/65536, a bit at a time: squaring a number in [1, 2) doubles its logarithm.
constexpr std::array<std::uint32_t, (1 << kLogBits) + 1> kLogTable = [] {
  std::array<std::uint32_t, (1 << kLogBits) + 1> table{};
  for (std::uint64_t i = 0; i < table.size() - 1; ++i) {
    std::uint64_t x = ((std::uint64_t{1} << kLogBits) + i) << (31 - kLogBits);
    std::uint32_t log = 0;
    for (int bit = 0; bit < 16; ++bit) {
      x = (x * x) >> 31;
      const bool one = x >= (std::uint64_t{2} << 31);
      log = log << 1 | (one ? 1U : 0U);
      if (one) x >>= 1;
    }
    table[i] = log;
  }
  table.back() = 1U << 16;
  return table;
}();

}  // namespace

std::uint32_t log2_fixed(std::uint32_t value) {
  const auto whole = static_cast<std::uint32_t>(std::bit_width(value) - 1);
  // The bits behind the first: kLogBits pick the place in the table, 15 more lie between it and the next.
  const auto fraction = static_cast<std::uint32_t>((std::uint64_t{value} << (31 - whole)) & 0x7FFFFFFF);
  const std::uint32_t index = fraction >> (31 - kLogBits);
  const std::uint32_t between = (fraction >> (16 - kLogBits)) & 0x7FFF;
  const std::uint32_t low = kLogTable[index];
  return (whole << 16) + low + (((kLogTable[index + 1] - low) * between) >> 15);
}

void count_bytes(ByteView data, Histogram& counts) {
  // Several tables, because runs of one byte would wait for their own stores.
  std::array<Histogram, 3> others{};
  std::size_t i = 0;
  for (; i + 8 <= data.size(); i += 8) {
    const auto word = load_le<std::uint64_t>(data.subspan(i, 8));
    ++counts[word & 0xFF];
    ++others[0][(word >> 8) & 0xFF];
    ++others[1][(word >> 16) & 0xFF];
    ++others[2][(word >> 24) & 0xFF];
    ++counts[(word >> 32) & 0xFF];
    ++others[0][(word >> 40) & 0xFF];
    ++others[1][(word >> 48) & 0xFF];
    ++others[2][word >> 56];
  }
  for (; i < data.size(); ++i) ++counts[std::to_integer<std::uint8_t>(data[i])];
  for (std::size_t b = 0; b < counts.size(); ++b) counts[b] += others[0][b] + others[1][b] + others[2][b];
}

std::uint32_t count_equal(ByteView a, ByteView b) {
  // In lanes whose counts fit a byte, which vectors add up.
  constexpr std::size_t kLanes = 16;
  constexpr std::size_t kRows = 255;
  std::uint32_t sum = 0;
  std::size_t at = 0;
  while (at + kLanes <= a.size()) {
    std::array<std::uint8_t, kLanes> lanes{};
    const std::size_t rows = std::min(kRows, (a.size() - at) / kLanes);
    for (std::size_t row = 0; row < rows; ++row, at += kLanes) {
      const std::byte* const in_a = a.data() + at;
      const std::byte* const in_b = b.data() + at;
      for (std::size_t lane = 0; lane < kLanes; ++lane)
        lanes[lane] = static_cast<std::uint8_t>(lanes[lane] + (in_a[lane] == in_b[lane] ? 1 : 0));
    }
    sum = std::accumulate(lanes.begin(), lanes.end(), sum);
  }
  for (; at < a.size(); ++at) sum += a[at] == b[at] ? 1U : 0U;
  return sum;
}

std::uint64_t total(const Histogram& counts) {
  std::uint64_t sum = 0;
  for (const std::uint32_t count : counts) sum += count;
  return sum;
}

std::uint32_t entropy_of(const Histogram& counts) {
  const std::uint64_t sum = total(counts);
  if (sum == 0) return 0;
  // Counts are scaled to 32 bits, which only files above 4 GiB need.
  const int shift = std::max(0, static_cast<int>(std::bit_width(sum)) - 32);
  const std::uint64_t scaled = sum >> shift;
  std::uint64_t weighted = 0;
  for (const std::uint32_t count : counts) {
    const std::uint64_t n = count >> shift;
    if (n > 1) weighted += n * log2_fixed(static_cast<std::uint32_t>(n)) >> 8;
  }
  const std::uint64_t mean = weighted / scaled;
  const std::uint64_t whole = log2_fixed(static_cast<std::uint32_t>(scaled)) >> 8;
  return static_cast<std::uint32_t>(whole > mean ? whole - mean : 0);
}

std::uint32_t skew_of(const Histogram& counts) {
  const std::uint64_t sum = total(counts);
  if (sum < 2) return 0;
  std::uint64_t equal_pairs = 0;
  for (const std::uint64_t count : counts) equal_pairs += count * (count - (count != 0));
  // equal_pairs * 256 fits: the data counted are samples, far below 2^28 bytes.
  const std::uint64_t ratio = equal_pairs * 256 * 1024 / (sum * (sum - 1));
  return static_cast<std::uint32_t>(ratio > 1024 ? ratio - 1024 : 0);
}

std::size_t record_period(ByteView data) {
  data = data.first(std::min<std::size_t>(data.size(), 32768));
  std::array<std::uint16_t, 1024> last{};
  std::array<std::uint16_t, 257> distances{};
  for (std::size_t i = 0; i + 2 <= data.size(); ++i) {
    const auto pair = load_le<std::uint16_t>(data.subspan(i, 2));
    std::uint16_t& place = last[static_cast<std::uint16_t>(pair * 40503U) >> 6];
    const std::size_t distance = i + 1 - place;
    if (place != 0 && distance <= 256) ++distances[distance];
    place = static_cast<std::uint16_t>(i + 1);
  }
  const auto best = std::max_element(distances.begin() + 2, distances.end());
  return *best != 0 && *best * std::size_t{6} >= data.size() ? static_cast<std::size_t>(best - distances.begin()) : 0;
}

std::uint32_t entropy(ByteView data) {
  Histogram counts{};
  count_bytes(data, counts);
  return std::min<std::uint32_t>(entropy_of(counts), 2048);
}

bool has_far_matches(ByteView data) {
  constexpr std::size_t kWord = 8;
  constexpr std::size_t kStep = 16;  // rows are multiples of it, mostly, or every other repetition is
  constexpr unsigned kSampledLog = 6;
  constexpr std::size_t kLeast = 64;  // sampled words
  const std::size_t expected = data.size() / kStep >> kSampledLog;
  if (expected < kLeast) return false;
  std::vector<std::uint32_t> seen(std::bit_ceil(2 * expected));
  std::size_t sampled = 0;
  std::size_t repeated = 0;
  for (std::size_t i = 0; i + kWord <= data.size(); i += kStep) {
    const auto word = load_le<std::uint64_t>(data.subspan(i, kWord));
    const std::uint64_t hash = word * 0x9E3779B97F4A7C15;
    if (hash >> (64 - kSampledLog) != 0 || word == 0) continue;
    std::uint32_t& slot = seen[(hash >> 32) & (seen.size() - 1)];
    const auto tag = static_cast<std::uint32_t>(hash);
    ++sampled;
    repeated += slot == tag ? 1 : 0;
    slot = tag;
  }
  return sampled >= kLeast && repeated * 16 > sampled;
}

}  // namespace mmh::content
