// JPEG pictures among other bytes come back bit for bit, smaller; what is no whole picture is left as it is.
#include <algorithm>

#include "jpeg/members.h"
#include "mmh/codec/frame.h"
#include "mmh/codecs/builtin.h"
#include "support/support.h"

namespace mmh::test {
namespace {

using codec::CodecId;
using codec::Encoded;

Buffer picture(const std::string& name) { return read_file(std::string(MMH_TEST_DATA) + "/jpeg/" + name + ".jpg"); }

constexpr std::string_view kPictures[] = {"baseline", "exif", "grey", "progressive", "restart"};

const codec::Codec& jpeg() { return *codecs::builtin_registry().find(CodecId::jpeg); }

Encoded encode(ByteView raw, int effort = 3) { return jpeg().encode(raw, {.level = effort}).value(); }

Result<Buffer> decode(const Encoded& encoded, std::size_t size) {
  Buffer back(size);
  const std::vector<ByteView> streams(encoded.streams.begin(), encoded.streams.end());
  MMH_TRY(jpeg().decode(encoded.parameters, streams, back, {}));
  return back;
}

std::size_t size_of(const Encoded& encoded) {
  std::size_t size = 0;
  for (const Buffer& stream : encoded.streams) size += stream.size();
  return size;
}

TEST(Jpeg, BringsEachKindOfPictureBackFromFewerBytes) {
  for (const std::string_view name : kPictures) {
    const Buffer raw = picture(std::string(name));
    const Encoded encoded = encode(raw);
    EXPECT_FALSE(encoded.streams[2].empty()) << name;
    EXPECT_LT(size_of(encoded), raw.size() - raw.size() / 20) << name;
    EXPECT_EQ(decode(encoded, raw.size()).value(), raw) << name;
  }
}

TEST(Jpeg, FindsAllPicturesAmongOtherBytes) {
  Buffer raw = random_bytes(700, 1);
  for (const std::string_view name : kPictures) {
    append(raw, picture(std::string(name)));
    append(raw, random_bytes(name.size() % 3 * 100, 2));
  }
  std::size_t found = 0;
  for (auto member = codecs::next_jpeg(raw, 0); member;
       member = codecs::next_jpeg(raw, member->offset + member->size)) {
    EXPECT_EQ(member->pixels, 176u * 120);
    ++found;
  }
  EXPECT_EQ(found, std::size(kPictures));
  const Encoded encoded = encode(raw);
  EXPECT_LT(size_of(encoded), raw.size() - 1000);
  EXPECT_EQ(decode(encoded, raw.size()).value(), raw);
}

TEST(Jpeg, LeavesAPictureThatIsCutShortAsItIs) {
  const Buffer whole = picture("progressive");
  for (const std::size_t keep : {std::size_t{0}, std::size_t{2}, std::size_t{3}, std::size_t{100}, whole.size() / 2,
                                 whole.size() - 2, whole.size() - 1}) {
    const Buffer raw(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(keep));
    const Encoded encoded = encode(raw);
    EXPECT_TRUE(encoded.streams[2].empty()) << keep;
    EXPECT_EQ(decode(encoded, raw.size()).value(), raw) << keep;
  }
}

TEST(Jpeg, BringsBackPicturesWithDamage) {
  Random random(3);
  for (const std::string_view name : kPictures) {
    const Buffer whole = picture(std::string(name));
    for (int i = 0; i < 40; ++i) {
      Buffer raw = whole;
      raw[random.below(raw.size())] ^= static_cast<std::byte>(1 + random.below(255));
      ASSERT_EQ(decode(encode(raw), raw.size()).value(), raw) << name << " " << i;
    }
  }
}

TEST(Jpeg, RefusesDamagedStreamsOrStaysWithinTheOutput) {
  const Buffer raw = picture("baseline");
  const Encoded whole = encode(raw);
  Random random(4);
  for (std::size_t s = 0; s < whole.streams.size(); ++s) {
    const std::size_t size = whole.streams[s].size();
    for (std::size_t i = 0; i < std::min<std::size_t>(size, 300); ++i) {
      Encoded damaged = whole;
      if (i % 2 == 0) {
        damaged.streams[s][random.below(size)] ^= static_cast<std::byte>(1 + random.below(255));
      } else {
        damaged.streams[s].resize(random.below(size));
      }
      const auto back = decode(damaged, raw.size());
      EXPECT_EQ(back ? Errc::corrupt : back.error().code, Errc::corrupt);
    }
  }
  for (const std::size_t size : {std::size_t{0}, raw.size() - 1, raw.size() + 1, 2 * raw.size()}) {
    EXPECT_EQ(error_of(decode(whole, size)), Errc::corrupt) << size;
  }
}

TEST(Jpeg, RefusesAPictureOfMorePixelsThanItsSizeAllows) {
  const Buffer raw = picture("baseline");
  const Encoded whole = encode(raw);
  // 100 million pixels: the header of the codestream says so, where the picture's own size stood.
  const std::byte box[] = {std::byte{'j'}, std::byte{'x'}, std::byte{'l'}, std::byte{'p'}};
  Buffer jxl = whole.streams[2];
  const auto found = std::ranges::search(jxl, box);
  ASSERT_FALSE(found.empty());
  constexpr std::size_t kIndexAndMagic = 6;
  const std::size_t at = static_cast<std::size_t>(found.end() - jxl.begin()) + kIndexAndMagic;
  // Not small, 18 bits of height - 1, ratio 1:1.
  const std::uint64_t header = (std::uint64_t{9'999} << 3) | (std::uint64_t{2} << 1) | (std::uint64_t{1} << 21);
  for (std::size_t i = 0; i < 3; ++i) jxl[at + i] = static_cast<std::byte>(header >> 8 * i);
  Encoded hostile = whole;
  hostile.streams[2] = jxl;
  EXPECT_EQ(error_of(decode(hostile, raw.size())), Errc::corrupt);
}

TEST(Jpeg, FollowsNoEndlessNumberOfBeginnings) {
  Buffer raw;
  const unsigned char begin[] = {0xFF, 0xD8, 0xFF, 0xDA, 0x00, 0x02};
  for (int i = 0; i < 200'000; ++i) append(raw, std::as_bytes(std::span(begin)).first(6));
  EXPECT_FALSE(codecs::next_jpeg(raw, 0).has_value());
}

}  // namespace
}  // namespace mmh::test
