// The magicless frame format and the stable output buffer are in zstd's "static" section; their values have not changed
// since zstd 1.4 and 1.5, and the shared library takes them.
#define ZSTD_STATIC_LINKING_ONLY
#include <fmt/format.h>
#include <zstd.h>

#include "../common.h"
#include "../table.h"
#include "mmh/base/check.h"
#include "mmh/base/varint.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Dictionary;
using codec::Encoded;
using codec::EncodeOptions;

constexpr int kLevelMin = -5;
constexpr int kLevelMax = 22;
constexpr int kWindowLogMin = ZSTD_WINDOWLOG_MIN;
constexpr int kWindowLogMax = 27;

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};
using CompressionContext = std::unique_ptr<ZSTD_CCtx, FreeContext>;
using DecompressionContext = std::unique_ptr<ZSTD_DCtx, FreeContext>;

// Creating a context costs more than coding a small block, and digesting a dictionary more than that; so each thread
// keeps one plain context and one that has the last dictionary loaded.
struct ThreadState {
  CompressionContext compress;
  CompressionContext compress_with_dictionary;
  std::shared_ptr<const Dictionary> compress_dictionary;
  int dictionary_level = 0;
  unsigned dictionary_window_log = 0;
  bool dictionary_long_matches = false;
  DecompressionContext decompress;
  DecompressionContext decompress_with_dictionary;
  std::shared_ptr<const Dictionary> decompress_dictionary;
};

ThreadState& thread_state() {
  thread_local ThreadState state;
  return state;
}

void set(ZSTD_CCtx* context, ZSTD_cParameter parameter, int value) {
  MMH_CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(context, parameter, value)));
}

// What a frame says elsewhere (sizes, the dictionary) or its hash proves is left out of the zstd frame.
void configure(ZSTD_CCtx* context, const EncodeOptions& options) {
  ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters);
  set(context, ZSTD_c_format, ZSTD_f_zstd1_magicless);
  set(context, ZSTD_c_contentSizeFlag, 0);
  set(context, ZSTD_c_checksumFlag, 0);
  set(context, ZSTD_c_dictIDFlag, 0);
  set(context, ZSTD_c_compressionLevel, options.level);
  if (options.window_log != 0) set(context, ZSTD_c_windowLog, static_cast<int>(options.window_log));
  if (options.long_matches) set(context, ZSTD_c_enableLongDistanceMatching, 1);
}

Result<ZSTD_CCtx*> compression_context(const EncodeOptions& options) {
  ThreadState& state = thread_state();
  if (options.dictionary == nullptr) {
    if (state.compress == nullptr) state.compress.reset(ZSTD_createCCtx());
    if (state.compress == nullptr) return no_memory();
    configure(state.compress.get(), options);
    return state.compress.get();
  }
  if (state.compress_dictionary == options.dictionary && state.dictionary_level == options.level &&
      state.dictionary_window_log == options.window_log && state.dictionary_long_matches == options.long_matches) {
    return state.compress_with_dictionary.get();
  }
  state.compress_dictionary = nullptr;
  if (state.compress_with_dictionary == nullptr) state.compress_with_dictionary.reset(ZSTD_createCCtx());
  ZSTD_CCtx* const context = state.compress_with_dictionary.get();
  if (context == nullptr) return no_memory();
  configure(context, options);
  const Buffer& bytes = options.dictionary->bytes;
  if (ZSTD_isError(ZSTD_CCtx_loadDictionary_byReference(context, bytes.data(), bytes.size()))) return no_memory();
  state.compress_dictionary = options.dictionary;
  state.dictionary_level = options.level;
  state.dictionary_window_log = options.window_log;
  state.dictionary_long_matches = options.long_matches;
  return context;
}

Result<ZSTD_DCtx*> decompression_context(const std::shared_ptr<const Dictionary>& dictionary) {
  ThreadState& state = thread_state();
  DecompressionContext& owner = dictionary == nullptr ? state.decompress : state.decompress_with_dictionary;
  if (owner == nullptr) owner.reset(ZSTD_createDCtx());
  ZSTD_DCtx* const context = owner.get();
  if (context == nullptr) return fail(Errc::limit, "no memory for the decoder");
  const bool loaded = dictionary == nullptr || state.decompress_dictionary == dictionary;
  ZSTD_DCtx_reset(context, loaded ? ZSTD_reset_session_only : ZSTD_reset_session_and_parameters);
  const auto set_decoder = [&](ZSTD_dParameter parameter, int value) {
    MMH_CHECK(!ZSTD_isError(ZSTD_DCtx_setParameter(context, parameter, value)));
  };
  set_decoder(ZSTD_d_format, ZSTD_f_zstd1_magicless);
  set_decoder(ZSTD_d_stableOutBuffer, 1);
  set_decoder(ZSTD_d_windowLogMax, kWindowLogMax);
  if (!loaded) {
    state.decompress_dictionary = nullptr;
    const std::size_t outcome =
        ZSTD_DCtx_loadDictionary_byReference(context, dictionary->bytes.data(), dictionary->bytes.size());
    if (ZSTD_isError(outcome)) {
      return fail(Errc::corrupt, fmt::format("the dictionary in block {} is damaged ({})", dictionary->block,
                                             ZSTD_getErrorName(outcome)));
    }
    state.decompress_dictionary = dictionary;
  }
  return context;
}

class Zstd final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::zstd; }
  std::string_view name() const override { return "zstd"; }
  std::string_view purpose() const override { return "general data; fast to decode; levels -5..22, dictionaries"; }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    MMH_TRY(check_option("zstd level", options.level, kLevelMin, kLevelMax));
    if (options.window_log != 0) {
      MMH_TRY(check_option("zstd window_log", options.window_log, kWindowLogMin, kWindowLogMax));
    }
    MMH_LET(ZSTD_CCtx* const context, compression_context(options));
    Buffer stream(ZSTD_compressBound(raw.size()));
    const std::size_t size = ZSTD_compress2(context, stream.data(), stream.size(), raw.data(), raw.size());
    if (ZSTD_isError(size)) {
      // Only memory can run out: the parameters are checked and the output is large enough.
      thread_state() = ThreadState();
      return fail(Errc::limit, fmt::format("zstd: {}", ZSTD_getErrorName(size)));
    }
    stream.resize(size);
    Buffer parameters;
    if (options.dictionary != nullptr) put_varint(parameters, options.dictionary->block);
    return encoded(std::move(parameters), std::move(stream));
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext& context) const override {
    std::shared_ptr<const Dictionary> dictionary;
    if (!parameters.empty()) {
      MMH_LET(const std::uint64_t block, take_varint(parameters));
      MMH_TRY(check_no_parameters(parameters));
      if (!context.dictionary) {
        return fail(Errc::unsupported,
                    fmt::format("needs the dictionary in block {}, and none are to be had here", block));
      }
      MMH_LET(dictionary, context.dictionary(block));
      MMH_CHECK(dictionary != nullptr);
    }
    MMH_LET(ZSTD_DCtx* const decoder, decompression_context(dictionary));
    ZSTD_inBuffer in{streams[0].data(), streams[0].size(), 0};
    ZSTD_outBuffer out{raw.data(), raw.size(), 0};
    // The whole input and output are there, so one call ends the frame or cannot go on.
    const std::size_t outcome = ZSTD_decompressStream(decoder, &out, &in);
    if (ZSTD_isError(outcome)) return fail(Errc::corrupt, fmt::format("zstd: {}", ZSTD_getErrorName(outcome)));
    if (outcome != 0) return fail(Errc::corrupt, "zstd: the stream is cut short, or its content is too large");
    if (in.pos != in.size) return fail(Errc::corrupt, fmt::format("zstd: {} bytes behind the end", in.size - in.pos));
    if (out.pos != out.size) return fail(Errc::corrupt, fmt::format("zstd: {} bytes of {}", out.pos, out.size));
    return {};
  }

  // The window is the output itself. One input block and the tables are all that the context holds, twice: with a
  // dictionary and without.
  std::size_t decode_memory_max(std::size_t) const override {
    return 2 * (ZSTD_estimateDCtxSize() + std::size_t{2} * ZSTD_BLOCKSIZE_MAX);
  }

  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions& options) const override {
    const std::size_t dictionary_size = options.dictionary == nullptr ? 0 : options.dictionary->bytes.size();
    ZSTD_compressionParameters parameters = ZSTD_getCParams(options.level, raw_size, dictionary_size);
    if (options.window_log != 0) parameters.windowLog = options.window_log;
    parameters = ZSTD_adjustCParams(parameters, raw_size, dictionary_size);
    constexpr std::size_t kLongMatchTables = std::size_t{32} << 20;
    return ZSTD_estimateCCtxSize_usingCParams(parameters) +
           (options.dictionary == nullptr ? 0 : ZSTD_estimateCDictSize(dictionary_size, options.level)) +
           (options.long_matches ? kLongMatchTables : 0) + ZSTD_compressBound(raw_size);
  }
};

}  // namespace

const codec::Codec& zstd_codec() {
  static const Zstd codec;
  return codec;
}

}  // namespace mmh::codecs
