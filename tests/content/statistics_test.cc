#include "statistics.h"

#include <cmath>

#include "mmh/content/classify.h"
#include "samples.h"
#include "support/support.h"

namespace mmh::content {
namespace {

TEST(Statistics, LogarithmIsRightToAFewParts) {
  for (std::uint32_t value = 1; value < 100'000; value = value * 17 / 16 + 1) {
    EXPECT_NEAR(log2_fixed(value), std::log2(value) * 65536, 24) << value;
  }
  EXPECT_EQ(log2_fixed(1U << 31), 31U << 16);
  EXPECT_NEAR(log2_fixed(~0U), 32.0 * 65536, 24);
}

TEST(Statistics, CountsEveryByteAtEveryLength) {
  const Buffer data = test::random_bytes(100, 1);
  for (std::size_t size = 0; size <= data.size(); ++size) {
    Histogram counts{};
    count_bytes(ByteView(data).first(size), counts);
    Histogram expected{};
    for (std::size_t i = 0; i < size; ++i) ++expected[std::to_integer<std::uint8_t>(data[i])];
    EXPECT_EQ(counts, expected) << size;
    EXPECT_EQ(total(counts), size);
  }
}

TEST(Statistics, EntropyIsThatOfTheDefinition) {
  EXPECT_EQ(entropy({}), 0U);
  EXPECT_EQ(entropy(Buffer(1000, std::byte{7})), 0U);
  Buffer all(256 * 64);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::byte>(i);
  EXPECT_NEAR(entropy(all), 2048, 1);
  for (const test::Kind& kind : test::kinds()) {
    const Buffer data = kind.make(30'000, 1);
    Histogram counts{};
    count_bytes(data, counts);
    double bits = 0;
    for (const std::uint32_t count : counts) {
      if (count != 0) bits -= count * std::log2(static_cast<double>(count) / static_cast<double>(data.size()));
    }
    EXPECT_NEAR(entropy(data), bits * 256 / static_cast<double>(data.size()), 2) << kind.name;
  }
}

TEST(Statistics, FindsTheLengthOfRecords) {
  for (const std::size_t period : {6U, 11U, 24U, 100U, 251U}) {
    Buffer data;
    test::Random random(period);
    const Buffer fixed = test::random_bytes(period - period / 3, period);
    while (data.size() < 4096) {
      append(data, fixed);
      append(data, test::random_bytes(period / 3, random.next()));
    }
    EXPECT_EQ(record_period(data), period);
  }
  EXPECT_EQ(record_period(test::random_bytes(4096, 1)), 0U);
  EXPECT_EQ(record_period({}), 0U);
}

TEST(Statistics, SamplesLieInsideAndTouchBothEnds) {
  const Buffer data = test::random_bytes(1000, 1);
  std::size_t pieces = 0;
  std::size_t end = 0;
  sample(data, 4, 100, [&](ByteView piece) {
    EXPECT_EQ(piece.size(), 100U);
    EXPECT_TRUE(pieces++ != 0 || piece.data() == data.data());
    end = static_cast<std::size_t>(piece.data() - data.data()) + piece.size();
    EXPECT_LE(end, data.size());
  });
  EXPECT_EQ(pieces, 4U);
  EXPECT_EQ(end, data.size());
}

TEST(EntropyProbe, TellsNoiseFromWhatShrinks) {
  for (const test::Kind& kind : test::kinds()) {
    for (const std::size_t size : {std::size_t{5000}, std::size_t{100'000}, std::size_t{1'000'000}}) {
      EXPECT_EQ(looks_incompressible(kind.make(size, 3)), kind.name == "noise") << kind.name << " " << size;
    }
  }
}

TEST(EntropyProbe, SeesRepeatsInNoise) {
  Buffer data;
  for (int i = 0; i < 64; ++i) append(data, test::random_bytes(1000, 5));
  EXPECT_FALSE(looks_incompressible(data));
}

TEST(EntropyProbe, DoesNotCondemnWhatIsTooShortToTell) {
  EXPECT_FALSE(looks_incompressible({}));
  EXPECT_FALSE(looks_incompressible(test::random_bytes(100, 1)));
}

}  // namespace
}  // namespace mmh::content
