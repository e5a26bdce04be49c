// The small structures of a pack. What is accepted and holds nothing unknown is written back as it was.

#include <array>

#include "mmh/pack/pack_file.h"
#include "pack_fuzz_support.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mmh;
  const ByteView in = std::as_bytes(std::span(data, size));
  if (const auto header = pack::parse_header(in)) {
    std::array<std::byte, pack::kHeaderSize> out;
    pack::write_header(*header, out);
    MMH_CHECK(std::ranges::equal(out, in.first(out.size())));
  }
  if (const auto header = pack::parse_block_header(in)) {
    std::array<std::byte, pack::kBlockHeaderSize> out;
    pack::write_block_header(*header, out);
    MMH_CHECK(std::ranges::equal(out, in.first(out.size())));
  }
  if (const auto footer = pack::parse_footer(in)) {
    std::array<std::byte, pack::kFooterSize> out;
    pack::write_footer(*footer, out);
    MMH_CHECK(std::ranges::equal(out, in.first(out.size())));
  }
  if (const auto trailer = pack::parse_trailer(in)) {
    const Buffer out = pack::write_trailer(*trailer);
    MMH_CHECK(out.size() <= in.size());
    MMH_CHECK(pack::parse_trailer(out).has_value());
  }
  if (const auto blocks = pack::parse_index_page(in, 0)) {
    MMH_CHECK(std::ranges::equal(pack::write_index_page(0, *blocks), in));
  }
  if (const auto extents = pack::parse_extent_list(in)) {
    MMH_CHECK(std::ranges::equal(pack::write_extent_list(*extents), in));
  }
  return 0;
}
