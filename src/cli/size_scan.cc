#include "size_scan.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

namespace mmh::cli {

namespace {
namespace fs = std::filesystem;

class Scan {
 public:
  Scan(const PackOptions& options, const std::stop_token& stop) : options_(options), stop_(stop) {}

  /// Whether it came to the end.
  bool add(const std::string& directory, const std::string& path) {
    const std::string base = path.starts_with('/') ? "" : directory + "/";
    const std::string full = base + path;
    add_file(full, path);
    std::error_code error;
    auto flags = fs::directory_options::skip_permission_denied;
    if (options_.follow) flags |= fs::directory_options::follow_directory_symlink;
    fs::recursive_directory_iterator at(full, flags, error);
    for (const fs::recursive_directory_iterator end; !error && at != end; at.increment(error)) {
      if (stop_.stop_requested()) return false;
      const std::string found = at->path().string();
      if (!add_file(found, std::string_view(found).substr(base.size()))) at.disable_recursion_pending();
    }
    return true;
  }
  std::uint64_t bytes() const { return bytes_; }

 private:
  // False where what lies below is left out as well.
  bool add_file(const std::string& full, std::string_view path) {
    const auto matching = [&](const std::string& glob) { return matches(glob, path); };
    if (std::any_of(options_.exclude.begin(), options_.exclude.end(), matching)) return false;
    struct stat info{};
    if ((options_.follow ? ::stat(full.c_str(), &info) : ::lstat(full.c_str(), &info)) != 0) return true;
    if (options_.one_file_system && device_.value_or(info.st_dev) != info.st_dev) return false;
    if (!device_) device_ = info.st_dev;
    if (!S_ISREG(info.st_mode)) return true;
    if (!options_.include.empty() && std::none_of(options_.include.begin(), options_.include.end(), matching))
      return true;
    if (info.st_nlink > 1 && !linked_.emplace(info.st_dev, info.st_ino).second) return true;
    bytes_ += static_cast<std::uint64_t>(info.st_size);
    return true;
  }

  const PackOptions& options_;
  const std::stop_token& stop_;
  std::uint64_t bytes_ = 0;
  std::optional<dev_t> device_;
  std::set<std::pair<dev_t, ino_t>> linked_;
};
}  // namespace

SizeScan::SizeScan(Reporter& reporter, const Sources& sources, const PackOptions& options) {
  if (!reporter.shows_progress()) return;
  thread_ = std::jthread([&reporter, sources, options](const std::stop_token& stop) {
    Scan scan(options, stop);
    for (const std::string& path : sources.paths) {
      if (!scan.add(sources.directory, path)) return;
    }
    reporter.set_total(scan.bytes());
  });
}

}  // namespace mmh::cli
