#pragma once
// Runs other programs: bytes in, bytes out, a deadline, signals.

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mmh::test {

struct ProcessOptions {
  std::vector<std::string> argv;  ///< The program is looked for in PATH when it has no '/'.
  std::string input;              ///< Bytes for standard input, which then ends.
  /// Set in the child on top of this process's environment.
  std::vector<std::pair<std::string, std::string>> environment;
  std::string directory;                      ///< Where it runs; empty for here.
  std::chrono::milliseconds timeout{60'000};  ///< Then it is killed with SIGKILL.
};

struct ProcessResult {
  int status = -1;  ///< Exit status, or 128 + signal, as a shell gives it; 127 when the program cannot be started.
  bool timed_out = false;
  std::string out;                      ///< Standard output.
  std::string err;                      ///< Standard error.
  std::uint64_t peak_memory_bytes = 0;  ///< Largest resident set.
  double cpu_seconds = 0;
};

/// A running program. wait() feeds its input and collects its output, so it must be called for either to flow beyond
/// what a pipe holds. Destroyed unwaited, it is killed.
class Process {
 public:
  explicit Process(ProcessOptions options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  void signal(int number) const;
  /// Collects output until `text` was seen on standard output or error; false when it ended or the deadline came first.
  bool wait_for(const std::string& text);
  ProcessResult wait();

 private:
  bool pump(bool until_output);
  void close_all();

  ProcessOptions options_;
  std::chrono::steady_clock::time_point deadline_;
  ProcessResult result_;
  std::size_t fed_ = 0;
  pid_t pid_ = -1;
  int pid_fd_ = -1;
  int in_ = -1, out_ = -1, err_ = -1;
  bool ended_ = false;
};

/// Runs a program to its end.
ProcessResult run_process(ProcessOptions options);
/// The same for the common case.
ProcessResult run_process(std::vector<std::string> argv, std::string input = {});

/// Whether a program of that name stands in PATH.
bool program_exists(const std::string& name);

}  // namespace mmh::test
