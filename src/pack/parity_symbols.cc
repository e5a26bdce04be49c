#include "parity_symbols.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "mmh/base/check.h"
#include "mmh/hash/blake3.h"
#include "ordered_tasks.h"

namespace mmh::pack {

namespace {

constexpr std::size_t kColumnUnit = 256;
constexpr std::size_t kReadTask = 1 << 20;
constexpr std::uint64_t kStripBytes = 96 << 20;
constexpr std::uint64_t kPage = 4096;

std::uint64_t physical_memory() {
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long size = ::sysconf(_SC_PAGESIZE);
  return pages > 0 && size > 0 ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(size) : 0;
}

// Columns that go through at once. A block that the kernel keeps in memory anyway is read again for each strip, as the
// pages of a large buffer cost more to get than the copies from there. The width decides no byte.
std::size_t strip_width(std::uint64_t rows, std::size_t symbol_size, std::uint64_t memory) {
  rows = std::max<std::uint64_t>(1, rows);
  std::uint64_t fits = memory / 2 / rows;
  if (rows * symbol_size <= physical_memory() / 4) {
    const std::uint64_t pages = std::max<std::uint64_t>(1, kStripBytes / rows / kPage);
    fits = std::min(fits, pages * kPage);
  }
  if (fits >= symbol_size) return symbol_size;
  return std::max<std::size_t>(kColumnUnit, static_cast<std::size_t>(fits / kColumnUnit * kColumnUnit));
}

// With small pages, the kernel takes longer over hundreds of megabytes than the sums do.
void prefer_huge_pages(Bytes bytes) {
  constexpr std::size_t kHugePage = std::size_t{2} << 20;
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data());
  const std::uintptr_t first = (begin + kHugePage - 1) / kHugePage * kHugePage;
  const std::uintptr_t last = (begin + bytes.size()) / kHugePage * kHugePage;
  if (first < last) ::madvise(bytes.data() + (first - begin), last - first, MADV_HUGEPAGE);  // a hint: may fail
}

Result<> drain(OrderedTasks<Result<>>& tasks) {
  Result<> first;
  while (!tasks.empty()) {
    auto result = tasks.pop();
    if (!result && first) first = std::move(result);
  }
  return first;
}

}  // namespace

Result<> make_symbols(const fec::Interleaving& layout, std::uint32_t block, std::span<const std::uint32_t> received,
                      std::span<const std::uint32_t> wanted, const fec::Plan& plan, const ReadColumns& read,
                      const PutColumns& put, const ParityContext& context,
                      const std::function<Result<>(std::uint64_t bytes)>& done) {
  const std::size_t size = layout.symbol_size;
  const std::size_t width = strip_width(received.size() + wanted.size(), size, context.memory);
  Buffer in(received.size() * width);
  Buffer out(wanted.size() * width);
  prefer_huge_pages(in);
  prefer_huge_pages(out);
  std::vector<ByteView> in_rows(received.size());
  std::vector<Bytes> out_rows(wanted.size());
  OrderedTasks<Result<>> tasks(*context.pool);
  for (std::size_t first = 0; first < size; first += width) {
    MMH_TRY(check_cancelled(context.cancel));
    const std::size_t columns = std::min(width, size - first);
    const std::size_t together = std::max<std::size_t>(1, kReadTask / columns);
    for (std::size_t begin = 0; begin < received.size(); begin += together) {
      const std::size_t end = std::min(received.size(), begin + together);
      tasks.push(0, [&, begin, end, first, columns]() -> Result<> {
        MMH_TRY(check_cancelled(context.cancel));
        for (std::size_t i = begin; i < end; ++i) {
          MMH_TRY(read(fec::symbol_at(layout, {block, received[i]}), first, Bytes(in).subspan(i * columns, columns)));
        }
        return {};
      });
    }
    MMH_TRY(drain(tasks));
    for (std::size_t i = 0; i < received.size(); ++i) in_rows[i] = ByteView(in).subspan(i * columns, columns);
    for (std::size_t i = 0; i < wanted.size(); ++i) out_rows[i] = Bytes(out).subspan(i * columns, columns);
    const std::size_t pieces = 4 * std::size_t{context.pool->threads()};
    const std::size_t piece = std::max(kColumnUnit, (columns / pieces + kColumnUnit - 1) / kColumnUnit * kColumnUnit);
    for (std::size_t from = 0; from < columns; from += piece) {
      const fec::Columns part{from, std::min(piece, columns - from)};
      tasks.push(0, [&, part]() -> Result<> {
        MMH_TRY(check_cancelled(context.cancel));
        return plan.run(in_rows, out_rows, part);
      });
    }
    MMH_TRY(drain(tasks));
    for (std::size_t i = 0; i < wanted.size(); ++i) MMH_TRY(put(i, first, out_rows[i]));
    if (done) MMH_TRY(done(received.size() * columns));
  }
  return {};
}

Result<Buffer> make_check_shards(const fec::Interleaving& checks, ByteView table) {
  const std::size_t size = checks.symbol_size;
  Buffer padded = copy_of(table);
  padded.resize(checks.source_symbols() * size);
  std::fill(padded.begin() + static_cast<std::ptrdiff_t>(table.size()), padded.end(), std::byte{0});
  Buffer shards(checks.repair_symbols_total() * size);
  const std::uint64_t source = checks.source_symbols();
  for (std::uint32_t group = 0; group < checks.blocks; ++group) {
    std::vector<std::uint32_t> received(checks.source_symbols(group));
    std::vector<std::uint32_t> wanted;
    std::vector<ByteView> in;
    std::vector<Bytes> out;
    for (std::uint32_t i = 0; i < received.size(); ++i) {
      received[i] = i;
      in.push_back(ByteView(padded).subspan(fec::symbol_at(checks, {group, i}) * size, size));
    }
    // Shards are numbered on through all groups, so which numbers a group has depends on where the source shards end.
    for (std::uint64_t shard = source; shard < checks.symbols(); ++shard) {
      if (fec::place_of(checks, shard).block != group) continue;
      wanted.push_back(fec::place_of(checks, shard).symbol);
      out.push_back(Bytes(shards).subspan((shard - source) * size, size));
    }
    MMH_LET(const fec::Plan plan, fec::Plan::make(checks.code(group), received, wanted));
    MMH_TRY(plan.run(in, out));
  }
  return shards;
}

Result<> complete_shards(const fec::Interleaving& checks, Bytes shards, std::vector<bool>& have) {
  const std::size_t size = checks.symbol_size;
  for (std::uint32_t group = 0; group < checks.blocks; ++group) {
    std::vector<std::uint32_t> received;
    std::vector<std::uint32_t> wanted;
    std::vector<ByteView> in;
    std::vector<Bytes> out;
    const std::uint32_t source = checks.source_symbols(group);
    for (std::uint64_t i = group; i < checks.symbols(); i += checks.blocks) {
      const std::uint32_t number = fec::place_of(checks, i).symbol;
      const Bytes shard = shards.subspan(i * size, size);
      if (have[i]) {
        if (received.size() == source) continue;
        received.push_back(number);
        in.push_back(shard);
      } else if (number < source) {
        wanted.push_back(number);
        out.push_back(shard);
      }
    }
    if (wanted.empty() || received.size() < source) continue;
    MMH_LET(const fec::Plan plan, fec::Plan::make(checks.code(group), received, wanted));
    MMH_TRY(plan.run(in, out));
    for (const std::uint32_t number : wanted) have[fec::symbol_at(checks, {group, number})] = true;
  }
  return {};
}

Result<> write_section(const ParityHead& head, ByteView head_payload, ByteView anchors, ByteView table,
                       const ReadRepair& read, ByteSink& out, const CancelFlag* cancel) {
  const ParityLayout& layout = head.layout;
  const fec::Interleaving& checks = layout.checks;
  const std::size_t shard_size = checks.symbol_size;
  MMH_LET(const Buffer repair_shards, make_check_shards(checks, table));

  const auto put = [&](std::uint64_t offset, ParityPart part, std::uint32_t index, ByteView content) {
    Buffer payload(kParityPrefixSize);
    write_prefix({head.id, part, index}, payload);
    append(payload, content);
    return out.write(parity_block(offset, payload));
  };
  const auto put_shards = [&](std::uint64_t begin, std::uint64_t end) -> Result<> {
    Buffer lead_and_shard = copy_of(head_payload);
    lead_and_shard.resize(kParityHeadSize + shard_size);
    const Bytes shard = Bytes(lead_and_shard).subspan(kParityHeadSize);
    for (std::uint64_t i = begin; i < end; ++i) {
      if (i < checks.source_symbols()) {
        const std::size_t present = checks.source_size(i);
        std::ranges::fill(shard, std::byte{0});
        std::memcpy(shard.data(), table.data() + i * shard_size, present);
      } else {
        std::memcpy(shard.data(), repair_shards.data() + (i - checks.source_symbols()) * shard_size, shard_size);
      }
      MMH_TRY(put(layout.shard_offset(i), ParityPart::checks, static_cast<std::uint32_t>(i), lead_and_shard));
    }
    return {};
  };

  MMH_TRY(out.write(parity_block(layout.head_offset(0), head_payload)));
  if (!anchors.empty()) MMH_TRY(put(layout.anchors_offset(0), ParityPart::anchors, 0, anchors));
  MMH_TRY(put_shards(0, checks.source_symbols()));

  const std::size_t size = layout.symbols.symbol_size;
  const std::uint64_t total = layout.symbols.repair_symbols_total();
  Buffer symbol(size);
  for (std::uint64_t block = 0; block < layout.repair_blocks(); ++block) {
    MMH_TRY(check_cancelled(cancel));
    const std::uint64_t begin = block * layout.symbols_per_repair_block();
    const std::uint64_t end = std::min(total, begin + layout.symbols_per_repair_block());
    const std::uint64_t offset = layout.repair_block_offset(block);
    const std::uint64_t lead = layout.repair_offset(begin) - offset - kBlockHeaderSize;
    Buffer front(static_cast<std::size_t>(lead));
    std::ranges::fill(front, std::byte{0});
    write_prefix({head.id, ParityPart::repair, static_cast<std::uint32_t>(block)}, front);
    hash::Blake3 state;
    state.update(front);
    for (std::uint64_t i = begin; i < end; ++i) {
      MMH_TRY(read(i, symbol));
      state.update(symbol);
    }
    const std::uint64_t stored = lead + (end - begin) * size;
    Buffer header(kBlockHeaderSize);
    write_block_header({BlockType::parity, kUnnumbered, offset, stored, stored, state.finish()}, header);
    MMH_TRY(out.write(header));
    MMH_TRY(out.write(front));
    for (std::uint64_t i = begin; i < end; ++i) {
      MMH_TRY(read(i, symbol));
      MMH_TRY(out.write(symbol));
    }
  }

  MMH_TRY(put_shards(checks.source_symbols(), checks.symbols()));
  if (!anchors.empty()) MMH_TRY(put(layout.anchors_offset(1), ParityPart::anchors, 1, anchors));
  return out.write(parity_block(layout.head_offset(1), head_payload));
}

}  // namespace mmh::pack
