#pragma once
// The real program, run in a folder of its own.

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "exit_status.h"
#include "support/process.h"
#include "support/support.h"

namespace mmh::cli {

/// The program under test.
std::string program();

/// A test in an empty folder, where `mmh` runs.
class CliTest : public ::testing::Test {
 protected:
  using Environment = std::vector<std::pair<std::string, std::string>>;

  std::string path(std::string_view name) const { return dir_ / name; }
  void write(std::string_view name, std::string_view content) const;
  std::string read(std::string_view name) const;
  bool exists(std::string_view name) const;
  /// Names in the folder, hidden ones too, sorted.
  std::vector<std::string> names(std::string_view folder = ".") const;

  /// A small tree "model" with a directory, a symlink and a copy.
  void make_model() const;
  /// `mmh` with these words, in the folder.
  test::ProcessResult mmh(std::vector<std::string> words, std::string input = {}, Environment environment = {}) const;
  /// The same, which must end with `success` and write nothing to standard error.
  std::string mmh_ok(std::vector<std::string> words, std::string input = {}) const;
  /// A shell command in the folder; "$MMH" is the program.
  test::ProcessResult shell(const std::string& command) const;

 private:
  test::TempDir dir_;
};

/// Each line parsed; fails the test where one is not JSON.
std::vector<nlohmann::json> json_lines(const std::string& text);
/// The first line of that type; null where there is none.
nlohmann::json line_of_type(const std::string& text, std::string_view type);

/// What the status of a process says.
inline Status status_of(const test::ProcessResult& result) { return static_cast<Status>(result.status); }

}  // namespace mmh::cli
