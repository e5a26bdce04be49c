// Any bytes, whatever they are taken for: a class is found, the plan encodes, and what decodes is the same.
//
// Input: class (1 byte; the highest bit: ask classify), level (1 byte), bytes.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "mmh/base/check.h"
#include "mmh/codecs/builtin.h"
#include "mmh/content/planner.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mmh;
  if (size < 2 || size > std::size_t{64} << 10) return 0;
  const ByteView raw = std::as_bytes(std::span(data, size)).subspan(2);
  auto content = static_cast<content::ContentClass>((data[0] & 0x7F) % content::kContentClassCount);
  if ((data[0] & 0x80) != 0) content = content::classify(raw, "folder/name.bin");
  MMH_CHECK(static_cast<std::size_t>(content) < content::kContentClassCount);
  MMH_CHECK(content::entropy(raw) <= 2048);

  const codec::Registry& registry = codecs::builtin_registry();
  const int level = content::kLevelMin + data[1] % content::kLevelMax;
  const codec::Plan plan = content::default_planner(registry).plan(raw, content, level);
  const auto frame = codec::encode_frame(registry, plan, raw);
  MMH_CHECK(frame.has_value() && frame->size() <= raw.size() + codec::kFrameOverheadMax);
  Buffer back(raw.size());
  MMH_CHECK(codec::decode_frame(registry, *frame, back).has_value() && std::ranges::equal(back, raw));
  return 0;
}
