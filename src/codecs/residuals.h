#pragma once
// What codecs that predict numbers share: what their predictions miss is written as symbols, in a stream for each
// context, and the low bits of large ones apart. Format: residuals.md.

#include <algorithm>
#include <array>
#include <bit>
#include <span>
#include <vector>

#include "common.h"

namespace mmh::codecs {

/// How numbers below 2^(8 × width) become symbols of one byte and extra bits, of which there are so few that both take
/// at most 9/8 of the number. Requires: width 1..3.
class ResidualSymbols {
 public:
  explicit ResidualSymbols(std::size_t width);

  struct Symbol {
    std::uint32_t base = 0;  ///< The least number it stands for.
    std::uint32_t extra = 0;
  };
  std::uint8_t symbol_of(std::uint32_t number) const {
    if (number < direct_) return static_cast<std::uint8_t>(number);
    const auto log = static_cast<unsigned>(std::bit_width(number)) - 1;
    const unsigned parts = log == top_ ? parts_log_ + 1 : parts_log_;
    const std::uint32_t part = (number >> (log - parts)) - (1U << parts);
    return static_cast<std::uint8_t>(direct_ + ((log - direct_log_) << parts_log_) + part);
  }
  const Symbol& operator[](std::uint8_t symbol) const { return symbols_[symbol]; }

 private:
  unsigned top_, direct_log_, parts_log_;
  std::uint32_t direct_;
  std::array<Symbol, 256> symbols_{};
};

/// Yields `contexts` streams of symbols, and the extra bits as one more.
class ResidualWriter {
 public:
  /// For `count` numbers.
  ResidualWriter(std::size_t width, std::size_t contexts, std::size_t count)
      : symbols_(width), sizes_(contexts), coded_(count), contexts_(count) {}
  void put(std::size_t context, std::uint32_t number) {
    const std::uint8_t symbol = symbols_.symbol_of(number);
    coded_[count_] = std::byte{symbol};
    contexts_[count_] = static_cast<std::byte>(context);
    ++count_;
    const auto& [base, extra] = symbols_[symbol];
    if (extra == 0) return;
    bits_ |= std::uint64_t{number - base} << bit_count_;
    bit_count_ += extra;
    if (bit_count_ >= kWord) flush();
  }
  /// Requires: all numbers were put.
  std::vector<Buffer> finish() &&;

  static std::size_t memory_max(std::size_t width, std::size_t count) { return 3 * count + 4 * width * count + 1024; }

 private:
  static constexpr unsigned kWord = 32;
  void flush();
  ResidualSymbols symbols_;
  std::vector<std::size_t> sizes_;
  Buffer coded_, contexts_;  // of each number
  std::size_t count_ = 0;
  Buffer extra_;
  std::uint64_t bits_ = 0;
  unsigned bit_count_ = 0;
};

/// The way back. Streams too short yield zeros, and then finished() is false.
class ResidualReader {
 public:
  /// `streams`: those of symbols and, last, the extra bits.
  ResidualReader(std::size_t width, std::span<const ByteView> streams);
  std::uint32_t take(std::size_t context) {
    Place& place = places_[context];
    if (place.next == place.end) [[unlikely]] {
      short_ = true;
      return 0;
    }
    const auto& [base, extra] = symbols_[*place.next++];
    if (extra == 0) return base;
    const std::uint64_t bits = bits_at(place_);
    place_ += extra;
    return base + static_cast<std::uint32_t>(bits & ((std::uint64_t{1} << extra) - 1));
  }
  /// take() for each number of a run, `contexts` being theirs. Requires: width 1 or 2.
  void take_run(std::span<const std::uint8_t> contexts, std::uint16_t* numbers);
  /// Whether every stream was used up and none was too short.
  bool finished() const;

 private:
  // The bits from a place on, at least 57 of them; zeros behind the last.
  std::uint64_t bits_at(std::uint64_t place) const {
    const std::uint64_t byte = place / 8;
    if (byte + sizeof(std::uint64_t) <= extra_.size()) [[likely]] {
      return load_le<std::uint64_t>(extra_.subspan(static_cast<std::size_t>(byte))) >> (place % 8);
    }
    return last_bits_at(place);
  }
  std::uint64_t last_bits_at(std::uint64_t place) const;
  template <bool kHasExtra>
  void take_all(std::span<const std::uint8_t> contexts, std::uint16_t* numbers);
  struct Place {
    const std::uint8_t* next;
    const std::uint8_t* end;
  };
  ResidualSymbols symbols_;
  std::array<Place, codec::kCodecStreamsMax> places_{};
  std::size_t contexts_;
  bool has_extra_;
  ByteView extra_;
  std::uint64_t place_ = 0;  // of the next extra bit
  bool short_ = false;
};

/// Small numbers for differences of either sign modulo 2^(8 × width), and back.
inline std::uint32_t fold(std::uint32_t difference, unsigned bits) {
  const std::uint32_t sign = difference >> (bits - 1) & 1;
  const std::uint32_t mask = static_cast<std::uint32_t>((std::uint64_t{1} << bits) - 1);
  return ((difference << 1) ^ (0U - sign)) & mask;
}
inline std::uint32_t unfold(std::uint32_t folded) { return (folded >> 1) ^ (0U - (folded & 1)); }

/// Contexts by activity: how much the neighbourhood misses the mark. Thresholds split what a sample shows into parts of
/// like numbers.
class ActivityContexts {
 public:
  static constexpr std::size_t kContextsMax = 16;
  static constexpr std::uint32_t kActivityMax = 1023;  ///< Behind the shift.
  /// `sample`: activities met; at most `contexts` result, at least one.
  static ActivityContexts of_sample(std::vector<std::uint32_t> sample, std::size_t contexts);

  /// Parameters: `shift`, `count`, then for each threshold how far it is above the one before it (the first: 0), less
  /// one.
  void put(Buffer& parameters) const;
  /// Takes them from the front. Errors: corrupt.
  static Result<ActivityContexts> take(ByteView& parameters);

  std::size_t count() const { return count_; }
  std::size_t of(std::uint32_t activity) const { return contexts_[std::min(activity >> shift_, kActivityMax)]; }
  /// of() in two steps: a loop of many activities runs faster so.
  std::int32_t place_of(std::uint32_t activity) const {
    return std::min(static_cast<std::int32_t>(activity >> shift_), static_cast<std::int32_t>(kActivityMax));
  }
  std::uint8_t at(std::size_t place) const { return contexts_[place]; }

 private:
  void set(unsigned shift, std::span<const std::uint32_t> thresholds);
  unsigned shift_ = 0;
  std::size_t count_ = 1;
  std::array<std::uint32_t, kContextsMax> thresholds_{};
  std::array<std::uint8_t, kActivityMax + 1> contexts_{};
};

}  // namespace mmh::codecs
