#pragma once
// What a command tells its user besides its result: progress, warnings, errors; as text or as JSON Lines.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <set>

#include "json.h"
#include "mmh/common.h"
#include "output.h"

namespace mmh::cli {

struct ReporterOptions {
  bool json = false;
  bool quiet = false;  ///< No progress and no summary.
  bool progress = true;
  bool data_on_out = false;  ///< Standard output carries data: summaries and JSON go to standard error.
};

enum class Color : std::uint8_t { red, green, yellow };

/// Thread-safe. Progress is one line on standard error where that is a terminal, redrawn at most ten times a second and
/// erased before anything else is printed.
class Reporter : public Observer {
 public:
  Reporter(TextOutput& out, int err_fd, const ReporterOptions& options);

  void progress(const Progress& progress) override;
  /// Whether anybody sees progress.
  bool shows_progress() const { return draws_ || (options_.json && !options_.quiet && options_.progress); }
  /// What a stage of unknown total goes up to, as soon as that is known.
  void set_total(std::uint64_t bytes) { total_ = bytes; }
  void warning(const Error& error) override;
  /// `code` is the name of an Errc, or "internal".
  void error(std::string_view code, std::string_view message, int exit_status);
  /// A line for a person: the summary of a command. Not shown under --quiet or --json.
  void summary(std::string_view line);
  /// A line of JSON. Does nothing without --json.
  void json_line(const JsonObject& object);
  /// Erases the progress line and flushes standard output.
  void finish();

  bool json() const { return options_.json; }
  bool quiet() const { return options_.quiet; }
  std::uint64_t warnings() const { return warnings_; }
  bool warned_of(Errc code) const { return codes_.contains(code); }
  /// `text` in colour where standard output is a terminal and NO_COLOR is not set.
  std::string colored(Color color, std::string_view text) const;

 private:
  using Clock = std::chrono::steady_clock;
  void erase_line();
  void draw(const Progress& progress, double seconds);
  void write_json(const JsonObject& object);

  TextOutput& out_;
  const int err_fd_;
  const ReporterOptions options_;
  const bool out_colors_, err_colors_, draws_;
  std::atomic<std::uint64_t> total_ = 0;
  std::mutex mutex_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = start_;
  std::uint64_t last_bytes_ = 0;
  double speed_ = 0;  // bytes a second, smoothed
  std::string stage_;
  Clock::time_point stage_start_ = start_;
  bool drawn_ = false;
  std::uint64_t warnings_ = 0;
  std::set<Errc> codes_;
};

}  // namespace mmh::cli
