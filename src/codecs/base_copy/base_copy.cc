#include <fmt/format.h>

#include "../base_ranges.h"
#include "../table.h"

namespace mmh::codecs {
namespace {

class BaseCopy final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::base_copy; }
  std::string_view name() const override { return "base_copy"; }
  std::string_view purpose() const override { return "what the base of a pack holds unchanged"; }
  bool needs_base() const override { return true; }

  Result<codec::Encoded> encode(ByteView raw, const codec::EncodeOptions& options) const override {
    MMH_TRY(check_base_ranges(options, raw.size()));
    Buffer parameters;
    put_ranges(parameters, options.base->ranges);
    return encoded(std::move(parameters), Buffer());
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const codec::DecodeContext& context) const override {
    MMH_LET(const auto ranges, take_ranges(parameters));
    if (!streams[0].empty()) return fail(Errc::corrupt, "base_copy: a stream that is not empty");
    if (total_length(ranges) != raw.size()) {
      return fail(Errc::corrupt, fmt::format("base_copy: {} bytes of {}", total_length(ranges), raw.size()));
    }
    return read_ranges(ranges, context, raw);
  }

  std::size_t decode_memory_max(std::size_t) const override { return codec::kBaseRangesMax * sizeof(codec::BaseRange); }
  std::size_t encode_memory_max(std::size_t, const codec::EncodeOptions& options) const override {
    return options.base == nullptr ? 0 : 2 * options.base->ranges.size() * sizeof(codec::BaseRange);
  }
};

}  // namespace

const codec::Codec& base_copy_codec() {
  static const BaseCopy codec;
  return codec;
}

}  // namespace mmh::codecs
