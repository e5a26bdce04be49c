#include "mmh/pack/repair.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "mmh/base/checked.h"
#include "mmh/hash/blake3.h"
#include "mmh/pack/format.h"
#include "mmh/pack/pack_file.h"
#include "mmh/pack/scan.h"
#include "spool.h"

namespace mmh::pack {

namespace {

constexpr std::size_t kCompare = 1 << 20;
constexpr std::uint64_t kSector = 512;

Result<Footer> footer_at(const RandomAccessSource& source, std::uint64_t offset) {
  std::array<std::byte, kFooterSize> bytes;
  MMH_TRY(source.read_at(offset, bytes));
  MMH_LET(const Footer footer, parse_footer(bytes));
  if (footer.offset != offset) return fail(Errc::corrupt, "the footer belongs elsewhere");
  return footer;
}

class Image final : public HealedPack {
 public:
  Image(const RandomAccessSource& file, const ParityContext& context) : file_(file), context_(context) {}

  Result<> start(std::vector<const RandomAccessSource*> others) {
    std::vector<ParityHead> heads;
    if (auto head = pack_parity(file_)) heads.push_back(*std::move(head));
    if (heads.empty()) heads = heads_in(file_);
    for (std::size_t i = 0; i < others.size() && heads.empty(); ++i) heads = heads_in(*others[i]);
    if (heads.empty()) return fail(Errc::not_found, display_path(file_.name()) + ": has no parity, or none is left");
    // A pack stored in the pack may bring a section of its own; the one that fits most bytes is meant.
    constexpr std::size_t kTries = 4;
    for (std::size_t i = 0; i < std::min(heads.size(), kTries); ++i) {
      MMH_LET(auto healer, ParityHealer::open(file_, file_, heads[i], others, context_));
      MMH_TRY(healer->locate());
      const ParityReport& report = healer->report();
      const std::uint64_t found = report.symbols - report.data_lost - report.repair_lost;
      const std::uint64_t bytes = found * heads[i].layout.symbols.symbol_size;
      if (healer_ && bytes <= best_) continue;
      best_ = bytes;
      healer_ = std::move(healer);
      if (report.data_lost + report.repair_lost + report.displaced == 0) break;
    }
    size_ = layout().end_offset() + kFooterSize;
    // What was appended since is not protected, but it is not to be cut off.
    if (file_.size() > size_ && !displaced()) {
      const auto trailer = last_trailer_header(file_, file_.size());
      if (trailer && trailer->offset >= size_ && payload_matches(file_, *trailer)) behind_ = file_.size();
    }
    return {};
  }

  std::uint64_t size() const override { return std::max(size_, behind_); }
  const std::string& name() const override { return file_.name(); }
  Result<> read_at(std::uint64_t offset, Bytes out) const override {
    if (!range_within<std::uint64_t>(offset, out.size(), size())) {
      return fail(Errc::corrupt, display_path(name()) + ": the range ends behind the end");
    }
    const std::uint64_t data = layout().goal.data_size;
    if (offset >= size_) return file_.read_at(offset, out);
    if (out.size() > size_ - offset) {
      const auto front = static_cast<std::size_t>(size_ - offset);
      MMH_TRY(read_at(offset, out.first(front)));
      return read_at(size_, out.subspan(front));
    }
    if (offset < data) {
      const Bytes front = out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), data - offset)));
      MMH_TRY(data_whole_ ? file_.read_at(offset, front) : healer_->read_data(offset, front).in(display_path(name())));
      out = out.subspan(front.size());
      offset += front.size();
    }
    if (out.empty()) return {};
    // Not there before heal(), and where that failed.
    if (!range_within<std::uint64_t>(offset - data, out.size(), tail_.size())) {
      return fail(Errc::corrupt, display_path(name()) + ": the parity is damaged");
    }
    return tail_.read_at(offset - data, out);
  }

  const ParityHead& head() const override { return healer_->head(); }
  const ParityReport& report() const override { return healer_->report(); }
  bool displaced() const override { return healer_->report().displaced > 0; }

  Result<bool> can_heal() override {
    MMH_TRY(healer_->plan());
    return healer_->report().healable();
  }

  Result<> heal() override {
    MMH_TRY(healer_->heal());
    const ParityReport& report = healer_->report();
    if (!report.healable() && report.checks_lost > 0 && data_is_whole()) return {};
    if (!report.healable()) {
      std::string places;
      constexpr std::size_t kNamed = 8;
      for (std::size_t i = 0; i < std::min(kNamed, report.hopeless.size()); ++i) {
        const ByteRange& range = report.hopeless[i];
        places += fmt::format("{}bytes {} to {}", i == 0 ? "" : ", ", range.offset, range.offset + range.length);
      }
      if (report.hopeless.size() > kNamed) places += fmt::format(" and {} more", report.hopeless.size() - kNamed);
      return fail(Errc::corrupt,
                  fmt::format("{}: {} of {} symbols of {} bytes are lost, more than the parity can bring back: {}; "
                              "another copy may help (--from), mmh unpack --salvage delivers the rest",
                              display_path(name()), report.data_lost + report.repair_lost, report.symbols,
                              layout().symbols.symbol_size, places));
    }
    if (layout().goal.section_offset != layout().goal.data_size) return heal_tail_elsewhere();
    MMH_LET(tail_, Spool::make(*context_.sys, layout().section_size() + kFooterSize, context_.memory / 8, "parity"));
    SpoolWriter sink(tail_);
    if (!healer_->write_section(sink)) {
      // Parity is made of the data alone, so it can be made anew.
      SpoolWriter again(tail_);
      return make_tail(Data(*this), again);
    }
    std::array<std::byte, kFooterSize> bytes;
    MMH_TRY(healer_->read_data(layout().goal.data_size - kFooterSize, bytes));
    MMH_LET(Footer footer, parse_footer(bytes));
    footer.offset = layout().end_offset();
    write_footer(footer, bytes);
    return tail_.write_at(layout().section_size(), bytes);
  }

 private:
  // The data alone, as a source.
  class Data final : public RandomAccessSource {
   public:
    explicit Data(const Image& image) : image_(image) {}
    std::uint64_t size() const override { return image_.layout().goal.data_size; }
    const std::string& name() const override { return image_.name(); }
    Result<> read_at(std::uint64_t offset, Bytes out) const override {
      return image_.data_whole_ ? image_.file_.read_at(offset, out) : image_.healer_->read_data(offset, out);
    }

   private:
    const Image& image_;
  };

  static std::vector<ParityHead> heads_in(const RandomAccessSource& source) {
    std::vector<ParityHead> heads = find_parity_heads(source);
    std::erase_if(heads, [](const ParityHead& head) {
      return head.layout.goal.detached || head.layout.goal.section_offset < head.layout.goal.data_size ||
             head.layout.goal.data_size < kHeaderSize + kFooterSize;
    });
    return heads;
  }

  Result<> make_tail(const RandomAccessSource& data, ByteSink& out) const {
    MMH_LET(const ParityHead made, write_pack_parity(data, layout().goal.loss_ppm, context_, out));
    if (made.id != healer_->head().id) return fail(Errc::corrupt, "the parity is not of these bytes");
    return {};
  }

  // A section that was being replaced when its writer was killed stands behind the one that it replaces.
  Result<> heal_tail_elsewhere() {
    ParityGoal goal = layout().goal;
    goal.section_offset = goal.data_size;
    MMH_LET(const ParityLayout planned, plan_parity(goal));
    MMH_LET(tail_, Spool::make(*context_.sys, planned.section_size() + kFooterSize, context_.memory / 8, "parity"));
    SpoolWriter sink(tail_);
    MMH_TRY(write_pack_parity(Data(*this), goal.loss_ppm, context_, sink));
    size_ = planned.end_offset() + kFooterSize;
    return {};
  }

  // With too few checks left nobody can tell which symbols are damaged. Perhaps none is: then the parity that the data
  // gives is that which the head names.
  bool data_is_whole() {
    if (file_.size() < layout().goal.data_size) return false;
    auto spool = Spool::make(*context_.sys, layout().section_size() + kFooterSize, context_.memory / 8, "parity");
    if (!spool) return false;
    tail_ = *std::move(spool);
    data_whole_ = true;
    SpoolWriter sink(tail_);
    if (make_tail(Data(*this), sink)) return true;
    data_whole_ = false;
    return false;
  }

  const ParityLayout& layout() const { return healer_->head().layout; }

  const RandomAccessSource& file_;
  const ParityContext context_;
  std::unique_ptr<ParityHealer> healer_;
  std::uint64_t best_ = 0;
  std::uint64_t size_ = 0;    // of what the section knows
  std::uint64_t behind_ = 0;  // of the file, where something was appended since
  bool data_whole_ = false;
  Spool tail_;  // section and footer
};

// Tells each range in which two strings differ, whole sectors of the file.
void compare(ByteView before, ByteView after, std::uint64_t offset, std::vector<ByteRange>& ranges) {
  for (std::size_t at = 0; at < after.size();) {
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(kSector - (offset + at) % kSector, after.size() - at));
    const bool same = at + size <= before.size() && std::memcmp(before.data() + at, after.data() + at, size) == 0;
    if (!same) {
      if (!ranges.empty() && ranges.back().offset + ranges.back().length == offset + at) {
        ranges.back().length += size;
      } else {
        ranges.push_back({offset + at, size});
      }
    }
    at += size;
  }
}

// Goes through image and file side by side. `piece` gets the image's bytes and what differs in them.
Result<Mended> walk(const RandomAccessSource& image, const RandomAccessSource& file, const ParityContext& context,
                    const std::function<void(ByteRange)>& told,
                    const std::function<Result<>(std::uint64_t, ByteView, std::span<const ByteRange>)>& piece) {
  Mended mended;
  Buffer before(kCompare);
  Buffer after(kCompare);
  std::optional<ByteRange> open;
  const auto close = [&] {
    if (!open) return;
    ++mended.ranges;
    mended.bytes += open->length;
    if (told) told(*open);
    open.reset();
  };
  for (std::uint64_t offset = 0; offset < image.size();) {
    MMH_TRY(check_cancelled(context.cancel));
    if (context.progress) context.progress(offset, image.size());
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kCompare, image.size() - offset));
    after.resize(size);
    MMH_TRY(image.read_at(offset, after));
    std::size_t there =
        offset < file.size() ? static_cast<std::size_t>(std::min<std::uint64_t>(size, file.size() - offset)) : 0;
    std::vector<ByteRange> ranges;
    if (file.read_at(offset, Bytes(before).first(there))) {
      compare(ByteView(before).first(there), after, offset, ranges);
    } else {
      // Where it cannot be read at once, sector by sector.
      for (std::size_t at = 0; at < size; at += kSector) {
        const std::size_t length = std::min<std::size_t>(kSector, size - at);
        const std::size_t present = at < there ? std::min(length, there - at) : 0;
        const Bytes old = Bytes(before).first(present);
        const bool read = file.read_at(offset + at, old).has_value();
        compare(read ? ByteView(old) : ByteView(), ByteView(after).subspan(at, length), offset + at, ranges);
      }
    }
    for (const ByteRange& range : ranges) {
      if (open && open->offset + open->length == range.offset) {
        open->length += range.length;
      } else {
        close();
        open = range;
      }
    }
    MMH_TRY(piece(offset, after, ranges));
    offset += size;
  }
  close();
  return mended;
}

}  // namespace

namespace {
// What a section says of a whole pack.
struct Subject {
  Footer footer;
  hash::Digest trailer;
  std::vector<ParityAnchor> anchors;
};
Result<Subject> subject_of(const RandomAccessSource& pack) {
  if (pack.size() < kHeaderSize + kFooterSize) return fail(Errc::corrupt, pack.name() + ": not a whole pack");
  Subject subject;
  MMH_LET(subject.footer, footer_at(pack, pack.size() - kFooterSize));
  MMH_LET(const BlockHeader trailer, block_header_at(pack, subject.footer.trailers[0]));
  subject.trailer = trailer.hash;
  subject.anchors.resize(2);
  subject.anchors[0].bytes.resize(kHeaderSize);
  MMH_TRY(pack.read_at(0, subject.anchors[0].bytes));
  subject.anchors[1].offset = trailer.offset;
  subject.anchors[1].bytes.resize(static_cast<std::size_t>(kBlockHeaderSize + trailer.stored_size));
  MMH_TRY(pack.read_at(trailer.offset, subject.anchors[1].bytes));
  return subject;
}

Result<ParityLayout> plan_for(const RandomAccessSource& pack, const Subject& subject, std::uint64_t section_offset,
                              std::uint32_t loss_ppm) {
  return plan_parity({.data_size = pack.size(),
                      .section_offset = section_offset,
                      .loss_ppm = loss_ppm,
                      .detached = false,
                      .anchor_bytes = anchors_size(subject.anchors)});
}

// A section at `section_offset`, which is the end of the pack but for a while.
Result<ParityHead> write_at(const RandomAccessSource& pack, std::uint64_t section_offset, std::uint32_t loss_ppm,
                            const ParityContext& context, ByteSink& out) {
  MMH_LET(const Subject subject, subject_of(pack));
  MMH_LET(const ParityLayout layout, plan_for(pack, subject, section_offset, loss_ppm));
  MMH_LET(ParityHead head, write_parity(pack, layout, subject.anchors, subject.trailer, context, out));
  Footer footer = subject.footer;
  footer.offset = layout.end_offset();
  std::array<std::byte, kFooterSize> bytes;
  write_footer(footer, bytes);
  MMH_TRY(out.write(bytes));
  return head;
}

Result<std::uint64_t> section_and_footer_size(const RandomAccessSource& pack, std::uint32_t loss_ppm) {
  MMH_LET(const Subject subject, subject_of(pack));
  MMH_LET(const ParityLayout layout, plan_for(pack, subject, pack.size(), loss_ppm));
  return layout.section_size() + kFooterSize;
}

class PlaceSink final : public ByteSink {
 public:
  PlaceSink(Sys& sys, int fd, std::uint64_t offset, std::string name)
      : sys_(sys), fd_(fd), offset_(offset), name_(std::move(name)) {}
  Result<> write(ByteView bytes) override {
    if (const int error = pwrite_full(sys_, fd_, bytes, offset_)) {
      return fail(errno_error(error, display_path(name_) + ": cannot write"));
    }
    offset_ += bytes.size();
    return {};
  }
  std::uint64_t offset() const { return offset_; }

 private:
  Sys& sys_;
  int fd_;
  std::uint64_t offset_;
  std::string name_;
};
}  // namespace

Result<ParityHead> write_pack_parity(const RandomAccessSource& pack, std::uint32_t loss_ppm,
                                     const ParityContext& context, ByteSink& out) {
  return write_at(pack, pack.size(), loss_ppm, context, out);
}

Result<ParityHead> replace_pack_parity(const RandomAccessSource& pack, std::uint64_t file_size, std::uint32_t loss_ppm,
                                       const ParityContext& context, int fd) {
  Sys& sys = *context.sys;
  const auto failed = [&](int error, std::string_view action) {
    return fail(errno_error(error, fmt::format("{}: cannot {}", display_path(pack.name()), action)));
  };
  const auto put = [&](std::uint64_t offset) -> Result<ParityHead> {
    PlaceSink sink(sys, fd, offset, pack.name());
    MMH_LET(ParityHead head, write_at(pack, offset, loss_ppm, context, sink));
    if (const int error = sys.fsync(fd)) return failed(error, "sync");
    return head;
  };
  if (file_size > pack.size()) {
    // The new section stands behind the old one first, clear of the place where it belongs.
    MMH_LET(const std::uint64_t size, section_and_footer_size(pack, loss_ppm));
    auto behind = put(std::max(file_size, pack.size() + size));
    if (!behind) {
      static_cast<void>(sys.ftruncate(fd, file_size));
      return behind;
    }
  }
  auto head = put(pack.size());
  if (!head) {
    if (file_size == pack.size()) static_cast<void>(sys.ftruncate(fd, file_size));
    return head;
  }
  if (const int error = sys.ftruncate(fd, head->layout.end_offset() + kFooterSize)) return failed(error, "cut");
  if (const int error = sys.fsync(fd)) return failed(error, "sync");
  return head;
}

namespace {
// Two sources, one behind the other.
class Joined final : public RandomAccessSource {
 public:
  Joined(const RandomAccessSource& first, const RandomAccessSource& second) : first_(first), second_(second) {}
  std::uint64_t size() const override { return first_.size() + second_.size(); }
  const std::string& name() const override { return first_.name(); }
  Result<> read_at(std::uint64_t offset, Bytes out) const override {
    if (offset < first_.size()) {
      const auto front =
          out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), first_.size() - offset)));
      MMH_TRY(first_.read_at(offset, front));
      out = out.subspan(front.size());
      offset += front.size();
    }
    return out.empty() ? Result<>() : second_.read_at(offset - first_.size(), out);
  }

 private:
  const RandomAccessSource& first_;
  const RandomAccessSource& second_;
};
}  // namespace

Result<std::uint64_t> append_with_parity(const RandomAccessSource& pack, const RandomAccessSource& generation,
                                         std::uint64_t file_size, std::uint32_t loss_ppm, const ParityContext& context,
                                         int fd) {
  Sys& sys = *context.sys;
  const auto failed = [&](int error, std::string_view action) {
    return fail(errno_error(error, fmt::format("{}: cannot {}", display_path(pack.name()), action)));
  };
  const auto cut = [&](std::uint64_t size) -> Result<> {
    if (const int error = sys.ftruncate(fd, size)) return failed(error, "cut");
    if (const int error = sys.fsync(fd)) return failed(error, "sync");
    return {};
  };
  const auto put_old_parity = [&](std::uint64_t offset) -> Result<std::uint64_t> {
    PlaceSink sink(sys, fd, offset, pack.name());
    MMH_TRY(write_at(pack, offset, loss_ppm, context, sink));
    if (const int error = sys.fsync(fd)) return failed(error, "sync");
    return sink.offset();
  };
  const Joined whole(pack, generation);
  MMH_LET(const std::uint64_t parity_size, section_and_footer_size(whole, loss_ppm));
  if (const auto aside = put_old_parity(std::max(file_size, whole.size() + parity_size)); !aside) {
    static_cast<void>(cut(file_size));
    return fail(aside.error());
  }
  const auto put_new = [&]() -> Result<> {
    PlaceSink sink(sys, fd, pack.size(), pack.name());
    Buffer piece;
    for (std::uint64_t at = 0; at < generation.size(); at += piece.size()) {
      MMH_TRY(check_cancelled(context.cancel));
      piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kCompare, generation.size() - at)));
      MMH_TRY(generation.read_at(at, piece));
      MMH_TRY(sink.write(piece));
    }
    MMH_TRY(write_at(whole, whole.size(), loss_ppm, context, sink));
    if (const int error = sys.fsync(fd)) return failed(error, "sync");
    return {};
  };
  if (Result<> put = put_new(); !put) {
    if (const auto back = put_old_parity(pack.size())) static_cast<void>(cut(*back));
    return fail(put.error());
  }
  // Until here the footer at the end names the old trailers.
  MMH_TRY(cut(whole.size() + parity_size));
  return parity_size;
}

std::optional<ParityHead> pack_parity(const RandomAccessSource& source) {
  if (source.size() < kFooterSize || !footer_at(source, source.size() - kFooterSize)) return std::nullopt;
  auto head = parity_head_before(source, source.size() - kFooterSize);
  if (head && (head->layout.goal.detached || head->layout.goal.section_offset < head->layout.goal.data_size ||
               head->layout.goal.data_size < kHeaderSize + kFooterSize)) {
    return std::nullopt;
  }
  return head;
}

Result<std::unique_ptr<HealedPack>> HealedPack::open(const RandomAccessSource& file,
                                                     std::vector<const RandomAccessSource*> others,
                                                     const ParityContext& context) {
  auto image = std::make_unique<Image>(file, context);
  MMH_TRY(image->start(std::move(others)));
  return image;
}

Result<Mended> write_healed_in_place(const RandomAccessSource& image, const RandomAccessSource& file, int fd,
                                     const ParityContext& context, const std::function<void(ByteRange)>& told) {
  Sys& sys = *context.sys;
  const auto failed = [&](int error, std::string_view action) {
    return fail(errno_error(error, fmt::format("{}: cannot {}", display_path(file.name()), action)));
  };
  MMH_LET(const Mended mended,
          walk(image, file, context, told,
               [&](std::uint64_t offset, ByteView bytes, std::span<const ByteRange> ranges) -> Result<> {
                 for (const ByteRange& range : ranges) {
                   const ByteView part = bytes.subspan(range.offset - offset, range.length);
                   if (const int error = pwrite_full(sys, fd, part, range.offset)) return failed(error, "write");
                 }
                 return {};
               }));
  if (const int error = sys.fsync(fd)) return failed(error, "sync");
  if (file.size() > image.size()) {
    if (const int error = sys.ftruncate(fd, image.size())) return failed(error, "cut off what is too much");
    if (const int error = sys.fsync(fd)) return failed(error, "sync");
  }
  return mended;
}

Result<Mended> write_healed(const RandomAccessSource& image, const RandomAccessSource& file,
                            const ParityContext& context, ByteSink& out, const std::function<void(ByteRange)>& told) {
  return walk(image, file, context, told,
              [&](std::uint64_t, ByteView bytes, std::span<const ByteRange>) { return out.write(bytes); });
}

}  // namespace mmh::pack
