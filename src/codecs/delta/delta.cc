#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "../elements.h"
#include "../table.h"
#include "mmh/base/varint.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;

constexpr std::size_t kDistanceMax = 65535;  // in elements

// How a difference is written: bytes wrap around, integers are zigzag-coded.
struct AsIs {
  static std::uint8_t to(std::uint8_t difference) { return difference; }
  static std::uint8_t from(std::uint8_t coded) { return coded; }
};
template <class T>
struct Zigzag {
  static T to(T difference) { return zigzag(difference); }
  static T from(T coded) { return unzigzag(coded); }
};

// The first `distance` elements are differences to zero; bytes behind the last whole element stay as they are.
template <class T, class Form>
void encode_differences(ByteView in, std::size_t distance, Bytes out) {
  const std::size_t count = in.size() / sizeof(T);
  const std::byte* const from = in.data();
  std::byte* const __restrict to = out.data();
  const std::size_t head = std::min(distance, count);
  for (std::size_t i = 0; i < head; ++i) set_element<T>(to, i, Form::to(element<T>(from, i)));
  for (std::size_t i = head; i < count; ++i) {
    set_element<T>(to, i, Form::to(static_cast<T>(element<T>(from, i) - element<T>(from, i - distance))));
  }
  copy_bytes(in.subspan(count * sizeof(T)), out.subspan(count * sizeof(T)));
}

// With the distance known, the neighbours stay in registers and need not come back through memory.
template <class T, class Form, std::size_t kDistance>
void decode_near(const std::byte* __restrict from, std::size_t count, std::byte* __restrict to) {
  std::array<T, kDistance> before{};
  std::size_t i = 0;
  for (; i + kDistance <= count; i += kDistance) {
    for (std::size_t k = 0; k < kDistance; ++k) {
      before[k] = static_cast<T>(before[k] + Form::from(element<T>(from, i + k)));
      set_element<T>(to, i + k, before[k]);
    }
  }
  for (std::size_t k = 0; i < count; ++i, ++k) {
    set_element<T>(to, i, static_cast<T>(before[k] + Form::from(element<T>(from, i))));
  }
}

template <class T, class Form>
void decode_differences(ByteView in, std::size_t distance, Bytes out) {
  const std::size_t count = in.size() / sizeof(T);
  const std::byte* const from = in.data();
  std::byte* const to = out.data();
  switch (distance) {
    case 1:
      decode_near<T, Form, 1>(from, count, to);
      break;
    case 2:
      decode_near<T, Form, 2>(from, count, to);
      break;
    case 3:
      decode_near<T, Form, 3>(from, count, to);
      break;
    case 4:
      decode_near<T, Form, 4>(from, count, to);
      break;
    default: {
      const std::size_t head = std::min(distance, count);
      for (std::size_t i = 0; i < head; ++i) set_element<T>(to, i, Form::from(element<T>(from, i)));
      for (std::size_t i = head; i < count; ++i) {
        set_element<T>(to, i, static_cast<T>(Form::from(element<T>(from, i)) + element<T>(to, i - distance)));
      }
    }
  }
  copy_bytes(in.subspan(count * sizeof(T)), out.subspan(count * sizeof(T)));
}

struct Shape {
  std::size_t width;     // of an element, in bytes; 1: differences of bytes
  std::size_t distance;  // in elements
  std::size_t phase;     // bytes before the first element, which stay as they are; below the width
};

template <class Bytewise, class Integers>
void with_width(const Shape& shape, Bytewise bytewise, Integers integers) {
  switch (shape.width) {
    case 2:
      return integers(std::uint16_t{});
    case 4:
      return integers(std::uint32_t{});
    case 8:
      return integers(std::uint64_t{});
    default:
      return bytewise();
  }
}

bool is_integer_width(std::uint64_t width) { return width == 2 || width == 4 || width == 8; }

class Delta final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::delta; }
  std::string_view name() const override { return "delta"; }
  std::string_view purpose() const override { return "differences of neighbours, before a general codec"; }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    MMH_LET(const Shape shape, shape_of(options));
    Buffer parameters;
    put_varint(parameters, shape.width);
    put_varint(parameters, shape.distance);
    if (shape.phase != 0) put_varint(parameters, shape.phase);
    Buffer stream(raw.size());
    const std::size_t head = std::min(shape.phase, raw.size());
    copy_bytes(raw.first(head), stream);
    const ByteView elements = raw.subspan(head);
    const Bytes differences = Bytes(stream).subspan(head);
    with_width(
        shape, [&] { encode_differences<std::uint8_t, AsIs>(elements, shape.distance, differences); },
        [&]<class T>(T) { encode_differences<T, Zigzag<T>>(elements, shape.distance, differences); });
    return encoded(std::move(parameters), std::move(stream));
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    MMH_LET(const std::uint64_t width, take_varint(parameters));
    MMH_LET(const std::uint64_t distance, take_varint(parameters));
    std::uint64_t phase = 0;
    if (!parameters.empty()) {
      MMH_LET(phase, take_varint(parameters));
      MMH_TRY(check_no_parameters(parameters));
      if (phase == 0 || phase >= width) {
        return fail(Errc::corrupt, fmt::format("delta: elements of {} bytes do not begin {} bytes late", width, phase));
      }
    }
    if ((width != 1 && !is_integer_width(width)) || distance < 1 || distance > kDistanceMax) {
      return fail(Errc::corrupt, fmt::format("delta: no elements of {} bytes at a distance of {}", width, distance));
    }
    if (streams[0].size() != raw.size()) {
      return fail(Errc::corrupt, fmt::format("delta: {} bytes for {}", streams[0].size(), raw.size()));
    }
    const Shape shape{.width = static_cast<std::size_t>(width),
                      .distance = static_cast<std::size_t>(distance),
                      .phase = static_cast<std::size_t>(phase)};
    const std::size_t head = std::min(shape.phase, raw.size());
    copy_bytes(streams[0].first(head), raw);
    const ByteView differences = streams[0].subspan(head);
    const Bytes elements = raw.subspan(head);
    with_width(
        shape, [&] { decode_differences<std::uint8_t, AsIs>(differences, shape.distance, elements); },
        [&]<class T>(T) { decode_differences<T, Zigzag<T>>(differences, shape.distance, elements); });
    return {};
  }

  std::size_t decode_memory_max(std::size_t) const override { return 0; }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions&) const override { return raw_size; }

 private:
  static Result<Shape> shape_of(const EncodeOptions& options) {
    if (!options.integers) {
      MMH_TRY(check_option("delta width", options.width, 1, kDistanceMax));
      return Shape{.width = 1, .distance = options.width, .phase = 0};
    }
    if (options.width != 1 && !is_integer_width(options.width)) {
      return fail(Errc::usage, fmt::format("delta: no integers of {} bytes; 1, 2, 4 and 8 are known", options.width));
    }
    const std::size_t distance = options.delta_distance == 0 ? options.width : options.delta_distance;
    if (distance % options.width != 0) {
      return fail(Errc::usage,
                  fmt::format("delta: a distance of {} bytes cuts integers of {}", distance, options.width));
    }
    MMH_TRY(
        check_option("delta distance in elements", static_cast<long long>(distance / options.width), 1, kDistanceMax));
    MMH_TRY(check_option("delta phase", options.phase, 0, options.width - 1));
    return Shape{.width = options.width, .distance = distance / options.width, .phase = options.phase};
  }
};

}  // namespace

const codec::Codec& delta_codec() {
  static const Delta codec;
  return codec;
}

}  // namespace mmh::codecs
