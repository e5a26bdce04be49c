// Lost blocks that come back from copies and from what was packed.

#include <filesystem>

#include "api/support.h"
#include "mmh/damage.h"
#include "support/trees.h"

namespace mmh::test {
namespace {

namespace fs = std::filesystem;

class RefillTest : public testing::TestWithParam<std::uint32_t> {
 protected:
  void SetUp() override {
    fs::create_directories(temp_ / "in/sub");
    for (unsigned i = 0; i < 8; ++i) {
      write_file(temp_ / ("in/text" + std::to_string(i)), text_bytes(40'000, i));
      write_file(temp_ / ("in/sub/noise" + std::to_string(i)), random_bytes(30'000, 100 + i));
    }
    PackOptions options = pack_options(temp_ / ".");
    options.parity_ppm = GetParam();
    options.block_size = 16 << 10;
    ASSERT_OK(create_pack({"in"}, path_, options));
    whole_ = read_file(path_);
  }

  // Overwrites many data blocks, more than parity bears.
  void lose_blocks(std::uint64_t first = 3, std::uint64_t last = 16) const {
    DamageOptions damage;
    damage.kind = DamageKind::overwrite;
    for (std::uint64_t number = first; number < last; ++number) damage.at.push_back({"data", number, 0, std::nullopt});
    ASSERT_OK(damage_file(path_, damage));
  }

  static RepairOptions from(std::vector<std::string> paths) {
    RepairOptions options;
    options.from = std::move(paths);
    return options;
  }

  TempDir temp_;
  const std::string path_ = temp_ / "t.mmh";
  Buffer whole_;
};

TEST_P(RefillTest, OriginalsBringBackEveryByte) {
  lose_blocks();
  ASSERT_FALSE(repair_pack(path_, {}).has_value());
  const auto summary = repair_pack(path_, from({temp_ / "in"}));
  ASSERT_OK(summary);
  EXPECT_EQ(summary->refilled_blocks, 13u);
  EXPECT_FALSE(summary->anew);
  EXPECT_TRUE(read_file(path_) == whole_);
}

TEST_P(RefillTest, NamesOfOriginalsDoNotMatter) {
  lose_blocks();
  fs::create_directories(temp_ / "elsewhere/deep");
  std::vector<std::string> files;
  unsigned number = 0;
  for (const auto& file : fs::recursive_directory_iterator(temp_ / "in")) {
    if (!file.is_regular_file()) continue;
    const std::string name = "f" + std::to_string(++number);
    if (number % 2 == 0) files.push_back(temp_ / name);
    fs::rename(file.path(), number % 2 == 0 ? temp_ / name : temp_ / ("elsewhere/deep/" + name));
  }
  files.push_back(temp_ / "elsewhere");
  ASSERT_OK(repair_pack(path_, from(files)));
  EXPECT_TRUE(read_file(path_) == whole_);
}

TEST_P(RefillTest, ChangedOriginalsAreNotTakenAndTheirFilesAreNamed) {
  lose_blocks(0, 40);
  const Buffer bad = read_file(path_);
  write_file(temp_ / "in/text3", text_bytes(40'000, 77));
  const auto summary = repair_pack(path_, from({temp_ / "in"}));
  ASSERT_EQ(error_of(summary), Errc::corrupt);
  EXPECT_THAT(summary.error().what, testing::HasSubstr("in/text3"));
  EXPECT_THAT(summary.error().what, testing::Not(testing::HasSubstr("in/text2")));
  EXPECT_TRUE(read_file(path_) == bad);
}

TEST_P(RefillTest, CopiesAndOriginalsTogetherSuffice) {
  fs::copy_file(path_, temp_ / "copy.mmh");
  lose_blocks();
  DamageOptions damage;
  damage.kind = DamageKind::zero;
  damage.at.push_back({"data", 5, 0, std::nullopt});
  damage.at.push_back({"data", 6, 0, std::nullopt});
  damage.at.push_back({"data", 7, 0, std::nullopt});
  damage.at.push_back({"data", 8, 0, std::nullopt});
  ASSERT_OK(damage_file(temp_ / "copy.mmh", damage));
  ASSERT_OK(repair_pack(path_, from({temp_ / "in", temp_ / "copy.mmh"})));
  EXPECT_TRUE(read_file(path_) == whole_);
}

TEST_P(RefillTest, WritesANewPackOfTheSameRootWhereTheBytesCannotBeMadeAgain) {
  // The trailer says another level than that of the blocks it took over.
  PackOptions options = pack_options(temp_ / ".");
  options.level = 2;
  write_file(temp_ / "in/later", text_bytes(50'000, 50));
  ASSERT_OK(append_to_pack(path_, {"in"}, options));
  const auto before = Pack::open(path_);
  ASSERT_OK(before);
  const Hash root = before->info().root;
  lose_blocks(0, 20);
  const Buffer bad = read_file(path_);
  EXPECT_EQ(error_of(repair_pack(path_, from({temp_ / "in"}))), Errc::unsupported);
  EXPECT_TRUE(read_file(path_) == bad);
  RepairOptions repair = from({temp_ / "in"});
  repair.output = temp_ / "new.mmh";
  const auto summary = repair_pack(path_, repair);
  ASSERT_OK(summary);
  EXPECT_TRUE(summary->anew);
  EXPECT_EQ(summary->root, root);
  EXPECT_TRUE(read_file(path_) == bad);
  const auto pack = Pack::open(repair.output);
  ASSERT_OK(pack);
  EXPECT_EQ(pack->info().root, root);
  EXPECT_EQ(pack->info().parity.loss_ppm, GetParam());
  EXPECT_TRUE(pack->verify(true, {})->sound);
  unpack_all(repair.output, temp_ / "out");
  for (const char* name : {"in/text3", "in/sub/noise2", "in/later"}) {
    EXPECT_TRUE(read_file(temp_ / ("out/" + std::string(name))) == read_file(temp_ / name)) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutParity, RefillTest, testing::Values(0u, 20'000u));

}  // namespace
}  // namespace mmh::test
