#pragma once
// MMH_CHECK: our own bugs stop the program, in release builds too. Never for input.

namespace mmh {
/// Prints the place and the condition to standard error and aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* condition);
}  // namespace mmh

#define MMH_CHECK(condition) \
  (static_cast<bool>(condition) ? static_cast<void>(0) : ::mmh::check_failed(__FILE__, __LINE__, #condition))
