// Every instruction set gives the same bytes as the portable kernels.

#include <algorithm>
#include <bit>
#include <set>

#include "codecs/codecs_support.h"
#include "mmh/codec/frame.h"
#include "mmh/codecs/builtin.h"
#include "planes/planes_kernels.h"
#include "rans/rans_kernels.h"
#include "support/support.h"
#include "support/targets.h"

namespace mmh::test {
namespace {

using codec::CodecId;

/// Bytes like exponents: few values, very unequally frequent, now and then any other.
Buffer skewed(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  Buffer bytes(size);
  for (std::byte& byte : bytes) {
    const std::uint64_t draw = random.next();
    byte = static_cast<std::byte>(
        draw % 1000 == 0 ? draw >> 32 : 120U - static_cast<unsigned>(std::countr_zero(draw >> 10 | 1U << 30)));
  }
  return bytes;
}

TEST(Kernels, RansIsTheSameOnEveryTarget) {
  for (const std::size_t size : {20'000u, 32'768u, 100'003u, 600'000u}) {
    const Buffer raw = skewed(size, size);
    std::set<Buffer> coded;
    const codec::Codec& rans = *codecs::builtin_registry().find(CodecId::rans);
    for_every_target([&](const char* name) {
      for (const unsigned log : {0u, 18u}) {
        const codec::Encoded encoded = rans.encode(raw, {.window_log = log}).value();
        if (log == 0) coded.insert(encoded.streams[0]);
        Buffer back(size);
        const ByteView stream = encoded.streams[0];
        ASSERT_OK(rans.decode(encoded.parameters, {&stream, 1}, back, {}));
        ASSERT_TRUE(back == raw) << name << " " << size;
      }
    });
    EXPECT_EQ(coded.size(), 1u) << size;
    EXPECT_LT(3 * coded.begin()->size(), size);
  }
}

TEST(Kernels, RansCountsOthersLikeThePortableOne) {
  const Buffer raw = skewed(10'007, 3);
  const auto* const symbols = reinterpret_cast<const std::uint8_t*>(raw.data());
  codecs::rans::SymbolSet set{};
  for (const std::size_t symbol : {0u, 15u, 16u, 127u, 128u, 240u, 255u, 119u, 118u}) {
    set[codecs::rans::set_byte(symbol)] |= codecs::rans::set_bit(symbol);
  }
  codecs::rans::Histogram expected{};
  codecs::rans::kPortable.count_others(symbols, raw.size(), set, expected);
  EXPECT_EQ(expected[119], 0u);
  EXPECT_GT(expected[117], 0u);
  for_every_target([&](const char* name) {
    codecs::rans::Histogram found{};
    codecs::rans::best_kernels()->count_others(symbols, raw.size(), set, found);
    EXPECT_EQ(found, expected) << name;
  });
}

TEST(Kernels, ScaledIsTheSameOnEveryTarget) {
  // Columns and rows of different scales, with zeros among them.
  Buffer raw = skewed(300'000, 8);
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const auto scale = static_cast<unsigned>(i % 96 / 12 + i / 512 % 3);
    raw[i] = i % 50 == 0 ? std::byte{0} : static_cast<std::byte>(std::to_integer<unsigned>(raw[i]) - scale);
  }
  const codec::Codec& scaled = *codecs::builtin_registry().find(CodecId::scaled);
  for (const std::size_t size : {5'000u, 16'384u, 100'003u, 300'000u}) {
    const ByteView some = ByteView(raw).first(size);
    std::set<std::vector<Buffer>> coded;
    for_every_target([&](const char* name) {
      const codec::Encoded encoded = scaled.encode(some, {.scale_step = 1}).value();
      coded.insert(encoded.streams);
      Buffer back(size);
      const std::vector<ByteView> streams(encoded.streams.begin(), encoded.streams.end());
      ASSERT_OK(scaled.decode(encoded.parameters, streams, back, {}));
      ASSERT_TRUE(std::ranges::equal(back, some)) << name << " " << size;
    });
    EXPECT_EQ(coded.size(), 1u) << size;
  }
}

TEST(Scaled, TakesTheScalesOfColumnsAndRowsAway) {
  const std::size_t size = 400'000;
  const Buffer plain = skewed(size, 12);
  Random random(13);
  for (const std::size_t period : {9u, 60u, 384u, 1000u}) {
    std::vector<unsigned> columns(period);
    for (unsigned& column : columns) column = static_cast<unsigned>(random.below(7));
    std::vector<unsigned> rows(size / 512 + 1);
    for (unsigned& row : rows) row = static_cast<unsigned>(random.below(5));
    Buffer scaled_up = plain;
    for (std::size_t i = 0; i < size; ++i) {
      scaled_up[i] = static_cast<std::byte>(std::to_integer<unsigned>(plain[i]) - columns[i % period] - rows[i / 512]);
    }
    const auto size_with = [&](unsigned step) {
      codec::Plan plan;
      plan.codec = CodecId::scaled;
      plan.options.scale_step = step;
      plan.children.resize(2);
      plan.children[1].codec = CodecId::rans;
      return codec::encode_frame(codecs::builtin_registry(), plan, scaled_up).value().size();
    };
    EXPECT_LT(size_with(1) * 33, size_with(0) * 32) << period;
  }
}

TEST(Scaled, TakesTheScalesOfMoreRowsAwayThanThereMayBeTables) {
  const std::size_t size = 1'500'000;
  Buffer raw = skewed(size, 14);
  Random random(15);
  for (std::size_t i = 0; i < size;) {
    const auto scale = static_cast<unsigned>(random.below(40));
    for (const std::size_t end = std::min(size, i + 1024); i < end; ++i)
      raw[i] = static_cast<std::byte>(std::to_integer<unsigned>(raw[i]) - scale);
  }
  const auto size_with = [&](CodecId id) {
    codec::Plan plan;
    plan.codec = id;
    if (id == CodecId::scaled) plan.options.scale_step = 1;
    return codec::encode_frame(codecs::builtin_registry(), plan, raw).value().size();
  };
  EXPECT_LT(size_with(CodecId::scaled) * 10, size_with(CodecId::rans) * 9);
}

TEST(Kernels, PlanesAreTheSameOnEveryTarget) {
  const std::size_t count = 2500;
  const Buffer raw = random_bytes(count * 16, 4);
  const auto* const in = reinterpret_cast<const std::uint8_t*>(raw.data());
  for (const auto& [width, rotate] : {std::pair(1u, 0u),
                                      {1u, 1u},
                                      {1u, 7u},
                                      {2u, 0u},
                                      {2u, 1u},
                                      {2u, 15u},
                                      {3u, 0u},
                                      {4u, 1u},
                                      {4u, 31u},
                                      {8u, 4u},
                                      {8u, 63u},
                                      {11u, 0u},
                                      {16u, 0u}}) {
    // Plane by plane, behind each other.
    const auto split = [&, w = width, r = rotate](const codecs::planes::Kernels& kernels) {
      std::vector<std::uint8_t> all(count * w);
      codecs::planes::PlanesOut planes{};
      for (std::size_t plane = 0; plane < w; ++plane) planes[plane] = all.data() + plane * count;
      kernels.split(in, count, w, r, planes);
      return all;
    };
    const std::vector<std::uint8_t> expected = split(codecs::planes::kPortable);
    for_every_target([&, w = width, r = rotate](const char* name) {
      EXPECT_EQ(split(*codecs::planes::best_kernels()), expected) << name << " " << w << " " << r;
      codecs::planes::PlanesIn planes{};
      for (std::size_t plane = 0; plane < w; ++plane) planes[plane] = expected.data() + plane * count;
      std::vector<std::uint8_t> back(count * w);
      codecs::planes::best_kernels()->join(planes, count, w, r, back.data());
      EXPECT_TRUE(std::equal(back.begin(), back.end(), in)) << name << " " << w << " " << r;
    });
  }
}

TEST(Kernels, ExponentsOfFloatsStandInTheLastPlane) {
  struct Case {
    unsigned width, rotate;
    std::uint64_t one, exponent;  // of 1.0
  };
  for (const Case& c : {Case{2, 1, 0x3f80, 127}, Case{2, 1, 0x3c00, 15 << 3}, Case{4, 1, 0x3f800000, 127},
                        Case{8, 4, 0x3ff0000000000000, 1023 & 255}}) {
    for (const std::uint64_t sign : {std::uint64_t{0}, std::uint64_t{1} << (8 * c.width - 1)}) {
      const std::uint64_t number = c.one | sign;
      const ByteView raw = std::as_bytes(std::span(&number, 1)).first(c.width);
      const codec::Codec& planes = *codecs::builtin_registry().find(CodecId::planes);
      const codec::Encoded encoded = planes.encode(raw, {.width = c.width, .rotate = c.rotate}).value();
      EXPECT_EQ(std::to_integer<std::uint64_t>(encoded.streams.back()[0]), c.exponent);
    }
  }
}

}  // namespace
}  // namespace mmh::test
