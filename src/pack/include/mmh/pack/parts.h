#pragma once
// What the bytes of a whole pack are.

#include <cstdint>
#include <string_view>
#include <vector>

#include "mmh/base/files.h"

namespace mmh::pack {

/// A run of bytes that is one thing: "header", a block with its header ("data", "dictionary", "extents", "manifest",
/// "index", "trailer"; of parity "head", "anchors", "checks", "repair"; "other"), or "footer".
struct Part {
  std::string_view name;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

/// All parts, front to back, without a gap. Payloads are not looked at but for the beginnings of those of parity.
/// Errors: corrupt (a part cannot be made out), io.
Result<std::vector<Part>> pack_parts(const RandomAccessSource& pack);

}  // namespace mmh::pack
