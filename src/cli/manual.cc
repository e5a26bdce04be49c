// Manual pages (roff) and the Markdown reference.
#include <fmt/format.h>

#include "arguments.h"
#include "help.h"

namespace mmh::cli {

namespace {
// Text safe for roff: a backslash or a dash would be eaten, a leading dot or quote would be a request.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  if (out.starts_with('.') || out.starts_with('\'')) out.insert(0, "\\&");
  return out;
}

std::string heading(std::string_view page, std::string_view summary) {
  return fmt::format(".TH {} 1 \"\" \"mmh {}\" \"User Commands\"\n.SH NAME\n{} \\- {}\n", roff(page), version(),
                     roff(page), roff(summary));
}

std::string item(std::string_view term, std::string_view text) {
  return fmt::format(".TP\n.B {}\n{}\n", roff(term), roff(text));
}

std::string all_statuses() {
  std::string text = ".SH EXIT STATUS\n";
  for (const StatusSpec& spec : statuses()) text += item(std::to_string(static_cast<int>(spec.status)), spec.meaning);
  return text;
}

// Markdown outside of code: what would start markup or a column is escaped; `code` stays.
std::string markdown(std::string_view text) {
  std::string out;
  bool code = false;
  for (const char c : text) {
    if (c == '`') code = !code;
    if (c == '|' || (!code && (c == '*' || c == '_' || c == '<'))) out += '\\';
    out += c;
  }
  return out;
}
}  // namespace

std::string man_page() {
  std::string text = heading("mmh", "pack, verify and unpack files");
  text +=
      ".SH SYNOPSIS\n.B mmh\n.I COMMAND\n[\\fIOPTION\\fR]... [\\fIOPERAND\\fR]...\n.SH DESCRIPTION\n"
      "A pack is one file that holds a tree of files: compressed by what the data is, equal content stored once, every "
      "byte "
      "checked when it is read.\n.SH COMMANDS\n";
  for (const CommandSpec& command : commands()) {
    text += item(fmt::format("mmh {}", command.name), fmt::format("{}. See mmh-{}(1).", command.summary, command.name));
  }
  text += ".SH OPTIONS\n";
  text += item("-h, --help", "Show help; behind a command, help on it.");
  text += item("-V, --version", "Show the versions of mmh and its libraries.");
  text += ".SH ENVIRONMENT\n";
  text += item("NO_COLOR", "When it is set and not empty, no colours.");
  text += item("TMPDIR", "Where a pack from a pipe and the data of mmh bench lie for a while.");
  text += all_statuses();
  text += ".SH EXAMPLES\n";
  for (const Example& example : find_command("pack")->examples) text += item(example.command, example.explanation);
  return text;
}

std::string man_page(const CommandSpec& command) {
  std::string text = heading(fmt::format("mmh-{}", command.name), command.summary);
  text += fmt::format(".SH SYNOPSIS\n.B mmh {}\n[\\fIOPTION\\fR]... {}\n", command.name, roff(command.usage));
  if (!command.description.empty()) {
    text += ".SH DESCRIPTION\n";
    for (const std::string_view paragraph : split(command.description, '\n')) text += ".PP\n" + roff(paragraph) + "\n";
  }
  text += ".SH OPTIONS\n";
  for_each_option(command,
                  [&](const OptionSpec& option) { text += item(option_heading(option), option_help(option)); });
  text += ".SH EXAMPLES\n";
  for (const Example& example : command.examples) text += item(example.command, example.explanation);
  text += ".SH EXIT STATUS\n";
  for_each_status(command, [&](const StatusSpec& spec) {
    text += item(std::to_string(static_cast<int>(spec.status)), spec.meaning);
  });
  text += ".SH SEE ALSO\nmmh(1)\n";
  return text;
}

std::string markdown_reference() {
  std::string text =
      "# Command reference\n\n"
      "Generated from the command table: `mmh help --markdown > docs/cli.md`. The [guide](guide.md) shows the commands "
      "at "
      "work; [json.md](json.md) describes `--json`.\n\n"
      "| command | |\n|---|---|\n";
  for (const CommandSpec& command : commands()) {
    text += fmt::format("| [`mmh {0}`](#mmh-{0}) | {1} |\n", command.name, markdown(command.summary));
  }
  const auto row = [](const OptionSpec& option) {
    return fmt::format("| `{}` | {} |\n", option_heading(option), markdown(option_help(option)));
  };
  text +=
      "\nLetters combine (`-fq`), a value may follow as `--level=9`, `--level 9` or `-C dir`, and `--` ends the "
      "options.\n"
      "Sizes are whole numbers with K, M, G, T or P for powers of 1024; speeds are in MB/s, millions of bytes a "
      "second.\n"
      "\nGlobs: `*` and `?` stop at `/`, `**` does not; `[a-z]` and `[!a-z]` are sets; `\\` quotes. A glob without `/` "
      "is "
      "matched against every name, one with `/` against the whole path.\n"
      "\n## Exit statuses\n\n| status | meaning |\n|---|---|\n";
  for (const StatusSpec& spec : statuses()) {
    text += fmt::format("| {} | {} |\n", static_cast<int>(spec.status), markdown(spec.meaning));
  }
  for (const CommandSpec& command : commands()) {
    text += fmt::format("\n## mmh {}\n\n{}.\n\n```\n{}\n```\n", command.name, command.summary, usage_line(command));
    for (const std::string_view paragraph : split(command.description, '\n')) {
      text += fmt::format("\n{}\n", markdown(paragraph));
    }
    text += "\n| option | |\n|---|---|\n";
    for_each_option(command, [&](const OptionSpec& option) { text += row(option); });
    text += "\nExamples:\n\n```sh\n";
    for (const Example& example : command.examples) {
      text += fmt::format("{}    # {}\n", example.command, example.explanation);
    }
    text += "```\n\nExit status: ";
    std::string list;
    for_each_status(command, [&](const StatusSpec& spec) {
      list += fmt::format("{}{}", list.empty() ? "" : ", ", static_cast<int>(spec.status));
    });
    text += list + ".\n";
  }
  return text;
}

}  // namespace mmh::cli
