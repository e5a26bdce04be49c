#include <unistd.h>

#include <filesystem>

#include "cli_support.h"
#include "support/trees.h"

namespace mmh::cli {
namespace {

using ::testing::HasSubstr;

class UnpackTest : public CliTest {
 protected:
  void SetUp() override {
    make_model();
    mmh_ok({"pack", "-q", "--parity", "0", "model"});
  }
};

TEST_F(UnpackTest, RestoresEverything) {
  EXPECT_THAT(mmh_ok({"unpack", "model.mmh", "-C", "a/new/place"}), HasSubstr("a/new/place: 4 files, 78.1 KiB, "));
  EXPECT_EQ(test::compare_trees(path("model"), path("a/new/place/model")), "");
}

TEST_F(UnpackTest, RestoresOnlyWhatIsNamed) {
  mmh_ok({"unpack", "model.mmh", "model/notes", "*.json", "-C", "out"});
  EXPECT_EQ(test::list_tree(path("out")),
            (std::vector<std::string>{"model", "model/config.json", "model/notes", "model/notes/copy.txt",
                                      "model/notes/read me.txt"}));
}

TEST_F(UnpackTest, LeavesOutAndStrips) {
  mmh_ok({"unpack", "model.mmh", "--exclude", "*.txt", "--strip-components", "1", "-C", "out"});
  EXPECT_EQ(test::list_tree(path("out")), (std::vector<std::string>{"config.json", "link", "notes", "weights.bin"}));
}

TEST_F(UnpackTest, WhatIsNotInThePackIsReported) {
  const auto result = mmh({"unpack", "model.mmh", "model/config.json", "nope", "-C", "out"});
  EXPECT_EQ(status_of(result), Status::not_found);
  EXPECT_THAT(result.err, HasSubstr("nope"));
  EXPECT_TRUE(exists("out/model/config.json"));
}

TEST_F(UnpackTest, NeverReplacesFilesUnlessAsked) {
  write("out/model/config.json", "mine");
  const auto result = mmh({"unpack", "model.mmh", "-C", "out"});
  EXPECT_EQ(status_of(result), Status::exists);
  EXPECT_EQ(read("out/model/config.json"), "mine");
  EXPECT_EQ(read("out/model/weights.bin"), read("model/weights.bin"));
  mmh_ok({"unpack", "model.mmh", "--overwrite", "always", "-C", "out"});
  EXPECT_EQ(test::compare_trees(path("model"), path("out/model")), "");
}

TEST_F(UnpackTest, RootCanGiveUpOwnersAndPermissions) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may give files away";
  const auto modes = [&](const std::string& folder) {
    return shell("stat -c '%u:%g %a' " + folder + "/model/tool " + folder + "/model/open").out;
  };
  write("model/tool", "x");
  write("model/open", "x");
  ASSERT_EQ(shell("cd model && chown 1234:4321 tool open && chmod 4755 tool && chmod 777 open").status, 0);
  mmh_ok({"pack", "-q", "-f", "model"});
  mmh_ok({"unpack", "model.mmh", "-C", "all"});
  EXPECT_EQ(modes("all"), "1234:4321 4755\n1234:4321 777\n");
  mmh_ok({"unpack", "model.mmh", "--no-same-owner", "-C", "mine"});
  EXPECT_EQ(modes("mine"), "0:0 755\n0:0 777\n") << "no set-uid bit without its owner";
  ASSERT_EQ(shell("umask 077; \"$MMH\" unpack model.mmh --no-same-permissions -C strict").status, 0);
  EXPECT_EQ(modes("strict"), "1234:4321 700\n1234:4321 700\n");
  ASSERT_EQ(shell("umask 022; \"$MMH\" unpack model.mmh --no-same-permissions --no-same-owner -C plain").status, 0);
  EXPECT_EQ(modes("plain"), "0:0 755\n0:0 755\n");
}

TEST_F(UnpackTest, NewerReplacesOnlyOlderFiles) {
  mmh_ok({"unpack", "model.mmh", "-C", "out"});
  write("out/model/config.json", "later");
  write("out/model/weights.bin", "earlier");
  std::filesystem::last_write_time(path("out/model/weights.bin"),
                                   std::filesystem::file_time_type::clock::now() - std::chrono::hours(1000));
  mmh_ok({"unpack", "model.mmh", "--overwrite", "newer", "-C", "out"});
  EXPECT_EQ(read("out/model/config.json"), "later");
  EXPECT_EQ(read("out/model/weights.bin"), read("model/weights.bin"));
}

TEST_F(UnpackTest, AskingNeedsATerminal) {
  if (!test::program_exists("setsid")) GTEST_SKIP() << "setsid is not installed";
  const auto result = shell("setsid -w \"$MMH\" unpack model.mmh --overwrite ask -C out");
  EXPECT_EQ(status_of(result), Status::usage);
  EXPECT_THAT(result.err, HasSubstr("terminal"));
}

TEST_F(UnpackTest, WritesNothingThroughALinkInTheTarget) {
  std::filesystem::create_directory(path("elsewhere"));
  std::filesystem::create_directory(path("out"));
  std::filesystem::create_directory_symlink(path("elsewhere"), path("out/model"));
  const auto result = mmh({"unpack", "model.mmh", "--overwrite", "always", "-C", "out", "model/notes/copy.txt"});
  EXPECT_EQ(status_of(result), Status::unsafe);
  EXPECT_TRUE(names("elsewhere").empty());
}

TEST_F(UnpackTest, DamagedFilesAreNamedAndTheRestIsDelivered) {
  std::string pack = read("model.mmh");
  pack[5000] = static_cast<char>(pack[5000] ^ 1);
  write("model.mmh", pack);
  const auto result = mmh({"unpack", "model.mmh", "-C", "out"});
  EXPECT_EQ(status_of(result), Status::damage);
  EXPECT_THAT(result.err, HasSubstr("mmh: warning: model/"));
  EXPECT_TRUE(exists("out/model/link"));
  for (const std::string& name : test::list_tree(path("out/model"))) {
    const std::string file = "model/" + name;
    if (std::filesystem::is_regular_file(path("out/" + file))) {
      EXPECT_EQ(read("out/" + file), read(file)) << "wrong bytes delivered";
    }
  }
}

TEST_F(UnpackTest, FifosAreMadeOnRequestOnly) {
  ASSERT_EQ(shell("mkfifo model/pipe && ln model/pipe model/second").status, 0);
  mmh_ok({"pack", "-q", "-f", "model"});
  const auto result = mmh({"unpack", "model.mmh", "-C", "a"});
  EXPECT_EQ(status_of(result), Status::warnings);
  EXPECT_THAT(result.out, HasSubstr("2 warnings"));
  EXPECT_THAT(result.out, ::testing::Not(HasSubstr("kept")));
  EXPECT_FALSE(exists("a/model/pipe"));
  mmh_ok({"unpack", "model.mmh", "--devices", "-C", "b"});
  EXPECT_TRUE(std::filesystem::is_fifo(path("b/model/pipe")));
  EXPECT_EQ(shell("stat -c %h b/model/pipe b/model/second").out, "2\n2\n");
}

}  // namespace
}  // namespace mmh::cli
