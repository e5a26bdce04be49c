// safetensors: the size of a header, the header (JSON: a name, a type, a shape and two offsets for each tensor), the
// tensors. Read as a stream, for a header may take 100 MB.

#include "layout/reader.h"

namespace mmh::content {
namespace {

constexpr unsigned kDepthMax = 32;

std::optional<ElementType> type_of(std::string_view name) {
  using enum ElementType;
  struct Named {
    std::string_view name;
    ElementType type;
  };
  static constexpr Named kTypes[] = {{"F64", fp64},         {"F32", fp32},         {"F16", fp16},    {"BF16", bf16},
                                     {"F8_E4M3", fp8_e4m3}, {"F8_E5M2", fp8_e5m2}, {"I64", int64},   {"I32", int32},
                                     {"I16", int16},        {"I8", int8},          {"U64", uint64},  {"U32", uint32},
                                     {"U16", uint16},       {"U8", uint8},         {"BOOL", boolean}};
  for (const Named& named : kTypes) {
    if (named.name == name) return named.type;
  }
  return std::nullopt;
}

// Just enough of JSON. Anything that is none fails the reader.
class Json {
 public:
  explicit Json(LayoutReader& reader) : reader_(reader) { advance(); }

  bool accept(char c) {
    skip_space();
    if (next_ != c) return false;
    advance();
    return true;
  }
  void expect(char c) {
    if (!accept(c)) reader_.fail();
  }

  std::string string(std::size_t kept_max) {
    std::string kept;
    expect('"');
    while (reader_.ok() && next_ != '"') {
      char c = next_;
      if (c == '\\') {
        // Names with characters that need escapes keep them as they are written.
        if (kept.size() < kept_max) kept += c;
        advance();
        c = next_;
      }
      if (kept.size() < kept_max) kept += c;
      advance();
    }
    expect('"');
    return kept;
  }

  std::uint64_t integer() {
    skip_space();
    std::uint64_t value = 0;
    if (next_ < '0' || next_ > '9') reader_.fail();
    for (; reader_.ok() && next_ >= '0' && next_ <= '9'; advance()) {
      const auto digit = static_cast<std::uint64_t>(next_ - '0');
      if (value > (~std::uint64_t{0} - digit) / 10) reader_.fail();
      value = value * 10 + digit;
    }
    return value;
  }

  void skip_value(unsigned depth = 0) {
    if (depth > kDepthMax) return reader_.fail();
    skip_space();
    if (next_ == '"') {
      string(0);
    } else if (accept('{')) {
      for (bool first = true; reader_.ok() && !accept('}'); first = false) {
        if (!first) expect(',');
        string(0);
        expect(':');
        skip_value(depth + 1);
      }
    } else if (accept('[')) {
      for (bool first = true; reader_.ok() && !accept(']'); first = false) {
        if (!first) expect(',');
        skip_value(depth + 1);
      }
    } else {
      const auto is_plain = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == 'E' || c == '+' || c == '-' || c == '.';
      };
      if (!is_plain(next_)) reader_.fail();
      while (reader_.ok() && is_plain(next_)) advance();
    }
  }

 private:
  // The first step behind the end gives 0, which is in no JSON; the next one fails.
  void advance() {
    if (reader_.left() != 0) {
      next_ = static_cast<char>(reader_.byte());
    } else {
      if (at_end_) reader_.fail();
      at_end_ = true;
      next_ = '\0';
    }
  }
  void skip_space() {
    while (reader_.ok() && (next_ == ' ' || next_ == '\n' || next_ == '\t' || next_ == '\r')) advance();
  }

  LayoutReader& reader_;
  char next_ = '\0';
  bool at_end_ = false;
};

struct Tensor {
  std::optional<ElementType> type;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

void read_list(LayoutReader& reader, Json& json, std::vector<std::uint64_t>& numbers) {
  numbers.clear();
  json.expect('[');
  for (bool first = true; reader.ok() && !json.accept(']'); first = false) {
    if (!first) json.expect(',');
    numbers.push_back(json.integer());
    if (numbers.size() > kDimensionsMax) reader.fail();
  }
}

Tensor read_tensor(LayoutReader& reader, Json& json) {
  Tensor tensor;
  std::vector<std::uint64_t> offsets;
  json.expect('{');
  for (bool first = true; reader.ok() && !json.accept('}'); first = false) {
    if (!first) json.expect(',');
    const std::string key = json.string(16);
    json.expect(':');
    if (key == "dtype") {
      tensor.type = type_of(json.string(16));
    } else if (key == "shape") {
      read_list(reader, json, tensor.shape);
    } else if (key == "data_offsets") {
      read_list(reader, json, offsets);
    } else {
      json.skip_value();
    }
  }
  if (offsets.size() == 2) {
    tensor.begin = offsets[0];
    tensor.end = offsets[1];
  }
  return tensor;
}

}  // namespace

void find_safetensors(LayoutReader& reader, RegionList& regions) {
  constexpr std::uint64_t kHeaderMax = 100'000'000;  // the format's own limit
  const std::uint64_t file_end = reader.end();
  const auto size = reader.le<std::uint64_t>();
  if (!reader.ok() || size > kHeaderMax || size > reader.left()) return;
  const std::uint64_t data = reader.position() + size;
  reader.restrict_to(reader.position(), data);
  Json json(reader);
  json.expect('{');
  for (bool first = true; reader.ok() && !regions.full() && !json.accept('}'); first = false) {
    if (!first) json.expect(',');
    std::string name = json.string(kNameMax);
    json.expect(':');
    if (name == "__metadata__") {
      json.skip_value();
      continue;
    }
    const Tensor tensor = read_tensor(reader, json);
    if (!reader.ok() || !tensor.type || tensor.begin > tensor.end || tensor.end > file_end - data) continue;
    regions.add_tensor(data + tensor.begin, tensor.end - tensor.begin, *tensor.type, tensor.shape, false,
                       std::move(name));
  }
}

}  // namespace mmh::content
