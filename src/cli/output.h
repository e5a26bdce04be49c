#pragma once
// Standard output: buffered, its errors kept until someone asks.

#include <string>
#include <string_view>

#include "mmh/common.h"

namespace mmh::cli {

/// Writes all of `bytes`; 0 or an errno value.
int write_all(int fd, std::string_view bytes);
/// Whether the reader of a pipe went away.
bool reader_gone(int fd);
/// Whether `fd` is a terminal that understands escape sequences.
bool is_capable_terminal(int fd);

/// Buffered text on a descriptor that the caller owns. After an error everything more is dropped.
class TextOutput {
 public:
  explicit TextOutput(int fd) : fd_(fd) {}
  TextOutput(const TextOutput&) = delete;
  TextOutput& operator=(const TextOutput&) = delete;

  void write(std::string_view text);
  void flush();
  int fd() const { return fd_; }
  bool is_terminal() const;
  /// 0, or the errno value of the first write that failed.
  int error() const { return error_; }
  /// Errors: io, no_space: what write() and flush() met.
  Result<> check() const;

 private:
  int fd_;
  int error_ = 0;
  std::string buffer_;
};

}  // namespace mmh::cli
