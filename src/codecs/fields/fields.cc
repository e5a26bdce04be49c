#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "../common.h"
#include "../table.h"
#include "mmh/base/varint.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;
using codec::kFieldsMax;
using codec::Signature;

constexpr std::size_t kFieldSizeMax = 4096;

struct Shape {
  std::array<std::size_t, kFieldsMax> sizes{};
  std::size_t count = 0;
  std::size_t record = 0;
  ByteView tail;  // bytes behind the last record
};

Result<Shape> parse(ByteView parameters) {
  Shape shape;
  MMH_LET(const std::uint64_t count, take_varint(parameters));
  if (count == 0 || count > kFieldsMax) return fail(Errc::corrupt, fmt::format("fields: {} of them", count));
  shape.count = static_cast<std::size_t>(count);
  for (std::size_t i = 0; i < shape.count; ++i) {
    MMH_LET(const std::uint64_t size, take_varint(parameters));
    if (size == 0 || size > kFieldSizeMax) return fail(Errc::corrupt, fmt::format("fields: one of {} bytes", size));
    shape.sizes[i] = static_cast<std::size_t>(size);
    shape.record += shape.sizes[i];
  }
  if (parameters.size() >= shape.record) return fail(Errc::corrupt, "fields: a tail of a whole record");
  shape.tail = parameters;
  return shape;
}

// Copies `count` runs of `size` bytes, whose beginnings lie `from_step` and `to_step` bytes apart.
template <std::size_t kSize>
void copy_runs(const std::byte* from, std::size_t from_step, std::byte* to, std::size_t to_step, std::size_t count,
               std::size_t size) {
  for (std::size_t i = 0; i < count; ++i, from += from_step, to += to_step) {
    std::memcpy(to, from, kSize == 0 ? size : kSize);
  }
}

// The sizes that blocks of quantised numbers have are worth loops of their own.
void copy_runs(const std::byte* from, std::size_t from_step, std::byte* to, std::size_t to_step, std::size_t count,
               std::size_t size) {
  const auto run = [&]<std::size_t kSize>() { copy_runs<kSize>(from, from_step, to, to_step, count, size); };
  switch (size) {
    case 2:
      return run.operator()<2>();
    case 4:
      return run.operator()<4>();
    case 12:
      return run.operator()<12>();
    case 16:
      return run.operator()<16>();
    case 32:
      return run.operator()<32>();
    case 64:
      return run.operator()<64>();
    case 128:
      return run.operator()<128>();
    default:
      return run.operator()<0>();
  }
}

class Fields final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::fields; }
  std::string_view name() const override { return "fields"; }
  std::string_view purpose() const override {
    return "fields of records, each a stream: scales of quantised weights apart from the quants";
  }

  Result<Signature> signature(ByteView parameters) const override {
    MMH_LET(const Shape shape, parse(parameters));
    Signature signature;
    signature.stream_count = shape.count;
    return signature;
  }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    Encoded result;
    const auto end = std::ranges::find(options.fields, std::uint16_t{0});
    const auto count = static_cast<std::size_t>(end - options.fields.begin());
    MMH_TRY(check_option("fields: fields", static_cast<long long>(count), 1, kFieldsMax));
    put_varint(result.parameters, count);
    std::size_t record = 0;
    for (const std::uint16_t size : std::span(options.fields).first(count)) {
      MMH_TRY(check_option("fields: size", size, 1, kFieldSizeMax));
      put_varint(result.parameters, size);
      record += size;
    }
    const std::size_t records = raw.size() / record;
    append(result.parameters, raw.subspan(records * record));
    const std::byte* from = raw.data();
    for (const std::uint16_t size : std::span(options.fields).first(count)) {
      Buffer& stream = result.streams.emplace_back(records * size);
      copy_runs(from, record, stream.data(), size, records, size);
      from += records == 0 ? 0 : size;
    }
    return result;
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    MMH_LET(const Shape shape, parse(parameters));
    const std::size_t records = raw.size() / shape.record;
    if (raw.size() % shape.record != shape.tail.size()) {
      return fail(Errc::corrupt, fmt::format("fields: {} bytes in records of {}", raw.size(), shape.record));
    }
    std::byte* to = raw.data();
    for (std::size_t i = 0; i < shape.count; ++i) {
      if (streams[i].size() != records * shape.sizes[i]) {
        return fail(Errc::corrupt, fmt::format("fields: {} bytes for {} records", streams[i].size(), records));
      }
      copy_runs(streams[i].data(), shape.sizes[i], to, shape.record, records, shape.sizes[i]);
      to += records == 0 ? 0 : shape.sizes[i];
    }
    copy_bytes(shape.tail, raw.last(shape.tail.size()));
    return {};
  }

  std::size_t decode_memory_max(std::size_t) const override { return 0; }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions&) const override {
    // Allocations are rounded up, one for each field; the tail stands in the parameters.
    constexpr std::size_t kRounding = 64;
    return raw_size + kFieldsMax * (kRounding + 2 * kFieldSizeMax);
  }
};

}  // namespace

const codec::Codec& fields_codec() {
  static const Fields codec;
  return codec;
}

}  // namespace mmh::codecs
