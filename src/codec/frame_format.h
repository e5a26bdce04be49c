#pragma once
// The constants of docs/format/frame.md that the reader and the writer share.

#include <cstdint>

#include "mmh/codec/frame.h"

namespace mmh::codec {

inline constexpr std::byte kKindStored{0};        // raw bytes follow
inline constexpr std::uint64_t kInputStored = 0;  // an input that is the next stored stream
static_assert(kNodesMax == 128, "the first byte of a frame is its node count, and 129..255 belong to later readers");

}  // namespace mmh::codec
