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
constexpr std::string_view kPngBegin = "\x89PNG\r\n\x1A\n"sv;
constexpr std::string_view kGzipBegin = "\x1F\x8B\x08"sv;
constexpr std::string_view kZipBegin = "PK\3\4"sv;

// Taking apart and putting together again run at a few MB/s.
constexpr int kRecompressedLevelMin = 7;
// Of zstd, for lists of what is where.
constexpr int kDirectoryLevel = 9;

bool holds(ByteView raw, std::string_view mark) { return as_text(raw).find(mark) != std::string_view::npos; }

Plan zstd_plan(int level) {
  Plan plan;
  plan.codec = CodecId::zstd;
  plan.options.level = level;
  return plan;
}

}  // namespace

bool begins_recompressible(ByteView head) {
  const std::string_view text = as_text(head);
  return text.starts_with(kJpegBegin) || text.starts_with(kPngBegin) || text.starts_with(kGzipBegin) ||
         text.starts_with(kZipBegin);
}

std::optional<Plan> recompressed_plan(const codec::Registry& registry, ByteView raw, Plan general, Plan content,
                                      int level) {
  if (level < kRecompressedLevelMin) return std::nullopt;
  const bool has_deflate = registry.find(CodecId::inflated) != nullptr &&
                           (holds(raw, kGzipBegin) || holds(raw, kZipBegin) || holds(raw, kPngBegin));
  const bool has_jpeg = registry.find(CodecId::jpeg) != nullptr && holds(raw, kJpegBegin);
  if (!has_deflate && !has_jpeg) return std::nullopt;
  Plan plan = has_deflate && general.codec == CodecId::stored ? zstd_plan(kDirectoryLevel) : std::move(general);
  if (has_jpeg) {
    Plan jpeg;
    jpeg.codec = CodecId::jpeg;
    // libjxl's higher effort takes ten times as long, for less than 1 %.
    constexpr int kEffort = 7;
    jpeg.options.level = level == kLevelMax ? 9 : kEffort;
    jpeg.children = {zstd_plan(kDirectoryLevel), std::move(plan)};
    plan = std::move(jpeg);
  }
  if (has_deflate) {
    Plan inflated;
    inflated.codec = CodecId::inflated;
    inflated.children = {zstd_plan(kDirectoryLevel), std::move(content), std::move(plan)};
    plan = std::move(inflated);
  }
  return plan;
}

}  // namespace mmh::content
