#pragma once
// Between the public types and those of the layers.

#include <mutex>

#include "mmh/common.h"
#include "mmh/pack.h"
#include "mmh/pack/manifest.h"
#include "mmh/tree/walk.h"

namespace mmh {

/// Hands problems and progress to an observer, one call at a time; counts problems. The observer may be null.
class Reporter {
 public:
  explicit Reporter(Observer* observer) : observer_(observer) {}
  tree::ProblemSink problem_sink();
  /// For operations that report bytes and files; `total` as Progress::total_bytes.
  std::function<void(std::uint64_t, std::uint64_t)> progress_sink(std::string_view stage, std::uint64_t total);
  std::uint64_t problems() const { return problems_; }

 private:
  Observer* observer_;
  std::mutex mutex_;
  std::uint64_t problems_ = 0;
};

FileInfo to_file_info(const pack::FileRecord& record);
unsigned thread_count(const RunOptions& options);
/// Errors: usage (memory below the least).
Result<> check_run_options(const RunOptions& options);
/// Errors: usage (level, block size out of range).
Result<> check_pack_options(const PackOptions& options);
tree::WalkOptions to_walk_options(const std::vector<std::string>& paths, const PackOptions& options);

}  // namespace mmh
