#pragma once
// Cooperative cancellation: one flag that a signal handler may set and every long loop looks at.

#include <atomic>

#include "mmh/base/result.h"

namespace mmh {

/// A flag that asks long operations to stop. set() is async-signal-safe.
class CancelFlag {
 public:
  void set() { flag_.store(true, std::memory_order_relaxed); }
  bool is_set() const { return flag_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> flag_{false};
};

/// Errors: cancelled, when `flag` is not null and set.
inline Result<> check_cancelled(const CancelFlag* flag) {
  if (flag != nullptr && flag->is_set()) return fail(Errc::cancelled, "stopped on request");
  return {};
}

}  // namespace mmh
