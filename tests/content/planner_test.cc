#include "mmh/content/planner.h"

#include <array>

#include "frames.h"
#include "mmh/codecs/builtin.h"
#include "samples.h"
#include "support/support.h"

namespace mmh::content {
namespace {

const codec::Registry& registry() { return codecs::builtin_registry(); }
const Planner& planner() { return default_planner(registry()); }

using test::bytes_back;

Buffer frame_of(ByteView raw, ContentClass content, int level) {
  auto frame = codec::encode_frame(registry(), planner().plan(raw, content, level), raw);
  EXPECT_OK(frame);
  return std::move(frame).value_or(Buffer());
}

// What zstd makes of the block at its level that stands beside ours, with the block as its window.
std::size_t plain_size(ByteView raw, int level) {
  constexpr std::array<int, kLevelMax + 1> kZstd = {0, 1, 3, 5, 7, 9, 12, 16, 17, 19};
  codec::Plan plan;
  plan.codec = codec::CodecId::zstd;
  plan.options.level = kZstd[static_cast<std::size_t>(level)];
  plan.options.window_log = std::max(17U, static_cast<unsigned>(std::bit_width(raw.size())));
  return codec::encode_frame(registry(), plan, raw).value().size();
}

bool is_at_most(std::size_t size, std::size_t plain) { return size <= plain + plain / 1000 + 32; }

TEST(Planner, IsNeverWorseThanStoredAndGivesTheBytesBack) {
  for (const test::Kind& kind : test::kinds()) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{100}, std::size_t{5000}}) {
      const Buffer raw = size == 0 ? Buffer() : kind.make(size, 4);
      for (std::size_t content = 0; content < kContentClassCount; ++content) {
        for (const int level : {1, 5, 9}) {
          const Buffer frame = frame_of(raw, static_cast<ContentClass>(content), level);
          EXPECT_LE(frame.size(), raw.size() + codec::kFrameOverheadMax);
          EXPECT_EQ(bytes_back(frame, raw), "") << kind.name << " " << size << " at " << level;
        }
      }
    }
  }
}

// Blocks like ggml's: a scale of fp16, then numbers around zero.
Buffer quants(const ElementType type, std::size_t count, std::uint64_t seed) {
  test::Random random(seed);
  const std::size_t size = element_size(type);
  Buffer bytes(count * size);
  for (std::size_t i = 0; i < count; ++i) {
    const Bytes block = Bytes(bytes).subspan(i * size, size);
    store_le(block, static_cast<std::uint16_t>(0x1c00 + random.below(0x300)));
    for (std::size_t k = 2; k < size; ++k) {
      std::uint64_t sum = 0;
      for (int draw = 0; draw < 4; ++draw) sum += random.below(50);
      block[k] = static_cast<std::byte>(type == ElementType::q8_0 ? sum - 98 : sum / 25 << 4 | random.below(50) / 7);
    }
  }
  return bytes;
}

TEST(Planner, SetsScalesOfQuantisedNumbersApart) {
  for (const ElementType type : {ElementType::q8_0, ElementType::q4_0}) {
    ContentType content(ContentClass::tensor);
    content.has_elements = true;
    content.element = type;
    const Buffer raw = quants(type, 10'000, 3);
    for (const int level : {1, 5, 9}) {
      const codec::Plan plan = planner().plan(raw, content, level);
      EXPECT_EQ(plan.codec, codec::CodecId::fields);
      const Buffer frame = codec::encode_frame(registry(), plan, raw).value();
      EXPECT_LT(frame.size() * 100, raw.size() * 95) << element_name(type);
      EXPECT_LT(frame.size(), plain_size(raw, 9)) << element_name(type);
      EXPECT_EQ(bytes_back(frame, raw), "");
    }
  }
}

// Weights around zero of which `zeros` of a hundred are none.
Buffer pruned(std::size_t count, unsigned zeros, std::uint64_t seed) {
  test::Random random(seed);
  Buffer bytes(count * 4);
  for (std::size_t i = 0; i < count; ++i) {
    float sum = 0;
    for (int draw = 0; draw < 4; ++draw) sum += static_cast<float>(random.below(1U << 20)) / (1U << 20) - 0.5F;
    store_le(Bytes(bytes).subspan(4 * i), random.below(100) < zeros ? 0.0F : sum / 32);
  }
  return bytes;
}

TEST(Planner, TakesZerosOfPrunedWeightsOut) {
  ContentType content(ContentClass::tensor);
  content.has_elements = true;
  content.element = ElementType::fp32;
  const std::size_t count = 200'000;
  for (const unsigned zeros : {20U, 50U, 90U}) {
    const Buffer raw = pruned(count, zeros, 5);
    for (const int level : {1, 5, 9}) {
      const codec::Plan plan = planner().plan(raw, content, level);
      EXPECT_EQ(plan.codec, codec::CodecId::sparse) << zeros << " at " << level;
      const Buffer frame = codec::encode_frame(registry(), plan, raw).value();
      // A bit of the mask, and 27.5 of the others.
      EXPECT_LT(frame.size(), count / 8 + count * (100 - zeros) / 100 * 28 / 8) << zeros << " at " << level;
      EXPECT_EQ(bytes_back(frame, raw), "");
    }
  }
  EXPECT_EQ(planner().plan(pruned(count, 0, 6), content, 5).codec, codec::CodecId::planes);
}

// Numbers of one byte, those of each column of a scale of its own.
TEST(Planner, TakesTheScaleOfColumnsOfNarrowFloatsAway) {
  constexpr std::size_t kColumns = 512;
  Buffer raw(kColumns * 600);
  test::Random random(11);
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const auto exponent = static_cast<unsigned>(4 + i % kColumns * 7 % 5 + random.below(3));
    raw[i] = static_cast<std::byte>(random.below(2) << 7 | exponent << 3 | random.below(8));
  }
  const auto size_as = [&](ElementType element) {
    ContentType content(ContentClass::tensor);
    content.has_elements = true;
    content.element = element;
    const Buffer frame = codec::encode_frame(registry(), planner().plan(raw, content, 5), raw).value();
    EXPECT_EQ(bytes_back(frame, raw), "");
    return frame.size();
  };
  EXPECT_LT(size_as(ElementType::fp8_e4m3) * 10, size_as(ElementType::uint8) * 9);
}

// A table between two copies of a text: fields are good for the one, long matches for the others.
TEST(Planner, LooksBeyondTheMiddleBeforeItTakesRecords) {
  const Buffer prose = test::text_bytes(1'200'000, 4);
  test::Random random(9);
  std::string table;
  for (std::size_t i = 0; table.size() < 900'000; ++i) {
    table += std::to_string(1'600'000'000 + 37 * i) + ";" + std::to_string(random.below(90)) + "." +
             std::to_string(random.below(1000)) + ";" + (random.below(3) == 0 ? "open" : "closed") + ";" +
             std::to_string(random.below(1'000'000)) + "\n";
  }
  Buffer raw = prose;
  append(raw, as_bytes(table));
  append(raw, prose);
  EXPECT_TRUE(is_at_most(frame_of(raw, ContentClass::text, 5).size(), plain_size(raw, 5)));
}

// Rows of noise that come again, farther apart than samples look.
TEST(Planner, FindsRowsOfWeightsThatComeAgain) {
  ContentType content(ContentClass::tensor);
  content.has_elements = true;
  content.element = ElementType::fp32;
  constexpr std::size_t kRow = 3'000;
  const Buffer rows = pruned(kRow * 50, 0, 7);
  Buffer raw;
  test::Random random(8);
  for (int i = 0; i < 250; ++i) append(raw, ByteView(rows).subspan(4 * kRow * random.below(50), 4 * kRow));
  for (const int level : {1, 5, 9}) {
    const Buffer frame = codec::encode_frame(registry(), planner().plan(raw, content, level), raw).value();
    EXPECT_TRUE(is_at_most(frame.size(), plain_size(raw, level))) << level;
    EXPECT_EQ(bytes_back(frame, raw), "");
  }
}

// Samples of 12 bits, two of them in three bytes.
TEST(Planner, GivesRecordsOfBitsBytesOfTheirOwn) {
  test::Random random(12);
  Buffer raw;
  std::uint64_t value = 2000;
  std::uint64_t held = 0;
  for (std::size_t i = 0; i < 100'000; ++i) {
    value = (value + random.below(5) - 2) & 0xfff;
    held |= value << (i % 2 * 12);
    if (i % 2 == 0) continue;
    for (; raw.size() < (i + 1) / 2 * 3; held >>= 8) raw.push_back(static_cast<std::byte>(held));
    held = 0;
  }
  for (const int level : {3, 5, 7}) {
    const codec::Plan plan = planner().plan(raw, ContentClass::binary, level);
    EXPECT_EQ(plan.codec, codec::CodecId::bit_records) << level;
    const Buffer frame = codec::encode_frame(registry(), plan, raw).value();
    EXPECT_LT(frame.size() * 7, raw.size() * 2) << level;
    EXPECT_EQ(bytes_back(frame, raw), "");
  }
}

// Every type of element, whatever the bytes are.
TEST(Planner, GivesElementsOfEveryTypeBack) {
  for (std::size_t type = 0; type < kElementTypeCount; ++type) {
    ContentType content(ContentClass::tensor);
    content.has_elements = true;
    content.element = static_cast<ElementType>(type);
    const Buffer raw = quants(ElementType::q8_0, 300 * element_size(content.element), 4);
    for (const int level : {1, 8}) {
      const auto frame = codec::encode_frame(registry(), planner().plan(raw, content, level), raw);
      ASSERT_OK(frame);
      EXPECT_EQ(bytes_back(*frame, raw), "") << element_name(content.element);
    }
  }
}

TEST(Planner, IsNeverWorseThanPlainZstd) {
  for (const test::Kind& kind : test::kinds()) {
    for (int level = kLevelMin; level <= 8; ++level) {
      const Buffer raw = kind.make(level < 7 ? 120'000 : 80'000, 5);
      const Buffer frame = frame_of(raw, kind.label, level);
      EXPECT_TRUE(is_at_most(frame.size(), plain_size(raw, level)))
          << kind.name << " at " << level << ": " << frame.size() << ", plain " << plain_size(raw, level);
      EXPECT_EQ(bytes_back(frame, raw), "") << kind.name << " at " << level;
    }
  }
}

TEST(Planner, IsNeverWorseThanPlainZstdOnFilesOfTheCorpora) {
  const auto files = test::corpus_files();
  if (files.empty()) GTEST_SKIP() << "MMH_CORPORA is not set";
  for (const test::CorpusFile& file : files) {
    const Buffer raw = test::read_corpus_file(file.path, std::size_t{2} << 20);
    const ContentClass content = classify(ByteView(raw).first(std::min<std::size_t>(raw.size(), 65536)), file.path);
    for (const int level : {1, 3, 5, 6}) {
      const Buffer frame = frame_of(raw, content, level);
      EXPECT_TRUE(is_at_most(frame.size(), plain_size(raw, level)))
          << file.path << " at " << level << ": " << frame.size() << ", plain " << plain_size(raw, level);
      EXPECT_EQ(bytes_back(frame, raw), "") << file.path << " at " << level;
    }
  }
}

TEST(Planner, GivesTheSameFrameEveryTime) {
  for (const test::Kind& kind : test::kinds()) {
    const Buffer raw = kind.make(60'000, 6);
    const Buffer copy = copy_of(raw);
    for (const int level : {1, 5, 7}) {
      EXPECT_EQ(frame_of(raw, kind.label, level), frame_of(copy, kind.label, level)) << kind.name << " at " << level;
    }
  }
}

TEST(Planner, BlocksFitFrames) {
  for (std::size_t content = 0; content < kContentClassCount; ++content) {
    for (int level = kLevelMin; level <= kLevelMax; ++level) {
      const std::size_t size = planner().block_size(static_cast<ContentClass>(content), level);
      EXPECT_GE(size, std::size_t{1} << 20);
      EXPECT_LE(size, codec::kRawSizeMax);
    }
  }
}

TEST(Planner, StoresWhenThereIsNoCodec) {
  const codec::Registry none{std::vector<const codec::Codec*>()};
  const codec::Plan plan = default_planner(none).plan(test::random_bytes(1000, 1), ContentClass::binary, 5);
  EXPECT_EQ(plan.codec, codec::CodecId::stored);
}

}  // namespace
}  // namespace mmh::content
