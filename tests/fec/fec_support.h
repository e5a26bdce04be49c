#pragma once
// Source blocks of seeded bytes, and plans run over them.

#include <cstdint>
#include <numeric>
#include <vector>

#include "mmh/fec/plan.h"
#include "support/support.h"

namespace mmh::fec {

using test::error_of;

using Numbers = std::vector<std::uint32_t>;

inline Numbers numbers_from(std::uint32_t first, std::size_t count) {
  Numbers numbers(count);
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

/// Symbols one after another.
struct Symbols {
  Symbols(std::size_t symbols, std::size_t symbol_size)
      : count(symbols), size(symbol_size), bytes(symbols * symbol_size) {}
  Bytes operator[](std::size_t index) { return Bytes(bytes).subspan(index * size, size); }
  ByteView operator[](std::size_t index) const { return ByteView(bytes).subspan(index * size, size); }
  std::vector<Bytes> all() {
    std::vector<Bytes> views;
    for (std::size_t i = 0; i < count; ++i) views.push_back((*this)[i]);
    return views;
  }
  std::vector<ByteView> views() const {
    std::vector<ByteView> views;
    for (std::size_t i = 0; i < count; ++i) views.push_back((*this)[i]);
    return views;
  }

  std::size_t count;
  std::size_t size;
  Buffer bytes;
};

/// The symbols 0 to count - 1 of the block that `seed` stands for.
inline Symbols encoded(const Code& code, std::size_t count, std::size_t size, std::uint64_t seed) {
  Symbols symbols(count, size);
  const std::size_t k = code.source_symbols;
  const Buffer source = test::random_bytes(k * size, seed);
  std::ranges::copy(source, symbols.bytes.begin());
  const Result<Plan> plan =
      Plan::make(code, numbers_from(0, k), numbers_from(static_cast<std::uint32_t>(k), count - k));
  EXPECT_OK(plan);
  const auto views = symbols.views();
  const auto all = symbols.all();
  EXPECT_OK(plan->run(std::span(views).first(k), std::span(all).subspan(k)));
  return symbols;
}

/// Makes `wanted` out of `received`, numbers into `symbols`, and compares them with what `symbols` has.
inline Result<bool> rebuilds(const Code& code, const Symbols& symbols, const Numbers& received, const Numbers& wanted) {
  MMH_LET(const Plan plan, Plan::make(code, received, wanted));
  std::vector<ByteView> from;
  for (const std::uint32_t symbol : received) from.push_back(symbols[symbol]);
  Symbols made(wanted.size(), symbols.size);
  MMH_TRY(plan.run(from, made.all()));
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!std::ranges::equal(made[i], symbols[wanted[i]])) return false;
  }
  return true;
}

/// The numbers below `count`, in an order that the seed decides.
inline Numbers shuffled(std::uint32_t count, test::Random& random) {
  Numbers numbers = numbers_from(0, count);
  for (std::size_t i = count; i > 1; --i) std::swap(numbers[i - 1], numbers[random.below(i)]);
  return numbers;
}

}  // namespace mmh::fec
