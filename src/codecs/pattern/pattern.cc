#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>

#include "../common.h"
#include "../table.h"
#include "mmh/base/varint.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;
using codec::Signature;

constexpr std::size_t kPeriodMax = std::size_t{64} << 10;  // bytes
constexpr std::size_t kWindow = 16;                        // bytes that must come again
constexpr std::size_t kAnchors = 4;
constexpr std::size_t kCandidatesMax = 16;               // of one anchor
constexpr std::size_t kSample = std::size_t{128} << 10;  // bytes compared for a candidate
constexpr std::size_t kTile = std::size_t{32} << 10;     // bytes at least that are generated at a time
constexpr std::size_t kExceptionsShare = 16;             // one exception in so many bytes is too many

// The bytes in which `bits` repeat.
std::size_t bytes_of(std::size_t bits) { return bits / std::gcd(bits, std::size_t{8}); }

// How many of the first bytes of both are equal.
std::size_t equal_bytes(const std::byte* a, const std::byte* b, std::size_t size) {
  std::size_t i = 0;
  for (; i + 8 <= size && std::memcmp(a + i, b + i, 8) == 0; i += 8) {
  }
  while (i < size && a[i] == b[i]) ++i;
  return i;
}

bool repeats(ByteView raw, std::size_t anchor, std::size_t period) {
  const std::size_t size = std::min(kSample, raw.size() - anchor - period);
  const std::byte* const a = raw.data() + anchor;
  std::size_t exceptions = 0;
  for (std::size_t i = 0; i < size; ++i) {
    i += equal_bytes(a + i, a + i + period, size - i);
    if (i < size && ++exceptions > size / kExceptionsShare) return false;
  }
  // A few bytes that come twice are not a period yet.
  return size >= period;
}

struct Found {
  std::size_t anchor, period;
};
// Where the data repeats, if it does: the distance at which a window comes again, tried at several places because
// exceptions may stand at some. Ends early on data that does not repeat.
std::optional<Found> find_period(ByteView raw) {
  for (std::size_t k = 0; k < kAnchors; ++k) {
    const std::size_t anchor = raw.size() / kAnchors * k;
    if (raw.size() - anchor < 2 * kWindow) break;
    const ByteView after = raw.subspan(anchor + 1, std::min(kPeriodMax + kWindow - 1, raw.size() - anchor - 1));
    std::size_t begin = 0;
    for (std::size_t candidate = 0; candidate < kCandidatesMax && begin < after.size(); ++candidate) {
      const void* const again = memmem(after.data() + begin, after.size() - begin, raw.data() + anchor, kWindow);
      if (again == nullptr) break;
      begin = static_cast<std::size_t>(static_cast<const std::byte*>(again) - after.data()) + 1;
      if (begin <= kPeriodMax && repeats(raw, anchor, begin)) return Found{.anchor = anchor, .period = begin};
    }
  }
  return std::nullopt;
}

// One period, as it stands at the beginning of the block. Of three in a row two outvote an exception.
Buffer unit_of(ByteView raw, const Found& found) {
  const auto [anchor, period] = found;
  Buffer unit(period);
  const bool three = raw.size() - anchor >= 3 * period;
  for (std::size_t i = 0; i < period; ++i) {
    const std::size_t place = anchor + i;
    const bool outvoted = three && raw[place + period] == raw[place + 2 * period];
    unit[place % period] = raw[outvoted ? place + period : place];
  }
  return unit;
}

bool bit(ByteView bytes, std::size_t i) { return (bytes[i / 8] >> i % 8 & std::byte{1}) != std::byte{0}; }

// The least period in bits of what repeats every unit.size() bytes.
std::size_t least_bits(ByteView unit) {
  const std::size_t all = 8 * unit.size();
  if (unit.size() % 2 == 0) return all;  // a period of fewer bits would repeat in fewer bytes
  for (std::size_t bits = unit.size(); bits < all; bits *= 2) {
    std::size_t i = bits;
    while (i < all && bit(unit, i) == bit(unit, i - bits)) ++i;
    if (i == all) return bits;
  }
  return all;
}

// Repeats `unit` through all of `out`.
void generate(ByteView unit, Bytes out) {
  std::size_t done = std::min(unit.size(), out.size());
  copy_bytes(unit.first(done), Bytes(out));
  while (done < out.size() && done < kTile) {
    const std::size_t more = std::min(done, out.size() - done);
    std::memcpy(out.data() + done, out.data(), more);
    done += more;
  }
  // From the first tile, which the cache holds; `done` is whole units by now.
  for (const std::size_t tile = done; done < out.size();) {
    const std::size_t more = std::min(tile, out.size() - done);
    std::memcpy(out.data() + done, out.data(), more);
    done += more;
  }
}

class Pattern final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::pattern; }
  std::string_view name() const override { return "pattern"; }
  std::string_view purpose() const override { return "what repeats every 1 bit to 64 KiB, with a few exceptions"; }

  Result<Signature> signature(ByteView parameters) const override {
    MMH_TRY(parse(parameters));
    Signature signature;
    signature.stream_count = 3;
    signature.coded[0] = {.kind = codec::StreamKind::bits, .width = 1};
    return signature;
  }

  Result<Encoded> encode(ByteView raw, const EncodeOptions&) const override {
    Encoded result;
    result.streams.resize(3);
    std::size_t bits = 0;
    if (const std::optional<Found> found = find_period(raw)) {
      const Buffer unit = unit_of(raw, *found);
      if (find_exceptions(raw, unit, result.streams[1], result.streams[2])) {
        bits = least_bits(unit);
        result.streams[0] = copy_of(ByteView(unit).first((bits + 7) / 8));
        if (bits % 8 != 0) result.streams[0].back() &= static_cast<std::byte>((1U << bits % 8) - 1);
      }
    }
    if (bits == 0) {
      result.streams[1].clear();
      result.streams[2] = copy_of(raw);
    }
    put_varint(result.parameters, bits);
    put_varint(result.parameters, raw.size());
    return result;
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    MMH_LET(const Shape shape, parse(parameters));
    ByteView places = streams[1];
    ByteView values = streams[2];
    if (shape.raw_size != raw.size() || streams[0].size() != (shape.bits + 7) / 8) {
      return fail(Errc::corrupt,
                  fmt::format("pattern: {} bytes of {} bits for {} bytes", streams[0].size(), shape.bits, raw.size()));
    }
    if (shape.bits == 0) {
      if (!places.empty() || values.size() != raw.size())
        return fail(Errc::corrupt, "pattern: none, and not all bytes");
      copy_bytes(values, raw);
      return {};
    }
    if (shape.bits % 8 == 0) {
      generate(streams[0], raw);
    } else {
      if (std::to_integer<unsigned>(streams[0].back()) >> shape.bits % 8 != 0) {
        return fail(Errc::corrupt, "pattern: bits behind the last");
      }
      Buffer unit(bytes_of(shape.bits));
      std::ranges::fill(unit, std::byte{0});
      for (std::size_t i = 0, from = 0; i < 8 * unit.size(); ++i, from = from + 1 == shape.bits ? 0 : from + 1) {
        if (bit(streams[0], from)) unit[i / 8] |= static_cast<std::byte>(1U << i % 8);
      }
      generate(unit, raw);
    }
    for (Bytes rest = raw; !places.empty();) {
      MMH_LET(const std::uint64_t gap, take_varint(places));
      MMH_LET(const std::uint64_t size, take_varint(places));
      if (gap > rest.size() || size > rest.size() - gap || size > values.size() || size == 0) {
        return fail(Errc::corrupt, "pattern: an exception outside of the block");
      }
      rest = rest.subspan(static_cast<std::size_t>(gap));
      copy_bytes(values.first(static_cast<std::size_t>(size)), rest);
      rest = rest.subspan(static_cast<std::size_t>(size));
      values = values.subspan(static_cast<std::size_t>(size));
    }
    if (!values.empty()) return fail(Errc::corrupt, fmt::format("pattern: {} bytes left over", values.size()));
    return {};
  }

  std::size_t decode_memory_max(std::size_t) const override { return kPeriodMax; }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions&) const override {
    return 2 * raw_size + 4 * (kPeriodMax + kTile);
  }

 private:
  struct Shape {
    std::size_t bits;
    std::uint64_t raw_size;
  };
  static Result<Shape> parse(ByteView parameters) {
    MMH_LET(const std::uint64_t bits, take_varint(parameters));
    MMH_LET(const std::uint64_t raw_size, take_varint(parameters));
    MMH_TRY(check_no_parameters(parameters));
    if (bits > 8 * kPeriodMax || (bits > 0 && bytes_of(static_cast<std::size_t>(bits)) > kPeriodMax)) {
      return fail(Errc::corrupt, fmt::format("pattern: a period of {} bits", bits));
    }
    return Shape{.bits = static_cast<std::size_t>(bits), .raw_size = raw_size};
  }

  // False where there are so many that nothing is saved.
  static bool find_exceptions(ByteView raw, ByteView unit, Buffer& places, Buffer& values) {
    Buffer tile((kTile + unit.size() - 1) / unit.size() * unit.size());
    generate(unit, tile);
    std::size_t behind = 0;  // the last exception
    for (std::size_t begin = 0; begin < raw.size(); begin += tile.size()) {
      const std::size_t size = std::min(tile.size(), raw.size() - begin);
      const std::byte* const here = raw.data() + begin;
      if (std::memcmp(here, tile.data(), size) == 0) continue;
      for (std::size_t i = equal_bytes(here, tile.data(), size); i < size;) {
        std::size_t end = i + 1;
        while (end < size && here[end] != tile[end]) ++end;
        put_varint(places, begin + i - behind);
        put_varint(places, end - i);
        append(values, raw.subspan(begin + i, end - i));
        behind = begin + end;
        i = end + equal_bytes(here + end, tile.data() + end, size - end);
      }
      if (values.size() + places.size() > raw.size() / kExceptionsShare + 1024) return false;
    }
    return values.size() + places.size() <= raw.size() / 8;
  }
};

}  // namespace

const codec::Codec& pattern_codec() {
  static const Pattern codec;
  return codec;
}

}  // namespace mmh::codecs
