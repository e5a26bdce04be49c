#include "codec/toy_codecs.h"

#include <algorithm>

namespace mmh::test {
namespace {

using codec::CodecId;
using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;
using codec::Signature;

thread_local int decodes = 0;

class Toy : public codec::Codec {
 public:
  std::string_view purpose() const override { return "tests"; }
  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw, const DecodeContext&) const final {
    ++decodes;
    return undo(parameters, streams, raw);
  }
  std::size_t decode_memory_max(std::size_t) const override { return 0; }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions&) const override { return 2 * raw_size; }

 private:
  virtual Result<> undo(ByteView parameters, std::span<const ByteView> streams, Bytes raw) const = 0;
};

class RunLength final : public Toy {
 public:
  CodecId id() const override { return kRunLength; }
  std::string_view name() const override { return "run_length"; }
  Result<Encoded> encode(ByteView raw, const EncodeOptions&) const override {
    Encoded encoded;
    Buffer& out = encoded.streams.emplace_back();
    for (std::size_t i = 0; i < raw.size();) {
      std::size_t end = i + 1;
      while (end < raw.size() && end - i < 255 && raw[end] == raw[i]) ++end;
      out.push_back(static_cast<std::byte>(end - i));
      out.push_back(raw[i]);
      i = end;
    }
    return encoded;
  }

 private:
  Result<> undo(ByteView parameters, std::span<const ByteView> streams, Bytes raw) const override {
    const ByteView in = streams[0];
    if (!parameters.empty() || in.size() % 2 != 0) return fail(Errc::corrupt, "run_length: bad form");
    for (std::size_t i = 0; i < in.size(); i += 2) {
      const auto count = std::to_integer<std::size_t>(in[i]);
      if (count == 0 || count > raw.size()) return fail(Errc::corrupt, "run_length: bad count");
      std::ranges::fill(raw.first(count), in[i + 1]);
      raw = raw.subspan(count);
    }
    if (!raw.empty()) return fail(Errc::corrupt, "run_length: too short");
    return {};
  }
};

class Deal final : public Toy {
 public:
  CodecId id() const override { return kDeal; }
  std::string_view name() const override { return "deal"; }
  Result<Signature> signature(ByteView) const override {
    Signature signature;
    signature.stream_count = kDealStreams;
    return signature;
  }
  Result<Encoded> encode(ByteView raw, const EncodeOptions&) const override {
    Encoded encoded;
    encoded.streams.resize(kDealStreams);
    for (std::size_t i = 0; i < raw.size(); ++i) encoded.streams[i % kDealStreams].push_back(raw[i]);
    return encoded;
  }

 private:
  Result<> undo(ByteView parameters, std::span<const ByteView> streams, Bytes raw) const override {
    if (!parameters.empty()) return fail(Errc::corrupt, "deal: bad form");
    for (std::size_t i = 0; i < kDealStreams; ++i) {
      if (streams[i].size() != (raw.size() + kDealStreams - 1 - i) / kDealStreams) {
        return fail(Errc::corrupt, "deal: bad sizes");
      }
    }
    for (std::size_t i = 0; i < raw.size(); ++i) raw[i] = streams[i % kDealStreams][i / kDealStreams];
    return {};
  }
};

class Xor final : public Toy {
 public:
  CodecId id() const override { return kXor; }
  std::string_view name() const override { return "xor"; }
  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    if (options.width > 255) return fail(Errc::usage, "xor: width above 255");
    Encoded encoded;
    encoded.parameters.push_back(static_cast<std::byte>(options.width));
    Buffer& out = encoded.streams.emplace_back(raw.begin(), raw.end());
    for (std::byte& byte : out) byte ^= encoded.parameters[0];
    return encoded;
  }

 private:
  Result<> undo(ByteView parameters, std::span<const ByteView> streams, Bytes raw) const override {
    if (parameters.size() != 1 || streams[0].size() != raw.size()) return fail(Errc::corrupt, "xor: bad form");
    for (std::size_t i = 0; i < raw.size(); ++i) raw[i] = streams[0][i] ^ parameters[0];
    return {};
  }
};

class Swell final : public Toy {
 public:
  CodecId id() const override { return kSwell; }
  std::string_view name() const override { return "swell"; }
  Result<Encoded> encode(ByteView raw, const EncodeOptions&) const override {
    Encoded encoded;
    Buffer& out = encoded.streams.emplace_back();
    for (const std::byte byte : raw) out.insert(out.end(), 2, byte);
    return encoded;
  }

 private:
  Result<> undo(ByteView parameters, std::span<const ByteView> streams, Bytes raw) const override {
    if (!parameters.empty() || streams[0].size() != 2 * raw.size()) return fail(Errc::corrupt, "swell: bad form");
    for (std::size_t i = 0; i < raw.size(); ++i) raw[i] = streams[0][2 * i];
    return {};
  }
};

class Fan final : public Toy {
 public:
  CodecId id() const override { return kFan; }
  std::string_view name() const override { return "fan"; }
  Result<Signature> signature(ByteView parameters) const override {
    if (parameters.size() != 1 || parameters[0] == std::byte{0} || parameters[0] > std::byte{32}) {
      return fail(Errc::corrupt, "fan: bad form");
    }
    Signature signature;
    signature.stream_count = std::to_integer<std::size_t>(parameters[0]);
    return signature;
  }
  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    const unsigned count = std::clamp(options.width, 1u, 32u);
    Encoded encoded;
    encoded.parameters.push_back(static_cast<std::byte>(count));
    encoded.streams.resize(count);
    for (std::size_t i = 0; i < raw.size(); ++i) encoded.streams[i % count].push_back(raw[i]);
    return encoded;
  }

 private:
  Result<> undo(ByteView, std::span<const ByteView> streams, Bytes raw) const override {
    for (std::size_t i = 0; i < streams.size(); ++i) {
      if (streams[i].size() != (raw.size() + streams.size() - 1 - i) / streams.size()) {
        return fail(Errc::corrupt, "fan: bad sizes");
      }
    }
    for (std::size_t i = 0; i < raw.size(); ++i) raw[i] = streams[i % streams.size()][i / streams.size()];
    return {};
  }
};

class Numbers final : public Toy {
 public:
  CodecId id() const override { return kNumbers; }
  std::string_view name() const override { return "numbers"; }
  Result<Signature> signature(ByteView parameters) const override {
    if (parameters.size() != 1 || parameters[0] == std::byte{0}) return fail(Errc::corrupt, "numbers: bad form");
    Signature signature;
    signature.raw = {.kind = codec::StreamKind::numbers, .width = std::to_integer<std::uint32_t>(parameters[0])};
    signature.coded[0] = signature.raw;
    return signature;
  }
  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    if (raw.size() % options.width != 0) return fail(Errc::usage, "numbers: cut");
    Encoded encoded;
    encoded.parameters.push_back(static_cast<std::byte>(options.width));
    encoded.streams.emplace_back(raw.begin(), raw.end());
    return encoded;
  }

 private:
  Result<> undo(ByteView, std::span<const ByteView> streams, Bytes raw) const override {
    if (streams[0].size() != raw.size()) return fail(Errc::corrupt, "numbers: bad size");
    std::ranges::copy(streams[0], raw.begin());
    return {};
  }
};

}  // namespace

const codec::Registry& toy_registry() {
  static const RunLength run_length;
  static const Deal deal;
  static const Xor exclusive_or;
  static const Swell swell;
  static const Fan fan;
  static const Numbers numbers;
  static const codec::Registry registry({&run_length, &deal, &exclusive_or, &swell, &fan, &numbers});
  return registry;
}

int toy_decodes() { return decodes; }

codec::Plan toy_plan(CodecId codec, std::vector<codec::Plan> children) {
  codec::Plan plan;
  plan.codec = codec;
  plan.options.width = 0x5a;
  plan.children = std::move(children);
  return plan;
}

}  // namespace mmh::test
