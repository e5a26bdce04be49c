#include "mmh/pack/parts.h"

#include <fmt/format.h>

#include <array>

#include "mmh/pack/format.h"
#include "mmh/pack/scan.h"
#include "parity_format.h"

namespace mmh::pack {

namespace {

Result<std::string_view> parity_name(const RandomAccessSource& pack, const BlockHeader& block) {
  if (block.stored_size < kParityPrefixSize) return fail(Errc::corrupt, "a block of parity is too short");
  std::array<std::byte, kParityPrefixSize> bytes;
  MMH_TRY(pack.read_at(block.offset + kBlockHeaderSize, bytes));
  switch (parse_prefix(bytes).part) {
    case ParityPart::head:
      return "head";
    case ParityPart::anchors:
      return "anchors";
    case ParityPart::checks:
      return "checks";
    case ParityPart::repair:
      return "repair";
    case ParityPart::root:
    case ParityPart::list:
      break;  // of protections
  }
  return fail(Errc::corrupt, "a block of parity is of an unknown kind");
}

Result<std::string_view> name_of(const RandomAccessSource& pack, const BlockHeader& block) {
  switch (block.type) {
    case BlockType::data:
      return "data";
    case BlockType::dictionary:
      return "dictionary";
    case BlockType::extents:
      return "extents";
    case BlockType::manifest:
      return "manifest";
    case BlockType::index:
      return "index";
    case BlockType::trailer:
      return "trailer";
    case BlockType::parity:
      return parity_name(pack, block);
    case BlockType::signature:
    case BlockType::key:
      break;
  }
  return "other";
}

bool footer_stands_at(const RandomAccessSource& pack, std::uint64_t offset) {
  std::array<std::byte, kFooterSize> bytes;
  if (!pack.read_at(offset, bytes)) return false;
  const auto footer = parse_footer(bytes);
  return footer && footer->offset == offset;
}

}  // namespace

Result<std::vector<Part>> pack_parts(const RandomAccessSource& pack) {
  std::array<std::byte, kHeaderSize> header;
  if (pack.size() < kHeaderSize) return fail(Errc::corrupt, "is no whole pack");
  MMH_TRY(pack.read_at(0, header));
  MMH_TRY(parse_header(header));
  std::vector<Part> parts = {{"header", 0, kHeaderSize}};
  for (std::uint64_t at = kHeaderSize; at < pack.size(); at += parts.back().length) {
    if (footer_stands_at(pack, at)) {
      parts.push_back({"footer", at, kFooterSize});
      continue;
    }
    MMH_LET(const BlockHeader block, block_header_at(pack, at).in(fmt::format("at offset {}", at)));
    MMH_LET(const std::string_view name, name_of(pack, block));
    parts.push_back({name, at, kBlockHeaderSize + block.stored_size});
  }
  return parts;
}

}  // namespace mmh::pack
