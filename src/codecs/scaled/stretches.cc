#include "stretches.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>

namespace mmh::codecs::scaled {
namespace {

using rans::Histogram;
using rans::kSymbols;

// Costs are in 1/65536 bits. What a table takes, about, for itself and for each symbol in it.
constexpr std::uint64_t kBit = 1U << 16;
constexpr std::uint64_t kTableCost = 24 * kBit;
constexpr std::uint64_t kSymbolCost = 9 * kBit;

// Up to this level, stretches begin at every fourth place that they might.
constexpr int kCoarseLevelMax = 2;

std::uint64_t cost_of(std::span<const std::uint32_t> counts) {
  std::uint64_t cost = rans::entropy_cost(counts) + kTableCost;
  for (const std::uint32_t count : counts) cost += count != 0 ? kSymbolCost : 0;
  return cost;
}

// ---- where statistics change

struct Run {
  std::size_t begin;  // symbols
  std::size_t size;
  std::uint32_t* counts;
  std::uint64_t cost;
};

// Neighbours are joined while that saves a table's worth, over and over, so that long runs grow of short ones.
class Joiner {
 public:
  // `unit`: symbols of the runs at first.
  Joiner(const std::uint8_t* symbols, std::size_t size, std::size_t unit) {
    std::uint8_t low = 0;
    std::uint8_t high = 0;
    best_kernels()->range(symbols, size, low, high);
    low_ = low;
    kinds_ = static_cast<std::size_t>(high - low) + 1;
    const std::size_t units = (size + unit - 1) / unit;
    counts_.resize(units * kinds_);
    joined_.resize(kinds_);
    for (std::size_t i = 0; i < units; ++i) {
      const std::size_t begin = i * unit;
      const std::size_t run_size = std::min(unit, size - begin);
      std::uint32_t* const counts = counts_.data() + i * kinds_;
      count_unit(symbols + begin, run_size, counts);
      runs_.push_back({begin, run_size, counts, cost_of({counts, kinds_})});
    }
  }

  std::vector<Stretch> run() {
    // No more than may have tables: where each row has a scale of its own, the scales are found in long runs.
    for (std::uint64_t loss = 0;; loss = std::max(2 * loss, kTableCost)) {
      while (join_pairs(loss)) {
      }
      if (runs_.size() <= rans::kTablesMax) break;
    }
    std::vector<Stretch> stretches;
    for (const Run& run : runs_) {
      Stretch& stretch = stretches.emplace_back();
      stretch.begin = run.begin;
      stretch.size = run.size;
      std::memcpy(stretch.histogram.data() + low_, run.counts, kinds_ * sizeof *run.counts);
    }
    return stretches;
  }

 private:
  // Four tables take turns, because runs of one symbol would wait for their own stores.
  void count_unit(const std::uint8_t* symbols, std::size_t size, std::uint32_t* counts) const {
    static_assert(4 * kUnit < 65536);
    std::array<std::array<std::uint16_t, kSymbols>, 4> tables{};
    std::size_t i = 0;
    for (; i + 8 <= size; i += 8) {
      std::uint64_t eight = 0;
      std::memcpy(&eight, symbols + i, sizeof eight);
#pragma GCC unroll 8
      for (unsigned k = 0; k < 8; ++k) ++tables[k % 4][eight >> (8 * k) & 0xff];
    }
    for (; i < size; ++i) ++tables[0][symbols[i]];
    for (std::size_t s = 0; s < kinds_; ++s) {
      counts[s] = static_cast<std::uint32_t>(tables[0][low_ + s] + tables[1][low_ + s] + tables[2][low_ + s] +
                                             tables[3][low_ + s]);
    }
  }

  // `loss_max`: what a join may lose.
  bool join_pairs(std::uint64_t loss_max) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      if (i + 1 < runs_.size()) {
        const Run& next = runs_[i + 1];
        for (std::size_t s = 0; s < kinds_; ++s) joined_[s] = runs_[i].counts[s] + next.counts[s];
        const std::uint64_t cost = cost_of(joined_);
        if (cost < runs_[i].cost + next.cost + loss_max) {
          std::memcpy(runs_[i].counts, joined_.data(), kinds_ * sizeof joined_[0]);
          runs_[kept++] = {runs_[i].begin, runs_[i].size + next.size, runs_[i].counts, cost};
          ++i;
          continue;
        }
      }
      runs_[kept++] = runs_[i];
    }
    const bool any = kept != runs_.size();
    runs_.resize(kept);
    return any;
  }

  std::size_t low_;
  std::size_t kinds_;
  std::vector<std::uint32_t> counts_;
  std::vector<std::uint32_t> joined_;
  std::vector<Run> runs_;
};

// ---- columns and rows

constexpr std::size_t kStretchMin = 4 * kUnit;  // shorter ones are not worth scales
constexpr int kScaleMax = 100;                  // doublings; a row and a column together stay in a signed byte's range

// What symbols that lie `deviation` / 16 doublings off their table lose, each, in 1/65536 bits: a normal distribution's
// divergence, to the second order.
std::int64_t loss_of(std::int64_t deviation) { return deviation * deviation * 177; }

template <class T>
T divided(T sum, T count) {
  return (sum >= 0 ? sum + count / 2 : sum - count / 2) / count;
}

std::uint64_t cost_of_scales(ByteView scales) {
  Histogram histogram{};
  for (const std::byte scale : scales) ++histogram[std::to_integer<std::size_t>(scale)];
  return cost_of(histogram);
}

class ScaleFinder {
 public:
  ScaleFinder(std::uint8_t* symbols, unsigned step, int level)
      : symbols_(symbols), step_(step), level_(level), mover_(step) {}

  // Takes the scales of the stretch away, if that pays.
  void run(Stretch& stretch) {
    if (stretch.size < kStretchMin) return;
    measure(stretch.histogram);
    if (spread_ == 0) return;
    std::uint8_t* const symbols = symbols_ + stretch.begin;
    Scales scales;
    if (const std::size_t period = period_of(symbols, stretch.size))
      find_columns(symbols, stretch.size, period, scales);
    if (scales.period != 0) move(symbols, stretch.size, scales, false);
    find_rows(symbols, stretch.size, scales);
    if (scales.period == 0 && scales.row_size == 0) return;
    if (scales.row_size != 0) {
      mover_.begin(0, {}, scales.row_size, scales.rows, false);
      mover_.move(symbols, 0, stretch.size);
    }

    const Histogram histogram = rans::count_mostly(symbols, stretch.size);
    std::uint64_t cost = cost_of(histogram) + 8 * kBit;
    if (scales.period != 0) cost += cost_of_scales(scales.columns);
    if (scales.row_size != 0) cost += cost_of_scales(scales.rows);
    if (cost >= cost_of(stretch.histogram)) {
      move(symbols, stretch.size, scales, true);
      return;
    }
    stretch.scales = std::move(scales);
    stretch.histogram = histogram;
  }

 private:
  void move(std::uint8_t* symbols, std::size_t size, const Scales& scales, bool forth) {
    mover_.begin(scales.period, scales.columns, scales.row_size, scales.rows, forth);
    mover_.move(symbols, 0, size);
  }

  // Mean of the symbols but 0, in 1/16, and their spread.
  void measure(const Histogram& histogram) {
    std::uint64_t count = 0;
    std::uint64_t sum = 0;
    for (std::size_t s = 1; s < kSymbols; ++s) {
      count += histogram[s];
      sum += std::uint64_t{histogram[s]} * s;
    }
    spread_ = 0;
    if (count == 0) return;
    mean_ = static_cast<std::int64_t>(16 * sum / count);
    for (std::size_t s = 1; s < kSymbols; ++s) {
      if (histogram[s] != 0)
        spread_ += std::uint64_t{histogram[s]} *
                   (static_cast<std::uint64_t>(std::abs(16 * static_cast<std::int64_t>(s) - mean_)) + 15) / 16;
    }
  }

  // Symbols a period apart deviate alike. Looks among the multiples of eight for one that a period may divide, which
  // most do, then for the least that does as well.
  std::size_t period_of(const std::uint8_t* symbols, std::size_t size) {
    constexpr std::size_t kSampleMax = 4096;
    const std::size_t farthest = std::min(level_ < 7 ? 2 * kUnit : kPeriodMax, size / 2 / 8 * 8);
    const std::size_t count = std::min(kSampleMax, size - farthest);
    const std::size_t begin = (size - farthest - count) / 2;
    sample_.resize(count + farthest);
    const auto mean = static_cast<std::int16_t>((mean_ + 8) / 16);
    const auto limit = static_cast<std::int16_t>(6 * step_);
    for (std::size_t i = 0; i < sample_.size(); ++i) {
      const std::uint8_t symbol = symbols[begin + i];
      const auto deviation = static_cast<std::int16_t>(symbol - mean);
      sample_[i] =
          symbol == 0 ? std::int16_t{0} : std::max(std::min(deviation, limit), static_cast<std::int16_t>(-limit));
    }
    const auto likeness = [&](std::size_t distance) {
      return std::int64_t{kernels_.correlate(sample_.data(), sample_.data() + distance, count)};
    };
    const std::int64_t power = likeness(0);
    std::int64_t best = 0;
    std::size_t period = 0;
    if (last_period_ != 0 && last_period_ <= farthest && likeness(last_period_) * 10 >= power) return last_period_;
    // Five standard deviations of what chance makes.
    std::size_t root = 1;
    while (4 * root * root <= count) root *= 2;
    const auto is_clear = [&] { return best * static_cast<std::int64_t>(root) >= 5 * power && best * 32 >= power; };
    const std::size_t near = std::min(2 * kUnit, farthest);
    const auto look = [&](std::size_t from, std::size_t to) {
      for (std::size_t distance = from; distance <= to; distance += 8) {
        const std::int64_t found = likeness(distance);
        if (found <= best) continue;
        best = found;
        period = distance;
      }
    };
    look(near / 16 * 8 + 8, near);
    if (!is_clear()) look(near / 8 * 8 + 8, farthest);
    if (!is_clear()) return 0;
    for (const std::size_t prime : {2U, 3U, 5U, 7U, 11U, 13U, 17U, 19U, 23U, 29U, 31U}) {
      while (period % prime == 0 && period / prime >= 3 && likeness(period / prime) * 5 >= best * 4) period /= prime;
    }
    last_period_ = period;
    return period;
  }

  // Doublings by which the mean of symbols that add up to `sum` lies above `mean`, in 1/16.
  std::int64_t deviation_of(std::int64_t sum, std::int64_t count, std::int64_t mean) const {
    if (count == 0) return 0;
    const std::int64_t above = 16 * sum - mean * count;
    const std::int64_t parts = count * step_;
    // The shorter division is much the faster.
    if (above >= INT32_MIN / 2 && above <= INT32_MAX / 2 && parts <= INT32_MAX / 2) {
      return divided(static_cast<std::int32_t>(above), static_cast<std::int32_t>(parts));
    }
    return divided(above, parts);
  }
  // In whole doublings.
  static std::int64_t scale_of(std::int64_t deviation) {
    return std::clamp<std::int64_t>((deviation + 8) >> 4, -kScaleMax, kScaleMax);
  }

  struct Deviation {
    std::int64_t value;  // in 1/16 doublings
    std::int64_t count;  // symbols
  };
  // What deviations should be counted from to come closest to whole doublings.
  static std::int64_t reference_of(std::span<const Deviation> deviations) {
    std::array<std::int64_t, 16> by_fraction{};
    for (const Deviation& deviation : deviations)
      by_fraction[static_cast<std::size_t>(deviation.value & 15)] += deviation.count;
    std::int64_t best = 0;
    std::int64_t best_loss = INT64_MAX;
    for (const std::int64_t reference : {0, 4, 8, -4}) {
      std::int64_t loss = 0;
      for (std::int64_t fraction = 0; fraction < 16; ++fraction) {
        const std::int64_t off = ((fraction - reference + 8) & 15) - 8;
        loss += by_fraction[static_cast<std::size_t>(fraction)] * off * off;
      }
      if (loss < best_loss) {
        best_loss = loss;
        best = reference;
      }
    }
    return best;
  }

  void find_columns(const std::uint8_t* symbols, std::size_t size, std::size_t period, Scales& scales) {
    // Rows that a 16-bit sum has room for.
    constexpr std::size_t kRowsAtOnce = 257;
    std::vector<std::uint32_t> sums(period);
    std::vector<std::uint32_t> counts(period);
    std::vector<std::uint16_t> few_sums(period);
    std::vector<std::uint16_t> few_counts(period);
    for (std::size_t at = 0; at < size;) {
      std::ranges::fill(few_sums, std::uint16_t{0});
      std::ranges::fill(few_counts, std::uint16_t{0});
      for (std::size_t row = 0; row < kRowsAtOnce && at < size; ++row) {
        const std::size_t taken = std::min(period, size - at);
        kernels_.add(symbols + at, taken, few_sums.data(), few_counts.data());
        at += taken;
      }
      for (std::size_t i = 0; i < period; ++i) {
        sums[i] += few_sums[i];
        counts[i] += few_counts[i];
      }
    }
    scales.columns.resize(period);
    std::vector<Deviation> deviations(period);
    for (std::size_t i = 0; i < period; ++i) deviations[i] = {deviation_of(sums[i], counts[i], mean_), counts[i]};
    const std::int64_t reference = reference_of(deviations);
    bool any = false;
    for (std::size_t i = 0; i < period; ++i) {
      const std::int64_t scale = scale_of(deviations[i].value - reference);
      any = any || scale != 0;
      scales.columns[i] = static_cast<std::byte>(scale);
    }
    if (any) {
      scales.period = period;
    } else {
      scales.columns.clear();
    }
  }

  void find_rows(const std::uint8_t* symbols, std::size_t size, Scales& scales) {
    const std::size_t pieces = (size + kPiece - 1) / kPiece;
    sums_.assign(pieces, 0);
    counts_.assign(pieces, 0);
    kernels_.add_pieces(symbols, size / kPiece, sums_.data(), counts_.data());
    std::int64_t total_sum = 0;
    std::int64_t total_count = 0;
    for (std::size_t i = 0; i < size / kPiece; ++i) {
      total_sum += sums_[i];
      total_count += counts_[i];
    }
    if (total_count == 0) return;
    const std::int64_t mean = divided(16 * total_sum, total_count);
    std::int64_t best_gain = 0;
    Buffer best;
    std::vector<Deviation> deviations;
    for (const std::size_t row_pieces : {1U, 4U, 16U}) {
      deviations.clear();
      for (std::size_t i = 0; i < pieces; i += row_pieces) {
        std::int64_t sum = 0;
        std::int64_t count = 0;
        for (std::size_t k = i; k < std::min(pieces, i + row_pieces); ++k) {
          sum += sums_[k];
          count += counts_[k];
        }
        deviations.push_back({deviation_of(sum, count, mean), count});
      }
      const std::int64_t reference = reference_of(deviations);
      std::int64_t gain = 0;
      Buffer rows;
      for (const Deviation& deviation : deviations) {
        const std::int64_t off = deviation.value - reference;
        const std::int64_t scale = scale_of(off);
        gain += deviation.count * (loss_of(deviation.value) - loss_of(off - 16 * scale));
        rows.push_back(static_cast<std::byte>(scale));
      }
      gain -= static_cast<std::int64_t>(cost_of_scales(rows));
      if (gain > best_gain) {
        best_gain = gain;
        best = std::move(rows);
        scales.row_size = row_pieces * kPiece;
      }
    }
    scales.rows = std::move(best);
  }

  const Kernels& kernels_ = *best_kernels();
  std::uint8_t* const symbols_;
  const unsigned step_;
  const int level_;
  Mover mover_;
  std::int64_t mean_ = 0;  // of the stretch at hand
  std::uint64_t spread_ = 0;
  std::size_t last_period_ = 0;
  std::vector<std::int16_t> sample_;
  std::vector<std::uint16_t> sums_;  // of pieces
  std::vector<std::uint8_t> counts_;
};

}  // namespace

Mover::Mover(unsigned step) {
  constexpr auto kWhole = static_cast<int>(kModulus);
  for (int scale = -128; scale < 128; ++scale) {
    const auto forth = ((scale * static_cast<int>(step)) % kWhole + kWhole) % kWhole;
    const auto place = static_cast<std::uint8_t>(scale);
    numbers_[1][place] = static_cast<std::uint8_t>(forth);
    numbers_[0][place] = static_cast<std::uint8_t>((kWhole - forth) % kWhole);
  }
}

void Mover::begin(std::size_t period, ByteView columns, std::size_t row_size, ByteView rows, bool forth) {
  forth_ = forth;
  row_size_ = row_size;
  rows_ = rows;
  by_.clear();
  if (period == 0) return;
  // Long enough for the loops to be worth their start.
  constexpr std::size_t kLength = 4096;
  const std::size_t times = (kLength + period - 1) / period;
  by_.reserve(times * period);
  for (const std::byte column : columns) by_.push_back(numbers_[forth_ ? 1 : 0][std::to_integer<std::size_t>(column)]);
  for (std::size_t i = 1; i < times; ++i)
    by_.insert(by_.end(), by_.begin(), by_.begin() + static_cast<std::ptrdiff_t>(period));
}

void Mover::move(std::uint8_t* symbols, std::size_t place, std::size_t count) const {
  if (!by_.empty()) {
    std::size_t from = place % by_.size();
    for (std::size_t done = 0; done < count; from = 0) {
      const std::size_t step = std::min(count - done, by_.size() - from);
      kernels_.move(symbols + done, by_.data() + from, step);
      done += step;
    }
  }
  if (row_size_ == 0) return;
  std::size_t row = place / row_size_;
  std::size_t left = (row + 1) * row_size_ - place;
  for (std::size_t done = 0; done < count; ++row, left = row_size_) {
    const std::size_t step = std::min(count - done, left);
    const std::uint8_t number = numbers_[forth_ ? 1 : 0][std::to_integer<std::size_t>(rows_[row])];
    if (number != 0) kernels_.move_all(symbols + done, number, step);
    done += step;
  }
}

std::vector<Stretch> find_stretches(const std::uint8_t* symbols, std::size_t size, int level) {
  return Joiner(symbols, size, level <= kCoarseLevelMax ? 4 * kUnit : kUnit).run();
}

void take_scales(std::uint8_t* symbols, std::vector<Stretch>& stretches, unsigned step, int level) {
  ScaleFinder finder(symbols, step, level);
  for (Stretch& stretch : stretches) finder.run(stretch);
}

}  // namespace mmh::codecs::scaled
