// Frames of the codecs that ship: random plans over random data.

#include <rapidcheck.h>

#include <array>
#include <bit>
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
  static constexpr std::array kIds = {
      CodecId::stored,       CodecId::zstd,    CodecId::lz4,       CodecId::brotli,     CodecId::lzma,
      CodecId::deflate,      CodecId::delta,   CodecId::transpose, CodecId::branch_x86, CodecId::branch_arm64,
      CodecId::branch_riscv, CodecId::sparse,  CodecId::rans,      CodecId::planes,     CodecId::pattern,
      CodecId::run_length,   CodecId::palette, CodecId::bit_pack,  CodecId::bit_planes, CodecId::zigzag,
      CodecId::xor_delta,    CodecId::scaled,  CodecId::fields,    CodecId::raster};
  static constexpr std::array kWidths = {2u, 4u, 8u};
  Plan plan{.codec = kIds[random.below(kIds.size())], .options = {}};
  plan.options.level = static_cast<int>(random.below(4));
  plan.options.width = kWidths[random.below(kWidths.size())];
  if (plan.codec == CodecId::planes) plan.options.rotate = static_cast<unsigned>(random.below(8));
  if (plan.codec == CodecId::raster) {
    plan.options.width = 1 + static_cast<unsigned>(random.below(2));
    plan.options.row_size = 4 + 2 * random.below(300);
    plan.options.contexts = 1;
  }
  if (plan.codec == CodecId::fields) plan.options.fields = {2, 12};
  if (plan.codec == CodecId::scaled) plan.options.scale_step = static_cast<unsigned>(random.below(9));
  plan.options.integers = random.below(2) == 0;
  plan.options.text = random.below(2) == 0;
  if (plan.codec == CodecId::zstd && random.below(2) == 0) plan.options.dictionary = test_dictionary();
  if (plan.codec == CodecId::stored || depth == 0) return plan;
  const std::size_t streams =
      plan.codec == CodecId::planes ? plan.options.width
      : plan.codec == CodecId::pattern || plan.codec == CodecId::palette || plan.codec == CodecId::scaled ? 3
      : plan.codec == CodecId::run_length || plan.codec == CodecId::sparse || plan.codec == CodecId::fields ||
              plan.codec == CodecId::raster
          ? 2
          : 1;
  for (std::size_t i = 0; i < streams; ++i)
    plan.children.push_back(random_plan(random, streams > 1 ? depth / 3 : depth - 1));
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

TEST(BuiltinFrames, WeightsShrinkByTheirExponentsAlone) {
  Random random(12);
  Buffer raw(200'000);
  for (std::size_t i = 0; i < raw.size(); i += 2) {
    // bf16: a sign, seven bits of noise, and an exponent that halves in frequency with each step down.
    const auto exponent = static_cast<unsigned>(120 - std::countr_zero(random.next() | 1U << 20));
    store_le(Bytes(raw).subspan(i),
             static_cast<std::uint16_t>(random.below(2) << 15 | exponent << 7 | random.below(128)));
  }
  Plan plan{.codec = CodecId::planes, .options = {.width = 2, .rotate = 1}};
  plan.children.resize(2);
  for (Plan& child : plan.children) child.codec = CodecId::rans;
  const Buffer frame = encode_frame(codecs::builtin_registry(), plan, raw).value();
  // Two bits of entropy for the exponent and eight of noise.
  EXPECT_LT(frame.size(), raw.size() / 16 * 10 * 1005 / 1000);
  EXPECT_EQ(describe_frame(codecs::builtin_registry(), frame, raw.size())->size(), 2u);
  Buffer back(raw.size());
  ASSERT_OK(decode_frame(codecs::builtin_registry(), frame, back));
  EXPECT_TRUE(back == raw);
}

TEST(BuiltinFrames, PatternOf251BytesTakesLittleMoreThanItself) {
  const Buffer unit = random_bytes(251, 1);
  Buffer raw(codec::kRawSizeMax);
  for (std::size_t i = 0; i < raw.size(); ++i) raw[i] = unit[i % unit.size()];
  const Buffer frame = encode_frame(codecs::builtin_registry(), {.codec = CodecId::pattern}, raw).value();
  EXPECT_LT(frame.size(), 270u);
  Buffer back(raw.size());
  ASSERT_OK(decode_frame(codecs::builtin_registry(), frame, back));
  EXPECT_TRUE(back == raw);
}

TEST(BuiltinFrames, PatternOf251BitsTakesTheBitsOfOnePeriod) {
  Buffer raw(100'000);
  const Buffer unit = random_bytes(32, 2);
  for (std::size_t i = 0; i < 8 * raw.size(); ++i) {
    const std::size_t from = i % 251;
    if (i % 8 == 0) raw[i / 8] = std::byte{0};
    raw[i / 8] |= (unit[from / 8] >> from % 8 & std::byte{1}) << i % 8;
  }
  const Buffer frame = encode_frame(codecs::builtin_registry(), {.codec = CodecId::pattern}, raw).value();
  EXPECT_LT(frame.size(), 50u);
  Buffer back(raw.size());
  ASSERT_OK(decode_frame(codecs::builtin_registry(), frame, back));
  EXPECT_TRUE(back == raw);
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
