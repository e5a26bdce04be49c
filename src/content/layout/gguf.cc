// GGUF, versions 2 and 3, little-endian: keys and values, a table of tensors, then the tensors, aligned.

#include "layout/reader.h"

namespace mmh::content {
namespace {

constexpr unsigned kNestedMax = 4;

// By the numbers of ggml_type.
std::optional<ElementType> type_of(std::uint32_t number) {
  using enum ElementType;
  switch (number) {
    case 0:
      return fp32;
    case 1:
      return fp16;
    case 2:
      return q4_0;
    case 3:
      return q4_1;
    case 6:
      return q5_0;
    case 7:
      return q5_1;
    case 8:
      return q8_0;
    case 9:
      return q8_1;
    case 10:
      return q2_k;
    case 11:
      return q3_k;
    case 12:
      return q4_k;
    case 13:
      return q5_k;
    case 14:
      return q6_k;
    case 15:
      return q8_k;
    case 16:
      return iq2_xxs;
    case 17:
      return iq2_xs;
    case 18:
      return iq3_xxs;
    case 19:
      return iq1_s;
    case 20:
      return iq4_nl;
    case 21:
      return iq3_s;
    case 22:
      return iq2_s;
    case 23:
      return iq4_xs;
    case 24:
      return int8;
    case 25:
      return int16;
    case 26:
      return int32;
    case 27:
      return int64;
    case 28:
      return fp64;
    case 29:
      return iq1_m;
    case 30:
      return bf16;
    case 34:
      return tq1_0;
    case 35:
      return tq2_0;
    case 39:
      return mxfp4;
    default:
      return std::nullopt;
  }
}

enum ValueType : std::uint32_t { kUint32 = 4, kString = 8, kArray = 9 };

// Bytes of a value of fixed size; 0: none of these.
std::uint64_t size_of(std::uint32_t value_type) {
  constexpr std::uint8_t kSizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return value_type < std::size(kSizes) ? kSizes[value_type] : 0;
}

void skip_value(LayoutReader& reader, std::uint32_t type, unsigned nested = 0) {
  if (type == kString) return reader.skip(reader.le<std::uint64_t>());
  if (const std::uint64_t size = size_of(type); size != 0) return reader.skip(size);
  if (type != kArray || nested > kNestedMax) return reader.fail();
  const auto element = reader.le<std::uint32_t>();
  const auto count = reader.le<std::uint64_t>();
  if (const std::uint64_t size = size_of(element); size != 0) {
    const auto bytes = product(count, size);
    return bytes ? reader.skip(*bytes) : reader.fail();
  }
  for (std::uint64_t i = 0; i < count && reader.ok(); ++i) skip_value(reader, element, nested + 1);
}

struct Tensor {
  std::string name;
  std::vector<std::uint64_t> shape;  // slowest dimension first
  std::optional<ElementType> type;
  std::uint64_t offset = 0;
};

}  // namespace

void find_gguf(LayoutReader& reader, RegionList& regions) {
  reader.skip(4);
  const auto version = reader.le<std::uint32_t>();
  if (version != 2 && version != 3) return;
  const auto tensor_count = reader.le<std::uint64_t>();
  const auto value_count = reader.le<std::uint64_t>();
  std::uint64_t alignment = 32;
  for (std::uint64_t i = 0; i < value_count && reader.ok(); ++i) {
    const std::string key = reader.text(reader.le<std::uint64_t>(), 32);
    const auto type = reader.le<std::uint32_t>();
    if (key == "general.alignment" && type == kUint32) {
      alignment = reader.le<std::uint32_t>();
    } else {
      skip_value(reader, type);
    }
  }
  if (!std::has_single_bit(alignment)) return;
  std::vector<Tensor> tensors;
  for (std::uint64_t i = 0; i < tensor_count && tensors.size() < kRegionsMax; ++i) {
    Tensor tensor;
    tensor.name = reader.text(reader.le<std::uint64_t>(), regions.wants_names() ? kNameMax : 0);
    const auto dimensions = reader.le<std::uint32_t>();
    if (dimensions > kDimensionsMax) return;
    tensor.shape.resize(dimensions);
    for (std::uint32_t d = 0; d < dimensions; ++d) tensor.shape[dimensions - 1 - d] = reader.le<std::uint64_t>();
    tensor.type = type_of(reader.le<std::uint32_t>());
    tensor.offset = reader.le<std::uint64_t>();
    // Where the data begin is known only behind the last entry.
    if (!reader.ok()) return;
    tensors.push_back(std::move(tensor));
  }
  if (tensors.size() != tensor_count || reader.position() > ~alignment) return;
  const std::uint64_t data = (reader.position() + alignment - 1) / alignment * alignment;
  for (Tensor& tensor : tensors) {
    if (!tensor.type || tensor.offset > reader.end()) continue;
    const auto size = tensor_size(*tensor.type, tensor.shape);
    if (!size) continue;
    regions.add_tensor(data + tensor.offset, *size, *tensor.type, tensor.shape, false, std::move(tensor.name));
  }
}

}  // namespace mmh::content
