#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "../elements.h"
#include "../record_fields.h"
#include "../table.h"
#include "mmh/base/varint.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;
using codec::Field;
using codec::Signature;

constexpr unsigned kDigitsMax = 18;  // so many fit a word, whatever they are
constexpr std::size_t kTextMax = 64;

constexpr auto kPowers = [] {
  std::array<std::int64_t, kDigitsMax + 1> powers{1};
  for (std::size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}();

// How a number is written.
struct Format {
  unsigned fraction = 0;  // digits behind the point, at most
  unsigned least = 0;     // of which so many stand even where they are zeros
  unsigned digits = 1;    // before the point, at least
  unsigned size = 0;      // of all of it, at least: filled up with spaces
  bool is_left = false;   // which stand behind it
};

// What a field may be.
constexpr std::byte kNumber{0};
constexpr std::byte kText{1};
constexpr std::byte kMinusZero{2};

struct Shape {
  std::size_t width = 0;  // of numbers in the stream; 0: all is text
  Format format;
  Field field;
};

Result<Shape> parse(ByteView parameters) {
  Shape shape;
  MMH_LET(const std::uint64_t width, take_varint(parameters));
  if (width != 0) {
    std::array<std::uint64_t, 5> values;
    for (std::uint64_t& value : values) {
      MMH_LET(value, take_varint(parameters));
    }
    const auto [fraction, least, digits, size, left] = values;
    if (!is_integer_width(width) || fraction > kDigitsMax || least > fraction || digits > kDigitsMax ||
        size > kTextMax || left > 1) {
      return fail(Errc::corrupt, fmt::format("decimals: numbers of {} bytes, written in a way that is none", width));
    }
    shape.width = static_cast<std::size_t>(width);
    shape.format = {.fraction = static_cast<unsigned>(fraction),
                    .least = static_cast<unsigned>(least),
                    .digits = static_cast<unsigned>(digits),
                    .size = static_cast<unsigned>(size),
                    .is_left = left == 1};
  }
  MMH_LET(shape.field, take_field(parameters));
  MMH_TRY(check_no_parameters(parameters));
  return shape;
}

// Writes numbers as text.
class Writer {
 public:
  explicit Writer(const Format& format) : format_(format) {}

  // Valid until the next call.
  std::string_view write(std::int64_t number, bool is_negative) {
    std::uint64_t rest =
        is_negative ? std::uint64_t{0} - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
    unsigned fraction = format_.fraction;
    for (; fraction > format_.least && rest % 10 == 0; --fraction) rest /= 10;
    char* const first = text_.data() + kTextMax;
    char* to = first;
    if (is_negative) *to++ = '-';
    std::array<char, 20> digits;
    const char* from = digits.data();
    auto count = static_cast<std::size_t>(std::to_chars(digits.begin(), digits.end(), rest).ptr - from);
    if (rest == 0 && fraction + format_.digits > 0) count = 0;
    const std::size_t before = std::max<std::size_t>(format_.digits, count > fraction ? count - fraction : 0);
    std::size_t zeros = before + fraction > count ? before + fraction - count : 0;
    const auto put = [&](std::size_t wanted) {
      const std::size_t filled = std::min(zeros, wanted);
      std::memset(to, '0', filled);
      zeros -= filled;
      std::memcpy(to + filled, from, wanted - filled);
      from += wanted - filled;
      to += wanted;
    };
    put(before);
    if (fraction != 0) {
      *to++ = '.';
      put(fraction);
    }
    const auto size = static_cast<std::size_t>(to - first);
    if (size >= format_.size) return {first, size};
    const std::size_t spaces = format_.size - size;
    if (format_.is_left) {
      std::memset(to, ' ', spaces);
      return {first, format_.size};
    }
    std::memset(first - spaces, ' ', spaces);
    return {first - spaces, format_.size};
  }

 private:
  Format format_;
  std::array<char, 3 * kTextMax> text_;  // spaces, a number, spaces
};

// A number in text.
struct Parsed {
  std::int64_t mantissa = 0;  // all of its digits
  unsigned digits = 0;        // before the point
  unsigned fraction = 0;      // behind it
  bool is_negative = false;
  bool has_leading_zero = false;  // before other digits before the point
  bool ends_with_zero = false;    // behind the point
  std::size_t spaces_before = 0;
  std::size_t spaces_behind = 0;
};

std::optional<Parsed> parse_number(std::string_view text) {
  if (text.size() > kTextMax) return std::nullopt;
  Parsed parsed;
  const auto take = [&](char c) {
    if (text.empty() || text.front() != c) return false;
    text.remove_prefix(1);
    return true;
  };
  const auto take_digits = [&] {
    std::size_t count = 0;
    for (; count < text.size() && text[count] >= '0' && text[count] <= '9'; ++count) {
      if (parsed.digits + count >= kDigitsMax) return ~std::size_t{0};
      parsed.mantissa = parsed.mantissa * 10 + (text[count] - '0');
    }
    return count;
  };
  while (take(' ')) ++parsed.spaces_before;
  parsed.is_negative = take('-');
  const char first = text.empty() ? ' ' : text.front();
  const std::size_t digits = take_digits();
  if (digits == ~std::size_t{0}) return std::nullopt;
  parsed.digits = static_cast<unsigned>(digits);
  parsed.has_leading_zero = digits > 1 && first == '0';
  text.remove_prefix(digits);
  if (take('.')) {
    const std::size_t fraction = take_digits();
    if (fraction == 0 || fraction == ~std::size_t{0}) return std::nullopt;
    parsed.ends_with_zero = text[fraction - 1] == '0';
    parsed.fraction = static_cast<unsigned>(fraction);
    text.remove_prefix(fraction);
  }
  if (parsed.digits + parsed.fraction == 0) return std::nullopt;
  while (take(' ')) ++parsed.spaces_behind;
  if (!text.empty()) return std::nullopt;
  return parsed;
}

// The field at the front of `in`, and what of it is not its terminator.
struct Token {
  std::size_t size;  // 0: there is none
  std::string_view text;
};
Token next_token(const Field& field, ByteView in) {
  const std::size_t size = field_size(field, in);
  const std::size_t end = field.kind == Field::Kind::terminated && size != 0 ? 1 : 0;
  return {.size = size, .text = as_text(in.first(size - end))};
}

// From the front of the block and from its middle on.
std::vector<Parsed> sample_of(ByteView raw, const Field& field, std::size_t& count) {
  constexpr std::size_t kEach = 2048;
  std::vector<Parsed> numbers;
  count = 0;
  const auto take = [&](ByteView in) {
    for (std::size_t i = 0; i < kEach; ++i) {
      const Token token = next_token(field, in);
      if (token.size == 0) return;
      if (const auto parsed = parse_number(token.text)) numbers.push_back(*parsed);
      ++count;
      in = in.subspan(token.size);
    }
  };
  take(raw);
  if (count < kEach) return numbers;
  ByteView half = raw.subspan(raw.size() / 2);
  if (field.kind == Field::Kind::fixed) {
    half = raw.subspan(raw.size() / 2 / field.width * field.width);
  } else {
    half = half.subspan(field_size(field, half));
  }
  take(half);
  return numbers;
}

// The value that comes most often.
template <class Of>
std::size_t most_common(const std::vector<Parsed>& numbers, Of of) {
  std::array<std::size_t, 2 * kTextMax> counts{};
  for (const Parsed& number : numbers) {
    if (const std::optional<std::size_t> value = of(number)) ++counts[*value];
  }
  return static_cast<std::size_t>(std::ranges::max_element(counts) - counts.begin());
}

// The way in which most numbers are written; nothing where a fourth of the fields are none, or written otherwise.
std::optional<Format> find_format(ByteView raw, const Field& field) {
  constexpr std::size_t kLeast = 8;
  std::size_t count = 0;
  const std::vector<Parsed> numbers = sample_of(raw, field, count);
  if (count < kLeast) return std::nullopt;
  Format format;
  const auto count_of = [&](auto is) { return static_cast<std::size_t>(std::ranges::count_if(numbers, is)); };
  if (const std::size_t padded = count_of([](const Parsed& n) { return n.spaces_before + n.spaces_behind != 0; });
      padded * 32 > count) {
    format.is_left = 2 * count_of([](const Parsed& n) { return n.spaces_behind != 0; }) > padded;
    format.size = static_cast<unsigned>(most_common(numbers, [](const Parsed& n) -> std::optional<std::size_t> {
      const std::size_t point = n.fraction != 0 ? 1 : 0;
      const std::size_t sign = n.is_negative ? 1 : 0;
      return std::min(n.spaces_before + sign + n.digits + point + n.fraction + n.spaces_behind, kTextMax);
    }));
  }
  if (count_of([](const Parsed& n) { return n.has_leading_zero; }) * 64 > count) {
    format.digits = static_cast<unsigned>(most_common(numbers, [](const Parsed& n) -> std::optional<std::size_t> {
      return n.has_leading_zero ? std::optional<std::size_t>(n.digits) : std::nullopt;
    }));
  } else if (count_of([](const Parsed& n) { return n.digits == 0; }) * 8 > count) {
    format.digits = 0;
  }
  std::size_t best = count / 4 * 3;
  std::optional<Format> found;
  const auto offer = [&](unsigned fraction, unsigned least) {
    const std::size_t covered = count_of([&](const Parsed& n) {
      return n.fraction >= least && n.fraction <= fraction && n.digits + fraction <= kDigitsMax &&
             (n.fraction == least || !n.ends_with_zero);
    });
    // A few more that fit are not worth larger numbers.
    if (covered <= best + (found ? count / 64 : 0)) return;
    best = covered;
    format.fraction = fraction;
    format.least = least;
    found = format;
  };
  for (unsigned fraction = 0; fraction <= kDigitsMax; ++fraction) offer(fraction, fraction);
  for (unsigned fraction = 1; fraction <= kDigitsMax; ++fraction) {
    for (unsigned least = 0; least <= 1; ++least) offer(fraction, least);
  }
  return found;
}

bool fits_width(std::int64_t number, std::size_t width) {
  if (width == 8) return true;
  const std::int64_t half = std::int64_t{1} << (8 * width - 1);
  return number >= -half && number < half;
}

class Decimals final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::decimals; }
  std::string_view name() const override { return "decimals"; }
  std::string_view purpose() const override { return "fields of text that are numbers: the numbers"; }

  Result<Signature> signature(ByteView parameters) const override {
    MMH_LET(const Shape shape, parse(parameters));
    Signature signature;
    signature.stream_count = 3;
    if (shape.width > 1) {
      signature.coded[0] = {.kind = codec::StreamKind::numbers, .width = static_cast<std::uint32_t>(shape.width)};
    }
    return signature;
  }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    MMH_TRY(check_field("decimals", options.token));
    MMH_TRY(check_number_width("decimals", options.width));
    Shape shape{.width = options.width, .format = {}, .field = options.token};
    const auto format = find_format(raw, options.token);
    if (!format) return all_text(raw, shape);
    shape.format = *format;

    Encoded result;
    result.streams.resize(3);
    Buffer& numbers = result.streams[0];
    Buffer& kinds = result.streams[1];
    Buffer& texts = result.streams[2];
    numbers.resize(raw.size());
    std::size_t number_count = 0;
    bool has_kinds = false;
    const auto outgrown = [&](std::size_t more) {
      return number_count * shape.width + (has_kinds ? kinds.size() : 0) + texts.size() + more > raw.size();
    };
    Writer writer(shape.format);
    ByteView rest = raw;
    for (;;) {
      const Token token = next_token(shape.field, rest);
      if (token.size == 0) break;
      const std::byte kind = take(token.text, shape, writer, numbers, number_count);
      has_kinds = has_kinds || kind != kNumber;
      if (kind == kText) append(texts, rest.first(token.size));
      kinds.push_back(kind);
      rest = rest.subspan(token.size);
      if (outgrown(0)) return all_text(raw, shape);
    }
    if (outgrown(rest.size())) return all_text(raw, shape);
    append(texts, rest);
    numbers.resize(number_count * shape.width);
    if (!has_kinds) kinds.clear();
    put_shape(result.parameters, shape);
    return result;
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    MMH_LET(const Shape shape, parse(parameters));
    const ByteView numbers = streams[0];
    const ByteView kinds = streams[1];
    ByteView texts = streams[2];
    const auto number_count = static_cast<std::size_t>(std::ranges::count(kinds, kNumber));
    if (shape.width == 0
            ? !numbers.empty() || !kinds.empty()
            : numbers.size() % shape.width != 0 || (!kinds.empty() && number_count != numbers.size() / shape.width)) {
      return fail(Errc::corrupt, fmt::format("decimals: {} bytes for {} numbers", numbers.size(), number_count));
    }
    const std::size_t count = shape.width == 0 ? 0 : kinds.empty() ? numbers.size() / shape.width : kinds.size();
    const bool has_end = shape.field.kind == Field::Kind::terminated;
    Writer writer(shape.format);
    Bytes rest = raw;
    const auto run = [&]<class T>(T) {
      std::size_t next = 0;
      for (std::size_t i = 0; i < count; ++i) {
        const std::byte kind = kinds.empty() ? kNumber : kinds[i];
        if (kind == kText) {
          const std::size_t size = field_size(shape.field, texts);
          if (size == 0 || size > rest.size()) return false;
          copy_field(rest.data(), texts.data(), size);
          texts = texts.subspan(size);
          rest = rest.subspan(size);
          continue;
        }
        if (kind > kMinusZero) return false;
        const std::int64_t number =
            kind == kNumber ? std::int64_t{static_cast<std::make_signed_t<T>>(element<T>(numbers.data(), next++))} : 0;
        const std::string_view text = writer.write(number, number < 0 || kind == kMinusZero);
        if (text.size() + (has_end ? 1 : 0) > rest.size()) return false;
        std::memcpy(rest.data(), text.data(), text.size());
        if (has_end) rest[text.size()] = std::byte{shape.field.terminator};
        rest = rest.subspan(text.size() + (has_end ? 1 : 0));
      }
      return true;
    };
    if (!for_integers(shape.width, run) || texts.size() != rest.size()) {
      return fail(Errc::corrupt, "decimals: fields that do not fill the block");
    }
    copy_bytes(texts, rest);
    return {};
  }

  std::size_t decode_memory_max(std::size_t) const override { return 0; }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions&) const override {
    constexpr std::size_t kFinding = std::size_t{256} << 10;
    return 6 * raw_size + kFinding;  // what grows has a larger one beside it for a moment
  }

 private:
  // Adds the number that `text` is to `numbers`, unless it would be written otherwise.
  static std::byte take(std::string_view text, const Shape& shape, Writer& writer, Buffer& numbers,
                        std::size_t& number_count) {
    const auto parsed = parse_number(text);
    if (!parsed || parsed->fraction > shape.format.fraction || parsed->digits + shape.format.fraction > kDigitsMax) {
      return kText;
    }
    const std::int64_t magnitude = parsed->mantissa * kPowers[shape.format.fraction - parsed->fraction];
    const std::int64_t number = parsed->is_negative ? -magnitude : magnitude;
    if (!fits_width(number, shape.width) || writer.write(number, parsed->is_negative) != text) return kText;
    if (number == 0 && parsed->is_negative) return kMinusZero;
    if ((number_count + 1) * shape.width > numbers.size()) return kText;
    for_integers(shape.width, [&]<class T>(T) { set_element(numbers.data(), number_count, static_cast<T>(number)); });
    ++number_count;
    return kNumber;
  }

  static Encoded all_text(ByteView raw, Shape shape) {
    Encoded result;
    shape.width = 0;
    put_shape(result.parameters, shape);
    result.streams.resize(3);
    result.streams[2] = copy_of(raw);
    return result;
  }

  static void put_shape(Buffer& parameters, const Shape& shape) {
    put_varint(parameters, shape.width);
    if (shape.width != 0) {
      put_varint(parameters, shape.format.fraction);
      put_varint(parameters, shape.format.least);
      put_varint(parameters, shape.format.digits);
      put_varint(parameters, shape.format.size);
      put_varint(parameters, shape.format.is_left ? 1 : 0);
    }
    put_field(parameters, shape.field);
  }
};

}  // namespace

const codec::Codec& decimals_codec() {
  static const Decimals codec;
  return codec;
}

}  // namespace mmh::codecs
