#pragma once
// One function per codec; table.cc lists them.

#include "mmh/codec/codec.h"

namespace mmh::codecs {

const codec::Codec& zstd_codec();
const codec::Codec& lz4_codec();
const codec::Codec& brotli_codec();
const codec::Codec& lzma_codec();
const codec::Codec& deflate_codec();
const codec::Codec& delta_codec();
const codec::Codec& transpose_codec();
const codec::Codec& branch_x86_codec();
const codec::Codec& branch_arm64_codec();
const codec::Codec& branch_riscv_codec();
const codec::Codec& rans_codec();
const codec::Codec& planes_codec();
const codec::Codec& pattern_codec();
const codec::Codec& run_length_codec();
const codec::Codec& palette_codec();
const codec::Codec& bit_pack_codec();
const codec::Codec& bit_planes_codec();
const codec::Codec& zigzag_codec();
const codec::Codec& xor_delta_codec();
const codec::Codec& scaled_codec();
const codec::Codec& fields_codec();
const codec::Codec& records_codec();
const codec::Codec& sparse_codec();
const codec::Codec& bit_records_codec();
const codec::Codec& multiples_codec();
const codec::Codec& decimals_codec();
const codec::Codec& byte_swap_codec();
const codec::Codec& tokens_codec();
const codec::Codec& raster_codec();
const codec::Codec& audio_codec();
const codec::Codec& jpeg_codec();
const codec::Codec& inflated_codec();
const codec::Codec& base_copy_codec();
const codec::Codec& base_delta_codec();
const codec::Codec& base_zstd_codec();

}  // namespace mmh::codecs
