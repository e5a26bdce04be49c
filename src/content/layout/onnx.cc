// ONNX: a protobuf message. Its tensors are looked for in the graph's initializers and in the constants of its nodes,
// subgraphs included; those that lie in other files are not here.

#include "layout/reader.h"

namespace mmh::content {
namespace {

constexpr unsigned kDepthMax = 24;

std::optional<ElementType> type_of(std::uint64_t data_type) {
  using enum ElementType;
  switch (data_type) {
    case 1:
      return fp32;
    case 2:
      return uint8;
    case 3:
      return int8;
    case 4:
      return uint16;
    case 5:
      return int16;
    case 6:
      return int32;
    case 7:
      return int64;
    case 9:
      return boolean;
    case 10:
      return fp16;
    case 11:
      return fp64;
    case 12:
      return uint32;
    case 13:
      return uint64;
    case 16:
      return bf16;
    case 17:
    case 18:
      return fp8_e4m3;
    case 19:
    case 20:
      return fp8_e5m2;
    case 21:
    case 22:
      return int4;
    default:
      return std::nullopt;
  }
}

std::uint64_t varint(LayoutReader& reader) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const std::uint64_t byte = reader.byte();
    value |= (byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  reader.fail();
  return 0;
}

enum Wire : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct Field {
  std::uint64_t number = 0;
  Wire wire = kVarint;
  std::uint64_t value = 0;  // of a varint
  std::uint64_t end = 0;    // of bytes, which begin at the reader's position
};

// The messages that lead to tensors, and the fields by which they do.
enum class Message : std::uint8_t { model, graph, function, node, attribute, sparse_tensor, tensor };

std::optional<Message> message_in(Message message, std::uint64_t field) {
  using enum Message;
  switch (message) {
    case model:
      if (field == 7) return graph;
      if (field == 25) return function;
      break;
    case graph:
      if (field == 1) return node;
      if (field == 5) return tensor;
      if (field == 15) return sparse_tensor;
      break;
    case function:
      if (field == 7) return node;
      break;
    case node:
      if (field == 5) return attribute;
      break;
    case attribute:
      if (field == 5 || field == 10) return tensor;
      if (field == 6 || field == 11) return graph;
      if (field == 22 || field == 23) return sparse_tensor;
      break;
    case sparse_tensor:
      if (field == 1 || field == 2) return tensor;
      break;
    case tensor:
      break;
  }
  return std::nullopt;
}

class Walker {
 public:
  Walker(LayoutReader& reader, RegionList& regions) : reader_(reader), regions_(regions) {}

  void walk(Message message, std::uint64_t end, unsigned depth) {
    if (depth > kDepthMax) return reader_.fail();
    while (reader_.ok() && !regions_.full() && reader_.position() < end) {
      const Field field = next_field(end);
      if (!reader_.ok() || field.wire != kBytes) continue;
      const auto inner = message_in(message, field.number);
      if (inner == Message::tensor) {
        tensor(field.end);
      } else if (inner) {
        walk(*inner, field.end, depth + 1);
      }
      // What a message holds of damage ends that message only.
      reader_.seek(field.end);
    }
  }

 private:
  Field next_field(std::uint64_t end) {
    Field field;
    const std::uint64_t key = varint(reader_);
    field.number = key >> 3;
    field.wire = static_cast<Wire>(key & 7);
    switch (field.wire) {
      case kVarint:
        field.value = varint(reader_);
        break;
      case kFixed64:
        reader_.skip(8);
        break;
      case kFixed32:
        reader_.skip(4);
        break;
      case kBytes: {
        const std::uint64_t size = varint(reader_);
        if (reader_.position() > end || size > end - reader_.position()) reader_.fail();
        field.end = reader_.position() + size;
        break;
      }
      default:
        reader_.fail();
    }
    return field;
  }

  void tensor(std::uint64_t end) {
    std::vector<std::uint64_t> shape;
    std::optional<ElementType> type;
    std::string name;
    std::uint64_t begin = 0;
    std::uint64_t size = 0;
    const auto add_dimension = [&](std::uint64_t dimension) {
      shape.push_back(dimension);
      if (shape.size() > kDimensionsMax) reader_.fail();
    };
    while (reader_.ok() && reader_.position() < end) {
      const Field field = next_field(end);
      if (!reader_.ok()) return;
      if (field.wire == kVarint) {
        if (field.number == 1) add_dimension(field.value);
        if (field.number == 2) type = type_of(field.value);
      } else if (field.wire == kBytes) {
        if (field.number == 1) {
          while (reader_.ok() && reader_.position() < field.end) add_dimension(varint(reader_));
        } else if (field.number == 8 && regions_.wants_names()) {
          name = reader_.text(field.end - reader_.position(), kNameMax);
        } else if (field.number == 4 || field.number == 9 || field.number == 10) {  // packed floats, raw, doubles
          begin = reader_.position();
          size = field.end - begin;
        }
        reader_.seek(field.end);
      }
    }
    if (reader_.ok() && type && size != 0) regions_.add_tensor(begin, size, *type, shape, false, std::move(name));
  }

  LayoutReader& reader_;
  RegionList& regions_;
};

}  // namespace

void find_onnx(LayoutReader& reader, RegionList& regions) {
  Walker(reader, regions).walk(Message::model, reader.end(), 0);
}

}  // namespace mmh::content
