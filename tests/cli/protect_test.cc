#include <filesystem>

#include "cli_support.h"
#include "paths.h"

namespace mmh::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class ProtectCli : public CliTest {
 protected:
  void SetUp() override {
    write("photos/large", std::string(as_text(test::random_bytes(200'000, 1))));
    for (std::uint64_t i = 0; i < 20; ++i) {
      write("photos/sub/small" + std::to_string(i), std::string(as_text(test::random_bytes(500, 10 + i))));
    }
    large_ = read("photos/large");
  }
  // Other bytes under the old time.
  void damage(std::string_view name, std::size_t offset, std::size_t length) const {
    const auto time = fs::last_write_time(path(name));
    std::string bad = read(name);
    std::fill_n(bad.begin() + static_cast<std::ptrdiff_t>(offset), length, '\0');
    write(name, bad);
    fs::last_write_time(path(name), time);
  }
  std::string large_;
};

TEST_F(ProtectCli, ProtectsBesideAndListsWhatItProtects) {
  EXPECT_THAT(mmh_ok({"protect", "photos"}), HasSubstr("photos.mmhp: 21 files"));
  EXPECT_THAT(mmh_ok({"verify", "photos.mmhp"}), HasSubstr("sound"));
  EXPECT_THAT(mmh_ok({"info", "photos.mmhp"}), HasSubstr("survives any"));
  EXPECT_THAT(mmh_ok({"list", "photos.mmhp"}), HasSubstr("photos/large\nphotos/sub/small0\n"));
  EXPECT_EQ(mmh_ok({"list", "photos.mmhp", "photos/sub/*9"}), "photos/sub/small19\nphotos/sub/small9\n");
  EXPECT_THAT(mmh_ok({"protect", "photos"}), HasSubstr("up to date"));
}

TEST_F(ProtectCli, StatusesTellDamageChangeAndLossBeyondParity) {
  mmh_ok({"protect", "photos"});
  damage("photos/large", 5000, 3000);
  const auto healable = mmh({"verify", "photos.mmhp"});
  EXPECT_EQ(status_of(healable), Status::healable);
  EXPECT_THAT(healable.out, HasSubstr("photos/large: damaged\n"));
  EXPECT_THAT(mmh_ok({"repair", "photos.mmhp"}), HasSubstr("photos/large: damaged, restored"));
  EXPECT_EQ(read("photos/large"), large_);
  EXPECT_THAT(mmh_ok({"repair", "photos.mmhp"}), HasSubstr("nothing to mend"));

  write("photos/sub/small3", "written since");
  EXPECT_EQ(status_of(mmh({"verify", "photos.mmhp"})), Status::warnings);
  EXPECT_EQ(status_of(mmh({"repair", "photos.mmhp"})), Status::warnings);
  EXPECT_EQ(read("photos/sub/small3"), "written since");
  mmh_ok({"repair", "--undo", "photos.mmhp"});
  mmh_ok({"verify", "photos.mmhp"});

  damage("photos/large", 0, 100'000);
  EXPECT_EQ(status_of(mmh({"verify", "photos.mmhp"})), Status::damage);
  const auto hopeless = mmh({"repair", "--json", "photos.mmhp"});
  EXPECT_EQ(status_of(hopeless), Status::damage);
  EXPECT_EQ(line_of_type(hopeless.out, "summary")["files_hopeless"], 1);
  EXPECT_EQ(line_of_type(hopeless.out, "protected_file")["path"], "photos/large");
}

TEST_F(ProtectCli, WorksWhereThePathsLie) {
  mmh_ok({"protect", path("photos/sub")});
  EXPECT_TRUE(exists("photos/sub.mmhp"));
  EXPECT_THAT(mmh_ok({"list", "photos/sub.mmhp"}), HasSubstr("sub/small0"));
  mmh_ok({"protect", "photos/sub/small1", "photos/sub/small2"});
  EXPECT_EQ(mmh_ok({"list", "photos/sub/sub.mmhp"}), "small1\nsmall2\n");
  EXPECT_THAT(mmh_ok({"protect", "-C", "photos", "-o", "elsewhere.mmhp", "sub", "large"}), HasSubstr("-C photos"));
  EXPECT_EQ(status_of(mmh({"verify", "elsewhere.mmhp"})), Status::damage);
  mmh_ok({"verify", "-C", "photos", "elsewhere.mmhp"});
  fs::remove(path("photos/sub/small5"));
  mmh_ok({"repair", "-C", "photos", "-o", "out", "elsewhere.mmhp"});
  EXPECT_TRUE(exists("out/sub/small5"));
  EXPECT_FALSE(exists("photos/sub/small5"));
  // A protection within what it protects is not a part of it.
  const auto inside = shell("cd photos/sub && $MMH protect . && $MMH protect . && $MMH verify sub.mmhp");
  EXPECT_EQ(inside.status, 0) << inside.err;
}

TEST_F(ProtectCli, OtherCommandsSayWhatItIs) {
  mmh_ok({"protect", "photos"});
  for (const std::vector<std::string>& words : {std::vector<std::string>{"cat", "photos.mmhp", "photos/large"},
                                                {"unpack", "photos.mmhp"},
                                                {"append", "photos.mmhp", "photos/large"},
                                                {"parity", "set", "2%", "photos.mmhp"}}) {
    const auto result = mmh(words);
    EXPECT_EQ(status_of(result), Status::usage) << words.front();
    EXPECT_THAT(result.err, HasSubstr("is a protection")) << words.front();
  }
  mmh_ok({"pack", "photos", "-o", "x.mmh"});
  EXPECT_EQ(status_of(mmh({"verify", "-C", "photos", "x.mmh"})), Status::usage);
  EXPECT_EQ(status_of(mmh({"repair", "--undo", "x.mmh"})), Status::usage);
  EXPECT_EQ(status_of(mmh({"protect", "photos", "-o", "x.mmh"})), Status::exists);
  EXPECT_EQ(status_of(mmh({"protect", "photos", "--parity", "0"})), Status::usage);
}

TEST_F(ProtectCli, IsKnownByItsBytesUnderAnyName) {
  mmh_ok({"protect", "photos", "-o", "whatever"});
  mmh_ok({"verify", "whatever"});
  std::string bad = read("whatever");
  std::fill_n(bad.begin(), 4000, '\0');
  write("whatever", bad);
  EXPECT_EQ(status_of(mmh({"verify", "whatever"})), Status::healable);
  EXPECT_THAT(mmh_ok({"repair", "whatever"}), HasSubstr("the protection mended"));
  mmh_ok({"verify", "whatever"});
}

TEST_F(ProtectCli, SaysThatWhatOnlyChangedNeedsNoMending) {
  mmh_ok({"protect", "photos"});
  EXPECT_EQ(line_of_type(mmh_ok({"verify", "--json", "photos.mmhp"}), "summary")["healable"], false);
  write("photos/large", "written later");
  fs::last_write_time(path("photos/large"), fs::file_time_type::clock::now() + std::chrono::hours(1));
  const auto result = mmh({"repair", "photos.mmhp"});
  EXPECT_EQ(status_of(result), Status::warnings);
  EXPECT_THAT(result.err + result.out, HasSubstr("nothing to mend: 1 file changed or moved and left so"));
  EXPECT_EQ(line_of_type(mmh({"repair", "--json", "photos.mmhp"}).out, "summary")["healable"], false);
}

TEST_F(ProtectCli, ListsNoOwnersWhichItDoesNotKeep) {
  mmh_ok({"protect", "photos"});
  EXPECT_THAT(mmh_ok({"list", "-l", "photos.mmhp"}), testing::Not(HasSubstr("0/0")));
  EXPECT_FALSE(line_of_type(mmh_ok({"list", "--json", "photos.mmhp"}), "entry").contains("uid"));
}

TEST_F(ProtectCli, QuotesNamesInTheCommandsThatItAdvises) {
  write("a b/it's", std::string(5000, 'x'));
  mmh_ok({"protect", "a b"});
  fs::remove(path("a b/it's"));
  const auto result = mmh({"verify", "a b.mmhp"});
  EXPECT_THAT(result.err + result.out, HasSubstr("run mmh repair 'a b.mmhp'"));
}

TEST_F(ProtectCli, ExcludesAndIncludesAsPackDoes) {
  mmh_ok({"protect", "--exclude", "small1*", "photos"});
  const std::string list = mmh_ok({"list", "photos.mmhp"});
  EXPECT_EQ(list.find("small1"), std::string::npos);
  EXPECT_THAT(list, HasSubstr("small2"));
}

}  // namespace
}  // namespace mmh::cli
