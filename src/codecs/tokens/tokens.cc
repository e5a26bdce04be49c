#include <fmt/format.h>

#include <algorithm>
#include <numeric>
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

constexpr std::size_t kTokensMax = std::size_t{1} << 20;  // different ones

std::uint64_t hash(ByteView token) {
  constexpr std::uint64_t kFactor = 0x9e3779b97f4a7c15;
  std::uint64_t sum = token.size() * kFactor;
  std::size_t i = 0;
  for (; i + 8 <= token.size(); i += 8) sum = (sum ^ load_le<std::uint64_t>(token.subspan(i, 8))) * kFactor ^ sum >> 29;
  std::uint64_t last = 0;
  for (std::size_t shift = 0; i < token.size(); ++i, shift += 8)
    last |= std::to_integer<std::uint64_t>(token[i]) << shift;
  return (sum ^ last) * kFactor;
}

// Tokens to their numbers, in the order in which they first came. Open addressing, at most half full.
class Dictionary {
 public:
  Dictionary() : slots_(kSlotsFirst) {}

  // The number of `token`, new or not. The token must stay where it is.
  std::uint32_t number_of(ByteView token) {
    const std::uint64_t code = hash(token);
    for (std::size_t slot = place(code);; slot = (slot + 1) % slots_.size()) {
      Slot& found = slots_[slot];
      if (found.number == kEmpty) {
        const auto number = static_cast<std::uint32_t>(tokens_.size());
        found = {.code = code, .number = number};
        tokens_.push_back(token);
        if (2 * tokens_.size() > slots_.size()) grow();
        return number;
      }
      if (found.code == code && equal(tokens_[found.number], token)) return found.number;
    }
  }
  const std::vector<ByteView>& tokens() const { return tokens_; }

 private:
  static constexpr std::uint32_t kEmpty = ~std::uint32_t{0};
  static constexpr std::size_t kSlotsFirst = 1024;
  struct Slot {
    std::uint64_t code = 0;
    std::uint32_t number = kEmpty;
  };

  static bool equal(ByteView a, ByteView b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
  }
  std::size_t place(std::uint64_t code) const { return static_cast<std::size_t>(code >> 32) & (slots_.size() - 1); }
  void grow() {
    std::vector<Slot> old(2 * slots_.size());
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.number == kEmpty) continue;
      std::size_t to = place(slot.code);
      while (slots_[to].number != kEmpty) to = (to + 1) % slots_.size();
      slots_[to] = slot;
    }
  }

  std::vector<Slot> slots_;
  std::vector<ByteView> tokens_;
};

struct Shape {
  std::size_t index_width;  // 0: no tokens
  std::size_t token_count;  // different ones
  Field token;
};
Result<Shape> parse(ByteView parameters) {
  MMH_LET(const std::uint64_t index_width, take_varint(parameters));
  MMH_LET(const std::uint64_t token_count, take_varint(parameters));
  MMH_LET(const Field token, take_field(parameters));
  MMH_TRY(check_no_parameters(parameters));
  if ((index_width != 0 && index_width != 1 && index_width != 2 && index_width != 4) || token_count > kTokensMax) {
    return fail(Errc::corrupt, fmt::format("tokens: {} with numbers of {} bytes", token_count, index_width));
  }
  return Shape{.index_width = static_cast<std::size_t>(index_width),
               .token_count = static_cast<std::size_t>(token_count),
               .token = token};
}

std::size_t index_width_for(std::size_t token_count) {
  if (token_count <= 256) return 1;
  return token_count <= 65536 ? 2 : 4;
}

class Tokens final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::tokens; }
  std::string_view name() const override { return "tokens"; }
  std::string_view purpose() const override { return "fields that come again: a dictionary and numbers"; }

  Result<Signature> signature(ByteView parameters) const override {
    MMH_LET(const Shape shape, parse(parameters));
    Signature signature;
    signature.stream_count = 2;
    if (shape.index_width > 1) {
      signature.coded[1] = {.kind = codec::StreamKind::numbers, .width = static_cast<std::uint32_t>(shape.index_width)};
    }
    return signature;
  }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    MMH_TRY(check_field("tokens", options.token));
    if (options.width != 1 && options.width != 2 && options.width != 4) {
      return fail(Errc::usage, fmt::format("tokens: no numbers of {} bytes; 1, 2 and 4 are known", options.width));
    }
    Dictionary dictionary;
    std::vector<std::uint32_t> numbers;
    std::size_t unique_size = 0;
    ByteView rest = raw;
    bool pays = true;
    while (pays) {
      const std::size_t size = field_size(options.token, rest);
      if (size == 0) break;
      const std::size_t before = dictionary.tokens().size();
      numbers.push_back(dictionary.number_of(rest.first(size)));
      if (dictionary.tokens().size() != before) unique_size += size;
      rest = rest.subspan(size);
      // Past the first of them, a dictionary that grows as the data do is none.
      constexpr std::size_t kFirst = std::size_t{32} << 10;
      const std::size_t done = raw.size() - rest.size();
      pays = before < kTokensMax && (done < kFirst || unique_size <= done / 4 * 3);
    }
    const std::size_t index_width = std::max<std::size_t>(index_width_for(dictionary.tokens().size()), options.width);
    pays = pays && unique_size + numbers.size() * index_width + rest.size() < raw.size();
    Encoded result;
    result.streams.resize(2);
    put_varint(result.parameters, pays ? index_width : 0);
    put_varint(result.parameters, pays ? dictionary.tokens().size() : 0);
    put_field(result.parameters, options.token);
    if (!pays) {
      result.streams[0] = copy_of(raw);
      return result;
    }
    std::vector<ByteView> tokens = dictionary.tokens();
    if (options.token.kind == Field::Kind::fixed) sort(tokens, numbers);
    result.streams[0].reserve(unique_size + rest.size());
    for (const ByteView token : tokens) append(result.streams[0], token);
    append(result.streams[0], rest);
    Buffer& indices = result.streams[1];
    indices.resize(numbers.size() * index_width);
    for_integers(index_width, [&]<class T>(T) {
      for (std::size_t i = 0; i < numbers.size(); ++i) set_element(indices.data(), i, static_cast<T>(numbers[i]));
    });
    return result;
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    MMH_LET(const Shape shape, parse(parameters));
    ByteView dictionary = streams[0];
    const ByteView indices = streams[1];
    if (shape.index_width == 0) {
      if (shape.token_count != 0 || !indices.empty() || dictionary.size() != raw.size()) {
        return fail(Errc::corrupt, "tokens: none, and not all bytes");
      }
      copy_bytes(dictionary, raw);
      return {};
    }
    if (shape.token_count > dictionary.size() || indices.size() % shape.index_width != 0) {
      return fail(Errc::corrupt, fmt::format("tokens: {} in {} bytes", shape.token_count, dictionary.size()));
    }
    std::vector<ByteView> tokens(shape.token_count);
    for (ByteView& token : tokens) {
      const std::size_t size = field_size(shape.token, dictionary);
      if (size == 0) return fail(Errc::corrupt, "tokens: a dictionary that is cut short");
      token = dictionary.first(size);
      dictionary = dictionary.subspan(size);
    }
    Bytes rest = raw;
    const bool sound = for_integers(shape.index_width, [&]<class T>(T) {
      for (std::size_t i = 0; i < indices.size() / sizeof(T); ++i) {
        const T index = element<T>(indices.data(), i);
        if (index >= tokens.size()) return false;
        const ByteView token = tokens[index];
        if (token.size() > rest.size()) return false;
        copy_field(rest.data(), token.data(), token.size());
        rest = rest.subspan(token.size());
      }
      return true;
    });
    if (!sound || dictionary.size() != rest.size()) return fail(Errc::corrupt, "tokens: a number of nothing");
    copy_bytes(dictionary, rest);
    return {};
  }

  // Numbers in order of value, as big- or little-endian ones, whichever leaves neighbours nearer to each other.
  static void sort(std::vector<ByteView>& tokens, std::vector<std::uint32_t>& numbers) {
    std::vector<std::uint32_t> order(tokens.size());
    std::vector<std::uint32_t> rank(tokens.size());
    std::vector<std::uint32_t> best;
    std::uint64_t least = ~std::uint64_t{0};
    for (const bool big_endian : {true, false}) {
      std::iota(order.begin(), order.end(), 0U);
      std::ranges::sort(order, [&](std::uint32_t a, std::uint32_t b) {
        const ByteView one = tokens[a];
        const ByteView other = tokens[b];
        if (big_endian) return std::memcmp(one.data(), other.data(), one.size()) < 0;
        return std::lexicographical_compare(one.rbegin(), one.rend(), other.rbegin(), other.rend());
      });
      for (std::size_t i = 0; i < order.size(); ++i) rank[order[i]] = static_cast<std::uint32_t>(i);
      std::uint64_t distance = 0;
      for (std::size_t i = 1; i < numbers.size(); ++i) {
        const std::uint32_t a = rank[numbers[i - 1]];
        const std::uint32_t b = rank[numbers[i]];
        distance += a < b ? b - a : a - b;
      }
      if (distance >= least) continue;
      least = distance;
      best = order;
    }
    if (best.empty()) return;
    std::vector<ByteView> sorted;
    for (std::size_t i = 0; i < best.size(); ++i) {
      sorted.push_back(tokens[best[i]]);
      rank[best[i]] = static_cast<std::uint32_t>(i);
    }
    for (std::uint32_t& number : numbers) number = rank[number];
    tokens = std::move(sorted);
  }

  std::size_t decode_memory_max(std::size_t raw_size) const override {
    return std::min(kTokensMax, codec::coded_size_max(raw_size)) * sizeof(ByteView);
  }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions& options) const override {
    const std::size_t token_min = options.token.kind == Field::Kind::fixed ? options.token.width : 1;
    const std::size_t count_max = raw_size / token_min + 1;
    // Vectors of numbers and tokens, and the table, each with the one before while it grows.
    return raw_size + 12 * count_max + (3 * sizeof(ByteView) + 96) * std::min(count_max, kTokensMax) + (64 << 10);
  }
};

}  // namespace

const codec::Codec& tokens_codec() {
  static const Tokens codec;
  return codec;
}

}  // namespace mmh::codecs
