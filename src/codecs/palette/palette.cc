#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "../elements.h"
#include "../table.h"
#include "mmh/base/varint.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;
using codec::Signature;

constexpr std::size_t kWidthMax = 8;
constexpr std::size_t kColoursMax = 256;
constexpr std::uint8_t kOther = 255;  // the index of what is not in a full palette

std::uint64_t load(const std::byte* from, std::size_t width) {
  // Sizes that the compiler knows are loads; others are calls.
  std::uint64_t value = 0;
  switch (width) {
    case 1:
      return std::to_integer<std::uint64_t>(*from);
    case 2:
      std::memcpy(&value, from, 2);
      return value;
    case 4:
      std::memcpy(&value, from, 4);
      return value;
    case 8:
      std::memcpy(&value, from, 8);
      return value;
    default:
      std::memcpy(&value, from, width);
      return value;
  }
}

// Values to their numbers: open addressing, at most a quarter full.
class Palette {
 public:
  /// The number of a value; -1 where it is not there.
  int find(std::uint64_t value) const {
    for (std::size_t slot = hash(value);; slot = (slot + 1) % kSlots) {
      const Slot& found = slots_[slot];
      if (found.value == value && found.number != kEmpty) return found.number;
      if (found.number == kEmpty) return -1;
    }
  }
  /// Requires: it is not there, and size() < kColoursMax.
  void add(std::uint64_t value) {
    std::size_t slot = hash(value);
    while (slots_[slot].number != kEmpty) slot = (slot + 1) % kSlots;
    slots_[slot] = {.value = value, .number = static_cast<int>(values_.size())};
    values_.push_back(value);
  }
  std::size_t size() const { return values_.size(); }
  const std::vector<std::uint64_t>& values() const { return values_; }

 private:
  static constexpr std::size_t kSlots = 1024;
  static constexpr int kEmpty = -1;
  struct Slot {
    std::uint64_t value = 0;
    int number = kEmpty;
  };
  static std::size_t hash(std::uint64_t value) { return value * 0x9e3779b97f4a7c15 >> 54; }

  std::array<Slot, kSlots> slots_{};
  std::vector<std::uint64_t> values_;
};

struct Shape {
  std::size_t colours;
  Elements elements;
};
Result<Shape> parse(ByteView parameters) {
  MMH_LET(const std::uint64_t colours, take_varint(parameters));
  MMH_LET(const Elements elements, take_elements(parameters, 1, kWidthMax));
  if (colours > kColoursMax) return fail(Errc::corrupt, fmt::format("palette: {} values", colours));
  return Shape{.colours = static_cast<std::size_t>(colours), .elements = elements};
}

class PaletteCodec final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::palette; }
  std::string_view name() const override { return "palette"; }
  std::string_view purpose() const override { return "elements that take few values: a dictionary and indices"; }

  Result<Signature> signature(ByteView parameters) const override {
    MMH_LET(const Shape shape, parse(parameters));
    const codec::StreamType records{.kind = codec::StreamKind::records,
                                    .width = static_cast<std::uint32_t>(shape.elements.width)};
    Signature signature;
    signature.stream_count = 3;
    signature.coded[0] = records;
    signature.coded[2] = records;
    return signature;
  }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    MMH_TRY(check_option("palette width", options.width, 1, kWidthMax));
    const std::size_t width = options.width;
    Encoded result;
    result.streams.resize(3);
    const std::size_t count = raw.size() / width;

    // The first values that come are in it; most come early, and a value's number then does not depend on the rest.
    Palette palette;
    bool full = false;  // there are values beyond 256, of which the last has no number
    std::size_t others = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t value = load(raw.data() + i * width, width);
      if (palette.find(value) >= 0) continue;
      if (palette.size() < kColoursMax) {
        palette.add(value);
      } else {
        full = true;
        ++others;
        if (others > count / 16) break;
      }
    }
    if (others > count / 16) {
      put_varint(result.parameters, 0);
      put_elements(result.parameters, width, raw);
      result.streams[2] = copy_of(raw.first(count * width));
      return result;
    }
    // In order of value, so that near ones have near indices.
    std::vector<std::uint64_t> sorted(
        palette.values().begin(),
        palette.values().begin() + static_cast<std::ptrdiff_t>(full ? kColoursMax - 1 : palette.size()));
    std::ranges::sort(sorted);
    put_varint(result.parameters, sorted.size());
    put_elements(result.parameters, width, raw);
    Palette indexed;
    Buffer& dictionary = result.streams[0];
    for (const std::uint64_t value : sorted) {
      indexed.add(value);
      append(dictionary, std::as_bytes(std::span(&value, 1)).first(width));
    }
    Buffer& indices = result.streams[1];
    indices.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::byte* const at = raw.data() + i * width;
      const int index = indexed.find(load(at, width));
      indices[i] = static_cast<std::byte>(index < 0 ? kOther : index);
      if (index < 0) append(result.streams[2], ByteView(at, width));
    }
    return result;
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    MMH_LET(const Shape shape, parse(parameters));
    MMH_LET(const std::size_t count, place_tail(shape.elements, raw));
    const std::size_t width = shape.elements.width;
    const ByteView dictionary = streams[0];
    const ByteView indices = streams[1];
    ByteView others = streams[2];
    if (dictionary.size() != shape.colours * width || others.size() % width != 0) {
      return fail(Errc::corrupt, fmt::format("palette: {} bytes of elements of {}", dictionary.size(), width));
    }
    if (dictionary.empty()) {
      if (!indices.empty() || others.size() != count * width) {
        return fail(Errc::corrupt, "palette: none, and not all others");
      }
      copy_bytes(others, raw);
      return {};
    }
    if (indices.size() != count) return fail(Errc::corrupt, fmt::format("palette: {} indices", indices.size()));
    const std::size_t size = shape.colours;
    std::array<std::uint64_t, kColoursMax> values{};
    for (std::size_t i = 0; i < size; ++i) values[i] = load(dictionary.data() + i * width, width);
    bool sound = true;
    switch (width) {
      case 1:
        sound = look_up<1>(values, size, indices, others, raw.data());
        break;
      case 2:
        sound = look_up<2>(values, size, indices, others, raw.data());
        break;
      case 4:
        sound = look_up<4>(values, size, indices, others, raw.data());
        break;
      case 8:
        sound = look_up<8>(values, size, indices, others, raw.data());
        break;
      default:
        sound = look_up<0>(values, size, indices, others, raw.data(), width);
    }
    if (!sound || !others.empty()) return fail(Errc::corrupt, "palette: an index of nothing");
    return {};
  }

  std::size_t decode_memory_max(std::size_t) const override { return 0; }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions&) const override {
    return 3 * raw_size + (std::size_t{64} << 10);
  }

 private:
  // kWidth 0: `any_width`. A palette of less than 256 has no other number for the last index.
  template <std::size_t kWidth>
  static bool look_up(const std::array<std::uint64_t, kColoursMax>& values, std::size_t size, ByteView indices,
                      ByteView& others, std::byte* out, std::size_t any_width = 0) {
    const std::size_t width = kWidth == 0 ? any_width : kWidth;
    for (const std::byte byte : indices) {
      const auto index = std::to_integer<std::size_t>(byte);
      if (index < size) [[likely]] {
        std::memcpy(out, &values[index], width);
      } else {
        if (index != kOther || others.empty()) return false;
        std::memcpy(out, others.data(), width);
        others = others.subspan(width);
      }
      out += width;
    }
    return true;
  }
};

}  // namespace

const codec::Codec& palette_codec() {
  static const PaletteCodec codec;
  return codec;
}

}  // namespace mmh::codecs
