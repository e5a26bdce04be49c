#include "reporter.h"

#include <fmt/format.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cstdlib>

#include "text.h"

namespace mmh::cli {

namespace {
constexpr std::chrono::milliseconds kInterval{100};

bool colors_wanted(int fd) {
  const char* const no_color = std::getenv("NO_COLOR");
  return (no_color == nullptr || *no_color == '\0') && is_capable_terminal(fd);
}

std::string_view escape_of(Color color) {
  switch (color) {
    case Color::red:
      return "\x1b[31m";
    case Color::green:
      return "\x1b[32m";
    case Color::yellow:
      return "\x1b[33m";
  }
  return {};
}

std::string paint(bool wanted, Color color, std::string_view text) {
  return wanted ? fmt::format("{}{}\x1b[0m", escape_of(color), text) : std::string(text);
}

std::size_t terminal_width(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

double seconds_between(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}
}  // namespace

Reporter::Reporter(TextOutput& out, int err_fd, const ReporterOptions& options)
    : out_(out),
      err_fd_(err_fd),
      options_(options),
      out_colors_(colors_wanted(out.fd())),
      err_colors_(colors_wanted(err_fd)),
      draws_(!options.json && !options.quiet && options.progress && is_capable_terminal(err_fd)) {}

void Reporter::progress(const Progress& told) {
  if (!shows_progress()) return;
  Progress progress = told;
  if (progress.total_bytes == 0) progress.total_bytes = total_;
  const Clock::time_point now = Clock::now();
  const std::lock_guard lock(mutex_);
  if (stage_ != progress.stage) {
    stage_ = progress.stage;
    stage_start_ = now;
    last_ = now - kInterval;  // a stage is told of as soon as it begins
    last_bytes_ = progress.done_bytes;
    speed_ = 0;
  }
  if (now - last_ < kInterval) return;
  const double step = seconds_between(last_, now);
  const auto moved = static_cast<double>(progress.done_bytes - std::min(last_bytes_, progress.done_bytes));
  // Smoothed over some two seconds; the first measure counts whole.
  const double weight = speed_ == 0 ? 1.0 : std::min(1.0, step / 2);
  speed_ += weight * (moved / step - speed_);
  last_ = now;
  last_bytes_ = progress.done_bytes;
  if (options_.json) {
    write_json(JsonObject("status")
                   .add("stage", progress.stage)
                   .add("bytes_done", progress.done_bytes)
                   .add("bytes_total", progress.total_bytes)
                   .add("files", progress.files)
                   .add_seconds("seconds", seconds_between(start_, now)));
    out_.flush();
  } else {
    draw(progress, seconds_between(stage_start_, now));
  }
}

void Reporter::draw(const Progress& progress, double seconds) {
  const std::size_t width = terminal_width(err_fd_);
  const auto done = static_cast<double>(progress.done_bytes);
  const auto total = static_cast<double>(progress.total_bytes);
  const auto speed = static_cast<std::uint64_t>(speed_);
  std::string left, right;
  if (progress.total_bytes > 0) {
    const double part = std::min(1.0, done / total);
    left = fmt::format("{:<7}{:3.0f}% ", progress.stage, part * 100);
    right = fmt::format(" {}/{}  {}", format_size(progress.done_bytes), format_size(progress.total_bytes),
                        format_speed(speed, 1));
    if (done > 0) right += fmt::format("  ETA {}", format_clock(seconds * (total - done) / done));
  } else {
    left = fmt::format("{:<7}", progress.stage);
    right = fmt::format(" {}  {}", format_size(progress.done_bytes), format_speed(speed, 1));
  }
  if (progress.files > 0) right += "  " + format_count(progress.files, "file", "files");
  std::string bar;
  const std::size_t used = columns_of(left) + columns_of(right) + 3;
  if (progress.total_bytes > 0 && width > used + 8) {
    const std::size_t room = std::min<std::size_t>(width - used, 30);
    const auto filled = static_cast<std::size_t>(static_cast<double>(room) * std::min(1.0, done / total));
    bar = "[" + std::string(filled, '#') + std::string(room - filled, '.') + "]";
  }
  std::string line = left + bar + right;
  if (line.size() >= width) line.resize(width > 0 ? width - 1 : 0);
  static_cast<void>(write_all(err_fd_, "\r" + line + "\x1b[K"));
  drawn_ = true;
}

void Reporter::erase_line() {
  if (!drawn_) return;
  static_cast<void>(write_all(err_fd_, "\r\x1b[K"));
  drawn_ = false;
}

void Reporter::finish() {
  const std::lock_guard lock(mutex_);
  erase_line();
  out_.flush();
}

void Reporter::warning(const Error& error) {
  const std::lock_guard lock(mutex_);
  ++warnings_;
  codes_.insert(error.code);
  if (options_.json) {
    write_json(JsonObject("warning").add("code", errc_name(error.code)).add("message", error.what));
    return;
  }
  erase_line();
  const std::string head = paint(err_colors_, Color::yellow, "mmh: warning:");
  static_cast<void>(write_all(err_fd_, fmt::format("{} {}\n", head, error.what)));
}

void Reporter::error(std::string_view code, std::string_view message, int exit_status) {
  const std::lock_guard lock(mutex_);
  if (options_.json) {
    write_json(JsonObject("error").add("code", code).add("exit_status", exit_status).add("message", message));
    return;
  }
  erase_line();
  out_.flush();
  static_cast<void>(write_all(err_fd_, fmt::format("{} {}\n", paint(err_colors_, Color::red, "mmh:"), message)));
}

void Reporter::summary(std::string_view line) {
  const std::lock_guard lock(mutex_);
  erase_line();
  if (options_.quiet || options_.json) return;
  if (options_.data_on_out) {
    static_cast<void>(write_all(err_fd_, fmt::format("mmh: {}\n", line)));
  } else {
    out_.write(fmt::format("{}\n", line));
  }
}

void Reporter::json_line(const JsonObject& object) {
  if (!options_.json) return;
  const std::lock_guard lock(mutex_);
  write_json(object);
}

void Reporter::write_json(const JsonObject& object) {
  const std::string line = object.str() + "\n";
  if (options_.data_on_out) {
    static_cast<void>(write_all(err_fd_, line));
  } else {
    out_.write(line);
  }
}

std::string Reporter::colored(Color color, std::string_view text) const { return paint(out_colors_, color, text); }

}  // namespace mmh::cli
