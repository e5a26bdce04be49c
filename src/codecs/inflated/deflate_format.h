#pragma once
// DEFLATE (RFC 1951) as blocks of tokens: taking a stream apart and putting it together again.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "mmh/base/bytes.h"

namespace mmh::codecs::inflated {

inline constexpr unsigned kMatchMin = 3;
inline constexpr unsigned kMatchMax = 258;
inline constexpr unsigned kDistanceMax = 32768;
inline constexpr std::size_t kLiterals = 286;  // symbols of literals, end and lengths
inline constexpr std::size_t kDistances = 30;  // symbols of distances

/// A literal (length 0; its value is the next byte of the content) or a match.
struct Token {
  std::uint16_t length = 0;
  std::uint16_t distance = 0;  ///< 0 stands for none, 32768 for itself.
  friend bool operator==(const Token&, const Token&) = default;
};

enum class BlockKind : std::uint8_t { stored = 0, fixed = 1, dynamic = 2 };

/// A block: `count` tokens, or of a stored one as many bytes. `header`: the bits that define a dynamic block's codes,
/// from the low end of each byte.
struct Block {
  BlockKind kind = BlockKind::stored;
  std::uint32_t count = 0;
  std::uint32_t header_bits = 0;
  Buffer header = {};
};

/// A stream taken apart.
struct Parsed {
  std::size_t size = 0;  ///< Bytes of the stream.
  Buffer content;
  std::vector<Block> blocks;
  std::vector<Token> tokens;
};

/// Takes the stream apart that `in` begins with. False, and a part of it, where it is none, is cut short, stands for
/// more than `content_max` bytes or has what no usual encoder writes (bits set in padding, lengths spelt in two ways,
/// blocks of more than `kBlockCountMax`).
bool parse(ByteView in, std::size_t content_max, Parsed& parsed);

inline constexpr std::uint32_t kBlockCountMax = 1u << 18;

/// Code lengths of a block's symbols.
struct CodeLengths {
  std::array<std::uint8_t, kLiterals + 2> literals{};
  std::array<std::uint8_t, kDistances + 2> distances{};
};

/// Appends bits, from the low end of each byte, to a buffer of fixed size.
class BitWriter {
 public:
  explicit BitWriter(Bytes out) : out_(out) {}
  /// Requires: count <= 32.
  void put(std::uint32_t value, unsigned count) {
    held_ |= std::uint64_t{value} << bits_;
    bits_ += count;
    while (bits_ >= 8) {
      if (at_ < out_.size()) out_[at_] = static_cast<std::byte>(held_);
      ++at_;
      held_ >>= 8;
      bits_ -= 8;
    }
  }
  void pad() {
    if (bits_ != 0) put(0, 8 - bits_);
  }
  /// Bytes written; more than there is room for: they were dropped. Requires: pad() came last.
  std::size_t size() const { return at_; }

 private:
  Bytes out_;
  std::uint64_t held_ = 0;
  unsigned bits_ = 0;
  std::size_t at_ = 0;
};

/// How often each symbol stands in a block.
struct Frequencies {
  std::array<std::uint32_t, kLiterals> literals{};
  std::array<std::uint32_t, kDistances> distances{};
};

/// Counts tokens whose content begins at `content`; its end included.
Frequencies count_symbols(std::span<const Token> tokens, ByteView content);

/// The codes that zlib gives to these symbols, and the header that it writes for them.
struct Codes {
  CodeLengths lengths;
  std::uint32_t header_bits = 0;
  Buffer header;
};
Codes zlib_codes(const Frequencies& frequencies);
CodeLengths fixed_lengths();
/// The codes that a header defines; nothing where it defines none, or ends before its bits do.
std::optional<CodeLengths> lengths_of(ByteView header, std::uint32_t header_bits);

/// Writes tokens and the end of the block. False where a symbol has no code.
bool put_tokens(BitWriter& out, std::span<const Token> tokens, ByteView content, const CodeLengths& lengths);

}  // namespace mmh::codecs::inflated
