#include <unistd.h>

#include <filesystem>
#include <set>

#include "cli_support.h"
#include "exit_status.h"
#include "mmh/hash/blake3.h"

namespace mmh::cli {
namespace {

using ::testing::HasSubstr;

class StatusTest : public CliTest {};

TEST(ExitStatus, EveryErrorCodeHasItsOwn) {
  EXPECT_EQ(status_of(Errc::usage), Status::usage);
  EXPECT_EQ(status_of(Errc::not_found), Status::not_found);
  EXPECT_EQ(status_of(Errc::exists), Status::exists);
  EXPECT_EQ(status_of(Errc::io), Status::io);
  EXPECT_EQ(status_of(Errc::no_space), Status::no_space);
  EXPECT_EQ(status_of(Errc::permission), Status::permission);
  EXPECT_EQ(status_of(Errc::corrupt), Status::damage);
  EXPECT_EQ(status_of(Errc::unsupported), Status::unsupported);
  EXPECT_EQ(status_of(Errc::limit), Status::limit);
  EXPECT_EQ(status_of(Errc::changed), Status::warnings);
  EXPECT_EQ(status_of(Errc::unsafe), Status::unsafe);
  EXPECT_EQ(status_of(Errc::cancelled), Status::interrupted);
}

TEST(ExitStatus, TheNumbersNeverChange) {
  const std::set<int> known = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 70, 130, 141};
  std::set<int> found;
  for (const StatusSpec& spec : statuses()) found.insert(static_cast<int>(spec.status));
  EXPECT_EQ(found, known);
  EXPECT_EQ(static_cast<int>(Status::damage), 3);
  EXPECT_EQ(static_cast<int>(Status::interrupted), 130);
}

TEST_F(StatusTest, UnknownCommandsAndOptionsAre2WithASuggestion) {
  const auto expect = [&](const std::vector<std::string>& words, std::string_view hint) {
    const auto result = mmh(words);
    EXPECT_EQ(status_of(result), Status::usage) << words.front();
    EXPECT_EQ(result.out, "");
    EXPECT_TRUE(result.err.starts_with("mmh: ")) << result.err;
    EXPECT_THAT(result.err, HasSubstr(hint));
  };
  expect({"pakc", "x"}, "did you mean 'mmh pack'?");
  expect({"extract", "x"}, "did you mean 'mmh unpack'?");
  expect({"ls"}, "did you mean 'mmh list'?");
  expect({"model.mmh"}, "mmh unpack model.mmh");
  expect({"--quiet", "list"}, "behind the command");
  expect({"list", "--lnog"}, "did you mean '--long'?");
  expect({"completions", "bahs"}, "did you mean 'bash'?");
  expect({"version", "now"}, "takes no operand");
}

TEST_F(StatusTest, UsageErrorsAreJsonToo) {
  const auto result = mmh({"pakc", "--json"});
  EXPECT_EQ(status_of(result), Status::usage);
  EXPECT_EQ(result.err, "");
  const auto error = line_of_type(result.out, "error");
  EXPECT_EQ(error["code"], "usage");
  EXPECT_EQ(error["exit_status"], 2);
}

TEST_F(StatusTest, ReadersWithoutAPackAre2) {
  for (const std::string command : {"list", "verify", "cat", "unpack", "info"}) {
    const auto result = shell("\"$MMH\" " + command + " < /dev/null");
    EXPECT_EQ(status_of(result), Status::usage) << command;
    EXPECT_THAT(result.err, HasSubstr("mmh " + command)) << "shows the usage";
  }
}

TEST_F(StatusTest, AReadErrorIs4) {
  // Nothing is mapped at address 0, so reading there is EIO.
  const auto result = mmh({"pack", "--tar", "/proc/self/mem", "-o", "x.mmh"});
  EXPECT_EQ(status_of(result), Status::io) << result.err;
  EXPECT_TRUE(names().empty());
}

TEST_F(StatusTest, ARefusalOfTheSystemIs5) {
  make_model();
  mmh_ok({"pack", "-q", "model"});
  std::filesystem::permissions(path("model.mmh"), std::filesystem::perms::none);
  std::string command = "\"$MMH\" list model.mmh";
  if (::geteuid() == 0) {
    if (!test::program_exists("setpriv")) GTEST_SKIP() << "setpriv is not installed";
    std::filesystem::permissions(path("."), std::filesystem::perms(0755));
    command = "setpriv --reuid=65534 --clear-groups -- " + command;
    if (shell("setpriv --reuid=65534 --clear-groups -- \"$MMH\" version").status != 0) {
      GTEST_SKIP() << "another user cannot run the program";
    }
  }
  const auto result = shell(command);
  EXPECT_EQ(status_of(result), Status::permission) << result.err;
}

TEST_F(StatusTest, AMissingPackIs6) { EXPECT_EQ(status_of(mmh({"info", "nope.mmh"})), Status::not_found); }

TEST_F(StatusTest, APackOfALaterVersionIs8) {
  make_model();
  mmh_ok({"pack", "-q", "model"});
  std::string pack = read("model.mmh");
  pack[8] = 9;  // the header's version; its check follows from the bytes before it
  const hash::Digest check = hash::blake3(as_bytes(pack).first(48));
  pack.replace(48, 16, as_text(check.bytes).substr(0, 16));
  write("model.mmh", pack);
  const auto result = mmh({"list", "model.mmh"});
  EXPECT_EQ(status_of(result), Status::unsupported) << result.err;
}

TEST_F(StatusTest, AnEndlessListIs9) {
  write("list", "");
  std::filesystem::resize_file(path("list"), std::uint64_t{257} << 20);
  const auto result = mmh({"pack", "--null", "--files-from", "list", "-o", "x.mmh"});
  EXPECT_EQ(status_of(result), Status::limit) << result.err;
}

TEST_F(StatusTest, AFullDiskIs10) {
  make_model();
  EXPECT_EQ(status_of(shell("\"$MMH\" pack model -o - > /dev/full")), Status::no_space);
  const auto result = shell("\"$MMH\" help > /dev/full");
  EXPECT_EQ(status_of(result), Status::no_space);
  EXPECT_THAT(result.err, HasSubstr("standard output"));
}

TEST_F(StatusTest, AReaderThatGoesAwayIs141AndSilent) {
  make_model();
  write("model/large", as_text(test::random_bytes(4 << 20, 3)));
  mmh_ok({"pack", "-q", "model"});
  for (const std::string command : {"cat model.mmh model/large", "pack model -o -", "unpack --tar model.mmh"}) {
    const auto result = shell("\"$MMH\" " + command + " | head -c 10 > /dev/null; echo ${PIPESTATUS[0]}");
    EXPECT_EQ(result.out, "141\n") << command;
    EXPECT_EQ(result.err, "") << command;
  }
}

}  // namespace
}  // namespace mmh::cli
