#include <algorithm>

#include "mmh/hash/blake3.h"
#include "ordered_tasks.h"
#include "parity_symbols.h"
#include "spool.h"

namespace mmh::pack {

namespace {

constexpr std::uint64_t kHashTask = 1 << 20;

// The checks of all data symbols. Those that were seen already cost no reading.
Result<> check_data(const RandomAccessSource& data, const ParityLayout& layout, const SeenChecks* seen, Bytes table,
                    const ParityContext& context, const std::function<Result<>(std::uint64_t)>& done) {
  const fec::Interleaving& symbols = layout.symbols;
  const std::uint64_t together = std::max<std::uint64_t>(1, kHashTask / symbols.symbol_size);
  OrderedTasks<Result<>> tasks(*context.pool);
  const auto take = [&]() -> Result<> {
    MMH_TRY(tasks.pop());
    return done(together * symbols.symbol_size);
  };
  for (std::uint64_t begin = 0; begin < symbols.source_symbols(); begin += together) {
    while (tasks.full()) MMH_TRY(take());
    tasks.push(0, [&, begin]() -> Result<> {
      static thread_local Buffer buffer;
      MMH_TRY(check_cancelled(context.cancel));
      const std::uint64_t size = symbols.symbol_size;
      const std::uint64_t end = std::min(symbols.source_symbols(), begin + together);
      const auto is_seen = [&](std::uint64_t symbol) { return seen != nullptr && seen->has(symbol); };
      const auto check_at = [&](std::uint64_t symbol) {
        return table.subspan(symbol * kParityCheckSize, kParityCheckSize);
      };
      for (std::uint64_t i = begin; i < end;) {
        if (is_seen(i)) {
          std::ranges::copy(seen->check(i), check_at(i).begin());
          ++i;
          continue;
        }
        const std::uint64_t first = i;
        while (i < end && !is_seen(i)) ++i;
        buffer.resize(static_cast<std::size_t>(std::min(symbols.data_size, i * size) - first * size));
        MMH_TRY(data.read_at(first * size, buffer));
        for (std::uint64_t j = first; j < i; ++j) {
          write_check(ByteView(buffer).subspan((j - first) * size, symbols.source_size(j)), check_at(j));
        }
      }
      return {};
    });
  }
  while (!tasks.empty()) MMH_TRY(take());
  return {};
}

}  // namespace

SeenChecks::SeenChecks(const fec::Interleaving& symbols)
    : symbols_(symbols), checks_(symbols.source_symbols() * kParityCheckSize), has_(symbols.source_symbols()) {}

std::uint64_t SeenChecks::memory_bytes(const fec::Interleaving& symbols) {
  return symbols.source_symbols() * (kParityCheckSize + 1);
}

void SeenChecks::see(std::uint64_t offset, ByteView bytes) {
  const std::uint64_t size = symbols_.symbol_size;
  const std::uint64_t end = offset + bytes.size();
  for (std::uint64_t symbol = (offset + size - 1) / size; symbol < symbols_.source_symbols(); ++symbol) {
    const std::uint64_t begin = symbol * size;
    if (begin + symbols_.source_size(symbol) > end) break;
    write_check(bytes.subspan(begin - offset, symbols_.source_size(symbol)),
                Bytes(checks_).subspan(symbol * kParityCheckSize, kParityCheckSize));
    has_[symbol] = 1;
  }
}

void SeenChecks::forget(std::uint64_t offset, std::uint64_t length) {
  if (length == 0) return;
  const std::uint64_t last = std::min((offset + length - 1) / symbols_.symbol_size, symbols_.source_symbols() - 1);
  for (std::uint64_t symbol = offset / symbols_.symbol_size; symbol <= last; ++symbol) has_[symbol] = 0;
}

ByteView SeenChecks::check(std::uint64_t symbol) const {
  return ByteView(checks_).subspan(symbol * kParityCheckSize, kParityCheckSize);
}

Result<ParityHead> write_parity(const RandomAccessSource& data, const ParityLayout& layout,
                                std::span<const ParityAnchor> anchors, const hash::Digest& subject,
                                const ParityContext& context, ByteSink& out, const SeenChecks* seen) {
  const fec::Interleaving& symbols = layout.symbols;
  const Buffer anchor_bytes = write_anchors(anchors);
  if (anchor_bytes.size() != layout.goal.anchor_bytes) return fail(Errc::usage, "other anchors than planned");
  const std::size_t size = symbols.symbol_size;
  const std::uint64_t total = symbols.repair_symbols_total();

  // Checks and sums both go through all of the data.
  std::uint64_t done = 0;
  const std::uint64_t work = 2 * symbols.source_symbols() * size;
  const auto progress = [&](std::uint64_t bytes) -> Result<> {
    done += bytes;
    if (context.progress) context.progress(std::min(done, work) / 2, symbols.data_size);
    return check_cancelled(context.cancel);
  };
  Buffer table(symbols.symbols() * kParityCheckSize);
  MMH_TRY(check_data(data, layout, seen, table, context, progress));

  MMH_LET(Spool repair, Spool::make(*context.sys, total * size, context.memory / 8, "parity"));
  const ReadColumns read = [&](std::uint64_t symbol, std::size_t first, Bytes into) -> Result<> {
    const std::size_t present = symbols.source_size(symbol);
    const std::size_t there = first < present ? std::min(into.size(), present - first) : 0;
    std::fill(into.begin() + static_cast<std::ptrdiff_t>(there), into.end(), std::byte{0});
    return there == 0 ? Result<>() : data.read_at(symbol * size + first, into.first(there));
  };
  for (std::uint32_t block = 0; block < symbols.blocks; ++block) {
    std::vector<std::uint32_t> received(symbols.source_symbols(block));
    for (std::uint32_t i = 0; i < received.size(); ++i) received[i] = i;
    std::vector<std::uint32_t> wanted;
    for (std::uint32_t i = 0; i <= symbols.repair_symbols; ++i) {
      const std::uint32_t number = symbols.source_symbols(block) + i;
      const std::uint64_t symbol = fec::symbol_at(symbols, {block, number});
      if (symbol < symbols.symbols()) wanted.push_back(number);
    }
    MMH_LET(const fec::Plan plan, fec::Plan::make(symbols.code(block), received, wanted));
    const PutColumns put = [&](std::size_t index, std::size_t first, ByteView bytes) {
      const std::uint64_t symbol = fec::symbol_at(symbols, {block, wanted[index]});
      return repair.write_at((symbol - symbols.source_symbols()) * size + first, bytes);
    };
    MMH_TRY(make_symbols(symbols, block, received, wanted, plan, read, put, context, progress));
  }

  const ReadRepair read_repair = [&](std::uint64_t index, Bytes into) { return repair.read_at(index * size, into); };
  Buffer symbol(size);
  for (std::uint64_t i = 0; i < total; ++i) {
    MMH_TRY(read_repair(i, symbol));
    write_check(symbol, Bytes(table).subspan((symbols.source_symbols() + i) * kParityCheckSize, kParityCheckSize));
  }
  ParityHead head;
  head.layout = layout;
  head.table_hash = hash::blake3(table);
  head.subject = subject;
  const Buffer head_payload = write_head(head);
  MMH_TRY(write_section(head, head_payload, anchor_bytes, table, read_repair, out, context.cancel));
  return head;
}

}  // namespace mmh::pack
