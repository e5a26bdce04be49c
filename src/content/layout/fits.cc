// FITS: headers of cards of 80 characters, each followed by what it describes, all of it in blocks of 2880 bytes.
// Pictures and arrays are big-endian, as are the numbers in tables.

#include <algorithm>
#include <charconv>

#include "layout/reader.h"

namespace mmh::content {
namespace {

using namespace std::string_view_literals;

constexpr std::uint64_t kBlock = 2880;
constexpr std::size_t kCard = 80;

// What a header says that matters here.
struct Header {
  std::int64_t bits = 0;  // of an element; negative: floats
  std::uint64_t axes = 0;
  std::vector<std::uint64_t> shape;  // fastest dimension first
  std::uint64_t parameters = 0;      // elements behind (tables: bytes of a heap), or before each group
  std::uint64_t groups = 1;
  bool is_picture = true;
  bool is_table = false;
  bool has_random_groups = false;
};

std::int64_t integer(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? value : 0;
}

std::uint64_t count(std::string_view text) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(integer(text), 0));
}

// "BITPIX" of "BITPIX  =                   16".
std::string_view trimmed(std::string_view text) { return text.substr(0, text.find_last_not_of(' ') + 1); }

// Takes a card in. False: it was the last one.
bool take_card(std::string_view card, Header& header) {
  const std::string_view key = trimmed(card.substr(0, 8));
  if (key == "END") return false;
  if (card.substr(8, 2) != "= ") return true;
  const std::string_view value = card.substr(10);
  if (key == "BITPIX") {
    header.bits = integer(value);
  } else if (key == "NAXIS") {
    header.axes = count(value);
    header.shape.resize(static_cast<std::size_t>(std::min<std::uint64_t>(header.axes, kDimensionsMax)));
  } else if (key.starts_with("NAXIS")) {
    const std::uint64_t axis = count(key.substr(5));
    if (axis >= 1 && axis <= header.shape.size()) header.shape[static_cast<std::size_t>(axis) - 1] = count(value);
  } else if (key == "PCOUNT") {
    header.parameters = count(value);
  } else if (key == "GCOUNT") {
    header.groups = count(value);
  } else if (key == "GROUPS") {
    header.has_random_groups = value.find('T') < value.find('/');
  } else if (key == "XTENSION") {
    header.is_picture = value.starts_with("'IMAGE "sv);
    header.is_table = value.starts_with("'BINTABLE"sv) || value.starts_with("'TABLE "sv);
  }
  return true;
}

std::optional<ElementType> type_of(std::int64_t bits) {
  using enum ElementType;
  switch (bits) {
    case 8:
      return uint8;
    case 16:
      return int16;
    case 32:
      return int32;
    case 64:
      return int64;
    case -32:
      return fp32;
    case -64:
      return fp64;
    default:
      return std::nullopt;
  }
}

}  // namespace

void find_fits(LayoutReader& reader, RegionList& regions) {
  while (reader.ok() && reader.left() >= kBlock && !regions.full()) {
    const std::uint64_t begin = reader.position();
    Header header;
    const std::string first = reader.text(kCard, kCard);
    if (!first.starts_with(begin == 0 ? "SIMPLE  ="sv : "XTENSION="sv)) return;
    for (std::string card = first; reader.ok() && take_card(card, header);) card = reader.text(kCard, kCard);
    if (!reader.ok()) return;
    const auto to_block = [&](std::uint64_t size) { return (kBlock - size % kBlock) % kBlock; };
    const std::uint64_t header_size = reader.position() - begin + to_block(reader.position() - begin);
    regions.add({.offset = begin, .size = header_size, .content = ContentClass::text});
    reader.seek(begin);
    reader.skip(header_size);

    const auto type = type_of(header.bits);
    if (!type || header.axes != header.shape.size() || !reader.ok()) return;
    if (header.axes == 0) continue;
    if (header.has_random_groups && header.shape[0] == 0) header.shape.erase(header.shape.begin());
    std::optional<std::uint64_t> elements = 1;
    for (const std::uint64_t side : header.shape) {
      if (elements) elements = product(*elements, side);
    }
    std::optional<std::uint64_t> all = elements;
    if (all && *all <= ~header.parameters) all = product(*all + header.parameters, header.groups);
    const auto size = all ? product(*all, element_size(*type)) : std::nullopt;
    if (!size || *size > reader.left()) return;
    const std::uint64_t data = reader.position();
    if (header.has_random_groups) header.shape = {*all};
    if (header.is_picture) {
      add_array(reader, regions, {.type = *type, .big_endian = true, .shape = header.shape});
    } else if (header.is_table) {
      // Its rows are found as records are; nobody says so here.
      regions.add({.offset = data, .size = *elements, .content = ContentClass::binary});
    }
    reader.seek(data);
    reader.skip(*size);
    reader.skip(std::min(to_block(*size), reader.left()));
  }
}

}  // namespace mmh::content
