// rANS, after J. Duda, "Asymmetric numeral systems", arXiv:1311.2540, and F. Giesen, "Interleaved entropy coders",
// arXiv:1402.3392. Format: spec.md.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>

#include "../common.h"
#include "../table.h"
#include "mmh/base/varint.h"
#include "rans_tables.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;
using namespace rans;

constexpr unsigned kSectionLogMin = 12;
constexpr unsigned kSectionLogMax = 20;
constexpr unsigned kSectionLogDefault = 16;
constexpr std::size_t kTablesTried = 4;  // the latest tables that a section may do with

enum SectionKind : std::uint64_t { kStored = 0, kOneSymbol = 1, kTwoSymbols = 2, kFirstTable = 3 };

// ---- sections

// Words, then the states.
void encode_section(const Kernels& kernels, const EncodeTable& table, const std::uint8_t* symbols, std::size_t size,
                    Buffer& out) {
  const std::size_t lanes = lanes_of(size);
  const std::size_t before = out.size();
  out.resize(before + kWordSize * size + kLanes + sizeof(States));
  std::uint8_t* words = u8(Bytes(out)) + before;
  States states;
  states.fill(kStateMin);
  const std::size_t whole = size / lanes * lanes;
  for (std::size_t i = whole; i < size; ++i)
    states[i - whole] = put(states[i - whole], table.entries[symbols[i]], words);
  if (lanes == kLanes) {
    words = kernels.encode(table, states, symbols, size / kLanes, words);
  } else {
    for (std::size_t begin = whole; begin > 0;) {
      begin -= kFewLanes;
      for (std::size_t lane = 0; lane < kFewLanes; ++lane) {
        states[lane] = put(states[lane], table.entries[symbols[begin + lane]], words);
      }
    }
  }
  std::memcpy(words, states.data(), lanes * sizeof states[0]);
  out.resize(static_cast<std::size_t>(words - u8(Bytes(out))) + lanes * sizeof states[0]);
}

// Whatever the kernel left: the last rounds, and the lanes of the one that is not whole.
Result<> finish_section(Section& section, std::size_t lanes, std::size_t last_lanes) {
  if (decode_rest(section, lanes, last_lanes) && is_finished(section, lanes)) return {};
  return fail(Errc::corrupt, "rans: a section is damaged");
}

class Encoder {
 public:
  Encoder(ByteView raw, std::size_t section_size) : raw_(raw), section_size_(section_size) {}

  Buffer run() {
    payload_.reserve(raw_.size() + kWordSize * section_size_ + kLanes + sizeof(States));
    for (std::size_t begin = 0; begin < raw_.size(); begin += section_size_) {
      section(raw_.subspan(begin, std::min(section_size_, raw_.size() - begin)));
    }
    const std::size_t payload_size = payload_.size();
    put_varint(payload_, raw_.size());
    put_varint(payload_, tables_.size());
    append(payload_, written_tables_);
    append(payload_, directory_);
    Buffer head_size(sizeof(std::uint32_t));
    store_le(Bytes(head_size), static_cast<std::uint32_t>(payload_.size() - payload_size));
    append(payload_, head_size);
    return std::move(payload_);
  }

 private:
  void section(ByteView raw) {
    const std::uint8_t* const symbols = u8(raw);
    const Histogram histogram = count_mostly(symbols, raw.size());
    const std::size_t kinds = kSymbols - static_cast<std::size_t>(std::ranges::count(histogram, 0U));
    if (kinds == 1) {
      put_varint(directory_, kOneSymbol);
      payload_.push_back(raw[0]);
      return;
    }
    if (kinds > 2 || !two_symbols(raw, histogram)) coded(raw, histogram);
  }

  // A bitmap, unless one of the two is so rare that a table does better by far.
  bool two_symbols(ByteView raw, const Histogram& histogram) {
    const std::optional<std::uint64_t> cost = cost_with(histogram, normalise(histogram));
    if (*cost < raw.size() - raw.size() / 8) return false;
    std::size_t low = 0;
    while (histogram[low] == 0) ++low;
    std::size_t high = low + 1;
    while (histogram[high] == 0) ++high;
    put_varint(directory_, kTwoSymbols);
    payload_.push_back(static_cast<std::byte>(low));
    payload_.push_back(static_cast<std::byte>(high));
    for (std::size_t i = 0; i < raw.size(); i += 8) {
      unsigned bits = 0;
      for (std::size_t k = 0; k < std::min<std::size_t>(8, raw.size() - i); ++k) {
        bits |= raw[i + k] == static_cast<std::byte>(high) ? 1U << k : 0U;
      }
      payload_.push_back(static_cast<std::byte>(bits));
    }
    return true;
  }

  void stored(ByteView raw) {
    put_varint(directory_, kStored);
    append(payload_, raw);
  }

  void coded(ByteView raw, const Histogram& histogram) {
    const Frequencies own = normalise(histogram);
    Buffer own_written;
    write_table(own, own_written);
    const std::uint64_t own_cost = *cost_with(histogram, own);
    std::uint64_t best_cost = tables_.size() < kTablesMax ? own_cost + 8 * own_written.size() : ~std::uint64_t{0};
    std::size_t best = tables_.size();
    for (std::size_t tried = 0; tried < std::min(kTablesTried, tables_.size()); ++tried) {
      const std::size_t number = tables_.size() - 1 - tried;
      const std::optional<std::uint64_t> cost = cost_with(histogram, tables_[number]);
      if (cost && *cost < best_cost) {
        best_cost = *cost;
        best = number;
      }
    }
    const std::size_t lanes = lanes_of(raw.size());
    const std::uint64_t coded_size = best_cost / 8 + lanes * sizeof(std::uint32_t);
    // Less than 1/64 saved is not worth its decoding.
    if (best_cost == ~std::uint64_t{0} || coded_size > raw.size() - raw.size() / 64) return stored(raw);
    const std::size_t before = payload_.size();
    if (filled_ != best) fill(best == tables_.size() ? own : tables_[best], table_);
    encode_section(kernels_, table_, u8(raw), raw.size(), payload_);
    const std::size_t size = payload_.size() - before;
    if (size >= raw.size()) {
      filled_ = kTablesMax;
      payload_.resize(before);
      return stored(raw);
    }
    filled_ = best;
    if (best == tables_.size()) {
      tables_.push_back(own);
      append(written_tables_, own_written);
    }
    put_varint(directory_, kFirstTable + best);
    put_varint(directory_, size);
  }

  const ByteView raw_;
  const std::size_t section_size_;
  const Kernels& kernels_ = *best_kernels();
  Buffer payload_;
  Buffer directory_;
  Buffer written_tables_;
  std::vector<Frequencies> tables_;
  std::size_t filled_ = kTablesMax;  // the number of the table that table_ holds
  EncodeTable table_;
};

class Decoder {
 public:
  Decoder(ByteView in, Bytes raw, std::size_t section_size) : in_(in), raw_(raw), section_size_(section_size) {}

  Result<> run() {
    MMH_TRY(read_head());
    const std::size_t sections = raw_.size() / section_size_ + (raw_.size() % section_size_ != 0 ? 1 : 0);
    // Two sections are decoded at a time; the first waits here for the second.
    Pending waiting[2];
    std::size_t count = 0;
    ByteView directory = head_;
    MMH_TRY(check_directory(sections));
    for (std::size_t i = 0; i < sections; ++i) {
      const Bytes raw = raw_.subspan(i * section_size_, std::min(section_size_, raw_.size() - i * section_size_));
      MMH_LET(const std::uint64_t kind, take_varint(directory));
      if (kind < kFirstTable) {
        decode_plain(kind, raw);
        continue;
      }
      MMH_LET(const std::uint64_t size, take_varint(directory));
      MMH_TRY(begin_section(static_cast<std::size_t>(kind - kFirstTable), static_cast<std::size_t>(size), raw,
                            waiting[count], count));
      if (++count == 2) {
        if (waiting[0].lanes == kLanes && waiting[1].lanes == kLanes) {
          kernels_.decode_two(waiting[0].section, waiting[1].section);
        }
        for (Pending& pending : waiting) MMH_TRY(finish(pending));
        count = 0;
      }
    }
    if (count == 1) MMH_TRY(finish(waiting[0]));
    return {};
  }

 private:
  struct Pending {
    Section section;
    std::size_t lanes;
    std::size_t last_lanes;
  };

  // Leaves in_ at the payload and head_ at the directory.
  Result<> read_head() {
    constexpr std::size_t kSizeSize = sizeof(std::uint32_t);
    if (in_.size() < kSizeSize) return fail(Errc::corrupt, "rans: no head");
    const auto head_size = load_le<std::uint32_t>(in_.last(kSizeSize));
    in_ = in_.first(in_.size() - kSizeSize);
    if (head_size > in_.size()) return fail(Errc::corrupt, fmt::format("rans: a head of {} bytes", head_size));
    head_ = in_.last(head_size);
    in_ = in_.first(in_.size() - head_size);
    MMH_LET(const std::uint64_t raw_size, take_varint(head_));
    if (raw_size != raw_.size()) {
      return fail(Errc::corrupt, fmt::format("rans: a stream of {} bytes for {}", raw_size, raw_.size()));
    }
    MMH_LET(const std::uint64_t count, take_varint(head_));
    if (count > kTablesMax || count > head_.size()) return fail(Errc::corrupt, fmt::format("rans: {} tables", count));
    tables_.reserve(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < count; ++i) {
      MMH_LET(tables_.emplace_back(), read_table(head_));
    }
    return {};
  }

  // The payload must be what the sections take, and the directory the rest of the head.
  Result<> check_directory(std::size_t sections) {
    ByteView directory = head_;
    std::uint64_t needed = 0;
    for (std::size_t i = 0; i < sections; ++i) {
      const std::size_t raw_size = std::min(section_size_, raw_.size() - i * section_size_);
      MMH_LET(const std::uint64_t kind, take_varint(directory));
      std::uint64_t size = 0;
      switch (kind) {
        case kStored:
          size = raw_size;
          break;
        case kOneSymbol:
          size = 1;
          break;
        case kTwoSymbols:
          size = 2 + (raw_size + 7) / 8;
          break;
        default: {
          MMH_LET(size, take_varint(directory));
          const std::size_t states = lanes_of(raw_size) * sizeof(std::uint32_t);
          if (kind - kFirstTable >= tables_.size() || size < states || size >= raw_size ||
              (size - states) % kWordSize != 0) {
            return fail(Errc::corrupt, fmt::format("rans: section {} is impossible", i));
          }
        }
      }
      needed += size;  // every one is below 2^20, and so are the sections
    }
    if (!directory.empty()) return fail(Errc::corrupt, "rans: more sections than bytes for them");
    if (needed != in_.size()) {
      return fail(Errc::corrupt, fmt::format("rans: {} bytes of sections that take {}", in_.size(), needed));
    }
    return {};
  }

  ByteView take(std::size_t size) {
    const ByteView taken = in_.first(size);
    in_ = in_.subspan(size);
    return taken;
  }

  void decode_plain(std::uint64_t kind, Bytes raw) {
    if (kind == kStored) {
      copy_bytes(take(raw.size()), raw);
      return;
    }
    if (kind == kOneSymbol) {
      std::ranges::fill(raw, take(1)[0]);
      return;
    }
    const ByteView pair = take(2);
    const ByteView bits = take((raw.size() + 7) / 8);
    for (std::size_t i = 0; i < raw.size(); ++i) {
      raw[i] = pair[std::to_integer<unsigned>(bits[i / 8]) >> i % 8 & 1];
    }
  }

  Result<> begin_section(std::size_t number, std::size_t size, Bytes raw, Pending& pending, std::size_t slot) {
    if (filled_[slot] != number) {
      fill(tables_[number], decode_tables_[slot]);
      filled_[slot] = number;
    }
    const ByteView coded = take(size);
    pending.lanes = lanes_of(raw.size());
    pending.last_lanes = raw.size() % pending.lanes;
    Section& section = pending.section;
    const std::size_t words_size = size - pending.lanes * sizeof(std::uint32_t);
    section.table = &decode_tables_[slot];
    section.begin = u8(coded);
    section.end = section.begin + words_size;
    section.symbols = u8(raw);
    section.rounds = raw.size() / pending.lanes;
    std::memcpy(section.states.data(), section.end, pending.lanes * sizeof(std::uint32_t));
    for (const std::uint32_t state : std::span(section.states).first(pending.lanes)) {
      if (state < kStateMin || state >> 31 != 0) return fail(Errc::corrupt, "rans: an impossible state");
    }
    return {};
  }

  Result<> finish(Pending& pending) {
    if (pending.lanes == kLanes) kernels_.decode(pending.section);
    return finish_section(pending.section, pending.lanes, pending.last_lanes);
  }

  ByteView in_;
  ByteView head_;
  const Bytes raw_;
  const std::size_t section_size_;
  const Kernels& kernels_ = *best_kernels();
  std::vector<Frequencies> tables_;
  std::array<std::size_t, 2> filled_ = {kTablesMax, kTablesMax};
  std::array<DecodeTable, 2> decode_tables_;
};

class Rans final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::rans; }
  std::string_view name() const override { return "rans"; }
  std::string_view purpose() const override { return "entropy coder: bytes that are not equally frequent, one by one"; }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    const unsigned log = options.window_log == 0 ? kSectionLogDefault : options.window_log;
    MMH_TRY(check_option("rans section log", log, kSectionLogMin, kSectionLogMax));
    Buffer parameters;
    put_varint(parameters, log);
    return encoded(std::move(parameters), Encoder(raw, std::size_t{1} << log).run());
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    MMH_LET(const std::uint64_t log, take_varint(parameters));
    MMH_TRY(check_no_parameters(parameters));
    if (log < kSectionLogMin || log > kSectionLogMax) {
      return fail(Errc::corrupt, fmt::format("rans: sections of 2^{} bytes", log));
    }
    return Decoder(streams[0], raw, std::size_t{1} << log).run();
  }

  std::size_t decode_memory_max(std::size_t) const override {
    return kTablesMax * sizeof(Frequencies) + 2 * sizeof(DecodeTable);
  }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions& options) const override {
    const unsigned log = options.window_log == 0 ? kSectionLogDefault : std::min(options.window_log, kSectionLogMax);
    const std::size_t section = std::size_t{1} << log;
    const std::size_t sections = raw_size / section + 1;
    return 2 * raw_size + kWordSize * section + kLanes + sizeof(States) +
           kTablesMax * (2 * sizeof(Frequencies) + 3 * kTableSizeMax) + 24 * sections;
  }
};

}  // namespace

const codec::Codec& rans_codec() {
  static const Rans codec;
  return codec;
}

}  // namespace mmh::codecs
