#pragma once
// Erasure codes over symbols: byte strings of one size. From enough symbols of a source block, any others.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>

#include "mmh/base/bytes.h"
#include "mmh/base/result.h"

namespace mmh::fec {

/// On disk: never renumbered.
enum class Scheme : std::uint8_t {
  /// Over GF(2^8), polynomial 0x11D. Any k symbols suffice (MDS). Symbol j < k is source symbol j; symbol k + i is the
  /// sum over j of (255 ^ j) / ((255 - i) ^ j) times source symbol j: a Cauchy matrix with columns scaled so that
  /// repair symbol 0 is the plain sum. k + repair symbols <= 256. Source: Bloemer et al., ICSI TR-95-048, 1995.
  reed_solomon = 1,
  /// RFC 6330, source symbols 1 to 56,403. Almost any k symbols suffice: k, k + 1, k + 2 random ones fail with a
  /// probability below 10^-2, 10^-4, 10^-6. Symbols are counted by ESI as there: below k the source symbols.
  raptorq = 2,
};

inline constexpr std::uint32_t kReedSolomonSymbolsMax = 256;
inline constexpr std::uint32_t kRaptorqSourceSymbolsMax = 56403;
inline constexpr std::uint32_t kRaptorqEsiMax = (1U << 24) - 1;

/// The code of a source block.
struct Code {
  Scheme scheme;
  std::uint32_t source_symbols;  ///< k
};

/// A range of bytes of every symbol.
struct Columns {
  std::size_t first = 0;
  std::size_t count = std::numeric_limits<std::size_t>::max();  ///< Or up to the end of the symbols.
};

/// How to make some symbols of a source block from others, whatever the bytes are: encoding (from the source symbols)
/// and decoding (from those that are left) are both this. Costs some milliseconds to make for 10,000 symbols, and then
/// serves any number of blocks that have lost the same symbols. Immutable; copies share it; any number of threads may
/// run() one at a time on different blocks, or on different columns of one.
class Plan {
 public:
  /// A plan that makes the symbols `wanted` from the symbols `received`, both by number and in any order, `received`
  /// without repetition. Takes no more of those received than it needs with near certainty; give all there are.
  /// Errors: usage (k = 0, a number repeated); limit (k or a number out of the code's range); corrupt (the symbols
  /// received do not determine the block: fewer than k, or for RaptorQ rarely more).
  static Result<Plan> make(const Code& code, std::span<const std::uint32_t> received,
                           std::span<const std::uint32_t> wanted);

  /// Makes the symbols. `received` and `wanted` are in the order given to make(); all have one size; those wanted do
  /// not overlap others. Same bytes whatever the columns and the CPU.
  /// Errors: usage (another number of symbols, sizes that differ, columns outside).
  Result<> run(std::span<const ByteView> received, std::span<const Bytes> wanted, Columns columns = {}) const;

  /// Bytes that the plan holds.
  std::size_t memory_bytes() const;
  /// Most bytes that one run() allocates; independent of the size of the symbols.
  std::size_t scratch_bytes() const;

  class Implementation;

 private:
  explicit Plan(std::shared_ptr<const Implementation> implementation) : implementation_(std::move(implementation)) {}
  std::shared_ptr<const Implementation> implementation_;
};

}  // namespace mmh::fec
