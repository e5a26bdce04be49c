#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "cli_support.h"
#include "support/trees.h"

namespace mmh::cli {
namespace {

using ::testing::HasSubstr;

class PackTest : public CliTest {
 protected:
  std::string list(const std::string& pack) const { return mmh_ok({"list", pack}); }
};

constexpr std::string_view kModelList =
    "model\nmodel/config.json\nmodel/link\nmodel/notes\nmodel/notes/copy.txt\nmodel/notes/read me.txt\n"
    "model/weights.bin\n";

TEST_F(PackTest, StoresTheDirectoryUnderItsNameAndSaysWhatItDid) {
  make_model();
  const std::string line = mmh_ok({"pack", "./model", "-o", "m.mmh"});
  EXPECT_THAT(line, ::testing::MatchesRegex(
                        R"(m\.mmh: 4 files, 78\.1 KiB -> [0-9.]+ KiB \([0-9.]+x\), [0-9.]+ MB/s, root [0-9a-f]{16})"
                        "\n"));
  EXPECT_EQ(list("m.mmh"), kModelList);
}

TEST_F(PackTest, NamesThePackAfterTheDirectory) {
  make_model();
  mmh_ok({"pack", "model"});
  EXPECT_TRUE(exists("model.mmh"));
  mmh_ok({"pack", "./model/notes/"});
  EXPECT_EQ(list("notes.mmh"), "model/notes\nmodel/notes/copy.txt\nmodel/notes/read me.txt\n");
  std::filesystem::remove(path("model.mmh"));
  mmh_ok({"pack", "-C", "model", "."});
  EXPECT_TRUE(exists("model.mmh")) << "'.' is called what the directory is called";
}

TEST_F(PackTest, ADotStoresWhatIsInTheDirectory) {
  make_model();
  mmh_ok({"pack", "-C", "model/notes", ".", "-o", "x.mmh"});
  EXPECT_EQ(list("x.mmh"), "copy.txt\nread me.txt\n");
}

TEST_F(PackTest, DropsTheLeadingSlashAndWhatLeadsUpwards) {
  make_model();
  mmh_ok({"pack", path("model/config.json"), "-o", "absolute.mmh"});
  EXPECT_THAT(list("absolute.mmh"), HasSubstr(path("model/config.json").substr(1) + "\n"));
  mmh_ok({"pack", "-C", "model/notes", "../config.json", "-o", "up.mmh"});
  EXPECT_EQ(list("up.mmh"), "config.json\n");
  mmh_ok({"pack", "model/../model/notes/copy.txt", "-o", "over.mmh"});
  EXPECT_EQ(list("over.mmh"), "model/notes/copy.txt\n");
}

TEST_F(PackTest, TakesPathsFromHereAndFromTheRoot) {
  make_model();
  mmh_ok({"pack", "model", path("model/config.json"), "-o", "x.mmh"});
  const std::string listed = list("x.mmh");
  EXPECT_THAT(listed, HasSubstr(kModelList));
  EXPECT_THAT(listed, HasSubstr(path("model/config.json").substr(1) + "\n"));
}

TEST_F(PackTest, RefusesPathsOfDifferentDirectoriesWithAHint) {
  make_model();
  const auto result = mmh({"pack", "-C", "model/notes", "../config.json", "copy.txt", "-o", "x.mmh"});
  EXPECT_EQ(status_of(result), Status::usage);
  EXPECT_THAT(result.err, HasSubstr("mmh append"));
  EXPECT_FALSE(exists("x.mmh"));
}

TEST_F(PackTest, ReplacesAnOutputOnlyWhenForced) {
  make_model();
  write("x.mmh", "precious");
  EXPECT_EQ(status_of(mmh({"pack", "model", "-o", "x.mmh"})), Status::exists);
  EXPECT_EQ(read("x.mmh"), "precious");
  mmh_ok({"pack", "model", "-fo", "x.mmh"});
  EXPECT_EQ(list("x.mmh"), kModelList);
}

TEST_F(PackTest, GlobsLeaveOutAndPickOut) {
  make_model();
  mmh_ok({"pack", "model", "--exclude", "*.txt", "--exclude", "link", "-o", "a.mmh"});
  EXPECT_EQ(list("a.mmh"), "model\nmodel/config.json\nmodel/notes\nmodel/weights.bin\n");
  mmh_ok({"pack", "model", "--include", "*.json", "-o", "b.mmh"});
  EXPECT_THAT(list("b.mmh"), HasSubstr("model/config.json\n"));
  EXPECT_THAT(list("b.mmh"), ::testing::Not(HasSubstr("weights")));
}

TEST_F(PackTest, TakesPathsFromAList) {
  make_model();
  write("list", "model/config.json\n\nmodel/weights.bin\n");
  mmh_ok({"pack", "--files-from", "list", "-o", "a.mmh"});
  EXPECT_EQ(list("a.mmh"), "model/config.json\nmodel/weights.bin\n");
  write("model/new\nline", "x");
  mmh_ok({"pack", "--files-from", "-", "--null", "-o", "b.mmh"}, std::string("model/new\nline\0model/link\0", 26));
  EXPECT_EQ(mmh_ok({"list", "--null", "b.mmh"}), std::string("model/link\0model/new\nline\0", 26));
  EXPECT_EQ(status_of(mmh({"pack", "--files-from", "-", "-o", "c.mmh"})), Status::usage) << "an empty list";
  EXPECT_EQ(status_of(mmh({"pack", "model", "--null"})), Status::usage);
}

TEST_F(PackTest, FollowsLinksWhenAsked) {
  make_model();
  mmh_ok({"pack", "model", "-o", "kept.mmh"});
  mmh_ok({"pack", "--follow", "model", "-o", "followed.mmh"});
  EXPECT_EQ(line_of_type(mmh_ok({"list", "--json", "kept.mmh", "model/link"}), "entry")["entry_type"], "symlink");
  EXPECT_EQ(line_of_type(mmh_ok({"list", "--json", "followed.mmh", "model/link"}), "entry")["entry_type"], "file");
}

TEST_F(PackTest, LevelsAndThreadsChangeNothingButSize) {
  make_model();
  std::vector<std::string> roots;
  for (const std::string option : {"-1", "--level=9", "-T1", "--threads=3", "--memory=128M", "--block-size=64K"}) {
    roots.push_back(line_of_type(mmh_ok({"pack", "--json", option, "model", "-fo", "x.mmh"}), "summary")["root"]);
    mmh_ok({"verify", "--deep", "x.mmh"});
  }
  EXPECT_THAT(roots, ::testing::Each(roots.front()));
}

TEST_F(PackTest, WhatCannotBePackedIsAWarningAndStatus1) {
  make_model();
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string place = path("model/socket");
  ASSERT_LT(place.size(), sizeof address.sun_path);
  place.copy(address.sun_path, place.size());
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(fd);
  const auto result = mmh({"pack", "model"});
  EXPECT_EQ(status_of(result), Status::warnings);
  EXPECT_TRUE(result.err.starts_with("mmh: warning: model/socket")) << result.err;
  EXPECT_THAT(result.out, HasSubstr(", 1 warning\n"));
  EXPECT_EQ(list("model.mmh"), kModelList);
  const auto json = mmh({"pack", "model", "-f", "--json"});
  EXPECT_EQ(status_of(json), Status::warnings);
  EXPECT_EQ(json.err, "");
  EXPECT_THAT(line_of_type(json.out, "warning")["message"], HasSubstr("model/socket"));
}

TEST_F(PackTest, AMissingPathAmongOthersIsAWarning) {
  make_model();
  const auto result = mmh({"pack", "model", "nope", "-o", "x.mmh"});
  EXPECT_EQ(status_of(result), Status::warnings);
  EXPECT_TRUE(result.err.starts_with("mmh: warning: nope")) << result.err;
  EXPECT_EQ(list("x.mmh"), kModelList);
}

TEST_F(PackTest, NothingButMissingPathsIsAnErrorAndLeavesNothing) {
  const auto result = mmh({"pack", "nope", "-o", "x.mmh"});
  EXPECT_EQ(status_of(result), Status::not_found);
  EXPECT_THAT(result.err, HasSubstr("nope"));
  EXPECT_TRUE(names().empty());
}

TEST_F(PackTest, QuietSaysNothing) {
  make_model();
  EXPECT_EQ(mmh_ok({"pack", "-q", "model"}), "");
}

TEST_F(PackTest, AppendAddsAndReplaces) {
  make_model();
  mmh_ok({"pack", "model"});
  write("model/config.json", "{}");
  write("model/new.txt", "new");
  EXPECT_THAT(mmh_ok({"append", "model.mmh", "model/config.json", "model/new.txt"}),
              HasSubstr("model.mmh: 2 files added"));
  EXPECT_EQ(mmh_ok({"cat", "model.mmh", "model/config.json"}), "{}");
  EXPECT_EQ(mmh_ok({"cat", "model.mmh", "model/new.txt"}), "new");
  EXPECT_EQ(line_of_type(mmh_ok({"info", "--json", "model.mmh"}), "info")["generation"], 1);
  mmh_ok({"verify", "--deep", "model.mmh"});
  EXPECT_EQ(status_of(mmh({"append", "missing.mmh", "model"})), Status::not_found);
  EXPECT_EQ(status_of(mmh({"append", "model.mmh"})), Status::usage);
  EXPECT_EQ(status_of(mmh({"append"})), Status::usage);
}

TEST_F(PackTest, OddNamesComeBackExactly) {
  test::make_tree(path("tree"), {.seed = 7, .entries = 60, .total_bytes_max = 1 << 20, .fifos = false});
  mmh_ok({"pack", "tree"});
  const std::string listed = mmh_ok({"list", "--null", "tree.mmh"});
  std::string expected = std::string("tree") + '\0';
  std::size_t entries = 1;
  for (const std::string& name : test::list_tree(path("tree"))) {
    EXPECT_NE(listed.find("tree/" + name + '\0'), std::string::npos) << printable(name);
    ++entries;
  }
  EXPECT_EQ(static_cast<std::size_t>(std::count(listed.begin(), listed.end(), '\0')), entries);
  mmh_ok({"unpack", "tree.mmh", "-p", "-C", "out"});
  EXPECT_EQ(test::compare_trees(path("tree"), path("out/tree")), "");
  for (const auto& line : json_lines(mmh_ok({"list", "--json", "tree.mmh"}))) {
    ASSERT_EQ(line["type"], "entry");
    if (line.contains("path_hex")) {
      EXPECT_THAT(line["path"].get<std::string>(), HasSubstr("\xEF\xBF\xBD"));
    }
  }
}

TEST_F(PackTest, NothingToPackIsAUsageError) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"pack"},
                                                {"pack", "-o", "x"},
                                                {"pack", "a", "b"},
                                                {"pack", "--tar", "x.tar", "a"},
                                                {"pack", "/"}}) {
    const auto result = mmh(words);
    EXPECT_EQ(status_of(result), Status::usage) << words.size() << result.err;
    EXPECT_TRUE(result.err.starts_with("mmh: ")) << result.err;
  }
}

}  // namespace
}  // namespace mmh::cli
