#include "mmh/pack/verify.h"

#include "mmh/codec/frame.h"
#include "pack/pack_support.h"

namespace mmh::pack {
namespace {

using test::error_of;
using test::open_bytes;
using test::PackMaker;
using test::Sample;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

VerifyReport verified(const Reader& reader, bool deep, unsigned threads = 1) {
  TaskPool pool(threads);
  std::uint64_t last = 0;
  const auto progress = [&](std::uint64_t done, std::uint64_t total) {
    EXPECT_LE(last, done);
    EXPECT_LE(done, total);
    last = done;
  };
  const auto report = verify(reader, pool, deep, progress, nullptr);
  EXPECT_OK(report);
  EXPECT_EQ(last, report->bytes_checked);
  EXPECT_EQ(report->damage.size(), std::min<std::uint64_t>(report->damage_count, kDamageListMax));
  return *report;
}

VerifyReport verified(ByteView bytes, bool deep, unsigned threads = 1) {
  const auto reader = open_bytes(bytes);
  EXPECT_OK(reader);
  return verified(**reader, deep, threads);
}

std::string described(const VerifyReport& report) {
  std::string text;
  for (const Damage& damage : report.damage) text += damage.what + "; ";
  for (const std::string& path : report.files_damaged) text += path + "; ";
  return text;
}

void flip(Buffer& bytes, std::uint64_t at, unsigned bit = 6) { bytes[at] ^= static_cast<std::byte>(1u << bit); }

TEST(Verify, FindsASoundPackSound) {
  for (const Sample& sample : {test::sample_pack(), test::sample_pack_appended()}) {
    for (const bool deep : {false, true}) {
      for (const unsigned threads : {1u, 3u}) {
        const VerifyReport report = verified(sample.bytes, deep, threads);
        EXPECT_TRUE(report.sound()) << described(report);
        EXPECT_EQ(report.bytes_checked, sample.bytes.size());
        EXPECT_EQ(report.trailing_bytes, 0u);
        std::size_t with_content = 0;
        for (const auto& [path, content] : sample.contents) with_content += content.empty() ? 0u : 1u;
        EXPECT_EQ(report.files_checked, deep ? with_content : 0);
      }
    }
  }
}

// The promise: every damaged byte is found, nothing crashes, no wrong byte comes out.
void sweep_flips(const Sample& sample) {
  for (std::size_t at = 0; at < sample.bytes.size(); ++at) {
    Buffer bytes = sample.bytes;
    flip(bytes, at, at % 8);
    const auto reader = open_bytes(bytes);
    if (!reader) {
      ADD_FAILURE() << "one byte at " << at << " keeps the pack from opening: " << reader.error().what;
      continue;
    }
    const auto unreadable = test::read_all(**reader, sample);
    const VerifyReport shallow = verified(**reader, false);
    EXPECT_FALSE(shallow.sound()) << at;
    const VerifyReport deep = verified(**reader, true);
    EXPECT_FALSE(deep.sound()) << at;
    EXPECT_EQ(shallow.damage_count, deep.damage_count) << at << ": " << described(shallow) << " | " << described(deep);
    for (const VerifyReport& report : {shallow, deep}) {
      bool covered = false;
      for (const Damage& damage : report.damage) covered |= at >= damage.offset && at < damage.offset + damage.length;
      EXPECT_TRUE(covered) << at << ": " << described(report);
      for (const std::string& path : unreadable) {
        if (report.files_damaged_count == report.files_damaged.size()) {
          EXPECT_THAT(report.files_damaged, testing::Contains(path)) << at;
        }
      }
    }
  }
}

TEST(Verify, FindsEveryDamagedByte) { sweep_flips(test::sample_pack()); }
TEST(Verify, FindsEveryDamagedByteOfAnAppendedPack) { sweep_flips(test::sample_pack_appended()); }

TEST(Verify, FindsEveryTruncation) {
  const Sample sample = test::sample_pack();
  std::size_t opened = 0;
  for (std::size_t size = 0; size < sample.bytes.size(); ++size) {
    const Buffer cut(sample.bytes.begin(), sample.bytes.begin() + static_cast<std::ptrdiff_t>(size));
    const auto reader = open_bytes(cut);
    if (!reader) {
      EXPECT_EQ(error_of(reader), Errc::corrupt);
      continue;
    }
    ++opened;
    EXPECT_TRUE(test::read_all(**reader, sample).empty());
    EXPECT_FALSE(verified(**reader, false).sound()) << size;
  }
  EXPECT_GT(opened, kFooterSize);
}

TEST(Verify, TakesAKilledAppendForWhatItIs) {
  const Sample old = test::sample_pack();
  const Sample sample = test::sample_pack_appended();
  const auto whole = open_bytes(sample.bytes);
  ASSERT_OK(whole);
  for (std::uint64_t size = old.bytes.size(); size < sample.bytes.size(); ++size) {
    const auto reader = open_bytes(ByteView(sample.bytes).first(size));
    ASSERT_OK(reader);
    const VerifyReport report = verified(**reader, false);
    if ((*reader)->trailer().generation == 0) {
      EXPECT_TRUE(report.sound()) << size << ": " << described(report);
      EXPECT_EQ(report.trailing_bytes, size - old.bytes.size());
    } else {
      EXPECT_FALSE(report.sound()) << size;  // the footer is not there
    }
  }
}

TEST(Verify, ReportsBytesBehindTheEndThatAreNoAppend) {
  const Sample sample = test::sample_pack();
  for (const std::size_t size : {1u, 64u, 88u, 1000u}) {
    Buffer bytes = sample.bytes;
    append(bytes, test::random_bytes(size, size));
    const auto reader = open_bytes(bytes);
    ASSERT_OK(reader);
    EXPECT_THAT((*reader)->warning(), HasSubstr("behind the end"));
    EXPECT_TRUE(test::read_all(**reader, sample).empty());
    const VerifyReport report = verified(**reader, false);
    ASSERT_EQ(report.damage.size(), 1u);
    EXPECT_EQ(report.damage[0].offset, sample.bytes.size());
    EXPECT_EQ(report.damage[0].length, size);
    EXPECT_TRUE(report.files_damaged.empty());
  }
}

// The whole newest generation is there but for its trailers: what opens is the old one, and that is damage.
TEST(Verify, ReportsAGenerationWhoseTrailersAreLost) {
  Sample sample = test::sample_pack_appended();
  const auto whole = open_bytes(sample.bytes);
  ASSERT_OK(whole);
  const std::uint64_t first = (*whole)->trailer_offset();
  flip(sample.bytes, first + 100);
  flip(sample.bytes, sample.bytes.size() - kFooterSize - 1);
  const auto reader = open_bytes(sample.bytes);
  ASSERT_OK(reader);
  EXPECT_EQ((*reader)->trailer().generation, 0u);
  EXPECT_FALSE((*reader)->warning().empty());
  EXPECT_FALSE(verified(**reader, false).sound());
}

TEST(Verify, NamesDamagedBlocksAndTheirFiles) {
  for (const bool deep : {false, true}) {
    Sample sample = test::sample_pack();
    flip(sample.bytes, kHeaderSize + kBlockHeaderSize + 5);  // block 0
    const VerifyReport report = verified(sample.bytes, deep);
    ASSERT_EQ(report.damage.size(), 1u) << described(report);
    EXPECT_EQ(report.damage[0].what, "block 0 (data): stored bytes do not match their hash");
    EXPECT_EQ(report.damage[0].offset, kHeaderSize);
    EXPECT_EQ(report.damage[0].length, kBlockHeaderSize + 301);
    if (deep) {
      EXPECT_THAT(report.files_damaged, ElementsAre("d/a.txt", "d/across", "d/shuffled"));
    } else {
      EXPECT_THAT(report.files_damaged, ElementsAre("d/a.txt", "d/across", "d/other name", "d/shuffled"));
    }
  }
}

TEST(Verify, KnowsADamagedHeaderFromDamagedContent) {
  Sample sample = test::sample_pack();
  flip(sample.bytes, kHeaderSize + 20);
  for (const bool deep : {false, true}) {
    const VerifyReport report = verified(sample.bytes, deep);
    ASSERT_EQ(report.damage.size(), 1u) << described(report);
    EXPECT_THAT(report.damage[0].what, HasSubstr("block 0 (data): its header is damaged"));
    EXPECT_EQ(report.damage[0].length, kBlockHeaderSize);
    EXPECT_THAT(report.files_damaged, IsEmpty());
  }
}

TEST(Verify, GoesOnBehindLongStretchesOfDamage) {
  Sample sample = test::sample_pack();
  // From within block 0 to within block 1.
  for (std::size_t at = kHeaderSize + 200; at < kHeaderSize + 600; ++at) sample.bytes[at] = std::byte{0};
  const VerifyReport report = verified(sample.bytes, false);
  ASSERT_EQ(report.damage.size(), 2u) << described(report);
  EXPECT_THAT(report.damage[0].what, HasSubstr("block 0 (data): stored bytes"));
  EXPECT_THAT(report.damage[1].what, HasSubstr("block 1 (data): header and stored bytes"));
  EXPECT_EQ(report.files_damaged_count, 5u);
}

TEST(Verify, CountsTheEntriesOfALostManifestPage) {
  PackMaker maker;
  const std::uint64_t block = maker.add_block(as_bytes("content"));
  for (int i = 0; i < 3000; ++i) {
    maker.add(test::make_file(std::to_string(10'000 + i), as_bytes("content"), {{block, 0, 7}}));
  }
  maker.finish();
  Buffer bytes = maker.bytes();
  const auto whole = open_bytes(bytes);
  ASSERT_OK(whole);
  const auto leaf = (*whole)->block_info(3);
  ASSERT_OK(leaf);
  ASSERT_EQ(leaf->type, BlockType::manifest);
  flip(bytes, leaf->offset + kBlockHeaderSize + 200);
  const VerifyReport report = verified(bytes, false);
  EXPECT_EQ(report.damage_count, 2u) << described(report);
  EXPECT_THAT(described(report),
              AllOf(HasSubstr("block 3 (manifest page): stored bytes"), HasSubstr("cannot be listed")));
  EXPECT_GT(report.files_damaged_count, 15u);
  EXPECT_LE(report.files_damaged_count, 512u);
}

TEST(Verify, DeepFindsContentThatIsNotWhatItsHashSays) {
  const Buffer content = test::text_bytes(100, 1);
  const auto wrong = [](FileRecord record) {
    record.hash.bytes[31] ^= std::byte{1};
    return record;
  };
  PackMaker maker;
  const std::uint64_t one = maker.add_block(content);
  const std::uint64_t two = maker.add_block(content);
  Buffer twice = content;
  append(twice, content);
  maker.add(wrong(test::make_file("one block", content, {{one, 0, 100}})));
  maker.add(wrong(test::make_file("two blocks", twice, {{one, 0, 100}, {two, 0, 100}})));
  maker.add(wrong(test::make_file("backwards", twice, {{two, 0, 100}, {one, 0, 100}})));
  maker.add(wrong(test::make_file("hole", Buffer(100, std::byte{0}), {{Extent::kHole, 0, 100}})));
  maker.add(test::make_file("right", twice, {{two, 0, 100}, {one, 0, 100}}));
  maker.finish();
  EXPECT_TRUE(verified(maker.bytes(), false).sound());
  for (const unsigned threads : {1u, 4u}) {
    const VerifyReport report = verified(maker.bytes(), true, threads);
    EXPECT_EQ(report.damage_count, 0u);
    EXPECT_THAT(report.files_damaged, ElementsAre("backwards", "hole", "one block", "two blocks"));
    EXPECT_EQ(report.files_checked, 5u);
  }
}

TEST(Verify, DeepFindsFramesThatDoNotDecode) {
  PackMaker maker;
  Buffer frame = *codec::encode_frame(test::no_codecs(), codec::Plan{}, test::text_bytes(50, 1));
  frame.pop_back();  // whole as stored bytes, but one byte short as a frame
  const std::uint64_t block = maker.add_frame(frame, 50);
  maker.add(test::make_file("f", test::text_bytes(50, 1), {{block, 0, 50}}));
  maker.finish();
  EXPECT_TRUE(verified(maker.bytes(), false).sound());
  const VerifyReport report = verified(maker.bytes(), true);
  EXPECT_THAT(described(report), HasSubstr("block 0 (data): cannot be decoded"));
  EXPECT_THAT(report.files_damaged, ElementsAre("f"));
}

TEST(Verify, DeepHashesLargeFilesInEveryArrangement) {
  test::Random random(4);
  PackMaker maker;
  std::vector<Buffer> blocks;
  for (int i = 0; i < 12; ++i) {
    blocks.push_back(test::random_bytes(1 << 20, static_cast<std::uint64_t>(i)));
    maker.add_block(blocks.back());
  }
  Sample sample;
  for (int file = 0; file < 6; ++file) {
    std::vector<Extent> extents;
    Buffer content;
    for (std::uint64_t i = 0; i < 14; ++i) {
      const std::uint64_t block = file % 2 == 0 ? std::min<std::uint64_t>(i, 11) : random.below(12);
      const std::uint64_t offset = random.below(1000);
      const std::uint64_t length = random.below((1 << 20) - 1000) + 1;
      extents.push_back({block, offset, length});
      append(content, ByteView(blocks[block]).subspan(offset, length));
      if (file > 3) {
        extents.push_back({Extent::kHole, 0, 100'000});
        content.resize(content.size() + 100'000, std::byte{0});
      }
    }
    FileRecord record = test::make_file("file" + std::to_string(file), content, extents);
    if (file % 3 == 0) {
      record.extents.clear();
      record.lists = {{0, maker.add_block(write_extent_list(extents), BlockType::extents)}};
    }
    maker.add(std::move(record));
  }
  maker.finish();
  for (const unsigned threads : {1u, 3u}) {
    const VerifyReport report = verified(maker.bytes(), true, threads);
    EXPECT_TRUE(report.sound()) << described(report);
    EXPECT_EQ(report.files_checked, 6u);
  }
}

// Payloads of every size around the pieces in which large blocks are hashed.
TEST(Verify, HashesBlocksOfEverySize) {
  constexpr std::size_t kPiece = 256 << 10, kTask = 4 << 20;
  PackMaker maker;
  for (const std::size_t size : {std::size_t{1}, kPiece - 1, kPiece, kPiece + 1, kTask - 1, kTask, kTask + 1,
                                 kTask + kPiece, 2 * kTask, 2 * kTask + 3 * kPiece + 7}) {
    const Buffer frame = test::random_bytes(size, size);
    maker.add_frame(frame, 1);
  }
  maker.finish();
  EXPECT_TRUE(verified(maker.bytes(), false, 2).sound());
  Buffer damaged = maker.bytes();
  flip(damaged, damaged.size() / 2);
  EXPECT_EQ(verified(damaged, false, 2).damage_count, 1u);
}

TEST(Verify, ReportsContradictionsOfTheManifest) {
  const Buffer content = test::text_bytes(100, 1);
  PackMaker maker;
  const std::uint64_t block = maker.add_block(content);
  maker.add(test::make_file("behind", content, {{block, 1, 100}}));
  maker.add(test::make_file("nowhere", content, {{4711, 0, 100}}));
  maker.add(test::make_hard_link("to nothing", "absent"));
  maker.add(test::make_hard_link("to directory", "dir"));
  maker.add(test::make_directory("dir"));
  FileRecord empty = test::make_file("empty", {});
  empty.hash = {};
  maker.add(empty);
  maker.finish();
  const VerifyReport report = verified(maker.bytes(), false);
  EXPECT_THAT(report.files_damaged, ElementsAre("behind", "empty", "nowhere", "to directory", "to nothing"));
  EXPECT_EQ(report.damage_count, 5u) << described(report);
}

TEST(Verify, ReportsAnIndexThatPointsAtTheWrongPlace) {
  // Block 1's entry is forged to name a block inside block 0's payload.
  test::MemorySink sink;
  auto writer = PackFileWriter::create(sink);
  ASSERT_OK(writer);
  const Buffer frame = test::random_bytes(500, 1);
  ASSERT_OK((*writer)->add_block(BlockType::data, frame, 499, test::digest_of(frame)));
  Trailer old;
  old.block_count = 1;
  old.index.resize(1);
  const std::vector<BlockInfo> forged = {
      {BlockType::data, kHeaderSize + 100, 50, 49, test::digest_of(ByteView(frame).subspan(100, 50))}};
  const auto resumed = PackFileWriter::resume(sink, sink.bytes.size(), old, 1, forged);
  ManifestBuilder builder([&](ByteView raw) -> Result<std::uint64_t> {
    MMH_LET(const Buffer page, codec::encode_frame(test::no_codecs(), codec::Plan{}, raw));
    return resumed->add_block(BlockType::manifest, page, raw.size(), test::digest_of(page));
  });
  Trailer trailer;
  trailer.top = *builder.finish();
  trailer.root = manifest_root(trailer.top);
  ASSERT_OK(resumed->finish(trailer));
  const VerifyReport report = verified(sink.bytes, false);
  EXPECT_THAT(described(report), AllOf(HasSubstr("begins inside another block"), HasSubstr("does not list it")));
}

TEST(Verify, BoundsItsLists) {
  PackMaker maker;
  for (int i = 0; i < 1500; ++i) {
    maker.add(test::make_file(std::to_string(i), as_bytes("x"), {{99'999, 0, 1}}));
  }
  maker.finish();
  const VerifyReport report = verified(maker.bytes(), false);
  EXPECT_EQ(report.damage_count, 1500u);
  EXPECT_EQ(report.files_damaged_count, 1500u);
  EXPECT_EQ(report.damage.size(), kDamageListMax);
  EXPECT_EQ(report.files_damaged.size(), kDamageListMax);
}

TEST(Verify, StopsWhenCancelled) {
  const Sample sample = test::sample_pack();
  const auto reader = open_bytes(sample.bytes);
  ASSERT_OK(reader);
  TaskPool pool(2);
  CancelFlag cancel;
  cancel.set();
  EXPECT_EQ(error_of(verify(**reader, pool, true, {}, &cancel)), Errc::cancelled);
}

// Stretches of the file that cannot be read are damage like any other.
class BadSectorSource : public RandomAccessSource {
 public:
  BadSectorSource(ByteView bytes, std::uint64_t bad) : inner_(memory_source(bytes, "x.mmh")), bad_(bad) {}
  std::uint64_t size() const override { return inner_->size(); }
  const std::string& name() const override { return inner_->name(); }
  Result<> read_at(std::uint64_t offset, Bytes out) const override {
    if (bad_ >= offset && bad_ < offset + out.size()) return fail(Errc::io, "x.mmh: Input/output error");
    return inner_->read_at(offset, out);
  }

 private:
  std::unique_ptr<RandomAccessSource> inner_;
  std::uint64_t bad_;
};

TEST(Verify, ReportsWhatCannotBeRead) {
  const Sample sample = test::sample_pack();
  for (const bool deep : {false, true}) {
    const auto reader = Reader::open(
        std::make_unique<BadSectorSource>(sample.bytes, kHeaderSize + kBlockHeaderSize + 7), test::no_codecs());
    ASSERT_OK(reader);
    const VerifyReport report = verified(**reader, deep);
    EXPECT_EQ(report.damage_count, 1u) << described(report);
    EXPECT_THAT(described(report), HasSubstr("Input/output error"));
    EXPECT_THAT(report.files_damaged, testing::Contains("d/a.txt"));
  }
}

TEST(Verify, DeliversTheRestWhereverASectorIsBad) {
  const Sample sample = test::sample_pack();
  const auto whole = open_bytes(sample.bytes);
  ASSERT_OK(whole);
  const std::uint64_t trailer = (*whole)->trailer_offset();
  for (std::uint64_t bad = 0; bad < sample.bytes.size(); bad += 5) {
    const auto reader = Reader::open(std::make_unique<BadSectorSource>(sample.bytes, bad), test::no_codecs());
    if (!reader) {  // both copies of so small a trailer may lie in the sector
      EXPECT_EQ(error_of(reader), Errc::io);
      EXPECT_GT(bad, trailer);
      continue;
    }
    test::read_all(**reader, sample);
    EXPECT_FALSE(verified(**reader, true).sound()) << bad;
  }
}

}  // namespace
}  // namespace mmh::pack
