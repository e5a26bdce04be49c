#include "rans_kernels.h"

namespace mmh::codecs::rans {
namespace {

std::uint8_t* encode(const EncodeTable& table, States& states, const std::uint8_t* symbols, std::size_t rounds,
                     std::uint8_t* words) {
  while (rounds-- > 0) {
    const std::uint8_t* const round = symbols + rounds * kLanes;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      states[lane] = put(states[lane], table.entries[round[lane]], words);
    }
  }
  return words;
}

void decode(Section& section) {
  for (; section.rounds > 0 && section.end - section.begin >= static_cast<std::ptrdiff_t>(kWordSize * kLanes);
       --section.rounds) {
    // Backwards, as the words come.
    for (std::size_t lane = kLanes; lane-- > 0;) {
      std::uint32_t& state = section.states[lane];
      const std::uint32_t entry = section.table->entries[state & (kTotal - 1)];
      section.symbols[lane] = static_cast<std::uint8_t>(entry);
      state = take(state, entry);
      refill(state, section.end);
    }
    section.symbols += kLanes;
  }
}

void decode_two(Section& a, Section& b) {
  decode(a);
  decode(b);
}

void count_others(const std::uint8_t* symbols, std::size_t size, const SymbolSet& set, Histogram& histogram) {
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint8_t symbol = symbols[i];
    if ((set[set_byte(symbol)] & set_bit(symbol)) == 0) ++histogram[symbol];
  }
}

}  // namespace

const Kernels kPortable = {"portable", encode, decode, decode_two, count_others};

// Runs of one symbol would make each increment wait for the one before it, so eight tables take turns.
void count(const std::uint8_t* symbols, std::size_t size, Histogram& histogram) {
  constexpr std::size_t kTables = 8;
  std::uint32_t tables[kTables][kSymbols] = {};
  std::size_t i = 0;
  for (; i + kTables <= size; i += kTables) {
    std::uint64_t eight;
    std::memcpy(&eight, symbols + i, sizeof eight);
#pragma GCC unroll 8
    for (unsigned k = 0; k < kTables; ++k) ++tables[k][eight >> (8 * k) & 0xff];
  }
  for (; i < size; ++i) ++tables[0][symbols[i]];
  for (std::size_t s = 0; s < kSymbols; ++s) {
    for (const auto& table : tables) histogram[s] += table[s];
  }
}

}  // namespace mmh::codecs::rans
