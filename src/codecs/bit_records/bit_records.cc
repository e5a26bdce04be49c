#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "../common.h"
#include "../table.h"
#include "mmh/base/varint.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;
using codec::Signature;

constexpr std::uint64_t kBitsMin = 4;  // fewer would make more than twice as many bytes
constexpr std::uint64_t kBitsMax = 4096;

std::size_t bytes_of(std::size_t bits) { return (bits + 7) / 8; }

// Numbers take as many bytes as a machine has for them, so that what comes next can take them for such.
std::size_t record_size(std::size_t bits) { return bits <= 64 ? std::bit_ceil(bytes_of(bits)) : bytes_of(bits); }

// Bits of a run of bytes, which either end of a byte may begin.
template <bool kHighFirst>
class Window {
 public:
  static constexpr std::size_t kPiece = 32;  // most bits that are moved at once: with what lies before them in a byte
                                             // they fit into 64

  static std::uint64_t read(ByteView in, std::size_t place, std::size_t bits) {
    const std::uint64_t word = load(in.subspan(place / 8));
    const std::size_t before = place % 8;
    if constexpr (kHighFirst) return (word << before) >> (64 - bits);
    return word >> before & ((std::uint64_t{1} << bits) - 1);
  }

  // The bits there must be 0.
  static void write(Bytes out, std::size_t place, std::size_t bits, std::uint64_t value) {
    const Bytes at = out.subspan(place / 8);
    const std::size_t before = place % 8;
    const std::uint64_t moved = kHighFirst ? value << (64 - bits - before) : value << before;
    std::uint64_t word = load(at) | moved;
    if constexpr (kHighFirst) word = __builtin_bswap64(word);
    std::memcpy(at.data(), &word, std::min(at.size(), sizeof word));
  }

 private:
  static std::uint64_t load(ByteView in) {
    std::uint64_t word = 0;
    if (in.size() >= sizeof word) {
      std::memcpy(&word, in.data(), sizeof word);
    } else {
      std::memcpy(&word, in.data(), in.size());
    }
    return kHighFirst ? __builtin_bswap64(word) : word;
  }
};

// Where a piece of a record lies in the bits: the first piece has the low bits of the number.
template <bool kHighFirst, class Take>
void for_each_piece(std::size_t place, std::size_t bits, Take&& take) {
  constexpr std::size_t kPiece = Window<kHighFirst>::kPiece;
  for (std::size_t done = 0; done < bits; done += kPiece) {
    const std::size_t size = std::min(kPiece, bits - done);
    take(kHighFirst ? place + bits - done - size : place + done, size, done / 8);
  }
}

template <bool kHighFirst>
void read_record(ByteView in, std::size_t place, std::size_t bits, Bytes out) {
  for_each_piece<kHighFirst>(place, bits, [&](std::size_t at, std::size_t size, std::size_t byte) {
    const std::uint64_t value = Window<kHighFirst>::read(in, at, size);
    std::memcpy(out.data() + byte, &value, std::min<std::size_t>(4, out.size() - byte));
  });
}

template <bool kHighFirst>
void write_record(ByteView in, std::size_t place, std::size_t bits, Bytes out) {
  for_each_piece<kHighFirst>(place, bits, [&](std::size_t at, std::size_t size, std::size_t byte) {
    std::uint64_t value = 0;
    std::memcpy(&value, in.data() + byte, std::min<std::size_t>(4, in.size() - byte));
    Window<kHighFirst>::write(out, at, size, value & ((std::uint64_t{1} << size) - 1));
  });
}

struct Shape {
  std::size_t bits = 0;
  std::size_t phase = 0;
  std::size_t count = 0;      // records
  std::size_t tail_bits = 0;  // behind the last of them

  std::size_t tail_place() const { return phase + count * bits; }
};

Shape shape_of(std::size_t raw_size, std::size_t bits, std::size_t phase) {
  Shape shape{.bits = bits, .phase = std::min(phase, 8 * raw_size)};
  const std::size_t left = 8 * raw_size - shape.phase;
  shape.count = left / bits;
  shape.tail_bits = left % bits;
  return shape;
}

template <bool kHighFirst>
void unpack(ByteView raw, const Shape& shape, Buffer& parameters, Buffer& records) {
  const auto put = [&](std::size_t place, std::size_t bits) {
    Buffer around(bytes_of(bits));
    read_record<kHighFirst>(raw, place, bits, around);
    append(parameters, around);
  };
  put(0, shape.phase);
  put(shape.tail_place(), shape.tail_bits);
  const std::size_t size = record_size(shape.bits);
  records.resize(shape.count * size);
  std::ranges::fill(records, std::byte{0});
  for (std::size_t i = 0; i < shape.count; ++i) {
    read_record<kHighFirst>(raw, shape.phase + i * shape.bits, shape.bits, Bytes(records).subspan(i * size, size));
  }
}

template <bool kHighFirst>
void pack(ByteView around, ByteView records, const Shape& shape, Bytes raw) {
  std::ranges::fill(raw, std::byte{0});
  write_record<kHighFirst>(around, 0, shape.phase, raw);
  const std::size_t size = record_size(shape.bits);
  for (std::size_t i = 0; i < shape.count; ++i) {
    write_record<kHighFirst>(records.subspan(i * size, size), shape.phase + i * shape.bits, shape.bits, raw);
  }
  write_record<kHighFirst>(around.subspan(bytes_of(shape.phase)), shape.tail_place(), shape.tail_bits, raw);
}

struct Parameters {
  std::size_t bits;
  bool high_first;
  std::size_t phase;
  ByteView around;  // what lies before the first record and behind the last
};

Result<Parameters> parse(ByteView parameters) {
  MMH_LET(const std::uint64_t bits, take_varint(parameters));
  MMH_LET(const std::uint64_t order, take_varint(parameters));
  MMH_LET(const std::uint64_t phase, take_varint(parameters));
  if (bits < kBitsMin || bits > kBitsMax || order > 1 || phase >= bits) {
    return fail(Errc::corrupt, fmt::format("bit_records: records of {} bits from bit {} on", bits, phase));
  }
  return Parameters{.bits = static_cast<std::size_t>(bits),
                    .high_first = order == 1,
                    .phase = static_cast<std::size_t>(phase),
                    .around = parameters};
}

class BitRecords final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::bit_records; }
  std::string_view name() const override { return "bit_records"; }
  std::string_view purpose() const override {
    return "records whose length is no whole number of bytes, each in bytes of its own";
  }

  Result<Signature> signature(ByteView parameters) const override {
    MMH_TRY(parse(parameters));
    return Signature();
  }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    MMH_TRY(check_option("bit_records width", options.width, kBitsMin, kBitsMax));
    MMH_TRY(check_option("bit_records phase", options.phase, 0, options.width - 1));
    const Shape shape = shape_of(raw.size(), options.width, options.phase);
    Encoded result;
    put_varint(result.parameters, shape.bits);
    put_varint(result.parameters, options.big_endian ? 1 : 0);
    put_varint(result.parameters, shape.phase);
    Buffer& records = result.streams.emplace_back();
    if (options.big_endian) {
      unpack<true>(raw, shape, result.parameters, records);
    } else {
      unpack<false>(raw, shape, result.parameters, records);
    }
    return result;
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    MMH_LET(const Parameters parsed, parse(parameters));
    const Shape shape = shape_of(raw.size(), parsed.bits, parsed.phase);
    if (shape.phase != parsed.phase || streams[0].size() != shape.count * record_size(shape.bits) ||
        parsed.around.size() != bytes_of(shape.phase) + bytes_of(shape.tail_bits)) {
      return fail(Errc::corrupt, fmt::format("bit_records: {} bytes of records for {}", streams[0].size(), raw.size()));
    }
    if (parsed.high_first) {
      pack<true>(parsed.around, streams[0], shape, raw);
    } else {
      pack<false>(parsed.around, streams[0], shape, raw);
    }
    return {};
  }

  std::size_t decode_memory_max(std::size_t) const override { return 0; }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions&) const override {
    return coded_size_max(raw_size) + 4 * bytes_of(kBitsMax) + 256;
  }
  std::size_t coded_size_max(std::size_t raw_size) const override { return 2 * raw_size + 8; }
};

}  // namespace

const codec::Codec& bit_records_codec() {
  static const BitRecords codec;
  return codec;
}

}  // namespace mmh::codecs
