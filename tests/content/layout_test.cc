#include "mmh/content/layout.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <limits>

#include "layout_files.h"
#include "samples.h"
#include "support/support.h"

namespace mmh::content {
namespace {

std::string describe(const Region& region) {
  return fmt::format("{}+{} {}{} kind {} channels {} row {} slice {} inner {} '{}'", region.offset, region.size,
                     element_name(region.type), region.big_endian ? " big-endian" : "", class_name(region.content),
                     region.channels, region.row_size, region.slice_size, region.inner_size, region.name);
}

std::vector<std::string> describe(const std::vector<Region>& regions) {
  std::vector<std::string> lines;
  for (const Region& region : regions) lines.push_back(describe(region));
  return lines;
}

std::vector<Region> regions_in(ByteView file, LayoutFormat format, bool names = true) {
  return find_layout(*memory_source(file, "file"), format, names);
}

ByteView head_of(const Buffer& file) { return ByteView(file).first(std::min<std::size_t>(file.size(), 65536)); }

// What find_layout() promises of any file.
void expect_sound(const std::vector<Region>& regions, std::uint64_t file_size) {
  std::uint64_t end = 0;
  for (const Region& region : regions) {
    EXPECT_GE(region.offset, end);
    EXPECT_GT(region.size, 0U);
    EXPECT_EQ(region.size % element_size(region.type), 0U) << describe(region);
    EXPECT_LE(region.offset, file_size);
    EXPECT_LE(region.size, file_size - region.offset);
    end = region.offset + region.size;
  }
}

TEST(Layout, FindsWhatIsInFilesOfEveryFormat) {
  for (const test::LayoutFile& file : test::layout_files()) {
    const auto format = layout_format(head_of(file.bytes), file.bytes.size(), ContentClass::binary);
    ASSERT_TRUE(format.has_value()) << file.name;
    EXPECT_EQ(*format, file.format) << file.name;
    EXPECT_EQ(describe(regions_in(file.bytes, *format)), describe(file.regions)) << file.name;
  }
}

TEST(Layout, LeavesNamesOutUnlessAsked) {
  for (const test::LayoutFile& file : test::layout_files()) {
    for (const Region& region : regions_in(file.bytes, file.format, false)) EXPECT_EQ(region.name, "") << file.name;
  }
}

TEST(Layout, HeadsTellWhatTheirHeadersTell) {
  for (const test::LayoutFile& file : test::layout_files()) {
    const auto of_head = [&](std::size_t size) {
      return find_layout(ByteView(file.bytes).first(size), file.bytes.size(), file.format, true);
    };
    EXPECT_EQ(describe(of_head(file.bytes.size())), describe(file.regions)) << file.name;
    for (std::size_t size = 0; size < file.bytes.size(); size += 7) {
      const auto regions = of_head(size);
      expect_sound(regions, file.bytes.size());
      EXPECT_LE(regions.size(), file.regions.size()) << file.name;
    }
  }
}

TEST(Layout, SafetensorsHeadsSuffice) {
  const test::LayoutFile file = test::layout_files()[0];
  const auto header = static_cast<std::size_t>(file.regions[0].offset);
  EXPECT_EQ(describe(find_layout(ByteView(file.bytes).first(header), file.bytes.size(), file.format, true)),
            describe(file.regions));
}

TEST(Layout, SurvivesEveryTruncation) {
  for (const test::LayoutFile& file : test::layout_files()) {
    for (std::size_t size = 0; size < file.bytes.size(); ++size) {
      const Buffer cut = copy_of(ByteView(file.bytes).first(size));
      expect_sound(regions_in(cut, file.format), size);
    }
  }
}

TEST(Layout, SurvivesEveryFlippedBit) {
  for (const test::LayoutFile& file : test::layout_files()) {
    Buffer damaged = file.bytes;
    const std::size_t step = damaged.size() > 8192 ? 7 : 1;  // every place of a byte in turn
    for (std::size_t bit = 0; bit < damaged.size() * 8; bit += step) {
      damaged[bit / 8] ^= std::byte{1} << (bit % 8);
      expect_sound(regions_in(damaged, file.format), damaged.size());
      damaged[bit / 8] ^= std::byte{1} << (bit % 8);
    }
  }
}

// Bytes of a valid file under another's parser.
TEST(Layout, SurvivesTheWrongParser) {
  for (const test::LayoutFile& file : test::layout_files()) {
    for (unsigned format = 0; format <= static_cast<unsigned>(LayoutFormat::raw_picture); ++format) {
      expect_sound(regions_in(file.bytes, static_cast<LayoutFormat>(format)), file.bytes.size());
    }
  }
}

TEST(Layout, DropsWhatOverlapsOrLiesOutside) {
  const std::string header = R"({"a":{"dtype":"U8","shape":[100],"data_offsets":[0,100]},)"
                             R"("b":{"dtype":"U8","shape":[100],"data_offsets":[50,150]},)"
                             R"("c":{"dtype":"U8","shape":[100],"data_offsets":[150,250]},)"
                             R"("d":{"dtype":"U8","shape":[101],"data_offsets":[250,350]},)"
                             R"("e":{"dtype":"U8","shape":[18446744073709551615],"data_offsets":[9,8]},)"
                             R"("f":{"dtype":"F64","shape":[4611686018427387904,4],"data_offsets":[250,258]},)"
                             R"("g":{"dtype":"U8","shape":[100],"data_offsets":[250,350]}})";
  Buffer file(8);
  store_le(Bytes(file), std::uint64_t{header.size()});
  append(file, as_bytes(header));
  append(file, test::random_bytes(300, 1));
  const auto regions = regions_in(file, LayoutFormat::safetensors);
  ASSERT_EQ(regions.size(), 2U);
  EXPECT_EQ(regions[0].name, "a");
  EXPECT_EQ(regions[1].name, "c");
}

TEST(Layout, DropsArraysThatTheFileDoesNotHold) {
  const auto expect_none = [](const std::string& header, LayoutFormat format) {
    Buffer file = copy_of(as_bytes(header));
    file.resize(file.size() + 2000);
    EXPECT_TRUE(regions_in(file, format).empty()) << header;
  };
  for (const std::string sizes :
       {"100 21", "4294967296 4294967296 4294967296", "18446744073709551615 2", "99999999999999999999", "0 5", "-1 5",
        "10 x", "", "1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"}) {
    expect_none("NRRD0004\ntype: uchar\nsizes: " + sizes + "\nencoding: raw\n\n", LayoutFormat::nrrd);
    expect_none("NDims = 2\nDimSize = " + sizes + "\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n",
                LayoutFormat::meta_image);
  }
  // What lies elsewhere, or is compressed.
  for (const std::string line : {"encoding: gzip", "data file: other.raw", "byte skip: 1", "type: block"}) {
    expect_none("NRRD0004\ntype: uchar\nsizes: 10 10\nencoding: raw\n" + line + "\n\n", LayoutFormat::nrrd);
  }
  for (const std::string line : {"ElementDataFile = other.raw", "CompressedData = True", "ElementType = MET_OTHER",
                                 "ElementNumberOfChannels = 99999999999", "HeaderSize = -1"}) {
    expect_none("DimSize = 10 10\nElementType = MET_UCHAR\n" + line + "\nElementDataFile = LOCAL\n",
                LayoutFormat::meta_image);
  }
  for (const test::LayoutFile& file : test::layout_files()) {
    if (file.name == "nifti") {
      for (const float offset : {1e30F, -1.0F, std::numeric_limits<float>::infinity(), std::nanf("")}) {
        Buffer other = file.bytes;
        store_le(Bytes(other).subspan(108), std::byteswap(std::bit_cast<std::uint32_t>(offset)));
        EXPECT_TRUE(regions_in(other, file.format).empty()) << offset;
      }
    }
    if (file.name != "fits") continue;
    const auto at = as_text(file.bytes).find("30 / what");
    for (const std::string_view side : {"                  -1", " 9223372036854775807", "99999999999999999999"}) {
      Buffer other = file.bytes;
      std::ranges::copy(as_bytes(side), other.begin() + static_cast<std::ptrdiff_t>(at + 2 - side.size()));
      EXPECT_LE(regions_in(other, file.format).size(), 4U) << side;
      expect_sound(regions_in(other, file.format), other.size());
    }
  }
}

TEST(Layout, LeavesHeadersOfDataElsewhereToOthers) {
  for (const std::string_view file :
       {"NRRD0004\ntype: uchar\nsizes: 10 10\nencoding: raw\ndata file: other.raw\n\n",
        "NRRD0004\ntype: uchar\nsizes: 10 10\nencoding: gzip\n\n",
        "ObjectType = Image\nNDims = 2\nDimSize = 181 217\nElementType = MET_UCHAR\nElementDataFile = slice.raw\n",
        "ObjectType = Image\nCompressedData = True\nElementDataFile = LOCAL\n"}) {
    const ContentClass content = classify(as_bytes(file), "file");
    EXPECT_NE(content, ContentClass::image) << file;
    EXPECT_FALSE(layout_format(as_bytes(file), file.size(), content).has_value()) << file;
  }
}

TEST(Layout, RefusesDeepNesting) {
  std::string deep = "{\"__metadata__\":" + std::string(100'000, '[');
  Buffer file(8);
  store_le(Bytes(file), std::uint64_t{deep.size()});
  append(file, as_bytes(deep));
  EXPECT_TRUE(regions_in(file, LayoutFormat::safetensors).empty());

  Buffer nested;  // a graph in an attribute in a node in a graph in ...
  for (int i = 0; i < 2000; ++i) {
    for (const unsigned field : {6U, 5U, 1U}) {
      Buffer outer(1);
      outer[0] = static_cast<std::byte>(field << 3 | 2);
      for (std::size_t size = nested.size();; size >>= 7) {
        outer.push_back(static_cast<std::byte>(size >= 0x80 ? size | 0x80 : size));
        if (size < 0x80) break;
      }
      append(outer, nested);
      nested = std::move(outer);
    }
  }
  EXPECT_TRUE(regions_in(nested, LayoutFormat::onnx).empty());
}

// A pickle that would run something elsewhere is followed, and nothing happens.
TEST(Layout, RunsNothingOfAPickle) {
  using namespace std::string_view_literals;
  for (const auto pickle : {"\x80\2cposix\nsystem\nX\4\0\0\0exit\x85R."sv, "cos\nsystem\n(S'exit'\ntR."sv,
                            "\x80\2cbuiltins\neval\nX\3\0\0\01/0\x85R}X\1\0\0\0ah\0su."sv}) {
    const Buffer file = test::zip_of({{"a/data.pkl", copy_of(as_bytes(pickle))}, {"a/data/0", Buffer(64)}}, true);
    EXPECT_TRUE(regions_in(file, LayoutFormat::zip).empty());
  }
}

TEST(Layout, CoarseLayoutsJoinSmallNeighboursAndLeaveOutSmallRegions) {
  const auto region = [](std::uint64_t offset, std::uint64_t size, ElementType type, std::uint64_t row) {
    return Region{.offset = offset, .size = size, .type = type, .row_size = row};
  };
  using enum ElementType;
  EXPECT_TRUE(coarse_layout({}, 100).empty());
  const auto coarse = coarse_layout(
      {region(0, 40, fp32, 8), region(40, 40, fp32, 8), region(80, 40, fp32, 4), region(120, 500, fp32, 4),
       region(620, 500, fp32, 4), region(1120, 40, fp16, 8), region(1164, 400, fp32, 8), region(1600, 40, fp32, 8)},
      100);
  EXPECT_EQ(describe(coarse), describe({region(0, 120, fp32, 0), region(120, 500, fp32, 4), region(620, 500, fp32, 4),
                                        region(1164, 400, fp32, 8)}));
}

TEST(Layout, StretchesTileTheFile) {
  for (const test::LayoutFile& file : test::layout_files()) {
    std::uint64_t at = 0;
    std::size_t inside = 0;
    while (at < file.bytes.size()) {
      const Stretch stretch = stretch_at(file.regions, at);
      ASSERT_GT(stretch.end, at);
      if (stretch.region != nullptr) {
        EXPECT_EQ(stretch.region, &file.regions[inside]);
        EXPECT_EQ(at, stretch.region->offset);
        EXPECT_EQ(stretch_at(file.regions, stretch.end - 1).region, stretch.region);
        ++inside;
      }
      at = std::min<std::uint64_t>(stretch.end, file.bytes.size());
    }
    EXPECT_EQ(inside, file.regions.size()) << file.name;
  }
}

TEST(Layout, CutsKeepWholeElementsAndShortRows) {
  Region region{.type = ElementType::uint16, .channels = 3, .row_size = 600};
  EXPECT_EQ(cut_unit(region), 2U);
  region.content = ContentClass::audio;
  EXPECT_EQ(cut_unit(region), 6U);
  region.content = ContentClass::image;
  EXPECT_EQ(cut_unit(region), 600U);
  region.row_size = 60'000;
  EXPECT_EQ(cut_unit(region), 6U);
}

TEST(Layout, FindsRawFloatsAndTheirPhase) {
  const std::pair<std::string_view, ElementType> expected[] = {
      {"fp64", ElementType::fp64}, {"fp32", ElementType::fp32}, {"fp32 +3", ElementType::fp32},
      {"fp16", ElementType::fp16}, {"bf16", ElementType::bf16}, {"bf16 +1", ElementType::bf16}};
  for (const auto& [name, type] : expected) {
    for (const test::Kind& kind : test::kinds()) {
      if (kind.name != name) continue;
      for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        const Buffer file = kind.make(50'000, seed);
        const auto format = layout_format(head_of(file), file.size(), ContentClass::tensor);
        ASSERT_EQ(format, LayoutFormat::raw_floats);
        const auto regions = regions_in(file, *format);
        ASSERT_EQ(regions.size(), 1U) << name;
        EXPECT_EQ(element_name(regions[0].type), element_name(type)) << name << " " << seed;
        EXPECT_EQ(regions[0].offset, name.ends_with("+3") || name.ends_with("+1") ? 1U : 0U) << name;
        EXPECT_LT(file.size() - regions[0].offset - regions[0].size, element_size(type));
      }
    }
  }
}

TEST(Layout, FindsRawPicturesByTheirHeader) {
  constexpr std::uint16_t kWidth = 320;
  constexpr std::uint16_t kHeight = 200;
  for (const bool big_endian : {false, true}) {
    Buffer file(256);
    std::ranges::fill(file, std::byte{0});
    store_le(Bytes(file).subspan(8), std::byteswap(kWidth));
    store_le(Bytes(file).subspan(10), std::byteswap(kHeight));
    test::Random random(1);
    for (unsigned y = 0; y < kHeight; ++y) {
      for (unsigned x = 0; x < kWidth; ++x) {
        const auto value = static_cast<std::uint16_t>(3000 + 900 * std::sin(x / 30.0) + 5 * y +
                                                      static_cast<double>(8 * random.below(3)));
        std::byte bytes[2];
        store_le(Bytes(bytes), big_endian ? std::byteswap(value) : value);
        append(file, bytes);
      }
    }
    const auto regions = regions_in(file, LayoutFormat::raw_picture);
    ASSERT_EQ(regions.size(), 1U);
    EXPECT_EQ(describe(regions[0]), fmt::format("256+{} uint16{} kind image channels 1 row {} slice 0 inner 0 ''",
                                                kWidth * kHeight * 2, big_endian ? " big-endian" : "", kWidth * 2));
  }
}

// Soft shapes and noise, without any header.
Buffer bare_picture(std::size_t width, std::size_t height, std::size_t channels, std::size_t pixel, bool big_endian) {
  Buffer file;
  test::Random random(width);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      for (std::size_t c = 0; c < channels; ++c) {
        const double wave = std::sin(static_cast<double>(x) / 17) + std::cos(static_cast<double>(x + 2 * y) / 31);
        const auto light =
            static_cast<std::uint16_t>(100 + 20 * static_cast<int>(c) + static_cast<int>(40 * wave)) * 16U;
        const auto value = static_cast<std::uint16_t>(light + random.below(48));
        if (pixel == 1) {
          file.push_back(static_cast<std::byte>(value / 16));
        } else {
          file.resize(file.size() + 2);
          store_le(Bytes(file).last(2), big_endian ? std::byteswap(value) : value);
        }
      }
    }
  }
  return file;
}

TEST(Layout, FindsRowsOfPicturesWithoutAnyHeader) {
  struct Picture {
    std::size_t width, height, channels, pixel;
    bool big_endian;
  };
  for (const Picture& p :
       {Picture{181, 217, 1, 1, false}, Picture{128, 128, 1, 1, false}, Picture{640, 480, 1, 1, false},
        Picture{200, 150, 3, 1, false}, Picture{300, 200, 1, 2, false}, Picture{300, 200, 1, 2, true}}) {
    const Buffer file = bare_picture(p.width, p.height, p.channels, p.pixel, p.big_endian);
    const auto regions = regions_in(file, LayoutFormat::raw_picture);
    ASSERT_EQ(regions.size(), 1U) << p.width;
    EXPECT_EQ(describe(regions[0]),
              fmt::format("0+{} uint{}{} kind image channels {} row {} slice 0 inner 0 ''", file.size(), 8 * p.pixel,
                          p.big_endian ? " big-endian" : "", p.channels, p.width * p.channels * p.pixel));
    // Rows of another length, and none.
    EXPECT_TRUE(regions_in(copy_of(ByteView(file).first(file.size() - 1)), LayoutFormat::raw_picture).empty());
  }
  for (const test::Kind& kind : test::kinds()) {
    // Text is never asked about.
    if (kind.label == ContentClass::image || kind.label < ContentClass::machine_x86) continue;
    EXPECT_TRUE(regions_in(kind.make(60'000, 1), LayoutFormat::raw_picture).empty()) << kind.name;
  }
}

TEST(Layout, SaysNothingOfOtherFiles) {
  for (const test::Kind& kind : test::kinds()) {
    if (kind.label == ContentClass::tensor || kind.label == ContentClass::image) continue;
    const Buffer file = kind.make(50'000, 1);
    EXPECT_FALSE(layout_format(head_of(file), file.size(), kind.label).has_value()) << kind.name;
  }
  EXPECT_FALSE(layout_format({}, 0, ContentClass::tensor).has_value());
}

TEST(Layout, FindsTheTensorsAndPicturesOfTheCorpora) {
  if (test::corpus_files().empty()) GTEST_SKIP() << "MMH_CORPORA is not set";
  struct Expected {
    std::string_view path;
    std::size_t regions;
    std::uint64_t bytes;
    std::string first;
  };
  const Expected expected[] = {
      {"models/faceres-deep.bf16.bin", 1, 6'978'810, "0+6978810 bf16 kind tensors channels 1 row 0 slice 0 inner 0 ''"},
      {"models/faceres-deep.fp32.bin", 1, 13'957'620,
       "0+13957620 fp32 kind tensors channels 1 row 0 slice 0 inner 0 ''"},
      {"models/handskeleton.fp32.bin", 1, 5'502'280, "0+5502280 fp32 kind tensors channels 1 row 0 slice 0 inner 0 ''"},
      {"models/movenet-thunder.fp16.bin", 1, 12'477'112,
       "0+12477112 fp16 kind tensors channels 1 row 0 slice 0 inner 0 ''"},
      {"models/ppocrv4_rec.fp32.onnx", 325, 10'761'252,
       "84+240 fp32 kind tensors channels 1 row 240 slice 0 inner 240 'batch_norm2d_148.b_0'"},
      {"silesia/mr", 1, 9'961'472, "9092+9961472 uint16 kind image channels 1 row 1024 slice 524288 inner 0 ''"},
      {"silesia/x-ray", 1, 8'474'000, "240+8474000 uint16 kind image channels 1 row 3800 slice 0 inner 0 ''"},
  };
  for (const Expected& file : expected) {
    const Buffer bytes = test::read_corpus_file(file.path, std::size_t{64} << 20);
    const auto format = layout_format(head_of(bytes), bytes.size(), classify(head_of(bytes), file.path));
    ASSERT_TRUE(format.has_value()) << file.path;
    const auto regions = regions_in(bytes, *format);
    expect_sound(regions, bytes.size());
    std::uint64_t sum = 0;
    for (const Region& region : regions) sum += region.size;
    EXPECT_EQ(regions.size(), file.regions) << file.path;
    EXPECT_EQ(sum, file.bytes) << file.path;
    EXPECT_EQ(describe(regions.at(0)), file.first);
  }
}

TEST(Layout, FindsTheSectionsOfThisProgram) {
  const auto program = open_source(real_sys(), "/proc/self/exe");
  ASSERT_OK(program);
  Buffer head(4096);
  ASSERT_OK((*program)->read_at(0, head));
  const auto format = layout_format(head, (*program)->size(), ContentClass::binary);
  if (!format) GTEST_SKIP() << "this system's programs are not ELF";
  ASSERT_EQ(*format, LayoutFormat::elf);
  const auto regions = find_layout(**program, *format);
  expect_sound(regions, (*program)->size());
  const auto holds = [&](auto&& is_wanted) { return std::ranges::any_of(regions, is_wanted); };
  EXPECT_TRUE(holds([](const Region& r) {
    return r.content == ContentClass::machine_x86 || r.content == ContentClass::machine_arm64 ||
           r.content == ContentClass::machine_riscv || r.content == ContentClass::machine_other;
  }));
  EXPECT_TRUE(holds([](const Region& r) { return r.content == ContentClass::text; }));
  EXPECT_TRUE(holds([](const Region& r) { return r.content == ContentClass::records && cut_unit(r) == 24; }));
}

}  // namespace
}  // namespace mmh::content
