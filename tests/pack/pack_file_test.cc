#include "mmh/pack/pack_file.h"

#include "mmh/base/cbor.h"
#include "mmh/codec/frame.h"
#include "pack/pack_support.h"

namespace mmh::pack {
namespace {

using test::error_of;

BlockInfo some_block(std::uint64_t seed) {
  test::Random random(seed);
  return {BlockType::data, kHeaderSize + random.below(1 << 30), random.below(1 << 20), random.below(1 << 20),
          test::digest_of(test::random_bytes(8, seed))};
}

std::vector<BlockInfo> some_blocks(std::size_t count) {
  std::vector<BlockInfo> blocks;
  for (std::size_t i = 0; i < count; ++i) blocks.push_back(some_block(i));
  return blocks;
}

Trailer some_trailer(std::uint64_t block_count) {
  Trailer trailer;
  trailer.root = test::digest_of(as_bytes("root"));
  trailer.top.block = block_count - 1;
  trailer.top.hash = test::digest_of(as_bytes("top"));
  trailer.top.entries = 17;
  trailer.top.content_bytes = 1u << 20;
  trailer.height = 2;
  trailer.block_count = block_count;
  for (std::uint64_t first = 0; first < block_count; first += kIndexPageEntries) {
    BlockInfo block = some_block(first);
    block.type = BlockType::index;
    trailer.index.push_back({first, block});
  }
  trailer.generation = 3;
  trailer.previous_trailer = 12345;
  trailer.writer = "mmh 0.1.0";
  trailer.libraries = {"zstd 1.5.4", "lz4 1.9.4"};
  trailer.level = -1;
  return trailer;
}

template <class Parse>
void expect_every_truncation_refused(const Buffer& whole, const Parse& parse) {
  for (std::size_t keep = 0; keep < whole.size(); ++keep) {
    const Buffer cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(keep));
    EXPECT_EQ(error_of(parse(ByteView(cut))), Errc::corrupt) << keep;
  }
}

TEST(IndexPage, RoundTripsAndRefusesTruncations) {
  const auto blocks = some_blocks(5);
  const Buffer raw = write_index_page(2048, blocks);
  const auto parsed = parse_index_page(raw, 2048);
  ASSERT_OK(parsed);
  EXPECT_EQ(*parsed, blocks);
  expect_every_truncation_refused(raw, [](ByteView in) { return parse_index_page(in, 2048); });
}

TEST(IndexPage, RefusesWhatCannotBe) {
  const auto refused = [](std::uint64_t first, const std::vector<BlockInfo>& blocks) {
    return error_of(parse_index_page(write_index_page(first, blocks), 0)) == Errc::corrupt;
  };
  EXPECT_TRUE(refused(1024, some_blocks(1)));  // another page
  EXPECT_TRUE(refused(0, {}));
  const auto changed = [&](auto change) {
    auto blocks = some_blocks(3);
    change(blocks[1]);
    return refused(0, blocks);
  };
  EXPECT_TRUE(changed([](BlockInfo& b) { b.type = static_cast<BlockType>(0); }));
  EXPECT_TRUE(changed([](BlockInfo& b) { b.type = BlockType::index; }));
  EXPECT_TRUE(changed([](BlockInfo& b) { b.type = BlockType::trailer; }));
  EXPECT_TRUE(changed([](BlockInfo& b) { b.offset = kHeaderSize - 1; }));
  EXPECT_TRUE(changed([](BlockInfo& b) { b.offset = kPackSizeMax; }));
  EXPECT_TRUE(changed([](BlockInfo& b) { b.stored_size = kStoredSizeMax + 1; }));
  EXPECT_TRUE(changed([](BlockInfo& b) { b.raw_size = codec::kRawSizeMax + 1; }));
}

TEST(IndexPage, RefusesMoreEntriesThanAPageHas) {
  Buffer raw;
  CborWriter out(raw);
  out.array(2);
  out.unsigned_integer(0);
  out.array(kIndexPageEntries + 1);
  raw.resize(raw.size() + 2 * kIndexPageEntries);  // so that the count alone is what is wrong
  EXPECT_EQ(error_of(parse_index_page(raw, 0)), Errc::corrupt);
}

TEST(TrailerTest, RoundTripsAndRefusesTruncations) {
  const Trailer trailer = some_trailer(2500);
  const Buffer raw = write_trailer(trailer);
  const auto parsed = parse_trailer(raw);
  ASSERT_OK(parsed);
  EXPECT_EQ(write_trailer(*parsed), raw);
  EXPECT_EQ(parsed->root, trailer.root);
  EXPECT_EQ(parsed->index.size(), 3u);
  EXPECT_EQ(parsed->index[2].block, trailer.index[2].block);
  EXPECT_EQ(parsed->libraries, trailer.libraries);
  EXPECT_EQ(parsed->level, -1);
  expect_every_truncation_refused(raw, parse_trailer);
}

TEST(TrailerTest, PassesOverFieldsOfLaterWriters) {
  Buffer raw = write_trailer(some_trailer(1));
  ASSERT_EQ(raw[0], std::byte{0xab});  // a map of 11
  raw[0] = std::byte{0xac};
  CborWriter out(raw);
  out.unsigned_integer(99);
  out.array(2);
  out.text("something");
  out.null();
  EXPECT_OK(parse_trailer(raw));
}

TEST(TrailerTest, SaysWhatANewerPackNeeds) {
  Trailer trailer = some_trailer(1);
  trailer.version = 2;
  auto parsed = parse_trailer(write_trailer(trailer));
  ASSERT_EQ(error_of(parsed), Errc::unsupported);
  EXPECT_THAT(parsed.error().what, testing::HasSubstr("pack format 2"));
  trailer = some_trailer(1);
  trailer.features = kFeatureEncryption;
  parsed = parse_trailer(write_trailer(trailer));
  ASSERT_EQ(error_of(parsed), Errc::unsupported);
  EXPECT_THAT(parsed.error().what, testing::HasSubstr("encryption (bit 0)"));
}

TEST(TrailerTest, NamesABaseWhereTheFeatureBitSaysSo) {
  Trailer trailer = some_trailer(1);
  trailer.features = kFeatureBase;
  trailer.base = BaseName{test::digest_of(test::random_bytes(10, 1)), "old \xff.mmh"};
  const Buffer raw = write_trailer(trailer);
  const auto parsed = parse_trailer(raw);
  ASSERT_OK(parsed);
  EXPECT_EQ(parsed->base, trailer.base);
  EXPECT_EQ(write_trailer(*parsed), raw);
  expect_every_truncation_refused(raw, parse_trailer);

  trailer.features = 0;
  EXPECT_EQ(error_of(parse_trailer(write_trailer(trailer))), Errc::corrupt);
  trailer.features = kFeatureBase;
  for (const std::string& name : {std::string("../x"), std::string("."), std::string(".."), std::string("a\0b", 3),
                                  std::string(kBaseNameMax + 1, 'x')}) {
    EXPECT_EQ(base_name_of(name), "");
    trailer.base->name = name;
    EXPECT_EQ(error_of(parse_trailer(write_trailer(trailer))), Errc::corrupt) << name;
  }
  trailer.base->name.clear();
  EXPECT_OK(parse_trailer(write_trailer(trailer)));
  trailer.base.reset();
  EXPECT_EQ(error_of(parse_trailer(write_trailer(trailer))), Errc::corrupt);
}

TEST(TrailerTest, RefusesContradictions) {
  const auto refused = [](auto change) {
    Trailer trailer = some_trailer(2500);
    change(trailer);
    return error_of(parse_trailer(write_trailer(trailer))) == Errc::corrupt;
  };
  EXPECT_TRUE(refused([](Trailer& t) { t.block_count = 4000; }));  // needs four pages, has three
  EXPECT_TRUE(refused([](Trailer& t) { t.block_count = ~std::uint64_t{0}; }));
  EXPECT_TRUE(refused([](Trailer& t) { t.index.pop_back(); }));
  EXPECT_TRUE(refused([](Trailer& t) { t.index[1].first_number = 1023; }));
  EXPECT_TRUE(refused([](Trailer& t) { t.top.block = 2500; }));
  EXPECT_TRUE(refused([](Trailer& t) { t.height = kManifestHeightMax + 1; }));
}

TEST(PackFileWriter, WritesWhatTheSpecificationSays) {
  test::MemorySink sink;
  auto writer = PackFileWriter::create(sink);
  ASSERT_OK(writer);
  const Buffer frame = test::random_bytes(100, 1);
  const auto number = (*writer)->add_block(BlockType::data, frame, 99, test::digest_of(frame));
  ASSERT_OK(number);
  EXPECT_EQ(*number, 0u);
  const auto trailer = (*writer)->finish(some_trailer(1));
  ASSERT_OK(trailer);
  EXPECT_EQ(trailer->block_count, 1u);
  EXPECT_EQ(trailer->generation, 0u);
  EXPECT_EQ(trailer->previous_trailer, 0u);
  EXPECT_EQ((*writer)->bytes_written(), sink.bytes.size());

  const ByteView bytes = sink.bytes;
  EXPECT_OK(parse_header(bytes));
  const auto block = parse_block_header(bytes.subspan(kHeaderSize));
  ASSERT_OK(block);
  EXPECT_EQ(*block, (BlockHeader{BlockType::data, 0, kHeaderSize, 100, 99, test::digest_of(frame)}));
  const auto index = parse_block_header(bytes.subspan(kHeaderSize + kBlockHeaderSize + 100));
  ASSERT_OK(index);
  EXPECT_EQ(index->type, BlockType::index);
  EXPECT_EQ(index->number, kUnnumbered);
  const auto footer = parse_footer(bytes.last(kFooterSize));
  ASSERT_OK(footer);
  EXPECT_EQ(footer->offset, bytes.size() - kFooterSize);
  for (const std::uint64_t place : footer->trailers) {
    const auto header = parse_block_header(bytes.subspan(place));
    ASSERT_OK(header);
    EXPECT_EQ(header->type, BlockType::trailer);
    const ByteView payload = bytes.subspan(place + kBlockHeaderSize, header->stored_size);
    EXPECT_EQ(header->hash, test::digest_of(payload));
    EXPECT_EQ(header->raw_size, header->stored_size);
    EXPECT_OK(parse_trailer(payload));
  }
}

TEST(PackFileWriter, WritesTrailersAndFooterAtOnce) {
  test::MemorySink sink;
  auto writer = PackFileWriter::create(sink);
  ASSERT_OK(writer);
  const Buffer frame = test::random_bytes(10, 1);
  ASSERT_OK((*writer)->add_block(BlockType::data, frame, 9, test::digest_of(frame)));
  const std::size_t before = sink.writes;
  ASSERT_OK((*writer)->finish(some_trailer(1)));
  EXPECT_EQ(sink.writes, before + 2);  // the index page, then all the rest
}

TEST(PackFileWriter, RefusesBlocksAboveTheLimit) {
  test::MemorySink sink;
  auto writer = PackFileWriter::create(sink);
  ASSERT_OK(writer);
  const Buffer frame(10);
  EXPECT_EQ(error_of((*writer)->add_block(BlockType::data, frame, codec::kRawSizeMax + 1, {})), Errc::limit);
}

// Both ways of filling the last index page, and a full one.
TEST(PackFileWriter, ResumesBehindAnyNumberOfBlocks) {
  const Buffer frame = test::random_bytes(3, 1);
  const auto digest = test::digest_of(frame);
  for (const std::uint64_t first : {1u, 1023u, 1024u, 1025u, 2048u}) {
    test::MemorySink sink;
    auto writer = PackFileWriter::create(sink);
    ASSERT_OK(writer);
    std::vector<BlockInfo> blocks;
    const auto add = [&](PackFileWriter& to, std::uint64_t count) {
      for (std::uint64_t i = 0; i < count; ++i) {
        blocks.push_back({BlockType::data, to.bytes_written(), frame.size(), 2, digest});
        ASSERT_OK(to.add_block(BlockType::data, frame, 2, digest));
      }
    };
    add(**writer, first);
    const auto old = (*writer)->finish(some_trailer(1));
    ASSERT_OK(old);
    const std::uint64_t old_size = sink.bytes.size();
    const std::vector<BlockInfo> tail(blocks.end() - static_cast<std::ptrdiff_t>(first % kIndexPageEntries),
                                      blocks.end());
    const auto resumed = PackFileWriter::resume(sink, old_size, *old, 777, tail);
    EXPECT_EQ(resumed->next_number(), first);
    add(*resumed, 1030);
    const auto trailer = resumed->finish(some_trailer(1));
    ASSERT_OK(trailer);
    EXPECT_EQ(trailer->generation, 1u);
    EXPECT_EQ(trailer->previous_trailer, 777u);
    EXPECT_EQ(trailer->block_count, first + 1030);
    std::vector<BlockInfo> listed;
    for (const IndexPage& page : trailer->index) {
      const ByteView payload =
          ByteView(sink.bytes).subspan(page.block.offset + kBlockHeaderSize, page.block.stored_size);
      EXPECT_EQ(test::digest_of(payload), page.block.hash);
      Buffer raw(page.block.raw_size);
      ASSERT_OK(codec::decode_frame(test::no_codecs(), payload, raw));
      const auto parsed = parse_index_page(raw, page.first_number);
      ASSERT_OK(parsed);
      EXPECT_EQ(page.first_number, listed.size());
      listed.insert(listed.end(), parsed->begin(), parsed->end());
    }
    EXPECT_EQ(listed, blocks) << first;
  }
}

}  // namespace
}  // namespace mmh::pack
