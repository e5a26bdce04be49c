#include "table.h"

#include <brotli/encode.h>
#include <fmt/format.h>
#include <libdeflate.h>
#include <lz4.h>
#include <lzma.h>
#include <zstd.h>

#include "jpeg/libjxl.h"
#include "mmh/codecs/builtin.h"

namespace mmh::codecs {

const codec::Registry& builtin_registry() {
  static const codec::Registry registry({
      &zstd_codec(),     &lz4_codec(),        &brotli_codec(),     &lzma_codec(),         &deflate_codec(),
      &delta_codec(),    &transpose_codec(),  &branch_x86_codec(), &branch_arm64_codec(), &branch_riscv_codec(),
      &rans_codec(),     &planes_codec(),     &pattern_codec(),    &run_length_codec(),   &palette_codec(),
      &bit_pack_codec(), &bit_planes_codec(), &zigzag_codec(),     &xor_delta_codec(),    &scaled_codec(),
      &fields_codec(),   &records_codec(),    &tokens_codec(),     &raster_codec(),       &audio_codec(),
      &jpeg_codec(),     &inflated_codec(),   &sparse_codec(),     &bit_records_codec(),  &multiples_codec(),
      &decimals_codec(), &byte_swap_codec(),  &base_copy_codec(),  &base_delta_codec(),   &base_zstd_codec(),
  });
  return registry;
}

namespace {

std::string brotli_version(std::uint32_t version) {
  return fmt::format("{}.{}.{}", version >> 24, version >> 12 & 0xfff, version & 0xfff);
}

std::string jxl_version(std::uint32_t version) {
  return fmt::format("{}.{}.{}", version / 1'000'000, version / 1000 % 1000, version % 1000);
}

}  // namespace

std::vector<std::string> library_versions() {
  return {
      fmt::format("zstd {}", ZSTD_versionString()),
      fmt::format("lz4 {}", LZ4_versionString()),
      fmt::format("brotli {}", brotli_version(BrotliEncoderVersion())),
      fmt::format("liblzma {}", lzma_version_string()),
      fmt::format("libdeflate {}", LIBDEFLATE_VERSION_STRING),
      fmt::format("libjxl {}", jxl_version(kJxlVersion)),
  };
}

}  // namespace mmh::codecs
