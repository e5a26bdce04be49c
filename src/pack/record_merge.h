#pragma once
// Putting records into manifest order: sorting those of a tar stream, merging new ones into those of an existing pack.

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "mmh/base/result.h"
#include "mmh/pack/manifest.h"
#include "mmh/tree/walk.h"

namespace mmh::pack {

/// Sorts records by path; of those with one path the last wins. A hard link whose target sorts behind it takes over the
/// target's content, and the target becomes the link; one whose target is absent is reported and left out.
std::vector<FileRecord> sort_records(std::vector<FileRecord> records, const tree::ProblemSink& problem);

/// Merges sorted new records into sorted existing ones. New ones replace those of the same path; one that is no
/// directory replaces all that was below it. Existing hard links to what was replaced keep the old content.
class RecordMerge {
 public:
  using Emit = std::function<Result<>(const FileRecord&)>;
  /// `fresh`: as sort_records() gives them, or in walk order.
  RecordMerge(std::vector<FileRecord> fresh, tree::ProblemSink problem, Emit emit);
  /// Existing records, in order.
  Result<> take_existing(FileRecord record);
  /// Emits what is left.
  Result<> finish();

 private:
  Result<> emit_fresh();
  Result<> emit_one(const FileRecord& record);

  std::vector<FileRecord> fresh_;
  std::size_t next_ = 0;
  tree::ProblemSink problem_;
  Emit emit_;
  std::string shadow_;   ///< Last new non-directory: what existed below it is gone.
  std::string barrier_;  ///< Last emitted non-directory.
  /// Existing regular files that were dropped, for links to them: the record, and the name that took it over.
  struct Replaced {
    FileRecord record;
    std::string heir;
  };
  std::unordered_map<std::string, Replaced> replaced_;
};

}  // namespace mmh::pack
