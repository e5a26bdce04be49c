// Deflated streams among other bytes are taken apart, and made again bit for bit.
#include <algorithm>

#include "inflated/deflate_format.h"
#include "inflated/matcher.h"
#include "inflated/streams.h"
#include "mmh/codec/frame.h"
#include "mmh/codecs/builtin.h"
#include "support/support.h"

namespace mmh::test {
namespace {

using codec::CodecId;
using codec::Encoded;

// levels.gz: zlib's levels 1 to 9; methods.gz: memory levels, strategies, flushes, stored blocks; members.zip:
// deflated, stored and empty members; picture.png: many short IDAT chunks, a window of 16 KiB.
Buffer sample(const std::string& name) { return read_file(std::string(MMH_TEST_DATA) + "/deflate/" + name); }
constexpr std::string_view kSamples[] = {"levels.gz", "methods.gz", "members.zip", "picture.png"};

const codec::Codec& inflated() { return *codecs::builtin_registry().find(CodecId::inflated); }

Encoded encode(ByteView raw, int level = 9) { return inflated().encode(raw, {.level = level}).value(); }

Result<Buffer> decode(const Encoded& encoded, std::size_t size) {
  Buffer back(size);
  const std::vector<ByteView> streams(encoded.streams.begin(), encoded.streams.end());
  MMH_TRY(inflated().decode(encoded.parameters, streams, back, {}));
  return back;
}

TEST(Inflated, TakesEveryKindOfFileApartAndMakesItAgain) {
  for (const std::string_view name : kSamples) {
    const Buffer raw = sample(std::string(name));
    const Encoded encoded = encode(raw);
    EXPECT_GT(encoded.streams[1].size(), 2 * raw.size()) << name;
    EXPECT_LT(encoded.streams[0].size(), 150u) << name;
    EXPECT_LT(encoded.streams[2].size(), raw.size() / 4) << name;
    EXPECT_EQ(decode(encoded, raw.size()).value(), raw) << name;
  }
}

TEST(Inflated, ForetellsAllThatZlibWritesAtAnyLevel) {
  const Buffer raw = sample("levels.gz");
  std::size_t from = 0;
  for (std::uint8_t level = 1; level <= 9; ++level) {
    const auto found = codecs::inflated::next_stream(raw, from);
    ASSERT_TRUE(found.has_value());
    from = found->pieces[0].offset;
    codecs::inflated::Parsed parsed;
    ASSERT_TRUE(codecs::inflated::parse(ByteView(raw).subspan(from), 10'000, parsed));
    codecs::inflated::Matcher matcher(parsed.content, {.level = level}, 1'000'000);
    for (const auto token : parsed.tokens) {
      ASSERT_EQ(matcher.predict(), token) << int{level} << " at " << matcher.position();
      matcher.take(token);
    }
    const auto codes = codecs::inflated::zlib_codes(codecs::inflated::count_symbols(parsed.tokens, parsed.content));
    EXPECT_EQ(codes.header, parsed.blocks[0].header);
    from += parsed.size;
  }
}

TEST(Inflated, FindsStreamsAmongOtherBytes) {
  Buffer raw = random_bytes(1000, 1);
  for (const std::string_view name : kSamples) {
    append(raw, sample(std::string(name)));
    append(raw, random_bytes(300, 2));
  }
  const Encoded encoded = encode(raw);
  EXPECT_GT(encoded.streams[1].size(), 2 * raw.size());
  EXPECT_EQ(decode(encoded, raw.size()).value(), raw);
}

TEST(Inflated, GivesBackWhatIsCutShortOrDamaged) {
  Random random(3);
  for (const std::string_view name : kSamples) {
    const Buffer whole = sample(std::string(name));
    for (int i = 0; i < 12; ++i) {
      Buffer raw = whole;
      if (i % 2 == 0) {
        raw.resize(random.below(raw.size()));
      } else {
        raw[random.below(raw.size())] ^= static_cast<std::byte>(1 + random.below(255));
      }
      ASSERT_EQ(decode(encode(raw), raw.size()).value(), raw) << name << " " << i;
    }
  }
}

TEST(Inflated, CorrectsWhatAnotherEncoderChoseOtherwise) {
  // Another content under the same tokens' lengths: the level that was used no longer foretells them all.
  const Buffer raw = sample("methods.gz");
  const Encoded whole = encode(raw);
  Encoded other = whole;
  std::size_t refused = 0;
  Random random(4);
  for (int i = 0; i < 60; ++i) {
    other.streams[1] = whole.streams[1];
    other.streams[1][random.below(other.streams[1].size())] ^= std::byte{1};
    const auto back = decode(other, raw.size());
    if (!back) {
      EXPECT_EQ(back.error().code, Errc::corrupt);
      ++refused;
    }
  }
  EXPECT_GT(refused, 0u);
}

TEST(Inflated, RefusesDamagedInstructionsOrStaysWithinTheOutput) {
  for (const std::string_view name : kSamples) {
    const Buffer raw = sample(std::string(name));
    const Encoded whole = encode(raw);
    for (std::size_t bit = 0; bit < 8 * whole.streams[0].size(); bit += 3) {
      Encoded damaged = whole;
      damaged.streams[0][bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
      const auto back = decode(damaged, raw.size());
      ASSERT_EQ(back ? Errc::corrupt : back.error().code, Errc::corrupt) << name << " " << bit;
    }
    for (std::size_t s = 0; s < whole.streams.size(); ++s) {
      for (std::size_t keep = 0; keep < whole.streams[s].size(); keep += 1 + whole.streams[s].size() / 40) {
        Encoded cut = whole;
        cut.streams[s].resize(keep);
        ASSERT_EQ(error_of(decode(cut, raw.size())), Errc::corrupt) << name << " " << s << " " << keep;
      }
    }
  }
}

TEST(Inflated, StopsWhereTheWorkIsTooMuch) {
  Buffer content(100'000);
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<std::byte>(i % 3 == 0 ? i / 3 % 251 : 7);
  codecs::inflated::Matcher matcher(content, {.level = 9}, 5'000);
  while (matcher.position() < content.size() && !matcher.exhausted()) {
    static_cast<void>(matcher.predict());
    matcher.take({});
  }
  EXPECT_TRUE(matcher.exhausted());
}

TEST(Inflated, ExpandsABlockNoFurtherThanAFrameAllows) {
  // A gzip file of zeros: a thousand to one.
  Buffer raw = {std::byte{0x1f}, std::byte{0x8b}, std::byte{8}, {}, {}, {}, {}, {}, {}, std::byte{3}};
  const Buffer zeros = [] {
    Buffer bytes(std::size_t{8} << 20);
    std::ranges::fill(bytes, std::byte{0});
    return bytes;
  }();
  const auto deflated =
      codecs::builtin_registry().find(CodecId::deflate)->encode(zeros, {.level = 6}).value().streams[0];
  append(raw, deflated);
  const Encoded encoded = encode(raw);
  EXPECT_TRUE(encoded.streams[1].empty());
  EXPECT_EQ(decode(encoded, raw.size()).value(), raw);
}

}  // namespace
}  // namespace mmh::test
