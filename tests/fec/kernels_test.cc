#include "kernels.h"

#include <bit>

#include "gf256.h"
#include "matrix.h"
#include "support/support.h"

namespace mmh::fec {
namespace {

TEST(Field, IsTheOneOfTheRfc) {
  // Section 5.7.3: the first and last entries of OCT_EXP, and where it wraps.
  EXPECT_EQ(gf_power(0), 1);
  EXPECT_EQ(gf_power(8), 29);
  EXPECT_EQ(gf_power(254), 142);
  EXPECT_EQ(gf_power(255), 1);
  for (unsigned a = 0; a < 256; ++a) {
    for (unsigned b = 0; b < 256; ++b) {
      unsigned product = 0;
      for (unsigned bit = 0; bit < 8; ++bit) {
        if ((b >> bit & 1) != 0) product ^= a << bit;
      }
      for (unsigned bit = 15; bit >= 8; --bit) {
        if ((product >> bit & 1) != 0) product ^= 0x11DU << (bit - 8);
      }
      ASSERT_EQ(gf_multiply(static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(b)), product);
    }
    if (a > 0) {
      EXPECT_EQ(gf_multiply(static_cast<std::uint8_t>(a), gf_invert(static_cast<std::uint8_t>(a))), 1);
    }
  }
}

TEST(LeftInverse, UndoesAMatrixOrSaysThatNoneCan) {
  test::Random random(3);
  for (std::size_t round = 0; round < 200; ++round) {
    const std::size_t columns = 1 + random.below(12);
    const std::size_t rows = columns + random.below(4);
    Matrix a(rows, columns);
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::uint8_t& value : a[row]) value = static_cast<std::uint8_t>(random.next());
    }
    const bool singular = columns > 1 && round % 4 == 0;
    if (singular) {
      for (std::size_t row = 0; row < rows; ++row) a[row][columns - 1] = gf_multiply(a[row][0], 7);
    }
    const std::optional<Matrix> inverse = left_inverse(a);
    if (singular) {
      EXPECT_FALSE(inverse.has_value());
      continue;
    }
    if (!inverse) continue;  // a random matrix is singular once in 256 times
    const Matrix one = product(*inverse, a);
    for (std::size_t row = 0; row < columns; ++row) {
      for (std::size_t column = 0; column < columns; ++column) EXPECT_EQ(one[row][column], row == column);
    }
  }
}

/// Every kernel of this CPU against the portable one.
class EveryKernel : public testing::TestWithParam<const Kernels*> {};

TEST_P(EveryKernel, CombinesAsThePortableOne) {
  test::Random random(1);
  for (std::size_t round = 0; round < 60; ++round) {
    const std::size_t sources = 1 + random.below(40);
    const std::size_t outputs = 1 + random.below(13);
    const std::size_t size = round < 56 ? random.below(700) : random.below(30'000);
    const Buffer factors = test::random_bytes(sources * outputs, random.next());
    const std::size_t shift = random.below(64);
    const Buffer in = test::random_bytes(sources * size + shift, random.next());
    Buffer here(outputs * size + shift);
    Buffer there(outputs * size + shift);
    std::ranges::fill(here, std::byte{1});
    std::ranges::fill(there, std::byte{1});
    std::vector<const std::byte*> from;
    std::vector<std::byte*> to_here;
    std::vector<std::byte*> to_there;
    for (std::size_t s = 0; s < sources; ++s) from.push_back(in.data() + shift + s * size);
    for (std::size_t r = 0; r < outputs; ++r) {
      to_here.push_back(here.data() + shift + r * size);
      to_there.push_back(there.data() + shift + r * size);
    }
    const Combination combination{reinterpret_cast<const std::uint8_t*>(factors.data()), sources, outputs};
    GetParam()->combine(combination, from.data(), to_here.data(), size);
    kPortableKernels.combine(combination, from.data(), to_there.data(), size);
    ASSERT_EQ(here, there) << sources << " " << outputs << " " << size;
  }
}

/// Rows of seeded bytes, 64-byte aligned.
class Rows {
 public:
  Rows(std::size_t count, std::size_t width, std::uint64_t seed)
      : size_(count * width), storage_(size_ + kSliceAlignment) {
    const Buffer bytes = test::random_bytes(size_, seed);
    std::ranges::copy(bytes, data());
  }
  std::byte* data() {
    const auto address = reinterpret_cast<std::uintptr_t>(storage_.data());
    return storage_.data() + (kSliceAlignment - address % kSliceAlignment) % kSliceAlignment;
  }
  ByteView view() { return {data(), size_}; }

 private:
  std::size_t size_;
  Buffer storage_;
};

TEST_P(EveryKernel, SumsAsThePortableOne) {
  test::Random random(2);
  for (const std::size_t width : kSliceWidths) {
    const std::size_t rows = 50;
    const std::size_t inputs = 20;
    const std::size_t symbol = 3 * width + 5;
    const Buffer in = test::random_bytes(inputs * symbol, random.next());
    std::vector<const std::byte*> from;
    for (std::size_t i = 0; i < inputs; ++i) from.push_back(in.data() + i * symbol);
    std::vector<std::uint16_t> to;
    std::vector<std::uint16_t> input;
    std::vector<std::uint16_t> code;
    for (std::size_t i = 0; i < 60; ++i) {
      to.push_back(static_cast<std::uint16_t>(random.below(rows)));
      input.push_back(random.below(3) == 0 ? Sums::kNoInput : static_cast<std::uint16_t>(random.below(inputs)));
      const std::size_t count = random.below(9);
      code.push_back(static_cast<std::uint16_t>(count));
      for (std::size_t c = 0; c < count; ++c) {
        code.push_back(static_cast<std::uint16_t>((to.back() + 1 + random.below(rows - 1)) % rows));
      }
    }
    const Sums sums{to.size(), to.data(), input.data(), code.data()};
    const std::uint64_t seed = random.next();
    Rows here(rows, width, seed);
    Rows there(rows, width, seed);
    GetParam()->sum(sums, here.data(), width, from.data(), nullptr, 2 * width + 1);
    kPortableKernels.sum(sums, there.data(), width, from.data(), nullptr, 2 * width + 1);
    ASSERT_TRUE(std::ranges::equal(here.view(), there.view())) << width;

    Buffer out_here(to.size() * symbol);
    Buffer out_there(to.size() * symbol);
    std::ranges::fill(out_here, std::byte{1});
    std::ranges::fill(out_there, std::byte{1});
    std::vector<std::byte*> to_here;
    std::vector<std::byte*> to_there;
    for (std::size_t i = 0; i < to.size(); ++i) {
      to_here.push_back(out_here.data() + i * symbol);
      to_there.push_back(out_there.data() + i * symbol);
    }
    GetParam()->sum(sums, here.data(), width, nullptr, to_here.data(), width + 3);
    kPortableKernels.sum(sums, there.data(), width, nullptr, to_there.data(), width + 3);
    ASSERT_EQ(out_here, out_there) << width;
  }
}

TEST_P(EveryKernel, SelectsAsThePortableOne) {
  test::Random random(3);
  Rows scratch(1, kSelectionScratch, 0);
  for (const std::size_t width : kSliceWidths) {
    for (const std::size_t source_count : {1U, 5U, 6U, 7U, 12U, 41U, 60U, 100U}) {
      const std::size_t target_count = 30;
      std::vector<std::uint16_t> sources(source_count);
      std::vector<std::uint16_t> targets(target_count);
      for (std::size_t i = 0; i < source_count; ++i) sources[i] = static_cast<std::uint16_t>(target_count + i);
      for (std::size_t i = 0; i < target_count; ++i) targets[i] = static_cast<std::uint16_t>(target_count - 1 - i);
      std::vector<std::uint8_t> picks;
      for (std::size_t first = 0; first < source_count; first += Selection::kGroup) {
        const std::size_t bits = std::min(Selection::kGroup, source_count - first);
        for (std::size_t i = 0; i < target_count; ++i) {
          picks.push_back(static_cast<std::uint8_t>(random.below(std::uint64_t{1} << bits)));
        }
      }
      for (const bool add : {false, true}) {
        const Selection selection{sources.data(), source_count, targets.data(), target_count, picks.data(), add};
        const std::uint64_t seed = random.next();
        Rows here(source_count + target_count, width, seed);
        Rows there(source_count + target_count, width, seed);
        GetParam()->select(selection, here.data(), width, scratch.data());
        kPortableKernels.select(selection, there.data(), width, nullptr);
        ASSERT_TRUE(std::ranges::equal(here.view(), there.view())) << width << " " << source_count << " " << add;
      }
    }
  }
}

TEST_P(EveryKernel, RecursAsThePortableOne) {
  test::Random random(4);
  for (const std::size_t width : kSliceWidths) {
    const std::size_t steps = 70;
    const std::size_t outputs = 11;
    std::vector<std::uint8_t> pairs;
    for (std::size_t step = 0; step + 1 < steps; ++step) {
      pairs.push_back(static_cast<std::uint8_t>(step % outputs));
      pairs.push_back(static_cast<std::uint8_t>((step + 1 + random.below(outputs - 1)) % outputs));
    }
    const Recurrence recurrence{steps, pairs.data(), outputs, steps};
    Rows here(steps + outputs, width, 9);
    Rows there(steps + outputs, width, 9);
    GetParam()->recur(recurrence, here.data(), width);
    kPortableKernels.recur(recurrence, there.data(), width);
    ASSERT_TRUE(std::ranges::equal(here.view(), there.view())) << width;
  }
}

INSTANTIATE_TEST_SUITE_P(ThisCpu, EveryKernel, testing::ValuesIn(all_kernels()), [](const auto& tested) {
  std::string name = tested.param->name;
  std::erase_if(name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; });
  return name;
});

}  // namespace
}  // namespace mmh::fec
