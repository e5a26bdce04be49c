#pragma once
// Packs that need a base, made to stand alone.

#include <cstdint>

#include "mmh/base/files.h"
#include "mmh/base/task_pool.h"
#include "mmh/pack/packer.h"

namespace mmh::pack {

struct Rebased {
  std::uint64_t blocks = 0;  ///< Made anew.
  std::uint64_t pack_bytes = 0;
};
/// Writes `pack` anew, with the same numbers of blocks and the same manifest: blocks that are coded against its base
/// are coded alone, all others are copied. Superseded trailers stay behind. Of `options` it takes planner, registry,
/// memory, cancel, progress, writer, libraries. Errors: corrupt, not_found (the base is not to be had), limit,
/// cancelled, and what `out` returns.
Result<Rebased> rebase(const Reader& pack, const PackerOptions& options, TaskPool& pool, ByteSink& out);

}  // namespace mmh::pack
