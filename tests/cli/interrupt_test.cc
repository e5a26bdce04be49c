#include <csignal>

#include "cli_support.h"

namespace mmh::cli {
namespace {

/// A pack that takes long enough to be interrupted: it is begun, and a status line says so.
class InterruptTest : public CliTest {
 protected:
  void SetUp() override {
    for (const char* const name : {"a", "b", "c", "d"}) {
      write(std::string("data/") + name, as_text(test::text_bytes(16 << 20, static_cast<std::uint64_t>(*name))));
    }
    mmh_ok({"pack", "-1q", "data/a", "-o", "old.mmh"});
  }
  test::ProcessOptions command(std::vector<std::string> words) const {
    test::ProcessOptions options;
    words.insert(words.begin(), program());
    options.argv = std::move(words);
    options.directory = path(".");
    return options;
  }
  const std::vector<std::string> before_ = {"data", "old.mmh"};
};

TEST_F(InterruptTest, ASignalEndsAPackWith130AndLeavesNothing) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    test::Process process(command({"pack", "-6", "--json", "-T1", "data", "-o", "new.mmh"}));
    ASSERT_TRUE(process.wait_for("\"status\""));
    process.signal(signal);
    const auto result = process.wait();
    EXPECT_EQ(status_of(result), Status::interrupted) << result.err;
    EXPECT_EQ(line_of_type(result.out, "error")["code"], "cancelled");
    EXPECT_EQ(names(), before_);
  }
}

TEST_F(InterruptTest, AKilledPackLeavesNothingUnderTheFinalName) {
  test::Process process(command({"pack", "-6", "--json", "-T1", "data", "-o", "new.mmh"}));
  ASSERT_TRUE(process.wait_for("\"status\""));
  process.signal(SIGKILL);
  EXPECT_EQ(process.wait().status, 128 + SIGKILL);
  EXPECT_FALSE(exists("new.mmh"));
}

TEST_F(InterruptTest, AnInterruptedAppendLeavesThePackAsItWas) {
  const std::string before = read("old.mmh");
  test::Process process(command({"append", "-6", "--json", "-T1", "old.mmh", "data"}));
  ASSERT_TRUE(process.wait_for("\"status\""));
  process.signal(SIGINT);
  EXPECT_EQ(status_of(process.wait()), Status::interrupted);
  EXPECT_EQ(read("old.mmh"), before);
}

TEST_F(InterruptTest, ASecondSignalEndsAtOnce) {
  test::Process process(command({"pack", "-6", "--json", "-T1", "data", "-o", "new.mmh"}));
  ASSERT_TRUE(process.wait_for("\"status\""));
  process.signal(SIGINT);
  process.signal(SIGTERM);
  EXPECT_EQ(status_of(process.wait()), Status::interrupted);
  EXPECT_FALSE(exists("new.mmh"));
}

TEST_F(InterruptTest, SignalsThatWereIgnoredStayIgnored) {
  const auto result = shell("trap '' HUP; \"$MMH\" pack -q -1 data -o new.mmh & sleep 0.05; kill -HUP $!; wait $!");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_TRUE(exists("new.mmh"));
}

}  // namespace
}  // namespace mmh::cli
