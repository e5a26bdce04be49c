#include "matcher.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace mmh::codecs::inflated {
namespace {

// zlib keeps that much of the window free.
constexpr unsigned kLookaheadMin = kMatchMax + kMatchMin + 1;
constexpr unsigned kTooFar = 4096;  // for matches of the least length

struct Level {
  std::uint16_t good, lazy, nice, chain;
  bool fast;
};
constexpr std::array<Level, 10> kLevels = {{{0, 0, 0, 0, true},
                                            {4, 4, 8, 4, true},
                                            {4, 5, 16, 8, true},
                                            {4, 6, 32, 32, true},
                                            {4, 4, 16, 16, false},
                                            {8, 16, 32, 32, false},
                                            {8, 16, 128, 128, false},
                                            {8, 32, 128, 256, false},
                                            {32, 128, 258, 1024, false},
                                            {32, 258, 258, 4096, false}}};

unsigned equal_bytes(const std::byte* a, const std::byte* b, unsigned max) {
  unsigned count = 0;
  while (count + 8 <= max) {
    std::uint64_t x = 0;
    std::uint64_t y = 0;
    std::memcpy(&x, a + count, sizeof x);
    std::memcpy(&y, b + count, sizeof y);
    if (x != y) {
      const std::uint64_t difference = x ^ y;
      if constexpr (std::endian::native == std::endian::little) {
        return count + static_cast<unsigned>(std::countr_zero(difference)) / 8;
      } else {
        return count + static_cast<unsigned>(std::countl_zero(difference)) / 8;
      }
    }
    count += 8;
  }
  while (count < max && a[count] == b[count]) ++count;
  return count;
}

}  // namespace

bool is_valid(const Method& method) {
  return method.level < kLevels.size() && method.hash_bits >= 8 && method.hash_bits <= 16 && method.window_bits >= 9 &&
         method.window_bits <= 15 && method.strategy <= Method::Strategy::runs;
}

Matcher::Matcher(ByteView content, const Method& method, std::uint64_t steps_max)
    : content_(content), method_(method), steps_left_(steps_max) {
  const Level& level = kLevels[method.level];
  good_ = level.good;
  lazy_ = level.lazy;
  nice_ = level.nice;
  chain_ = level.chain;
  fast_ = level.fast;
  shift_ = (method.hash_bits + kMatchMin - 1) / kMatchMin;
  hash_mask_ = (1u << method.hash_bits) - 1;
  window_mask_ = (1u << method.window_bits) - 1;
  distance_max_ = (std::size_t{1} << method.window_bits) - kLookaheadMin;
  if (method.level == 0 || method.strategy == Method::Strategy::runs) return;
  head_.assign(std::size_t{hash_mask_} + 1, 0);
  previous_.assign(std::size_t{window_mask_} + 1, 0);
}

std::uint32_t Matcher::hash(std::size_t at) const {
  const auto byte = [&](std::size_t i) { return std::to_integer<std::uint32_t>(content_[at + i]); };
  return ((byte(0) << 2 * shift_) ^ (byte(1) << shift_) ^ byte(2)) & hash_mask_;
}

void Matcher::insert_to(std::size_t end) {
  end = std::min(end, content_.size() - (kMatchMin - 1));
  for (; inserted_ < end; ++inserted_) {
    std::uint32_t& head = head_[hash(inserted_)];
    previous_[inserted_ & window_mask_] = head;
    head = static_cast<std::uint32_t>(inserted_);
  }
}

// The longest match at `at` that is longer than `length_before`; the nearest of equals. Position 0 is never found: in
// zlib's tables 0 stands for none.
Token Matcher::find(std::size_t at, unsigned length_before) {
  const std::size_t left = content_.size() - at;
  if (left < kMatchMin || length_before >= left || exhausted_) return {};
  insert_to(at);
  std::size_t candidate = head_[hash(at)];
  const std::size_t limit = at > distance_max_ ? at - distance_max_ : 0;
  if (candidate == 0 || at - candidate > distance_max_) return {};
  unsigned chain = length_before >= good_ ? chain_ >> 2 : chain_;
  const unsigned length_max = static_cast<unsigned>(std::min<std::size_t>(left, kMatchMax));
  const unsigned nice = static_cast<unsigned>(std::min<std::size_t>(nice_, left));
  const std::byte* const here = content_.data() + at;
  unsigned best = length_before;
  std::size_t best_at = 0;
  do {
    if (steps_left_ == 0) {
      exhausted_ = true;
      return {};
    }
    --steps_left_;
    const std::byte* const there = content_.data() + candidate;
    if (there[best] == here[best] && there[best - 1] == here[best - 1] && there[0] == here[0] && there[1] == here[1]) {
      const unsigned length = equal_bytes(there, here, length_max);
      steps_left_ -= std::min<std::uint64_t>(steps_left_, length / 16);
      if (length > best) {
        best_at = candidate;
        best = length;
        if (length >= nice) break;
      }
    }
    candidate = previous_[candidate & window_mask_];
  } while (candidate > limit && --chain != 0);
  if (best == length_before || best < kMatchMin) return {};
  const std::size_t distance = at - best_at;
  if (!fast_ && best <= 5 &&
      (method_.strategy == Method::Strategy::filtered || (best == kMatchMin && distance > kTooFar))) {
    return {};
  }
  return {static_cast<std::uint16_t>(best), static_cast<std::uint16_t>(distance)};
}

Token Matcher::find_run() const {
  if (at_ == 0 || content_.size() - at_ < kMatchMin) return {};
  const auto length_max = static_cast<unsigned>(std::min<std::size_t>(content_.size() - at_, kMatchMax));
  const unsigned length = equal_bytes(content_.data() + at_ - 1, content_.data() + at_, length_max);
  return length < kMatchMin ? Token{} : Token{static_cast<std::uint16_t>(length), 1};
}

Token Matcher::predict() {
  next_waiting_ = {};
  predicted_ = {};
  if (method_.level == 0) return predicted_;
  if (method_.strategy == Method::Strategy::runs) return predicted_ = find_run();
  if (fast_) return predicted_ = find(at_, kMatchMin - 1);
  const Token found = waiting_.length != 0 ? waiting_ : find(at_, kMatchMin - 1);
  if (found.length != 0 && found.length < lazy_) next_waiting_ = find(at_ + 1, found.length);
  if (next_waiting_.length == 0) predicted_ = found;
  return predicted_;
}

void Matcher::take(Token token) {
  waiting_ = token == predicted_ ? next_waiting_ : Token{};
  predicted_ = {};
  next_waiting_ = {};
  const std::size_t size = std::max<std::size_t>(1, token.length);
  if (fast_ && token.length > lazy_ && !head_.empty()) {
    insert_to(at_ + 1);
    inserted_ = std::max(inserted_, at_ + size);
  }
  at_ += size;
}

void Matcher::skip(std::size_t size) {
  waiting_ = {};
  at_ += size;
}

}  // namespace mmh::codecs::inflated
