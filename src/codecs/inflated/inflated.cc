#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "../common.h"
#include "../table.h"
#include "deflate_format.h"
#include "matcher.h"
#include "mmh/base/check.h"
#include "mmh/base/varint.h"
#include "mmh/codec/frame.h"
#include "streams.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;
using namespace inflated;

constexpr std::size_t kStreams = 3;   // instructions, content, other bytes
constexpr std::size_t kSizeMin = 64;  // bytes of a stream; smaller ones gain nothing

// On disk, in spec.md.
constexpr unsigned kKindMask = 3;
constexpr unsigned kOwnHeader = 4;              // flag of a dynamic block whose header is not the one zlib writes
constexpr std::uint64_t kStepsPerBlock = 4096;  // of one with codes
constexpr std::uint64_t steps_max(std::size_t content_size) {
  constexpr std::uint64_t kStepsPerByte = 64;
  return (std::uint64_t{64} << 10) + kStepsPerByte * content_size;
}

// One in so many tokens may differ from those foretold.
constexpr std::size_t kTokensPerMiss = 40;
constexpr std::size_t kTrialTokens = 8192;

void put_method(Buffer& out, const Method& method) {
  out.push_back(static_cast<std::byte>(method.level | static_cast<unsigned>(method.strategy) << 4));
  out.push_back(static_cast<std::byte>(method.hash_bits));
  out.push_back(static_cast<std::byte>(method.window_bits));
}

std::unexpected<Error> damaged(const char* what) { return fail(Errc::corrupt, fmt::format("inflated: {}", what)); }

Result<Method> take_method(ByteView& in) {
  if (in.size() < 3) return damaged("instructions end early");
  Method method;
  method.level = std::to_integer<std::uint8_t>(in[0] & std::byte{15});
  method.strategy = static_cast<Method::Strategy>(in[0] >> 4);
  method.hash_bits = std::to_integer<std::uint8_t>(in[1]);
  method.window_bits = std::to_integer<std::uint8_t>(in[2]);
  in = in.subspan(3);
  if (!is_valid(method)) return damaged("an unknown method");
  return method;
}

// Calls visit(block, its tokens, where its content begins) for each block of a stream, and moves the matcher along.
// Stops where `visit` says false.
template <class Visit>
void for_each_block(const Parsed& parsed, Visit visit) {
  std::size_t token = 0;
  std::size_t content = 0;
  for (const Block& block : parsed.blocks) {
    std::span<const Token> tokens;
    std::size_t size = block.count;
    if (block.kind != BlockKind::stored) {
      tokens = std::span(parsed.tokens).subspan(token, block.count);
      token += block.count;
      size = 0;
      for (const Token each : tokens) size += std::max<std::size_t>(1, each.length);
    }
    if (!visit(block, tokens, content)) return;
    content += size;
  }
}

// Tokens that differ from those foretold, among the first `tokens_max`, of as many at least; all of them where the work
// is too much.
std::size_t count_misses(const Parsed& parsed, const Method& method, std::size_t tokens_max) {
  std::size_t size = 0;
  for (const Token token : std::span(parsed.tokens).first(tokens_max)) size += std::max<std::size_t>(1, token.length);
  Matcher matcher(parsed.content, method, steps_max(size));
  std::size_t left = tokens_max;
  std::size_t misses = 0;
  for_each_block(parsed, [&](const Block& block, std::span<const Token> tokens, std::size_t) {
    if (block.kind == BlockKind::stored) matcher.skip(block.count);
    for (const Token token : tokens) {
      if (left-- == 0) return false;
      misses += matcher.predict() != token;
      matcher.take(token);
    }
    return left != 0;
  });
  return matcher.exhausted() ? tokens_max : misses;
}

// The method that foretells the first tokens best. `last`: what did so for the stream before.
std::optional<Method> find_method(const Parsed& parsed, const Found& found, const Method& last) {
  const std::size_t tokens = std::min(parsed.tokens.size(), kTrialTokens);
  std::vector<Method> candidates = {last};
  const auto usual = found.is_picture ? Method::Strategy::filtered : Method::Strategy::usual;
  const auto other = found.is_picture ? Method::Strategy::usual : Method::Strategy::filtered;
  for (const std::uint8_t level : std::initializer_list<std::uint8_t>{6, 9, 1, 8, 7, 5, 4, 3, 2})
    candidates.push_back({.level = level, .strategy = usual});
  candidates.push_back({.level = 0});
  candidates.push_back({.level = 6, .strategy = Method::Strategy::runs});
  Method best;
  std::size_t least = ~std::size_t{0};
  const auto weigh = [&](Method method) {
    method.window_bits = static_cast<std::uint8_t>(found.window_bits);
    const std::size_t misses = least == 0 ? 0 : count_misses(parsed, method, tokens);
    if (misses >= least) return;
    least = misses;
    best = method;
  };
  std::ranges::for_each(candidates, weigh);
  if (best.level >= 4) {
    Method variant = best;
    variant.strategy = other;
    weigh(variant);
  }
  for (const std::uint8_t hash_bits : std::initializer_list<std::uint8_t>{16, 14}) {
    Method variant = best;
    variant.hash_bits = hash_bits;
    weigh(variant);
  }
  if (least > tokens / kTokensPerMiss) return std::nullopt;
  return best;
}

// What makes the stream again from its content; empty where that takes too many corrections, or too much work.
Buffer instructions_for(const Parsed& parsed, const Method& method) {
  Buffer out;
  put_varint(out, parsed.blocks.size());
  put_method(out, method);
  Matcher matcher(parsed.content, method, steps_max(parsed.content.size()));
  std::size_t misses = 0;
  const std::size_t misses_max = parsed.tokens.size() / kTokensPerMiss;
  for_each_block(parsed, [&](const Block& block, std::span<const Token> tokens, std::size_t content) {
    unsigned kind = static_cast<unsigned>(block.kind);
    const bool is_dynamic = block.kind == BlockKind::dynamic;
    if (is_dynamic) {
      const Codes codes = zlib_codes(count_symbols(tokens, ByteView(parsed.content).subspan(content)));
      if (codes.header_bits != block.header_bits || codes.header != block.header) kind |= kOwnHeader;
    }
    put_varint(out, kind);
    put_varint(out, block.count);
    if ((kind & kOwnHeader) != 0) {
      put_varint(out, block.header_bits);
      append(out, block.header);
    }
    if (block.kind == BlockKind::stored) {
      matcher.skip(block.count);
      return true;
    }
    matcher.spend(kStepsPerBlock);
    Buffer corrections;
    std::size_t count = 0;
    std::size_t gap = 0;
    for (const Token token : tokens) {
      if (matcher.predict() == token) {
        ++gap;
      } else {
        ++count;
        put_varint(corrections, gap);
        gap = 0;
        put_varint(corrections, token.length == 0 ? 0 : token.length - (kMatchMin - 1));
        if (token.length != 0) put_varint(corrections, token.distance);
      }
      matcher.take(token);
    }
    put_varint(out, count);
    append(out, corrections);
    misses += count;
    return misses <= misses_max && !matcher.exhausted();
  });
  if (misses > misses_max || matcher.exhausted()) out.clear();
  return out;
}

// Makes the blocks of one stream.
class Maker {
 public:
  Maker(ByteView& instructions, ByteView content, const Method& method, Bytes out)
      : in_(instructions),
        content_(content),
        matcher_(content, method, steps_max(content.size())),
        out_(out),
        room_(out.size()) {}

  Result<> make(std::uint64_t block_count) {
    for (std::uint64_t i = 0; i < block_count; ++i) MMH_TRY(make_block(i + 1 == block_count));
    out_.pad();
    if (matcher_.position() != content_.size()) return damaged("content that no block holds");
    return {};
  }
  std::size_t size() const { return out_.size(); }

 private:
  Result<> make_block(bool is_last) {
    MMH_LET(const std::uint64_t kind, take_varint(in_));
    MMH_LET(const std::uint64_t count, take_varint(in_));
    if ((kind & kKindMask) > 2 || kind > (kOwnHeader | 2u) || ((kind & kOwnHeader) != 0 && (kind & kKindMask) != 2) ||
        count > kBlockCountMax) {
      return damaged("an unknown kind of block");
    }
    out_.put(is_last ? 1 : 0, 1);
    out_.put(static_cast<std::uint32_t>(kind & kKindMask), 2);
    if (kind == 0) return make_stored(static_cast<std::uint32_t>(count));
    matcher_.spend(kStepsPerBlock);
    if (matcher_.exhausted() || out_.size() > room_) return damaged("more work than is allowed");
    CodeLengths lengths = fixed_lengths();
    ByteView header;
    std::uint64_t header_bits = 0;
    if ((kind & kOwnHeader) != 0) {
      MMH_LET(header_bits, take_varint(in_));
      if ((header_bits + 7) / 8 > in_.size()) return damaged("instructions end early");
      header = in_.first(static_cast<std::size_t>((header_bits + 7) / 8));
      in_ = in_.subspan(header.size());
      const auto own = lengths_of(header, static_cast<std::uint32_t>(header_bits));
      if (!own) return damaged("a header that defines no codes");
      lengths = *own;
    }
    const std::size_t begin = matcher_.position();
    MMH_TRY(make_tokens(static_cast<std::size_t>(count)));
    Codes codes;
    if (kind == static_cast<unsigned>(BlockKind::dynamic)) {
      codes = zlib_codes(count_symbols(tokens_, content_.subspan(begin)));
      lengths = codes.lengths;
      header = codes.header;
      header_bits = codes.header_bits;
    }
    for (std::uint64_t bit = 0; bit < header_bits; bit += 8) {
      out_.put(std::to_integer<std::uint32_t>(header[bit / 8]),
               static_cast<unsigned>(std::min<std::uint64_t>(8, header_bits - bit)));
    }
    if (!put_tokens(out_, tokens_, content_.subspan(begin), lengths)) return damaged("a symbol without a code");
    return {};
  }

  Result<> make_stored(std::uint32_t count) {
    if (count > 0xFFFF || count > content_.size() - matcher_.position()) return damaged("more than there is");
    out_.pad();
    out_.put(count, 16);
    out_.put(count ^ 0xFFFF, 16);
    for (const std::byte byte : content_.subspan(matcher_.position(), count)) {
      out_.put(std::to_integer<std::uint32_t>(byte), 8);
    }
    matcher_.skip(count);
    return {};
  }

  Result<> make_tokens(std::size_t count) {
    tokens_.clear();
    MMH_LET(std::uint64_t corrections, take_varint(in_));
    std::uint64_t gap = ~std::uint64_t{0};
    if (corrections > 0) {
      MMH_LET(gap, take_varint(in_));
    }
    for (std::size_t i = 0; i < count; ++i) {
      Token token = matcher_.predict();
      if (matcher_.exhausted()) return damaged("more work than is allowed");
      if (corrections > 0 && gap-- == 0) {
        MMH_LET(token, take_correction());
        if (--corrections > 0) {
          MMH_LET(gap, take_varint(in_));
        }
      }
      const std::size_t left = content_.size() - matcher_.position();
      if (std::max<std::size_t>(1, token.length) > left) return damaged("more than there is");
      tokens_.push_back(token);
      matcher_.take(token);
    }
    if (corrections != 0) return damaged("corrections behind the end");
    return {};
  }

  Result<Token> take_correction() {
    MMH_LET(const std::uint64_t length, take_varint(in_));
    if (length == 0) return Token{};
    MMH_LET(const std::uint64_t distance, take_varint(in_));
    if (length > kMatchMax - (kMatchMin - 1) || distance == 0 || distance > kDistanceMax) {
      return damaged("a match that cannot be");
    }
    return Token{static_cast<std::uint16_t>(length + kMatchMin - 1), static_cast<std::uint16_t>(distance)};
  }

  ByteView& in_;
  ByteView content_;
  Matcher matcher_;
  BitWriter out_;
  std::size_t room_;
  std::vector<Token> tokens_;
};

class Inflated final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::inflated; }
  std::string_view name() const override { return "inflated"; }
  std::string_view purpose() const override {
    return "gzip files, zip archives and PNG pictures, without their compression";
  }

  Result<codec::Signature> signature(ByteView) const override {
    codec::Signature signature;
    signature.stream_count = kStreams;
    return signature;
  }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    Encoded result;
    result.streams.resize(kStreams);
    Buffer& instructions = result.streams[0];
    Buffer& content = result.streams[1];
    Buffer& others = result.streams[2];
    // The other streams are an eighth larger than the block at most; the frame's limit is for all.
    const std::size_t content_max = codec::intermediates_max(raw.size()) - raw.size() - raw.size() / 2;
    std::size_t work_left = 4 * content_max;
    Method last;
    std::size_t done = 0;
    std::size_t from = 0;
    while (const auto found = next_stream(raw, from)) {
      MMH_TRY(check_cancelled(options.cancel));
      from = found->pieces[0].offset;
      Parsed parsed;
      const bool is_stream = parse_pieces(raw, *found, content_max - content.size(), parsed);
      // Beginnings of streams that are none, one behind the other, are not all followed.
      if (parsed.content.size() > work_left) break;
      work_left -= parsed.content.size();
      if (!is_stream || parsed.size < kSizeMin || parsed.content.size() <= parsed.size) continue;
      const auto method = find_method(parsed, *found, last);
      if (!method) continue;
      const Buffer made = instructions_for(parsed, *method);
      if (made.empty() || made.size() > parsed.size / 16 + 16) continue;
      last = *method;
      put_varint(instructions, parsed.size);
      put_varint(instructions, parsed.content.size());
      std::size_t left = parsed.size;
      for (const Piece& piece : found->pieces) {
        const std::size_t size = std::min(left, piece.size);
        put_varint(instructions, piece.offset - done);
        put_varint(instructions, size);
        append(others, raw.subspan(done, piece.offset - done));
        done = piece.offset + size;
        left -= size;
        if (left == 0) break;
      }
      append(instructions, made);
      append(content, parsed.content);
      from = done;
    }
    append(others, raw.subspan(done));
    return result;
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    MMH_TRY(check_no_parameters(parameters));
    ByteView instructions = streams[0];
    ByteView content = streams[1];
    ByteView others = streams[2];
    while (!instructions.empty()) MMH_TRY(decode_stream(instructions, content, others, raw));
    if (others.size() != raw.size() || !content.empty()) return damaged("the streams do not make up the block");
    copy_bytes(others, raw);
    return {};
  }

  std::size_t decode_memory_max(std::size_t raw_size) const override { return raw_size + kFixedMemory; }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions&) const override {
    return kFixedMemory + 8 * codec::intermediates_max(raw_size);
  }

 private:
  static constexpr std::size_t kFixedMemory = std::size_t{4} << 20;

  static bool parse_pieces(ByteView raw, const Found& found, std::size_t content_max, Parsed& parsed) {
    if (found.pieces.size() == 1)
      return parse(raw.subspan(found.pieces[0].offset, found.pieces[0].size), content_max, parsed);
    Buffer all;
    for (const Piece& piece : found.pieces) append(all, raw.subspan(piece.offset, piece.size));
    return parse(all, content_max, parsed);
  }

  static Result<> decode_stream(ByteView& instructions, ByteView& content, ByteView& others, Bytes& raw) {
    MMH_LET(const std::uint64_t size, take_varint(instructions));
    MMH_LET(const std::uint64_t content_size, take_varint(instructions));
    if (size < kSizeMin || size > raw.size() || content_size > content.size()) {
      return damaged("a stream lies outside the block");
    }
    // The pieces are filled behind: how the stream is made stands after them.
    ByteView pieces = instructions;
    std::uint64_t left = size;
    while (left > 0) {
      MMH_TRY(take_varint(instructions));
      MMH_LET(const std::uint64_t piece, take_varint(instructions));
      if (piece > left || piece == 0) return damaged("a piece of a wrong size");
      left -= piece;
    }
    MMH_LET(const std::uint64_t block_count, take_varint(instructions));
    MMH_LET(const Method method, take_method(instructions));
    Buffer stream(static_cast<std::size_t>(size));
    Maker maker(instructions, content.first(static_cast<std::size_t>(content_size)), method, stream);
    MMH_TRY(maker.make(block_count));
    if (maker.size() != size) return damaged("a stream of another size");
    content = content.subspan(static_cast<std::size_t>(content_size));
    for (ByteView from = stream; !from.empty();) {
      MMH_LET(const std::uint64_t gap, take_varint(pieces));
      MMH_LET(const std::uint64_t piece, take_varint(pieces));
      if (gap > others.size() || gap > raw.size() || piece > raw.size() - gap) {
        return damaged("a stream lies outside the block");
      }
      const auto gap_size = static_cast<std::size_t>(gap);
      const auto piece_size = static_cast<std::size_t>(piece);
      copy_bytes(others.first(gap_size), raw);
      copy_bytes(from.first(piece_size), raw.subspan(gap_size));
      others = others.subspan(gap_size);
      from = from.subspan(piece_size);
      raw = raw.subspan(gap_size + piece_size);
    }
    return {};
  }
};

}  // namespace

const codec::Codec& inflated_codec() {
  static const Inflated codec;
  return codec;
}

}  // namespace mmh::codecs
