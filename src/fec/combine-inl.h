// The combination of symbols, for kernels_simd.cc to include once for each way of multiplying: inside a namespace with
//   template <class D> class Multiplier {
//     explicit Multiplier(D);
//     struct Input;                                   // what is computed once for all factors of a vector
//     Input prepare(Vec v) const;
//     struct Factor;
//     Factor factor(std::uint8_t) const;
//     Vec multiply(const Factor&, const Input&) const;
//   };

/// Up to kOutputs outputs in one pass over the sources, kVectors vectors at a time.
template <std::size_t kOutputs, std::size_t kVectors>
HWY_NOINLINE std::size_t combine_pass(const std::uint8_t* factors, std::size_t sources, const std::byte* const* in,
                                      std::byte* const* out, std::size_t begin, std::size_t end) {
  using D = hn::ScalableTag<std::uint8_t>;
  const D d;
  using V = hn::Vec<D>;
  const Multiplier<D> multiplier(d);
  constexpr std::size_t kLanes = sizeof(V);
  std::size_t at = begin;
  for (; at + kVectors * kLanes <= end; at += kVectors * kLanes) {
    V sums[kOutputs][kVectors];
    for (auto& row : sums) {
      for (V& sum : row) sum = hn::Zero(d);
    }
    for (std::size_t s = 0; s < sources; ++s) {
      const auto* place = reinterpret_cast<const std::uint8_t*>(in[s]) + at;
      typename Multiplier<D>::Input inputs[kVectors];
      for (std::size_t v = 0; v < kVectors; ++v) inputs[v] = multiplier.prepare(hn::LoadU(d, place + v * kLanes));
      for (std::size_t r = 0; r < kOutputs; ++r) {
        const auto factor = multiplier.factor(factors[r * sources + s]);
        for (std::size_t v = 0; v < kVectors; ++v) {
          sums[r][v] = hn::Xor(sums[r][v], multiplier.multiply(factor, inputs[v]));
        }
      }
    }
    for (std::size_t r = 0; r < kOutputs; ++r) {
      auto* place = reinterpret_cast<std::uint8_t*>(out[r]) + at;
      for (std::size_t v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], d, place + v * kLanes);
    }
  }
  return at;
}

template <std::size_t kOutputs>
void combine_outputs(const std::uint8_t* factors, std::size_t sources, const std::byte* const* in,
                     std::byte* const* out, std::size_t begin, std::size_t end) {
  begin = combine_pass<kOutputs, 2>(factors, sources, in, out, begin, end);
  begin = combine_pass<kOutputs, 1>(factors, sources, in, out, begin, end);
  if (begin == end) return;
  for (std::size_t r = 0; r < kOutputs; ++r) {
    for (std::size_t i = begin; i < end; ++i) {
      unsigned sum = 0;
      for (std::size_t s = 0; s < sources; ++s) {
        sum ^= gf_multiply(factors[r * sources + s], std::to_integer<std::uint8_t>(in[s][i]));
      }
      out[r][i] = static_cast<std::byte>(sum);
    }
  }
}

void combine(const Combination& combination, const std::byte* const* sources, std::byte* const* outputs,
             std::size_t size) {
  // Each group of outputs reads all sources anew: out of the cache, if a stretch of all of them fits it.
  const std::size_t stretch = std::max<std::size_t>(1024, (512U << 10) / (combination.sources + 1) / 1024 * 1024);
  for (std::size_t begin = 0; begin < size; begin += stretch) {
    const std::size_t end = std::min(size, begin + stretch);
    std::size_t r = 0;
    while (r < combination.outputs) {
      const std::uint8_t* factors = combination.factors + r * combination.sources;
      const std::size_t rest = combination.outputs - r;
      // Six sums of two vectors fill the 32 registers of the widest sets; others have 16.
      if (kOutputsMax >= 6 && rest >= 6 && rest != 8) {
        combine_outputs<6>(factors, combination.sources, sources, outputs + r, begin, end);
        r += 6;
      } else if (rest >= 4) {
        combine_outputs<4>(factors, combination.sources, sources, outputs + r, begin, end);
        r += 4;
      } else if (rest >= 2) {
        combine_outputs<2>(factors, combination.sources, sources, outputs + r, begin, end);
        r += 2;
      } else {
        combine_outputs<1>(factors, combination.sources, sources, outputs + r, begin, end);
        r += 1;
      }
    }
  }
}
