#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "../elements.h"
#include "../table.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;
using codec::Signature;

constexpr std::size_t kGroup = 8;  // elements that a byte of the mask is of

// A bit for each element, and one that marks the end.
std::size_t mask_size(std::size_t count) { return count / kGroup + 1; }

class Sparse final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::sparse; }
  std::string_view name() const override { return "sparse"; }
  std::string_view purpose() const override { return "pruned weights: where elements are not zero, and those"; }

  Result<Signature> signature(ByteView parameters) const override {
    MMH_LET(const Elements elements, take_numbers("sparse", parameters));
    Signature signature;
    signature.stream_count = 2;
    signature.coded[1] = {.kind = codec::StreamKind::numbers, .width = static_cast<std::uint32_t>(elements.width)};
    return signature;
  }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    MMH_TRY(check_number_width("sparse", options.width));
    Encoded result;
    put_elements(result.parameters, options.width, raw);
    const std::size_t count = raw.size() / options.width;
    Buffer mask(mask_size(count));
    // Every element is written, and overwritten where it is zero.
    Buffer values((count + 1) * options.width);
    const std::size_t kept = for_integers(options.width, [&]<class T>(T) {
      std::size_t filled = 0;
      for (std::size_t group = 0; group < mask.size(); ++group) {
        unsigned bits = 0;
        const std::size_t begin = group * kGroup;
        for (std::size_t i = begin; i < std::min(count, begin + kGroup); ++i) {
          const T value = element<T>(raw.data(), i);
          set_element(values.data(), filled, value);
          filled += value != 0 ? 1 : 0;
          bits |= (value != 0 ? 1U : 0U) << (i - begin);
        }
        mask[group] = static_cast<std::byte>(bits);
      }
      mask.back() |= static_cast<std::byte>(1U << count % kGroup);
      return filled;
    });
    values.resize(kept * options.width);
    result.streams.push_back(std::move(mask));
    result.streams.push_back(std::move(values));
    return result;
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    MMH_LET(const Elements elements, take_numbers("sparse", parameters));
    MMH_LET(const std::size_t count, place_tail(elements, raw));
    const ByteView mask = streams[0];
    if (mask.size() != mask_size(count)) {
      return fail(Errc::corrupt, fmt::format("sparse: a mask of {} bytes for {} elements", mask.size(), count));
    }
    if (std::to_integer<unsigned>(mask.back()) >> count % kGroup != 1) {
      return fail(Errc::corrupt, "sparse: a mask of more or fewer elements than there are");
    }
    std::size_t kept = 0;
    for (const std::byte bits : mask) kept += static_cast<std::size_t>(std::popcount(std::to_integer<unsigned>(bits)));
    --kept;
    if (streams[1].size() != kept * elements.width) {
      return fail(Errc::corrupt, fmt::format("sparse: {} bytes for {} elements", streams[1].size(), kept));
    }
    if (kept == 0) {
      std::ranges::fill(raw.first(count * elements.width), std::byte{0});
      return {};
    }
    for_integers(elements.width, [&]<class T>(T) {
      // Without branches, which nothing would predict; behind the last value, that one is looked at again.
      std::size_t next = 0;
      for (std::size_t i = 0; i < count; ++i) {
        const std::size_t is_set = std::to_integer<std::size_t>(mask[i / kGroup]) >> i % kGroup & 1;
        const T value = element<T>(streams[1].data(), std::min(next, kept - 1));
        set_element(raw.data(), i, static_cast<T>(value & static_cast<T>(T{0} - static_cast<T>(is_set))));
        next += is_set;
      }
    });
    return {};
  }

  std::size_t decode_memory_max(std::size_t) const override { return 0; }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions&) const override {
    return 2 * raw_size + kGroup;
  }
};

}  // namespace

const codec::Codec& sparse_codec() {
  static const Sparse codec;
  return codec;
}

}  // namespace mmh::codecs
