#include <fmt/format.h>

#include <algorithm>

#include "../elements.h"
#include "../table.h"
#include "step.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;
using codec::Signature;
using multiples::FloatStep;
using multiples::IntegerStep;

enum class Kind : std::uint8_t { none = 0, integers = 1, floats = 2 };

constexpr std::byte kException{0xff};
constexpr int kExponentMax = 4096;

struct Step {
  Kind kind = Kind::none;
  IntegerStep integers = {};
  FloatStep floats = {};
};
struct Parameters {
  Elements elements;
  Step step;
};

Step find_step(ByteView raw, const EncodeOptions& options) {
  Step step;
  if (options.integers) {
    if (const auto found = multiples::find_integer_step(raw, options.width)) {
      step.kind = Kind::integers;
      step.integers = *found;
    }
  } else if (const auto found = multiples::find_float_step(raw, options.width)) {
    step.kind = Kind::floats;
    step.floats = *found;
  }
  return step;
}

void put_word(Buffer& out, std::uint64_t word) {
  out.resize(out.size() + sizeof word);
  store_le(Bytes(out).last(sizeof word), word);
}

Result<Parameters> take_parameters(ByteView in) {
  const auto bad = [](std::string_view what) { return fail(Errc::corrupt, fmt::format("multiples: {}", what)); };
  if (in.empty()) return bad("no parameters");
  Parameters parameters;
  Step& step = parameters.step;
  step.kind = static_cast<Kind>(in[0]);
  in = in.subspan(1);
  constexpr std::size_t kStepSize = 16;
  if (step.kind > Kind::floats) return bad("of no known kind");
  if (step.kind != Kind::none) {
    if (in.size() < kStepSize) return bad("a step that is cut off");
    const auto first = load_le<std::uint64_t>(in);
    const auto second = load_le<std::uint64_t>(in.subspan(8));
    in = in.subspan(kStepSize);
    if (step.kind == Kind::integers) {
      step.integers = {first, second};
    } else {
      const auto exponent = static_cast<std::int64_t>(second);
      if (first >> 63 == 0 || exponent < -kExponentMax || exponent > kExponentMax) return bad("an impossible step");
      step.floats = {first, static_cast<int>(exponent)};
    }
  }
  MMH_LET(parameters.elements, take_numbers("multiples", in));
  const std::size_t width = parameters.elements.width;
  if (width < 4) return bad(fmt::format("numbers of {} bytes", width));
  if (step.kind == Kind::integers) {
    const std::uint64_t most = ~std::uint64_t{0} >> (64 - 8 * width + 1);
    if (step.integers.size < 2 || step.integers.size > most) return bad("an impossible step");
  }
  return parameters;
}

template <class T>
struct Coded {
  std::byte* multipliers;
  std::byte* corrections;
  std::byte* exceptions;
  std::size_t exception_count = 0;
  T last = 0;

  void put(std::size_t i, std::int64_t multiplier, std::byte correction) {
    last = static_cast<T>(multiplier);
    set_element(multipliers, i, last);
    corrections[i] = correction;
  }
  // The multiplier before it again: what comes then finds no gap.
  void put_exception(std::size_t i, T value) {
    set_element(multipliers, i, last);
    corrections[i] = kException;
    set_element(exceptions, exception_count++, value);
  }
};

template <class T>
void encode_float(Coded<T>& coded, FloatStep step, std::size_t i, T value) {
  const auto parts = multiples::parts_of(value);
  const auto multiplier = parts ? multiples::multiplier_of(step, *parts) : std::nullopt;
  if (!multiplier || static_cast<std::int64_t>(static_cast<std::make_signed_t<T>>(*multiplier)) != *multiplier) {
    return coded.put_exception(i, value);
  }
  const T correction = zigzag(static_cast<T>(value - multiples::multiple<T>(step, *multiplier)));
  if (correction >= std::to_integer<T>(kException)) return coded.put_exception(i, value);
  coded.put(i, *multiplier, static_cast<std::byte>(correction));
}

template <class T>
void encode_integer(Coded<T>& coded, IntegerStep step, std::size_t i, T value) {
  const auto multiplier = multiples::multiplier_of<T>(step, value);
  if (!multiplier) return coded.put_exception(i, value);
  coded.put(i, *multiplier, std::byte{0});
}

class Multiples final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::multiples; }
  std::string_view name() const override { return "multiples"; }
  std::string_view purpose() const override {
    return "decimals and readings: numbers that are whole multiples of a step";
  }

  Result<Signature> signature(ByteView parameters) const override {
    MMH_LET(const Parameters taken, take_parameters(parameters));
    const codec::StreamType numbers{.kind = codec::StreamKind::numbers,
                                    .width = static_cast<std::uint32_t>(taken.elements.width)};
    Signature signature;
    signature.stream_count = 3;
    signature.coded[0] = numbers;
    signature.coded[2] = numbers;
    return signature;
  }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    if (options.width != 4 && options.width != 8) {
      return fail(Errc::usage, fmt::format("multiples: numbers of {} bytes, not 4 or 8", options.width));
    }
    const std::size_t count = raw.size() / options.width;
    const Step step = find_step(raw, options);
    Encoded result;
    result.parameters.push_back(static_cast<std::byte>(step.kind));
    if (step.kind != Kind::none) {
      const bool is_float = step.kind == Kind::floats;
      put_word(result.parameters, is_float ? step.floats.mantissa : step.integers.size);
      put_word(result.parameters,
               is_float ? static_cast<std::uint64_t>(std::int64_t{step.floats.exponent}) : step.integers.offset);
    }
    put_elements(result.parameters, options.width, raw);
    result.streams.resize(3);
    if (step.kind == Kind::none) {
      result.streams[2] = copy_of(raw.first(count * options.width));
      return result;
    }
    result.streams[0].resize(count * options.width);
    result.streams[1].resize(count);
    result.streams[2].resize(count * options.width);
    const auto run = [&]<class T>(T) {
      Coded<T> coded{result.streams[0].data(), result.streams[1].data(), result.streams[2].data()};
      for (std::size_t i = 0; i < count; ++i) {
        const T value = element<T>(raw.data(), i);
        if (step.kind == Kind::floats) {
          encode_float<T>(coded, step.floats, i, value);
        } else {
          encode_integer<T>(coded, step.integers, i, value);
        }
      }
      result.streams[2].resize(coded.exception_count * sizeof(T));
    };
    options.width == 4 ? run(std::uint32_t{}) : run(std::uint64_t{});
    return result;
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    MMH_LET(const Parameters taken, take_parameters(parameters));
    MMH_LET(const std::size_t count, place_tail(taken.elements, raw));
    const std::size_t width = taken.elements.width;
    const auto exceptions = static_cast<std::size_t>(std::ranges::count(streams[1], kException));
    const std::size_t coded = taken.step.kind == Kind::none ? 0 : count;
    const std::size_t apart = taken.step.kind == Kind::none ? count : exceptions;
    if (streams[0].size() != coded * width || streams[1].size() != coded || streams[2].size() != apart * width) {
      return fail(Errc::corrupt,
                  fmt::format("multiples: streams of {}, {} and {} bytes for {} numbers of which {} are apart",
                              streams[0].size(), streams[1].size(), streams[2].size(), count, apart));
    }
    if (taken.step.kind == Kind::none) {
      std::ranges::copy(streams[2], raw.begin());
      return {};
    }
    const auto run = [&]<class T>(T) {
      std::size_t next = 0;
      const auto all = [&](auto number_of) {
        for (std::size_t i = 0; i < count; ++i) {
          const std::byte correction = streams[1][i];
          const T value = correction == kException ? element<T>(streams[2].data(), next++)
                                                   : static_cast<T>(number_of(element<T>(streams[0].data(), i)) +
                                                                    unzigzag(std::to_integer<T>(correction)));
          set_element(raw.data(), i, value);
        }
      };
      if (taken.step.kind == Kind::integers) {
        const auto size = static_cast<T>(taken.step.integers.size);
        const auto offset = static_cast<T>(taken.step.integers.offset);
        all([&](T multiplier) { return static_cast<T>(offset + multiplier * size); });
      } else {
        all([&](T multiplier) {
          return multiples::multiple<T>(taken.step.floats, static_cast<std::make_signed_t<T>>(multiplier));
        });
      }
    };
    width == 4 ? run(std::uint32_t{}) : run(std::uint64_t{});
    return {};
  }

  std::size_t decode_memory_max(std::size_t) const override { return 0; }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions&) const override {
    constexpr std::size_t kFinding = std::size_t{256} << 10;
    return 2 * raw_size + raw_size / 4 + kFinding;
  }
  std::size_t coded_size_max(std::size_t raw_size) const override { return 2 * raw_size + raw_size / 4 + 1024; }
};

}  // namespace

const codec::Codec& multiples_codec() {
  static const Multiples codec;
  return codec;
}

}  // namespace mmh::codecs
