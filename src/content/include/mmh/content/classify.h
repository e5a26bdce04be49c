#pragma once
// What data is: a class by magic numbers, structure and statistics; the name only breaks ties.

#include <cstdint>
#include <string_view>

#include "mmh/base/bytes.h"

namespace mmh::content {

/// On disk nowhere: a class only steers grouping and planning. Names are shown by `mmh info` and `mmh bench`.
enum class ContentClass : std::uint8_t {
  text,         ///< Natural-language text.
  source,       ///< Program source and scripts.
  markup,       ///< XML, HTML and kin.
  json,         ///< JSON and JSON lines.
  log,          ///< Line records: logs, CSV and other tables in text.
  machine_x86,  ///< x86 machine code (ELF, PE, object files and archives of them).
  machine_arm64,
  machine_riscv,
  machine_other,  ///< Other executable or byte code.
  tensor,         ///< Arrays of floating-point numbers or quantised weights.
  image,          ///< Uncompressed rasters.
  audio,          ///< Uncompressed PCM.
  records,        ///< Binary records of a fixed length, databases.
  binary,         ///< Anything else that shrinks.
  compressed,     ///< Already compressed or encrypted: will not shrink.
};
inline constexpr std::size_t kContentClassCount = 15;

std::string_view class_name(ContentClass value);

/// The class of a file. `head`: its first bytes (up to 64 KiB are looked at); `path`: its name, for hints.
ContentClass classify(ByteView head, std::string_view path);

/// Order-0 entropy of `data` in 1/256 bits a byte (0..2048); integer arithmetic, deterministic.
std::uint32_t entropy(ByteView data);

/// Whether spending time on `data` is pointless: no byte skew, no matches in samples of it. Errs towards false.
bool looks_incompressible(ByteView data);

/// Whether a match finder would find something in samples of `data`: longer strings that stood shortly before.
bool has_matches(ByteView data);

}  // namespace mmh::content
