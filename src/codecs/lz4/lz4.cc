#include <fmt/format.h>
#include <lz4.h>
#include <lz4hc.h>

#include <algorithm>
#include <limits>

#include "../common.h"
#include "../table.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;

constexpr int kAccelerationMax = 64;

class Lz4 final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::lz4; }
  std::string_view name() const override { return "lz4"; }
  std::string_view purpose() const override { return "fastest to decode; levels -64..2 fast, 3..12 high compression"; }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    MMH_TRY(check_option("lz4 level", options.level, -kAccelerationMax, LZ4HC_CLEVEL_MAX));
    if (raw.size() > LZ4_MAX_INPUT_SIZE) return fail(Errc::limit, "lz4: the input is too large");
    const auto size = static_cast<int>(raw.size());
    const int bound = LZ4_compressBound(size);
    Buffer stream(static_cast<std::size_t>(bound));
    // LZ4 HC computes with the address of the input even where that is empty, and null wraps around.
    const char nothing = 0;
    const auto* const in = raw.empty() ? &nothing : reinterpret_cast<const char*>(raw.data());
    auto* const out = reinterpret_cast<char*>(stream.data());
    const int written = options.level >= LZ4HC_CLEVEL_MIN
                            ? LZ4_compress_HC(in, out, size, bound, options.level)
                            : LZ4_compress_fast(in, out, size, bound, std::max(1, -options.level));
    if (written <= 0) return no_memory();
    stream.resize(static_cast<std::size_t>(written));
    return encoded({}, std::move(stream));
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    MMH_TRY(check_no_parameters(parameters));
    constexpr auto kSizeMax = static_cast<std::size_t>(std::numeric_limits<int>::max());
    const ByteView in = streams[0];
    if (in.empty() || in.size() > kSizeMax || raw.size() > kSizeMax) {
      return fail(Errc::corrupt, fmt::format("lz4: {} bytes cannot stand for {}", in.size(), raw.size()));
    }
    const int written =
        LZ4_decompress_safe(reinterpret_cast<const char*>(in.data()), reinterpret_cast<char*>(raw.data()),
                            static_cast<int>(in.size()), static_cast<int>(raw.size()));
    if (written < 0) return fail(Errc::corrupt, "lz4: the stream is damaged");
    if (static_cast<std::size_t>(written) != raw.size()) {
      return fail(Errc::corrupt, fmt::format("lz4: {} bytes of {}", written, raw.size()));
    }
    return {};
  }

  std::size_t decode_memory_max(std::size_t) const override { return 0; }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions& options) const override {
    constexpr std::size_t kOptimalParser = std::size_t{65} << 10;
    const int state = options.level >= LZ4HC_CLEVEL_MIN ? LZ4_sizeofStateHC() : LZ4_sizeofState();
    return static_cast<std::size_t>(state) + (options.level >= LZ4HC_CLEVEL_OPT_MIN ? kOptimalParser : 0) + raw_size +
           raw_size / 255 + 16;
  }
};

}  // namespace

const codec::Codec& lz4_codec() {
  static const Lz4 codec;
  return codec;
}

}  // namespace mmh::codecs
