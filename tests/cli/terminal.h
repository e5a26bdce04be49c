#pragma once
// Programs that believe they talk to a person.

#include <string>
#include <utility>
#include <vector>

namespace mmh::cli {

struct TerminalOptions {
  std::vector<std::string> argv;
  std::string input = {};  ///< Typed as soon as `prompt` was seen (at once where it is empty).
  std::string prompt = {};
  std::string directory = {};
  std::vector<std::pair<std::string, std::string>> environment = {};
  int columns = 80;
};

struct TerminalResult {
  int status = -1;     ///< As ProcessResult::status.
  std::string output;  ///< All that was shown, escape sequences included.
};

/// Runs a program with a pseudo-terminal as its standard streams and controlling terminal.
TerminalResult run_in_terminal(const TerminalOptions& options);

}  // namespace mmh::cli
