#include "tree_support.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "mmh/base/files.h"
#include "support/process.h"

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

namespace {

Result<> copy_file(Sys& sys, WalkItem& item, const WalkOptions& from, Restorer& restorer) {
  constexpr std::uint64_t kAtOnceMax = 1000;
  MMH_LET(const OpenedFile file, open_file(sys, item, from));
  Buffer bytes;
  if (item.entry.size < kAtOnceMax && file.runs.size() == 1) {
    bytes.resize(item.entry.size);
    const auto got = pread_full(sys, file.fd.get(), bytes, 0);
    if (!got) return fail(errno_error(got.error, "read"));
    MMH_LET(const bool written, restorer.write_file(item.entry, bytes));
    static_cast<void>(written);
    return {};
  }
  MMH_LET(const auto out, restorer.begin_file(item.entry));
  if (out == nullptr) return {};
  for (const DataRun& run : file.runs) {
    bytes.resize(run.length);
    const auto got = pread_full(sys, file.fd.get(), bytes, run.offset);
    if (!got) return fail(errno_error(got.error, "read"));
    MMH_TRY(out->write_at(run.offset, ByteView(bytes).first(got.value)));
  }
  return out->commit();
}

}  // namespace

Result<> copy_tree(Sys& sys, const WalkOptions& from, const RestoreOptions& to, Problems& problems) {
  MMH_LET(const auto walker, Walker::open(sys, from, problems.sink()));
  MMH_LET(const auto restorer, Restorer::open(sys, to, problems.sink()));
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> first_names;
  for (;;) {
    MMH_LET(auto found, walker->next());
    if (!found) break;
    WalkItem& item = *found;
    if (item.links > 1 && item.entry.type != EntryType::directory) {
      const auto [first, added] = first_names.try_emplace({item.device, item.inode}, item.entry.path);
      if (!added) {
        item.entry.type = EntryType::hard_link;
        item.entry.link = first->second;
      }
    }
    if (item.entry.type == EntryType::regular) {
      MMH_TRY(copy_file(sys, item, from, *restorer));
      continue;
    }
    if (item.entry.type != EntryType::hard_link) MMH_TRY(read_xattrs(sys, item, from));
    MMH_TRY(restorer->make(item.entry));
  }
  return restorer->finish();
}

RestoreOptions keep_all(const std::string& target) {
  RestoreOptions options;
  options.target = target;
  options.permissions = options.owners = options.devices = true;
  return options;
}

std::string shell(const std::string& command) {
  const ProcessResult result = run_process({"sh", "-c", command});
  EXPECT_EQ(result.status, 0) << command << "\n" << result.err;
  return result.out;
}

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

TreeSpec readable(TreeSpec spec) {
  spec.special_modes = ::geteuid() == 0;
  return spec;
}

void add_odd_objects(const std::string& directory) {
  const auto at = [&](const std::string& name) { return directory + "/" + name; };
  const int sparse = ::open(at("sparse").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  const Buffer page = random_bytes(4096, 3);
  ASSERT_EQ(::pwrite(sparse, page.data(), page.size(), 1 << 20), 4096);
  ASSERT_EQ(::pwrite(sparse, page.data(), page.size(), 3 << 20), 4096);
  ASSERT_EQ(::ftruncate(sparse, 8 << 20), 0);
  ::close(sparse);
  const int hole = ::open(at("hole").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  ASSERT_EQ(::ftruncate(hole, 1 << 19), 0);
  ::close(hole);
  ASSERT_EQ(::symlink("/nowhere/at all", at("dangling").c_str()), 0);
  ASSERT_EQ(::link(at("dangling").c_str(), at("dangling too").c_str()), 0);
  if (::geteuid() != 0) return;
  // A container may forbid nodes even to root.
  if (::mknod(at("null").c_str(), S_IFCHR | 0640, makedev(1, 3)) == 0) {
    ::mknod(at("block").c_str(), S_IFBLK | 0604, makedev(7, 200));
  }
}

}  // namespace mmh::test
