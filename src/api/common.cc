#include "mmh/common.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "convert.h"
#include "mmh/base/files.h"
#include "mmh/base/task_pool.h"
#include "mmh/codecs/builtin.h"
#include "mmh/hash/blake3.h"
#include "mmh/tree/glob.h"

namespace mmh {

std::string to_hex(const Hash& hash) { return hash::Digest{hash}.hex(); }
std::string_view version() { return MMH_VERSION; }
std::string library_versions() { return fmt::format("{}", fmt::join(codecs::library_versions(), ", ")); }
std::string_view instruction_set() { return hash::blake3_target(); }
std::string printable(std::string_view path) { return display_path(path); }
bool matches(std::string_view pattern, std::string_view path) { return tree::glob_match_tree(pattern, path); }

std::vector<CodecInfo> list_codecs() {
  std::vector<CodecInfo> list;
  for (const codec::Codec* codec : codecs::builtin_registry().all()) {
    list.push_back({static_cast<std::uint32_t>(codec->id()), std::string(codec->name()), std::string(codec->purpose()),
                    codec->since_format()});
  }
  return list;
}

tree::ProblemSink Reporter::problem_sink() {
  return [this](const Error& error) {
    const std::lock_guard lock(mutex_);
    ++problems_;
    if (observer_ != nullptr) observer_->warning(error);
  };
}

std::function<void(std::uint64_t, std::uint64_t)> Reporter::progress_sink(std::string_view stage, std::uint64_t total) {
  if (observer_ == nullptr) return nullptr;
  return [this, stage, total](std::uint64_t bytes, std::uint64_t files) {
    const std::lock_guard lock(mutex_);
    observer_->progress({stage, bytes, total, files});
  };
}

FileInfo to_file_info(const pack::FileRecord& record) {
  const tree::Entry& entry = record.entry;
  FileInfo info;
  info.path = entry.path;
  info.type = static_cast<FileType>(entry.type);
  info.mode = entry.mode;
  info.mtime_seconds = entry.mtime_seconds;
  info.mtime_nanoseconds = entry.mtime_nanoseconds;
  info.uid = entry.uid;
  info.gid = entry.gid;
  info.user = entry.user;
  info.group = entry.group;
  info.size = entry.size;
  // A comparison hashes of the files on disk only those that it has to.
  if (entry.type == tree::EntryType::regular && record.hash != hash::Digest{}) info.hash = record.hash.bytes;
  info.link = entry.link;
  info.device_major = entry.device_major;
  info.device_minor = entry.device_minor;
  info.xattrs = entry.xattrs;
  return info;
}

unsigned thread_count(const RunOptions& options) {
  return options.threads == 0 ? available_processors() : options.threads;
}

Result<> check_run_options(const RunOptions& options) {
  if (options.memory < kMemoryMin) {
    return fail(Errc::usage, fmt::format("memory of {} bytes is too little; give at least {} MiB", options.memory,
                                         kMemoryMin >> 20));
  }
  return {};
}

Result<> check_pack_options(const PackOptions& options) {
  MMH_TRY(check_run_options(options));
  if (options.level < kLevelMin || options.level > kLevelMax) {
    return fail(Errc::usage, fmt::format("level {} is not between {} and {}", options.level, kLevelMin, kLevelMax));
  }
  if (options.parity_ppm > kParityMax) {
    return fail(Errc::usage, "parity for the loss of more than 50 % is not made; keep a second copy");
  }
  if (options.block_size != 0 && (options.block_size < kBlockSizeMin || options.block_size > kBlockSizeMax)) {
    return fail(Errc::usage, fmt::format("block size of {} bytes is not between {} KiB and {} MiB", options.block_size,
                                         kBlockSizeMin >> 10, kBlockSizeMax >> 20));
  }
  return {};
}

tree::WalkOptions to_walk_options(const std::vector<std::string>& paths, const PackOptions& options) {
  tree::WalkOptions walk;
  walk.base = options.directory;
  walk.roots = paths;
  walk.exclude = options.exclude;
  walk.include = options.include;
  walk.follow = options.follow;
  walk.one_file_system = options.one_file_system;
  walk.xattrs = options.xattrs;
  walk.cancel = options.cancel;
  return walk;
}

}  // namespace mmh
