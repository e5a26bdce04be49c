#include "mmh/base/varint.h"

namespace mmh {

void put_varint(Buffer& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<std::byte>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<std::byte>(value));
}

Result<std::uint64_t> take_varint(ByteView& in) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < kVarintSizeMax; ++i) {
    if (i == in.size()) return fail(Errc::corrupt, "integer is cut short");
    const auto byte = std::to_integer<std::uint64_t>(in[i]);
    if (i == kVarintSizeMax - 1 && byte > 1) return fail(Errc::corrupt, "integer is too large");
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      if (byte == 0 && i > 0) return fail(Errc::corrupt, "integer is not in its shortest form");
      in = in.subspan(i + 1);
      return value;
    }
  }
  return fail(Errc::corrupt, "integer is too long");
}

}  // namespace mmh
