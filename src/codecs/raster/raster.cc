#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>

#include "../elements.h"
#include "../residuals.h"
#include "../table.h"
#include "mmh/base/varint.h"
#include "predictors.h"
#include "quick.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;

constexpr std::size_t kRowMax = std::size_t{1} << 17;        // elements
constexpr std::uint64_t kSliceMax = std::uint64_t{1} << 26;  // elements
constexpr std::size_t kChannelsMax = 64;
constexpr std::size_t kGroupsMax = 4;
constexpr std::size_t kContextsMax = codec::kCodecStreamsMax - 1;
constexpr int kPatientLevel = 7;

enum class Predictor : std::uint8_t { left, above, mean, median, slope, blend };
constexpr std::size_t kPredictorCount = 6;

enum Flags : std::uint64_t { kBigEndian = 1, kSigned = 2, kColour = 4, kQuick = 8, kFlagsAll = 15 };

static_assert(kQuickPredictorCount == kPredictorCount);

struct Parameters {
  std::size_t width = 1;
  std::uint64_t flags = 0;
  std::size_t channels = 1;
  std::size_t row = 2;  // elements
  Predictor predictor = Predictor::left;
  std::size_t streams = 1;  // of symbols
  std::size_t slice = 0;    // elements; quick only
  ActivityContexts contexts;
  ByteView tail;

  // Channels with contexts of their own.
  std::size_t groups() const { return channels <= streams && channels <= kGroupsMax ? channels : 1; }
  // Contexts of each.
  std::size_t contexts_max() const { return std::min(streams / groups(), ActivityContexts::kContextsMax); }
};

bool fits(std::size_t width, std::size_t channels, std::size_t row) {
  return (width == 1 || width == 2) && channels >= 1 && channels <= kChannelsMax && row >= 2 * channels &&
         row <= kRowMax;
}

void put_parameters(const Parameters& parameters, Buffer& out) {
  put_varint(out, parameters.flags);
  put_varint(out, parameters.channels);
  put_varint(out, parameters.row);
  put_varint(out, static_cast<std::uint64_t>(parameters.predictor));
  put_varint(out, parameters.streams);
  if ((parameters.flags & kQuick) != 0) put_varint(out, parameters.slice);
  parameters.contexts.put(out);
  put_varint(out, parameters.width);
  append(out, parameters.tail);
}

Result<Parameters> take_parameters(ByteView in) {
  Parameters parameters;
  MMH_LET(parameters.flags, take_varint(in));
  MMH_LET(const std::uint64_t channels, take_varint(in));
  MMH_LET(const std::uint64_t row, take_varint(in));
  MMH_LET(const std::uint64_t predictor, take_varint(in));
  MMH_LET(const std::uint64_t streams, take_varint(in));
  std::uint64_t slice = 0;
  if ((parameters.flags & kQuick) != 0) {
    MMH_LET(slice, take_varint(in));
  }
  MMH_LET(parameters.contexts, ActivityContexts::take(in));
  MMH_LET(const Elements elements, take_elements(in, 1, 2));
  parameters.channels = static_cast<std::size_t>(channels);
  parameters.row = static_cast<std::size_t>(row);
  parameters.predictor = static_cast<Predictor>(predictor);
  parameters.width = elements.width;
  parameters.streams = static_cast<std::size_t>(streams);
  parameters.slice = static_cast<std::size_t>(slice);
  parameters.tail = elements.tail;
  if (parameters.flags > kFlagsAll || predictor >= kPredictorCount || !fits(elements.width, channels, row) ||
      (slice != 0 && (slice < row || slice > kSliceMax)) || streams == 0 || streams > kContextsMax ||
      parameters.contexts.count() > parameters.contexts_max()) {
    return fail(Errc::corrupt, "raster: impossible parameters");
  }
  return parameters;
}

// Weights of the predictors that are blended, by how far they missed nearby.
constexpr std::size_t kBlended = 4;
constexpr std::size_t kMissesMax = 1023;
constexpr std::array<std::uint16_t, kMissesMax + 1> kWeights = [] {
  std::array<std::uint16_t, kMissesMax + 1> weights{};
  for (std::size_t missed = 0; missed < weights.size(); ++missed) {
    weights[missed] = static_cast<std::uint16_t>((1U << 14) / ((missed + 1) * (missed + 1) / 16 + 1) + 1);
  }
  return weights;
}();

// What is expected of an element: in which stream what is missed goes, and why.
struct Guess {
  std::size_t stream;
  std::int32_t value;
  std::uint32_t activity;
};

// The elements of a picture as they pass by, a strip at a time, behind the two rows that were before them.
template <Predictor kPredictor>
class Model {
 public:
  explicit Model(const Parameters& parameters)
      : channels_(static_cast<std::ptrdiff_t>(parameters.channels)),
        row_(static_cast<std::ptrdiff_t>(parameters.row)),
        top_(parameters.width == 1 ? 0xFF : 0xFFFF),
        groups_(parameters.groups()),
        colour_((parameters.flags & kColour) != 0),
        contexts_(parameters.contexts),
        biases_(groups_ * contexts_.count() * kPatterns),
        values_(history_size(parameters.row) + strip_size(parameters.row)),
        misses_(values_.size()) {
    for (auto& misses : blended_misses_) misses.resize(values_.size());
  }

  static constexpr std::size_t strip_size(std::size_t row) { return std::max<std::size_t>(2 * row, 16'384); }
  static constexpr std::size_t memory_max(std::size_t row) {
    return (history_size(row) + strip_size(row)) * (2 + kBlended) * sizeof(std::uint16_t) + (std::size_t{64} << 10);
  }

  // The next strip. Calls `element` with the place in the strip and a guess; it returns what the element is.
  template <class Element>
  void run(std::size_t count, Element&& element) {
    slide();
    const std::ptrdiff_t channels = channels_;
    const std::ptrdiff_t row = row_;
    const std::int32_t top = top_;
    const std::size_t contexts = contexts_.count();
    std::uint16_t* here = values_.data() + history_size(static_cast<std::size_t>(row));
    std::uint16_t* missed = misses_.data() + history_size(static_cast<std::size_t>(row));
    std::ptrdiff_t channel = channel_;
    std::ptrdiff_t column = column_;
    std::int32_t last_error = last_error_;
    for (std::size_t i = 0; i < count; ++i, ++here, ++missed) {
      const std::uint16_t* const above = here - row;
      const std::int32_t w = here[-channels];
      const std::int32_t n = above[0];
      const std::int32_t nw = above[-channels];
      const std::int32_t ne = above[channels];
      const std::int32_t ww = here[-2 * channels];
      const std::int32_t nn = above[-row];
      std::int32_t plain = predict(i, w, n, nw, ne, nn);
      std::int32_t activity = std::abs(w - nw) + std::abs(n - nw) + std::abs(ne - n) + missed[-channels] + missed[-row];
      if (colour_ && (channel == 1 || channel == 2)) {
        plain += last_error;
        activity += 2 * std::abs(last_error);
      }
      Guess guess{};
      guess.activity = static_cast<std::uint32_t>(activity);
      guess.stream = contexts_.of(guess.activity);
      if (groups_ != 1) guess.stream += static_cast<std::size_t>(channel) * contexts;
      const unsigned pattern = unsigned{w > plain} | unsigned{n > plain} << 1 | unsigned{nw > plain} << 2 |
                               unsigned{ne > plain} << 3 | unsigned{ww > plain} << 4 | unsigned{nn > plain} << 5;
      std::int32_t& bias = biases_[guess.stream * kPatterns + pattern];
      const std::int32_t moved = plain + (bias >> kBiasLog);
      const std::int32_t raised = moved < 0 ? 0 : moved;
      guess.value = raised > top ? top : raised;
      const std::int32_t value = element(i, guess);
      *here = static_cast<std::uint16_t>(value);
      last_error = value - guess.value;
      *missed = static_cast<std::uint16_t>(std::abs(last_error));
      bias += ((value - plain) * (1 << kBiasLog) - bias) >> kBiasRate;
      if constexpr (kPredictor == Predictor::blend) learn(i, value);
      ++column;
      ++channel;
      if (channel == channels) channel = 0;
      if (column == row) {
        column = 0;
        channel = 0;
      }
    }
    channel_ = channel;
    column_ = column;
    last_error_ = last_error;
    done_ = count;
  }
  // The elements of the last strip.
  std::span<const std::uint16_t> strip() const {
    return std::span(values_).subspan(history_size(static_cast<std::size_t>(row_)), done_);
  }

 private:
  static constexpr std::size_t kPatterns = 64;
  static constexpr int kBiasLog = 7;
  static constexpr int kBiasRate = 5;

  static constexpr std::size_t history_size(std::size_t row) { return 2 * row; }

  // Puts the last strip behind what was before it.
  void slide() {
    const auto move = [&](std::vector<std::uint16_t>& array) {
      std::copy_n(array.data() + done_, history_size(static_cast<std::size_t>(row_)), array.data());
    };
    if (done_ == 0) return;
    move(values_);
    move(misses_);
    for (auto& misses : blended_misses_) move(misses);
  }

  std::int32_t predict([[maybe_unused]] std::size_t at, std::int32_t w, std::int32_t n, std::int32_t nw,
                       [[maybe_unused]] std::int32_t ne, [[maybe_unused]] std::int32_t nn) {
    using enum Predictor;
    if constexpr (kPredictor == left) return w;
    if constexpr (kPredictor == above) return n;
    if constexpr (kPredictor == mean) return mean_of(w, n);
    if constexpr (kPredictor == median) return median_of(w, n, nw);
    if constexpr (kPredictor == slope) return slope_of(w, n, nw, ne);
    if constexpr (kPredictor == blend) {
      guesses_ = {w + ne - n, n + ((n - nn) >> 1), w + ((ne - nw) >> 1), slope_of(w, n, nw, ne)};
      std::int64_t sum = 0;
      std::int32_t weights = 0;
      for (std::size_t k = 0; k < kBlended; ++k) {
        const std::uint16_t* const missed =
            blended_misses_[k].data() + history_size(static_cast<std::size_t>(row_)) + at;
        const std::size_t nearby = std::size_t{missed[-channels_]} + missed[-row_] + missed[-row_ - channels_] +
                                   missed[channels_ - row_] + missed[-2 * channels_];
        const std::int32_t weight = kWeights[std::min(nearby, kMissesMax)];
        sum += std::int64_t{weight} * guesses_[k];
        weights += weight;
      }
      return static_cast<std::int32_t>((sum + weights / 2) / weights);
    }
  }

  void learn(std::size_t at, std::int32_t value) {
    for (std::size_t k = 0; k < kBlended; ++k) {
      blended_misses_[k][history_size(static_cast<std::size_t>(row_)) + at] =
          static_cast<std::uint16_t>(std::min(std::abs(guesses_[k] - value), 0xFFFF));
    }
  }

  const std::ptrdiff_t channels_, row_;
  const std::int32_t top_;
  const std::size_t groups_;
  const bool colour_;
  const ActivityContexts& contexts_;
  std::vector<std::int32_t> biases_;
  std::vector<std::uint16_t> values_, misses_;
  std::array<std::vector<std::uint16_t>, kPredictor == Predictor::blend ? kBlended : 0> blended_misses_;
  std::array<std::int32_t, kBlended> guesses_{};
  std::size_t done_ = 0;  // elements of the last strip
  std::ptrdiff_t channel_ = 0;
  std::ptrdiff_t column_ = 0;
  std::int32_t last_error_ = 0;
};

// Elements as numbers from 0 on, in the order of their size, and back.
void load(ByteView raw, const Parameters& parameters, std::span<std::uint16_t> values) {
  const unsigned flip = (parameters.flags & kSigned) == 0 ? 0 : parameters.width == 1 ? 0x80 : 0x8000;
  const bool swap = (parameters.flags & kBigEndian) != 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (parameters.width == 1) {
      values[i] = static_cast<std::uint16_t>(std::to_integer<unsigned>(raw[i]) ^ flip);
    } else {
      const auto value = element<std::uint16_t>(raw.data(), i);
      values[i] = static_cast<std::uint16_t>((swap ? std::byteswap(value) : value) ^ flip);
    }
  }
}
void store(std::span<const std::uint16_t> values, const Parameters& parameters, Bytes raw) {
  const unsigned flip = (parameters.flags & kSigned) == 0 ? 0 : parameters.width == 1 ? 0x80 : 0x8000;
  const bool swap = (parameters.flags & kBigEndian) != 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto value = static_cast<std::uint16_t>(values[i] ^ flip);
    if (parameters.width == 1) {
      raw[i] = static_cast<std::byte>(value);
    } else {
      set_element(raw.data(), i, swap ? std::byteswap(value) : value);
    }
  }
}

// Runs a model over `count` elements that are known. Calls `take` with each guess, what was missed folded.
template <Predictor kPredictor, class Take>
void run_over(ByteView raw, std::size_t count, const Parameters& parameters, Take&& take) {
  struct Taken {
    std::uint32_t missed;
    std::uint32_t activity;
    std::uint32_t stream;
  };
  Model<kPredictor> model(parameters);
  const std::size_t strip = std::min(count, model.strip_size(parameters.row));
  std::vector<std::uint16_t> values(strip);
  std::vector<Taken> taken(strip);
  const auto bits = static_cast<unsigned>(8 * parameters.width);
  for (std::size_t begin = 0; begin < count; begin += strip) {
    const std::size_t size = std::min(strip, count - begin);
    load(raw.subspan(begin * parameters.width), parameters, std::span(values).first(size));
    model.run(size, [&, values = values.data(), taken = taken.data()](std::size_t i, const Guess& guess) {
      const std::int32_t value = values[i];
      taken[i] = {fold(static_cast<std::uint32_t>(value - guess.value), bits), guess.activity,
                  static_cast<std::uint32_t>(guess.stream)};
      return value;
    });
    for (std::size_t i = 0; i < size; ++i) take(begin + i, taken[i].missed, taken[i].activity, taken[i].stream);
  }
}

// Calls `with` with the predictor as a constant.
template <class With>
auto for_predictor(Predictor predictor, With&& with) {
  using enum Predictor;
  switch (predictor) {
    case left:
      return with(std::integral_constant<Predictor, left>());
    case above:
      return with(std::integral_constant<Predictor, above>());
    case mean:
      return with(std::integral_constant<Predictor, mean>());
    case median:
      return with(std::integral_constant<Predictor, median>());
    case slope:
      return with(std::integral_constant<Predictor, slope>());
    case blend:
      break;
  }
  return with(std::integral_constant<Predictor, blend>());
}

std::uint64_t half_bits(std::uint32_t missed) {
  // For numbers between powers of two.
  return 2 * static_cast<unsigned>(std::bit_width(missed)) +
         (std::bit_width(3 * std::uint64_t{missed}) - std::bit_width(missed) == 2 ? 1 : 0);
}

// What a predictor does on a few runs of rows: about the bits that its misses take, and the activities met.
struct Trial {
  std::uint64_t cost = 0;
  std::vector<std::uint32_t> activities;
};
constexpr std::size_t kTrialRuns = 4;
constexpr std::size_t kTrialRows = 12;
constexpr std::size_t kTrialElements = 8'192;  // of a run, at least

Trial try_out(ByteView raw, std::size_t count, const Parameters& parameters) {
  const std::size_t run = std::min(count, std::max(kTrialElements, kTrialRows * parameters.row));
  const std::size_t runs = run == count ? 1 : kTrialRuns;
  const std::size_t step = runs == 1 ? 0 : (count - run) / (runs - 1) / parameters.row * parameters.row;
  Trial trial;
  trial.activities.reserve(runs * run);
  for_predictor(parameters.predictor, [&](auto predictor) {
    for (std::size_t r = 0; r < runs; ++r) {
      const ByteView rows = raw.subspan(r * step * parameters.width);
      run_over<predictor()>(rows, run, parameters,
                            [&](std::size_t i, std::uint32_t missed, std::uint32_t activity, std::size_t) {
                              if (i < 2 * parameters.row && 2 * parameters.row < run) return;
                              trial.cost += half_bits(missed);
                              trial.activities.push_back(activity);
                            });
    }
  });
  return trial;
}

// The quick way.
constexpr std::size_t kQuickStrip = 16'384;  // elements, at least
constexpr std::size_t kQuickRuns = 64;
constexpr std::size_t kQuickRun = 1'024;     // elements of it, at least
constexpr std::size_t kQuickSample = 8'192;  // activities

QuickShape quick_shape(const Parameters& parameters) {
  return {.width = parameters.width,
          .channels = parameters.channels,
          .row = parameters.row,
          .slice = parameters.slice,
          .predictor = static_cast<unsigned>(parameters.predictor),
          .colour = (parameters.flags & kColour) != 0};
}

// Elements as numbers of the machine's order; `back`: such numbers as the elements they were.
void turn_order(const Parameters& parameters, bool back, Bytes elements) {
  const bool is_signed = (parameters.flags & kSigned) != 0;
  if (parameters.width == 1) {
    if (!is_signed) return;
    for (std::byte& element : elements) element ^= std::byte{0x80};
    return;
  }
  const bool swap = (parameters.flags & kBigEndian) != 0;
  if (!swap && !is_signed) return;
  const std::size_t count = elements.size() / 2;
  const auto flip = static_cast<std::uint16_t>(!is_signed ? 0 : swap && !back ? 0x80 : 0x8000);
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = static_cast<std::uint16_t>(element<std::uint16_t>(elements.data(), i) ^ flip);
    set_element(elements.data(), i, swap ? std::byteswap(value) : value);
  }
}

// What is missed of all elements, behind two rows of nothing.
std::vector<std::uint16_t> quick_misses(const std::byte* values, std::size_t count, const Parameters& parameters) {
  std::vector<std::uint16_t> missed(2 * parameters.row + count);
  quick_misses(values, quick_shape(parameters), 0, std::span(missed).subspan(2 * parameters.row));
  return missed;
}

// About what they take behind an entropy coder that knows how large they are at each place, in 1/256 bits.
std::uint64_t quick_cost(std::span<const std::uint16_t> missed) {
  constexpr std::size_t kPlace = 32;
  std::uint64_t cost = 0;
  for (std::size_t i = 0; i < missed.size(); i += kPlace) {
    std::uint32_t sum = kPlace / 2;
    for (std::size_t k = i; k < std::min(missed.size(), i + kPlace); ++k) sum += missed[k];
    // log2, by a line between powers of two.
    const auto log = static_cast<unsigned>(std::bit_width(sum)) - 1;
    cost += kPlace * ((std::uint64_t{log} << 8) + ((std::uint64_t{sum} << 8 >> log) - 256));
  }
  return cost;
}

// Settles the predictor, whether slices and colours count, and the contexts; gives what is missed.
std::vector<std::uint16_t> choose_quick(const std::byte* values, std::size_t count, Parameters& parameters) {
  const std::size_t slice = parameters.slice;
  const bool has_slices = slice != 0 && count > slice + 4 * parameters.row;
  const std::size_t begin = has_slices ? (slice / parameters.row + 2) * parameters.row : 0;
  // A row each at many places: pictures are empty here and full there.
  const std::size_t run = std::min(count - begin, std::max(kQuickRun, parameters.row));
  const std::size_t runs = run == 0 ? 0 : std::min(kQuickRuns, (count - begin) / run);
  const std::size_t step = runs <= 1 ? 0 : (count - begin - run) / (runs - 1) / parameters.row * parameters.row;
  std::vector<std::uint16_t> missed(run);
  std::uint64_t least = ~std::uint64_t{0};
  Parameters chosen = parameters;
  const auto consider = [&](const Parameters& candidate) {
    std::uint64_t cost = 0;
    for (std::size_t r = 0; r < runs; ++r) {
      quick_misses(values, quick_shape(candidate), begin + r * step, missed);
      cost += quick_cost(missed);
    }
    if (cost >= least) return;
    least = cost;
    chosen = candidate;
  };
  for (unsigned predictor = 0; predictor < kQuickPredictorCount; ++predictor) {
    parameters.predictor = static_cast<Predictor>(predictor);
    parameters.slice = 0;
    consider(parameters);
    if (!has_slices) continue;
    parameters.slice = slice;
    consider(parameters);
  }
  parameters = chosen;
  if (parameters.channels >= 3) {
    parameters.flags |= kColour;
    consider(parameters);
    parameters = chosen;
  }

  std::vector<std::uint16_t> all = quick_misses(values, count, parameters);
  std::vector<std::uint32_t> activities;
  const std::size_t each = count / kQuickSample + 1;
  for (std::size_t i = 0; i < count; i += each) {
    activities.push_back(QuickContexts::activity(all.data() + 2 * parameters.row + i,
                                                 static_cast<std::ptrdiff_t>(parameters.row),
                                                 static_cast<std::ptrdiff_t>(parameters.channels)));
  }
  parameters.contexts = ActivityContexts::of_sample(std::move(activities), parameters.contexts_max());
  return all;
}

// `raw`: the elements alone.
std::vector<Buffer> encode_quick(ByteView raw, Parameters& parameters) {
  const std::size_t count = raw.size() / parameters.width;
  Buffer values = copy_of(raw);
  turn_order(parameters, false, values);
  parameters.flags |= kQuick;
  const std::vector<std::uint16_t> missed = choose_quick(values.data(), count, parameters);
  values = {};
  const QuickContexts contexts(quick_shape(parameters), parameters.contexts, parameters.groups());
  ResidualWriter writer(parameters.width, parameters.streams, count);
  const std::uint16_t* const first = missed.data() + 2 * parameters.row;
  contexts.for_runs(first, 0, count, [&](std::size_t begin, std::span<const std::uint8_t> of_run) {
    for (std::size_t i = 0; i < of_run.size(); ++i) writer.put(of_run[i], first[begin + i]);
  });
  return std::move(writer).finish();
}

// `raw`: of the elements alone.
void decode_quick(ResidualReader& reader, const Parameters& parameters, Bytes raw) {
  const QuickShape shape = quick_shape(parameters);
  const std::size_t count = raw.size() / parameters.width;
  const QuickContexts contexts(shape, parameters.contexts, parameters.groups());
  const std::size_t history = 2 * shape.row;
  const std::size_t strip = (std::max(2 * shape.row, kQuickStrip) + shape.row - 1) / shape.row * shape.row;
  std::vector<std::uint16_t> missed(history + strip);
  std::vector<std::uint16_t> turned(strip);
  for (std::size_t begin = 0; begin < count; begin += strip) {
    const std::size_t size = std::min(strip, count - begin);
    std::uint16_t* const first = missed.data() + history;
    contexts.for_runs(first, begin, begin + size, [&](std::size_t at, std::span<const std::uint8_t> of_run) {
      reader.take_run(of_run, first + (at - begin));
    });
    std::copy_n(first, size, turned.data());
    quick_values(std::span(turned).first(size), shape, begin, raw.data());
    std::copy_n(missed.data() + strip, history, missed.data());
  }
  turn_order(parameters, true, raw);
}

class Raster final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::raster; }
  std::string_view name() const override { return "raster"; }
  std::string_view purpose() const override {
    return "pictures of 8 or 16 bits: each pixel predicted from those left of and above it";
  }

  Result<codec::Signature> signature(ByteView in) const override {
    MMH_LET(const Parameters parameters, take_parameters(in));
    codec::Signature signature;
    signature.stream_count = parameters.streams + 1;
    return signature;
  }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    MMH_TRY(check_option("raster level", options.level, 0, 9));
    MMH_TRY(check_option("raster contexts", options.contexts, 1, kContextsMax));
    Parameters parameters;
    parameters.streams = options.contexts;
    parameters.width = options.width;
    parameters.channels = options.channels;
    if (options.width == 0 || options.row_size % options.width != 0 ||
        !fits(options.width, options.channels, options.row_size / options.width)) {
      return fail(Errc::usage, fmt::format("raster: no rows of {} bytes, {} channels of {} bytes", options.row_size,
                                           options.channels, options.width));
    }
    parameters.row = static_cast<std::size_t>(options.row_size / options.width);
    parameters.flags =
        (options.big_endian ? std::uint64_t{kBigEndian} : 0) | (options.is_signed ? std::uint64_t{kSigned} : 0);
    parameters.tail = raw.last(raw.size() % options.width);
    const std::size_t count = raw.size() / options.width;
    if (options.level < kPatientLevel) {
      if (options.slice_size % options.width == 0 && options.slice_size >= options.row_size &&
          options.slice_size / options.width <= kSliceMax) {
        parameters.slice = static_cast<std::size_t>(options.slice_size / options.width);
      }
      Encoded result;
      result.streams = encode_quick(raw.first(count * options.width), parameters);
      put_parameters(parameters, result.parameters);
      return result;
    }
    choose(raw, count, options.level, parameters);

    ResidualWriter writer(parameters.width, parameters.streams, count);
    for_predictor(parameters.predictor, [&](auto predictor) {
      run_over<predictor()>(
          raw, count, parameters,
          [&](std::size_t, std::uint32_t missed, std::uint32_t, std::size_t stream) { writer.put(stream, missed); });
    });
    Encoded result;
    put_parameters(parameters, result.parameters);
    result.streams = std::move(writer).finish();
    return result;
  }

  Result<> decode(ByteView in, std::span<const ByteView> streams, Bytes raw, const DecodeContext&) const override {
    MMH_LET(const Parameters parameters, take_parameters(in));
    MMH_LET(const std::size_t count, place_tail({.width = parameters.width, .tail = parameters.tail}, raw));
    ResidualReader reader(parameters.width, streams);
    if ((parameters.flags & kQuick) != 0) {
      decode_quick(reader, parameters, raw.first(count * parameters.width));
      if (!reader.finished()) return fail(Errc::corrupt, "raster: streams of another picture");
      return {};
    }
    const std::uint32_t top = parameters.width == 1 ? 0xFF : 0xFFFF;
    for_predictor(parameters.predictor, [&](auto predictor) {
      Model<predictor()> model(parameters);
      const std::size_t strip = model.strip_size(parameters.row);
      for (std::size_t begin = 0; begin < count; begin += strip) {
        model.run(std::min(strip, count - begin), [&](std::size_t, const Guess& guess) {
          const std::uint32_t missed = unfold(reader.take(guess.stream));
          return static_cast<std::int32_t>((static_cast<std::uint32_t>(guess.value) + missed) & top);
        });
        store(model.strip(), parameters, raw.subspan(begin * parameters.width));
      }
    });
    if (!reader.finished()) return fail(Errc::corrupt, "raster: streams of another picture");
    return {};
  }

  std::size_t decode_memory_max(std::size_t) const override { return Model<Predictor::blend>::memory_max(kRowMax); }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions& options) const override {
    const std::size_t width = std::max(1U, options.width);
    const std::size_t row = std::min<std::size_t>(kRowMax, options.row_size);
    const std::size_t sampled = kTrialRuns * std::max(kTrialElements, kTrialRows * row);
    constexpr std::size_t kTakenSize = 14;
    using Largest = Model<Predictor::blend>;
    if (options.level < kPatientLevel) {
      const std::size_t count = raw_size / width;
      return raw_size + 2 * (2 * row + count) + ResidualWriter::memory_max(width, count) + 8 * sampled +
             8 * kQuickSample;
    }
    return Largest::memory_max(row) + kTakenSize * Largest::strip_size(row) +
           ResidualWriter::memory_max(width, raw_size / width) + 16 * sampled;
  }

 private:
  // Settles the predictor, the use of colour and the contexts.
  static void choose(ByteView raw, std::size_t count, int level, Parameters& parameters) {
    using enum Predictor;
    std::vector<Predictor> tried = {left, above, mean, median, slope};
    if (level >= kPatientLevel) tried.push_back(blend);
    Trial best;
    Parameters chosen = parameters;
    const auto consider = [&](const Parameters& candidate) {
      Trial trial = try_out(raw, count, candidate);
      if (!best.activities.empty() && trial.cost >= best.cost) return;
      best = std::move(trial);
      chosen = candidate;
    };
    for (const Predictor predictor : tried) {
      parameters.predictor = predictor;
      consider(parameters);
    }
    if (parameters.channels >= 3) {
      parameters = chosen;
      parameters.flags |= kColour;
      consider(parameters);
    }
    parameters = chosen;
    parameters.contexts = ActivityContexts::of_sample(std::move(best.activities), parameters.contexts_max());
  }
};

}  // namespace

const codec::Codec& raster_codec() {
  static const Raster codec;
  return codec;
}

}  // namespace mmh::codecs
