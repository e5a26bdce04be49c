// Which chunks share a block.
#include "lanes.h"

#include <map>
#include <string>

#include "support/support.h"

namespace mmh::test {
namespace {

using content::ContentClass;
using content::ContentType;
using pack::BlockContent;
using pack::Lanes;

constexpr std::size_t kChunk = 1000;

class WholeFiles : public testing::Test {
 protected:
  void add_file(std::string_view path, std::size_t chunks) {
    const pack::LikenessKey key = lanes_.key_for(type_, path, nullptr);
    for (std::size_t i = 0; i < chunks; ++i) {
      buffer_->bytes.resize(kChunk);
      lanes_.add(type_, {key, std::make_shared<pack::ChunkPlace>(), buffer_, buffer_->bytes, {}});
    }
  }
  std::vector<std::size_t> block_sizes() {
    std::vector<std::size_t> sizes;
    for (const BlockContent& block : lanes_.take_all([](const ContentType&) { return 4 * kChunk; })) {
      sizes.push_back(block.size / kChunk);
    }
    return sizes;
  }

  ContentType type_ = [] {
    ContentType type(ContentClass::compressed);
    type.is_whole = true;
    return type;
  }();
  std::shared_ptr<pack::ReadBuffer> buffer_ = std::make_shared<pack::ReadBuffer>();
  Lanes lanes_{10 * kChunk};
};

TEST_F(WholeFiles, AreNotDividedAmongBlocks) {
  add_file("a.jpg", 3);
  add_file("b.jpg", 3);  // does not fit beside the first
  add_file("c.jpg", 1);
  add_file("d.jpg", 10);  // as large as a file may be
  add_file("e.jpg", 2);
  add_file("f.jpg", 2);
  EXPECT_THAT(block_sizes(), testing::ElementsAre(10, 4, 4, 3));
}

TEST_F(WholeFiles, AreDividedWhereTheyAreTooLarge) {
  add_file("a.jpg", 11);
  EXPECT_THAT(block_sizes(), testing::ElementsAre(4, 4, 3));
}

TEST_F(WholeFiles, ShareNoBlockWithSmallRemaindersOfOtherTypes) {
  add_file("a.jpg", 2);
  type_ = ContentClass::text;
  add_file("b.txt", 1);
  EXPECT_THAT(block_sizes(), testing::ElementsAre(2, 1));
}

TEST_F(WholeFiles, OfOneNameAreNotOneFile) {
  add_file("a/x.jpg", 3);
  add_file("b/x.jpg", 3);
  EXPECT_THAT(block_sizes(), testing::ElementsAre(3, 3));
}

// In which order files come out, one chunk each.
class Order : public testing::Test {
 protected:
  void add_file(std::string_view path, const Buffer& content) {
    auto buffer = std::make_shared<pack::ReadBuffer>();
    buffer->bytes = content;
    const chunking::Sketch sketch = chunking::similarity_sketch(content);
    const pack::LikenessKey key = lanes_.key_for(ContentClass::text, path, with_sketch_ ? &sketch : nullptr);
    const ByteView data = buffer->bytes;
    names_[data.data()] = path;
    lanes_.add(ContentClass::text, {key, std::make_shared<pack::ChunkPlace>(), std::move(buffer), data, {}});
  }
  std::vector<std::string> order() {
    std::vector<std::string> names;
    taken_ = lanes_.take_all([](const ContentType&) { return std::size_t{1} << 30; });
    for (const BlockContent& block : taken_) {
      for (const pack::WaitingChunk& chunk : block.chunks) names.push_back(names_[chunk.data.data()]);
    }
    return names;
  }

  bool with_sketch_ = true;
  Lanes lanes_{10 * kChunk};
  std::map<const std::byte*, std::string> names_;
  std::vector<BlockContent> taken_;
};

// Translations: half of each says what is translated, as its namesakes do.
Buffer translation(std::uint64_t program, std::uint64_t language) {
  Buffer out = random_bytes(20'000, program);
  const Buffer own = random_bytes(20'000, 100 * program + language);
  out.insert(out.end(), own.begin(), own.end());
  return out;
}

TEST_F(Order, BringsNamesakesWithSomethingInCommonTogether) {
  for (const std::uint64_t language : {1u, 2u, 3u}) {
    add_file("locale/" + std::to_string(language) + "/ls.mo", translation(1, language));
    add_file("locale/" + std::to_string(language) + "/cat.mo", translation(2, language));
  }
  EXPECT_THAT(order(), testing::ElementsAre("locale/1/ls.mo", "locale/2/ls.mo", "locale/3/ls.mo", "locale/1/cat.mo",
                                            "locale/2/cat.mo", "locale/3/cat.mo"));
}

TEST_F(Order, LeavesNamesakesThatHaveNothingInCommonWhereTheyAre) {
  add_file("a/index.html", random_bytes(40'000, 1));
  add_file("a/other.html", random_bytes(40'000, 2));
  add_file("b/index.html", random_bytes(40'000, 3));
  EXPECT_THAT(order(), testing::ElementsAre("a/index.html", "a/other.html", "b/index.html"));
}

TEST_F(Order, GoesByNameAloneWhereContentWasNotLookedAt) {
  with_sketch_ = false;
  add_file("a/index.html", random_bytes(100, 1));
  add_file("a/other.html", random_bytes(100, 2));
  add_file("b/index.html", random_bytes(100, 3));
  EXPECT_THAT(order(), testing::ElementsAre("a/index.html", "b/index.html", "a/other.html"));
}

TEST_F(Order, BringsLookalikesTogetherWhateverTheirNames) {
  const Buffer content = random_bytes(40'000, 1);
  add_file("a.txt", content);
  add_file("b.txt", random_bytes(40'000, 2));
  Buffer edited = content;
  edited[20'000] ^= std::byte{1};
  add_file("c.txt", edited);
  EXPECT_THAT(order(), testing::ElementsAre("a.txt", "c.txt", "b.txt"));
}

}  // namespace
}  // namespace mmh::test
