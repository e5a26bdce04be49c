#pragma once
// The inner loops of rANS: one set per instruction set, and the portable twin that is their oracle.
//
// 64 coders run side by side; symbol i of a section belongs to lane i % 64, and 64 symbols make a round. A coder's
// state is a number in [2^15, 2^31); it takes or gives one 16-bit word at a time. The words of a round stand in order
// of lanes; rounds are encoded from the last to the first, so that the decoder reads words from the end to the front.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace mmh::codecs::rans {

inline constexpr std::size_t kLanes = 64;
inline constexpr std::size_t kWordSize = 2;
inline constexpr unsigned kTotalLog = 12;  ///< Frequencies of a table add up to 2^12.
inline constexpr std::uint32_t kTotal = 1U << kTotalLog;
inline constexpr unsigned kStateLog = 15;  ///< States stay in [2^15, 2^31).
inline constexpr std::uint32_t kStateMin = 1U << kStateLog;
inline constexpr std::size_t kSymbols = 256;

using States = std::array<std::uint32_t, kLanes>;
using Histogram = std::array<std::uint32_t, kSymbols>;
/// One bit for each symbol: bit s / 16 % 8 of byte s % 16 + 16 * (s / 128).
using SymbolSet = std::array<std::uint8_t, 32>;

inline constexpr std::size_t set_byte(std::size_t symbol) { return symbol % 16 + symbol / 128 * 16; }
inline constexpr std::uint8_t set_bit(std::size_t symbol) { return static_cast<std::uint8_t>(1U << symbol / 16 % 8); }

/// By the low 12 bits of a state: symbol (bits 0..7), offset within its range (8..19), its frequency (20..31).
struct alignas(64) DecodeTable {
  std::array<std::uint32_t, kTotal> entries;
};

/// By symbol: reciprocal of its frequency (bits 0..31; 2^(31+s) / frequency, rounded up), frequency (32..43), start of
/// its range (44..55), 31 + s (56..63), where s is the least with 2^s >= frequency. For states below frequency * 2^19,
/// reciprocal * state >> (31 + s) is their exact quotient by the frequency.
struct alignas(64) EncodeTable {
  std::array<std::uint64_t, kSymbols> entries;
};

/// A section on its way through a decoder, which moves every member along but `table` and `begin`.
struct Section {
  const DecodeTable* table;
  const std::uint8_t* begin;  ///< Where its words begin.
  const std::uint8_t* end;    ///< Of the words left. Requires: kLanes bytes may be read behind the first `end`.
  std::uint8_t* symbols;      ///< Where the next round goes.
  std::size_t rounds;         ///< Whole rounds left.
  States states;
};

struct Kernels {
  const char* name;  ///< Of the instruction set, as Highway spells it, or "portable".
  /// Encodes whole rounds, the last first; `symbols` are those of the first. Words go to `words`; returns their end.
  /// Requires: room for kLanes * rounds words and kLanes bytes of slack behind them; every symbol is in the table.
  std::uint8_t* (*encode)(const EncodeTable& table, States& states, const std::uint8_t* symbols, std::size_t rounds,
                          std::uint8_t* words);
  /// Decodes whole rounds while at least kLanes words are left.
  void (*decode)(Section& section);
  /// Both at once, which hides the latency of each, until one of them is done.
  void (*decode_two)(Section& a, Section& b);
  /// Adds the counts of the symbols that are not in `set` to `histogram`.
  void (*count_others)(const std::uint8_t* symbols, std::size_t size, const SymbolSet& set, Histogram& histogram);
};

extern const Kernels kPortable;
/// The set for this machine's instruction set.
const Kernels* best_kernels();

/// Adds the symbols' counts to `histogram`.
void count(const std::uint8_t* symbols, std::size_t size, Histogram& histogram);

/// One symbol by one coder: what every lane of every kernel does. Writes a word behind the end even where none is due.
inline std::uint32_t put(std::uint32_t state, std::uint64_t entry, std::uint8_t*& words) {
  const auto frequency = static_cast<std::uint32_t>(entry >> 32) & (kTotal - 1);
  const auto word = static_cast<std::uint16_t>(state);
  std::memcpy(words, &word, kWordSize);
  // No branches here and below: they could not be predicted.
  const std::uint32_t full = state >= frequency << (31 - kTotalLog) ? 1 : 0;
  words += kWordSize * full;
  state >>= 16 * full;
  const auto start = static_cast<std::uint32_t>(entry >> 44) & (kTotal - 1);
  const auto quotient =
      static_cast<std::uint32_t>(std::uint64_t{state} * static_cast<std::uint32_t>(entry) >> (entry >> 56));
  return state + start + quotient * (kTotal - frequency);
}

/// The state behind a symbol, before it takes a word.
inline std::uint32_t take(std::uint32_t state, std::uint32_t entry) {
  return (entry >> 20) * (state >> kTotalLog) + (entry >> 8 & (kTotal - 1));
}

/// Takes the word before `end` where the state is below its range. Reads it even where it is not.
inline void refill(std::uint32_t& state, const std::uint8_t*& end) {
  std::uint16_t word;
  std::memcpy(&word, end - kWordSize, kWordSize);
  const std::uint32_t low = (state >> kStateLog) == 0 ? 1 : 0;
  const std::uint32_t filled = state << 16 | word;
  state ^= (state ^ filled) & (0 - low);
  end -= kWordSize * low;
}

}  // namespace mmh::codecs::rans
