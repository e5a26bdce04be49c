// mmh bench.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "bench_compare.h"
#include "bench_data.h"
#include "bench_run.h"
#include "bench_tiers.h"
#include "commands.h"
#include "input.h"
#include "text.h"

namespace mmh::cli {

namespace {
using Clock = std::chrono::steady_clock;
constexpr std::uint64_t kTimeLimit = 600;
// Where no tier has run yet, the speed is measured with this one before a larger one is begun.
constexpr std::uint64_t kProbeBytes = 10'000'000;

unsigned processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<unsigned>(CPU_COUNT(&set)) : 1;
}

/// A directory that goes with all that is in it.
class WorkDirectory {
 public:
  static Result<WorkDirectory> make(const std::string& parent) {
    std::string path = parent + "/mmh-bench-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) {
      return fail(errno_error(
          errno, fmt::format("cannot make a directory in '{}'; name another with --work", printable(parent))));
    }
    return WorkDirectory(std::move(path));
  }
  WorkDirectory(WorkDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  WorkDirectory& operator=(WorkDirectory&&) = delete;
  ~WorkDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  explicit WorkDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

Result<std::uint64_t> free_space(const std::string& directory) {
  struct statvfs info{};
  if (::statvfs(directory.c_str(), &info) != 0) {
    return fail(errno_error(errno, fmt::format("cannot use directory '{}'", printable(directory))));
  }
  return std::uint64_t{info.f_bavail} * info.f_frsize;
}

Result<std::uint64_t> size_of_tree(const std::string& directory) {
  std::error_code error;
  std::uint64_t bytes = 0;
  std::filesystem::recursive_directory_iterator at(directory, error);
  for (const std::filesystem::recursive_directory_iterator end; !error && at != end; at.increment(error)) {
    if (at->symlink_status(error).type() == std::filesystem::file_type::regular) bytes += at->file_size(error);
  }
  if (error) return fail(errno_error(error.value(), fmt::format("cannot read '{}'", printable(directory))));
  return bytes;
}

Result<std::vector<Tier>> chosen_tiers(const std::vector<std::string>& names) {
  std::vector<std::string_view> known = {"all"};
  for (const Tier& tier : tiers()) known.push_back(tier.name);
  std::vector<bool> chosen(tiers().size(), false);
  for (std::string name : names) {
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c); });
    bool found = name == "ALL";
    for (std::size_t i = 0; i < tiers().size(); ++i) {
      if (name != "ALL" && name != tiers()[i].name) continue;
      chosen[i] = found = true;
    }
    if (!found) {
      const auto meant = closest(name, known);
      return fail(Errc::usage, fmt::format("there is no tier '{}'; {}", printable(name),
                                           meant ? fmt::format("did you mean '{}'?", *meant)
                                                 : fmt::format("there are {}", fmt::join(known, ", "))));
    }
  }
  std::vector<Tier> selected;
  for (std::size_t i = 0; i < tiers().size(); ++i) {
    if (names.empty() ? tiers()[i].by_default : chosen[i]) selected.push_back(tiers()[i]);
  }
  return selected;
}

/// Runs tiers and keeps what came of them.
class Bench {
 public:
  Bench(Session& session, std::string parent) : session_(session), parent_(std::move(parent)) {
    const Arguments& arguments = session.arguments;
    settings_.level = static_cast<int>(arguments.number(OptionId::level).value_or(kLevelDefault));
    settings_.threads = static_cast<unsigned>(arguments.number(OptionId::threads).value_or(processors()));
    settings_.memory = arguments.number(OptionId::memory).value_or(kMemoryDefault);
    seed_ = arguments.number(OptionId::seed).value_or(1);
    time_limit_ = arguments.number(OptionId::time).value_or(kTimeLimit);
  }

  BenchSetup setup() const {
    return {std::string(version()),
            library_versions(),
            std::string(instruction_set()),
            settings_.level,
            settings_.threads,
            settings_.memory,
            seed_};
  }

  // A generated tier, if there is room and time for it.
  Result<> run_tier(const Tier& tier) {
    // Data, pack and unpacked files, and a twentieth for the file system's own needs.
    MMH_LET(const bool room, has_room(tier.name, tier.bytes * 3 + tier.bytes / 20));
    if (!room) return {};
    if (seconds_a_byte_ == 0 && tier.bytes > 10 * kProbeBytes && !session_.arguments.has(OptionId::yes)) {
      MMH_TRY(generate_and_measure("probe", kProbeBytes));
    }
    MMH_LET(const bool time, has_time(tier));
    if (!time) return {};
    MMH_LET(const RoundTrip trip, generate_and_measure(tier.name, tier.bytes));
    report(std::string(tier.name), trip);
    return {};
  }

  // Files that are there already.
  Result<> run_data(const std::string& directory) {
    MMH_LET(const std::uint64_t bytes, size_of_tree(directory));
    MMH_LET(const bool room, has_room("data", bytes * 2 + bytes / 20));
    if (!room) return {};
    MMH_LET(const WorkDirectory work, WorkDirectory::make(parent_));
    MMH_LET(const RoundTrip trip,
            measure_round_trip(directory, work.path(), settings_, session_.reporter, session_.cancel));
    report("data", trip);
    return {};
  }

  const std::vector<TierResult>& results() const { return results_; }
  Status status() const {
    const bool broken = std::any_of(results_.begin(), results_.end(), [](const TierResult& result) {
      return !result.trip.sound || !result.trip.identical;
    });
    if (broken) return Status::damage;
    if (results_.empty() && session_.reporter.warned_of(Errc::no_space)) return Status::no_space;
    if (results_.empty() && session_.reporter.warned_of(Errc::limit)) return Status::limit;
    const bool warned = std::any_of(results_.begin(), results_.end(),
                                    [](const TierResult& result) { return result.trip.warnings > 0; });
    return warned || session_.reporter.warnings() > 0 ? Status::warnings : Status::success;
  }

 private:
  Result<bool> has_room(std::string_view name, std::uint64_t needed) {
    MMH_LET(const std::uint64_t free, free_space(parent_));
    if (free >= needed) return true;
    session_.reporter.warning(
        {Errc::no_space, fmt::format("{} not run: it needs {} in '{}', where {} are free; name another "
                                     "place with --work DIR",
                                     name, format_size(needed), printable(parent_), format_size(free))});
    return false;
  }

  Result<bool> has_time(const Tier& tier) {
    const double seconds = seconds_a_byte_ * static_cast<double>(tier.bytes);
    if (seconds <= static_cast<double>(time_limit_) || session_.arguments.has(OptionId::yes)) return true;
    const std::string needs =
        fmt::format("{} would take some {}, going by the speed just measured", tier.name, format_span(seconds));
    if (!session_.reporter.json() && ::isatty(session_.streams.in) != 0 && has_controlling_terminal()) {
      session_.reporter.finish();
      session_.out.flush();
      MMH_LET(const char answer, ask_on_terminal(needs + "; run it? [y/N] "));
      if (answer == 'y') return true;
    }
    session_.reporter.warning(
        {Errc::limit, fmt::format("{} not run: {}; say --yes, or allow more with --time", tier.name, needs)});
    return false;
  }

  Result<RoundTrip> generate_and_measure(std::string_view name, std::uint64_t bytes) {
    MMH_LET(const WorkDirectory work, WorkDirectory::make(parent_));
    const std::string data = work.path() + "/data";
    std::error_code error;
    std::filesystem::create_directory(data, error);
    if (error) return fail(errno_error(error.value(), fmt::format("cannot make directory '{}'", printable(data))));
    const Clock::time_point start = Clock::now();
    const auto progress = [&](std::uint64_t done, std::uint64_t files) {
      session_.reporter.progress({"make", done, bytes, files});
    };
    MMH_LET(const GeneratedData made, generate_data(data, bytes, seed_, progress, &session_.cancel).in(name));
    session_.reporter.finish();
    MMH_LET(RoundTrip trip,
            measure_round_trip(data, work.path(), settings_, session_.reporter, session_.cancel).in(name));
    session_.reporter.finish();
    if (trip.files != made.files || trip.content_bytes != made.bytes) {
      return fail(Errc::corrupt, fmt::format("{}: {} files of {} bytes were made, {} of {} packed", name, made.files,
                                             made.bytes, trip.files, trip.content_bytes));
    }
    seconds_a_byte_ = std::chrono::duration<double>(Clock::now() - start).count() / static_cast<double>(bytes);
    return trip;
  }

  void report(std::string name, const RoundTrip& trip) {
    results_.push_back({std::move(name), trip});
    const TierResult& result = results_.back();
    session_.reporter.json_line(tier_json(result));
    if (!session_.reporter.json()) {
      session_.reporter.finish();
      if (results_.size() == 1) session_.out.write(tier_heading());
      session_.out.write(tier_line(result));
      session_.out.flush();
    }
    if (!trip.sound) session_.reporter.error("corrupt", result.name + ": verify found damage", 3);
    if (!trip.identical)
      session_.reporter.error("corrupt", fmt::format("{}: differs: {}", result.name, trip.difference), 3);
  }

  Session& session_;
  std::string parent_;
  RoundTripOptions settings_;
  std::uint64_t seed_ = 1, time_limit_ = kTimeLimit;
  double seconds_a_byte_ = 0;  // of a whole round trip, as last measured
  std::vector<TierResult> results_;
};
}  // namespace

Result<Status> run_bench(Session& session) {
  const Arguments& arguments = session.arguments;
  const auto data = arguments.text(OptionId::data);
  if (data && !arguments.operands().empty()) {
    return fail(Errc::usage, "--data measures your files; name no tier beside it");
  }
  MMH_LET(const std::vector<Tier> chosen, chosen_tiers(arguments.operands()));
  std::optional<EarlierRun> earlier;
  if (const auto path = arguments.text(OptionId::compare)) {
    MMH_LET(earlier, read_earlier_run(*path));
  }
  const char* const temporary = std::getenv("TMPDIR");
  Bench bench(session,
              arguments.text(OptionId::work).value_or(temporary != nullptr && *temporary != '\0' ? temporary : "/tmp"));
  const BenchSetup setup = bench.setup();
  session.reporter.json_line(setup_json(setup));
  if (!session.reporter.json()) session.out.write(setup_text(setup));
  session.out.flush();
  if (earlier) {
    if (const std::string differs = setup_difference(earlier->setup, setup); !differs.empty()) {
      session.reporter.warning({Errc::usage, "the earlier run is not the like of this one: " + differs});
    }
  }
  if (data) {
    MMH_TRY(bench.run_data(*data));
  } else {
    for (const Tier& tier : chosen) MMH_TRY(bench.run_tier(tier));
  }
  if (!session.reporter.json() && !bench.results().empty()) {
    session.out.write("\n" + class_table(bench.results().back()));
    if (earlier) session.out.write("\n" + change_table(*earlier, bench.results()));
  }
  if (earlier) {
    for (const JsonObject& change : change_json(*earlier, bench.results())) session.reporter.json_line(change);
  }
  return bench.status();
}

}  // namespace mmh::cli
