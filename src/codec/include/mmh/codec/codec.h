#pragma once
// The Codec interface: one node of a codec graph.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mmh/base/bytes.h"
#include "mmh/base/cancel.h"
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
  rans = 20,
  planes = 21,
  pattern = 22,
  run_length = 23,
  palette = 24,
  bit_pack = 25,
  bit_planes = 26,
  zigzag = 27,
  xor_delta = 28,
  scaled = 29,
  fields = 30,
  branch_riscv = 31,
  records = 32,
  tokens = 33,
  raster = 34,
  audio = 35,
  jpeg = 36,
  inflated = 37,
  sparse = 38,
  bit_records = 39,
  multiples = 40,
  decimals = 41,
  byte_swap = 42,
  base_copy = 48,
  base_delta = 49,
  base_zstd = 50,
};

/// Bytes that many frames share, named by the number of the block that holds them.
struct Dictionary {
  std::uint64_t block = 0;
  Buffer bytes = {};
};

/// A run of a base's content: the regular files of another pack, laid end to end in the order of its manifest.
struct BaseRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  friend bool operator==(const BaseRange&, const BaseRange&) = default;
};
inline constexpr std::size_t kBaseRangesMax = 4096;  ///< Most ranges that one codec node names.

/// What a block is coded against: ranges of the base's content, and their bytes, end to end.
struct BaseReference {
  std::vector<BaseRange> ranges = {};
  Buffer bytes = {};
};

/// Machine code whose relative branch targets are made absolute, so that calls of one function look alike.
enum class Branch : std::uint8_t { none, x86, arm64 };

inline constexpr std::size_t kFieldsMax = 8;  ///< Most fields of a record.

/// A stretch of bytes that tells where it ends.
struct Field {
  enum class Kind : std::uint8_t {
    fixed,       ///< `width` bytes.
    prefixed,    ///< One byte that says how many more there are, and those.
    terminated,  ///< Up to and with the first byte that equals `terminator`.
  };
  Kind kind = Kind::fixed;
  std::uint32_t width = 1;
  std::uint8_t terminator = '\n';
  std::uint32_t stream = 0;  ///< records: the stream that takes it, counted behind the three that are always there.
};

/// Fields that follow each other. Records of one schema begin alike, or anywhere.
struct RecordSchema {
  Buffer signature = {};  ///< What a record begins with; only the encoder looks at it.
  std::vector<Field> fields = {};
  /// How many of it come in a row before those of the next schema; 0 for all schemas: as they come.
  std::size_t repeat = 0;
};

/// What records consist of: the layout that the planner gives to the codec records.
struct RecordLayout {
  std::size_t head_size = 0;  ///< Bytes before the first record.
  std::vector<RecordSchema> schemas = {};
};

/// What the planner asks of an encoder. Each codec's spec.md says which fields it reads and their ranges; the others
/// are ignored.
struct EncodeOptions {
  int level = 0;            ///< The library's own scale.
  unsigned window_log = 0;  ///< Log2 of the window or dictionary in bytes; 0: chosen by level and input size.
  /// Bytes of an element (delta, transpose, planes, run_length, palette, bit_pack, bit_planes, zigzag, xor_delta,
  /// base_delta, multiples, decimals, byte_swap); bits of a record (bit_records).
  unsigned width = 1;
  unsigned rotate = 0;      ///< planes: bits by which each element is rotated left first.
  unsigned scale_step = 0;  ///< scaled: symbols that a doubling of the numbers makes; 0: it means nothing.
  std::array<std::uint16_t, kFieldsMax> fields = {};  ///< fields: bytes of each field of a record; 0: no more of them.
  /// delta: differences of little-endian integers, not of bytes `width` apart. multiples: integers, not floats.
  bool integers = false;
  /// Bytes before the first element (delta over integers, planes; below `width`) or instruction (branch_arm64,
  /// branch_riscv; below 4); bits before the first record (bit_records; below `width`).
  unsigned phase = 0;
  std::uint64_t row_size = 0;    ///< raster: bytes from one row to the next.
  std::uint64_t slice_size = 0;  ///< raster: bytes from one picture to the next one that is like it; 0: none is known.
  unsigned channels = 1;         ///< raster, audio: elements of a pixel, of a moment.
  unsigned contexts = 1;         ///< raster, audio: streams of symbols they yield; one more holds the rest.
  bool big_endian = false;    ///< raster, audio: order of the bytes of an element. bit_records: of the bits of a byte.
  bool is_signed = false;     ///< raster, audio: elements have a sign.
  bool text = false;          ///< The input is text: literal-context choices of brotli and LZMA.
  bool long_matches = false;  ///< zstd: also look for matches far back, which pays in blocks above 8 MiB.
  bool extreme = false;       ///< LZMA: the slower search that xz calls -e.
  Branch branch = Branch::none;  ///< LZMA: liblzma's own branch filter before it.
  /// LZMA: liblzma's own delta filter before it, at this distance in bytes; 0: none. delta with `integers`: how far
  /// back the neighbour is, in bytes; 0: `width`.
  unsigned delta_distance = 0;
  /// LZMA: literal context bits, literal position bits, position bits. Negative: the library's (3, 0, 2), and (3, 0, 0)
  /// for text. Requires: lc + lp <= 4.
  int lc = -1, lp = -1, pb = -1;
  std::shared_ptr<const Dictionary> dictionary = nullptr;  ///< zstd only.
  std::shared_ptr<const RecordLayout> layout = nullptr;    ///< records: what to look for; null: nothing.
  Field token = {};                                        ///< tokens, decimals: what one is; its stream is ignored.
  std::shared_ptr<const BaseReference> base = nullptr;     ///< base_copy, base_delta, base_zstd, which need it.
  unsigned mantissa = 0;         ///< base_delta: bits below the exponent of an element that is a float; 0: integers.
  bool relative_change = false;  ///< base_delta: changes are expected in proportion to the elements, not of one size.
  /// LZMA, which may take seconds for a block: set while it runs, it ends with `cancelled`. May be null.
  const CancelFlag* cancel = nullptr;
};

/// What encode() yields: parameters that decode() needs, and the coded streams, each of which another codec may take
/// further.
struct Encoded {
  Buffer parameters;
  std::vector<Buffer> streams;
};

/// What a decoder may ask for while it runs.
struct DecodeContext {
  /// The dictionary in that block. Null: the place has none, and frames that want one are an `unsupported` error.
  std::function<Result<std::shared_ptr<const Dictionary>>(std::uint64_t block)> dictionary;
  /// Fills `out` with the base's content from `offset` on. Null: the place has no base, and frames that want one are an
  /// `unsupported` error.
  std::function<Result<>(std::uint64_t offset, Bytes out)> base = {};
};

inline constexpr std::size_t kCodecStreamsMax = 32;  ///< Most coded streams of one codec.

/// What the bytes of a stream are.
enum class StreamKind : std::uint8_t {
  bytes,    ///< Anything.
  records,  ///< Of `width` bytes each.
  numbers,  ///< Little-endian, of `width` bytes each.
  bits,     ///< Packed from the low end of each byte.
};
struct StreamType {
  StreamKind kind = StreamKind::bytes;
  std::uint32_t width = 1;  ///< Bytes of a record or number; the stream's size is a multiple of it. Otherwise 1.
  friend bool operator==(const StreamType&, const StreamType&) = default;
};
/// Whether a stream of one type may be taken for one of the other: bytes for anything and anything for bytes, records
/// for numbers of their width and back, else only the same.
constexpr bool fits(StreamType one, StreamType other) {
  if (one.kind == StreamKind::bytes || other.kind == StreamKind::bytes) return true;
  const bool bits = one.kind == StreamKind::bits;
  return bits == (other.kind == StreamKind::bits) && one.width == other.width;
}
/// "bytes", "numbers of 4 bytes"…
std::string to_string(StreamType type);

/// The types of a codec's raw side and of its coded streams, which its parameters alone decide.
struct Signature {
  StreamType raw = {};
  std::size_t stream_count = 1;  ///< 1..kCodecStreamsMax.
  std::array<StreamType, kCodecStreamsMax> coded = {};

  std::span<const StreamType> streams() const { return std::span(coded).first(stream_count); }
};

/// Most bytes that the coded streams of `raw_size` raw bytes add up to, for almost any codec and data met in practice;
/// budgets stand on it, safety does not.
constexpr std::size_t coded_size_max(std::size_t raw_size) { return raw_size + raw_size / 8 + 1024; }

/// A lossless codec: raw bytes to and from one or more coded streams. Stateless: every call may run on any thread.
class Codec {
 public:
  virtual ~Codec() = default;
  virtual CodecId id() const = 0;
  virtual std::string_view name() const = 0;     ///< Lower case, such as "zstd".
  virtual std::string_view purpose() const = 0;  ///< One line for `mmh codecs`.
  /// The first version of the pack format in which it may stand.
  virtual std::uint32_t since_format() const { return 1; }
  /// Whether decode() asks for bytes of the base.
  virtual bool needs_base() const { return false; }
  /// What it takes and yields under these parameters; by default bytes to one stream of bytes. Cheap: it runs for every
  /// node before any is decoded. Errors: corrupt (parameters that mean nothing; decode() checks them as well).
  virtual Result<Signature> signature(ByteView parameters) const;

  /// Deterministic. Errors: limit (raw too large for the codec, no memory), usage (options out of range; a raw size
  /// that the raw type does not allow), cancelled.
  virtual Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const = 0;
  /// Fills all of `raw`; trusts nothing in `parameters` and `streams`. Memory beyond `raw` is bounded by
  /// decode_memory_max(). Errors: corrupt, unsupported (a dictionary that is not to be had).
  virtual Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                          const DecodeContext& context) const = 0;
  /// Most bytes that decode() allocates for `raw_size` bytes of output.
  virtual std::size_t decode_memory_max(std::size_t raw_size) const = 0;
  /// Most bytes that encode() allocates, its result included. Part of it may stay with the thread for the next call.
  virtual std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions& options) const = 0;
  /// The same as codec::coded_size_max() for this codec, where that is more.
  virtual std::size_t coded_size_max(std::size_t raw_size) const { return codec::coded_size_max(raw_size); }
};

}  // namespace mmh::codec
