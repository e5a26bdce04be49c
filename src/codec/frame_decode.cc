#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "frame_format.h"
#include "mmh/base/check.h"
#include "mmh/base/varint.h"
#include "mmh/codec/frame.h"

namespace mmh::codec {
namespace {

constexpr std::size_t kStoredInput = std::numeric_limits<std::size_t>::max();

struct Input {
  std::size_t node;    // the node that yields it, or kStoredInput
  std::size_t stream;  // where it is stored: which stored stream
};

struct Node {
  const Codec* codec;
  ByteView parameters;
  StreamType raw_type;
  std::size_t first_input;  // its place among the program's
  std::size_t input_count;
  std::size_t raw_size;
};

// Views point into the frame. No nodes: one stream, which is the block.
struct Program {
  std::vector<Node> nodes;
  std::vector<Input> inputs;
  std::vector<ByteView> streams;

  std::span<const Input> inputs_of(const Node& node) const {
    return std::span(inputs).subspan(node.first_input, node.input_count);
  }
};

Result<ByteView> take_bytes(ByteView& in, std::uint64_t count, const char* what) {
  if (count > in.size()) {
    return fail(Errc::corrupt, fmt::format("{} of {} bytes in a frame that has {} left", what, count, in.size()));
  }
  const ByteView taken = in.first(static_cast<std::size_t>(count));
  in = in.subspan(taken.size());
  return taken;
}

class Parser {
 public:
  Parser(const Registry& registry, ByteView in, std::size_t raw_size)
      : registry_(registry), in_(in), raw_size_(raw_size), intermediates_left_(intermediates_max(raw_size)) {}

  Result<Program> parse(std::size_t node_count) {
    MMH_TRY(parse_nodes(node_count));
    MMH_TRY(parse_streams());
    return std::move(program_);
  }

  Result<Program> parse_without_streams(std::size_t node_count) {
    MMH_TRY(parse_nodes(node_count));
    return std::move(program_);
  }

 private:
  Result<> parse_nodes(std::size_t node_count) {
    program_.nodes.reserve(node_count);
    for (std::size_t i = 0; i < node_count; ++i) {
      MMH_TRY(parse_node(i + 1 == node_count).in(fmt::format("node {}", i)));
    }
    for (std::size_t i = 0; i + 1 < node_count; ++i) {
      if (!node_used_[i]) return fail(Errc::corrupt, fmt::format("nothing uses the output of node {}", i));
    }
    return {};
  }

  Result<> parse_node(bool last) {
    MMH_LET(const std::uint64_t head, take_varint(in_));
    const std::uint64_t id = head >> 1;
    if (id == static_cast<std::uint64_t>(CodecId::stored)) return fail(Errc::corrupt, "codec 0 stands for no codec");
    const Codec* const codec = id <= std::numeric_limits<std::uint32_t>::max()
                                   ? registry_.find(static_cast<CodecId>(static_cast<std::uint32_t>(id)))
                                   : nullptr;
    if (codec == nullptr) {
      return fail(Errc::unsupported,
                  fmt::format("this build has no codec {}; a newer MMH or a plug-in may have it", id));
    }
    Node node{.codec = codec,
              .parameters = {},
              .raw_type = {},
              .first_input = program_.inputs.size(),
              .input_count = 0,
              .raw_size = raw_size_};
    MMH_LET(const std::uint64_t parameters_size, take_varint(in_));
    if (parameters_size > kParametersMax) {
      return fail(Errc::limit, fmt::format("parameters of {} bytes; {} are allowed", parameters_size, kParametersMax));
    }
    MMH_LET(node.parameters, take_bytes(in_, parameters_size, "parameters"));
    MMH_LET(const Signature signature, codec->signature(node.parameters).in(codec->name()));
    MMH_CHECK(signature.stream_count >= 1 && signature.stream_count <= kCodecStreamsMax);
    node.raw_type = signature.raw;
    node.input_count = signature.stream_count;
    MMH_TRY(parse_inputs(signature, (head & 1) != 0));
    if (!last) {
      MMH_LET(const std::uint64_t size, take_varint(in_));
      if (size > intermediates_left_) {
        return fail(Errc::limit, fmt::format("an output of {} bytes; {} are left for a block of {} bytes", size,
                                             intermediates_left_, raw_size_));
      }
      node.raw_size = static_cast<std::size_t>(size);
      intermediates_left_ -= node.raw_size;
    }
    if (node.raw_size % node.raw_type.width != 0) {
      return fail(Errc::corrupt, fmt::format("{} bytes are no {}", node.raw_size, to_string(node.raw_type)));
    }
    program_.nodes.push_back(node);
    return {};
  }

  Result<> parse_inputs(const Signature& signature, bool listed) {
    const std::size_t index = program_.nodes.size();
    bool any_from_node = false;
    for (const StreamType type : signature.streams()) {
      std::uint64_t back = kInputStored;
      if (listed) {
        MMH_LET(back, take_varint(in_));
      }
      if (back == kInputStored) {
        if (stream_count_ == kStreamsMax) {
          return fail(Errc::limit, fmt::format("more than {} stored streams", kStreamsMax));
        }
        stream_widths_[stream_count_] = type.width;
        program_.inputs.push_back({.node = kStoredInput, .stream = stream_count_++});
        continue;
      }
      if (back > index) return fail(Errc::corrupt, fmt::format("uses the output {} nodes before it", back));
      const std::size_t from = index - static_cast<std::size_t>(back);
      if (node_used_[from]) return fail(Errc::corrupt, fmt::format("uses the output of node {} a second time", from));
      node_used_[from] = true;
      const StreamType yielded = program_.nodes[from].raw_type;
      if (!fits(yielded, type) || program_.nodes[from].raw_size % type.width != 0) {
        return fail(Errc::corrupt, fmt::format("node {} yields {} bytes, {}, where it takes {}", from,
                                               program_.nodes[from].raw_size, to_string(yielded), to_string(type)));
      }
      program_.inputs.push_back({.node = from, .stream = 0});
      any_from_node = true;
    }
    if (listed && !any_from_node) return fail(Errc::corrupt, "lists inputs that are all stored");
    return {};
  }

  // The first node can only use stored streams, so there is at least one.
  Result<> parse_streams() {
    std::array<std::uint64_t, kStreamsMax> sizes;
    for (std::size_t i = 0; i + 1 < stream_count_; ++i) {
      MMH_LET(sizes[i], take_varint(in_));
    }
    program_.streams.reserve(stream_count_);
    for (std::size_t i = 0; i + 1 < stream_count_; ++i) {
      MMH_LET(program_.streams.emplace_back(), take_bytes(in_, sizes[i], "a stream"));
    }
    program_.streams.push_back(in_);
    for (std::size_t i = 0; i < stream_count_; ++i) {
      if (program_.streams[i].size() % stream_widths_[i] != 0) {
        return fail(Errc::corrupt, fmt::format("stream {} of {} bytes holds elements of {}", i,
                                               program_.streams[i].size(), stream_widths_[i]));
      }
    }
    return {};
  }

  const Registry& registry_;
  ByteView in_;
  const std::size_t raw_size_;
  std::size_t intermediates_left_;
  std::array<bool, kNodesMax> node_used_{};
  std::size_t stream_count_ = 0;
  std::array<std::uint32_t, kStreamsMax> stream_widths_{};
  Program program_;
};

// How many nodes follow the first byte.
Result<std::size_t> parse_kind(ByteView frame, std::size_t raw_size) {
  if (raw_size > kRawSizeMax) {
    return fail(Errc::limit, fmt::format("a block of {} bytes; {} are allowed", raw_size, kRawSizeMax));
  }
  if (frame.empty()) return fail(Errc::corrupt, "an empty frame");
  const auto node_count = std::to_integer<std::size_t>(frame[0]);
  if (node_count > kNodesMax) {
    return fail(Errc::unsupported, fmt::format("frame kind {} needs a newer reader; update MMH", node_count));
  }
  return node_count;
}

Result<Program> parse_frame(const Registry& registry, ByteView frame, std::size_t raw_size) {
  MMH_LET(const std::size_t node_count, parse_kind(frame, raw_size));
  const ByteView body = frame.subspan(1);
  if (node_count > 0) return Parser(registry, body, raw_size).parse(node_count);
  if (body.size() != raw_size) {
    return fail(Errc::corrupt, fmt::format("{} bytes stored for a block of {} bytes", body.size(), raw_size));
  }
  return Program{.nodes = {}, .inputs = {}, .streams = {body}};
}

}  // namespace

Result<> decode_frame(const Registry& registry, ByteView frame, Bytes raw, const DecodeContext& context) {
  MMH_LET(const Program program, parse_frame(registry, frame, raw.size()).in("frame"));
  if (program.nodes.empty()) {
    if (!raw.empty()) std::memcpy(raw.data(), program.streams[0].data(), raw.size());
    return {};
  }
  std::array<Buffer, kNodesMax> outputs;
  for (std::size_t i = 0; i < program.nodes.size(); ++i) {
    const Node& node = program.nodes[i];
    std::array<ByteView, kCodecStreamsMax> streams;
    std::size_t count = 0;
    for (const Input& input : program.inputs_of(node)) {
      streams[count++] = input.node == kStoredInput ? program.streams[input.stream] : ByteView(outputs[input.node]);
    }
    const bool last = i + 1 == program.nodes.size();
    if (!last) outputs[i].resize(node.raw_size);
    MMH_TRY(
        node.codec->decode(node.parameters, std::span(streams).first(count), last ? raw : Bytes(outputs[i]), context)
            .in(fmt::format("frame: node {} ({})", i, node.codec->name())));
    for (const Input& input : program.inputs_of(node)) {
      if (input.node != kStoredInput) outputs[input.node] = Buffer();
    }
  }
  return {};
}

std::size_t decode_memory_max(const Registry& registry, std::size_t raw_size) {
  // One intermediate may be as large as all of them together may be, and its codec then works on that size.
  const std::size_t output_max = intermediates_max(raw_size);
  std::size_t codec_max = 0;
  for (const Codec* codec : registry.all()) codec_max = std::max(codec_max, codec->decode_memory_max(output_max));
  return output_max + codec_max;
}

Result<std::vector<CodecId>> frame_codecs(const Registry& registry, ByteView head, std::size_t raw_size) {
  MMH_LET(const std::size_t node_count, parse_kind(head, raw_size).in("frame"));
  std::vector<CodecId> codecs;
  if (node_count == 0) return codecs;
  MMH_LET(const Program program,
          Parser(registry, head.subspan(1), raw_size).parse_without_streams(node_count).in("frame"));
  for (auto node = program.nodes.rbegin(); node != program.nodes.rend(); ++node) codecs.push_back(node->codec->id());
  return codecs;
}

Result<bool> frame_needs_base(const Registry& registry, ByteView head, std::size_t raw_size) {
  MMH_LET(const std::vector<CodecId> codecs, frame_codecs(registry, head, raw_size));
  return std::ranges::any_of(codecs, [&](CodecId id) { return registry.find(id)->needs_base(); });
}

Result<std::vector<NodeInfo>> describe_frame(const Registry& registry, ByteView frame, std::size_t raw_size) {
  MMH_LET(const Program program, parse_frame(registry, frame, raw_size).in("frame"));
  std::vector<NodeInfo> infos;
  for (const Node& node : program.nodes) {
    NodeInfo& info = infos.emplace_back();
    info.codec = node.codec->id();
    info.raw_size = node.raw_size;
    info.stored_size = 0;
    for (const Input& input : program.inputs_of(node)) {
      info.from.push_back(input.node);
      if (input.node == kStoredInput) info.stored_size += program.streams[input.stream].size();
    }
    info.parameters.assign(node.parameters.begin(), node.parameters.end());
  }
  return infos;
}

}  // namespace mmh::codec
