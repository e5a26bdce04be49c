#include "mmh/fec/interleave.h"

#include <algorithm>
#include <vector>

#include "support/support.h"

namespace mmh::fec {
namespace {

using test::error_of;

constexpr std::uint64_t kAnyMemory = ~std::uint64_t{0};

/// Where each symbol's bytes are stored, one after another.
std::vector<std::uint64_t> starts(const Interleaving& layout) {
  std::vector<std::uint64_t> starts;
  std::uint64_t at = 0;
  for (std::uint64_t c = 0; c < layout.symbols(); ++c) {
    starts.push_back(at);
    at += c < layout.source_symbols() ? layout.source_size(c) : layout.symbol_size;
  }
  starts.push_back(at);
  return starts;
}

/// The most symbols that one block loses when any `loss` bytes in one piece are lost.
std::uint32_t worst_loss(const Interleaving& layout, std::uint64_t loss) {
  const std::vector<std::uint64_t> start = starts(layout);
  const std::uint64_t end = start.back();
  if (loss == 0) return 0;
  loss = std::min(loss, end);
  std::vector<std::uint32_t> lost(layout.blocks);
  std::uint32_t worst = 0;
  // The worst run begins with the last byte of a symbol, or ends with the first byte of one.
  const auto try_at = [&](std::uint64_t first) {
    if (first + loss > end) return;
    std::ranges::fill(lost, 0);
    const auto from = static_cast<std::size_t>(std::ranges::upper_bound(start, first) - start.begin()) - 1;
    for (std::size_t c = from; c + 1 < start.size() && start[c] < first + loss; ++c) {
      worst = std::max(worst, ++lost[place_of(layout, c).block]);
    }
  };
  for (std::size_t c = 0; c + 1 < start.size(); ++c) {
    try_at(start[c]);
    try_at(start[c + 1] - 1);
    if (start[c] + 1 >= loss) try_at(start[c] + 1 - loss);
  }
  return worst;
}

Interleaving random_layout(test::Random& random) {
  Interleaving layout{random.below(2) == 0 ? Scheme::reed_solomon : Scheme::raptorq,
                      static_cast<std::uint32_t>(64 * (1 + random.below(3))),
                      static_cast<std::uint32_t>(1 + random.below(6)), static_cast<std::uint32_t>(random.below(12)),
                      1 + random.below(8000)};
  layout.blocks = static_cast<std::uint32_t>(std::min<std::uint64_t>(layout.blocks, layout.source_symbols()));
  return layout;
}

TEST(Interleaving, NumbersEverySymbolOnce) {
  test::Random random(1);
  for (int round = 0; round < 300; ++round) {
    const Interleaving layout = random_layout(random);
    ASSERT_OK(check_interleaving(layout, kAnyMemory));
    std::vector<std::uint32_t> next(layout.blocks);
    std::uint64_t source_bytes = 0;
    for (std::uint64_t c = 0; c < layout.symbols(); ++c) {
      const SymbolPlace place = place_of(layout, c);
      ASSERT_LT(place.block, layout.blocks);
      ASSERT_EQ(place.symbol, next[place.block]++);
      ASSERT_EQ(symbol_at(layout, place), c);
      ASSERT_EQ(place.symbol < layout.source_symbols(place.block), c < layout.source_symbols());
      if (c < layout.source_symbols()) source_bytes += layout.source_size(c);
    }
    EXPECT_EQ(source_bytes, layout.data_size);
    for (std::uint32_t block = 0; block < layout.blocks; ++block) {
      EXPECT_EQ(next[block], layout.source_symbols(block) + layout.repair_symbols);
    }
  }
}

TEST(Interleaving, BearsExactlyTheLossThatItPromises) {
  test::Random random(2);
  for (int round = 0; round < 400; ++round) {
    const Interleaving layout = random_layout(random);
    const std::uint64_t loss = contiguous_loss_max(layout);
    ASSERT_LE(worst_loss(layout, loss), layout.losses_max()) << round;
    if (loss + 1 <= starts(layout).back() && layout.losses_max() > 0) {
      // Exact but for runs that do not fit beside the short symbol.
      const std::uint64_t enough = loss + layout.symbol_size;
      if (enough <= starts(layout).back()) {
        ASSERT_GT(worst_loss(layout, enough), layout.losses_max()) << round;
      }
    }
  }
}

TEST(Interleaving, BearsTheScatteredLossThatItPromises) {
  for (const std::uint32_t blocks : {1U, 3U, 8U}) {
    const Interleaving layout{Scheme::raptorq, 4096, blocks, 24, 4096ULL * 300};
    EXPECT_EQ(scattered_loss_max(layout, 4096), 20U);
    EXPECT_EQ(scattered_loss_max(layout, 512), 20U);
    // A sector of four symbols takes them from four blocks, if there are as many.
    EXPECT_EQ(scattered_loss_max(layout, 16384), 20 / ((4 + blocks - 1) / blocks));
  }
}

TEST(ChooseInterleaving, KeepsItsPromiseAtEverySize) {
  test::Random random(3);
  std::vector<std::uint64_t> sizes = {1, 2, 63, 64, 65, 4095, 4096, 4097, 1'000'000, 240 * 8192, 240 * 8192 + 1};
  for (unsigned bits = 1; bits < 46; ++bits) {
    for (const int step : {-1, 0, 1}) sizes.push_back((std::uint64_t{1} << bits) + static_cast<std::uint64_t>(step));
    sizes.push_back(1 + random.below(std::uint64_t{1} << bits));
  }
  for (const std::uint64_t size : sizes) {
    for (const std::uint32_t ppm : {0U, 1'000U, 10'000U, 50'000U, 100'000U, 500'000U, 900'000U}) {
      const Protection protection{.data_size = size, .loss_ppm = ppm, .other_bytes = 700, .other_bytes_per_symbol = 32};
      const Result<Interleaving> layout = choose_interleaving(protection);
      ASSERT_OK(layout);
      ASSERT_OK(check_interleaving(*layout, protection.block_bytes_max));
      const auto stored = static_cast<double>(size) + 700 +
                          static_cast<double>(layout->repair_symbols_total()) * layout->symbol_size +
                          32 * static_cast<double>(layout->symbols());
      EXPECT_GE(static_cast<double>(contiguous_loss_max(*layout)) * 1.000001, stored * ppm / 1e6) << size << " " << ppm;
      // And no more repair symbols than that needs.
      if (layout->repair_symbols > 0) {
        Interleaving less = *layout;
        --less.repair_symbols;
        const double stored_less = stored - static_cast<double>(layout->blocks) * (layout->symbol_size + 32);
        EXPECT_LT(static_cast<double>(contiguous_loss_max(less)), stored_less * ppm / 1e6 * 1.000001) << size;
      }
    }
  }
}

TEST(ChooseInterleaving, CostsLittleMoreThanItProtects) {
  // Parity of 5 %: what the reserve and the ends of a lost piece cost falls with the size.
  const auto overhead = [](std::uint64_t size) {
    const Result<Interleaving> layout = choose_interleaving({.data_size = size, .loss_ppm = 50'000});
    EXPECT_OK(layout);
    return static_cast<double>(layout->repair_symbols_total()) * layout->symbol_size / static_cast<double>(size);
  };
  EXPECT_LT(overhead(100'000), 0.07);
  EXPECT_LT(overhead(1'000'000), 0.07);
  EXPECT_LT(overhead(10'000'000), 0.056);
  EXPECT_LT(overhead(1'000'000'000), 0.0535);
  EXPECT_LT(overhead(1'000'000'000'000), 0.0545);
}

TEST(ChooseInterleaving, StaysWithinTheMemory) {
  for (const std::uint64_t memory : {std::uint64_t{2} << 20, std::uint64_t{16} << 20, std::uint64_t{256} << 20}) {
    for (const std::uint64_t size : {std::uint64_t{10} << 20, std::uint64_t{1} << 30, std::uint64_t{1} << 40}) {
      const Result<Interleaving> layout =
          choose_interleaving({.data_size = size, .loss_ppm = 10'000, .block_bytes_max = memory});
      ASSERT_OK(layout);
      EXPECT_LE(layout->block_bytes(), memory);
    }
  }
  EXPECT_EQ(error_of(choose_interleaving({.data_size = 10 << 20, .loss_ppm = 10'000, .block_bytes_max = 1 << 16})),
            Errc::limit);
}

TEST(ChooseInterleaving, RefusesWhatMakesNoSense) {
  EXPECT_EQ(error_of(choose_interleaving({.data_size = 0, .loss_ppm = 10'000})), Errc::usage);
  EXPECT_EQ(error_of(choose_interleaving({.data_size = 9, .loss_ppm = 900'001})), Errc::usage);
  EXPECT_EQ(error_of(choose_interleaving({.data_size = ~std::uint64_t{0}, .loss_ppm = 1})), Errc::limit);
}

TEST(CheckInterleaving, RefusesImpossibleNumbers) {
  const Interleaving good{Scheme::raptorq, 4096, 3, 10, 1 << 20};
  ASSERT_OK(check_interleaving(good, kAnyMemory));
  EXPECT_EQ(error_of(check_interleaving(good, 1 << 16)), Errc::limit);
  const auto refused = [&](auto change) {
    Interleaving bad = good;
    change(bad);
    EXPECT_EQ(error_of(check_interleaving(bad, kAnyMemory)), Errc::corrupt);
  };
  refused([](Interleaving& l) { l.scheme = static_cast<Scheme>(0); });
  refused([](Interleaving& l) { l.scheme = static_cast<Scheme>(3); });
  refused([](Interleaving& l) { l.symbol_size = 0; });
  refused([](Interleaving& l) { l.symbol_size = 4095; });
  refused([](Interleaving& l) { l.symbol_size = 2 * kSymbolSizeMax; });
  refused([](Interleaving& l) { l.blocks = 0; });
  refused([](Interleaving& l) { l.blocks = 257; });
  refused([](Interleaving& l) { l.data_size = 0; });
  refused([](Interleaving& l) { l.data_size = ~std::uint64_t{0}; });
  refused([](Interleaving& l) { l.data_size = std::uint64_t{4096} * 3 * 60'000; });
  refused([](Interleaving& l) { l.repair_symbols = 1U << 24; });
  refused([](Interleaving& l) {
    l.data_size = std::uint64_t{1} << 56;
    l.blocks = ~0U;
    l.repair_symbols = 1U << 23;
  });
  refused([](Interleaving& l) { l.scheme = Scheme::reed_solomon, l.blocks = 1, l.repair_symbols = 1; });
}

}  // namespace
}  // namespace mmh::fec
