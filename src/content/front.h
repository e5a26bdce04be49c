#pragma once
// Fronts: reversible transforms that stand before a general codec and make numbers, records and machine code easier for
// it.

#include <algorithm>
#include <vector>

#include "mmh/codec/frame.h"
#include "mmh/content/content_type.h"

namespace mmh::content {

/// One transform of a front.
struct Stage {
  codec::CodecId codec = codec::CodecId::stored;
  codec::EncodeOptions options;
};

/// Transforms, outermost first. Empty: none.
using Front = std::vector<Stage>;

/// Whether the front is a filter of machine code.
bool is_branch(const Front& front);
/// Whether the front yields byte planes: it ends with a transpose.
bool is_planar(const Front& front);

/// The plan that runs `front`, then `back`.
codec::Plan plan_of(const Front& front, codec::Plan back);

/// Bytes of the frame that `plan` makes of `raw`; those of `raw` where it makes none.
std::size_t size_of(const codec::Registry& registry, const codec::Plan& plan, ByteView raw);

/// Pieces of a block, laid end to end, each `piece_size` bytes but for the last.
struct Sample {
  Buffer bytes;
  std::size_t piece_size = 1;
};

/// `piece` behind `front`: planes of `plane_size` bytes one behind the other where the front ends with a transpose (and
/// less than one more byte for each plane), else a single one.
struct Planes {
  Buffer coded;
  std::size_t plane_size = 1;
};
Planes planes_of(const codec::Registry& registry, const Front& front, ByteView piece);

/// Calls `take` with every part of the sample that a general codec will see apart behind `front`.
template <class Take>
void for_each_part(const codec::Registry& registry, const Front& front, const Sample& sample, Take&& take) {
  for (std::size_t at = 0; at < sample.bytes.size(); at += sample.piece_size) {
    const ByteView rest = ByteView(sample.bytes).subspan(at);
    const Planes planes = planes_of(registry, front, rest.first(std::min(sample.piece_size, rest.size())));
    for (std::size_t plane = 0; plane < planes.coded.size(); plane += planes.plane_size) {
      const ByteView part = ByteView(planes.coded).subspan(plane);
      take(part.first(std::min(planes.plane_size, part.size())));
    }
  }
}

/// The fronts that may suit data of a class, most general first; none for text. `sample`: of the data, for the length
/// of its records. Fronts whose codecs the registry lacks are left out.
std::vector<Front> fronts_for(const codec::Registry& registry, const ContentType& type, const Sample& sample);

/// Up to `count` of `fronts`, those that leave `sample` with the lowest order-0 entropy of each byte plane, best first,
/// and only those that lower it. Fronts that only matter to matches (branches) are not judged and come first.
std::vector<Front> most_promising(const codec::Registry& registry, std::vector<Front> fronts, const Sample& sample,
                                  std::size_t count);

}  // namespace mmh::content
