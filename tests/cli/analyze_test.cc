#include <cstdint>

#include "cli_support.h"

namespace mmh::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class AnalyzeTest : public CliTest {
 protected:
  // Records of 24 bytes: a counter, a slow value, a constant name; then bytes without order.
  void SetUp() override {
    std::string bytes;
    test::Random random(3);
    for (std::uint32_t i = 0; i < 20'000; ++i) {
      std::string record(24, '\0');
      for (unsigned j = 0; j < 4; ++j) record[j] = static_cast<char>(i * 7 >> 8 * j);
      record[4] = static_cast<char>(random.below(5));
      record.replace(8, 11, "temperature");
      bytes += record;
    }
    write("records.bin", bytes);
    write("empty", "");
    write("words.txt", std::string(3000, 'a') + " few words of text, and no more\n");
  }
};

TEST_F(AnalyzeTest, TellsPeriodTypeAndTrials) {
  const auto found = line_of_type(mmh_ok({"analyze", "--json", "records.bin"}), "analysis");
  EXPECT_EQ(found["size"], 480'000);
  ASSERT_FALSE(found["periods"].empty());
  EXPECT_EQ(found["periods"][0]["bytes"], 24);
  EXPECT_GT(found["periods"][0]["equal_per_cent"], 70);
  ASSERT_EQ(found["types"].size(), 1U);
  EXPECT_EQ(found["types"][0]["bytes"], 480'000);
  unsigned chosen = 0, predicted = 0;
  std::uint64_t least = UINT64_MAX, taken = 0;
  for (const auto& trial : found["types"][0]["trials"]) {
    least = std::min(least, trial["actual_bytes"].get<std::uint64_t>());
    if (trial.contains("predicted_bytes")) ++predicted;
    if (!trial["chosen"].get<bool>()) continue;
    ++chosen;
    taken = trial["actual_bytes"];
  }
  EXPECT_EQ(chosen, 1U);
  EXPECT_GE(predicted, 2U);
  EXPECT_LE(taken, least + least / 50);
}

// Samples of 12 bits, two of them in three bytes.
TEST_F(AnalyzeTest, TellsRecordsThatAreNoWholeBytes) {
  test::Random random(12);
  std::string bytes;
  unsigned value = 2000;
  for (unsigned i = 0; i < 40'000; ++i) {
    unsigned pair = 0;
    for (const unsigned shift : {0U, 12U}) {
      value = (value + static_cast<unsigned>(random.below(5)) - 2) & 0xfff;
      pair |= value << shift;
    }
    for (const unsigned shift : {0U, 8U, 16U}) bytes += static_cast<char>(pair >> shift);
  }
  write("samples.bin", bytes);
  const auto found = line_of_type(mmh_ok({"analyze", "--json", "samples.bin"}), "analysis");
  EXPECT_EQ(found["record_bits"], 12);
  EXPECT_THAT(mmh_ok({"analyze", "samples.bin"}), HasSubstr("12 bits: records that are no whole bytes"));
  EXPECT_FALSE(line_of_type(mmh_ok({"analyze", "--json", "records.bin"}), "analysis").contains("record_bits"));
}

// What it says of a file is what packing does with it.
TEST_F(AnalyzeTest, AgreesWithThePack) {
  const auto found = line_of_type(mmh_ok({"analyze", "--json", "-3", "records.bin"}), "analysis");
  mmh_ok({"pack", "-q", "-3", "records.bin"});
  const auto graph = line_of_type(mmh_ok({"info", "--json", "--graph", "records.bin.mmh"}), "graph");
  ASSERT_EQ(found["blocks"].size(), 1U);
  ASSERT_EQ(graph["programs"].size(), 1U);
  EXPECT_EQ(found["blocks"][0]["program"], graph["programs"][0]["program"]);
  EXPECT_EQ(found["blocks"][0]["stored_bytes"], graph["programs"][0]["stored_bytes"]);
}

TEST_F(AnalyzeTest, WritesATableAndAPicture) {
  const std::string table = mmh_ok({"analyze", "records.bin", "words.txt", "empty"});
  EXPECT_THAT(table, HasSubstr("24 bytes"));
  EXPECT_THAT(table, HasSubstr("words.txt\n"));
  EXPECT_THAT(table, HasSubstr("0.00 bits a byte"));
  const std::string svg = mmh_ok({"analyze", "--svg", "records.bin"});
  EXPECT_TRUE(svg.starts_with("<svg "));
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
  EXPECT_THAT(svg, HasSubstr("<polyline"));
  write("<&\">", "some text\n");
  EXPECT_THAT(mmh_ok({"analyze", "--svg", "<&\">"}), Not(HasSubstr("<&")));
}

TEST_F(AnalyzeTest, RefusesWhatItCannotRead) {
  EXPECT_EQ(status_of(mmh({"analyze"})), Status::usage);
  EXPECT_EQ(status_of(mmh({"analyze", "--svg", "records.bin", "words.txt"})), Status::usage);
  EXPECT_EQ(status_of(mmh({"analyze", "--svg", "--json", "records.bin"})), Status::usage);
  EXPECT_EQ(status_of(mmh({"analyze", "nowhere"})), Status::not_found);
  EXPECT_EQ(status_of(mmh({"analyze", "."})), Status::usage);
}

}  // namespace
}  // namespace mmh::cli
