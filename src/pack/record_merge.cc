#include "record_merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "mmh/base/files.h"

namespace mmh::pack {

namespace {
bool is_below(std::string_view path, std::string_view directory) {
  return !directory.empty() && path.size() > directory.size() && path.starts_with(directory) &&
         path[directory.size()] == '/';
}
bool path_before(const FileRecord& a, const FileRecord& b) {
  return tree::compare_paths(a.entry.path, b.entry.path) < 0;
}
}  // namespace

std::vector<FileRecord> sort_records(std::vector<FileRecord> records, const tree::ProblemSink& problem) {
  std::ranges::stable_sort(records, path_before);
  // Of equal paths, the last.
  std::size_t kept = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (i + 1 < records.size() && records[i + 1].entry.path == records[i].entry.path) continue;
    if (kept != i) records[kept] = std::move(records[i]);
    ++kept;
  }
  records.resize(kept);
  const auto find = [&](const std::string& path) -> FileRecord* {
    const auto at = std::ranges::lower_bound(
        records, path, [](const auto& a, const auto& b) { return tree::compare_paths(a, b) < 0; },
        [](const FileRecord& r) -> const std::string& { return r.entry.path; });
    return at != records.end() && at->entry.path == path ? &*at : nullptr;
  };
  // Resolve links of links to what they name in the end; a chain longer than that is a cycle.
  constexpr int kChainMax = 40;
  std::vector<std::size_t> dropped;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i].entry.type != tree::EntryType::hard_link) continue;
    FileRecord* target = find(records[i].entry.link);
    for (int steps = 0; target != nullptr && target->entry.type == tree::EntryType::hard_link && steps < kChainMax;
         ++steps) {
      target = find(target->entry.link);
    }
    if (target == nullptr || target->entry.type == tree::EntryType::hard_link ||
        target->entry.type == tree::EntryType::directory) {
      problem({Errc::not_found, fmt::format("{}: left out, as it is a hard link to {}, which is not there",
                                            display_path(records[i].entry.path), display_path(records[i].entry.link))});
      dropped.push_back(i);
      continue;
    }
    if (path_before(records[i], *target)) {
      const std::string old_name = target->entry.path;
      std::string link_name = std::exchange(records[i].entry.path, {});
      FileRecord link = records[i];
      records[i] = std::move(*target);
      records[i].entry.path = link_name;
      *target = std::move(link);
      target->entry.path = old_name;
      target->entry.link = std::move(link_name);
    } else {
      records[i].entry.link = target->entry.path;
    }
  }
  for (auto i = dropped.rbegin(); i != dropped.rend(); ++i) {
    records.erase(records.begin() + static_cast<std::ptrdiff_t>(*i));
  }
  return records;
}

RecordMerge::RecordMerge(std::vector<FileRecord> fresh, tree::ProblemSink problem, Emit emit)
    : fresh_(std::move(fresh)), problem_(std::move(problem)), emit_(std::move(emit)) {}

Result<> RecordMerge::emit_one(const FileRecord& record) {
  if (is_below(record.entry.path, barrier_)) {
    problem_({Errc::usage, fmt::format("{}: left out, as {} is not a directory", display_path(record.entry.path),
                                       display_path(barrier_))});
    return {};
  }
  if (record.entry.type != tree::EntryType::directory) barrier_ = record.entry.path;
  return emit_(record);
}

Result<> RecordMerge::emit_fresh() {
  const FileRecord& record = fresh_[next_++];
  if (record.entry.type != tree::EntryType::directory) shadow_ = record.entry.path;
  return emit_one(record);
}

Result<> RecordMerge::take_existing(FileRecord record) {
  tree::Entry& entry = record.entry;
  while (next_ < fresh_.size() && path_before(fresh_[next_], record)) MMH_TRY(emit_fresh());
  const bool same_path = next_ < fresh_.size() && fresh_[next_].entry.path == entry.path;
  if (same_path || is_below(entry.path, shadow_)) {
    if (same_path) MMH_TRY(emit_fresh());
    if (entry.type == tree::EntryType::hard_link) return {};
    if (entry.type != tree::EntryType::directory) {
      const std::string path = entry.path;
      replaced_.try_emplace(path, Replaced{std::move(record), {}});
    }
    return {};
  }
  if (entry.type == tree::EntryType::hard_link) {
    if (const auto gone = replaced_.find(entry.link); gone != replaced_.end()) {
      Replaced& old = gone->second;
      if (old.heir.empty()) {
        old.heir = entry.path;
        FileRecord heir = old.record;
        heir.entry.path = entry.path;
        return emit_one(heir);
      }
      entry.link = old.heir;
    }
  }
  return emit_one(record);
}

Result<> RecordMerge::finish() {
  while (next_ < fresh_.size()) MMH_TRY(emit_fresh());
  return {};
}

}  // namespace mmh::pack
