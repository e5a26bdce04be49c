#pragma once
// A 256-bit hash value.

#include <array>
#include <compare>
#include <cstddef>
#include <functional>
#include <string>

#include "mmh/base/bytes.h"

namespace mmh::hash {

/// 32 bytes of BLAKE3 output.
struct Digest {
  std::array<std::byte, 32> bytes{};
  auto operator<=>(const Digest&) const = default;
  ByteView view() const { return bytes; }
  /// 64 lower-case hexadecimal digits.
  std::string hex() const;
};

/// For hash tables: the digest's own leading bytes, which are already uniform.
struct DigestHash {
  std::size_t operator()(const Digest& digest) const { return load_le<std::size_t>(digest.bytes); }
};

}  // namespace mmh::hash
