#pragma once
// Floats without a header, by their exponents.

#include <optional>

#include "mmh/content/layout.h"

namespace mmh::content {

/// The type of the floats that data seems to be made of, and the offset of the first.
struct FloatGuess {
  ElementType type;
  unsigned phase;
  bool big_endian = false;
};

/// Whether `head` is made of fp16, bf16, fp32 or fp64 of the sizes that weights and measurements have; of big-endian
/// ones only where the first of them stands at its front.
/// Looks at a KiB of it.
std::optional<FloatGuess> guess_floats(ByteView head);

}  // namespace mmh::content
