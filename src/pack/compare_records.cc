#include <tuple>

#include "mmh/pack/diff.h"

namespace mmh::pack {

std::optional<Change> compare_records(const FileRecord& before, const FileRecord& after) {
  const tree::Entry& a = before.entry;
  const tree::Entry& b = after.entry;
  if (a.type != b.type) return Change::type;
  const auto content = [](const FileRecord& r) {
    return std::tie(r.entry.size, r.hash, r.entry.link, r.entry.device_major, r.entry.device_minor);
  };
  if (content(before) != content(after)) return Change::content;
  const auto metadata = [](const tree::Entry& e) {
    return std::tie(e.mode, e.mtime_seconds, e.mtime_nanoseconds, e.uid, e.gid, e.user, e.group, e.xattrs);
  };
  // A hard link's metadata is that of the file it names, which is compared under its own name.
  if (a.type != tree::EntryType::hard_link && metadata(a) != metadata(b)) return Change::metadata;
  return std::nullopt;
}

}  // namespace mmh::pack
