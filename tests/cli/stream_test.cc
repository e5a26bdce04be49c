#include <fcntl.h>
#include <unistd.h>

#include "cli_support.h"
#include "mmh/cli/run.h"
#include "support/trees.h"

namespace mmh::cli {
namespace {

using ::testing::HasSubstr;

class StreamTest : public CliTest {};

TEST_F(StreamTest, APackGoesThroughAPipe) {
  make_model();
  for (const std::string command : {"\"$MMH\" pack model -o - | \"$MMH\" unpack - -C out",
                                    "\"$MMH\" pack model -o - | (mkdir out2; cd out2; \"$MMH\" unpack)"}) {
    const auto result = shell("set -o pipefail; " + command);
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_THAT(result.err, HasSubstr("mmh: -: 4 files")) << "the summary of a pack on standard output";
  }
  EXPECT_EQ(test::compare_trees(path("model"), path("out/model")), "");
  EXPECT_EQ(test::compare_trees(path("model"), path("out2/model")), "");
}

TEST_F(StreamTest, EveryReaderTakesAPackFromStandardInput) {
  make_model();
  mmh_ok({"pack", "-q", "model"});
  const std::string pack = read("model.mmh");
  EXPECT_EQ(mmh_ok({"list", "-"}, pack), mmh_ok({"list", "model.mmh"}));
  EXPECT_EQ(mmh_ok({"list"}, pack), mmh_ok({"list", "model.mmh"}));
  EXPECT_EQ(mmh_ok({"cat", "-", "model/config.json"}, pack), read("model/config.json"));
  EXPECT_THAT(mmh_ok({"verify"}, pack), HasSubstr("-: sound"));
  EXPECT_THAT(mmh_ok({"info", "-"}, pack), HasSubstr("4 files"));
  EXPECT_EQ(mmh_ok({"diff", "model.mmh", "-"}, pack), "");
}

TEST_F(StreamTest, TheStreamIsTheSamePackAsTheFile) {
  make_model();
  mmh_ok({"pack", "-q", "model"});
  const auto result = mmh({"pack", "-q", "model", "-o", "-"});
  EXPECT_EQ(status_of(result), Status::success);
  EXPECT_EQ(result.out, read("model.mmh"));
}

TEST_F(StreamTest, JsonStaysOutOfTheData) {
  make_model();
  const auto result = mmh({"pack", "--json", "model", "-o", "-"});
  EXPECT_EQ(status_of(result), Status::success);
  EXPECT_TRUE(line_of_type(result.err, "summary").contains("root"));
  EXPECT_THAT(mmh_ok({"list", "-"}, result.out), HasSubstr("model/config.json"));
}

TEST_F(StreamTest, TakesATarArchiveAsItIs) {
  make_model();
  ASSERT_EQ(shell("tar --format=pax -cf x.tar model").status, 0);
  mmh_ok({"pack", "--tar", "x.tar"});
  mmh_ok({"pack", "--tar", "-", "-o", "y.mmh"}, read("x.tar"));
  EXPECT_EQ(read("x.mmh"), read("y.mmh"));
  mmh_ok({"unpack", "x.mmh", "-C", "out"});
  EXPECT_EQ(test::compare_trees(path("model"), path("out/model")), "");
  EXPECT_EQ(mmh_ok({"diff", "x.mmh", "model"}), "");
}

TEST_F(StreamTest, TarReadsWhatUnpackWrites) {
  test::make_tree(path("tree"), {.seed = 11,
                                 .entries = 50,
                                 .total_bytes_max = 1 << 20,
                                 .xattrs = false,
                                 .acls = false,
                                 .owners = false,
                                 .fifos = false});
  mmh_ok({"pack", "-q", "tree"});
  const auto result = shell("\"$MMH\" unpack --tar tree.mmh > t.tar && mkdir out && tar -xpf t.tar -C out");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(test::compare_trees(path("tree"), path("out/tree")), "");
  const auto some =
      shell("\"$MMH\" unpack -q --tar tree.mmh --strip-components 1 > s.tar && tar -tf s.tar | head -n 3");
  EXPECT_EQ(some.status, 0) << some.err;
  EXPECT_THAT(some.out, ::testing::Not(HasSubstr("tree/")));
}

TEST_F(StreamTest, ARuinedTarIsAnError) {
  make_model();
  ASSERT_EQ(shell("tar -cf x.tar model && head -c 3000 x.tar > cut.tar").status, 0);
  const auto result = mmh({"pack", "--tar", "cut.tar"});
  EXPECT_EQ(status_of(result), Status::damage) << result.err;
  EXPECT_FALSE(exists("cut.mmh"));
}

TEST_F(StreamTest, RunsAsAFunction) {
  make_model();
  const int out = ::open(path("out").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_GE(out, 0);
  CancelFlag cancel;
  const std::string pack = path("m.mmh"), folder = path(".");
  const std::vector<const char*> words = {"mmh", "pack", "-C", folder.c_str(), "model", "-o", pack.c_str()};
  EXPECT_EQ(run(static_cast<int>(words.size()), words.data(), {.in = -1, .out = out, .err = out}, cancel), 0);
  ::close(out);
  EXPECT_THAT(read("out"), HasSubstr("4 files"));
}

TEST_F(StreamTest, ACancelledCommandLeavesNothing) {
  make_model();
  const int out = ::open(path("out").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_GE(out, 0);
  CancelFlag cancel;
  cancel.set();
  const std::string pack = path("m.mmh"), folder = path(".");
  const std::vector<const char*> words = {"mmh", "pack", "-C", folder.c_str(), "model", "-o", pack.c_str()};
  EXPECT_EQ(run(static_cast<int>(words.size()), words.data(), {.in = -1, .out = out, .err = out}, cancel), 130);
  ::close(out);
  EXPECT_EQ(names(), (std::vector<std::string>{"model", "out"}));
  EXPECT_EQ(read("out"), "mmh: interrupted\n");
}

}  // namespace
}  // namespace mmh::cli
