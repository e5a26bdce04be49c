#pragma once

#include <cstdint>

#include "mmh/base/bytes.h"

namespace mmh::pack {

/// The zeros of a hole: `size` of them, or as many as there are at hand (4 MiB).
ByteView zeros(std::uint64_t size);

}  // namespace mmh::pack
