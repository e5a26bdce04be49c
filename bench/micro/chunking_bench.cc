// Content-defined cuts at the sizes that packs use, and similarity sketches.

#include <benchmark/benchmark.h>

#include "mmh/chunking/fastcdc.h"
#include "mmh/chunking/sketch.h"

namespace mmh {
namespace {

constexpr std::size_t kSize = std::size_t{4} << 20;  // what the packer reads in one go
constexpr chunking::ChunkSizes kSizes{std::uint32_t{16} << 10, std::uint32_t{64} << 10, std::uint32_t{256} << 10};

Buffer noise() {
  Buffer bytes(kSize);
  std::uint64_t state = 1;
  for (std::byte& byte : bytes) {
    state = state * 6364136223846793005 + 1442695040888963407;
    byte = static_cast<std::byte>(state >> 56);
  }
  return bytes;
}

// Chunks of `data`; 0 where they do not fit the sizes.
std::size_t count_chunks(ByteView data) {
  std::size_t chunks = 0;
  while (!data.empty()) {
    const std::size_t cut = chunking::first_cut(data, kSizes);
    if (cut > kSizes.size_max || cut > data.size() || (cut < kSizes.size_min && cut < data.size())) return 0;
    data = data.subspan(cut);
    ++chunks;
  }
  return chunks;
}

void fastcdc_noise(benchmark::State& state) {
  const Buffer data = noise();
  const std::size_t chunks = count_chunks(data);
  if (chunks < kSize / kSizes.average / 2 || chunks > kSize / kSizes.average * 2) {
    return state.SkipWithError("cuts are not where they should be");
  }
  for (auto _ : state) benchmark::DoNotOptimize(count_chunks(data));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(data.size()));
}
BENCHMARK(fastcdc_noise);

// Nothing to cut at: every chunk is walked to its end.
void fastcdc_zeros(benchmark::State& state) {
  Buffer data(kSize);
  std::ranges::fill(data, std::byte{0});
  if (count_chunks(data) != kSize / kSizes.size_max) return state.SkipWithError("cuts are not where they should be");
  for (auto _ : state) benchmark::DoNotOptimize(count_chunks(data));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(data.size()));
}
BENCHMARK(fastcdc_zeros);

void similarity_sketch(benchmark::State& state) {
  const Buffer data = noise();
  const ByteView file = ByteView(data).first(static_cast<std::size_t>(state.range(0)));
  if (chunking::similarity_sketch(file) != chunking::similarity_sketch(copy_of(file))) {
    return state.SkipWithError("two sketches of the same bytes");
  }
  for (auto _ : state) benchmark::DoNotOptimize(chunking::similarity_sketch(file));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(similarity_sketch)->Arg(4 << 10)->Arg(64 << 10)->Arg(1 << 20);

}  // namespace
}  // namespace mmh
