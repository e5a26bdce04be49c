#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "../common.h"
#include "../table.h"
#include "mmh/base/varint.h"
#include "stretches.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;
using namespace rans;
using scaled::kPeriodMax;
using scaled::kRowMax;
using scaled::kRowMin;
using scaled::kStepMax;
using scaled::kUnit;
using scaled::Mover;
using scaled::Stretch;

constexpr std::size_t kTwoChainsMax = std::size_t{1} << 20;  // symbols that two chains hold
constexpr std::size_t kTablesTried = 16;                     // the latest tables that a stretch may do with
constexpr std::size_t kPieceMax = 16'384;                    // symbols decoded before their scales are added

enum Coding : std::uint64_t { kStored = 0, kOneSymbol = 1, kFirstTable = 2 };

// Symbols of each chain but the last. Two chains at least, because two are decoded at a time.
std::size_t chain_size(std::size_t size) {
  if (size < kFewLanesSize) return kFewLanesSize;
  const std::size_t chains = 2 * ((size + kTwoChainsMax - 1) / kTwoChainsMax);
  return ((size + chains - 1) / chains + kUnit - 1) / kUnit * kUnit;
}
std::size_t count_of(std::size_t size, std::size_t part) { return (size + part - 1) / part; }

class Encoder {
 public:
  Encoder(ByteView raw, unsigned step, int level) : symbols_(raw), step_(step), level_(level) {}

  std::vector<Buffer> run() {
    if (!symbols_.empty()) {
      stretches_ = scaled::find_stretches(u8(symbols_), symbols_.size(), level_);
      if (step_ != 0) {
        moved_ = copy_of(symbols_);
        scaled::take_scales(u8(Bytes(moved_)), stretches_, step_, level_);
        symbols_ = moved_;
      }
      for (const Stretch& stretch : stretches_) choose(stretch);
      Buffer sizes;
      const std::size_t size = chain_size(symbols_.size());
      for (std::size_t begin = 0; begin < symbols_.size(); begin += size) {
        put_varint(sizes, encode_chain(begin, std::min(symbols_.size(), begin + size)));
      }
      append(directory_, sizes);
    }
    Buffer head;
    put_varint(head, symbols_.size());
    put_varint(head, tables_.size());
    append(head, written_tables_);
    put_varint(head, stretches_.size());
    append(head, directory_);
    append(coded_, head);
    Buffer head_size(sizeof(std::uint32_t));
    store_le(Bytes(head_size), static_cast<std::uint32_t>(head.size()));
    append(coded_, head_size);
    std::vector<Buffer> streams;
    streams.push_back(std::move(coded_));
    streams.push_back(std::move(scales_));
    streams.push_back(std::move(stored_));
    return streams;
  }

 private:
  void choose(const Stretch& stretch) {
    put_varint(directory_, count_of(stretch.size, kUnit));
    const std::size_t kinds = kSymbols - static_cast<std::size_t>(std::ranges::count(stretch.histogram, 0U));
    const std::uint64_t coding = kinds == 1 ? kOneSymbol : table_for(stretch);
    coding_.push_back(coding);
    put_varint(directory_, coding);
    const ByteView symbols = symbols_.subspan(stretch.begin, stretch.size);
    if (coding == kOneSymbol) directory_.push_back(symbols[0]);
    if (coding == kStored) append(stored_, symbols);
    if (step_ == 0) return;
    put_varint(directory_, stretch.scales.period);
    put_varint(directory_, stretch.scales.row_size);
    append(scales_, stretch.scales.columns);
    append(scales_, stretch.scales.rows);
  }

  std::uint64_t table_for(const Stretch& stretch) {
    const Frequencies own = normalise(stretch.histogram);
    Buffer own_written;
    write_table(own, own_written);
    std::uint64_t best_cost =
        tables_.size() < kTablesMax ? *cost_with(stretch.histogram, own) + 8 * own_written.size() : ~std::uint64_t{0};
    std::size_t best = tables_.size();
    for (std::size_t tried = 0; tried < std::min(kTablesTried, tables_.size()); ++tried) {
      const std::size_t number = tables_.size() - 1 - tried;
      const std::optional<std::uint64_t> cost = cost_with(stretch.histogram, tables_[number]);
      if (cost && *cost < best_cost) {
        best_cost = *cost;
        best = number;
      }
    }
    // Less than 1/64 saved is not worth its decoding.
    if (best_cost / 8 > stretch.size - stretch.size / 64) return kStored;
    if (best == tables_.size()) {
      tables_.push_back(own);
      append(written_tables_, own_written);
    }
    return kFirstTable + best;
  }

  // Returns the bytes that it takes.
  std::size_t encode_chain(std::size_t begin, std::size_t end) {
    const std::size_t lanes = lanes_of(symbols_.size());
    chain_.resize(kWordSize * chain_size(symbols_.size()) + kLanes + sizeof(States));
    std::uint8_t* words = u8(Bytes(chain_));
    const std::uint8_t* const symbols = u8(symbols_);
    States states;
    states.fill(kStateMin);
    bool any = false;
    for (std::size_t i = stretches_.size(); i-- > 0;) {
      const Stretch& stretch = stretches_[i];
      const std::size_t from = std::max(begin, stretch.begin);
      const std::size_t to = std::min(end, stretch.begin + stretch.size);
      if (from >= to || coding_[i] < kFirstTable) continue;
      any = true;
      use(tables_[coding_[i] - kFirstTable]);
      // Of a round that is not whole, which only the end of all symbols has.
      const std::size_t whole = from + (to - from) / lanes * lanes;
      for (std::size_t k = whole; k < to; ++k)
        states[k - whole] = put(states[k - whole], table_.entries[symbols[k]], words);
      if (lanes == kLanes) {
        words = kernels_.encode(table_, states, symbols + from, (whole - from) / kLanes, words);
        continue;
      }
      for (std::size_t round = whole; round > from;) {
        round -= kFewLanes;
        for (std::size_t lane = 0; lane < kFewLanes; ++lane) {
          states[lane] = put(states[lane], table_.entries[symbols[round + lane]], words);
        }
      }
    }
    if (any) {
      std::memcpy(words, states.data(), lanes * sizeof states[0]);
      words += lanes * sizeof states[0];
    }
    const auto size = static_cast<std::size_t>(words - u8(Bytes(chain_)));
    append(coded_, ByteView(chain_).first(size));
    return size;
  }

  void use(const Frequencies& frequencies) {
    if (filled_ == &frequencies) return;
    rans::fill(frequencies, table_);
    filled_ = &frequencies;
  }

  ByteView symbols_;
  Buffer moved_;  // symbols without their scales
  const unsigned step_;
  const int level_;
  const rans::Kernels& kernels_ = *rans::best_kernels();
  std::vector<Stretch> stretches_;
  std::vector<std::uint64_t> coding_;  // of each stretch
  std::vector<Frequencies> tables_;
  Buffer written_tables_, directory_, chain_, coded_, scales_, stored_;
  EncodeTable table_;
  const Frequencies* filled_ = nullptr;
};

// A stretch as the head has it.
struct Entry {
  std::size_t begin = 0;
  std::size_t size = 0;
  std::uint64_t coding = kStored;
  std::byte symbol{};  // the only one
  ByteView stored;
  std::size_t period = 0;
  std::size_t row_size = 0;
  ByteView columns;
  ByteView rows;
};

class Decoder {
 public:
  Decoder(std::span<const ByteView> streams, Bytes raw, unsigned step)
      : in_(streams[0]), scales_(streams[1]), stored_(streams[2]), raw_(raw), step_(step) {}

  Result<> run() {
    MMH_TRY(read_head());
    const std::size_t size = chain_size(raw_.size());
    std::vector<Chain> chains;
    chains.reserve(2);
    for (std::size_t begin = 0; begin < raw_.size();) {
      chains.clear();
      for (; chains.size() < 2 && begin < raw_.size(); begin += size) {
        Chain& chain = chains.emplace_back(step_);
        MMH_TRY(open(chain, begin, std::min(raw_.size(), begin + size)));
      }
      MMH_TRY(decode(chains));
    }
    if (!in_.empty() || !head_.empty()) return corrupt("bytes behind the chains");
    return {};
  }

 private:
  // One coder on its way through the stretches.
  struct Chain {
    explicit Chain(unsigned step) : mover(step) {}
    std::size_t at = 0;  // the first symbol of the piece at hand
    std::size_t size = 0;
    std::size_t end = 0;
    std::size_t entry = 0;  // the stretch that holds it
    bool entered = false;
    std::size_t lanes = kLanes;
    std::size_t last_lanes = 0;
    Section section = {};
    DecodeTable table;
    Mover mover;
  };

  static std::unexpected<Error> corrupt(std::string_view what) {
    return fail(Errc::corrupt, fmt::format("scaled: {}", what));
  }

  static Result<ByteView> take(ByteView& in, std::uint64_t size) {
    if (size > in.size()) return corrupt("a stream is cut short");
    const ByteView taken = in.first(static_cast<std::size_t>(size));
    in = in.subspan(taken.size());
    return taken;
  }

  // Leaves in_ at the chains and head_ at their sizes.
  Result<> read_head() {
    constexpr std::size_t kSizeSize = sizeof(std::uint32_t);
    if (in_.size() < kSizeSize) return corrupt("no head");
    const auto head_size = load_le<std::uint32_t>(in_.last(kSizeSize));
    in_ = in_.first(in_.size() - kSizeSize);
    if (head_size > in_.size()) return corrupt("the head is cut short");
    head_ = in_.last(head_size);
    in_ = in_.first(in_.size() - head_size);
    MMH_LET(const std::uint64_t raw_size, take_varint(head_));
    if (raw_size != raw_.size()) return corrupt(fmt::format("a stream of {} bytes for {}", raw_size, raw_.size()));
    MMH_LET(const std::uint64_t tables, take_varint(head_));
    if (tables > kTablesMax || tables > head_.size()) return corrupt(fmt::format("{} tables", tables));
    for (std::size_t i = 0; i < tables; ++i) {
      MMH_LET(tables_.emplace_back(), read_table(head_));
    }
    MMH_LET(const std::uint64_t count, take_varint(head_));
    if (count > count_of(raw_.size(), kUnit)) return corrupt(fmt::format("{} stretches", count));
    entries_.reserve(static_cast<std::size_t>(count));
    std::size_t begin = 0;
    for (std::size_t i = 0; i < count; ++i) {
      MMH_TRY(read_entry(begin));
      begin += entries_.back().size;
    }
    if (begin != raw_.size()) return corrupt("stretches that do not add up");
    if (!scales_.empty() || !stored_.empty()) return corrupt("more scales or symbols than stretches take");
    return {};
  }

  Result<> read_entry(std::size_t begin) {
    MMH_LET(const std::uint64_t units, take_varint(head_));
    const std::size_t left = raw_.size() - begin;
    if (units == 0 || units > count_of(left, kUnit)) return corrupt("a stretch of an impossible size");
    Entry entry;
    entry.begin = begin;
    entry.size = std::min(left, static_cast<std::size_t>(units) * kUnit);
    MMH_LET(entry.coding, take_varint(head_));
    if (entry.coding == kStored) {
      MMH_LET(entry.stored, take(stored_, entry.size));
    } else if (entry.coding == kOneSymbol) {
      MMH_LET(const ByteView symbol, take(head_, 1));
      entry.symbol = symbol[0];
    } else if (entry.coding - kFirstTable >= tables_.size()) {
      return corrupt("a table that is not there");
    }
    if (step_ != 0) {
      MMH_LET(const std::uint64_t period, take_varint(head_));
      MMH_LET(const std::uint64_t row_size, take_varint(head_));
      if (period > kPeriodMax || (row_size != 0 && (row_size < kRowMin || row_size > kRowMax))) {
        return corrupt(fmt::format("{} columns, rows of {}", period, row_size));
      }
      entry.period = static_cast<std::size_t>(period);
      entry.row_size = static_cast<std::size_t>(row_size);
      MMH_LET(entry.columns, take(scales_, period));
      if (row_size != 0) {
        MMH_LET(entry.rows, take(scales_, count_of(entry.size, entry.row_size)));
      }
    }
    entries_.push_back(entry);
    return {};
  }

  Result<> open(Chain& chain, std::size_t begin, std::size_t end) {
    MMH_LET(const std::uint64_t size, take_varint(head_));
    MMH_LET(const ByteView coded, take(in_, size));
    chain.lanes = lanes_of(raw_.size());
    chain.at = begin;
    chain.end = end;
    while (entries_[chain.entry].begin + entries_[chain.entry].size <= begin) ++chain.entry;
    Section& section = chain.section;
    section.begin = u8(coded);
    section.end = section.begin;
    section.states.fill(kStateMin);
    if (coded.empty()) return {};
    const std::size_t states_size = chain.lanes * sizeof(std::uint32_t);
    if (coded.size() < states_size || (coded.size() - states_size) % kWordSize != 0)
      return corrupt("a chain is cut short");
    section.end += coded.size() - states_size;
    std::memcpy(section.states.data(), section.end, states_size);
    for (const std::uint32_t state : std::span(section.states).first(chain.lanes)) {
      if (state < kStateMin || state >> 31 != 0) return corrupt("an impossible state");
    }
    return {};
  }

  Result<> decode(std::vector<Chain>& chains) {
    bool first = begin_piece(chains[0]);
    bool second = chains.size() > 1 && begin_piece(chains[1]);
    while (first || second) {
      if (first && second) {
        kernels_.decode_two(chains[0].section, chains[1].section);
      } else if (Chain& chain = chains[first ? 0 : 1]; chain.lanes == kLanes) {
        kernels_.decode(chain.section);
      }
      if (first) {
        MMH_LET(first, advance(chains[0]));
      }
      if (second) {
        MMH_LET(second, advance(chains[1]));
      }
    }
    for (const Chain& chain : chains) {
      if (!is_finished(chain.section, chain.lanes)) return corrupt("a chain is damaged");
    }
    return {};
  }

  // Does what needs no coder, and sets the section up for the next piece that does. Returns whether there is one.
  bool begin_piece(Chain& chain) {
    for (; chain.at < chain.end; end_piece(chain)) {
      const Entry& entry = entries_[chain.entry];
      if (!chain.entered) {
        chain.entered = true;
        chain.mover.begin(entry.period, entry.columns, entry.row_size, entry.rows, true);
        if (entry.coding >= kFirstTable) fill(tables_[entry.coding - kFirstTable], chain.table);
      }
      const std::size_t entry_end = entry.begin + entry.size;
      chain.size = std::min({chain.end, entry_end, chain.at + kPieceMax}) - chain.at;
      const Bytes symbols = raw_.subspan(chain.at, chain.size);
      if (entry.coding >= kFirstTable) {
        chain.section.table = &chain.table;
        chain.section.symbols = u8(symbols);
        chain.section.rounds = chain.size / chain.lanes;
        chain.last_lanes = chain.size % chain.lanes;
        return true;
      }
      if (entry.coding == kStored) {
        copy_bytes(entry.stored.subspan(chain.at - entry.begin, chain.size), symbols);
      } else {
        std::ranges::fill(symbols, entry.symbol);
      }
    }
    return false;
  }

  // Puts the scales back on the piece at hand, and goes behind it.
  void end_piece(Chain& chain) {
    const Entry& entry = entries_[chain.entry];
    chain.mover.move(u8(raw_.subspan(chain.at)), chain.at - entry.begin, chain.size);
    chain.at += chain.size;
    if (chain.at < entry.begin + entry.size) return;
    ++chain.entry;
    chain.entered = false;
  }

  // Behind a kernel: finishes the piece if it is done but for what kernels leave, and begins the next. Returns whether
  // there is more to decode.
  Result<bool> advance(Chain& chain) {
    const auto words_left = static_cast<std::size_t>(chain.section.end - chain.section.begin);
    if (chain.section.rounds > 0 && chain.lanes == kLanes && words_left >= kWordSize * kLanes) return true;
    if (!decode_rest(chain.section, chain.lanes, chain.last_lanes)) return corrupt("a chain is damaged");
    end_piece(chain);
    return begin_piece(chain);
  }

  ByteView in_;
  ByteView scales_;
  ByteView stored_;
  ByteView head_;
  const Bytes raw_;
  const unsigned step_;
  const rans::Kernels& kernels_ = *rans::best_kernels();
  std::vector<Frequencies> tables_;
  std::vector<Entry> entries_;
};

class Scaled final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::scaled; }
  std::string_view name() const override { return "scaled"; }
  std::string_view purpose() const override {
    return "entropy coder for weights: a table for every stretch, behind the scale of each row and column";
  }

  Result<codec::Signature> signature(ByteView) const override {
    codec::Signature signature;
    signature.stream_count = 3;
    return signature;
  }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    MMH_TRY(check_option("scaled step", options.scale_step, 0, kStepMax));
    MMH_TRY(check_option("scaled level", options.level, 0, kLevelMax));
    Encoded result;
    put_varint(result.parameters, options.scale_step);
    result.streams = Encoder(raw, options.scale_step, options.level == 0 ? kLevelDefault : options.level).run();
    return result;
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    MMH_LET(const std::uint64_t step, take_varint(parameters));
    MMH_TRY(check_no_parameters(parameters));
    if (step > kStepMax) return fail(Errc::corrupt, fmt::format("scaled: a step of {}", step));
    return Decoder(streams, raw, static_cast<unsigned>(step)).run();
  }

  std::size_t decode_memory_max(std::size_t raw_size) const override {
    return kTablesMax * 2 * sizeof(Frequencies) + 2 * (sizeof(DecodeTable) + 8 * kPeriodMax + 4096) +
           (raw_size / kUnit + 1) * sizeof(Entry);
  }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions&) const override {
    const std::size_t units = raw_size / kUnit + 1;
    // Symbols, coded, stored and kept ones; counts of each unit; what a stretch and a table take, while vectors grow.
    return 7 * raw_size + kWordSize * raw_size + units * (sizeof(Histogram) + 3 * sizeof(Stretch) + 256) +
           kTablesMax * (2 * sizeof(Frequencies) + 3 * kTableSizeMax) + (std::size_t{256} << 10);
  }

 private:
  static constexpr int kLevelMax = 9;
  static constexpr int kLevelDefault = 5;
};

}  // namespace

const codec::Codec& scaled_codec() {
  static const Scaled codec;
  return codec;
}

}  // namespace mmh::codecs
