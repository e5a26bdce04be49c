#pragma once
// Packs that are damaged beyond parity: index and manifest rebuilt from the blocks that are left.

#include <cstdint>
#include <optional>

#include "mmh/base/files.h"
#include "mmh/codec/registry.h"
#include "mmh/pack/pack_file.h"

namespace mmh::pack {

struct Rebuilt {
  Buffer tail;               ///< Read behind the file, it makes a pack of what is left.
  std::uint64_t blocks = 0;  ///< Found whole.
  std::uint64_t lost = 0;    ///< Numbers below the highest that were not found.
  std::uint64_t entries = 0;
};
/// Scans the file for whole blocks and writes an index of them and a manifest of the entries in them. Keeps all entries
/// in memory. `base`: what blocks may be coded against, which the lost trailer named. Errors: corrupt (nothing is
/// left), limit.
Result<Rebuilt> rebuild(const RandomAccessSource& file, const codec::Registry& registry,
                        std::optional<BaseName> base = std::nullopt);

}  // namespace mmh::pack
