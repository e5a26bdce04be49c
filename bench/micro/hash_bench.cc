// BLAKE3 by input size: one-shot, incremental, on all processors; and extended output.

#include <benchmark/benchmark.h>

#include <algorithm>

#include "mmh/hash/blake3.h"

namespace mmh::hash {
namespace {

/// The input of the published known answers.
Buffer counting_bytes(std::size_t size) {
  Buffer bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i % 251);
  return bytes;
}

/// Known answers, and the modes against each other.
bool answers_right(ByteView input) {
  return blake3({}).hex() == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262" &&
         blake3(counting_bytes(102'400)).hex() == "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085" &&
         Blake3().update(input).finish() == blake3(input);
}

void one_shot(benchmark::State& state) {
  const Buffer input = counting_bytes(static_cast<std::size_t>(state.range(0)));
  if (!answers_right(input)) return state.SkipWithError("wrong digest");
  for (auto _ : state) benchmark::DoNotOptimize(blake3(input));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

/// A file read in pieces of 64 KiB.
void incremental(benchmark::State& state) {
  constexpr std::size_t kPiece = 64 << 10;
  const Buffer input = counting_bytes(static_cast<std::size_t>(state.range(0)));
  if (!answers_right(input)) return state.SkipWithError("wrong digest");
  for (auto _ : state) {
    Blake3 hasher;
    for (ByteView rest = input; !rest.empty(); rest = rest.subspan(std::min(rest.size(), kPiece))) {
      hasher.update(rest.first(std::min(rest.size(), kPiece)));
    }
    benchmark::DoNotOptimize(hasher.finish());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void all_processors(benchmark::State& state) {
  const Buffer input = counting_bytes(static_cast<std::size_t>(state.range(0)));
  TaskPool pool(available_processors());
  if (blake3(input, pool) != blake3(input)) return state.SkipWithError("wrong digest");
  for (auto _ : state) benchmark::DoNotOptimize(blake3(input, pool));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void extended_output(benchmark::State& state) {
  Buffer out(static_cast<std::size_t>(state.range(0)));
  Blake3().finish_extended(out);
  if (!std::ranges::equal(ByteView(out).first(32), blake3({}).view())) return state.SkipWithError("wrong output");
  for (auto _ : state) {
    Blake3().finish_extended(out);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void sizes(benchmark::internal::Benchmark* bench) {
  for (const std::int64_t size :
       {64, 256, 1000, 1024, 2048, 3072, 4096, 6144, 8192, 16 << 10, 24'000, 64 << 10, 1 << 20, 64 << 20}) {
    bench->Arg(size);
  }
}

BENCHMARK(one_shot)->Apply(sizes);
BENCHMARK(incremental)->Arg(1 << 20)->Arg(64 << 20);
BENCHMARK(all_processors)->UseRealTime()->Arg(1 << 20)->Arg(64 << 20);
BENCHMARK(extended_output)->Arg(64 << 10);

}  // namespace
}  // namespace mmh::hash
