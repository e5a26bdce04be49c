#pragma once
// Magic numbers: formats that say what they are.

#include <optional>

#include "mmh/content/classify.h"

namespace mmh::content {

/// The class that the first bytes of a file name, or nothing. What a container holds may differ from what its name
/// promises (a PDF or ZIP of stored pieces): such formats give nothing here and are left to the statistics.
std::optional<ContentClass> class_by_magic(ByteView head);

}  // namespace mmh::content
