#pragma once
// Help in every form, all from the command table.

#include <string>
#include <string_view>

#include "command_table.h"

namespace mmh::cli {

/// What `mmh` alone prints.
std::string overview();
/// `mmh help COMMAND`.
std::string command_help(const CommandSpec& command);
/// roff source of mmh(1).
std::string man_page();
/// roff source of mmh-COMMAND(1).
std::string man_page(const CommandSpec& command);
/// docs/cli.md, whole.
std::string markdown_reference();
/// A completion script; `shell` is one of shells().
std::string completion_script(std::string_view shell);
std::span<const std::string_view> shells();

/// "-o, --output FILE" for help, man pages and Markdown.
std::string option_heading(const OptionSpec& option);
/// Its help with the fallback behind it.
std::string option_help(const OptionSpec& option);
/// "mmh pack [OPTION]... PATH...".
std::string usage_line(const CommandSpec& command);

}  // namespace mmh::cli
