#include "mmh/pack/format.h"

#include "mmh/codec/frame.h"
#include "mmh/hash/blake3.h"
#include "support/support.h"

namespace mmh::pack {
namespace {

using test::error_of;

// Sets a field and makes the check right again, as a hostile or later writer would.
template <class T>
void forge(Buffer& structure, std::size_t at, T value, std::size_t check_size) {
  store_le<T>(Bytes(structure).subspan(at), value);
  const std::size_t covered = structure.size() - check_size;
  const auto digest = hash::blake3(ByteView(structure).first(covered));
  std::memcpy(structure.data() + covered, digest.bytes.data(), check_size);
}

Buffer header_bytes() {
  Buffer bytes(kHeaderSize);
  write_header({}, bytes);
  return bytes;
}

BlockHeader some_block() { return {BlockType::dictionary, 7, 4096, 1000, 5000, hash::blake3(as_bytes("payload"))}; }

Buffer block_bytes(const BlockHeader& header) {
  Buffer bytes(kBlockHeaderSize);
  write_block_header(header, bytes);
  return bytes;
}

Footer some_footer() { return {5000, {3000, 4000}}; }

Buffer footer_bytes(const Footer& footer) {
  Buffer bytes(kFooterSize);
  write_footer(footer, bytes);
  return bytes;
}

// Every flipped bit and every truncation of a structure must be refused.
template <class Parse>
void expect_fragile(const Buffer& whole, const Parse& parse) {
  for (std::size_t keep = 0; keep < whole.size(); ++keep) {
    const Buffer cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(keep));
    EXPECT_EQ(error_of(parse(ByteView(cut))), Errc::corrupt) << keep;
  }
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    Buffer flipped = whole;
    flipped[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    EXPECT_EQ(error_of(parse(ByteView(flipped))), Errc::corrupt) << bit;
  }
}

TEST(Header, RoundTripsAndRefusesEveryFlipAndTruncation) {
  const Buffer bytes = header_bytes();
  ASSERT_OK(parse_header(bytes));
  EXPECT_EQ(parse_header(bytes)->features, 0u);
  expect_fragile(bytes, parse_header);
}

TEST(Header, SaysWhatANewerPackNeeds) {
  Buffer newer = header_bytes();
  forge<std::uint32_t>(newer, 8, 2, 16);
  const auto version = parse_header(newer);
  ASSERT_EQ(error_of(version), Errc::unsupported);
  EXPECT_THAT(version.error().what, testing::HasSubstr("pack format 2"));

  Buffer featured = header_bytes();
  forge<std::uint64_t>(featured, 16, 1 | std::uint64_t{1} << 17, 16);
  const auto features = parse_header(featured);
  ASSERT_EQ(error_of(features), Errc::unsupported);
  EXPECT_THAT(features.error().what, testing::HasSubstr("encryption (bit 0), bit 17"));
}

TEST(Header, RefusesReservedBytes) {
  Buffer bytes = header_bytes();
  forge<std::uint64_t>(bytes, 24, 1, 16);
  EXPECT_EQ(error_of(parse_header(bytes)), Errc::corrupt);
  bytes = header_bytes();
  forge<std::uint32_t>(bytes, 12, 65, 16);
  EXPECT_EQ(error_of(parse_header(bytes)), Errc::corrupt);
}

TEST(MissingFeatures, NamesThemAll) {
  EXPECT_EQ(missing_features(0), "");
  EXPECT_EQ(missing_features(7), "encryption (bit 0), bit 2");
  EXPECT_EQ(missing_features(kFeatureBase), "");
  EXPECT_EQ(missing_features(std::uint64_t{1} << 63), "bit 63");
}

TEST(BlockHeaderTest, RoundTripsAndRefusesEveryFlipAndTruncation) {
  const Buffer bytes = block_bytes(some_block());
  const auto parsed = parse_block_header(bytes);
  ASSERT_OK(parsed);
  EXPECT_EQ(*parsed, some_block());
  expect_fragile(bytes, parse_block_header);
}

TEST(BlockHeaderTest, RefusesFieldsBeyondTheLimits) {
  const auto refused = [](auto change) {
    BlockHeader header = some_block();
    change(header);
    return error_of(parse_block_header(block_bytes(header))) == Errc::corrupt;
  };
  EXPECT_TRUE(refused([](BlockHeader& h) { h.type = static_cast<BlockType>(0); }));
  EXPECT_TRUE(refused([](BlockHeader& h) { h.stored_size = kStoredSizeMax + 1; }));
  EXPECT_TRUE(refused([](BlockHeader& h) { h.raw_size = codec::kRawSizeMax + 1; }));
  EXPECT_TRUE(refused([](BlockHeader& h) { h.offset = kPackSizeMax - 500; }));
  EXPECT_TRUE(refused([](BlockHeader& h) { h.offset = ~std::uint64_t{0}; }));
  EXPECT_TRUE(refused([](BlockHeader& h) { h.type = BlockType::index; }));  // these have no number
  EXPECT_TRUE(refused([](BlockHeader& h) { h.type = BlockType::trailer; }));
  Buffer flagged = block_bytes(some_block());
  forge<std::uint16_t>(flagged, 10, 1, 8);
  EXPECT_EQ(error_of(parse_block_header(flagged)), Errc::corrupt);
}

TEST(BlockHeaderTest, PassesTypesOfLaterVersions) {
  BlockHeader header = some_block();
  header.type = static_cast<BlockType>(4711);
  EXPECT_OK(parse_block_header(block_bytes(header)));
  EXPECT_EQ(block_type_name(header.type), "unknown type");
}

TEST(FindBlockMagic, FindsEveryPlaceInTurn) {
  Buffer bytes = test::random_bytes(50, 3);
  append(bytes, block_bytes(some_block()));
  append(bytes, block_bytes(some_block()));
  EXPECT_EQ(find_block_magic(bytes), 50u);
  EXPECT_EQ(find_block_magic(bytes, 50), 50u);
  EXPECT_EQ(find_block_magic(bytes, 51), 50u + kBlockHeaderSize);
  EXPECT_EQ(find_block_magic(bytes, 51 + kBlockHeaderSize), std::nullopt);
  EXPECT_EQ(find_block_magic(bytes, bytes.size() + 5), std::nullopt);
  EXPECT_EQ(find_block_magic(ByteView(bytes).first(57)), std::nullopt);  // all but the magic's last byte
}

TEST(FooterTest, RoundTripsAndRefusesEveryFlipAndTruncation) {
  const Buffer bytes = footer_bytes(some_footer());
  const auto parsed = parse_footer(bytes);
  ASSERT_OK(parsed);
  EXPECT_EQ(parsed->offset, 5000u);
  EXPECT_EQ(parsed->trailers[0], 3000u);
  EXPECT_EQ(parsed->trailers[1], 4000u);
  expect_fragile(bytes, parse_footer);
}

TEST(FooterTest, RefusesTrailersOutOfOrder) {
  EXPECT_EQ(error_of(parse_footer(footer_bytes({5000, {4000, 3000}}))), Errc::corrupt);
  EXPECT_EQ(error_of(parse_footer(footer_bytes({5000, {3000, 3000}}))), Errc::corrupt);
  EXPECT_EQ(error_of(parse_footer(footer_bytes({5000, {3000, 5000}}))), Errc::corrupt);
  EXPECT_EQ(error_of(parse_footer(footer_bytes({~std::uint64_t{0} - 8, {3000, 4000}}))), Errc::corrupt);
}

}  // namespace
}  // namespace mmh::pack
