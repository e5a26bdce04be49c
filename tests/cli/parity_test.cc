#include <algorithm>

#include "cli_support.h"
#include "text.h"

namespace mmh::cli {
namespace {

using ::testing::HasSubstr;

class ParityCli : public CliTest {
 protected:
  void SetUp() override {
    write("data/noise", std::string(as_text(test::random_bytes(200'000, 1))));
    write("data/text", std::string(as_text(test::text_bytes(50'000, 2))));
    mmh_ok({"pack", "--parity", "2%", "--block-size", "32K", "data", "-o", "x.mmh"});
    whole_ = read("x.mmh");
  }
  void damage(std::size_t offset, std::size_t length) const {
    std::string bad = whole_;
    std::fill_n(bad.begin() + static_cast<std::ptrdiff_t>(offset), length, '\0');
    write("x.mmh", bad);
  }
  std::string whole_;
};

TEST(ParseShare, TakesPercentagesAndNothingElse) {
  EXPECT_EQ(parse_share("1%").value(), 10'000u);
  EXPECT_EQ(parse_share("0.5%").value(), 5'000u);
  EXPECT_EQ(parse_share("12.3456%").value(), 123'456u);
  EXPECT_EQ(parse_share("0").value(), 0u);
  EXPECT_EQ(format_share(10'000), "1 %");
  EXPECT_EQ(format_share(123'456), "12.3456 %");
  for (const char* text : {"", "%", "1", "1.%", ".5%", "1.23456%", "-1%", "1 %", "1000%", "5M", "1%%"}) {
    EXPECT_EQ(test::error_of(parse_share(text)), Errc::usage) << text;
  }
}

TEST_F(ParityCli, InfoStatesThePromise) {
  EXPECT_THAT(mmh_ok({"info", "x.mmh"}), HasSubstr("2 %: survives any "));
  const auto info = line_of_type(mmh_ok({"info", "--json", "x.mmh"}), "info");
  EXPECT_EQ(info["parity_ppm"], 20'000);
  EXPECT_GE(info["survives_one_piece_bytes"].get<std::uint64_t>(), whole_.size() / 50);
  mmh_ok({"pack", "--parity", "0", "data", "-o", "none.mmh"});
  EXPECT_THAT(mmh_ok({"info", "none.mmh"}), HasSubstr("mmh parity set"));
  EXPECT_EQ(status_of(mmh({"pack", "--parity", "60%", "data", "-o", "much.mmh"})), Status::usage);
}

TEST_F(ParityCli, VerifyEndsWith12WhereParityHelpsAnd3WhereItDoesNot) {
  damage(20'000, 2000);
  const auto healable = mmh({"verify", "x.mmh"});
  EXPECT_EQ(status_of(healable), Status::healable);
  EXPECT_THAT(healable.out, HasSubstr("damaged but healable"));
  EXPECT_EQ(line_of_type(mmh({"verify", "--json", "x.mmh"}).out, "summary")["healable"], true);
  damage(20'000, 100'000);
  EXPECT_EQ(status_of(mmh({"verify", "x.mmh"})), Status::damage);
}

TEST_F(ParityCli, RepairMendsInPlaceAndTellsEachRange) {
  damage(20'000, 2000);
  const std::string out = mmh_ok({"repair", "x.mmh"});
  EXPECT_THAT(out, HasSubstr("bytes 19968 to 22016: mended"));
  EXPECT_THAT(out, HasSubstr("healed"));
  EXPECT_EQ(read("x.mmh"), whole_);
  EXPECT_THAT(mmh_ok({"repair", "x.mmh"}), HasSubstr("nothing to mend"));
}

TEST_F(ParityCli, RepairWritesElsewhereAndTakesCopies) {
  write("copy.mmh", whole_.substr(0, 150'000));
  damage(20'000, 100'000);
  const std::string bad = read("x.mmh");
  EXPECT_EQ(status_of(mmh({"repair", "x.mmh", "-o", "y.mmh"})), Status::damage);
  EXPECT_FALSE(exists("y.mmh"));
  mmh_ok({"repair", "x.mmh", "-o", "y.mmh", "--from", "copy.mmh"});
  EXPECT_EQ(read("y.mmh"), whole_);
  EXPECT_EQ(read("x.mmh"), bad);
}

TEST_F(ParityCli, RepairWithoutParityTellsSoundFromDamagedFromOther) {
  mmh_ok({"pack", "--parity", "0", "data", "-o", "none.mmh"});
  const std::string none = read("none.mmh");
  EXPECT_THAT(mmh_ok({"repair", "none.mmh"}), HasSubstr("sound"));
  EXPECT_EQ(read("none.mmh"), none);
  std::string bad = none;
  bad[5000] = static_cast<char>(bad[5000] ^ 1);
  write("none.mmh", bad);
  const auto damaged = mmh({"repair", "none.mmh"});
  EXPECT_EQ(status_of(damaged), Status::damage);
  EXPECT_THAT(damaged.err, HasSubstr("--from"));
  EXPECT_EQ(read("none.mmh"), bad);
  const auto other = mmh({"repair", "data/text"});
  EXPECT_EQ(status_of(other), Status::damage);
  EXPECT_THAT(other.err, HasSubstr("not an MMH pack"));
}

TEST_F(ParityCli, CatDeliversRightBytesFromADamagedPackAndWarns) {
  damage(20'000, 2000);
  const auto result = mmh({"cat", "x.mmh", "data/noise", "data/text"});
  EXPECT_EQ(status_of(result), Status::success);
  EXPECT_EQ(result.out, read("data/noise") + read("data/text"));
  EXPECT_THAT(result.err, HasSubstr("mended by its parity"));
}

TEST_F(ParityCli, SetChangesTheParityOfAPack) {
  EXPECT_THAT(mmh_ok({"parity", "set", "0", "x.mmh"}), HasSubstr("removed"));
  EXPECT_LT(read("x.mmh").size(), whole_.size());
  EXPECT_THAT(mmh_ok({"parity", "set", "2%", "x.mmh"}), HasSubstr("survives any"));
  EXPECT_EQ(read("x.mmh"), whole_);
  const auto summary = line_of_type(mmh_ok({"parity", "set", "--json", "3%", "x.mmh"}), "summary");
  EXPECT_EQ(summary["root"], line_of_type(mmh_ok({"info", "--json", "x.mmh"}), "info")["root"]);
  EXPECT_TRUE(summary.contains("seconds"));
  EXPECT_EQ(status_of(mmh({"parity", "set", "2", "x.mmh"})), Status::usage);
  EXPECT_EQ(status_of(mmh({"parity", "get", "x.mmh"})), Status::usage);
}

TEST_F(ParityCli, SalvageUnpacksWhatIsLeft) {
  mmh_ok({"parity", "set", "0", "x.mmh"});
  std::string bad = read("x.mmh");
  bad.resize(bad.size() - 800);
  write("x.mmh", bad);
  EXPECT_EQ(status_of(mmh({"unpack", "x.mmh", "-C", "out"})), Status::damage);
  const auto result = mmh({"unpack", "--salvage", "x.mmh", "-C", "out"});
  EXPECT_THAT(result.err, HasSubstr("rebuilt"));
  EXPECT_EQ(read("out/data/text"), read("data/text"));
  EXPECT_EQ(read("out/data/noise"), read("data/noise"));
}

}  // namespace
}  // namespace mmh::cli
