#include "rans_tables.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace mmh::codecs::rans {
namespace {

constexpr unsigned kCostLog = 16;  // costs are in units of 2^-16 bits

// -log2(frequency / 4096), in integers: the mantissa is squared once for each bit of the result.
constexpr std::array<std::uint32_t, kTotal + 1> kCosts = [] {
  std::array<std::uint32_t, kTotal + 1> costs{};
  costs[0] = 64U << kCostLog;  // what no symbol may cost
  for (std::uint32_t frequency = 1; frequency <= kTotal; ++frequency) {
    const auto whole = static_cast<unsigned>(std::bit_width(frequency)) - 1;
    std::uint64_t mantissa = std::uint64_t{frequency} << (31 - whole);  // in [2^31, 2^32)
    std::uint32_t fraction = 0;
    for (unsigned bit = 0; bit < kCostLog; ++bit) {
      mantissa = mantissa * mantissa >> 31;
      fraction <<= 1;
      if (mantissa >> 32 != 0) {
        mantissa >>= 1;
        fraction |= 1;
      }
    }
    costs[frequency] = (kTotalLog << kCostLog) - ((whole << kCostLog) + fraction);
  }
  return costs;
}();

class BitWriter {
 public:
  explicit BitWriter(Buffer& out) : out_(out) {}
  void put(std::uint32_t value, unsigned bits) {
    held_ |= std::uint64_t{value} << held_bits_;
    for (held_bits_ += bits; held_bits_ >= 8; held_bits_ -= 8, held_ >>= 8) {
      out_.push_back(static_cast<std::byte>(held_));
    }
  }
  void flush() {
    if (held_bits_ > 0) put(0, 8 - held_bits_);
  }

 private:
  Buffer& out_;
  std::uint64_t held_ = 0;
  unsigned held_bits_ = 0;
};

class BitReader {
 public:
  explicit BitReader(ByteView& in) : in_(in) {}
  Result<std::uint32_t> take(unsigned bits) {
    while (held_bits_ < bits) {
      if (in_.empty()) return fail(Errc::corrupt, "rans: a table is cut short");
      held_ |= std::to_integer<std::uint32_t>(in_[0]) << held_bits_;
      held_bits_ += 8;
      in_ = in_.subspan(1);
    }
    const std::uint32_t value = held_ & ((1U << bits) - 1);
    held_ >>= bits;
    held_bits_ -= bits;
    return value;
  }
  /// The bits up to the next whole byte, which must be 0.
  Result<> finish() {
    if (held_ != 0) return fail(Errc::corrupt, "rans: bits behind a table");
    return {};
  }

 private:
  ByteView& in_;
  std::uint32_t held_ = 0;
  unsigned held_bits_ = 0;
};

struct ZeroRun {
  std::uint32_t least;
  unsigned bits;
};
constexpr std::uint32_t kZeroRunClass = 12;  // classes below are numbers of bits of a frequency behind its highest
constexpr std::array<ZeroRun, 4> kZeroRuns = {{{1, 0}, {2, 2}, {6, 4}, {22, 8}}};

}  // namespace

std::optional<std::uint64_t> cost_with(const Histogram& histogram, const Frequencies& frequencies) {
  std::uint64_t cost = 0;
  for (std::size_t s = 0; s < kSymbols; ++s) {
    if (histogram[s] == 0) continue;
    if (frequencies[s] == 0) return std::nullopt;
    cost += std::uint64_t{histogram[s]} * kCosts[frequencies[s]];
  }
  return cost >> kCostLog;
}

Histogram count_mostly(const std::uint8_t* symbols, std::size_t size) {
  constexpr std::size_t kSampledSize = 32'768;  // from this on every fourth piece is counted
  constexpr std::size_t kSparseSize = 262'144;  // and from this on every eighth
  constexpr std::size_t kPiece = 64;
  Histogram histogram{};
  if (size < kSampledSize) {
    count(symbols, size, histogram);
    return histogram;
  }
  const std::size_t pieces = size < kSparseSize ? 4 : 8;
  const std::size_t group_size = kPiece * pieces;
  std::array<std::uint8_t, 8192> sample;
  for (std::size_t begin = 0; begin < size;) {
    std::size_t filled = 0;
    for (; filled < sample.size() && begin + group_size <= size; begin += group_size) {
      // Not always the same piece of a group, for data may have rows.
      const std::size_t group = begin / group_size;
      const std::size_t piece = (group ^ group >> 2 ^ group >> 5) % pieces;
      std::memcpy(sample.data() + filled, symbols + begin + piece * kPiece, kPiece);
      filled += kPiece;
    }
    count(sample.data(), filled, histogram);
    if (begin + group_size > size) break;
  }
  SymbolSet set{};
  for (std::size_t s = 0; s < kSymbols; ++s) {
    if (histogram[s] != 0) set[set_byte(s)] |= set_bit(s);
    histogram[s] *= static_cast<std::uint32_t>(pieces);
  }
  best_kernels()->count_others(symbols, size, set, histogram);
  return histogram;
}

std::uint64_t entropy_cost(std::span<const std::uint32_t> counts) {
  const auto weighted = [](std::uint64_t count) {
    if (count <= kTotal) return count * ((kTotalLog << kCostLog) - kCosts[count]);
    // Between two entries of the table.
    const auto shift = static_cast<unsigned>(std::bit_width(count)) - kTotalLog;
    const std::uint64_t below = kCosts[count >> shift];
    const std::uint64_t above = kCosts[(count >> shift) + 1];
    const std::uint64_t rest = count & ((std::uint64_t{1} << shift) - 1);
    const std::uint64_t cost = below - ((below - above) * rest >> shift);
    return count * (((std::uint64_t{kTotalLog} + shift) << kCostLog) - cost);
  };
  std::uint64_t total = 0;
  std::uint64_t saved = 0;
  for (const std::uint32_t count : counts) {
    if (count == 0) continue;
    total += count;
    saved += weighted(count);
  }
  return total == 0 ? 0 : std::max(weighted(total), saved) - saved;
}

Frequencies normalise(const Histogram& histogram) {
  std::uint64_t total = 0;
  for (const std::uint32_t count : histogram) total += count;
  Frequencies frequencies{};
  std::int64_t left = kTotal;
  for (std::size_t s = 0; s < kSymbols; ++s) {
    if (histogram[s] == 0) continue;
    frequencies[s] = static_cast<std::uint16_t>(std::max<std::uint64_t>(
        1, std::min<std::uint64_t>(kTotal - 1, (std::uint64_t{histogram[s]} * kTotal + total / 2) / total)));
    left -= frequencies[s];
  }
  while (left != 0) {
    // What one more saves or one less costs, times the count: steps of several where much is left.
    const bool add = left > 0;
    const auto step = static_cast<std::uint16_t>(std::max<std::int64_t>(1, std::abs(left) / 8));
    std::size_t best = kSymbols;
    std::uint64_t best_value = 0;
    std::uint16_t best_step = 0;
    for (std::size_t s = 0; s < kSymbols; ++s) {
      const std::uint16_t frequency = frequencies[s];
      if (frequency == 0) continue;
      const std::uint16_t room =
          add ? static_cast<std::uint16_t>(kTotal - 1 - frequency) : static_cast<std::uint16_t>(frequency - 1);
      const std::uint16_t taken = std::min(step, room);
      if (taken == 0) continue;
      const std::uint32_t before = kCosts[frequency];
      const std::uint32_t after =
          kCosts[add ? static_cast<std::size_t>(frequency + taken) : static_cast<std::size_t>(frequency - taken)];
      const std::uint64_t value = std::uint64_t{histogram[s]} * (add ? before - after : after - before) / taken;
      if (best == kSymbols || (add ? value > best_value : value < best_value)) {
        best = s;
        best_value = value;
        best_step = taken;
      }
    }
    const auto change = static_cast<std::uint16_t>(std::min<std::int64_t>(best_step, std::abs(left)));
    frequencies[best] = static_cast<std::uint16_t>(add ? frequencies[best] + change : frequencies[best] - change);
    left += add ? -static_cast<std::int64_t>(change) : static_cast<std::int64_t>(change);
  }
  return frequencies;
}

void write_table(const Frequencies& frequencies, Buffer& out) {
  BitWriter bits(out);
  std::size_t s = 0;
  while (frequencies[s] == 0) ++s;
  bits.put(static_cast<std::uint32_t>(s), 8);
  for (std::uint32_t left = kTotal; left > 0;) {
    if (frequencies[s] != 0) {
      const auto extra = static_cast<unsigned>(std::bit_width(frequencies[s])) - 1;
      bits.put(extra, 4);
      bits.put(frequencies[s] - (1U << extra), extra);
      left -= frequencies[s++];
      continue;
    }
    std::size_t end = s;
    while (frequencies[end] == 0) ++end;
    std::size_t run = kZeroRuns.size() - 1;
    while (kZeroRuns[run].least > end - s) --run;
    const auto extra = std::min<std::uint32_t>(static_cast<std::uint32_t>(end - s) - kZeroRuns[run].least,
                                               (1U << kZeroRuns[run].bits) - 1);
    bits.put(kZeroRunClass + static_cast<std::uint32_t>(run), 4);
    bits.put(extra, kZeroRuns[run].bits);
    s += kZeroRuns[run].least + extra;
  }
  bits.flush();
}

Result<Frequencies> read_table(ByteView& in) {
  BitReader bits(in);
  Frequencies frequencies{};
  MMH_LET(std::size_t s, bits.take(8));
  std::size_t symbols = 0;
  for (std::uint32_t left = kTotal; left > 0;) {
    MMH_LET(const std::uint32_t kind, bits.take(4));
    if (kind >= kZeroRunClass) {
      const ZeroRun& run = kZeroRuns[kind - kZeroRunClass];
      MMH_LET(const std::uint32_t extra, bits.take(run.bits));
      s += run.least + extra;
      continue;
    }
    MMH_LET(const std::uint32_t extra, bits.take(kind));
    const std::uint32_t frequency = (1U << kind) + extra;
    if (s >= kSymbols || frequency > left) return fail(Errc::corrupt, "rans: a table does not add up");
    frequencies[s++] = static_cast<std::uint16_t>(frequency);
    left -= frequency;
    ++symbols;
  }
  if (symbols < 2) return fail(Errc::corrupt, "rans: a table of one symbol");
  MMH_TRY(bits.finish());
  return frequencies;
}

void fill(const Frequencies& frequencies, EncodeTable& table) {
  std::uint32_t start = 0;
  for (std::size_t s = 0; s < kSymbols; ++s) {
    table.entries[s] = 0;
    const std::uint32_t frequency = frequencies[s];
    if (frequency == 0) continue;
    const unsigned shift = 31 + static_cast<unsigned>(std::bit_width(frequency - 1));
    const std::uint64_t reciprocal = ((std::uint64_t{1} << shift) + frequency - 1) / frequency;
    table.entries[s] =
        reciprocal | std::uint64_t{frequency} << 32 | std::uint64_t{start} << 44 | std::uint64_t{shift} << 56;
    start += frequency;
  }
}

void fill(const Frequencies& frequencies, DecodeTable& table) {
  std::uint32_t* out = table.entries.data();
  for (std::uint32_t s = 0; s < kSymbols; ++s) {
    const std::uint32_t frequency = frequencies[s];
    if (frequency == 0) continue;
    const std::uint32_t first = s | frequency << 20;
    for (std::uint32_t offset = 0; offset < frequency; ++offset) out[offset] = first + (offset << 8);
    out += frequency;
  }
}

bool decode_rest(Section& section, std::size_t lanes, std::size_t last_lanes) {
  const auto take_lane = [&](std::size_t lane) {
    std::uint32_t& state = section.states[lane];
    const std::uint32_t entry = section.table->entries[state & (kTotal - 1)];
    section.symbols[lane] = static_cast<std::uint8_t>(entry);
    state = take(state, entry);
    if (state >= kStateMin) return true;
    if (section.end - section.begin < static_cast<std::ptrdiff_t>(kWordSize)) return false;
    refill(state, section.end);
    return true;
  };
  bool sound = true;
  for (; section.rounds > 0 && sound; --section.rounds) {
    for (std::size_t lane = lanes; lane-- > 0 && sound;) sound = take_lane(lane);
    section.symbols += lanes;
  }
  for (std::size_t lane = last_lanes; lane-- > 0 && sound;) sound = take_lane(lane);
  return sound;
}

bool is_finished(const Section& section, std::size_t lanes) {
  return section.end == section.begin && std::ranges::all_of(std::span(section.states).first(lanes),
                                                             [](std::uint32_t state) { return state == kStateMin; });
}

}  // namespace mmh::codecs::rans
