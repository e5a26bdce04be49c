// Programs that no encoder writes. Each is refused before any codec runs.
#include <fmt/format.h>

#include "codec/toy_codecs.h"
#include "mmh/base/varint.h"
#include "support/support.h"

namespace mmh::test {
namespace {

// Writes the parts of a frame by hand.
class Program {
 public:
  explicit Program(unsigned first_byte) { bytes_.push_back(static_cast<std::byte>(first_byte)); }
  Program& varint(std::uint64_t value) {
    put_varint(bytes_, value);
    return *this;
  }
  Program& head(codec::CodecId id, bool listed) {
    return varint(std::uint64_t{static_cast<std::uint32_t>(id)} << 1 | (listed ? 1 : 0));
  }
  /// xor with parameter 0, reading the next stored stream.
  Program& leaf(std::uint64_t output_size) { return head(kXor, false).parameters().varint(output_size); }
  Program& parameters() { return varint(1).raw(1, 0); }
  Program& raw(std::size_t count, unsigned value) {
    bytes_.insert(bytes_.end(), count, static_cast<std::byte>(value));
    return *this;
  }
  const Buffer& bytes() const { return bytes_; }

 private:
  Buffer bytes_;
};

constexpr std::size_t kSize = 100;

struct Refusal {
  Errc code;
  std::string what;
};
Refusal refused(const Program& program, std::size_t size = kSize) {
  Buffer back(size);
  const int before = toy_decodes();
  const Result<> outcome = decode_frame(toy_registry(), program.bytes(), back);
  EXPECT_FALSE(outcome.has_value());
  EXPECT_EQ(toy_decodes(), before) << "a codec ran before the whole program was checked";
  EXPECT_FALSE(describe_frame(toy_registry(), program.bytes(), size).has_value());
  return outcome ? Refusal{} : Refusal{outcome.error().code, outcome.error().what};
}

TEST(HostileFrame, TheHelperWritesValidOnes) {
  Buffer back(kSize);
  ASSERT_OK(decode_frame(toy_registry(), Program(1).head(kXor, false).parameters().raw(kSize, 'x').bytes(), back));
  EXPECT_EQ(back[99], std::byte{'x'});
  const Program chain = Program(2).leaf(kSize).head(kXor, true).parameters().varint(1).raw(kSize, 'y');
  ASSERT_OK(decode_frame(toy_registry(), chain.bytes(), back));
  EXPECT_EQ(back[99], std::byte{'y'});
}

TEST(HostileFrame, Empty) {
  Buffer back(kSize);
  EXPECT_EQ(error_of(decode_frame(toy_registry(), {}, back)), Errc::corrupt);
  EXPECT_EQ(error_of(decode_frame(toy_registry(), {}, Bytes())), Errc::corrupt);
}

TEST(HostileFrame, StoredOfAnotherSize) {
  EXPECT_EQ(refused(Program(0).raw(kSize - 1, 'x')).code, Errc::corrupt);
  EXPECT_EQ(refused(Program(0).raw(kSize + 1, 'x')).code, Errc::corrupt);
}

TEST(HostileFrame, KindsOfTheFutureAskForANewerReader) {
  for (const unsigned kind : {129u, 200u, 255u}) {
    const Refusal refusal = refused(Program(kind).raw(50, 0));
    EXPECT_EQ(refusal.code, Errc::unsupported);
    EXPECT_THAT(refusal.what, testing::HasSubstr("needs a newer reader"));
    EXPECT_THAT(refusal.what, testing::HasSubstr(std::to_string(kind)));
  }
}

TEST(HostileFrame, UnknownCodecIsNamed) {
  for (const std::uint64_t id :
       {std::uint64_t{7}, std::uint64_t{4711}, std::uint64_t{1} << 32 | 100, ~std::uint64_t{0} >> 1}) {
    const Refusal refusal = refused(Program(1).varint(id << 1).varint(0).raw(kSize, 0));
    EXPECT_EQ(refusal.code, Errc::unsupported);
    EXPECT_THAT(refusal.what, testing::HasSubstr(fmt::format("codec {}", id)));
  }
}

TEST(HostileFrame, UnknownCodecBehindKnownOnes) {
  EXPECT_EQ(refused(Program(2).leaf(kSize).varint(9 << 1).varint(0).raw(kSize, 0)).code, Errc::unsupported);
}

TEST(HostileFrame, CodecZero) { EXPECT_EQ(refused(Program(1).varint(0).varint(0).raw(kSize, 0)).code, Errc::corrupt); }

TEST(HostileFrame, NodeThatUsesItself) {
  // One node back from the first is none.
  EXPECT_EQ(refused(Program(1).head(kXor, true).parameters().varint(1).raw(kSize, 0)).code, Errc::corrupt);
}

TEST(HostileFrame, NodeThatUsesWhatComesBeforeTheFirst) {
  for (const std::uint64_t back : {std::uint64_t{2}, std::uint64_t{64}, ~std::uint64_t{0}}) {
    const Program program = Program(2).leaf(kSize).head(kXor, true).parameters().varint(back).raw(kSize, 0);
    EXPECT_EQ(refused(program).code, Errc::corrupt) << back;
  }
}

TEST(HostileFrame, OutputUsedTwice) {
  const Program twice_by_one =
      Program(2).leaf(34).head(kDeal, true).varint(0).varint(1).varint(1).varint(0).varint(34).raw(68, 0);
  const Refusal refusal = refused(twice_by_one);
  EXPECT_EQ(refusal.code, Errc::corrupt);
  EXPECT_THAT(refusal.what, testing::HasSubstr("second time"));
  const Program twice_by_two = Program(3)
                                   .leaf(kSize)
                                   .head(kXor, true)
                                   .parameters()
                                   .varint(1)
                                   .varint(kSize)
                                   .head(kXor, true)
                                   .parameters()
                                   .varint(2)
                                   .raw(kSize, 0);
  EXPECT_EQ(refused(twice_by_two).code, Errc::corrupt);
}

TEST(HostileFrame, OutputUsedByNobody) {
  const Refusal refusal = refused(Program(2).leaf(50).head(kXor, false).parameters().varint(50).raw(50 + kSize, 0));
  EXPECT_EQ(refusal.code, Errc::corrupt);
  EXPECT_THAT(refusal.what, testing::HasSubstr("nothing uses"));
}

TEST(HostileFrame, ListOfInputsThatAreAllStored) {
  EXPECT_EQ(refused(Program(1).head(kXor, true).parameters().varint(0).raw(kSize, 0)).code, Errc::corrupt);
}

TEST(HostileFrame, ParametersLargerThanTheFrame) {
  EXPECT_EQ(refused(Program(1).head(kXor, false).varint(5000).raw(50, 0)).code, Errc::corrupt);
  EXPECT_EQ(refused(Program(1).head(kXor, false).varint(std::uint64_t{1} << 62).raw(50, 0)).code, Errc::limit);
}

TEST(HostileFrame, ParametersAboveTheLimit) {
  const std::size_t size = codec::kParametersMax + 1;
  EXPECT_EQ(refused(Program(1).head(kXor, false).varint(size).raw(size + kSize, 0)).code, Errc::limit);
}

TEST(HostileFrame, StreamsLargerThanTheFrame) {
  for (const std::uint64_t size : {std::uint64_t{200}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    EXPECT_EQ(refused(Program(1).head(kDeal, false).varint(0).varint(size).varint(33).raw(100, 0)).code, Errc::corrupt);
    EXPECT_EQ(refused(Program(1).head(kDeal, false).varint(0).varint(33).varint(size).raw(100, 0)).code, Errc::corrupt);
  }
}

TEST(HostileFrame, IntermediateAboveTheBound) {
  const std::size_t most = codec::intermediates_max(kSize);
  for (const std::uint64_t size : {std::uint64_t{most} + 1, std::uint64_t{1} << 50, ~std::uint64_t{0}}) {
    const Refusal refusal = refused(Program(2).leaf(size).head(kXor, true).parameters().varint(1).raw(kSize, 0));
    EXPECT_EQ(refusal.code, Errc::limit) << size;
  }
}

TEST(HostileFrame, IntermediatesThatTogetherExceedTheBound) {
  const std::size_t half = codec::intermediates_max(kSize) / 2 + 1;
  const Program program = Program(3).leaf(half).leaf(half).head(kXor, true).parameters().varint(1).raw(kSize, 0);
  EXPECT_EQ(refused(program).code, Errc::limit);
}

TEST(HostileFrame, TooManyStoredStreams) {
  // 43 nodes of three streams each: 129.
  Program program(44);
  for (int i = 0; i < 43; ++i) program.head(kDeal, false).varint(0).varint(1);
  EXPECT_EQ(refused(program.head(kXor, true).parameters().varint(1).raw(2000, 0)).code, Errc::limit);
}

TEST(HostileFrame, MoreNodesThanTheFrameHasBytes) {
  EXPECT_EQ(refused(Program(64).leaf(1)).code, Errc::corrupt);
  EXPECT_EQ(refused(Program(64)).code, Errc::corrupt);
}

TEST(HostileFrame, NumbersThatAreNotShortest) {
  // Codec 102 with two bytes more than it needs.
  EXPECT_EQ(refused(Program(1).raw(1, 0xcc).raw(1, 0x81).raw(1, 0x00).parameters().raw(kSize, 0)).code, Errc::corrupt);
}

TEST(HostileFrame, DeepestChainRunsWithoutRecursion) {
  Program program(codec::kNodesMax);
  program.leaf(kSize);
  for (std::size_t i = 2; i < codec::kNodesMax; ++i) program.head(kXor, true).parameters().varint(1).varint(kSize);
  program.head(kXor, true).parameters().varint(1).raw(kSize, 'z');
  Buffer back(kSize);
  ASSERT_OK(decode_frame(toy_registry(), program.bytes(), back));
  EXPECT_EQ(back[0], std::byte{'z'});
}

TEST(HostileFrame, ParametersThatMeanNothing) {
  for (const unsigned count : {0u, 33u, 255u}) {
    EXPECT_EQ(refused(Program(1).head(kFan, false).varint(1).raw(1, count).raw(kSize, 0)).code, Errc::corrupt);
  }
  EXPECT_EQ(refused(Program(1).head(kFan, false).varint(0).raw(kSize, 0)).code, Errc::corrupt);
}

TEST(HostileFrame, FewerStreamsThanTheParametersSay) {
  EXPECT_EQ(refused(Program(1).head(kFan, false).varint(1).raw(1, 32).raw(20, 200)).code, Errc::corrupt);
}

TEST(HostileFrame, TypesThatDoNotFit) {
  const auto numbers = [](Program program, unsigned width, bool listed) {
    return program.head(kNumbers, listed).varint(1).raw(1, width);
  };
  const Program same = numbers(numbers(Program(2), 4, false).varint(kSize), 4, true).varint(1).raw(kSize, 'n');
  Buffer back(kSize);
  ASSERT_OK(decode_frame(toy_registry(), same.bytes(), back));
  const Refusal refusal =
      refused(numbers(numbers(Program(2), 2, false).varint(kSize), 4, true).varint(1).raw(kSize, 0));
  EXPECT_EQ(refusal.code, Errc::corrupt);
  EXPECT_THAT(refusal.what, testing::HasSubstr("numbers of 4 bytes"));
}

TEST(HostileFrame, NumbersThatAreCut) {
  EXPECT_EQ(refused(Program(1).head(kNumbers, false).varint(1).raw(1, 3).raw(kSize, 0)).code, Errc::corrupt);
  EXPECT_EQ(refused(Program(1).head(kNumbers, false).varint(1).raw(1, 4).raw(kSize - 1, 0)).code, Errc::corrupt);
  const Program odd = Program(2).leaf(kSize - 1).head(kNumbers, true).varint(1).raw(1, 4).varint(1).raw(kSize - 1, 0);
  EXPECT_EQ(refused(odd).code, Errc::corrupt);
}

TEST(HostileFrame, StreamsThatDoNotFitTheirCodecAreItsError) {
  Buffer back(kSize);
  const Result<> outcome =
      decode_frame(toy_registry(), Program(1).head(kXor, false).parameters().raw(kSize - 1, 'x').bytes(), back);
  EXPECT_EQ(error_of(outcome), Errc::corrupt);
  EXPECT_THAT(outcome.error().what, testing::HasSubstr("node 0 (xor)"));
}

}  // namespace
}  // namespace mmh::test
