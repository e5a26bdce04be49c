// mmh protect, and what verify, repair and info do with protections.
#include "protect_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <filesystem>

#include "entry_json.h"
#include "input.h"
#include "mmh/protect.h"
#include "paths.h"
#include "text.h"

namespace mmh::cli {

namespace {
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

bool same_directory(const std::string& output, const std::string& directory) {
  std::error_code error;
  const auto parent = std::filesystem::path(output).parent_path();
  return std::filesystem::equivalent(parent.empty() ? std::filesystem::path(".") : parent, directory, error);
}

std::string_view state_name(ProtectedFileState state) {
  switch (state) {
    case ProtectedFileState::damaged:
      return "damaged";
    case ProtectedFileState::missing:
      return "missing";
    case ProtectedFileState::moved:
      return "moved";
    case ProtectedFileState::changed:
      return "changed";
  }
  return {};
}

bool is_harm(const ProtectedFileFinding& finding) {
  return finding.state == ProtectedFileState::damaged || finding.state == ProtectedFileState::missing;
}

bool is_harmed(const ProtectionSummary& summary) { return summary.damaged > 0 || summary.protection_damaged; }

bool is_hopeless(const ProtectionSummary& summary) { return summary.hopeless > 0 || !summary.protection_healable; }

void tell_finding(Session& session, const std::string& protection, const ProtectedFileFinding& finding) {
  JsonObject object("protected_file");
  object.add_path("protection", protection).add_path("path", finding.path).add("state", state_name(finding.state));
  if (!finding.found.empty()) object.add_path("found", finding.found);
  session.reporter.json_line(object.add("healable", finding.healable).add("restored", finding.restored));
  if (session.reporter.json()) return;
  std::string line = fmt::format("{}: {}", printable(finding.path), state_name(finding.state));
  if (finding.restored) {
    line += ", restored";
  } else if (!finding.found.empty()) {
    line += fmt::format("{} {}", finding.state == ProtectedFileState::moved ? " to" : "; its content is now",
                        printable(finding.found));
  } else if (is_harm(finding) && !finding.healable) {
    line += ", beyond what parity can bring back";
  }
  session.out.write(line + "\n");
}

JsonObject summary_json(std::string_view command, const std::string& path, const ProtectionSummary& summary) {
  return JsonObject("summary")
      .add("command", command)
      .add_path("protection", path)
      .add("sound", summary.sound())
      .add("healable", is_harmed(summary) && !is_hopeless(summary))
      .add("files", summary.files)
      .add("bytes", summary.bytes)
      .add("files_damaged", summary.damaged)
      .add("files_hopeless", summary.hopeless)
      .add("files_changed", summary.changed)
      .add("files_restored", summary.restored)
      .add("protection_damaged", summary.protection_damaged)
      .add("protection_mended", summary.protection_mended);
}

ProtectionOptions base_options(const Session& session) {
  ProtectionOptions options;
  static_cast<RunOptions&>(options) = session.run_options();
  options.directory = session.arguments.text(OptionId::directory).value_or("");
  return options;
}
}  // namespace

Result<Status> run_protect(Session& session) {
  const Arguments& arguments = session.arguments;
  std::vector<std::string> paths = arguments.operands();
  if (const auto list = arguments.text(OptionId::files_from)) {
    MMH_LET(const std::vector<std::string> more,
            read_path_list(*list, arguments.has(OptionId::null), session.streams.in));
    paths.insert(paths.end(), more.begin(), more.end());
  } else if (arguments.has(OptionId::null)) {
    return fail(Errc::usage, "--null says how --files-from ends its paths; it needs --files-from");
  }
  if (paths.empty()) return fail(Errc::usage, "name what to protect: mmh protect FILE|DIR...");
  MMH_LET(const Sources sources, protection_sources(arguments.text(OptionId::directory), paths));
  std::string output;
  if (const auto named = arguments.text(OptionId::output)) {
    if (*named == "-") return fail(Errc::usage, "a protection lies beside its files; -o takes no standard output");
    output = *named;
  } else {
    MMH_LET(output, default_protection(sources));
  }
  ProtectOptions options;
  static_cast<RunOptions&>(options) = session.run_options();
  options.directory = sources.directory;
  options.exclude = arguments.texts(OptionId::exclude);
  options.include = arguments.texts(OptionId::include);
  options.one_file_system = arguments.has(OptionId::one_file_system);
  options.forget = arguments.has(OptionId::forget);
  if (const auto ppm = arguments.number(OptionId::parity)) options.parity_ppm = static_cast<std::uint32_t>(*ppm);

  const Clock::time_point start = Clock::now();
  MMH_LET(const ProtectSummary summary, protect_files(sources.paths, output, options));
  const double seconds = seconds_since(start);
  session.reporter.finish();
  std::vector<std::string> parts;
  const auto part = [&](std::uint64_t count, std::string_view what) {
    if (count > 0) parts.push_back(fmt::format("{} {}", format_count(count), what));
  };
  part(summary.added, "added");
  part(summary.changed, "changed");
  part(summary.moved, "moved");
  part(summary.dropped, "dropped");
  part(summary.missing, "missing");
  // Another share, or a protection that had to be written again.
  if (parts.empty()) parts.emplace_back(summary.encoded_bytes > 0 ? "parity made anew" : "written anew");
  std::string line =
      fmt::format("{}: {}, {}, parity {}", printable(output), format_count(summary.files, "file", "files"),
                  format_size(summary.bytes), format_size(summary.protection_bytes));
  line += summary.up_to_date
              ? fmt::format("; {}", session.reporter.colored(Color::green, "up to date"))
              : fmt::format("; {}, {}", fmt::join(parts, ", "), format_speed(summary.encoded_bytes, seconds));
  if (!same_directory(output, sources.directory)) {
    line += fmt::format("; verify it with -C {}", shell_word(sources.directory));
  }
  session.reporter.summary(line);
  session.reporter.json_line(JsonObject("summary")
                                 .add("command", "protect")
                                 .add_path("protection", output)
                                 .add("files", summary.files)
                                 .add("bytes", summary.bytes)
                                 .add("added", summary.added)
                                 .add("content_changed", summary.changed)
                                 .add("moved_files", summary.moved)
                                 .add("dropped", summary.dropped)
                                 .add("missing", summary.missing)
                                 .add("encoded_bytes", summary.encoded_bytes)
                                 .add("protection_bytes", summary.protection_bytes)
                                 .add("up_to_date", summary.up_to_date)
                                 .add("warnings", session.reporter.warnings())
                                 .add_seconds("seconds", seconds));
  return session.reporter.warnings() > 0 ? Status::warnings : Status::success;
}

Result<Status> verify_protected(Session& session, const std::string& path) {
  const Clock::time_point start = Clock::now();
  MMH_LET(const ProtectionSummary summary, verify_protection(path, base_options(session)));
  const double seconds = seconds_since(start);
  session.reporter.finish();
  for (const ProtectedFileFinding& finding : summary.findings) tell_finding(session, path, finding);
  if (summary.protection_damaged && !session.reporter.json()) {
    session.out.write(fmt::format("{}: the protection itself is damaged{}\n", printable(path),
                                  summary.protection_healable ? "" : " beyond what it can bring back of itself"));
  }
  const bool harm = is_harmed(summary);
  const bool hopeless = is_hopeless(summary);
  const Reporter& reporter = session.reporter;
  std::string verdict = reporter.colored(Color::green, "sound");
  if (hopeless) {
    verdict = reporter.colored(Color::red, "DAMAGED");
  } else if (harm) {
    verdict = reporter.colored(Color::yellow, "damaged but healable");
  } else if (summary.changed > 0) {
    verdict = reporter.colored(Color::yellow, "changed");
  }
  std::string line = fmt::format("{}: {}: ", printable(path), verdict);
  if (summary.damaged > 0) line += fmt::format("{} damaged or missing, ", format_count(summary.damaged));
  if (summary.hopeless > 0) line += fmt::format("{} beyond parity, ", format_count(summary.hopeless));
  if (summary.changed > 0) line += fmt::format("{} changed or moved, ", format_count(summary.changed));
  line += fmt::format("{} in {} checked, {}", format_size(summary.bytes), format_count(summary.files, "file", "files"),
                      format_speed(summary.bytes, seconds));
  if (harm && summary.hopeless < summary.damaged + (summary.protection_damaged ? 1U : 0U)) {
    line += fmt::format("; run mmh repair {}", shell_word(path));
  } else if (harm) {
    line += "; mmh repair --from DIR takes good bytes from another place";
  } else if (summary.changed > 0) {
    line += "; protect them again, or take the changes back with mmh repair --undo";
  }
  session.reporter.summary(line);
  session.reporter.json_line(summary_json("verify", path, summary).add_seconds("seconds", seconds));
  if (hopeless) return Status::damage;
  if (harm) return Status::healable;
  return summary.changed > 0 || session.reporter.warnings() > 0 ? Status::warnings : Status::success;
}

Result<Status> repair_protected(Session& session, const std::string& path) {
  const Arguments& arguments = session.arguments;
  ProtectionRepairOptions options;
  static_cast<ProtectionOptions&>(options) = base_options(session);
  options.from = arguments.texts(OptionId::from);
  options.undo = arguments.has(OptionId::undo);
  options.output = arguments.text(OptionId::output).value_or("");
  options.force = arguments.has(OptionId::force);
  options.restored = [&](const ProtectedFileFinding& finding) {
    session.reporter.finish();
    tell_finding(session, path, finding);
  };
  const Clock::time_point start = Clock::now();
  MMH_LET(const ProtectionSummary summary, repair_protection(path, options));
  const double seconds = seconds_since(start);
  session.reporter.finish();
  for (const ProtectedFileFinding& finding : summary.findings) {
    if (!finding.restored) tell_finding(session, path, finding);
  }
  const bool own_left = summary.protection_damaged && !summary.protection_mended && options.output.empty();
  const bool failed = summary.damaged > 0 || own_left;
  std::string line = fmt::format("{}: ", printable(path));
  if (summary.sound()) {
    line += fmt::format("{}, nothing to mend", session.reporter.colored(Color::green, "sound"));
  } else if (!is_harmed(summary) && summary.restored == 0) {
    line +=
        fmt::format("{}, nothing to mend: {} changed or moved and left so (--undo takes that back)",
                    session.reporter.colored(Color::yellow, "changed"), format_count(summary.changed, "file", "files"));
  } else {
    line +=
        failed ? session.reporter.colored(Color::red, "NOT HEALED") : session.reporter.colored(Color::green, "healed");
    line += fmt::format(": {} restored", format_count(summary.restored, "file", "files"));
    if (summary.damaged > 0) line += fmt::format(", {} not brought back", format_count(summary.damaged));
    if (summary.changed > 0) {
      line += fmt::format(", {} changed or moved and left so (--undo takes that back)", format_count(summary.changed));
    }
    if (summary.protection_mended) line += ", the protection mended";
    if (own_left) line += ", the protection itself not; make it anew with mmh protect";
  }
  session.reporter.summary(line);
  session.reporter.json_line(summary_json("repair", path, summary).add_seconds("seconds", seconds));
  if (failed) return Status::damage;
  return summary.changed > 0 || session.reporter.warnings() > 0 ? Status::warnings : Status::success;
}

Result<> show_protection(Session& session, const std::string& path) {
  MMH_LET(const ProtectionInfo info, protection_info(path));
  if (session.reporter.json()) {
    std::vector<JsonObject> sets;
    for (const ProtectedSetInfo& set : info.sets) {
      sets.push_back(JsonObject().add("files", set.files).add("bytes", set.bytes));
      add_promise(sets.back(), set.parity);
    }
    session.reporter.json_line(JsonObject("protection")
                                   .add_path("protection", path)
                                   .add("parity_ppm", std::uint64_t{info.loss_ppm})
                                   .add("files", info.files)
                                   .add("bytes", info.bytes)
                                   .add("protection_bytes", info.protection_bytes)
                                   .add("roots", info.roots)
                                   .add("sets", sets));
    return {};
  }
  std::vector<std::string> roots;
  for (const std::string& root : info.roots) roots.push_back(printable(root));
  std::string text = printable(path) + "\n";
  const auto line = [&](std::string_view name, std::string_view value) {
    text += fmt::format("  {:<10} {}\n", name, value);
  };
  line("protects", fmt::format("{}, {}: {}", format_count(info.files, "file", "files"), format_size(info.bytes),
                               fmt::join(roots, ", ")));
  line("parity", fmt::format("{}, {} in all", format_share(info.loss_ppm), format_size(info.protection_bytes)));
  for (const ProtectedSetInfo& set : info.sets) {
    line("set", fmt::format("{}, {}: {}", format_count(set.files, "file", "files"), format_size(set.bytes),
                            format_promise(set.parity)));
  }
  session.out.write(text);
  return {};
}

}  // namespace mmh::cli
