#include "help.h"

#include <fmt/format.h>

#include <algorithm>

#include "arguments.h"
#include "text.h"

namespace mmh::cli {

namespace {
constexpr std::size_t kWidth = 80;
constexpr std::size_t kOptionColumn = 28;

std::string paragraphs(std::string_view text) {
  std::string out;
  for (const std::string_view paragraph : split(text, '\n')) {
    for (const std::string& line : wrap(paragraph, kWidth)) out += line + "\n";
    out += '\n';
  }
  return out;
}

// A heading at column 2 and wrapped text at `column`, beginning on the next line where the heading is too long.
std::string item(std::string_view heading, std::string_view text, std::size_t column) {
  std::string out = fmt::format("  {}", heading);
  if (out.size() + 2 > column) out += '\n';
  for (const std::string& line : wrap(text, kWidth - column)) {
    const std::size_t used = out.size() - (out.rfind('\n') == std::string::npos ? 0 : out.rfind('\n') + 1);
    out += std::string(column - used, ' ') + line + "\n";
  }
  return out;
}
}  // namespace

std::string option_heading(const OptionSpec& option) {
  std::string text = option.letter != '\0' ? fmt::format("-{}, ", option.letter) : "";
  if (option.digits) text = "-1..-9, ";
  text += fmt::format("--{}", option.name);
  if (option.kind != ValueKind::none) text += fmt::format(" {}", option.placeholder);
  return text;
}

std::string option_help(const OptionSpec& option) {
  if (option.fallback.empty()) return std::string(option.help);
  return fmt::format("{} (default: {}).", option.help.substr(0, option.help.size() - 1), option.fallback);
}

std::string usage_line(const CommandSpec& command) {
  return fmt::format("mmh {} [OPTION]...{}{}", command.name, command.usage.empty() ? "" : " ", command.usage);
}

std::string overview() {
  std::string text =
      "mmh packs files: smaller, checked, readable one by one.\n\n"
      "Usage: mmh COMMAND [OPTION]... [OPERAND]...\n\n";
  for (const CommandSpec& command : commands()) text += item(command.name, command.summary, 16);
  text +=
      "\n"
      "Start with:\n"
      "  mmh pack ./model -o model.mmh\n"
      "  mmh unpack model.mmh -C out\n"
      "\n"
      "`mmh help COMMAND` explains a command.\n";
  return text;
}

std::string command_help(const CommandSpec& command) {
  std::string text = fmt::format("{}.\n\nUsage: {}\n\n", command.summary, usage_line(command));
  text += paragraphs(command.description);
  text += "Options:\n";
  for_each_option(command, [&](const OptionSpec& option) {
    // Long names stand in one column, whether or not there is a letter.
    const std::string heading = option_heading(option);
    text += item(heading.starts_with("--") ? "    " + heading : heading, option_help(option), kOptionColumn);
  });
  text += "\nExamples:\n";
  for (const Example& example : command.examples) {
    text += fmt::format("  {}\n      {}\n", example.command, example.explanation);
  }
  text += "\nExit status:\n";
  for_each_status(command, [&](const StatusSpec& spec) {
    text += item(fmt::format("{:>3}", static_cast<int>(spec.status)), spec.meaning, 7);
  });
  return text;
}

}  // namespace mmh::cli
