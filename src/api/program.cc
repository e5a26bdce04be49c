#include "program.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "mmh/codecs/builtin.h"

namespace mmh {

namespace {

std::string name_of(codec::CodecId id) {
  const codec::Codec* const codec = codecs::builtin_registry().find(id);
  return codec == nullptr ? "stored" : std::string(codec->name());
}

// The frame is validated: no cycles, few nodes.
std::string program_of(const std::vector<codec::NodeInfo>& nodes, std::size_t node) {
  constexpr auto kStored = std::numeric_limits<std::size_t>::max();
  std::string text = name_of(nodes[node].codec);
  const std::vector<std::size_t>& from = nodes[node].from;
  if (std::ranges::all_of(from, [](std::size_t source) { return source == kStored; })) return text;
  text += '(';
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (i > 0) text += ", ";
    text += from[i] == kStored ? "stored" : program_of(nodes, from[i]);
  }
  return text + ')';
}

// Levels of general codecs, widths of elements; empty where nothing needs saying.
std::string setting_of(const codec::Plan& plan) {
  using enum codec::CodecId;
  const codec::EncodeOptions& options = plan.options;
  switch (plan.codec) {
    case zstd:
    case brotli:
    case deflate:
    case lz4:
      return fmt::format(":{}", options.level);
    case lzma:
      return fmt::format(":{}{}", options.level, options.extreme ? "e" : "");
    case delta:
      return options.delta_distance > options.width ? fmt::format(":{}@{}", options.width, options.delta_distance)
                                                    : fmt::format(":{}", options.width);
    case stored:
    case branch_x86:
    case branch_arm64:
    case branch_riscv:
    case rans:
    case pattern:
      return {};
    default:
      return fmt::format(":{}", options.width);
  }
}

}  // namespace

std::string program_of(const std::vector<codec::NodeInfo>& nodes) {
  return nodes.empty() ? "stored" : program_of(nodes, nodes.size() - 1);
}

std::string program_of(const codec::Plan& plan) {
  std::string text = name_of(plan.codec) + setting_of(plan);
  const bool leaf = std::ranges::all_of(plan.children,
                                        [](const codec::Plan& child) { return child.codec == codec::CodecId::stored; });
  if (leaf) return text;
  text += '(';
  for (std::size_t i = 0; i < plan.children.size(); ++i) {
    if (i > 0) text += ", ";
    text += program_of(plan.children[i]);
  }
  return text + ')';
}

}  // namespace mmh
