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
#include "mmh/content/planner.h"
#include "mmh/pack.h"
#include "mmh/pack/refill.h"
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

/// Checks all stored bytes of a pack; `deep`, also what they decode to. Errors: corrupt (damaged, or no pack), and what
/// stops a verification.
Result<Hash> require_sound(const RandomAccessSource& source, const RunOptions& options, std::string_view advice,
                           bool deep = false) {
  MMH_LET(const auto reader,
          pack::Reader::open(std::make_unique<SourceFront>(source, source.size()), codecs::builtin_registry()));
  TaskPool pool(thread_count(options));
  const auto progress = [&](std::uint64_t bytes, std::uint64_t total) {
    if (options.observer != nullptr) options.observer->progress({"verify", bytes, total, 0});
  };
  MMH_LET(const pack::VerifyReport report, pack::verify(*reader, pool, deep, progress, options.cancel));
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
            pack::Reader::open(std::make_unique<SourceFront>(*source, source->size()), codecs::builtin_registry()));
    size = reader->pack_size();
  }
  if (loss_ppm == 0) {
    MMH_TRY(file.cut(size));
    return ParityInfo{};
  }
  if (!old) MMH_TRY(file.cut(size));
  const SourceFront pack(*source, size);
  ParityWork work(options, "parity", options.observer);
  MMH_LET(const pack::ParityHead head,
          pack::replace_pack_parity(pack, old ? source->size() : size, loss_ppm, work.context(), file.fd()));
  return to_parity_info(head);
}

namespace {

constexpr std::string_view kDamagedBefore =
    "can be mended, but not to a sound pack: it was damaged before the parity was made; nothing was written";

/// One call of repair_pack().
class Repair {
 public:
  Repair(const std::string& path, const RepairOptions& options)
      : path_(path), options_(options), in_place_(options.output.empty()), work_(options, "repair", options.observer) {}

  Result<RepairSummary> run() {
    if (in_place_) {
      MMH_LET(file_, LockedFile::open(path_));
    }
    MMH_LET(source_, open_source(real_sys(), path_));
    MMH_TRY(open_copies());
    Result<> mended = mend_by_parity(others_);
    if (!mended && !options_.from.empty() &&
        (mended.error().code == Errc::corrupt || mended.error().code == Errc::not_found)) {
      mended = refill(mended.error());
    }
    if (!mended && mended.error().code == Errc::not_found) {
      mended =
          write(*source_, false, "is damaged, and has no parity to mend it; name a copy or the originals with --from");
    }
    MMH_TRY(std::move(mended));
    MMH_LET(const auto result, open_source(real_sys(), in_place_ ? path_ : options_.output));
    MMH_TRY(require_sound(*result, options_, "was mended, but does not verify afterwards; is the disk failing?"));
    return summary_;
  }

 private:
  // Directories hold originals; a file may be either.
  Result<> open_copies() {
    for (const std::string& from : options_.from) {
      const auto info = real_sys().fstatat(AT_FDCWD, from.c_str(), 0);
      if (info && S_ISDIR(info.value.st_mode)) continue;
      MMH_LET(copies_.emplace_back(), open_source(real_sys(), from));
      others_.push_back(copies_.back().get());
    }
    return {};
  }

  Result<> mend_by_parity(const std::vector<const RandomAccessSource*>& others) {
    MMH_LET(image_, pack::HealedPack::open(*source_, others, work_.context()));
    MMH_TRY(image_->heal());
    return write(*image_, image_->displaced(), kDamagedBefore);
  }

  // Writes the mended image over the file, or as another. `unsound`: what to say of one that does not verify.
  Result<> write(const RandomAccessSource& image, bool moved, std::string_view unsound) {
    MMH_LET(summary_.root, require_sound(image, options_, unsound));
    summary_.pack_bytes = image.size();
    summary_.moved = moved;
    const auto told = [&](pack::ByteRange range) {
      if (options_.mended) options_.mended(range.offset, range.length);
    };
    pack::Mended mended;
    if (in_place_ && !moved) {
      MMH_LET(mended, pack::write_healed_in_place(image, *source_, file_->fd(), work_.context(), told));
    } else {
      MMH_LET(const auto out, create_output());
      MMH_LET(mended, pack::write_healed(image, *source_, work_.context(), *out, told));
      MMH_TRY(out->commit());
    }
    summary_.ranges = mended.ranges;
    summary_.bytes = mended.bytes;
    summary_.was_sound = mended.ranges == 0 && source_->size() == image.size();
    return {};
  }

  Result<std::unique_ptr<AtomicFile>> create_output() const {
    const auto info = real_sys().fstatat(AT_FDCWD, path_.c_str(), 0);
    const mode_t mode = info ? info.value.st_mode & 0777 : 0666;
    return AtomicFile::create(real_sys(), in_place_ ? path_ : options_.output, in_place_ || options_.force, mode);
  }

  // What parity does not bring back, or cannot where there is none, copies and originals may, block by block.
  Result<> refill(const Error& why) {
    pack::ReaderOptions reading;
    if (image_ != nullptr) {
      reading.heal = [this](std::uint64_t offset, Bytes out) { return image_->read_at(offset, out); };
    }
    const auto reader = pack::Reader::open(std::make_unique<SourceFront>(*source_, source_->size()),
                                           codecs::builtin_registry(), reading);
    if (!reader) return fail(why);
    const codec::Registry& registry = codecs::builtin_registry();
    const pack::RefillContext context{.sys = &real_sys(),
                                      .registry = &registry,
                                      .planner = &content::default_planner(registry),
                                      .libraries = codecs::library_versions(),
                                      .memory = options_.memory,
                                      .cancel = options_.cancel};
    auto refilled = pack::Refill::open(**reader, {.copies = others_, .originals = options_.from}, context);
    if (!refilled) return refilled.error().code == Errc::corrupt ? fail(why) : Result<>(fail(refilled.error()));
    const pack::Refill& refill = **refilled;
    if (refill.lost() == 0) return fail(why);
    summary_.refilled_blocks = refill.exact();
    if (image_ == nullptr) {
      if (refill.exact() == refill.lost()) return write(refill.patched(), false, kDamagedBefore);
    } else if (refill.exact() > 0) {
      // What originals do not give back, parity may now bear.
      std::vector<const RandomAccessSource*> others = others_;
      others.push_back(&refill.patched());
      const Result<> mended = mend_by_parity(others);
      if (mended || mended.error().code != Errc::corrupt) return mended;
    }
    if (refill.missing() > 0) return still_missing(refill);
    return write_anew(**reader, refill);
  }

  std::unexpected<Error> still_missing(const pack::Refill& refill) const {
    std::string names;
    for (const std::string& name : refill.files_missing()) {
      names += fmt::format("{}{}", names.empty() ? ": " : ", ", display_path(name));
    }
    return fail(
        Errc::corrupt,
        fmt::format("{}: {} blocks are lost beyond parity; copies and originals bring back {} of them; the rest "
                    "needs the originals, unchanged, of{}; mmh unpack --salvage delivers all else",
                    display_path(path_), refill.lost(), refill.lost() - refill.missing(),
                    names.empty() ? " what the pack no longer names" : names));
  }

  // The content is there, but the bytes that this build makes of it are others.
  Result<> write_anew(const pack::Reader& reader, const pack::Refill& refill) {
    if (in_place_) {
      return fail(Errc::unsupported,
                  fmt::format("{}: the originals give the content of all {} lost blocks, but this build does not make "
                              "the same stored bytes of {} of them; a new pack of the same root can be written with -o",
                              display_path(path_), refill.lost(), refill.lost() - refill.exact()));
    }
    MMH_LET(const auto out, create_output());
    MMH_TRY(refill.write_pack(*out));
    std::optional<pack::ParityHead> parity = pack::pack_parity(*source_);
    if (!parity && image_ != nullptr) parity = image_->head();
    if (parity) {
      MMH_LET(const auto written, out->written());
      MMH_TRY(pack::write_pack_parity(*written, parity->layout.goal.loss_ppm, work_.context(), *out));
    }
    MMH_LET(auto written, out->written());
    summary_.pack_bytes = written->size();
    summary_.bytes = written->size();
    summary_.ranges = 1;
    summary_.anew = true;
    summary_.refilled_blocks = refill.lost();
    MMH_LET(summary_.root,
            require_sound(*written, options_, "its new pack does not verify; nothing was written", true));
    if (hash::Digest{summary_.root} != reader.trailer().root) {
      return fail(Errc::corrupt, display_path(path_) + ": its new pack has another root; nothing was written");
    }
    return out->commit();
  }

  const std::string& path_;
  const RepairOptions& options_;
  const bool in_place_;
  ParityWork work_;
  std::optional<LockedFile> file_;
  std::unique_ptr<RandomAccessSource> source_;
  std::vector<std::unique_ptr<RandomAccessSource>> copies_;
  std::vector<const RandomAccessSource*> others_;
  std::unique_ptr<pack::HealedPack> image_;
  RepairSummary summary_;
};

}  // namespace

Result<RepairSummary> repair_pack(const std::string& path, const RepairOptions& options) {
  MMH_TRY(check_run_options(options));
  return Repair(path, options).run();
}

}  // namespace mmh
