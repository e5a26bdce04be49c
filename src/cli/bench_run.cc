#include "bench_run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

namespace mmh::cli {

namespace {
using nlohmann::json;
using Clock = std::chrono::steady_clock;

json to_json(const Error& error) { return {{"code", static_cast<int>(error.code)}, {"what", error.what}}; }

std::string serialised(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

// In the child: runs the work and sends what came of it.
[[noreturn]] void run_child(int fd, const std::function<Result<json>()>& work) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  json message;
  const Clock::time_point start = Clock::now();
  try {
    const Result<json> result = work();
    message["seconds"] = std::chrono::duration<double>(Clock::now() - start).count();
    if (result) {
      message["value"] = *result;
    } else {
      message["error"] = to_json(result.error());
    }
  } catch (const std::exception& exception) {
    message["error"] = to_json({Errc::limit, fmt::format("out of memory: {}", exception.what())});
  }
  static_cast<void>(write_all(fd, serialised(message)));
  ::_exit(0);
}

std::string read_to_end(int fd, pid_t child, const CancelFlag& cancel) {
  std::string text;
  std::array<char, 4096> piece;
  bool told = false;
  for (;;) {
    const ssize_t count = ::read(fd, piece.data(), piece.size());
    if (count > 0) text.append(piece.data(), static_cast<std::size_t>(count));
    if (count == 0 || (count < 0 && errno != EINTR)) return text;
    // A signal that came to this process alone must reach the one that works.
    if (count < 0 && cancel.is_set() && !told) {
      ::kill(child, SIGINT);
      told = true;
    }
  }
}

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// Runs `work` in a child process, so that its peak of memory is its own.
Result<json> measure(PhaseFigures& figures, Reporter& reporter, const CancelFlag& cancel,
                     const std::function<Result<json>()>& work) {
  reporter.finish();  // what is still buffered would come out of both processes
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(errno_error(errno, "cannot make a pipe"));
  const pid_t child = ::fork();
  if (child < 0) {
    const int error = errno;
    ::close(ends[0]);
    ::close(ends[1]);
    return fail(errno_error(error, "cannot start a process"));
  }
  if (child == 0) run_child(ends[1], work);
  ::close(ends[1]);
  const std::string text = read_to_end(ends[0], child, cancel);
  ::close(ends[0]);
  rusage usage{};
  int status = 0;
  while (::wait4(child, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  const json message = json::parse(text, nullptr, false);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !message.is_object()) {
    if (cancel.is_set()) return fail(Errc::cancelled, "stopped on request");
    return fail(Errc::limit,
                WIFSIGNALED(status)
                    ? fmt::format("the measured process was killed by signal {}; was memory short?", WTERMSIG(status))
                    : "the measured process ended early");
  }
  if (message.contains("error")) {
    const json& error = message["error"];
    return fail(static_cast<Errc>(error["code"].get<int>()), error["what"].get<std::string>());
  }
  figures.seconds = message["seconds"].get<double>();
  figures.cpu_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
  figures.peak_memory = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
  return message["value"];
}

Result<json> pack_phase(const std::string& data, const std::string& pack, const PackOptions& options) {
  MMH_LET(const PackSummary summary, create_pack({"."}, pack, options).in(data));
  json classes = json::array();
  for (const ClassTotals& totals : summary.classes) {
    classes.push_back({totals.name, totals.files, totals.raw_bytes, totals.stored_bytes});
  }
  return json{{"files", summary.files},
              {"content_bytes", summary.content_bytes},
              {"pack_bytes", summary.pack_bytes},
              {"warnings", summary.problems},
              {"classes", classes}};
}

// What was written before must not be on its way to the disk while the next phase is timed.
void settle(const std::string& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::syncfs(fd);
  ::close(fd);
}

class OpenFile {
 public:
  explicit OpenFile(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

ssize_t read_piece(int fd, std::string& out) {
  std::size_t filled = 0;
  while (filled < out.size()) {
    const ssize_t count = ::read(fd, out.data() + filled, out.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -1;
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  return static_cast<ssize_t>(filled);
}

Result<bool> same_content(const std::string& before, const std::string& after, const CancelFlag* cancel) {
  const OpenFile a(before), b(after);
  if (a.fd() < 0 || b.fd() < 0) return fail(errno_error(errno, fmt::format("cannot read '{}'", printable(before))));
  std::string left(std::size_t{1} << 18, '\0'), right(left.size(), '\0');
  for (;;) {
    MMH_TRY(check_cancelled(cancel));
    const ssize_t got = read_piece(a.fd(), left);
    if (got < 0 || read_piece(b.fd(), right) != got)
      return got < 0 ? fail(errno_error(errno, "cannot read")) : Result<bool>(false);
    if (std::memcmp(left.data(), right.data(), static_cast<std::size_t>(got)) != 0) return false;
    if (static_cast<std::size_t>(got) < left.size()) return true;
  }
}

// Names of directories, files and links: what unpacking brings back without being asked for more.
Result<std::vector<std::string>> sorted_names(const std::string& directory) {
  std::error_code error;
  std::vector<std::string> names;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const std::filesystem::file_status status = at->symlink_status(error);
    if (is_regular_file(status) || is_directory(status) || is_symlink(status)) {
      names.push_back(at->path().filename().string());
    }
  }
  if (error) return fail(errno_error(error.value(), fmt::format("cannot list '{}'", printable(directory))));
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::string> link_target(const std::string& path) {
  std::error_code error;
  const auto target = std::filesystem::read_symlink(path, error);
  if (error) return fail(errno_error(error.value(), fmt::format("cannot read the link '{}'", printable(path))));
  return target.string();
}
}  // namespace

Result<std::string> first_difference(const std::string& before, const std::string& after, const CancelFlag* cancel) {
  MMH_LET(const std::vector<std::string> names, sorted_names(before));
  MMH_LET(const std::vector<std::string> others, sorted_names(after));
  if (names != others) return fmt::format("'{}' holds other names", printable(after));
  for (const std::string& name : names) {
    MMH_TRY(check_cancelled(cancel));
    const std::string a = before + "/" + name, b = after + "/" + name;
    struct stat left{}, right{};
    if (::lstat(a.c_str(), &left) != 0 || ::lstat(b.c_str(), &right) != 0) {
      return fail(errno_error(errno, fmt::format("cannot look at '{}'", printable(a))));
    }
    const mode_t compared = S_IFMT | 0777;
    if ((left.st_mode & compared) != (right.st_mode & compared)) return fmt::format("mode of '{}'", printable(b));
    if (S_ISDIR(left.st_mode)) {
      MMH_LET(std::string inside, first_difference(a, b, cancel));
      if (!inside.empty()) return inside;
    } else if (S_ISLNK(left.st_mode)) {
      MMH_LET(const std::string target, link_target(a));
      MMH_LET(const std::string other, link_target(b));
      if (target != other) return fmt::format("target of '{}'", printable(b));
    } else if (S_ISREG(left.st_mode)) {
      MMH_LET(const bool same, left.st_size == right.st_size ? same_content(a, b, cancel) : Result<bool>(false));
      if (!same) return fmt::format("content of '{}'", printable(b));
    }
  }
  return std::string();
}

Result<RoundTrip> measure_round_trip(const std::string& data, const std::string& work, const RoundTripOptions& options,
                                     Reporter& reporter, CancelFlag& cancel) {
  const RunOptions run{.threads = options.threads, .memory = options.memory, .observer = &reporter, .cancel = &cancel};
  const std::string pack_path = work + "/bench.mmh", unpacked = work + "/unpacked";
  RoundTrip trip;

  PackOptions pack_options;
  pack_options.parity_ppm = 0;  // other archivers, which it is compared with, make none
  static_cast<RunOptions&>(pack_options) = run;
  pack_options.directory = data;
  pack_options.level = options.level;
  settle(work);
  MMH_LET(const json packed,
          measure(trip.pack, reporter, cancel, [&] { return pack_phase(data, pack_path, pack_options); }));
  trip.files = packed["files"];
  trip.content_bytes = packed["content_bytes"];
  trip.pack_bytes = packed["pack_bytes"];
  trip.warnings = packed["warnings"];
  for (const json& totals : packed["classes"]) trip.classes.push_back({totals[0], totals[1], totals[2], totals[3]});

  MMH_LET(const json verified, measure(trip.verify, reporter, cancel, [&]() -> Result<json> {
            MMH_LET(const Pack pack, Pack::open(pack_path, run));
            MMH_LET(const VerifySummary summary, pack.verify(false, run));
            return json(summary.sound);
          }));
  trip.sound = verified;

  UnpackOptions unpack_options;
  static_cast<RunOptions&>(unpack_options) = run;
  unpack_options.directory = unpacked;
  unpack_options.permissions = true;
  MMH_LET(const json restored, measure(trip.unpack, reporter, cancel, [&]() -> Result<json> {
            MMH_LET(const Pack pack, Pack::open(pack_path, run));
            MMH_LET(const UnpackSummary summary, pack.unpack(unpack_options));
            return json(summary.problems);
          }));
  MMH_LET(trip.difference, first_difference(data, unpacked, &cancel));
  if (trip.difference.empty() && restored.get<std::uint64_t>() > 0) trip.difference = "unpack gave warnings";
  trip.identical = trip.difference.empty();
  return trip;
}

}  // namespace mmh::cli
