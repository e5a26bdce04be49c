#include "mmh/content/planner.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <mutex>

#include "front.h"
#include "mmh/base/check.h"
#include "statistics.h"

namespace mmh::content {
namespace {

using codec::CodecId;
using codec::Plan;
using enum ContentClass;

constexpr std::size_t kMiB = std::size_t{1} << 20;

// What a level spends. Sizes of samples are in bytes.
struct Effort {
  int zstd;                  // level of zstd for a block
  int zstd_plain;            // level of zstd where a higher one would gain next to nothing
  int lzma;                  // level of LZMA; negative: not used
  bool extreme;              // xz's -e
  int trial;                 // level of zstd in trials
  std::size_t pieces;        // pieces of the sample, each of kPieceSize
  std::size_t trials;        // fronts that get a trial
  unsigned gain_percentage;  // what a slower coder must gain to be taken, in 1/10 percent
};

constexpr std::array<Effort, kLevelMax + 1> kEfforts = {{
    {},
    {.zstd = 1,
     .zstd_plain = 1,
     .lzma = -1,
     .extreme = false,
     .trial = 1,
     .pieces = 4,
     .trials = 1,
     .gain_percentage = 0},
    {.zstd = 3,
     .zstd_plain = 1,
     .lzma = -1,
     .extreme = false,
     .trial = 1,
     .pieces = 8,
     .trials = 2,
     .gain_percentage = 10},
    {.zstd = 5,
     .zstd_plain = 1,
     .lzma = -1,
     .extreme = false,
     .trial = 1,
     .pieces = 8,
     .trials = 2,
     .gain_percentage = 10},
    {.zstd = 7,
     .zstd_plain = 1,
     .lzma = -1,
     .extreme = false,
     .trial = 3,
     .pieces = 16,
     .trials = 3,
     .gain_percentage = 10},
    {.zstd = 9,
     .zstd_plain = 3,
     .lzma = -1,
     .extreme = false,
     .trial = 3,
     .pieces = 16,
     .trials = 3,
     .gain_percentage = 10},
    {.zstd = 12,
     .zstd_plain = 3,
     .lzma = -1,
     .extreme = false,
     .trial = 3,
     .pieces = 32,
     .trials = 4,
     .gain_percentage = 5},
    {.zstd = 17,
     .zstd_plain = 5,
     .lzma = -1,
     .extreme = false,
     .trial = 5,
     .pieces = 32,
     .trials = 4,
     .gain_percentage = 5},
    {.zstd = 19,
     .zstd_plain = 9,
     .lzma = 6,
     .extreme = false,
     .trial = 5,
     .pieces = 64,
     .trials = 6,
     .gain_percentage = 2},
    {.zstd = 19,
     .zstd_plain = 9,
     .lzma = 9,
     .extreme = true,
     .trial = 7,
     .pieces = 64,
     .trials = 6,
     .gain_percentage = 0},
}};

// A multiple of every width of an element but those of records, so that each piece of a sample begins as the block
// does.
constexpr std::size_t kPieceSize = std::size_t{48} * 341;

Buffer take_sample(ByteView raw, std::size_t pieces) {
  if (raw.size() <= pieces * kPieceSize) return Buffer(raw.begin(), raw.end());
  Buffer sample;
  sample.reserve(pieces * kPieceSize);
  const std::size_t step = (raw.size() - kPieceSize) / (pieces - 1) / 48 * 48;
  for (std::size_t i = 0; i < pieces; ++i) append(sample, raw.subspan(i * step, kPieceSize));
  return sample;
}

bool is_text(ContentClass content) {
  return content == text || content == source || content == markup || content == json || content == log;
}

Plan zstd_plan(int level, std::size_t raw_size) {
  Plan plan;
  plan.codec = CodecId::zstd;
  plan.options.level = level;
  // The whole block as the window: zstd's own choice for a level is smaller than our blocks.
  constexpr unsigned kWindowLogMin = 17;
  plan.options.window_log = std::max(kWindowLogMin, static_cast<unsigned>(std::bit_width(raw_size)));
  return plan;
}

Plan lzma_plan(const Effort& effort, bool text) {
  Plan plan;
  plan.codec = CodecId::lzma;
  plan.options.level = effort.lzma;
  plan.options.extreme = effort.extreme;
  plan.options.text = text;
  return plan;
}

class DefaultPlanner final : public Planner {
 public:
  explicit DefaultPlanner(const codec::Registry& registry) : registry_(registry) {}

  Plan plan(ByteView raw, ContentClass content, int level) const override {
    MMH_CHECK(level >= kLevelMin && level <= kLevelMax);
    const Effort& effort = kEfforts[static_cast<std::size_t>(level)];
    if (raw.empty() || registry_.find(CodecId::zstd) == nullptr) return {};
    if (is_text(content)) return back_plan(effort, effort.zstd, raw.size(), true);
    if (content == compressed || looks_incompressible(raw)) return plan_incompressible(raw, effort);

    const Buffer sample = take_sample(raw, effort.pieces);
    const Front front = choose_front(sample, content, effort);
    return plan_of(front, choose_back(sample, raw.size(), front, effort));
  }

  std::size_t block_size(ContentClass content, int level) const override {
    if (content == compressed || content == tensor) return 4 * kMiB;
    const bool is_code = content == machine_x86 || content == machine_arm64 || content == machine_other;
    if (level <= 6) return (is_code || content == records ? 16 : 8) * kMiB;
    return (level == 7 ? 16 : 32) * kMiB;
  }

 private:
  Plan back_plan(const Effort& effort, int zstd, std::size_t raw_size, bool text) const {
    const bool use_lzma = effort.lzma >= 0 && registry_.find(CodecId::lzma) != nullptr;
    return use_lzma ? lzma_plan(effort, text) : zstd_plan(zstd, raw_size);
  }

  // Bytes that `plan` makes of `sample`.
  std::size_t size_of(const Plan& plan, ByteView sample) const {
    const auto frame = codec::encode_frame(registry_, plan, sample);
    return frame ? frame->size() : sample.size();
  }

  // Compressed files share headers and whole stretches, so a fast look at all of the block decides.
  Plan plan_incompressible(ByteView raw, const Effort& effort) const {
    Plan fast = zstd_plan(1, raw.size());
    if (effort.zstd == fast.options.level) return fast;
    if (size_of(fast, raw) + raw.size() / 256 >= raw.size()) return {};
    constexpr int kLevelEnough = 7;
    return zstd_plan(std::min(effort.zstd, kLevelEnough), raw.size());
  }

  // Bytes that the sample takes behind `front`. Planes are coded one by one: zstd gives each its own statistics in a
  // block, but not in a sample, where they are shorter than its blocks.
  std::size_t trial_size(const Front& front, int level, ByteView sample) const {
    const Planes planes = planes_of(registry_, front, sample);
    std::size_t size = 0;
    for (std::size_t at = 0; at < planes.coded.size(); at += planes.size) {
      const ByteView rest = ByteView(planes.coded).subspan(at);
      const ByteView plane = rest.first(std::min(planes.size, rest.size()));
      size += size_of(zstd_plan(level, plane.size()), plane);
    }
    return size;
  }

  // A front must gain more where there are matches that it may break: a sample shows fewer of them than the block has.
  Front choose_front(ByteView sample, ContentClass content, const Effort& effort) const {
    const auto fronts = most_promising(registry_, fronts_for(registry_, content, sample), sample, effort.trials);
    if (fronts.empty()) return {};
    const std::size_t plain_size = trial_size({}, effort.trial, sample);
    const std::size_t saved = sample.size() - std::min(plain_size, sample.size());
    std::size_t best_size = plain_size - plain_size / 200 - std::min(saved / 64, plain_size / 16);
    Front best;
    for (const Front& front : fronts) {
      const std::size_t size = trial_size(front, effort.trial, sample);
      if (size >= best_size) continue;
      best_size = size;
      best = front;
    }
    return best;
  }

  // Byte planes of noisy numbers have no matches to look for: there a fast level is as good as a slow one.
  Plan choose_back(ByteView sample, std::size_t raw_size, const Front& front, const Effort& effort) const {
    if (effort.lzma >= 0) return back_plan(effort, effort.zstd, raw_size, false);
    if (effort.zstd == effort.zstd_plain || front.empty()) return zstd_plan(effort.zstd, raw_size);
    const std::size_t slow = trial_size(front, effort.zstd, sample);
    const std::size_t fast = trial_size(front, effort.zstd_plain, sample);
    const bool pays = slow + fast * effort.gain_percentage / 1000 < fast;
    return zstd_plan(pays ? effort.zstd : effort.zstd_plain, raw_size);
  }

  const codec::Registry& registry_;
};

}  // namespace

const Planner& default_planner(const codec::Registry& registry) {
  // One for each registry: programs have one, tests several.
  static std::mutex mutex;
  static std::map<const codec::Registry*, DefaultPlanner> planners;
  const std::lock_guard lock(mutex);
  return planners.try_emplace(&registry, registry).first->second;
}

}  // namespace mmh::content
