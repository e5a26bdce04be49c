#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>

#include "../elements.h"
#include "../table.h"
#include "mmh/base/varint.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;
using codec::Signature;

constexpr unsigned kBitsMax = 56;  // wider numbers stay whole: a byte more must fit into 64 bits

struct Shape {
  std::size_t width;
  unsigned bits;
  std::uint64_t base;
  std::uint64_t count;
  ByteView tail;
};

Result<Shape> parse(ByteView parameters) {
  MMH_LET(const std::uint64_t bits, take_varint(parameters));
  MMH_LET(const std::uint64_t base, take_varint(parameters));
  MMH_LET(const std::uint64_t count, take_varint(parameters));
  MMH_LET(const Elements elements, take_elements(parameters, 1, 8));
  const std::uint64_t whole = 8 * elements.width;
  if (!is_integer_width(elements.width) || bits > whole || (bits > kBitsMax && bits != whole) ||
      (whole < 64 && base >> whole != 0)) {
    return fail(Errc::corrupt, fmt::format("bit_pack: {} bits of integers of {} bytes", bits, elements.width));
  }
  return Shape{.width = elements.width,
               .bits = static_cast<unsigned>(bits),
               .base = base,
               .count = count,
               .tail = elements.tail};
}

std::size_t packed_size(std::size_t count, unsigned bits) { return (count * bits + 7) / 8; }

// Eight bytes of `bits` bits each, to the low 8 * bits bits and back: halves are moved together in three steps.
std::uint64_t pack_eight(std::uint64_t x, unsigned bits) {
  x = (x & 0x00ff00ff00ff00ff) | (x & 0xff00ff00ff00ff00) >> (8 - bits);
  x = (x & 0x0000ffff0000ffff) | (x & 0xffff0000ffff0000) >> (16 - 2 * bits);
  return (x & 0x00000000ffffffff) | (x & 0xffffffff00000000) >> (32 - 4 * bits);
}
std::uint64_t unpack_eight(std::uint64_t x, unsigned bits) {
  const std::uint64_t four = (std::uint64_t{1} << 4 * bits) - 1;
  const std::uint64_t two = ((std::uint64_t{1} << 2 * bits) - 1) * 0x0000000100000001;
  const std::uint64_t one = ((std::uint64_t{1} << bits) - 1) * 0x0001000100010001;
  x = (x & four) | (x & ~four) << (32 - 4 * bits);
  x = (x & two) | (x & ~two) << (16 - 2 * bits);
  return ((x & one) | (x & ~one) << (8 - bits)) & ((std::uint64_t{1} << bits) - 1) * 0x0101010101010101;
}

template <class T>
void pack(const std::byte* in, std::size_t count, unsigned bits, T base, std::byte* out) {
  std::size_t i = 0;
  if constexpr (sizeof(T) == 1) {
    if (bits < 8) {
      const std::uint64_t bases = std::uint64_t{base} * 0x0101010101010101;
      for (; i + 16 <= count; i += 8, out += bits) {
        std::uint64_t eight;
        std::memcpy(&eight, in + i, sizeof eight);
        // No byte borrows from the next: each is at least the base.
        eight = pack_eight(eight - bases, bits);
        std::memcpy(out, &eight, sizeof eight);  // what is behind is written over: eight more follow
      }
    }
  }
  std::uint64_t held = 0;
  unsigned held_bits = 0;
  for (; i < count; ++i) {
    held |= std::uint64_t{static_cast<T>(element<T>(in, i) - base)} << held_bits;
    for (held_bits += bits; held_bits >= 8; held_bits -= 8, held >>= 8) *out++ = static_cast<std::byte>(held);
  }
  if (held_bits > 0) *out = static_cast<std::byte>(held);
}

template <class T>
void unpack(const std::byte* in, std::size_t in_size, std::size_t count, unsigned bits, T base, std::byte* out) {
  std::size_t i = 0;
  const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
  const std::size_t fast = in_size < 8 ? 0 : std::min(count, (in_size - 8) * 8 / std::max(1U, bits));
  if constexpr (sizeof(T) == 1) {
    if (bits > 0 && bits < 8) {
      const std::uint64_t bases = std::uint64_t{base} * 0x0101010101010101;
      for (; i + 8 <= fast; i += 8) {
        std::uint64_t eight;
        std::memcpy(&eight, in + i / 8 * bits, sizeof eight);
        eight = unpack_eight(eight & (~std::uint64_t{0} >> (64 - 8 * bits)), bits);
        // A damaged stream may carry from byte to byte, which the hash of the block then tells.
        eight += bases;
        std::memcpy(out + i, &eight, sizeof eight);
      }
    }
  }
  for (; i < fast; ++i) {
    std::uint64_t held;
    std::memcpy(&held, in + i * bits / 8, sizeof held);
    set_element<T>(out, i, static_cast<T>(static_cast<T>(held >> i * bits % 8 & mask) + base));
  }
  for (; i < count; ++i) {
    std::uint64_t held = 0;
    const std::size_t place = i * bits / 8;
    std::memcpy(&held, in + place, std::min<std::size_t>(sizeof held, in_size - place));
    set_element<T>(out, i, static_cast<T>(static_cast<T>(held >> i * bits % 8 & mask) + base));
  }
}

class BitPack final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::bit_pack; }
  std::string_view name() const override { return "bit_pack"; }
  std::string_view purpose() const override { return "integers of a small range, in as many bits as that takes"; }

  Result<Signature> signature(ByteView parameters) const override {
    MMH_TRY(parse(parameters));
    Signature signature;
    signature.coded[0] = {.kind = codec::StreamKind::bits, .width = 1};
    return signature;
  }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    if (!is_integer_width(options.width)) {
      return fail(Errc::usage, fmt::format("bit_pack: no integers of {} bytes", options.width));
    }
    Encoded result;
    for_integers(options.width, [&]<class T>(T) {
      const std::size_t count = raw.size() / sizeof(T);
      T least = std::numeric_limits<T>::max();
      T most = 0;
      for (std::size_t i = 0; i < count; ++i) {
        const T value = element<T>(raw.data(), i);
        least = std::min(least, value);
        most = std::max(most, value);
      }
      auto bits = count == 0 ? 0U : static_cast<unsigned>(std::bit_width(static_cast<T>(most - least)));
      if (bits > kBitsMax) bits = 8 * sizeof(T);
      const T base = count == 0 || bits == 8 * sizeof(T) ? T{0} : least;
      put_varint(result.parameters, bits);
      put_varint(result.parameters, base);
      put_varint(result.parameters, count);
      put_elements(result.parameters, sizeof(T), raw);
      constexpr std::size_t kSlack = 8;  // pack() writes eight bytes at a time
      Buffer& out = result.streams.emplace_back(packed_size(count, bits) + kSlack);
      if (bits == 8 * sizeof(T)) {
        copy_bytes(raw.first(count * sizeof(T)), Bytes(out));
      } else {
        pack<T>(raw.data(), count, bits, base, out.data());
      }
      out.resize(packed_size(count, bits));
    });
    return result;
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    MMH_LET(const Shape shape, parse(parameters));
    MMH_LET(const std::size_t count, place_tail({.width = shape.width, .tail = shape.tail}, raw));
    const ByteView in = streams[0];
    if (count != shape.count || in.size() != packed_size(count, shape.bits)) {
      return fail(Errc::corrupt, fmt::format("bit_pack: {} bytes for {} integers", in.size(), count));
    }
    if (shape.bits == 8 * shape.width) {
      copy_bytes(in, raw);
      return {};
    }
    for_integers(shape.width, [&]<class T>(T) {
      unpack<T>(in.data(), in.size(), count, shape.bits, static_cast<T>(shape.base), raw.data());
    });
    return {};
  }

  std::size_t decode_memory_max(std::size_t) const override { return 0; }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions&) const override { return raw_size + 64; }
};

}  // namespace

const codec::Codec& bit_pack_codec() {
  static const BitPack codec;
  return codec;
}

}  // namespace mmh::codecs
