#include "tree_support.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "mmh/base/files.h"

namespace mmh::test {

using namespace tree;

std::vector<WalkItem> walk_all(Sys& sys, WalkOptions options, Problems& problems) {
  std::vector<WalkItem> items;
  auto walker = Walker::open(sys, std::move(options), problems.sink());
  EXPECT_TRUE(walker.has_value()) << walker.error().what;
  while (walker) {
    auto item = (*walker)->next();
    EXPECT_TRUE(item.has_value()) << item.error().what;
    if (!item || !*item) break;
    items.push_back(std::move(**item));
  }
  return items;
}

std::vector<std::string> walk_paths(WalkOptions options, Problems& problems) {
  std::vector<std::string> paths;
  for (const WalkItem& item : walk_all(real_sys(), std::move(options), problems)) paths.push_back(item.entry.path);
  return paths;
}

Result<> copy_tree(Sys& sys, const WalkOptions& from, const RestoreOptions& to, Problems& problems) {
  MMH_LET(const auto walker, Walker::open(sys, from, problems.sink()));
  MMH_LET(const auto restorer, Restorer::open(sys, to, problems.sink()));
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> first_names;
  for (;;) {
    MMH_LET(auto found, walker->next());
    if (!found) break;
    WalkItem& item = *found;
    const bool linked = item.links > 1 && item.entry.type != EntryType::directory;
    const auto [first, is_first] = linked ? first_names.try_emplace({item.device, item.inode}, item.entry.path)
                                          : std::pair(first_names.end(), true);
    if (!is_first) {
      item.entry.type = EntryType::hard_link;
      item.entry.link = first->second;
      MMH_TRY(restorer->make(item.entry));
    } else if (item.entry.type == EntryType::regular) {
      MMH_LET(const OpenedFile file, open_file(sys, item, from));
      Buffer bytes;
      if (item.entry.size < 1000 && file.runs.size() == 1) {
        bytes.resize(item.entry.size);
        if (const auto got = pread_full(sys, file.fd.get(), bytes, 0); !got)
          return fail(errno_error(got.error, "read"));
        MMH_TRY(restorer->write_file(item.entry, bytes));
        continue;
      }
      MMH_LET(const auto out, restorer->begin_file(item.entry));
      if (out == nullptr) continue;
      for (const DataRun& run : file.runs) {
        bytes.resize(run.length);
        const auto got = pread_full(sys, file.fd.get(), bytes, run.offset);
        if (!got) return fail(errno_error(got.error, "read"));
        MMH_TRY(out->write_at(run.offset, ByteView(bytes).first(got.value)));
      }
      MMH_TRY(out->commit());
    } else {
      MMH_TRY(read_xattrs(sys, item, from));
      MMH_TRY(restorer->make(item.entry));
    }
  }
  return restorer->finish();
}

namespace {

std::string describe_xattrs(const std::string& path) {
  std::vector<char> names(65536);
  const ssize_t size = ::llistxattr(path.c_str(), names.data(), names.size());
  std::vector<std::string> lines;
  for (ssize_t at = 0; at < size; at += static_cast<ssize_t>(std::string(names.data() + at).size()) + 1) {
    std::vector<char> value(65536);
    const ssize_t length = ::lgetxattr(path.c_str(), names.data() + at, value.data(), value.size());
    std::string line = fmt::format(" {}=", names.data() + at);
    for (ssize_t i = 0; i < length; ++i)
      line += fmt::format("{:02x}", static_cast<unsigned char>(value[static_cast<std::size_t>(i)]));
    lines.push_back(std::move(line));
  }
  std::sort(lines.begin(), lines.end());
  std::string all;
  for (const std::string& line : lines) all += line;
  return all;
}

void describe_below(const std::string& directory, const std::string& prefix, std::vector<std::string>& lines,
                    std::map<std::pair<dev_t, ino_t>, std::string>& first_names) {
  DIR* const stream = ::opendir(directory.c_str());
  if (stream == nullptr) {
    lines.push_back(prefix + " cannot be opened");
    return;
  }
  std::vector<std::string> names;
  while (const dirent* const entry = ::readdir(stream)) names.emplace_back(entry->d_name);
  ::closedir(stream);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (name == "." || name == "..") continue;
    const std::string path = directory + "/" + name;
    struct stat st{};
    if (::lstat(path.c_str(), &st) != 0) continue;
    std::string line = fmt::format("{}{} mode={:o} owner={}:{} mtime={}.{:09}", prefix, name, st.st_mode, st.st_uid,
                                   st.st_gid, st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    if (S_ISREG(st.st_mode)) {
      line += fmt::format(" size={} holes={}", st.st_size, st.st_blocks * 512 < st.st_size);
      if (st.st_size < 1 << 20) {
        std::uint64_t digest = 1469598103934665603U;
        for (const std::byte b : read_file(path)) digest = (digest ^ static_cast<std::uint64_t>(b)) * 1099511628211U;
        line += fmt::format(" content={:x}", digest);
      }
    }
    if (S_ISLNK(st.st_mode)) {
      std::string target(4096, '\0');
      target.resize(
          static_cast<std::size_t>(std::max<ssize_t>(0, ::readlink(path.c_str(), target.data(), target.size()))));
      line += " -> " + target;
    }
    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) line += fmt::format(" device={}", st.st_rdev);
    if (!S_ISDIR(st.st_mode) && st.st_nlink > 1) {
      line += " links=" + first_names.try_emplace({st.st_dev, st.st_ino}, prefix + name).first->second;
    }
    lines.push_back(line + describe_xattrs(path));
    if (S_ISDIR(st.st_mode)) describe_below(path, prefix + name + "/", lines, first_names);
  }
}

}  // namespace

std::vector<std::string> describe_tree(const std::string& directory) {
  std::vector<std::string> lines;
  std::map<std::pair<dev_t, ino_t>, std::string> first_names;
  describe_below(directory, "", lines, first_names);
  return lines;
}

std::optional<std::string> shell(const std::string& command) {
  FILE* const pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return std::nullopt;
  std::string out;
  char buffer[4096];
  while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, got);
  if (::pclose(pipe) != 0) return std::nullopt;
  return out;
}

bool has_program(const std::string& name) { return shell("command -v " + name + " >/dev/null").has_value(); }

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

void make_rich_tree(const std::string& directory) {
  const auto at = [&](const std::string& name) { return directory + "/" + name; };
  const auto make_directory = [&](const std::string& name) { ASSERT_EQ(::mkdir(at(name).c_str(), 0755), 0) << name; };
  ::mkdir(directory.c_str(), 0755);
  for (const char* const name :
       {"empty_dir", "dir", "dir/sub", "dir/sub/deep", "sticky", "readonly", "odd \n\xff\xfe"}) {
    make_directory(name);
  }
  write_file(at("empty"), {});
  write_file(at("one"), as_bytes("1"));
  write_file(at("dir/text"), text_bytes(5000, 1));
  write_file(at("dir/sub/random"), random_bytes(300'000, 2));
  write_file(at("dir/sub/deep/executable"), as_bytes("#!/bin/sh\n"));
  write_file(at("readonly/inside"), as_bytes("inside"));
  write_file(at("odd \n\xff\xfe/\x01\x80 '\"$name"), as_bytes("odd"));
  write_file(at(std::string(255, 'n')), as_bytes("long"));
  ::chmod(at("dir/sub/deep/executable").c_str(), 04755);
  ::chmod(at("one").c_str(), 0400);
  ::chmod(at("empty").c_str(), 0);
  // A hole at each end and one in the middle, and a file of nothing but hole.
  const int sparse = ::open(at("sparse").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  const Buffer page = random_bytes(4096, 3);
  ASSERT_EQ(::pwrite(sparse, page.data(), page.size(), 1 << 20), 4096);
  ASSERT_EQ(::pwrite(sparse, page.data(), page.size(), 3 << 20), 4096);
  ASSERT_EQ(::ftruncate(sparse, 8 << 20), 0);
  ::close(sparse);
  const int hole = ::open(at("hole").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  ASSERT_EQ(::ftruncate(hole, 1 << 19), 0);
  ::close(hole);
  ASSERT_EQ(::symlink("dir/text", at("link").c_str()), 0);
  ASSERT_EQ(::symlink("/nowhere/at all", at("dangling").c_str()), 0);
  ASSERT_EQ(::link(at("dir/text").c_str(), at("dir/sub/again").c_str()), 0);
  ASSERT_EQ(::link(at("dir/text").c_str(), at("another").c_str()), 0);
  ASSERT_EQ(::mkfifo(at("fifo").c_str(), 0622), 0);
  ::setxattr(at("one").c_str(), "user.note", "value\0with nul", 14, 0);
  ::setxattr(at("dir").c_str(), "user.dir", "", 0, 0);
  if (has_program("setfacl")) {
    shell("setfacl -m u:12345:rw,g:54321:r " + quoted(at("dir/text")));
    shell("setfacl -d -m u:12345:rwx " + quoted(at("dir/sub")));
  }
  if (::geteuid() == 0) {
    ASSERT_EQ(::lchown(at("dir/sub/random").c_str(), 12345, 54321), 0);
    ASSERT_EQ(::lchown(at("link").c_str(), 12345, 54321), 0);
    ASSERT_EQ(::chown(at("sticky").c_str(), 7, 8), 0);
    ASSERT_EQ(::lchown(at("dir/sub/deep/executable").c_str(), 9, 10), 0);
    ::chmod(at("dir/sub/deep/executable").c_str(), 06711);
    if (::mknod(at("null").c_str(), S_IFCHR | 0640, makedev(1, 3)) == 0) {
      ::mknod(at("block").c_str(), S_IFBLK | 0600, makedev(7, 200));
    }
  }
  ::chmod(at("sticky").c_str(), 03777);
  ::chmod(at("readonly").c_str(), 0555);
  // Times last, deepest first, each another one.
  const auto listed = shell("cd " + quoted(directory) + " && find . -mindepth 1 -depth -print0");
  ASSERT_TRUE(listed.has_value());
  long nanoseconds = 1;
  for (std::size_t start = 0; start < listed->size();) {
    const std::string name = listed->c_str() + start;
    start += name.size() + 1;
    const timespec times[2] = {{1'000'000, 0}, {1'500'000'000 - nanoseconds, nanoseconds * 1'234'567}};
    ::utimensat(AT_FDCWD, at(name).c_str(), times, AT_SYMLINK_NOFOLLOW);
    ++nanoseconds;
  }
  const timespec before_1970[2] = {{0, UTIME_OMIT}, {-12345, 678}};
  ::utimensat(AT_FDCWD, at("hole").c_str(), before_1970, 0);
}

}  // namespace mmh::test
