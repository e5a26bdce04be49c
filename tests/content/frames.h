#pragma once
// What tests of plans do with the frames that come of them.

#include <algorithm>
#include <string>

#include "mmh/codec/frame.h"
#include "mmh/codecs/builtin.h"

namespace mmh::test {

/// Empty where the frame gives `raw` back; else what is wrong.
inline std::string bytes_back(ByteView frame, ByteView raw) {
  Buffer back(raw.size());
  const auto decoded = codec::decode_frame(codecs::builtin_registry(), frame, back);
  if (!decoded) return decoded.error().what;
  return std::ranges::equal(back, raw) ? "" : "other bytes";
}

}  // namespace mmh::test
