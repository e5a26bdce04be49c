#include <fmt/format.h>

#include <type_traits>

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
    return fail(Errc::corrupt, fmt::format("zigzag: no integers of {} bytes", elements.width));
  }
  return elements;
}

class Zigzag final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::zigzag; }
  std::string_view name() const override { return "zigzag"; }
  std::string_view purpose() const override { return "signed integers: small ones of either sign become small"; }

  Result<Signature> signature(ByteView parameters) const override {
    MMH_LET(const Elements elements, parse(parameters));
    Signature signature;
    signature.coded[0] = {.kind = codec::StreamKind::numbers, .width = static_cast<std::uint32_t>(elements.width)};
    return signature;
  }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    if (!is_integer_width(options.width)) {
      return fail(Errc::usage, fmt::format("zigzag: no integers of {} bytes", options.width));
    }
    Encoded result;
    put_elements(result.parameters, options.width, raw);
    Buffer& out = result.streams.emplace_back(raw.size() / options.width * options.width);
    for_integers(options.width, [&]<class T>(T) {
      const std::byte* const from = raw.data();
      std::byte* const __restrict to = out.data();
      constexpr int kTopBit = sizeof(T) * 8 - 1;
      for (std::size_t i = 0; i < out.size() / sizeof(T); ++i) {
        const T value = element<T>(from, i);
        const auto sign = static_cast<T>(T{0} - static_cast<T>(value >> kTopBit));
        set_element<T>(to, i, static_cast<T>(static_cast<T>(value << 1) ^ sign));
      }
    });
    return result;
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    MMH_LET(const Elements elements, parse(parameters));
    MMH_LET(const std::size_t count, place_tail(elements, raw));
    if (streams[0].size() != count * elements.width) return fail(Errc::corrupt, "zigzag: a stream of another size");
    for_integers(elements.width, [&]<class T>(T) {
      const std::byte* const from = streams[0].data();
      std::byte* const __restrict to = raw.data();
      for (std::size_t i = 0; i < count; ++i) {
        const T coded = element<T>(from, i);
        set_element<T>(to, i, static_cast<T>(static_cast<T>(coded >> 1) ^ static_cast<T>(T{0} - (coded & 1))));
      }
    });
    return {};
  }

  std::size_t decode_memory_max(std::size_t) const override { return 0; }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions&) const override { return raw_size; }
};

}  // namespace

const codec::Codec& zigzag_codec() {
  static const Zigzag codec;
  return codec;
}

}  // namespace mmh::codecs
