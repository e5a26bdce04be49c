#pragma once
// libjxl, loaded when a picture first needs it: with it come libraries that take longer to load than most commands to
// run.

#include <jxl/decode.h>
#include <jxl/encode.h>
#include <jxl/version.h>

#include <cstdint>

#include "mmh/base/result.h"

namespace mmh::codecs {

#define MMH_JXL_FUNCTIONS(X)          \
  X(JxlDecoderCloseInput)             \
  X(JxlDecoderCreate)                 \
  X(JxlDecoderDestroy)                \
  X(JxlDecoderGetBasicInfo)           \
  X(JxlDecoderProcessInput)           \
  X(JxlDecoderReleaseJPEGBuffer)      \
  X(JxlDecoderSetInput)               \
  X(JxlDecoderSetJPEGBuffer)          \
  X(JxlDecoderSubscribeEvents)        \
  X(JxlEncoderAddJPEGFrame)           \
  X(JxlEncoderCloseInput)             \
  X(JxlEncoderCreate)                 \
  X(JxlEncoderDestroy)                \
  X(JxlEncoderFrameSettingsCreate)    \
  X(JxlEncoderFrameSettingsSetOption) \
  X(JxlEncoderProcessOutput)          \
  X(JxlEncoderStoreJPEGMetadata)      \
  X(JxlEncoderUseContainer)           \
  X(JxlEncoderVersion)

/// The version whose headers this program was compiled with, as JxlEncoderVersion() has it.
inline constexpr std::uint32_t kJxlVersion =
    JPEGXL_MAJOR_VERSION * 1'000'000 + JPEGXL_MINOR_VERSION * 1000 + JPEGXL_PATCH_VERSION;

/// The functions of libjxl, by their own names.
struct LibJxl {
#define MMH_JXL_MEMBER(name) decltype(&::name) name = nullptr;
  MMH_JXL_FUNCTIONS(MMH_JXL_MEMBER)  // NOLINT(readability-identifier-naming): libjxl's own names
#undef MMH_JXL_MEMBER
};

/// Error unsupported: it is not installed, or not as this program was compiled for.
Result<const LibJxl*> libjxl();

/// The same, to encode: other versions than kJxlVersion, which packs name, are refused too.
Result<const LibJxl*> libjxl_to_encode();

}  // namespace mmh::codecs
