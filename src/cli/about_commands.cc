// mmh codecs, mmh version, mmh help, mmh completions.
#include <fmt/format.h>

#include <algorithm>

#include "commands.h"
#include "help.h"
#include "text.h"

namespace mmh::cli {

namespace {
Result<> refuse_operands(const Session& session) {
  const auto& operands = session.arguments.operands();
  if (operands.empty()) return {};
  return fail(Errc::usage, fmt::format("mmh {} takes no operand '{}'", session.arguments.command().name,
                                       printable(operands.front())));
}

Result<const CommandSpec*> named_command(const std::string& name) {
  const CommandSpec* const command = find_command(name);
  if (command != nullptr) return command;
  std::vector<std::string_view> names;
  for (const CommandSpec& known : commands()) names.push_back(known.name);
  const auto meant = closest(name, names);
  return fail(Errc::usage, fmt::format("there is no command '{}'; {}", printable(name),
                                       meant ? fmt::format("did you mean '{}'?", *meant) : "see `mmh help`"));
}
}  // namespace

Result<Status> run_codecs(Session& session) {
  MMH_TRY(refuse_operands(session));
  std::string text;
  for (const CodecInfo& codec : list_codecs()) {
    session.reporter.json_line(JsonObject("codec")
                                   .add("id", codec.id)
                                   .add("name", codec.name)
                                   .add("purpose", codec.purpose)
                                   .add("since_format", codec.since_format));
    text += fmt::format("{:<12} {:>3}  format {}  {}\n", codec.name, codec.id, codec.since_format, codec.purpose);
  }
  if (!session.reporter.json()) session.out.write(text);
  return Status::success;
}

Result<Status> run_version(Session& session) {
  MMH_TRY(refuse_operands(session));
  session.reporter.json_line(JsonObject("version")
                                 .add("version", version())
                                 .add("libraries", library_versions())
                                 .add("instruction_set", instruction_set()));
  if (!session.reporter.json()) {
    session.out.write(
        fmt::format("mmh {}\nlibraries: {}\ninstruction set: {}\n", version(), library_versions(), instruction_set()));
  }
  return Status::success;
}

Result<Status> run_help(Session& session) {
  const Arguments& arguments = session.arguments;
  const auto& operands = arguments.operands();
  if (operands.size() > 1) return fail(Errc::usage, "mmh help takes one command at most");
  if (arguments.has(OptionId::markdown)) {
    session.out.write(markdown_reference());
    return Status::success;
  }
  const bool man = arguments.has(OptionId::man);
  if (operands.empty()) {
    session.out.write(man ? man_page() : overview());
    return Status::success;
  }
  MMH_LET(const CommandSpec* const command, named_command(operands.front()));
  session.out.write(man ? man_page(*command) : command_help(*command));
  return Status::success;
}

Result<Status> run_completions(Session& session) {
  const auto& operands = session.arguments.operands();
  if (operands.size() != 1) return fail(Errc::usage, "name a shell: mmh completions bash|zsh|fish");
  const auto known = shells();
  if (std::find(known.begin(), known.end(), operands.front()) == known.end()) {
    const auto meant = closest(operands.front(), known);
    return fail(Errc::usage,
                fmt::format("there are completions for bash, zsh and fish, not for '{}'{}", printable(operands.front()),
                            meant ? fmt::format("; did you mean '{}'?", *meant) : ""));
  }
  session.out.write(completion_script(operands.front()));
  return Status::success;
}

}  // namespace mmh::cli
