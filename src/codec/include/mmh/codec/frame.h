#pragma once
// A frame: one compressed block. It carries a small program (which codecs, on which streams, with which parameters) and
// the streams themselves, and one universal decoder runs any valid program. Format: docs/format/frame.md.

#include <cstdint>
#include <vector>

#include "mmh/base/bytes.h"
#include "mmh/base/result.h"
#include "mmh/codec/codec.h"
#include "mmh/codec/registry.h"

namespace mmh::codec {

/// What to do to a block: a codec, and what to do to each stream it yields (missing children are stored as they are).
struct Plan {
  CodecId codec = CodecId::stored;
  EncodeOptions options = {};
  std::vector<Plan> children = {};
};

inline constexpr std::size_t kRawSizeMax = std::size_t{64} << 20;     ///< Most bytes that one frame stands for.
inline constexpr std::size_t kNodesMax = 128;                         ///< Most codec nodes in a frame.
inline constexpr std::size_t kStreamsMax = 128;                       ///< Most stored streams in a frame.
inline constexpr std::size_t kParametersMax = std::size_t{64} << 10;  ///< Most bytes of one node's parameters.
inline constexpr std::size_t kFrameOverheadMax = 8;  ///< Bytes by which a frame may exceed its raw bytes.

/// Most bytes that the outputs of all nodes but the last may add up to, in a frame that stands for `raw_size` bytes.
/// What was compressed before may become far larger on the way; 64 MiB of that are as many as a large block has anyway.
constexpr std::size_t intermediates_max(std::size_t raw_size) {
  const std::size_t expanded = raw_size < (std::size_t{2} << 20) ? 32 * raw_size : std::size_t{64} << 20;
  const std::size_t usual = 4 * raw_size;
  return (usual > expanded ? usual : expanded) + (std::size_t{64} << 10);
}

/// Encodes `raw` as `plan` says. A node that does not make its input smaller is left out and its input stored; so the
/// frame never exceeds raw.size() + kFrameOverheadMax. Deterministic. `cancel` may be null; codecs that take long look
/// at it. Errors: limit (raw above kRawSizeMax), usage (bad plan), cancelled.
Result<Buffer> encode_frame(const Registry& registry, const Plan& plan, ByteView raw,
                            const CancelFlag* cancel = nullptr);

/// Decodes a frame into `raw`, whose size the caller knows. Validates the whole program before running any of it.
/// Errors: corrupt, unsupported (a codec that the registry lacks, named by id), limit.
Result<> decode_frame(const Registry& registry, ByteView frame, Bytes raw, const DecodeContext& context = {});

/// Most bytes that decode_frame allocates for a block of `raw_size` bytes, whatever the frame says.
std::size_t decode_memory_max(const Registry& registry, std::size_t raw_size);
/// Most bytes that encode_frame allocates, its result included. Requires: the plan's codecs are in the registry.
std::size_t encode_memory_max(const Registry& registry, const Plan& plan, std::size_t raw_size);

/// One node of a frame's program, for display.
struct NodeInfo {
  CodecId codec;
  std::uint64_t raw_size;         ///< Bytes the node yields when it decodes.
  std::vector<std::size_t> from;  ///< For each coded stream: the index of the node that yields it, or SIZE_MAX: stored.
  std::uint64_t stored_size;      ///< Bytes of its streams that are stored directly.
  Buffer parameters;
};
/// The codecs of a frame from the block's side to the stored side; empty: the frame is stored raw. `head` is the
/// frame's beginning, enough to hold the program. Errors: corrupt (more of the frame is needed, or it is damaged),
/// unsupported, limit.
Result<std::vector<CodecId>> frame_codecs(const Registry& registry, ByteView head, std::size_t raw_size);
/// Whether a codec of the frame asks for bytes of the base. `head` and errors: as frame_codecs().
Result<bool> frame_needs_base(const Registry& registry, ByteView head, std::size_t raw_size);
/// The program of a frame, validated, decoding order (the last node yields the block). Empty: the frame is stored raw.
Result<std::vector<NodeInfo>> describe_frame(const Registry& registry, ByteView frame, std::size_t raw_size);

}  // namespace mmh::codec
