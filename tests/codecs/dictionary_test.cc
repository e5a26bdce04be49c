#include <fmt/format.h>

#include "codecs/codecs_support.h"
#include "mmh/codec/frame.h"
#include "mmh/codecs/builtin.h"
#include "support/support.h"

namespace mmh::test {
namespace {

using codec::CodecId;
using codec::DecodeContext;
using codec::Dictionary;

Buffer small_json(std::uint64_t seed) {
  Random random(seed);
  const std::string text = fmt::format(
      R"({{"id": {}, "user": {{"name": "user{}", "active": {}, "followers": {}}}, "tags": ["a{}", "b{}"], "score": {}}})",
      random.below(1'000'000), random.below(1000), random.below(2) == 0, random.below(100), random.below(9),
      random.below(9), random.below(10'000));
  const ByteView bytes = as_bytes(text);
  return Buffer(bytes.begin(), bytes.end());
}

struct Samples {
  Buffer bytes;
  std::vector<std::size_t> sizes;
};
Samples json_samples() {
  Samples samples;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const Buffer one = small_json(seed);
    append(samples.bytes, one);
    samples.sizes.push_back(one.size());
  }
  return samples;
}

DecodeContext context_for(std::shared_ptr<const Dictionary> dictionary) {
  return {.dictionary = [=](std::uint64_t) -> Result<std::shared_ptr<const Dictionary>> { return dictionary; }};
}

TEST(Dictionary, TrainedOnSmallFilesMakesOthersOfThemMuchSmaller) {
  const Samples samples = json_samples();
  const auto dictionary = std::make_shared<const Dictionary>(
      Dictionary{.block = 3, .bytes = codecs::train_dictionary(samples.bytes, samples.sizes, 8192)});
  ASSERT_FALSE(dictionary->bytes.empty());
  EXPECT_LE(dictionary->bytes.size(), 8192u);

  const codec::Registry& registry = codecs::builtin_registry();
  const codec::Plan plain{.codec = CodecId::zstd, .options = {.level = 9}};
  const codec::Plan with{.codec = CodecId::zstd, .options = {.level = 9, .dictionary = dictionary}};
  std::size_t plain_size = 0;
  std::size_t with_size = 0;
  for (std::uint64_t seed = 5000; seed < 5100; ++seed) {
    const Buffer raw = small_json(seed);
    const Buffer frame = encode_frame(registry, with, raw).value();
    Buffer back(raw.size());
    ASSERT_OK(decode_frame(registry, frame, back, context_for(dictionary)));
    EXPECT_EQ(back, raw);
    with_size += frame.size();
    plain_size += encode_frame(registry, plain, raw).value().size();
  }
  EXPECT_LT(2 * with_size, plain_size);
}

TEST(Dictionary, TrainingIsDeterministic) {
  const Samples samples = json_samples();
  EXPECT_EQ(codecs::train_dictionary(samples.bytes, samples.sizes, 4096),
            codecs::train_dictionary(samples.bytes, samples.sizes, 4096));
}

TEST(Dictionary, NoneWhereTheSamplesGiveNone) {
  EXPECT_TRUE(codecs::train_dictionary({}, {}, 4096).empty());
  const Buffer one = small_json(1);
  const std::size_t sizes[] = {one.size()};
  EXPECT_TRUE(codecs::train_dictionary(one, sizes, 4096).empty());
  EXPECT_TRUE(codecs::train_dictionary(one, sizes, 0).empty());
}

TEST(Dictionary, FrameNamesTheBlockItNeeds) {
  const Buffer raw = text_bytes(4000, 77);
  const codec::Plan plan{.codec = CodecId::zstd, .options = {.level = 3, .dictionary = test_dictionary()}};
  const Buffer frame = encode_frame(codecs::builtin_registry(), plan, raw).value();
  Buffer back(raw.size());
  const Result<> refused = decode_frame(codecs::builtin_registry(), frame, back);
  EXPECT_EQ(error_of(refused), Errc::unsupported);
  EXPECT_THAT(refused.error().what, testing::HasSubstr("block 12345"));
  ASSERT_OK(decode_frame(codecs::builtin_registry(), frame, back, context_with_dictionary()));
  EXPECT_EQ(back, raw);
}

TEST(Dictionary, ErrorOfTheLookUpIsPassedOn) {
  const codec::Codec& zstd = *codecs::builtin_registry().find(CodecId::zstd);
  const Buffer raw = text_bytes(100, 1);
  const codec::Encoded encoded = zstd.encode(raw, {.level = 3, .dictionary = test_dictionary()}).value();
  const DecodeContext failing{.dictionary = [](std::uint64_t) -> Result<std::shared_ptr<const Dictionary>> {
    return fail(Errc::io, "disk gone");
  }};
  Buffer back(raw.size());
  const ByteView stream = encoded.streams[0];
  EXPECT_EQ(error_of(zstd.decode(encoded.parameters, {&stream, 1}, back, failing)), Errc::io);
}

TEST(Dictionary, DamagedOneIsRefused) {
  const Samples samples = json_samples();
  Dictionary damaged{.block = 9, .bytes = codecs::train_dictionary(samples.bytes, samples.sizes, 4096)};
  ASSERT_GT(damaged.bytes.size(), 100u);
  std::fill(damaged.bytes.begin() + 8, damaged.bytes.begin() + 60, std::byte{0xff});  // the entropy tables
  const auto dictionary = std::make_shared<const Dictionary>(std::move(damaged));
  const codec::Codec& zstd = *codecs::builtin_registry().find(CodecId::zstd);
  const Buffer raw = text_bytes(100, 1);
  const codec::Encoded encoded = zstd.encode(raw, {.level = 3, .dictionary = test_dictionary()}).value();
  Buffer back(raw.size());
  const ByteView stream = encoded.streams[0];
  EXPECT_EQ(error_of(zstd.decode(encoded.parameters, {&stream, 1}, back, context_for(dictionary))), Errc::corrupt);
  // And the context that met it still works.
  ASSERT_OK(zstd.decode(encoded.parameters, {&stream, 1}, back, context_with_dictionary()));
  EXPECT_EQ(back, raw);
}

TEST(Dictionary, SameBytesUnderAnotherNumberAreNotConfused) {
  const Buffer raw = text_bytes(3000, 77);
  const codec::Codec& zstd = *codecs::builtin_registry().find(CodecId::zstd);
  for (int round = 0; round < 3; ++round) {
    for (const std::uint64_t block : {1u, 2u, 300u}) {
      const auto dictionary =
          std::make_shared<const Dictionary>(Dictionary{.block = block, .bytes = text_bytes(2000, block)});
      const codec::Encoded encoded = zstd.encode(raw, {.level = round + 1, .dictionary = dictionary}).value();
      Buffer back(raw.size());
      const ByteView stream = encoded.streams[0];
      ASSERT_OK(zstd.decode(encoded.parameters, {&stream, 1}, back, context_for(dictionary)));
      EXPECT_EQ(back, raw);
    }
  }
}

}  // namespace
}  // namespace mmh::test
