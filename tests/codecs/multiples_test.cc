// Numbers that are multiples of a step: that the step is found, and that nothing comes back different.
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>

#include "mmh/codecs/builtin.h"
#include "multiples/step.h"
#include "support/seeded.h"
#include "support/support.h"

namespace mmh::codecs {
namespace {

using test::Random;

template <class T>
Buffer bytes_of(const std::vector<T>& numbers) {
  return copy_of(std::as_bytes(std::span(numbers)));
}

template <class T>
std::vector<T> make(std::size_t count, const std::function<T(Random&)>& number) {
  Random random(3);
  std::vector<T> numbers;
  for (std::size_t i = 0; i < count; ++i) numbers.push_back(number(random));
  return numbers;
}

const codec::Codec& codec() { return *builtin_registry().find(codec::CodecId::multiples); }

struct Coded {
  std::size_t multipliers;  // streams that are not empty, in bytes
  std::size_t corrected;    // numbers
  std::size_t apart;
};
// Encodes, and checks that decoding gives the bytes back.
Coded code(ByteView raw, unsigned width, bool integers) {
  codec::EncodeOptions options;
  options.width = width;
  options.integers = integers;
  const codec::Encoded encoded = codec().encode(raw, options).value();
  const std::vector<ByteView> streams(encoded.streams.begin(), encoded.streams.end());
  Buffer back(raw.size());
  EXPECT_TRUE(codec().decode(encoded.parameters, streams, back, {}).has_value());
  EXPECT_TRUE(std::ranges::equal(back, raw));
  const auto corrected = std::ranges::count_if(encoded.streams[1], [](std::byte correction) {
    return correction != std::byte{0} && correction != std::byte{255};
  });
  return {encoded.streams[0].size(), static_cast<std::size_t>(corrected), encoded.streams[2].size() / width};
}

TEST(Multiples, RoundAsTheProcessorDoes) {
  Random random(1);
  for (int i = 0; i < 100'000; ++i) {
    const auto step = std::bit_cast<double>(random.next() >> 2 | std::uint64_t{0x3f0} << 52);
    const auto multiplier = static_cast<std::int64_t>(random.next() >> (11 + random.below(52)));
    const auto parts = *multiples::parts_of(std::bit_cast<std::uint64_t>(step));
    const multiples::FloatStep exact{parts.mantissa << 11, parts.exponent - 11};
    for (const std::int64_t signed_multiplier : {multiplier, -multiplier}) {
      const double product = static_cast<double>(signed_multiplier) * step;
      if (product == 0 || std::abs(product) > 1e300) continue;
      ASSERT_EQ(multiples::multiple<std::uint64_t>(exact, signed_multiplier), std::bit_cast<std::uint64_t>(product));
      const float narrow =
          static_cast<float>(std::bit_cast<double>(multiples::multiple<std::uint64_t>(exact, 1 << 12)));
      if (!std::isnormal(narrow)) continue;
      ASSERT_EQ(multiples::multiple<std::uint32_t>(exact, 1 << 12), std::bit_cast<std::uint32_t>(narrow));
    }
  }
}

TEST(Multiples, FindTheDecimalsOfFloats) {
  for (const double of_one : {1.0, 10.0, 100.0, 1e6}) {
    const auto numbers =
        make<double>(5000, [&](Random& random) { return static_cast<double>(random.below(1 << 20)) / of_one; });
    const Coded coded = code(bytes_of(numbers), 8, false);
    EXPECT_EQ(coded.multipliers, 5000 * 8u) << of_one;
    EXPECT_LT(coded.corrected, 50u) << of_one;
    EXPECT_EQ(coded.apart, 0u) << of_one;
  }
  const auto hundreds =
      make<double>(5000, [](Random& random) { return 700.0 * static_cast<double>(random.below(100)); });
  EXPECT_EQ(code(bytes_of(hundreds), 8, false).corrected, 0u);
  const auto prices = make<float>(5000, [](Random& random) { return static_cast<float>(random.below(9000)) / 10; });
  EXPECT_EQ(code(bytes_of(prices), 4, false).corrected, 0u);
}

TEST(Multiples, FindTheStepOfReadings) {
  // Of a converter of 12 bits, seconds of arc in radians, and one that is no float itself.
  for (const double step : {3.3 / 4096, 3.14159265358979 / 648'000 / 100, 1.0 / 3}) {
    const auto numbers =
        make<double>(5000, [&](Random& random) { return (static_cast<double>(random.below(1 << 22)) - 1e6) * step; });
    const Coded coded = code(bytes_of(numbers), 8, false);
    EXPECT_EQ(coded.multipliers, 5000 * 8u) << step;
    EXPECT_LT(coded.corrected, 250u) << step;
    EXPECT_LT(coded.apart, 5u) << step;
    const auto narrow = make<float>(
        5000, [&](Random& random) { return static_cast<float>(static_cast<double>(random.below(1 << 14)) * step); });
    EXPECT_EQ(code(bytes_of(narrow), 4, false).multipliers, 5000 * 4u) << step;
  }
}

TEST(Multiples, FindTheUnitOfIntegers) {
  for (const std::int64_t unit : {3, 1000, 1'000'000'000}) {
    const auto numbers = make<std::int64_t>(
        5000, [&](Random& random) { return (static_cast<std::int64_t>(random.below(1 << 24)) - 5000) * unit + 2; });
    const Coded coded = code(bytes_of(numbers), 8, true);
    EXPECT_EQ(coded.multipliers, 5000 * 8u) << unit;
    EXPECT_EQ(coded.apart, 0u) << unit;
  }
  const auto narrow = make<std::uint32_t>(
      5000, [](Random& random) { return static_cast<std::uint32_t>(4'000'000'000 - 100 * random.below(1'000'000)); });
  EXPECT_EQ(code(bytes_of(narrow), 4, true).apart, 0u);
}

TEST(Multiples, KeepWhatIsNoneApart) {
  auto numbers = make<double>(5000, [](Random& random) { return static_cast<double>(random.below(100'000)) / 100; });
  const std::array odd = {-0.0,
                          std::numeric_limits<double>::quiet_NaN(),
                          -std::numeric_limits<double>::infinity(),
                          std::numeric_limits<double>::denorm_min(),
                          std::numeric_limits<double>::max(),
                          1e15,
                          0.123456789};
  for (std::size_t i = 0; i < odd.size(); ++i) numbers[500 * i + 7] = odd[i];
  const Coded coded = code(bytes_of(numbers), 8, false);
  EXPECT_EQ(coded.multipliers, 5000 * 8u);
  EXPECT_EQ(coded.apart, odd.size() - 1);  // 1e15 is one
}

TEST(Multiples, SeeNoneInNoise) {
  Buffer noise = test::random_bytes(80'000, 5);
  const auto weights = make<float>(20'000, [](Random& random) {
    float sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<float>(random.below(1 << 24)) / (1 << 24);
    return sum / 50;
  });
  for (const unsigned width : {4u, 8u}) {
    for (const bool integers : {false, true}) {
      EXPECT_EQ(code(noise, width, integers).multipliers, 0u);
      EXPECT_EQ(code(bytes_of(weights), width, integers).multipliers, 0u);
    }
  }
}

TEST(Multiples, RefuseHostileParameters) {
  const auto refusal = [](std::initializer_list<int> head, std::uint64_t first,
                          std::uint64_t second) -> std::optional<Errc> {
    Buffer parameters;
    for (const int byte : head) parameters.push_back(static_cast<std::byte>(byte));
    if (first != 0) {
      parameters.resize(parameters.size() + 16);
      store_le(Bytes(parameters).last(16), first);
      store_le(Bytes(parameters).last(8), second);
      parameters.push_back(std::byte{8});
    }
    const std::array<ByteView, 3> empty = {};
    const auto decoded = codec().decode(parameters, empty, {}, {});
    return decoded ? std::optional<Errc>() : decoded.error().code;
  };
  EXPECT_EQ(refusal({2}, std::uint64_t{1} << 63, 0), std::nullopt);
  EXPECT_EQ(refusal({2}, 1, 0), Errc::corrupt);
  EXPECT_EQ(refusal({2}, std::uint64_t{1} << 63, 5000), Errc::corrupt);
  EXPECT_EQ(refusal({1}, 1, 0), Errc::corrupt);
  EXPECT_EQ(refusal({1}, std::uint64_t{1} << 63, 0), Errc::corrupt);
  EXPECT_EQ(refusal({3}, 5, 5), Errc::corrupt);
  EXPECT_EQ(refusal({0, 2}, 0, 0), Errc::corrupt);  // numbers of two bytes
  EXPECT_EQ(refusal({1, 2, 3}, 0, 0), Errc::corrupt);
  EXPECT_EQ(refusal({}, 0, 0), Errc::corrupt);
}

}  // namespace
}  // namespace mmh::codecs
