#include <algorithm>
#include <string>
#include <vector>

#include "gf256.h"
#include "implementation.h"
#include "kernels.h"
#include "matrix.h"

namespace mmh::fec {
namespace {

/// What source symbol `column` counts for in symbol `symbol`.
std::uint8_t coefficient(std::uint32_t k, std::uint32_t symbol, std::uint32_t column) {
  if (symbol < k) return symbol == column ? 1 : 0;
  const std::uint32_t row = symbol - k;
  return gf_multiply(static_cast<std::uint8_t>(255 ^ column),
                     gf_invert(static_cast<std::uint8_t>((255 - row) ^ column)));
}

/// The symbols wanted are a matrix times k of those received.
class ReedSolomon final : public Plan::Implementation {
 public:
  ReedSolomon(std::vector<std::uint32_t> used, Matrix factors) : used_(std::move(used)), factors_(std::move(factors)) {}

  Result<> run(const Kernels& kernels, std::span<const std::byte* const> received, std::span<std::byte* const> wanted,
               std::size_t size) const override {
    std::vector<const std::byte*> sources;
    sources.reserve(used_.size());
    for (const std::uint32_t index : used_) sources.push_back(received[index]);
    if (wanted.empty()) return {};
    kernels.combine({factors_[0].data(), sources.size(), wanted.size()}, sources.data(), wanted.data(), size);
    return {};
  }

  std::size_t memory_bytes() const override {
    return sizeof *this + used_.capacity() * sizeof used_[0] + factors_.memory_bytes();
  }
  std::size_t scratch_bytes() const override { return used_.size() * sizeof(void*); }

 private:
  std::vector<std::uint32_t> used_;  ///< Positions among those received.
  Matrix factors_;
};

}  // namespace

ImplementationResult make_reed_solomon(std::uint32_t k, std::span<const std::uint32_t> received,
                                       std::span<const std::uint32_t> wanted) {
  if (received.size() < k) {
    return fail(Errc::corrupt, "only " + std::to_string(received.size()) + " of the " + std::to_string(k) +
                                   " symbols that rebuilding takes are left");
  }
  // Source symbols first: each one leaves a smaller matrix to invert.
  std::vector<std::uint32_t> used;
  for (const bool source : {true, false}) {
    for (std::uint32_t i = 0; i < received.size() && used.size() < k; ++i) {
      if ((received[i] < k) == source) used.push_back(i);
    }
  }
  std::vector<bool> known(k);
  std::vector<std::uint32_t> repairs;  // positions in `used`
  for (std::uint32_t i = 0; i < k; ++i) {
    const std::uint32_t symbol = received[used[i]];
    if (symbol < k) {
      known[symbol] = true;
    } else {
      repairs.push_back(i);
    }
  }
  std::vector<std::uint32_t> unknown;
  for (std::uint32_t j = 0; j < k; ++j) {
    if (!known[j]) unknown.push_back(j);
  }

  // repair = A unknown + B known, so unknown = A^-1 repair + A^-1 B known. A is square, and regular as it is a square
  // part of a Cauchy matrix with its columns scaled.
  Matrix a(repairs.size(), unknown.size());
  Matrix to_unknown(repairs.size(), k);  // from the symbols used; first B and the repair symbols themselves
  for (std::size_t r = 0; r < repairs.size(); ++r) {
    const std::uint32_t symbol = received[used[repairs[r]]];
    for (std::size_t u = 0; u < unknown.size(); ++u) a[r][u] = coefficient(k, symbol, unknown[u]);
    for (std::uint32_t i = 0; i < k; ++i) {
      const std::uint32_t from = received[used[i]];
      if (from < k) to_unknown[r][i] = coefficient(k, symbol, from);
    }
    to_unknown[r][repairs[r]] = 1;
  }
  if (!unknown.empty()) {
    const std::optional<Matrix> inverse = left_inverse(std::move(a));
    if (!inverse) return fail(Errc::corrupt, "the symbols left do not determine the block");
    to_unknown = product(*inverse, to_unknown);
  }

  Matrix factors(wanted.size(), k);
  for (std::size_t w = 0; w < wanted.size(); ++w) {
    for (std::uint32_t i = 0; i < k; ++i) {
      const std::uint32_t from = received[used[i]];
      if (from < k) factors[w][i] = coefficient(k, wanted[w], from);
    }
    for (std::size_t u = 0; u < unknown.size(); ++u) {
      add_multiple(factors[w], to_unknown[u], coefficient(k, wanted[w], unknown[u]));
    }
  }
  auto plan = std::make_shared<ReedSolomon>(std::move(used), std::move(factors));
  plan->received_count = received.size();
  plan->wanted_count = wanted.size();
  return plan;
}

}  // namespace mmh::fec
