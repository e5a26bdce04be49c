// The magicless frame format and the stable output buffer are in zstd's "static" section, as in zstd.cc.
#define ZSTD_STATIC_LINKING_ONLY
#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "../base_ranges.h"
#include "../table.h"
#include "mmh/base/check.h"
#include "mmh/codec/frame.h"

namespace mmh::codecs {
namespace {

constexpr int kLevelMin = -5;
constexpr int kLevelMax = 22;
constexpr int kWindowLogMin = ZSTD_WINDOWLOG_MIN;
constexpr int kWindowLogMax = 27;

// A small block may look back at this much of the base, a larger one at twice its size.
constexpr std::size_t kReferenceMin = std::size_t{1} << 20;
constexpr std::size_t reference_max(std::size_t raw_size) { return 2 * raw_size + kReferenceMin; }

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

class BaseZstd final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::base_zstd; }
  std::string_view name() const override { return "base_zstd"; }
  std::string_view purpose() const override { return "zstd that also finds matches in the base of a pack"; }
  bool needs_base() const override { return true; }

  Result<codec::Encoded> encode(ByteView raw, const codec::EncodeOptions& options) const override {
    MMH_TRY(check_base(options));
    MMH_TRY(check_option("zstd level", options.level, kLevelMin, kLevelMax));
    MMH_TRY(check_option("zstd window_log", options.window_log, kWindowLogMin, kWindowLogMax));
    const Buffer& reference = options.base->bytes;
    if (reference.size() > reference_max(raw.size())) return fail(Errc::usage, "base_zstd: too much of the base");
    const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
    if (context == nullptr) return no_memory();
    const auto set = [&](ZSTD_cParameter parameter, int value) {
      MMH_CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(context.get(), parameter, value)));
    };
    set(ZSTD_c_format, ZSTD_f_zstd1_magicless);
    set(ZSTD_c_contentSizeFlag, 0);
    set(ZSTD_c_checksumFlag, 0);
    set(ZSTD_c_dictIDFlag, 0);
    set(ZSTD_c_compressionLevel, options.level);
    set(ZSTD_c_windowLog, static_cast<int>(options.window_log));
    if (options.long_matches) set(ZSTD_c_enableLongDistanceMatching, 1);
    Buffer stream(ZSTD_compressBound(raw.size()));
    std::size_t size = ZSTD_CCtx_refPrefix(context.get(), reference.data(), reference.size());
    if (!ZSTD_isError(size)) {
      size = ZSTD_compress2(context.get(), stream.data(), stream.size(), raw.data(), raw.size());
    }
    if (ZSTD_isError(size)) return fail(Errc::limit, fmt::format("base_zstd: {}", ZSTD_getErrorName(size)));
    stream.resize(size);
    Buffer parameters;
    put_ranges(parameters, options.base->ranges);
    return encoded(std::move(parameters), std::move(stream));
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const codec::DecodeContext& context) const override {
    MMH_LET(const auto ranges, take_ranges(parameters));
    if (total_length(ranges) > reference_max(raw.size())) {
      return fail(Errc::corrupt,
                  fmt::format("base_zstd: {} bytes of the base for {}", total_length(ranges), raw.size()));
    }
    const std::unique_ptr<ZSTD_DCtx, FreeContext> decoder(ZSTD_createDCtx());
    if (decoder == nullptr) return fail(Errc::limit, "no memory for the decoder");
    Buffer reference(total_length(ranges));
    MMH_TRY(read_ranges(ranges, context, reference));
    const auto set = [&](ZSTD_dParameter parameter, int value) {
      MMH_CHECK(!ZSTD_isError(ZSTD_DCtx_setParameter(decoder.get(), parameter, value)));
    };
    set(ZSTD_d_format, ZSTD_f_zstd1_magicless);
    set(ZSTD_d_stableOutBuffer, 1);
    set(ZSTD_d_windowLogMax, kWindowLogMax);
    MMH_CHECK(!ZSTD_isError(ZSTD_DCtx_refPrefix(decoder.get(), reference.data(), reference.size())));
    ZSTD_inBuffer in{streams[0].data(), streams[0].size(), 0};
    ZSTD_outBuffer out{raw.data(), raw.size(), 0};
    const std::size_t outcome = ZSTD_decompressStream(decoder.get(), &out, &in);
    if (ZSTD_isError(outcome)) return fail(Errc::corrupt, fmt::format("base_zstd: {}", ZSTD_getErrorName(outcome)));
    if (outcome != 0 || in.pos != in.size || out.pos != out.size) {
      return fail(Errc::corrupt, "base_zstd: the stream does not end with the block");
    }
    return {};
  }

  std::size_t decode_memory_max(std::size_t raw_size) const override {
    return std::min(codec::kRawSizeMax, reference_max(raw_size)) + ZSTD_estimateDCtxSize() +
           std::size_t{2} * ZSTD_BLOCKSIZE_MAX + codec::kBaseRangesMax * sizeof(codec::BaseRange);
  }

  std::size_t encode_memory_max(std::size_t raw_size, const codec::EncodeOptions& options) const override {
    const std::size_t reference = options.base == nullptr ? 0 : options.base->bytes.size();
    ZSTD_compressionParameters parameters = ZSTD_getCParams(options.level, raw_size, reference);
    parameters.windowLog = options.window_log;
    parameters = ZSTD_adjustCParams(parameters, raw_size + reference, 0);
    constexpr std::size_t kLongMatchTables = std::size_t{32} << 20;
    return ZSTD_estimateCCtxSize_usingCParams(parameters) + (options.long_matches ? kLongMatchTables : 0) +
           ZSTD_compressBound(raw_size);
  }
};

}  // namespace

const codec::Codec& base_zstd_codec() {
  static const BaseZstd codec;
  return codec;
}

}  // namespace mmh::codecs
