#include "bench_data.h"

#include <algorithm>
#include <filesystem>

#include "bench_run.h"
#include "bench_tiers.h"
#include "support/support.h"
#include "support/trees.h"

namespace mmh::cli {
namespace {

TEST(BenchData, IsTheSameForTheSameSeed) {
  const test::TempDir folder;
  for (const std::string_view name : {"a", "b", "c"}) {
    std::filesystem::create_directory(folder / name);
    const auto made = generate_data(folder / name, 1'000'003, name == "c" ? 2 : 1, nullptr, nullptr);
    ASSERT_OK(made);
    EXPECT_EQ(made->bytes, 1'000'003U);
    EXPECT_GT(made->files, 15U);
  }
  EXPECT_EQ(*first_difference(folder / "a", folder / "b", nullptr), "");
  EXPECT_NE(*first_difference(folder / "a", folder / "c", nullptr), "");
}

TEST(BenchData, HasEveryKindEvenInSmallTiers) {
  const test::TempDir folder;
  ASSERT_OK(generate_data(folder / ".", 300'000, 1, nullptr, nullptr));
  for (const char* const kind : {"text", "source", "records", "images", "models", "logs", "archives", "media"}) {
    EXPECT_FALSE(std::filesystem::is_empty(folder.path() / kind / "000")) << kind;
  }
}

TEST(BenchData, StopsWhenCancelledAndWhenItCannotWrite) {
  const test::TempDir folder;
  CancelFlag cancel;
  cancel.set();
  EXPECT_EQ(test::error_of(generate_data(folder / ".", 1'000'000, 1, nullptr, &cancel)), Errc::cancelled);
  EXPECT_EQ(test::error_of(generate_data(folder / "missing", 1'000'000, 1, nullptr, nullptr)), Errc::not_found);
}

TEST(BenchTiers, AreTheNineOfTheGuide) {
  ASSERT_EQ(tiers().size(), 9U);
  EXPECT_TRUE(
      std::is_sorted(tiers().begin(), tiers().end(), [](const Tier& a, const Tier& b) { return a.bytes < b.bytes; }));
  EXPECT_EQ(tiers().back().bytes, 500'000'000'000U);
}

TEST(FirstDifference, SeesNamesModesLinksAndContent) {
  const test::TempDir folder;
  const auto path = [&](std::string_view name) { return folder / name; };
  for (const std::string side : {"a", "b"}) {
    std::filesystem::create_directories(path(side + "/d"));
    test::write_file(path(side + "/d/file"), as_bytes("same"));
    std::filesystem::create_symlink("file", path(side + "/d/link"));
  }
  const auto difference = [&] { return first_difference(path("a"), path("b"), nullptr).value_or("error"); };
  EXPECT_EQ(difference(), "");
  test::write_file(path("b/d/file"), as_bytes("sane"));
  EXPECT_THAT(difference(), ::testing::HasSubstr("content of"));
  test::write_file(path("b/d/file"), as_bytes("same"));
  std::filesystem::permissions(path("b/d/file"), std::filesystem::perms(0600));
  EXPECT_THAT(difference(), ::testing::HasSubstr("mode of"));
  std::filesystem::permissions(path("b/d/file"), std::filesystem::status(path("a/d/file")).permissions());
  std::filesystem::remove(path("b/d/link"));
  EXPECT_THAT(difference(), ::testing::HasSubstr("names"));
  std::filesystem::create_symlink("elsewhere", path("b/d/link"));
  EXPECT_THAT(difference(), ::testing::HasSubstr("target of"));
}

}  // namespace
}  // namespace mmh::cli
