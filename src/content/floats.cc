#include "floats.h"

#include <algorithm>
#include <array>

#include "statistics.h"

namespace mmh::content {
namespace {

constexpr std::size_t kPieces = 4;
constexpr std::size_t kSmallPieceSize = 256;

// A few pieces of a file, and where each lies in it.
struct Piece {
  ByteView bytes;
  std::size_t offset = 0;
};
struct Pieces {
  std::array<Piece, kPieces> all;
  std::size_t count = 0;
  std::size_t bytes = 0;
};

Pieces small_pieces(ByteView head) {
  Pieces pieces;
  sample(head, kPieces, kSmallPieceSize, [&](ByteView piece) {
    pieces.all[pieces.count++] = {piece, static_cast<std::size_t>(piece.data() - head.data())};
    pieces.bytes += piece.size();
  });
  return pieces;
}

// A kind of floating-point number. Trained weights, activations and measurements lie within a few dozen powers of two
// around 1, dead filters far below; other data read as floats do not.
struct FloatKind {
  unsigned mantissa_bits;
  unsigned exponent_mask;
  unsigned usual_min, usual_count;  // exponents
  unsigned valid_min, valid_count;
  bool both_signs;  // are common, as in weights; pixels, counters and addresses have one
};
constexpr FloatKind kHalf{10, 0x1F, 3, 16, 3, 16, true};
constexpr FloatKind kBrain{7, 0xFF, 127 - 32, 48, 1, 142, true};
constexpr FloatKind kSingle{23, 0xFF, 127 - 32, 48, 1, 142, true};
constexpr FloatKind kSingleOfOneSign{23, 0xFF, 127 - 32, 48, 1, 142, false};
constexpr FloatKind kDouble{52, 0x7FF, 1023 - 64, 96, 1023 - 64, 96, false};

// Whether the elements of the pieces, the first at an offset of `phase` in its width, are numbers of the kind: all but
// one in 32 of those that are not zero. Gives up at the first that is one too many, which in other data comes soon.
template <class Word>
bool are_floats(const Pieces& pieces, std::size_t phase, const FloatKind& kind) {
  constexpr std::size_t kWidth = sizeof(Word);
  const std::size_t misses_max = pieces.bytes / kWidth / 32;
  std::size_t count = 0;
  std::size_t misses = 0;
  std::size_t negative = 0;
  std::size_t usual = 0;
  std::size_t odd = 0;
  for (std::size_t p = 0; p < pieces.count; ++p) {
    const auto& [bytes, offset] = pieces.all[p];
    for (std::size_t i = (phase - offset) % kWidth; i + kWidth <= bytes.size(); i += kWidth) {
      const auto word = load_le<Word>(bytes.subspan(i, kWidth));
      if (word == 0) continue;
      ++count;
      odd += i / kWidth % 2;
      negative += static_cast<std::size_t>(word >> (kWidth * 8 - 1));
      const auto exponent = static_cast<unsigned>(word >> kind.mantissa_bits) & kind.exponent_mask;
      usual += exponent - kind.usual_min < kind.usual_count;
      misses += exponent - kind.valid_min >= kind.valid_count;
      if (misses > misses_max) return false;
    }
  }
  // Integers of twice the width have their zeros in every other element.
  const bool even = odd * 8 >= count && odd * 8 <= count * 7;
  const bool signs = !kind.both_signs || (negative * 8 >= count && negative * 8 <= count * 7);
  return count >= 32 && count * kWidth * 4 >= pieces.bytes && misses * 32 <= count && usual * 8 >= count && even &&
         signs;
}

// Of elements that could be both: the bits behind the exponent of fp16 are of a mantissa, and so of all values; in bf16
// they still belong to the exponent, which in any one place has few.
bool is_half_rather_than_brain(const Pieces& pieces, std::size_t phase) {
  std::size_t in_two = 0;  // of the values, side by side, that most elements of a piece have
  std::size_t all = 0;
  for (std::size_t p = 0; p < pieces.count; ++p) {
    std::array<std::size_t, 8> counts{};
    const auto& [bytes, offset] = pieces.all[p];
    for (std::size_t i = (phase - offset) % 2; i + 2 <= bytes.size(); i += 2) {
      const auto word = load_le<std::uint16_t>(bytes.subspan(i, 2));
      if (word == 0) continue;
      ++counts[(word >> 7) & 7];
      ++all;
    }
    std::size_t most = 0;
    for (std::size_t v = 0; v < 8; ++v) most = std::max(most, counts[v] + counts[(v + 1) % 8]);
    in_two += most;
  }
  return in_two * 100 < all * 45;
}

std::optional<FloatGuess> guess_little(const Pieces& pieces) {
  using enum ElementType;
  // The narrow ones first: two numbers of bf16 read as one of fp32.
  for (unsigned phase = 0; phase < 2; ++phase) {
    const bool half = are_floats<std::uint16_t>(pieces, phase, kHalf);
    const bool brain = are_floats<std::uint16_t>(pieces, phase, kBrain);
    if (half && (!brain || is_half_rather_than_brain(pieces, phase))) return FloatGuess{fp16, phase};
    if (brain) return FloatGuess{bf16, phase};
  }
  for (unsigned phase = 0; phase < 4; ++phase) {
    if (are_floats<std::uint32_t>(pieces, phase, kSingle)) return FloatGuess{fp32, phase};
  }
  for (unsigned phase = 0; phase < 8; ++phase) {
    if (!are_floats<std::uint64_t>(pieces, phase, kDouble)) continue;
    // Two of fp32 side by side that have one sign read as one of fp64; the other half of an fp64 reads as no fp32.
    if (are_floats<std::uint32_t>(pieces, phase % 4, kSingleOfOneSign)) return FloatGuess{fp32, phase % 4};
    return FloatGuess{fp64, phase};
  }
  return std::nullopt;
}

// Whether what reads as little-endian floats, of which the first begins at 1, is rather big-endian ones from 0 on. The
// bytes with the sign and most of the exponent are the same; the next higher ones tell more of them than the lowest.
bool is_rather_big_endian(const Pieces& pieces, std::size_t width) {
  Histogram with_next{};  // the exponent of either reading, whose last bit is in the byte behind or before
  Histogram with_lowest{};
  for (std::size_t p = 0; p < pieces.count; ++p) {
    const auto& [bytes, offset] = pieces.all[p];
    for (std::size_t i = (width - offset % width) % width; i + width <= bytes.size(); i += width) {
      if (i == 0) continue;
      const auto byte = [&](std::size_t at) { return std::to_integer<unsigned>(bytes[at]); };
      const auto exponent = [&](std::size_t behind) { return (byte(i) << 1 & 0xFF) | byte(behind) >> 7; };
      ++with_next[exponent(i + 1)];
      ++with_lowest[exponent(i - 1)];
    }
  }
  constexpr unsigned kQuarterBit = 64;
  return entropy_of(with_next) + kQuarterBit < entropy_of(with_lowest);
}

}  // namespace

std::optional<FloatGuess> guess_floats(ByteView head) {
  const Pieces pieces = small_pieces(head);
  auto guess = guess_little(pieces);
  // In fp16, the bit next to that byte is of the mantissa in either reading.
  if (guess && guess->phase == 1 && guess->type != ElementType::fp16 &&
      is_rather_big_endian(pieces, element_size(guess->type))) {
    guess->phase = 0;
    guess->big_endian = true;
  }
  return guess;
}

}  // namespace mmh::content
