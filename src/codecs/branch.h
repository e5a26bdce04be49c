#pragma once
// What the branch codecs share: a conversion in place that keeps the size, and its inverse.

#include <string_view>

#include "common.h"
#include "table.h"

namespace mmh::codecs {

class BranchCodec final : public codec::Codec {
 public:
  using Convert = void (*)(Bytes code);
  /// Instructions stand at multiples of `alignment` bytes. Requires: backward undoes forward, on any bytes.
  BranchCodec(codec::CodecId id, std::string_view name, std::string_view purpose, unsigned alignment, Convert forward,
              Convert backward)
      : id_(id), name_(name), purpose_(purpose), alignment_(alignment), forward_(forward), backward_(backward) {}

  codec::CodecId id() const override { return id_; }
  std::string_view name() const override { return name_; }
  std::string_view purpose() const override { return purpose_; }
  Result<codec::Encoded> encode(ByteView raw, const codec::EncodeOptions&) const override;
  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const codec::DecodeContext&) const override;
  std::size_t decode_memory_max(std::size_t) const override { return 0; }
  std::size_t encode_memory_max(std::size_t raw_size, const codec::EncodeOptions&) const override { return raw_size; }

 private:
  const codec::CodecId id_;
  const std::string_view name_, purpose_;
  const unsigned alignment_;
  const Convert forward_, backward_;
};

}  // namespace mmh::codecs
