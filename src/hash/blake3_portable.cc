// Follows section 2.2 of the specification word for word: the oracle of the SIMD kernels must be plain to see as right.

#include <bit>
#include <cstring>

#include "blake3_kernels.h"

namespace mmh::hash::detail {
namespace {

using State = std::array<std::uint32_t, 16>;

void mix(State& v, std::size_t a, std::size_t b, std::size_t c, std::size_t d, std::uint32_t x, std::uint32_t y) {
  v[a] = v[a] + v[b] + x;
  v[d] = std::rotr(v[d] ^ v[a], 16);
  v[c] = v[c] + v[d];
  v[b] = std::rotr(v[b] ^ v[c], 12);
  v[a] = v[a] + v[b] + y;
  v[d] = std::rotr(v[d] ^ v[a], 8);
  v[c] = v[c] + v[d];
  v[b] = std::rotr(v[b] ^ v[c], 7);
}

State run_rounds(const ChainingValue& value, const std::byte* block, std::uint32_t size, std::uint64_t counter,
                 std::uint32_t flags) {
  State m;
  std::memcpy(m.data(), block, kBlockSize);
  State v = {value[0],
             value[1],
             value[2],
             value[3],
             value[4],
             value[5],
             value[6],
             value[7],
             kInitialValue[0],
             kInitialValue[1],
             kInitialValue[2],
             kInitialValue[3],
             static_cast<std::uint32_t>(counter),
             static_cast<std::uint32_t>(counter >> 32),
             size,
             flags};
  for (const auto& s : kSchedule) {
    mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
    mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
    mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
    mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
    mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
    mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
    mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
    mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
  }
  return v;
}

void compress(const ChainingValue& value, const std::byte* block, std::uint32_t size, std::uint64_t counter,
              std::uint32_t flags, std::uint32_t* out) {
  const State v = run_rounds(value, block, size, counter, flags);
  for (std::size_t i = 0; i < 8; ++i) {
    out[i] = v[i] ^ v[i + 8];
    out[i + 8] = v[i + 8] ^ value[i];
  }
}

void hash_many(const ChainingValue& key, const Inputs& inputs, ChainingValue* out) {
  const std::byte* block = inputs.data;
  for (std::size_t i = 0; i < inputs.count; ++i) {
    const std::uint64_t counter = inputs.counter + i * inputs.counter_step;
    ChainingValue value = key;
    for (std::size_t b = 0; b < inputs.blocks; ++b, block += kBlockSize) {
      const std::uint32_t flags =
          inputs.flags | (b == 0 ? inputs.flags_first : 0) | (b + 1 == inputs.blocks ? inputs.flags_last : 0);
      const State v = run_rounds(value, block, kBlockSize, counter, flags);
      for (std::size_t w = 0; w < 8; ++w) value[w] = v[w] ^ v[w + 8];
    }
    out[i] = value;
  }
}

}  // namespace

const Kernels kPortable = {"portable", hash_many, compress};

}  // namespace mmh::hash::detail
