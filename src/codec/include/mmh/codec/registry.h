#pragma once
// The set of codecs that a decoder may run.

#include <span>
#include <vector>

#include "mmh/codec/codec.h"

namespace mmh::codec {

/// Codecs by id. Immutable once built; safe to use from many threads.
class Registry {
 public:
  /// Requires: ids are distinct; the codecs outlive the registry.
  explicit Registry(std::vector<const Codec*> codecs);
  /// Null where no codec has that id.
  const Codec* find(CodecId id) const;
  std::span<const Codec* const> all() const { return codecs_; }  ///< Ordered by id.

 private:
  std::vector<const Codec*> codecs_;
};

}  // namespace mmh::codec
