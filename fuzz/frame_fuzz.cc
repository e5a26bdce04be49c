// Frames of the codecs that ship: any bytes are refused or fill the block, and describing takes what decoding parses.
//
// Input: raw size (2 bytes, little-endian), frame.

#include <cstddef>
#include <cstdint>

#include "mmh/base/check.h"
#include "mmh/codec/frame.h"
#include "mmh/codecs/builtin.h"

namespace {

using namespace mmh;

const codec::DecodeContext& context() {
  static const codec::DecodeContext with_dictionary{
      .dictionary = [](std::uint64_t block) -> Result<std::shared_ptr<const codec::Dictionary>> {
        static const auto only = std::make_shared<const codec::Dictionary>(
            codec::Dictionary{.block = 1, .bytes = copy_of(as_bytes("a dictionary of raw content for the fuzzer"))});
        if (block != only->block) return fail(Errc::corrupt, "no such dictionary");
        return only;
      },
      .base = [](std::uint64_t offset, Bytes out) -> Result<> {
        if (offset + out.size() > 65536) return fail(Errc::corrupt, "outside the base");
        for (std::byte& byte : out) byte = static_cast<std::byte>(offset++ * 31 >> 3);
        return {};
      }};
  return with_dictionary;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const ByteView input = std::as_bytes(std::span(data, size));
  const auto raw_size = load_le<std::uint16_t>(input);
  const ByteView frame = input.subspan(2);
  const codec::Registry& registry = codecs::builtin_registry();
  Buffer raw(raw_size);
  const bool decodes = decode_frame(registry, frame, raw, context()).has_value();
  MMH_CHECK(!decodes || describe_frame(registry, frame, raw_size).has_value());
  return 0;
}
