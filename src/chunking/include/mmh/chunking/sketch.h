#pragma once
// Similarity sketches: near-identical byte strings get equal features with high probability, so that sorting by sketch
// puts similar content side by side. A sketch only orders data; it never decides equality.

#include <array>
#include <cstddef>
#include <cstdint>

#include "mmh/base/bytes.h"

namespace mmh::chunking {

/// What a sampling of some bytes gives (min-wise hashing).
struct Sketch {
  /// Two inputs share each of them with a probability of the part that they have in common.
  std::array<std::uint32_t, 12> features{};
  /// Of three features each: two similar inputs usually share at least one, and others hardly ever.
  std::array<std::uint32_t, 4> super_features{};
  bool operator==(const Sketch&) const = default;
};

/// The super-feature at a place, as the key of a map in which those of other places are too.
inline std::uint64_t super_feature_key(const Sketch& sketch, std::size_t place) {
  return std::uint64_t{place} << 32 | sketch.super_features[place];
}

/// Whether a part of one, however small, seems to stand in the other too.
bool have_common_feature(const Sketch& a, const Sketch& b);

/// The sketch of `data`; samples, so that it costs little beside reading. Deterministic.
Sketch similarity_sketch(ByteView data);

}  // namespace mmh::chunking
