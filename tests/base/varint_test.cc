#include "mmh/base/varint.h"

#include <initializer_list>

#include "support/support.h"

namespace mmh {
namespace {

using test::error_of;

Buffer bytes_of(std::initializer_list<unsigned> values) {
  Buffer bytes;
  for (const unsigned value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

Errc refusal(std::initializer_list<unsigned> values) {
  const Buffer bytes = bytes_of(values);
  ByteView in = bytes;
  const Errc code = error_of(take_varint(in));
  EXPECT_EQ(in.size(), bytes.size()) << "moved in spite of the error";
  return code;
}

TEST(Varint, HasTheKnownEncodings) {
  Buffer out;
  put_varint(out, 0);
  put_varint(out, 127);
  put_varint(out, 128);
  put_varint(out, 300);
  EXPECT_EQ(out, bytes_of({0, 0x7f, 0x80, 1, 0xac, 2}));
}

TEST(Varint, ComesBackAroundEveryPowerOfTwo) {
  for (unsigned bit = 0; bit < 64; ++bit) {
    for (const std::uint64_t value :
         {(std::uint64_t{1} << bit) - 1, std::uint64_t{1} << bit, ~std::uint64_t{0} >> bit}) {
      Buffer out;
      put_varint(out, value);
      EXPECT_LE(out.size(), kVarintSizeMax);
      out.push_back(std::byte{0xff});
      ByteView in = out;
      EXPECT_EQ(take_varint(in).value(), value);
      EXPECT_EQ(in.size(), 1u);
    }
  }
}

TEST(Varint, RefusesEveryTruncation) {
  Buffer out;
  put_varint(out, ~std::uint64_t{0});
  ASSERT_EQ(out.size(), kVarintSizeMax);
  for (std::size_t keep = 0; keep < out.size(); ++keep) {
    const Buffer cut = copy_of(ByteView(out).first(keep));
    ByteView in = cut;
    EXPECT_EQ(error_of(take_varint(in)), Errc::corrupt) << keep;
  }
}

TEST(Varint, RefusesLongerFormsThanNeeded) {
  EXPECT_EQ(refusal({0x80, 0}), Errc::corrupt);
  EXPECT_EQ(refusal({0xff, 0x80, 0}), Errc::corrupt);
}

TEST(Varint, RefusesWhatDoesNotFit) {
  EXPECT_EQ(refusal({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2}), Errc::corrupt);
  EXPECT_EQ(refusal({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81, 0}), Errc::corrupt);
}

}  // namespace
}  // namespace mmh
