#include "mmh/cli/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <new>

#include "commands.h"
#include "help.h"
#include "input.h"
#include "mmh/protect.h"

namespace mmh::cli {

namespace {
std::unexpected<Error> unknown_command(std::string_view word) {
  std::vector<std::string_view> names;
  for (const CommandSpec& command : commands()) {
    names.push_back(command.name);
    const auto synonyms = split(command.synonyms, ' ');
    if (std::find(synonyms.begin(), synonyms.end(), word) != synonyms.end()) {
      return fail(Errc::usage, fmt::format("unknown command '{}'; did you mean 'mmh {}'?", word, command.name));
    }
  }
  if (word.starts_with('-')) {
    return fail(Errc::usage,
                fmt::format("unknown option '{}'; options come behind the command, see `mmh help`", printable(word)));
  }
  if (word.ends_with(".mmh")) {
    return fail(Errc::usage, fmt::format("'{0}' is not a command; did you mean 'mmh list {0}' or 'mmh unpack {0}'?",
                                         printable(word)));
  }
  const auto meant = closest(word, names);
  return fail(Errc::usage, fmt::format("unknown command '{}'; {}", printable(word),
                                       meant ? fmt::format("did you mean 'mmh {}'?", *meant) : "see `mmh help`"));
}

struct Invocation {
  const CommandSpec* command;
  std::vector<std::string> words;
};

Result<Invocation> find_invocation(int argc, const char* const* argv) {
  const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  if (words.empty()) return Invocation{find_command("help"), {}};
  const std::string& first = words.front();
  const std::vector<std::string> rest(words.begin() + 1, words.end());
  if (first == "--version" || first == "-V") return Invocation{find_command("version"), rest};
  if (first == "--help" || first == "-h") return Invocation{find_command("help"), rest};
  const CommandSpec* const command = find_command(first);
  if (command == nullptr) return unknown_command(first);
  return Invocation{command, rest};
}

ReporterOptions reporter_options(const Arguments& arguments) {
  const bool data_on_out =
      arguments.text(OptionId::output) == "-" || arguments.has(OptionId::tar_out) || arguments.command().name == "cat";
  return {.json = arguments.has(OptionId::json),
          .quiet = arguments.has(OptionId::quiet),
          .progress = !arguments.has(OptionId::no_progress),
          .data_on_out = data_on_out};
}

// Runs a command that was found and understood; its output is flushed and its errors are told.
int run_command(const Arguments& arguments, const Streams& streams, CancelFlag& cancel) {
  TextOutput out(streams.out);
  Reporter reporter(out, streams.err, reporter_options(arguments));
  Session session{arguments, streams, out, reporter, cancel};
  const auto tell = [&](std::string_view code, std::string_view message, Status status) {
    reporter.error(code, message, static_cast<int>(status));
    out.flush();
    return static_cast<int>(status);
  };
  try {
    Result<Status> status = arguments.command().handler(session);
    reporter.finish();
    out.flush();
    if (status && out.error() != 0) status = Result<Status>(fail(out.check().error()));
    if (status) return static_cast<int>(*status);
    // Whoever reads our output went away (`mmh list x.mmh | head`): nobody is left to be told.
    if (status.error().code == Errc::io && reader_gone(streams.out)) return static_cast<int>(Status::broken_pipe);
    const Error& error = status.error();
    return tell(errc_name(error.code), error.code == Errc::cancelled ? "interrupted" : error.what,
                status_of(error.code));
  } catch (const std::bad_alloc&) {
    return tell(errc_name(Errc::limit), "out of memory; try a smaller --memory, or fewer --threads", Status::limit);
  } catch (const std::exception& exception) {
    return tell("internal", fmt::format("internal error, please report it: {}", exception.what()), Status::internal);
  }
}

// Before there are arguments, --json can only be looked for.
int refuse(const Error& error, int argc, const char* const* argv, const Streams& streams) {
  TextOutput out(streams.out);
  const bool json = std::any_of(argv, argv + argc, [](std::string_view word) { return word == "--json"; });
  Reporter reporter(out, streams.err, {.json = json});
  const Status status = status_of(error.code);
  reporter.error(errc_name(error.code), error.what, static_cast<int>(status));
  out.flush();
  return static_cast<int>(status);
}
}  // namespace

RunOptions Session::run_options() const {
  return {.threads = static_cast<unsigned>(arguments.number(OptionId::threads).value_or(0)),
          .memory = arguments.number(OptionId::memory).value_or(kMemoryDefault),
          .observer = &reporter,
          .cancel = &cancel,
          .bases = arguments.texts(OptionId::base)};
}

Result<PackOperand> Session::pack_operand() const {
  const auto& operands = arguments.operands();
  if (!operands.empty()) return PackOperand{operands.front(), {operands.begin() + 1, operands.end()}};
  if (has_data(streams.in)) return PackOperand{"-", {}};
  return fail(Errc::usage, fmt::format("name a pack: {}", usage_line(arguments.command())));
}

Result<Pack> Session::open_pack(const std::string& path, std::string_view advice) const {
  if (path == "-") MMH_TRY(require_data(streams.in, "standard input"));
  Result<Pack> opened = path == "-" ? Pack::open_stream(streams.in, run_options()) : Pack::open(path, run_options());
  if (!opened && opened.error().code == Errc::corrupt && path != "-" && is_protection(path)) {
    return fail(Errc::usage,
                fmt::format("'{}' is a protection of other files, not a pack; verify, repair, list and info "
                            "work on it",
                            printable(path)));
  }
  MMH_LET(Pack pack, std::move(opened));
  if (!pack.info().warning.empty()) {
    reporter.warning({Errc::corrupt, fmt::format("{}{}", pack.info().warning, advice)});
  }
  return pack;
}

int run(int argc, const char* const* argv, const Streams& streams, CancelFlag& cancel) {
  const Result<Invocation> invocation = find_invocation(argc, argv);
  if (!invocation) return refuse(invocation.error(), argc, argv, streams);
  const CommandSpec& command = *invocation->command;
  // --help wins over everything that may be wrong with the other words.
  const auto& words = invocation->words;
  const auto options_end = std::find(words.begin(), words.end(), "--");
  if (std::any_of(words.begin(), options_end,
                  [](const std::string& word) { return word == "--help" || word == "-h"; })) {
    TextOutput out(streams.out);
    out.write(command_help(command));
    out.flush();
    return static_cast<int>(out.error() == 0 ? Status::success : Status::io);
  }
  const Result<Arguments> arguments = Arguments::parse(command, invocation->words);
  if (!arguments) return refuse(arguments.error(), argc, argv, streams);
  return run_command(*arguments, streams, cancel);
}

}  // namespace mmh::cli
