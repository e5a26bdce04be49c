#pragma once
// Tables of rANS: what they cost, how they are made of counts, how they are written, and the scalar end of a section.

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "mmh/base/bytes.h"
#include "mmh/base/result.h"
#include "rans_kernels.h"

namespace mmh::codecs::rans {

inline constexpr std::size_t kTablesMax = 255;        ///< Of a stream.
inline constexpr std::size_t kTableSizeMax = 640;     ///< Bytes, above what any written table takes.
inline constexpr std::size_t kFewLanes = 4;           ///< Of short sections, where the states of many would weigh.
inline constexpr std::size_t kFewLanesSize = 16'384;  ///< Sections below this have few lanes.

inline std::size_t lanes_of(std::size_t section_size) { return section_size < kFewLanesSize ? kFewLanes : kLanes; }

/// By symbol; they add up to kTotal.
using Frequencies = std::array<std::uint16_t, kSymbols>;

/// What the symbols take with the table, in bits; nothing where a symbol that occurs has no frequency.
std::optional<std::uint64_t> cost_with(const Histogram& histogram, const Frequencies& frequencies);

/// Counts of a sample, but of every symbol that occurs at least once: cheap, and good for a table.
Histogram count_mostly(const std::uint8_t* symbols, std::size_t size);

/// What symbols of these counts take at least, by their entropy, in 2^-16 bits.
std::uint64_t entropy_cost(std::span<const std::uint32_t> counts);

/// Counts scaled to a sum of kTotal, none that occurs to 0; what rounding leaves over goes where it saves most.
/// Requires: at least two symbols occur.
Frequencies normalise(const Histogram& histogram);

/// Format: spec.md, "Table".
void write_table(const Frequencies& frequencies, Buffer& out);
/// Takes a table from the front of `in`. Errors: corrupt.
Result<Frequencies> read_table(ByteView& in);

void fill(const Frequencies& frequencies, EncodeTable& table);
void fill(const Frequencies& frequencies, DecodeTable& table);

/// Decodes whatever a kernel left of whole rounds, then `last_lanes` symbols of one that is not whole. Returns whether
/// there were words enough.
bool decode_rest(Section& section, std::size_t lanes, std::size_t last_lanes);
/// Whether a section is at its end, with every word used and every state as it began.
bool is_finished(const Section& section, std::size_t lanes);

}  // namespace mmh::codecs::rans
