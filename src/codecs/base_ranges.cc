#include "base_ranges.h"

#include <fmt/format.h>

#include "elements.h"
#include "mmh/base/varint.h"
#include "mmh/codec/frame.h"

namespace mmh::codecs {

namespace {
constexpr std::uint64_t kContentEnd = std::uint64_t{1} << 63;  // offsets are below
}

void put_ranges(Buffer& parameters, std::span<const codec::BaseRange> ranges) {
  put_varint(parameters, ranges.size());
  std::uint64_t end = 0;
  for (const codec::BaseRange& range : ranges) {
    put_varint(parameters, zigzag(range.offset - end));
    put_varint(parameters, range.length);
    end = range.offset + range.length;
  }
}

Result<std::vector<codec::BaseRange>> take_ranges(ByteView parameters) {
  MMH_LET(const std::uint64_t count, take_varint(parameters));
  if (count > codec::kBaseRangesMax) return fail(Errc::corrupt, fmt::format("{} base ranges", count));
  std::vector<codec::BaseRange> ranges(static_cast<std::size_t>(count));
  std::uint64_t end = 0;
  std::uint64_t total = 0;
  for (codec::BaseRange& range : ranges) {
    MMH_LET(const std::uint64_t distance, take_varint(parameters));
    MMH_LET(range.length, take_varint(parameters));
    range.offset = end + unzigzag(distance);
    if (range.length == 0 || range.length > codec::kRawSizeMax - total) {
      return fail(Errc::corrupt, "a base range is empty or too long");
    }
    if (range.offset >= kContentEnd || range.length > kContentEnd - range.offset) {
      return fail(Errc::corrupt, "a base range lies where no content can be");
    }
    total += range.length;
    end = range.offset + range.length;
  }
  MMH_TRY(check_no_parameters(parameters));
  return ranges;
}

std::size_t total_length(std::span<const codec::BaseRange> ranges) {
  std::uint64_t total = 0;
  for (const codec::BaseRange& range : ranges) total += range.length;
  return static_cast<std::size_t>(total);
}

Result<> read_ranges(std::span<const codec::BaseRange> ranges, const codec::DecodeContext& context, Bytes out) {
  if (!context.base) return fail(Errc::unsupported, "refers to a base, and none is to be had here");
  for (const codec::BaseRange& range : ranges) {
    const auto length = static_cast<std::size_t>(range.length);
    MMH_TRY(context.base(range.offset, out.first(length)));
    out = out.subspan(length);
  }
  return {};
}

Result<> check_base(const codec::EncodeOptions& options) {
  if (options.base == nullptr) return fail(Errc::usage, "coding against a base needs one");
  return check_base_ranges(options, options.base->bytes.size());
}

Result<> check_base_ranges(const codec::EncodeOptions& options, std::size_t size) {
  if (options.base == nullptr || options.base->ranges.size() > codec::kBaseRangesMax) {
    return fail(Errc::usage, "coding against a base needs ranges of it");
  }
  const std::size_t total = total_length(options.base->ranges);
  if (total == size) return {};
  return fail(Errc::usage, fmt::format("base ranges of {} bytes, not {}", total, size));
}

}  // namespace mmh::codecs
