#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "frame_format.h"
#include "mmh/base/check.h"
#include "mmh/base/varint.h"
#include "mmh/codec/frame.h"

namespace mmh::codec {
namespace {

struct Node;

// A coded stream: either stored, or the output of a node that codes it further.
struct Stream {
  Buffer bytes;
  std::unique_ptr<Node> node;
  std::size_t size = 0;
};

struct Node {
  const Codec* codec = nullptr;
  Buffer parameters;
  std::vector<Stream> streams;
  // Of this node and all below it:
  std::size_t nodes = 1;
  std::size_t stored_streams = 0;
  std::size_t frame_bytes = 0;    // what they take in a frame
  std::size_t intermediates = 0;  // outputs of the nodes below it, in bytes
};

std::size_t varint_size(std::uint64_t value) {
  std::size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

class Encoder {
 public:
  Encoder(const Registry& registry, std::size_t raw_size, const CancelFlag* cancel)
      : registry_(registry), intermediates_max_(intermediates_max(raw_size)), cancel_(cancel) {}

  // The node for `plan`, or null where storing `raw`, which is of `type`, takes no more bytes or the limits of a frame
  // leave no room.
  Result<std::unique_ptr<Node>> encode(const Plan& plan, ByteView raw, StreamType type, std::size_t depth) const {
    if (plan.codec == CodecId::stored) {
      if (!plan.children.empty()) return fail(Errc::usage, "a plan gives children to what is stored");
      return nullptr;
    }
    if (depth == kNodesMax) return fail(Errc::usage, fmt::format("a plan more than {} codecs deep", kNodesMax));
    const Codec* const codec = registry_.find(plan.codec);
    if (codec == nullptr) {
      return fail(Errc::usage, fmt::format("a plan names codec {}, which is not in the registry",
                                           static_cast<std::uint32_t>(plan.codec)));
    }
    EncodeOptions options = plan.options;
    options.cancel = cancel_;
    MMH_LET(Encoded encoded, codec->encode(raw, options).in(codec->name()));
    MMH_LET(const Signature signature, codec->signature(encoded.parameters).in(codec->name()));
    MMH_CHECK(encoded.streams.size() == signature.stream_count && encoded.parameters.size() <= kParametersMax);
    if (plan.children.size() > signature.stream_count) {
      return fail(Errc::usage, fmt::format("a plan gives {} children to {}, which yields {} streams",
                                           plan.children.size(), codec->name(), signature.stream_count));
    }
    if (!fits(signature.raw, type)) {
      return fail(Errc::usage, fmt::format("a plan gives {} to {}, which takes {}", to_string(type), codec->name(),
                                           to_string(signature.raw)));
    }

    auto node = std::make_unique<Node>();
    node->codec = codec;
    node->parameters = std::move(encoded.parameters);
    node->frame_bytes = varint_size(std::uint64_t{static_cast<std::uint32_t>(codec->id())} << 1) +
                        varint_size(node->parameters.size()) + node->parameters.size() + varint_size(raw.size());
    for (std::size_t i = 0; i < encoded.streams.size(); ++i) {
      Stream& stream = node->streams.emplace_back();
      stream.bytes = std::move(encoded.streams[i]);
      stream.size = stream.bytes.size();
      if (i < plan.children.size()) {
        MMH_LET(stream.node, encode(plan.children[i], stream.bytes, signature.coded[i], depth + 1));
        if (stream.node != nullptr && !has_room(*node, *stream.node, stream.size)) stream.node = nullptr;
      }
      add(*node, stream);
    }
    const bool smaller = node->frame_bytes < raw.size();
    return smaller && node->stored_streams <= kStreamsMax ? std::move(node) : nullptr;
  }

 private:
  bool has_room(const Node& parent, const Node& child, std::size_t child_size) const {
    return parent.nodes + child.nodes <= kNodesMax &&
           parent.intermediates + child.intermediates + child_size <= intermediates_max_;
  }

  static void add(Node& parent, Stream& stream) {
    constexpr std::size_t kInputSize = 1;
    static_assert(kNodesMax <= 128, "the number of a node is a varint of one byte");
    parent.frame_bytes += kInputSize;
    if (stream.node == nullptr) {
      parent.stored_streams += 1;
      parent.frame_bytes += varint_size(stream.size) + stream.size;
      return;
    }
    stream.bytes = Buffer();
    parent.nodes += stream.node->nodes;
    parent.stored_streams += stream.node->stored_streams;
    parent.frame_bytes += stream.node->frame_bytes;
    parent.intermediates += stream.node->intermediates + stream.size;
  }

  const Registry& registry_;
  const std::size_t intermediates_max_;
  const CancelFlag* const cancel_;
};

// Lays a tree of nodes out as a program, children first.
struct Writer {
  Buffer program;
  std::vector<ByteView> streams;
  std::size_t node_count = 0;

  // Returns the node's place. `output_size`: absent for the last node, whose output is the block.
  std::size_t add(const Node& node, std::optional<std::size_t> output_size) {
    std::vector<std::size_t> from(node.streams.size());
    bool any_from_node = false;
    for (std::size_t i = 0; i < node.streams.size(); ++i) {
      const Stream& stream = node.streams[i];
      if (stream.node == nullptr) continue;
      from[i] = add(*stream.node, stream.size);
      any_from_node = true;
    }
    const std::size_t place = node_count++;
    const std::uint64_t id = static_cast<std::uint32_t>(node.codec->id());
    put_varint(program, id << 1 | (any_from_node ? 1 : 0));
    put_varint(program, node.parameters.size());
    append(program, node.parameters);
    for (std::size_t i = 0; i < node.streams.size(); ++i) {
      const bool stored = node.streams[i].node == nullptr;
      if (any_from_node) put_varint(program, stored ? kInputStored : place - from[i]);
      if (stored) streams.push_back(node.streams[i].bytes);
    }
    if (output_size) put_varint(program, *output_size);
    return place;
  }
};

Buffer stored_frame(ByteView raw) {
  Buffer frame;
  frame.reserve(raw.size() + 1);
  frame.push_back(kKindStored);
  append(frame, raw);
  return frame;
}

std::size_t plan_memory_max(const Registry& registry, const Plan& plan, std::size_t raw_size) {
  const Codec* const codec = registry.find(plan.codec);
  if (codec == nullptr) return 0;
  std::size_t children_max = 0;
  for (const Plan& child : plan.children) {
    children_max = std::max(children_max, plan_memory_max(registry, child, codec->coded_size_max(raw_size)));
  }
  return codec->encode_memory_max(raw_size, plan.options) + children_max;
}

}  // namespace

Result<Buffer> encode_frame(const Registry& registry, const Plan& plan, ByteView raw, const CancelFlag* cancel) {
  if (raw.size() > kRawSizeMax) {
    return fail(Errc::limit, fmt::format("a block of {} bytes; a frame holds at most {}", raw.size(), kRawSizeMax));
  }
  const Encoder encoder(registry, raw.size(), cancel);
  MMH_LET(const std::unique_ptr<Node> root, encoder.encode(plan, raw, StreamType{}, 0).in("encode frame"));
  if (root == nullptr) return stored_frame(raw);

  Writer writer;
  writer.add(*root, std::nullopt);
  Buffer frame;
  frame.reserve(root->frame_bytes + 1);
  frame.push_back(static_cast<std::byte>(writer.node_count));
  append(frame, writer.program);
  for (std::size_t i = 0; i + 1 < writer.streams.size(); ++i) put_varint(frame, writer.streams[i].size());
  for (const ByteView stream : writer.streams) append(frame, stream);
  return frame;
}

std::size_t encode_memory_max(const Registry& registry, const Plan& plan, std::size_t raw_size) {
  return plan_memory_max(registry, plan, raw_size) + raw_size + kFrameOverheadMax;
}

}  // namespace mmh::codec
