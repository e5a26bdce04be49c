#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "api/support.h"
#include "mmh/base/task_pool.h"
#include "mmh/pack/repair.h"
#include "support/faulty_sys.h"
#include "support/trees.h"

namespace mmh::test {
namespace {

namespace fs = std::filesystem;

class ParityApi : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(temp_ / "in/sub");
    write_file(temp_ / "in/text", text_bytes(60'000, 1));
    write_file(temp_ / "in/sub/noise", random_bytes(90'000, 2));
    write_file(temp_ / "in/empty", {});
    fs::create_symlink("text", temp_ / "in/link");
    PackOptions options = pack_options(temp_ / ".");
    options.parity_ppm = 20'000;
    options.block_size = 16 << 10;
    ASSERT_OK(create_pack({"in"}, path_, options));
    whole_ = read_file(path_);
  }

  Buffer damaged(std::uint64_t offset, std::uint64_t length) const {
    EXPECT_LE(offset + length, whole_.size());
    Buffer bad = whole_;
    const Buffer noise = random_bytes(static_cast<std::size_t>(length), offset + 1);
    std::copy(noise.begin(), noise.end(), bad.begin() + static_cast<std::ptrdiff_t>(offset));
    return bad;
  }

  TempDir temp_;
  const std::string path_ = temp_ / "t.mmh";
  Buffer whole_;
};

TEST_F(ParityApi, VerifyTellsSoundHealableAndHopelessApart) {
  const auto verdict = [&](const Buffer& bytes) -> std::string {
    write_file(path_, bytes);
    const auto pack = Pack::open(path_);
    if (!pack) return "unreadable";
    const auto summary = pack->verify(false, {});
    EXPECT_OK(summary);
    return summary->sound ? "sound" : summary->healable ? "healable" : "hopeless";
  };
  EXPECT_EQ(verdict(whole_), "sound");
  EXPECT_EQ(verdict(damaged(5000, 10)), "healable");
  EXPECT_EQ(verdict(damaged(0, 64)), "healable");
  EXPECT_EQ(verdict(damaged(whole_.size() - 3000, 3000)), "healable");
  EXPECT_EQ(verdict(damaged(5000, 100'000)), "hopeless");
}

TEST_F(ParityApi, RepairRestoresTheFileExactlyAndTellsWhere) {
  write_file(path_, damaged(10'000, 3000));
  RepairOptions options;
  std::uint64_t first = 0;
  std::uint64_t bytes = 0;
  options.mended = [&](std::uint64_t offset, std::uint64_t length) {
    if (bytes == 0) first = offset;
    bytes += length;
  };
  const auto summary = repair_pack(path_, options);
  ASSERT_OK(summary);
  EXPECT_FALSE(summary->was_sound);
  EXPECT_EQ(first, 9728u);
  EXPECT_GE(bytes, 3000u);
  EXPECT_EQ(summary->bytes, bytes);
  EXPECT_TRUE(read_file(path_) == whole_);
  const auto again = repair_pack(path_, {});
  ASSERT_OK(again);
  EXPECT_TRUE(again->was_sound);
}

TEST_F(ParityApi, RepairLeavesAReadOnlyOriginalAlone) {
  const Buffer bad = damaged(10'000, 3000);
  write_file(path_, bad);
  ASSERT_EQ(::chmod(path_.c_str(), 0444), 0);
  RepairOptions options;
  options.output = temp_ / "healed.mmh";
  ASSERT_OK(repair_pack(path_, options));
  EXPECT_TRUE(read_file(path_) == bad);
  EXPECT_TRUE(read_file(options.output) == whole_);
  EXPECT_EQ(error_of(repair_pack(path_, options)), Errc::exists);
}

TEST_F(ParityApi, RepairPutsBytesBackInPlace) {
  Buffer longer = whole_;
  const Buffer inserted = random_bytes(1000, 3);
  longer.insert(longer.begin() + 30'000, inserted.begin(), inserted.end());
  for (const Buffer& bad :
       {longer, Buffer(whole_.begin() + 500, whole_.end()), Buffer(whole_.begin(), whole_.end() - 2000)}) {
    write_file(path_, bad);
    ASSERT_OK(repair_pack(path_, {}));
    EXPECT_TRUE(read_file(path_) == whole_);
  }
}

TEST_F(ParityApi, RepairBeyondParityWritesNothingAndNamesTheLoss) {
  const Buffer bad = damaged(5000, 100'000);
  write_file(path_, bad);
  EXPECT_EQ(error_of(repair_pack(path_, {})), Errc::corrupt);
  EXPECT_TRUE(read_file(path_) == bad);
}

TEST_F(ParityApi, TwoDamagedCopiesMakeOneWholePack) {
  write_file(path_, damaged(1000, 70'000));
  write_file(temp_ / "copy.mmh", damaged(75'000, 25'000));
  RepairOptions options;
  options.from = {temp_ / "copy.mmh"};
  ASSERT_OK(repair_pack(path_, options));
  EXPECT_TRUE(read_file(path_) == whole_);
}

TEST_F(ParityApi, ReadingMendsAndSaysSoAndLeavesTheFileAlone) {
  const Buffer bad = damaged(20'000, 3500);
  write_file(path_, bad);
  Warnings warnings;
  RunOptions run;
  run.observer = &warnings;
  const auto pack = Pack::open(path_, run);
  ASSERT_OK(pack);
  UnpackOptions options = unpack_options(temp_ / "out");
  const auto summary = pack->unpack(options);
  ASSERT_OK(summary);
  EXPECT_EQ(summary->damaged, 0u);
  EXPECT_TRUE(read_file(temp_ / "out/in/sub/noise") == read_file(temp_ / "in/sub/noise"));
  EXPECT_TRUE(read_file(temp_ / "out/in/text") == read_file(temp_ / "in/text"));
  ASSERT_EQ(warnings.all.size(), 1u);
  EXPECT_THAT(warnings.all[0].what, testing::HasSubstr("mmh repair"));
  EXPECT_TRUE(read_file(path_) == bad);
}

TEST_F(ParityApi, PacksWithoutTrailersOpenByTheirParity) {
  // Both trailers and the footer behind them lie in front of the section.
  const auto source = memory_source(whole_, "x");
  const auto head = pack::pack_parity(*source);
  ASSERT_TRUE(head.has_value());
  write_file(path_, damaged(head->layout.goal.data_size - 900, 900));
  const auto pack = Pack::open(path_);
  ASSERT_OK(pack);
  Buffer got;
  ASSERT_OK(pack->stream("in/text", [&](ByteView piece) -> Result<> {
    append(got, piece);
    return {};
  }));
  EXPECT_TRUE(got == read_file(temp_ / "in/text"));
  const auto verified = pack->verify(false, {});
  ASSERT_OK(verified);
  EXPECT_FALSE(verified->sound);
  EXPECT_TRUE(verified->healable);
}

TEST_F(ParityApi, SetAddsChangesAndRemovesParity) {
  const auto source = memory_source(whole_, "x");
  const std::uint64_t data = pack::pack_parity(*source)->layout.goal.data_size;
  const auto removed = set_parity(path_, 0);
  ASSERT_OK(removed);
  EXPECT_EQ(fs::file_size(path_), data);
  EXPECT_EQ(Pack::open(path_)->info().parity.loss_ppm, 0u);
  const auto added = set_parity(path_, 20'000);
  ASSERT_OK(added);
  EXPECT_TRUE(read_file(path_) == whole_);
  const auto more = set_parity(path_, 100'000);
  ASSERT_OK(more);
  EXPECT_GT(more->one_piece_bytes, added->one_piece_bytes);
  EXPECT_EQ(Pack::open(path_)->info().parity.one_piece_bytes, more->one_piece_bytes);
  EXPECT_TRUE(Pack::open(path_)->verify(true, {})->sound);
  ASSERT_OK(set_parity(path_, 20'000));
  EXPECT_TRUE(read_file(path_) == whole_);
  EXPECT_EQ(error_of(set_parity(path_, 600'000)), Errc::usage);
  write_file(path_, damaged(10'000, 10));
  EXPECT_EQ(error_of(set_parity(path_, 0)), Errc::corrupt);
}

TEST_F(ParityApi, AppendingPutsNewParityInThePlaceOfTheOld) {
  write_file(temp_ / "in/later", random_bytes(50'000, 9));
  fs::copy_file(path_, temp_ / "bare.mmh");
  ASSERT_OK(append_to_pack(path_, {"in/later"}, pack_options(temp_ / ".")));
  const Buffer appended = read_file(path_);
  const auto pack = Pack::open(path_);
  ASSERT_OK(pack);
  EXPECT_EQ(pack->info().parity.loss_ppm, 20'000u);
  EXPECT_EQ(pack->info().generation, 1u);
  EXPECT_TRUE(pack->verify(true, {})->sound);
  // Nothing is left of the old parity: the same comes of a pack that had none.
  ASSERT_OK(set_parity(temp_ / "bare.mmh", 0));
  ASSERT_OK(append_to_pack(temp_ / "bare.mmh", {"in/later"}, pack_options(temp_ / ".")));
  ASSERT_OK(set_parity(temp_ / "bare.mmh", 20'000));
  EXPECT_TRUE(read_file(temp_ / "bare.mmh") == appended);
  Buffer bad = appended;
  std::fill_n(bad.begin() + static_cast<std::ptrdiff_t>(bad.size() / 2), 3000, std::byte{0});
  write_file(path_, bad);
  ASSERT_OK(repair_pack(path_, {}));
  EXPECT_TRUE(read_file(path_) == appended);
}

TEST_F(ParityApi, AppendingMendsADamagedPackFirstOrRefuses) {
  write_file(temp_ / "in/later", random_bytes(50'000, 9));
  fs::copy_file(path_, temp_ / "sound.mmh");
  ASSERT_OK(append_to_pack(temp_ / "sound.mmh", {"in/later"}, pack_options(temp_ / ".")));
  const Buffer appended = read_file(temp_ / "sound.mmh");
  for (const Buffer& bad : {damaged(10'000, 3000), damaged(whole_.size() - 3000, 3000), damaged(0, 64),
                            Buffer(whole_.begin(), whole_.end() - 3000), Buffer(whole_.begin() + 100, whole_.end())}) {
    write_file(path_, bad);
    Warnings warnings;
    PackOptions options = pack_options(temp_ / ".");
    options.observer = &warnings;
    ASSERT_OK(append_to_pack(path_, {"in/later"}, options));
    EXPECT_TRUE(read_file(path_) == appended);
    ASSERT_FALSE(warnings.all.empty());
    EXPECT_THAT(warnings.all.back().what, testing::HasSubstr("mended"));
  }
  const Buffer hopeless = damaged(5000, 100'000);
  write_file(path_, hopeless);
  EXPECT_EQ(error_of(append_to_pack(path_, {"in/later"}, pack_options(temp_ / "."))), Errc::corrupt);
  EXPECT_TRUE(read_file(path_) == hopeless);
}

TEST_F(ParityApi, PipesGetTheSameBytesAsFiles) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ASSERT_GT(::fcntl(ends[1], F_SETPIPE_SZ, 1 << 20), 0);
  PackOptions options = pack_options(temp_ / ".");
  options.parity_ppm = 20'000;
  options.block_size = 16 << 10;
  ASSERT_OK(create_pack({"in"}, ends[1], options));
  ::close(ends[1]);
  Buffer got(whole_.size() + 1);
  const auto read = read_full(real_sys(), ends[0], got);
  ::close(ends[0]);
  got.resize(read.value);
  EXPECT_TRUE(got == whole_);
}

TEST_F(ParityApi, SalvageDeliversAllThatVerifiesWithoutAnyIndex) {
  ASSERT_OK(set_parity(path_, 0));
  Buffer bad = read_file(path_);
  std::fill_n(bad.end() - 1000, 1000, std::byte{0});  // index, trailers, footer
  std::fill_n(bad.begin() + 20'000, 100, std::byte{0});
  write_file(path_, bad);
  EXPECT_FALSE(Pack::open(path_).has_value());
  Warnings warnings;
  RunOptions run;
  run.observer = &warnings;
  const auto pack = Pack::salvage(path_, run);
  ASSERT_OK(pack);
  EXPECT_EQ(warnings.all.size(), 1u);
  const auto summary = pack->unpack(unpack_options(temp_ / "out"));
  ASSERT_OK(summary);
  EXPECT_EQ(summary->damaged, 1u);
  EXPECT_EQ(summary->files, 2u);
  for (const std::string name : {"in/text", "in/sub/noise", "in/empty"}) {
    if (fs::exists(temp_ / ("out/" + name))) {
      EXPECT_TRUE(read_file(temp_ / ("out/" + name)) == read_file(temp_ / name)) << name;
    }
  }
}

// ---- killed at every write ----

class KilledRepair : public ParityApi {
 protected:
  // Repairs `path_` with every file operation going through `sys`.
  static void repair(const std::string& path, Sys& sys) {
    TaskPool pool(1);
    const pack::ParityContext context{
        .sys = &sys, .pool = &pool, .memory = 64 << 20, .cancel = nullptr, .progress = {}};
    const auto opened = sys.openat(AT_FDCWD, path.c_str(), O_RDWR, 0);
    ASSERT_TRUE(static_cast<bool>(opened));
    const Fd fd(sys, opened.value);
    const auto source = open_source(sys, path);
    ASSERT_OK(source);
    const auto image = pack::HealedPack::open(**source, {}, context);
    ASSERT_OK(image);
    ASSERT_OK((*image)->heal());
    ASSERT_OK(pack::write_healed_in_place(**image, **source, fd.get(), context, nullptr));
  }
};

TEST_F(KilledRepair, LeavesAFileThatIsNoWorse) {
  // Scattered damage at the edge of the promise, in data and parity: one symbol more would be too much.
  Buffer bad = whole_;
  const auto source = memory_source(whole_, "x");
  const auto layout = pack::pack_parity(*source)->layout;
  ASSERT_GT(layout.symbols.losses_max(), 5u);
  for (std::uint64_t i = 0; i < layout.symbols.losses_max(); ++i) {
    bad[(3 * i + 1) * layout.symbols.symbol_size + 5] ^= std::byte{1};
  }
  write_file(path_, bad);
  sweep_kills(
      kWrites | SysOp::fsync | SysOp::ftruncate, [&](FaultySys& sys) { repair(path_, sys); },
      [&](std::uint64_t) {
        const std::string copy = temp_ / "copy.mmh";
        fs::copy_file(path_, copy, fs::copy_options::overwrite_existing);
        ASSERT_OK(repair_pack(copy, {}));
        EXPECT_TRUE(read_file(copy) == whole_);
      });
  EXPECT_TRUE(read_file(path_) == whole_);
}

TEST_F(KilledRepair, ReplacingParityLeavesOneOfBothWhole) {
  const auto source = memory_source(whole_, "x");
  const std::uint64_t data = pack::pack_parity(*source)->layout.goal.data_size;
  const auto replace = [&](FaultySys& sys) {
    TaskPool pool(1);
    const pack::ParityContext context{
        .sys = &sys, .pool = &pool, .memory = 64 << 20, .cancel = nullptr, .progress = {}};
    const auto opened = sys.openat(AT_FDCWD, path_.c_str(), O_RDWR, 0);
    const Fd fd(sys, opened.value);
    const auto front = memory_source(ByteView(whole_).first(static_cast<std::size_t>(data)), path_);
    ASSERT_OK(pack::replace_pack_parity(*front, whole_.size(), 50'000, context, fd.get()));
  };
  std::uint64_t round = 0;
  for (std::uint64_t n = 1;; ++n) {
    write_file(path_, whole_);
    const int status = in_child([&] {
      FaultySys sys;
      sys.kill_at(n, kWrites | SysOp::fsync | SysOp::ftruncate);
      replace(sys);
    });
    // Whatever stands there now, its parity heals damage to the data.
    Buffer left = read_file(path_);
    left[40'000] ^= std::byte{4};
    write_file(temp_ / "copy.mmh", left);
    if (n % 5 == 1) {
      ASSERT_OK(repair_pack(temp_ / "copy.mmh", {}));
      const Buffer healed = read_file(temp_ / "copy.mmh");
      EXPECT_TRUE(std::equal(whole_.begin(), whole_.begin() + static_cast<std::ptrdiff_t>(data), healed.begin()));
      ++round;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
  }
  EXPECT_GT(round, 2u);
}

TEST_F(KilledRepair, AppendingLeavesTheOldPackOrTheNewOneEachWithParity) {
  write_file(temp_ / "in/later", random_bytes(50'000, 9));
  const std::uint64_t data = pack::pack_parity(*memory_source(whole_, "x"))->layout.goal.data_size;
  const std::string bare = temp_ / "bare.mmh";
  write_file(bare, ByteView(whole_).first(static_cast<std::size_t>(data)));
  ASSERT_OK(append_to_pack(bare, {"in/later"}, pack_options(temp_ / ".")));
  const Buffer longer = read_file(bare);
  const ByteView added = ByteView(longer).subspan(static_cast<std::size_t>(data));
  ASSERT_OK(set_parity(bare, 20'000));
  const Buffer appended = read_file(bare);
  std::uint64_t old_ones = 0;
  std::uint64_t new_ones = 0;
  for (std::uint64_t n = 1;; ++n) {
    write_file(path_, whole_);
    const int status = in_child([&] {
      FaultySys sys;
      sys.kill_at(n, kWrites | SysOp::fsync | SysOp::ftruncate);
      TaskPool pool(1);
      const pack::ParityContext context{
          .sys = &sys, .pool = &pool, .memory = 64 << 20, .cancel = nullptr, .progress = {}};
      const auto opened = sys.openat(AT_FDCWD, path_.c_str(), O_RDWR, 0);
      const Fd fd(sys, opened.value);
      const auto front = memory_source(ByteView(whole_).first(static_cast<std::size_t>(data)), path_);
      const auto generation = memory_source(added, "generation");
      ASSERT_OK(pack::append_with_parity(*front, *generation, whole_.size(), 20'000, context, fd.get()));
    });
    // Whatever stands there now heals damage, and is one of both packs.
    Buffer left = read_file(path_);
    left[40'000] ^= std::byte{4};
    write_file(path_, left);
    ASSERT_OK(repair_pack(path_, {}));
    const Buffer healed = read_file(path_);
    EXPECT_TRUE(healed == whole_ || healed == appended) << n;
    ++(healed == whole_ ? old_ones : new_ones);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
  }
  EXPECT_GT(old_ones, 3u);
  EXPECT_GE(new_ones, 1u);
}

}  // namespace
}  // namespace mmh::test
