#pragma once
// Verification of whole packs.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "mmh/base/cancel.h"
#include "mmh/base/task_pool.h"
#include "mmh/pack/reader.h"

namespace mmh::pack {

/// One thing wrong.
struct Damage {
  std::uint64_t offset = 0;  ///< In the pack file.
  std::uint64_t length = 0;
  std::string what;  ///< "block 12 (data): stored bytes do not match their hash".
};

/// What a verification found.
struct VerifyReport {
  std::uint64_t bytes_checked = 0;
  std::uint64_t blocks_checked = 0;
  std::uint64_t files_checked = 0;  ///< Deep only: content hashes compared.
  std::vector<Damage> damage;       ///< At most kDamageListMax are listed, damage_count counts all.
  std::uint64_t damage_count = 0;
  std::vector<std::string> files_damaged;  ///< Paths whose content cannot be had (at most kDamageListMax).
  /// Counts all, those included whose very names are lost with a manifest page.
  std::uint64_t files_damaged_count = 0;
  /// Behind the end of the pack, where they are nothing but the beginning of an append (killed, or cut off with the end
  /// of the file): the pack before them is whole, so they are no damage. Anything else there is.
  std::uint64_t trailing_bytes = 0;
  bool sound() const { return damage_count == 0 && files_damaged_count == 0; }
};
inline constexpr std::size_t kDamageListMax = 1000;

/// Checks every stored byte of the pack: header, each block (found by walking from block to block and compared with the
/// index), superseded trailers, footer; then the manifest tree against the root, and that every extent lies within its
/// block. With `deep`, decodes everything and compares each file's BLAKE3. `progress` (may be null) gets stored bytes
/// done of stored bytes total. Damage, unreadable stretches of the file included, is in the report; errors are for what
/// stops the check (cancelled; unsupported: a codec that this build lacks). Memory is bounded but for 20 bytes a block.
Result<VerifyReport> verify(const Reader& reader, TaskPool& pool, bool deep,
                            const std::function<void(std::uint64_t, std::uint64_t)>& progress,
                            const CancelFlag* cancel);

}  // namespace mmh::pack
