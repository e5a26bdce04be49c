#pragma once
// Unsigned LEB128 integers, shortest form only (one encoding per value, so that stored bytes are canonical).

#include <cstdint>

#include "mmh/base/bytes.h"
#include "mmh/base/result.h"

namespace mmh {

inline constexpr std::size_t kVarintSizeMax = 10;

/// Appends `value`.
void put_varint(Buffer& out, std::uint64_t value);

/// Reads a varint at the front of `in` and moves `in` behind it. Errors: corrupt (cut short, too long, not shortest).
Result<std::uint64_t> take_varint(ByteView& in);

}  // namespace mmh
