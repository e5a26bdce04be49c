#include "layout/pickle.h"

#include <algorithm>

namespace mmh::content {
namespace {

constexpr std::size_t kStackMax = std::size_t{1} << 20;
constexpr std::size_t kItemsMax = std::size_t{1} << 21;  // of all tuples together
constexpr std::size_t kTextMax = std::size_t{16} << 20;  // bytes of all strings together
constexpr std::size_t kStringMax = 512;                  // kept of one string
constexpr std::size_t kTensorsMax = std::size_t{1} << 16;

struct Value {
  enum class Kind : std::uint8_t { other, mark, integer, string, global, tuple, storage, tensor };
  Kind kind = Kind::other;
  std::uint32_t count = 0;  ///< Of a tuple's items, a string's bytes.
  std::int64_t value = 0;   ///< Of an integer; else an index.
};
using Kind = Value::Kind;

struct Storage {
  std::optional<ElementType> type;  ///< Nothing: bytes, whose type the tensor tells.
  std::string key;
};

std::optional<ElementType> type_of_storage(std::string_view name) {
  using enum ElementType;
  struct Named {
    std::string_view name;
    ElementType type;
  };
  static constexpr Named kTypes[] = {{"DoubleStorage", fp64},
                                     {"FloatStorage", fp32},
                                     {"HalfStorage", fp16},
                                     {"BFloat16Storage", bf16},
                                     {"LongStorage", int64},
                                     {"IntStorage", int32},
                                     {"ShortStorage", int16},
                                     {"CharStorage", int8},
                                     {"ByteStorage", uint8},
                                     {"BoolStorage", boolean},
                                     {"QInt8Storage", int8},
                                     {"QUInt8Storage", uint8},
                                     {"QInt32Storage", int32},
                                     {"float8_e4m3fn", fp8_e4m3},
                                     {"float8_e4m3fnuz", fp8_e4m3},
                                     {"float8_e5m2", fp8_e5m2},
                                     {"float8_e5m2fnuz", fp8_e5m2},
                                     {"uint16", uint16},
                                     {"uint32", uint32},
                                     {"uint64", uint64},
                                     {"float64", fp64},
                                     {"float32", fp32},
                                     {"float16", fp16},
                                     {"bfloat16", bf16},
                                     {"int64", int64},
                                     {"int32", int32},
                                     {"int16", int16},
                                     {"int8", int8},
                                     {"uint8", uint8},
                                     {"bool", boolean}};
  for (const Named& named : kTypes) {
    if (named.name == name) return named.type;
  }
  return std::nullopt;
}

class Machine {
 public:
  explicit Machine(LayoutReader& reader) : reader_(reader) {}

  std::vector<PickledTensor> run() {
    while (reader_.ok() && reader_.left() > 0 && step()) {
    }
    return std::move(tensors_);
  }

 private:
  // ---- the stack ----

  void push(Value value) {
    if (stack_.size() >= kStackMax) return reader_.fail();
    stack_.push_back(value);
  }
  void push_other() { push({}); }
  void push_integer(std::int64_t value) { push({Kind::integer, 0, value}); }
  Value pop() {
    if (stack_.empty()) {
      reader_.fail();
      return {};
    }
    const Value value = stack_.back();
    stack_.pop_back();
    return value;
  }
  // The values above the topmost mark, which is taken off with them.
  std::vector<Value> pop_to_mark() {
    const auto mark = std::find_if(stack_.rbegin(), stack_.rend(), [](Value v) { return v.kind == Kind::mark; });
    if (mark == stack_.rend()) {
      reader_.fail();
      return {};
    }
    std::vector<Value> values(mark.base(), stack_.end());
    stack_.erase(mark.base() - 1, stack_.end());
    return values;
  }
  void push_tuple(std::span<const Value> values) {
    if (items_.size() + values.size() > kItemsMax) return reader_.fail();
    push({Kind::tuple, static_cast<std::uint32_t>(values.size()), static_cast<std::int64_t>(items_.size())});
    items_.insert(items_.end(), values.begin(), values.end());
  }
  void push_top_tuple(std::size_t count) {
    if (stack_.size() < count) return reader_.fail();
    const std::vector<Value> values(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    push_tuple(values);
  }
  void push_string(std::uint64_t size, Kind kind = Kind::string) {
    const std::string kept = reader_.text(size, kStringMax);
    push_text(kept, kind);
  }
  void push_text(std::string_view string, Kind kind) {
    if (text_.size() + string.size() > kTextMax) return reader_.fail();
    push({kind, static_cast<std::uint32_t>(string.size()), static_cast<std::int64_t>(text_.size())});
    text_ += string;
  }
  std::string line() {
    std::string kept;
    while (reader_.ok()) {
      const char c = static_cast<char>(reader_.byte());
      if (c == '\n') break;
      if (kept.size() < kStringMax) kept += c;
    }
    return kept;
  }

  // ---- memory ----

  void remember(std::uint64_t place) {
    // Picklers number the places one after the other.
    if (stack_.empty() || place > memo_.size() || place >= kStackMax) return reader_.fail();
    if (place == memo_.size()) memo_.emplace_back();
    memo_[static_cast<std::size_t>(place)] = stack_.back();
  }
  void recall(std::uint64_t place) {
    if (place >= memo_.size()) return reader_.fail();
    push(memo_[static_cast<std::size_t>(place)]);
  }

  // ---- meaning ----

  std::string_view text_of(Value value) const {
    if (value.kind != Kind::string && value.kind != Kind::global) return {};
    return std::string_view(text_).substr(static_cast<std::size_t>(value.value), value.count);
  }
  std::span<const Value> items_of(Value value) const {
    if (value.kind != Kind::tuple) return {};
    return std::span(items_).subspan(static_cast<std::size_t>(value.value), value.count);
  }
  std::vector<std::uint64_t> numbers_of(Value value) const {
    std::vector<std::uint64_t> numbers;
    for (const Value item : items_of(value)) {
      if (item.kind != Kind::integer || item.value < 0 || numbers.size() >= kDimensionsMax) return {};
      numbers.push_back(static_cast<std::uint64_t>(item.value));
    }
    return numbers;
  }

  // ("storage", type, key, device, size)
  void load_persistent() {
    const auto items = items_of(pop());
    if (items.size() < 5 || text_of(items[0]) != "storage" || items[1].kind != Kind::global ||
        items[2].kind != Kind::string || storages_.size() >= kTensorsMax) {
      return push_other();
    }
    std::string_view type = text_of(items[1]);
    type.remove_prefix(std::min(type.size(), type.rfind(' ') + 1));
    push({Kind::storage, 0, static_cast<std::int64_t>(storages_.size())});
    storages_.push_back({type_of_storage(type), std::string(text_of(items[2]))});
  }

  void reduce() {
    const Value arguments = pop();
    const Value callable = pop();
    const auto items = items_of(arguments);
    const std::string_view name = callable.kind == Kind::global ? text_of(callable) : std::string_view();
    if (name == "torch._utils _rebuild_parameter" && !items.empty() && items[0].kind == Kind::tensor) {
      return push(items[0]);
    }
    const bool typed = name == "torch._utils _rebuild_tensor_v3";
    if ((typed || name == "torch._utils _rebuild_tensor_v2" || name == "torch._utils _rebuild_tensor" ||
         name == "torch._utils _rebuild_qtensor") &&
        items.size() >= (typed ? 7U : 4U) && items[0].kind == Kind::storage && items[1].kind == Kind::integer &&
        items[1].value >= 0 && tensors_.size() < kTensorsMax) {
      const Storage& storage = storages_[static_cast<std::size_t>(items[0].value)];
      auto type = storage.type;
      if (typed && items[6].kind == Kind::global) {
        std::string_view dtype = text_of(items[6]);
        dtype.remove_prefix(std::min(dtype.size(), dtype.rfind(' ') + 1));
        type = type_of_storage(dtype);
      }
      if (type) {
        PickledTensor tensor;
        tensor.key = storage.key;
        tensor.type = *type;
        tensor.offset = static_cast<std::uint64_t>(items[1].value);
        tensor.shape = numbers_of(items[2]);
        tensor.strides = numbers_of(items[3]);
        push({Kind::tensor, 0, static_cast<std::int64_t>(tensors_.size())});
        tensors_.push_back(std::move(tensor));
        return;
      }
    }
    push_other();
  }

  void set_item(Value key, Value value) {
    if (value.kind != Kind::tensor || key.kind != Kind::string) return;
    std::string& name = tensors_[static_cast<std::size_t>(value.value)].name;
    if (name.empty()) name = text_of(key);
  }

  void set_items() {
    const auto values = pop_to_mark();
    for (std::size_t i = 0; i + 1 < values.size(); i += 2) set_item(values[i], values[i + 1]);
  }

  // One instruction; false at the end, and at one that PyTorch has no use for.
  bool step() {
    switch (reader_.byte()) {
      case 0x80:  // PROTO
        reader_.skip(1);
        break;
      case 0x95:  // FRAME
        reader_.skip(8);
        break;
      case '.':  // STOP
        return false;
      case '(':  // MARK
        push({Kind::mark, 0, 0});
        break;
      case '0':  // POP
        pop();
        break;
      case '1':  // POP_MARK
        pop_to_mark();
        break;
      case '2':  // DUP
        if (stack_.empty()) return false;
        push(stack_.back());
        break;
      case 'N':   // NONE
      case 0x88:  // NEWTRUE
      case 0x89:  // NEWFALSE
      case ']':   // EMPTY_LIST
      case '}':   // EMPTY_DICT
      case 0x8F:  // EMPTY_SET
        push_other();
        break;
      case 'J':  // BININT
        push_integer(reader_.le<std::int32_t>());
        break;
      case 'K':  // BININT1
        push_integer(reader_.byte());
        break;
      case 'M':  // BININT2
        push_integer(reader_.le<std::uint16_t>());
        break;
      case 0x8A: {  // LONG1
        const unsigned size = reader_.byte();
        std::uint64_t value = 0;
        unsigned last = 0;
        for (unsigned i = 0; i < size; ++i) {
          last = reader_.byte();
          if (i < 8) value |= std::uint64_t{last} << (8 * i);
        }
        if (size < 8 && (last & 0x80) != 0) value |= ~std::uint64_t{0} << (8 * size);
        size <= 8 ? push_integer(static_cast<std::int64_t>(value)) : push_other();
        break;
      }
      case 'G':  // BINFLOAT
        reader_.skip(8);
        push_other();
        break;
      case 'X':  // BINUNICODE
        push_string(reader_.le<std::uint32_t>());
        break;
      case 0x8C:  // SHORT_BINUNICODE
      case 'U':   // SHORT_BINSTRING
        push_string(reader_.byte());
        break;
      case 0x8D:  // BINUNICODE8
        push_string(reader_.le<std::uint64_t>());
        break;
      case 'T':  // BINSTRING
        push_string(reader_.le<std::uint32_t>());
        break;
      case 'C':  // SHORT_BINBYTES
        reader_.skip(reader_.byte());
        push_other();
        break;
      case 'B':  // BINBYTES
        reader_.skip(reader_.le<std::uint32_t>());
        push_other();
        break;
      case 0x8E:  // BINBYTES8
      case 0x96:  // BYTEARRAY8
        reader_.skip(reader_.le<std::uint64_t>());
        push_other();
        break;
      case 'c': {  // GLOBAL
        const std::string module = line();
        push_text(module + " " + line(), Kind::global);
        break;
      }
      case 0x93: {  // STACK_GLOBAL
        const std::string name(text_of(pop()));
        const std::string module(text_of(pop()));
        push_text(module + " " + name, Kind::global);
        break;
      }
      case ')':  // EMPTY_TUPLE
        push_tuple({});
        break;
      case 't':  // TUPLE
        push_tuple(pop_to_mark());
        break;
      case 0x85:  // TUPLE1
        push_top_tuple(1);
        break;
      case 0x86:  // TUPLE2
        push_top_tuple(2);
        break;
      case 0x87:  // TUPLE3
        push_top_tuple(3);
        break;
      case 'l':   // LIST
      case 0x91:  // FROZENSET
        pop_to_mark();
        push_other();
        break;
      case 'd':  // DICT
        set_items();
        push_other();
        break;
      case 'u':  // SETITEMS
        set_items();
        break;
      case 's': {  // SETITEM
        const Value value = pop();
        set_item(pop(), value);
        break;
      }
      case 'a':  // APPEND
      case 'b':  // BUILD
        pop();
        break;
      case 'e':   // APPENDS
      case 0x90:  // ADDITEMS
        pop_to_mark();
        break;
      case 'q':  // BINPUT
        remember(reader_.byte());
        break;
      case 'r':  // LONG_BINPUT
        remember(reader_.le<std::uint32_t>());
        break;
      case 0x94:  // MEMOIZE
        remember(memo_.size());
        break;
      case 'h':  // BINGET
        recall(reader_.byte());
        break;
      case 'j':  // LONG_BINGET
        recall(reader_.le<std::uint32_t>());
        break;
      case 'R':  // REDUCE
        reduce();
        break;
      case 0x81:  // NEWOBJ
        pop();
        pop();
        push_other();
        break;
      case 0x92:  // NEWOBJ_EX
        pop();
        pop();
        pop();
        push_other();
        break;
      case 'Q':  // BINPERSID
        load_persistent();
        break;
      default:
        return false;
    }
    return true;
  }

  LayoutReader& reader_;
  std::vector<Value> stack_;
  std::vector<Value> memo_;
  std::vector<Value> items_;
  std::string text_;
  std::vector<Storage> storages_;
  std::vector<PickledTensor> tensors_;
};

}  // namespace

std::vector<PickledTensor> read_pickle(LayoutReader& reader) { return Machine(reader).run(); }

}  // namespace mmh::content
