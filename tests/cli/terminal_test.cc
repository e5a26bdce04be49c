#include "terminal.h"

#include <filesystem>

#include "cli_support.h"

namespace mmh::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class TerminalTest : public CliTest {
 protected:
  TerminalResult terminal(std::vector<std::string> words, Environment environment = {}, std::string prompt = {},
                          std::string input = {}) const {
    words.insert(words.begin(), program());
    return run_in_terminal({.argv = std::move(words),
                            .input = std::move(input),
                            .prompt = std::move(prompt),
                            .directory = path("."),
                            .environment = std::move(environment)});
  }
  void make_large() const {
    for (const char* const name : {"a", "b", "c", "d"}) {
      write(std::string("data/") + name, as_text(test::text_bytes(2 << 20, static_cast<std::uint64_t>(*name))));
    }
  }
};

TEST_F(TerminalTest, ProgressIsOneLineThatIsErased) {
  make_large();
  // The archive comes slowly, so that there is progress to show on the fastest machine.
  ASSERT_EQ(shell("tar -cf x.tar data").status, 0);
  const std::string command =
      "(head -c 4000000 x.tar; sleep 0.5; tail -c +4000001 x.tar) | " + program() + " pack -1 --tar - -o x.mmh";
  const auto result = run_in_terminal({.argv = {"bash", "-c", command}, .directory = path(".")});
  EXPECT_EQ(result.status, 0) << result.output;
  EXPECT_THAT(result.output, HasSubstr("\rpack "));
  EXPECT_THAT(result.output, HasSubstr(" MB/s"));
  const std::size_t erased = result.output.rfind("\r\x1b[K");
  ASSERT_NE(erased, std::string::npos);
  EXPECT_TRUE(result.output.substr(erased + 4).starts_with("x.mmh: 4 files")) << result.output;
}

TEST_F(TerminalTest, ProgressCanBeTurnedOff) {
  make_large();
  for (const std::string option : {"--no-progress", "--quiet", "--json"}) {
    EXPECT_THAT(terminal({"pack", "-1f", option, "data"}).output, Not(HasSubstr("\x1b"))) << option;
  }
  EXPECT_THAT(terminal({"pack", "-1f", "data"}, {{"TERM", "dumb"}}).output, Not(HasSubstr("\x1b")));
}

TEST_F(TerminalTest, ColoursObeyNoColor) {
  make_model();
  EXPECT_THAT(terminal({"pakc"}).output, HasSubstr("\x1b[31mmmh:\x1b[0m"));
  EXPECT_THAT(terminal({"pakc"}, {{"NO_COLOR", "1"}}).output, Not(HasSubstr("\x1b")));
  EXPECT_THAT(terminal({"pakc"}, {{"NO_COLOR", ""}}).output, HasSubstr("\x1b"));
}

TEST_F(TerminalTest, DataIsNotForATerminal) {
  make_model();
  for (const std::vector<std::string>& words : {std::vector<std::string>{"pack", "model", "-o", "-"},
                                                {"unpack", "--tar", "x.mmh"},
                                                {"unpack", "-"},
                                                {"list", "-"}}) {
    const auto result = terminal(words);
    EXPECT_EQ(static_cast<Status>(result.status), Status::usage) << result.output;
    EXPECT_THAT(result.output, HasSubstr("terminal"));
  }
  EXPECT_EQ(static_cast<Status>(terminal({"unpack"}).status), Status::usage);
}

TEST_F(TerminalTest, NamesCannotSteerTheTerminal) {
  write("odd/\x1b[2Jname", "x");
  mmh_ok({"pack", "-q", "odd"});
  EXPECT_THAT(terminal({"list", "odd.mmh"}).output, HasSubstr("\\x1b[2Jname"));
}

TEST_F(TerminalTest, AsksBeforeReplacing) {
  make_model();
  mmh_ok({"pack", "-q", "model"});
  const auto answer = [&](const std::string& typed) {
    std::filesystem::remove_all(path("out"));
    write("out/model/config.json", "mine");
    write("out/model/weights.bin", "mine");
    const auto result = terminal({"unpack", "model.mmh", "--overwrite", "ask", "-C", "out"}, {}, "replace it?", typed);
    EXPECT_EQ(result.status, 0) << result.output;
    return std::pair(read("out/model/config.json") != "mine", read("out/model/weights.bin") != "mine");
  };
  EXPECT_EQ(answer("n\nn\n"), std::pair(false, false));
  EXPECT_EQ(answer("\n\n"), std::pair(false, false)) << "no is the default";
  EXPECT_EQ(answer("a\n"), std::pair(true, true));
  EXPECT_EQ(answer("q\n"), std::pair(false, false));
  EXPECT_EQ(answer("y\ny\n"), std::pair(true, true));
}

}  // namespace
}  // namespace mmh::cli
