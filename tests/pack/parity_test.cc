#include "mmh/pack/parity.h"

#include <algorithm>
#include <functional>

#include "mmh/hash/blake3.h"
#include "mmh/pack/repair.h"
#include "mmh/pack/verify.h"
#include "pack_support.h"

namespace mmh::test {
namespace {

using pack::HealedPack;
using pack::ParityContext;
using pack::ParityGoal;
using pack::ParityHead;
using pack::ParityHealer;
using pack::ParityLayout;

class Parity : public testing::Test {
 protected:
  Parity() : pool_(1) {
    context_.sys = &real_sys();
    context_.pool = &pool_;
    context_.memory = std::uint64_t{64} << 20;
  }

  // The data, and its parity behind it.
  Buffer protect(const Buffer& data, std::uint32_t ppm) {
    const auto layout = pack::plan_parity({.data_size = data.size(), .section_offset = data.size(), .loss_ppm = ppm});
    EXPECT_TRUE(layout.has_value());
    MemorySink sink;
    const auto head = pack::write_parity(*memory_source(data, "x"), *layout, {}, {}, context_, sink);
    EXPECT_TRUE(head.has_value()) << head.error().what;
    EXPECT_EQ(sink.bytes.size(), layout->section_size());
    head_ = *head;
    Buffer file = data;
    append(file, sink.bytes);
    return file;
  }

  // Heals `bad`; whether all of `data` and the section came back. Wrong bytes fail the test.
  bool heals(const Buffer& bad, const Buffer& whole) {
    const auto source = memory_source(bad, "bad");
    const auto healer = ParityHealer::open(*source, *source, head_, {}, context_);
    EXPECT_TRUE(healer.has_value());
    EXPECT_OK((*healer)->locate());
    EXPECT_OK((*healer)->plan());
    const bool planned = (*healer)->report().healable();
    EXPECT_OK((*healer)->heal());
    EXPECT_EQ((*healer)->report().healable(), planned);
    const std::uint64_t size = head_.layout.goal.data_size;
    if (!planned) return false;
    Buffer healed(size);
    EXPECT_OK((*healer)->read_data(0, healed));
    MemorySink section;
    EXPECT_OK((*healer)->write_section(section));
    append(healed, section.bytes);
    EXPECT_TRUE(healed == whole);
    return healed == whole;
  }

  TaskPool pool_;
  ParityContext context_;
  ParityHead head_;
};

void overwrite(Buffer& file, std::uint64_t offset, std::uint64_t length, std::uint64_t seed) {
  const Buffer noise = random_bytes(static_cast<std::size_t>(length), seed);
  std::copy(noise.begin(), noise.end(), file.begin() + static_cast<std::ptrdiff_t>(offset));
}

TEST_F(Parity, TheLayoutKeepsItsPromiseAtEverySize) {
  for (const std::uint64_t size : {1ull, 63ull, 64ull, 65ull, 4095ull, 4097ull, 100'000ull, 1ull << 20,
                                   (1ull << 20) + 1, 50'000'000ull, 1ull << 30, 5ull << 30, 1ull << 40, 1ull << 44}) {
    for (const std::uint32_t ppm : {1u, 5'000u, 10'000u, 100'000u, 500'000u}) {
      const auto layout = pack::plan_parity({.data_size = size, .section_offset = size, .loss_ppm = ppm});
      ASSERT_OK(layout);
      const std::uint64_t whole = layout->end_offset() + 64;
      EXPECT_GE(layout->one_piece_max(), pack::kParityLossMin);
      EXPECT_GE(static_cast<double>(layout->one_piece_max()), static_cast<double>(whole) * ppm / 1e6 - 1) << size;
      // Neither half of the checks can be lost together with the other.
      EXPECT_LT(layout->one_piece_max(),
                layout->repair_block_offset(layout->repair_blocks()) - layout->repair_block_offset(0));
      for (std::uint64_t i = 0; i < std::min<std::uint64_t>(3, layout->symbols.repair_symbols_total()); ++i) {
        EXPECT_EQ(layout->repair_offset(i) % layout->symbols.symbol_size, 0u);
      }
      if (size >= 50'000'000 && ppm == 10'000) {
        EXPECT_LT(static_cast<double>(layout->section_size()), 0.021 * static_cast<double>(size)) << size;
      }
    }
  }
}

TEST_F(Parity, RefusesWhatItCannotPromise) {
  EXPECT_EQ(error_of(pack::plan_parity({.data_size = 0, .section_offset = 0, .loss_ppm = 1})), Errc::usage);
  EXPECT_EQ(error_of(pack::plan_parity({.data_size = 1, .section_offset = 1, .loss_ppm = 0})), Errc::usage);
  EXPECT_EQ(error_of(pack::plan_parity({.data_size = 1, .section_offset = 1, .loss_ppm = 500'001})), Errc::usage);
}

TEST_F(Parity, SectionsDependNeitherOnThreadsNorOnMemory) {
  const Buffer data = random_bytes(3'000'000, 1);
  const Buffer file = protect(data, 50'000);
  TaskPool three(3);
  context_.pool = &three;
  context_.memory = 1 << 20;
  EXPECT_TRUE(protect(data, 50'000) == file);
}

TEST_F(Parity, WhatWasSeenInPassingNeedsNoOtherLook) {
  const Buffer data = random_bytes(1'500'000, 1);
  const auto layout = pack::plan_parity({.data_size = data.size(), .loss_ppm = 50'000, .detached = true});
  ASSERT_TRUE(layout.has_value());
  pack::SeenChecks seen(layout->symbols);
  // In pieces that end anywhere: symbols at their borders were not met whole.
  for (std::size_t at = 0; at < data.size();) {
    const std::size_t size = std::min<std::size_t>(100'001, data.size() - at);
    seen.see(at, ByteView(data).subspan(at, size));
    at += size;
  }
  seen.forget(500'000, 10'000);
  std::uint64_t known = 0;
  for (std::uint64_t i = 0; i < layout->symbols.source_symbols(); ++i) known += seen.has(i) ? 1u : 0u;
  EXPECT_GT(known, layout->symbols.source_symbols() * 8 / 10);
  EXPECT_LT(known, layout->symbols.source_symbols());
  MemorySink plain;
  MemorySink quick;
  const auto source = memory_source(data, "x");
  const auto head = pack::write_parity(*source, *layout, {}, {}, context_, plain);
  ASSERT_TRUE(head.has_value());
  ASSERT_OK(pack::write_parity(*source, *layout, {}, {}, context_, quick, &seen));
  EXPECT_TRUE(plain.bytes == quick.bytes);

  // A healer believes what was seen of the damaged bytes, and looks at the rest itself.
  Buffer bad = data;
  bad[300'000] ^= std::byte{1};
  bad[505'000] ^= std::byte{1};
  pack::SeenChecks of_bad(layout->symbols);
  of_bad.see(0, bad);
  of_bad.forget(500'000, 10'000);
  const auto damaged = memory_source(bad, "bad");
  const auto section = memory_source(plain.bytes, "section");
  const auto healer = ParityHealer::open(*damaged, *section, *head, {}, context_);
  ASSERT_OK(healer);
  (*healer)->use(of_bad);
  ASSERT_OK((*healer)->locate());
  EXPECT_EQ((*healer)->report().data_lost, 2u);
  ASSERT_OK((*healer)->heal());
  Buffer healed(data.size());
  ASSERT_OK((*healer)->read_data(0, healed));
  EXPECT_TRUE(healed == data);
}

TEST_F(Parity, AnyOnePieceUpToThePromiseComesBack) {
  for (const std::size_t size : {1u, 64u, 1000u, 5000u, 70'000u, 1'300'000u}) {
    const Buffer data = random_bytes(size, size);
    const Buffer whole = protect(data, 20'000);
    const std::uint64_t loss = head_.layout.one_piece_max();
    ASSERT_LE(loss, whole.size());
    std::vector<std::uint64_t> places = {0, 1, whole.size() - loss, (whole.size() - loss) / 2};
    if (size > loss) places.push_back(size - loss);
    for (std::uint64_t near = size - std::min<std::uint64_t>(size, 3); near < size + 3; ++near) {
      if (near + loss <= whole.size()) places.push_back(near);
    }
    Random random(size);
    for (int i = 0; i < 6; ++i) places.push_back(random.below(whole.size() - loss + 1));
    for (const std::uint64_t place : places) {
      Buffer bad = whole;
      overwrite(bad, place, loss, place + 7);
      EXPECT_TRUE(heals(bad, whole)) << size << " at " << place;
    }
  }
}

TEST_F(Parity, AsManyScatteredSectorsAsPromisedComeBack) {
  for (const std::size_t size : {300'000u, 1'500'000u}) {
    const Buffer data = random_bytes(size, size);
    const Buffer whole = protect(data, 100'000);
    const std::uint64_t sector = pack::kParitySector;
    const std::uint64_t count = head_.layout.scattered_symbols_max();
    ASSERT_GT(count, 3u);
    Random random(size);
    for (int round = 0; round < 5; ++round) {
      std::vector<std::uint64_t> places;
      for (std::uint64_t at = 0; at + sector <= size; at += sector) places.push_back(at);
      for (std::size_t i = places.size(); i > 1; --i) std::swap(places[i - 1], places[random.below(i)]);
      Buffer bad = whole;
      for (std::uint64_t i = 0; i < std::min<std::uint64_t>(count, places.size()); ++i) {
        overwrite(bad, places[i], sector, places[i] + 3);
      }
      EXPECT_TRUE(heals(bad, whole)) << size;
      // Reed-Solomon knows its bound exactly; the reserve of RaptorQ is lost first.
      const std::uint64_t beyond = count + head_.layout.symbols.reserve();
      if (places.size() <= beyond) continue;
      for (std::uint64_t i = count; i <= beyond; ++i) overwrite(bad, places[i], sector, places[i] + 3);
      EXPECT_FALSE(heals(bad, whole)) << size;
    }
  }
}

TEST_F(Parity, SectorsAsPromisedMayLieAnywhereInTheChecksToo) {
  for (const std::size_t size : {5'000u, 300'000u, 1'500'000u, 12'000'000u}) {
    const Buffer data = random_bytes(size, size);
    const Buffer whole = protect(data, 50'000);
    const ParityLayout& layout = head_.layout;
    const std::uint64_t count = layout.scattered_max();
    ASSERT_GE(count, 1u);
    ASSERT_LE(count, layout.scattered_symbols_max());
    // Those of the checks in front of the repair symbols, those behind them, and all.
    const std::uint64_t front = layout.head_offset(0) / pack::kParitySector;
    const std::uint64_t behind = layout.shard_offset(layout.checks.source_symbols()) / pack::kParitySector;
    const std::uint64_t end = whole.size() / pack::kParitySector + 1;
    Random random(size);
    for (const std::uint64_t first : {front, behind, std::uint64_t{0}}) {
      std::vector<std::uint64_t> sectors;
      for (std::uint64_t at = 0; at < end; ++at) sectors.push_back(at);
      for (std::size_t i = sectors.size(); i > 1; --i) std::swap(sectors[i - 1], sectors[random.below(i)]);
      if (first > 0) {
        std::ranges::stable_sort(sectors, {}, [&](std::uint64_t at) { return at < first ? end + at : at; });
      }
      for (const std::uint64_t lost : {count, (count + 1) / 2}) {
        Buffer bad = whole;
        // Half of them in the checks, the others where they do most harm beside that.
        for (std::uint64_t i = 0; i < count; ++i) {
          const std::uint64_t at = (i < lost ? sectors[i] : i) * pack::kParitySector;
          overwrite(bad, at, std::min(pack::kParitySector, whole.size() - at), i + 9);
        }
        EXPECT_TRUE(heals(bad, whole)) << size << " from " << first << ", " << lost << " of " << count;
      }
    }
  }
}

TEST_F(Parity, ChecksSurviveAsManyLostShardsAsThereAreRepairShards) {
  const Buffer data = random_bytes(1'300'000, 5);
  const Buffer whole = protect(data, 10'000);
  const auto& checks = head_.layout.checks;
  ASSERT_GE(checks.source_symbols(), 2u);
  Buffer bad = whole;
  const std::uint64_t lost = std::uint64_t{checks.repair_symbols} * checks.blocks;
  for (std::uint64_t i = 0; i < lost; ++i) overwrite(bad, head_.layout.shard_offset(i) + 400, 50, i);
  overwrite(bad, 5000, 9000, 2);
  EXPECT_TRUE(heals(bad, whole));
}

TEST_F(Parity, FindsItsPlaceAgainAfterInsertionAndDeletion) {
  for (const std::size_t size : {40'000u, 1'300'000u}) {
    const Buffer data = random_bytes(size, size + 1);
    const Buffer whole = protect(data, 100'000);
    const auto place = static_cast<std::ptrdiff_t>(size / 3);
    Buffer longer = whole;
    const Buffer inserted = random_bytes(777, 8);
    longer.insert(longer.begin() + place, inserted.begin(), inserted.end());
    EXPECT_TRUE(heals(longer, whole)) << size;
    Buffer shorter = whole;
    shorter.erase(shorter.begin() + place, shorter.begin() + place + 555);
    EXPECT_TRUE(heals(shorter, whole)) << size;
    Buffer headless(whole.begin() + 1234, whole.end());
    EXPECT_TRUE(heals(headless, whole)) << size;
    Buffer both = longer;
    both.erase(both.begin() + 2 * place, both.begin() + 2 * place + 100);
    EXPECT_TRUE(heals(both, whole)) << size;
  }
}

TEST_F(Parity, TakesGoodBytesFromOtherCopies) {
  const Buffer data = random_bytes(1'300'000, 6);
  const Buffer whole = protect(data, 10'000);
  Buffer first = whole;
  Buffer second = whole;
  overwrite(first, 0, 600'000, 1);
  overwrite(second, 700'000, 500'000, 2);
  EXPECT_FALSE(heals(first, whole));
  const auto file = memory_source(first, "first");
  const auto copy = memory_source(second, "second");
  const auto healer = ParityHealer::open(*file, *file, head_, {copy.get()}, context_);
  ASSERT_OK(healer);
  ASSERT_OK((*healer)->locate());
  ASSERT_OK((*healer)->heal());
  EXPECT_TRUE((*healer)->report().healable());
  EXPECT_GT((*healer)->report().copied, 0u);
  Buffer healed(data.size());
  ASSERT_OK((*healer)->read_data(0, healed));
  EXPECT_TRUE(healed == data);
}

TEST_F(Parity, DetachedSectionsBearAShareOfTheData) {
  const Buffer data = random_bytes(2'000'000, 9);
  const auto layout =
      pack::plan_parity({.data_size = data.size(), .section_offset = 0, .loss_ppm = 100'000, .detached = true});
  ASSERT_OK(layout);
  EXPECT_GE(layout->one_piece_max(), data.size() / 10);
  EXPECT_LT(layout->section_size(), data.size() / 7);
  MemorySink sink;
  const auto head = pack::write_parity(*memory_source(data, "x"), *layout, {}, {}, context_, sink);
  ASSERT_OK(head);
  Buffer bad = data;
  overwrite(bad, 100'000, layout->one_piece_max(), 4);
  const auto source = memory_source(bad, "x");
  const auto section = memory_source(sink.bytes, "x.par");
  const auto found = pack::find_parity_heads(*section);
  ASSERT_EQ(found.size(), 1u);
  const auto healer = ParityHealer::open(*source, *section, found[0], {}, context_);
  ASSERT_OK(healer);
  ASSERT_OK((*healer)->locate());
  ASSERT_OK((*healer)->heal());
  Buffer healed(data.size());
  ASSERT_OK((*healer)->read_data(0, healed));
  EXPECT_TRUE(healed == data);
}

// ---- packs ----

class PackParity : public Parity {
 protected:
  Buffer pack_with_parity(const Buffer& pack, std::uint32_t ppm) {
    MemorySink sink;
    EXPECT_OK(pack::write_pack_parity(*memory_source(pack, "x.mmh"), ppm, context_, sink));
    Buffer file = pack;
    append(file, sink.bytes);
    return file;
  }

  // The healed image of a damaged pack; empty: it cannot be healed.
  Buffer healed(const Buffer& bad) {
    const auto source = memory_source(bad, "bad.mmh");
    const auto image = HealedPack::open(*source, {}, context_);
    if (!image || !(*image)->heal()) return {};
    Buffer bytes((*image)->size());
    EXPECT_OK((*image)->read_at(0, bytes));
    return bytes;
  }
};

TEST_F(PackParity, EveryFlippedByteOfASmallPackIsHealed) {
  const Buffer whole = pack_with_parity(sample_pack().bytes, 10'000);
  Buffer bad = whole;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    bad[i] ^= std::byte{1} << (i % 8);
    EXPECT_TRUE(healed(bad) == whole) << "byte " << i;
    bad[i] = whole[i];
  }
}

TEST_F(PackParity, ReadersThatKnowNothingOfParityOpenAndVerifySuchAPack) {
  const Sample sample = sample_pack();
  const Buffer whole = pack_with_parity(sample.bytes, 10'000);
  const auto reader = open_bytes(whole);
  ASSERT_OK(reader);
  EXPECT_EQ((*reader)->warning(), "");
  EXPECT_EQ((*reader)->pack_size(), whole.size());
  EXPECT_TRUE(read_all(**reader, sample).empty());
  const auto report = pack::verify(**reader, pool_, true, nullptr, nullptr);
  ASSERT_OK(report);
  EXPECT_TRUE(report->sound());
  EXPECT_EQ(report->bytes_checked, whole.size());
}

TEST_F(PackParity, EveryLostSectorAndEveryCutOffEndIsHealed) {
  const Buffer whole = pack_with_parity(sample_pack_appended().bytes, 10'000);
  for (std::size_t at = 0; at + 4096 <= whole.size(); at += 512) {
    Buffer bad = whole;
    std::fill_n(bad.begin() + static_cast<std::ptrdiff_t>(at), 4096, std::byte{0});
    EXPECT_TRUE(healed(bad) == whole) << at;
  }
  for (const std::size_t cut : {1u, 63u, 64u, 65u, 400u, 1000u, 4096u}) {
    EXPECT_TRUE(healed(Buffer(whole.begin(), whole.end() - static_cast<std::ptrdiff_t>(cut))) == whole) << cut;
    EXPECT_TRUE(healed(Buffer(whole.begin() + static_cast<std::ptrdiff_t>(cut), whole.end())) == whole) << cut;
  }
}

TEST_F(PackParity, HeadsTablesTrailersAndFootersMayBeLostTogether) {
  const Buffer pack = sample_pack().bytes;
  const Buffer whole = pack_with_parity(pack, 10'000);
  const auto head = pack::pack_parity(*memory_source(whole, "x"));
  ASSERT_TRUE(head.has_value());
  Buffer bad = whole;
  overwrite(bad, 0, 64, 1);                              // the header
  overwrite(bad, pack.size() - 64, 64, 2);               // the footer of the pack
  overwrite(bad, head->layout.head_offset(0), 280, 3);   // the first head
  overwrite(bad, whole.size() - 64, 64, 4);              // the footer at the end
  overwrite(bad, head->layout.shard_offset(0), 300, 5);  // the checks at the front
  EXPECT_TRUE(healed(bad) == whole);
}

TEST_F(PackParity, WhatWasAppendedSinceIsKept) {
  const Buffer old = sample_pack().bytes;
  Buffer whole = pack_with_parity(old, 10'000);
  const auto reader = open_bytes(whole);
  ASSERT_OK(reader);
  PackMaker maker(whole, **reader);
  maker.add_file("later", text_bytes(3000, 4));
  maker.finish();
  const Buffer appended = maker.bytes();
  Buffer bad = appended;
  overwrite(bad, 200, 300, 1);
  EXPECT_TRUE(healed(bad) == appended);
}

TEST_F(PackParity, LostChecksDoNotCostDataThatIsWhole) {
  const Buffer pack = sample_pack().bytes;
  const Buffer whole = pack_with_parity(pack, 10'000);
  const auto head = pack::pack_parity(*memory_source(whole, "x"));
  Buffer bad = whole;
  for (std::uint64_t i = 0; i < head->layout.checks.symbols(); ++i)
    overwrite(bad, head->layout.shard_offset(i), 150, i);
  EXPECT_TRUE(healed(bad) == whole);
}

}  // namespace
}  // namespace mmh::test
