#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

#include "../base_ranges.h"
#include "../elements.h"
#include "../table.h"
#include "mmh/base/varint.h"
#include "mmh/codec/frame.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;

// Sizes of changes, with what is expected of them, count in steps: half octaves of an element of up to 4 bytes, octaves
// of longer ones, so that they fit 7 bits. What is expected is kept in 1/16 of a step.
constexpr int kFine = 16;
constexpr int kExactSteps = 12;  // below, a stream is chosen by what is expected; above, the size is coded against it
constexpr int kStepsMax = 100;
constexpr std::size_t kExactStreams = 1 + 2 * kExactSteps;
constexpr std::size_t kStreams = kExactStreams + 4;
constexpr std::size_t kRestStream = kStreams;  // the low bits of large changes
constexpr unsigned kRate = 3;                  // of what is expected, by which it follows what comes

// How changes are coded.
enum class Mode : std::uint8_t {
  absolute,  // of one size, whatever the elements are
  relative,  // in proportion to the elements
  none,      // not at all: the elements are stored
};

struct Shape {
  unsigned width = 1;
  unsigned mantissa = 0;
  Mode mode = Mode::absolute;
};

Result<> check_shape(const Shape& shape, Errc code) {
  if (!is_integer_width(shape.width))
    return fail(code, fmt::format("base_delta: no elements of {} bytes", shape.width));
  if (shape.mantissa > 8 * shape.width - 2) {
    return fail(code, fmt::format("base_delta: a mantissa of {} bits", shape.mantissa));
  }
  // Sizes count in an int.
  constexpr unsigned kExponentMax = 16;
  if (shape.mantissa != 0 && 8 * shape.width - 1 - shape.mantissa > kExponentMax) {
    return fail(code, fmt::format("base_delta: a mantissa of {} bits of {}", shape.mantissa, 8 * shape.width));
  }
  return {};
}

Result<Shape> take_shape(ByteView& parameters) {
  Shape shape;
  for (unsigned* const field : {&shape.width, &shape.mantissa}) {
    MMH_LET(const std::uint64_t value, take_varint(parameters));
    if (value > 64) return fail(Errc::corrupt, fmt::format("base_delta: a number of {}", value));
    *field = static_cast<unsigned>(value);
  }
  MMH_LET(const std::uint64_t mode, take_varint(parameters));
  if (mode > static_cast<std::uint64_t>(Mode::none))
    return fail(Errc::corrupt, fmt::format("base_delta: mode {}", mode));
  shape.mode = static_cast<Mode>(mode);
  MMH_TRY(check_shape(shape, Errc::corrupt));
  return shape;
}

// Where the next change goes, and what its size is coded against.
struct Place {
  std::size_t stream;
  int steps;
};

/// What encoder and decoder know alike.
template <class T>
class Model {
 public:
  explicit Model(const Shape& shape)
      : mantissa_(shape.mantissa), relative_(shape.mode == Mode::relative || shape.mantissa == 0) {}

  static constexpr unsigned kBits = sizeof(T) * 8;
  static constexpr unsigned kStepsPerOctave = sizeof(T) == 8 ? 1 : 2;
  static constexpr int kSizeMax = int{kBits * kStepsPerOctave} + 1;

  /// Numbers in the order of the elements' values. Its own inverse, but for the sign: see element_of().
  T number_of(T element) const {
    if (mantissa_ == 0) return element;
    return (element & kSign) != 0 ? static_cast<T>(~element) : static_cast<T>(element | kSign);
  }
  T element_of(T number) const {
    if (mantissa_ == 0) return number;
    return (number & kSign) != 0 ? static_cast<T>(number & static_cast<T>(~kSign)) : static_cast<T>(~number);
  }

  /// Of the change of an element that is `reference` in the base.
  Place expect(T reference) {
    ground_ = relative_ ? 0
                        : static_cast<int>(static_cast<T>(reference & static_cast<T>(~kSign)) >> mantissa_) *
                              int{kStepsPerOctave} * kFine;
    const int expected = std::min(level_ - ground_, kStepsMax * kFine);
    if (expected < 0) return {0, 0};
    if (expected < kExactSteps * kFine) return {1 + static_cast<std::size_t>(expected) / (kFine / 2), 0};
    return {kExactStreams + static_cast<std::size_t>(expected % kFine) / (kFine / 4), expected / kFine};
  }
  /// Learns its size.
  void learn(int size) { level_ += (size * kFine + ground_ - level_) >> kRate; }

  static int size_of(T change) {
    const int octaves = static_cast<int>(std::bit_width(change));
    if constexpr (kStepsPerOctave == 1) return octaves;
    if (octaves < 2) return 2 * octaves;
    return 2 * octaves + static_cast<int>((change >> (octaves - 2)) & 1);
  }
  /// How many low bits of a change its size does not tell.
  static unsigned rest_of(int size) {
    const int octaves = size / int{kStepsPerOctave};
    return static_cast<unsigned>(std::max(0, octaves - int{kStepsPerOctave}));
  }
  /// The least change of a size, or nothing that a size can be.
  static std::optional<T> least_of(int size) {
    if (size > kSizeMax) return std::nullopt;
    if constexpr (kStepsPerOctave == 1) {
      if (size > int{kBits}) return std::nullopt;
      return size == 0 ? T{0} : static_cast<T>(T{1} << (size - 1));
    }
    const int octaves = size / 2;
    if (octaves < 2) return size % 2 == 0 ? std::optional(static_cast<T>(octaves)) : std::nullopt;
    return static_cast<T>(T{static_cast<T>(2 + size % 2)} << (octaves - 2));
  }

 private:
  static constexpr T kSign = static_cast<T>(T{1} << (kBits - 1));
  unsigned mantissa_;
  bool relative_;
  int level_ = 0;
  int ground_ = 0;
};

constexpr std::uint8_t kTurn = 0x80;  // of a symbol: the sign is not that of the change before
constexpr int kSizeMask = 0x7f;

class BitWriter {
 public:
  explicit BitWriter(Buffer& out) : out_(out) {}
  void put(std::uint64_t value, unsigned count) {
    // At most 7 bits wait, so 56 more always fit.
    if (count > 32) {
      put(value & 0xffffffffu, 32);
      value >>= 32;
      count -= 32;
    }
    if (count == 0) return;
    pending_ |= (value & ((std::uint64_t{1} << count) - 1)) << filled_;
    filled_ += count;
    while (filled_ >= 8) {
      out_.push_back(static_cast<std::byte>(pending_));
      pending_ >>= 8;
      filled_ -= 8;
    }
  }
  void finish() {
    if (filled_ > 0) out_.push_back(static_cast<std::byte>(pending_));
  }

 private:
  Buffer& out_;
  std::uint64_t pending_ = 0;
  unsigned filled_ = 0;
};

class BitReader {
 public:
  explicit BitReader(ByteView in) : in_(in) {}
  /// Behind the end come zeros; finish() tells.
  std::uint64_t take(unsigned count) {
    if (count > 32) {
      const std::uint64_t low = take(32);
      return low | take(count - 32) << 32;
    }
    const std::size_t at = static_cast<std::size_t>(bit_ / 8);
    std::uint64_t word = 0;
    if (at + 8 <= in_.size()) {
      std::memcpy(&word, in_.data() + at, sizeof word);
    } else if (at < in_.size()) {
      std::memcpy(&word, in_.data() + at, in_.size() - at);
    }
    word >>= bit_ % 8;
    bit_ += count;
    return word & ((std::uint64_t{1} << count) - 1);
  }
  bool finish() const {
    if ((bit_ + 7) / 8 != in_.size()) return false;
    return bit_ % 8 == 0 || (std::to_integer<unsigned>(in_.back()) >> (bit_ % 8)) == 0;
  }

 private:
  ByteView in_;
  std::uint64_t bit_ = 0;
};

template <class T>
void to_changes(const Shape& shape, ByteView raw, ByteView reference, std::vector<Buffer>& streams) {
  Model<T> model(shape);
  BitWriter rest(streams[kRestStream]);
  bool negative = false;
  const std::size_t count = raw.size() / sizeof(T);
  for (std::size_t i = 0; i < count; ++i) {
    const T before = element<T>(reference.data(), i);
    const T difference = static_cast<T>(model.number_of(element<T>(raw.data(), i)) - model.number_of(before));
    const bool down = (difference >> (Model<T>::kBits - 1)) != 0;
    const T change = down ? static_cast<T>(T{0} - difference) : difference;
    const Place place = model.expect(before);
    const int size = Model<T>::size_of(change);
    std::uint8_t symbol = static_cast<std::uint8_t>((size - place.steps) & kSizeMask);
    if (change != 0) {
      if (down != negative) symbol |= kTurn;
      negative = down;
    }
    streams[place.stream].push_back(static_cast<std::byte>(symbol));
    if (const unsigned bits = Model<T>::rest_of(size); bits > 0) rest.put(change, bits);
    model.learn(size);
  }
  rest.finish();
}

// `raw` holds the base's elements and gets those of the block.
template <class T>
Result<> from_changes(const Shape& shape, std::span<const ByteView> streams, Bytes raw) {
  Model<T> model(shape);
  BitReader rest(streams[kRestStream]);
  std::array<std::size_t, kStreams> used{};
  bool negative = false;
  const std::size_t count = raw.size() / sizeof(T);
  for (std::size_t i = 0; i < count; ++i) {
    const T before = element<T>(raw.data(), i);
    const Place place = model.expect(before);
    const ByteView stream = streams[place.stream];
    if (used[place.stream] == stream.size()) return fail(Errc::corrupt, "base_delta: a stream ends early");
    const auto symbol = std::to_integer<std::uint8_t>(stream[used[place.stream]++]);
    const int size = (symbol + place.steps) & kSizeMask;
    const std::optional<T> least = Model<T>::least_of(size);
    const bool turn = (symbol & kTurn) != 0;
    if (!least || (size == 0 && turn)) return fail(Errc::corrupt, "base_delta: a change of no size");
    if (turn) negative = !negative;
    T change = *least;
    if (const unsigned bits = Model<T>::rest_of(size); bits > 0) change |= static_cast<T>(rest.take(bits));
    const T number = model.number_of(before);
    set_element<T>(raw.data(), i, model.element_of(static_cast<T>(negative ? number - change : number + change)));
    model.learn(size);
  }
  for (std::size_t stream = 0; stream < kStreams; ++stream) {
    if (used[stream] != streams[stream].size()) return fail(Errc::corrupt, "base_delta: a stream is too long");
  }
  if (!rest.finish()) return fail(Errc::corrupt, "base_delta: the low bits do not fit");
  return {};
}

class BaseDelta final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::base_delta; }
  std::string_view name() const override { return "base_delta"; }
  std::string_view purpose() const override { return "numbers as their change from the base of a pack"; }
  bool needs_base() const override { return true; }

  Result<codec::Signature> signature(ByteView parameters) const override {
    MMH_TRY(take_shape(parameters));
    codec::Signature signature;
    signature.stream_count = kStreams + 1;
    return signature;
  }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    MMH_TRY(check_base(options));
    MMH_TRY(check_base_ranges(options, raw.size()));
    Shape shape{options.width, options.mantissa, options.relative_change ? Mode::relative : Mode::absolute};
    MMH_TRY(check_shape(shape, Errc::usage));
    const ByteView tail = raw.last(raw.size() % shape.width);
    Encoded result;
    result.streams.resize(kStreams + 1);
    for_integers(shape.width, [&]<class T>(T) {
      to_changes<T>(shape, raw.first(raw.size() - tail.size()), options.base->bytes, result.streams);
    });
    std::size_t size = 0;
    for (const Buffer& stream : result.streams) size += stream.size();
    std::span<const codec::BaseRange> ranges = options.base->ranges;
    if (size > raw.size() + raw.size() / 8) {
      shape.mode = Mode::none;
      ranges = {};
      result.streams.assign(kStreams + 1, {});
      result.streams[kRestStream].assign(raw.begin(), raw.end());
    } else {
      append(result.streams[kRestStream], tail);
    }
    put_varint(result.parameters, shape.width);
    put_varint(result.parameters, shape.mantissa);
    put_varint(result.parameters, static_cast<std::uint64_t>(shape.mode));
    put_ranges(result.parameters, ranges);
    return result;
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext& context) const override {
    MMH_LET(const Shape shape, take_shape(parameters));
    MMH_LET(const auto ranges, take_ranges(parameters));
    const ByteView rest = streams[kRestStream];
    if (shape.mode == Mode::none) {
      const bool alone = ranges.empty() && std::ranges::all_of(streams.first(kStreams), &ByteView::empty);
      if (!alone || rest.size() != raw.size()) return fail(Errc::corrupt, "base_delta: elements of another size");
      copy_bytes(rest, raw);
      return {};
    }
    const std::size_t tail = raw.size() % shape.width;
    if (total_length(ranges) != raw.size() || rest.size() < tail) {
      return fail(Errc::corrupt,
                  fmt::format("base_delta: {} bytes of the base for {}", total_length(ranges), raw.size()));
    }
    MMH_TRY(read_ranges(ranges, context, raw));
    copy_bytes(rest.last(tail), raw.last(tail));
    std::array<ByteView, kStreams + 1> whole;
    std::ranges::copy(streams, whole.begin());
    whole[kRestStream] = rest.first(rest.size() - tail);
    return for_integers(shape.width,
                        [&]<class T>(T) { return from_changes<T>(shape, whole, raw.first(raw.size() - tail)); });
  }

  std::size_t decode_memory_max(std::size_t) const override { return codec::kBaseRangesMax * sizeof(codec::BaseRange); }
  // Vectors that grow by doubling: a byte for each element, and its low bits.
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions& options) const override {
    const std::size_t ranges = options.base == nullptr ? 0 : options.base->ranges.size();
    return 6 * raw_size + 2 * ranges * sizeof(codec::BaseRange) + 65536;
  }
};

}  // namespace

const codec::Codec& base_delta_codec() {
  static const BaseDelta codec;
  return codec;
}

}  // namespace mmh::codecs
