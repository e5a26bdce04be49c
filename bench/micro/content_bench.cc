// What the packer asks of every file: its class, by the first 64 KiB, and whether it is worth compressing.

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "mmh/content/classify.h"
#include "random.h"

namespace mmh {
namespace {

using content::ContentClass;

constexpr std::size_t kSmall = std::size_t{4} << 10;
constexpr std::size_t kLarge = std::size_t{64} << 10;

Buffer noise(std::size_t size) {
  Buffer bytes(size);
  Random random(1);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
  return bytes;
}

Buffer words(std::size_t size) {
  Buffer bytes;
  Random random(2);
  while (bytes.size() < size) {
    const std::uint64_t rank = random.below(1 + random.below(2048));
    Random letters(rank);
    for (std::uint64_t i = 0; i < 2 + rank % 7; ++i) bytes.push_back(static_cast<std::byte>('a' + letters.below(26)));
    bytes.push_back(random.below(12) == 0 ? std::byte{'\n'} : std::byte{' '});
  }
  bytes.resize(size);
  return bytes;
}

Buffer weights(std::size_t size) {
  Buffer bytes(size);
  Random random(3);
  for (std::size_t i = 0; i + 4 <= size; i += 4) {
    const float uniform = static_cast<float>(random.next() >> 40) / 16777216.0F - 0.5F;
    store_le(Bytes(bytes).subspan(i), uniform * uniform * uniform * 0.1F);
  }
  return bytes;
}

// Records of 24 bytes: a counter, flags, a value of a narrow range, a name.
Buffer rows(std::size_t size) {
  Buffer bytes(size);
  std::ranges::fill(bytes, std::byte{' '});
  Random random(4);
  for (std::size_t i = 0; i + 24 <= size; i += 24) {
    const Bytes row = Bytes(bytes).subspan(i, 24);
    store_le(row, static_cast<std::uint32_t>(1'000'000 + i / 24));
    store_le(row.subspan(4), static_cast<std::uint16_t>(random.below(4)));
    store_le(row.subspan(6), static_cast<std::uint16_t>(0xFFFF));
    store_le(row.subspan(8), static_cast<std::uint32_t>(random.below(5000)));
    for (std::size_t letter = 12; letter < 18; ++letter) row[letter] = static_cast<std::byte>('a' + random.below(26));
  }
  return bytes;
}

struct Kind {
  std::string name;
  Buffer (*make)(std::size_t);
  ContentClass expected;
};
const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all{{"text", words, ContentClass::text},
                                     {"noise", noise, ContentClass::compressed},
                                     {"float32", weights, ContentClass::tensor},
                                     {"records", rows, ContentClass::records}};
  return all;
}

void classify(benchmark::State& state, const Kind& kind, std::size_t size) {
  const Buffer data = kind.make(size);
  if (content::classify(data, "folder/name") != kind.expected) return state.SkipWithError("wrong class");
  for (auto _ : state) benchmark::DoNotOptimize(content::classify(data, "folder/name"));
}

// A block as the planner sees it.
void looks_incompressible(benchmark::State& state, const Kind& kind) {
  const Buffer data = kind.make(std::size_t{4} << 20);
  const bool expected = kind.expected == ContentClass::compressed;
  if (content::looks_incompressible(data) != expected) return state.SkipWithError("wrong answer");
  for (auto _ : state) benchmark::DoNotOptimize(content::looks_incompressible(data));
}

void entropy(benchmark::State& state) {
  const Buffer data = noise(std::size_t{1} << 20);
  if (content::entropy(data) < 2047) return state.SkipWithError("wrong entropy");
  for (auto _ : state) benchmark::DoNotOptimize(content::entropy(data));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(data.size()));
}
BENCHMARK(entropy);

const bool registered = [] {
  for (const Kind& kind : kinds()) {
    for (const std::size_t size : {kSmall, kLarge}) {
      benchmark::RegisterBenchmark(("classify/" + kind.name + "/" + std::to_string(size)).c_str(),
                                   [&kind, size](benchmark::State& state) { classify(state, kind, size); });
    }
    benchmark::RegisterBenchmark(("looks_incompressible/" + kind.name).c_str(),
                                 [&kind](benchmark::State& state) { looks_incompressible(state, kind); });
  }
  return true;
}();

}  // namespace
}  // namespace mmh
