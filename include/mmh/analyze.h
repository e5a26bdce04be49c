#pragma once
// What a file is made of, as packing sees it, and what each way of coding it would make of it.

#include <cstdint>
#include <string>
#include <vector>

#include "mmh/common.h"
#include "mmh/pack.h"

namespace mmh {

struct AnalyzeOptions : RunOptions {
  int level = kLevelDefault;
  unsigned points = 128;  ///< Places where entropy is measured; at least 1.
  unsigned blocks = 32;   ///< Blocks that are coded in trial, spread evenly over the file; at least 1.
};

/// The order-0 entropy of a piece of the file.
struct EntropyPoint {
  std::uint64_t offset = 0, size = 0;
  double bits = 0;  ///< Of information in a byte: 0 to 8.
};

/// A distance in bytes at which the file repeats itself.
struct Period {
  std::uint32_t bytes = 0;
  double equal = 0;     ///< Share of bytes that equal the one a period before.
  double expected = 0;  ///< The same if bytes came in no order.
};

/// A way to code blocks of one type, over all its blocks that were tried.
struct CodingTrial {
  std::string program;  ///< As in "transpose:4(zstd:9)".
  bool chosen = false;  ///< What packing takes, in most of these blocks.
  std::uint64_t blocks = 0, raw_bytes = 0;
  std::uint64_t predicted_bytes = 0;  ///< From a sample of each block; 0: chosen without a trial.
  std::uint64_t actual_bytes = 0;     ///< All of each block, coded.
};

/// All stretches of a file that are of one type.
struct ContentTotals {
  std::string type;  ///< "text", "tensor bf16".
  std::uint64_t stretches = 0, bytes = 0;
  std::vector<CodingTrial> trials;  ///< Those for most bytes first, then the smallest first.
};

/// A block of the file as packing would code it.
struct CodedBlock {
  std::uint64_t offset = 0, size = 0;
  std::string type, program;
  std::uint64_t stored_bytes = 0;
};

struct Analysis {
  std::uint64_t size = 0;
  std::string content;  ///< The class of the file: "text", "tensor".
  std::string format;   ///< What its header says it is, where its parts are known: "safetensors"; else empty.
  double entropy = 0;   ///< Mean of the points, in bits a byte.
  std::vector<EntropyPoint> points;
  std::vector<Period> periods;  ///< At most 4, the strongest first.
  unsigned record_bits = 0;     ///< Of records that are no whole number of bytes; 0: none were found.
  std::vector<ContentTotals> types;
  std::vector<CodedBlock> blocks;  ///< Those that were tried, in order.
};

/// Looks at a file as packing does. Reads at most 64 KiB at each point, and the blocks that are tried; time and memory
/// do not grow with the file. Errors: usage (level, no points, no blocks), not_found, permission, io, cancelled.
Result<Analysis> analyze_file(const std::string& path, const AnalyzeOptions& options);

}  // namespace mmh
