#include <fmt/format.h>

#include <algorithm>

#include "../common.h"
#include "../table.h"
#include "mmh/base/varint.h"
#include "planes_kernels.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;
using codec::Signature;
using namespace planes;

bool may_rotate(std::uint64_t width) { return width == 1 || width == 2 || width == 4 || width == 8; }

struct Shape {
  std::size_t width;
  unsigned rotate;
  ByteView head;  // bytes before the first element
  ByteView tail;  // and behind the last
};

Result<Shape> parse(ByteView parameters) {
  MMH_LET(const std::uint64_t width, take_varint(parameters));
  MMH_LET(const std::uint64_t rotate, take_varint(parameters));
  MMH_LET(const std::uint64_t head, take_varint(parameters));
  if (width < kWidthMin || width > kWidthMax || rotate >= 8 * width || (rotate != 0 && !may_rotate(width))) {
    return fail(Errc::corrupt, fmt::format("planes: elements of {} bytes, rotated by {} bits", width, rotate));
  }
  if (head >= width || head > parameters.size() || parameters.size() - head >= width) {
    return fail(Errc::corrupt, fmt::format("planes: {} bytes around elements of {}", parameters.size(), width));
  }
  return Shape{.width = static_cast<std::size_t>(width),
               .rotate = static_cast<unsigned>(rotate),
               .head = parameters.first(static_cast<std::size_t>(head)),
               .tail = parameters.subspan(static_cast<std::size_t>(head))};
}

class Planes final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::planes; }
  std::string_view name() const override { return "planes"; }
  std::string_view purpose() const override {
    return "byte planes of numbers, each a stream; a rotation sets floats' exponents apart";
  }

  Result<Signature> signature(ByteView parameters) const override {
    MMH_LET(const Shape shape, parse(parameters));
    Signature signature;
    signature.stream_count = shape.width;
    return signature;
  }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    MMH_TRY(check_option("planes width", options.width, kWidthMin, kWidthMax));
    MMH_TRY(check_option("planes rotation", options.rotate, 0, may_rotate(options.width) ? 8 * options.width - 1 : 0));
    MMH_TRY(check_option("planes phase", options.phase, 0, options.width - 1));
    const std::size_t head = std::min<std::size_t>(options.phase, raw.size());
    const std::size_t count = (raw.size() - head) / options.width;
    Encoded result;
    put_varint(result.parameters, options.width);
    put_varint(result.parameters, options.rotate);
    put_varint(result.parameters, head);
    append(result.parameters, raw.first(head));
    append(result.parameters, raw.subspan(head + count * options.width));
    PlanesOut out{};
    for (std::size_t plane = 0; plane < options.width; ++plane) {
      out[plane] = u8(Bytes(result.streams.emplace_back(count)));
    }
    best_kernels()->split(u8(raw.subspan(head)), count, options.width, options.rotate, out);
    return result;
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    MMH_LET(const Shape shape, parse(parameters));
    const std::size_t count = streams[0].size();
    PlanesIn in{};
    for (std::size_t plane = 0; plane < shape.width; ++plane) {
      if (streams[plane].size() != count) {
        return fail(Errc::corrupt, fmt::format("planes: {} bytes beside {}", streams[plane].size(), count));
      }
      in[plane] = u8(streams[plane]);
    }
    const std::size_t around = shape.head.size() + shape.tail.size();
    if (raw.size() < around || (raw.size() - around) % shape.width != 0 ||
        (raw.size() - around) / shape.width != count) {
      return fail(Errc::corrupt,
                  fmt::format("planes: {} elements of {} bytes for {} bytes", count, shape.width, raw.size()));
    }
    copy_bytes(shape.head, raw);
    best_kernels()->join(in, count, shape.width, shape.rotate, u8(raw.subspan(shape.head.size())));
    copy_bytes(shape.tail, raw.last(shape.tail.size()));
    return {};
  }

  std::size_t decode_memory_max(std::size_t) const override { return 0; }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions& options) const override {
    // Allocations are rounded up, one for each plane.
    constexpr std::size_t kRounding = 64;
    return raw_size + options.width * kRounding;
  }
};

}  // namespace

const codec::Codec& planes_codec() {
  static const Planes codec;
  return codec;
}

}  // namespace mmh::codecs
