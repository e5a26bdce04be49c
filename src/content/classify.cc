#include "mmh/content/classify.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "magic.h"
#include "statistics.h"
#include "text.h"

namespace mmh::content {
namespace {

using enum ContentClass;

constexpr std::size_t kHeadMax = std::size_t{64} << 10;
constexpr std::size_t kPieces = 4;
constexpr std::size_t kPieceSize = 1024;
constexpr std::size_t kProbePieceSize = 2048;

// Which kinds of number the elements of a sample could be.
struct Numbers {
  std::size_t count16 = 0, half = 0, brain = 0, negative16 = 0;
  std::size_t count32 = 0, single = 0, negative32 = 0;
  std::size_t count64 = 0, real = 0;
};

// Trained weights, activations and measurements lie within a few dozen powers of two around 1; other data read as
// floats do not.
void count_numbers(ByteView piece, Numbers& numbers) {
  for (std::size_t i = 0; i + 8 <= piece.size(); i += 8) {
    const auto word = load_le<std::uint64_t>(piece.subspan(i, 8));
    if (word != 0) {
      ++numbers.count64;
      const auto exponent = static_cast<unsigned>(word >> 52) & 0x7FF;
      numbers.real += exponent - (1023 - 64) < 96;
    }
    for (int shift = 0; shift < 64; shift += 32) {
      const auto value = static_cast<std::uint32_t>(word >> shift);
      if (value == 0) continue;
      ++numbers.count32;
      numbers.negative32 += value >> 31;
      numbers.single += ((value >> 23) & 0xFF) - (127 - 32) < 48;
    }
    for (int shift = 0; shift < 64; shift += 16) {
      const auto value = static_cast<std::uint32_t>(word >> shift) & 0xFFFF;
      if (value == 0) continue;
      ++numbers.count16;
      numbers.negative16 += value >> 15;
      numbers.half += ((value >> 10) & 0x1F) - 3 < 16;
      numbers.brain += ((value >> 7) & 0xFF) - (127 - 32) < 48;
    }
  }
}

bool nearly_all(std::size_t part, std::size_t whole) { return part * 32 >= whole * 31; }
// Both signs are common, as in weights; pixels, counters and addresses have one.
bool both(std::size_t negative, std::size_t whole) { return negative * 8 >= whole && negative * 8 <= whole * 7; }

bool is_tensor(const Numbers& numbers, std::size_t sampled) {
  const auto enough = [&](std::size_t count, std::size_t width) { return count >= 64 && count * width * 4 >= sampled; };
  if (enough(numbers.count32, 4) && nearly_all(numbers.single, numbers.count32) &&
      both(numbers.negative32, numbers.count32)) {
    return true;
  }
  if (enough(numbers.count16, 2) && both(numbers.negative16, numbers.count16) &&
      (nearly_all(numbers.half, numbers.count16) || nearly_all(numbers.brain, numbers.count16))) {
    return true;
  }
  return enough(numbers.count64, 8) && nearly_all(numbers.real, numbers.count64);
}

// The distance at which pairs of bytes most often come back, where that is often enough to speak of records; else 0.
std::size_t period_of(ByteView piece) {
  std::array<std::uint16_t, 1024> last{};
  std::array<std::uint16_t, 257> distances{};
  for (std::size_t i = 0; i + 2 <= piece.size(); ++i) {
    const auto pair = load_le<std::uint16_t>(piece.subspan(i, 2));
    std::uint16_t& place = last[static_cast<std::uint16_t>(pair * 40503U) >> 6];
    const std::size_t distance = i + 1 - place;
    if (place != 0 && distance <= 256) ++distances[distance];
    place = static_cast<std::uint16_t>(i + 1);
  }
  const auto best = std::max_element(distances.begin() + 2, distances.end());
  return *best * std::size_t{6} >= piece.size() ? static_cast<std::size_t>(best - distances.begin()) : 0;
}

// Neighbouring 16-bit samples of sound and pictures differ far less than distant ones.
bool is_smooth(ByteView piece) {
  const std::size_t count = piece.size() / 2;
  if (count < 128) return false;
  constexpr std::size_t kFar = 61;
  std::uint64_t near_sum = 0;
  std::uint64_t far_sum = 0;
  const auto value = [&](std::size_t i) { return static_cast<int>(load_le<std::int16_t>(piece.subspan(2 * i, 2))); };
  for (std::size_t i = 0; i + kFar < count; ++i) {
    near_sum += static_cast<unsigned>(std::abs(value(i + 1) - value(i)));
    far_sum += static_cast<unsigned>(std::abs(value(i + kFar) - value(i)));
  }
  return far_sum > count * 4 && near_sum * 4 < far_sum;
}

// Bytes whose hash was seen before at the same content: the share of positions that a match finder would find something
// at.
class MatchProbe {
 public:
  void add(ByteView piece) {
    std::memset(last_.data(), 0, sizeof last_);
    for (std::size_t i = 0; i + 8 <= piece.size(); ++i) {
      const std::uint64_t six = load_le<std::uint64_t>(piece.subspan(i, 8)) << 16;
      std::uint16_t& place = last_[static_cast<std::size_t>((six * 0x9E3779B97F4A7C15) >> 54)];
      if (place != 0 && std::memcmp(&piece[i], &piece[place - std::size_t{1}], 6) == 0) ++matches_;
      place = static_cast<std::uint16_t>(i + 1);
      ++positions_;
    }
  }
  bool any() const { return matches_ * 100 > positions_; }

 private:
  std::array<std::uint16_t, 1024> last_;
  std::size_t matches_ = 0;
  std::size_t positions_ = 0;
};

// More uneven than chance makes `count` uniform bytes (four standard deviations), and by enough to gain half a percent.
bool is_skewed(const Histogram& counts, std::size_t count) {
  return skew_of(counts) > 48 + std::size_t{1024 * 92} / std::max<std::size_t>(count, 1);
}

}  // namespace

std::string_view class_name(ContentClass value) {
  constexpr std::array<std::string_view, kContentClassCount> kNames = {
      "text",       "source",  "markup", "json",  "log",     "x86 code", "arm64 code",
      "other code", "tensors", "image",  "audio", "records", "binary",   "compressed"};
  return kNames[static_cast<std::size_t>(value)];
}

ContentClass classify(ByteView head, std::string_view path) {
  if (head.empty()) return text;
  head = head.first(std::min(head.size(), kHeadMax));
  if (const auto by_magic = class_by_magic(head)) return *by_magic;

  Histogram counts{};
  sample(head, kPieces, kPieceSize, [&](ByteView piece) { count_bytes(piece, counts); });
  if (const auto kind = class_of_text(counts, head, path)) return *kind;

  Numbers numbers;
  std::size_t sampled = 0;
  // Elements lie at multiples of their size in files that hold arrays.
  sample(head, kPieces, kPieceSize, [&](ByteView piece) {
    const auto offset = static_cast<std::size_t>(piece.data() - head.data());
    const std::size_t aligned = (8 - offset % 8) % 8;
    if (aligned >= piece.size()) return;
    count_numbers(piece.subspan(aligned), numbers);
    sampled += piece.size() - aligned;
  });
  if (is_tensor(numbers, sampled)) return tensor;

  if (head.size() >= 256 && looks_incompressible(head)) return compressed;

  const std::size_t middle_size = std::min<std::size_t>(head.size(), 2 * kPieceSize);
  const ByteView middle =
      head.subspan(((head.size() - middle_size) / 2) & ~std::size_t{7}, middle_size & ~std::size_t{7});
  if (is_smooth(middle)) return numbers.negative16 * 8 >= numbers.count16 ? audio : image;
  if (period_of(middle) != 0) return records;
  return binary;
}

bool looks_incompressible(ByteView data) {
  constexpr std::size_t kLeast = 256;
  if (data.size() < kLeast) return false;

  // Order 0, and the differences that numbers of one, two and four bytes would shrink to.
  Histogram counts{};
  std::size_t count = 0;
  sample(data, kPieces, kPieceSize, [&](ByteView piece) {
    count_bytes(piece, counts);
    count += piece.size();
  });
  if (is_skewed(counts, count)) return false;
  for (const std::size_t distance : {std::size_t{1}, std::size_t{2}, std::size_t{4}}) {
    Histogram differences{};
    count = 0;
    sample(data, kPieces, kPieceSize, [&](ByteView piece) {
      for (std::size_t i = distance; i < piece.size(); ++i) {
        ++differences[static_cast<std::uint8_t>(std::to_integer<unsigned>(piece[i]) -
                                                std::to_integer<unsigned>(piece[i - distance]))];
      }
      count += piece.size() - distance;
    });
    if (is_skewed(differences, count)) return false;
  }

  MatchProbe probe;
  sample(data, kPieces, kProbePieceSize, [&](ByteView piece) {
    for (; piece.size() > std::size_t{32} << 10; piece = piece.subspan(std::size_t{32} << 10)) {
      probe.add(piece.first(std::size_t{32} << 10));
    }
    probe.add(piece);
  });
  return !probe.any();
}

}  // namespace mmh::content
