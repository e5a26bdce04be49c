#include "mmh/pack/verify.h"

#include <algorithm>

#include "verifier.h"

namespace mmh::pack {

Result<VerifyReport> verify(const Reader& reader, TaskPool& pool, bool deep,
                            const std::function<void(std::uint64_t, std::uint64_t)>& progress,
                            const CancelFlag* cancel) {
  Verification state{
      .reader = reader, .pool = pool, .deep = deep, .progress = progress, .cancel = cancel, .report = {}, .sound = {}};
  MMH_TRY(verify_stored(state));
  MMH_TRY(verify_manifest(state));
  std::ranges::stable_sort(state.report.damage, {}, &Damage::offset);
  return std::move(state.report);
}

}  // namespace mmh::pack
