#include "mmh/fec/interleave.h"

#include <algorithm>
#include <optional>
#include <string>

namespace mmh::fec {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr std::uint32_t kMillion = 1'000'000;
constexpr std::uint32_t kLossPpmMax = 900'000;
/// Source and repair symbols; above what can be chosen, 21 times the data and a little.
constexpr std::uint64_t kDataSizeMax = std::uint64_t{1} << 56;
constexpr std::uint64_t kStoredSizeMax = std::uint64_t{1} << 62;
/// Sums of this many rows are fast, as slices of all of them fit the cache; more would help little against scattered
/// losses, and fewer make the reserve dearer.
constexpr std::uint32_t kRaptorqSymbolsWanted = 10'000;
constexpr std::uint32_t kReedSolomonSymbolsWanted = 240;
constexpr std::uint32_t kReedSolomonSymbolSizeMax = 8192;

/// Whether the layout keeps the protection's promise.
bool suffices(const Interleaving& layout, const Protection& protection) {
  const Wide symbols = layout.symbols();
  const Wide stored = Wide{layout.data_size} + Wide{layout.repair_symbols_total()} * layout.symbol_size +
                      protection.other_bytes + symbols * protection.other_bytes_per_symbol;
  return Wide{contiguous_loss_max(layout)} * kMillion >= stored * protection.loss_ppm;
}

/// Sets the least number of repair symbols, up to `most`, that keeps the promise.
std::optional<Interleaving> with_repair(Interleaving layout, const Protection& protection, std::uint32_t most) {
  layout.repair_symbols = most;
  if (!suffices(layout, protection)) return std::nullopt;
  // Each repair symbol adds to the loss that is borne, and less to the one that has to be.
  std::uint32_t low = 0;
  std::uint32_t high = most;
  while (low < high) {
    layout.repair_symbols = low + (high - low) / 2;
    if (suffices(layout, protection)) {
      high = layout.repair_symbols;
    } else {
      low = layout.repair_symbols + 1;
    }
  }
  layout.repair_symbols = high;
  return layout;
}

std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) { return (value + unit - 1) / unit * unit; }

std::optional<Interleaving> choose_reed_solomon(const Protection& protection) {
  for (std::uint32_t wanted = kReedSolomonSymbolsWanted; wanted > 0; wanted -= 1 + wanted / 16) {
    const std::uint64_t size = round_up((protection.data_size + wanted - 1) / wanted, kSymbolSizeUnit);
    if (size > kReedSolomonSymbolSizeMax) return std::nullopt;
    const Interleaving layout{Scheme::reed_solomon, static_cast<std::uint32_t>(size), 1, 0, protection.data_size};
    const auto most = kReedSolomonSymbolsMax - static_cast<std::uint32_t>(layout.source_symbols());
    if (auto chosen = with_repair(layout, protection, most)) return chosen;
  }
  return std::nullopt;
}

}  // namespace

std::uint64_t contiguous_loss_max(const Interleaving& layout) {
  // n bytes touch at most floor((n - 2) / T) + 2 symbols of T bytes; one more where the short symbol is among them.
  const std::uint64_t touched_max = std::uint64_t{layout.losses_max()} * layout.blocks;
  if (touched_max < 2) return touched_max;
  return (touched_max - 2) * layout.symbol_size + layout.source_size(layout.source_symbols() - 1) + 1;
}

std::uint64_t scattered_loss_max(const Interleaving& layout, std::uint64_t sector_size) {
  const std::uint64_t touched = (sector_size + layout.symbol_size - 1) / layout.symbol_size;
  const std::uint64_t of_one_block = (touched + layout.blocks - 1) / layout.blocks;
  return layout.losses_max() / std::max<std::uint64_t>(1, of_one_block);
}

Result<> check_interleaving(const Interleaving& layout, std::uint64_t block_bytes_max) {
  const auto impossible = [] { return fail(Errc::corrupt, "a layout of symbols that cannot be"); };
  if (layout.scheme != Scheme::reed_solomon && layout.scheme != Scheme::raptorq) return impossible();
  if (layout.symbol_size == 0 || layout.symbol_size > kSymbolSizeMax || layout.symbol_size % kSymbolSizeUnit != 0) {
    return impossible();
  }
  if (layout.data_size == 0 || layout.data_size > kDataSizeMax) return impossible();
  if (layout.blocks == 0 || layout.blocks > layout.source_symbols()) return impossible();
  const std::uint64_t k = (layout.source_symbols() + layout.blocks - 1) / layout.blocks;
  const bool raptorq = layout.scheme == Scheme::raptorq;
  if (k > (raptorq ? kRaptorqSourceSymbolsMax : kReedSolomonSymbolsMax)) return impossible();
  const std::uint64_t symbols_max = raptorq ? std::uint64_t{kRaptorqEsiMax} + 1 : kReedSolomonSymbolsMax;
  if (k + layout.repair_symbols > symbols_max) return impossible();
  if (Wide{layout.symbols()} * layout.symbol_size > kStoredSizeMax) return impossible();
  if (layout.block_bytes() > block_bytes_max) {
    return fail(Errc::limit, "a source block takes " + std::to_string(layout.block_bytes()) +
                                 " bytes of memory; at most " + std::to_string(block_bytes_max) + " are allowed");
  }
  return {};
}

Result<Interleaving> choose_interleaving(const Protection& protection) {
  if (protection.data_size == 0) return fail(Errc::usage, "nothing to protect");
  if (protection.loss_ppm > kLossPpmMax) {
    return fail(Errc::usage, "protection against the loss of more than 90 %; keep a copy instead");
  }
  if (protection.data_size > kDataSizeMax) return fail(Errc::limit, "more than 64 PiB to protect");
  if (const auto small = choose_reed_solomon(protection)) {
    MMH_TRY(check_interleaving(*small, protection.block_bytes_max));
    return *small;
  }

  // Small symbols bear more scattered losses; large ones have fewer hashes. A block has to fit the memory.
  const std::uint64_t size = protection.data_size;
  std::uint32_t symbol_size = size <= std::uint64_t{64} << 20 ? 4096 : size <= std::uint64_t{256} << 30 ? 16384 : 65536;
  for (; symbol_size >= 4096; symbol_size /= 4) {
    const Interleaving one{Scheme::raptorq, symbol_size, 1, 0, size};
    for (std::uint64_t wanted = kRaptorqSymbolsWanted; wanted >= 256; wanted -= wanted / 8) {
      const std::uint64_t blocks = (one.source_symbols() + wanted - 1) / wanted;
      if (blocks > UINT32_MAX) break;
      Interleaving layout = one;
      layout.blocks = static_cast<std::uint32_t>(blocks);
      // Ten times the source symbols would bear the loss of 90 %; but for what else is stored.
      const auto chosen = with_repair(layout, protection, 20 * layout.source_symbols(0) + 100);
      if (chosen && chosen->block_bytes() <= protection.block_bytes_max) return *chosen;
    }
  }
  return fail(Errc::limit, "source blocks do not fit " + std::to_string(protection.block_bytes_max) +
                               " bytes of memory; allow more, or less parity");
}

}  // namespace mmh::fec
