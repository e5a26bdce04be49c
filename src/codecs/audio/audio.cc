#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>

#include "../elements.h"
#include "../residuals.h"
#include "../table.h"
#include "mmh/base/varint.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;

constexpr std::size_t kWidthMax = 3;
constexpr std::size_t kChannelsMax = 8;
constexpr std::size_t kStreamsMax = ActivityContexts::kContextsMax;
constexpr int kPatientLevel = 7;

enum Flags : std::uint64_t { kBigEndian = 1, kSigned = 2, kLong = 4, kFlagsAll = 7 };

struct Parameters {
  std::uint64_t flags = 0;
  std::size_t channels = 1;
  std::size_t streams = 1;  // of symbols
  ActivityContexts contexts;
  std::size_t width = 1;
  ByteView tail;

  unsigned bits() const { return static_cast<unsigned>(8 * width); }
};

void put_parameters(const Parameters& parameters, Buffer& out) {
  put_varint(out, parameters.flags);
  put_varint(out, parameters.channels);
  put_varint(out, parameters.streams);
  parameters.contexts.put(out);
  put_varint(out, parameters.width);
  append(out, parameters.tail);
}

Result<Parameters> take_parameters(ByteView in) {
  Parameters parameters;
  MMH_LET(parameters.flags, take_varint(in));
  MMH_LET(const std::uint64_t channels, take_varint(in));
  MMH_LET(const std::uint64_t streams, take_varint(in));
  MMH_LET(parameters.contexts, ActivityContexts::take(in));
  MMH_LET(const Elements elements, take_elements(in, 1, kWidthMax));
  parameters.channels = static_cast<std::size_t>(channels);
  parameters.streams = static_cast<std::size_t>(streams);
  parameters.width = elements.width;
  parameters.tail = elements.tail;
  if (parameters.flags > kFlagsAll || channels == 0 || channels > kChannelsMax || streams == 0 ||
      streams > kStreamsMax || parameters.contexts.count() > streams) {
    return fail(Errc::corrupt, "audio: impossible parameters");
  }
  return parameters;
}

// A filter whose weights follow the signal: after each number each weight moves a step in the direction that would have
// missed less.
template <std::size_t kTaps>
class Filter {
 public:
  std::int32_t sum() const {
    const std::int16_t* const history = history_.data() + begin_;
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < kTaps; ++i) {
      sum += static_cast<std::uint32_t>(std::int32_t{weights_[i]} * std::int32_t{history[i]});
    }
    return static_cast<std::int32_t>(sum);
  }
  void learn(std::int32_t missed) {
    const std::int16_t* const steps = steps_.data() + begin_;
    const auto sign = static_cast<std::int16_t>((missed > 0) - (missed < 0));
    for (std::size_t i = 0; i < kTaps; ++i) weights_[i] = static_cast<std::int16_t>(weights_[i] + sign * steps[i]);
  }
  // The newest number, which is the first of the history from then on. A step is larger for what is louder than usual.
  void push(std::int32_t number, std::int32_t step) {
    if (begin_ == 0) {
      begin_ = kRoom;
      std::copy_n(history_.data(), kTaps - 1, history_.data() + kRoom + 1);
      std::copy_n(steps_.data(), kTaps - 1, steps_.data() + kRoom + 1);
    } else {
      --begin_;
    }
    const std::int32_t kept = std::clamp(number, -0x8000, 0x7FFF);
    const std::int32_t loudness = std::abs(kept);
    const std::int32_t scaled = kept == 0                   ? 0
                                : loudness > 3 * usual_     ? 4 * step
                                : 3 * loudness > 4 * usual_ ? 2 * step
                                                            : step;
    history_[begin_] = static_cast<std::int16_t>(kept);
    steps_[begin_] = static_cast<std::int16_t>(kept < 0 ? -scaled : scaled);
    usual_ += (loudness - usual_) >> 4;
  }

 private:
  static constexpr std::size_t kRoom = 512;
  std::array<std::int16_t, kTaps> weights_{};
  std::array<std::int16_t, kTaps + kRoom> history_{}, steps_{};
  std::size_t begin_ = kRoom;
  std::int32_t usual_ = 0;
};

// What comes next in one channel.
class Channel {
 public:
  struct Guess {
    std::int32_t value;
    std::uint32_t activity;
  };
  // `extra_bits`: by how many bits samples are wider than what filters take.
  Guess guess(bool is_long, unsigned extra_bits) {
    first_ = (31 * last_) >> 5;
    far_ = is_long ? scaled(long_.sum(), kLongLog, extra_bits) : 0;
    near_ = scaled(
        static_cast<std::int32_t>(static_cast<std::uint32_t>(own_.sum()) + static_cast<std::uint32_t>(other_.sum())),
        kLog, extra_bits);
    last_stage_ = scaled(short_.sum(), kLog, extra_bits);
    const std::uint32_t energy = 2 * fast_ + slow_;
    const auto log = static_cast<unsigned>(std::bit_width(energy));
    // A logarithm in 1/32.
    constexpr unsigned kFraction = 5;
    const std::uint32_t fraction =
        log > kFraction ? energy >> (log - 1 - kFraction) & 31 : energy << (kFraction + 1 - log) & 31;
    return {first_ + far_ + near_ + last_stage_, log << kFraction | (log == 0 ? 0 : fraction)};
  }
  // Returns what the channel behind this one learns of it.
  std::int32_t learn(std::int32_t value, bool is_long, unsigned extra_bits) {
    const std::int32_t change = value - first_;
    const std::int32_t behind_far = change - far_;
    const std::int32_t behind_near = behind_far - near_;
    const std::int32_t missed = behind_near - last_stage_;
    short_.learn(missed);
    short_.push(behind_near >> extra_bits, kStep);
    own_.learn(behind_near);
    other_.learn(behind_near);
    own_.push(behind_far >> extra_bits, kStep);
    if (is_long) {
      long_.learn(behind_far);
      long_.push(change >> extra_bits, 1);
    }
    last_ = value;
    const std::uint32_t size = std::min<std::uint32_t>(static_cast<std::uint32_t>(std::abs(missed)), 1U << 24) * 16;
    fast_ += static_cast<std::uint32_t>((std::int64_t{size} - fast_) >> 4);
    slow_ += static_cast<std::uint32_t>((std::int64_t{size} - slow_) >> 7);
    return behind_far >> extra_bits;
  }
  void learn_other(std::int32_t number) { other_.push(number, kStep); }

 private:
  static constexpr unsigned kLog = 12;  // of a weight of one
  static constexpr unsigned kLongLog = 13;
  static constexpr std::int32_t kStep = 4;

  static std::int32_t scaled(std::int32_t sum, unsigned log, unsigned extra_bits) {
    return static_cast<std::int32_t>(std::int64_t{sum} * (std::int64_t{1} << extra_bits) >> log);
  }

  Filter<256> long_;
  Filter<32> own_;
  Filter<16> other_;
  Filter<16> short_;
  std::int32_t last_ = 0, first_ = 0, far_ = 0, near_ = 0, last_stage_ = 0;
  std::uint32_t fast_ = 0, slow_ = 0;  // what was missed of late, in 1/16
};

// Samples around zero, and back.
std::int32_t load(const std::byte* raw, const Parameters& parameters) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < parameters.width; ++i) {
    const std::size_t at = (parameters.flags & kBigEndian) != 0 ? parameters.width - 1 - i : i;
    value |= std::to_integer<std::uint32_t>(raw[at]) << 8 * i;
  }
  const unsigned unused = 32 - parameters.bits();
  value <<= unused;
  if ((parameters.flags & kSigned) == 0) value ^= 0x80000000;
  return static_cast<std::int32_t>(value) >> unused;
}
void store(std::int32_t sample, const Parameters& parameters, std::byte* raw) {
  auto value = static_cast<std::uint32_t>(sample);
  if ((parameters.flags & kSigned) == 0) value ^= 1U << (parameters.bits() - 1);
  for (std::size_t i = 0; i < parameters.width; ++i) {
    const std::size_t at = (parameters.flags & kBigEndian) != 0 ? parameters.width - 1 - i : i;
    raw[at] = static_cast<std::byte>(value >> 8 * i);
  }
}

// Runs through `count` samples. `sample` gets the number of each and a guess, and returns what it is.
template <class Sample>
void run(const Parameters& parameters, std::size_t count, Sample&& sample) {
  const bool is_long = (parameters.flags & kLong) != 0;
  const unsigned extra_bits = parameters.width == kWidthMax ? 8 : 0;
  const std::size_t channels = parameters.channels;
  std::vector<Channel> states(channels);
  for (std::size_t i = 0, c = 0; i < count; ++i) {
    const std::int32_t value = sample(i, states[c].guess(is_long, extra_bits));
    const std::int32_t told = states[c].learn(value, is_long, extra_bits);
    c = c + 1 == channels ? 0 : c + 1;
    if (channels > 1) states[c].learn_other(told);
  }
}

class Audio final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::audio; }
  std::string_view name() const override { return "audio"; }
  std::string_view purpose() const override {
    return "sound of 8, 16 or 24 bits: each sample predicted from those before it, of all channels";
  }

  Result<codec::Signature> signature(ByteView in) const override {
    MMH_LET(const Parameters parameters, take_parameters(in));
    codec::Signature signature;
    signature.stream_count = parameters.streams + 1;
    return signature;
  }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    MMH_TRY(check_option("audio level", options.level, 0, 9));
    MMH_TRY(check_option("audio contexts", options.contexts, 1, kStreamsMax));
    MMH_TRY(check_option("audio channels", options.channels, 1, kChannelsMax));
    MMH_TRY(check_option("audio width", options.width, 1, kWidthMax));
    Parameters parameters;
    parameters.flags = (options.big_endian ? std::uint64_t{kBigEndian} : 0) |
                       (options.is_signed ? std::uint64_t{kSigned} : 0) |
                       (options.level >= kPatientLevel ? std::uint64_t{kLong} : 0);
    parameters.channels = options.channels;
    parameters.streams = options.contexts;
    parameters.width = options.width;
    parameters.tail = raw.last(raw.size() % options.width);
    const std::size_t count = raw.size() / options.width;

    std::vector<std::uint32_t> missed(count);
    std::vector<std::uint16_t> activities(count);
    run(parameters, count, [&](std::size_t i, const Channel::Guess& guess) {
      const std::int32_t value = load(raw.data() + i * parameters.width, parameters);
      missed[i] = fold(static_cast<std::uint32_t>(value) - static_cast<std::uint32_t>(guess.value), parameters.bits());
      activities[i] = static_cast<std::uint16_t>(guess.activity);
      return value;
    });
    const std::size_t step = count / kSampled + 1;
    std::vector<std::uint32_t> sample;
    sample.reserve(kSampled);
    for (std::size_t i = 0; i < count; i += step) sample.push_back(activities[i]);
    parameters.contexts = ActivityContexts::of_sample(std::move(sample), parameters.streams);

    ResidualWriter writer(parameters.width, parameters.streams, count);
    for (std::size_t i = 0; i < count; ++i) writer.put(parameters.contexts.of(activities[i]), missed[i]);
    Encoded result;
    put_parameters(parameters, result.parameters);
    result.streams = std::move(writer).finish();
    return result;
  }

  Result<> decode(ByteView in, std::span<const ByteView> streams, Bytes raw, const DecodeContext&) const override {
    MMH_LET(const Parameters parameters, take_parameters(in));
    MMH_LET(const std::size_t count, place_tail({.width = parameters.width, .tail = parameters.tail}, raw));
    ResidualReader reader(parameters.width, streams);
    const unsigned unused = 32 - parameters.bits();
    run(parameters, count, [&](std::size_t i, const Channel::Guess& guess) {
      const std::uint32_t missed = unfold(reader.take(parameters.contexts.of(guess.activity)));
      const std::uint32_t value = (static_cast<std::uint32_t>(guess.value) + missed) << unused;
      const std::int32_t sample = static_cast<std::int32_t>(value) >> unused;
      store(sample, parameters, raw.data() + i * parameters.width);
      return sample;
    });
    if (!reader.finished()) return fail(Errc::corrupt, "audio: streams of another sound");
    return {};
  }

  std::size_t decode_memory_max(std::size_t) const override { return kStatesSize; }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions& options) const override {
    const std::size_t width = std::max(1U, options.width);
    return kStatesSize + ResidualWriter::memory_max(width, raw_size / width) + 6 * (raw_size / width) +
           2 * kSampled * sizeof(std::uint32_t);
  }

 private:
  static constexpr std::size_t kSampled = std::size_t{1} << 16;  // activities looked at
  static constexpr std::size_t kStatesSize = kChannelsMax * sizeof(Channel) + (std::size_t{16} << 10);
};

}  // namespace

const codec::Codec& audio_codec() {
  static const Audio codec;
  return codec;
}

}  // namespace mmh::codecs
