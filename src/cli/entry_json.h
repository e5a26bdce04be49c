#pragma once
// An entry of a pack in JSON, the same in every command.

#include "json.h"
#include "mmh/pack.h"

namespace mmh::cli {
void add_entry(JsonObject& object, const FileInfo& file);
}
