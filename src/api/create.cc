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

namespace {

// New parity would vouch for damage that the old one can still mend.
Result<> mend_before_append(const std::string& path, const PackOptions& options) {
  MMH_LET(const auto source, open_source(real_sys(), path));
  bool sound = false;
  {
    const auto pack = Pack::open(path, options);
    if (!pack) {
      if (pack.error().code != Errc::corrupt) return fail(pack.error());
    } else {
      const bool odd = pack->info().pack_bytes != source->size();
      if (pack->info().parity.loss_ppm == 0 && !(odd && !pack::find_parity_heads(*source).empty())) return {};
      MMH_LET(const VerifySummary found, pack->verify(false, options));
      sound = found.sound && !odd;
    }
  }
  if (sound) return {};
  RepairOptions repair;
  static_cast<RunOptions&>(repair) = options;
  Result<RepairSummary> mended = repair_pack(path, repair);
  if (!mended) {
    // Without parity an append leaves what is damaged as it is.
    if (mended.error().code == Errc::not_found) return {};
    return fail(mended.error());
  }
  if (options.observer != nullptr && !mended->was_sound) {
    options.observer->warning({Errc::changed, fmt::format("{}: was damaged; {} bytes were mended by its parity first",
                                                          display_path(path), mended->bytes)});
  }
  return {};
}

/// What an append works with.
struct Appending {
  const std::string& path;
  const PackOptions& options;
  const pack::PackerOptions& packer;
  const tree::WalkOptions& walk;
  const AppendFile& file;
};

// The new generation takes the place of the old parity. Until it is whole it lies in a file of its own.
Result<pack::PackerTotals> append_before_parity(const Appending& work, const pack::ParityHead& parity) {
  const std::uint64_t size = parity.layout.goal.data_size;
  MMH_LET(const auto source, open_source(real_sys(), work.path));
  MMH_LET(const auto existing,
          pack::Reader::open(std::make_unique<SourceFront>(*source, size), codecs::builtin_registry()));
  MMH_LET(const auto scratch, AtomicFile::create(real_sys(), work.path, true));
  MMH_LET(pack::PackerTotals totals, pack::append_tree(work.packer, *existing, work.walk, *scratch, nullptr));
  MMH_LET(const auto generation, scratch->written());
  ParityWork parity_work(work.options, "parity", work.options.observer);
  const SourceFront pack(*source, size);
  MMH_LET(const std::uint64_t added,
          pack::append_with_parity(pack, *generation, source->size(), parity.layout.goal.loss_ppm,
                                   parity_work.context(), work.file.fd()));
  totals.pack_bytes += added;
  totals.written_bytes += added;
  return totals;
}

Result<pack::PackerTotals> append_behind(const Appending& work, AppendFile& file) {
  MMH_LET(auto source, open_source(real_sys(), work.path));
  MMH_LET(const auto existing, pack::Reader::open(std::move(source), codecs::builtin_registry()));
  MMH_TRY(file.start_at(existing->pack_size()));
  const auto sink = fd_sink(real_sys(), file.fd(), display_path(work.path));
  // The blocks are on disk before a trailer speaks of them.
  auto totals = pack::append_tree(work.packer, *existing, work.walk, *sink, [&] { return file.sync(); });
  if (totals) {
    if (Result<> synced = file.sync(); !synced) totals = fail(synced.error());
  }
  if (!totals) file.roll_back();
  return totals;
}

}  // namespace

Result<PackSummary> append_to_pack(const std::string& path, const std::vector<std::string>& paths,
                                   const PackOptions& options) {
  MMH_TRY(check_pack_options(options));
  MMH_TRY(mend_before_append(path, options));
  MMH_LET(AppendFile file, AppendFile::open(path));
  tree::WalkOptions walk = to_walk_options(paths, options);
  const auto info = real_sys().fstat(file.fd());
  if (info) walk.skip_inodes.emplace_back(info.value.st_dev, info.value.st_ino);
  MMH_LET(const auto source, open_source(real_sys(), path));
  const std::optional<pack::ParityHead> parity = pack::pack_parity(*source);
  Reporter reporter(options.observer);
  const pack::PackerOptions packer = to_packer_options(options, reporter);
  const Appending work{path, options, packer, walk, file};
  MMH_LET(const pack::PackerTotals totals, parity ? append_before_parity(work, *parity) : append_behind(work, file));
  return to_summary(totals, reporter);
}

}  // namespace mmh
