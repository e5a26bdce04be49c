// Erasure codes: making plans, encoding and decoding, in bytes of source symbols per second. And how often RaptorQ
// fails, without bytes: fec_bench --benchmark_filter=failures --benchmark_min_time=60

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "mmh/fec/plan.h"
#include "random.h"
#include "raptorq_solver.h"

namespace mmh::fec {
namespace {

using Numbers = std::vector<std::uint32_t>;

Numbers numbers_from(std::size_t first, std::size_t count) {
  Numbers numbers(count);
  std::iota(numbers.begin(), numbers.end(), static_cast<std::uint32_t>(first));
  return numbers;
}

/// A block with its repair symbols, as a file would hold it.
class Block {
 public:
  Block(const Code& code, std::size_t repair, std::size_t symbol_size)
      : code_(code), size_(symbol_size), symbols_((code.source_symbols + repair) * symbol_size) {
    Random random(1);
    for (std::byte& byte : Bytes(symbols_).first(source_bytes())) byte = static_cast<std::byte>(random.next());
    encoding_ = numbers_from(code.source_symbols, repair);
  }

  std::size_t source_bytes() const { return code_.source_symbols * size_; }
  Result<Plan> encoder() const { return Plan::make(code_, numbers_from(0, code_.source_symbols), encoding_); }
  bool encode(const Plan& plan) {
    return plan.run(views(numbers_from(0, code_.source_symbols)), places(encoding_)).has_value();
  }

  /// Loses symbols all over the block; as many repair symbols and two more are used.
  void lose(std::size_t count) {
    const std::size_t k = code_.source_symbols;
    Random random(5);
    Numbers order = numbers_from(0, k);
    for (std::size_t i = k; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    lost_.assign(order.begin(), order.begin() + std::ptrdiff_t(count));
    left_.assign(order.begin() + std::ptrdiff_t(count), order.end());
    std::ranges::sort(lost_);
    std::ranges::sort(left_);
    for (std::size_t i = 0; i < std::min(count + 2, encoding_.size()); ++i) left_.push_back(encoding_[i]);
    before_.clear();
    for (const ByteView symbol : views(lost_)) append(before_, symbol);
    for (const Bytes symbol : places(lost_)) std::ranges::fill(symbol, std::byte{0});
  }
  Result<Plan> decoder() const { return Plan::make(code_, left_, lost_); }
  bool decode(const Plan& plan) { return plan.run(views(left_), places(lost_)).has_value(); }
  bool whole() const {
    Buffer now;
    for (const ByteView symbol : views(lost_)) append(now, symbol);
    return now == before_;
  }

 private:
  std::vector<ByteView> views(const Numbers& numbers) const {
    std::vector<ByteView> views;
    for (const std::uint32_t n : numbers) views.push_back(ByteView(symbols_).subspan(n * size_, size_));
    return views;
  }
  std::vector<Bytes> places(const Numbers& numbers) {
    std::vector<Bytes> places;
    for (const std::uint32_t n : numbers) places.push_back(Bytes(symbols_).subspan(n * size_, size_));
    return places;
  }

  Code code_;
  std::size_t size_;
  Buffer symbols_;
  Numbers encoding_;
  Numbers lost_;
  Numbers left_;
  Buffer before_;
};

/// Arguments: scheme, source symbols, symbol size, repair symbols, symbols lost.
struct Case {
  explicit Case(const benchmark::State& state)
      : code{static_cast<Scheme>(state.range(0)), static_cast<std::uint32_t>(state.range(1))},
        size(static_cast<std::size_t>(state.range(2))),
        repair(static_cast<std::size_t>(state.range(3))),
        lost(static_cast<std::size_t>(state.range(4))) {}
  Code code;
  std::size_t size;
  std::size_t repair;
  std::size_t lost;
};

void set_bytes(benchmark::State& state, const Block& block) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(block.source_bytes()));
}

/// Encodes and loses symbols, and checks that they come back.
bool prepared(Block& block, const Case& parameters) {
  const Result<Plan> encoder = block.encoder();
  if (!encoder || !block.encode(*encoder)) return false;
  block.lose(parameters.lost);
  const Result<Plan> decoder = block.decoder();
  return decoder && block.decode(*decoder) && block.whole();
}

/// With a plan at hand, as for all blocks of a file but the first.
void encode(benchmark::State& state) {
  const Case parameters(state);
  Block block(parameters.code, parameters.repair, parameters.size);
  if (!prepared(block, parameters)) return state.SkipWithError("wrong bytes");
  const Result<Plan> plan = block.encoder();
  for (auto _ : state) benchmark::DoNotOptimize(block.encode(*plan));
  set_bytes(state, block);
  state.counters["plan_bytes"] = static_cast<double>(plan->memory_bytes());
  state.counters["scratch_bytes"] = static_cast<double>(plan->scratch_bytes());
}

void encode_with_plan(benchmark::State& state) {
  const Case parameters(state);
  Block block(parameters.code, parameters.repair, parameters.size);
  if (!prepared(block, parameters)) return state.SkipWithError("wrong bytes");
  for (auto _ : state) benchmark::DoNotOptimize(block.encode(*block.encoder()));
  set_bytes(state, block);
}

void decode(benchmark::State& state) {
  const Case parameters(state);
  Block block(parameters.code, parameters.repair, parameters.size);
  if (!prepared(block, parameters)) return state.SkipWithError("wrong bytes");
  const Result<Plan> plan = block.decoder();
  for (auto _ : state) benchmark::DoNotOptimize(block.decode(*plan));
  set_bytes(state, block);
}

/// Each block with another loss, as when sectors are lost here and there.
void decode_with_plan(benchmark::State& state) {
  const Case parameters(state);
  Block block(parameters.code, parameters.repair, parameters.size);
  if (!prepared(block, parameters)) return state.SkipWithError("wrong bytes");
  for (auto _ : state) benchmark::DoNotOptimize(block.decode(*block.decoder()));
  set_bytes(state, block);
}

void make_plan(benchmark::State& state) {
  const auto k = static_cast<std::uint32_t>(state.range(0));
  const Numbers source = numbers_from(0, k);
  const Numbers repair = numbers_from(k, k / 10 + 1);
  for (auto _ : state) {
    const Result<Plan> plan = Plan::make({Scheme::raptorq, k}, source, repair);
    if (!plan) return state.SkipWithError("no plan");
  }
}

/// The defining property of the systematic indices: every block size of the RFC can be encoded.
void every_block_size(benchmark::State& state) {
  for (auto _ : state) {
    for (const SystematicIndex& row : kSystematicIndices) {
      const RaptorqParameters parameters(row.k_padded);
      if (!solve(RaptorqEquations(parameters, numbers_from(0, row.k_padded)))) {
        return state.SkipWithError("a block size that cannot be encoded");
      }
    }
  }
  state.counters["block_sizes"] = kSystematicIndexCount;
}

/// Random sets of k + extra out of 2 k + 20 symbols that do not determine the block.
void failures(benchmark::State& state) {
  constexpr std::size_t kRounds = 1000;
  const auto k = static_cast<std::uint32_t>(state.range(0));
  const auto extra = static_cast<std::uint32_t>(state.range(1));
  const RaptorqParameters parameters(k);
  Random random(k * 4 + extra);
  Numbers order = numbers_from(0, 2 * k + 20);
  std::size_t decodings = 0;
  std::size_t failed = 0;
  for (auto _ : state) {
    for (std::size_t round = 0; round < kRounds; ++round) {
      Numbers symbols;
      for (std::uint32_t zero = k; zero < parameters.k_padded; ++zero) symbols.push_back(zero);
      for (std::uint32_t i = 0; i < k + extra; ++i) {
        std::swap(order[i], order[i + random.below(order.size() - i)]);
        symbols.push_back(parameters.internal(order[i]));
      }
      if (!solve(RaptorqEquations(parameters, symbols))) ++failed;
    }
    decodings += kRounds;
  }
  state.counters["decodings"] = static_cast<double>(decodings);
  state.counters["failed"] = static_cast<double>(failed);
  state.counters["per_million"] = 1e6 * static_cast<double>(failed) / static_cast<double>(decodings);
}

void blocks(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"scheme", "k", "size", "repair", "lost"})->Unit(benchmark::kMillisecond);
  bench->Args({1, 10, 4096, 4, 4})->Args({1, 100, 4096, 10, 10})->Args({1, 240, 4096, 13, 13});
  bench->Args({2, 250, 4096, 25, 13})->Args({2, 1000, 4096, 102, 50})->Args({2, 1000, 4096, 12, 10});
  bench->Args({2, 10'000, 4096, 1002, 500})->Args({2, 10'000, 4096, 104, 100})->Args({2, 10'000, 16'384, 104, 100});
  bench->Args({2, 50'000, 1024, 5002, 2500});
}
BENCHMARK(encode)->Apply(blocks);
BENCHMARK(encode_with_plan)->Apply(blocks);
BENCHMARK(decode)->Apply(blocks);
BENCHMARK(decode_with_plan)->Apply(blocks);
BENCHMARK(make_plan)->Arg(10)->Arg(100)->Arg(1000)->Arg(10'000)->Arg(20'000)->Arg(40'000)->Arg(56'403)->Unit(
    benchmark::kMillisecond);
BENCHMARK(every_block_size)->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK(failures)->ArgNames({"k", "extra"})->ArgsProduct({{10, 26, 101}, {0, 1, 2}})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace mmh::fec
