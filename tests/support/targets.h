#pragma once
// Kernels under each instruction set.

#include "mmh/base/simd.h"

namespace mmh::test {

/// Runs `check` under every instruction set that this processor has, and under none that it must have been asked for,
/// with its name.
void for_every_target(const auto& check) {
  const std::int64_t all = supported_targets();
  for (std::int64_t left = all; left != 0; left &= left - 1) {
    const std::int64_t target = left & -left;
    limit_targets_for_test(target);
    check(hwy::TargetName(target));
  }
  limit_targets_for_test(0);
  check("baseline");
  limit_targets_for_test(-1);
}

}  // namespace mmh::test
