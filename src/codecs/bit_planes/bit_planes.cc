#include <algorithm>

#include "../elements.h"
#include "../planes/planes_kernels.h"
#include "../table.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;
using codec::Signature;

constexpr std::size_t kWidthMax = 8;
constexpr std::size_t kTile = 4096;  // elements whose byte planes are held at a time

// Bit k of byte i becomes bit i of byte k, and back. After H. S. Warren, "Hacker's Delight", section 7-3.
std::uint64_t transpose_bits(std::uint64_t x) {
  std::uint64_t swapped = (x ^ x >> 7) & 0x00AA00AA00AA00AA;
  x ^= swapped ^ swapped << 7;
  swapped = (x ^ x >> 14) & 0x0000CCCC0000CCCC;
  x ^= swapped ^ swapped << 14;
  swapped = (x ^ x >> 28) & 0x00000000F0F0F0F0;
  return x ^ swapped ^ swapped << 28;
}

// `count` is a multiple of 8. Bit plane b of the byte plane goes to, or comes from, bits + b * stride.
void to_bits(const std::uint8_t* __restrict bytes, std::size_t count, std::uint8_t* __restrict bits,
             std::size_t stride) {
  for (std::size_t i = 0; i < count / 8; ++i) {
    std::uint64_t eight;
    std::memcpy(&eight, bytes + 8 * i, sizeof eight);
    eight = transpose_bits(eight);
    for (std::size_t b = 0; b < 8; ++b) bits[b * stride + i] = static_cast<std::uint8_t>(eight >> (8 * b));
  }
}
void from_bits(const std::uint8_t* __restrict bits, std::size_t stride, std::size_t count,
               std::uint8_t* __restrict bytes) {
  for (std::size_t i = 0; i < count / 8; ++i) {
    std::uint64_t eight = 0;
    for (std::size_t b = 0; b < 8; ++b) eight |= std::uint64_t{bits[b * stride + i]} << (8 * b);
    eight = transpose_bits(eight);
    std::memcpy(bytes + 8 * i, &eight, sizeof eight);
  }
}

class BitPlanes final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::bit_planes; }
  std::string_view name() const override { return "bit_planes"; }
  std::string_view purpose() const override { return "bit planes of numbers, for narrow and noisy integers"; }

  Result<Signature> signature(ByteView parameters) const override {
    MMH_TRY(take_numbers(name(), parameters));
    return Signature{};
  }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    MMH_TRY(check_number_width(name(), options.width));
    const std::size_t width = options.width;
    Encoded result;
    put_elements(result.parameters, width, raw);
    Buffer& out = result.streams.emplace_back(raw.size() / width * width);
    const std::size_t count = out.size() / width / 8 * 8;
    const std::size_t stride = count / 8;
    for (std::size_t begin = 0; begin < count; begin += kTile) {
      const std::size_t size = std::min(kTile, count - begin);
      std::uint8_t tile[kWidthMax * kTile];
      split(raw, begin, size, width, tile);
      for (std::size_t plane = 0; plane < width; ++plane) {
        to_bits(tile + plane * kTile, size, u8(Bytes(out)) + 8 * plane * stride + begin / 8, stride);
      }
    }
    copy_bytes(raw.subspan(count * width, out.size() - count * width), Bytes(out).subspan(count * width));
    return result;
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    MMH_LET(const Elements elements, take_numbers(name(), parameters));
    MMH_LET(const std::size_t all, place_tail(elements, raw));
    const std::size_t width = elements.width;
    const ByteView in = streams[0];
    if (in.size() != all * width) return fail(Errc::corrupt, "bit_planes: a stream of another size");
    const std::size_t count = all / 8 * 8;
    const std::size_t stride = count / 8;
    for (std::size_t begin = 0; begin < count; begin += kTile) {
      const std::size_t size = std::min(kTile, count - begin);
      std::uint8_t tile[kWidthMax * kTile];
      for (std::size_t plane = 0; plane < width; ++plane) {
        from_bits(u8(in) + 8 * plane * stride + begin / 8, stride, size, tile + plane * kTile);
      }
      join(tile, begin, size, width, raw);
    }
    copy_bytes(in.subspan(count * width), raw.subspan(count * width));
    return {};
  }

  std::size_t decode_memory_max(std::size_t) const override { return 0; }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions&) const override { return raw_size; }

 private:
  static void split(ByteView raw, std::size_t begin, std::size_t size, std::size_t width, std::uint8_t* tile) {
    if (width == 1) {
      std::memcpy(tile, u8(raw) + begin, size);
      return;
    }
    planes::PlanesOut out{};
    for (std::size_t plane = 0; plane < width; ++plane) out[plane] = tile + plane * kTile;
    planes::best_kernels()->split(u8(raw) + begin * width, size, width, 0, out);
  }
  static void join(const std::uint8_t* tile, std::size_t begin, std::size_t size, std::size_t width, Bytes raw) {
    if (width == 1) {
      std::memcpy(u8(raw) + begin, tile, size);
      return;
    }
    planes::PlanesIn in{};
    for (std::size_t plane = 0; plane < width; ++plane) in[plane] = tile + plane * kTile;
    planes::best_kernels()->join(in, size, width, 0, u8(raw) + begin * width);
  }
};

}  // namespace

const codec::Codec& bit_planes_codec() {
  static const BitPlanes codec;
  return codec;
}

}  // namespace mmh::codecs
