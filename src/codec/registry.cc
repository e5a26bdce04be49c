#include "mmh/codec/registry.h"

#include <algorithm>

#include "mmh/base/check.h"

namespace mmh::codec {

Registry::Registry(std::vector<const Codec*> codecs) : codecs_(std::move(codecs)) {
  std::ranges::sort(codecs_, {}, &Codec::id);
  MMH_CHECK(std::ranges::adjacent_find(codecs_, {}, &Codec::id) == codecs_.end());
  for (const Codec* codec : codecs_) MMH_CHECK(codec->id() != CodecId::stored);
}

const Codec* Registry::find(CodecId id) const {
  const auto place = std::ranges::lower_bound(codecs_, id, {}, &Codec::id);
  return place != codecs_.end() && (*place)->id() == id ? *place : nullptr;
}

}  // namespace mmh::codec
