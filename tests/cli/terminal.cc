#include "terminal.h"

#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>

namespace mmh::cli {

namespace {
constexpr int kTimeoutMilliseconds = 60'000;

[[noreturn]] void run_child(const TerminalOptions& options) {
  std::signal(SIGPIPE, SIG_DFL);
  if (!options.directory.empty() && ::chdir(options.directory.c_str()) != 0) ::_exit(127);
  ::setenv("TERM", "xterm", 1);
  ::unsetenv("NO_COLOR");
  for (const auto& [name, value] : options.environment) ::setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> words;
  for (const std::string& word : options.argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  ::execvp(words[0], words.data());
  ::_exit(127);
}
}  // namespace

TerminalResult run_in_terminal(const TerminalOptions& options) {
  winsize size{};
  size.ws_row = 24;
  size.ws_col = static_cast<unsigned short>(options.columns);
  int terminal = -1;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, &size);
  if (child < 0) return {};
  if (child == 0) run_child(options);
  TerminalResult result;
  bool typed = options.input.empty();
  for (;;) {
    if (!typed && (options.prompt.empty() || result.output.find(options.prompt) != std::string::npos)) {
      typed = true;
      if (::write(terminal, options.input.data(), options.input.size()) < 0) break;
    }
    pollfd waiting{terminal, POLLIN, 0};
    if (::poll(&waiting, 1, kTimeoutMilliseconds) <= 0) {
      ::kill(child, SIGKILL);
      break;
    }
    std::array<char, 4096> piece;
    const ssize_t count = ::read(terminal, piece.data(), piece.size());
    if (count <= 0 && !(count < 0 && errno == EINTR)) break;  // EIO: the child has gone
    if (count > 0) result.output.append(piece.data(), static_cast<std::size_t>(count));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ::close(terminal);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace mmh::cli
