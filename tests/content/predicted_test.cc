// Pictures whose rows are known, and sound: when the planner predicts their numbers, and what it gains.
#include <array>
#include <bit>

#include "mmh/codecs/builtin.h"
#include "mmh/content/planner.h"
#include "support/seeded.h"
#include "support/support.h"

namespace mmh::content {
namespace {

using codec::CodecId;

const codec::Registry& registry() { return codecs::builtin_registry(); }

// Soft shapes with noise over them, as scanners and cameras give: 12 bits in elements of two bytes.
Buffer photograph(std::size_t width, std::size_t height, const ContentType& type, std::uint64_t noise) {
  constexpr std::size_t kCell = 32;
  test::Random random(11);
  const std::size_t channels = type.channels;
  const std::size_t cells = width / kCell + 2;
  std::vector<std::size_t> corners(cells * (height / kCell + 2) * channels);
  for (std::size_t& corner : corners) corner = 400 + random.below(3000);
  Buffer bytes;
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      const std::uint64_t light = random.below(16 * noise) + random.below(16 * noise);
      for (std::size_t c = 0; c < channels; ++c) {
        const auto corner = [&](std::size_t right, std::size_t down) {
          return corners[((y / kCell + down) * cells + x / kCell + right) * channels + c];
        };
        const std::size_t right = x % kCell;
        const std::size_t down = y % kCell;
        const std::size_t soft =
            (corner(0, 0) * (kCell - right) * (kCell - down) + corner(1, 0) * right * (kCell - down) +
             corner(0, 1) * (kCell - right) * down + corner(1, 1) * right * down) /
            (kCell * kCell);
        const std::size_t pixel = soft + light + random.below(24);
        if (element_size(type.element) == 1) {
          bytes.push_back(static_cast<std::byte>(pixel / 16));
          continue;
        }
        auto number = static_cast<std::uint16_t>(pixel - (type.element == ElementType::int16 ? 2000 : 0));
        if (type.big_endian) number = std::byteswap(number);
        bytes.resize(bytes.size() + 2);
        store_le(Bytes(bytes).last(2), number);
      }
    }
  }
  return bytes;
}

ContentType picture_type(ElementType element, std::size_t width, std::uint32_t channels, bool big_endian = false) {
  ContentType type(ContentClass::image);
  type.has_elements = true;
  type.element = element;
  type.channels = channels;
  type.big_endian = big_endian;
  type.row_size = width * channels * element_size(element);
  return type;
}

Buffer frame_of(ByteView raw, const ContentType& type, int level, CodecId* first = nullptr) {
  const codec::Plan plan = default_planner(registry()).plan(raw, type, level);
  if (first != nullptr) *first = plan.codec;
  Buffer frame = codec::encode_frame(registry(), plan, raw).value();
  Buffer back(raw.size());
  EXPECT_OK(codec::decode_frame(registry(), frame, back));
  EXPECT_TRUE(std::ranges::equal(back, raw));
  return frame;
}

std::size_t zstd_size(ByteView raw) {
  codec::Plan plan;
  plan.codec = CodecId::zstd;
  plan.options.level = 9;
  plan.options.window_log = 23;
  return codec::encode_frame(registry(), plan, raw)->size();
}

TEST(Rasters, PixelsOfPhotographsArePredicted) {
  using enum ElementType;
  constexpr std::size_t kWidth = 300;
  for (const ContentType& type :
       {picture_type(uint8, kWidth, 1), picture_type(uint8, kWidth, 3), picture_type(uint8, kWidth, 4),
        picture_type(uint16, kWidth, 1), picture_type(uint16, kWidth, 1, true), picture_type(int16, kWidth, 1),
        picture_type(uint16, kWidth, 3, true)}) {
    const Buffer raw = photograph(kWidth, 200, type, 6);
    for (const int level : {3, 7, 9}) {
      CodecId first = CodecId::stored;
      const Buffer frame = frame_of(raw, type, level, &first);
      EXPECT_EQ(first, CodecId::raster) << element_name(type.element) << " x " << type.channels;
      EXPECT_LT(frame.size(), zstd_size(raw) * 9 / 10) << element_name(type.element) << " x " << type.channels;
    }
  }
}

TEST(Rasters, ChannelsOfOnePixelExplainEachOther) {
  const ContentType type = picture_type(ElementType::uint8, 300, 3);
  const ContentType alone = picture_type(ElementType::uint8, 900, 1);
  const Buffer raw = photograph(300, 300, type, 9);
  for (const int level : {5, 7}) {
    EXPECT_LT(frame_of(raw, type, level).size() * 20, frame_of(raw, alone, level).size() * 19) << level;
  }
}

// The slice before tells edges that rows do not.
TEST(Rasters, SlicesOfAVolumeExplainEachOther) {
  ContentType type = picture_type(ElementType::uint8, 96, 1);
  const Buffer slice = photograph(96, 80, type, 30);
  Buffer raw;
  test::Random random(5);
  for (int i = 0; i < 24; ++i) {
    for (const std::byte pixel : slice) {
      raw.push_back(static_cast<std::byte>(std::to_integer<unsigned>(pixel) + random.below(4)));
    }
  }
  const std::size_t flat = frame_of(raw, type, 5).size();
  type.slice_size = std::uint64_t{96} * 80;
  for (const int level : {5, 7}) {
    CodecId first = CodecId::stored;
    EXPECT_LT(frame_of(raw, type, level, &first).size() * 4, flat * 3) << level;
    EXPECT_EQ(first, CodecId::raster) << level;
  }
}

// What stands in a picture twice is found, however noisy it is.
TEST(Rasters, RepeatedPartsAreLeftToGeneralCodecs) {
  const ContentType type = picture_type(ElementType::uint8, 512, 1);
  const Buffer once = photograph(512, 512, type, 12);
  Buffer raw = once;
  for (int i = 0; i < 5; ++i) append(raw, once);
  for (const int level : {5, 7}) EXPECT_LE(frame_of(raw, type, level).size(), 2 * once.size()) << level;
}

TEST(Rasters, DrawingsOfFewColoursAreLeftToGeneralCodecs) {
  const ContentType type = picture_type(ElementType::uint8, 640, 1);
  Buffer raw(std::size_t{640} * 480);
  for (std::size_t i = 0; i < raw.size(); ++i) {
    raw[i] = std::byte{i / 640 % 16 < 2 || (i % 640) % 24 < 3 ? std::uint8_t{0} : std::uint8_t{255}};
  }
  for (const int level : {5, 7}) EXPECT_LE(frame_of(raw, type, level).size(), zstd_size(raw) * 5 / 4 + 64) << level;
}

TEST(Rasters, OddRowsAndShortPicturesComeBack) {
  for (const std::uint64_t row_size : {0u, 1u, 2u, 3u, 7u, 300u, 5'000u, 200'001u}) {
    ContentType type = picture_type(ElementType::uint8, 1, 3);
    type.row_size = row_size;
    for (const std::size_t size : {1u, 100u, 5'000u, 70'001u}) {
      for (const int level : {5, 7}) frame_of(test::text_bytes(size, 3), type, level);
    }
  }
}

TEST(Rasters, GivesTheSameFrameEveryTime) {
  const ContentType type = picture_type(ElementType::uint16, 200, 1);
  const Buffer raw = photograph(200, 500, type, 7);
  for (const int level : {3, 5, 7, 9}) EXPECT_EQ(frame_of(raw, type, level), frame_of(raw, type, level));
}

// A few notes with overtones that fade, a little of each in the other channel, and noise.
Buffer music(std::size_t moments, const ContentType& type) {
  test::Random random(21);
  struct Voice {
    std::int64_t speed = 0;  // an angle, nearly, in 1/2^15
    std::int64_t x = 0, y = 0;
    std::uint64_t pan = 0;
  };
  std::vector<Voice> voices(12);
  const unsigned bits = 8 * element_size(type.element);
  Buffer bytes;
  for (std::size_t t = 0; t < moments; ++t) {
    std::array<std::int64_t, 2> sum{};
    for (std::size_t i = 0; i < voices.size(); ++i) {
      Voice& voice = voices[i];
      if (t % 9000 == i * 700)
        voice = {static_cast<std::int64_t>(300 + random.below(4000)), 1 << 20, 0, random.below(9)};
      voice.x -= voice.y * voice.speed >> 15;
      voice.y += voice.x * voice.speed >> 15;
      voice.x -= voice.x >> 14;
      voice.y -= voice.y >> 14;
      sum[0] += voice.y * static_cast<std::int64_t>(voice.pan);
      sum[1] += voice.y * static_cast<std::int64_t>(8 - voice.pan);
    }
    for (std::size_t c = 0; c < type.channels; ++c) {
      const std::int64_t noise = static_cast<std::int64_t>(random.below(1U << 12)) << 2;
      std::int64_t sample = ((sum[c % 2] >> 4) + noise) >> (24 - bits);
      if (type.element == ElementType::uint8) sample += 128;
      for (unsigned byte = 0; byte < bits / 8; ++byte) {
        const unsigned place = type.big_endian ? bits / 8 - 1 - byte : byte;
        bytes.push_back(static_cast<std::byte>(sample >> 8 * place));
      }
    }
  }
  return bytes;
}

ContentType sound_type(ElementType element, std::uint32_t channels, bool big_endian = false) {
  ContentType type(ContentClass::audio);
  type.has_elements = true;
  type.element = element;
  type.channels = channels;
  type.big_endian = big_endian;
  return type;
}

TEST(Sound, SamplesArePredicted) {
  using enum ElementType;
  for (const ContentType& type : {sound_type(int16, 1), sound_type(int16, 2), sound_type(int16, 2, true),
                                  sound_type(int24, 2), sound_type(int24, 1, true)}) {
    const Buffer raw = music(40'000, type);
    for (const int level : {7, 9}) {
      CodecId first = CodecId::stored;
      const Buffer frame = frame_of(raw, type, level, &first);
      EXPECT_EQ(first, CodecId::audio) << element_name(type.element) << " x " << type.channels;
      EXPECT_LT(frame.size(), zstd_size(raw) * 9 / 10) << element_name(type.element) << " x " << type.channels;
    }
  }
}

TEST(Sound, WhatAnotherChannelSaysIsUsed) {
  const ContentType stereo = sound_type(ElementType::int16, 2);
  Buffer raw = music(60'000, stereo);
  for (std::size_t i = 0; i < raw.size(); i += 4) {
    store_le(Bytes(raw).subspan(i + 2), static_cast<std::int16_t>(load_le<std::int16_t>(ByteView(raw).subspan(i)) / 2));
  }
  const std::size_t alone =
      frame_of(music(60'000, sound_type(ElementType::int16, 1)), sound_type(ElementType::int16, 1), 7).size();
  EXPECT_LT(frame_of(raw, stereo, 7).size(), alone * 2);
}

TEST(Sound, RepeatedPartsAreLeftToGeneralCodecs) {
  const ContentType type = sound_type(ElementType::int16, 2);
  const Buffer once = music(50'000, type);
  Buffer raw = once;
  for (int i = 0; i < 5; ++i) append(raw, once);
  for (const int level : {5, 7}) EXPECT_LE(frame_of(raw, type, level).size(), 2 * once.size()) << level;
}

}  // namespace
}  // namespace mmh::content
