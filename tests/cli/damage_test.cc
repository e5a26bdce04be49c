#include <algorithm>

#include "cli_support.h"
#include "command_table.h"

namespace mmh::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class DamageCli : public CliTest {
 protected:
  void SetUp() override {
    text_ = std::string(as_text(test::random_bytes(100'000, 1)));
    write("x", text_);
  }
  // What the words make of the file, in place and as a copy, which must be the same.
  std::string damaged(std::vector<std::string> words) const {
    write("x", text_);
    std::vector<std::string> copy = words;
    copy.insert(copy.begin(), "damage");
    copy.insert(copy.end(), {"x", "-f", "-o", "y"});
    mmh_ok(copy);
    EXPECT_EQ(read("x"), text_);
    words.insert(words.begin(), "damage");
    words.emplace_back("x");
    mmh_ok(words);
    EXPECT_EQ(read("x"), read("y"));
    return read("x");
  }
  std::size_t differing(const std::string& bad) const {
    EXPECT_EQ(bad.size(), text_.size());
    std::size_t count = 0;
    for (std::size_t i = 0; i < bad.size(); ++i) count += bad[i] != text_[i] ? 1u : 0u;
    return count;
  }
  std::string text_;
};

TEST_F(DamageCli, FlipsOneBitOfAsManyBytesAsAsked) {
  const std::string bad = damaged({"flip", "--count", "7", "--seed", "3"});
  EXPECT_EQ(differing(bad), 7u);
  EXPECT_EQ(bad, damaged({"flip", "--count", "7", "--seed", "3"}));
  EXPECT_NE(bad, damaged({"flip", "--count", "7", "--seed", "4"}));
}

TEST_F(DamageCli, ZerosAndOverwritesRanges) {
  std::string expected = text_;
  std::fill_n(expected.begin() + 1000, 500, '\0');
  std::fill_n(expected.begin() + 4096, 4096, '\0');
  EXPECT_EQ(damaged({"zero", "--at", "1000+500", "--at", "4K"}), expected);
  const std::string bad = damaged({"overwrite", "--at", "10+3000"});
  EXPECT_GT(differing(bad), 2900u);
  EXPECT_EQ(bad.substr(3010), text_.substr(3010));
}

TEST_F(DamageCli, DropsInsertsAndTruncates) {
  EXPECT_EQ(damaged({"drop", "--at", "100+50"}), text_.substr(0, 100) + text_.substr(150));
  const std::string longer = damaged({"insert", "--at", "100", "--size", "30"});
  EXPECT_EQ(longer.substr(0, 100) + longer.substr(130), text_);
  EXPECT_EQ(damaged({"truncate", "--size", "1%"}), text_.substr(0, 99'000));
  EXPECT_EQ(damaged({"truncate", "--size", "10", "--front"}), text_.substr(10));
}

TEST_F(DamageCli, SwapsPiecesTwoByTwo) {
  std::string expected = text_;
  std::swap_ranges(expected.begin() + 100, expected.begin() + 200, expected.begin() + 5000);
  EXPECT_EQ(damaged({"swap", "--at", "100+100", "--at", "5000+100"}), expected);
  std::string bad = damaged({"swap", "--count", "3", "--size", "512", "--align", "512"});
  EXPECT_GT(differing(bad), 6 * 500u);
  std::string sorted = text_;
  std::ranges::sort(sorted);
  std::ranges::sort(bad);
  EXPECT_EQ(bad, sorted);
}

TEST_F(DamageCli, ScatteredPiecesAreAlignedApartAndWithinTheirPlaces) {
  write("x", text_);
  const std::string out = mmh_ok(
      {"damage", "zero", "--count", "16", "--size", "512", "--align", "512", "--within", "1024+8192", "--json", "x"});
  std::vector<std::uint64_t> offsets;
  for (const auto& line : json_lines(out)) {
    if (line["type"] == "piece") offsets.push_back(line["offset"]);
  }
  std::vector<std::uint64_t> every;
  for (std::uint64_t at = 1024; at < 9216; at += 512) every.push_back(at);
  EXPECT_EQ(offsets, every);
  EXPECT_EQ(line_of_type(out, "summary")["pieces"], 16);
  EXPECT_EQ(status_of(mmh(
                {"damage", "zero", "--count", "17", "--size", "512", "--align", "512", "--within", "1024+8192", "x"})),
            Status::usage);
  const std::string share = mmh_ok({"damage", "zero", "--count", "5%", "--size", "100", "--json", "x"});
  EXPECT_EQ(line_of_type(share, "summary")["pieces"], 50);
}

TEST_F(DamageCli, NamesThePartsOfAPack) {
  write("in", text_);
  mmh_ok({"pack", "in", "-o", "in.mmh"});
  const std::string whole = read("in.mmh");
  for (const char* part : {"header", "data", "manifest", "index", "trailer", "trailer.1", "footer", "footer.0", "head",
                           "head.1", "anchors", "checks", "repair", "parity"}) {
    mmh_ok({"damage", "zero", "--at", part, "-f", "-o", "bad.mmh", "in.mmh"});
    EXPECT_NE(read("bad.mmh"), whole) << part;
  }
  mmh_ok({"damage", "zero", "--at", "header", "in.mmh"});
  EXPECT_EQ(read("in.mmh").substr(0, 64), std::string(64, '\0'));
  EXPECT_EQ(read("in.mmh").substr(64), whole.substr(64));
  EXPECT_EQ(status_of(mmh({"damage", "zero", "--at", "index", "in.mmh"})), Status::damage);
}

TEST_F(DamageCli, RefusesWhatCannotBeDone) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"burn", "x"},
                                                {"flip"},
                                                {"flip", "--at", "100001", "x"},
                                                {"flip", "--size", "0%", "x"},
                                                {"zero", "--at", "0+10", "--at", "5+10", "x"},
                                                {"swap", "--at", "0+10", "x"},
                                                {"flip", "--at", "0+", "x"},
                                                {"swap", "--at", "0+10", "--at", "50+11", "x"},
                                                {"truncate", "--at", "7", "x"}}) {
    std::vector<std::string> all = words;
    all.insert(all.begin(), "damage");
    EXPECT_EQ(status_of(mmh(all)), Status::usage) << words.back();
    EXPECT_EQ(read("x"), text_);
  }
}

TEST_F(DamageCli, IsExplainedButNotListed) {
  for (const CommandSpec& command : hidden_commands()) {
    const std::string name(command.name);
    EXPECT_THAT(mmh_ok({"help", name}), HasSubstr("Usage: mmh " + name));
    EXPECT_THAT(mmh_ok({"help"}), Not(HasSubstr(command.summary)));
    EXPECT_THAT(mmh_ok({"completions", "fish"}), Not(HasSubstr(command.summary)));
  }
}

}  // namespace
}  // namespace mmh::cli
