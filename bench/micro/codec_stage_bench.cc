// The stages of tensors and columns, one by one, over data like what they are for: each alone, without a frame.
// Figures are bytes of the raw side per second; `bits` is what an input byte shrinks to.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <string>

#include "mmh/codec/codec.h"
#include "mmh/codecs/builtin.h"
#include "random.h"

namespace mmh {
namespace {

using codec::CodecId;
using codec::EncodeOptions;

constexpr std::size_t kSize = std::size_t{4} << 20;

double normal(Random& random) {
  return std::sqrt(-2 * std::log(1 - random.uniform())) * std::cos(2 * std::numbers::pi * random.uniform());
}

struct Data {
  std::string name;
  Buffer bytes;
};

// Weights of a layer: normal, 32-bit floats.
Buffer weights32() {
  Buffer bytes(kSize);
  Random random(1);
  for (std::size_t i = 0; i < kSize; i += 4)
    store_le(Bytes(bytes).subspan(i), static_cast<float>(0.02 * normal(random)));
  return bytes;
}

Buffer weights16(const Buffer& wide) {
  Buffer bytes;
  for (std::size_t i = 0; i < wide.size(); i += 4) bytes.insert(bytes.end(), {wide[i + 2], wide[i + 3]});
  return bytes;
}

// The exponent of each, without the sign.
Buffer exponents(const Buffer& wide) {
  Buffer bytes;
  for (std::size_t i = 0; i < wide.size(); i += 4) {
    bytes.push_back(wide[i + 3] << 1 | wide[i + 2] >> 7);
  }
  return bytes;
}

// The exponents of layers whose rows and columns have scales of their own.
Buffer exponents_of_layers() {
  constexpr std::size_t kColumns = 512;
  constexpr std::size_t kRows = 1024;
  Buffer bytes;
  Random random(6);
  while (bytes.size() < kSize) {
    const double scale = 0.02 * std::exp2(normal(random));
    std::vector<double> columns(kColumns);
    for (double& column : columns) column = scale * std::exp2(normal(random));
    for (std::size_t row = 0; row < kRows; ++row) {
      const double of_row = std::exp2(normal(random));
      for (const double column : columns) {
        const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(of_row * column * normal(random)));
        bytes.push_back(static_cast<std::byte>(bits >> 23));
      }
    }
  }
  return bytes;
}

// Bytes as frequent as letters in English.
Buffer letters() {
  constexpr std::string_view kLetters =
      "      eeeeeetttttaaaaooooiiiinnnnssshhhrrrrddllluuccmmwffggyppbbvk,.\nTAISqxjz0123456789ABCDEFGHLMNOPRW-'\"()";
  Buffer bytes(kSize);
  Random random(2);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(kLetters[random.next() % kLetters.size()]);
  return bytes;
}

// Long runs of sixteen values.
Buffer pixels() {
  Buffer bytes(kSize);
  Random random(3);
  for (std::size_t i = 0; i < kSize;) {
    const auto value = static_cast<std::byte>(random.next() % 16);
    for (std::size_t end = std::min(kSize, i + 1 + random.next() % 100); i < end; ++i) bytes[i] = value;
  }
  return bytes;
}

// Numbers of 4 bytes that take 40 values.
Buffer codebook() {
  Buffer bytes(kSize);
  Random random(4);
  for (std::size_t i = 0; i < kSize; i += 4) {
    store_le(Bytes(bytes).subspan(i), static_cast<std::uint32_t>(Random(random.next() % 40).next()));
  }
  return bytes;
}

Buffer period_251() {
  Buffer bytes(kSize);
  Random random(5);
  for (std::size_t i = 0; i < 251; ++i) bytes[i] = static_cast<std::byte>(random.next());
  for (std::size_t i = 251; i < kSize; ++i) bytes[i] = bytes[i - 251];
  return bytes;
}

const std::vector<Data>& data_kinds() {
  static const std::vector<Data> kinds = [] {
    const Buffer wide = weights32();
    std::vector<Data> all;
    all.push_back({"exponents", exponents(wide)});
    all.push_back({"layers", exponents_of_layers()});
    all.push_back({"letters", letters()});
    all.push_back({"bf16", weights16(wide)});
    all.push_back({"fp32", wide});
    all.push_back({"pixels", pixels()});
    all.push_back({"codebook", codebook()});
    all.push_back({"period_251", period_251()});
    return all;
  }();
  return kinds;
}

struct Stage {
  std::string name;
  CodecId id;
  EncodeOptions options;
  std::vector<std::string> data;
};

const std::vector<Stage>& stages() {
  static const std::vector<Stage> all = [] {
    std::vector<Stage> list;
    const auto add = [&](std::string name, CodecId id, EncodeOptions options, std::vector<std::string> data) {
      list.push_back({std::move(name), id, std::move(options), std::move(data)});
    };
    add("rans", CodecId::rans, {}, {"exponents", "layers", "letters"});
    add("scaled", CodecId::scaled, {.scale_step = 1}, {"exponents", "layers"});
    add("scaled_0", CodecId::scaled, {}, {"letters"});
    add("planes_2_rotated", CodecId::planes, {.width = 2, .rotate = 1}, {"bf16"});
    add("planes_4_rotated", CodecId::planes, {.width = 4, .rotate = 1}, {"fp32"});
    add("planes_8_rotated", CodecId::planes, {.width = 8, .rotate = 4}, {"fp32"});
    add("run_length_1", CodecId::run_length, {}, {"pixels", "letters"});
    add("palette_4", CodecId::palette, {.width = 4}, {"codebook"});
    add("bit_pack_1", CodecId::bit_pack, {}, {"pixels"});
    add("bit_planes_2", CodecId::bit_planes, {.width = 2}, {"bf16"});
    add("zigzag_4", CodecId::zigzag, {.width = 4}, {"fp32"});
    add("xor_delta_4", CodecId::xor_delta, {.width = 4}, {"fp32"});
    add("pattern", CodecId::pattern, {}, {"period_251", "fp32"});
    return list;
  }();
  return all;
}

Result<> decode_into(const codec::Codec& codec, const codec::Encoded& encoded, Bytes raw) {
  const std::vector<ByteView> streams(encoded.streams.begin(), encoded.streams.end());
  return codec.decode(encoded.parameters, streams, raw, {});
}

void run(benchmark::State& state, const Stage& stage, const Data& data, bool encodes) {
  const codec::Codec& codec = *codecs::builtin_registry().find(stage.id);
  codec::Encoded encoded = codec.encode(data.bytes, stage.options).value();
  Buffer back(data.bytes.size());
  if (!decode_into(codec, encoded, back) || back != data.bytes) return state.SkipWithError("wrong bytes");
  std::size_t coded = encoded.parameters.size();
  for (const Buffer& stream : encoded.streams) coded += stream.size();
  for (auto _ : state) {
    if (encodes) {
      encoded = codec.encode(data.bytes, stage.options).value();
      benchmark::DoNotOptimize(encoded.streams.data());
    } else {
      benchmark::DoNotOptimize(decode_into(codec, encoded, back).has_value());
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(data.bytes.size()));
  state.counters["bits"] = 8 * static_cast<double>(coded) / static_cast<double>(data.bytes.size());
}

const bool registered = [] {
  for (const Stage& stage : stages()) {
    for (const Data& data : data_kinds()) {
      if (std::ranges::find(stage.data, data.name) == stage.data.end()) continue;
      for (const bool encodes : {true, false}) {
        benchmark::RegisterBenchmark(
            ((encodes ? "encode/" : "decode/") + stage.name + "/" + data.name).c_str(),
            [&stage, &data, encodes](benchmark::State& state) { run(state, stage, data, encodes); });
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace mmh
