// mmh analyze.
#include <fmt/format.h>

#include <algorithm>

#include "analysis_svg.h"
#include "commands.h"
#include "mmh/analyze.h"
#include "text.h"

namespace mmh::cli {

namespace {

// Eight heights of a bar, as U+2581 to U+2588.
std::string sparkline(const std::vector<EntropyPoint>& points) {
  std::string text;
  for (const EntropyPoint& point : points) {
    const int height = std::clamp(static_cast<int>(point.bits), 0, 7);
    text += "\xE2\x96";
    text += static_cast<char>(0x81 + height);
  }
  return text;
}

std::string share_text(double share) { return fmt::format("{:.1f} %", share * 100); }

std::string analysis_text(const std::string& path, const Analysis& analysis) {
  std::string text = printable(path) + "\n";
  const auto line = [&](std::string_view name, std::string_view value) {
    text += fmt::format("  {:<8} {}\n", name, value);
  };
  line("size", format_size(analysis.size));
  line("content",
       analysis.format.empty() ? analysis.content : fmt::format("{}, in {}", analysis.content, analysis.format));
  line("entropy", fmt::format("{:.2f} bits a byte, order 0", analysis.entropy));
  if (!analysis.points.empty()) line("", sparkline(analysis.points));
  for (const Period& period : analysis.periods) {
    line(&period == &analysis.periods.front() ? "period" : "",
         fmt::format("{}: {} of bytes equal the one before ({} by chance)", format_count(period.bytes, "byte", "bytes"),
                     share_text(period.equal), share_text(period.expected)));
  }
  if (analysis.record_bits != 0) {
    line(analysis.periods.empty() ? "period" : "",
         fmt::format("{} bits: records that are no whole bytes", analysis.record_bits));
  }
  Table table({"content", "bytes", "tried", "program", "predicted", "actual", "ratio"});
  for (const ContentTotals& totals : analysis.types) {
    std::string type = totals.type, bytes = format_size(totals.bytes);
    if (totals.trials.empty()) table.add({type, bytes, "-", "", "", "", ""});
    for (const CodingTrial& trial : totals.trials) {
      table.add({type, bytes, format_size(trial.raw_bytes), trial.program + (trial.chosen ? " *" : ""),
                 trial.predicted_bytes == 0 ? "-" : format_size(trial.predicted_bytes), format_size(trial.actual_bytes),
                 format_ratio(trial.raw_bytes, trial.actual_bytes)});
      type.clear();
      bytes.clear();
    }
  }
  if (table.has_rows()) text += "\n" + table.str("  ") + "  * what packing takes\n";
  return text;
}

JsonObject analysis_json(const std::string& path, const Analysis& analysis) {
  std::vector<JsonObject> points, periods, types, blocks;
  for (const EntropyPoint& point : analysis.points) {
    points.push_back(JsonObject().add("offset", point.offset).add("size", point.size).add_seconds("bits", point.bits));
  }
  for (const Period& period : analysis.periods) {
    periods.push_back(JsonObject()
                          .add("bytes", period.bytes)
                          .add_per_cent("equal_per_cent", period.equal * 100)
                          .add_per_cent("expected_per_cent", period.expected * 100));
  }
  for (const ContentTotals& totals : analysis.types) {
    std::vector<JsonObject> trials;
    for (const CodingTrial& trial : totals.trials) {
      JsonObject object;
      object.add("program", trial.program)
          .add("chosen", trial.chosen)
          .add("blocks", trial.blocks)
          .add("raw_bytes", trial.raw_bytes);
      if (trial.predicted_bytes > 0) object.add("predicted_bytes", trial.predicted_bytes);
      trials.push_back(object.add("actual_bytes", trial.actual_bytes));
    }
    types.push_back(JsonObject()
                        .add("type", totals.type)
                        .add("stretches", totals.stretches)
                        .add("bytes", totals.bytes)
                        .add("trials", trials));
  }
  for (const CodedBlock& block : analysis.blocks) {
    blocks.push_back(JsonObject()
                         .add("offset", block.offset)
                         .add("size", block.size)
                         .add("type", block.type)
                         .add("program", block.program)
                         .add("stored_bytes", block.stored_bytes));
  }
  JsonObject object("analysis");
  object.add_path("path", path)
      .add("size", analysis.size)
      .add("content", analysis.content)
      .add("format", analysis.format)
      .add_seconds("entropy_bits", analysis.entropy);
  if (analysis.record_bits != 0) object.add("record_bits", analysis.record_bits);
  return object.add("points", points).add("periods", periods).add("types", types).add("blocks", blocks);
}

}  // namespace

Result<Status> run_analyze(Session& session) {
  const std::vector<std::string>& operands = session.arguments.operands();
  if (operands.empty()) return fail(Errc::usage, "name a file: mmh analyze FILE...");
  const bool svg = session.arguments.has(OptionId::svg);
  if (svg && session.reporter.json()) return fail(Errc::usage, "--svg and --json are two forms of the same; take one");
  if (svg && operands.size() > 1) return fail(Errc::usage, "--svg draws one file; name one");
  AnalyzeOptions options;
  static_cast<RunOptions&>(options) = session.run_options();
  options.level = static_cast<int>(session.arguments.number(OptionId::level).value_or(kLevelDefault));
  constexpr unsigned kColumns = 64;
  if (!session.reporter.json() && !svg) options.points = kColumns;
  for (const std::string& path : operands) {
    MMH_LET(const Analysis analysis, analyze_file(path, options));
    session.reporter.finish();
    session.reporter.json_line(analysis_json(path, analysis));
    if (svg) {
      session.out.write(analysis_svg(printable(path), analysis));
    } else if (!session.reporter.json()) {
      session.out.write(analysis_text(path, analysis));
    }
    MMH_TRY(session.out.check());
  }
  return Status::success;
}

}  // namespace mmh::cli
