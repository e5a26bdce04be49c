#include "raptorq_code.h"

#include <algorithm>

namespace mmh::fec {
namespace {

bool is_prime(std::uint32_t n) {
  for (std::uint32_t factor = 2; factor * factor <= n; ++factor) {
    if (n % factor == 0) return false;
  }
  return n >= 2;
}

/// f[d] of table 1.
constexpr std::array<std::uint32_t, 31> kDegreeBounds = {
    0,       5243,    529531,  704294,  791675,  844104,  879057,  904023,  922747, 937311,  948962,
    958494,  966438,  973160,  978921,  983914,  988283,  992138,  995565,  998631, 1001391, 1003887,
    1006157, 1008229, 1010129, 1011876, 1013490, 1014983, 1016370, 1017662, 1048576};

}  // namespace

RaptorqParameters::RaptorqParameters(std::uint32_t symbols) : k(symbols) {
  const SystematicIndex& row = *std::ranges::lower_bound(kSystematicIndices, k, {}, &SystematicIndex::k_padded);
  k_padded = row.k_padded;
  j = row.j;
  s = row.s;
  h = row.h;
  w = row.w;
  l = k_padded + s + h;
  p = l - w;
  p1 = p;
  while (!is_prime(p1)) ++p1;
}

std::uint32_t raptorq_random(std::uint32_t y, std::uint32_t i, std::uint32_t m) {
  std::uint32_t mixed = 0;
  for (unsigned byte = 0; byte < 4; ++byte) mixed ^= kRandomNumbers[byte][((y >> (8 * byte)) + i) & 255];
  return mixed % m;
}

void append_neighbours(const RaptorqParameters& parameters, std::uint32_t symbol, std::vector<std::uint16_t>& out) {
  const RaptorqParameters& q = parameters;
  // Section 5.3.5.4: the tuple of the symbol.
  std::uint32_t a_of_j = 53591 + q.j * 997;
  if (a_of_j % 2 == 0) ++a_of_j;
  const std::uint32_t b_of_j = 10267 * (q.j + 1);
  const std::uint32_t y = b_of_j + symbol * a_of_j;
  const std::uint32_t v = raptorq_random(y, 0, 1U << 20);
  const auto bound = std::ranges::upper_bound(kDegreeBounds, v);
  const std::uint32_t d = std::min(static_cast<std::uint32_t>(bound - kDegreeBounds.begin()), q.w - 2);
  const std::uint32_t a = 1 + raptorq_random(y, 1, q.w - 1);
  std::uint32_t b = raptorq_random(y, 2, q.w);
  const std::uint32_t d1 = d < 4 ? 2 + raptorq_random(symbol, 3, 2) : 2;
  const std::uint32_t a1 = 1 + raptorq_random(symbol, 4, q.p1 - 1);
  std::uint32_t b1 = raptorq_random(symbol, 5, q.p1);

  out.push_back(static_cast<std::uint16_t>(b));
  for (std::uint32_t i = 1; i < d; ++i) {
    b = (b + a) % q.w;
    out.push_back(static_cast<std::uint16_t>(b));
  }
  for (std::uint32_t i = 0; i < d1; ++i) {
    if (i > 0) b1 = (b1 + a1) % q.p1;
    while (b1 >= q.p) b1 = (b1 + a1) % q.p1;
    out.push_back(static_cast<std::uint16_t>(q.w + b1));
  }
}

}  // namespace mmh::fec
