#pragma once
// The choice among kernels that Highway's foreach_target.h compiled for several instruction sets. Highway's own choice
// lives in a library that measures the clock for some milliseconds whenever a process loads it.

#include <hwy/targets.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mmh {

/// Highway's targets (bits: HWY_AVX2 and so on; a lower bit is a better one) that this processor and its operating
/// system support.
std::int64_t supported_targets();

/// Leaves only `targets` of them, so that tests reach every kernel; -1: all again.
void limit_targets_for_test(std::int64_t targets);

/// One function, compiled for several targets: what MMH_KERNELS lists, in the order of the targets' bits, and last what
/// runs everywhere.
template <class Function>
class KernelTable {
 public:
  static constexpr std::size_t kTargets = HWY_MAX_DYNAMIC_TARGETS;

  /// `generated`: the targets that the functions were compiled for (HWY_TARGETS).
  constexpr KernelTable(const Function (&functions)[kTargets + 1], std::int64_t generated)
      : functions_(functions), generated_(generated) {}

  /// The one for this processor.
  Function best() const {
    return functions_[static_cast<std::size_t>(std::countr_zero(usable() | std::uint64_t{1} << kTargets))];
  }

  /// All that this processor can run, the best one first.
  std::vector<Function> all() const {
    std::vector<Function> found;
    for (std::size_t i = 0; i < kTargets; ++i) {
      if ((usable() >> i & 1) != 0) found.push_back(functions_[i]);
    }
    found.push_back(functions_[kTargets]);
    return found;
  }

 private:
  std::uint64_t usable() const {
    constexpr int kLowest = HWY_HIGHEST_TARGET_BIT + 1 - HWY_MAX_DYNAMIC_TARGETS;
    const auto targets = static_cast<std::uint64_t>(generated_ & supported_targets());
    return targets >> kLowest & ((std::uint64_t{1} << kTargets) - 1);
  }

  const Function (&functions_)[kTargets + 1];
  std::int64_t generated_;
};

}  // namespace mmh

/// Defines `table`, the KernelTable of `function`, in the namespace that holds its targets' namespaces.
#define MMH_KERNELS(table, function)                                                                          \
  constexpr decltype(&HWY_STATIC_DISPATCH(function)) table##_functions[] = {HWY_CHOOSE_TARGET_LIST(function), \
                                                                            HWY_CHOOSE_FALLBACK(function)};   \
  constexpr mmh::KernelTable<decltype(&HWY_STATIC_DISPATCH(function))> table(table##_functions, HWY_TARGETS)
