#include <fmt/format.h>

#include <bit>

#include "frames.h"
#include "line_layout.h"
#include "mmh/codecs/builtin.h"
#include "mmh/content/planner.h"
#include "record_layout.h"
#include "support/seeded.h"
#include "support/support.h"

namespace mmh::content {
namespace {

using codec::CodecId;
using codec::Field;
using codec::RecordLayout;
using test::bytes_back;
using test::Random;

const codec::Registry& registry() { return codecs::builtin_registry(); }

template <class T>
void put(Buffer& out, T value) {
  append(out, std::as_bytes(std::span(&value, 1)));
}

// 28 bytes: a sorted number, a kind, a number, noise.
Buffer catalogue(std::size_t count) {
  Random random(1);
  Buffer out;
  std::uint64_t place = 1'000'000'000;
  for (std::size_t i = 0; i < count; ++i) {
    place += random.below(5000);
    put(out, place);
    put(out, static_cast<std::uint32_t>(0x4b324130 + 7 * random.below(5)));
    put(out, static_cast<std::uint32_t>(900 + random.below(300)));
    put(out, random.next());
    put(out, std::uint32_t{0});
  }
  return out;
}

// 28 bytes: places in hundredths of a second of arc, in radians, the first of them sorted; a kind; a brightness;
// motion.
Buffer stars(std::size_t count) {
  constexpr double kUnit = 3.14159265358979 / 648'000 / 100;
  Random random(6);
  Buffer out;
  std::uint64_t place = 0;
  for (std::size_t i = 0; i < count; ++i) {
    place += random.below(1000);
    put(out, static_cast<double>(place) * kUnit);
    put(out, (static_cast<double>(random.below(64'800'000)) - 32'400'000) * kUnit);
    put(out, static_cast<std::uint16_t>(0x4130 + 7 * random.below(20)));
    put(out, static_cast<std::uint16_t>(10 * (70 + random.below(40))));
    put(out, static_cast<float>(random.below(200)) * 1e-7F);
    put(out, static_cast<float>(random.below(200)) * 1e-7F);
  }
  return out;
}

// 22 bytes: a time, a channel, a counter, three values that wander, flags.
Buffer sensors(std::size_t count) {
  Random random(7);
  Buffer out;
  std::uint64_t time = 1'700'000'000'000;
  std::array<std::uint16_t, 3> values = {2000, 5000, 9000};
  for (std::size_t i = 0; i < count; ++i) {
    put(out, time += 99 + random.below(3));
    put(out, static_cast<std::uint32_t>(11 + random.below(4)));
    put(out, static_cast<std::uint16_t>(i));
    for (std::uint16_t& value : values) {
      value = static_cast<std::uint16_t>(value + random.below(7) - 3);
      put(out, value);
    }
    put(out, static_cast<std::uint16_t>(random.below(4) == 0 ? 1 : 0));
  }
  return out;
}

// Rows that begin alike, with two strings behind their lengths, and up to three bytes behind them.
Buffer rows(std::size_t count) {
  Random random(2);
  Buffer out;
  for (std::size_t i = 0; i < count; ++i) {
    put(out, std::uint16_t{0x5aa5});
    put(out, static_cast<std::uint32_t>(random.next()));
    for (const std::size_t names : {200U, 40U}) {
      Random name(random.below(names));
      const std::size_t size = 4 + name.below(12);
      put(out, static_cast<std::uint8_t>(size));
      for (std::size_t c = 0; c < size; ++c) put(out, static_cast<char>('a' + name.below(26)));
    }
    out.resize(out.size() + random.below(4), std::byte{0});
  }
  return out;
}

// Records behind their kinds and lengths.
Buffer tagged(std::size_t count) {
  Random random(3);
  Buffer out;
  for (std::size_t i = 0; i < count; ++i) {
    const bool is_long = random.below(3) == 0;
    put(out, static_cast<std::uint16_t>(is_long ? 3 : 2));
    put(out, static_cast<std::uint16_t>(is_long ? 12 : 6));
    put(out, static_cast<std::uint16_t>(i / 4));
    put(out, static_cast<std::uint16_t>(i % 4));
    put(out, static_cast<std::uint16_t>(random.below(500)));
    if (is_long) put(out, static_cast<std::uint32_t>(random.below(60'000))), put(out, std::uint16_t{0});
  }
  return out;
}

Buffer table(std::size_t count) {
  Random random(4);
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    fmt::format_to(std::back_inserter(out), "{},2026-11-{:02}T{:02}:{:02},name{},{}.{:03}\n", i, 1 + i / 2000 % 28,
                   i / 60 % 24, i % 60, random.below(300), random.below(40), random.below(1000));
  }
  return copy_of(as_bytes(out));
}

// Points and the triangles between them, as Wavefront writes them: lines of three kinds.
Buffer mesh(std::size_t count) {
  Random random(10);
  std::string out = "# points and faces\n\n";
  auto to = std::back_inserter(out);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t row = i / 100;
    fmt::format_to(to, "v {}.{:06} {}.{:06} -{}.{:06}\n", i % 100, random.below(1000), row, random.below(1000), row % 7,
                   random.below(100));
  }
  for (std::size_t i = 0; i < count; ++i) {
    fmt::format_to(to, "vt 0.{:04} 0.{:04}\n", i % 100 * 99, i / 100 % 100 * 99);
    if (i > 102) fmt::format_to(to, "f {}/{} {}/{} {}/{}\n", i - 101, i - 101, i - 100, i - 100, i + 1, i + 1);
  }
  return copy_of(as_bytes(out));
}

// A title, then numbers under each other.
Buffer report(std::size_t count) {
  Random random(11);
  std::string out = "Readings of the day\n\n";
  for (std::size_t i = 0; i < count; ++i) {
    fmt::format_to(std::back_inserter(out), "{:7}  {:02}:{:02}{:10.2f}{:6}\n", 5 * i, i / 60 % 24, i % 60,
                   static_cast<double>(random.below(4000)) / 100 - 20, random.below(300));
  }
  return copy_of(as_bytes(out));
}

// Two series in turns, a number a line.
Buffer indices(std::size_t count) {
  Random random(12);
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    fmt::format_to(std::back_inserter(out), "{}\n", i % 2 == 0 ? 20'000 + i : 60'000 + i + random.below(4));
  }
  return copy_of(as_bytes(out));
}

// A dBase table: a name, a number and an amount in each row, without anything between them.
Buffer dbase(std::size_t count) {
  constexpr std::size_t kFields = 3;
  constexpr std::size_t kHeader = 32 + 32 * kFields + 1;
  constexpr std::size_t kRow = 1 + 20 + 9 + 14;
  Random random(13);
  Buffer out;
  put(out, std::array<std::uint8_t, 4>{3, 125, 11, 22});
  put(out, static_cast<std::uint32_t>(count));
  put(out, static_cast<std::uint16_t>(kHeader));
  put(out, static_cast<std::uint16_t>(kRow));
  out.resize(kHeader - 1);
  put(out, '\r');
  for (std::size_t i = 0; i < count; ++i) {
    const std::string row = fmt::format(" {:<20}{:9}{:14.3f}", fmt::format("name{}", random.below(3000)), 7 * i,
                                        static_cast<double>(random.below(1'000'000)) / 1000);
    append(out, as_bytes(row));
  }
  return out;
}

// A column of integers that rise, one of 16-bit numbers, one of text.
Buffer columns(std::size_t count) {
  Random random(5);
  Buffer out;
  std::uint32_t rising = 0;
  for (std::size_t i = 0; i < count; ++i) put(out, rising += static_cast<std::uint32_t>(1 + random.below(20)));
  for (std::size_t i = 0; i < count; ++i) put(out, static_cast<std::uint16_t>(random.below(300)));
  append(out, test::text_bytes(2 * count, 6));
  return out;
}

// A column of integers that rise, and one of a few thousand prices.
Buffer prices(std::size_t count) {
  Random random(8);
  std::vector<float> known(4000);
  for (float& price : known) price = static_cast<float>(random.below(6000)) / 100;
  Buffer out;
  for (std::size_t i = 0; i < count; ++i) put(out, static_cast<std::uint32_t>(1000 + i));
  for (std::size_t i = 0; i < count; ++i) put(out, known[random.below(known.size())]);
  return out;
}

std::string fields_of(const codec::RecordSchema& schema) {
  std::string all;
  for (const Field& field : schema.fields) {
    if (!all.empty()) all += ' ';
    switch (field.kind) {
      case Field::Kind::fixed:
        all += std::to_string(field.width);
        break;
      case Field::Kind::prefixed:
        all += "string";
        break;
      case Field::Kind::terminated:
        all += field.terminator == '\n' ? "end" : std::string(1, static_cast<char>(field.terminator));
    }
  }
  return all;
}

TEST(RecordLayout, FindsTheWidthOfRecords) {
  const auto widths = record_widths(catalogue(4000));
  ASSERT_FALSE(widths.empty());
  EXPECT_EQ(widths[0], 28u);
}

TEST(RecordLayout, FindsNothingInNoise) {
  const Buffer noise = test::random_bytes(150'000, 1);
  EXPECT_TRUE(record_widths(noise).empty());
  EXPECT_TRUE(layouts_of_tagged(noise).empty());
  EXPECT_TRUE(columns_of(noise).empty());
}

TEST(RecordLayout, CutsRecordsIntoTheirFields) {
  const auto layout = layout_of_fixed(catalogue(3000), 28, 24, nullptr);
  ASSERT_TRUE(layout.has_value());
  std::size_t width = 0;
  for (const Field& field : layout->schemas[0].fields) width += field.width;
  EXPECT_EQ(width, 28u);
  EXPECT_LE(layout_of_fixed(catalogue(3000), 28, 6, nullptr)->schemas[0].fields.size(), 6u);
}

TEST(RecordLayout, FindsStringsBehindTheirLengths) {
  const auto layouts = layouts_of_tagged(rows(4000));
  ASSERT_FALSE(layouts.empty());
  EXPECT_TRUE(std::ranges::any_of(
      layouts, [](const RecordLayout& layout) { return fields_of(layout.schemas[0]).starts_with("6 string string"); }));
}

TEST(RecordLayout, FindsLengthsBehindKinds) {
  const auto layouts = layouts_of_tagged(tagged(8000));
  EXPECT_TRUE(std::ranges::any_of(layouts, [](const RecordLayout& layout) {
    return layout.schemas.size() == 2 && fields_of(layout.schemas[0]) == "10" && fields_of(layout.schemas[1]) == "16";
  }));
}

TEST(RecordLayout, FindsTheMarksThatLinesShare) {
  std::vector<std::string> found;
  for (const RecordLayout& layout : layouts_of_text(table(3000), '\n')) found.push_back(fields_of(layout.schemas[0]));
  EXPECT_THAT(found, testing::Contains(", - - : , , . end"));
  EXPECT_THAT(found, testing::Contains(", , , end"));
  EXPECT_TRUE(layouts_of_text(test::text_bytes(1000, 1), '\0').empty());
}

TEST(LineLayout, TellsLinesApartByTheirFirstWords) {
  const auto layouts = layouts_of_lines(mesh(3000), '\n');
  ASSERT_GE(layouts.size(), 2u);
  const auto kinds_of = [](const RecordLayout& layout) {
    std::vector<std::string> found;
    for (const codec::RecordSchema& schema : layout.schemas) {
      found.push_back(std::string(as_text(schema.signature)) + ": " + fields_of(schema));
    }
    return found;
  };
  EXPECT_THAT(kinds_of(layouts[0]),
              testing::UnorderedElementsAre("f : 2 /   /   / end", "v : 2 .   .   - . end", "vt : 3 .   . end"));
  EXPECT_THAT(kinds_of(layouts[1]),
              testing::UnorderedElementsAre("f : 2 /   /   / end", "v : 2     end", "vt : 3   end"));
  EXPECT_TRUE(layouts_of_lines(test::text_bytes(100'000, 1), '\n').empty());
}

TEST(LineLayout, CutsLinesOfOneLengthWhereSpacesStandUnderEachOther) {
  const auto layouts = layouts_of_lines(report(3000), '\n');
  ASSERT_EQ(layouts.size(), 1u);
  EXPECT_EQ(fields_of(layouts[0].schemas[0]), "7 : 2 10 6 end");
}

TEST(LineLayout, TakesLinesFromAllOverInWholes) {
  const Buffer raw = indices(50'000);
  const Buffer lines = lines_from(raw, 60'000, '\n');
  EXPECT_LE(lines.size(), 60'000u);
  EXPECT_GT(lines.size(), 59'000u);
  EXPECT_EQ(as_text(lines).substr(0, 6), as_text(raw).substr(0, 6));
  EXPECT_EQ(as_text(lines).substr(lines.size() - 6), as_text(raw).substr(raw.size() - 6));
  std::size_t odd = 0;
  for (std::string_view rest = as_text(lines); !rest.empty(); rest.remove_prefix(rest.find('\n') + 1)) {
    if (rest.find('\n') < 5) ++odd;
  }
  EXPECT_EQ(odd, 0u);
  EXPECT_EQ(lines_from(raw, raw.size(), '\n'), raw);
}

TEST(RecordLayout, TellsColumnsApart) {
  const Buffer data = columns(100'000);
  const auto found = columns_of(data);
  ASSERT_GE(found.size(), 2u);
  EXPECT_EQ(found[0].width, 4u);
  EXPECT_NEAR(static_cast<double>(found[0].size), 400'000, 20'000);
  std::size_t size = 0;
  for (const Column& column : found) size += column.size;
  EXPECT_EQ(size, data.size());
}

struct Kind {
  std::string_view name;
  Buffer (*make)(std::size_t count);
  std::size_t count;
  ContentClass content;
};

class RecordsPlan : public testing::TestWithParam<Kind> {};

TEST_P(RecordsPlan, IsSmallerThanTheGeneralCodecByATenthAndGivesTheBytesBack) {
  const Buffer raw = GetParam().make(GetParam().count);
  for (const int level : {3, 5}) {
    const codec::Plan plan = default_planner(registry()).plan(raw, GetParam().content, level);
    EXPECT_EQ(plan.codec, CodecId::records);
    const Buffer frame = codec::encode_frame(registry(), plan, raw).value();
    codec::Plan plain{.codec = CodecId::zstd};
    plain.options.level = 9;
    EXPECT_LT(frame.size(), codec::encode_frame(registry(), plain, raw)->size() * 9 / 10);
    EXPECT_EQ(bytes_back(frame, raw), "");
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, RecordsPlan,
                         testing::Values(Kind{"catalogue", catalogue, 12'000, ContentClass::records},
                                         Kind{"rows", rows, 12'000, ContentClass::binary},
                                         Kind{"tagged", tagged, 20'000, ContentClass::records},
                                         Kind{"table", table, 12'000, ContentClass::log},
                                         Kind{"mesh", mesh, 12'000, ContentClass::log},
                                         Kind{"report", report, 12'000, ContentClass::log},
                                         Kind{"indices", indices, 30'000, ContentClass::log},
                                         Kind{"dbase", dbase, 12'000, ContentClass::records},
                                         Kind{"columns", columns, 100'000, ContentClass::binary},
                                         Kind{"prices", prices, 100'000, ContentClass::binary}),
                         [](const auto& kind) { return std::string(kind.param.name); });

TEST(RecordsPlan, ThousandsOfNumbersThatComeAgainAreADictionary) {
  constexpr std::size_t kCount = 100'000;
  constexpr std::size_t kKnown = 4000;
  constexpr std::size_t kBits = 12;  // that tell which
  const Buffer raw = prices(kCount);
  const codec::Plan plan = default_planner(registry()).plan(raw, ContentClass::binary, 5);
  const std::size_t least = kCount * kBits / 8 + kKnown * sizeof(float);
  EXPECT_LT(codec::encode_frame(registry(), plan, raw)->size(), least + least / 50);
}

// 61 bits: 10 of the first place, 26 of the second, 4.3 of the kind, 5.3 of the brightness, 7.6 of each motion.
TEST(RecordsPlan, PlacesThatWereDecimalsOnceTakeNoMoreThanThose) {
  constexpr std::size_t kCount = 60'000;
  const Buffer raw = stars(kCount);
  for (const int level : {3, 5, 9}) {
    const codec::Plan plan = default_planner(registry()).plan(raw, ContentClass::binary, level);
    EXPECT_EQ(plan.codec, CodecId::records);
    const Buffer frame = codec::encode_frame(registry(), plan, raw).value();
    EXPECT_LT(frame.size(), kCount * 68 / 8) << level;
    EXPECT_EQ(bytes_back(frame, raw), "");
  }
}

// Whether the type of the numbers is known or not.
TEST(NumbersPlan, DecimalsTakeLittleMoreThanTheirDigits) {
  constexpr std::size_t kCount = 200'000;
  Random random(8);
  Buffer raw;
  std::int64_t cents = 1'000'000;
  for (std::size_t i = 0; i < kCount; ++i) {
    cents += static_cast<std::int64_t>(random.below(32)) - 16;
    put(raw, static_cast<double>(cents) / 100);
  }
  ContentType known(ContentClass::tensor);
  known.has_elements = true;
  known.element = ElementType::fp64;
  for (const ContentType& type : {known, ContentType(ContentClass::tensor), ContentType(ContentClass::binary)}) {
    const codec::Plan plan = default_planner(registry()).plan(raw, type, 5);
    const Buffer frame = codec::encode_frame(registry(), plan, raw).value();
    EXPECT_LT(frame.size(), kCount * 6 / 8);
    EXPECT_EQ(bytes_back(frame, raw), "");
  }
}

// Degrees of six digits and metres of two, each of which takes 18 or 13 bits.
TEST(NumbersPlan, RowsOfDecimalsOfSeveralKindsAreToldApart) {
  constexpr std::size_t kCount = 100'000;
  Random random(9);
  Buffer raw;
  for (std::size_t i = 0; i < kCount; ++i) {
    put(raw, static_cast<double>(11'400'000 + random.below(1 << 18)) / 1'000'000);
    put(raw, static_cast<double>(48'100'000 + random.below(1 << 18)) / 1'000'000);
    put(raw, static_cast<double>(50'000 + random.below(1 << 13)) / 100);
  }
  ContentType known(ContentClass::tensor);
  known.has_elements = true;
  known.element = ElementType::fp64;
  const codec::Plan plan = default_planner(registry()).plan(raw, known, 5);
  const Buffer frame = codec::encode_frame(registry(), plan, raw).value();
  EXPECT_LT(frame.size(), kCount * 52 / 8);
  EXPECT_EQ(bytes_back(frame, raw), "");
}

// Fifteen fields of three numbers each: more streams than a frame may have, if all were taken apart.
TEST(RecordsPlan, WideTablesTakeAsManyStreamsAsThereAre) {
  constexpr std::size_t kRows = 6000;
  Random random(16);
  std::string text;
  for (std::size_t i = 0; i < kRows; ++i) {
    for (std::size_t f = 0; f < 15; ++f) {
      fmt::format_to(std::back_inserter(text), "{}-{}-{}{}", random.below(90), i + f, random.below(7),
                     f == 14 ? "\n" : ",");
    }
  }
  const Buffer raw = copy_of(as_bytes(text));
  const codec::Plan plan = default_planner(registry()).plan(raw, ContentClass::log, 5);
  EXPECT_EQ(plan.codec, CodecId::records);
  const Buffer frame = codec::encode_frame(registry(), plan, raw).value();
  codec::Plan plain{.codec = CodecId::zstd};
  plain.options.level = 9;
  EXPECT_LT(frame.size(), codec::encode_frame(registry(), plain, raw)->size() * 7 / 8);
  EXPECT_EQ(bytes_back(frame, raw), "");
}

// Of a row of the report: the time and the number follow from those before, the others take 12 and 8.2 bits.
TEST(RecordsPlan, FiguresInTextTakeNoMoreThanAsNumbers) {
  constexpr std::size_t kCount = 30'000;
  const Buffer raw = report(kCount);
  const codec::Plan plan = default_planner(registry()).plan(raw, ContentClass::log, 5);
  EXPECT_LT(codec::encode_frame(registry(), plan, raw)->size(), kCount * 22 / 8);
}

// A height that wanders, as fp32: below its exponent and sign, differences of 13 bits or so.
Buffer heights(std::size_t count, bool big_endian) {
  Random random(14);
  Buffer raw;
  std::int64_t height = 300'000'000;
  for (std::size_t i = 0; i < count; ++i) {
    height += static_cast<std::int64_t>(random.below(200'000)) - 100'000;
    const float number = static_cast<float>(height) / 1'234'567;
    auto bits = std::bit_cast<std::uint32_t>(number);
    if (big_endian) bits = std::byteswap(bits);
    put(raw, bits);
  }
  return raw;
}

TEST(NumbersPlan, FloatsThatWanderTakeTheirDifferencesInEitherOrderOfBytes) {
  constexpr std::size_t kCount = 200'000;
  for (const bool big_endian : {false, true}) {
    const Buffer raw = heights(kCount, big_endian);
    ContentType known(ContentClass::tensor);
    known.has_elements = true;
    known.element = ElementType::fp32;
    known.big_endian = big_endian;
    for (const ContentType& type : {known, ContentType(ContentClass::binary), ContentType(ContentClass::audio)}) {
      const codec::Plan plan = default_planner(registry()).plan(raw, type, 5);
      const Buffer frame = codec::encode_frame(registry(), plan, raw).value();
      EXPECT_LT(frame.size(), kCount * 19 / 8) << big_endian;
      EXPECT_EQ(bytes_back(frame, raw), "");
    }
  }
}

TEST(NumbersPlan, BigEndianWeightsTakeNoMoreThanLittleEndianOnes) {
  Random random(15);
  Buffer little;
  for (std::size_t i = 0; i < 100'000; ++i) {
    put(little, (static_cast<float>(random.below(2001)) - 1000) * static_cast<float>(random.below(1000)) / 33'000'000);
  }
  Buffer big(little.size());
  for (std::size_t i = 0; i < little.size(); ++i) big[i] = little[i ^ 3];
  ContentType type(ContentClass::tensor);
  type.has_elements = true;
  type.element = ElementType::fp32;
  const auto size_of = [&](ByteView raw) {
    return codec::encode_frame(registry(), default_planner(registry()).plan(raw, type, 5), raw)->size();
  };
  const std::size_t size = size_of(little);
  type.big_endian = true;
  EXPECT_LE(size_of(big), size + 16);
}

TEST(RecordsPlan, ALongBlockShrinksAsAShortOneDoes) {
  const auto size_of = [](ByteView raw) {
    return codec::encode_frame(registry(), default_planner(registry()).plan(raw, ContentClass::binary, 3), raw)->size();
  };
  const Buffer raw = sensors(120'000);
  constexpr std::size_t kParts = 8;
  const std::size_t by_parts = kParts * size_of(ByteView(raw).first(raw.size() / kParts));
  EXPECT_LT(size_of(raw), by_parts + by_parts / 50);
}

TEST(RecordsPlan, ABlockThatRepeatsIsAPattern) {
  const Buffer unit = test::random_bytes(251, 9);
  Buffer raw;
  while (raw.size() < 1'000'000) append(raw, unit);
  for (const int level : {1, 5}) {
    const codec::Plan plan = default_planner(registry()).plan(raw, ContentClass::binary, level);
    EXPECT_EQ(plan.codec, CodecId::pattern);
    EXPECT_LT(codec::encode_frame(registry(), plan, raw)->size(), unit.size() + 32);
  }
}

}  // namespace
}  // namespace mmh::content
