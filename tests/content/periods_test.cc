#include "mmh/content/periods.h"

#include "support/seeded.h"
#include "support/support.h"

namespace mmh::content {
namespace {

// Records of `size` bytes, all but `random_bytes` of which repeat.
Buffer records(std::size_t size, std::size_t random_bytes, std::size_t count) {
  test::Random random(size);
  const Buffer first = test::random_bytes(size, size);
  Buffer all;
  for (std::size_t i = 0; i < count; ++i) {
    Buffer record = first;
    for (std::size_t j = 0; j < random_bytes; ++j) record[j] = static_cast<std::byte>(random.below(256));
    append(all, record);
  }
  return all;
}

TEST(Periods, FindsTheLengthOfRecordsAndNotItsMultiples) {
  for (const std::size_t size : {3U, 13U, 24U, 100U, 251U, 1000U, 4096U}) {
    const auto peaks = find_periods(records(size, size / 2, 400'000 / size), 4);
    ASSERT_EQ(peaks.size(), 1U) << size;
    EXPECT_EQ(peaks[0].period, size);
    const std::size_t repeating = size - size / 2;
    const double repeats = static_cast<double>(repeating) / static_cast<double>(size);
    EXPECT_NEAR(peaks[0].equal, 65536 * repeats, 2000) << size;
  }
}

TEST(Periods, FindsNoneInNoise) {
  EXPECT_TRUE(find_periods(test::random_bytes(1 << 20, 1), 4).empty());
  EXPECT_TRUE(find_periods({}, 4).empty());
  EXPECT_TRUE(find_periods(test::random_bytes(1, 1), 4).empty());
}

TEST(Periods, FindsNoneInOneByteOverAndOver) { EXPECT_TRUE(find_periods(Buffer(100'000, std::byte{7}), 4).empty()); }

TEST(Periods, NamesNoMoreThanAsked) {
  Buffer nested = records(12, 6, 30);
  Buffer all;
  for (int i = 0; i < 1000; ++i) append(all, nested);
  EXPECT_EQ(find_periods(all, 1).size(), 1U);
}

// Numbers of `bits` bits that go up and down, from bit `phase` on.
Buffer samples_of_bits(unsigned bits, unsigned phase, bool high_first, std::size_t count) {
  test::Random random(bits);
  Buffer all((phase + bits * count + 7) / 8, std::byte{0});
  std::uint64_t value = std::uint64_t{1} << (bits - 1);
  for (std::size_t i = 0; i < count; ++i) {
    value += random.below(7) - 3;
    for (unsigned k = 0; k < bits; ++k) {
      const std::size_t place = phase + i * bits + k;
      const std::uint64_t bit = value >> (high_first ? bits - 1 - k : k) & 1;
      all[place / 8] |= static_cast<std::byte>(bit << (high_first ? 7 - place % 8 : place % 8));
    }
  }
  return all;
}

TEST(Periods, FindsRecordsOfBitsWhereTheyBeginAndFromWhichEndTheyCount) {
  for (const bool high_first : {false, true}) {
    for (const unsigned bits : {10U, 12U, 14U, 20U, 36U, 63U}) {
      for (const unsigned phase : {0U, 1U, 7U, 9U}) {
        const auto found = find_bit_period(samples_of_bits(bits, phase, high_first, 20'000));
        ASSERT_TRUE(found) << bits << " " << high_first;
        EXPECT_EQ(found->bits, bits) << high_first;
        EXPECT_EQ(found->phase, phase) << bits << " " << high_first;
        EXPECT_EQ(found->high_first, high_first) << bits;
      }
    }
  }
}

TEST(Periods, FindsNoRecordsOfBitsInWholeBytesAndInNoise) {
  EXPECT_FALSE(find_bit_period(samples_of_bits(16, 0, false, 20'000)));
  EXPECT_FALSE(find_bit_period(records(24, 12, 1000)));
  EXPECT_FALSE(find_bit_period(test::text_bytes(100'000, 3)));
  EXPECT_FALSE(find_bit_period(test::random_bytes(100'000, 3)));
  EXPECT_FALSE(find_bit_period(Buffer(100'000, std::byte{7})));
  EXPECT_FALSE(find_bit_period({}));
}

}  // namespace
}  // namespace mmh::content
