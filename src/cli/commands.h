#pragma once
// The commands themselves: one function each, called by run() through the table.

#include "arguments.h"
#include "exit_status.h"
#include "mmh/cli/run.h"
#include "mmh/pack.h"
#include "output.h"
#include "reporter.h"

namespace mmh::cli {

/// The operands of a command that reads a pack: the pack, and what is named in it.
struct PackOperand {
  std::string pack;
  std::vector<std::string> rest;
};

/// What a command works with.
struct Session {
  const Arguments& arguments;
  const Streams& streams;
  TextOutput& out;
  Reporter& reporter;
  CancelFlag& cancel;

  /// --threads, --memory, the reporter and the cancel flag.
  RunOptions run_options() const;
  /// The first operand; "-" where there is none but standard input has data. Errors: usage.
  Result<PackOperand> pack_operand() const;
  /// Opens the pack at a path, or the one that comes in on standard input where the path is "-". `advice` ends the
  /// warning where something is odd.
  Result<Pack> open_pack(const std::string& path,
                         std::string_view advice = "; run mmh verify to see what is damaged") const;
};

Result<Status> run_analyze(Session& session);
Result<Status> run_append(Session& session);
Result<Status> run_bench(Session& session);
Result<Status> run_cat(Session& session);
Result<Status> run_codecs(Session& session);
Result<Status> run_completions(Session& session);
Result<Status> run_damage(Session& session);
Result<Status> run_diff(Session& session);
Result<Status> run_help(Session& session);
Result<Status> run_info(Session& session);
Result<Status> run_list(Session& session);
Result<Status> run_pack(Session& session);
Result<Status> run_parity(Session& session);
Result<Status> run_protect(Session& session);
Result<Status> run_rebase(Session& session);
Result<Status> run_repair(Session& session);
Result<Status> run_unpack(Session& session);
Result<Status> run_verify(Session& session);
Result<Status> run_version(Session& session);

}  // namespace mmh::cli
