#pragma once
// The `mmh` command as a function, so that tests and other programs can run it within their own process.

#include "mmh/common.h"

namespace mmh::cli {

/// Where a command reads and writes. The caller owns the descriptors.
struct Streams {
  int in = 0;
  int out = 1;
  int err = 2;
};

/// Runs `mmh` with the words of `argv` (argv[0] is the program's name) and returns its exit status. `cancel`, which a
/// signal handler may set, makes the command stop and clean up. Installs no signal handlers; SIGPIPE must be ignored.
int run(int argc, const char* const* argv, const Streams& streams, CancelFlag& cancel);

}  // namespace mmh::cli
