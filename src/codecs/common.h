#pragma once
// What the codecs of this folder share.

#include <cstdint>
#include <cstring>

#include "mmh/codec/codec.h"

namespace mmh::codecs {

/// Bytes as the C libraries take them.
inline const std::uint8_t* u8(ByteView bytes) { return reinterpret_cast<const std::uint8_t*>(bytes.data()); }
inline std::uint8_t* u8(Bytes bytes) { return reinterpret_cast<std::uint8_t*>(bytes.data()); }

/// One coded stream, which is all that most codecs yield.
codec::Encoded encoded(Buffer parameters, Buffer stream);

/// Errors: usage, unless low <= value <= high.
Result<> check_option(const char* name, long long value, long long low, long long high);

/// Errors: corrupt, where a codec that has no parameters is given some.
Result<> check_no_parameters(ByteView parameters);

/// Copies `from` to the front of `to`. Faster than std::ranges::copy, which GCC 12 makes a loop over bytes of.
/// Requires: to.size() >= from.size(); no overlap.
inline void copy_bytes(ByteView from, Bytes to) {
  if (!from.empty()) std::memcpy(to.data(), from.data(), from.size());
}

/// An error for an encoder that could not allocate.
inline std::unexpected<Error> no_memory() { return fail(Errc::limit, "no memory for the encoder"); }

}  // namespace mmh::codecs
