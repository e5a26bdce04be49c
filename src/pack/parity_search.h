#pragma once
// Looking for parts of a section, and for symbols, where they do not belong.

#include <functional>
#include <unordered_map>

#include "parity_format.h"

namespace mmh::pack {

/// A small block of a section, found by its magic.
struct FoundPart {
  std::uint64_t place;   ///< Where it stands.
  std::uint64_t offset;  ///< Where it says it stands.
  ByteView payload;      ///< Whole, by its hash.
};
/// Finds the blocks of sections but those of repair symbols, wherever they stand. Errors: cancelled; limit (a hostile
/// file with more false headers than can be looked into); what `visit` returns.
Result<> search_parts(const RandomAccessSource& source, const CancelFlag* cancel,
                      const std::function<Result<>(const FoundPart&)>& visit);

/// Symbols to look for.
class SymbolSearch {
 public:
  /// `table`: the checks of all symbols; it outlives the search.
  SymbolSearch(const fec::Interleaving& layout, ByteView table) : layout_(layout), table_(table) {}
  /// Adds a symbol to look for.
  void want(std::uint64_t symbol);
  bool empty() const { return wanted_.empty(); }
  /// Looks at every offset of `range`. `found` is told of each symbol the first time it is met. Gives up on what would
  /// take far longer than reading the file: bytes that look like symbols everywhere.
  Result<> search(const RandomAccessSource& source, ByteRange range, const CancelFlag* cancel,
                  const std::function<void(std::uint64_t symbol, std::uint64_t place)>& found);

 private:
  std::uint32_t weak_of(std::uint64_t symbol) const;
  std::uint64_t size_of(std::uint64_t symbol) const;
  std::optional<std::uint64_t> match(const RandomAccessSource& source, std::uint64_t place, std::uint32_t weak,
                                     const std::function<void(std::uint64_t, std::uint64_t)>& found);

  const fec::Interleaving& layout_;
  ByteView table_;
  std::unordered_multimap<std::uint32_t, std::uint64_t> wanted_;
  std::vector<std::uint64_t> filter_;
  Buffer symbol_;
  std::uint64_t hashed_ = 0;
};

}  // namespace mmh::pack
