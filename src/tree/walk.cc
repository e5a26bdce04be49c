#include "mmh/tree/walk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <deque>

#include "mmh/base/files.h"
#include "mmh/tree/glob.h"
#include "owners.h"

namespace mmh::tree {

namespace {

// Directories deeper than this do not stay open while the walk is below them, so that a deep tree does not use up the
// descriptors of the process.
constexpr std::size_t kOpenDepthMax = 64;

struct Root {
  std::string path;  // as stored; empty for "." and "/"
  bool absolute;
  bool through_link;  // named with a trailing '/'
  std::string named;  // as the user wrote it
};

struct Pattern {
  std::string text;
  bool whole_path;  // has a '/' that is not its last byte
};

// One directory on the path from a root to where the walk is.
struct Frame {
  std::shared_ptr<const Fd> fd;  // null while closed, see kOpenDepthMax
  std::string names;             // see packed_names()
  std::size_t cursor = 0;        // in names
  std::size_t path_size = 0;     // of the directory's own path, a prefix of path_
  std::uint64_t device = 0, inode = 0;
  bool taken_whole = false;      // an include pattern matched it or a directory above
  std::optional<WalkItem> held;  // include: not yielded before something below it is
};

Result<Root> parse_root(const std::string& named) {
  Root root{{}, named.starts_with('/'), named.size() > 1 && named.ends_with('/'), named};
  std::string_view rest = named;
  if (rest.empty()) return fail(Errc::usage, "a path to take is empty");
  while (!rest.empty()) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view component = rest.substr(0, slash);
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    if (component.empty() || component == ".") continue;
    if (component == "..") {
      return fail(Errc::unsafe,
                  fmt::format("{}: paths with \"..\" are not stored; name the directory above with -C and "
                              "the path below it",
                              display_path(named)));
    }
    if (!root.path.empty()) root.path += '/';
    root.path += component;
  }
  if (root.path.size() > kPathSizeMax) {
    return fail(Errc::limit, fmt::format("{}: longer than {} bytes", display_path(named), kPathSizeMax));
  }
  return root;
}

bool at_or_below(std::string_view path, std::string_view above) {
  return above.empty() || (path.starts_with(above) && (path.size() == above.size() || path[above.size()] == '/'));
}

std::vector<Pattern> parse_patterns(const std::vector<std::string>& globs) {
  std::vector<Pattern> patterns;
  for (const std::string& glob : globs) {
    const std::size_t end = glob.find_last_not_of('/');
    patterns.push_back({glob, end != std::string::npos && glob.find('/') < end});
  }
  return patterns;
}

// The names in order, each as a byte of its type, the name, and a NUL: a directory of a million files takes what its
// names take. Sorting looks at eight bytes that lie close together, behind what all names share, before the names
// themselves.
std::string packed_names(const std::vector<DirectoryName>& names) {
  struct Key {
    std::uint64_t prefix;
    std::size_t index;
  };
  std::size_t shared = names.empty() ? 0 : names[0].name.size();
  std::size_t size = 0;
  for (const DirectoryName& found : names) {
    const std::string& name = found.name;
    shared = std::min(shared, name.size());
    while (name.compare(0, shared, names[0].name, 0, shared) != 0) --shared;
    size += name.size() + 2;
  }
  std::vector<Key> keys(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::uint64_t prefix = 0;
    const std::string& name = names[i].name;
    for (std::size_t at = shared; at < shared + 8; ++at) {
      prefix = prefix << 8 | (at < name.size() ? static_cast<unsigned char>(name[at]) : 0U);
    }
    keys[i] = {prefix, i};
  }
  std::sort(keys.begin(), keys.end(), [&](const Key& a, const Key& b) {
    return a.prefix != b.prefix ? a.prefix < b.prefix : names[a.index].name < names[b.index].name;
  });
  std::string packed;
  packed.reserve(size);
  for (const Key& key : keys) {
    packed += static_cast<char>(names[key.index].type);
    packed += names[key.index].name;
    packed += '\0';
  }
  return packed;
}

class WalkerImpl final : public Walker {
 public:
  WalkerImpl(Sys& sys, WalkOptions options, ProblemSink problems)
      : sys_(sys), options_(std::move(options)), problems_(std::move(problems)) {
    std::sort(options_.skip_inodes.begin(), options_.skip_inodes.end());
    exclude_ = parse_patterns(options_.exclude);
    include_ = parse_patterns(options_.include);
  }

  Result<> open() {
    const auto base = sys_.openat(AT_FDCWD, options_.base.c_str(), O_PATH | O_DIRECTORY);
    if (!base) return fail(errno_error(base.error, display_path(options_.base) + ": cannot open the directory"));
    base_ = std::make_shared<const Fd>(sys_, base.value);
    MMH_TRY(take_roots());
    for (const Root& root : roots_) {
      const std::string path = open_path(root);
      const auto info = sys_.fstatat(base_->get(), path.c_str(), AT_SYMLINK_NOFOLLOW);
      if (info || info.error != ENOENT) return {};
    }
    return fail(Errc::not_found, fmt::format("{}: no such file or directory{}", display_path(roots_.front().named),
                                             roots_.size() > 1 ? ", nor is any other path given" : ""));
  }

  Result<std::optional<WalkItem>> next() override {
    for (;;) {
      if (!ready_.empty()) {
        std::optional<WalkItem> item(std::move(ready_.front()));
        ready_.pop_front();
        return item;
      }
      MMH_TRY(check_cancelled(options_.cancel));
      if (descend_) {
        descend_ = false;
        enter(std::move(below_));
      } else if (frames_.empty()) {
        if (next_root_ == roots_.size()) return std::nullopt;
        start(roots_[next_root_++]);
      } else {
        step();
      }
    }
  }

 private:
  // A directory about to be entered.
  struct Below {
    std::shared_ptr<const Fd> parent;
    std::string name;
    std::size_t path_size = 0;
    std::uint64_t device = 0, inode = 0;
    bool taken_whole = false;
    std::optional<WalkItem> held;
  };

  Result<> take_roots() {
    for (const std::string& named : options_.roots) {
      MMH_LET(Root root, parse_root(named));
      roots_.push_back(std::move(root));
    }
    if (roots_.empty()) return fail(Errc::usage, "no path to take was given");
    std::stable_sort(roots_.begin(), roots_.end(),
                     [](const Root& a, const Root& b) { return compare_paths(a.path, b.path) < 0; });
    // Sorted, a root stands right behind the roots above it and the others below those.
    std::vector<Root> kept;
    for (Root& root : roots_) {
      if (!kept.empty() && at_or_below(root.path, kept.back().path)) {
        if (root.absolute != kept.back().absolute) {
          return fail(Errc::unsafe,
                      fmt::format("{} and {} would be stored under the same path; take them one at a time",
                                  display_path(kept.back().named), display_path(root.named)));
        }
        nested_.push_back(std::move(root.path));
      } else {
        kept.push_back(std::move(root));
      }
    }
    roots_ = std::move(kept);
    return {};
  }

  static std::string open_path(const Root& root) {
    if (root.path.empty()) return root.absolute ? "/" : ".";
    return root.absolute ? "/" + root.path : root.path;
  }

  void start(const Root& root) {
    root_ = &root;
    if (root.path.empty()) {
      const std::string path = open_path(root);
      const auto info = sys_.fstatat(base_->get(), path.c_str(), 0);
      path_.clear();
      if (!info) return report(info.error, "cannot stat");
      root_device_ = info.value.st_dev;
      return enter({base_, path, 0, info.value.st_dev, info.value.st_ino, false, std::nullopt});
    }
    path_ = root.path;
    for (const Pattern& pattern : exclude_) {
      if (glob_match_tree(pattern.text, root.path)) return;
    }
    const std::size_t slash = root.path.rfind('/');
    std::string parent = slash == std::string::npos ? "." : root.path.substr(0, slash);
    if (root.absolute) parent = slash == std::string::npos ? "/" : "/" + parent;
    if (parent != root_parent_path_ || root_parent_ == nullptr) {
      const auto opened = sys_.openat(base_->get(), parent.c_str(), O_PATH | O_DIRECTORY);
      if (!opened) return report(opened.error, "cannot open");
      root_parent_ = std::make_shared<const Fd>(sys_, opened.value);
      root_parent_path_ = std::move(parent);
    }
    bool taken_whole = false;
    for (const Pattern& pattern : include_) taken_whole = taken_whole || glob_match_tree(pattern.text, root.path);
    visit(root_parent_, root.path.substr(slash + 1), DT_UNKNOWN, taken_whole, true);
  }

  void step() {
    Frame& frame = frames_.back();
    if (frame.cursor == frame.names.size()) {
      frames_.pop_back();
      if (!frames_.empty()) reopen();
      return;
    }
    const auto type = static_cast<unsigned char>(frame.names[frame.cursor]);
    const std::string_view name = frame.names.c_str() + frame.cursor + 1;
    frame.cursor += name.size() + 2;
    path_.resize(frame.path_size);
    if (!path_.empty()) path_ += '/';
    path_ += name;
    for (const Pattern& pattern : exclude_) {
      if (glob_match(pattern.text, pattern.whole_path ? std::string_view(path_) : name)) return;
    }
    bool taken_whole = frame.taken_whole;
    for (const Pattern& pattern : include_) {
      if (taken_whole) break;
      taken_whole = glob_match(pattern.text, pattern.whole_path ? std::string_view(path_) : name);
    }
    visit(frame.fd, std::string(name), type, taken_whole, false);
  }

  // Looks at the object `path_`.
  void visit(const std::shared_ptr<const Fd>& parent, std::string name, unsigned char type, bool taken_whole,
             bool is_root) {
    const bool wanted = include_.empty() || taken_whole;
    if (!wanted && type != DT_UNKNOWN && type != DT_DIR && !(type == DT_LNK && options_.follow)) return;
    if (path_.size() > kPathSizeMax) {
      return report(Errc::limit, fmt::format("path is longer than {} bytes; left out", kPathSizeMax));
    }
    if (is_root && root_->through_link) name += "/.";
    auto info = sys_.fstatat(parent->get(), name.c_str(), options_.follow ? 0 : AT_SYMLINK_NOFOLLOW);
    if (is_root && root_->through_link && info.error == ENOTDIR) {
      return report(Errc::not_found, "is not a directory, though its name was given with a trailing '/'");
    }
    if (options_.follow && (info.error == ENOENT || info.error == ELOOP)) {
      info = sys_.fstatat(parent->get(), name.c_str(), AT_SYMLINK_NOFOLLOW);
    }
    if (!info) {
      if (info.error == ENOENT && !is_root) return report(Errc::changed, "was removed after it was found");
      return report(info.error, "cannot stat");
    }
    if (is_root) root_device_ = info.value.st_dev;
    bool looped = false;
    if (S_ISDIR(info.value.st_mode) && options_.follow) {
      looped = std::any_of(frames_.begin(), frames_.end(), [&](const Frame& frame) {
        return frame.inode == info.value.st_ino && frame.device == info.value.st_dev;
      });
      if (looped) {
        info = sys_.fstatat(parent->get(), name.c_str(), AT_SYMLINK_NOFOLLOW);
        if (!info) return report(info.error, "cannot stat");
        if (S_ISDIR(info.value.st_mode)) return report(Errc::unsafe, "is a directory above itself; left out");
      }
    }
    const struct stat& st = info.value;
    if (!options_.skip_inodes.empty() &&
        std::binary_search(options_.skip_inodes.begin(), options_.skip_inodes.end(),
                           std::pair<std::uint64_t, std::uint64_t>(st.st_dev, st.st_ino))) {
      return;
    }
    WalkItem item;
    if (!fill(item, st, parent, std::move(name))) return;
    if (item.entry.type != EntryType::directory) {
      if (wanted) yield(std::move(item));
      return;
    }
    if (!options_.one_file_system || st.st_dev == root_device_ || is_nested_root()) {
      descend_ = true;
      below_ = {parent, item.name, path_.size(), st.st_dev, st.st_ino, taken_whole, std::nullopt};
      if (!wanted) {
        below_.held = std::move(item);
        return;
      }
    }
    if (wanted) yield(std::move(item));
  }

  bool fill(WalkItem& item, const struct stat& st, const std::shared_ptr<const Fd>& parent, std::string name) {
    Entry& entry = item.entry;
    switch (st.st_mode & S_IFMT) {
      case S_IFREG:
        entry.type = EntryType::regular;
        entry.size = static_cast<std::uint64_t>(st.st_size);
        break;
      case S_IFDIR:
        entry.type = EntryType::directory;
        break;
      case S_IFLNK: {
        entry.type = EntryType::symlink;
        auto target = sys_.readlinkat(parent->get(), name.c_str());
        if (!target) {
          report(target.error, "cannot read the link");
          return false;
        }
        entry.link = std::move(target.value);
        break;
      }
      case S_IFIFO:
        entry.type = EntryType::fifo;
        break;
      case S_IFCHR:
        entry.type = EntryType::character_device;
        break;
      case S_IFBLK:
        entry.type = EntryType::block_device;
        break;
      default:
        report(Errc::unsupported, "is a socket, which cannot be stored; left out");
        return false;
    }
    if (entry.type == EntryType::character_device || entry.type == EntryType::block_device) {
      entry.device_major = major(st.st_rdev);
      entry.device_minor = minor(st.st_rdev);
    }
    entry.path = path_;
    entry.mode = st.st_mode & 07777U;
    entry.mtime_seconds = st.st_mtim.tv_sec;
    entry.mtime_nanoseconds = static_cast<std::uint32_t>(st.st_mtim.tv_nsec);
    entry.uid = st.st_uid;
    entry.gid = st.st_gid;
    entry.user = owners_.user(st.st_uid);
    entry.group = owners_.group(st.st_gid);
    item.parent = parent;
    item.name = std::move(name);
    item.device = st.st_dev;
    item.inode = st.st_ino;
    item.links = st.st_nlink;
    item.ctime_seconds = st.st_ctim.tv_sec;
    item.ctime_nanoseconds = static_cast<std::uint32_t>(st.st_ctim.tv_nsec);
    item.allocated = static_cast<std::uint64_t>(st.st_blocks) * 512;
    return true;
  }

  void yield(WalkItem item) {
    for (Frame& frame : frames_) {
      if (!frame.held) continue;
      ready_.push_back(std::move(*frame.held));
      frame.held.reset();
    }
    ready_.push_back(std::move(item));
  }

  bool is_nested_root() const {
    return std::binary_search(nested_.begin(), nested_.end(), path_,
                              [](const std::string& a, const std::string& b) { return compare_paths(a, b) < 0; });
  }

  SysResult<int> open_directory(int parent, const std::string& path, int extra) {
    const auto opened = sys_.openat(parent, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOATIME | extra);
    if (opened.error != EPERM) return opened;
    return sys_.openat(parent, path.c_str(), O_RDONLY | O_DIRECTORY | extra);
  }

  // The descriptor, if it is the directory meant.
  std::shared_ptr<const Fd> take_directory(SysResult<int> opened, std::uint64_t device, std::uint64_t inode) {
    if (!opened) {
      report(opened.error, "cannot open the directory");
      return nullptr;
    }
    auto fd = std::make_shared<const Fd>(sys_, opened.value);
    const auto info = sys_.fstat(fd->get());
    if (!info || info.value.st_ino != inode || info.value.st_dev != device) {
      report(Errc::changed, "was replaced while the tree was read; left out");
      return nullptr;
    }
    return fd;
  }

  // Enters the directory `path_`.
  void enter(Below below) {
    const bool root_itself = below.path_size == 0;
    auto fd =
        take_directory(open_directory(below.parent->get(), below.name, options_.follow || root_itself ? 0 : O_NOFOLLOW),
                       below.device, below.inode);
    if (fd == nullptr) return;
    auto names = sys_.list_directory(fd->get());
    if (!names) report(names.error, "cannot list the directory");
    if (frames_.size() > kOpenDepthMax) frames_.back().fd.reset();
    Frame frame;
    frame.fd = std::move(fd);
    frame.names = packed_names(names.value);
    frame.path_size = below.path_size;
    frame.device = below.device;
    frame.inode = below.inode;
    frame.taken_whole = below.taken_whole;
    frame.held = std::move(below.held);
    root_device_ = below.device;
    frames_.push_back(std::move(frame));
  }

  // Opens the last frame's directory again if it was closed, from the deepest one that stayed open.
  void reopen() {
    Frame& frame = frames_.back();
    path_.resize(frame.path_size);
    root_device_ = frame.device;
    if (frame.fd != nullptr || frame.cursor == frame.names.size()) return;
    const Frame& open = frames_[kOpenDepthMax - 1];
    const std::string path = path_.substr(open.path_size == 0 ? 0 : open.path_size + 1);
    frame.fd =
        take_directory(options_.follow ? open_directory(open.fd->get(), path, 0)
                                       : sys_.openat_beneath(open.fd->get(), path.c_str(), O_RDONLY | O_DIRECTORY),
                       frame.device, frame.inode);
    if (frame.fd == nullptr) frame.cursor = frame.names.size();
  }

  std::string shown() const { return display_path(path_.empty() ? root_->named : path_); }
  void report(Errc code, std::string_view what) { problems_(Error{code, fmt::format("{}: {}", shown(), what)}); }
  void report(int error, std::string_view action) {
    problems_(errno_error(error, fmt::format("{}: {}", shown(), action)));
  }

  Sys& sys_;
  WalkOptions options_;
  ProblemSink problems_;
  std::vector<Pattern> exclude_;
  std::vector<Pattern> include_;
  std::vector<Root> roots_;          // sorted, none below another
  std::vector<std::string> nested_;  // roots below other roots, sorted
  std::size_t next_root_ = 0;
  const Root* root_ = nullptr;
  std::shared_ptr<const Fd> base_;
  std::shared_ptr<const Fd> root_parent_;
  std::string root_parent_path_;
  std::uint64_t root_device_ = 0;  // of the file system being walked
  std::string path_;
  std::vector<Frame> frames_;
  bool descend_ = false;
  Below below_;
  std::deque<WalkItem> ready_;
  OwnerNames owners_;
};

}  // namespace

Result<std::unique_ptr<Walker>> Walker::open(Sys& sys, WalkOptions options, ProblemSink problems) {
  auto walker = std::make_unique<WalkerImpl>(sys, std::move(options), std::move(problems));
  MMH_TRY(walker->open());
  return walker;
}

}  // namespace mmh::tree
