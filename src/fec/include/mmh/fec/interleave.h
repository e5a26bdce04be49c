#pragma once
// Spreads a range of bytes over source blocks, so that what is lost in one piece is lost by all blocks evenly.
//
// The bytes are cut into symbols of one size T, the last of which may be short (it counts as filled up with zeros).
// Symbol c belongs to block c % Z, as its symbol c / Z. The repair symbols follow in the same way, as if the range went
// on: Z R of them, R for each block. So c numbers all symbols without a gap, and n neighbours in it are at most
// ceil(n / Z) symbols of any block. Arithmetic only, which anyone can repeat: integers, no CPU, no clock.

#include <cstddef>
#include <cstdint>

#include "mmh/base/result.h"
#include "mmh/fec/plan.h"

namespace mmh::fec {

/// With RaptorQ a block counts on this many symbols more than it has source symbols. The chance that those do not
/// suffice is below 10^-2 with none, and falls by a factor of 256 with each: 10^-11.
inline constexpr std::uint32_t kRaptorqReserve = 4;
inline constexpr std::uint32_t kSymbolSizeMax = 1 << 20;
/// Symbol sizes are multiples of this.
inline constexpr std::uint32_t kSymbolSizeUnit = 64;

struct Interleaving {
  Scheme scheme;
  std::uint32_t symbol_size;     ///< T, bytes
  std::uint32_t blocks;          ///< Z
  std::uint32_t repair_symbols;  ///< R, of each block
  std::uint64_t data_size;       ///< Bytes protected, at least 1.

  friend bool operator==(const Interleaving&, const Interleaving&) = default;

  std::uint64_t source_symbols() const { return (data_size + symbol_size - 1) / symbol_size; }
  /// Source and repair symbols of all blocks.
  std::uint64_t symbols() const { return source_symbols() + repair_symbols_total(); }
  std::uint64_t repair_symbols_total() const { return std::uint64_t{blocks} * repair_symbols; }
  /// k of a block. Blocks differ by at most one, the first ones have more.
  std::uint32_t source_symbols(std::uint32_t block) const {
    return static_cast<std::uint32_t>((source_symbols() - block + blocks - 1) / blocks);
  }
  Code code(std::uint32_t block) const { return {scheme, source_symbols(block)}; }
  /// Bytes of a source symbol that are data: T, for the last one perhaps fewer.
  std::uint32_t source_size(std::uint64_t symbol) const {
    return symbol + 1 < source_symbols() ? symbol_size : static_cast<std::uint32_t>(data_size - symbol * symbol_size);
  }
  /// Symbols beyond k that a block counts on to be rebuilt.
  std::uint32_t reserve() const { return scheme == Scheme::raptorq ? kRaptorqReserve : 0; }
  /// Symbols, source or repair, that any block may lose.
  std::uint32_t losses_max() const { return repair_symbols > reserve() ? repair_symbols - reserve() : 0; }
  /// Bytes of the largest block, source and repair symbols.
  std::uint64_t block_bytes() const { return (std::uint64_t{source_symbols(0)} + repair_symbols) * symbol_size; }
};

/// Where a symbol belongs: its block, and its number there (an ESI).
struct SymbolPlace {
  std::uint32_t block;
  std::uint32_t symbol;
  friend bool operator==(const SymbolPlace&, const SymbolPlace&) = default;
};

/// Requires: symbol < layout.symbols().
inline SymbolPlace place_of(const Interleaving& layout, std::uint64_t symbol) {
  return {static_cast<std::uint32_t>(symbol % layout.blocks), static_cast<std::uint32_t>(symbol / layout.blocks)};
}
inline std::uint64_t symbol_at(const Interleaving& layout, SymbolPlace place) {
  return std::uint64_t{place.symbol} * layout.blocks + place.block;
}

/// The most bytes n such that, with data and repair symbols stored one after another, any n bytes in one piece may be
/// lost and every block still has k + reserve symbols. Other bytes stored between symbols only help.
std::uint64_t contiguous_loss_max(const Interleaving& layout);

/// The most sectors of `sector_size` bytes that may be lost wherever they are, if sectors begin where symbols do or
/// symbols where sectors do. Requires: one of both sizes is a multiple of the other.
std::uint64_t scattered_loss_max(const Interleaving& layout, std::uint64_t sector_size);

/// Checks an Interleaving from outside: everything above is then free of overflow, and the codes exist.
/// Errors: corrupt (impossible numbers); limit (block_bytes() above `block_bytes_max`).
Result<> check_interleaving(const Interleaving& layout, std::uint64_t block_bytes_max);

struct Protection {
  std::uint64_t data_size;  ///< Bytes to protect; at least 1.
  /// How much of all that is stored (data, repair symbols and what else is stored) may be lost in one piece, in parts
  /// per million: at most 900,000.
  std::uint32_t loss_ppm;
  std::uint64_t other_bytes = 0;             ///< Stored besides data and repair symbols,
  std::uint32_t other_bytes_per_symbol = 0;  ///< and for each of the symbols.
  std::uint64_t block_bytes_max = 256 << 20;
};

/// The layout for a protection: contiguous_loss_max() is at least loss_ppm of what is stored. Reed-Solomon for up to
/// some 240 symbols, else RaptorQ in blocks of at most 10,000 source symbols. Errors: usage (nothing to protect, a loss
/// too large); limit (block_bytes_max is too small for it).
Result<Interleaving> choose_interleaving(const Protection& protection);

}  // namespace mmh::fec
