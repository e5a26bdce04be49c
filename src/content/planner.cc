#include "mmh/content/planner.h"

#include <array>
#include <map>
#include <mutex>

namespace mmh::content {
namespace {

using codec::CodecId;

constexpr std::size_t kMiB = std::size_t{1} << 20;

class DefaultPlanner final : public Planner {
 public:
  explicit DefaultPlanner(const codec::Registry& registry) : registry_(registry) {}

  codec::Plan plan(ByteView raw, ContentClass, int level) const override {
    if (registry_.find(CodecId::zstd) == nullptr || looks_incompressible(raw)) return {};
    constexpr std::array<int, kLevelMax + 1> kZstdLevels = {0, 1, 3, 5, 7, 10, 13, 16, 18, 19};
    codec::Plan plan;
    plan.codec = CodecId::zstd;
    plan.options.level = kZstdLevels[static_cast<std::size_t>(level)];
    return plan;
  }

  std::size_t block_size(ContentClass, int level) const override {
    return (level <= 2 ? 4 : level <= 6 ? 8 : 16) * kMiB;
  }

 private:
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
