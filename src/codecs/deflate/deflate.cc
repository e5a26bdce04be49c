#include <fmt/format.h>
#include <libdeflate.h>

#include <array>

#include "../common.h"
#include "../table.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;

constexpr int kLevelMax = 12;

struct Free {
  void operator()(libdeflate_compressor* compressor) const { libdeflate_free_compressor(compressor); }
  void operator()(libdeflate_decompressor* decompressor) const { libdeflate_free_decompressor(decompressor); }
};

// Kept by each thread: allocating one costs more than coding a small block. One compressor, for the last level asked
// for.
struct ThreadState {
  std::unique_ptr<libdeflate_compressor, Free> compressor;
  int level = -1;
  std::unique_ptr<libdeflate_decompressor, Free> decompressor;
};

ThreadState& thread_state() {
  thread_local ThreadState state;
  return state;
}

class Deflate final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::deflate; }
  std::string_view name() const override { return "deflate"; }
  std::string_view purpose() const override {
    return "the format of zip and gzip, without their headers; levels 0..12";
  }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    MMH_TRY(check_option("deflate level", options.level, 0, kLevelMax));
    ThreadState& state = thread_state();
    if (state.level != options.level) {
      state.compressor.reset(libdeflate_alloc_compressor(options.level));
      state.level = state.compressor == nullptr ? -1 : options.level;
    }
    if (state.compressor == nullptr) return no_memory();
    Buffer stream(libdeflate_deflate_compress_bound(state.compressor.get(), raw.size()));
    const std::size_t size =
        libdeflate_deflate_compress(state.compressor.get(), raw.data(), raw.size(), stream.data(), stream.size());
    stream.resize(size);
    return encoded({}, std::move(stream));
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    MMH_TRY(check_no_parameters(parameters));
    ThreadState& state = thread_state();
    if (state.decompressor == nullptr) state.decompressor.reset(libdeflate_alloc_decompressor());
    if (state.decompressor == nullptr) return fail(Errc::limit, "no memory for the decoder");
    const ByteView in = streams[0];
    std::size_t read = 0;
    std::size_t written = 0;
    const libdeflate_result outcome = libdeflate_deflate_decompress_ex(state.decompressor.get(), in.data(), in.size(),
                                                                       raw.data(), raw.size(), &read, &written);
    switch (outcome) {
      case LIBDEFLATE_SUCCESS:
        break;
      case LIBDEFLATE_INSUFFICIENT_SPACE:
        return fail(Errc::corrupt, fmt::format("deflate: the content is larger than {} bytes", raw.size()));
      default:
        return fail(Errc::corrupt, "deflate: the stream is damaged or cut short");
    }
    if (read != in.size())
      return fail(Errc::corrupt, fmt::format("deflate: {} bytes behind the end", in.size() - read));
    if (written != raw.size()) return fail(Errc::corrupt, fmt::format("deflate: {} bytes of {}", written, raw.size()));
    return {};
  }

  std::size_t decode_memory_max(std::size_t) const override { return std::size_t{64} << 10; }
  // Levels 10 and up keep a match cache of 9 MiB; the bound says what stored blocks would take.
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions& options) const override {
    return (std::size_t{options.level >= 10 ? 16u : 2u} << 20) + libdeflate_deflate_compress_bound(nullptr, raw_size);
  }
};

}  // namespace

const codec::Codec& deflate_codec() {
  static const Deflate codec;
  return codec;
}

}  // namespace mmh::codecs
