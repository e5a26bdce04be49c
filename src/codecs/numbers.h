#pragma once
// What the codecs that exchange each number for another of its width share.

#include <string_view>

#include "elements.h"
#include "table.h"

namespace mmh::codecs {

/// Numbers of 1, 2, 4 or 8 bytes to as many of the same width, and back.
class NumbersCodec final : public codec::Codec {
 public:
  /// Converts `count` numbers of `width` bytes; the two do not overlap.
  using Convert = void (*)(std::size_t width, const std::byte* from, std::size_t count, std::byte* to);
  /// Requires: backward undoes forward, on any numbers.
  NumbersCodec(codec::CodecId id, std::string_view name, std::string_view purpose, Convert forward, Convert backward)
      : id_(id), name_(name), purpose_(purpose), forward_(forward), backward_(backward) {}

  codec::CodecId id() const override { return id_; }
  std::string_view name() const override { return name_; }
  std::string_view purpose() const override { return purpose_; }
  Result<codec::Signature> signature(ByteView parameters) const override;
  Result<codec::Encoded> encode(ByteView raw, const codec::EncodeOptions& options) const override;
  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const codec::DecodeContext&) const override;
  std::size_t decode_memory_max(std::size_t) const override { return 0; }
  std::size_t encode_memory_max(std::size_t raw_size, const codec::EncodeOptions&) const override { return raw_size; }

 private:
  const codec::CodecId id_;
  const std::string_view name_, purpose_;
  const Convert forward_, backward_;
};

}  // namespace mmh::codecs
