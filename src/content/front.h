#pragma once
// Fronts: reversible transforms that stand before a general codec and make numbers, records and machine code easier for
// it.

#include <vector>

#include "mmh/codec/frame.h"
#include "mmh/content/classify.h"

namespace mmh::content {

/// One transform of a front.
struct Stage {
  codec::CodecId codec = codec::CodecId::stored;
  codec::EncodeOptions options;
};

/// Transforms, outermost first. Empty: none.
using Front = std::vector<Stage>;

/// The plan that runs `front`, then `back`.
codec::Plan plan_of(const Front& front, codec::Plan back);

/// What a general codec will see apart: the byte planes that `front` makes of `sample`, or the whole as one where it
/// does not end with a transpose. Planes follow one another in `coded`; each is of the size given.
struct Planes {
  Buffer coded;
  std::size_t size = 0;
};
Planes planes_of(const codec::Registry& registry, const Front& front, ByteView sample);

/// The fronts that may suit data of a class, most general first; none for text. `sample`: of the data, for the length
/// of its records. Fronts whose codecs the registry lacks are left out.
std::vector<Front> fronts_for(const codec::Registry& registry, ContentClass content, ByteView sample);

/// Up to `count` of `fronts`, those that leave `sample` with the lowest order-0 entropy of each byte plane, best first,
/// and only those that lower it. Fronts that only matter to matches (branches) are not judged and come first.
std::vector<Front> most_promising(const codec::Registry& registry, std::vector<Front> fronts, ByteView sample,
                                  std::size_t count);

}  // namespace mmh::content
