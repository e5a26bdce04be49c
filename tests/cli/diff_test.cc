#include <filesystem>

#include "cli_support.h"

namespace mmh::cli {
namespace {

using ::testing::HasSubstr;

class DiffTest : public CliTest {
 protected:
  void SetUp() override {
    make_model();
    mmh_ok({"pack", "-q", "model", "-o", "a.mmh"});
  }
  // One change of each kind. Times of directories change with their names, so the letters of files alone are looked at.
  void change() const {
    write("model/config.json", "{\"layers\": 3}\n");
    write("model/added", "new");
    std::filesystem::remove(path("model/weights.bin"));
    std::filesystem::permissions(path("model/notes/copy.txt"), std::filesystem::perms(0600));
    std::filesystem::remove(path("model/link"));
    write("model/link", "no link any more");
  }
  static void expect_changes(const std::string& text) {
    for (const std::string_view line : {"M model/config.json\n", "A model/added\n", "D model/weights.bin\n",
                                        "m model/notes/copy.txt\n", "T model/link\n"}) {
      EXPECT_THAT(text, HasSubstr(line));
    }
    EXPECT_THAT(text, ::testing::Not(HasSubstr("read me.txt")));
  }
};

TEST_F(DiffTest, EqualPacksAndTreesAreSilent) {
  mmh_ok({"pack", "-q", "-9", "model", "-o", "b.mmh"});
  EXPECT_EQ(mmh_ok({"diff", "a.mmh", "b.mmh"}), "");
  EXPECT_EQ(mmh_ok({"diff", "a.mmh", "model"}), "");
  EXPECT_EQ(mmh_ok({"diff", "a.mmh", path("model") + "/../model"}), "");
}

TEST_F(DiffTest, LettersTellWhatChangedBetweenPacks) {
  change();
  mmh_ok({"pack", "-q", "model", "-o", "b.mmh"});
  const auto result = mmh({"diff", "a.mmh", "b.mmh"});
  EXPECT_EQ(status_of(result), Status::warnings);
  EXPECT_EQ(result.err, "");
  expect_changes(result.out);
}

TEST_F(DiffTest, LettersTellWhatChangedOnDisk) {
  change();
  const auto result = mmh({"diff", "a.mmh", "model"});
  EXPECT_EQ(status_of(result), Status::warnings);
  expect_changes(result.out);
  EXPECT_EQ(mmh({"diff", "a.mmh", "-C", path("."), "model"}).out, result.out);
}

TEST_F(DiffTest, FilesMayStandFirst) {
  write("model/added", "new");
  const auto result = mmh({"diff", "model", "a.mmh"});
  EXPECT_EQ(status_of(result), Status::warnings);
  EXPECT_THAT(result.out, HasSubstr("D model/added\n"));
}

TEST_F(DiffTest, JsonShowsBothSides) {
  change();
  const auto result = mmh({"diff", "--json", "a.mmh", "model"});
  EXPECT_EQ(status_of(result), Status::warnings);
  for (const auto& line : json_lines(result.out)) {
    if (line.value("path", "") != "model/config.json") continue;
    EXPECT_EQ(line["change"], "content");
    EXPECT_NE(line["before"]["hash"], line["after"]["hash"]);
  }
  const auto summary = line_of_type(result.out, "summary");
  EXPECT_EQ(summary["added"], 1);
  EXPECT_EQ(summary["removed"], 1);
  EXPECT_EQ(summary["content_changed"], 1);
  EXPECT_EQ(summary["type_changed"], 1);
}

TEST_F(DiffTest, QuietGivesTheStatusAlone) {
  change();
  const auto result = mmh({"diff", "-q", "a.mmh", "model"});
  EXPECT_EQ(status_of(result), Status::warnings);
  EXPECT_EQ(result.out, "");
}

TEST_F(DiffTest, NeedsTwoThings) {
  EXPECT_EQ(status_of(mmh({"diff", "a.mmh"})), Status::usage);
  EXPECT_EQ(status_of(mmh({"diff", "a.mmh", "missing.mmh"})), Status::not_found);
}

}  // namespace
}  // namespace mmh::cli
