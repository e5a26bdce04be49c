#include "lru_cache.h"

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

#include "support/support.h"

namespace mmh::pack {
namespace {

struct Thing {
  int value;
};
using Cache = LruCache<Thing>;

std::uint64_t unit_cost(const Thing&) { return 1; }

TEST(LruCache, KeepsWhatWasUsedLast) {
  Cache cache(2);
  int loads = 0;
  const auto get = [&](std::uint64_t key) {
    const auto got = cache.get(
        key,
        [&]() -> Result<Thing> {
          ++loads;
          return Thing{static_cast<int>(key) * 10};
        },
        unit_cost);
    EXPECT_TRUE(got.has_value());
    EXPECT_EQ((*got)->value, static_cast<int>(key) * 10);
  };
  get(1);
  get(2);
  get(1);  // 2 is the oldest now
  get(3);
  EXPECT_EQ(loads, 3);
  EXPECT_NE(cache.peek(1), nullptr);
  EXPECT_EQ(cache.peek(2), nullptr);
  get(2);
  EXPECT_EQ(loads, 4);
}

TEST(LruCache, GivesOutButDoesNotKeepWhatIsTooLarge) {
  Cache cache(10);
  const auto load = []() -> Result<Thing> { return Thing{5}; };
  ASSERT_OK(cache.get(1, load, unit_cost));
  const auto large = cache.get(2, load, [](const Thing&) { return std::uint64_t{11}; });
  ASSERT_OK(large);
  EXPECT_EQ(cache.peek(2), nullptr);
  EXPECT_NE(cache.peek(1), nullptr);
}

TEST(LruCache, TriesAgainAfterAnError) {
  Cache cache(10);
  const auto failed = cache.get(1, []() -> Result<Thing> { return fail(Errc::io, "once"); }, unit_cost);
  EXPECT_EQ(test::error_of(failed), Errc::io);
  EXPECT_OK(cache.get(1, []() -> Result<Thing> { return Thing{1}; }, unit_cost));
}

TEST(LruCache, MakesAValueOnceForManyThreads) {
  constexpr int kThreads = 8;
  Cache cache(10);
  std::atomic<int> loads{0};
  std::latch start(kThreads);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        start.arrive_and_wait();
        const auto got = cache.get(
            7,
            [&]() -> Result<Thing> {
              ++loads;
              std::this_thread::sleep_for(std::chrono::milliseconds(20));
              return Thing{70};
            },
            unit_cost);
        EXPECT_TRUE(got && (*got)->value == 70);
      });
    }
  }
  EXPECT_EQ(loads, 1);
}

}  // namespace
}  // namespace mmh::pack
