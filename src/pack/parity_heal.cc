#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>

#include "mmh/base/check.h"
#include "mmh/base/checked.h"
#include "mmh/hash/blake3.h"
#include "mmh/pack/scan.h"
#include "ordered_tasks.h"
#include "parity_search.h"
#include "parity_symbols.h"
#include "spool.h"

namespace mmh::pack {

namespace {

constexpr std::uint64_t kHashTask = 1 << 20;

enum class State : std::uint8_t {
  good,     // where it belongs
  moved,    // elsewhere
  lost,     // nowhere
  unknown,  // its check is lost, so nobody knows
  made,     // again
};

class Healer final : public ParityHealer {
 public:
  Healer(const RandomAccessSource& data, const RandomAccessSource& section, const ParityHead& head,
         std::vector<const RandomAccessSource*> others, const ParityContext& context)
      : head_(head), layout_(head_.layout), symbols_(layout_.symbols), context_(context), sources_{&data, &section} {
    sources_.insert(sources_.end(), others.begin(), others.end());
  }

  Result<> load() {
    // Nothing is made of less than half of it; and no head alone makes anybody take memory.
    std::uint64_t there = 0;
    for (const RandomAccessSource* source : sources_) there += source->size();
    if (there < (symbols_.data_size + layout_.section_size()) / 4) {
      return fail(Errc::corrupt, display_path(sources_[0]->name()) + ": most of it is gone, more than parity bears");
    }
    const fec::Interleaving& checks = layout_.checks;
    shards_.resize(checks.symbols() * checks.symbol_size);
    std::ranges::fill(shards_, std::byte{0});
    have_.assign(checks.symbols(), false);
    for (std::size_t source = 1; source < sources_.size(); ++source) load_parts(*sources_[source]);
    // Where everything has moved, the parts still say what they are.
    for (std::size_t source = 1; source < sources_.size() && !have_enough(); ++source) {
      MMH_TRY(search_parts(*sources_[source], context_.cancel, [&](const FoundPart& part) -> Result<> {
        take_part(part.payload);
        return {};
      }));
    }
    MMH_TRY(complete_shards(checks, shards_, have_));
    states_.assign(symbols_.symbols(), State::good);
    return {};
  }

  const ParityHead& head() const override { return head_; }
  const ParityReport& report() const override { return report_; }
  const std::vector<ParityAnchor>& anchors() const override { return anchors_; }

  void use(const SeenChecks& seen) override {
    MMH_CHECK(seen.symbols() == symbols_);
    seen_ = &seen;
  }

  Result<> locate() override {
    MMH_TRY(look_in_place());
    for (std::size_t source = 2; source < sources_.size(); ++source) MMH_TRY(look_in_copy(source));
    MMH_TRY(look_everywhere(0));
    count();
    return {};
  }

  Result<> search_in(const RandomAccessSource& source) override {
    sources_.push_back(&source);
    MMH_TRY(look_everywhere(sources_.size() - 1));
    count();
    return {};
  }

  Result<> plan() override { return work(false); }
  Result<> heal() override { return work(true); }

  Result<> read_data(std::uint64_t offset, Bytes out) const override {
    if (!range_within<std::uint64_t>(offset, out.size(), symbols_.data_size)) {
      return fail(Errc::corrupt, "the range ends behind what is protected");
    }
    while (!out.empty()) {
      std::uint64_t symbol = offset / symbols_.symbol_size;
      // A run of symbols where they belong is one read.
      const std::uint64_t begin = offset;
      std::uint64_t end = begin;
      const std::uint64_t wanted_end = begin + out.size();
      while (end < wanted_end && states_[symbol] == State::good) {
        end = std::min(wanted_end, (symbol + 1) * symbols_.symbol_size);
        ++symbol;
      }
      if (end > begin) {
        const Bytes run = out.first(static_cast<std::size_t>(end - begin));
        MMH_TRY(sources_[0]->read_at(begin, run));
      } else {
        end = std::min(wanted_end, (symbol + 1) * symbols_.symbol_size);
        MMH_TRY(read_columns(symbol, static_cast<std::size_t>(begin - symbol * symbols_.symbol_size),
                             out.first(static_cast<std::size_t>(end - begin))));
      }
      out = out.subspan(static_cast<std::size_t>(end - begin));
      offset = end;
    }
    return {};
  }

  Result<> write_section(ByteSink& out) const override {
    ParityHead head = head_;
    const Buffer payload = write_head(head);
    MMH_CHECK(head.id == head_.id);
    const Buffer anchors = write_anchors(anchors_);
    if (anchors.size() != layout_.goal.anchor_bytes) return fail(Errc::corrupt, "the anchors of the parity are lost");
    const ReadRepair read = [&](std::uint64_t index, Bytes into) {
      return read_columns(symbols_.source_symbols() + index, 0, into);
    };
    return pack::write_section(head_, payload, anchors, table(), read, out, context_.cancel);
  }

 private:
  struct Place {
    std::size_t source;
    std::uint64_t offset;
  };

  // ---- the table of checks ----

  Bytes table() { return Bytes(shards_).first(symbols_.symbols() * kParityCheckSize); }
  ByteView table() const { return ByteView(shards_).first(symbols_.symbols() * kParityCheckSize); }
  ByteView check_of(std::uint64_t symbol) const { return table().subspan(symbol * kParityCheckSize, kParityCheckSize); }

  void take_part(ByteView payload) {
    if (payload.size() < kParityPrefixSize) return;
    const ParityPrefix prefix = parse_prefix(payload);
    if (prefix.id != head_.id) return;
    const ByteView content = payload.subspan(kParityPrefixSize);
    const fec::Interleaving& checks = layout_.checks;
    if (prefix.part == ParityPart::checks && prefix.index < checks.symbols() &&
        payload.size() == kParityShardLead + checks.symbol_size && !have_[prefix.index]) {
      std::memcpy(shards_.data() + std::size_t{prefix.index} * checks.symbol_size, payload.data() + kParityShardLead,
                  checks.symbol_size);
      have_[prefix.index] = true;
    }
    if (prefix.part == ParityPart::anchors && anchors_.empty()) {
      if (auto anchors = parse_anchors(content, symbols_.data_size)) anchors_ = *std::move(anchors);
    }
  }

  void load_parts(const RandomAccessSource& source) {
    const auto take_at = [&](std::uint64_t offset, std::uint64_t size) {
      std::array<std::byte, kBlockHeaderSize> bytes;
      if (!range_within(offset, kBlockHeaderSize + size, source.size()) || !source.read_at(offset, bytes)) return;
      // The header is spared: the payload's own prefix and the hash of the table say the same. Without a header there
      // is no hash, though.
      const auto header = parse_block_header(bytes);
      if (!header || header->type != BlockType::parity || header->stored_size != size) return;
      Buffer payload(static_cast<std::size_t>(size));
      if (source.read_at(offset + kBlockHeaderSize, payload) && hash::blake3(payload) == header->hash) {
        take_part(payload);
      }
    };
    const std::uint64_t shard = kParityShardLead + layout_.checks.symbol_size;
    for (std::uint64_t i = 0; i < layout_.checks.symbols(); ++i) {
      if (!have_[i]) take_at(layout_.shard_offset(i), shard);
    }
    if (layout_.goal.anchor_bytes == 0) return;
    for (const unsigned copy : {0u, 1u}) {
      if (anchors_.empty()) take_at(layout_.anchors_offset(copy), kParityPrefixSize + layout_.goal.anchor_bytes);
    }
  }

  bool have_enough() const {
    const fec::Interleaving& checks = layout_.checks;
    std::vector<std::uint32_t> present(checks.blocks);
    for (std::uint64_t i = 0; i < checks.symbols(); ++i) {
      if (have_[i]) ++present[fec::place_of(checks, i).block];
    }
    for (std::uint32_t group = 0; group < checks.blocks; ++group) {
      if (present[group] < checks.source_symbols(group)) return false;
    }
    return layout_.goal.anchor_bytes == 0 || !anchors_.empty();
  }

  bool check_known(std::uint64_t symbol) const {
    const std::size_t size = layout_.checks.symbol_size;
    return have_[symbol * kParityCheckSize / size];
  }

  // ---- where symbols are ----

  std::uint64_t size_of(std::uint64_t symbol) const {
    return symbol < symbols_.source_symbols() ? symbols_.source_size(symbol) : symbols_.symbol_size;
  }
  Place place_in_order(std::uint64_t symbol) const {
    if (symbol < symbols_.source_symbols()) return {0, symbol * symbols_.symbol_size};
    return {1, layout_.repair_offset(symbol - symbols_.source_symbols())};
  }

  State look_at(const RandomAccessSource& source, std::uint64_t offset, std::uint64_t symbol, Bytes buffer) const {
    const Bytes bytes = buffer.first(size_of(symbol));
    if (!range_within<std::uint64_t>(offset, bytes.size(), source.size())) return State::lost;
    if (!source.read_at(offset, bytes)) return State::lost;
    return matches_check(bytes, check_of(symbol)) ? State::good : State::lost;
  }

  Result<> look_in_place() {
    const std::uint64_t together = std::max<std::uint64_t>(1, kHashTask / symbols_.symbol_size);
    std::uint64_t done = 0;
    OrderedTasks<Result<>> tasks(*context_.pool);
    const auto take = [&]() -> Result<> {
      MMH_TRY(tasks.pop());
      done = std::min(symbols_.symbols(), done + together);
      if (context_.progress) {
        context_.progress(std::min(symbols_.data_size, done * symbols_.symbol_size), symbols_.data_size);
      }
      return {};
    };
    for (std::uint64_t begin = 0; begin < symbols_.symbols(); begin += together) {
      while (tasks.full()) MMH_TRY(take());
      tasks.push(0, [this, begin, together]() -> Result<> {
        MMH_TRY(check_cancelled(context_.cancel));
        look_at_run(begin, std::min(symbols_.symbols(), begin + together));
        return {};
      });
    }
    while (!tasks.empty()) MMH_TRY(take());
    return {};
  }

  void look_at_run(std::uint64_t begin, std::uint64_t end) {
    static thread_local Buffer buffer;
    buffer.resize(static_cast<std::size_t>((end - begin) * symbols_.symbol_size));
    // Neighbours are one read as long as they can be read.
    const Place first = place_in_order(begin);
    const std::uint64_t bytes = (end - 1 - begin) * symbols_.symbol_size + size_of(end - 1);
    const bool adjoin = place_in_order(end - 1).offset - first.offset == (end - 1 - begin) * symbols_.symbol_size;
    const RandomAccessSource& source = *sources_[first.source];
    const bool at_once = adjoin && seen_ == nullptr && first.source == place_in_order(end - 1).source &&
                         range_within(first.offset, bytes, source.size()) &&
                         source.read_at(first.offset, Bytes(buffer).first(bytes)).has_value();
    for (std::uint64_t symbol = begin; symbol < end; ++symbol) {
      if (!check_known(symbol)) {
        states_[symbol] = State::unknown;
      } else if (seen_ != nullptr && symbol < symbols_.source_symbols() && seen_->has(symbol)) {
        states_[symbol] = std::ranges::equal(seen_->check(symbol), check_of(symbol)) ? State::good : State::lost;
      } else if (at_once) {
        const ByteView there = ByteView(buffer).subspan((symbol - begin) * symbols_.symbol_size, size_of(symbol));
        states_[symbol] = matches_check(there, check_of(symbol)) ? State::good : State::lost;
      } else {
        const Place place = place_in_order(symbol);
        states_[symbol] = look_at(*sources_[place.source], place.offset, symbol, buffer);
      }
    }
  }

  Result<> look_in_copy(std::size_t source) {
    Buffer buffer(symbols_.symbol_size);
    for (std::uint64_t symbol = 0; symbol < symbols_.symbols(); ++symbol) {
      if (states_[symbol] != State::lost) continue;
      if (symbol % 256 == 0) MMH_TRY(check_cancelled(context_.cancel));
      const Place place = place_in_order(symbol);
      // A copy of data that stands apart from its section holds data alone.
      if (place.source == 1 && layout_.goal.detached) continue;
      if (look_at(*sources_[source], place.offset, symbol, buffer) != State::good) continue;
      states_[symbol] = State::moved;
      moved_.insert_or_assign(symbol, Place{source, place.offset});
    }
    return {};
  }

  // What is nowhere it should be may stand elsewhere: bytes were inserted, deleted, or exchanged.
  Result<> look_everywhere(std::size_t first_source) {
    SymbolSearch search(symbols_, table());
    for (std::uint64_t symbol = 0; symbol < symbols_.symbols(); ++symbol) {
      if (states_[symbol] == State::lost) search.want(symbol);
    }
    for (std::size_t source = first_source; source < sources_.size() && !search.empty(); ++source) {
      if (source == 1 && sources_[1] == sources_[0]) continue;
      const auto found = [&](std::uint64_t symbol, std::uint64_t place) {
        states_[symbol] = State::moved;
        moved_.insert_or_assign(symbol, Place{source, place});
      };
      for (const ByteRange& range : unclaimed(source)) {
        MMH_TRY(search.search(*sources_[source], range, context_.cancel, found));
      }
    }
    return find_short_tail();
  }

  // Stretches of a source that are no symbol where it belongs.
  std::vector<ByteRange> unclaimed(std::size_t source) const {
    const std::uint64_t end = sources_[source]->size();
    std::vector<ByteRange> ranges;
    if (source >= 2) return {{0, end}};
    std::uint64_t at = 0;
    const auto claim = [&](std::uint64_t offset, std::uint64_t length) {
      if (offset > at) ranges.push_back({at, offset - at});
      at = std::max(at, offset + length);
    };
    for (std::uint64_t symbol = 0; symbol < symbols_.symbols(); ++symbol) {
      if (states_[symbol] != State::good) continue;
      const Place place = place_in_order(symbol);
      if (sources_[place.source] == sources_[source]) claim(place.offset, size_of(symbol));
    }
    if (at < end) ranges.push_back({at, end - at});
    return ranges;
  }

  // The last symbol of the data may be too short to be looked for; it stands behind its neighbour.
  Result<> find_short_tail() {
    const std::uint64_t last = symbols_.source_symbols() - 1;
    if (last == 0 || states_[last] != State::lost || states_[last - 1] != State::moved) return {};
    const Place before = moved_.at(last - 1);
    Buffer buffer(symbols_.symbol_size);
    const Place place{before.source, before.offset + symbols_.symbol_size};
    if (look_at(*sources_[place.source], place.offset, last, buffer) == State::good) {
      states_[last] = State::moved;
      moved_.insert_or_assign(last, place);
    }
    return {};
  }

  bool is_lost(std::uint64_t symbol) const {
    return states_[symbol] == State::lost || states_[symbol] == State::unknown;
  }

  void count() {
    report_ = {};
    report_.symbols = symbols_.symbols();
    for (std::uint64_t symbol = 0; symbol < symbols_.symbols(); ++symbol) {
      const bool data = symbol < symbols_.source_symbols();
      if (states_[symbol] == State::good) continue;
      if (states_[symbol] == State::moved) ++(moved_.at(symbol).source < 2 ? report_.displaced : report_.copied);
      if (states_[symbol] == State::unknown) ++report_.checks_lost;
      if (is_lost(symbol)) ++(data ? report_.data_lost : report_.repair_lost);
      if (data) add_range(report_.damaged, symbol);
    }
  }

  void add_range(std::vector<ByteRange>& ranges, std::uint64_t symbol) const {
    const std::uint64_t offset = symbol * symbols_.symbol_size;
    if (!ranges.empty() && ranges.back().offset + ranges.back().length == offset) {
      ranges.back().length += size_of(symbol);
    } else {
      ranges.push_back({offset, size_of(symbol)});
    }
  }

  // ---- making what is lost ----

  Result<> read_columns(std::uint64_t symbol, std::size_t first, Bytes out) const {
    const std::uint64_t present = size_of(symbol);
    const std::size_t there =
        first < present ? static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), present - first)) : 0;
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(there), out.end(), std::byte{0});
    if (there == 0) return {};
    if (states_[symbol] == State::made) {
      return made_.read_at(slots_.at(symbol) * symbols_.symbol_size + first, out.first(there));
    }
    if (is_lost(symbol)) {
      return fail(Errc::corrupt, "these bytes are damaged beyond what parity can bring back");
    }
    const Place place = states_[symbol] == State::moved ? moved_.at(symbol) : place_in_order(symbol);
    return sources_[place.source]->read_at(place.offset + first, out.first(there));
  }

  // The symbols of a block that are lost, and a plan to make them; nothing where that cannot be.
  struct Work {
    std::vector<std::uint32_t> received;
    std::vector<std::uint32_t> wanted;
    std::optional<fec::Plan> plan;
  };
  Result<Work> plan_block(std::uint32_t block) const {
    Work work;
    std::vector<std::uint32_t> repair;
    std::size_t source_lost = 0;
    const std::uint32_t source = symbols_.source_symbols(block);
    for (std::uint64_t symbol = block; symbol < symbols_.symbols(); symbol += symbols_.blocks) {
      const std::uint32_t number = fec::place_of(symbols_, symbol).symbol;
      if (is_lost(symbol)) {
        work.wanted.push_back(number);
        if (number < source) ++source_lost;
      } else {
        (number < source ? work.received : repair).push_back(number);
      }
    }
    if (work.wanted.empty()) return work;
    // A few more than are needed nearly always suffice; where they do not, all there are.
    const std::size_t few = std::min(repair.size(), source_lost + (source_lost == 0 ? 0 : symbols_.reserve()));
    for (const std::size_t count : {few, repair.size()}) {
      std::vector<std::uint32_t> received = work.received;
      received.insert(received.end(), repair.begin(), repair.begin() + static_cast<std::ptrdiff_t>(count));
      if (received.size() < source) continue;
      auto plan = fec::Plan::make(symbols_.code(block), received, work.wanted);
      if (plan) {
        work.received = std::move(received);
        work.plan = *std::move(plan);
        return work;
      }
      if (plan.error().code != Errc::corrupt) return fail(plan.error());
    }
    return work;
  }

  Result<> work(bool make) {
    report_.hopeless.clear();
    std::vector<std::uint64_t> hopeless;
    if (make) {
      const std::uint64_t lost = report_.data_lost + report_.repair_lost;
      MMH_LET(made_,
              Spool::make(*context_.sys, lost * symbols_.symbol_size, context_.memory / 8, "what parity brings back"));
    }
    for (std::uint32_t block = 0; block < symbols_.blocks; ++block) {
      MMH_TRY(check_cancelled(context_.cancel));
      MMH_LET(const Work work, plan_block(block));
      if (work.wanted.empty()) continue;
      bool good = work.plan.has_value();
      if (good && make) {
        MMH_LET(good, make_block(block, work));
      }
      if (good) continue;
      for (const std::uint32_t number : work.wanted) {
        const std::uint64_t symbol = fec::symbol_at(symbols_, {block, number});
        if (symbol < symbols_.source_symbols()) hopeless.push_back(symbol);
      }
    }
    if (make) MMH_TRY(check_table(hopeless));
    std::ranges::sort(hopeless);
    for (const std::uint64_t symbol : hopeless) add_range(report_.hopeless, symbol);
    return {};
  }

  // False: what came out does not match its checks.
  Result<bool> make_block(std::uint32_t block, const Work& work) {
    std::vector<std::uint64_t> slots;
    for (std::size_t i = 0; i < work.wanted.size(); ++i) slots.push_back(slots_used_++);
    const ReadColumns read = [&](std::uint64_t symbol, std::size_t first, Bytes out) {
      return read_columns(symbol, first, out);
    };
    const PutColumns put = [&](std::size_t index, std::size_t first, ByteView bytes) {
      return made_.write_at(slots[index] * symbols_.symbol_size + first, bytes);
    };
    MMH_TRY(make_symbols(symbols_, block, work.received, work.wanted, *work.plan, read, put, context_, nullptr));
    Buffer buffer(symbols_.symbol_size);
    for (std::size_t i = 0; i < work.wanted.size(); ++i) {
      const std::uint64_t symbol = fec::symbol_at(symbols_, {block, work.wanted[i]});
      const Bytes bytes = Bytes(buffer).first(size_of(symbol));
      MMH_TRY(made_.read_at(slots[i] * symbols_.symbol_size, bytes));
      if (states_[symbol] == State::lost && !matches_check(bytes, check_of(symbol))) return false;
    }
    for (std::size_t i = 0; i < work.wanted.size(); ++i) {
      const std::uint64_t symbol = fec::symbol_at(symbols_, {block, work.wanted[i]});
      if (states_[symbol] == State::unknown) unchecked_.push_back(symbol);
      states_[symbol] = State::made;
      slots_.insert_or_assign(symbol, slots[i]);
    }
    return true;
  }

  // Symbols whose check was lost are right when the table that they complete is.
  Result<> check_table(std::vector<std::uint64_t>& hopeless) {
    if (unchecked_.empty()) return {};
    Buffer buffer(symbols_.symbol_size);
    for (const std::uint64_t symbol : unchecked_) {
      const Bytes bytes = Bytes(buffer).first(size_of(symbol));
      MMH_TRY(read_columns(symbol, 0, bytes));
      write_check(bytes, table().subspan(symbol * kParityCheckSize, kParityCheckSize));
    }
    if (hash::blake3(table()) == head_.table_hash) return {};
    for (const std::uint64_t symbol : unchecked_) {
      states_[symbol] = State::unknown;
      if (symbol < symbols_.source_symbols()) hopeless.push_back(symbol);
    }
    return {};
  }

  const ParityHead head_;
  const ParityLayout& layout_;
  const fec::Interleaving& symbols_;
  const ParityContext context_;
  std::vector<const RandomAccessSource*> sources_;  // data, section, other copies
  Buffer shards_;                                   // of the table, then those that repair it
  std::vector<bool> have_;                          // by shard
  std::vector<ParityAnchor> anchors_;
  std::vector<State> states_;  // by symbol
  std::unordered_map<std::uint64_t, Place> moved_;
  std::unordered_map<std::uint64_t, std::uint64_t> slots_;  // of symbols that were made
  std::uint64_t slots_used_ = 0;
  std::vector<std::uint64_t> unchecked_;
  const SeenChecks* seen_ = nullptr;
  Spool made_;
  ParityReport report_;
};

}  // namespace

Result<std::unique_ptr<ParityHealer>> ParityHealer::open(const RandomAccessSource& data,
                                                         const RandomAccessSource& section, const ParityHead& head,
                                                         std::vector<const RandomAccessSource*> others,
                                                         const ParityContext& context) {
  auto healer = std::make_unique<Healer>(data, section, head, std::move(others), context);
  MMH_TRY(healer->load());
  return healer;
}

}  // namespace mmh::pack
