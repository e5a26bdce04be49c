// Each codec of the table: what it decodes fills the output or is refused, and what it encodes comes back.
//
// Input: codec (1 byte; its id, or a place in the table where no codec has that, and in the top bit whether to decode),
// then
//   to decode: raw size (2 bytes, little-endian), size of the parameters (1 byte), parameters, for each stream but the
//   last its size (2 bytes, little-endian), streams;
//   to encode: level, width, flags (1 byte each), raw bytes.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "mmh/base/check.h"
#include "mmh/codecs/builtin.h"

namespace {

using namespace mmh;

unsigned take_byte(ByteView& in) {
  if (in.empty()) return 0;
  const auto value = std::to_integer<unsigned>(in[0]);
  in = in.subspan(1);
  return value;
}

// A base of 64 KiB.
codec::DecodeContext context_with_base() {
  codec::DecodeContext context;
  context.base = [](std::uint64_t offset, Bytes out) -> Result<> {
    if (offset + out.size() > 65536) return fail(Errc::corrupt, "outside the base");
    for (std::byte& byte : out) byte = static_cast<std::byte>(offset++ * 31 >> 3);
    return {};
  };
  return context;
}

// Its front, or for copies the block itself.
std::shared_ptr<const codec::BaseReference> base_for(const codec::Codec& codec, ByteView raw) {
  codec::BaseReference base;
  if (!raw.empty()) base.ranges.push_back({0, raw.size()});
  base.bytes.resize(raw.size());
  if (codec.id() != codec::CodecId::base_copy && raw.size() <= 65536) {
    MMH_CHECK(context_with_base().base(0, base.bytes).has_value());
  }
  return std::make_shared<const codec::BaseReference>(std::move(base));
}

void decode(const codec::Codec& codec, ByteView in) {
  const unsigned low = take_byte(in);
  Buffer raw(low | take_byte(in) << 8);
  const std::size_t claimed = take_byte(in);
  const std::size_t parameters_size = std::min(claimed, in.size());
  const ByteView parameters = in.first(parameters_size);
  in = in.subspan(parameters_size);
  const Result<codec::Signature> signature = codec.signature(parameters);
  if (!signature) return;
  std::vector<std::size_t> sizes;
  for (std::size_t i = 0; i + 1 < signature->stream_count; ++i) {
    const unsigned size_low = take_byte(in);
    sizes.push_back(size_low | take_byte(in) << 8);
  }
  std::vector<ByteView> streams;
  for (const std::size_t size : sizes) {
    streams.push_back(in.first(std::min(size, in.size())));
    in = in.subspan(streams.back().size());
  }
  streams.push_back(in);
  static_cast<void>(codec.decode(parameters, streams, raw, context_with_base()).has_value());
}

void round_trip(const codec::Codec& codec, ByteView in) {
  codec::EncodeOptions options;
  options.level = static_cast<int>(take_byte(in) % 32) - 8;
  options.width = take_byte(in);
  const unsigned flags = take_byte(in);
  options.integers = (flags & 1) != 0;
  options.text = (flags & 2) != 0;
  options.long_matches = (flags & 4) != 0;
  options.branch = (flags & 8) != 0    ? codec::Branch::x86
                   : (flags & 16) != 0 ? codec::Branch::arm64
                                       : codec::Branch::none;
  options.big_endian = (flags & 2) != 0;
  options.is_signed = (flags & 4) != 0;
  options.channels = 1 + (flags >> 5);
  options.contexts = 1 + (flags >> 3);
  options.row_size = std::uint64_t{options.width} * (2 * options.channels + 3);
  options.slice_size = 3 * options.row_size;
  options.delta_distance = flags >> 5;
  options.rotate = flags >> 5;
  options.token = {.kind = static_cast<codec::Field::Kind>(options.width % 3),
                   .width = flags,
                   .terminator = static_cast<std::uint8_t>(flags)};
  auto layout = std::make_shared<codec::RecordLayout>();
  layout->head_size = flags & 7;
  layout->schemas.push_back({.signature = {}, .fields = {options.token, {.stream = 1}}});
  if ((flags & 8) != 0) layout->schemas[0].signature = {static_cast<std::byte>(options.width)};
  if ((flags & 16) != 0) layout->schemas.push_back({.signature = {}, .fields = {options.token}});
  options.layout = layout;
  if (codec.id() == codec::CodecId::tokens) options.width = 1U << flags % 3;
  if (codec.needs_base()) {
    options.window_log = 20;
    options.mantissa = flags & 31;
    options.relative_change = (flags & 32) != 0;
    options.base = base_for(codec, in);
  }
  const Result<codec::Encoded> encoded = codec.encode(in, options);
  if (!encoded) {
    MMH_CHECK(encoded.error().code == Errc::usage);
    return;
  }
  Buffer back(in.size());
  const std::vector<ByteView> streams(encoded->streams.begin(), encoded->streams.end());
  MMH_CHECK(codec.signature(encoded->parameters)->stream_count == streams.size());
  codec::DecodeContext context = context_with_base();
  if (codec.id() == codec::CodecId::base_copy) {
    context.base = [in](std::uint64_t offset, Bytes out) -> Result<> {
      std::ranges::copy(in.subspan(offset, out.size()), out.begin());
      return {};
    };
  }
  MMH_CHECK(codec.decode(encoded->parameters, streams, back, context).has_value());
  MMH_CHECK(std::ranges::equal(back, in));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteView in = std::as_bytes(std::span(data, size));
  const unsigned choice = take_byte(in);
  const unsigned number = choice & 0x7f;
  const auto codecs = codecs::builtin_registry().all();
  const codec::Codec* const named = codecs::builtin_registry().find(static_cast<codec::CodecId>(number));
  const codec::Codec& codec = named != nullptr ? *named : *codecs[number % codecs.size()];
  if ((choice & 0x80) != 0) {
    decode(codec, in);
  } else {
    round_trip(codec, in);
  }
  return 0;
}
