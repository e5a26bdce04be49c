// Damage on purpose.

#include "mmh/damage.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <unordered_map>

#include "mmh/base/checked.h"
#include "mmh/base/files.h"
#include "mmh/pack/parts.h"

namespace mmh {

namespace {

constexpr std::uint64_t kMillion = 1'000'000;
constexpr std::size_t kPiece = 1 << 20;
constexpr std::uint64_t kDonesMax = std::uint64_t{1} << 24;

// splitmix64: the number at any place of the sequence.
std::uint64_t random_at(std::uint64_t seed, std::uint64_t place) {
  std::uint64_t z = seed + (place + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : seed_(seed) {}
  std::uint64_t below(std::uint64_t limit) { return random_at(seed_, place_++) % limit; }

 private:
  std::uint64_t seed_;
  std::uint64_t place_ = 0;
};

void random_bytes(std::uint64_t seed, std::uint64_t place, Bytes out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::uint64_t at = place + i;
    out[i] = static_cast<std::byte>(random_at(seed, at / 8) >> at % 8 * 8);
  }
}

struct Range {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

std::uint64_t share_of(std::uint64_t size, std::uint32_t ppm) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((Wide{size} * ppm + kMillion - 1) / kMillion);
}

/// Finds out what is to be damaged.
class Aim {
 public:
  Aim(const RandomAccessSource& file, const DamageOptions& options) : file_(file), options_(options) {
    piece_ = options.size != 0 ? options.size : options.kind == DamageKind::flip ? 1 : 4096;
    if (options.size_ppm != 0) piece_ = share_of(file.size(), options.size_ppm);
  }

  /// Ranges of the file, ascending; two of a swap have one length. Those of an insertion are what is added.
  Result<std::vector<Range>> ranges() {
    std::vector<Range> ranges;
    if (options_.kind == DamageKind::truncate) {
      if (!options_.at.empty() || !options_.within.empty()) return fail(Errc::usage, "an end is cut off, no place");
      const std::uint64_t length = std::min(piece_, file_.size());
      return std::vector<Range>{{options_.front ? 0 : file_.size() - length, length}};
    }
    if (!options_.at.empty()) {
      MMH_LET(ranges, resolve(options_.at));
    } else {
      MMH_LET(ranges, random_ranges());
    }
    std::ranges::sort(ranges, {}, &Range::offset);
    if (options_.kind == DamageKind::insert) return ranges;
    for (std::size_t i = 1; i < ranges.size(); ++i) {
      if (ranges[i].offset - ranges[i - 1].offset < ranges[i - 1].length) {
        return fail(Errc::usage, fmt::format("places overlap at offset {}", ranges[i].offset));
      }
    }
    return ranges;
  }

 private:
  Result<std::vector<Range>> resolve(const std::vector<DamagePlace>& places) {
    std::vector<Range> ranges;
    for (const DamagePlace& place : places) {
      if (!place.part.empty()) {
        MMH_TRY(add_parts(place, ranges));
        continue;
      }
      const std::uint64_t length = place.length.value_or(piece_);
      const std::uint64_t needed = options_.kind == DamageKind::insert ? 0 : length;
      if (!range_within(place.offset, needed, file_.size())) {
        return fail(Errc::usage, fmt::format("bytes {} to {} lie behind the end of the file, which has {}",
                                             place.offset, place.offset + needed, file_.size()));
      }
      ranges.push_back({place.offset, length});
    }
    return ranges;
  }

  Result<> add_parts(const DamagePlace& place, std::vector<Range>& ranges) {
    if (parts_.empty()) {
      MMH_LET(parts_, pack::pack_parts(file_).in(display_path(file_.name())));
    }
    constexpr std::array<std::string_view, 4> kParity = {"head", "anchors", "checks", "repair"};
    std::uint64_t seen = 0;
    bool any = false;
    for (const pack::Part& part : parts_) {
      const bool meant =
          place.part == "parity" ? std::ranges::find(kParity, part.name) != kParity.end() : part.name == place.part;
      if (!meant || (place.number && *place.number != seen++)) continue;
      any = true;
      ranges.push_back({part.offset, options_.kind == DamageKind::insert ? piece_ : part.length});
    }
    if (any) return {};
    return fail(Errc::usage, fmt::format("{}: has no such part: {}", display_path(file_.name()),
                                         place.number ? fmt::format("{} {}", place.part, *place.number) : place.part));
  }

  // Pieces that do not overlap, each at any of the places that are left with the same chance.
  Result<std::vector<Range>> random_ranges() {
    std::vector<Range> within = {{0, file_.size()}};
    if (!options_.within.empty()) {
      MMH_LET(within, resolve(options_.within));
    }
    const bool inserts = options_.kind == DamageKind::insert;
    const std::uint64_t needed = inserts ? 0 : piece_;
    const std::uint64_t align = std::max<std::uint64_t>(1, options_.align);
    struct Run {
      std::uint64_t first, count;
    };
    std::vector<Run> runs;
    std::uint64_t starts = 0;
    for (const Range& range : within) {
      const std::uint64_t first = (range.offset + align - 1) / align;
      const std::uint64_t end = range.offset + range.length;
      if (needed > range.length || end - needed < first * align) continue;
      runs.push_back({first, (end - needed) / align - first + 1});
      starts += runs.back().count;
    }
    std::uint64_t count = options_.count;
    if (options_.share_ppm != 0)
      count = share_of(file_.size(), options_.share_ppm) / std::max<std::uint64_t>(1, piece_);
    if (options_.kind == DamageKind::swap) count *= 2;
    if (count > kDonesMax) return fail(Errc::usage, fmt::format("at most {} pieces", kDonesMax));
    Random random(options_.seed);
    std::unordered_map<std::uint64_t, std::uint64_t> moved;  // of a shuffle, what is not where it was
    const auto value = [&](std::uint64_t i) {
      const auto at = moved.find(i);
      return at == moved.end() ? i : at->second;
    };
    std::map<std::uint64_t, std::uint64_t> taken;
    for (std::uint64_t left = starts; taken.size() < count; --left) {
      if (left == 0) {
        return fail(Errc::usage, fmt::format("{}: there is no room for {} pieces of {} bytes",
                                             display_path(file_.name()), count, piece_));
      }
      const std::uint64_t drawn = random.below(left);
      std::uint64_t start = value(drawn);
      moved.insert_or_assign(drawn, value(left - 1));
      auto run = runs.begin();
      for (; start >= run->count; ++run) start -= run->count;
      const std::uint64_t offset = (run->first + start) * align;
      const auto next = taken.lower_bound(offset);
      if (next != taken.end() && next->first - offset < std::max<std::uint64_t>(1, needed)) continue;
      if (next != taken.begin() && offset - std::prev(next)->first < needed) continue;
      taken.emplace(offset, piece_);
    }
    std::vector<Range> ranges;
    for (const auto& [offset, length] : taken) ranges.push_back({offset, length});
    return ranges;
  }

  const RandomAccessSource& file_;
  const DamageOptions& options_;
  std::uint64_t piece_;
  std::vector<pack::Part> parts_;
};

/// One place of damage, and what comes instead.
struct Edit {
  DamageDone done;
  std::uint64_t seed = 0;                  ///< Of the bytes that come instead.
  std::optional<std::uint64_t> from = {};  ///< Of a swap: where they stand.
};

Result<std::vector<Edit>> edits_of(const std::vector<Range>& ranges, const DamageOptions& options) {
  std::vector<Edit> edits;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const Range& range = ranges[i];
    Edit edit{{range.offset, range.length, range.length}, random_at(~options.seed, i), std::nullopt};
    if (options.kind == DamageKind::insert) edit.done.removed = 0;
    if (options.kind == DamageKind::drop || options.kind == DamageKind::truncate) edit.done.added = 0;
    edits.push_back(edit);
  }
  if (options.kind != DamageKind::swap) return edits;
  if (edits.size() % 2 != 0) return fail(Errc::usage, "pieces are exchanged two by two; name an even number");
  // Whose partner is who is drawn as well.
  Random random(~options.seed);
  std::vector<std::size_t> order(edits.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  for (std::size_t i = 0; i < order.size(); i += 2) {
    Edit& one = edits[order[i]];
    Edit& other = edits[order[i + 1]];
    if (one.done.removed != other.done.removed) return fail(Errc::usage, "pieces of one size can be exchanged");
    one.from = other.done.offset;
    other.from = one.done.offset;
  }
  return edits;
}

// What comes instead of the bytes from `at` on of an edit.
Result<> content_of(const RandomAccessSource& file, DamageKind kind, const Edit& edit, std::uint64_t at, Bytes out) {
  switch (kind) {
    case DamageKind::flip:
      MMH_TRY(file.read_at(edit.done.offset + at, out));
      for (std::size_t i = 0; i < out.size(); ++i) out[i] ^= std::byte{1} << (random_at(edit.seed, at + i) % 8);
      return {};
    case DamageKind::zero:
      std::ranges::fill(out, std::byte{0});
      return {};
    case DamageKind::overwrite:
    case DamageKind::insert:
      random_bytes(edit.seed, at, out);
      return {};
    case DamageKind::swap:
      return file.read_at(*edit.from + at, out);
    case DamageKind::drop:
    case DamageKind::truncate:
      return {};
  }
  return {};
}

class Damager {
 public:
  Damager(const RandomAccessSource& file, const DamageOptions& options, const std::vector<Edit>& edits)
      : file_(file), options_(options), edits_(edits) {}

  Result<> copy(ByteSink& out) {
    std::uint64_t at = 0;
    for (const Edit& edit : edits_) {
      MMH_TRY(pass(at, edit.done.offset, out));
      MMH_TRY(content(edit, [&](std::uint64_t, ByteView bytes) { return out.write(bytes); }));
      at = edit.done.offset + edit.done.removed;
    }
    return pass(at, file_.size(), out);
  }

  Result<> in_place(int fd) {
    const auto write = [&](std::uint64_t offset, ByteView bytes) -> Result<> {
      if (const int error = pwrite_full(real_sys(), fd, bytes, offset)) {
        return fail(errno_error(error, display_path(file_.name()) + ": cannot write"));
      }
      return {};
    };
    for (const Edit& edit : edits_) {
      // The first of two swaps them both.
      if (edit.from && *edit.from < edit.done.offset) continue;
      MMH_TRY(content(edit, [&](std::uint64_t at, ByteView bytes) -> Result<> {
        if (edit.from) {
          Buffer here(bytes.size());
          MMH_TRY(file_.read_at(edit.done.offset + at, here));
          MMH_TRY(write(*edit.from + at, here));
        }
        return write(edit.done.offset + at, bytes);
      }));
    }
    return {};
  }

 private:
  Result<> pass(std::uint64_t from, std::uint64_t to, ByteSink& out) {
    for (; from < to; from += piece_.size()) {
      MMH_TRY(check_cancelled(options_.cancel));
      piece_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, to - from)));
      MMH_TRY(file_.read_at(from, piece_));
      MMH_TRY(out.write(piece_));
    }
    return {};
  }

  template <class Put>
  Result<> content(const Edit& edit, Put put) {
    for (std::uint64_t at = 0; at < edit.done.added; at += piece_.size()) {
      MMH_TRY(check_cancelled(options_.cancel));
      piece_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, edit.done.added - at)));
      MMH_TRY(content_of(file_, options_.kind, edit, at, piece_));
      MMH_TRY(put(at, ByteView(piece_)));
    }
    return {};
  }

  const RandomAccessSource& file_;
  const DamageOptions& options_;
  const std::vector<Edit>& edits_;
  Buffer piece_;
};

}  // namespace

Result<DamageSummary> damage_file(const std::string& path, const DamageOptions& options) {
  MMH_LET(const auto file, open_source(real_sys(), path));
  Aim aim(*file, options);
  MMH_LET(const std::vector<Range> ranges, aim.ranges());
  MMH_LET(const std::vector<Edit> edits, edits_of(ranges, options));
  DamageSummary summary;
  summary.size_before = summary.size_after = file->size();
  bool same_size = true;
  for (const Edit& edit : edits) {
    summary.done.push_back(edit.done);
    summary.size_after += edit.done.added;
    summary.size_after -= edit.done.removed;
    same_size = same_size && edit.done.added == edit.done.removed;
  }
  Damager damager(*file, options, edits);
  if (options.output.empty() && same_size) {
    const auto opened = real_sys().openat(AT_FDCWD, path.c_str(), O_RDWR);
    if (!opened) return fail(errno_error(opened.error, display_path(path) + ": cannot open for writing"));
    const Fd fd(real_sys(), opened.value);
    MMH_TRY(damager.in_place(fd.get()));
    return summary;
  }
  const bool in_place = options.output.empty();
  MMH_LET(const auto out, AtomicFile::create(real_sys(), in_place ? path : options.output, in_place || options.force));
  MMH_TRY(damager.copy(*out));
  MMH_TRY(out->commit());
  return summary;
}

}  // namespace mmh
