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
constexpr std::size_t kSmallPieceSize = 256;
constexpr std::size_t kProbePieceSize = 2048;

// Which kinds of number the elements of a sample could be, for each place that they could begin at.
struct Numbers {
  struct Phase16 {
    std::size_t count = 0, negative = 0, half = 0, brain = 0;
  };
  struct Phase32 {
    std::size_t count = 0, negative = 0, single = 0;
  };
  struct Phase64 {
    std::size_t count = 0, real = 0;
  };
  std::array<Phase16, 2> of16;
  std::array<Phase32, 4> of32;
  std::array<Phase64, 8> of64;
  std::size_t bytes = 0;
};

// Trained weights, activations and measurements lie within a few dozen powers of two around 1; other data read as
// floats do not. Zeros count for neither. `offset`: of the piece in the file.
void count_numbers(ByteView piece, std::size_t offset, Numbers& numbers) {
  for (std::size_t i = 0; i + 8 <= piece.size(); ++i) {
    const auto word = load_le<std::uint64_t>(piece.subspan(i, 8));
    const std::size_t place = offset + i;
    if (const auto value = static_cast<std::uint32_t>(word & 0xFFFF); value != 0) {
      auto& phase = numbers.of16[place % 2];
      ++phase.count;
      phase.negative += value >> 15;
      phase.half += ((value >> 10) & 0x1F) - 3 < 16;
      phase.brain += ((value >> 7) & 0xFF) - (127 - 32) < 48;
    }
    if (const auto value = static_cast<std::uint32_t>(word); value != 0) {
      auto& phase = numbers.of32[place % 4];
      ++phase.count;
      phase.negative += value >> 31;
      phase.single += ((value >> 23) & 0xFF) - (127 - 32) < 48;
    }
    if (word != 0) {
      auto& phase = numbers.of64[place % 8];
      ++phase.count;
      phase.real += (static_cast<unsigned>(word >> 52) & 0x7FF) - (1023 - 64) < 96;
    }
  }
  numbers.bytes += piece.size();
}

bool nearly_all(std::size_t part, std::size_t whole) { return part * 32 >= whole * 31; }
// Both signs are common, as in weights; pixels, counters and addresses have one.
bool both(std::size_t negative, std::size_t whole) { return negative * 8 >= whole && negative * 8 <= whole * 7; }

bool is_tensor(const Numbers& numbers) {
  const auto enough = [&](std::size_t count, std::size_t width) {
    return count >= 32 && count * width * 4 >= numbers.bytes;
  };
  for (const auto& phase : numbers.of32) {
    if (enough(phase.count, 4) && nearly_all(phase.single, phase.count) && both(phase.negative, phase.count))
      return true;
  }
  for (const auto& phase : numbers.of16) {
    if (enough(phase.count, 2) && both(phase.negative, phase.count) &&
        (nearly_all(phase.half, phase.count) || nearly_all(phase.brain, phase.count))) {
      return true;
    }
  }
  return std::ranges::any_of(
      numbers.of64, [&](const auto& phase) { return enough(phase.count, 8) && nearly_all(phase.real, phase.count); });
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

// 16-bit samples of a narrow range, such as dark pictures and quiet sound: their high bytes are nearly all of two
// values, their low bytes are of many.
bool has_narrow_samples(ByteView piece) {
  Histogram low{};
  Histogram high{};
  for (std::size_t i = 0; i + 2 <= piece.size(); i += 2) {
    ++low[std::to_integer<std::uint8_t>(piece[i])];
    ++high[std::to_integer<std::uint8_t>(piece[i + 1])];
  }
  const std::size_t count = piece.size() / 2;
  const std::uint32_t first = *std::ranges::max_element(high);
  *std::ranges::max_element(high) = 0;
  const std::uint32_t second = *std::ranges::max_element(high);
  return (first + second) * std::size_t{8} >= count * 7 &&
         *std::ranges::max_element(low) * std::size_t{5} <= count * 2 &&
         std::ranges::count_if(low, [](std::uint32_t n) { return n != 0; }) >= 16;
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
  return skew_of(counts) > 48 + std::size_t{1024} * 92 / std::max<std::size_t>(count, 1);
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
  HighBytes high;
  if (std::any_of(counts.begin() + 128, counts.end(), [](std::uint32_t count) { return count != 0; })) {
    sample(head, kPieces, kSmallPieceSize, [&](ByteView piece) { count_high(piece, high); });
  }
  if (const auto kind = class_of_text(counts, high, head, path)) return *kind;

  Numbers numbers;
  sample(head, kPieces, kSmallPieceSize,
         [&](ByteView piece) { count_numbers(piece, static_cast<std::size_t>(piece.data() - head.data()), numbers); });
  if (is_tensor(numbers)) return tensor;
  if (looks_incompressible(head)) return compressed;

  constexpr std::size_t kMiddleSize = 2048;
  if (head.size() < kMiddleSize) return binary;
  const ByteView middle = head.subspan((head.size() - kMiddleSize) / 2, kMiddleSize);
  for (const ByteView samples : {middle.first(kMiddleSize - 2), middle.subspan(1, kMiddleSize - 2)}) {
    if (is_smooth(samples) || has_narrow_samples(samples))
      return numbers.of16[0].negative * 8 >= numbers.of16[0].count ? audio : image;
  }
  return record_period(middle) != 0 ? records : binary;
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
