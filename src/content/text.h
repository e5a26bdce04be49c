#pragma once
// Text: whether data is, and of what kind.

#include <optional>

#include "mmh/content/classify.h"
#include "statistics.h"

namespace mmh::content {

/// The kind of text that `counts`, the bytes of a sample of a file, stand for; nothing where they are no text. `head`:
/// the file's first bytes, `path`: its name, which decides where the counts do not.
std::optional<ContentClass> class_of_text(const Histogram& counts, ByteView head, std::string_view path);

}  // namespace mmh::content
