#pragma once
// One function per codec; table.cc lists them.

#include "mmh/codec/codec.h"

namespace mmh::codecs {

const codec::Codec& zstd_codec();
const codec::Codec& lz4_codec();
const codec::Codec& lzma_codec();

}  // namespace mmh::codecs
