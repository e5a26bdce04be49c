#pragma once
// Labelled data: what a file of each class looks like, made from a seed.

#include <string>
#include <string_view>
#include <vector>

#include "mmh/content/classify.h"

namespace mmh::test {

/// A maker of files of one kind.
struct Kind {
  std::string_view name;
  content::ContentClass label;
  /// About `size` bytes; the same for the same seed everywhere.
  Buffer (*make)(std::size_t size, std::uint64_t seed);
};
/// Several kinds for every class but those that only magic numbers tell.
const std::vector<Kind>& kinds();

/// A file of the corpora, and what it is.
struct CorpusFile {
  std::string_view path;
  content::ContentClass label;
};
/// Those of MMH_CORPORA; nothing where that is not set.
std::vector<CorpusFile> corpus_files();
/// The first `size_max` bytes of a file of the corpora.
Buffer read_corpus_file(std::string_view path, std::size_t size_max);

}  // namespace mmh::test
