// Layouts of any bytes under any of the parsers: the regions are in order, apart, and inside the file.
//
// Input: format (1 byte), file.

#include <cstddef>
#include <cstdint>

#include "mmh/base/check.h"
#include "mmh/content/layout.h"

namespace {

using namespace mmh;

void check(const std::vector<content::Region>& regions, std::uint64_t file_size) {
  std::uint64_t end = 0;
  MMH_CHECK(regions.size() <= content::kRegionsMax);
  for (const content::Region& region : regions) {
    MMH_CHECK(region.offset >= end && region.size > 0 && region.size % element_size(region.type) == 0);
    MMH_CHECK(region.offset <= file_size && region.size <= file_size - region.offset);
    end = region.offset + region.size;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr auto kFormats = static_cast<unsigned>(content::LayoutFormat::raw_picture) + 1;
  const auto format = static_cast<content::LayoutFormat>(data[0] % kFormats);
  const ByteView file = std::as_bytes(std::span(data, size)).subspan(1);
  const auto source = memory_source(file, "file");
  check(find_layout(*source, format, true), file.size());
  const auto found = content::layout_format(file, file.size(), content::classify(file, "file"));
  if (found && *found != format) check(find_layout(*source, *found), file.size());
  // As the head of a longer file.
  const std::uint64_t longer = file.size() * std::uint64_t{1000};
  check(find_layout(file, longer, format), longer);
  return 0;
}
