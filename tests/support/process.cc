#include "support/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "mmh/base/check.h"

namespace mmh::test {

namespace {
constexpr int kCannotStart = 127;

struct Pipe {
  int read = -1, write = -1;
};

Pipe make_pipe() {
  int ends[2];
  MMH_CHECK(::pipe2(ends, O_CLOEXEC) == 0);
  return {ends[0], ends[1]};
}

void close_end(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

void make_nonblocking(int fd) { MMH_CHECK(::fcntl(fd, F_SETFL, O_NONBLOCK) == 0); }

// Writing to a child that has gone must be an error of write(), not the end of the test program.
void ignore_sigpipe() {
  static const bool done = [] { return std::signal(SIGPIPE, SIG_IGN) != SIG_ERR; }();
  MMH_CHECK(done);
}

std::vector<std::string> child_environment(const std::vector<std::pair<std::string, std::string>>& changes) {
  std::vector<std::string> all;
  for (char** at = environ; *at != nullptr; ++at) {
    const std::string_view entry = *at;
    const auto name = entry.substr(0, entry.find('='));
    const bool changed =
        std::any_of(changes.begin(), changes.end(), [&](const auto& change) { return change.first == name; });
    if (!changed) all.emplace_back(entry);
  }
  for (const auto& [name, value] : changes) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> all;
  for (auto& string : strings) all.push_back(string.data());
  all.push_back(nullptr);
  return all;
}

// Appends what is there; closes the descriptor at its end.
bool drain(int& fd, std::string& into) {
  bool any = false;
  while (fd >= 0) {
    char buffer[65536];
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got > 0) {
      into.append(buffer, static_cast<std::size_t>(got));
      any = true;
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else if (got < 0 && errno == EAGAIN) {
      break;
    } else {
      close_end(fd);
    }
  }
  return any;
}
}  // namespace

Process::Process(ProcessOptions options)
    : options_(std::move(options)), deadline_(std::chrono::steady_clock::now() + options_.timeout) {
  MMH_CHECK(!options_.argv.empty());
  ignore_sigpipe();
  Pipe in = make_pipe();
  Pipe out = make_pipe();
  Pipe err = make_pipe();

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  MMH_CHECK(::posix_spawn_file_actions_init(&actions) == 0 && ::posix_spawnattr_init(&attributes) == 0);
  ::posix_spawn_file_actions_adddup2(&actions, in.read, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out.write, 1);
  ::posix_spawn_file_actions_adddup2(&actions, err.write, 2);
  if (!options_.directory.empty()) ::posix_spawn_file_actions_addchdir_np(&actions, options_.directory.c_str());
  sigset_t defaults;
  ::sigemptyset(&defaults);
  ::sigaddset(&defaults, SIGPIPE);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);

  auto arguments = options_.argv;
  auto environment = child_environment(options_.environment);
  const int error = ::posix_spawnp(&pid_, arguments[0].c_str(), &actions, &attributes, pointers(arguments).data(),
                                   pointers(environment).data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  close_end(in.read);
  close_end(out.write);
  close_end(err.write);
  in_ = in.write;
  out_ = out.read;
  err_ = err.read;
  if (error != 0) {
    pid_ = -1;
    result_.status = kCannotStart;
    result_.err = options_.argv[0] + ": " + std::strerror(error);
    ended_ = true;
    close_all();
    return;
  }
  for (const int fd : {in_, out_, err_}) make_nonblocking(fd);
  pid_fd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  MMH_CHECK(pid_fd_ >= 0);
}

Process::~Process() {
  if (!ended_) {
    signal(SIGKILL);
    wait();
  }
  close_all();
}

void Process::close_all() {
  for (int* fd : {&in_, &out_, &err_, &pid_fd_}) close_end(*fd);
}

void Process::signal(int number) const {
  if (pid_ > 0 && !ended_) ::kill(pid_, number);
}

// Moves bytes until the child has ended; or, if asked, until output came. False once it has ended.
bool Process::pump(bool until_output) {
  while (!ended_) {
    if (in_ >= 0 && fed_ == options_.input.size()) close_end(in_);
    pollfd polled[] = {{in_, POLLOUT, 0}, {out_, POLLIN, 0}, {err_, POLLIN, 0}, {pid_fd_, POLLIN, 0}};
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now());
    const int ready = ::poll(polled, 4, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (ready < 0) {
      MMH_CHECK(errno == EINTR);
      continue;
    }
    if (ready == 0) {
      result_.timed_out = true;
      ::kill(pid_, SIGKILL);
      deadline_ = std::chrono::steady_clock::now() + std::chrono::hours(1);
      continue;
    }
    if (polled[0].revents != 0) {
      const ssize_t put = ::write(in_, options_.input.data() + fed_, options_.input.size() - fed_);
      if (put >= 0) {
        fed_ += static_cast<std::size_t>(put);
      } else if (errno != EAGAIN && errno != EINTR) {
        close_end(in_);
      }
    }
    const bool exited = polled[3].revents != 0;
    bool any = drain(out_, result_.out);
    any = drain(err_, result_.err) || any;
    if (exited) {
      int status = 0;
      rusage usage{};
      while (::wait4(pid_, &status, 0, &usage) < 0) MMH_CHECK(errno == EINTR);
      result_.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      result_.peak_memory_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
      const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
      };
      result_.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
      ended_ = true;
      close_all();
    } else if (until_output && any) {
      return true;
    }
  }
  return false;
}

bool Process::wait_for(const std::string& text) {
  const auto seen = [&] {
    return result_.out.find(text) != std::string::npos || result_.err.find(text) != std::string::npos;
  };
  while (!seen()) {
    if (!pump(true)) return seen();
  }
  return true;
}

ProcessResult Process::wait() {
  pump(false);
  return result_;
}

ProcessResult run_process(ProcessOptions options) { return Process(std::move(options)).wait(); }

ProcessResult run_process(std::vector<std::string> argv, std::string input) {
  ProcessOptions options;
  options.argv = std::move(argv);
  options.input = std::move(input);
  return run_process(std::move(options));
}

bool program_exists(const std::string& name) {
  const char* const path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "/usr/bin:/bin" : path;
  while (!rest.empty()) {
    const auto folder = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(folder.size() + 1, rest.size()));
    if (::access((std::string(folder) + "/" + name).c_str(), X_OK) == 0) return true;
  }
  return false;
}

}  // namespace mmh::test
