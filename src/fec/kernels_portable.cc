#include <cstring>

#include "gf256.h"
#include "kernels.h"

namespace mmh::fec {
namespace {

void combine(const Combination& combination, const std::byte* const* sources, std::byte* const* outputs,
             std::size_t size) {
  for (std::size_t r = 0; r < combination.outputs; ++r) {
    auto* out = reinterpret_cast<std::uint8_t*>(outputs[r]);
    std::memset(out, 0, size);
    for (std::size_t s = 0; s < combination.sources; ++s) {
      const auto& table = kHalfProducts[combination.factors[r * combination.sources + s]];
      const auto* in = reinterpret_cast<const std::uint8_t*>(sources[s]);
      for (std::size_t i = 0; i < size; ++i) {
        out[i] ^= static_cast<std::uint8_t>(table[in[i] & 15] ^ table[16 + (in[i] >> 4)]);
      }
    }
  }
}

void add(std::byte* to, const std::byte* from, std::size_t width) {
  for (std::size_t i = 0; i < width; i += 8) {
    std::uint64_t a;
    std::uint64_t b;
    std::memcpy(&a, to + i, 8);
    std::memcpy(&b, from + i, 8);
    a ^= b;
    std::memcpy(to + i, &a, 8);
  }
}

void sum(const Sums& sums, std::byte* rows, std::size_t width, const std::byte* const* inputs,
         std::byte* const* outputs, std::size_t at) {
  const std::uint16_t* code = sums.code;
  for (std::size_t i = 0; i < sums.count; ++i) {
    std::byte* to = outputs != nullptr ? outputs[i] + at : rows + sums.to[i] * width;
    if (inputs != nullptr && sums.inputs[i] != Sums::kNoInput) {
      std::memcpy(to, inputs[sums.inputs[i]] + at, width);
    } else if (!sums.add) {
      std::memset(to, 0, width);
    }
    for (std::size_t count = *code++; count > 0; --count) add(to, rows + *code++ * width, width);
  }
}

void select(const Selection& selection, std::byte* rows, std::size_t width, std::byte* /*scratch*/) {
  for (std::size_t i = 0; i < selection.target_count; ++i) {
    std::byte* target = rows + selection.targets[i] * width;
    if (!selection.add) std::memset(target, 0, width);
    for (std::size_t s = 0; s < selection.source_count; ++s) {
      const unsigned pick = selection.picks[s / Selection::kGroup * selection.target_count + i];
      if ((pick >> (s % Selection::kGroup) & 1) != 0) add(target, rows + selection.sources[s] * width, width);
    }
  }
}

void recur(const Recurrence& recurrence, std::byte* rows, std::size_t width) {
  std::byte* out = rows + recurrence.first_output * width;
  std::memset(out, 0, recurrence.outputs * width);
  for (std::size_t i = 0; i < width; ++i) {
    std::uint8_t z = 0;
    for (std::size_t step = 0; step < recurrence.steps; ++step) {
      z = static_cast<std::uint8_t>(gf_multiply(2, z) ^ std::to_integer<std::uint8_t>(rows[step * width + i]));
      if (step + 1 < recurrence.steps) {
        out[recurrence.pairs[2 * step] * width + i] ^= static_cast<std::byte>(z);
        out[recurrence.pairs[2 * step + 1] * width + i] ^= static_cast<std::byte>(z);
      }
    }
    for (std::size_t output = 0; output < recurrence.outputs; ++output) {
      out[output * width + i] ^= static_cast<std::byte>(gf_multiply(gf_power(output), z));
    }
  }
}

}  // namespace

const Kernels kPortableKernels = {"portable", combine, sum, select, recur};

}  // namespace mmh::fec
