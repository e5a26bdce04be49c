// Varints: what is taken is the one encoding of its value.

#include <cstddef>
#include <cstdint>

#include "mmh/base/check.h"
#include "mmh/base/varint.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mmh;
  const ByteView all = std::as_bytes(std::span(data, size));
  ByteView in = all;
  while (!in.empty()) {
    const ByteView before = in;
    const auto value = take_varint(in);
    if (!value) {
      MMH_CHECK(in.size() == before.size());
      return 0;
    }
    Buffer again;
    put_varint(again, *value);
    MMH_CHECK(as_text(again) == as_text(before.first(before.size() - in.size())));
  }
  return 0;
}
