#pragma once
// Similarity sketches: near-identical byte strings get equal features with high probability, so that sorting by sketch
// puts similar content side by side. A sketch only orders data; it never decides equality.

#include <array>
#include <cstdint>

#include "mmh/base/bytes.h"

namespace mmh::chunking {

/// Four super-features; two similar inputs usually share at least one.
using Sketch = std::array<std::uint32_t, 4>;

/// The sketch of `data`; samples, so that it costs little beside reading. Deterministic.
Sketch similarity_sketch(ByteView data);

}  // namespace mmh::chunking
