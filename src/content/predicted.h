#pragma once
// Pictures whose rows are known, and sound: for the codecs that predict each number from those around it.

#include <optional>

#include "mmh/codec/frame.h"
#include "mmh/content/content_type.h"

namespace mmh::content {

/// The plan that predicts the numbers of `raw`; nothing where it is no picture or sound of integers that a codec of the
/// registry takes. `level`: ours.
std::optional<codec::Plan> predicted_plan(const codec::Registry& registry, ByteView raw, const ContentType& type,
                                          int level);

/// A few runs of whole rows of a picture, of moments of sound, end to end, each of `piece_size` bytes; or all where
/// there are not many.
struct RowSample {
  Buffer bytes;
  std::size_t piece_size = 0;
};
RowSample sample_rows(ByteView raw, const ContentType& type);

}  // namespace mmh::content
