#include "zeros.h"

#include <algorithm>
#include <array>

namespace mmh::pack {

ByteView zeros(std::uint64_t size) {
  // Not constant, so that it takes no room in the program and the pages that are read are the kernel's page of zeros.
  static std::array<std::byte, std::size_t{4} << 20> bytes{};
  return ByteView(bytes).first(static_cast<std::size_t>(std::min<std::uint64_t>(size, bytes.size())));
}

}  // namespace mmh::pack
