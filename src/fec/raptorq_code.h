#pragma once
// The code of RFC 6330: its parameters, and which intermediate symbols each encoding symbol is the sum of.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mmh::fec {

/// A row of RFC 6330's table 2.
struct SystematicIndex {
  std::uint16_t k_padded;  ///< K'
  std::uint16_t j;         ///< J(K')
  std::uint16_t s;         ///< LDPC symbols
  std::uint16_t h;         ///< HDPC symbols
  std::uint16_t w;         ///< LT symbols
};

inline constexpr std::size_t kSystematicIndexCount = 477;
extern const std::array<SystematicIndex, kSystematicIndexCount> kSystematicIndices;
/// V0 to V3 of section 5.5.
extern const std::array<std::array<std::uint32_t, 256>, 4> kRandomNumbers;

/// Section 5.3.3.3. The intermediate symbols: w LT symbols, the last s of which are LDPC symbols, and p permanently
/// inactive ones, the last h of which are HDPC symbols.
struct RaptorqParameters {
  std::uint32_t k;         ///< Source symbols.
  std::uint32_t k_padded;  ///< With the zero symbols that follow them.
  std::uint32_t j;
  std::uint32_t s;
  std::uint32_t h;
  std::uint32_t w;
  std::uint32_t l;   ///< Intermediate symbols.
  std::uint32_t p;   ///< l - w
  std::uint32_t p1;  ///< The smallest prime that is at least p.

  /// Requires: 1 <= k <= kRaptorqSourceSymbolsMax.
  explicit RaptorqParameters(std::uint32_t k);

  /// The internal number of an encoding symbol: the zero symbols stand between source and repair symbols.
  std::uint32_t internal(std::uint32_t esi) const { return esi < k ? esi : esi + (k_padded - k); }
};

/// Rand[y, i, m] of section 5.3.5.1.
std::uint32_t raptorq_random(std::uint32_t y, std::uint32_t i, std::uint32_t m);

/// Appends the intermediate symbols whose sum is the encoding symbol of internal number `symbol` (sections 5.3.5.3 and
/// 5.3.5.4); none is named twice.
void append_neighbours(const RaptorqParameters& parameters, std::uint32_t symbol, std::vector<std::uint16_t>& out);

}  // namespace mmh::fec
