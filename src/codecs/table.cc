#include "table.h"

#include <fmt/format.h>
#include <lz4.h>
#include <lzma.h>
#include <zstd.h>

#include "mmh/codecs/builtin.h"

namespace mmh::codecs {

const codec::Registry& builtin_registry() {
  static const codec::Registry registry({
      &zstd_codec(),
      &lz4_codec(),
      &lzma_codec(),
  });
  return registry;
}

std::vector<std::string> library_versions() {
  return {
      fmt::format("zstd {}", ZSTD_versionString()),
      fmt::format("lz4 {}", LZ4_versionString()),
      fmt::format("liblzma {}", lzma_version_string()),
  };
}

}  // namespace mmh::codecs
