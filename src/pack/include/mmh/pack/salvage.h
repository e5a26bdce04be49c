#pragma once
// Packs that are damaged beyond parity: index and manifest rebuilt from the blocks that are left.

#include <cstdint>
#include <optional>

#include "mmh/base/files.h"
#include "mmh/codec/registry.h"
#include "mmh/pack/pack_file.h"
#include "mmh/pack/reader.h"

namespace mmh::pack {

struct Rebuilt {
  std::uint64_t front = 0;   ///< Bytes, of any value, and
  Buffer tail;               ///< bytes that make a pack of what is left, read in front of the file and behind it.
  std::uint64_t blocks = 0;  ///< Found whole.
  std::uint64_t lost = 0;    ///< Numbers below the highest that were not found.
  std::uint64_t entries = 0;
};
/// Scans the file for whole blocks, wherever they stand now, and writes an index of them and a manifest of the entries
/// in them. Keeps all entries in memory. `known`: the file opened, where that is possible: its index tells more than
/// the scan where blocks are damaged. `base`: what blocks may be coded against, where no trailer is left to name it.
/// Errors: corrupt (nothing is left), limit.
Result<Rebuilt> rebuild(const RandomAccessSource& file, const codec::Registry& registry, const Reader* known = nullptr,
                        std::optional<BaseName> base = std::nullopt);

}  // namespace mmh::pack
