#include <fmt/format.h>

#include "../elements.h"
#include "../table.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;
using codec::Signature;

Result<Elements> parse(ByteView parameters) {
  MMH_LET(const Elements elements, take_elements(parameters, 1, 8));
  if (!is_integer_width(elements.width)) {
    return fail(Errc::corrupt, fmt::format("xor_delta: no numbers of {} bytes", elements.width));
  }
  return elements;
}

class XorDelta final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::xor_delta; }
  std::string_view name() const override { return "xor_delta"; }
  std::string_view purpose() const override { return "exclusive or of neighbours: floats that change little"; }

  Result<Signature> signature(ByteView parameters) const override {
    MMH_LET(const Elements elements, parse(parameters));
    Signature signature;
    signature.coded[0] = {.kind = codec::StreamKind::numbers, .width = static_cast<std::uint32_t>(elements.width)};
    return signature;
  }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    if (!is_integer_width(options.width)) {
      return fail(Errc::usage, fmt::format("xor_delta: no numbers of {} bytes", options.width));
    }
    Encoded result;
    put_elements(result.parameters, options.width, raw);
    Buffer& out = result.streams.emplace_back(raw.size() / options.width * options.width);
    for_integers(options.width, [&]<class T>(T) {
      const std::byte* const from = raw.data();
      std::byte* const __restrict to = out.data();
      const std::size_t count = out.size() / sizeof(T);
      if (count > 0) set_element<T>(to, 0, element<T>(from, 0));
      for (std::size_t i = 1; i < count; ++i) {
        set_element<T>(to, i, static_cast<T>(element<T>(from, i) ^ element<T>(from, i - 1)));
      }
    });
    return result;
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    MMH_LET(const Elements elements, parse(parameters));
    MMH_LET(const std::size_t count, place_tail(elements, raw));
    if (streams[0].size() != count * elements.width) return fail(Errc::corrupt, "xor_delta: a stream of another size");
    for_integers(elements.width, [&]<class T>(T) {
      const std::byte* const from = streams[0].data();
      std::byte* const __restrict to = raw.data();
      T value = 0;
      for (std::size_t i = 0; i < count; ++i) {
        value = static_cast<T>(value ^ element<T>(from, i));
        set_element<T>(to, i, value);
      }
    });
    return {};
  }

  std::size_t decode_memory_max(std::size_t) const override { return 0; }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions&) const override { return raw_size; }
};

}  // namespace

const codec::Codec& xor_delta_codec() {
  static const XorDelta codec;
  return codec;
}

}  // namespace mmh::codecs
