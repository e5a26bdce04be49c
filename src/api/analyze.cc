// What a file is made of.

#include "mmh/analyze.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <tuple>

#include "convert.h"
#include "mmh/base/files.h"
#include "mmh/base/sys.h"
#include "mmh/base/task_pool.h"
#include "mmh/codec/frame.h"
#include "mmh/codecs/builtin.h"
#include "mmh/content/classify.h"
#include "mmh/content/content_type.h"
#include "mmh/content/layout.h"
#include "mmh/content/periods.h"
#include "mmh/content/planner.h"
#include "program.h"

namespace mmh {

namespace {

using content::ContentType;

constexpr std::uint64_t kPieceSize = 64 << 10;
constexpr std::uint64_t kRegionSizeMin = 4 << 10;  // shorter ones go with what is around them, as in packs
constexpr std::size_t kPeriodPieces = 4;
constexpr std::size_t kPeriodsMax = 4;

std::string type_text(const ContentType& type) {
  std::string text(content::class_name(type.content));
  if (type.has_elements) text += fmt::format(" {}", content::element_name(type.element));
  if (type.has_elements && type.channels > 1) text += fmt::format(" x{}", type.channels);
  return text;
}

// A block as packing would cut it from this file alone.
struct Block {
  std::uint64_t offset = 0, size = 0;
  const ContentType* type = nullptr;
};

// What was found out about a block, on any thread.
struct Tried {
  Result<> outcome;
  std::string program;
  std::uint64_t stored_bytes = 0;
  std::vector<CodingTrial> trials;
};

class Analyzer {
 public:
  Analyzer(const RandomAccessSource& file, const AnalyzeOptions& options)
      : file_(file), options_(options), planner_(content::default_planner(codecs::builtin_registry())) {}

  Result<Analysis> run() {
    analysis_.size = file_.size();
    MMH_TRY(look_at_head());
    MMH_TRY(measure_entropy());
    MMH_TRY(look_for_periods());
    lay_out();
    MMH_TRY(try_blocks());
    return std::move(analysis_);
  }

 private:
  Result<> look_at_head() {
    Buffer head(static_cast<std::size_t>(std::min(analysis_.size, kPieceSize)));
    MMH_TRY(file_.read_at(0, head));
    content_ = content::classify(head, file_.name());
    analysis_.content = content::class_name(content_);
    const auto format = content::layout_format(head, analysis_.size, content_);
    if (!format) return {};
    regions_ = content::coarse_layout(content::find_layout(file_, *format), kRegionSizeMin);
    if (!regions_.empty()) analysis_.format = content::format_name(*format);
    return {};
  }

  Result<> measure_entropy() {
    const std::uint64_t size = analysis_.size;
    const std::uint64_t count = std::min<std::uint64_t>(options_.points, size);
    Buffer piece;
    double sum = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      MMH_TRY(check_cancelled(options_.cancel));
      const std::uint64_t begin = place(size, i, count);
      const std::uint64_t length = place(size, i + 1, count) - begin;
      piece.resize(static_cast<std::size_t>(std::min(length, kPieceSize)));
      MMH_TRY(file_.read_at(begin + (length - piece.size()) / 2, piece));
      const double bits = content::entropy(piece) / 256.0;
      analysis_.points.push_back({begin, length, bits});
      sum += bits;
    }
    if (count > 0) analysis_.entropy = sum / static_cast<double>(count);
    return {};
  }

  Result<> look_for_periods() {
    const std::uint64_t count = std::min<std::uint64_t>(kPeriodPieces, (analysis_.size + kPieceSize - 1) / kPieceSize);
    Buffer all;
    for (std::uint64_t i = 0; i < count; ++i) {
      Buffer piece(static_cast<std::size_t>(std::min(analysis_.size, kPieceSize)));
      MMH_TRY(file_.read_at(count == 1 ? 0 : place(analysis_.size - piece.size(), i, count - 1), piece));
      append(all, piece);
    }
    for (const content::PeriodPeak& peak : content::find_periods(all, kPeriodsMax)) {
      analysis_.periods.push_back({peak.period, peak.equal / 65536.0, peak.expected / 65536.0});
    }
    const ByteView piece = ByteView(all).first(std::min<std::size_t>(all.size(), kPieceSize));
    if (const auto period = content::find_bit_period(piece)) analysis_.record_bits = period->bits;
    return {};
  }

  // Finds the stretches of each type, and which blocks are tried: those in the middle of equal parts of all blocks.
  void lay_out() {
    std::vector<Block> blocks;
    std::uint64_t at = 0;
    const auto stretch = [&](std::uint64_t end, const ContentType& of) {
      if (at >= end) return;
      const auto [entry, added] = types_.try_emplace(of);
      ContentTotals& totals = entry->second;
      if (added) totals.type = type_text(of);
      ++totals.stretches;
      totals.bytes += end - at;
      const std::uint64_t block_size = planner_.block_size(of, options_.level);
      for (; at < end; at += std::min(block_size, end - at)) {
        blocks.push_back({at, std::min(block_size, end - at), &entry->first});
      }
    };
    for (const content::Region& region : regions_) {
      stretch(region.offset, content_);
      stretch(region.offset + region.size, content::content_type(region));
    }
    stretch(analysis_.size, content_);
    const std::size_t count = std::min<std::size_t>(options_.blocks, blocks.size());
    for (std::size_t i = 0; i < count; ++i) blocks_.push_back(blocks[(2 * i + 1) * blocks.size() / (2 * count)]);
  }

  // On any thread.
  Tried try_block(const Block& block) const {
    Tried tried;
    tried.outcome = [&]() -> Result<> {
      MMH_TRY(check_cancelled(options_.cancel));
      Buffer raw(static_cast<std::size_t>(block.size));
      MMH_TRY(file_.read_at(block.offset, raw));
      const codec::Plan plan = planner_.plan(raw, *block.type, options_.level);
      std::vector<content::Candidate> candidates = planner_.candidates(raw, *block.type, options_.level);
      const std::string chosen = program_of(plan);
      const auto is_chosen = [&](const content::Candidate& candidate) { return program_of(candidate.plan) == chosen; };
      if (std::ranges::none_of(candidates, is_chosen)) candidates.push_back({plan, 0});
      for (const content::Candidate& candidate : candidates) {
        MMH_LET(const Buffer frame,
                codec::encode_frame(codecs::builtin_registry(), candidate.plan, raw, options_.cancel));
        CodingTrial trial;
        trial.program = program_of(candidate.plan);
        trial.chosen = is_chosen(candidate);
        trial.blocks = 1;
        trial.raw_bytes = raw.size();
        trial.predicted_bytes = candidate.predicted;
        trial.actual_bytes = frame.size();
        if (trial.chosen) {
          MMH_LET(const auto nodes, codec::describe_frame(codecs::builtin_registry(), frame, raw.size()));
          tried.program = program_of(nodes);
          tried.stored_bytes = frame.size();
        }
        tried.trials.push_back(std::move(trial));
      }
      return {};
    }();
    return tried;
  }

  Result<> try_blocks() {
    std::vector<Tried> tried(blocks_.size());  // outlives the tasks of the pool
    TaskPool pool(thread_count(options_));
    std::deque<TaskPool::Handle> running;
    std::size_t submitted = 0;
    std::map<std::pair<const ContentType*, std::string>, std::pair<CodingTrial, std::uint64_t>> trials;
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      for (; submitted < blocks_.size() && submitted < i + pool.threads(); ++submitted) {
        running.push_back(pool.submit([&, submitted] { tried[submitted] = try_block(blocks_[submitted]); }));
      }
      pool.wait(running.front());
      running.pop_front();
      if (options_.observer != nullptr) options_.observer->progress({"analyze", i + 1, blocks_.size(), 0});
      if (!tried[i].outcome) return std::move(tried[i].outcome);
      const Block& block = blocks_[i];
      analysis_.blocks.push_back(
          {block.offset, block.size, type_text(*block.type), tried[i].program, tried[i].stored_bytes});
      for (const CodingTrial& trial : tried[i].trials) {
        auto& [sum, times_chosen] = trials[{block.type, trial.program}];
        sum.program = trial.program;
        sum.blocks += trial.blocks;
        sum.raw_bytes += trial.raw_bytes;
        sum.predicted_bytes += trial.predicted_bytes;
        sum.actual_bytes += trial.actual_bytes;
        if (trial.chosen) ++times_chosen;
      }
    }
    for (auto& [of, totals] : types_) {
      std::uint64_t most = 0;
      for (const auto& [key, trial] : trials) {
        if (key.first == &of) most = std::max(most, trial.second);
      }
      for (auto& [key, trial] : trials) {
        if (key.first != &of) continue;
        trial.first.chosen = most > 0 && trial.second == most;
        totals.trials.push_back(std::move(trial.first));
      }
      std::ranges::stable_sort(totals.trials, [](const CodingTrial& a, const CodingTrial& b) {
        return std::tuple(b.raw_bytes, a.actual_bytes) < std::tuple(a.raw_bytes, b.actual_bytes);
      });
      analysis_.types.push_back(std::move(totals));
    }
    std::ranges::stable_sort(analysis_.types, std::ranges::greater{}, &ContentTotals::bytes);
    return {};
  }

  // Where part `i` of `count` equal ones begins.
  static std::uint64_t place(std::uint64_t size, std::uint64_t i, std::uint64_t count) {
    return size / count * i + size % count * i / count;
  }

  const RandomAccessSource& file_;
  const AnalyzeOptions& options_;
  const content::Planner& planner_;
  Analysis analysis_;
  content::ContentClass content_ = content::ContentClass::binary;
  std::vector<content::Region> regions_;
  std::map<ContentType, ContentTotals> types_;
  std::vector<Block> blocks_;
};

}  // namespace

Result<Analysis> analyze_file(const std::string& path, const AnalyzeOptions& options) {
  MMH_TRY(check_run_options(options));
  if (options.level < kLevelMin || options.level > kLevelMax) {
    return fail(Errc::usage, fmt::format("level {} is not between {} and {}", options.level, kLevelMin, kLevelMax));
  }
  if (options.points == 0 || options.blocks == 0)
    return fail(Errc::usage, "there is nothing to look at without a point or a block");
  MMH_LET(const auto source, open_source(real_sys(), path));
  return Analyzer(*source, options).run().in(display_path(path));
}

}  // namespace mmh
