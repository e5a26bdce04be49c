#pragma once
// What commands read besides packs: lists of paths, tar archives, answers.

#include <string>
#include <string_view>
#include <vector>

#include "mmh/common.h"

namespace mmh::cli {

/// A file opened for reading, or standard input where the path is "-".
class InputFile {
 public:
  /// Errors: not_found, permission, io; usage (standard input is a terminal).
  static Result<InputFile> open(const std::string& path, int standard_input);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;
  ~InputFile();
  int fd() const { return fd_; }

 private:
  InputFile(int fd, bool owned) : fd_(fd), owned_(owned) {}
  int fd_;
  bool owned_;
};

/// Errors: usage, when `fd` is a terminal, which holds no data.
Result<> require_data(int fd, std::string_view what);
/// Whether `fd` is something to read data from: a pipe, a socket or a file; not a terminal, /dev/null or closed.
bool has_data(int fd);

/// Errors: usage, when `path` is "-": what is changed in place must be a file.
Result<> require_file(std::string_view path);

/// The non-empty lines (or zero-terminated items) of a file; "-" is standard input. Errors: as InputFile, and limit.
Result<std::vector<std::string>> read_path_list(const std::string& path, bool null_terminated, int standard_input);

bool has_controlling_terminal();
/// Asks a question on the terminal that controls the process and returns the first letter of the answer in lower case,
/// '\0' for an empty line. Errors: usage (there is no terminal), io.
Result<char> ask_on_terminal(std::string_view question);

}  // namespace mmh::cli
