#include "recompressed.h"

#include <cstring>
#include <string_view>

#include "mmh/content/planner.h"

namespace mmh::content {
namespace {

using codec::CodecId;
using codec::Plan;
using namespace std::string_view_literals;

constexpr std::string_view kJpegBegin = "\xFF\xD8\xFF"sv;

constexpr int kRecompressedLevelMin = 5;

bool holds(ByteView raw, std::string_view mark) { return as_text(raw).find(mark) != std::string_view::npos; }

Plan zstd_plan(int level) {
  Plan plan;
  plan.codec = CodecId::zstd;
  plan.options.level = level;
  return plan;
}

}  // namespace

bool begins_recompressible(ByteView head) { return as_text(head).starts_with(kJpegBegin); }

std::optional<Plan> recompressed_plan(const codec::Registry& registry, ByteView raw, Plan general, int level) {
  if (level < kRecompressedLevelMin || registry.find(CodecId::jpeg) == nullptr || !holds(raw, kJpegBegin)) {
    return std::nullopt;
  }
  Plan plan;
  plan.codec = CodecId::jpeg;
  // libjxl's higher effort takes ten times as long, for less than 1 %.
  constexpr int kEffort = 7;
  plan.options.level = level == kLevelMax ? 9 : kEffort;
  plan.children = {zstd_plan(9), std::move(general)};
  return plan;
}

}  // namespace mmh::content
