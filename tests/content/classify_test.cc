#include "mmh/content/classify.h"

#include <fmt/format.h>

#include <array>

#include "samples.h"
#include "support/support.h"

namespace mmh::content {
namespace {

using enum ContentClass;

constexpr std::size_t kHead = std::size_t{64} << 10;

// What files of each label are taken for.
class Confusion {
 public:
  void add(ContentClass label, ContentClass taken_for) {
    ++counts_[static_cast<std::size_t>(label)][static_cast<std::size_t>(taken_for)];
  }
  unsigned right(ContentClass label) const {
    const auto i = static_cast<std::size_t>(label);
    return counts_[i][i];
  }
  unsigned all(ContentClass label) const {
    unsigned sum = 0;
    for (const unsigned n : counts_[static_cast<std::size_t>(label)]) sum += n;
    return sum;
  }
  std::string table() const {
    std::string text = fmt::format("{:>14}", "is \\ taken for");
    for (std::size_t i = 0; i < kContentClassCount; ++i) {
      text += fmt::format(" {:>10}", class_name(static_cast<ContentClass>(i)));
    }
    for (std::size_t i = 0; i < kContentClassCount; ++i) {
      if (all(static_cast<ContentClass>(i)) == 0) continue;
      text += fmt::format("\n{:>14}", class_name(static_cast<ContentClass>(i)));
      for (const unsigned n : counts_[i]) text += n == 0 ? fmt::format(" {:>10}", ".") : fmt::format(" {:>10}", n);
    }
    return text;
  }

 private:
  std::array<std::array<unsigned, kContentClassCount>, kContentClassCount> counts_{};
};

TEST(Classify, KnowsWhatGeneratedFilesAre) {
  Confusion confusion;
  std::string wrong;
  for (const test::Kind& kind : test::kinds()) {
    for (const std::size_t size : {std::size_t{6000}, std::size_t{40'000}, std::size_t{200'000}}) {
      for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        const Buffer file = kind.make(size, seed);
        const ContentClass found = classify(ByteView(file).first(std::min(file.size(), kHead)), "folder/file");
        confusion.add(kind.label, found);
        if (found != kind.label) wrong += fmt::format("{} {} {}: {}\n", kind.name, size, seed, class_name(found));
      }
    }
  }
  std::puts(confusion.table().c_str());
  for (std::size_t i = 0; i < kContentClassCount; ++i) {
    const auto label = static_cast<ContentClass>(i);
    EXPECT_GE(confusion.right(label) * 100, confusion.all(label) * 90) << class_name(label) << "\n" << wrong;
  }
}

TEST(Classify, KnowsWhatFilesOfTheCorporaAre) {
  Confusion confusion;
  const auto files = test::corpus_files();
  if (files.empty()) GTEST_SKIP() << "MMH_CORPORA is not set";
  unsigned right = 0;
  std::string wrong;
  for (const test::CorpusFile& file : files) {
    const ContentClass found = classify(test::read_corpus_file(file.path, kHead), file.path);
    confusion.add(file.label, found);
    right += found == file.label;
    if (found != file.label) wrong += fmt::format("{}: {}\n", file.path, class_name(found));
  }
  std::puts(confusion.table().c_str());
  EXPECT_GE(right * 100, files.size() * 85) << wrong;
}

}  // namespace
}  // namespace mmh::content
