#pragma once
// Kernels under each instruction set.

#include <gtest/gtest.h>
#include <hwy/targets.h>

namespace mmh::chunking {

/// Runs `check` with every instruction set of this CPU that the kernels are built for.
template <class Check>
void on_every_cpu(Check&& check) {
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    SCOPED_TRACE(hwy::TargetName(target));
    check();
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace mmh::chunking
