// Uncompressed pictures and sound with short headers: PNM, PAM and PFM; BMP; WAV and RF64; AIFF; and pictures behind a
// header of no known format that names width and height, or without any.

#include <algorithm>

#include "layout/reader.h"

namespace mmh::content {
namespace {

using namespace std::string_view_literals;

// A picture whose rows follow one another from `offset` on, as far as the file goes.
void add_picture(RegionList& regions, std::uint64_t file_end, std::uint64_t offset, std::uint64_t height,
                 Region region) {
  const auto size = product(region.row_size, height);
  if (!size || offset > file_end || *size > file_end - offset) return;
  region.offset = offset;
  region.size = *size;
  region.content = ContentClass::image;
  regions.add(std::move(region));
}

constexpr std::uint64_t kSideMax = std::uint64_t{1} << 24;  // of a picture, in pixels

// The next word of a PNM header: comments, which begin with #, are white space.
std::string word(LayoutReader& reader) {
  constexpr std::size_t kWordMax = 32;
  std::string kept;
  while (reader.ok() && kept.size() < kWordMax) {
    char c = static_cast<char>(reader.byte());
    if (c == '#' && kept.empty()) {
      while (reader.ok() && c != '\n') c = static_cast<char>(reader.byte());
    }
    const bool is_space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (!is_space) {
      kept += c;
    } else if (!kept.empty()) {
      break;
    }
  }
  return kept;
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  for (const char c : text.substr(0, 10)) {
    if (c < '0' || c > '9') return 0;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

// Samples of `bits`; nothing where they are not whole bytes.
std::optional<ElementType> integer_type(unsigned bits, bool is_signed) {
  using enum ElementType;
  switch (bits) {
    case 8:
      return is_signed ? int8 : uint8;
    case 16:
      return is_signed ? int16 : uint16;
    case 24:
      return is_signed ? std::optional(int24) : std::nullopt;
    case 32:
      return is_signed ? int32 : uint32;
    default:
      return std::nullopt;
  }
}

void add_sound(RegionList& regions, LayoutReader& reader, std::uint64_t size, std::optional<ElementType> type,
               unsigned channels, bool big_endian) {
  constexpr unsigned kChannelsMax = 1024;
  if (!type || channels == 0 || channels > kChannelsMax || !reader.ok()) return;
  const std::uint64_t moment = std::uint64_t{channels} * element_size(*type);
  size = std::min(size, reader.left());
  regions.add({.offset = reader.position(),
               .size = size - size % moment,
               .type = *type,
               .content = ContentClass::audio,
               .big_endian = big_endian,
               .channels = channels,
               .row_size = moment});
}

}  // namespace

void find_netpbm(LayoutReader& reader, RegionList& regions) {
  const std::string magic = word(reader);
  std::uint64_t width = 0;
  std::uint64_t height = 0;
  std::uint64_t depth = magic == "P6" || magic == "PF" ? 3 : 1;
  std::uint64_t top = 0;
  const bool is_float = magic == "Pf" || magic == "PF";
  bool big_endian = true;
  if (magic == "P7") {
    constexpr int kWordsMax = 64;
    for (int i = 0; i < kWordsMax && reader.ok(); ++i) {
      const std::string key = word(reader);
      if (key == "ENDHDR") break;
      const std::string value = word(reader);
      if (key == "WIDTH") width = number(value);
      if (key == "HEIGHT") height = number(value);
      if (key == "DEPTH") depth = number(value);
      if (key == "MAXVAL") top = number(value);
    }
  } else if (magic == "P5" || magic == "P6" || is_float) {
    width = number(word(reader));
    height = number(word(reader));
    const std::string last = word(reader);  // the greatest value; of floats: a scale, whose sign is their order
    top = is_float ? 1 : number(last);
    if (is_float) big_endian = !last.starts_with('-');
  }
  if (!reader.ok() || width == 0 || width > kSideMax || height == 0 || height > kSideMax || depth == 0 || depth > 64 ||
      top == 0 || top > 0xFFFF) {
    return;
  }
  const ElementType type = is_float ? ElementType::fp32 : top < 256 ? ElementType::uint8 : ElementType::uint16;
  add_picture(regions, reader.end(), reader.position(), height,
              {.type = type,
               .big_endian = big_endian && type != ElementType::uint8,
               .channels = static_cast<std::uint32_t>(depth),
               .row_size = width * depth * element_size(type)});
}

void find_bmp(LayoutReader& reader, RegionList& regions) {
  reader.skip(10);
  const std::uint64_t offset = reader.le<std::uint32_t>();
  const auto header = reader.le<std::uint32_t>();
  const auto width = reader.le<std::int32_t>();
  const auto height = reader.le<std::int32_t>();  // negative: the topmost row comes first
  reader.skip(2);
  const unsigned bits = reader.le<std::uint16_t>();
  const auto compression = reader.le<std::uint32_t>();
  constexpr std::uint32_t kNone = 0;
  constexpr std::uint32_t kBitFields = 3;
  if (!reader.ok() || header < 40 || width <= 0 || (compression != kNone && compression != kBitFields)) return;
  if (bits != 8 && bits != 16 && bits != 24 && bits != 32) return;
  const std::uint64_t row = (static_cast<std::uint64_t>(width) * bits + 31) / 32 * 4;
  add_picture(regions, reader.end(), offset, static_cast<std::uint64_t>(std::abs(std::int64_t{height})),
              {.type = bits == 16 ? ElementType::uint16 : ElementType::uint8,
               .channels = bits == 16 ? 1 : bits / 8,
               .row_size = row});
}

void find_wav(LayoutReader& reader, RegionList& regions) {
  constexpr std::uint32_t kElsewhere = 0xFFFFFFFF;
  constexpr int kChunksMax = 1024;
  enum Format : std::uint16_t { kIntegers = 1, kFloats = 3, kExtensible = 0xFFFE };
  reader.skip(12);
  unsigned format = 0;
  unsigned channels = 0;
  unsigned bits = 0;
  std::uint64_t long_size = 0;  // of the data, where 32 bits do not hold it
  for (int i = 0; i < kChunksMax && reader.ok() && reader.left() >= 8; ++i) {
    const std::string id = reader.text(4, 4);
    const std::uint64_t size = reader.le<std::uint32_t>();
    const std::uint64_t begin = reader.position();
    if (id == "ds64") {
      reader.skip(8);
      long_size = reader.le<std::uint64_t>();
    } else if (id == "fmt ") {
      format = reader.le<std::uint16_t>();
      channels = reader.le<std::uint16_t>();
      reader.skip(10);
      bits = reader.le<std::uint16_t>();
      if (format == kExtensible && size >= 26) {
        reader.skip(8);
        format = reader.le<std::uint16_t>();
      }
    } else if (id == "data") {
      std::optional<ElementType> type;
      if (format == kIntegers) type = integer_type(bits, bits > 8);
      if (format == kFloats && bits == 32) type = ElementType::fp32;
      if (format == kFloats && bits == 64) type = ElementType::fp64;
      return add_sound(regions, reader, size == kElsewhere ? long_size : size, type, channels, false);
    }
    reader.seek(begin);
    reader.skip(size + size % 2);
  }
}

void find_aiff(LayoutReader& reader, RegionList& regions) {
  constexpr int kChunksMax = 1024;
  reader.skip(12);
  unsigned channels = 0;
  unsigned bits = 0;
  for (int i = 0; i < kChunksMax && reader.ok() && reader.left() >= 8; ++i) {
    const std::string id = reader.text(4, 4);
    const std::uint64_t size = reader.be<std::uint32_t>();
    const std::uint64_t begin = reader.position();
    if (id == "COMM") {
      channels = reader.be<std::uint16_t>();
      reader.skip(4);
      bits = reader.be<std::uint16_t>();
    } else if (id == "SSND" && size > 8) {
      const std::uint64_t offset = reader.be<std::uint32_t>();
      reader.skip(4 + offset);
      return add_sound(regions, reader, size - 8 - std::min(offset, size - 8), integer_type(bits, true), channels,
                       bits > 8);
    }
    reader.seek(begin);
    reader.skip(size + size % 2);
  }
}

namespace {

constexpr std::size_t kRowSample = 512;

// How far samples differ from those a row further on, from `at` on.
std::uint64_t unlikeness(LayoutReader& reader, std::uint64_t at, std::uint64_t row, const Region& region) {
  std::array<std::byte, kRowSample> here{};
  std::array<std::byte, kRowSample> there{};
  reader.seek(at);
  reader.take(here);
  reader.seek(at + row);
  reader.take(there);
  std::uint64_t sum = 0;
  const bool wide = region.type == ElementType::uint16;
  const std::size_t high = wide && !region.big_endian ? 1 : 0;
  for (std::size_t i = 0; i + 2 <= kRowSample; i += wide ? 2 : 1) {
    const auto value = [&](const auto& bytes) {
      const int first = std::to_integer<int>(bytes[i + high]);
      return wide ? first * 256 + std::to_integer<int>(bytes[i + 1 - high]) : first;
    };
    sum += static_cast<unsigned>(std::abs(value(here) - value(there)));
  }
  return sum;
}

// Such headers are of a few hundred bytes, and everything behind them is pixels: so two numbers side by side whose
// product leaves just a header over are the width and height, or the other way round.
bool find_with_short_header(LayoutReader& reader, RegionList& regions) {
  constexpr std::uint64_t kHeaderMax = 4096;
  constexpr std::size_t kLookedAt = 64;
  constexpr std::uint64_t kSideMin = 64;
  const std::uint64_t size = reader.end();
  if (size < kHeaderMax * 4) return false;
  std::array<std::byte, kLookedAt + 8> front{};
  reader.take(front);
  if (!reader.ok()) return false;
  for (std::size_t at = 0; at < kLookedAt; at += 2) {
    const ByteView here = ByteView(front).subspan(at);
    const std::uint64_t pairs[][2] = {
        {load_le<std::uint16_t>(here), load_le<std::uint16_t>(here.subspan(2))},
        {std::byteswap(load_le<std::uint16_t>(here)), std::byteswap(load_le<std::uint16_t>(here.subspan(2)))},
        {load_le<std::uint32_t>(here), load_le<std::uint32_t>(here.subspan(4))},
        {std::byteswap(load_le<std::uint32_t>(here)), std::byteswap(load_le<std::uint32_t>(here.subspan(4)))}};
    for (const auto& [one, other] : pairs) {
      if (one < kSideMin || one > kSideMax || other < kSideMin || other > kSideMax) continue;
      for (const std::uint64_t pixel : {std::uint64_t{2}, std::uint64_t{1}, std::uint64_t{3}}) {
        const std::uint64_t pixels = one * other * pixel;
        if (pixels > size || size - pixels <= at || size - pixels > kHeaderMax) continue;
        // Near the front, so that a head tells it; behind the first rows, which are often empty.
        const std::uint64_t sampled = size - pixels + std::min(pixels / 4, std::uint64_t{24} << 10) / 2 * 2;
        Region region;
        if (pixel == 3) region.channels = 3;
        if (pixel == 2) {
          // The high bytes of neighbours are nearly equal, the low ones are not.
          region.type = ElementType::uint16;
          std::array<std::byte, kRowSample> sample{};
          reader.seek(sampled);
          reader.take(sample);
          unsigned changes[2] = {0, 0};
          for (std::size_t i = 2; i < sample.size(); ++i) changes[i % 2] += sample[i] != sample[i - 2];
          region.big_endian = changes[0] < changes[1];
        }
        const bool turned =
            unlikeness(reader, sampled, other * pixel, region) < unlikeness(reader, sampled, one * pixel, region);
        region.row_size = (turned ? other : one) * pixel;
        if (reader.ok()) add_picture(regions, size, size - pixels, turned ? one : other, std::move(region));
        return true;
      }
    }
  }
  return false;
}

// How far bytes of the first half differ from those `distance` further on. Requires: that is at most half of it.
std::uint64_t unlikeness(ByteView sample, std::size_t distance, std::size_t begin, std::size_t step) {
  std::uint64_t sum = 0;
  for (std::size_t i = begin; i < sample.size() / 2; i += step) {
    sum +=
        static_cast<unsigned>(std::abs(std::to_integer<int>(sample[i]) - std::to_integer<int>(sample[i + distance])));
  }
  return sum;
}

// Pixels and nothing else: their rows divide the file. What stands a row further on is like what is here, and what
// stands a few pixels to either side of that is not.
void find_without_header(LayoutReader& reader, RegionList& regions) {
  constexpr std::uint64_t kSizeMin = std::uint64_t{16} << 10;
  constexpr std::uint64_t kLookedAt = std::uint64_t{40} << 10;
  constexpr std::size_t kRowMin = 64;
  constexpr std::size_t kBeside = 8;
  const std::uint64_t size = reader.end();
  if (size < kSizeMin) return;
  const std::uint64_t looked_at = std::min(size, kLookedAt);
  Buffer sample(static_cast<std::size_t>(looked_at - looked_at / 4));  // the first rows are often empty
  reader.seek(looked_at / 4);
  reader.take(sample);
  if (!reader.ok()) return;

  // Of two bytes each, the high one hardly changes from one to the next.
  unsigned changes[2] = {0, 0};
  for (std::size_t i = 2; i < sample.size(); ++i) changes[i % 2] += sample[i] != sample[i - 2];
  const bool is_wide = size % 2 == 0 && 2 * std::min(changes[0], changes[1]) < std::max(changes[0], changes[1]);
  const std::size_t begin = is_wide && changes[1] < changes[0] ? 1 : 0;
  const std::size_t width = is_wide ? 2 : 1;
  const auto differ = [&](std::size_t distance) { return unlikeness(sample, distance, begin, width); };
  std::size_t channels = 1;
  for (const std::size_t other : {std::size_t{3}, std::size_t{4}}) {
    if (3 * differ(channels * width) > 4 * differ(other * width)) channels = other;
  }
  const std::size_t pixel = channels * width;
  const std::uint64_t beside = differ(pixel);
  // The farther, the less like it; records and tables are not so.
  for (std::size_t i = 2 * pixel; i < kRowMin; i += pixel) {
    if (4 * differ(i) < 3 * differ(i - pixel)) return;
  }

  std::size_t row = 0;
  std::uint64_t least = ~std::uint64_t{0};
  const std::size_t off = kBeside * pixel;
  for (std::size_t i = kRowMin; i + off <= sample.size() / 2; ++i) {
    if (size % i != 0 || i % pixel != 0 || size / i < kRowMin / 4) continue;
    const std::uint64_t here = differ(i);
    // Twice a row is like it, too, but less so.
    if (here >= least) continue;
    if (4 * here > 3 * std::min(differ(i - off), differ(i + off)) || here > 2 * beside) continue;
    least = here;
    row = i;
  }
  if (row == 0) return;
  add_picture(regions, size, 0, size / row,
              {.type = is_wide ? ElementType::uint16 : ElementType::uint8,
               .big_endian = is_wide && begin == 0,
               .channels = static_cast<std::uint32_t>(channels),
               .row_size = row});
}

}  // namespace

void find_raw_picture(LayoutReader& reader, RegionList& regions) {
  if (!find_with_short_header(reader, regions)) find_without_header(reader, regions);
}

}  // namespace mmh::content
