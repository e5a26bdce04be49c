// Frames of the codecs that ship: random plans over random data.

#include <rapidcheck.h>

#include <array>
#include <cstdlib>

#include "codecs/codecs_support.h"
#include "mmh/codec/frame.h"
#include "mmh/codecs/builtin.h"
#include "support/support.h"

namespace mmh::test {
namespace {

using codec::CodecId;
using codec::Plan;

// RapidCheck takes its seed from the environment, and a random one where that has none.
const int seeded = setenv("RC_PARAMS", "seed=20240601 max_success=300", 0);

// Levels are kept low: the plan's shape is what varies.
Plan random_plan(Random& random, int depth) {
  static constexpr std::array kIds = {CodecId::stored,     CodecId::zstd,        CodecId::lz4,   CodecId::brotli,
                                      CodecId::lzma,       CodecId::deflate,     CodecId::delta, CodecId::transpose,
                                      CodecId::branch_x86, CodecId::branch_arm64};
  static constexpr std::array kWidths = {2u, 4u, 8u};
  Plan plan{.codec = kIds[random.below(kIds.size())], .options = {}};
  plan.options.level = static_cast<int>(random.below(4));
  plan.options.width = kWidths[random.below(kWidths.size())];
  plan.options.integers = random.below(2) == 0;
  plan.options.text = random.below(2) == 0;
  if (plan.codec == CodecId::zstd && random.below(2) == 0) plan.options.dictionary = test_dictionary();
  if (plan.codec != CodecId::stored && depth > 0) plan.children.push_back(random_plan(random, depth - 1));
  return plan;
}

TEST(BuiltinFrames, AnyPlanRoundTripsWithinTheOverhead) {
  EXPECT_TRUE(rc::check([](std::uint64_t seed) {
    Random random(seed);
    const Plan plan = random_plan(random, 6);
    const Buffer raw = make_data(kDataKinds[random.below(std::size(kDataKinds))], random.below(20'000));
    const Result<Buffer> frame = encode_frame(codecs::builtin_registry(), plan, raw);
    RC_ASSERT(frame.has_value());
    RC_ASSERT(frame->size() <= raw.size() + codec::kFrameOverheadMax);
    Buffer back(raw.size());
    RC_ASSERT(decode_frame(codecs::builtin_registry(), *frame, back, context_with_dictionary()).has_value());
    RC_ASSERT(back == raw);
  }));
}

TEST(BuiltinFrames, DamageIsRefusedOrStaysWithinTheBlock) {
  EXPECT_TRUE(rc::check([](std::uint64_t seed) {
    Random random(seed);
    const Plan plan = random_plan(random, 3);
    const Buffer raw = make_data(kDataKinds[random.below(std::size(kDataKinds))], 1 + random.below(3'000));
    Buffer frame = encode_frame(codecs::builtin_registry(), plan, raw).value();
    for (std::uint64_t i = 1 + random.below(3); i > 0; --i) {
      frame[random.below(frame.size())] = static_cast<std::byte>(random.next());
    }
    Buffer back(raw.size());
    const Result<> outcome = decode_frame(codecs::builtin_registry(), frame, back, context_with_dictionary());
    RC_ASSERT(outcome.has_value() || outcome.error().code == Errc::corrupt ||
              outcome.error().code == Errc::unsupported || outcome.error().code == Errc::limit);
  }));
}

TEST(BuiltinFrames, BlockOf64MebibytesRoundTrips) {
  const Buffer raw = make_data(DataKind::ramp, codec::kRawSizeMax);
  const Plan plan =
      image_plan({.codec = CodecId::zstd, .options = {.level = 1, .window_log = 26, .long_matches = true}});
  const Buffer frame = encode_frame(codecs::builtin_registry(), plan, raw).value();
  EXPECT_LT(4 * frame.size(), raw.size());
  Buffer back(raw.size());
  ASSERT_OK(decode_frame(codecs::builtin_registry(), frame, back));
  EXPECT_TRUE(back == raw);
}

TEST(BuiltinFrames, SmallTextCostsThreeBytesMoreThanItsStream) {
  const Buffer raw = make_data(DataKind::text, 2000);
  const Plan plan{.codec = CodecId::zstd, .options = {.level = 3}};
  const codec::Codec& zstd = *codecs::builtin_registry().find(CodecId::zstd);
  EXPECT_EQ(encode_frame(codecs::builtin_registry(), plan, raw).value().size(),
            zstd.encode(raw, plan.options).value().streams[0].size() + 3);
}

}  // namespace
}  // namespace mmh::test
