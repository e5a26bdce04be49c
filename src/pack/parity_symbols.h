#pragma once
// Making symbols from symbols within a memory budget, and writing sections.

#include <functional>
#include <vector>

#include "mmh/fec/plan.h"
#include "parity_format.h"

namespace mmh::pack {

/// Fills `out` with bytes of a symbol from column `first` on; zeros behind the data. Called by many threads.
using ReadColumns = std::function<Result<>(std::uint64_t symbol, std::size_t first, Bytes out)>;
/// Takes bytes of the symbol `wanted[index]` from column `first` on. Called by one thread.
using PutColumns = std::function<Result<>(std::size_t index, std::size_t first, ByteView bytes)>;

/// Makes the symbols `wanted` of a source block from the symbols `received`, both as numbers within the block. Columns
/// go through in strips, so that no more than half of the budget is taken. Errors: as fec::Plan, and of both functions.
Result<> make_symbols(const fec::Interleaving& layout, std::uint32_t block, std::span<const std::uint32_t> received,
                      std::span<const std::uint32_t> wanted, const fec::Plan& plan, const ReadColumns& read,
                      const PutColumns& put, const ParityContext& context,
                      const std::function<Result<>(std::uint64_t bytes)>& done);

/// All repair shards of a table of checks, one after another.
Result<Buffer> make_check_shards(const fec::Interleaving& checks, ByteView table);

/// Makes the shards that are missing in front of the repair shards, in the groups where enough are left. `shards`: all
/// of them, by number; `have`: which are there, and after the call which came back.
Result<> complete_shards(const fec::Interleaving& checks, Bytes shards, std::vector<bool>& have);

/// Reads repair symbol `index` whole.
using ReadRepair = std::function<Result<>(std::uint64_t index, Bytes out)>;
/// Writes a section from its parts.
Result<> write_section(const ParityHead& head, ByteView head_payload, ByteView anchors, ByteView table,
                       const ReadRepair& read, ByteSink& out, const CancelFlag* cancel);

}  // namespace mmh::pack
