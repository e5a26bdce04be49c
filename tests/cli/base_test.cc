#include "cli_support.h"

namespace mmh::cli {
namespace {

using ::testing::HasSubstr;

class BaseCli : public CliTest {
 protected:
  void SetUp() override {
    noise_ = as_text(test::random_bytes(300'000, 1));
    write("v1/noise", noise_);
    write("v1/text", std::string(as_text(test::text_bytes(50'000, 2))));
    mmh_ok({"pack", "v1", "-o", "v1.mmh"});
    write("v2/noise", noise_);
    write("v2/text", std::string(as_text(test::text_bytes(50'100, 2))));
    mmh_ok({"pack", "--base", "v1.mmh", "v2", "-o", "v2.mmh"});
  }
  std::string noise_;
};

TEST_F(BaseCli, PacksWhatDiffersAndReadsItBack) {
  EXPECT_LT(read("v2.mmh").size(), 20'000u);
  EXPECT_EQ(mmh_ok({"cat", "v2.mmh", "v2/noise"}), noise_);
  mmh_ok({"verify", "--deep", "v2.mmh"});
  mmh_ok({"pack", "v2", "-o", "alone.mmh"});
  const auto root = [&](const char* pack) { return line_of_type(mmh_ok({"info", "--json", pack}), "info")["root"]; };
  EXPECT_EQ(root("v2.mmh"), root("alone.mmh"));
}

TEST_F(BaseCli, InfoShowsTheChainAndWhatIsMissing) {
  mmh_ok({"pack", "--base", "v2.mmh", "v2", "-o", "v3.mmh"});
  EXPECT_THAT(mmh_ok({"info", "v3.mmh"}), testing::AllOf(HasSubstr("v2.mmh"), HasSubstr("v1.mmh")));
  EXPECT_EQ(line_of_type(mmh_ok({"info", "--json", "v3.mmh"}), "info")["bases"].size(), 2u);
  shell("mv v1.mmh elsewhere.mmh");
  EXPECT_THAT(mmh_ok({"info", "v3.mmh"}), HasSubstr("NOT FOUND"));
  EXPECT_EQ(line_of_type(mmh_ok({"info", "--json", "--base", "elsewhere.mmh", "v3.mmh"}), "info")["bases"][1]["found"],
            true);
}

TEST_F(BaseCli, WithoutTheRightBaseItSaysWhichOneItNeeds) {
  shell("mv v1.mmh elsewhere.mmh");
  const auto missing = mmh({"unpack", "v2.mmh", "-C", "out"});
  EXPECT_EQ(status_of(missing), Status::not_found);
  EXPECT_THAT(missing.err, testing::AllOf(HasSubstr("v1.mmh"), HasSubstr("--base")));
  const auto wrong = mmh({"cat", "--base", "v2.mmh", "v2.mmh", "v2/noise"});
  EXPECT_EQ(status_of(wrong), Status::not_found);
  EXPECT_THAT(wrong.err, HasSubstr("is not it"));
  EXPECT_EQ(mmh_ok({"cat", "--base", "elsewhere.mmh", "v2.mmh", "v2/noise"}), noise_);
  mmh_ok({"verify", "v2.mmh"});
  mmh_ok({"list", "v2.mmh"});
}

TEST_F(BaseCli, RebaseMakesItStandAlone) {
  const auto before = line_of_type(mmh_ok({"info", "--json", "v2.mmh"}), "info");
  EXPECT_THAT(mmh_ok({"rebase", "v2.mmh"}), HasSubstr("stands alone now"));
  shell("rm v1.mmh");
  const auto after = line_of_type(mmh_ok({"info", "--json", "v2.mmh"}), "info");
  EXPECT_EQ(after["root"], before["root"]);
  EXPECT_EQ(after["parity_ppm"], before["parity_ppm"]);
  EXPECT_TRUE(after["bases"].empty());
  EXPECT_EQ(mmh_ok({"cat", "v2.mmh", "v2/noise"}), noise_);
}

}  // namespace
}  // namespace mmh::cli
