#include "mmh/pack/diff.h"

#include <rapidcheck.h>

#include <cstdlib>
#include <map>

#include "pack/pack_support.h"

namespace mmh::pack {
namespace {

using test::make_directory;
using test::make_file;
using test::PackMaker;
using testing::ElementsAre;

const int seeded = setenv("RC_PARAMS", "seed=20240602 max_success=60", 0);

using Changes = std::vector<std::pair<Change, std::string>>;

Changes changes_between(const Reader& before, const Reader& after) {
  Changes changes;
  EXPECT_OK(diff(before, after, [&](Change change, const FileRecord* a, const FileRecord* b) -> Result<> {
    EXPECT_EQ(a == nullptr, change == Change::added);
    EXPECT_EQ(b == nullptr, change == Change::removed);
    if (a != nullptr && b != nullptr) {
      EXPECT_EQ(a->entry.path, b->entry.path);
    }
    changes.emplace_back(change, (a != nullptr ? a : b)->entry.path);
    return {};
  }));
  return changes;
}

Buffer pack_of(const std::map<std::string, FileRecord>& records) {
  PackMaker maker;
  maker.add_block(as_bytes("filler"));  // what the extents name
  for (const auto& [path, record] : records) maker.add(record);
  maker.finish();
  return maker.bytes();
}

Changes changes_between(const std::map<std::string, FileRecord>& before,
                        const std::map<std::string, FileRecord>& after) {
  const Buffer a = pack_of(before), b = pack_of(after);
  const auto first = test::open_bytes(a), second = test::open_bytes(b);
  EXPECT_OK(first);
  EXPECT_OK(second);
  return changes_between(**first, **second);
}

FileRecord file(const std::string& path, std::string_view content) {
  return make_file(path, as_bytes(content), {{0, 0, content.size()}});
}

TEST(Diff, TellsEachKindOfChange) {
  std::map<std::string, FileRecord> before, after;
  for (const char* path : {"same", "content", "size", "mode", "type", "link", "gone"}) {
    before[path] = after[path] = file(path, "abc");
  }
  after["content"] = file("content", "abd");
  after["size"] = file("size", "abcd");
  after["mode"].entry.mode = 0600;
  after["type"] = make_directory("type");
  before["link"] = test::make_symlink("link", "a");
  after["link"] = test::make_symlink("link", "b");
  after.erase("gone");
  after["new"] = file("new", "x");
  EXPECT_THAT(changes_between(before, after),
              ElementsAre(std::pair(Change::content, "content"), std::pair(Change::removed, "gone"),
                          std::pair(Change::content, "link"), std::pair(Change::metadata, "mode"),
                          std::pair(Change::added, "new"), std::pair(Change::content, "size"),
                          std::pair(Change::type, "type")));
}

TEST(Diff, HandlesEmptyPacks) {
  const std::map<std::string, FileRecord> none;
  const std::map<std::string, FileRecord> one{{"a", file("a", "x")}};
  EXPECT_TRUE(changes_between(none, none).empty());
  EXPECT_THAT(changes_between(none, one), ElementsAre(std::pair(Change::added, "a")));
  EXPECT_THAT(changes_between(one, none), ElementsAre(std::pair(Change::removed, "a")));
}

TEST(Diff, FindsExactlyWhatChanged) {
  EXPECT_TRUE(rc::check([](std::uint64_t seed) {
    test::Random random(seed);
    std::map<std::string, FileRecord> before;
    for (std::uint64_t i = random.below(2000); i > 0; --i) {
      const std::string path = std::to_string(random.below(5000));
      before[path] = file(path, "abc");
    }
    auto after = before;
    std::map<std::string, Change> expected;
    for (std::uint64_t i = random.below(12); i > 0; --i) {
      const std::string path = std::to_string(random.below(5000));
      const bool was_there = before.contains(path);
      if (random.below(2) == 0) {
        after[path] = file(path, "abd");
        expected[path] = was_there ? Change::content : Change::added;
      } else {
        after.erase(path);
        expected.erase(path);
        if (was_there) expected[path] = Change::removed;
      }
    }
    const Changes found = changes_between(before, after);
    RC_ASSERT(std::ranges::is_sorted(found, {}, [](const auto& change) { return change.second; }));
    std::map<std::string, Change> by_path;
    for (const auto& [change, path] : found) by_path[path] = change;
    RC_ASSERT(by_path == expected);
  }));
}

TEST(Diff, SkipsWhatIsEqualUnread) {
  std::map<std::string, FileRecord> before;
  for (int i = 0; i < 20'000; ++i) {
    const std::string path = std::to_string(100'000 + i);
    before[path] = file(path, "abc");
  }
  auto after = before;
  after["110000"] = file("110000", "abd");
  after["115000x"] = file("115000x", "x");
  const Buffer a = pack_of(before), b = pack_of(after);
  test::CountingSource::Counts counts;
  const auto first = Reader::open(std::make_unique<test::CountingSource>(a, counts), test::no_codecs());
  const auto second = test::open_bytes(b);
  ASSERT_OK(first);
  ASSERT_OK(second);
  const std::uint64_t opening = counts.reads;
  EXPECT_EQ(changes_between(**first, **second).size(), 2u);
  EXPECT_LE(counts.reads - opening, 10u);  // of some 170 pages
}

TEST(Diff, PassesOnWhatTheSinkReturns) {
  const Buffer a = pack_of({}), b = pack_of({{"a", file("a", "x")}});
  const auto first = test::open_bytes(a), second = test::open_bytes(b);
  const auto stopped = diff(**first, **second, [](Change, const FileRecord*, const FileRecord*) -> Result<> {
    return fail(Errc::io, "full");
  });
  EXPECT_EQ(test::error_of(stopped), Errc::io);
}

}  // namespace
}  // namespace mmh::pack
