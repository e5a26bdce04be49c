// Reading packs.

#include "mmh/pack.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "bases.h"
#include "convert.h"
#include "dictionary_gain.h"
#include "healing.h"
#include "mmh/base/checked.h"
#include "mmh/base/files.h"
#include "mmh/codecs/builtin.h"
#include "mmh/pack/diff.h"
#include "mmh/pack/diff_tree.h"
#include "mmh/pack/extract.h"
#include "mmh/pack/reader.h"
#include "mmh/pack/salvage.h"
#include "mmh/pack/scan.h"
#include "mmh/pack/verify.h"
#include "mmh/tree/glob.h"
#include "mmh/tree/restore.h"
#include "program.h"

namespace mmh {

namespace {
// Reads what somebody else keeps.
class View final : public RandomAccessSource {
 public:
  explicit View(const RandomAccessSource& source) : source_(source) {}
  std::uint64_t size() const override { return source_.size(); }
  const std::string& name() const override { return source_.name(); }
  Result<> read_at(std::uint64_t offset, Bytes out) const override { return source_.read_at(offset, out); }

 private:
  const RandomAccessSource& source_;
};
}  // namespace

namespace {
// A file, and what was rebuilt around it.
class Joined final : public RandomAccessSource {
 public:
  Joined(const RandomAccessSource& file, pack::Rebuilt rebuilt)
      : file_(file), front_(rebuilt.front), tail_(std::move(rebuilt.tail)) {}
  std::uint64_t size() const override { return front_ + file_.size() + tail_.size(); }
  const std::string& name() const override { return file_.name(); }
  Result<> read_at(std::uint64_t offset, Bytes out) const override {
    while (offset < front_ && !out.empty()) {
      out.front() = std::byte{0};
      out = out.subspan(1);
      ++offset;
    }
    if (out.empty()) return {};
    offset -= front_;
    if (offset < file_.size()) {
      const auto front =
          out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), file_.size() - offset)));
      MMH_TRY(file_.read_at(offset, front));
      out = out.subspan(front.size());
      offset += front.size();
    }
    const std::uint64_t at = offset - file_.size();
    if (out.empty()) return {};
    if (!range_within<std::uint64_t>(at, out.size(), tail_.size())) {
      return fail(Errc::corrupt, display_path(name()) + ": the range ends behind the end");
    }
    std::memcpy(out.data(), tail_.data() + at, out.size());
    return {};
  }

 private:
  const RandomAccessSource& file_;
  std::uint64_t front_;
  Buffer tail_;
};
}  // namespace

namespace {
using OpenBase = std::function<Result<std::shared_ptr<const pack::Reader>>(const pack::BaseName&)>;

/// How a pack is opened.
struct Opening {
  RunOptions options;
  std::string directory;  ///< Of the pack, where its base may be; empty: not known.
  unsigned depth = 0;     ///< How many packs are coded against it, one behind the other.
};
}  // namespace

struct Pack::State {
  std::unique_ptr<RandomAccessSource> file;
  std::unique_ptr<Joined> tail;  ///< What was rebuilt behind the file.
  std::unique_ptr<Healing> healing;
  std::unique_ptr<pack::Reader> reader;
  bool healed = false;    ///< The reader reads the healed image.
  bool salvaged = false;  ///< What can be had is wanted, whatever is lost.
  OpenBase open_base;
  PackInfo info;
};

/// Lets the free functions of this file see a pack's reader.
struct PackAccess {
  static const pack::Reader& reader(const Pack& pack) { return *pack.state_->reader; }

  static Result<Pack> open(const std::string& path, const RunOptions& options, unsigned depth) {
    MMH_LET(auto source, open_source(real_sys(), path));
    return open(std::move(source), {options, directory_of(path), depth});
  }

  // With the slash behind it.
  static std::string directory_of(const std::string& path) {
    const std::size_t name = path.size() - file_name_of(path).size();
    return name == 0 ? "./" : path.substr(0, name);
  }

  // Looks for the base among those that were named, then beside the pack.
  static Result<std::shared_ptr<const pack::Reader>> open_base(const Opening& of, const pack::BaseName& wanted) {
    if (of.depth + 1 >= pack::kBaseChainMax) {
      return fail(Errc::limit, fmt::format("more than {} packs stand behind one another", pack::kBaseChainMax));
    }
    std::vector<std::string> candidates = of.options.bases;
    if (!wanted.name.empty() && !of.directory.empty()) candidates.push_back(of.directory + wanted.name);
    std::string others;
    for (const std::string& candidate : candidates) {
      auto opened = open(candidate, of.options, of.depth + 1);
      if (opened && reader(*opened).trailer().root == wanted.root) {
        const auto kept = std::make_shared<Pack>(*std::move(opened));
        return std::shared_ptr<const pack::Reader>(kept, &reader(*kept));
      }
      if (!opened && opened.error().code == Errc::not_found) continue;
      if (!others.empty()) others += "; ";
      others += opened ? fmt::format("{} is not it, its root is {}", display_path(candidate),
                                     reader(*opened).trailer().root.hex().substr(0, 16))
                       : opened.error().what;
    }
    if (others.empty()) others = "not found beside the pack";
    return fail(Errc::not_found, others + "; name the base with --base");
  }

  static Result<Pack> open(std::unique_ptr<RandomAccessSource> source, const Opening& opening) {
    const RunOptions& options = opening.options;
    MMH_TRY(check_run_options(options));
    auto state = std::make_unique<Pack::State>();
    state->file = std::move(source);
    state->open_base = [opening](const pack::BaseName& wanted) { return open_base(opening, wanted); };
    state->healing = std::make_unique<Healing>(*state->file, options);
    const std::optional<pack::ParityHead> parity = pack::pack_parity(*state->file);
    const auto heal = [healing = state->healing.get()](std::uint64_t offset, Bytes out) {
      return healing->read(offset, out);
    };
    // Packs of a chain are read together, each block of the first perhaps from several of the next.
    constexpr std::uint64_t kCacheMin = std::uint64_t{16} << 20;
    const std::uint64_t cache = std::max(options.memory >> (2 + opening.depth), kCacheMin);
    auto reader_opened = pack::Reader::open(std::make_unique<View>(*state->file), codecs::builtin_registry(),
                                            {.cache_bytes = cache, .heal = heal, .open_base = state->open_base});
    // Where both trailers are damaged, or all there are, an older one or none is found.
    const bool doubtful = reader_opened ? parity && (*reader_opened)->pack_size() != state->file->size()
                                        : reader_opened.error().code == Errc::corrupt;
    if (doubtful) {
      if (const auto image = state->healing->image()) {
        auto healed = pack::Reader::open(std::make_unique<View>(**image), codecs::builtin_registry(),
                                         {.cache_bytes = cache, .heal = {}, .open_base = state->open_base});
        state->healed = healed.has_value();
        if (healed) reader_opened = std::move(healed);
      }
    }
    MMH_LET(state->reader, std::move(reader_opened));
    return finish(std::move(state), parity);
  }

  // Whether the file is as its index says, as far as can be told without reading all content.
  static bool in_place(const Pack& pack) {
    const pack::Reader& known = reader(pack);
    if (known.pack_size() != known.source().size() || !known.visit("", [](auto&&) { return Result<bool>(true); })) {
      return false;
    }
    for (std::uint64_t number = 0; number < known.trailer().block_count; ++number) {
      const auto info = known.block_info(number);
      if (!info) return false;
      if (!pack::block_header_at(known.source(), info->offset) && !known.read_stored(number)) return false;
    }
    return true;
  }

  // Rebuilds index and manifest from the blocks that are left. `known`: the same file opened, or null.
  static Result<Pack> open_rebuilt(const std::string& path, const RunOptions& options, const Pack* known) {
    auto state = std::make_unique<Pack::State>();
    MMH_LET(state->file, open_source(real_sys(), path));
    std::optional<pack::BaseName> base;
    if (known == nullptr && !options.bases.empty()) {
      // Where no trailer names it, it is taken on trust; the hash of each file tells.
      MMH_LET(const Pack given, open(options.bases.front(), options, 1));
      base = pack::BaseName{reader(given).trailer().root, {}};
    }
    state->open_base = [opening = Opening{options, directory_of(path), 0}](const pack::BaseName& wanted) {
      return open_base(opening, wanted);
    };
    MMH_LET(pack::Rebuilt rebuilt, pack::rebuild(*state->file, codecs::builtin_registry(),
                                                 known == nullptr ? nullptr : &reader(*known), std::move(base)));
    if (options.observer != nullptr) {
      options.observer->warning(
          {Errc::corrupt, fmt::format("{}: index and manifest were rebuilt from {} blocks; at least {} are lost, and "
                                      "entries listed in a lost block cannot be named",
                                      display_path(state->file->name()), rebuilt.blocks, rebuilt.lost)});
    }
    state->healing = std::make_unique<Healing>(*state->file, options);
    // Where bytes were put in front, the file had nothing there that could be healed.
    const auto heal = [front = rebuilt.front, healing = state->healing.get()](std::uint64_t offset, Bytes out) {
      return offset < front ? Result<>(fail(Errc::corrupt, "lost")) : healing->read(offset - front, out);
    };
    state->tail = std::make_unique<Joined>(*state->file, std::move(rebuilt));
    MMH_LET(state->reader,
            pack::Reader::open(std::make_unique<View>(*state->tail), codecs::builtin_registry(),
                               {.cache_bytes = options.memory / 4, .heal = heal, .open_base = state->open_base}));
    return finish(std::move(state), std::nullopt);
  }

  static Result<Pack> finish(std::unique_ptr<Pack::State> state, const std::optional<pack::ParityHead>& parity) {
    const pack::Reader& reader = *state->reader;
    const pack::Trailer& trailer = reader.trailer();
    PackInfo& info = state->info;
    info.name = reader.source().name();
    info.root = trailer.root.bytes;
    info.format_version = trailer.version;
    info.pack_bytes = reader.pack_size();
    info.superseded_bytes = reader.source().size() - reader.pack_size();
    if (const auto known = state->healed ? pack::pack_parity(reader.source()) : parity) {
      info.parity = to_parity_info(*known);
    }
    info.entries = trailer.top.entries;
    info.content_bytes = trailer.top.content_bytes;
    info.blocks = trailer.block_count;
    info.generation = trailer.generation;
    info.level = trailer.level;
    info.writer = trailer.writer;
    info.libraries = trailer.libraries;
    info.has_base = trailer.base.has_value();
    info.warning = reader.warning();
    return Pack(std::move(state));
  }
};

namespace {

std::string trimmed(std::string_view pattern) {
  while (pattern.starts_with("./")) pattern.remove_prefix(2);
  while (pattern.starts_with('/')) pattern.remove_prefix(1);
  while (pattern.ends_with('/')) pattern.remove_suffix(1);
  return std::string(pattern == "." ? "" : pattern);
}

bool is_glob(std::string_view pattern) { return pattern.find_first_of("*?[\\") != std::string_view::npos; }

bool is_at_or_below(std::string_view path, std::string_view directory) {
  return directory.empty() || path == directory ||
         (path.size() > directory.size() && path.starts_with(directory) && path[directory.size()] == '/');
}

/// Which entries an unpack takes, and where they go.
class Selection {
 public:
  explicit Selection(const UnpackOptions& options) : options_(options), hit_(options.patterns.size()) {
    for (const std::string& pattern : options.patterns) patterns_.push_back(trimmed(pattern));
  }

  /// Where to look, as ExtractOptions::prefixes.
  std::vector<std::string> prefixes() const {
    if (patterns_.empty() || std::ranges::any_of(patterns_, is_glob)) return {""};
    std::vector<std::string> sorted = patterns_;
    std::ranges::sort(sorted, [](const auto& a, const auto& b) { return tree::compare_paths(a, b) < 0; });
    std::vector<std::string> prefixes;
    for (std::string& path : sorted) {
      if (prefixes.empty() || !is_at_or_below(path, prefixes.back())) prefixes.push_back(std::move(path));
    }
    return prefixes;
  }

  std::optional<std::string> place(const std::string& path) {
    if (!wanted(path)) return std::nullopt;
    std::string_view left = path;
    for (unsigned i = 0; i < options_.strip_components; ++i) {
      const auto slash = left.find('/');
      if (slash == std::string_view::npos) return std::nullopt;
      left.remove_prefix(slash + 1);
    }
    return std::string(left);
  }

  /// Patterns that matched nothing, as the caller wrote them.
  std::vector<std::string> unmatched() const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < hit_.size(); ++i) {
      if (!hit_[i]) names.push_back(options_.patterns[i]);
    }
    return names;
  }

 private:
  bool wanted(const std::string& path) {
    for (const std::string& pattern : options_.exclude) {
      if (tree::glob_match_tree(pattern, path)) return false;
    }
    if (patterns_.empty()) return true;
    bool any = false;
    for (std::size_t i = 0; i < patterns_.size(); ++i) {
      if (is_at_or_below(path, patterns_[i]) || (is_glob(patterns_[i]) && tree::glob_match_tree(patterns_[i], path))) {
        hit_[i] = true;
        any = true;
      }
    }
    return any;
  }

  const UnpackOptions& options_;
  std::vector<std::string> patterns_;
  std::vector<bool> hit_;
};

pack::ExtractOptions to_extract_options(const UnpackOptions& options, Selection& selection, Reporter& reporter,
                                        std::uint64_t total_bytes) {
  pack::ExtractOptions extract;
  extract.threads = thread_count(options);
  extract.memory = options.memory;
  extract.cancel = options.cancel;
  extract.progress = reporter.progress_sink("unpack", options.patterns.empty() ? total_bytes : 0);
  extract.problem = reporter.problem_sink();
  extract.prefixes = selection.prefixes();
  extract.place = [&selection](const tree::Entry& entry) { return selection.place(entry.path); };
  return extract;
}

UnpackSummary to_summary(const pack::ExtractTotals& totals, const Selection& selection, Reporter& reporter) {
  for (const std::string& pattern : selection.unmatched()) {
    reporter.problem_sink()({Errc::not_found, display_path(pattern) + ": not in the pack"});
  }
  UnpackSummary summary;
  summary.entries = totals.entries;
  summary.files = totals.files;
  summary.bytes = totals.bytes;
  summary.kept = totals.kept;
  summary.damaged = totals.damaged;
  summary.problems = reporter.problems();
  return summary;
}

/// The record of a file's content: hard links are followed. Errors: not_found, usage (not a regular file).
Result<pack::FileRecord> find_content(const pack::Reader& reader, std::string_view path) {
  MMH_LET(auto record, reader.find(trimmed(path)));
  if (record && record->entry.type == tree::EntryType::hard_link) {
    const std::string target = record->entry.link;
    MMH_LET(record, reader.find(target));
  }
  if (!record) return fail(Errc::not_found, display_path(path) + ": not in the pack; mmh list shows what is");
  if (record->entry.type != tree::EntryType::regular) {
    return fail(Errc::usage, display_path(path) + ": is not a regular file");
  }
  return *std::move(record);
}

ChangeKind to_change_kind(pack::Change change) { return static_cast<ChangeKind>(change); }

pack::ChangeSink to_change_sink(const ChangeVisitor& visitor) {
  return [&visitor](pack::Change change, const pack::FileRecord* before, const pack::FileRecord* after) {
    std::optional<FileInfo> old_info;
    std::optional<FileInfo> new_info;
    if (before != nullptr) old_info = to_file_info(*before);
    if (after != nullptr) new_info = to_file_info(*after);
    return visitor(to_change_kind(change), old_info ? &*old_info : nullptr, new_info ? &*new_info : nullptr);
  };
}

std::string extension_of(std::string_view path) {
  const auto name = path.substr(path.rfind('/') + 1);
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || name.size() - dot > 10) return "(none)";
  return std::string(name.substr(dot));
}

/// part * stored / raw, for display.
double share(std::uint64_t part, std::uint64_t stored, std::uint64_t raw) {
  return static_cast<double>(part) * static_cast<double>(stored) / static_cast<double>(raw);
}

/// "delta+zstd": the codecs of a frame from the block's side to the stored side, each once.
Result<std::string> graph_name(const pack::Reader& reader, std::uint64_t number, std::uint64_t raw_size) {
  const codec::Registry& registry = codecs::builtin_registry();
  constexpr std::size_t kHeadSize = 4096;
  MMH_LET(const Buffer head, reader.peek_stored(number, kHeadSize));
  auto codecs = codec::frame_codecs(registry, head, raw_size);
  if (!codecs && codecs.error().code == Errc::corrupt) {
    // A longer program than usual, or damage, which is told by the hash.
    MMH_LET(const Buffer stored, reader.read_stored(number));
    codecs = codec::frame_codecs(registry, stored, raw_size);
  }
  if (!codecs) return fail(codecs.error());
  if (codecs->empty()) return std::string("stored");
  std::string name;
  std::set<codec::CodecId> named;
  for (const codec::CodecId id : *codecs) {
    if (!named.insert(id).second) continue;
    if (!name.empty()) name += '+';
    name += registry.find(id)->name();
  }
  return name;
}

}  // namespace

Pack::Pack(std::unique_ptr<State> state) : state_(std::move(state)) {}
Pack::Pack(Pack&&) noexcept = default;
Pack& Pack::operator=(Pack&&) noexcept = default;
Pack::~Pack() = default;

Result<Pack> Pack::open(const std::string& path, const RunOptions& options) {
  return PackAccess::open(path, options, 0);
}

Result<Pack> Pack::open_stream(int fd, const RunOptions& options) {
  MMH_LET(auto source, spool_source(real_sys(), fd, "standard input", options.cancel));
  return PackAccess::open(std::move(source), {options, {}, 0});
}

Result<Pack> Pack::salvage(const std::string& path, const RunOptions& options) {
  auto opened = open(path, options);
  if (!opened && opened.error().code != Errc::corrupt) return opened;
  if (!opened || !PackAccess::in_place(*opened)) {
    auto rebuilt = PackAccess::open_rebuilt(path, options, opened ? &*opened : nullptr);
    if (rebuilt || !opened) opened = std::move(rebuilt);
  }
  if (opened) opened->state_->salvaged = true;
  return opened;
}

std::vector<BaseInfo> Pack::bases() const {
  std::vector<BaseInfo> chain;
  std::shared_ptr<const pack::Reader> held;
  for (const pack::Reader* pack = state_->reader.get(); pack != nullptr && pack->trailer().base;) {
    BaseInfo& info = chain.emplace_back();
    info.name = pack->trailer().base->name;
    info.root = pack->trailer().base->root.bytes;
    auto base = pack->base();
    if (!base) {
      info.missing = base.error().what;
      break;
    }
    info.path = (*base)->source().name();
    info.pack_bytes = (*base)->source().size();
    held = *std::move(base);
    pack = held.get();
  }
  return chain;
}

std::string file_name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

Result<std::shared_ptr<const pack::Reader>> open_with_bases(const std::string& path, const RunOptions& options) {
  MMH_LET(Pack opened, Pack::open(path, options));
  const auto kept = std::make_shared<Pack>(std::move(opened));
  std::shared_ptr<const pack::Reader> pack(kept, &PackAccess::reader(*kept));
  for (auto behind = pack; behind != nullptr;) {
    MMH_LET(behind, behind->base());
  }
  return pack;
}

const PackInfo& Pack::info() const { return state_->info; }

Result<std::vector<ProgramTotals>> Pack::programs(std::optional<std::string_view> path) const {
  const pack::Reader& reader = *state_->reader;
  std::set<std::uint64_t> wanted;
  if (path) {
    MMH_LET(const pack::FileRecord record, find_content(reader, *path));
    MMH_LET(const auto extents, reader.extents_of(record));
    for (const pack::Extent& extent : extents) {
      if (!extent.is_hole()) wanted.insert(extent.block);
    }
  }
  std::map<std::string, ProgramTotals> programs;
  for (std::uint64_t number = 0; number < reader.trailer().block_count; ++number) {
    if (path && !wanted.contains(number)) continue;
    MMH_LET(const pack::BlockInfo block, reader.block_info(number));
    if (block.type != pack::BlockType::data) continue;
    MMH_LET(const Buffer stored, reader.read_stored(number));
    MMH_LET(const auto nodes, codec::describe_frame(codecs::builtin_registry(), stored, block.raw_size));
    const std::string program = program_of(nodes);
    ProgramTotals& totals = programs[program];
    totals.program = program;
    ++totals.blocks;
    totals.raw_bytes += block.raw_size;
    totals.stored_bytes += block.stored_size;
  }
  std::vector<ProgramTotals> sorted;
  for (auto& [program, totals] : programs) sorted.push_back(std::move(totals));
  std::ranges::stable_sort(sorted, std::ranges::greater{}, &ProgramTotals::raw_bytes);
  return sorted;
}

Result<PackStatistics> Pack::statistics() const {
  const pack::Reader& reader = *state_->reader;
  PackStatistics statistics;
  std::map<std::string, CodecTotals> codecs;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> block_sizes(reader.trailer().block_count);  // raw, stored
  MMH_LET(statistics.dictionaries, dictionary_totals(reader));
  for (const pack::IndexPage& page : reader.trailer().index) statistics.index_stored_bytes += page.block.stored_size;
  for (std::uint64_t number = 0; number < reader.trailer().block_count; ++number) {
    MMH_LET(const pack::BlockInfo block, reader.block_info(number));
    block_sizes[number] = {block.raw_size, block.stored_size};
    if (block.type == pack::BlockType::dictionary) continue;
    if (block.type != pack::BlockType::data) {
      statistics.manifest_stored_bytes += block.stored_size;
      continue;
    }
    statistics.data_raw_bytes += block.raw_size;
    statistics.data_stored_bytes += block.stored_size;
    MMH_LET(const std::string graph, graph_name(reader, number, block.raw_size));
    CodecTotals& totals = codecs[graph];
    totals.graph = graph;
    ++totals.blocks;
    totals.raw_bytes += block.raw_size;
    totals.stored_bytes += block.stored_size;
  }
  struct Type {
    ClassTotals totals;
    double stored_bytes = 0;  // the shares of small files are fractions of a byte
  };
  std::map<std::string, Type> types;
  MMH_TRY(reader.visit("", [&](pack::FileRecord&& record) -> Result<bool> {
    switch (record.entry.type) {
      case tree::EntryType::regular:
        ++statistics.files;
        break;
      case tree::EntryType::directory:
        ++statistics.directories;
        break;
      case tree::EntryType::symlink:
        ++statistics.symlinks;
        break;
      case tree::EntryType::hard_link:
        ++statistics.hard_links;
        break;
      default:
        ++statistics.others;
    }
    if (record.entry.type != tree::EntryType::regular) return true;
    auto& [totals, stored_bytes] = types[extension_of(record.entry.path)];
    ++totals.files;
    totals.raw_bytes += record.entry.size;
    MMH_LET(const auto extents, reader.extents_of(record));
    for (const pack::Extent& extent : extents) {
      if (extent.is_hole() || extent.block >= block_sizes.size()) continue;
      const auto [raw, stored] = block_sizes[extent.block];
      if (raw > 0) stored_bytes += share(extent.length, stored, raw);
    }
    return true;
  }));
  for (auto& [graph, totals] : codecs) statistics.codecs.push_back(std::move(totals));
  for (auto& [extension, type] : types) {
    type.totals.name = extension;
    type.totals.stored_bytes = static_cast<std::uint64_t>(std::min(std::round(type.stored_bytes), 0x1p62));
    statistics.types.push_back(std::move(type.totals));
  }
  std::ranges::stable_sort(statistics.codecs, std::ranges::greater{}, &CodecTotals::raw_bytes);
  std::ranges::stable_sort(statistics.types, std::ranges::greater{}, &ClassTotals::raw_bytes);
  return statistics;
}

Result<std::optional<FileInfo>> Pack::find(std::string_view path) const {
  MMH_LET(const auto record, state_->reader->find(trimmed(path)));
  if (!record) return std::nullopt;
  return to_file_info(*record);
}

Result<> Pack::list(std::string_view prefix, const std::function<Result<bool>(const FileInfo&)>& visitor) const {
  return state_->reader->visit(trimmed(prefix),
                               [&](pack::FileRecord&& record) { return visitor(to_file_info(record)); });
}

Result<std::size_t> Pack::read(std::string_view path, std::uint64_t offset, Bytes out) const {
  MMH_LET(const pack::FileRecord record, find_content(*state_->reader, path));
  return state_->reader->read_file(record, offset, out).in(display_path(path));
}

Result<> Pack::stream(std::string_view path, const std::function<Result<>(ByteView)>& sink) const {
  MMH_LET(const pack::FileRecord record, find_content(*state_->reader, path));
  return state_->reader->stream_file(record, sink).in(display_path(path));
}

namespace {
// Says whether parity mends what a verification found.
Result<> judge_healability(const RandomAccessSource& file, bool verified_image, const RunOptions& options,
                           VerifySummary& summary) {
  auto found = examine(file, options);
  if (!found) {
    const bool stops = found.error().code == Errc::cancelled || found.error().code == Errc::no_space;
    return stops ? Result<>(fail(found.error())) : Result<>();
  }
  const auto touches = [&](const DamagedRange& damage) {
    return damage.offset >= found->data_size || std::ranges::any_of(found->damaged, [&](const pack::ByteRange& range) {
             return damage.offset < range.offset + range.length &&
                    range.offset < damage.offset + std::max<std::uint64_t>(1, damage.length);
           });
  };
  if (verified_image) {
    // What was verified is the healed image: only what parity mended is damage, unless the image is damaged too.
    summary.healable = found->healable && summary.damage_count == 0;
    for (const pack::ByteRange& range : found->damaged) {
      if (summary.damage.size() < pack::kDamageListMax) {
        summary.damage.push_back({range.offset, range.length, "damaged, and known to parity"});
      }
      ++summary.damage_count;
    }
    if (summary.damage_count == 0) {
      summary.damage.push_back({found->data_size, file.size() - std::min(file.size(), found->data_size),
                                "the parity or the end of the file is damaged"});
      ++summary.damage_count;
    }
    return {};
  }
  // Damage older than the parity is not mended by it.
  summary.healable =
      found->healable && summary.damage_count == summary.damage.size() && std::ranges::all_of(summary.damage, touches);
  return {};
}
}  // namespace

Result<VerifySummary> Pack::verify(bool deep, const RunOptions& options) const {
  MMH_TRY(check_run_options(options));
  Reporter reporter(options.observer);
  TaskPool pool(thread_count(options));
  const auto progress = [&](std::uint64_t bytes, std::uint64_t total) {
    if (options.observer != nullptr) options.observer->progress({"verify", bytes, total, 0});
  };
  // A reader that mends nothing, so that all damage is met.
  std::unique_ptr<pack::Reader> plain;
  if (!state_->healed && state_->tail == nullptr) {
    auto opened = pack::Reader::open(std::make_unique<View>(*state_->file), codecs::builtin_registry(),
                                     {.cache_bytes = options.memory / 4, .heal = {}, .open_base = state_->open_base});
    if (opened) plain = *std::move(opened);
  }
  const pack::Reader& reader = plain ? *plain : *state_->reader;
  // Without the base nothing could be said about what is coded against it.
  if (deep) MMH_TRY(reader.base());
  MMH_LET(const pack::VerifyReport report, pack::verify(reader, pool, deep, progress, options.cancel));
  VerifySummary summary;
  summary.sound = report.sound();
  summary.bytes = report.bytes_checked;
  summary.blocks = report.blocks_checked;
  summary.files = report.files_checked;
  for (const pack::Damage& damage : report.damage)
    summary.damage.push_back({damage.offset, damage.length, damage.what});
  summary.damage_count = report.damage_count;
  summary.files_damaged = report.files_damaged;
  summary.files_damaged_count = report.files_damaged_count;
  if (!state_->healed && summary.sound) return summary;
  summary.sound = false;
  MMH_TRY(judge_healability(*state_->file, state_->healed, options, summary));
  return summary;
}

Result<UnpackSummary> Pack::unpack(const UnpackOptions& options) const {
  MMH_TRY(check_run_options(options));
  if (!state_->salvaged) MMH_TRY(state_->reader->base());
  Reporter reporter(options.observer);
  const bool is_root = ::geteuid() == 0;
  tree::RestoreOptions restore;
  restore.target = options.directory;
  restore.overwrite = static_cast<tree::Overwrite>(options.overwrite);
  restore.ask = options.ask;
  restore.permissions = options.permissions.value_or(is_root);
  restore.owners = options.owners.value_or(is_root);
  restore.numeric_owners = options.numeric_owners;
  restore.devices = options.devices;
  restore.xattrs = options.xattrs;
  MMH_LET(const auto restorer, tree::Restorer::open(real_sys(), std::move(restore), reporter.problem_sink()));
  Selection selection(options);
  const auto extract = to_extract_options(options, selection, reporter, state_->info.content_bytes);
  MMH_LET(const pack::ExtractTotals totals, pack::extract(*state_->reader, *restorer, extract));
  return to_summary(totals, selection, reporter);
}

Result<UnpackSummary> Pack::write_tar(int fd, const UnpackOptions& options) const {
  MMH_TRY(check_run_options(options));
  if (!state_->salvaged) MMH_TRY(state_->reader->base());
  Reporter reporter(options.observer);
  Selection selection(options);
  const auto extract = to_extract_options(options, selection, reporter, state_->info.content_bytes);
  const auto sink = fd_sink(real_sys(), fd, "output");
  MMH_LET(const pack::ExtractTotals totals, pack::write_tar(*state_->reader, *sink, extract));
  return to_summary(totals, selection, reporter);
}

Result<> diff(const Pack& before, const Pack& after, const ChangeVisitor& visitor) {
  return pack::diff(PackAccess::reader(before), PackAccess::reader(after), to_change_sink(visitor));
}

Result<> diff(const Pack& before, const std::vector<std::string>& paths, const PackOptions& options,
              const ChangeVisitor& visitor) {
  Reporter reporter(options.observer);
  return pack::diff_tree(PackAccess::reader(before), real_sys(), to_walk_options(paths, options),
                         reporter.problem_sink(), options.cancel, to_change_sink(visitor));
}

}  // namespace mmh
