#include "fec_support.h"
#include "gf256.h"

namespace mmh::fec {
namespace {

Code code(std::uint32_t k) { return {Scheme::reed_solomon, k}; }

TEST(ReedSolomon, RebuildsFromEveryChoiceOfEnoughSymbols) {
  for (std::uint32_t k = 1; k <= 5; ++k) {
    for (std::uint32_t m = 0; m <= 4; ++m) {
      const std::uint32_t n = k + m;
      const Symbols symbols = encoded(code(k), n, 37, 10 * k + m);
      for (std::uint32_t mask = 0; mask < 1U << n; ++mask) {
        Numbers received;
        Numbers lost;
        for (std::uint32_t i = 0; i < n; ++i) ((mask >> i & 1) != 0 ? received : lost).push_back(i);
        const Result<bool> rebuilt = rebuilds(code(k), symbols, received, lost);
        if (received.size() < k) {
          EXPECT_EQ(error_of(rebuilt), Errc::corrupt);
        } else {
          ASSERT_OK(rebuilt);
          EXPECT_TRUE(*rebuilt) << k << "+" << m << " mask " << mask;
        }
      }
    }
  }
}

TEST(ReedSolomon, RebuildsFromAnySymbolsOfTheLargestBlocks) {
  test::Random random(5);
  for (const std::uint32_t k : {1U, 2U, 100U, 128U, 200U, 254U, 255U, 256U}) {
    const Symbols symbols = encoded(code(k), 256, 65, k);
    for (int round = 0; round < 4; ++round) {
      Numbers order = shuffled(256, random);
      const Numbers lost(order.begin() + k, order.end());
      order.resize(k);
      const Result<bool> rebuilt = rebuilds(code(k), symbols, order, lost);
      ASSERT_OK(rebuilt);
      EXPECT_TRUE(*rebuilt) << k;
    }
  }
}

TEST(ReedSolomon, RepairSymbolsAreThoseOfTheMatrix) {
  const Symbols symbols = encoded(code(7), 12, 3, 1);
  for (std::uint32_t i = 0; i < 5; ++i) {
    for (std::size_t at = 0; at < 3; ++at) {
      std::uint8_t sum = 0;
      std::uint8_t plain = 0;
      for (std::uint32_t j = 0; j < 7; ++j) {
        const auto factor =
            gf_multiply(static_cast<std::uint8_t>(255 ^ j), gf_invert(static_cast<std::uint8_t>((255 - i) ^ j)));
        const auto value = std::to_integer<std::uint8_t>(symbols[j][at]);
        sum ^= gf_multiply(factor, value);
        plain ^= value;
      }
      EXPECT_EQ(std::to_integer<std::uint8_t>(symbols[7 + i][at]), sum);
      if (i == 0) {
        EXPECT_EQ(sum, plain);
      }
    }
  }
}

TEST(ReedSolomon, TakesSymbolsOfAnySize) {
  for (std::size_t size = 0; size < 300; size = size < 140 ? size + 1 : size + 13) {
    const Symbols symbols = encoded(code(5), 8, size, size);
    const Result<bool> rebuilt = rebuilds(code(5), symbols, {7, 3, 6, 0, 5}, {1, 2, 4});
    ASSERT_OK(rebuilt);
    EXPECT_TRUE(*rebuilt) << size;
  }
}

TEST(ReedSolomon, RefusesNumbersThatTheCodeDoesNotHave) {
  EXPECT_EQ(error_of(Plan::make(code(0), {}, {})), Errc::usage);
  EXPECT_EQ(error_of(Plan::make(code(257), {}, {})), Errc::limit);
  EXPECT_EQ(error_of(Plan::make(code(2), Numbers{0, 256}, {})), Errc::limit);
  EXPECT_EQ(error_of(Plan::make(code(2), Numbers{0, 1}, Numbers{256})), Errc::limit);
  EXPECT_EQ(error_of(Plan::make(code(2), Numbers{1, 1}, {})), Errc::usage);
  EXPECT_EQ(error_of(Plan::make(code(2), Numbers{1}, {})), Errc::corrupt);
}

TEST(Plan, RefusesSymbolsOtherThanPlannedFor) {
  for (const Scheme scheme : {Scheme::reed_solomon, Scheme::raptorq}) {
    const Result<Plan> plan = Plan::make({scheme, 3}, Numbers{0, 1, 2}, Numbers{3});
    ASSERT_OK(plan);
    Symbols source(3, 100);
    Symbols repair(1, 100);
    Symbols other(1, 99);
    const auto three = source.views();
    EXPECT_OK(plan->run(three, repair.all()));
    EXPECT_EQ(error_of(plan->run(std::span(three).first(2), repair.all())), Errc::usage);
    EXPECT_EQ(error_of(plan->run(three, {})), Errc::usage);
    EXPECT_EQ(error_of(plan->run(three, other.all())), Errc::usage);
    EXPECT_EQ(error_of(plan->run(three, repair.all(), {101, 0})), Errc::usage);
    EXPECT_EQ(error_of(plan->run(three, repair.all(), {50, 51})), Errc::usage);
    EXPECT_EQ(error_of(plan->run(three, repair.all(), {101})), Errc::usage);
    EXPECT_OK(plan->run(three, repair.all(), {100}));
    EXPECT_OK(plan->run(three, repair.all(), {50, 50}));
  }
}

}  // namespace
}  // namespace mmh::fec
