#pragma once
// Brings entries of a pack back: into a directory, or as a tar stream.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "mmh/base/cancel.h"
#include "mmh/base/files.h"
#include "mmh/pack/reader.h"
#include "mmh/tree/restore.h"

namespace mmh::pack {

struct ExtractOptions {
  unsigned threads = 1;
  std::uint64_t memory = std::uint64_t{1} << 30;
  const CancelFlag* cancel = nullptr;
  std::function<void(std::uint64_t bytes, std::uint64_t files)> progress;
  tree::ProblemSink problem;  ///< Told of each entry that was not brought back; calls come one at a time.
  /// Only entries at these paths and below them are looked at; "" is all. Sorted, none below another.
  std::vector<std::string> prefixes = {""};
  /// The path under which an entry comes back; nothing: it is not wanted. Null: every entry, as it is.
  std::function<std::optional<std::string>(const tree::Entry& entry)> place;
};

struct ExtractTotals {
  std::uint64_t entries = 0;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t kept = 0;  ///< Left as they were by the overwrite policy.
  std::uint64_t problems = 0;
  std::uint64_t damaged = 0;  ///< Of the problems: content that does not verify.
};

/// Restores entries; goes on past those that fail, reporting each. Every file's BLAKE3 is compared before the file gets
/// its name. Memory is bounded whatever the pack holds. Errors: cancelled, and what makes going on pointless
/// (no_space).
Result<ExtractTotals> extract(const Reader& reader, tree::Restorer& restorer, const ExtractOptions& options);

/// Writes entries as a pax tar stream, in manifest order. Content that does not verify ends the stream with an error.
Result<ExtractTotals> write_tar(const Reader& reader, ByteSink& out, const ExtractOptions& options);

}  // namespace mmh::pack
