#pragma once
// The one declarative table of commands and options. Parsing, help, man pages, completions and docs/cli.md all come
// from it.

#include <cstdint>
#include <span>
#include <string_view>

#include "exit_status.h"
#include "mmh/common.h"

namespace mmh::cli {

enum class OptionId : std::uint8_t {
  align,
  at,
  base,
  block_size,
  compare,
  count,
  data,
  deep,
  devices,
  directory,
  exclude,
  files_from,
  follow,
  force,
  forget,
  from,
  front,
  graph,
  hash,
  help,
  human,
  include,
  json,
  length,
  level,
  long_format,
  man,
  markdown,
  memory,
  no_permissions,
  no_progress,
  no_same_owner,
  no_xattrs,
  null,
  numeric_owner,
  offset,
  one_file_system,
  output,
  overwrite,
  parity,
  permissions,
  quiet,
  salvage,
  same_owner,
  seed,
  size,
  strip_components,
  svg,
  tar_in,
  tar_out,
  threads,
  time,
  undo,
  within,
  work,
  yes,
};

enum class ValueKind : std::uint8_t { none, text, choice, number, size, duration, share };
enum class Completes : std::uint8_t { nothing, files, directories };

struct OptionSpec {
  OptionId id;
  char letter = '\0';     ///< "-o"; none where 0.
  std::string_view name;  ///< "--output".
  ValueKind kind = ValueKind::none;
  std::string_view placeholder = {};        ///< What the value is called in help.
  std::string_view fallback = {};           ///< The value without the option, for help; empty: none.
  std::string_view help;                    ///< Ends with a full stop.
  std::string_view choices = {};            ///< Separated by '|'.
  std::uint64_t min = 0, max = UINT64_MAX;  ///< Of a number, size or duration.
  Completes completes = Completes::nothing;
  bool repeats = false;  ///< May be given more than once, all values count.
  bool digits = false;   ///< "-1" to "-9" stand for it as well.
};

struct Example {
  std::string_view command;
  std::string_view explanation;
};

enum class Operands : std::uint8_t {
  none,
  paths,
  packs,
  pack_then_entries,
  pack_then_paths,
  tiers,
  command,
  shell,
};

class Arguments;
struct Session;

struct CommandSpec {
  std::string_view name;
  std::string_view summary;      ///< For the list of commands; no full stop.
  std::string_view usage;        ///< The operands, as help shows them.
  std::string_view description;  ///< Paragraphs, separated by newlines.
  Operands operands;
  std::span<const OptionSpec> options;  ///< Its own; for_each_option() visits those it shares with others as well.
  std::span<const Example> examples;
  std::span<const Status> statuses;  ///< Besides success, usage, internal and interrupted.
  std::string_view synonyms;         ///< What other tools call it, separated by blanks.
  bool runs_long;                    ///< Takes --threads, --memory, --quiet and --no-progress.
  bool speaks_json;                  ///< Takes --json.
  Result<Status> (*handler)(Session&);
};

/// Those that are shown: in the overview, manuals, completions.
std::span<const CommandSpec> commands();
/// Those for developers, which work and explain themselves but are not listed.
std::span<const CommandSpec> hidden_commands();
/// Of both. Null where there is none.
const CommandSpec* find_command(std::string_view name);
/// Options of commands that run long.
std::span<const OptionSpec> long_run_options();
const OptionSpec& json_option();
const OptionSpec& help_option();
/// Visits all options of a command, in the order in which help shows them.
template <class Visitor>
void for_each_option(const CommandSpec& command, Visitor visit) {
  for (const OptionSpec& option : command.options) visit(option);
  if (command.runs_long) {
    for (const OptionSpec& option : long_run_options()) visit(option);
  }
  if (command.speaks_json) visit(json_option());
  visit(help_option());
}
/// All statuses a command may end with, in rising order.
template <class Visitor>
void for_each_status(const CommandSpec& command, Visitor visit) {
  for (const StatusSpec& spec : statuses()) {
    bool listed = spec.status == Status::success || spec.status == Status::usage || spec.status == Status::internal ||
                  spec.status == Status::interrupted || spec.status == Status::broken_pipe;
    for (const Status status : command.statuses) listed = listed || status == spec.status;
    if (listed) visit(spec);
  }
}

}  // namespace mmh::cli
