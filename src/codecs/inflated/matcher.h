#pragma once
// Which tokens zlib would write: its search for matches, as its levels have it.

#include <cstdint>
#include <vector>

#include "deflate_format.h"

namespace mmh::codecs::inflated {

/// How a stream was made.
struct Method {
  std::uint8_t level = 6;         ///< 1..9; 0: no matches.
  std::uint8_t hash_bits = 15;    ///< 8..16: zlib's memory level and 7.
  std::uint8_t window_bits = 15;  ///< 8..15.
  enum class Strategy : std::uint8_t { usual = 0, filtered = 1, runs = 2 };
  Strategy strategy = Strategy::usual;
  friend bool operator==(const Method&, const Method&) = default;
};
bool is_valid(const Method& method);

/// Foretells tokens, one by one, and is told what they were.
class Matcher {
 public:
  /// `steps_max`: how much work it may do: candidates looked at, and 16 bytes of each compared. Beyond that it finds no
  /// matches and says so.
  Matcher(ByteView content, const Method& method, std::uint64_t steps_max);
  Token predict();
  /// The token that stands there. Requires: it does not reach behind the content.
  void take(Token token);
  /// Content without tokens. Requires: it does not reach behind the content.
  void skip(std::size_t size);
  /// Work done elsewhere.
  void spend(std::uint64_t steps) {
    exhausted_ = exhausted_ || steps > steps_left_;
    steps_left_ -= steps > steps_left_ ? steps_left_ : steps;
  }
  std::size_t position() const { return at_; }
  bool exhausted() const { return exhausted_; }

 private:
  Token find(std::size_t at, unsigned length_before);
  Token find_run() const;
  void insert_to(std::size_t end);
  std::uint32_t hash(std::size_t at) const;

  ByteView content_;
  Method method_;
  unsigned good_, lazy_, nice_, chain_;
  bool fast_;
  std::size_t distance_max_;
  std::uint32_t shift_, hash_mask_, window_mask_;
  std::vector<std::uint32_t> head_, previous_;
  std::uint64_t steps_left_;
  bool exhausted_ = false;
  std::size_t at_ = 0;
  std::size_t inserted_ = 0;  // all positions below are in the tables
  Token predicted_;
  Token waiting_;  // found for the position at hand while looking at the one before
  Token next_waiting_;
};

}  // namespace mmh::codecs::inflated
