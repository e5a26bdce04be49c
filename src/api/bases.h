#pragma once
// Packs that others are coded against.

#include <memory>
#include <string>

#include "mmh/common.h"
#include "mmh/pack/reader.h"

namespace mmh {

/// Opens a pack and all that it is coded against. Errors: those of Pack::open(), not_found (a base is not to be had),
/// limit (more packs behind one another than the format allows).
Result<std::shared_ptr<const pack::Reader>> open_with_bases(const std::string& path, const RunOptions& options);

/// The file name of a path.
std::string file_name_of(const std::string& path);

}  // namespace mmh
