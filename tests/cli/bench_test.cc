#include <filesystem>

#include "cli_support.h"

namespace mmh::cli {
namespace {

using ::testing::HasSubstr;

class BenchTest : public CliTest {
 protected:
  std::vector<std::string> bench(std::vector<std::string> words) const {
    words.insert(words.begin(), {"bench", "-1", "--work", path(".")});
    return words;
  }
};

TEST_F(BenchTest, MeasuresATierAndCleansUp) {
  const std::string text = mmh_ok(bench({"1mb"}));
  EXPECT_THAT(text, HasSubstr("976.6 KiB"));
  EXPECT_THAT(text, HasSubstr("identical"));
  EXPECT_THAT(text, HasSubstr("1MB: type"));
  EXPECT_TRUE(names().empty()) << "its data are gone";
}

TEST_F(BenchTest, JsonTellsEveryFigureAndCanBeComparedWith) {
  write("old.json", mmh_ok(bench({"1MB", "--json"})));
  const auto tier = line_of_type(read("old.json"), "tier");
  EXPECT_EQ(tier["tier"], "1MB");
  EXPECT_EQ(tier["content_bytes"], 1'000'000);
  EXPECT_EQ(tier["sound"], true);
  EXPECT_EQ(tier["identical"], true);
  for (const std::string phase : {"pack", "verify", "unpack"}) {
    EXPECT_GT(tier[phase]["peak_memory"], 0) << phase;
    EXPECT_GT(tier[phase]["bytes_per_second"], 0) << phase;
  }
  EXPECT_FALSE(tier["classes"].empty());
  EXPECT_THAT(mmh_ok(bench({"1MB", "--compare", "old.json"})), HasSubstr("ratio"));
  const auto change = line_of_type(mmh_ok(bench({"1MB", "--json", "--compare", "old.json"})), "bench_change");
  EXPECT_EQ(change["ratio"], 0.0) << "the same data and options give the same pack";
}

TEST_F(BenchTest, ComparingUnlikeRunsIsAWarning) {
  write("old.json", mmh_ok(bench({"1MB", "--json"})));
  const auto result = mmh(bench({"1MB", "--seed", "5", "--compare", "old.json"}));
  EXPECT_EQ(status_of(result), Status::warnings);
  EXPECT_THAT(result.err, HasSubstr("seed 1 then, 5 now"));
  write("old.json", "{}");
  EXPECT_EQ(status_of(mmh(bench({"1MB", "--compare", "old.json"}))), Status::usage);
  EXPECT_EQ(status_of(mmh(bench({"1MB", "--compare", "none.json"}))), Status::not_found);
}

TEST_F(BenchTest, MeasuresGivenFiles) {
  make_model();
  const std::string text = mmh_ok(bench({"--data", "model"}));
  EXPECT_THAT(text, HasSubstr("data "));
  EXPECT_THAT(text, HasSubstr("identical"));
  EXPECT_EQ(names(), std::vector<std::string>{"model"});
  EXPECT_EQ(status_of(mmh(bench({"--data", "model", "1MB"}))), Status::usage);
  EXPECT_EQ(status_of(mmh(bench({"--data", "missing"}))), Status::not_found);
}

TEST_F(BenchTest, ATierThatNeedsMoreDiskSaysSoFirst) {
  if (std::filesystem::space(path(".")).available > 1'600'000'000'000U) GTEST_SKIP() << "this disk has room for it";
  const auto result = mmh(bench({"500GB", "--yes"}));
  EXPECT_EQ(status_of(result), Status::no_space);
  EXPECT_THAT(result.err, HasSubstr("500GB not run: it needs 1.4 TiB"));
  EXPECT_THAT(result.err, HasSubstr("--work"));
}

TEST_F(BenchTest, ATierThatNeedsMoreTimeSaysSoFirst) {
  if (std::filesystem::space(path(".")).available < 32'000'000'000U) GTEST_SKIP() << "not enough disk to get so far";
  const auto result = mmh(bench({"1MB", "10GB", "--time", "1s"}));
  EXPECT_EQ(status_of(result), Status::warnings);
  EXPECT_THAT(result.err, HasSubstr("10GB not run: 10GB would take some "));
  EXPECT_THAT(result.err, HasSubstr("--yes"));
}

TEST_F(BenchTest, UnknownTiersGetASuggestion) {
  const auto result = mmh(bench({"500G"}));
  EXPECT_EQ(status_of(result), Status::usage);
  EXPECT_THAT(result.err, HasSubstr("did you mean '500GB'?"));
}

}  // namespace
}  // namespace mmh::cli
