#include "numbers.h"

#include <fmt/format.h>

namespace mmh::codecs {

Result<codec::Signature> NumbersCodec::signature(ByteView parameters) const {
  MMH_LET(const Elements elements, take_numbers(name_, parameters));
  codec::Signature signature;
  signature.coded[0] = {.kind = codec::StreamKind::numbers, .width = static_cast<std::uint32_t>(elements.width)};
  return signature;
}

Result<codec::Encoded> NumbersCodec::encode(ByteView raw, const codec::EncodeOptions& options) const {
  MMH_TRY(check_number_width(name_, options.width));
  codec::Encoded result;
  put_elements(result.parameters, options.width, raw);
  const std::size_t count = raw.size() / options.width;
  Buffer& out = result.streams.emplace_back(count * options.width);
  forward_(options.width, raw.data(), count, out.data());
  return result;
}

Result<> NumbersCodec::decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                              const codec::DecodeContext&) const {
  MMH_LET(const Elements elements, take_numbers(name_, parameters));
  MMH_LET(const std::size_t count, place_tail(elements, raw));
  if (streams[0].size() != count * elements.width) {
    return fail(Errc::corrupt, fmt::format("{}: a stream of another size", name_));
  }
  backward_(elements.width, streams[0].data(), count, raw.data());
  return {};
}

}  // namespace mmh::codecs
