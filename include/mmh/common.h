#pragma once
// What every noun of libmmh shares: results, byte spans, progress and warnings.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mmh/base/bytes.h"
#include "mmh/base/cancel.h"
#include "mmh/base/result.h"

namespace mmh {

/// How far an operation is. `total_bytes` is 0 while it is not known.
struct Progress {
  std::string_view stage;  ///< "pack", "verify", "unpack"…
  std::uint64_t done_bytes = 0;
  std::uint64_t total_bytes = 0;
  std::uint64_t files = 0;
};

/// Told of progress and of problems that do not stop an operation (a file that cannot be read, that changed…). Calls
/// come one at a time, from the thread that called the operation or, for warnings, any other. The defaults do nothing.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void progress(const Progress&) {}
  virtual void warning(const Error&) {}
};

inline constexpr std::uint64_t kMemoryDefault = std::uint64_t{1} << 30;
inline constexpr std::uint64_t kMemoryMin = std::uint64_t{128} << 20;

/// Options that every long operation takes.
struct RunOptions {
  unsigned threads = 0;                   ///< 0: one for each processor this process may use.
  std::uint64_t memory = kMemoryDefault;  ///< Bytes the operation may use, roughly; at least kMemoryMin.
  Observer* observer = nullptr;
  const CancelFlag* cancel = nullptr;  ///< May be set from a signal handler.
  /// Packs among which the base of a pack is looked for, before the folder that the pack is in.
  std::vector<std::string> bases = {};
};

/// 32 bytes of BLAKE3, as `b3sum` computes it for a file's content.
using Hash = std::array<std::byte, 32>;
/// 64 lower-case hexadecimal digits.
std::string to_hex(const Hash& hash);

/// "0.1.0".
std::string_view version();
/// What pack bytes depend on: name and version of each compression library.
std::string library_versions();
/// The instruction set in use, such as "AVX3".
std::string_view instruction_set();

/// `path` for a message: bytes that are not printable UTF-8 become \xNN.
std::string printable(std::string_view path);

}  // namespace mmh
