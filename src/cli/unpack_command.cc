// mmh unpack.
#include <fmt/format.h>

#include <chrono>
#include <optional>

#include "commands.h"
#include "input.h"
#include "text.h"

namespace mmh::cli {

namespace {
using Clock = std::chrono::steady_clock;

OverwritePolicy overwrite_policy(const Arguments& arguments) {
  const std::string when = arguments.text(OptionId::overwrite).value_or("never");
  if (when == "ask") return OverwritePolicy::ask;
  if (when == "always") return OverwritePolicy::always;
  if (when == "newer") return OverwritePolicy::newer;
  return OverwritePolicy::never;
}

// Nothing where neither is given; `no` wins.
std::optional<bool> yes_no(const Arguments& arguments, OptionId yes, OptionId no) {
  if (arguments.has(no)) return false;
  return arguments.has(yes) ? std::optional(true) : std::nullopt;
}

// Asks about each existing file until the answer is for all.
class Questions {
 public:
  explicit Questions(Session& session) : session_(session) {}

  bool replace(std::string_view path) {
    if (for_all_) return *for_all_;
    if (session_.cancel.is_set()) return false;
    session_.reporter.finish();
    const auto answer =
        ask_on_terminal(fmt::format("{} exists; replace it? [y]es, [N]o, [a]ll, [q]uit asking: ", printable(path)));
    if (!answer || *answer == 'q') for_all_ = false;
    if (answer && *answer == 'a') for_all_ = true;
    return for_all_ ? *for_all_ : *answer == 'y';
  }

 private:
  Session& session_;
  std::optional<bool> for_all_;
};

// The gravest of what kept entries from being restored.
Status status_of_problems(const Session& session, const UnpackSummary& summary) {
  const Reporter& reporter = session.reporter;
  if (summary.damaged > 0 || reporter.warned_of(Errc::corrupt)) return Status::damage;
  if (reporter.warned_of(Errc::unsafe)) return Status::unsafe;
  if (reporter.warned_of(Errc::not_found)) return Status::not_found;
  if (reporter.warned_of(Errc::exists)) return Status::exists;
  return summary.problems > 0 || reporter.warnings() > 0 ? Status::warnings : Status::success;
}
}  // namespace

Result<Status> run_unpack(Session& session) {
  const Arguments& arguments = session.arguments;
  MMH_LET(const PackOperand operand, session.pack_operand());
  const bool to_tar = arguments.has(OptionId::tar_out);
  if (to_tar && session.out.is_terminal()) {
    return fail(Errc::usage, "a tar archive is not for a terminal; send it to a file or a pipe");
  }
  UnpackOptions options;
  static_cast<RunOptions&>(options) = session.run_options();
  options.directory = arguments.text(OptionId::directory).value_or(".");
  options.patterns = operand.rest;
  options.exclude = arguments.texts(OptionId::exclude);
  options.strip_components = static_cast<unsigned>(arguments.number(OptionId::strip_components).value_or(0));
  options.overwrite = overwrite_policy(arguments);
  options.permissions = yes_no(arguments, OptionId::permissions, OptionId::no_permissions);
  options.owners = yes_no(arguments, OptionId::same_owner, OptionId::no_same_owner);
  options.numeric_owners = arguments.has(OptionId::numeric_owner);
  options.devices = arguments.has(OptionId::devices);
  options.xattrs = !arguments.has(OptionId::no_xattrs);
  Questions questions(session);
  if (options.overwrite == OverwritePolicy::ask && !to_tar) {
    if (!has_controlling_terminal()) {
      return fail(Errc::usage, "--overwrite ask needs a terminal; choose never, always or newer");
    }
    options.ask = [&](std::string_view path) { return questions.replace(path); };
  }

  const Clock::time_point start = Clock::now();
  const bool salvage = arguments.has(OptionId::salvage);
  if (salvage && operand.pack == "-") return fail(Errc::usage, "--salvage needs a file, not a pipe");
  MMH_LET(const Pack pack,
          salvage ? Pack::salvage(operand.pack, session.run_options()) : session.open_pack(operand.pack));
  MMH_LET(const UnpackSummary summary, to_tar ? pack.write_tar(session.streams.out, options) : pack.unpack(options));
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();

  std::string line = fmt::format("{}: {}, {}, {}", to_tar ? "tar" : printable(options.directory),
                                 format_count(summary.files, "file", "files"), format_size(summary.bytes),
                                 format_speed(summary.bytes, seconds));
  if (summary.kept > 0) line += fmt::format(", {} kept as they were", format_count(summary.kept));
  if (summary.problems > 0) line += ", " + format_count(summary.problems, "warning", "warnings");
  if (summary.damaged > 0) line += ", " + format_count(summary.damaged, "damaged entry", "damaged entries");
  session.reporter.summary(line);
  session.reporter.json_line(JsonObject("summary")
                                 .add("command", "unpack")
                                 .add_path("pack", operand.pack)
                                 .add("entries", summary.entries)
                                 .add("files", summary.files)
                                 .add("content_bytes", summary.bytes)
                                 .add("kept", summary.kept)
                                 .add("damaged", summary.damaged)
                                 .add("warnings", summary.problems)
                                 .add_seconds("seconds", seconds)
                                 .add("root", to_hex(pack.info().root)));
  return status_of_problems(session, summary);
}

}  // namespace mmh::cli
