#include "mmh/pack/scan.h"

#include "pack/pack_support.h"

namespace mmh::pack {
namespace {

// Offsets of all whole blocks that have moved by `shift`.
std::vector<std::uint64_t> found_in(ByteView bytes, std::uint64_t shift = 0) {
  const auto source = memory_source(bytes, "x.mmh");
  std::uint64_t last = 0;
  const auto blocks = scan_blocks(*source, [&](std::uint64_t done, std::uint64_t total) {
    EXPECT_LE(last, done);
    EXPECT_LE(done, total);
    last = done;
  });
  EXPECT_OK(blocks);
  std::vector<std::uint64_t> offsets;
  for (const FoundBlock& block : *blocks) {
    if (block.shift == shift) offsets.push_back(block.header.offset);
  }
  return offsets;
}

TEST(ScanBlocks, FindsEveryBlockWithoutIndexOrTrailer) {
  const test::Sample sample = test::sample_pack();
  const auto reader = test::open_bytes(sample.bytes);
  ASSERT_OK(reader);
  const Trailer& trailer = (*reader)->trailer();
  const auto found = found_in(sample.bytes);
  EXPECT_EQ(found.size(), trailer.block_count + 3);  // the index page and two trailers
  for (std::uint64_t number = 0; number < trailer.block_count; ++number) {
    EXPECT_THAT(found, testing::Contains((*reader)->block_info(number)->offset));
  }
}

TEST(ScanBlocks, LosesOnlyTheDamagedBlock) {
  const test::Sample sample = test::sample_pack();
  const auto whole = found_in(sample.bytes);
  for (std::size_t at = 0; at < sample.bytes.size(); at += 7) {
    Buffer damaged = sample.bytes;
    damaged[at] ^= std::byte{0x10};
    std::vector<std::uint64_t> expected = whole;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      const std::uint64_t end = i + 1 < whole.size() ? whole[i + 1] : sample.bytes.size() - kFooterSize;
      if (at >= whole[i] && at < end) std::erase(expected, whole[i]);
    }
    EXPECT_EQ(found_in(damaged), expected) << at;
  }
}

TEST(ScanBlocks, FindsBlocksBehindLongStretchesOfDamage) {
  const test::Sample sample = test::sample_pack();
  // A block header across the border of two windows, at every phase.
  for (std::size_t before = (1 << 20) - kBlockHeaderSize - kHeaderSize - 2; before < (1 << 20) + 2; before += 3) {
    Buffer bytes(before + kBlockHeaderSize + 4);
    std::ranges::fill(bytes, std::byte{'M'});
    const Buffer payload = test::random_bytes(4, 1);
    write_block_header({BlockType::data, 0, before, 4, 4, test::digest_of(payload)},
                       Bytes(bytes).subspan(before, kBlockHeaderSize));
    std::memcpy(bytes.data() + before + kBlockHeaderSize, payload.data(), 4);
    EXPECT_EQ(found_in(bytes), std::vector<std::uint64_t>{before});
  }
}

TEST(ScanBlocks, DoesNotTakeAPackStoredInAPackForPartOfIt) {
  const test::Sample inner = test::sample_pack();
  test::PackMaker maker;
  maker.add_file("inner.mmh", inner.bytes);
  maker.finish();
  EXPECT_EQ(found_in(maker.bytes()).size(), 5u);  // data, manifest page, index page, trailers
  // Nor when the outer block's header is lost.
  Buffer damaged = maker.bytes();
  damaged[kHeaderSize] ^= std::byte{1};
  EXPECT_EQ(found_in(damaged).size(), 4u);
}

TEST(ScanBlocks, FindsBlocksThatMoved) {
  const test::Sample sample = test::sample_pack();
  auto expected = found_in(sample.bytes);
  for (std::uint64_t& offset : expected) offset -= 10;
  EXPECT_EQ(found_in(ByteView(sample.bytes).subspan(10), -std::uint64_t{10}), expected);
  for (std::uint64_t& offset : expected) offset += 110;
  Buffer longer = test::random_bytes(100, 1);
  append(longer, sample.bytes);
  EXPECT_EQ(found_in(longer, 100), expected);
}

TEST(ScanBlocks, TakesAnyBytes) {
  EXPECT_TRUE(found_in({}).empty());
  for (std::size_t size = 1; size < 200; size += 13) EXPECT_TRUE(found_in(test::random_bytes(size, size)).empty());
}

// Every eighty-eight bytes a header that claims all that follows: hashing each claim would take hours.
TEST(ScanBlocks, GivesUpOnAFileMadeOfFalseHeaders) {
  const std::size_t size = 4 << 20;
  Buffer bytes(size);
  for (std::uint64_t at = 0; at + kBlockHeaderSize <= size; at += kBlockHeaderSize) {
    write_block_header({BlockType::data, 0, at, size - at - kBlockHeaderSize, 1, {}},
                       Bytes(bytes).subspan(at, kBlockHeaderSize));
  }
  const auto source = memory_source(bytes, "x.mmh");
  EXPECT_EQ(test::error_of(scan_blocks(*source)), Errc::limit);
}

TEST(LastTrailerHeader, FindsTheLastOneBefore) {
  const test::Sample sample = test::sample_pack();
  const auto source = memory_source(sample.bytes, "x.mmh");
  const auto last = last_trailer_header(*source, sample.bytes.size());
  ASSERT_TRUE(last.has_value());
  const auto first = last_trailer_header(*source, last->offset);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->hash, last->hash);
  EXPECT_LT(first->offset, last->offset);
  EXPECT_FALSE(last_trailer_header(*source, first->offset).has_value());
}

TEST(IsCutOffAppend, TellsAKilledAppendFromDamage) {
  const test::Sample first = test::sample_pack();
  const test::Sample second = test::sample_pack_appended();
  const auto judged = [&](ByteView bytes) {
    const auto source = memory_source(bytes, "x.mmh");
    return is_cut_off_append(*source, first.bytes.size());
  };
  const auto reader = test::open_bytes(second.bytes);
  ASSERT_OK(reader);
  const std::uint64_t end = (*reader)->trailer_offset();
  for (std::uint64_t size = first.bytes.size(); size < end; ++size) {
    EXPECT_TRUE(judged(ByteView(second.bytes).first(size))) << size;
  }
  Buffer damaged = second.bytes;
  damaged[first.bytes.size() + 100] ^= std::byte{1};
  EXPECT_FALSE(judged(ByteView(damaged).first(end)));
  Buffer padded = first.bytes;
  padded.resize(padded.size() + 300, std::byte{0});
  EXPECT_FALSE(judged(padded));
}

}  // namespace
}  // namespace mmh::pack
