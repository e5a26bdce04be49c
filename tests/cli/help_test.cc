#include "help.h"

#include <algorithm>
#include <set>

#include "arguments.h"
#include "cli_support.h"
#include "mmh/pack.h"

namespace mmh::cli {
namespace {

using ::testing::HasSubstr;

class HelpTest : public CliTest {};

// The words of an example up to its first shell operator; quotes are taken off.
std::vector<std::string> words_of(std::string_view example) {
  std::vector<std::string> words;
  for (const std::string_view word : split(example, ' ')) {
    if (word == "|" || word == ">" || word == "<" || word == ";") break;
    std::string plain;
    for (const char c : word) {
      if (c != '\'' && c != ';') plain += c;
    }
    words.push_back(plain);
    if (word.ends_with(';')) break;
  }
  return words;
}

TEST_F(HelpTest, AloneItShowsEveryCommand) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{}, {"help"}, {"--help"}, {"-h"}}) {
    const std::string text = mmh_ok(words);
    for (const CommandSpec& command : commands()) EXPECT_THAT(text, HasSubstr(command.summary)) << command.name;
  }
}

TEST_F(HelpTest, EveryCommandExplainsItself) {
  for (const CommandSpec& command : commands()) {
    const std::string name(command.name);
    const std::string text = mmh_ok({"help", name});
    EXPECT_EQ(text, mmh_ok({name, "--help"}));
    EXPECT_EQ(text, mmh_ok({name, "--no-such-option", "-h"}));
    for_each_option(command, [&](const OptionSpec& option) {
      EXPECT_THAT(text, HasSubstr("--" + std::string(option.name))) << name;
    });
    EXPECT_THAT(text, HasSubstr("Exit status:")) << name;
  }
}

TEST_F(HelpTest, LinesFitATerminal) {
  for (const CommandSpec& command : commands()) {
    const std::string text = command_help(command);
    for (const std::string_view line : split(text, '\n')) EXPECT_LE(line.size(), 80U) << line;
  }
}

TEST(CommandTable, IsWholeAndConsistent) {
  for (const CommandSpec& command : commands()) {
    EXPECT_FALSE(command.summary.ends_with('.')) << command.name;
    EXPECT_FALSE(command.examples.empty()) << command.name;
    EXPECT_NE(command.handler, nullptr) << command.name;
    std::vector<std::string_view> names;
    std::string letters;
    for_each_option(command, [&](const OptionSpec& option) {
      EXPECT_TRUE(option.help.ends_with('.')) << command.name << " " << option.name;
      EXPECT_EQ(option.placeholder.empty(), option.kind == ValueKind::none) << command.name << " " << option.name;
      EXPECT_EQ(std::count(names.begin(), names.end(), option.name), 0) << command.name << " " << option.name;
      names.push_back(option.name);
      if (option.letter == '\0') return;
      EXPECT_EQ(letters.find(option.letter), std::string::npos) << command.name << " -" << option.letter;
      letters += option.letter;
    });
  }
}

TEST(CommandTable, EveryExampleParses) {
  for (const CommandSpec& command : commands()) {
    for (const Example& example : command.examples) {
      std::vector<std::string> words = words_of(example.command);
      if (words.front() != "mmh") continue;  // begins with another tool
      ASSERT_EQ(words.at(1), command.name) << example.command;
      words.erase(words.begin(), words.begin() + 2);
      EXPECT_OK(Arguments::parse(command, words));
    }
  }
}

TEST_F(HelpTest, TheReferenceIsInStepWithTheTable) {
  const std::string path = std::string(MMH_SOURCE_DIR) + "/docs/cli.md";
  EXPECT_EQ(as_text(test::read_file(path)), mmh_ok({"help", "--markdown"})) << "run: mmh help --markdown > docs/cli.md";
}

TEST_F(HelpTest, ManualPagesAreCleanRoff) {
  std::vector<std::string> pages = {man_page()};
  for (const CommandSpec& command : commands()) pages.push_back(man_page(command));
  EXPECT_EQ(pages.front(), mmh_ok({"help", "--man"}));
  EXPECT_EQ(pages[1], mmh_ok({"help", "--man", "pack"}));
  for (const std::string& page : pages) {
    for (const std::string_view section : {".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS", ".SH EXAMPLES"}) {
      EXPECT_THAT(page, HasSubstr(section)) << page.substr(0, 60);
    }
    if (!test::program_exists("groff")) continue;
    const auto result = test::run_process({"groff", "-man", "-ww", "-z"}, page);
    EXPECT_EQ(result.status, 0);
    EXPECT_EQ(result.err, "") << page.substr(0, 60);
  }
  if (!test::program_exists("groff")) GTEST_SKIP() << "not installed: groff";
}

TEST_F(HelpTest, CompletionScriptsAreAcceptedByTheirShells) {
  std::set<std::string> missing;
  for (const std::string_view shell : shells()) {
    const std::string script = mmh_ok({"completions", std::string(shell)});
    for (const CommandSpec& command : commands()) EXPECT_THAT(script, HasSubstr(command.name)) << shell;
    write("script", script);
    if (!test::program_exists(std::string(shell))) {
      missing.emplace(shell);
      continue;
    }
    const auto result = this->shell(std::string(shell) + " -n script");
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(result.err, "");
  }
  if (!missing.empty()) GTEST_SKIP() << "not installed: " << testing::PrintToString(missing);
}

TEST_F(HelpTest, BashCompletesCommandsOptionsValuesPacksAndEntries) {
  write("odd/$(touch hacked)", "x");
  write("odd/plain", "y");
  mmh_ok({"pack", "-q", "odd"});
  write("script", mmh_ok({"completions", "bash"}));
  const auto complete = [&](const std::string& words) {
    const auto result = shell("PATH=$(dirname \"$MMH\"):$PATH; . ./script; COMP_WORDS=(" + words +
                              "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _mmh; printf '%s\\n' \"${COMPREPLY[@]}\"");
    EXPECT_EQ(result.err, "") << words;
    return result.out;
  };
  EXPECT_EQ(complete("mmh unp"), "unpack\n");
  EXPECT_EQ(complete("mmh pack --one"), "--one-file-system\n");
  EXPECT_EQ(complete("mmh unpack odd.mmh --overwrite al"), "always\n");
  EXPECT_EQ(complete("mmh list odd.m"), "odd.mmh\n");
  EXPECT_EQ(complete("mmh cat odd.mmh odd/p"), "odd/plain\n");
  EXPECT_EQ(complete("mmh cat odd.mmh odd/"), "odd/$(touch hacked)\nodd/plain\n");
  EXPECT_FALSE(exists("hacked")) << "a name in a pack was run as a command";
}

TEST_F(HelpTest, UnknownTopicsGetASuggestion) {
  const auto result = mmh({"help", "unpak"});
  EXPECT_EQ(status_of(result), Status::usage);
  EXPECT_THAT(result.err, HasSubstr("did you mean 'unpack'?"));
}

TEST_F(HelpTest, VersionNamesLibrariesAndInstructionSet) {
  const std::string text = mmh_ok({"--version"});
  EXPECT_EQ(text, mmh_ok({"version"}));
  EXPECT_EQ(text, mmh_ok({"-V"}));
  EXPECT_TRUE(text.starts_with("mmh " + std::string(version()) + "\n")) << text;
  EXPECT_THAT(text, HasSubstr("zstd "));
  EXPECT_THAT(text, HasSubstr("instruction set: "));
}

TEST_F(HelpTest, CodecsAreListed) {
  const std::string text = mmh_ok({"codecs"});
  for (const CodecInfo& codec : list_codecs()) {
    EXPECT_THAT(text, HasSubstr(codec.name));
  }
}

}  // namespace
}  // namespace mmh::cli
