// Volumes and other arrays behind headers that name their dimensions: NIfTI, NRRD and MetaImage.

#include <algorithm>
#include <bit>
#include <charconv>

#include "layout/reader.h"

namespace mmh::content {

using namespace std::string_view_literals;

void find_nifti(LayoutReader& reader, RegionList& regions) {
  using enum ElementType;
  constexpr std::uint32_t kFirstSize = 348;  // of the header, by version
  constexpr std::uint32_t kSecondSize = 540;
  Array array;
  const auto header = reader.le<std::uint32_t>();
  array.big_endian = header != kFirstSize && header != kSecondSize;
  const bool is_second = (array.big_endian ? std::byteswap(header) : header) == kSecondSize;
  const auto number = [&]<class T>(std::uint64_t at, T) {
    reader.seek(at);
    return reader.number<T>(array.big_endian);
  };
  const auto dimension = [&](unsigned i) {
    const std::int64_t side = is_second ? number(16 + std::uint64_t{i} * 8, std::int64_t{})
                                        : number(40 + std::uint64_t{i} * 2, std::int16_t{});
    return static_cast<std::uint64_t>(std::max<std::int64_t>(side, 0));
  };
  constexpr unsigned kSidesMax = 7;
  const std::uint64_t sides = dimension(0);
  if (sides == 0 || sides > kSidesMax) return;
  for (unsigned i = 1; i <= sides; ++i) array.shape.push_back(dimension(i));
  struct Type {
    std::uint16_t code;
    ElementType element;
    std::uint32_t channels;
  };
  static constexpr Type kTypes[] = {{2, uint8, 1},    {4, int16, 1},    {8, int32, 1},    {16, fp32, 1},
                                    {32, fp32, 2},    {64, fp64, 1},    {128, uint8, 3},  {256, int8, 1},
                                    {512, uint16, 1}, {768, uint32, 1}, {1024, int64, 1}, {1280, uint64, 1},
                                    {1792, fp64, 2},  {2304, uint8, 4}};
  const auto type = std::ranges::find(kTypes, number(is_second ? 12 : 70, std::uint16_t{}), &Type::code);
  if (type == std::end(kTypes)) return;
  array.type = type->element;
  array.channels = type->channels;
  std::uint64_t offset = 0;
  if (is_second) {
    offset = number(168, std::uint64_t{});
  } else {
    // A float that is a whole number.
    const auto value = std::bit_cast<float>(number(108, std::uint32_t{}));
    constexpr float kOffsetMax = 1 << 24;
    if (!(value >= 0 && value <= kOffsetMax)) return;
    offset = static_cast<std::uint64_t>(value);
  }
  reader.seek(std::max<std::uint64_t>(offset, is_second ? kSecondSize + 4 : kFirstSize + 4));
  add_array(reader, regions, std::move(array));
}

namespace {

// A line without its end; what is longer than lines of headers are fails.
std::string line(LayoutReader& reader) {
  constexpr std::size_t kLineMax = 4096;
  std::string kept;
  while (reader.ok()) {
    const char c = static_cast<char>(reader.byte());
    if (c == '\n') break;
    kept += c;
    if (kept.size() > kLineMax) reader.fail();
  }
  if (kept.ends_with('\r')) kept.pop_back();
  return kept;
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// "key" and "value" of "key: value".
struct Entry {
  std::string_view key, value;
};
Entry entry_of(std::string_view line, char separator) {
  const std::size_t at = line.find(separator);
  if (at == std::string_view::npos) return {trimmed(line), {}};
  return {trimmed(line.substr(0, at)), trimmed(line.substr(at + 1))};
}

// Whole numbers above 0, and nothing else; else none.
std::vector<std::uint64_t> numbers(std::string_view text) {
  std::vector<std::uint64_t> values;
  for (text = trimmed(text); !text.empty(); text = trimmed(text)) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || value == 0 || values.size() == kDimensionsMax) return {};
    values.push_back(value);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (!text.empty() && !text.starts_with(' ')) return {};
  }
  return values;
}

struct NamedType {
  std::string_view name;
  ElementType type;
};
std::optional<ElementType> type_of(std::span<const NamedType> types, std::string_view name) {
  const auto found = std::ranges::find(types, name, &NamedType::name);
  return found == types.end() ? std::nullopt : std::optional(found->type);
}

constexpr unsigned kLinesMax = 4096;

}  // namespace

void find_nrrd(LayoutReader& reader, RegionList& regions) {
  using enum ElementType;
  static constexpr NamedType kTypes[] = {{"signed char", int8},
                                         {"int8", int8},
                                         {"int8_t", int8},
                                         {"uchar", uint8},
                                         {"unsigned char", uint8},
                                         {"uint8", uint8},
                                         {"uint8_t", uint8},
                                         {"short", int16},
                                         {"short int", int16},
                                         {"signed short", int16},
                                         {"signed short int", int16},
                                         {"int16", int16},
                                         {"int16_t", int16},
                                         {"ushort", uint16},
                                         {"unsigned short", uint16},
                                         {"unsigned short int", uint16},
                                         {"uint16", uint16},
                                         {"uint16_t", uint16},
                                         {"int", int32},
                                         {"signed int", int32},
                                         {"int32", int32},
                                         {"int32_t", int32},
                                         {"uint", uint32},
                                         {"unsigned int", uint32},
                                         {"uint32", uint32},
                                         {"uint32_t", uint32},
                                         {"longlong", int64},
                                         {"long long", int64},
                                         {"long long int", int64},
                                         {"signed long long", int64},
                                         {"signed long long int", int64},
                                         {"int64", int64},
                                         {"int64_t", int64},
                                         {"ulonglong", uint64},
                                         {"unsigned long long", uint64},
                                         {"unsigned long long int", uint64},
                                         {"uint64", uint64},
                                         {"uint64_t", uint64},
                                         {"float", fp32},
                                         {"double", fp64}};
  if (!line(reader).starts_with("NRRD000"sv)) return;
  Array array;
  std::optional<ElementType> type;
  bool is_raw = false;
  std::string kinds;
  for (unsigned i = 0; reader.ok(); ++i) {
    const std::string text = line(reader);
    if (text.empty()) break;
    if (i == kLinesMax) return;
    if (text.starts_with('#')) continue;
    const auto [key, value] = entry_of(text, ':');
    if (key == "type") {
      type = type_of(kTypes, value);
    } else if (key == "sizes") {
      array.shape = numbers(value);
    } else if (key == "encoding") {
      is_raw = value == "raw";
    } else if (key == "endian") {
      array.big_endian = value == "big";
    } else if (key == "kinds") {
      kinds = value;
    } else if (key == "data file" || key == "datafile" || key == "line skip" || key == "lineskip" ||
               key == "byte skip" || key == "byteskip") {
      return;  // the data elsewhere
    }
  }
  if (!type || !is_raw || array.shape.empty()) return;
  array.type = *type;
  // Components of a pixel are the first dimension, which only its kind tells from a row.
  constexpr std::uint64_t kChannelsMax = 64;
  const bool has_rows = kinds.empty() ? array.shape[0] > 4 : kinds.starts_with("domain") || kinds.starts_with("space");
  if (!has_rows && array.shape.size() > 1 && array.shape[0] <= kChannelsMax) {
    array.channels = static_cast<std::uint32_t>(array.shape[0]);
    array.shape.erase(array.shape.begin());
  }
  add_array(reader, regions, std::move(array));
}

void find_meta_image(LayoutReader& reader, RegionList& regions) {
  using enum ElementType;
  static constexpr NamedType kTypes[] = {{"MET_CHAR", int8},     {"MET_UCHAR", uint8},     {"MET_SHORT", int16},
                                         {"MET_USHORT", uint16}, {"MET_INT", int32},       {"MET_UINT", uint32},
                                         {"MET_LONG", int32},    {"MET_ULONG", uint32},    {"MET_FLOAT", fp32},
                                         {"MET_DOUBLE", fp64},   {"MET_LONG_LONG", int64}, {"MET_ULONG_LONG", uint64}};
  Array array;
  std::optional<ElementType> type;
  for (unsigned i = 0; i < kLinesMax && reader.ok(); ++i) {
    const std::string text = line(reader);
    const auto [key, value] = entry_of(text, '=');
    const bool is_true = value.starts_with('T') || value.starts_with('t') || value == "1";
    if (key == "DimSize") {
      array.shape = numbers(value);
    } else if (key == "ElementType") {
      std::string_view name = value;
      if (name.ends_with("_ARRAY")) name.remove_suffix(6);
      type = type_of(kTypes, name);
    } else if (key == "ElementNumberOfChannels") {
      const auto channels = numbers(value);
      if (channels.size() != 1 || channels[0] > 64) return;
      array.channels = static_cast<std::uint32_t>(channels[0]);
    } else if (key == "BinaryDataByteOrderMSB" || key == "ElementByteOrderMSB") {
      array.big_endian = is_true;
    } else if ((key == "CompressedData" && is_true) || (key == "BinaryData" && !is_true)) {
      return;
    } else if (key == "HeaderSize") {
      return;  // the data elsewhere
    } else if (key == "ElementDataFile") {
      if ((value != "LOCAL" && value != "Local" && value != "local") || !type || array.shape.empty()) return;
      array.type = *type;
      return add_array(reader, regions, std::move(array));
    }
  }
}

}  // namespace mmh::content
