// Completion scripts for bash, zsh and fish.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "arguments.h"
#include "bench_tiers.h"
#include "help.h"

namespace mmh::cli {

namespace {
constexpr std::array<std::string_view, 3> kShells = {"bash", "zsh", "fish"};

std::string joined(std::span<const std::string_view> words) { return fmt::format("{}", fmt::join(words, " ")); }

std::string command_names() {
  std::vector<std::string_view> names;
  for (const CommandSpec& command : commands()) names.push_back(command.name);
  return joined(names);
}

std::string tier_names() {
  std::string names = "all";
  for (const Tier& tier : tiers()) names += fmt::format(" {}", tier.name);
  return names;
}

std::string spaced(std::string_view choices) {
  std::string text(choices);
  std::replace(text.begin(), text.end(), '|', ' ');
  return text;
}

// For single quotes in a shell.
std::string quoted(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out;
}

std::string bash_options(const CommandSpec& command) {
  std::string words;
  for_each_option(command, [&](const OptionSpec& option) {
    words += fmt::format("{}--{}", words.empty() ? "" : " ", option.name);
    if (option.letter != '\0') words += fmt::format(" -{}", option.letter);
  });
  return words;
}

std::string bash_values(const CommandSpec& command) {
  std::string cases;
  for_each_option(command, [&](const OptionSpec& option) {
    if (option.kind == ValueKind::none) return;
    std::string action = "return";
    if (option.kind == ValueKind::choice) {
      action = fmt::format("mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$cur\"); return", spaced(option.choices));
    } else if (option.completes == Completes::files) {
      action = "mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return";
    } else if (option.completes == Completes::directories) {
      action = "mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); return";
    }
    const std::string letter = option.letter != '\0' ? fmt::format("-{}|", option.letter) : "";
    cases += fmt::format("        {}--{}) {} ;;\n", letter, option.name, action);
  });
  return cases;
}

std::string bash_operands(const CommandSpec& command) {
  switch (command.operands) {
    case Operands::none:
      return "";
    case Operands::paths:
      return "mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")";
    case Operands::packs:
      return "_mmh_packs";
    case Operands::pack_then_entries:
      return "if [ -z \"$pack\" ]; then _mmh_packs; else _mmh_entries \"$pack\"; fi";
    case Operands::pack_then_paths:
      return "if [ -z \"$pack\" ]; then _mmh_packs; else mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); fi";
    case Operands::tiers:
      return fmt::format("mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$cur\")", tier_names());
    case Operands::command:
      return fmt::format("mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$cur\")", command_names());
    case Operands::shell:
      return fmt::format("mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$cur\")", joined(kShells));
  }
  return "";
}

std::string bash_script() {
  std::string text =
      "# bash completion for mmh; made by `mmh completions bash`.\n"
      "_mmh_packs() {\n"
      "  compopt -o plusdirs 2>/dev/null\n"
      "  mapfile -t COMPREPLY < <(compgen -f -X '!*.mmh' -- \"$cur\")\n"
      "}\n"
      "# Entries of a pack. Names are data: they must not pass through compgen -W, which would expand them.\n"
      "_mmh_entries() {\n"
      "  local name\n"
      "  while IFS= read -r -d '' name; do\n"
      "    if [[ $name == \"$cur\"* ]]; then COMPREPLY+=(\"$name\"); fi\n"
      "  done < <(mmh list --null -- \"$1\" 2>/dev/null | head -z -n 10000)\n"
      "}\n"
      "_mmh() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} pack= word\n"
      "  COMPREPLY=()\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n";
  text += fmt::format("    mapfile -t COMPREPLY < <(compgen -W '{} --help --version' -- \"$cur\")\n", command_names());
  text +=
      "    return\n"
      "  fi\n"
      "  for word in \"${COMP_WORDS[@]:2:COMP_CWORD-2}\"; do\n"
      "    if [ -z \"$pack\" ] && [ -f \"$word\" ]; then pack=$word; fi\n"
      "  done\n"
      "  case $command in\n";
  for (const CommandSpec& command : commands()) {
    text += fmt::format("    {})\n", command.name);
    if (const std::string values = bash_values(command); !values.empty()) {
      text += "      case $prev in\n" + values + "      esac\n";
    }
    text += fmt::format(
        "      if [[ $cur == -* ]]; then mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$cur\"); return; fi\n",
        bash_options(command));
    if (const std::string operands = bash_operands(command); !operands.empty()) {
      text += fmt::format("      {}\n", operands);
    }
    text += "      ;;\n";
  }
  return text + "  esac\n}\ncomplete -o filenames -F _mmh mmh\n";
}

// For the [help] of a zsh option specification within single quotes.
std::string zsh_help(std::string_view text) {
  std::string out;
  for (const char c : quoted(text)) {
    if (c == '[' || c == ']' || c == ':') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_value(const OptionSpec& option) {
  if (option.kind == ValueKind::none) return "";
  std::string action = " ";
  if (option.kind == ValueKind::choice) action = fmt::format("({})", spaced(option.choices));
  if (option.completes == Completes::files) action = "_files";
  if (option.completes == Completes::directories) action = "_directories";
  return fmt::format(":{}:{}", option.placeholder, action);
}

std::string zsh_operands(const CommandSpec& command) {
  static constexpr std::string_view kPack = "'1:pack:_files -g \"*.mmh(-.)\"'";
  switch (command.operands) {
    case Operands::none:
      return "";
    case Operands::paths:
      return "'*:path:_files'";
    case Operands::packs:
      return "'*:pack:_files -g \"*.mmh(-.)\"'";
    case Operands::pack_then_entries:
      return fmt::format("{} '*:entry: '", kPack);
    case Operands::pack_then_paths:
      return fmt::format("{} '*:path:_files'", kPack);
    case Operands::tiers:
      return fmt::format("'*:tier:({})'", tier_names());
    case Operands::command:
      return fmt::format("'1:command:({})'", command_names());
    case Operands::shell:
      return fmt::format("'1:shell:({})'", joined(kShells));
  }
  return "";
}

std::string zsh_script() {
  std::string text =
      "#compdef mmh\n"
      "# zsh completion for mmh; made by `mmh completions zsh`.\n"
      "_mmh() {\n"
      "  local curcontext=$curcontext state line\n"
      "  _arguments -C '(- *)--version[show the version]' '(- *)--help[show help]' '1:command:->command' "
      "'*::arg:->args'\n"
      "  case $state in\n"
      "    command)\n"
      "      local -a names=(\n";
  for (const CommandSpec& command : commands()) {
    text += fmt::format("        '{}:{}'\n", command.name, quoted(command.summary));
  }
  text +=
      "      )\n"
      "      _describe command names\n"
      "      ;;\n"
      "    args)\n"
      "      case $words[1] in\n";
  for (const CommandSpec& command : commands()) {
    text += fmt::format("        {})\n          _arguments -s", command.name);
    for_each_option(command, [&](const OptionSpec& option) {
      const std::string tail = fmt::format("[{}]{}", zsh_help(option.help), zsh_value(option));
      const std::string_view star = option.repeats ? "*" : "";
      if (option.letter != '\0') text += fmt::format(" \\\n            '{}-{}{}'", star, option.letter, tail);
      text += fmt::format(" \\\n            '{}--{}{}'", star, option.name, tail);
    });
    if (const std::string operands = zsh_operands(command); !operands.empty()) text += " \\\n            " + operands;
    text += "\n          ;;\n";
  }
  return text +
         "      esac\n"
         "      ;;\n"
         "  esac\n"
         "}\n"
         "if [ \"$funcstack[1]\" = _mmh ]; then _mmh \"$@\"; else compdef _mmh mmh; fi\n";
}

// For double quotes in fish.
std::string fish_quoted(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\' || c == '$') out += '\\';
    out += c;
  }
  return "\"" + out + "\"";
}

std::string fish_operands(const CommandSpec& command) {
  switch (command.operands) {
    case Operands::none:
      return " -f";
    case Operands::paths:
    case Operands::pack_then_paths:
    case Operands::packs:
    case Operands::pack_then_entries:
      return " -F";
    case Operands::tiers:
      return fmt::format(" -f -a \"{}\"", tier_names());
    case Operands::command:
      return fmt::format(" -f -a \"{}\"", command_names());
    case Operands::shell:
      return fmt::format(" -f -a \"{}\"", joined(kShells));
  }
  return "";
}

std::string fish_script() {
  std::string text = "# fish completion for mmh; made by `mmh completions fish`.\n";
  for (const CommandSpec& command : commands()) {
    text += fmt::format("complete -c mmh -n __fish_use_subcommand -f -a {} -d {}\n", command.name,
                        fish_quoted(command.summary));
  }
  for (const CommandSpec& command : commands()) {
    const std::string condition = fmt::format("complete -c mmh -n \"__fish_seen_subcommand_from {}\"", command.name);
    text += condition + fish_operands(command) + "\n";
    for_each_option(command, [&](const OptionSpec& option) {
      text += fmt::format("{} -l {}", condition, option.name);
      if (option.letter != '\0') text += fmt::format(" -s {}", option.letter);
      if (option.kind == ValueKind::choice) {
        text += fmt::format(" -x -a \"{}\"", spaced(option.choices));
      } else if (option.completes == Completes::directories) {
        text += " -x -a \"(__fish_complete_directories)\"";
      } else if (option.kind != ValueKind::none) {
        text += option.completes == Completes::files ? " -r -F" : " -x";
      }
      text += fmt::format(" -d {}\n", fish_quoted(option.help));
    });
  }
  return text;
}
}  // namespace

std::span<const std::string_view> shells() { return kShells; }

std::string completion_script(std::string_view shell) {
  if (shell == "zsh") return zsh_script();
  if (shell == "fish") return fish_script();
  return bash_script();
}

}  // namespace mmh::cli
