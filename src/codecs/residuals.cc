#include "residuals.h"

#include <algorithm>
#include <cstring>

#include "mmh/base/check.h"
#include "mmh/base/varint.h"

namespace mmh::codecs {

ResidualSymbols::ResidualSymbols(std::size_t width)
    : top_(static_cast<unsigned>(8 * width - 1)),
      direct_log_(width == 1 ? 8 : 6),
      parts_log_(width == 2 ? 4 : 3),
      direct_(1U << direct_log_) {
  MMH_CHECK(width >= 1 && width <= 3);
  for (std::uint32_t symbol = 0; symbol < direct_; ++symbol) symbols_[symbol] = {symbol, 0};
  std::size_t symbol = direct_;
  for (unsigned log = direct_log_; log <= top_; ++log) {
    const unsigned parts = log == top_ ? parts_log_ + 1 : parts_log_;
    for (std::uint32_t part = 0; part < 1U << parts; ++part) {
      symbols_[symbol++] = {((1U << parts) + part) << (log - parts), log - parts};
    }
  }
}

void ResidualWriter::flush() {
  std::array<std::byte, sizeof(std::uint32_t)> word;
  store_le(Bytes(word), static_cast<std::uint32_t>(bits_));
  append(extra_, word);
  bits_ >>= kWord;
  bit_count_ -= kWord;
}

std::vector<Buffer> ResidualWriter::finish() && {
  MMH_CHECK(count_ == coded_.size());
  for (; bit_count_ > 0; bit_count_ -= std::min(bit_count_, 8U)) {
    extra_.push_back(static_cast<std::byte>(bits_));
    bits_ >>= 8;
  }
  for (const std::byte context : contexts_) ++sizes_[std::to_integer<std::size_t>(context)];
  std::vector<Buffer> streams(sizes_.size());
  std::array<std::byte*, codec::kCodecStreamsMax> next{};
  for (std::size_t i = 0; i < streams.size(); ++i) {
    streams[i].resize(sizes_[i]);
    next[i] = streams[i].data();
  }
  for (std::size_t i = 0; i < count_; ++i) *next[std::to_integer<std::size_t>(contexts_[i])]++ = coded_[i];
  streams.push_back(std::move(extra_));
  return streams;
}

ResidualReader::ResidualReader(std::size_t width, std::span<const ByteView> streams)
    : symbols_(width), contexts_(streams.size() - 1), has_extra_(width > 1), extra_(streams.back()) {
  MMH_CHECK(!streams.empty() && streams.size() <= codec::kCodecStreamsMax);
  for (std::size_t i = 0; i < contexts_; ++i) places_[i] = {u8(streams[i]), u8(streams[i]) + streams[i].size()};
}

std::uint64_t ResidualReader::last_bits_at(std::uint64_t place) const {
  std::uint64_t bits = 0;
  for (std::uint64_t byte = place / 8, i = 0; byte < extra_.size() && i < sizeof bits; ++byte, ++i) {
    bits |= std::to_integer<std::uint64_t>(extra_[static_cast<std::size_t>(byte)]) << (8 * i);
  }
  return bits >> (place % 8);
}

// Whether there are extra bits is not to be foreseen: so they are always looked at, and often none taken.
template <bool kHasExtra>
void ResidualReader::take_all(std::span<const std::uint8_t> contexts, std::uint16_t* numbers) {
  std::uint64_t at = place_;
  bool is_short = false;
  for (std::size_t i = 0; i < contexts.size(); ++i) {
    Place& place = places_[contexts[i]];
    if (place.next == place.end) [[unlikely]] {
      is_short = true;
      numbers[i] = 0;
      continue;
    }
    const auto& [base, extra] = symbols_[*place.next++];
    std::uint64_t more = 0;
    if constexpr (kHasExtra) {
      more = bits_at(at) & ((std::uint64_t{1} << extra) - 1);
      at += extra;
    }
    numbers[i] = static_cast<std::uint16_t>(base + more);
  }
  place_ = at;
  short_ |= is_short;
}

void ResidualReader::take_run(std::span<const std::uint8_t> contexts, std::uint16_t* numbers) {
  if (has_extra_) {
    take_all<true>(contexts, numbers);
  } else {
    take_all<false>(contexts, numbers);
  }
}

bool ResidualReader::finished() const {
  const bool used_up = std::ranges::all_of(std::span(places_).first(contexts_),
                                           [](const Place& place) { return place.next == place.end; });
  return used_up && !short_ && (place_ + 7) / 8 == extra_.size() && bits_at(place_) == 0;
}

void ActivityContexts::set(unsigned shift, std::span<const std::uint32_t> thresholds) {
  shift_ = shift;
  count_ = thresholds.size() + 1;
  std::ranges::copy(thresholds, thresholds_.begin());
  std::size_t context = 0;
  for (std::uint32_t activity = 0; activity <= kActivityMax; ++activity) {
    while (context < thresholds.size() && activity >= thresholds[context]) ++context;
    contexts_[activity] = static_cast<std::uint8_t>(context);
  }
}

ActivityContexts ActivityContexts::of_sample(std::vector<std::uint32_t> sample, std::size_t contexts) {
  MMH_CHECK(contexts >= 1 && contexts <= kContextsMax);
  ActivityContexts result;
  std::ranges::sort(sample);
  std::vector<std::uint32_t> thresholds;
  unsigned shift = 0;
  if (!sample.empty()) {
    while (sample[sample.size() - 1 - sample.size() / 32] >> shift > kActivityMax) ++shift;
    std::size_t at = 0;
    for (std::size_t left = contexts; left > 1 && at < sample.size(); --left) {
      at += std::max<std::size_t>(1, (sample.size() - at) / left);
      if (at >= sample.size()) break;
      const std::uint32_t threshold = (sample[at - 1] >> shift) + 1;
      if (threshold > kActivityMax) break;
      while (at < sample.size() && sample[at] >> shift < threshold) ++at;
      if (at < sample.size()) thresholds.push_back(threshold);
    }
  }
  result.set(shift, thresholds);
  return result;
}

void ActivityContexts::put(Buffer& parameters) const {
  put_varint(parameters, shift_);
  put_varint(parameters, count_);
  std::uint32_t last = 0;
  for (std::size_t i = 0; i + 1 < count_; ++i) {
    put_varint(parameters, thresholds_[i] - last - 1);
    last = thresholds_[i];
  }
}

Result<ActivityContexts> ActivityContexts::take(ByteView& parameters) {
  constexpr std::uint64_t kShiftMax = 24;
  const auto corrupt = [] { return fail(Errc::corrupt, "impossible contexts"); };
  MMH_LET(const std::uint64_t shift, take_varint(parameters));
  MMH_LET(const std::uint64_t count, take_varint(parameters));
  if (shift > kShiftMax || count == 0 || count > kContextsMax) return corrupt();
  std::array<std::uint32_t, kContextsMax> thresholds{};
  std::uint64_t last = 0;
  for (std::size_t i = 0; i + 1 < count; ++i) {
    MMH_LET(const std::uint64_t step, take_varint(parameters));
    if (step >= kActivityMax - last) return corrupt();
    last += step + 1;
    thresholds[i] = static_cast<std::uint32_t>(last);
  }
  ActivityContexts contexts;
  contexts.set(static_cast<unsigned>(shift), std::span(thresholds).first(static_cast<std::size_t>(count) - 1));
  return contexts;
}

}  // namespace mmh::codecs
