#pragma once
// Text: whether data is, and of what kind.

#include <optional>

#include "mmh/content/classify.h"
#include "statistics.h"

namespace mmh::content {

/// Whether that is a class of text.
bool is_text(ContentClass content);

/// Bytes above 127 in a sample, and those of them that belong to valid UTF-8.
struct HighBytes {
  std::size_t valid = 0;
  std::size_t all = 0;
};

/// Adds the high bytes of `piece`, whose ends may cut a character.
void count_high(ByteView piece, HighBytes& high);

/// Whether there are few enough zeros and control characters among `counts`, the bytes of a sample.
bool may_be_text(const Histogram& counts);

/// The kind of text that `counts`, the bytes of a sample of a file, and `high` (counted where there are any) stand for;
/// nothing where they are no text. `head`: the file's first bytes; `path`: its name, which decides where they do not.
std::optional<ContentClass> class_of_text(const Histogram& counts, const HighBytes& high, ByteView head,
                                          std::string_view path);

}  // namespace mmh::content
