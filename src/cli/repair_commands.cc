// mmh repair, mmh parity, mmh rebase.
#include <fmt/format.h>

#include <chrono>

#include "commands.h"
#include "entry_json.h"
#include "input.h"
#include "mmh/protect.h"
#include "protect_command.h"
#include "text.h"

namespace mmh::cli {

namespace {
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::string repair_line(const Session& session, const std::string& path, const std::string& output,
                        const RepairSummary& summary) {
  const auto green = [&](std::string_view text) { return session.reporter.colored(Color::green, text); };
  if (summary.was_sound) return fmt::format("{}: {}, nothing to mend", printable(path), green("sound"));
  const std::string root = to_hex(summary.root).substr(0, 16);
  if (summary.anew) {
    return fmt::format("{}: {}, a new pack of {} with the content of {} from the originals, root {}", printable(output),
                       green("written"), format_size(summary.pack_bytes),
                       format_count(summary.refilled_blocks, "lost block", "lost blocks"), root);
  }
  std::string line = fmt::format("{}: {}{}: {} of {} mended", printable(path), green("healed"),
                                 output.empty() ? "" : fmt::format(" in {}", printable(output)),
                                 format_size(summary.bytes), format_size(summary.pack_bytes));
  if (summary.moved) line += ", bytes put back in place";
  if (summary.refilled_blocks > 0) {
    line += fmt::format(", {} made again from copies and originals",
                        format_count(summary.refilled_blocks, "block", "blocks"));
  }
  return line + ", root " + root;
}

Result<Status> repair_one(Session& session, const std::string& path) {
  const Arguments& arguments = session.arguments;
  MMH_TRY(require_file(path));
  if (is_protection(path)) return repair_protected(session, path);
  if (arguments.has(OptionId::directory) || arguments.has(OptionId::undo)) {
    return fail(Errc::usage, fmt::format("-C and --undo are for protections; '{}' is none", printable(path)));
  }
  RepairOptions options;
  static_cast<RunOptions&>(options) = session.run_options();
  options.output = arguments.text(OptionId::output).value_or("");
  options.force = arguments.has(OptionId::force);
  options.from = arguments.texts(OptionId::from);
  options.mended = [&](std::uint64_t offset, std::uint64_t length) {
    session.reporter.finish();
    session.reporter.json_line(JsonObject("mended").add_path("pack", path).add("offset", offset).add("length", length));
    if (!session.reporter.json()) {
      session.out.write(fmt::format("{}: bytes {} to {}: mended\n", printable(path), offset, offset + length));
    }
  };
  const Clock::time_point start = Clock::now();
  MMH_LET(const RepairSummary summary, repair_pack(path, options));
  const double seconds = seconds_since(start);
  session.reporter.finish();
  const std::string root = to_hex(summary.root);
  session.reporter.summary(repair_line(session, path, options.output, summary));
  session.reporter.json_line(JsonObject("summary")
                                 .add("command", "repair")
                                 .add_path("pack", path)
                                 .add("was_sound", summary.was_sound)
                                 .add("ranges", summary.ranges)
                                 .add("bytes", summary.bytes)
                                 .add("pack_bytes", summary.pack_bytes)
                                 .add("moved", summary.moved)
                                 .add("refilled_blocks", summary.refilled_blocks)
                                 .add("anew", summary.anew)
                                 .add_seconds("seconds", seconds)
                                 .add("root", root));
  return Status::success;
}

Result<Status> rebase_one(Session& session, const std::string& path) {
  RebaseOptions options;
  static_cast<RunOptions&>(options) = session.run_options();
  options.output = session.arguments.text(OptionId::output).value_or("");
  options.force = session.arguments.has(OptionId::force);
  const Clock::time_point start = Clock::now();
  MMH_LET(const RebaseSummary summary, rebase_pack(path, options));
  const double seconds = seconds_since(start);
  session.reporter.finish();
  const std::string root = to_hex(summary.root);
  const std::string& written = options.output.empty() ? path : options.output;
  session.reporter.summary(summary.blocks == 0
                               ? fmt::format("{}: stands alone, root {}", printable(written), root.substr(0, 16))
                               : fmt::format("{}: stands alone now, {} made anew, {} -> {}, root {}",
                                             printable(written), format_count(summary.blocks, "block", "blocks"),
                                             format_size(summary.pack_bytes_before), format_size(summary.pack_bytes),
                                             root.substr(0, 16)));
  session.reporter.json_line(JsonObject("summary")
                                 .add("command", "rebase")
                                 .add_path("pack", written)
                                 .add("blocks", summary.blocks)
                                 .add("pack_bytes_before", summary.pack_bytes_before)
                                 .add("pack_bytes", summary.pack_bytes)
                                 .add_seconds("seconds", seconds)
                                 .add("root", root));
  return Status::success;
}

Result<Status> set_one(Session& session, const std::string& path, std::uint32_t ppm) {
  MMH_TRY(require_file(path));
  if (is_protection(path)) {
    return fail(Errc::usage,
                fmt::format("'{}' is a protection of files; mmh protect --parity changes it", printable(path)));
  }
  const Clock::time_point start = Clock::now();
  MMH_LET(const ParityInfo parity, set_parity(path, ppm, session.run_options()));
  const double seconds = seconds_since(start);
  MMH_LET(const Pack pack, Pack::open(path));
  session.reporter.finish();
  session.reporter.summary(ppm == 0 ? fmt::format("{}: parity removed", printable(path))
                                    : fmt::format("{}: parity {}, {}: {}", printable(path), format_share(ppm),
                                                  format_size(parity.stored_bytes), format_promise(parity)));
  JsonObject summary("summary");
  summary.add("command", "parity").add_path("pack", path).add("parity_ppm", std::uint64_t{ppm});
  add_promise(summary, parity);
  session.reporter.json_line(summary.add_seconds("seconds", seconds).add("root", to_hex(pack.info().root)));
  return Status::success;
}

// Goes on behind a pack that fails; the first failure's status counts.
template <class Work>
Result<Status> for_each(Session& session, std::span<const std::string> packs, Work work) {
  if (packs.size() == 1) return work(packs.front());
  Status status = Status::success;
  for (const std::string& path : packs) {
    const Result<Status> result = work(path);
    if (!result && result.error().code == Errc::cancelled) return fail(result.error());
    if (!result) {
      const Error& error = result.error();
      session.reporter.error(errc_name(error.code), error.what, static_cast<int>(status_of(error.code)));
    }
    if (status == Status::success) status = result ? *result : status_of(result.error().code);
    MMH_TRY(session.out.check());
  }
  return status;
}

// A command, by its name, that changes each pack in place or writes one anew under the name of -o.
Result<Status> change_packs(Session& session, std::string_view command,
                            Result<Status> (*change)(Session&, const std::string&)) {
  const auto& packs = session.arguments.operands();
  if (packs.empty()) return fail(Errc::usage, fmt::format("name a pack: mmh {} PACK", command));
  if (packs.size() > 1 && session.arguments.has(OptionId::output)) {
    return fail(Errc::usage, fmt::format("-o names one output; {} one pack at a time", command));
  }
  return for_each(session, packs, [&](const std::string& path) { return change(session, path); });
}
}  // namespace

Result<Status> run_repair(Session& session) { return change_packs(session, "repair", repair_one); }

Result<Status> run_rebase(Session& session) { return change_packs(session, "rebase", rebase_one); }

Result<Status> run_parity(Session& session) {
  const auto& operands = session.arguments.operands();
  if (operands.size() < 3 || operands[0] != "set") {
    return fail(Errc::usage, "say what to set: mmh parity set P% PACK");
  }
  MMH_LET(const std::uint64_t ppm, parse_share(operands[1]));
  if (ppm > kParityMax) return fail(Errc::usage, "parity is at most 50%; for more, keep a second copy");
  return for_each(session, std::span(operands).subspan(2),
                  [&](const std::string& path) { return set_one(session, path, static_cast<std::uint32_t>(ppm)); });
}

}  // namespace mmh::cli
