#pragma once
// The Codec interface: one node of a codec graph.

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "mmh/base/bytes.h"
#include "mmh/base/result.h"

namespace mmh::codec {

/// On disk: never renumbered, never reused. The table in src/codecs/table.cc lists them.
enum class CodecId : std::uint32_t {
  stored = 0,
  zstd = 1,
  lz4 = 2,
  brotli = 3,
  lzma = 4,
  deflate = 5,
  delta = 16,
  transpose = 17,
  branch_x86 = 18,
  branch_arm64 = 19,
};

/// Bytes that many frames share, named by the number of the block that holds them.
struct Dictionary {
  std::uint64_t block = 0;
  Buffer bytes;
};

/// What the planner asks of an encoder. Each codec's spec.md says which fields it reads; the others are ignored.
struct EncodeOptions {
  int level = 0;                ///< The library's own scale.
  unsigned window_log = 0;      ///< Log2 of the window or dictionary in bytes; 0: chosen by level and input size.
  unsigned width = 1;           ///< Bytes of an element (delta, transpose).
  bool text = false;            ///< The input is text: literal-context choices of brotli and LZMA.
  std::shared_ptr<const Dictionary> dictionary;  ///< zstd only.
};

/// What encode() yields: parameters that decode() needs, and the coded streams, each of which another codec may take further.
struct Encoded {
  Buffer parameters;
  std::vector<Buffer> streams;
};

/// What a decoder may ask for while it runs.
struct DecodeContext {
  /// The dictionary in that block. Null: the place has none, and frames that want one are an `unsupported` error.
  std::function<Result<std::shared_ptr<const Dictionary>>(std::uint64_t block)> dictionary;
};

/// A lossless codec: raw bytes to and from one or more coded streams. Stateless: every call may run on any thread.
class Codec {
 public:
  virtual ~Codec() = default;
  virtual CodecId id() const = 0;
  virtual std::string_view name() const = 0;     ///< Lower case, such as "zstd".
  virtual std::string_view purpose() const = 0;  ///< One line for `mmh codecs`.
  virtual std::size_t stream_count() const = 0;  ///< Coded streams, fixed for a codec; 1..8.

  /// Deterministic. Errors: limit (raw too large for the codec), usage (options out of range).
  virtual Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const = 0;
  /// Fills all of `raw`; trusts nothing in `parameters` and `streams`. Memory beyond `raw` is bounded by
  /// decode_memory_max(). Errors: corrupt, unsupported (a dictionary that is not to be had).
  virtual Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                          const DecodeContext& context) const = 0;
  /// Most bytes that decode() allocates for `raw_size` bytes of output.
  virtual std::size_t decode_memory_max(std::size_t raw_size) const = 0;
};

}  // namespace mmh::codec
