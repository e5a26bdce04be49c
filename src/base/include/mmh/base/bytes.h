#pragma once
// Byte spans and little-endian access.

#include <algorithm>
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

/// Memory of `size` bytes, kLargeMemory or more; the first of it that a process asks for comes in large pages where the
/// system has them, because touching small ones for the first time takes longer than most of what short commands do.
/// Throws std::bad_alloc.
void* allocate_large(std::size_t size);
void free_large(void* memory) noexcept;
inline constexpr std::size_t kLargeMemory = std::size_t{1} << 20;

/// An allocator whose vector leaves new trivial elements uninitialised: a buffer about to be filled costs no memset.
template <class T>
struct DefaultInitAllocator : std::allocator<T> {
  DefaultInitAllocator() = default;
  template <class U>
  explicit(false) DefaultInitAllocator(const DefaultInitAllocator<U>& /*other*/) noexcept {}
  template <class U>
  struct rebind {
    using other = DefaultInitAllocator<U>;
  };
  T* allocate(std::size_t count) {
    if (count < kLargeMemory / sizeof(T)) return std::allocator<T>::allocate(count);
    return static_cast<T*>(allocate_large(count * sizeof(T)));
  }
  void deallocate(T* memory, std::size_t count) noexcept {
    if (count < kLargeMemory / sizeof(T)) return std::allocator<T>::deallocate(memory, count);
    free_large(memory);
  }
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
inline std::string_view as_text(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// Appends `bytes`, which must not be part of `out`. Faster than out.insert(): with an allocator that is not its own,
/// libstdc++ inserts, and moves to a larger block, byte by byte.
inline void append(Buffer& out, ByteView bytes) {
  if (bytes.empty()) return;
  const std::size_t before = out.size();
  if (bytes.size() > out.capacity() - before) {
    Buffer grown;
    grown.reserve(std::max(before + bytes.size(), 2 * out.capacity()));
    grown.resize(before);
    if (before > 0) std::memcpy(grown.data(), out.data(), before);
    out.swap(grown);
  }
  out.resize(before + bytes.size());
  std::memcpy(out.data() + before, bytes.data(), bytes.size());
}

/// A copy of `bytes`; the fast way to make a Buffer of a view.
inline Buffer copy_of(ByteView bytes) {
  Buffer copy;
  append(copy, bytes);
  return copy;
}

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
