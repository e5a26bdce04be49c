#include "bench_compare.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "text.h"

namespace mmh::cli {

namespace {
using nlohmann::json;

double ratio_of(const RoundTrip& trip) {
  return trip.pack_bytes == 0 ? 0 : static_cast<double>(trip.content_bytes) / static_cast<double>(trip.pack_bytes);
}
double speed_of(std::uint64_t bytes, const PhaseFigures& phase) {
  return phase.seconds <= 0 ? 0 : static_cast<double>(bytes) / phase.seconds;
}

struct Figure {
  std::string_view name, heading;
  double (*value)(const RoundTrip&);
};
constexpr std::array<Figure, 6> kFigures = {{
    {"pack_speed", "pack MB/s", [](const RoundTrip& trip) { return speed_of(trip.content_bytes, trip.pack); }},
    {"verify_speed", "verify MB/s", [](const RoundTrip& trip) { return speed_of(trip.pack_bytes, trip.verify); }},
    {"unpack_speed", "unpack MB/s", [](const RoundTrip& trip) { return speed_of(trip.content_bytes, trip.unpack); }},
    {"ratio", "ratio", [](const RoundTrip& trip) { return ratio_of(trip); }},
    {"pack_memory", "pack memory", [](const RoundTrip& trip) { return static_cast<double>(trip.pack.peak_memory); }},
    {"unpack_memory", "unpack memory",
     [](const RoundTrip& trip) { return static_cast<double>(trip.unpack.peak_memory); }},
}};

JsonObject phase_json(const PhaseFigures& phase, std::uint64_t bytes) {
  return JsonObject()
      .add_seconds("seconds", phase.seconds)
      .add_seconds("cpu_seconds", phase.cpu_seconds)
      .add("peak_memory", phase.peak_memory)
      .add("bytes_per_second", static_cast<std::uint64_t>(speed_of(bytes, phase)));
}

PhaseFigures phase_from(const json& phase) {
  return {phase.at("seconds").get<double>(), phase.at("cpu_seconds").get<double>(),
          phase.at("peak_memory").get<std::uint64_t>()};
}

TierResult tier_from(const json& line) {
  TierResult result{line.at("tier").get<std::string>(), {}};
  RoundTrip& trip = result.trip;
  trip.files = line.at("files").get<std::uint64_t>();
  trip.content_bytes = line.at("content_bytes").get<std::uint64_t>();
  trip.pack_bytes = line.at("pack_bytes").get<std::uint64_t>();
  trip.pack = phase_from(line.at("pack"));
  trip.verify = phase_from(line.at("verify"));
  trip.unpack = phase_from(line.at("unpack"));
  return result;
}

BenchSetup setup_from(const json& line) {
  return {line.at("version").get<std::string>(),
          line.at("libraries").get<std::string>(),
          line.at("instruction_set").get<std::string>(),
          line.at("level").get<int>(),
          line.at("threads").get<unsigned>(),
          line.at("memory").get<std::uint64_t>(),
          line.at("seed").get<std::uint64_t>()};
}

// Per cent, with sign; nothing where there was nothing to compare with.
std::optional<double> change(double before, double after) {
  if (before <= 0) return std::nullopt;
  return (after / before - 1) * 100;
}

template <class Visitor>
void for_each_pair(const EarlierRun& before, const std::vector<TierResult>& after, Visitor visit) {
  for (const TierResult& now : after) {
    const auto then = std::find_if(before.tiers.begin(), before.tiers.end(),
                                   [&](const TierResult& tier) { return tier.name == now.name; });
    if (then != before.tiers.end()) visit(*then, now);
  }
}
}  // namespace

std::string setup_text(const BenchSetup& setup) {
  return fmt::format("mmh {}, level {}, {}, {} of memory, {}\n{}\n\n", setup.version, setup.level,
                     format_count(setup.threads, "thread", "threads"), format_size(setup.memory), setup.instruction_set,
                     setup.libraries);
}

JsonObject setup_json(const BenchSetup& setup) {
  return JsonObject("bench")
      .add("version", setup.version)
      .add("libraries", setup.libraries)
      .add("instruction_set", setup.instruction_set)
      .add("level", setup.level)
      .add("threads", setup.threads)
      .add("memory", setup.memory)
      .add("seed", setup.seed);
}

std::string setup_difference(const BenchSetup& before, const BenchSetup& after) {
  std::vector<std::string> parts;
  const auto compare = [&](std::string_view name, const auto& then, const auto& now) {
    if (then != now) parts.push_back(fmt::format("{} {} then, {} now", name, then, now));
  };
  compare("level", before.level, after.level);
  compare("threads", before.threads, after.threads);
  compare("memory", before.memory, after.memory);
  compare("seed", before.seed, after.seed);
  compare("instruction set", before.instruction_set, after.instruction_set);
  return fmt::format("{}", fmt::join(parts, "; "));
}

std::string tier_heading() {
  return fmt::format("{:<6} {:>8} {:>10} {:>10} {:>7} {:>9} {:>11} {:>11} {:>10} {:>10}  {}\n", "tier", "files", "data",
                     "pack", "ratio", "pack MB/s", "verify MB/s", "unpack MB/s", "pack mem", "unpack mem", "result");
}

std::string tier_line(const TierResult& result) {
  const RoundTrip& trip = result.trip;
  const auto speed = [](std::uint64_t bytes, const PhaseFigures& phase) { return speed_of(bytes, phase) / 1e6; };
  return fmt::format("{:<6} {:>8} {:>10} {:>10} {:>7} {:>9.1f} {:>11.1f} {:>11.1f} {:>10} {:>10}  {}\n", result.name,
                     format_count(trip.files), format_size(trip.content_bytes), format_size(trip.pack_bytes),
                     format_ratio(trip.content_bytes, trip.pack_bytes), speed(trip.content_bytes, trip.pack),
                     speed(trip.pack_bytes, trip.verify), speed(trip.content_bytes, trip.unpack),
                     format_size(trip.pack.peak_memory), format_size(trip.unpack.peak_memory),
                     trip.sound && trip.identical ? "identical" : "DIFFERS");
}

JsonObject tier_json(const TierResult& result) {
  const RoundTrip& trip = result.trip;
  std::vector<JsonObject> classes;
  for (const ClassTotals& totals : trip.classes) {
    classes.push_back(JsonObject()
                          .add("name", totals.name)
                          .add("files", totals.files)
                          .add("raw_bytes", totals.raw_bytes)
                          .add("stored_bytes", totals.stored_bytes));
  }
  return JsonObject("tier")
      .add("tier", result.name)
      .add("files", trip.files)
      .add("content_bytes", trip.content_bytes)
      .add("pack_bytes", trip.pack_bytes)
      .add("pack", phase_json(trip.pack, trip.content_bytes))
      .add("verify", phase_json(trip.verify, trip.pack_bytes))
      .add("unpack", phase_json(trip.unpack, trip.content_bytes))
      .add("sound", trip.sound)
      .add("identical", trip.identical)
      .add("classes", classes);
}

std::string class_table(const TierResult& result) {
  Table table({fmt::format("{}: type", result.name), "files", "raw", "stored", "ratio"});
  for (const ClassTotals& totals : result.trip.classes) {
    table.add({totals.name, format_count(totals.files), format_size(totals.raw_bytes), format_size(totals.stored_bytes),
               format_ratio(totals.raw_bytes, totals.stored_bytes)});
  }
  return table.str();
}

Result<EarlierRun> read_earlier_run(const std::string& path) {
  std::ifstream file(path);
  if (!file) return fail(errno_error(errno, fmt::format("cannot open '{}'", printable(path))));
  EarlierRun run;
  bool has_setup = false;
  std::string text;
  try {
    while (std::getline(file, text)) {
      const json line = json::parse(text);
      if (line.at("type") == "bench") {
        run.setup = setup_from(line);
        has_setup = true;
      } else if (line.at("type") == "tier") {
        run.tiers.push_back(tier_from(line));
      }
    }
  } catch (const json::exception&) {
    has_setup = false;
  }
  if (!has_setup || run.tiers.empty()) {
    return fail(Errc::usage, fmt::format("'{}' is not what `mmh bench --json` printed", printable(path)));
  }
  return run;
}

std::string change_table(const EarlierRun& before, const std::vector<TierResult>& after) {
  std::vector<std::string> heading = {fmt::format("change since {}", before.setup.version)};
  for (const Figure& figure : kFigures) heading.emplace_back(figure.heading);
  Table table(std::move(heading));
  for_each_pair(before, after, [&](const TierResult& then, const TierResult& now) {
    std::vector<std::string> row = {now.name};
    for (const Figure& figure : kFigures) {
      const auto per_cent = change(figure.value(then.trip), figure.value(now.trip));
      row.push_back(per_cent ? fmt::format("{:+.1f} %", *per_cent) : "-");
    }
    table.add(std::move(row));
  });
  return table.has_rows() ? table.str() : "No tier of this run is in the earlier one.\n";
}

std::vector<JsonObject> change_json(const EarlierRun& before, const std::vector<TierResult>& after) {
  std::vector<JsonObject> lines;
  for_each_pair(before, after, [&](const TierResult& then, const TierResult& now) {
    JsonObject object("bench_change");
    object.add("tier", now.name);
    for (const Figure& figure : kFigures) {
      if (const auto per_cent = change(figure.value(then.trip), figure.value(now.trip))) {
        object.add_per_cent(figure.name, *per_cent);
      }
    }
    lines.push_back(std::move(object));
  });
  return lines;
}

}  // namespace mmh::cli
