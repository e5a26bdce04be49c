#include "mmh/content/classify.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "floats.h"
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
constexpr std::size_t kDifferencePieceSize = 512;
constexpr std::size_t kProbePieceSize = 2048;

// Neighbours in sound and pictures differ far less than distant samples, and now up, now down, as counters do not.
// `distance`: in samples, to the neighbour. Loops of fixed length, which compilers make vectors of.
constexpr std::size_t kSamples = 768;
template <class T>
std::uint32_t unlikeness(const std::array<T, kSamples>& samples, std::size_t distance) {
  constexpr std::size_t kCount = kSamples - 256;
  std::uint32_t sum = 0;
  const T* const other = samples.data() + distance;
  for (std::size_t i = 0; i < kCount; ++i) sum += static_cast<std::uint32_t>(std::abs(other[i] - samples[i]));
  return sum;
}

template <class T>
bool is_smooth(const std::array<T, kSamples>& samples, std::size_t channels) {
  constexpr std::uint32_t kCount = kSamples - 256;
  constexpr std::size_t kFar = 61;
  const std::uint32_t near = unlikeness(samples, channels);
  const std::uint32_t far = unlikeness(samples, channels * kFar);
  if (far < kCount * 4 || near * std::uint64_t{4} >= far) return false;
  std::uint32_t up = 0;
  std::uint32_t down = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    up += samples[i + channels] > samples[i];
    down += samples[i + channels] < samples[i];
  }
  return (up + down) * 4 >= kCount && up * 8 >= up + down && down * 8 >= up + down;
}

template <class T>
std::array<T, kSamples> samples_of(ByteView bytes) {
  std::array<T, kSamples> samples;
  std::memcpy(samples.data(), bytes.data(), sizeof samples);
  return samples;
}

// Of 16-bit samples that are smooth. Sound crosses zero, which as pixels it would jump over; where neither is seen,
// what else the file holds decides.
ContentClass sound_or_picture(ByteView head, std::size_t phase, std::size_t channels) {
  std::uint64_t as_sound = 0;
  std::uint64_t as_picture = 0;
  constexpr std::size_t kSize = 2 * kSamples;
  const std::size_t last = (head.size() - kSize - 1) / 2 * 2;
  for (const std::size_t at : {std::size_t{0}, last / 8 * 2, last / 4 * 2, last / 8 * 6, last}) {
    const ByteView place = head.subspan(at + phase, kSize);
    as_sound += unlikeness(samples_of<std::int16_t>(place), channels);
    as_picture += unlikeness(samples_of<std::uint16_t>(place), channels);
  }
  return as_picture <= as_sound ? image : audio;
}

// Sound or a picture, or neither. Requires: head.size() > 2 * kSamples.
std::optional<ContentClass> class_of_samples(ByteView head) {
  const std::size_t middle = (head.size() - 2 * kSamples - 1) / 4 * 2;
  const auto bytes = samples_of<std::uint8_t>(head.subspan(middle));
  for (const std::size_t channels : {std::size_t{1}, std::size_t{3}, std::size_t{4}}) {
    if (is_smooth(bytes, channels)) return image;
  }
  for (std::size_t phase = 0; phase < 2; ++phase) {
    const auto sounds = samples_of<std::int16_t>(head.subspan(middle + phase));
    const auto pixels = samples_of<std::uint16_t>(head.subspan(middle + phase));
    for (const std::size_t channels : {std::size_t{1}, std::size_t{2}, std::size_t{3}}) {
      if (is_smooth(sounds, channels) || is_smooth(pixels, channels)) return sound_or_picture(head, phase, channels);
    }
  }
  return std::nullopt;
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

// Whether a match finder would find something: six bytes that stood at an earlier place of the same piece, at one in a
// hundred positions.
class MatchProbe {
 public:
  void add(ByteView piece) {
    constexpr std::uint64_t kNone = ~std::uint64_t{0};  // no six bytes moved up by two
    last_.fill(kNone);
    std::size_t matches = 0;
    for (std::size_t i = 0; i + 8 <= piece.size(); ++i) {
      const std::uint64_t six = load_le<std::uint64_t>(piece.subspan(i, 8)) << 16;
      std::uint64_t& before = last_[static_cast<std::size_t>((six * 0x9E3779B97F4A7C15) >> 54)];
      matches += before == six;
      before = six;
    }
    matches_ += matches;
    positions_ += piece.size() - std::min<std::size_t>(piece.size(), 7);
  }
  bool any() const { return matches_ * 100 > positions_; }

 private:
  std::array<std::uint64_t, 1024> last_;
  std::size_t matches_ = 0;
  std::size_t positions_ = 0;
};

// More uneven than chance makes `count` uniform bytes (four standard deviations), and by enough to gain half a percent.
bool is_skewed(const Histogram& counts, std::size_t count) {
  return skew_of(counts) > 48 + std::size_t{1024} * 92 / std::max<std::size_t>(count, 1);
}

Histogram count_sample(ByteView data) {
  Histogram counts{};
  sample(data, kPieces, kPieceSize, [&](ByteView piece) { count_bytes(piece, counts); });
  return counts;
}

// `counts`: of a sample of the data.
bool looks_incompressible(ByteView data, const Histogram& counts) {
  constexpr std::size_t kLeast = 256;
  if (data.size() < kLeast || is_skewed(counts, static_cast<std::size_t>(total(counts)))) return false;
  // Differences that numbers of one, two and four bytes would shrink to.
  for (const std::size_t distance : {std::size_t{1}, std::size_t{2}, std::size_t{4}}) {
    Histogram differences{};
    std::size_t count = 0;
    sample(data, kPieces, kDifferencePieceSize, [&](ByteView piece) {
      std::array<std::byte, kDifferencePieceSize * kPieces> buffer;
      const std::size_t size = piece.size() - distance;
      for (std::size_t i = 0; i < size; ++i) {
        buffer[i] = static_cast<std::byte>(std::to_integer<unsigned>(piece[i + distance]) -
                                           std::to_integer<unsigned>(piece[i]));
      }
      count_bytes(ByteView(buffer).first(size), differences);
      count += size;
    });
    if (is_skewed(differences, count)) return false;
  }

  return !has_matches(data);
}

}  // namespace

bool has_matches(ByteView data) {
  MatchProbe probe;
  sample(data, kPieces, kProbePieceSize, [&](ByteView piece) { probe.add(piece); });
  return probe.any();
}

std::string_view class_name(ContentClass value) {
  constexpr std::array<std::string_view, kContentClassCount> kNames = {
      "text",       "source",  "markup", "json",  "log",     "x86 code", "arm64 code", "RISC-V code",
      "other code", "tensors", "image",  "audio", "records", "binary",   "compressed"};
  return kNames[static_cast<std::size_t>(value)];
}

ContentClass classify(ByteView head, std::string_view path) {
  if (head.empty()) return text;
  head = head.first(std::min(head.size(), kHeadMax));
  if (const auto by_magic = class_by_magic(head)) return *by_magic;
  if (const auto member = first_tar_member(head)) {
    head = member->content;
    path = member->name;
    if (const auto by_magic = class_by_magic(head)) return *by_magic;
  }

  const Histogram counts = count_sample(head);
  if (may_be_text(counts)) {
    HighBytes high;
    if (std::any_of(counts.begin() + 128, counts.end(), [](std::uint32_t count) { return count != 0; })) {
      sample(head, kPieces, kSmallPieceSize, [&](ByteView piece) { count_high(piece, high); });
    }
    if (const auto kind = class_of_text(counts, high, head, path)) return *kind;
  }
  if (guess_floats(head)) return tensor;
  if (looks_incompressible(head, counts)) return compressed;

  constexpr std::size_t kMiddleSize = 2049;
  if (head.size() < kMiddleSize) return binary;
  if (const auto kind = class_of_samples(head)) return *kind;
  const ByteView middle = head.subspan((head.size() - kMiddleSize) / 2, kMiddleSize);
  if (has_narrow_samples(middle) || has_narrow_samples(middle.subspan(1))) return image;
  return record_period(middle) != 0 ? records : binary;
}

bool looks_incompressible(ByteView data) { return looks_incompressible(data, count_sample(data)); }

}  // namespace mmh::content
