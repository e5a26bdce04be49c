#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "mmh/base/files.h"
#include "mmh/tree/walk.h"

namespace mmh::tree {

namespace {

// A file of more runs than this reads as one run from the last on: its holes there read as zeros, which is still right.
constexpr std::size_t kDataRunsMax = 1 << 20;

std::unexpected<Error> fail_at(const Entry& entry, int error, std::string_view action) {
  return fail(errno_error(error, fmt::format("{}: {}", display_path(entry.path), action)));
}

std::unexpected<Error> fail_changed(const Entry& entry, std::string_view what) {
  return fail(Errc::changed, fmt::format("{}: {}", display_path(entry.path), what));
}

bool keeps(std::string_view name) {
  static const bool is_root = ::geteuid() == 0;
  return is_root || name.starts_with("user.") || name.starts_with("system.posix_acl_") || name == "security.capability";
}

template <class Get>
Result<> fill_xattrs(Entry& entry, const std::vector<std::string>& names, Get get) {
  entry.xattrs.clear();
  for (const std::string& name : names) {
    if (!keeps(name)) continue;
    SysResult<std::string> value = get(name.c_str());
    if (value.error == ENODATA) continue;  // removed since it was listed
    if (!value) return fail_at(entry, value.error, "cannot read extended attribute " + display_path(name));
    entry.xattrs.emplace_back(name, std::move(value.value));
  }
  std::sort(entry.xattrs.begin(), entry.xattrs.end());
  return {};
}

Result<std::vector<DataRun>> find_runs(Sys& sys, int fd, std::uint64_t size, const Entry& entry) {
  std::vector<DataRun> runs;
  std::uint64_t at = 0;
  while (at < size) {
    const auto data = sys.lseek(fd, static_cast<std::int64_t>(at), SEEK_DATA);
    if (data.error == ENXIO) break;
    if (data.error == EINVAL) return std::vector{DataRun{0, size}};  // the file system cannot tell
    if (!data) return fail_at(entry, data.error, "cannot look for holes");
    if (data.value >= size) break;
    const auto hole = sys.lseek(fd, static_cast<std::int64_t>(data.value), SEEK_HOLE);
    if (!hole && hole.error != ENXIO) return fail_at(entry, hole.error, "cannot look for holes");
    const bool last = !hole || runs.size() + 1 == kDataRunsMax;
    const std::uint64_t end = last ? size : std::min(hole.value, size);
    if (end <= data.value) return fail_changed(entry, "changed while it was read");
    runs.push_back({data.value, end - data.value});
    at = end;
  }
  return runs;
}

}  // namespace

Result<OpenedFile> open_file(Sys& sys, WalkItem& item, const WalkOptions& options) {
  Entry& entry = item.entry;
  // Not blocking, in case a FIFO took the file's place.
  const int flags = O_RDONLY | O_NOCTTY | O_NONBLOCK | (options.follow ? 0 : O_NOFOLLOW);
  auto opened = sys.openat(item.parent->get(), item.name.c_str(), flags | O_NOATIME);
  // Only a file's owner may leave its access time alone.
  if (opened.error == EPERM) opened = sys.openat(item.parent->get(), item.name.c_str(), flags);
  if (opened.error == ENOENT || opened.error == ELOOP || opened.error == ENXIO) {
    return fail_changed(entry, "was removed or replaced after it was found");
  }
  if (!opened) return fail_at(entry, opened.error, "cannot open");
  OpenedFile file{Fd(sys, opened.value), {}, {}};
  const auto info = sys.fstat(file.fd.get());
  if (!info) return fail_at(entry, info.error, "cannot stat");
  file.info = info.value;
  if (!S_ISREG(file.info.st_mode) || file.info.st_ino != item.inode || file.info.st_dev != item.device) {
    return fail_changed(entry, "was replaced after it was found");
  }
  entry.size = static_cast<std::uint64_t>(file.info.st_size);
  entry.mode = file.info.st_mode & 07777U;
  entry.mtime_seconds = file.info.st_mtim.tv_sec;
  entry.mtime_nanoseconds = static_cast<std::uint32_t>(file.info.st_mtim.tv_nsec);
  if (static_cast<std::uint64_t>(file.info.st_blocks) * 512 < entry.size) {
    MMH_LET(file.runs, find_runs(sys, file.fd.get(), entry.size, entry));
  } else if (entry.size > 0) {
    file.runs.push_back({0, entry.size});
  }
  if (options.xattrs) {
    const auto names = sys.flistxattr(file.fd.get());
    if (!names) return fail_at(entry, names.error, "cannot list extended attributes");
    MMH_TRY(fill_xattrs(entry, names.value, [&](const char* name) { return sys.fgetxattr(file.fd.get(), name); }));
  }
  return file;
}

Result<> read_xattrs(Sys& sys, WalkItem& item, const WalkOptions& options) {
  if (!options.xattrs) return {};
  Entry& entry = item.entry;
  if (entry.type == EntryType::directory && options.follow) {
    // The path below goes around links; what is asked for here is what they lead to.
    const auto opened = sys.openat(item.parent->get(), item.name.c_str(), O_RDONLY | O_DIRECTORY);
    if (!opened) return fail_at(entry, opened.error, "cannot open");
    const Fd fd(sys, opened.value);
    const auto names = sys.flistxattr(fd.get());
    if (!names) return fail_at(entry, names.error, "cannot list extended attributes");
    return fill_xattrs(entry, names.value, [&](const char* name) { return sys.fgetxattr(fd.get(), name); });
  }
  // Links and devices cannot be opened; this reaches them through the directory that holds them.
  const std::string path = fmt::format("/proc/self/fd/{}/{}", item.parent->get(), item.name);
  const auto names = sys.llistxattr(path.c_str());
  if (names.error == ENOENT) return fail_changed(entry, "was removed after it was found");
  if (!names) return fail_at(entry, names.error, "cannot list extended attributes");
  return fill_xattrs(entry, names.value, [&](const char* name) { return sys.lgetxattr(path.c_str(), name); });
}

Result<bool> changed_since(Sys& sys, const OpenedFile& file) {
  const auto now = sys.fstat(file.fd.get());
  if (!now) return fail(errno_error(now.error, "cannot stat the file being read"));
  const auto moved = [](const timespec& a, const timespec& b) {
    return a.tv_sec != b.tv_sec || a.tv_nsec != b.tv_nsec;
  };
  return now.value.st_size != file.info.st_size || moved(now.value.st_mtim, file.info.st_mtim) ||
         moved(now.value.st_ctim, file.info.st_ctim);
}

}  // namespace mmh::tree
