#include "predicted.h"

#include <algorithm>
#include <array>

namespace mmh::content {
namespace {

using codec::CodecId;
using codec::Plan;
using enum ElementType;

bool is_signed(ElementType type) { return type == int8 || type == int16 || type == int24; }

// Whether the codec raster takes them.
bool has_pixels(ByteView raw, const ContentType& type) {
  constexpr std::uint64_t kRowMax = std::uint64_t{1} << 17;  // elements
  constexpr std::uint32_t kChannelsMax = 64;
  if (type.element != uint8 && type.element != int8 && type.element != uint16 && type.element != int16) return false;
  const std::uint64_t row = type.row_size / element_size(type.element);
  return type.row_size % element_size(type.element) == 0 && row <= kRowMax && row >= 2 * std::uint64_t{type.channels} &&
         type.channels > 0 && type.channels <= kChannelsMax && raw.size() >= 4 * type.row_size;
}

// Whether the codec audio takes them.
bool has_sound(const ContentType& type) {
  constexpr std::uint32_t kChannelsMax = 8;
  const bool is_integer = type.element == uint8 || type.element == int8 || type.element == uint16 ||
                          type.element == int16 || type.element == int24;
  return is_integer && type.channels > 0 && type.channels <= kChannelsMax;
}

}  // namespace

std::optional<Plan> predicted_plan(const codec::Registry& registry, ByteView raw, const ContentType& type, int level) {
  if (!type.has_elements) return std::nullopt;
  Plan plan;
  unsigned contexts_max = 16;
  if (type.content == ContentClass::image && has_pixels(raw, type)) {
    plan.codec = CodecId::raster;
    // By channels that have contexts of their own.
    constexpr std::array<unsigned, 5> kContexts = {16, 16, 24, 30, 28};
    if (type.channels < kContexts.size()) contexts_max = kContexts[type.channels];
  } else if (type.content == ContentClass::audio && has_sound(type)) {
    plan.codec = CodecId::audio;
  } else {
    return std::nullopt;
  }
  if (registry.find(plan.codec) == nullptr || registry.find(CodecId::rans) == nullptr) return std::nullopt;
  const unsigned width = element_size(type.element);
  plan.options.level = level;
  plan.options.width = width;
  plan.options.row_size = type.row_size;
  plan.options.slice_size = type.slice_size;
  plan.options.channels = type.channels;
  plan.options.big_endian = type.big_endian;
  plan.options.is_signed = is_signed(type.element);
  // Few elements do not pay for many tables.
  constexpr std::size_t kElementsEach = 4096;
  plan.options.contexts =
      static_cast<unsigned>(std::clamp<std::size_t>(raw.size() / width / kElementsEach, 1, contexts_max));
  Plan rans;
  rans.codec = CodecId::rans;
  plan.children.assign(plan.options.contexts, rans);
  return plan;
}

RowSample sample_rows(ByteView raw, const ContentType& type) {
  constexpr std::size_t kPieces = 4;
  constexpr std::size_t kPieceMin = std::size_t{48} << 10;
  constexpr std::size_t kRows = 24;
  RowSample sample;
  const std::size_t row = type.row_size != 0 ? static_cast<std::size_t>(type.row_size)
                                             : std::size_t{element_size(type.element)} * type.channels;
  const std::size_t rows = std::max(kRows, (kPieceMin + row - 1) / row);
  if (raw.size() <= kPieces * rows * row) {
    sample.piece_size = raw.size();
    sample.bytes = copy_of(raw);
    return sample;
  }
  sample.piece_size = rows * row;
  const std::size_t step = (raw.size() - sample.piece_size) / (kPieces - 1) / row * row;
  for (std::size_t i = 0; i < kPieces; ++i) append(sample.bytes, raw.subspan(i * step, sample.piece_size));
  return sample;
}

}  // namespace mmh::content
