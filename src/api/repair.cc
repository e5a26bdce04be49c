// Parity of existing packs: adding, changing, removing it; mending by it.

#include "mmh/pack/repair.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "healing.h"
#include "mmh/base/files.h"
#include "mmh/codecs/builtin.h"
#include "mmh/pack.h"
#include "mmh/pack/verify.h"

namespace mmh {

namespace {

/// A file that is changed in place, locked against others that do.
class LockedFile {
 public:
  static Result<LockedFile> open(const std::string& path) {
    const auto opened = real_sys().openat(AT_FDCWD, path.c_str(), O_RDWR);
    if (!opened) return fail(errno_error(opened.error, display_path(path) + ": cannot open for writing"));
    LockedFile file;
    file.path_ = path;
    file.fd_ = Fd(real_sys(), opened.value);
    if (::flock(file.fd_.get(), LOCK_EX | LOCK_NB) != 0) {
      return fail(errno_error(errno, display_path(path) + ": another process writes to it"));
    }
    return file;
  }

  int fd() const { return fd_.get(); }
  Result<> sync() const {
    if (const int error = real_sys().fsync(fd())) return failed(error, "sync");
    return {};
  }
  Result<> cut(std::uint64_t size) const {
    if (const int error = real_sys().ftruncate(fd(), size)) return failed(error, "cut");
    return sync();
  }
  std::unexpected<Error> failed(int error, std::string_view action) const {
    return fail(errno_error(error, fmt::format("{}: cannot {}", display_path(path_), action)));
  }

 private:
  std::string path_;
  Fd fd_;
};

/// The first bytes of a file.
class Front final : public RandomAccessSource {
 public:
  Front(const RandomAccessSource& source, std::uint64_t size) : source_(source), size_(size) {}
  std::uint64_t size() const override { return size_; }
  const std::string& name() const override { return source_.name(); }
  Result<> read_at(std::uint64_t offset, Bytes out) const override { return source_.read_at(offset, out); }

 private:
  const RandomAccessSource& source_;
  std::uint64_t size_;
};

/// Checks all stored bytes of a pack. Errors: corrupt (damaged, or no pack), and what stops a verification.
Result<Hash> require_sound(const RandomAccessSource& source, const RunOptions& options, std::string_view advice) {
  MMH_LET(const auto reader,
          pack::Reader::open(std::make_unique<Front>(source, source.size()), codecs::builtin_registry()));
  TaskPool pool(thread_count(options));
  const auto progress = [&](std::uint64_t bytes, std::uint64_t total) {
    if (options.observer != nullptr) options.observer->progress({"verify", bytes, total, 0});
  };
  MMH_LET(const pack::VerifyReport report, pack::verify(*reader, pool, false, progress, options.cancel));
  if (!report.sound()) {
    return fail(Errc::corrupt, fmt::format("{}: {}", display_path(source.name()), advice));
  }
  return reader->trailer().root.bytes;
}

}  // namespace

Result<ParityInfo> set_parity(const std::string& path, std::uint32_t loss_ppm, const RunOptions& options) {
  MMH_TRY(check_run_options(options));
  if (loss_ppm > kParityMax) {
    return fail(Errc::usage, "parity for the loss of more than 50 % is not made; keep a second copy");
  }
  MMH_LET(const LockedFile file, LockedFile::open(path));
  MMH_LET(const auto source, open_source(real_sys(), path));
  MMH_TRY(require_sound(*source, options, "is damaged; mend it with mmh repair before its parity is changed"));
  const auto old = pack::pack_parity(*source);
  std::uint64_t size = 0;
  if (old) {
    size = old->layout.goal.data_size;
  } else {
    MMH_LET(const auto reader,
            pack::Reader::open(std::make_unique<Front>(*source, source->size()), codecs::builtin_registry()));
    size = reader->pack_size();
  }
  if (loss_ppm == 0) {
    MMH_TRY(file.cut(size));
    return ParityInfo{};
  }
  if (!old) MMH_TRY(file.cut(size));
  const Front pack(*source, size);
  ParityWork work(options, "parity", options.observer);
  MMH_LET(const pack::ParityHead head,
          pack::replace_pack_parity(pack, old ? source->size() : size, loss_ppm, work.context(), file.fd()));
  return to_parity_info(head);
}

Result<RepairSummary> repair_pack(const std::string& path, const RepairOptions& options) {
  MMH_TRY(check_run_options(options));
  const bool in_place = options.output.empty();
  std::optional<LockedFile> file;
  if (in_place) {
    MMH_LET(file, LockedFile::open(path));
  }
  MMH_LET(const auto source, open_source(real_sys(), path));
  std::vector<std::unique_ptr<RandomAccessSource>> copies;
  std::vector<const RandomAccessSource*> others;
  for (const std::string& copy : options.from) {
    MMH_LET(copies.emplace_back(), open_source(real_sys(), copy));
    others.push_back(copies.back().get());
  }
  RepairSummary summary;
  {
    ParityWork work(options, "repair", options.observer);
    MMH_LET(const auto image, pack::HealedPack::open(*source, others, work.context()));
    MMH_TRY(image->heal());
    MMH_LET(summary.root, require_sound(*image, options,
                                        "parity brings it back, but not as a sound pack: it was "
                                        "damaged before the parity was made; nothing was written"));
    summary.pack_bytes = image->size();
    summary.moved = image->displaced();
    const auto told = [&](pack::ByteRange range) {
      if (options.mended) options.mended(range.offset, range.length);
    };
    pack::Mended mended;
    if (in_place && !summary.moved) {
      MMH_LET(mended, pack::write_healed_in_place(*image, *source, file->fd(), work.context(), told));
    } else {
      const auto info = real_sys().fstatat(AT_FDCWD, path.c_str(), 0);
      const mode_t mode = info ? info.value.st_mode & 0777 : 0666;
      MMH_LET(const auto out,
              AtomicFile::create(real_sys(), in_place ? path : options.output, in_place || options.force, mode));
      MMH_LET(mended, pack::write_healed(*image, *source, work.context(), *out, told));
      MMH_TRY(out->commit());
    }
    summary.ranges = mended.ranges;
    summary.bytes = mended.bytes;
    summary.was_sound = mended.ranges == 0 && source->size() == image->size();
  }
  MMH_LET(const auto result, open_source(real_sys(), in_place ? path : options.output));
  MMH_TRY(require_sound(*result, options, "was mended, but does not verify afterwards; is the disk failing?"));
  return summary;
}

}  // namespace mmh
