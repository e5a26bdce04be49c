// CBOR: what skip() takes is canonical, so writing it again gives the same bytes; and no call reads outside the input.

#include <cstddef>
#include <cstdint>

#include "mmh/base/cbor.h"
#include "mmh/base/check.h"

namespace {

using namespace mmh;

// Reads one item by the calls for its type and writes it again. False for integers beyond 64 bits with sign, which only
// skip() takes.
bool copy_item(CborReader& in, CborWriter& out) {
  switch (in.peek().value()) {
    case CborType::unsigned_integer:
      out.unsigned_integer(in.unsigned_integer().value());
      return true;
    case CborType::negative_integer: {
      const auto value = in.integer();
      if (value) out.integer(*value);
      return value.has_value();
    }
    case CborType::bytes:
      out.bytes(in.bytes().value());
      return true;
    case CborType::text:
      out.text(in.text().value());
      return true;
    case CborType::boolean:
      out.boolean(in.boolean().value());
      return true;
    case CborType::null:
      MMH_CHECK(in.null().has_value());
      out.null();
      return true;
    case CborType::array: {
      const std::uint64_t count = in.array().value();
      out.array(count);
      for (std::uint64_t i = 0; i < count; ++i) {
        if (!copy_item(in, out)) return false;
      }
      return true;
    }
    case CborType::map: {
      const std::uint64_t count = in.map().value();
      out.map(count);
      for (std::uint64_t i = 0; i < 2 * count; ++i) {
        if (!copy_item(in, out)) return false;
      }
      return true;
    }
  }
  return false;
}

void try_every_call(ByteView in) {
  static_cast<void>(CborReader(in).peek());
  static_cast<void>(CborReader(in).unsigned_integer());
  static_cast<void>(CborReader(in).integer());
  static_cast<void>(CborReader(in).bytes());
  static_cast<void>(CborReader(in).text());
  static_cast<void>(CborReader(in).array());
  static_cast<void>(CborReader(in).map());
  static_cast<void>(CborReader(in).boolean());
  static_cast<void>(CborReader(in).null());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView in = std::as_bytes(std::span(data, size));
  try_every_call(in);
  CborReader skipper(in);
  if (!skipper.skip()) return 0;
  const ByteView item = in.first(in.size() - skipper.rest().size());
  CborReader reader(in);
  Buffer copy;
  CborWriter writer(copy);
  if (copy_item(reader, writer)) {
    MMH_CHECK(reader.rest().size() == skipper.rest().size());
    MMH_CHECK(as_text(copy) == as_text(item));
  }
  return 0;
}
