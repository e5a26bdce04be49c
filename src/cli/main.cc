// The program: signals, and nothing else.
#include <malloc.h>
#include <unistd.h>

#include <csignal>

#include "mmh/cli/run.h"

namespace {
mmh::CancelFlag cancel;
constexpr int kInterrupted = 130;

void on_signal(int) {
  // The second signal is from someone who no longer wants to wait for a clean end.
  if (cancel.is_set()) ::_exit(kInterrupted);
  cancel.set();
}

// Buffers of some MiB come and go all the time: giving each back to the system costs more in page faults than they
// hold.
void keep_freed_memory() {
  constexpr int kThreshold = 32 << 20;
  ::mallopt(M_MMAP_THRESHOLD, kThreshold);
  ::mallopt(M_TRIM_THRESHOLD, 4 * kThreshold);
}
}  // namespace

int main(int argc, char** argv) {
  keep_freed_memory();
  struct sigaction action{};
  action.sa_handler = on_signal;
  ::sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before{};
    // nohup and shells' background jobs ask for a signal to be ignored; that stays so.
    if (::sigaction(signal, nullptr, &before) == 0 && before.sa_handler != SIG_IGN)
      ::sigaction(signal, &action, nullptr);
  }
  std::signal(SIGPIPE, SIG_IGN);
  return mmh::cli::run(argc, argv, mmh::cli::Streams{}, cancel);
}
