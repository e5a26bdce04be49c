#pragma once
// One measured round trip: pack, verify, unpack, compare.

#include <string>
#include <vector>

#include "mmh/pack.h"
#include "reporter.h"

namespace mmh::cli {

/// What one phase took, measured in a process of its own.
struct PhaseFigures {
  double seconds = 0;
  double cpu_seconds = 0;
  std::uint64_t peak_memory = 0;  ///< Most bytes resident at any time, pages of mapped files included.
};

struct RoundTrip {
  std::uint64_t files = 0, content_bytes = 0, pack_bytes = 0;
  std::uint64_t warnings = 0;  ///< Files that could not be packed.
  PhaseFigures pack, verify, unpack;
  bool sound = false;      ///< What verify said.
  bool identical = false;  ///< Whether what came back is what went in, byte for byte.
  std::string difference;  ///< The first thing that differs.
  std::vector<ClassTotals> classes;
};

struct RoundTripOptions {
  int level = kLevelDefault;
  unsigned threads = 0;
  std::uint64_t memory = kMemoryDefault;
};

/// Packs all of `data` into `work`/bench.mmh, verifies it, unpacks it into `work`/unpacked and compares. Leaves the
/// pack and the unpacked files to whoever made `work`. Requires: no other threads in this process (it forks).
Result<RoundTrip> measure_round_trip(const std::string& data, const std::string& work, const RoundTripOptions& options,
                                     Reporter& reporter, CancelFlag& cancel);

/// The first difference in names, types, modes, link targets or content between two trees; empty where there is none.
/// Errors: io, permission, cancelled.
Result<std::string> first_difference(const std::string& before, const std::string& after, const CancelFlag* cancel);

}  // namespace mmh::cli
