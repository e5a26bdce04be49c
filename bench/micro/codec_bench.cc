// Every codec over every kind of data, 256 KiB at a time: encoding, decoding, and the ratio reached. Plans with
// transforms stand beside the plain codecs.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "mmh/codec/frame.h"
#include "mmh/codecs/builtin.h"
#include "random.h"

namespace mmh {
namespace {

using codec::CodecId;
using codec::Plan;

constexpr std::size_t kSize = std::size_t{256} << 10;

Buffer noise() {
  Buffer bytes(kSize);
  Random random(1);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
  return bytes;
}

// Words of a vocabulary of 4,096, the frequent ones short.
Buffer text() {
  Buffer bytes;
  Random random(2);
  while (bytes.size() < kSize) {
    const std::uint64_t rank = random.below(1 + random.below(1 + random.below(4096)));
    Random letters(rank);
    for (std::uint64_t i = 0; i < 2 + rank % 3 + rank / 512; ++i) {
      bytes.push_back(static_cast<std::byte>('a' + letters.below(26)));
    }
    bytes.push_back(std::byte{' '});
  }
  bytes.resize(kSize);
  return bytes;
}

struct Data {
  std::string name;
  Buffer bytes;
};

// Samples of a slow wave with noise, 16 bits, little-endian.
Buffer wave() {
  Buffer bytes(kSize);
  Random random(3);
  for (std::size_t i = 0; i + 2 <= kSize; i += 2) {
    const auto phase = static_cast<double>(i % 4096) / 4096;
    const auto sample = static_cast<std::uint16_t>(std::lround(8000 + 6000 * (phase < 0.5 ? phase : 1 - phase)) +
                                                   static_cast<long>(random.below(16)));
    store_le(Bytes(bytes).subspan(i), sample);
  }
  return bytes;
}

// Weights as models hold them: 32-bit floats, small, of either sign.
Buffer weights() {
  Buffer bytes(kSize);
  Random random(4);
  for (std::size_t i = 0; i + 4 <= kSize; i += 4) {
    const std::uint64_t draw = random.next();
    const float uniform = static_cast<float>(draw >> 40) / 16777216.0F - 0.5F;
    store_le(Bytes(bytes).subspan(i), uniform * uniform * uniform * 0.1F);
  }
  return bytes;
}

// Calls of a few functions among bytes that look like x86 instructions.
Buffer code() {
  Buffer bytes = text();
  Random random(6);
  for (std::size_t i = 0; i + 16 <= kSize; i += 8 + random.below(24)) {
    bytes[i] = std::byte{0xe8};
    const auto target = static_cast<std::uint32_t>(random.below(64) * 4096);
    store_le(Bytes(bytes).subspan(i + 1), static_cast<std::uint32_t>(target - static_cast<std::uint32_t>(i) - 5));
  }
  return bytes;
}

const std::vector<Data>& data_kinds() {
  static const std::vector<Data> kinds{
      {"text", text()}, {"noise", noise()}, {"wave16", wave()}, {"float32", weights()}, {"x86", code()}};
  return kinds;
}

Plan single(CodecId id, int level) {
  Plan plan;
  plan.codec = id;
  plan.options.level = level;
  return plan;
}

Plan stage(CodecId id, unsigned width, Plan next) {
  Plan plan;
  plan.codec = id;
  plan.options.width = width;
  plan.options.integers = true;
  plan.children.push_back(std::move(next));
  return plan;
}

void encode(benchmark::State& state, const Plan& plan, const Data& data) {
  const codec::Registry& registry = codecs::builtin_registry();
  Buffer frame = encode_frame(registry, plan, data.bytes).value();
  Buffer back(data.bytes.size());
  if (!decode_frame(registry, frame, back) || back != data.bytes) return state.SkipWithError("wrong bytes");
  for (auto _ : state) {
    frame = encode_frame(registry, plan, data.bytes).value();
    benchmark::DoNotOptimize(frame.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(data.bytes.size()));
  state.counters["ratio"] = static_cast<double>(data.bytes.size()) / static_cast<double>(frame.size());
}

void decode(benchmark::State& state, const Plan& plan, const Data& data) {
  const codec::Registry& registry = codecs::builtin_registry();
  const Buffer frame = encode_frame(registry, plan, data.bytes).value();
  Buffer back(data.bytes.size());
  if (!decode_frame(registry, frame, back) || back != data.bytes) return state.SkipWithError("wrong bytes");
  for (auto _ : state) benchmark::DoNotOptimize(decode_frame(registry, frame, back).has_value());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(data.bytes.size()));
}

const bool registered = [] {
  const auto wave_then = [](Plan next) {
    return stage(CodecId::delta, 2, stage(CodecId::transpose, 2, std::move(next)));
  };
  const std::pair<std::string, Plan> plans[] = {
      {"stored", Plan()},
      {"lz4_1", single(CodecId::lz4, 1)},
      {"lz4_9", single(CodecId::lz4, 9)},
      {"zstd_1", single(CodecId::zstd, 1)},
      {"zstd_3", single(CodecId::zstd, 3)},
      {"zstd_9", single(CodecId::zstd, 9)},
      {"zstd_19", single(CodecId::zstd, 19)},
      {"brotli_5", single(CodecId::brotli, 5)},
      {"deflate_6", single(CodecId::deflate, 6)},
      {"lzma_3", single(CodecId::lzma, 3)},
      {"delta_transpose_zstd_3", wave_then(single(CodecId::zstd, 3))},
      {"transpose_zstd_3", stage(CodecId::transpose, 4, single(CodecId::zstd, 3))},
      {"branch_x86_zstd_3", stage(CodecId::branch_x86, 1, single(CodecId::zstd, 3))},
  };
  for (const auto& [name, plan] : plans) {
    for (const Data& data : data_kinds()) {
      const auto with = [plan = plan, &data](auto run) {
        return [=, &data](benchmark::State& state) { run(state, plan, data); };
      };
      benchmark::RegisterBenchmark(("encode/" + name + "/" + data.name).c_str(), with(encode));
      benchmark::RegisterBenchmark(("decode/" + name + "/" + data.name).c_str(), with(decode));
    }
  }
  return true;
}();

}  // namespace
}  // namespace mmh
