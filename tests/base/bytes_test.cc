#include "mmh/base/bytes.h"

#include <thread>

#include "support/seeded.h"
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

TEST(Buffer, LargeOnesAreApartAndComeAndGoInAnyOrderFromAnyThread) {
  constexpr std::size_t kMiB = std::size_t{1} << 20;
  const auto work = [](std::uint64_t seed) {
    test::Random random(seed);
    struct Held {
      Buffer bytes;
      std::byte value;
    };
    std::vector<Held> held;
    for (int step = 0; step < 300; ++step) {
      if (held.size() < 8 && random.below(2) == 0) {
        // Around the least size, around that of a large page, and more in all than comes in large pages.
        const std::size_t size = random.below(20) * kMiB / 2 + random.below(3) - 1 + kMiB;
        Buffer bytes(size);
        const auto value = static_cast<std::byte>(random.next());
        for (const std::size_t place : {std::size_t{0}, size / 2, size - 1}) bytes[place] = value;
        held.push_back({std::move(bytes), value});
      } else if (!held.empty()) {
        const std::size_t which = random.below(held.size());
        const Held& one = held[which];
        for (const std::size_t place : {std::size_t{0}, one.bytes.size() / 2, one.bytes.size() - 1}) {
          ASSERT_EQ(one.bytes[place], one.value);
        }
        held.erase(held.begin() + static_cast<std::ptrdiff_t>(which));
      }
    }
  };
  std::thread other([&] { work(1); });
  work(2);
  other.join();
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
