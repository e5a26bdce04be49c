#include <brotli/decode.h>
#include <brotli/encode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "../common.h"
#include "../table.h"
#include "mmh/base/check.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;

constexpr std::byte kLargeWindow{1};  // on disk, in spec.md

constexpr int kWindowLogMax = 27;

// The decoder allocates what the window that the stream claims needs; this allocator refuses more than a raw block can
// justify. Each allocation carries its size in front.
class BoundedMemory {
 public:
  explicit BoundedMemory(std::size_t limit) : left_(limit) {}
  static void* allocate(void* self, std::size_t size) { return static_cast<BoundedMemory*>(self)->allocate(size); }
  static void release(void* self, void* address) { static_cast<BoundedMemory*>(self)->release(address); }

 private:
  static constexpr std::size_t kHeader = alignof(std::max_align_t);

  void* allocate(std::size_t size) {
    if (left_ < kHeader || size > left_ - kHeader) return nullptr;
    void* const start = std::malloc(size + kHeader);
    if (start == nullptr) return nullptr;
    left_ -= size + kHeader;
    *static_cast<std::size_t*>(start) = size;
    return static_cast<std::byte*>(start) + kHeader;
  }
  void release(void* address) {
    if (address == nullptr) return;
    void* const start = static_cast<std::byte*>(address) - kHeader;
    left_ += *static_cast<std::size_t*>(start) + kHeader;
    std::free(start);
  }

  std::size_t left_;
};

struct DestroyState {
  void operator()(BrotliEncoderState* state) const { BrotliEncoderDestroyInstance(state); }
  void operator()(BrotliDecoderState* state) const { BrotliDecoderDestroyInstance(state); }
};

// Windows up to 16 MiB are chosen by the input's size, so that the decoder keeps no more than it needs.
int window_log(std::size_t raw_size, const EncodeOptions& options) {
  if (options.window_log != 0) return static_cast<int>(options.window_log);
  int log = BROTLI_MIN_WINDOW_BITS;
  while (log < BROTLI_MAX_WINDOW_BITS && (std::size_t{1} << log) - 16 < raw_size) ++log;
  return log;
}

class Brotli final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::brotli; }
  std::string_view name() const override { return "brotli"; }
  std::string_view purpose() const override { return "text, small text above all; quality 0..11"; }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    MMH_TRY(check_option("brotli quality", options.level, BROTLI_MIN_QUALITY, BROTLI_MAX_QUALITY));
    if (options.window_log != 0) {
      MMH_TRY(check_option("brotli window_log", options.window_log, BROTLI_MIN_WINDOW_BITS, kWindowLogMax));
    }
    const std::unique_ptr<BrotliEncoderState, DestroyState> state(
        BrotliEncoderCreateInstance(nullptr, nullptr, nullptr));
    if (state == nullptr) return no_memory();
    const int log = window_log(raw.size(), options);
    const bool large = log > BROTLI_MAX_WINDOW_BITS;
    const auto set = [&](BrotliEncoderParameter parameter, std::uint32_t value) {
      MMH_CHECK(BrotliEncoderSetParameter(state.get(), parameter, value) == BROTLI_TRUE);
    };
    set(BROTLI_PARAM_QUALITY, static_cast<std::uint32_t>(options.level));
    set(BROTLI_PARAM_LARGE_WINDOW, large ? 1 : 0);
    set(BROTLI_PARAM_LGWIN, static_cast<std::uint32_t>(log));
    set(BROTLI_PARAM_SIZE_HINT, static_cast<std::uint32_t>(std::min<std::size_t>(raw.size(), UINT32_MAX)));
    set(BROTLI_PARAM_MODE, options.text ? BROTLI_MODE_TEXT : BROTLI_MODE_GENERIC);

    Buffer stream(coded_bound(raw.size()));
    std::size_t in_left = raw.size();
    const std::uint8_t* in = u8(raw);
    std::size_t done = 0;
    while (BrotliEncoderIsFinished(state.get()) == BROTLI_FALSE) {
      if (done == stream.size()) stream.resize(2 * stream.size());
      std::size_t out_left = stream.size() - done;
      std::uint8_t* out = u8(Bytes(stream)) + done;
      if (BrotliEncoderCompressStream(state.get(), BROTLI_OPERATION_FINISH, &in_left, &in, &out_left, &out, nullptr) ==
          BROTLI_FALSE) {
        return no_memory();
      }
      done = stream.size() - out_left;
    }
    stream.resize(done);
    Buffer parameters;
    if (large) parameters.push_back(kLargeWindow);
    return encoded(std::move(parameters), std::move(stream));
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    const bool large = !parameters.empty();
    if (large) {
      if (parameters.front() != kLargeWindow) return fail(Errc::corrupt, "brotli: parameters of an unknown form");
      MMH_TRY(check_no_parameters(parameters.subspan(1)));
    }
    BoundedMemory memory(decode_memory_max(raw.size()));
    const std::unique_ptr<BrotliDecoderState, DestroyState> state(
        BrotliDecoderCreateInstance(BoundedMemory::allocate, BoundedMemory::release, &memory));
    if (state == nullptr) return fail(Errc::limit, "no memory for the decoder");
    if (large) {
      MMH_CHECK(BrotliDecoderSetParameter(state.get(), BROTLI_DECODER_PARAM_LARGE_WINDOW, 1) == BROTLI_TRUE);
    }
    std::size_t in_left = streams[0].size();
    const std::uint8_t* in = u8(streams[0]);
    std::size_t out_left = raw.size();
    std::uint8_t* out = u8(raw);
    const BrotliDecoderResult outcome =
        BrotliDecoderDecompressStream(state.get(), &in_left, &in, &out_left, &out, nullptr);
    switch (outcome) {
      case BROTLI_DECODER_RESULT_SUCCESS:
        break;
      case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
        return fail(Errc::corrupt, "brotli: the stream is cut short");
      case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
        return fail(Errc::corrupt, fmt::format("brotli: the content is larger than {} bytes", raw.size()));
      case BROTLI_DECODER_RESULT_ERROR:
        return fail(Errc::corrupt,
                    fmt::format("brotli: {}", BrotliDecoderErrorString(BrotliDecoderGetErrorCode(state.get()))));
    }
    if (in_left != 0) return fail(Errc::corrupt, fmt::format("brotli: {} bytes behind the end", in_left));
    if (out_left != 0) return fail(Errc::corrupt, fmt::format("brotli: {} bytes are missing", out_left));
    return {};
  }

  // The ring buffer is at most the window or, where the block is smaller, the power of two that holds it; the rest is
  // Huffman tables and context maps.
  std::size_t decode_memory_max(std::size_t raw_size) const override {
    constexpr std::size_t kTables = std::size_t{16} << 20;
    constexpr std::size_t kWindowMax = std::size_t{1} << BROTLI_MAX_WINDOW_BITS;
    return std::max(2 * raw_size, kWindowMax) + kTables;
  }

  // Quality 10 and 11 keep a node per input byte of a block of commands, and a tree over the window.
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions& options) const override {
    const std::size_t window = std::size_t{1} << window_log(raw_size, options);
    constexpr std::size_t kFixed = std::size_t{96} << 20;
    return kFixed + window * (options.level >= 10 ? 10 : 3) + coded_bound(raw_size);
  }

 private:
  static std::size_t coded_bound(std::size_t raw_size) {
    const std::size_t bound = BrotliEncoderMaxCompressedSize(raw_size);
    return bound == 0 ? raw_size + raw_size / 8 : bound;
  }
};

}  // namespace

const codec::Codec& brotli_codec() {
  static const Brotli codec;
  return codec;
}

}  // namespace mmh::codecs
