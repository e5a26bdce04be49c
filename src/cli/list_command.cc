// mmh list.
#include <fmt/format.h>

#include <algorithm>

#include "commands.h"
#include "entry_json.h"
#include "mmh/protect.h"
#include "paths.h"
#include "text.h"

namespace mmh::cli {

namespace {
struct ListFormat {
  bool long_format, hash, human, numeric_owner, owners, printable_names;
  char end;
};

std::string owner_of(const FileInfo& file, bool numeric) {
  const auto name = [&](const std::string& text, std::uint64_t id) {
    return numeric || text.empty() ? std::to_string(id) : printable(text);
  };
  return name(file.user, file.uid) + "/" + name(file.group, file.gid);
}

std::string size_of(const FileInfo& file, bool human) {
  switch (file.type) {
    case FileType::character_device:
    case FileType::block_device:
      return fmt::format("{},{}", file.device_major, file.device_minor);
    case FileType::regular:
      return human ? format_size(file.size) : std::to_string(file.size);
    default:
      return human ? "-" : "0";
  }
}

std::string line_of(const FileInfo& file, const ListFormat& format) {
  const auto name = [&](const std::string& path) { return format.printable_names ? printable(path) : path; };
  std::string line;
  if (format.long_format) {
    line += fmt::format("{} {:<13} {:>11} {} ", format_mode(file.type, file.mode),
                        format.owners ? owner_of(file, format.numeric_owner) : "-", size_of(file, format.human),
                        format_local_time(file.mtime_seconds));
  }
  if (format.hash) line += fmt::format("{:<64}  ", file.hash ? to_hex(*file.hash) : "-");
  line += name(file.path);
  if (format.long_format && file.type == FileType::directory) line += '/';
  if (format.long_format && file.type == FileType::symlink) line += " -> " + name(file.link);
  if (format.long_format && file.type == FileType::hard_link) line += " link to " + name(file.link);
  return line + format.end;
}
}  // namespace

Result<Status> run_list(Session& session) {
  const Arguments& arguments = session.arguments;
  MMH_LET(const PackOperand operand, session.pack_operand());
  const bool null = arguments.has(OptionId::null);
  const ListFormat format = {
      .long_format = arguments.has(OptionId::long_format),
      .hash = arguments.has(OptionId::hash),
      .human = arguments.has(OptionId::human),
      .numeric_owner = arguments.has(OptionId::numeric_owner),
      // A protection brings back content, and keeps no owners.
      .owners = operand.pack == "-" || !is_protection(operand.pack),
      // As ls does: a terminal must not be steered by a file's name, a program wants it as it is.
      .printable_names = session.out.is_terminal() && !null,
      .end = null ? '\0' : '\n'};
  const bool json = session.reporter.json();
  const auto show = [&](const FileInfo& file) -> Result<bool> {
    MMH_TRY(check_cancelled(&session.cancel));
    if (json) {
      JsonObject object("entry");
      add_entry(object, file, format.owners);
      session.reporter.json_line(object);
    } else {
      session.out.write(line_of(file, format));
    }
    MMH_TRY(session.out.check());
    return true;
  };
  if (!format.owners) {
    MMH_TRY(list_protection(operand.pack, [&](const FileInfo& file) -> Result<bool> {
      const bool chosen = operand.rest.empty() || std::ranges::any_of(operand.rest, [&](const std::string& pattern) {
                            return matches(entry_pattern(pattern), file.path);
                          });
      return chosen ? show(file) : Result<bool>(true);
    }));
    return Status::success;
  }
  MMH_LET(const Pack pack, session.open_pack(operand.pack));
  MMH_LET(const Selection selection, Selection::make(pack, operand.rest));
  MMH_TRY(selection.visit(pack, show));
  return Status::success;
}

}  // namespace mmh::cli
