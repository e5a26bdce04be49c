#include <fmt/format.h>

#include <array>
#include <utility>

#include "../common.h"
#include "../table.h"
#include "mmh/base/varint.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;

constexpr std::size_t kWidthMin = 2;
constexpr std::size_t kWidthMax = 64;

// `in`: count elements of `width` bytes. `out`: width planes of count bytes. A width that the compiler knows lets it
// make shuffles of the inner loops; kTile bytes of each plane at a time keep the planes from evicting each other.
constexpr std::size_t kTile = 64;

template <std::size_t kWidth>
void split_known(const std::uint8_t* __restrict in, std::size_t count, std::uint8_t* __restrict out) {
  std::size_t i = 0;
  if constexpr (kWidth >= 8) {
    for (; i + kTile <= count; i += kTile) {
      for (std::size_t plane = 0; plane < kWidth; ++plane) {
        const std::uint8_t* const from = in + i * kWidth + plane;
        std::uint8_t* const to = out + plane * count + i;
        for (std::size_t k = 0; k < kTile; ++k) to[k] = from[k * kWidth];
      }
    }
  }
  for (; i < count; ++i) {
    for (std::size_t plane = 0; plane < kWidth; ++plane) out[plane * count + i] = in[i * kWidth + plane];
  }
}

template <std::size_t kWidth>
void join_known(const std::uint8_t* __restrict in, std::size_t count, std::uint8_t* __restrict out) {
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t plane = 0; plane < kWidth; ++plane) out[i * kWidth + plane] = in[plane * count + i];
  }
}

void split_planes(const std::uint8_t* in, std::size_t count, std::size_t width, std::uint8_t* out) {
  switch (width) {
    case 2:
      return split_known<2>(in, count, out);
    case 4:
      return split_known<4>(in, count, out);
    case 8:
      return split_known<8>(in, count, out);
    default:
      for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t plane = 0; plane < width; ++plane) out[plane * count + i] = in[i * width + plane];
      }
  }
}

void join_planes(const std::uint8_t* in, std::size_t count, std::size_t width, std::uint8_t* out) {
  switch (width) {
    case 2:
      return join_known<2>(in, count, out);
    case 4:
      return join_known<4>(in, count, out);
    case 8:
      return join_known<8>(in, count, out);
    default:
      for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t plane = 0; plane < width; ++plane) out[i * width + plane] = in[plane * count + i];
      }
  }
}

class Transpose final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::transpose; }
  std::string_view name() const override { return "transpose"; }
  std::string_view purpose() const override { return "byte planes of numbers and records, before a general codec"; }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    MMH_TRY(check_option("transpose width", options.width, kWidthMin, kWidthMax));
    Buffer parameters;
    put_varint(parameters, options.width);
    Buffer stream(raw.size());
    const std::size_t count = raw.size() / options.width;
    const std::size_t whole = count * options.width;
    split_planes(u8(raw), count, options.width, u8(Bytes(stream)));
    copy_bytes(raw.subspan(whole), Bytes(stream).subspan(whole));
    return encoded(std::move(parameters), std::move(stream));
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    MMH_LET(const std::uint64_t width, take_varint(parameters));
    MMH_TRY(check_no_parameters(parameters));
    if (width < kWidthMin || width > kWidthMax) {
      return fail(Errc::corrupt, fmt::format("transpose: elements of {} bytes", width));
    }
    const ByteView stream = streams[0];
    if (stream.size() != raw.size()) {
      return fail(Errc::corrupt, fmt::format("transpose: {} bytes for {}", stream.size(), raw.size()));
    }
    const std::size_t count = raw.size() / static_cast<std::size_t>(width);
    const std::size_t whole = count * static_cast<std::size_t>(width);
    join_planes(u8(stream), count, static_cast<std::size_t>(width), u8(raw));
    copy_bytes(stream.subspan(whole), raw.subspan(whole));
    return {};
  }

  std::size_t decode_memory_max(std::size_t) const override { return 0; }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions&) const override { return raw_size; }
};

}  // namespace

const codec::Codec& transpose_codec() {
  static const Transpose codec;
  return codec;
}

}  // namespace mmh::codecs
