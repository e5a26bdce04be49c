// Making packs, adding to them, and making them stand alone.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "bases.h"
#include "convert.h"
#include "healing.h"
#include "mmh/base/files.h"
#include "mmh/codecs/builtin.h"
#include "mmh/content/classify.h"
#include "mmh/content/planner.h"
#include "mmh/pack.h"
#include "mmh/pack/packer.h"
#include "mmh/pack/rebase.h"
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
  summary.base_bytes = totals.base_bytes;
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

/// Errors: usage, where the output would replace a pack that it is to be read with.
Result<> keep_bases(const pack::Reader& base, const std::string& output) {
  const auto replaced = real_sys().fstatat(AT_FDCWD, output.c_str(), 0);
  if (!replaced) return {};
  const pack::Reader* each = &base;
  for (std::shared_ptr<const pack::Reader> held; each != nullptr; each = held.get()) {
    const std::string& path = each->source().name();
    const auto info = real_sys().fstatat(AT_FDCWD, path.c_str(), 0);
    if (info && info.value.st_dev == replaced.value.st_dev && info.value.st_ino == replaced.value.st_ino) {
      return fail(Errc::usage,
                  fmt::format("{}: the new pack needs it as its base; write it elsewhere with -o", display_path(path)));
    }
    MMH_LET(held, each->base());
  }
  return {};
}

/// Runs `work` with the output opened, and makes the output appear when the work has succeeded.
template <class Work>
Result<PackSummary> write_output(const Output& output, const PackOptions& options, Work work) {
  MMH_TRY(check_pack_options(options));
  Reporter reporter(options.observer);
  pack::PackerOptions packer = to_packer_options(options, reporter);
  std::shared_ptr<const pack::Reader> base;
  if (!options.base.empty()) {
    MMH_LET(base, open_with_bases(options.base, options).in("the base"));
    unsigned behind = 0;
    for (std::shared_ptr<const pack::Reader> each = base; each != nullptr; ++behind) {
      MMH_LET(each, each->base());
    }
    if (behind >= pack::kBaseChainMax) {
      return fail(Errc::limit, fmt::format("{}: {} packs stand behind it already; make it stand alone with mmh rebase, "
                                           "or take an older base",
                                           display_path(options.base), behind - 1));
    }
    if (!output.path.empty()) MMH_TRY(keep_bases(*base, output.path));
    packer.base = base.get();
    packer.base_name = pack::base_name_of(file_name_of(options.base));
  }
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
    options.observer->warning(
        {Errc::changed, fmt::format("{}: was damaged; its parity mended {} {} first", display_path(path), mended->bytes,
                                    mended->bytes == 1 ? "byte" : "bytes")});
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
  if (!options.base.empty()) return fail(Errc::usage, "a base is for new packs, not for appending");
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

Result<RebaseSummary> rebase_pack(const std::string& path, const RebaseOptions& options) {
  PackOptions packing;
  static_cast<RunOptions&>(packing) = options;
  MMH_TRY(check_pack_options(packing));
  const bool in_place = options.output.empty();
  // Nobody may append to it meanwhile.
  const auto opened = real_sys().openat(AT_FDCWD, path.c_str(), O_RDONLY);
  if (!opened) return fail(errno_error(opened.error, display_path(path) + ": cannot open"));
  const Fd lock(real_sys(), opened.value);
  if (in_place && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(errno_error(errno, display_path(path) + ": another process writes to it"));
  }
  MMH_LET(const auto reader, open_with_bases(path, options));
  RebaseSummary summary;
  summary.pack_bytes_before = reader->source().size();
  summary.pack_bytes = summary.pack_bytes_before;
  summary.root = reader->trailer().root.bytes;
  if (in_place && !reader->trailer().base) return summary;
  const auto parity = pack::pack_parity(reader->source());
  packing.parity_ppm = parity ? parity->layout.goal.loss_ppm : 0;
  packing.level = std::clamp(reader->trailer().level, kLevelMin, kLevelMax);
  Reporter reporter(options.observer);
  pack::PackerOptions packer = to_packer_options(packing, reporter);
  packer.progress = reporter.progress_sink("rebase", 0);
  const auto info = real_sys().fstat(lock.get());
  const mode_t mode = info ? info.value.st_mode & 0777 : 0666;
  MMH_LET(const auto file, AtomicFile::create(real_sys(), in_place ? path : options.output, in_place || options.force,
                                              in_place ? mode : 0666));
  pack::PackerTotals totals;
  {
    TaskPool pool(packer.threads);
    MMH_LET(const pack::Rebased rebased, pack::rebase(*reader, packer, pool, *file));
    summary.blocks = rebased.blocks;
    totals.pack_bytes = rebased.pack_bytes;
  }
  if (packing.parity_ppm > 0) {
    MMH_LET(const auto written, file->written());
    MMH_TRY(add_parity(*written, *file, packing, totals));
  }
  MMH_TRY(file->commit());
  summary.pack_bytes = totals.pack_bytes;
  return summary;
}

}  // namespace mmh
