#include "mmh/codec/frame.h"

#include <rapidcheck.h>

#include <array>
#include <cstdlib>
#include <limits>

#include "codec/toy_codecs.h"
#include "support/support.h"

namespace mmh::test {
namespace {

using codec::kFrameOverheadMax;
using codec::kNodesMax;
using codec::kRawSizeMax;
using codec::kStreamsMax;
using codec::NodeInfo;
using codec::Plan;

// RapidCheck takes its seed from the environment, and a random one where that has none.
const int seeded = setenv("RC_PARAMS", "seed=20240601 max_success=1000", 0);

Buffer bytes_of(std::initializer_list<unsigned> values) {
  Buffer bytes;
  for (const unsigned value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

Buffer runs(std::size_t size) {
  Buffer bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>('a' + i / 40 % 3);
  return bytes;
}

Buffer encode(const Plan& plan, ByteView raw) { return encode_frame(toy_registry(), plan, raw).value(); }

void expect_round_trip(const Plan& plan, ByteView raw) {
  const Result<Buffer> frame = encode_frame(toy_registry(), plan, raw);
  ASSERT_OK(frame);
  EXPECT_LE(frame->size(), raw.size() + kFrameOverheadMax);
  Buffer back(raw.size());
  ASSERT_OK(decode_frame(toy_registry(), *frame, back));
  EXPECT_TRUE(std::ranges::equal(back, raw));
}

TEST(Frame, StoredCostsOneByte) {
  for (const std::size_t size : {0u, 1u, 100u, 5000u}) {
    const Buffer raw = random_bytes(size, 1);
    const Buffer frame = encode({}, raw);
    EXPECT_EQ(frame.size(), size + 1);
    EXPECT_EQ(frame[0], std::byte{0});
    expect_round_trip({}, raw);
  }
}

// docs/format/frame.md shows these bytes.
TEST(Frame, IsWrittenAsTheSpecificationShows) {
  Buffer raw(30);
  std::fill_n(raw.begin(), 12, std::byte{'a'});
  std::fill_n(raw.begin() + 12, 18, std::byte{'b'});
  EXPECT_EQ(encode(toy_plan(kRunLength), raw), bytes_of({0x01, 0xc8, 0x01, 0x00, 0x0c, 'a', 0x12, 'b'}));

  Plan plan = toy_plan(kXor, {toy_plan(kRunLength)});
  plan.options.width = 0x20;
  EXPECT_EQ(encode(plan, raw), bytes_of({0x02,                          // two nodes
                                         0xc8, 0x01, 0x00, 0x1e,        // run_length, no parameters, yields 30
                                         0xcd, 0x01, 0x01, 0x20, 0x01,  // xor, 0x20, input: one node before
                                         0x0c, 'A', 0x12, 'B'}));       // the stored stream
}

TEST(Frame, CodesStreamsOfOneCodecDifferently) {
  Buffer raw(3000);
  for (std::size_t i = 0; i < raw.size(); ++i)
    raw[i] = static_cast<std::byte>(i % 3 == 1 ? i * 2654435761u >> 13 : i % 3);
  const Plan plan = toy_plan(kDeal, {toy_plan(kRunLength), {}, toy_plan(kXor, {toy_plan(kRunLength)})});
  expect_round_trip(plan, raw);
  const std::vector<NodeInfo> nodes = describe_frame(toy_registry(), encode(plan, raw), raw.size()).value();
  ASSERT_EQ(nodes.size(), 4u);
  EXPECT_EQ(nodes[0].codec, kRunLength);
  EXPECT_EQ(nodes[1].codec, kRunLength);
  EXPECT_EQ(nodes[2].codec, kXor);
  EXPECT_EQ(nodes[2].parameters, bytes_of({0x5a}));
  EXPECT_EQ(nodes[3].codec, kDeal);
  EXPECT_THAT(nodes[3].from, testing::ElementsAre(0, std::numeric_limits<std::size_t>::max(), 2));
  EXPECT_EQ(nodes[3].stored_size, 1000u);
  EXPECT_EQ(nodes[3].raw_size, 3000u);
  EXPECT_EQ(nodes[2].raw_size, 1000u);
}

Plan with_width(Plan plan, unsigned width) {
  plan.options.width = width;
  return plan;
}

TEST(Frame, TakesAsManyStreamsAsTheParametersSay) {
  Buffer raw(32'000);
  for (std::size_t i = 0; i < raw.size(); ++i) raw[i] = static_cast<std::byte>(i / 8000);
  for (const unsigned count : {1u, 2u, 7u, 32u}) {
    const Plan plan = with_width(toy_plan(kFan, std::vector<Plan>(count, toy_plan(kRunLength))), count);
    expect_round_trip(plan, raw);
    const std::vector<NodeInfo> nodes = describe_frame(toy_registry(), encode(plan, raw), raw.size()).value();
    ASSERT_EQ(nodes.size(), count + 1);
    EXPECT_EQ(nodes.back().from.size(), count);
  }
  const Plan many = with_width(toy_plan(kFan, std::vector<Plan>(3)), 2);
  EXPECT_EQ(error_of(encode_frame(toy_registry(), many, raw)), Errc::usage);
}

TEST(Frame, TakesOnlyTypesThatFit) {
  const Buffer raw = runs(3200);
  const auto numbers = [](unsigned width, std::vector<Plan> children = {}) {
    return with_width(toy_plan(kNumbers, std::move(children)), width);
  };
  const Plan runs_plan = toy_plan(kRunLength);
  expect_round_trip(numbers(4, {numbers(4, {runs_plan})}), raw);
  expect_round_trip(toy_plan(kXor, {numbers(4, {toy_plan(kXor, {numbers(8, {runs_plan})})})}), raw);
  EXPECT_EQ(error_of(encode_frame(toy_registry(), numbers(4, {numbers(8, {runs_plan})}), raw)), Errc::usage);
  EXPECT_EQ(error_of(encode_frame(toy_registry(), numbers(3), raw)), Errc::usage);
}

TEST(StreamTypes, FitOnlyWhatHasTheirShape) {
  using codec::StreamKind;
  const codec::StreamType bytes;
  const codec::StreamType bits{.kind = StreamKind::bits, .width = 1};
  const codec::StreamType two{.kind = StreamKind::numbers, .width = 2};
  const codec::StreamType four{.kind = StreamKind::numbers, .width = 4};
  const codec::StreamType records{.kind = StreamKind::records, .width = 4};
  for (const codec::StreamType type : {bytes, bits, two, four, records}) {
    EXPECT_TRUE(fits(type, type));
    EXPECT_TRUE(fits(type, bytes));
    EXPECT_TRUE(fits(bytes, type));
    EXPECT_EQ(fits(type, four), type == four || type == records || type == bytes);
    EXPECT_EQ(fits(bits, type), type == bits || type == bytes);
  }
  EXPECT_EQ(to_string(records), "records of 4 bytes");
}

TEST(Frame, LeavesOutWhatDoesNotMakeItsInputSmaller) {
  const Buffer noise = random_bytes(500, 2);
  EXPECT_EQ(encode(toy_plan(kRunLength), noise), encode({}, noise));
  EXPECT_EQ(encode(toy_plan(kXor), noise), encode({}, noise));
  EXPECT_EQ(encode(toy_plan(kXor, {toy_plan(kRunLength)}), noise), encode({}, noise));

  // A child that does not pay is left out, and its parent kept.
  const Buffer raw = runs(3000);
  const Buffer alone = encode(toy_plan(kRunLength), raw);
  EXPECT_LT(alone.size(), 200u);
  EXPECT_EQ(encode(toy_plan(kRunLength, {toy_plan(kXor)}), raw), alone);
  EXPECT_EQ(encode(toy_plan(kRunLength, {toy_plan(kSwell, {toy_plan(kRunLength)})}), raw), alone);
}

TEST(Frame, KeepsAStageThatPaysOnlyThroughItsChild) {
  const Buffer raw = runs(3000);
  const Plan plan = toy_plan(kXor, {toy_plan(kRunLength)});
  EXPECT_EQ(describe_frame(toy_registry(), encode(plan, raw), raw.size()).value().size(), 2u);
  expect_round_trip(plan, raw);
}

TEST(Frame, NamesItsCodecsByItsBeginningAlone) {
  const Buffer raw = runs(3000);
  const Buffer frame = encode(toy_plan(kXor, {toy_plan(kRunLength)}), raw);
  constexpr std::size_t kProgram = 11;  // the node count; five bytes of run_length; five of xor
  for (std::size_t size = 0; size <= frame.size(); ++size) {
    const auto codecs = codec::frame_codecs(toy_registry(), ByteView(frame).first(size), raw.size());
    if (size < kProgram) {
      EXPECT_EQ(error_of(codecs), Errc::corrupt) << size;
    } else {
      ASSERT_OK(codecs);
      EXPECT_THAT(*codecs, testing::ElementsAre(kXor, kRunLength)) << size;
    }
  }
  EXPECT_TRUE(codec::frame_codecs(toy_registry(), ByteView(encode({}, raw)).first(1), raw.size()).value().empty());
}

TEST(Frame, DescribesStoredAsNoNodes) {
  const Buffer raw = random_bytes(50, 3);
  EXPECT_TRUE(describe_frame(toy_registry(), encode({}, raw), raw.size()).value().empty());
}

TEST(Frame, KeepsToTheLimitsOfAFrameWhateverThePlan) {
  const Buffer raw = runs(200'000);
  // 62 transforms deep: the intermediates would exceed their bound.
  Plan deep = toy_plan(kRunLength);
  for (int i = 0; i < 62; ++i) deep = toy_plan(kXor, {std::move(deep)});
  expect_round_trip(deep, raw);
  // 1 + 3 + 9 + 27 + 81 nodes: too many.
  Plan wide = toy_plan(kRunLength);
  for (int i = 0; i < 4; ++i) wide = toy_plan(kDeal, {wide, wide, wide});
  expect_round_trip(wide, raw);
  const std::vector<NodeInfo> nodes = describe_frame(toy_registry(), encode(wide, raw), raw.size()).value();
  EXPECT_LE(nodes.size(), kNodesMax);
}

TEST(Frame, RefusesBadPlans) {
  const Buffer raw = runs(1000);
  const auto error = [&](const Plan& plan) { return error_of(encode_frame(toy_registry(), plan, raw)); };
  EXPECT_EQ(error(toy_plan(codec::CodecId{77})), Errc::usage);
  EXPECT_EQ(error(toy_plan(kXor, {{}, {}})), Errc::usage);
  EXPECT_EQ(error(toy_plan(codec::CodecId::stored, {toy_plan(kXor)})), Errc::usage);
  Plan bad_options = toy_plan(kXor);
  bad_options.options.width = 256;
  EXPECT_EQ(error(bad_options), Errc::usage);
  Plan endless = toy_plan(kXor);
  for (std::size_t i = 0; i < kNodesMax; ++i) endless = toy_plan(kXor, {std::move(endless)});
  EXPECT_EQ(error(endless), Errc::usage);
}

TEST(Frame, RefusesBlocksAboveTheLimit) {
  const Buffer raw(kRawSizeMax + 1);
  EXPECT_EQ(error_of(encode_frame(toy_registry(), {}, raw)), Errc::limit);
  Buffer back(kRawSizeMax + 1);
  EXPECT_EQ(error_of(decode_frame(toy_registry(), bytes_of({0}), back)), Errc::limit);
}

TEST(Frame, StatesItsMemory) {
  EXPECT_GE(decode_memory_max(toy_registry(), 1000), codec::intermediates_max(1000));
  const Plan plan = toy_plan(kXor, {toy_plan(kRunLength)});
  EXPECT_GE(encode_memory_max(toy_registry(), plan, 1000), 5000u);
}

Plan random_plan(Random& random, int depth) {
  static constexpr std::array kIds = {codec::CodecId::stored, kRunLength, kDeal, kXor, kSwell, kRunLength};
  Plan plan = toy_plan(kIds[random.below(kIds.size())]);
  plan.options.width = static_cast<unsigned>(random.below(256));
  if (plan.codec == codec::CodecId::stored || depth == 0) return plan;
  const std::size_t streams = plan.codec == kDeal ? kDealStreams : 1;
  for (std::uint64_t i = random.below(streams + 1); i > 0; --i) plan.children.push_back(random_plan(random, depth - 1));
  return plan;
}

Buffer random_raw(Random& random) {
  Buffer raw(random.below(3000));
  std::byte value{};
  for (std::byte& byte : raw) {
    if (random.below(12) == 0) value = static_cast<std::byte>(random.next());
    byte = value;
  }
  return raw;
}

TEST(Frame, AnyPlanRoundTripsDeterministically) {
  EXPECT_TRUE(rc::check([](std::uint64_t seed) {
    Random random(seed);
    const Plan plan = random_plan(random, 7);
    const Buffer raw = random_raw(random);
    const Buffer frame = encode_frame(toy_registry(), plan, raw).value();
    RC_ASSERT(frame.size() <= raw.size() + kFrameOverheadMax);
    RC_ASSERT(frame == encode_frame(toy_registry(), plan, raw).value());
    Buffer back(raw.size());
    RC_ASSERT(decode_frame(toy_registry(), frame, back).has_value());
    RC_ASSERT(back == raw);
    const std::vector<NodeInfo> nodes = describe_frame(toy_registry(), frame, raw.size()).value();
    RC_ASSERT(nodes.empty() == (frame[0] == std::byte{0}));
    std::size_t stored = 0;
    for (const NodeInfo& node : nodes) stored += node.stored_size;
    RC_ASSERT(stored <= frame.size());
  }));
}

TEST(Frame, RefusesEveryTruncationOfAnyFrame) {
  EXPECT_TRUE(rc::check([](std::uint64_t seed) {
    Random random(seed);
    const Plan plan = random_plan(random, 3);
    const Buffer raw = random_raw(random);
    const Buffer frame = encode_frame(toy_registry(), plan, raw).value();
    Buffer back(raw.size());
    for (std::size_t keep = 0; keep < frame.size(); keep += 1 + random.below(50)) {
      const Result<> outcome = decode_frame(toy_registry(), ByteView(frame).first(keep), back);
      RC_ASSERT(!outcome.has_value());
      RC_ASSERT(outcome.error().code == Errc::corrupt);
    }
  }));
}

TEST(Frame, SurvivesAnyDamage) {
  EXPECT_TRUE(rc::check([](std::uint64_t seed) {
    Random random(seed);
    const Plan plan = random_plan(random, 3);
    const Buffer raw = random_raw(random);
    Buffer frame = encode_frame(toy_registry(), plan, raw).value();
    for (std::uint64_t i = 1 + random.below(4); i > 0; --i) {
      frame[random.below(std::min<std::size_t>(frame.size(), 64))] = static_cast<std::byte>(random.next());
    }
    Buffer back(raw.size());
    const Result<> outcome = decode_frame(toy_registry(), frame, back);
    RC_ASSERT(outcome.has_value() || outcome.error().code == Errc::corrupt ||
              outcome.error().code == Errc::unsupported || outcome.error().code == Errc::limit);
  }));
}

}  // namespace
}  // namespace mmh::test
