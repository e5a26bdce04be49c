// mmh pack, mmh append.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "commands.h"
#include "input.h"
#include "mmh/protect.h"
#include "paths.h"
#include "size_scan.h"
#include "text.h"

namespace mmh::cli {

namespace {
using Clock = std::chrono::steady_clock;

PackOptions pack_options(const Session& session) {
  const Arguments& arguments = session.arguments;
  PackOptions options;
  static_cast<RunOptions&>(options) = session.run_options();
  options.exclude = arguments.texts(OptionId::exclude);
  options.include = arguments.texts(OptionId::include);
  options.follow = arguments.has(OptionId::follow);
  options.one_file_system = arguments.has(OptionId::one_file_system);
  options.xattrs = !arguments.has(OptionId::no_xattrs);
  options.level = static_cast<int>(arguments.number(OptionId::level).value_or(kLevelDefault));
  options.block_size = arguments.number(OptionId::block_size).value_or(0);
  options.force = arguments.has(OptionId::force);
  options.base = arguments.text(OptionId::base).value_or("");
  options.parity_ppm = static_cast<std::uint32_t>(arguments.number(OptionId::parity).value_or(kParityDefault));
  return options;
}

// The paths of the command line and of --files-from, from operand `first` on.
Result<std::vector<std::string>> named_paths(const Session& session, std::size_t first) {
  const auto& operands = session.arguments.operands();
  std::vector<std::string> paths(operands.begin() + static_cast<std::ptrdiff_t>(std::min(first, operands.size())),
                                 operands.end());
  if (const auto list = session.arguments.text(OptionId::files_from)) {
    MMH_LET(std::vector<std::string> more,
            read_path_list(*list, session.arguments.has(OptionId::null), session.streams.in));
    paths.insert(paths.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    if (paths.empty()) return fail(Errc::usage, fmt::format("'{}' names no paths", printable(*list)));
  }
  return paths;
}

void add_classes(JsonObject& object, const std::vector<ClassTotals>& classes) {
  std::vector<JsonObject> items;
  for (const ClassTotals& totals : classes) {
    items.push_back(JsonObject()
                        .add("name", totals.name)
                        .add("files", totals.files)
                        .add("raw_bytes", totals.raw_bytes)
                        .add("stored_bytes", totals.stored_bytes));
  }
  object.add("classes", items);
}

Status report(Session& session, const std::string& output, const PackSummary& summary, bool appended, double seconds) {
  const std::string root = to_hex(summary.root);
  std::string line =
      appended ? fmt::format("{}: {} added, {} written; ", printable(output),
                             format_count(summary.files, "file", "files"), format_size(summary.written_bytes))
               : fmt::format("{}: {}, {} -> {} ({}), ", printable(output), format_count(summary.files, "file", "files"),
                             format_size(summary.content_bytes), format_size(summary.pack_bytes),
                             format_ratio(summary.content_bytes, summary.pack_bytes));
  if (summary.base_bytes > 0) line += fmt::format("{} as in the base, ", format_size(summary.base_bytes));
  line += fmt::format("{}, root {}", format_speed(summary.content_bytes, seconds), root.substr(0, 16));
  if (summary.problems > 0) line += ", " + format_count(summary.problems, "warning", "warnings");
  session.reporter.summary(line);
  JsonObject object("summary");
  object.add("command", session.arguments.command().name)
      .add_path("pack", output)
      .add("entries", summary.entries)
      .add("files", summary.files)
      .add("content_bytes", summary.content_bytes)
      .add("duplicate_bytes", summary.duplicate_bytes)
      .add("hole_bytes", summary.hole_bytes)
      .add("base_bytes", summary.base_bytes)
      .add("pack_bytes", summary.pack_bytes)
      .add("written_bytes", summary.written_bytes)
      .add("warnings", summary.problems)
      .add_seconds("seconds", seconds)
      .add("root", root);
  add_classes(object, summary.classes);
  session.reporter.json_line(object);
  return summary.problems > 0 || session.reporter.warnings() > 0 ? Status::warnings : Status::success;
}

Result<std::string> tar_output(const std::string& tar) {
  if (!tar.ends_with(".tar")) return fail(Errc::usage, "name the pack with -o FILE");
  const std::size_t slash = tar.rfind('/');
  const std::string name = slash == std::string::npos ? tar : tar.substr(slash + 1);
  return name.substr(0, name.size() - 4) + ".mmh";
}
}  // namespace

Result<Status> run_pack(Session& session) {
  const Arguments& arguments = session.arguments;
  const auto tar = arguments.text(OptionId::tar_in);
  MMH_LET(const std::vector<std::string> paths, named_paths(session, 0));
  if (tar && !paths.empty())
    return fail(Errc::usage, "--tar takes its entries from the archive; name no PATH beside it");
  if (!tar && paths.empty()) return fail(Errc::usage, "name what to pack: mmh pack PATH... -o FILE");
  if (arguments.has(OptionId::null) && !arguments.has(OptionId::files_from)) {
    return fail(Errc::usage, "--null says how --files-from ends its paths; it needs --files-from");
  }
  const std::string directory = arguments.text(OptionId::directory).value_or(".");

  std::string output;
  if (const auto named = arguments.text(OptionId::output)) {
    output = *named;
  } else if (tar) {
    MMH_LET(output, tar_output(*tar));
  } else {
    MMH_LET(output, default_output(directory, paths));
  }
  const bool to_stream = output == "-";
  if (to_stream && session.out.is_terminal()) {
    return fail(Errc::usage, "a pack is not for a terminal; send it to a file or a pipe, or name it with -o FILE");
  }

  PackOptions options = pack_options(session);
  const Clock::time_point start = Clock::now();
  Result<PackSummary> summary = fail(Errc::io, "");
  if (tar) {
    MMH_LET(const InputFile input, InputFile::open(*tar, session.streams.in));
    summary =
        create_pack_from_tar(input.fd(), to_stream ? Output{{}, session.streams.out} : Output{output, -1}, options);
  } else {
    MMH_LET(const Sources sources, resolve_sources(directory, paths));
    options.directory = sources.directory;
    const SizeScan scan(session.reporter, sources, options);
    summary = to_stream ? create_pack(sources.paths, session.streams.out, options)
                        : create_pack(sources.paths, output, options);
  }
  if (!summary) return fail(summary.error());
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return report(session, output, *summary, false, seconds);
}

Result<Status> run_append(Session& session) {
  const auto& operands = session.arguments.operands();
  if (operands.empty()) return fail(Errc::usage, "name a pack and what to add: mmh append PACK PATH...");
  const std::string& pack = operands.front();
  MMH_TRY(require_file(pack));
  if (is_protection(pack)) {
    return fail(Errc::usage, fmt::format("'{}' is a protection of files, not a pack; mmh protect takes in more files",
                                         printable(pack)));
  }
  MMH_LET(const std::vector<std::string> paths, named_paths(session, 1));
  if (paths.empty()) return fail(Errc::usage, fmt::format("name what to add to '{}'", printable(pack)));
  MMH_LET(const Sources sources, resolve_sources(session.arguments.text(OptionId::directory).value_or("."), paths));
  PackOptions options = pack_options(session);
  options.directory = sources.directory;
  const Clock::time_point start = Clock::now();
  const SizeScan scan(session.reporter, sources, options);
  MMH_LET(const PackSummary summary, append_to_pack(pack, sources.paths, options));
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return report(session, pack, summary, true, seconds);
}

}  // namespace mmh::cli
