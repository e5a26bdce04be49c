#include <filesystem>

#include "cli_support.h"

namespace mmh::cli {
namespace {

using ::testing::HasSubstr;

class ListTest : public CliTest {
 protected:
  void SetUp() override {
    make_model();
    std::filesystem::permissions(path("model/weights.bin"), std::filesystem::perms(0640));
    mmh_ok({"pack", "-q", "model"});
  }
};

TEST_F(ListTest, TakesPathsAndGlobs) {
  EXPECT_EQ(mmh_ok({"list", "model.mmh", "model/notes"}),
            "model/notes\nmodel/notes/copy.txt\nmodel/notes/read me.txt\n");
  EXPECT_EQ(mmh_ok({"list", "model.mmh", "./model/notes/"}), mmh_ok({"list", "model.mmh", "/model/notes"}));
  EXPECT_EQ(mmh_ok({"list", "model.mmh", "*.json"}), "model/config.json\n");
  EXPECT_EQ(mmh_ok({"list", "model.mmh", "*.json", "model/notes/c*"}), "model/config.json\nmodel/notes/copy.txt\n");
  EXPECT_EQ(mmh_ok({"list", "model.mmh", "model/notes", "model/notes/copy.txt"}),
            "model/notes\nmodel/notes/copy.txt\nmodel/notes/read me.txt\n")
      << "each entry once";
}

TEST_F(ListTest, WhatIsNotThereIsAnError) {
  for (const std::string name : {"model/nope", "*.nope"}) {
    const auto result = mmh({"list", "model.mmh", "*.json", name});
    EXPECT_EQ(status_of(result), Status::not_found);
    EXPECT_THAT(result.err, HasSubstr(name));
    EXPECT_EQ(result.out, "");
  }
}

TEST_F(ListTest, LongShowsModeOwnerSizeAndTime) {
  const std::string text = mmh_ok({"list", "-l", "--numeric-owner", "model.mmh"});
  EXPECT_THAT(text, HasSubstr("drwx"));
  EXPECT_THAT(text, HasSubstr("-rw-r----- "));
  EXPECT_THAT(text, HasSubstr(" 20000 2"));
  EXPECT_THAT(text, HasSubstr(" model/link -> config.json\n"));
  EXPECT_THAT(text, HasSubstr(" model/notes/\n"));
  EXPECT_THAT(mmh_ok({"list", "-lH", "model.mmh"}), HasSubstr("19.5 KiB"));
}

TEST_F(ListTest, HashesAreThoseOfB3sum) {
  write("empty", "");
  mmh_ok({"pack", "-q", "empty"});
  EXPECT_EQ(mmh_ok({"list", "--hash", "empty.mmh"}),
            "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262  empty\n");
}

TEST_F(ListTest, JsonHasOneEntryALine) {
  const auto lines = json_lines(mmh_ok({"list", "--json", "model.mmh"}));
  ASSERT_EQ(lines.size(), 7U);
  EXPECT_EQ(lines[1]["path"], "model/config.json");
  EXPECT_EQ(lines[1]["size"], 14);
  EXPECT_EQ(lines[1]["hash"].get<std::string>().size(), 64U);
  EXPECT_EQ(lines[2]["link"], "config.json");
  EXPECT_EQ(lines[6]["mode"], "0640");
  EXPECT_THAT(lines[0]["mtime"].get<std::string>(), ::testing::ContainsRegex("^20[0-9-]+T[0-9:.]+Z$"));
}

TEST_F(ListTest, NamesThatAreNotUtf8AreExactInJson) {
  write("odd/a\xff", "x");
  mmh_ok({"pack", "-q", "odd"});
  const auto entry = json_lines(mmh_ok({"list", "--json", "odd.mmh"})).at(1);
  EXPECT_EQ(entry["path"], "odd/a\xEF\xBF\xBD");
  EXPECT_EQ(entry["path_hex"], "6f64642f61ff");
  EXPECT_EQ(mmh_ok({"list", "odd.mmh"}), "odd\nodd/a\xff\n");
}

}  // namespace
}  // namespace mmh::cli
