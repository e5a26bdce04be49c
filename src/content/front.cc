#include "front.h"

#include <algorithm>
#include <array>
#include <bit>

#include "mmh/base/check.h"
#include "statistics.h"

namespace mmh::content {
namespace {

using codec::CodecId;

constexpr std::size_t kRecordMax = 64;  // the widest transpose

Stage transpose(unsigned width) {
  Stage stage{.codec = CodecId::transpose, .options = {}};
  stage.options.width = width;
  return stage;
}

Stage byte_delta(unsigned distance) {
  Stage stage{.codec = CodecId::delta, .options = {}};
  stage.options.width = distance;
  return stage;
}

Stage integer_delta(unsigned width, unsigned phase, unsigned distance) {
  Stage stage{.codec = CodecId::delta, .options = {}};
  stage.options.width = width;
  stage.options.integers = true;
  stage.options.phase = phase;
  stage.options.delta_distance = distance;
  return stage;
}

// Blocks begin at content-defined cuts, so an element may begin at any byte.
void add_integer_deltas(std::vector<Front>& fronts, unsigned width, unsigned channels) {
  for (unsigned phase = 0; phase < width; ++phase) {
    fronts.push_back({integer_delta(width, phase, width * channels), transpose(width)});
  }
}

// What the statistics of one byte value cost in bits; without it, the more planes the better.
constexpr std::uint64_t kSymbolCost = 6;

std::uint64_t cost_of(ByteView part) {
  Histogram counts{};
  count_bytes(part, counts);
  const auto symbols = std::ranges::count_if(counts, [](std::uint32_t count) { return count != 0; });
  return (std::uint64_t{entropy_of(counts)} * part.size() >> 8) + kSymbolCost * static_cast<std::uint64_t>(symbols);
}

// Order-0 cost in bits of the sample behind the front, each part with statistics of its own.
std::uint64_t cost_of(const codec::Registry& registry, const Front& front, const Sample& sample) {
  std::uint64_t cost = 0;
  for_each_part(registry, front, sample, [&](ByteView part) { cost += cost_of(part); });
  return cost;
}

bool is_known(const codec::Registry& registry, const Front& front) {
  return std::ranges::all_of(front, [&](const Stage& stage) { return registry.find(stage.codec) != nullptr; });
}

}  // namespace

bool is_branch(const Front& front) {
  if (front.empty()) return false;
  const CodecId id = front[0].codec;
  return id == CodecId::branch_x86 || id == CodecId::branch_arm64 || id == CodecId::branch_riscv;
}

bool is_planar(const Front& front) { return !front.empty() && front.back().codec == CodecId::transpose; }

codec::Plan plan_of(const Front& front, codec::Plan back) {
  for (auto stage = front.rbegin(); stage != front.rend(); ++stage) {
    codec::Plan plan;
    plan.codec = stage->codec;
    plan.options = stage->options;
    plan.children.push_back(std::move(back));
    back = std::move(plan);
  }
  return back;
}

std::size_t size_of(const codec::Registry& registry, const codec::Plan& plan, ByteView raw) {
  const auto frame = codec::encode_frame(registry, plan, raw);
  return frame ? frame->size() : raw.size();
}

Planes planes_of(const codec::Registry& registry, const Front& front, ByteView piece) {
  Planes planes;
  planes.coded.assign(piece.begin(), piece.end());
  for (const Stage& stage : front) {
    auto encoded = registry.find(stage.codec)->encode(planes.coded, stage.options);
    // Pieces are small and options ours, so a transform has nothing to refuse.
    MMH_CHECK(encoded && encoded->streams.size() == 1);
    planes.coded = std::move(encoded->streams[0]);
  }
  planes.plane_size =
      std::max<std::size_t>(1, planes.coded.size() / (is_planar(front) ? front.back().options.width : 1));
  return planes;
}

namespace {

// What is known of the elements leaves little to try.
std::vector<Front> fronts_of_elements(const ContentType& type) {
  std::vector<Front> fronts;
  const unsigned width = element_size(type.element);
  const unsigned record = width * type.channels;
  const bool is_integer = std::has_single_bit(width) && width <= 8 && !type.big_endian;
  if (width > 1 && width <= kRecordMax) fronts.push_back({transpose(width)});
  if (type.content == ContentClass::tensor) return fronts;
  if (record > 1 && record <= kRecordMax) {
    if (record != width) fronts.push_back({transpose(record)});
    fronts.push_back({byte_delta(record), transpose(record)});
    if (is_integer && width > 1) fronts.push_back({integer_delta(width, 0, record), transpose(record)});
  }
  if (width == 1) fronts.push_back({byte_delta(record)});
  if (is_integer && width > 1) fronts.push_back({integer_delta(width, 0, record), transpose(width)});
  return fronts;
}

std::vector<Front> fronts_of_class(ContentClass content, const Sample& sample) {
  std::vector<Front> fronts;
  switch (content) {
    case ContentClass::machine_x86:
      fronts.push_back({{.codec = CodecId::branch_x86, .options = {}}});
      break;
    case ContentClass::machine_arm64:
      fronts.push_back({{.codec = CodecId::branch_arm64, .options = {}}});
      break;
    case ContentClass::machine_riscv:
      fronts.push_back({{.codec = CodecId::branch_riscv, .options = {}}});
      break;
    case ContentClass::tensor:
      for (const unsigned width : {2U, 4U, 8U}) fronts.push_back({transpose(width)});
      break;
    case ContentClass::image:
      for (const unsigned channels : {1U, 3U, 4U}) fronts.push_back({byte_delta(channels)});
      for (const unsigned channels : {3U, 4U}) fronts.push_back({byte_delta(channels), transpose(channels)});
      for (const unsigned width : {2U, 4U}) fronts.push_back({transpose(width)});
      for (const unsigned channels : {1U, 3U}) add_integer_deltas(fronts, 2, channels);
      break;
    case ContentClass::audio:
      fronts.push_back({byte_delta(1)});
      fronts.push_back({transpose(4)});
      for (const unsigned distance : {3U, 6U}) fronts.push_back({byte_delta(distance), transpose(3)});
      for (const unsigned channels : {1U, 2U}) add_integer_deltas(fronts, 2, channels);
      break;
    case ContentClass::machine_other:
    case ContentClass::records:
    case ContentClass::binary:
      for (const unsigned width : {2U, 4U, 8U}) fronts.push_back({transpose(width)});
      fronts.push_back({byte_delta(1)});
      add_integer_deltas(fronts, 2, 1);
      add_integer_deltas(fronts, 4, 1);
      if (const std::size_t period = record_period(sample.bytes); period > 2 && period <= kRecordMax) {
        const auto width = static_cast<unsigned>(period);
        fronts.push_back({transpose(width)});
        fronts.push_back({byte_delta(width), transpose(width)});
      }
      break;
    default:
      break;
  }
  return fronts;
}

}  // namespace

std::vector<Front> fronts_for(const codec::Registry& registry, const ContentType& type, const Sample& sample) {
  std::vector<Front> fronts = type.has_elements ? fronts_of_elements(type) : fronts_of_class(type.content, sample);
  std::erase_if(fronts, [&](const Front& front) { return !is_known(registry, front); });
  return fronts;
}

std::vector<Front> most_promising(const codec::Registry& registry, std::vector<Front> fronts, const Sample& sample,
                                  std::size_t count) {
  const std::uint64_t plain = cost_of(registry, {}, sample);
  struct Judged {
    std::uint64_t cost;
    std::size_t place;
  };
  std::vector<Judged> judged;
  for (std::size_t i = 0; i < fronts.size(); ++i) {
    const std::uint64_t cost = is_branch(fronts[i]) ? 0 : cost_of(registry, fronts[i], sample);
    if (cost < plain - plain / 64) judged.push_back({cost, i});
  }
  std::ranges::stable_sort(judged, {}, &Judged::cost);
  std::vector<Front> best;
  for (std::size_t i = 0; i < std::min(count, judged.size()); ++i) best.push_back(std::move(fronts[judged[i].place]));
  return best;
}

}  // namespace mmh::content
