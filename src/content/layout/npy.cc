// NumPy's .npy: a magic, the size of a header, the header (a Python dictionary: type, order, shape), the array.

#include <algorithm>

#include "layout/reader.h"

namespace mmh::content {
namespace {

using namespace std::string_view_literals;

// What stands behind 'KEY': in the header, with the spaces before it taken off.
std::optional<std::string_view> value_of(std::string_view header, std::string_view key) {
  const std::size_t at = header.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view rest = header.substr(at + key.size());
  while (!rest.empty() && (rest[0] == ' ' || rest[0] == ':' || rest[0] == '\'')) rest.remove_prefix(1);
  return rest;
}

// "f4" of "<f4".
std::optional<ElementType> type_of(std::string_view code) {
  using enum ElementType;
  struct Named {
    std::string_view name;
    ElementType type;
  };
  static constexpr Named kTypes[] = {{"f8", fp64},   {"f4", fp32},   {"f2", fp16},  {"i8", int64},
                                     {"i4", int32},  {"i2", int16},  {"i1", int8},  {"u8", uint64},
                                     {"u4", uint32}, {"u2", uint16}, {"u1", uint8}, {"b1", boolean}};
  for (const Named& named : kTypes) {
    if (code.starts_with(named.name) && code.substr(2).starts_with('\'')) return named.type;
  }
  return std::nullopt;
}

}  // namespace

void find_npy(LayoutReader& reader, std::string name, RegionList& regions) {
  constexpr std::uint64_t kHeaderMax = std::uint64_t{64} << 10;
  if (reader.text(6, 6) != "\x93NUMPY"sv) return;
  const unsigned version = reader.byte();
  reader.skip(1);
  const std::uint64_t size = version == 1 ? reader.le<std::uint16_t>() : reader.le<std::uint32_t>();
  if (!reader.ok() || size > kHeaderMax) return;
  const std::string header = reader.text(size, kHeaderMax);
  const auto descr = value_of(header, "'descr'");
  const auto order = value_of(header, "'fortran_order'");
  auto shape_text = value_of(header, "'shape'");
  if (!reader.ok() || !descr || descr->size() < 3 || !order || !shape_text || !shape_text->starts_with('(')) return;
  const auto type = type_of(descr->substr(1));
  if (!type) return;

  std::vector<std::uint64_t> shape;
  for (shape_text->remove_prefix(1); !shape_text->empty() && (*shape_text)[0] != ')';) {
    const char c = (*shape_text)[0];
    if (c >= '0' && c <= '9') {
      std::optional<std::uint64_t> dimension = 0;
      for (; !shape_text->empty() && (*shape_text)[0] >= '0' && (*shape_text)[0] <= '9'; shape_text->remove_prefix(1)) {
        dimension = product(*dimension, 10);
        if (!dimension) return;
        *dimension += static_cast<std::uint64_t>((*shape_text)[0] - '0');
      }
      shape.push_back(*dimension);
      if (shape.size() > kDimensionsMax) return;
    } else {
      shape_text->remove_prefix(1);
    }
  }
  if (order->starts_with("True")) std::ranges::reverse(shape);
  const auto bytes = tensor_size(*type, shape);
  if (!bytes || *bytes > reader.left()) return;
  regions.add_tensor(reader.position(), *bytes, *type, shape, (*descr)[0] == '>', std::move(name));
}

}  // namespace mmh::content
