#pragma once
// Results of `mmh bench` as text and JSON, and against those of an earlier run.

#include <string>
#include <vector>

#include "bench_run.h"
#include "json.h"

namespace mmh::cli {

/// What figures depend on besides the machine.
struct BenchSetup {
  std::string version, libraries, instruction_set;
  int level = 0;
  unsigned threads = 0;
  std::uint64_t memory = 0;
  std::uint64_t seed = 0;
};

struct TierResult {
  std::string name;
  RoundTrip trip;
};

/// What an earlier `mmh bench --json` printed.
struct EarlierRun {
  BenchSetup setup;
  std::vector<TierResult> tiers;
};

std::string setup_text(const BenchSetup& setup);
JsonObject setup_json(const BenchSetup& setup);
/// What makes two runs hard to compare; empty where nothing does.
std::string setup_difference(const BenchSetup& before, const BenchSetup& after);

std::string tier_heading();
std::string tier_line(const TierResult& result);
JsonObject tier_json(const TierResult& result);
/// What each class of content shrank to.
std::string class_table(const TierResult& result);

/// Errors: not_found, io, usage (not the output of `mmh bench --json`).
Result<EarlierRun> read_earlier_run(const std::string& path);
/// The change of each figure in per cent, for tiers in both runs.
std::string change_table(const EarlierRun& before, const std::vector<TierResult>& after);
std::vector<JsonObject> change_json(const EarlierRun& before, const std::vector<TierResult>& after);

}  // namespace mmh::cli
