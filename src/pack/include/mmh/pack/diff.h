#pragma once
// What differs between two sorted lists of entries.

#include <functional>
#include <optional>

#include "mmh/pack/reader.h"

namespace mmh::pack {

enum class Change : std::uint8_t { added, removed, content, metadata, type };

/// How two records of one path differ; nothing: they do not. The most telling difference is named: type, content
/// (bytes, link target, device number), metadata (mode, time, owner, attributes).
std::optional<Change> compare_records(const FileRecord& before, const FileRecord& after);

/// Told of each difference, in path order. `before`/`after`: null where the entry is absent.
using ChangeSink = std::function<Result<>(Change, const FileRecord* before, const FileRecord* after)>;

/// Compares two packs by content hash and metadata. Manifest pages of equal hash are skipped unread.
Result<> diff(const Reader& before, const Reader& after, const ChangeSink& sink);

}  // namespace mmh::pack
