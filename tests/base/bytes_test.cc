#include "mmh/base/bytes.h"

#include "support/support.h"

namespace mmh {
namespace {

TEST(Buffer, AppendsAcrossEveryGrowth) {
  Buffer out;
  std::vector<std::byte> expected;
  for (std::size_t size = 0; size < 300; ++size) {
    const Buffer piece = test::random_bytes(size, size);
    append(out, piece);
    expected.insert(expected.end(), piece.begin(), piece.end());
    ASSERT_EQ(as_text(out), as_text(expected)) << size;
  }
}

TEST(Buffer, AppendingGrowsGeometrically) {
  Buffer out;
  std::size_t growths = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::size_t before = out.capacity();
    append(out, as_bytes("0123456789"));
    if (out.capacity() != before) ++growths;
  }
  EXPECT_EQ(out.size(), 1'000'000u);
  EXPECT_LT(growths, 25u);
}

TEST(Buffer, AppendsNothingFromNowhere) {
  Buffer out;
  append(out, {});
  EXPECT_TRUE(out.empty());
  EXPECT_TRUE(copy_of({}).empty());
}

TEST(Buffer, CopiesViews) { EXPECT_EQ(as_text(copy_of(as_bytes("abc"))), "abc"); }

TEST(LittleEndian, StoresAndLoadsUnaligned) {
  Buffer bytes(11, std::byte{0});
  store_le<std::uint64_t>(Bytes(bytes).subspan(3), 0x0807060504030201);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(bytes[3 + i], static_cast<std::byte>(i + 1));
  EXPECT_EQ(load_le<std::uint64_t>(ByteView(bytes).subspan(3)), 0x0807060504030201u);
  EXPECT_EQ(load_le<std::uint16_t>(ByteView(bytes).subspan(3)), 0x0201u);
}

}  // namespace
}  // namespace mmh
