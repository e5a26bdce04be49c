#pragma once
// The arithmetic on symbols: one set of kernels per instruction set, and the portable twin that is their oracle.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mmh::fec {

/// Sums of symbols over GF(2^8) with these factors: output r is the sum over s of factors[r * sources + s] * source s.
struct Combination {
  const std::uint8_t* factors;
  std::size_t sources;
  std::size_t outputs;
};

// What a RaptorQ plan does to one slice: the same few bytes of every symbol, so that all of a source block's slices lie
// in the cache together. `rows` are symbols of the block's equations, `width` bytes apart; rows are 64-byte aligned.

inline constexpr std::size_t kSliceWidths[] = {64, 128};
inline constexpr std::size_t kSliceAlignment = 64;

/// Sums of rows. Sum i goes to row to[i], or with `outputs` to output i; it begins with input inputs[i], if that is not
/// kNoInput, and takes the rows that `code` lists: their count, then their numbers, its own not among them.
struct Sums {
  static constexpr std::uint16_t kNoInput = 0xFFFF;
  std::size_t count;
  const std::uint16_t* to;
  const std::uint16_t* inputs;
  const std::uint16_t* code;
  bool add = false;  ///< Outputs have the sums added to what they are.
};

/// Target i becomes, or with `add` has added to it, the sum of the source rows whose bits are set in
/// picks[g * target_count + i], six sources to the group g.
struct Selection {
  static constexpr std::size_t kGroup = 6;
  const std::uint16_t* sources;
  std::size_t source_count;
  const std::uint16_t* targets;
  std::size_t target_count;
  const std::uint8_t* picks;
  bool add;
};
/// Bytes of working memory that a selection takes; 64-byte aligned.
inline constexpr std::size_t kSelectionScratch = 32 << 10;

/// The HDPC rows: z = 2 z + row c for c = 0, 1, ...; after each but the last step z is added to two of the outputs,
/// after the last one 2^i z to output i.
struct Recurrence {
  std::size_t steps;
  const std::uint8_t* pairs;  ///< 2 (steps - 1)
  std::size_t outputs;
  std::size_t first_output;  ///< A row; the outputs follow each other.
};

struct Kernels {
  const char* name;  ///< Of the instruction set, as Highway spells it; "portable"; or "GFNI".
  /// Writes `size` bytes of each output. Outputs overlap no source and each other not.
  void (*combine)(const Combination& combination, const std::byte* const* sources, std::byte* const* outputs,
                  std::size_t size);
  /// Inputs and outputs are taken from their byte `at` on. Requires: a width of kSliceWidths.
  void (*sum)(const Sums& sums, std::byte* rows, std::size_t width, const std::byte* const* inputs,
              std::byte* const* outputs, std::size_t at);
  void (*select)(const Selection& selection, std::byte* rows, std::size_t width, std::byte* scratch);
  void (*recur)(const Recurrence& recurrence, std::byte* rows, std::size_t width);
};

/// The fastest that this CPU has.
const Kernels& best_kernels();
/// All that this CPU can run, for tests.
std::vector<const Kernels*> all_kernels();
extern const Kernels kPortableKernels;

}  // namespace mmh::fec
