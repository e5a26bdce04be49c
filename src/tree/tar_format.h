#pragma once
// What the reader and the writer of tar streams both know. Source: POSIX.1-2001 pax, "ustar Interchange Format"; GNU
// tar manual, "Basic Tar Format".

#include <cstddef>

#include "mmh/base/bytes.h"

namespace mmh::tree::tar {

inline constexpr std::size_t kBlockSize = 512;
inline constexpr std::size_t kRecordSize = 20 * kBlockSize;  // archives are padded to a multiple of it

/// A field of a header block.
struct Field {
  std::size_t offset;
  std::size_t size;
  const char* name;
};
inline constexpr Field kName{0, 100, "name"};
inline constexpr Field kMode{100, 8, "mode"};
inline constexpr Field kUid{108, 8, "uid"};
inline constexpr Field kGid{116, 8, "gid"};
inline constexpr Field kSize{124, 12, "size"};
inline constexpr Field kMtime{136, 12, "mtime"};
inline constexpr Field kChecksum{148, 8, "checksum"};
inline constexpr Field kType{156, 1, "type"};
inline constexpr Field kLink{157, 100, "link name"};
inline constexpr Field kMagic{257, 8, "magic"};  // with the version
inline constexpr Field kUser{265, 32, "user name"};
inline constexpr Field kGroup{297, 32, "group name"};
inline constexpr Field kDeviceMajor{329, 8, "device major"};
inline constexpr Field kDeviceMinor{337, 8, "device minor"};
inline constexpr Field kPrefix{345, 155, "prefix"};
// Sparse files of old GNU tar, where POSIX has the prefix.
inline constexpr std::size_t kSparseEntrySize = 24;  // offset and size, 12 bytes each
inline constexpr Field kSparseMap{386, 4 * kSparseEntrySize, "sparse map"};
inline constexpr Field kSparseContinues{482, 1, "sparse continuation"};
inline constexpr Field kSparseRealSize{483, 12, "sparse file size"};
inline constexpr Field kSparseMoreMap{0, 21 * kSparseEntrySize, "sparse map"};
inline constexpr Field kSparseMoreContinues{504, 1, "sparse continuation"};

/// Sums of a header's bytes, its checksum field taken as spaces; old archives have the signed one.
struct Sums {
  std::int64_t of_unsigned = 0;
  std::int64_t of_signed = 0;
};
inline Sums sums_of(ByteView block) {
  Sums sums;
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    const bool in_checksum = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.size;
    const auto byte = in_checksum ? std::byte{' '} : block[i];
    sums.of_unsigned += std::to_integer<std::uint8_t>(byte);
    sums.of_signed += static_cast<std::int8_t>(std::to_integer<std::uint8_t>(byte));
  }
  return sums;
}

/// Bytes that fill up the last block of `size` bytes.
inline std::size_t padding_of(std::uint64_t size) { return (kBlockSize - size % kBlockSize) % kBlockSize; }

}  // namespace mmh::tree::tar
