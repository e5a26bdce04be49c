#include <filesystem>

#include "cli_support.h"

namespace mmh::cli {
namespace {

using ::testing::HasSubstr;

class ReadTest : public CliTest {
 protected:
  void SetUp() override {
    make_model();
    mmh_ok({"pack", "-q", "--parity", "0", "model"});
  }
  // Flips a bit in the middle of the pack's first block.
  void damage() const {
    std::string pack = read("model.mmh");
    pack[5000] = static_cast<char>(pack[5000] ^ 1);
    write("model.mmh", pack);
  }
};

TEST_F(ReadTest, CatWritesFilesOneAfterAnother) {
  EXPECT_EQ(mmh_ok({"cat", "model.mmh", "model/weights.bin"}), read("model/weights.bin"));
  EXPECT_EQ(mmh_ok({"cat", "model.mmh", "model/config.json", "./model/config.json"}),
            read("model/config.json") + read("model/config.json"));
}

TEST_F(ReadTest, CatWritesAPart) {
  const std::string whole = read("model/notes/copy.txt");
  EXPECT_EQ(mmh_ok({"cat", "--offset", "10K", "--length", "100", "model.mmh", "model/notes/copy.txt"}),
            whole.substr(10240, 100));
  EXPECT_EQ(mmh_ok({"cat", "--offset=29990", "model.mmh", "model/notes/copy.txt"}), whole.substr(29990));
  EXPECT_EQ(mmh_ok({"cat", "--offset=1G", "model.mmh", "model/notes/copy.txt"}), "");
  EXPECT_EQ(mmh_ok({"cat", "--length=0", "model.mmh", "model/notes/copy.txt"}), "");
}

TEST_F(ReadTest, CatTellsWhatItCannotWrite) {
  EXPECT_EQ(status_of(mmh({"cat", "model.mmh"})), Status::usage);
  EXPECT_EQ(status_of(mmh({"cat", "model.mmh", "model"})), Status::usage);
  const auto result = mmh({"cat", "model.mmh", "model/nope"});
  EXPECT_EQ(status_of(result), Status::not_found);
  EXPECT_THAT(result.err, HasSubstr("model/nope"));
}

TEST_F(ReadTest, VerifyOfASoundPack) {
  EXPECT_THAT(mmh_ok({"verify", "model.mmh"}), HasSubstr("model.mmh: sound: "));
  EXPECT_THAT(mmh_ok({"verify", "--deep", "model.mmh"}), HasSubstr(" 4 files decoded"));
  const auto summary = line_of_type(mmh_ok({"verify", "--json", "--deep", "model.mmh"}), "summary");
  EXPECT_EQ(summary["sound"], true);
  EXPECT_EQ(summary["files"], 4);
}

TEST_F(ReadTest, VerifyNamesThePlaceAndTheFilesOfDamage) {
  damage();
  const auto result = mmh({"verify", "model.mmh"});
  EXPECT_EQ(status_of(result), Status::damage);
  EXPECT_THAT(result.out, HasSubstr("model.mmh: bytes "));
  EXPECT_THAT(result.out, HasSubstr("model.mmh: damaged: model/"));
  EXPECT_THAT(result.out, HasSubstr("model.mmh: DAMAGED: 1 place"));
  const auto json = mmh({"verify", "--json", "model.mmh"});
  EXPECT_EQ(status_of(json), Status::damage);
  EXPECT_EQ(line_of_type(json.out, "summary")["sound"], false);
  EXPECT_TRUE(line_of_type(json.out, "damage").contains("offset"));
  EXPECT_TRUE(line_of_type(json.out, "damaged_file").contains("path"));
}

TEST_F(ReadTest, VerifyGoesThroughAllPacksAndReportsTheWorst) {
  std::filesystem::copy_file(path("model.mmh"), path("good.mmh"));
  damage();
  const auto result = mmh({"verify", "missing.mmh", "model.mmh", "good.mmh"});
  EXPECT_EQ(status_of(result), Status::damage);
  EXPECT_THAT(result.err, HasSubstr("missing.mmh"));
  EXPECT_THAT(result.out, HasSubstr("good.mmh: sound"));
  EXPECT_EQ(status_of(mmh({"verify", "missing.mmh", "good.mmh"})), Status::not_found);
}

TEST_F(ReadTest, InfoGivesManySmallFilesTheirShareOfABlock) {
  for (int i = 0; i < 300; ++i) write("small/" + std::to_string(i) + ".txt", std::to_string(i));
  mmh_ok({"pack", "-q", "small"});
  const auto info = line_of_type(mmh_ok({"info", "--json", "small.mmh"}), "info");
  ASSERT_EQ(info["types"].size(), 1U);
  EXPECT_EQ(info["types"][0]["stored_bytes"], info["data_stored_bytes"]);
}

TEST_F(ReadTest, InfoShowsRootSizesCodecsAndTypes) {
  const std::string text = mmh_ok({"info", "model.mmh"});
  const auto info = line_of_type(mmh_ok({"info", "--json", "model.mmh"}), "info");
  EXPECT_THAT(text, HasSubstr(info["root"].get<std::string>()));
  EXPECT_THAT(text, HasSubstr("4 files, 2 directories, 1 symlink"));
  EXPECT_THAT(text, HasSubstr(".txt"));
  EXPECT_THAT(text, HasSubstr("stored"));
  EXPECT_EQ(info["files"], 4);
  EXPECT_EQ(info["content_bytes"], 80'014);
  EXPECT_EQ(info["pack_bytes"], std::filesystem::file_size(path("model.mmh")));
  EXPECT_EQ(info["types"][0]["name"], ".txt");
  EXPECT_FALSE(info["codecs"].empty());
}

TEST_F(ReadTest, InfoShowsThePrograms) {
  EXPECT_THAT(mmh_ok({"info", "--graph", "model.mmh"}), HasSubstr("program"));
  const auto all = line_of_type(mmh_ok({"info", "--graph", "--json", "model.mmh"}), "graph");
  const auto one = line_of_type(mmh_ok({"info", "--graph", "--json", "model.mmh", "model/config.json"}), "graph");
  EXPECT_FALSE(all["programs"].empty());
  ASSERT_EQ(one["programs"].size(), 1U);
  EXPECT_EQ(one["programs"][0]["blocks"], 1);
  EXPECT_EQ(one["path"], "model/config.json");
  EXPECT_EQ(status_of(mmh({"info", "--graph"})), Status::usage);
  EXPECT_EQ(status_of(mmh({"info", "--graph", "model.mmh", "model/none"})), Status::not_found);
}

TEST_F(ReadTest, WhatIsNoPackIsNamed) {
  write("text.mmh",
        "this is not a pack, though it is called one; it is long enough to hold a header and a footer, and "
        "to be looked at from both ends, so that nothing but its bytes tells that it is no pack at all.");
  for (const std::string command : {"list", "info", "verify", "unpack"}) {
    const auto result = mmh({command, "text.mmh"});
    EXPECT_EQ(status_of(result), Status::damage) << command;
    EXPECT_THAT(result.err, HasSubstr("text.mmh")) << command;
  }
}

}  // namespace
}  // namespace mmh::cli
