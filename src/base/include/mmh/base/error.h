#pragma once
// Errors are values: a stable code, and a message for a person.

#include <cstdint>
#include <string>
#include <string_view>

namespace mmh {

/// Why an operation failed. Stable: the CLI maps each code to an exit status and names it in --json output.
enum class Errc : std::uint8_t {
  usage = 1,    ///< The caller asked for something that makes no sense.
  not_found,    ///< A named file or entry does not exist.
  exists,       ///< The output exists and replacing it was not asked for.
  io,           ///< The operating system failed to read or write.
  no_space,     ///< The disk or quota is full.
  permission,   ///< The operating system refused.
  corrupt,      ///< Stored bytes are damaged or not of the format they claim.
  unsupported,  ///< Valid, but needs a feature that this build lacks.
  limit,        ///< A declared bound was exceeded (memory, sizes, counts).
  changed,      ///< Input changed while it was read.
  unsafe,       ///< Refused because it would write outside the target or through a link.
  cancelled,    ///< Stopped on request.
};

/// The code's stable name, such as "corrupt".
std::string_view errc_name(Errc code);

/// A failure. `what` says what happened, to which file and offset, and what to do next, with no trailing full stop.
struct Error {
  Errc code;
  std::string what;
};

/// An Error for a failed system call: "ACTION: strerror(errno_value)", with the code that errno_value stands for.
Error errno_error(int errno_value, std::string_view action);

}  // namespace mmh
