#pragma once
// What several commands show in JSON, the same in all of them: entries of packs, promises of parity.

#include "json.h"
#include "mmh/pack.h"

namespace mmh::cli {
void add_entry(JsonObject& object, const FileInfo& file, bool owners = true);
void add_promise(JsonObject& object, const ParityInfo& parity);
}  // namespace mmh::cli
