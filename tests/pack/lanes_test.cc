// Which chunks share a block.
#include "lanes.h"

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

}  // namespace
}  // namespace mmh::test
