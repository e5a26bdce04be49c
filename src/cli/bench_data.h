#pragma once
// Seeded, realistic files for `mmh bench`: the same on every machine.

#include <cstdint>
#include <functional>
#include <string>

#include "mmh/common.h"

namespace mmh::cli {

struct GeneratedData {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};

/// Writes a mix of text, source, JSON, images, float tensors, logs, archives and incompressible files beneath
/// `directory`, `bytes` in all. Integer arithmetic only. `progress` is told the bytes and files written. Errors: io,
/// no_space, cancelled.
Result<GeneratedData> generate_data(const std::string& directory, std::uint64_t bytes, std::uint64_t seed,
                                    const std::function<void(std::uint64_t, std::uint64_t)>& progress,
                                    const CancelFlag* cancel);

}  // namespace mmh::cli
