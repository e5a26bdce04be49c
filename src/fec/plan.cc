#include "mmh/fec/plan.h"

#include <algorithm>
#include <string>
#include <vector>

#include "implementation.h"
#include "kernels.h"

namespace mmh::fec {

Result<Plan> Plan::make(const Code& code, std::span<const std::uint32_t> received,
                        std::span<const std::uint32_t> wanted) {
  const std::uint32_t k = code.source_symbols;
  const bool raptorq = code.scheme == Scheme::raptorq;
  const std::uint32_t k_max = raptorq ? kRaptorqSourceSymbolsMax : kReedSolomonSymbolsMax;
  const std::uint32_t symbol_max = raptorq ? kRaptorqEsiMax : kReedSolomonSymbolsMax - 1;
  if (k == 0) return fail(Errc::usage, "a source block without symbols");
  if (k > k_max) {
    return fail(Errc::limit,
                "a source block of " + std::to_string(k) + " symbols; the code takes at most " + std::to_string(k_max));
  }
  const auto too_large = [&](std::uint32_t symbol) { return symbol > symbol_max; };
  if (std::ranges::any_of(received, too_large) || std::ranges::any_of(wanted, too_large)) {
    return fail(Errc::limit, "a symbol's number is above " + std::to_string(symbol_max));
  }
  std::vector<std::uint32_t> sorted(received.begin(), received.end());
  std::ranges::sort(sorted);
  if (std::ranges::adjacent_find(sorted) != sorted.end()) return fail(Errc::usage, "a symbol is given twice");

  MMH_LET(auto implementation, (raptorq ? make_raptorq : make_reed_solomon)(k, received, wanted));
  return Plan(std::move(implementation));
}

Result<> Plan::run(std::span<const ByteView> received, std::span<const Bytes> wanted, Columns columns) const {
  if (received.size() != implementation_->received_count || wanted.size() != implementation_->wanted_count) {
    return fail(Errc::usage, "other numbers of symbols than those planned for");
  }
  if (received.empty()) return {};
  const std::size_t size = received.front().size();
  const auto other_size = [size](const auto& symbol) { return symbol.size() != size; };
  if (std::ranges::any_of(received, other_size) || std::ranges::any_of(wanted, other_size)) {
    return fail(Errc::usage, "symbols of different sizes");
  }
  if (columns.first > size) return fail(Errc::usage, "columns outside the symbols");
  if (columns.count == Columns().count) columns.count = size - columns.first;
  if (columns.count > size - columns.first) return fail(Errc::usage, "columns outside the symbols");

  std::vector<const std::byte*> from;
  from.reserve(received.size());
  for (const ByteView symbol : received) from.push_back(symbol.data() + columns.first);
  std::vector<std::byte*> to;
  to.reserve(wanted.size());
  for (const Bytes symbol : wanted) to.push_back(symbol.data() + columns.first);
  return implementation_->run(best_kernels(), from, to, columns.count);
}

std::size_t Plan::memory_bytes() const { return implementation_->memory_bytes(); }

std::size_t Plan::scratch_bytes() const {
  return implementation_->scratch_bytes() +
         (implementation_->received_count + implementation_->wanted_count) * sizeof(void*);
}

}  // namespace mmh::fec
