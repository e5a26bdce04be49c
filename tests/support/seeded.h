#pragma once
// Bytes from a seed, without the test framework.

#include <cstdint>

#include "mmh/base/bytes.h"

namespace mmh::test {

/// splitmix64: the same sequence everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  /// Uniform enough in [0, limit). Requires: limit > 0.
  std::uint64_t below(std::uint64_t limit) { return next() % limit; }

 private:
  std::uint64_t state_;
};

/// Incompressible bytes.
Buffer random_bytes(std::size_t size, std::uint64_t seed);
/// Words with a skewed distribution: compressible like text.
Buffer text_bytes(std::size_t size, std::uint64_t seed);

}  // namespace mmh::test
