#include "exit_status.h"

#include <array>

namespace mmh::cli {

namespace {
constexpr std::array<StatusSpec, 16> kStatuses = {{
    {Status::success, "success"},
    {Status::warnings, "finished, but with warnings; for diff: there are differences"},
    {Status::usage, "the command line makes no sense"},
    {Status::damage, "damage found: stored bytes are corrupt, or the file is not a pack"},
    {Status::io, "reading or writing failed"},
    {Status::permission, "not permitted"},
    {Status::not_found, "a named file or entry does not exist"},
    {Status::exists, "the output exists, and replacing it was not asked for"},
    {Status::unsupported, "the pack needs a feature or version that this build lacks"},
    {Status::limit, "a limit was exceeded, such as --memory"},
    {Status::no_space, "no space is left"},
    {Status::unsafe, "unsafe input refused: it would have written outside the target"},
    {Status::healable, "damage found, and parity can mend all of it: run mmh repair"},
    {Status::internal, "internal error: a bug in mmh"},
    {Status::interrupted, "interrupted by a signal"},
    {Status::broken_pipe, "the reader of standard output went away"},
}};
}  // namespace

std::span<const StatusSpec> statuses() { return kStatuses; }

std::string_view status_meaning(Status status) {
  for (const StatusSpec& spec : kStatuses) {
    if (spec.status == status) return spec.meaning;
  }
  return {};
}

Status status_of(Errc code) {
  switch (code) {
    case Errc::usage:
      return Status::usage;
    case Errc::not_found:
      return Status::not_found;
    case Errc::exists:
      return Status::exists;
    case Errc::io:
      return Status::io;
    case Errc::no_space:
      return Status::no_space;
    case Errc::permission:
      return Status::permission;
    case Errc::corrupt:
      return Status::damage;
    case Errc::unsupported:
      return Status::unsupported;
    case Errc::limit:
      return Status::limit;
    case Errc::changed:
      return Status::warnings;
    case Errc::unsafe:
      return Status::unsafe;
    case Errc::cancelled:
      return Status::interrupted;
  }
  return Status::internal;
}

}  // namespace mmh::cli
