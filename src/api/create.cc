// Making packs and adding to them.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "convert.h"
#include "healing.h"
#include "mmh/base/files.h"
#include "mmh/codecs/builtin.h"
#include "mmh/content/classify.h"
#include "mmh/content/planner.h"
#include "mmh/pack.h"
#include "mmh/pack/packer.h"
#include "mmh/tree/tar.h"

namespace mmh {

namespace {

pack::PackerOptions to_packer_options(const PackOptions& options, Reporter& reporter) {
  const codec::Registry& registry = codecs::builtin_registry();
  pack::PackerOptions packer;
  packer.sys = &real_sys();
  packer.registry = &registry;
  packer.planner = &content::default_planner(registry);
  packer.train_dictionary = codecs::train_dictionary;
  packer.level = options.level;
  packer.block_size = options.block_size;
  packer.threads = thread_count(options);
  packer.memory = options.memory;
  packer.cancel = options.cancel;
  packer.progress = reporter.progress_sink("pack", 0);
  packer.problem = reporter.problem_sink();
  packer.writer = fmt::format("mmh {}", version());
  packer.libraries = codecs::library_versions();
  return packer;
}

PackSummary to_summary(const pack::PackerTotals& totals, const Reporter& reporter) {
  PackSummary summary;
  summary.entries = totals.entries;
  summary.files = totals.files;
  summary.content_bytes = totals.content_bytes;
  summary.duplicate_bytes = totals.duplicate_bytes;
  summary.hole_bytes = totals.hole_bytes;
  summary.pack_bytes = totals.pack_bytes;
  summary.written_bytes = totals.written_bytes;
  summary.problems = reporter.problems();
  summary.root = totals.root.bytes;
  for (std::size_t i = 0; i < content::kContentClassCount; ++i) {
    const pack::ClassUse& use = totals.classes[i];
    if (use.files == 0 && use.raw_bytes == 0) continue;
    const auto name = content::class_name(static_cast<content::ContentClass>(i));
    summary.classes.push_back({std::string(name), use.files, use.raw_bytes, use.stored_bytes});
  }
  return summary;
}

/// Writes the parity of a pack that was just written behind it, and counts it.
Result<> add_parity(const RandomAccessSource& written, ByteSink& out, const PackOptions& options,
                    pack::PackerTotals& totals) {
  ParityWork work(options, "parity", options.observer);
  MMH_LET(const pack::ParityHead head, pack::write_pack_parity(written, options.parity_ppm, work.context(), out));
  const std::uint64_t added = head.layout.end_offset() + pack::kFooterSize - head.layout.goal.section_offset;
  totals.pack_bytes += added;
  totals.written_bytes += added;
  return {};
}

/// Writes to two places.
class TeeSink final : public ByteSink {
 public:
  TeeSink(ByteSink& first, ByteSink& second) : first_(first), second_(second) {}
  Result<> write(ByteView bytes) override {
    MMH_TRY(first_.write(bytes));
    return second_.write(bytes);
  }

 private:
  ByteSink& first_;
  ByteSink& second_;
};

/// What went into a pipe cannot be read again, so it is kept in a temporary file too until its parity is made.
template <class Work>
Result<pack::PackerTotals> stream_with_parity(ByteSink& out, const pack::PackerOptions& packer,
                                              const PackOptions& options, Work work) {
  MMH_LET(Fd file, temporary_file(real_sys(), "parity; --parity 0 needs none"));
  const auto kept = fd_sink(real_sys(), file.get(), "temporary file");
  TeeSink both(out, *kept);
  MMH_LET(pack::PackerTotals totals, work(packer, both));
  const auto written = file_source(real_sys(), std::move(file), totals.pack_bytes, "output");
  MMH_TRY(add_parity(*written, out, options, totals));
  return totals;
}

/// Runs `work` with the output opened, and makes the output appear when the work has succeeded.
template <class Work>
Result<PackSummary> write_output(const Output& output, const PackOptions& options, Work work) {
  MMH_TRY(check_pack_options(options));
  Reporter reporter(options.observer);
  const pack::PackerOptions packer = to_packer_options(options, reporter);
  if (output.path.empty()) {
    const auto sink = fd_sink(real_sys(), output.fd, "output");
    MMH_LET(const pack::PackerTotals totals,
            options.parity_ppm == 0 ? work(packer, *sink) : stream_with_parity(*sink, packer, options, work));
    return to_summary(totals, reporter);
  }
  MMH_LET(const auto file, AtomicFile::create(real_sys(), output.path, options.force));
  MMH_LET(pack::PackerTotals totals, work(packer, *file));
  if (options.parity_ppm > 0) {
    MMH_LET(const auto written, file->written());
    MMH_TRY(add_parity(*written, *file, options, totals));
  }
  MMH_TRY(file->commit());
  return to_summary(totals, reporter);
}

Result<PackSummary> create_from_tree(const std::vector<std::string>& paths, const Output& output,
                                     const PackOptions& options) {
  tree::WalkOptions walk = to_walk_options(paths, options);
  // An older pack under the output's name may lie in the tree that is packed; it is not content.
  const auto existing = real_sys().fstatat(AT_FDCWD, output.path.c_str(), 0);
  if (!output.path.empty() && existing && options.force) {
    walk.skip_inodes.emplace_back(existing.value.st_dev, existing.value.st_ino);
  }
  return write_output(output, options, [&](const pack::PackerOptions& packer, ByteSink& sink) {
    return pack::pack_tree(packer, walk, sink);
  });
}

/// Writes behind the end of an existing pack; what it wrote is cut off again unless all of it succeeds.
class AppendFile {
 public:
  static Result<AppendFile> open(const std::string& path) {
    const auto opened = real_sys().openat(AT_FDCWD, path.c_str(), O_RDWR);
    if (!opened) return fail(errno_error(opened.error, display_path(path) + ": cannot open for appending"));
    AppendFile file;
    file.path_ = path;
    file.fd_ = Fd(real_sys(), opened.value);
    if (::flock(file.fd_.get(), LOCK_EX | LOCK_NB) != 0) {
      return fail(errno_error(errno, display_path(path) + ": another process appends to it"));
    }
    return file;
  }

  /// Drops what a killed append left and goes to the end.
  Result<> start_at(std::uint64_t size) {
    size_ = size;
    if (const int error = real_sys().ftruncate(fd_.get(), size)) return failed(error, "cut to its valid size");
    const auto at = real_sys().lseek(fd_.get(), static_cast<std::int64_t>(size), SEEK_SET);
    if (!at) return failed(at.error, "seek");
    return {};
  }

  Result<> sync() {
    if (const int error = real_sys().fsync(fd_.get())) return failed(error, "sync");
    return {};
  }

  /// Best effort: what stays is passed over by readers and dropped by the next append.
  void roll_back() { static_cast<void>(real_sys().ftruncate(fd_.get(), size_)); }
  int fd() const { return fd_.get(); }

 private:
  Result<> failed(int error, std::string_view action) const {
    return fail(errno_error(error, fmt::format("{}: cannot {}", display_path(path_), action)));
  }
  std::string path_;
  Fd fd_;
  std::uint64_t size_ = 0;
};

}  // namespace

Result<PackSummary> create_pack(const std::vector<std::string>& paths, const std::string& output,
                                const PackOptions& options) {
  return create_from_tree(paths, {output, -1}, options);
}

Result<PackSummary> create_pack(const std::vector<std::string>& paths, int output_fd, const PackOptions& options) {
  return create_from_tree(paths, {{}, output_fd}, options);
}

Result<PackSummary> create_pack_from_tar(int tar_fd, const Output& output, const PackOptions& options) {
  const auto read = [tar_fd, &options](Bytes out) -> Result<std::size_t> {
    const auto got = read_full(real_sys(), tar_fd, out, options.cancel);
    if (!got) return fail(errno_error(got.error, "cannot read the tar stream"));
    return got.value;
  };
  return write_output(output, options, [&](const pack::PackerOptions& packer, ByteSink& sink) {
    const auto tar = tree::TarReader::open(read);
    return pack::pack_tar(packer, *tar, sink);
  });
}

Result<PackSummary> append_to_pack(const std::string& path, const std::vector<std::string>& paths,
                                   const PackOptions& options) {
  MMH_TRY(check_pack_options(options));
  MMH_LET(AppendFile file, AppendFile::open(path));
  MMH_LET(auto source, open_source(real_sys(), path));
  MMH_LET(const auto existing, pack::Reader::open(std::move(source), codecs::builtin_registry()));
  tree::WalkOptions walk = to_walk_options(paths, options);
  const auto info = real_sys().fstat(file.fd());
  if (info) walk.skip_inodes.emplace_back(info.value.st_dev, info.value.st_ino);
  std::optional<pack::ParityHead> parity = pack::pack_parity(existing->source());
  if (!parity) {
    // Its end is damaged; the share that was asked for still stands in front.
    if (auto front = pack::parity_head_at(existing->source(), existing->pack_size())) parity = *std::move(front);
  }
  MMH_TRY(file.start_at(existing->pack_size()));
  Reporter reporter(options.observer);
  const pack::PackerOptions packer = to_packer_options(options, reporter);
  const auto sink = fd_sink(real_sys(), file.fd(), display_path(path));
  const auto appended = [&]() -> Result<pack::PackerTotals> {
    // The blocks are on disk before a trailer speaks of them.
    MMH_LET(pack::PackerTotals totals, pack::append_tree(packer, *existing, walk, *sink, [&] { return file.sync(); }));
    MMH_TRY(file.sync());
    if (!parity) return totals;
    // The old parity stays until the new one is whole.
    PackOptions with_parity = options;
    with_parity.parity_ppm = parity->layout.goal.loss_ppm;
    MMH_LET(auto written, open_source(real_sys(), path));
    MMH_TRY(add_parity(*written, *sink, with_parity, totals));
    MMH_TRY(file.sync());
    return totals;
  }();
  if (!appended) {
    file.roll_back();
    return fail(appended.error());
  }
  return to_summary(*appended, reporter);
}

}  // namespace mmh
