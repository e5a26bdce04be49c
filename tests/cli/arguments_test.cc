#include "arguments.h"

#include "support/support.h"

namespace mmh::cli {
namespace {

using Words = std::vector<std::string>;

Result<Arguments> parse(std::string_view command, const Words& words) {
  return Arguments::parse(*find_command(command), words);
}

TEST(Arguments, OptionsMayStandAnywhere) {
  const auto parsed = parse("pack", {"a", "-o", "x.mmh", "b", "-f"});
  ASSERT_OK(parsed);
  EXPECT_EQ(parsed->operands(), (Words{"a", "b"}));
  EXPECT_EQ(parsed->text(OptionId::output), "x.mmh");
  EXPECT_TRUE(parsed->has(OptionId::force));
}

TEST(Arguments, ValuesMayBeAttached) {
  for (const Words& words :
       {Words{"--output=x"}, Words{"--output", "x"}, Words{"-ox"}, Words{"-o", "x"}, Words{"-fox"}}) {
    const auto parsed = parse("pack", words);
    ASSERT_OK(parsed);
    EXPECT_EQ(parsed->text(OptionId::output), "x") << words.front();
  }
  EXPECT_EQ(test::error_of(parse("pack", {"--output="})), Errc::usage);
}

TEST(Arguments, DigitsAreLevels) {
  EXPECT_EQ(parse("pack", {"-9"})->number(OptionId::level), 9U);
  EXPECT_EQ(parse("pack", {"-9fo", "x"})->number(OptionId::level), 9U);
  EXPECT_EQ(parse("pack", {"-1", "--level", "3"})->number(OptionId::level), 3U) << "the last one counts";
  EXPECT_EQ(test::error_of(parse("pack", {"--level", "10"})), Errc::usage);
  EXPECT_EQ(test::error_of(parse("pack", {"-0", "--level=0"})), Errc::usage);
  EXPECT_EQ(test::error_of(parse("list", {"-9"})), Errc::usage);
}

TEST(Arguments, TwoDashesEndOptions) {
  const auto parsed = parse("pack", {"--", "-o", "--force"});
  ASSERT_OK(parsed);
  EXPECT_EQ(parsed->operands(), (Words{"-o", "--force"}));
}

TEST(Arguments, OneDashIsAnOperand) {
  EXPECT_EQ(parse("unpack", {"-", "-C", "out"})->operands(), Words{"-"});
  EXPECT_EQ(parse("pack", {"-o", "-", "a"})->text(OptionId::output), "-");
}

TEST(Arguments, RepeatedOptionsKeepAllValues) {
  EXPECT_EQ(parse("pack", {"--exclude", "a", "--exclude=b"})->texts(OptionId::exclude), (Words{"a", "b"}));
}

TEST(Arguments, ValuesAreCheckedWhereTheyStand) {
  EXPECT_EQ(test::error_of(parse("pack", {"--threads", "0"})), Errc::usage);
  EXPECT_EQ(test::error_of(parse("pack", {"--threads", "many"})), Errc::usage);
  EXPECT_EQ(test::error_of(parse("pack", {"--memory", "1M"})), Errc::usage);
  EXPECT_EQ(parse("pack", {"--memory", "256M"})->number(OptionId::memory), std::uint64_t{256} << 20);
  EXPECT_EQ(test::error_of(parse("pack", {"--force=yes"})), Errc::usage);
  EXPECT_EQ(test::error_of(parse("pack", {"--output"})), Errc::usage);
}

TEST(Arguments, TyposGetASuggestion) {
  const auto message = [](std::string_view command, const Words& words) {
    const auto parsed = parse(command, words);
    return parsed ? "no error" : parsed.error().what;
  };
  EXPECT_THAT(message("pack", {"--ouput", "x"}), ::testing::HasSubstr("did you mean '--output'?"));
  EXPECT_THAT(message("pack", {"-output", "x"}), ::testing::HasSubstr("did you mean '--output'?"));
  EXPECT_THAT(message("pack", {"--exlude=x"}), ::testing::HasSubstr("did you mean '--exclude'?"));
  EXPECT_THAT(message("unpack", {"--strip", "1"}), ::testing::HasSubstr("did you mean '--strip-components'?"));
  EXPECT_THAT(message("unpack", {"--overwrite", "allways"}), ::testing::HasSubstr("did you mean 'always'?"));
  EXPECT_THAT(message("pack", {"--zzzzzzzz"}), ::testing::HasSubstr("see `mmh help pack`"));
}

TEST(Arguments, UnprintableWordsDoNotReachTheTerminal) {
  EXPECT_THAT(parse("pack", {"--\x1b[2J"}).error().what, ::testing::Not(::testing::HasSubstr("\x1b")));
}

TEST(Closest, FindsOneEditButNotADifferentWord) {
  const std::vector<std::string_view> known = {"pack", "unpack", "list", "verify"};
  EXPECT_EQ(closest("pakc", known), "pack");
  EXPECT_EQ(closest("unpak", known), "unpack");
  EXPECT_EQ(closest("ver", known), "verify");
  EXPECT_EQ(closest("", known), std::nullopt);
  EXPECT_EQ(closest("frobnicate", known), std::nullopt);
  EXPECT_EQ(closest(std::string(100'000, 'a'), known), std::nullopt);
}

}  // namespace
}  // namespace mmh::cli
