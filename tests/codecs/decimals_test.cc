// Numbers written in decimal digits: in which ways, and that nothing comes back different.
#include <gmock/gmock.h>

#include <cstring>
#include <string>

#include "mmh/codecs/builtin.h"
#include "support/seeded.h"
#include "support/support.h"

namespace mmh::codecs {
namespace {

using codec::Field;
using testing::ElementsAre;

const codec::Codec& codec() { return *builtin_registry().find(codec::CodecId::decimals); }

constexpr Field kLine{.kind = Field::Kind::terminated, .terminator = '\n'};

struct Coded {
  std::vector<std::int64_t> numbers;
  std::string texts;
};
// Encodes, and checks that decoding gives the bytes back.
Coded code(const std::string& text, Field field = kLine, unsigned width = 4) {
  const ByteView raw = std::as_bytes(std::span(text));
  codec::EncodeOptions options;
  options.width = width;
  options.token = field;
  const codec::Encoded encoded = codec().encode(raw, options).value();
  const std::vector<ByteView> streams(encoded.streams.begin(), encoded.streams.end());
  Buffer back(raw.size());
  EXPECT_TRUE(codec().decode(encoded.parameters, streams, back, {}).has_value()) << text;
  EXPECT_EQ(as_text(back), text);
  Coded coded;
  for (std::size_t at = 0; at < encoded.streams[0].size(); at += width) {
    std::uint64_t number = 0;
    std::memcpy(&number, encoded.streams[0].data() + at, width);
    const unsigned above = 64 - 8 * width;
    coded.numbers.push_back(static_cast<std::int64_t>(number << above) >> above);
  }
  coded.texts = as_text(encoded.streams[2]);
  return coded;
}

// Enough of one kind that the way it is written is seen.
std::string many(const std::string& lines) {
  std::string all;
  for (int i = 0; i < 50; ++i) all += lines;
  return all;
}

TEST(Decimals, HaveAsManyDigitsBehindThePointAsMost) {
  const Coded coded = code("1.50\n-2.25\n100.00\n0.07\n-0.10\n12.34\n0.00\n99.99\n");
  EXPECT_THAT(coded.numbers, ElementsAre(150, -225, 10000, 7, -10, 1234, 0, 9999));
  EXPECT_TRUE(coded.texts.empty());
}

TEST(Decimals, MayLeaveOutZerosAtTheirEnd) {
  const Coded coded = code("1.5\n-2.25\n100\n0.07\n-0.125\n12.34\n0\n99.9\n");
  EXPECT_THAT(coded.numbers, ElementsAre(1500, -2250, 100000, 70, -125, 12340, 0, 99900));
  EXPECT_TRUE(coded.texts.empty());
}

TEST(Decimals, MayKeepOneDigitBehindThePoint) {
  const Coded coded = code("1.5\n2.25\n100.0\n0.07\n3.0\n12.34\n0.0\n99.9\n");
  EXPECT_THAT(coded.numbers, ElementsAre(150, 225, 10000, 7, 300, 1234, 0, 9990));
  EXPECT_TRUE(coded.texts.empty());
}

TEST(Decimals, MayBeginWithZerosOrWithThePoint) {
  EXPECT_THAT(code("00\n01\n02\n09\n10\n11\n59\n08\n", kLine, 2).numbers, ElementsAre(0, 1, 2, 9, 10, 11, 59, 8));
  const Coded coded = code(".25\n.50\n-.75\n1.00\n.00\n.33\n.10\n12.00\n");
  EXPECT_THAT(coded.numbers, ElementsAre(25, 50, -75, 100, 0, 33, 10, 1200));
  EXPECT_TRUE(coded.texts.empty());
}

TEST(Decimals, MayStandUnderEachOther) {
  const Field eight{.width = 8};
  const Coded right = code("       1     -12     300  123456       0       7      88    -999", eight);
  EXPECT_THAT(right.numbers, ElementsAre(1, -12, 300, 123456, 0, 7, 88, -999));
  EXPECT_TRUE(right.texts.empty());
  const Coded left = code("1       -12     300     123456  0       7       88      -999    ", eight);
  EXPECT_THAT(left.numbers, ElementsAre(1, -12, 300, 123456, 0, 7, 88, -999));
  EXPECT_TRUE(left.texts.empty());
}

TEST(Decimals, OfWhichSomeAreNone) {
  const std::string odd =
      "\nn/a\n+1\n1e5\n-\n.\n1.\n-0\n007\n 5\n5 \n1.25\n1234567890123456789\n-1234567890123456789\n";
  const Coded coded = code(many("1200\n345\n60\n-700\n") + odd + "unfinished", kLine, 2);
  EXPECT_EQ(coded.numbers.size(), 200u);
  // A zero with a minus sign takes no text.
  EXPECT_EQ(coded.texts.size(), odd.size() - 3 + std::strlen("unfinished"));
}

TEST(Decimals, OfTheMostDigitsThatAreTaken) {
  const Coded coded = code(many("999999999999999999\n-999999999999999999\n100000000000000000\n"), kLine, 8);
  EXPECT_EQ(coded.numbers.size(), 150u);
  EXPECT_EQ(coded.numbers[1], -999999999999999999);
  EXPECT_EQ(code(many("0.000000000000000001\n0.999999999999999999\n"), kLine, 8).numbers.size(),
            0u);  // with the zero, 19
  EXPECT_EQ(code(many("0.00000000000000001\n0.99999999999999999\n"), kLine, 8).numbers.size(), 100u);
}

TEST(Decimals, TooLargeForTheirWidthAreText) {
  const Coded coded = code(many("-128\n127\n12\n55\n") + "128\n-129\n1000\n", kLine, 1);
  EXPECT_EQ(coded.numbers.size(), 200u);
  EXPECT_EQ(coded.texts, "128\n-129\n1000\n");
}

TEST(Decimals, OfOtherTextNoneAreMade) {
  EXPECT_TRUE(code(many("one\n2\nthree\nfour\n")).numbers.empty());
  EXPECT_TRUE(code("").numbers.empty());
  EXPECT_TRUE(code("1\n2\n").numbers.empty());  // too few to tell
}

TEST(Decimals, TakeNoMoreThanTheirTextBeforeALongRest) {
  const std::string text = many("1\n22\n3\n4\n") + std::string(2000, 'x');
  for (const unsigned width : {1U, 2U, 4U, 8U}) {
    codec::EncodeOptions options;
    options.width = width;
    options.token = kLine;
    const ByteView raw = std::as_bytes(std::span(text));
    const codec::Encoded encoded = codec().encode(raw, options).value();
    std::size_t size = 0;
    for (const Buffer& stream : encoded.streams) size += stream.size();
    EXPECT_LE(size, raw.size()) << width;
    code(text, kLine, width);
  }
}

TEST(Decimals, ComeBackWhateverTheTextIs) {
  test::Random random(5);
  constexpr std::string_view kBytes = "0123456789.- \n\n00";
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    const std::size_t size = random.below(200);
    for (std::size_t i = 0; i < size; ++i) text += kBytes[random.below(kBytes.size())];
    const Field field = random.below(2) == 0 ? kLine : Field{.width = static_cast<std::uint32_t>(1 + random.below(9))};
    code(text, field, 1U << random.below(4));
  }
}

}  // namespace
}  // namespace mmh::codecs
