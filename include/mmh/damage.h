#pragma once
// Damage on purpose, to test what survives it.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mmh/common.h"

namespace mmh {

enum class DamageKind : std::uint8_t {
  flip,       ///< One bit of each byte.
  zero,       ///< Zeros instead.
  overwrite,  ///< Random bytes instead.
  drop,       ///< Bytes removed; what follows moves up.
  insert,     ///< Random bytes added.
  truncate,   ///< Bytes cut off an end.
  swap,       ///< Pieces exchanged, two by two.
};

/// Where to do damage: a range of bytes, or a part of a whole pack.
struct DamagePlace {
  /// "header", "data", "dictionary", "extents", "manifest", "index", "trailer", "footer"; of parity "head", "anchors",
  /// "checks", "repair"; "parity": all four. Empty: the range below.
  std::string part;
  std::optional<std::uint64_t> number;  ///< Of several parts of that name only this one, from 0.
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;  ///< Nothing: as long as a piece.
};

struct DamageOptions : RunOptions {
  DamageKind kind = DamageKind::flip;
  std::uint64_t seed = 0;
  /// What exactly is damaged. A part is damaged as a whole; bytes are inserted where a place begins. Empty: pieces at
  /// random places.
  std::vector<DamagePlace> at;
  std::vector<DamagePlace> within;  ///< Random pieces lie wholly in one of these; empty: in the file.
  std::uint64_t count = 1;          ///< Pieces, which do not overlap. Of swaps: pairs.
  std::uint32_t share_ppm = 0;      ///< Not 0: instead, as many pieces as lie in this share of the file.
  std::uint64_t size = 0;           ///< Bytes of a piece; 0: 1 of a flip, else 4096.
  std::uint32_t size_ppm = 0;       ///< Not 0: instead, this share of the file, rounded up.
  std::uint64_t align = 1;          ///< Random pieces begin at multiples of this.
  bool front = false;               ///< truncate: at the beginning instead of the end.
  std::string output;               ///< The damaged copy; empty: in place.
  bool force = false;               ///< Replace an existing output.
};

/// Bytes of the file as it was, and how many came instead.
struct DamageDone {
  std::uint64_t offset = 0;
  std::uint64_t removed = 0;
  std::uint64_t added = 0;
};
struct DamageSummary {
  std::vector<DamageDone> done;  ///< In order of offsets.
  std::uint64_t size_before = 0;
  std::uint64_t size_after = 0;
};

/// Damages a file, the same way each time for the same options and size. Errors: usage (places that overlap, are not
/// there or have no room), corrupt (parts of a file that is no whole pack), exists, not_found, permission, io,
/// no_space, cancelled.
Result<DamageSummary> damage_file(const std::string& path, const DamageOptions& options);

}  // namespace mmh
