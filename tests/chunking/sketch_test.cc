#include "mmh/chunking/sketch.h"

#include "sketch_kernel.h"
#include "support/support.h"
#include "support/targets.h"

namespace mmh::chunking {
namespace {

std::size_t shared(const Sketch& a, const Sketch& b) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < a.super_features.size(); ++i) count += a.super_features[i] == b.super_features[i];
  return count;
}

TEST(Sketch, IsFixed) {
  EXPECT_THAT(similarity_sketch({}).super_features,
              testing::ElementsAre(2436892753, 1121767745, 1404081997, 2080437373));
  EXPECT_THAT(similarity_sketch(as_bytes("short")).super_features,
              testing::ElementsAre(3753434856, 836633859, 2810992236, 1909236114));
  EXPECT_THAT(similarity_sketch(test::random_bytes(1000, 1)).super_features,
              testing::ElementsAre(2347638268, 168591838, 1383605728, 3056778335));
  EXPECT_THAT(similarity_sketch(test::random_bytes(100'000, 1)).super_features,
              testing::ElementsAre(2683411449, 3338856917, 3574659691, 2540350972));
}

TEST(Sketch, EveryCpuSamplesTheSame) {
  test::for_every_target([](const char* target) {
    SCOPED_TRACE(target);
    test::Random random(7);
    for (int round = 0; round < 200; ++round) {
      Buffer data = test::random_bytes(kSampleBytes + random.below(kStretch), random.next());
      if (round % 3 == 0) std::fill(data.begin(), data.begin() + std::ptrdiff_t(data.size() / 2), std::byte(round));
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(data.data());
      const std::size_t count = data.size() - kSampleBytes + 1;
      const std::uint32_t limit = 1U << (22 + random.below(10));
      Features here{};
      Features there{};
      ASSERT_EQ(sample_stretch(bytes, count, limit, here), sample_stretch_portable(bytes, count, limit, there));
      ASSERT_EQ(here, there);
    }
  });
}

TEST(Sketch, NearDuplicatesShareFeatures) {
  test::Random random(8);
  for (const std::size_t size : {2000u, 20'000u, 200'000u}) {
    std::size_t similar = 0;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      const Buffer data = test::text_bytes(size, seed);
      Buffer edited = data;
      for (int edit = 0; edit < 3; ++edit) {
        const auto place = edited.begin() + std::ptrdiff_t(random.below(edited.size()));
        const Buffer inserted = test::random_bytes(random.below(20), random.next());
        edited.insert(place, inserted.begin(), inserted.end());
      }
      similar += shared(similarity_sketch(data), similarity_sketch(edited)) > 0;
    }
    EXPECT_GE(similar, 45u) << size;
  }
}

TEST(Sketch, UnrelatedDataShareNone) {
  for (const std::size_t size : {100u, 2000u, 20'000u, 200'000u}) {
    std::size_t similar = 0;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      similar += shared(similarity_sketch(test::random_bytes(size, 2 * seed)),
                        similarity_sketch(test::random_bytes(size, 2 * seed + 1))) > 0;
    }
    EXPECT_EQ(similar, 0u) << size;
  }
}

TEST(Sketch, ATenthInCommonMostlyShows) {
  std::size_t found = 0;
  std::size_t found_in_unrelated = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Buffer a = test::random_bytes(100'000, 3 * seed);
    Buffer b = test::random_bytes(100'000, 3 * seed + 1);
    found_in_unrelated += have_common_feature(similarity_sketch(a), similarity_sketch(b));
    const Buffer common = test::random_bytes(20'000, 3 * seed + 2);
    std::ranges::copy(common, a.begin());
    std::ranges::copy(common, b.begin() + 50'000);
    found += have_common_feature(similarity_sketch(a), similarity_sketch(b));
  }
  EXPECT_GE(found, 25u);
  EXPECT_EQ(found_in_unrelated, 0u);
}

TEST(Sketch, RepetitiveDataIsBounded) {
  // Whatever byte a run is made of, the run counts as the few samples it is worth.
  for (int value = 0; value < 256; ++value) {
    const Buffer run(100'000, std::byte(value));
    Buffer longer(100'500, std::byte(value));
    EXPECT_EQ(similarity_sketch(run), similarity_sketch(longer)) << value;
  }
}

}  // namespace
}  // namespace mmh::chunking
