#include "mmh/pack/reader.h"

#include <fmt/format.h>

#include <atomic>
#include <latch>
#include <thread>

#include "mmh/base/cbor.h"
#include "mmh/codec/frame.h"
#include "pack/pack_support.h"

namespace mmh::pack {
namespace {

using test::error_of;
using test::open_bytes;
using test::PackMaker;
using test::Sample;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> paths_under(const Reader& reader, std::string_view prefix) {
  std::vector<std::string> paths;
  EXPECT_OK(reader.visit(prefix, [&](FileRecord&& record) -> Result<bool> {
    paths.push_back(record.entry.path);
    return true;
  }));
  return paths;
}

void flip(Buffer& bytes, std::uint64_t at) { bytes[at] ^= std::byte{0x40}; }

TEST(Reader, GivesBackWhatWasWritten) {
  const Sample sample = test::sample_pack();
  const auto opened = open_bytes(sample.bytes);
  ASSERT_OK(opened);
  const Reader& reader = **opened;
  EXPECT_EQ(reader.warning(), "");
  EXPECT_EQ(reader.pack_size(), sample.bytes.size());
  EXPECT_EQ(reader.trailer().writer, "mmh test");
  EXPECT_TRUE(test::read_all(reader, sample).empty());
  EXPECT_THAT(paths_under(reader, ""), ElementsAre("d", "d/a.txt", "d/across", "d/empty", "d/link", "d/other name",
                                                   "d/shuffled", "d/sparse", "null", "rich"));
  const auto rich = reader.find("rich");
  ASSERT_OK(rich);
  ASSERT_TRUE(rich->has_value());
  EXPECT_EQ((*rich)->entry.user, "ada");
  EXPECT_EQ((*rich)->entry.mtime_seconds, -5);
  EXPECT_EQ((*rich)->entry.xattrs.size(), 2u);
  EXPECT_EQ((*reader.find("d/link"))->entry.link, "a.txt");
  EXPECT_EQ((*reader.find("null"))->entry.device_minor, 3u);
}

TEST(Reader, FindsNothingWhereNothingIs) {
  const Sample sample = test::sample_pack();
  const auto reader = open_bytes(sample.bytes);
  ASSERT_OK(reader);
  for (const char* path : {"", "a", "d/", "d/a", "d/a.txt/x", "zzz", "/d"}) {
    const auto found = (*reader)->find(path);
    ASSERT_OK(found);
    EXPECT_FALSE(found->has_value()) << path;
  }
}

TEST(Reader, VisitsAnEntryAndWhatIsBelowIt) {
  PackMaker maker;
  for (const char* path : {"a", "a/x", "a/x/1", "a/xy", "a.b", "ab", "b/c"}) maker.add(test::make_directory(path));
  maker.finish();
  const auto reader = open_bytes(maker.bytes());
  ASSERT_OK(reader);
  EXPECT_THAT(paths_under(**reader, "a"), ElementsAre("a", "a/x", "a/x/1", "a/xy"));
  EXPECT_THAT(paths_under(**reader, "a/x"), ElementsAre("a/x", "a/x/1"));
  EXPECT_THAT(paths_under(**reader, "b"), ElementsAre("b/c"));
  EXPECT_THAT(paths_under(**reader, "c"), ElementsAre());
}

TEST(Reader, StopsVisitingWhenTold) {
  const Sample sample = test::sample_pack();
  const auto reader = open_bytes(sample.bytes);
  ASSERT_OK(reader);
  int seen = 0;
  ASSERT_OK((*reader)->visit("", [&](FileRecord&&) -> Result<bool> { return ++seen < 3; }));
  EXPECT_EQ(seen, 3);
  EXPECT_EQ(error_of((*reader)->visit("", [](FileRecord&&) -> Result<bool> { return fail(Errc::cancelled, "x"); })),
            Errc::cancelled);
}

TEST(Reader, ReadsAnyPartOfAFile) {
  const Sample sample = test::sample_pack();
  const auto reader = open_bytes(sample.bytes);
  ASSERT_OK(reader);
  for (const auto& [path, content] : sample.contents) {
    const auto record = (*reader)->find(path);
    ASSERT_OK(record);
    for (std::size_t from = 0; from <= content.size() + 3; from += 7) {
      for (const std::size_t size : {0u, 1u, 60u, 2000u}) {
        Buffer out(size);
        const auto got = (*reader)->read_file(**record, from, out);
        ASSERT_OK(got);
        const std::size_t begin = std::min(from, content.size());
        const std::size_t wanted = std::min(size, content.size() - begin);
        ASSERT_EQ(*got, wanted);
        EXPECT_TRUE(std::equal(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(wanted),
                               content.begin() + static_cast<std::ptrdiff_t>(begin)))
            << path << ' ' << from;
      }
    }
  }
}

TEST(Reader, KeepsTheLastPieceUntilTheHashMatches) {
  const Buffer content = test::text_bytes(100, 1);
  PackMaker maker;
  const std::uint64_t block = maker.add_block(content);
  FileRecord record = test::make_file("f", content, {{block, 0, 60}, {block, 60, 40}});
  record.hash.bytes[0] ^= std::byte{1};
  maker.add(record);
  maker.finish();
  const auto reader = open_bytes(maker.bytes());
  ASSERT_OK(reader);
  std::size_t given = 0;
  const auto streamed = (*reader)->stream_file(**(*reader)->find("f"), [&](ByteView piece) -> Result<> {
    given += piece.size();
    return {};
  });
  EXPECT_EQ(error_of(streamed), Errc::corrupt);
  EXPECT_EQ(given, 60u);
}

TEST(Reader, RefusesToReadWhatIsNoFile) {
  const Sample sample = test::sample_pack();
  const auto reader = open_bytes(sample.bytes);
  ASSERT_OK(reader);
  const auto directory = (*reader)->find("d");
  Buffer out(1);
  EXPECT_EQ(error_of((*reader)->read_file(**directory, 0, out)), Errc::usage);
  EXPECT_EQ(error_of((*reader)->stream_file(**directory, [](ByteView) -> Result<> { return {}; })), Errc::usage);
}

TEST(Reader, ReadsFilesWithExtentLists) {
  const Buffer raw = test::random_bytes(1000, 9);
  PackMaker maker;
  const std::uint64_t block = maker.add_block(raw);
  std::vector<Extent> extents;
  Buffer content;
  for (std::size_t i = 0; i < 90; ++i) {
    const std::size_t offset = i * 37 % 900;
    extents.push_back({block, offset, 1 + i});
    append(content, ByteView(raw).subspan(offset, 1 + i));
  }
  FileRecord record = test::make_file("big", content);
  std::uint64_t place = 0;
  for (std::size_t i = 0; i < extents.size(); i += 30) {
    const auto part = std::span(extents).subspan(i, 30);
    record.lists.push_back({place, maker.add_block(write_extent_list(part), BlockType::extents)});
    for (const Extent& extent : part) place += extent.length;
  }
  maker.add(record);
  maker.finish();
  Sample sample{maker.bytes(), {{"big", content}}};
  const auto reader = open_bytes(sample.bytes);
  ASSERT_OK(reader);
  EXPECT_TRUE(test::read_all(**reader, sample).empty());
  const auto found = (*reader)->find("big");
  EXPECT_EQ(*(*reader)->extents_of(**found), extents);
  for (std::uint64_t from = 0; from < content.size(); from += 11) {
    Buffer out(200);
    const auto got = (*reader)->read_file(**found, from, out);
    ASSERT_OK(got);
    EXPECT_TRUE(std::equal(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(*got),
                           content.begin() + static_cast<std::ptrdiff_t>(from)))
        << from;
  }
}

TEST(Reader, RefusesExtentListsThatDoNotAddUp) {
  const Buffer raw = test::random_bytes(100, 9);
  for (const std::uint64_t length : {40u, 60u}) {  // of a first list that should cover 50 bytes
    PackMaker maker;
    const std::uint64_t block = maker.add_block(raw);
    FileRecord record = test::make_file("big", raw);
    record.lists = {{0, maker.add_block(write_extent_list(std::vector{Extent{block, 0, length}}), BlockType::extents)},
                    {50, maker.add_block(write_extent_list(std::vector{Extent{block, 50, 50}}), BlockType::extents)}};
    maker.add(record);
    maker.finish();
    const auto reader = open_bytes(maker.bytes());
    ASSERT_OK(reader);
    const auto found = (*reader)->find("big");
    Buffer out(100);
    EXPECT_EQ(error_of((*reader)->read_file(**found, 0, out)), Errc::corrupt);
    EXPECT_EQ(error_of((*reader)->extents_of(**found)), Errc::corrupt);
  }
}

TEST(Reader, RefusesExtentsOutsideTheirBlocks) {
  const Buffer raw = test::random_bytes(100, 9);
  PackMaker maker;
  const std::uint64_t block = maker.add_block(raw);
  const std::uint64_t other = maker.add_block(raw, BlockType::dictionary);
  maker.add(test::make_file("behind", raw, {{block, 1, 100}}));
  maker.add(test::make_file("dictionary", raw, {{other, 0, 100}}));
  maker.add(test::make_file("nowhere", raw, {{4711, 0, 100}}));
  maker.finish();
  const auto reader = open_bytes(maker.bytes());
  ASSERT_OK(reader);
  for (const char* path : {"behind", "dictionary", "nowhere"}) {
    Buffer out(100);
    EXPECT_EQ(error_of((*reader)->read_file(**(*reader)->find(path), 0, out)), Errc::corrupt) << path;
  }
}

TEST(Reader, NamesTheDamagedBlock) {
  Sample sample = test::sample_pack();
  flip(sample.bytes, kHeaderSize + kBlockHeaderSize + 5);
  const auto reader = open_bytes(sample.bytes);
  ASSERT_OK(reader);
  const auto read = (*reader)->read_block(0);
  ASSERT_EQ(error_of(read), Errc::corrupt);
  EXPECT_EQ(read.error().what,
            "x.mmh: block 0 at 0x40: stored bytes do not match their hash; run mmh verify to see what is damaged");
}

// The index vouches for the payload, so that 88 lost bytes do not cost the whole block.
TEST(Reader, ReadsABlockWhoseHeaderAloneIsDamaged) {
  Sample sample = test::sample_pack();
  for (std::size_t i = 0; i < kBlockHeaderSize; ++i) flip(sample.bytes, kHeaderSize + i);
  const auto reader = open_bytes(sample.bytes);
  ASSERT_OK(reader);
  EXPECT_TRUE(test::read_all(**reader, sample).empty());
}

TEST(Reader, OpensWhenTheHeaderIsDamaged) {
  Sample sample = test::sample_pack();
  flip(sample.bytes, 3);
  const auto reader = open_bytes(sample.bytes);
  ASSERT_OK(reader);
  EXPECT_THAT((*reader)->warning(), HasSubstr("header"));
  EXPECT_TRUE(test::read_all(**reader, sample).empty());
}

TEST(Reader, OpensByTheSecondTrailerOrByScanning) {
  const Sample sample = test::sample_pack();
  const auto whole = open_bytes(sample.bytes);
  ASSERT_OK(whole);
  const std::uint64_t first = (*whole)->trailer_offset();
  const auto opened = [&](const std::vector<std::uint64_t>& places, const char* warning) {
    Sample damaged = sample;
    for (const std::uint64_t place : places) flip(damaged.bytes, place);
    const auto reader = open_bytes(damaged.bytes);
    ASSERT_OK(reader);
    EXPECT_THAT((*reader)->warning(), HasSubstr(warning));
    EXPECT_TRUE(test::read_all(**reader, damaged).empty());
  };
  opened({first + 10}, "trailer copy");                                                // its header
  opened({first + kBlockHeaderSize + 10}, "trailer copy");                             // its payload
  opened({sample.bytes.size() - 1}, "footer");                                         // scanning finds the second copy
  opened({sample.bytes.size() - 1, sample.bytes.size() - kFooterSize - 1}, "footer");  // and else the first
}

TEST(Reader, RefusesWhatIsNoPack) {
  const auto fault = [](ByteView bytes) {
    const auto opened = open_bytes(bytes);
    EXPECT_EQ(error_of(opened), Errc::corrupt);
    return opened.error().what;
  };
  EXPECT_EQ(fault({}), "x.mmh: not an MMH pack");
  EXPECT_EQ(fault(as_bytes("hello")), "x.mmh: not an MMH pack");
  EXPECT_EQ(fault(test::random_bytes(5000, 1)), "x.mmh: not an MMH pack");
  const Sample sample = test::sample_pack();
  EXPECT_THAT(fault(ByteView(sample.bytes).first(500)), HasSubstr("cut short"));
  EXPECT_THAT(fault(ByteView(sample.bytes).first(20)), HasSubstr("cut short"));
}

TEST(Reader, SaysWhatANewerPackNeeds) {
  Sample sample = test::sample_pack();
  write_header({.version = 1, .features = kFeatureEncryption}, Bytes(sample.bytes).first(kHeaderSize));
  const auto opened = open_bytes(sample.bytes);
  ASSERT_EQ(error_of(opened), Errc::unsupported);
  EXPECT_THAT(opened.error().what, HasSubstr("encryption"));
}

TEST(Reader, RefusesARootThatIsNotTheManifests) {
  test::MemorySink sink;
  auto writer = PackFileWriter::create(sink);
  ASSERT_OK(writer);
  ManifestBuilder builder([&](ByteView raw) -> Result<std::uint64_t> {
    MMH_LET(const Buffer frame, codec::encode_frame(test::no_codecs(), codec::Plan{}, raw));
    return (*writer)->add_block(BlockType::manifest, frame, raw.size(), test::digest_of(frame));
  });
  Trailer trailer;
  trailer.top = *builder.finish();
  ASSERT_OK((*writer)->finish(trailer));  // root left zero
  EXPECT_EQ(error_of(open_bytes(sink.bytes)), Errc::corrupt);
}

TEST(Reader, UsesTheNewestGeneration) {
  const Sample old = test::sample_pack();
  const Sample sample = test::sample_pack_appended();
  const auto reader = open_bytes(sample.bytes);
  ASSERT_OK(reader);
  EXPECT_EQ((*reader)->trailer().generation, 1u);
  EXPECT_GT((*reader)->trailer().previous_trailer, 0u);
  EXPECT_TRUE(test::read_all(**reader, sample).empty());
  EXPECT_EQ(ByteView(sample.bytes).first(old.bytes.size()).size(), old.bytes.size());
  EXPECT_TRUE(std::equal(old.bytes.begin(), old.bytes.end(), sample.bytes.begin()));
}

TEST(Reader, AKilledAppendLeavesTheOldPack) {
  const Sample old = test::sample_pack();
  const Sample sample = test::sample_pack_appended();
  const auto whole = open_bytes(sample.bytes);
  ASSERT_OK(whole);
  const std::uint64_t trailer = (*whole)->trailer_offset();
  const std::uint64_t second =
      trailer + (sample.bytes.size() - kFooterSize - trailer) / 2;  // the copies are of one size
  for (std::uint64_t size = old.bytes.size(); size < sample.bytes.size(); ++size) {
    const auto reader = open_bytes(ByteView(sample.bytes).first(size));
    ASSERT_OK(reader);
    EXPECT_EQ((*reader)->warning().empty(), size == old.bytes.size()) << size;
    const bool appended = size >= second;  // the new trailer is whole, though its copy or the footer is not
    EXPECT_EQ((*reader)->trailer().generation, appended ? 1u : 0u) << size;
    EXPECT_TRUE(appended || (*reader)->pack_size() == old.bytes.size());
    EXPECT_TRUE(test::read_all(**reader, appended ? sample : old).empty());
  }
}

TEST(Reader, IsNotMisledByAPackStoredInAPack) {
  const Sample inner = test::sample_pack_appended();
  PackMaker maker;
  maker.add_file("inner.mmh", inner.bytes);
  maker.finish();
  Buffer bytes = maker.bytes();
  flip(bytes, bytes.size() - 1);  // the scan has to look for the trailer
  const auto reader = open_bytes(bytes);
  ASSERT_OK(reader);
  EXPECT_THAT(paths_under(**reader, ""), ElementsAre("inner.mmh"));
}

// A stored file that holds a trailer made for the very place where it will be stored.
TEST(Reader, IsNotMisledByATrailerForgedIntoContent) {
  PackMaker victim;
  victim.add_file("victim", as_bytes("x"));
  const Trailer trailer = victim.finish();
  const Buffer payload = write_trailer(trailer);
  Buffer content(kBlockHeaderSize);
  const std::uint64_t place = kHeaderSize + kBlockHeaderSize + 1;  // behind a stored frame's one byte
  write_block_header({BlockType::trailer, kUnnumbered, place, payload.size(), payload.size(), test::digest_of(payload)},
                     content);
  append(content, payload);
  PackMaker maker;
  maker.add_file("content", content);
  maker.finish();
  Buffer bytes = maker.bytes();
  const auto whole = open_bytes(bytes);
  ASSERT_OK(whole);
  bytes.resize((*whole)->trailer_offset());  // both true trailers are lost
  EXPECT_EQ(error_of(open_bytes(bytes)), Errc::corrupt);
}

TEST(Reader, DecodesABlockOnceForManyThreads) {
  constexpr int kThreads = 6;
  const Buffer content = test::random_bytes(1 << 20, 5);
  PackMaker maker;
  maker.add_file("f", content);
  maker.finish();
  test::CountingSource::Counts counts;
  const auto reader = Reader::open(std::make_unique<test::CountingSource>(maker.bytes(), counts), test::no_codecs());
  ASSERT_OK(reader);
  const auto record = (*reader)->find("f");
  ASSERT_OK(record);
  counts.bytes = 0;
  std::latch start(kThreads);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        start.arrive_and_wait();
        Buffer out(1000);
        const std::uint64_t from = static_cast<std::uint64_t>(i) * 100'000;
        const auto got = (*reader)->read_file(**record, from, out);
        EXPECT_TRUE(got && std::equal(out.begin(), out.end(), content.begin() + static_cast<std::ptrdiff_t>(from)));
      });
    }
  }
  EXPECT_EQ(counts.bytes, content.size() + 1);
}

TEST(Reader, ManyThreadsUseOneReader) {
  const Sample sample = test::sample_pack();
  const auto reader = open_bytes(sample.bytes, {.cache_bytes = 400});  // holds one block at a time
  ASSERT_OK(reader);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) EXPECT_TRUE(test::read_all(**reader, sample).empty());
    });
  }
}

TEST(Reader, FindsOneOfManyEntriesWithFewReads) {
  constexpr int kEntries = 100'000;
  PackMaker maker;
  const std::uint64_t block = maker.add_block(as_bytes("content"));
  const auto name = [](int i) { return fmt::format("dir{:03}/file{:06}", i / 500, i); };
  for (int i = 0; i < kEntries; ++i) maker.add(test::make_file(name(i), as_bytes("content"), {{block, 0, 7}}));
  const Trailer trailer = maker.finish();
  EXPECT_LE(trailer.height, 2u);
  for (const int i : {0, 77'777, kEntries - 1}) {
    test::CountingSource::Counts counts;
    const auto reader = Reader::open(std::make_unique<test::CountingSource>(maker.bytes(), counts), test::no_codecs());
    ASSERT_OK(reader);
    EXPECT_LE(counts.reads, 6u);
    const auto record = (*reader)->find(name(i));
    ASSERT_OK(record);
    ASSERT_TRUE(record->has_value());
    Buffer out(7);
    ASSERT_OK((*reader)->read_file(**record, 0, out));
    EXPECT_EQ(as_text(out), "content");
    // Opening, an index page or two, a page of each height, the block.
    EXPECT_LE(counts.reads, 6u + 2 + trailer.height + 1 + 1);
    EXPECT_LE(counts.bytes, 400'000u);
  }
}

// Manifests whose pages lie about each other. Each page by itself is well-formed.
class ForgedManifest {
 public:
  std::uint64_t page(unsigned height, const std::vector<std::pair<std::string, PageReference>>& children) {
    Buffer canonical, locations, raw;
    CborWriter out(canonical), where(locations), all(raw);
    out.array(2);
    out.unsigned_integer(height);
    out.array(children.size());
    where.array(children.size());
    for (const auto& [path, child] : children) {
      out.array(4);
      out.bytes(as_bytes(path));
      out.unsigned_integer(child.entries);
      out.unsigned_integer(child.content_bytes);
      out.bytes(child.hash.view());
      where.unsigned_integer(child.block);
    }
    all.array(2);
    all.bytes(canonical);
    all.bytes(locations);
    last_ = *parse_manifest_page(raw);
    return maker_.add_block(raw, BlockType::manifest);
  }
  PageReference leaf(const std::vector<std::string>& paths) {
    ManifestBuilder builder(
        [&](ByteView raw) -> Result<std::uint64_t> { return maker_.add_block(raw, BlockType::manifest); });
    for (const std::string& path : paths) EXPECT_OK(builder.add(test::make_directory(path)));
    return *builder.finish();
  }
  PageReference last(std::uint64_t block) const {
    return {.first_path = {},
            .entries = last_.entries,
            .content_bytes = last_.content_bytes,
            .hash = last_.hash,
            .block = block};
  }
  Result<> visit(const PageReference& top, unsigned height) {
    maker_.finish(top, height);
    MMH_LET(const auto reader, open_bytes(maker_.bytes()));
    MMH_TRY(reader->visit("", [](FileRecord&&) -> Result<bool> { return true; }));
    return {};
  }

 private:
  PackMaker maker_;
  ManifestPage last_;
};

TEST(HostileManifest, HonestPagesPass) {
  ForgedManifest forged;
  const PageReference a = forged.leaf({"a", "b"});
  const PageReference c = forged.leaf({"c"});
  const std::uint64_t top = forged.page(1, {{"a", a}, {"c", c}});
  EXPECT_OK(forged.visit(forged.last(top), 1));
}

TEST(HostileManifest, RefusesPagesThatOverlap) {
  ForgedManifest forged;
  const PageReference a = forged.leaf({"a", "d"});
  const PageReference c = forged.leaf({"c"});
  const std::uint64_t top = forged.page(1, {{"a", a}, {"c", c}});
  EXPECT_EQ(error_of(forged.visit(forged.last(top), 1)), Errc::corrupt);
}

TEST(HostileManifest, RefusesAPageUnderAnotherName) {
  ForgedManifest forged;
  const PageReference b = forged.leaf({"b"});
  const PageReference c = forged.leaf({"c"});
  const std::uint64_t top = forged.page(1, {{"a", b}, {"c", c}});
  EXPECT_EQ(error_of(forged.visit(forged.last(top), 1)), Errc::corrupt);
}

TEST(HostileManifest, RefusesWrongTotals) {
  for (const bool entries : {false, true}) {
    ForgedManifest forged;
    PageReference a = forged.leaf({"a"});
    const PageReference c = forged.leaf({"c"});
    ++(entries ? a.entries : a.content_bytes);
    const std::uint64_t top = forged.page(1, {{"a", a}, {"c", c}});
    EXPECT_EQ(error_of(forged.visit(forged.last(top), 1)), Errc::corrupt);
  }
}

TEST(HostileManifest, RefusesHeightsThatDoNotDescend) {
  ForgedManifest forged;
  const PageReference a = forged.leaf({"a"});
  const PageReference c = forged.leaf({"c"});
  const std::uint64_t top = forged.page(2, {{"a", a}, {"c", c}});  // leaves below a page of height 2
  EXPECT_EQ(error_of(forged.visit(forged.last(top), 2)), Errc::corrupt);
}

TEST(HostileManifest, RefusesAPageThatNamesItself) {
  ForgedManifest forged;
  const PageReference c = forged.leaf({"c"});
  PageReference self = c;
  self.block = 1;  // the number that the next page will get
  const std::uint64_t top = forged.page(1, {{"a", self}, {"c", c}});
  ASSERT_EQ(top, 1u);
  EXPECT_EQ(error_of(forged.visit(forged.last(top), 1)), Errc::corrupt);
}

TEST(HostileManifest, RefusesAPageThatIsABlockOfAnotherType) {
  PackMaker maker;
  const std::uint64_t data = maker.add_block(as_bytes("x"));
  PageReference top;
  top.block = data;
  maker.finish(top, 0);
  const auto reader = open_bytes(maker.bytes());
  ASSERT_OK(reader);
  EXPECT_EQ(error_of((*reader)->find("x")), Errc::corrupt);
}

}  // namespace
}  // namespace mmh::pack
