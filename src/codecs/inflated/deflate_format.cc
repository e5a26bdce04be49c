#include "deflate_format.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "mmh/base/check.h"

namespace mmh::codecs::inflated {
namespace {

constexpr unsigned kEnd = 256;
constexpr unsigned kCodeMax = 15;       // bits of a code
constexpr unsigned kHeaderCodeMax = 7;  // and of those of the header
constexpr std::size_t kHeaderSymbols = 19;
constexpr std::array<std::uint8_t, kHeaderSymbols> kHeaderOrder = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                                   11, 4,  12, 3, 13, 2, 14, 1, 15};

struct Range {
  std::uint16_t base;
  std::uint8_t extra;
};
constexpr std::array<Range, 29> kLengthRanges = [] {
  std::array<Range, 29> ranges{};
  unsigned base = kMatchMin;
  for (unsigned i = 0; i < 28; ++i) {
    const unsigned extra = i < 8 ? 0 : i / 4 - 1;
    ranges[i] = {static_cast<std::uint16_t>(base), static_cast<std::uint8_t>(extra)};
    base += 1u << extra;
  }
  ranges[28] = {kMatchMax, 0};
  return ranges;
}();
constexpr std::array<Range, kDistances> kDistanceRanges = [] {
  std::array<Range, kDistances> ranges{};
  unsigned base = 1;
  for (unsigned i = 0; i < kDistances; ++i) {
    const unsigned extra = i < 4 ? 0 : i / 2 - 1;
    ranges[i] = {static_cast<std::uint16_t>(base), static_cast<std::uint8_t>(extra)};
    base += 1u << extra;
  }
  return ranges;
}();
constexpr std::array<std::uint8_t, kMatchMax + 1> kLengthSymbol = [] {
  std::array<std::uint8_t, kMatchMax + 1> symbols{};
  for (unsigned i = 0; i < 28; ++i) {
    for (unsigned k = 0; k < 1u << kLengthRanges[i].extra && kLengthRanges[i].base + k < kMatchMax; ++k) {
      symbols[kLengthRanges[i].base + k] = static_cast<std::uint8_t>(i);
    }
  }
  symbols[kMatchMax] = 28;
  return symbols;
}();

unsigned distance_symbol(unsigned distance) {
  if (distance <= 4) return distance - 1;
  const auto bits = static_cast<unsigned>(std::bit_width(distance - 1));
  return 2 * (bits - 1) + ((distance - 1) >> (bits - 2) & 1);
}

class BitReader {
 public:
  explicit BitReader(ByteView in) : in_(in) {}
  // At least `count` bits where the input has them, zeros behind its end.
  std::uint32_t peek(unsigned count) {
    while (bits_ < count) {
      const std::uint64_t byte = at_ < in_.size() ? std::to_integer<std::uint64_t>(in_[at_]) : 0;
      held_ |= byte << bits_;
      ++at_;
      bits_ += 8;
    }
    return static_cast<std::uint32_t>(held_ & ((std::uint64_t{1} << count) - 1));
  }
  void drop(unsigned count) {
    held_ >>= count;
    bits_ -= count;
  }
  std::uint32_t take(unsigned count) {
    const std::uint32_t value = peek(count);
    drop(count);
    return value;
  }
  std::size_t bits_read() const { return 8 * at_ - bits_; }
  bool is_behind_end() const { return bits_read() > 8 * in_.size(); }
  // Requires: a multiple of 8 bits was read.
  ByteView rest() const { return in_.subspan(std::min(in_.size(), bits_read() / 8)); }
  void skip_bytes(std::size_t count) {
    at_ = bits_read() / 8 + count;
    held_ = 0;
    bits_ = 0;
  }

 private:
  ByteView in_;
  std::size_t at_ = 0;
  std::uint64_t held_ = 0;
  unsigned bits_ = 0;
};

std::uint32_t reversed(std::uint32_t value, unsigned bits) {
  std::uint32_t result = 0;
  for (; bits > 0; --bits, value >>= 1) result = result << 1 | (value & 1);
  return result;
}

// The codes that lengths stand for, as they stand in the stream.
void codes_of(std::span<const std::uint8_t> lengths, std::span<std::uint16_t> codes) {
  std::array<std::uint32_t, kCodeMax + 2> next{};  // code of each length; first, one further, how many there are
  for (const std::uint8_t length : lengths) ++next[length + std::size_t{1}];
  next[1] = 0;
  for (unsigned bits = 1; bits <= kCodeMax; ++bits) next[bits + 1] = (next[bits] + next[bits + 1]) << 1;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] != 0) codes[i] = static_cast<std::uint16_t>(reversed(next[lengths[i]]++, lengths[i]));
  }
}

// Finds symbols by the bits that come.
class Decoder {
 public:
  // False: the lengths make no code. An incomplete one is taken where it has one symbol at most, as zlib does.
  bool assign(std::span<const std::uint8_t> lengths) {
    std::array<std::uint32_t, kCodeMax + 1> counts{};
    for (const std::uint8_t length : lengths) ++counts[length];
    std::int32_t left = 1;
    for (unsigned bits = 1; bits <= kCodeMax; ++bits) {
      left = 2 * left - static_cast<std::int32_t>(counts[bits]);
      if (left < 0) return false;
    }
    if (left > 0 && lengths.size() - counts[0] > 1) return false;
    std::array<std::uint16_t, kLiterals + 2> codes{};
    codes_of(lengths, codes);
    table_.assign(std::size_t{1} << kCodeMax, 0);
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      const unsigned length = lengths[i];
      if (length == 0) continue;
      for (std::size_t at = codes[i]; at < table_.size(); at += std::size_t{1} << length) {
        table_[at] = static_cast<std::uint16_t>(i << 4 | length);
      }
    }
    return true;
  }
  // The next symbol; SIZE_MAX for bits that are no code.
  std::size_t take(BitReader& in) const {
    const std::uint16_t entry = table_[in.peek(kCodeMax)];
    if (entry == 0) return ~std::size_t{0};
    in.drop(entry & 15);
    return entry >> 4;
  }

 private:
  std::vector<std::uint16_t> table_;
};

std::optional<CodeLengths> read_header(BitReader& in) {
  const std::size_t literals = in.take(5) + std::size_t{257};
  const std::size_t distances = in.take(5) + std::size_t{1};
  const std::size_t header_symbols = in.take(4) + std::size_t{4};
  if (literals > kLiterals || distances > kDistances) return std::nullopt;
  std::array<std::uint8_t, kHeaderSymbols> header_lengths{};
  for (std::size_t i = 0; i < header_symbols; ++i) {
    header_lengths[kHeaderOrder[i]] = static_cast<std::uint8_t>(in.take(3));
  }
  Decoder decoder;
  if (!decoder.assign(header_lengths)) return std::nullopt;
  std::array<std::uint8_t, kLiterals + kDistances> all{};
  for (std::size_t at = 0; at < literals + distances;) {
    const std::size_t symbol = decoder.take(in);
    if (symbol < 16) {
      all[at++] = static_cast<std::uint8_t>(symbol);
      continue;
    }
    if (symbol >= kHeaderSymbols || (symbol == 16 && at == 0)) return std::nullopt;
    const std::uint8_t value = symbol == 16 ? all[at - 1] : std::uint8_t{0};
    const std::size_t repeat = symbol == 16 ? 3 + in.take(2) : symbol == 17 ? 3 + in.take(3) : 11 + in.take(7);
    if (repeat > literals + distances - at) return std::nullopt;
    for (std::size_t i = 0; i < repeat; ++i) all[at++] = value;
  }
  if (in.is_behind_end()) return std::nullopt;
  CodeLengths lengths;
  std::copy_n(all.begin(), literals, lengths.literals.begin());
  std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(literals), distances, lengths.distances.begin());
  if (lengths.literals[kEnd] == 0) return std::nullopt;
  return lengths;
}

// Reads the tokens of a block up to its end.
bool read_tokens(BitReader& in, const CodeLengths& lengths, std::size_t content_max, Parsed& parsed, Block& block) {
  Decoder literals;
  Decoder distances;
  if (!literals.assign(lengths.literals) || !distances.assign(lengths.distances)) return false;
  for (;;) {
    const std::size_t symbol = literals.take(in);
    if (in.is_behind_end()) return false;
    if (symbol == kEnd) return true;
    if (symbol >= kLiterals || block.count == kBlockCountMax) return false;
    ++block.count;
    if (symbol < kEnd) {
      if (parsed.content.size() == content_max) return false;
      parsed.content.push_back(static_cast<std::byte>(symbol));
      parsed.tokens.push_back({});
      continue;
    }
    const Range& length_range = kLengthRanges[symbol - kEnd - 1];
    const std::uint32_t length = length_range.base + in.take(length_range.extra);
    if (length == kMatchMax && symbol != kLiterals - 1) return false;
    const std::size_t distance_at = distances.take(in);
    if (distance_at >= kDistances) return false;
    const Range& distance_range = kDistanceRanges[distance_at];
    const std::uint32_t distance = distance_range.base + in.take(distance_range.extra);
    const std::size_t done = parsed.content.size();
    if (distance > done || length > content_max - done) return false;
    parsed.content.resize(done + length);
    std::byte* const to = parsed.content.data() + done;
    for (std::uint32_t i = 0; i < length; ++i) to[i] = to[static_cast<std::ptrdiff_t>(i) - std::ptrdiff_t{distance}];
    parsed.tokens.push_back({static_cast<std::uint16_t>(length), static_cast<std::uint16_t>(distance)});
  }
}

bool read_stored(BitReader& in, std::size_t content_max, Parsed& parsed, Block& block) {
  const auto padding = static_cast<unsigned>((8 - in.bits_read() % 8) % 8);
  if (in.take(padding) != 0) return false;
  const std::uint32_t size = in.take(16);
  if ((in.take(16) ^ size) != 0xFFFF || in.is_behind_end()) return false;
  const ByteView rest = in.rest();
  if (size > rest.size() || size > content_max - parsed.content.size()) return false;
  append(parsed.content, rest.first(size));
  in.skip_bytes(size);
  block.count = size;
  return true;
}

// A Huffman tree as zlib builds it: which symbols get which lengths, where several trees are as good.
template <std::size_t Symbols>
struct TreeBuilder {
  static constexpr std::size_t kNodes = 2 * Symbols + 1;
  std::array<std::uint32_t, kNodes> weight{};
  std::array<std::uint16_t, kNodes> parent{};
  std::array<std::uint8_t, kNodes> depth{};
  std::array<std::uint8_t, kNodes> length{};
  std::array<std::uint16_t, kNodes + 1> heap{};
  std::size_t heap_size = 0;
  std::size_t heap_max = kNodes;

  bool smaller(std::size_t a, std::size_t b) const {
    return weight[a] < weight[b] || (weight[a] == weight[b] && depth[a] <= depth[b]);
  }
  void sift(std::size_t at) {
    const std::uint16_t value = heap[at];
    for (std::size_t child = 2 * at; child <= heap_size; child *= 2) {
      if (child < heap_size && smaller(heap[child + 1], heap[child])) ++child;
      if (smaller(value, heap[child])) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = value;
  }

  // Returns the last symbol that has a code.
  std::size_t build(std::span<const std::uint32_t> frequencies, unsigned length_max) {
    std::ptrdiff_t last = -1;
    for (std::size_t i = 0; i < frequencies.size(); ++i) {
      if (frequencies[i] == 0) continue;
      weight[i] = frequencies[i];
      heap[++heap_size] = static_cast<std::uint16_t>(i);
      last = static_cast<std::ptrdiff_t>(i);
    }
    while (heap_size < 2) {
      const std::size_t forced = last < 2 ? static_cast<std::size_t>(++last) : 0;
      heap[++heap_size] = static_cast<std::uint16_t>(forced);
      weight[forced] = 1;
    }
    for (std::size_t i = heap_size / 2; i >= 1; --i) sift(i);
    std::size_t node = frequencies.size();
    do {
      const std::uint16_t one = heap[1];
      heap[1] = heap[heap_size--];
      sift(1);
      const std::uint16_t two = heap[1];
      heap[--heap_max] = one;
      heap[--heap_max] = two;
      weight[node] = weight[one] + weight[two];
      depth[node] = static_cast<std::uint8_t>(std::max(depth[one], depth[two]) + 1);
      parent[one] = parent[two] = static_cast<std::uint16_t>(node);
      heap[1] = static_cast<std::uint16_t>(node++);
      sift(1);
    } while (heap_size >= 2);
    heap[--heap_max] = heap[1];
    limit_lengths(static_cast<std::size_t>(last), length_max);
    return static_cast<std::size_t>(last);
  }

  void limit_lengths(std::size_t last, unsigned length_max) {
    std::array<std::uint32_t, kCodeMax + 1> counts{};
    length[heap[heap_max]] = 0;
    std::ptrdiff_t overflow = 0;
    std::size_t h = heap_max + 1;
    for (; h < kNodes; ++h) {
      const std::size_t node = heap[h];
      unsigned bits = length[parent[node]] + 1u;
      if (bits > length_max) {
        bits = length_max;
        ++overflow;
      }
      length[node] = static_cast<std::uint8_t>(bits);
      if (node <= last) ++counts[bits];
    }
    if (overflow == 0) return;
    do {
      unsigned bits = length_max - 1;
      while (counts[bits] == 0) --bits;
      --counts[bits];
      counts[bits + 1] += 2;
      --counts[length_max];
      overflow -= 2;
    } while (overflow > 0);
    for (unsigned bits = length_max; bits != 0; --bits) {
      for (std::uint32_t left = counts[bits]; left != 0;) {
        const std::size_t node = heap[--h];
        if (node > last) continue;
        length[node] = static_cast<std::uint8_t>(bits);
        --left;
      }
    }
  }
};

// Calls symbol(symbol, extra bits' value, their count) for the lengths up to `last`, as zlib shortens runs of them.
template <class Symbol>
void shorten(std::span<const std::uint8_t> lengths, std::size_t last, Symbol symbol) {
  int before = -1;
  for (std::size_t at = 0; at <= last;) {
    const int length = lengths[at];
    const std::size_t run_max = length == 0 ? 138 : length == before ? 6 : 7;
    std::size_t run = 1;
    while (run < run_max && at + run <= last && lengths[at + run] == length) ++run;
    at += run;
    // zlib fixes the least and most of a run by what came before it.
    const std::size_t run_min = length == 0 || length == before ? 3 : 4;
    if (run < run_min) {
      for (std::size_t i = 0; i < run; ++i) symbol(static_cast<unsigned>(length), 0u, 0u);
    } else if (length != 0) {
      if (length != before) {
        symbol(static_cast<unsigned>(length), 0u, 0u);
        --run;
      }
      symbol(16u, static_cast<unsigned>(run - 3), 2u);
    } else if (run <= 10) {
      symbol(17u, static_cast<unsigned>(run - 3), 3u);
    } else {
      symbol(18u, static_cast<unsigned>(run - 11), 7u);
    }
    before = length;
  }
}

}  // namespace

bool parse(ByteView in, std::size_t content_max, Parsed& parsed) {
  BitReader reader(in);
  for (bool final_block = false; !final_block;) {
    final_block = reader.take(1) != 0;
    const std::uint32_t kind = reader.take(2);
    if (kind > 2 || reader.is_behind_end()) return false;
    Block block{.kind = static_cast<BlockKind>(kind)};
    if (block.kind == BlockKind::stored) {
      if (!read_stored(reader, content_max, parsed, block)) return false;
    } else if (block.kind == BlockKind::fixed) {
      if (!read_tokens(reader, fixed_lengths(), content_max, parsed, block)) return false;
    } else {
      const std::size_t begin = reader.bits_read();
      const auto lengths = read_header(reader);
      if (!lengths) return false;
      block.header_bits = static_cast<std::uint32_t>(reader.bits_read() - begin);
      BitReader header(in.subspan(begin / 8));
      header.take(static_cast<unsigned>(begin % 8));
      for (std::uint32_t left = block.header_bits; left > 0; left -= std::min(left, 8u)) {
        block.header.push_back(static_cast<std::byte>(header.take(std::min(left, 8u))));
      }
      if (!read_tokens(reader, *lengths, content_max, parsed, block)) return false;
    }
    parsed.blocks.push_back(std::move(block));
  }
  const auto padding = static_cast<unsigned>((8 - reader.bits_read() % 8) % 8);
  if (reader.take(padding) != 0 || reader.is_behind_end()) return false;
  parsed.size = reader.bits_read() / 8;
  return true;
}

Frequencies count_symbols(std::span<const Token> tokens, ByteView content) {
  Frequencies result;
  std::size_t at = 0;
  for (const Token token : tokens) {
    if (token.length == 0) {
      ++result.literals[std::to_integer<std::size_t>(content[at++])];
      continue;
    }
    ++result.literals[kEnd + 1u + kLengthSymbol[token.length]];
    ++result.distances[distance_symbol(token.distance)];
    at += token.length;
  }
  ++result.literals[kEnd];
  return result;
}

Codes zlib_codes(const Frequencies& frequencies) {
  Codes codes;
  TreeBuilder<kLiterals> literals;
  TreeBuilder<kDistances> distances;
  const std::size_t literals_last = literals.build(frequencies.literals, kCodeMax);
  const std::size_t distances_last = distances.build(frequencies.distances, kCodeMax);
  std::copy_n(literals.length.begin(), kLiterals, codes.lengths.literals.begin());
  std::copy_n(distances.length.begin(), kDistances, codes.lengths.distances.begin());
  std::array<std::uint32_t, kHeaderSymbols> header_frequencies{};
  const auto count = [&](unsigned symbol, unsigned, unsigned) { ++header_frequencies[symbol]; };
  shorten(codes.lengths.literals, literals_last, count);
  shorten(codes.lengths.distances, distances_last, count);
  TreeBuilder<kHeaderSymbols> header;
  header.build(header_frequencies, kHeaderCodeMax);
  std::size_t header_symbols = kHeaderSymbols;
  while (header_symbols > 4 && header.length[kHeaderOrder[header_symbols - 1]] == 0) --header_symbols;
  std::array<std::uint16_t, kHeaderSymbols> header_codes{};
  codes_of(std::span(header.length).first(kHeaderSymbols), header_codes);
  constexpr std::size_t kHeaderMax = 512;
  codes.header.resize(kHeaderMax);
  BitWriter out(codes.header);
  const auto put = [&](std::uint32_t value, unsigned bits) {
    out.put(value, bits);
    codes.header_bits += bits;
  };
  put(static_cast<std::uint32_t>(literals_last + 1 - 257), 5);
  put(static_cast<std::uint32_t>(distances_last), 5);
  put(static_cast<std::uint32_t>(header_symbols - 4), 4);
  for (std::size_t i = 0; i < header_symbols; ++i) put(header.length[kHeaderOrder[i]], 3);
  const auto write = [&](unsigned symbol, unsigned extra, unsigned extra_bits) {
    put(header_codes[symbol], header.length[symbol]);
    put(extra, extra_bits);
  };
  shorten(codes.lengths.literals, literals_last, write);
  shorten(codes.lengths.distances, distances_last, write);
  out.pad();
  MMH_CHECK(out.size() <= kHeaderMax);
  codes.header.resize(out.size());
  return codes;
}

CodeLengths fixed_lengths() {
  CodeLengths lengths;
  for (std::size_t i = 0; i < lengths.literals.size(); ++i) {
    lengths.literals[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
  }
  lengths.distances.fill(5);
  return lengths;
}

std::optional<CodeLengths> lengths_of(ByteView header, std::uint32_t header_bits) {
  BitReader in(header);
  auto lengths = read_header(in);
  if (!lengths || in.bits_read() != header_bits) return std::nullopt;
  return lengths;
}

bool put_tokens(BitWriter& out, std::span<const Token> tokens, ByteView content, const CodeLengths& lengths) {
  std::array<std::uint16_t, kLiterals + 2> literal_codes{};
  std::array<std::uint16_t, kDistances + 2> distance_codes{};
  codes_of(lengths.literals, literal_codes);
  codes_of(lengths.distances, distance_codes);
  bool sound = true;
  const auto put = [&](std::uint32_t code, unsigned bits) {
    sound = sound && bits != 0;
    out.put(code, bits);
  };
  std::size_t at = 0;
  for (const Token token : tokens) {
    if (token.length == 0) {
      const auto literal = std::to_integer<std::size_t>(content[at++]);
      put(literal_codes[literal], lengths.literals[literal]);
      continue;
    }
    at += token.length;
    const std::size_t length = kLengthSymbol[token.length];
    put(literal_codes[kEnd + 1 + length], lengths.literals[kEnd + 1 + length]);
    out.put(token.length - std::uint32_t{kLengthRanges[length].base}, kLengthRanges[length].extra);
    const unsigned distance = distance_symbol(token.distance);
    put(distance_codes[distance], lengths.distances[distance]);
    out.put(token.distance - std::uint32_t{kDistanceRanges[distance].base}, kDistanceRanges[distance].extra);
  }
  put(literal_codes[kEnd], lengths.literals[kEnd]);
  return sound;
}

}  // namespace mmh::codecs::inflated
