#include "healing.h"

#include <fmt/format.h>

namespace mmh {

ParityWork::ParityWork(const RunOptions& options, std::string_view stage, Observer* observer)
    : pool_(thread_count(options)) {
  context_.sys = &real_sys();
  context_.pool = &pool_;
  context_.memory = options.memory;
  context_.cancel = options.cancel;
  if (observer != nullptr) {
    context_.progress = [observer, stage](std::uint64_t done, std::uint64_t total) {
      observer->progress({stage, done, total, 0});
    };
  }
}

ParityInfo to_parity_info(const pack::ParityHead& head) {
  ParityInfo info;
  info.loss_ppm = head.layout.goal.loss_ppm;
  info.stored_bytes = head.layout.section_size();
  info.one_piece_bytes = head.layout.one_piece_max();
  info.sector_bytes = pack::kParitySector;
  info.sectors = head.layout.scattered_max();
  info.sectors_without_checks = head.layout.scattered_symbols_max();
  info.spared_sector_bytes = head.layout.spared_sector();
  return info;
}

Result<> Healing::prepare() {
  // Reading does not report progress of its own: this is a part of it.
  ParityWork work(options_, "", nullptr);
  MMH_LET(image_, pack::HealedPack::open(file_, {}, work.context()));
  Result<> healed = image_->heal();
  if (!healed && healed.error().code != Errc::corrupt) return healed;
  whole_ = healed.has_value();
  if (options_.observer == nullptr) return {};
  if (!whole_) {
    options_.observer->warning(healed.error());
    return {};
  }
  const pack::ParityReport& report = image_->report();
  std::uint64_t bytes = 0;
  for (const pack::ByteRange& range : report.damaged) bytes += range.length;
  std::string what = fmt::format("{}: is damaged; what is read is mended by its parity", display_path(file_.name()));
  if (!report.damaged.empty()) {
    what += fmt::format(" ({} {}, {} {}, from offset {} on)", report.damaged.size(),
                        report.damaged.size() == 1 ? "range" : "ranges", bytes, bytes == 1 ? "byte" : "bytes",
                        report.damaged.front().offset);
  }
  options_.observer->warning({Errc::changed, what + "; run mmh repair to mend the file"});
  return {};
}

Result<> Healing::prepared() {
  if (!prepared_) prepared_ = prepare();
  return *prepared_;
}

Result<const pack::HealedPack*> Healing::image() {
  const std::lock_guard lock(mutex_);
  MMH_TRY(prepared());
  if (!whole_) return fail(Errc::corrupt, display_path(file_.name()) + ": is damaged beyond parity");
  return image_.get();
}

Result<> Healing::read(std::uint64_t offset, Bytes out) {
  {
    const std::lock_guard lock(mutex_);
    MMH_TRY(prepared());
  }
  return image_->read_at(offset, out);
}

Result<Healability> examine(const RandomAccessSource& file, const RunOptions& options) {
  ParityWork work(options, "verify", options.observer);
  MMH_LET(const auto image, pack::HealedPack::open(file, {}, work.context()));
  Healability found;
  MMH_LET(found.healable, image->can_heal());
  found.data_size = image->head().layout.goal.data_size;
  found.damaged = image->report().damaged;
  found.hopeless = image->report().hopeless;
  return found;
}

}  // namespace mmh
