#include <fmt/format.h>
#include <lzma.h>

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

#include "../common.h"
#include "../table.h"
#include "mmh/base/check.h"

#if LZMA_VERSION < 50040000
#error "liblzma 5.4 or newer is needed: older ones lack LZMA_FILTER_LZMA1EXT and the ARM64 filter"
#endif

namespace mmh::codecs {
namespace {

using codec::Branch;
using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;

// On disk, in spec.md.
constexpr std::byte kFilterX86{1};
constexpr std::byte kFilterArm64{2};
constexpr std::byte kFilterDelta{3};

constexpr int kLevelMax = 9;
constexpr int kWindowLogMin = 12;
constexpr int kWindowLogMax = 27;
constexpr int kTextPositionBits = 0;

// A filter chain as liblzma takes it; not copied, because the filters point into it.
struct Chain {
  Chain() = default;
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;

  void add(lzma_vli id, void* options) {
    MMH_CHECK(count < LZMA_FILTERS_MAX);
    filters[count++] = {.id = id, .options = options};
  }
  void add_delta(std::uint32_t distance) {
    delta = {};
    delta.type = LZMA_DELTA_TYPE_BYTE;
    delta.dist = distance;
    add(LZMA_FILTER_DELTA, &delta);
  }
  // LZMA1EXT: plain LZMA that ends where the content does, without a marker.
  void add_lzma(std::uint64_t raw_size) {
    lzma_set_ext_size(lzma, raw_size);
    add(LZMA_FILTER_LZMA1EXT, &lzma);
    filters[count] = {.id = LZMA_VLI_UNKNOWN, .options = nullptr};
  }

  std::array<lzma_filter, LZMA_FILTERS_MAX + 1> filters;
  std::size_t count = 0;
  lzma_options_delta delta;
  lzma_options_lzma lzma;
};

struct Stream {
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { lzma_end(&value); }
  lzma_stream value = LZMA_STREAM_INIT;
};

// The dictionary never needs to be larger than what it looks back on.
std::uint32_t dictionary_size(std::uint64_t wanted, std::size_t raw_size) {
  return static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(std::min<std::uint64_t>(wanted, raw_size), LZMA_DICT_SIZE_MIN, UINT32_C(1) << 30));
}

void set_lzma(Chain& chain, std::size_t raw_size, const EncodeOptions& options) {
  const auto preset = static_cast<std::uint32_t>(options.level) | (options.extreme ? LZMA_PRESET_EXTREME : 0);
  MMH_CHECK(!lzma_lzma_preset(&chain.lzma, preset));
  const std::uint64_t window =
      options.window_log != 0 ? std::uint64_t{1} << options.window_log : std::uint64_t{chain.lzma.dict_size};
  chain.lzma.dict_size = dictionary_size(window, raw_size);
  if (options.text) chain.lzma.pb = kTextPositionBits;
  if (options.lc >= 0) chain.lzma.lc = static_cast<std::uint32_t>(options.lc);
  if (options.lp >= 0) chain.lzma.lp = static_cast<std::uint32_t>(options.lp);
  if (options.pb >= 0) chain.lzma.pb = static_cast<std::uint32_t>(options.pb);
  chain.lzma.ext_flags = 0;
}

// Fills the chain for the encoder and the parameters that make the same chain for the decoder.
Result<Buffer> configure(Chain& chain, std::size_t raw_size, const EncodeOptions& options) {
  MMH_TRY(check_option("lzma level", options.level, 0, kLevelMax));
  if (options.window_log != 0) {
    MMH_TRY(check_option("lzma window_log", options.window_log, kWindowLogMin, kWindowLogMax));
  }
  MMH_TRY(check_option("lzma delta_distance", options.delta_distance, 0, LZMA_DELTA_DIST_MAX));
  set_lzma(chain, raw_size, options);
  MMH_TRY(check_option("lzma pb", chain.lzma.pb, 0, LZMA_PB_MAX));
  MMH_TRY(check_option("lzma lc + lp", chain.lzma.lc + chain.lzma.lp, 0, LZMA_LCLP_MAX));

  Buffer parameters;
  parameters.push_back(static_cast<std::byte>((chain.lzma.pb * 5 + chain.lzma.lp) * 9 + chain.lzma.lc));
  if (options.branch == Branch::x86) {
    parameters.push_back(kFilterX86);
    chain.add(LZMA_FILTER_X86, nullptr);
  } else if (options.branch == Branch::arm64) {
    parameters.push_back(kFilterArm64);
    chain.add(LZMA_FILTER_ARM64, nullptr);
  }
  if (options.delta_distance != 0) {
    parameters.push_back(kFilterDelta);
    parameters.push_back(static_cast<std::byte>(options.delta_distance - 1));
    chain.add_delta(options.delta_distance);
  }
  chain.add_lzma(raw_size);
  return parameters;
}

Result<> configure(Chain& chain, std::size_t raw_size, ByteView parameters) {
  if (parameters.empty()) return fail(Errc::corrupt, "lzma: no parameters");
  const auto properties = std::to_integer<std::uint32_t>(parameters[0]);
  chain.lzma = {};
  chain.lzma.dict_size = dictionary_size(raw_size, raw_size);
  chain.lzma.lc = properties % 9;
  chain.lzma.lp = properties / 9 % 5;
  chain.lzma.pb = properties / 45;
  if (chain.lzma.lc + chain.lzma.lp > LZMA_LCLP_MAX || chain.lzma.pb > LZMA_PB_MAX) {
    return fail(Errc::corrupt, fmt::format("lzma: properties 0x{:02x} are out of range", properties));
  }
  parameters = parameters.subspan(1);
  if (!parameters.empty() && (parameters[0] == kFilterX86 || parameters[0] == kFilterArm64)) {
    chain.add(parameters[0] == kFilterX86 ? LZMA_FILTER_X86 : LZMA_FILTER_ARM64, nullptr);
    parameters = parameters.subspan(1);
  }
  if (parameters.size() >= 2 && parameters[0] == kFilterDelta) {
    chain.add_delta(std::to_integer<std::uint32_t>(parameters[1]) + 1);
    parameters = parameters.subspan(2);
  }
  if (!parameters.empty()) return fail(Errc::corrupt, "lzma: parameters of an unknown form");
  chain.add_lzma(raw_size);
  return {};
}

// Runs a coder to its end over whole buffers. The bytes left over tell the caller whether that end was the right one.
struct Outcome {
  lzma_ret code;
  std::size_t in_left, out_left;
};
Outcome run(lzma_stream& stream, ByteView in, Bytes out) {
  std::uint8_t nothing = 0;  // liblzma refuses null pointers, also for zero bytes
  stream.next_in = in.empty() ? &nothing : u8(in);
  stream.avail_in = in.size();
  stream.next_out = out.empty() ? &nothing : u8(out);
  stream.avail_out = out.size();
  const lzma_ret code = lzma_code(&stream, LZMA_FINISH);
  return {.code = code, .in_left = stream.avail_in, .out_left = stream.avail_out};
}

class Lzma final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::lzma; }
  std::string_view name() const override { return "lzma"; }
  std::string_view purpose() const override {
    return "smallest of the general ones, slow to decode; levels 0..9, branch and delta filters";
  }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    Chain chain;
    MMH_LET(Buffer parameters, configure(chain, raw.size(), options));
    Stream stream;
    const lzma_ret ready = lzma_raw_encoder(&stream.value, chain.filters.data());
    if (ready == LZMA_MEM_ERROR) return no_memory();
    MMH_CHECK(ready == LZMA_OK);
    Buffer coded(coded_bound(raw.size()));
    std::size_t done = 0;
    for (Outcome outcome{.code = LZMA_OK, .in_left = raw.size(), .out_left = 0}; outcome.code != LZMA_STREAM_END;) {
      MMH_TRY(check_cancelled(options.cancel));
      if (done == coded.size()) coded.resize(2 * done);
      const Bytes room = Bytes(coded).subspan(done, std::min(kStep, coded.size() - done));
      outcome = run(stream.value, raw.last(outcome.in_left), room);
      MMH_CHECK(outcome.code == LZMA_STREAM_END || (outcome.code == LZMA_OK && outcome.out_left == 0));
      done += room.size() - outcome.out_left;
    }
    coded.resize(done);
    return encoded(std::move(parameters), std::move(coded));
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    Chain chain;
    MMH_TRY(configure(chain, raw.size(), parameters));
    Stream stream;
    const lzma_ret ready = lzma_raw_decoder(&stream.value, chain.filters.data());
    if (ready == LZMA_MEM_ERROR) return fail(Errc::limit, "no memory for the decoder");
    MMH_CHECK(ready == LZMA_OK);
    const Outcome outcome = run(stream.value, streams[0], raw);
    if (outcome.code != LZMA_STREAM_END) {
      return fail(Errc::corrupt, fmt::format("lzma: the stream is damaged or cut short ({})", int{outcome.code}));
    }
    if (outcome.in_left != 0) return fail(Errc::corrupt, fmt::format("lzma: {} bytes behind the end", outcome.in_left));
    if (outcome.out_left != 0) return fail(Errc::corrupt, fmt::format("lzma: {} bytes are missing", outcome.out_left));
    return {};
  }

  std::size_t decode_memory_max(std::size_t raw_size) const override {
    constexpr std::size_t kTables = std::size_t{128} << 10;
    return dictionary_size(raw_size, raw_size) + kTables;
  }

  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions& options) const override {
    Chain chain;
    set_lzma(chain, raw_size, options);
    chain.add_lzma(raw_size);
    return static_cast<std::size_t>(lzma_raw_encoder_memusage(chain.filters.data())) + coded_bound(raw_size);
  }

 private:
  // Coded bytes between two looks at the flag: a few milliseconds' work, but for content that hardly takes any.
  static constexpr std::size_t kStep = std::size_t{16} << 10;

  // LZMA has no stored form, and liblzma states no bound. Each adaptive bit costs at worst some 5 % more than one bit,
  // in data made for it; noise takes less than 1/64 more.
  static std::size_t coded_bound(std::size_t raw_size) { return raw_size + raw_size / 64 + 512; }
};

}  // namespace

const codec::Codec& lzma_codec() {
  static const Lzma codec;
  return codec;
}

}  // namespace mmh::codecs
