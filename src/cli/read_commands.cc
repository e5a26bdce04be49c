// mmh verify, mmh cat, mmh info.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

#include "commands.h"
#include "entry_json.h"
#include "mmh/protect.h"
#include "paths.h"
#include "protect_command.h"
#include "text.h"

namespace mmh::cli {

namespace {
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// The status that stays when several packs are worked on: the worst, and damage above all.
Status worse(Status a, Status b) {
  if (a == Status::damage || b == Status::damage) return Status::damage;
  return std::max(a, b);
}

void report_damage(Session& session, const std::string& name, const VerifySummary& summary) {
  for (const DamagedRange& range : summary.damage) {
    session.reporter.json_line(JsonObject("damage")
                                   .add_path("pack", name)
                                   .add("offset", range.offset)
                                   .add("length", range.length)
                                   .add("what", range.what));
  }
  for (const std::string& path : summary.files_damaged) {
    session.reporter.json_line(JsonObject("damaged_file").add_path("pack", name).add_path("path", path));
  }
  if (session.reporter.json()) return;
  for (const DamagedRange& range : summary.damage) {
    // What is lost together with the index has no known place.
    const std::string place =
        range.length == 0 ? "" : fmt::format("bytes {} to {}: ", range.offset, range.offset + range.length);
    session.out.write(fmt::format("{}: {}{}\n", printable(name), place, range.what));
  }
  if (summary.damage_count > summary.damage.size()) {
    session.out.write(fmt::format("{}: and {} more\n", printable(name),
                                  format_count(summary.damage_count - summary.damage.size(), "place", "places")));
  }
  if (summary.healable) return;
  for (const std::string& path : summary.files_damaged) {
    session.out.write(fmt::format("{}: damaged: {}\n", printable(name), printable(path)));
  }
  if (summary.files_damaged_count > summary.files_damaged.size()) {
    const std::uint64_t more = summary.files_damaged_count - summary.files_damaged.size();
    const std::string count = format_count(more, "damaged file", "damaged files");
    session.out.write(summary.files_damaged.empty() ? fmt::format("{}: {}\n", printable(name), count)
                                                    : fmt::format("{}: and {} more\n", printable(name), count));
  }
}

Result<Status> verify_one(Session& session, const std::string& path, bool deep) {
  if (is_protection(path)) return verify_protected(session, path);
  if (session.arguments.has(OptionId::directory)) {
    return fail(Errc::usage, fmt::format("-C says where the files of a protection are; '{}' is none", printable(path)));
  }
  const Clock::time_point start = Clock::now();
  MMH_LET(const Pack pack, session.open_pack(path, ""));
  const RunOptions options = session.run_options();
  MMH_LET(const VerifySummary summary, pack.verify(deep, options));
  const double seconds = seconds_since(start);
  session.reporter.finish();
  report_damage(session, path, summary);
  const std::string verdict = summary.sound      ? session.reporter.colored(Color::green, "sound")
                              : summary.healable ? session.reporter.colored(Color::yellow, "damaged but healable")
                                                 : session.reporter.colored(Color::red, "DAMAGED");
  const std::string places =
      summary.sound ? "" : fmt::format("{}, ", format_count(summary.damage_count, "place", "places"));
  std::string line = fmt::format("{}: {}: {}{} in {} checked", printable(path), verdict, places,
                                 format_size(summary.bytes), format_count(summary.blocks, "block", "blocks"));
  if (deep) line += fmt::format(", {} decoded", format_count(summary.files, "file", "files"));
  line += ", " + format_speed(summary.bytes, seconds);
  if (summary.healable) line += fmt::format("; run mmh repair {}", shell_word(path));
  session.reporter.summary(line);
  session.reporter.json_line(JsonObject("summary")
                                 .add("command", "verify")
                                 .add_path("pack", path)
                                 .add("sound", summary.sound)
                                 .add("healable", summary.healable)
                                 .add("deep", deep)
                                 .add("bytes", summary.bytes)
                                 .add("blocks", summary.blocks)
                                 .add("files", summary.files)
                                 .add("damage_count", summary.damage_count)
                                 .add("files_damaged_count", summary.files_damaged_count)
                                 .add_seconds("seconds", seconds)
                                 .add("root", to_hex(pack.info().root)));
  if (summary.sound) return Status::success;
  return summary.healable ? Status::healable : Status::damage;
}

Result<> cat_one(Session& session, const Pack& pack, const std::string& path) {
  MMH_LET(const std::optional<FileInfo> file, pack.find(path));
  const std::string place = fmt::format("{}: '{}'", printable(pack.info().name), printable(path));
  if (!file) return fail(Errc::not_found, fmt::format("{} is not in it; `mmh list` shows what is", place));
  if (file->type != FileType::regular && file->type != FileType::hard_link) {
    return fail(Errc::usage, fmt::format("{} is a {}, which has no content", place, type_name(file->type)));
  }
  const auto write = [&](ByteView bytes) -> Result<> {
    MMH_TRY(check_cancelled(&session.cancel));
    session.out.write(as_text(bytes));
    return session.out.check();
  };
  const Arguments& arguments = session.arguments;
  if (!arguments.has(OptionId::offset) && !arguments.has(OptionId::length)) return pack.stream(path, write);
  std::uint64_t offset = arguments.number(OptionId::offset).value_or(0);
  std::uint64_t left = arguments.number(OptionId::length).value_or(UINT64_MAX);
  Buffer piece(std::size_t{1} << 20);
  while (left > 0) {
    const Bytes wanted = Bytes(piece).first(static_cast<std::size_t>(std::min<std::uint64_t>(left, piece.size())));
    MMH_LET(const std::size_t count, pack.read(path, offset, wanted));
    if (count == 0) break;
    MMH_TRY(write(wanted.first(count)));
    offset += count;
    left -= count;
  }
  return {};
}

std::string plural_list(const PackStatistics& statistics) {
  std::string text = format_count(statistics.files, "file", "files");
  const auto more = [&](std::uint64_t count, std::string_view one, std::string_view many) {
    if (count > 0) text += ", " + format_count(count, one, many);
  };
  more(statistics.directories, "directory", "directories");
  more(statistics.symlinks, "symlink", "symlinks");
  more(statistics.hard_links, "hard link", "hard links");
  more(statistics.others, "device or FIFO", "devices and FIFOs");
  return text;
}

std::string info_text(const std::string& path, const PackInfo& info, const std::vector<BaseInfo>& bases,
                      const PackStatistics& statistics) {
  std::string text = printable(path) + "\n";
  const auto line = [&](std::string_view name, std::string_view value) {
    text += fmt::format("  {:<10} {}\n", name, value);
  };
  line("root", to_hex(info.root));
  for (std::size_t i = 0; i < bases.size(); ++i) {
    const BaseInfo& base = bases[i];
    const std::string where =
        base.missing.empty() ? fmt::format("{}, {}", printable(base.path), format_size(base.pack_bytes)) : "NOT FOUND";
    line(i == 0 ? "base" : "its base",
         fmt::format("{} ({}), root {}", printable(base.name), where, to_hex(base.root).substr(0, 16)));
  }
  line("size",
       fmt::format("{} -> {} ({}), {}", format_size(info.content_bytes), format_size(info.pack_bytes),
                   format_ratio(info.content_bytes, info.pack_bytes), format_count(info.blocks, "block", "blocks")));
  line("entries", plural_list(statistics));
  line("stored",
       fmt::format("data {}, manifest {}, index {}", format_size(statistics.data_stored_bytes),
                   format_size(statistics.manifest_stored_bytes), format_size(statistics.index_stored_bytes)));
  if (const DictionaryTotals& shared = statistics.dictionaries; shared.dictionaries > 0) {
    std::string text_of = fmt::format("{}, {}", format_count(shared.dictionaries, "dictionary", "dictionaries"),
                                      format_size(shared.stored_bytes));
    if (shared.blocks_tried > 0) {
      text_of +=
          fmt::format("; without, {} tried would take {}, not {}", format_count(shared.blocks_tried, "block", "blocks"),
                      format_size(shared.tried_bytes_without), format_size(shared.tried_bytes_with));
    }
    line("shared", text_of);
  }
  if (info.parity.loss_ppm > 0) {
    line("parity", fmt::format("{}: {}", format_share(info.parity.loss_ppm), format_promise(info.parity)));
  } else {
    line("parity", "none; mmh parity set 1% adds it");
  }
  if (info.superseded_bytes > 0) line("unused", format_size(info.superseded_bytes) + " behind the newest footer");
  line("format", fmt::format("{}, written by {} at level {}", info.format_version, info.writer, info.level));
  if (info.generation > 0) line("appended", format_count(info.generation, "time", "times"));
  line("libraries", fmt::format("{}", fmt::join(info.libraries, ", ")));
  Table codecs({"codec", "blocks", "raw", "stored", "ratio"});
  for (const CodecTotals& totals : statistics.codecs) {
    codecs.add({totals.graph, format_count(totals.blocks), format_size(totals.raw_bytes),
                format_size(totals.stored_bytes), format_ratio(totals.raw_bytes, totals.stored_bytes)});
  }
  if (codecs.has_rows()) text += "\n" + codecs.str("  ");
  Table types({"type", "files", "content", "stored", "ratio"});
  for (const ClassTotals& totals : statistics.types) {
    types.add({printable(totals.name), format_count(totals.files), format_size(totals.raw_bytes),
               format_size(totals.stored_bytes), format_ratio(totals.raw_bytes, totals.stored_bytes)});
  }
  if (types.has_rows()) text += "\n" + types.str("  ");
  return text;
}

JsonObject info_json(const std::string& path, const PackInfo& info, const std::vector<BaseInfo>& bases,
                     const PackStatistics& statistics) {
  JsonObject object("info");
  object.add_path("pack", path)
      .add("root", to_hex(info.root))
      .add("format_version", info.format_version)
      .add("writer", info.writer)
      .add("libraries", info.libraries)
      .add("level", info.level)
      .add("generation", info.generation)
      .add("pack_bytes", info.pack_bytes)
      .add("superseded_bytes", info.superseded_bytes)
      .add("parity_ppm", std::uint64_t{info.parity.loss_ppm});
  add_promise(object, info.parity);
  object.add("content_bytes", info.content_bytes)
      .add("blocks", info.blocks)
      .add("entries", info.entries)
      .add("files", statistics.files)
      .add("directories", statistics.directories)
      .add("symlinks", statistics.symlinks)
      .add("hard_links", statistics.hard_links)
      .add("others", statistics.others)
      .add("data_raw_bytes", statistics.data_raw_bytes)
      .add("data_stored_bytes", statistics.data_stored_bytes)
      .add("manifest_stored_bytes", statistics.manifest_stored_bytes)
      .add("index_stored_bytes", statistics.index_stored_bytes)
      .add("dictionaries", statistics.dictionaries.dictionaries)
      .add("dictionaries_stored_bytes", statistics.dictionaries.stored_bytes)
      .add("dictionary_blocks_tried", statistics.dictionaries.blocks_tried)
      .add("dictionary_tried_bytes_with", statistics.dictionaries.tried_bytes_with)
      .add("dictionary_tried_bytes_without", statistics.dictionaries.tried_bytes_without);
  std::vector<JsonObject> chain, codecs, types;
  for (const BaseInfo& base : bases) {
    chain.push_back(JsonObject()
                        .add_path("name", base.name)
                        .add("root", to_hex(base.root))
                        .add("found", base.missing.empty())
                        .add_path("path", base.path)
                        .add("pack_bytes", base.pack_bytes));
  }
  for (const CodecTotals& totals : statistics.codecs) {
    codecs.push_back(JsonObject()
                         .add("codec", totals.graph)
                         .add("blocks", totals.blocks)
                         .add("raw_bytes", totals.raw_bytes)
                         .add("stored_bytes", totals.stored_bytes));
  }
  for (const ClassTotals& totals : statistics.types) {
    types.push_back(JsonObject()
                        .add_path("name", totals.name)
                        .add("files", totals.files)
                        .add("raw_bytes", totals.raw_bytes)
                        .add("stored_bytes", totals.stored_bytes));
  }
  object.add("bases", chain).add("codecs", codecs).add("types", types);
  return object;
}

Result<Status> info_one(Session& session, const std::string& path) {
  if (is_protection(path)) {
    MMH_TRY(show_protection(session, path));
    return Status::success;
  }
  MMH_LET(const Pack pack, session.open_pack(path));
  MMH_LET(const PackStatistics statistics, pack.statistics());
  if (session.reporter.json()) {
    session.reporter.json_line(info_json(path, pack.info(), pack.bases(), statistics));
  } else {
    session.out.write(info_text(path, pack.info(), pack.bases(), statistics));
  }
  return Status::success;
}

Result<> show_programs_of(Session& session, const std::string& pack_path, const Pack& pack,
                          std::optional<std::string_view> path) {
  MMH_LET(const std::vector<ProgramTotals> programs, pack.programs(path));
  if (session.reporter.json()) {
    std::vector<JsonObject> list;
    for (const ProgramTotals& totals : programs) {
      list.push_back(JsonObject()
                         .add("program", totals.program)
                         .add("blocks", totals.blocks)
                         .add("raw_bytes", totals.raw_bytes)
                         .add("stored_bytes", totals.stored_bytes));
    }
    JsonObject object("graph");
    object.add_path("pack", pack_path);
    if (path) object.add_path("path", std::string(*path));
    session.reporter.json_line(object.add("programs", list));
    return {};
  }
  Table table({"program", "blocks", "raw", "stored", "ratio"});
  for (const ProgramTotals& totals : programs) {
    table.add({totals.program, format_count(totals.blocks), format_size(totals.raw_bytes),
               format_size(totals.stored_bytes), format_ratio(totals.raw_bytes, totals.stored_bytes)});
  }
  session.out.write(printable(path ? *path : std::string_view(pack_path)) + "\n");
  if (table.has_rows()) session.out.write(table.str("  "));
  return {};
}

Result<Status> show_programs(Session& session) {
  const std::vector<std::string>& operands = session.arguments.operands();
  if (operands.empty()) return fail(Errc::usage, "mmh info --graph takes a pack");
  MMH_LET(const Pack pack, session.open_pack(operands[0]));
  if (operands.size() == 1) MMH_TRY(show_programs_of(session, operands[0], pack, std::nullopt));
  for (std::size_t i = 1; i < operands.size(); ++i) {
    MMH_TRY(show_programs_of(session, operands[0], pack, operands[i]));
  }
  return Status::success;
}

// Works on every pack named, even if one of them fails; its error is told and counts for the status.
template <class Work>
Result<Status> for_each_pack(Session& session, Work work) {
  std::vector<std::string> packs = session.arguments.operands();
  if (packs.empty()) {
    MMH_LET(PackOperand operand, session.pack_operand());
    packs.push_back(std::move(operand.pack));
  }
  if (packs.size() == 1) return work(packs.front());
  Status status = Status::success;
  for (const std::string& path : packs) {
    const Result<Status> result = work(path);
    if (!result && result.error().code == Errc::cancelled) return fail(result.error());
    if (!result) {
      const Error& error = result.error();
      session.reporter.error(errc_name(error.code), error.what, static_cast<int>(status_of(error.code)));
    }
    status = worse(status, result ? *result : status_of(result.error().code));
    MMH_TRY(session.out.check());
  }
  return status;
}
}  // namespace

Result<Status> run_verify(Session& session) {
  const bool deep = session.arguments.has(OptionId::deep);
  return for_each_pack(session, [&](const std::string& path) { return verify_one(session, path, deep); });
}

Result<Status> run_cat(Session& session) {
  MMH_LET(const PackOperand operand, session.pack_operand());
  if (operand.rest.empty()) {
    return fail(Errc::usage, fmt::format("name a file of '{}'; `mmh list` shows them", printable(operand.pack)));
  }
  MMH_LET(const Pack pack, session.open_pack(operand.pack));
  for (const std::string& path : operand.rest) MMH_TRY(cat_one(session, pack, entry_pattern(path)));
  return Status::success;
}

Result<Status> run_info(Session& session) {
  if (session.arguments.has(OptionId::graph)) return show_programs(session);
  return for_each_pack(session, [&](const std::string& path) { return info_one(session, path); });
}

}  // namespace mmh::cli
