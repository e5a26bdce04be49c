#pragma once
// Byte spans and little-endian access.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace mmh {

using ByteView = std::span<const std::byte>;
using Bytes = std::span<std::byte>;

/// An allocator whose vector leaves new trivial elements uninitialised: a buffer about to be filled costs no memset.
template <class T>
struct DefaultInitAllocator : std::allocator<T> {
  template <class U>
  struct rebind {
    using other = DefaultInitAllocator<U>;
  };
  template <class U>
  void construct(U* place) noexcept(std::is_nothrow_default_constructible_v<U>) {
    ::new (static_cast<void*>(place)) U;
  }
  template <class U, class... Args>
  void construct(U* place, Args&&... args) {
    std::construct_at(place, std::forward<Args>(args)...);
  }
};

/// Owned bytes. resize() leaves new bytes uninitialised.
using Buffer = std::vector<std::byte, DefaultInitAllocator<std::byte>>;

inline ByteView as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline void append(Buffer& out, ByteView bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

/// Reads an integer stored little-endian. Requires: in.size() >= sizeof(T).
template <class T>
T load_le(ByteView in) {
  static_assert(std::endian::native == std::endian::little, "only little-endian machines are supported");
  T value;
  std::memcpy(&value, in.data(), sizeof value);
  return value;
}

/// Writes an integer little-endian. Requires: out.size() >= sizeof(T).
template <class T>
void store_le(Bytes out, T value) {
  static_assert(std::endian::native == std::endian::little, "only little-endian machines are supported");
  std::memcpy(out.data(), &value, sizeof value);
}

}  // namespace mmh
