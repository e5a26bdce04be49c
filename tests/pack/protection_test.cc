#include "mmh/pack/protection.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "mmh/hash/blake3.h"
#include "protection_format.h"
#include "support/faulty_sys.h"
#include "support/support.h"

namespace mmh::test {
namespace {

namespace fs = std::filesystem;
using pack::ExamineGoal;
using pack::FindingKind;
using pack::ParityContext;
using pack::ProtectGoal;
using pack::ProtectionFinding;
using pack::ProtectionList;
using pack::ProtectionReport;
using pack::ProtectTotals;

using Tree = std::map<std::string, Buffer>;

class Protection : public testing::Test {
 protected:
  Protection() : protection_(temp_ / "x.mmhp"), base_(temp_ / "base") { fs::create_directories(base_); }

  std::string file(std::string_view name) const { return base_ + "/" + std::string(name); }
  void put(std::string_view name, ByteView bytes) const {
    fs::create_directories(fs::path(file(name)).parent_path());
    write_file(file(name), bytes);
  }
  // Changes bytes as a failing disk does: the time stays.
  void damage(std::string_view name, std::uint64_t offset, std::uint64_t length, std::uint64_t seed = 1) const {
    Buffer bytes = read_file(file(name));
    const Buffer noise = random_bytes(static_cast<std::size_t>(length), seed);
    std::copy(noise.begin(), noise.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
    replace(name, bytes);
  }
  void replace(std::string_view name, ByteView bytes) const {
    const auto time = fs::last_write_time(file(name));
    write_file(file(name), bytes);
    fs::last_write_time(file(name), time);
  }
  void touch(std::string_view name) const {
    fs::last_write_time(file(name), fs::last_write_time(file(name)) + std::chrono::seconds(5));
  }
  Tree tree() const {
    Tree found;
    for (const auto& item : fs::recursive_directory_iterator(base_)) {
      if (item.is_regular_file()) found[fs::relative(item.path(), base_)] = read_file(item.path());
    }
    return found;
  }

  ParityContext context(Sys& sys = real_sys()) {
    return {.sys = &sys, .pool = &pool_, .memory = 64 << 20, .cancel = nullptr, .progress = {}};
  }
  Result<ProtectTotals> protect(const ProtectGoal& changed = {}) {
    ProtectGoal goal = changed;
    goal.base = base_;
    if (goal.roots.empty()) goal.roots = {"."};
    problems_.clear();
    return pack::protect(protection_, goal, context(), [&](const Error& error) { problems_.push_back(error); });
  }
  Result<ProtectionReport> examine(ExamineGoal goal, Sys& sys = real_sys()) {
    goal.base = base_;
    MMH_LET(const auto source, open_source(sys, protection_));
    MMH_LET(const auto loaded, pack::load_protection(*source, nullptr));
    list_ = loaded.list;
    problems_.clear();
    return pack::examine_protection(*source, protection_, loaded, goal, context(sys),
                                    [&](const Error& error) { problems_.push_back(error); });
  }
  ProtectionReport verify() {
    const auto report = examine({});
    EXPECT_OK(report);
    return report ? *report : ProtectionReport{};
  }
  ProtectionReport repair(bool undo = false, std::vector<std::string> from = {}) {
    ExamineGoal goal;
    goal.repair = true;
    goal.undo = undo;
    goal.from = std::move(from);
    const auto report = examine(goal);
    EXPECT_OK(report);
    return report ? *report : ProtectionReport{};
  }
  const ProtectionFinding* finding(const ProtectionReport& report, std::string_view path) const {
    for (const ProtectionFinding& found : report.findings) {
      if (list_.files[found.file].path == path) return &found;
    }
    return nullptr;
  }
  void make_tree(std::uint64_t seed = 0) const {
    put("large", random_bytes(400'000, seed + 1));
    put("sub/middle", random_bytes(70'000, seed + 2));
    for (std::uint64_t i = 0; i < 60; ++i) {
      put("sub/small" + std::to_string(i), random_bytes(10 + 37 * i, seed + 3 + i));
    }
    put("empty", {});
  }
  std::uint64_t one_piece() const {
    const auto source = open_source(real_sys(), protection_);
    const auto loaded = pack::load_protection(**source, nullptr);
    return pack::section_head(**source, *loaded, 0, false)->layout.one_piece_max();
  }

  TempDir temp_;
  const std::string protection_, base_;
  TaskPool pool_{1};
  ProtectionList list_;
  std::vector<Error> problems_;
};

TEST_F(Protection, AnUntouchedTreeIsSoundAndProtectingItAgainChangesNothing) {
  make_tree();
  const auto made = protect();
  ASSERT_OK(made);
  EXPECT_EQ(made->files, 63u);
  EXPECT_EQ(made->added, 63u);
  EXPECT_TRUE(verify().sound());
  const Buffer before = read_file(protection_);
  const auto again = protect();
  ASSERT_OK(again);
  EXPECT_FALSE(again->written);
  EXPECT_TRUE(read_file(protection_) == before);
}

TEST_F(Protection, DependsNeitherOnThreadsNorOnMemory) {
  make_tree();
  ASSERT_OK(protect());
  const Buffer first = read_file(protection_);
  fs::remove(protection_);
  TaskPool three(3);
  const ParityContext small{.sys = &real_sys(), .pool = &three, .memory = 1 << 20, .cancel = nullptr, .progress = {}};
  ProtectGoal goal;
  goal.base = base_;
  goal.roots = {"."};
  ASSERT_OK(pack::protect(protection_, goal, small, [](const Error&) {}));
  EXPECT_TRUE(read_file(protection_) == first);
}

TEST_F(Protection, DamageAndLossUpToThePromiseComeBackAndMoreIsNamed) {
  make_tree();
  const Tree whole = tree();
  ASSERT_OK(protect());
  const std::uint64_t promise = one_piece();
  for (const std::uint64_t place : {std::uint64_t{0}, std::uint64_t{1}, 400'000 - promise}) {
    damage("large", place, promise, place);
    const auto report = verify();
    ASSERT_NE(finding(report, "large"), nullptr);
    EXPECT_EQ(finding(report, "large")->kind, FindingKind::damaged);
    EXPECT_TRUE(finding(report, "large")->healable);
    EXPECT_TRUE(finding(repair(), "large")->restored);
    EXPECT_TRUE(tree() == whole);
  }
  damage("large", 1000, 2 * promise, 9);
  const Buffer bad = read_file(file("large"));
  fs::remove(file("empty"));
  const auto report = repair();
  EXPECT_FALSE(finding(report, "large")->healable);
  EXPECT_FALSE(finding(report, "large")->restored);
  EXPECT_TRUE(finding(report, "empty")->restored);
  EXPECT_TRUE(read_file(file("large")) == bad);
}

TEST_F(Protection, ManySmallFilesAreProtectedTogetherAndComeBackTogether) {
  for (std::uint64_t i = 0; i < 2000; ++i)
    put("d" + std::to_string(i % 7) + "/f" + std::to_string(i), random_bytes(50 + i % 90, i));
  const Tree whole = tree();
  const auto made = protect({.loss_ppm = 100'000});
  ASSERT_OK(made);
  // A list of hashes and names twice, and a tenth of the bytes: no block for each.
  EXPECT_LT(made->stored_bytes, 2000u * 2 * 80 + 2 * made->bytes / 10 + 20'000);
  // Neighbours in the order of paths.
  std::uint64_t removed = 0;
  for (const auto& [path, bytes] : whole) {
    if (!path.starts_with("d3/") || removed == 150) continue;
    fs::remove(file(path));
    ++removed;
  }
  EXPECT_EQ(verify().findings.size(), 150u);
  repair();
  EXPECT_TRUE(tree() == whole);
}

TEST_F(Protection, RestoredFilesKeepModeAndTime) {
  make_tree();
  ::chmod(file("sub/small50").c_str(), 0640);
  fs::last_write_time(file("sub/small50"), fs::last_write_time(file("sub/small50")) - std::chrono::hours(1000));
  const auto time = fs::last_write_time(file("sub/small50"));
  ASSERT_OK(protect());
  damage("sub/small50", 5, 100);
  repair();
  EXPECT_EQ(fs::last_write_time(file("sub/small50")), time);
  fs::remove(file("sub/small50"));
  repair();
  struct stat info{};
  ASSERT_EQ(::stat(file("sub/small50").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640u);
  EXPECT_EQ(fs::last_write_time(file("sub/small50")), time);
  EXPECT_TRUE(verify().sound());
}

TEST_F(Protection, ChangedFilesAreNamedAndLeftUnlessTold) {
  make_tree();
  const Tree whole = tree();
  ASSERT_OK(protect());
  put("sub/middle", random_bytes(70'000, 77));
  touch("sub/middle");
  damage("large", 7000, 3);
  // What was changed is lost to parity as well: a small share of it is left for the damage.
  const auto report = verify();
  EXPECT_EQ(finding(report, "sub/middle")->kind, FindingKind::changed);
  put("sub/middle", whole.at("sub/middle"));
  damage("sub/middle", 10, 20);
  touch("sub/middle");
  const Buffer changed = read_file(file("sub/middle"));
  const auto left = repair();
  EXPECT_FALSE(finding(left, "sub/middle")->restored);
  EXPECT_TRUE(finding(left, "large")->restored);
  EXPECT_TRUE(read_file(file("sub/middle")) == changed);
  EXPECT_TRUE(finding(repair(true), "sub/middle")->restored);
  EXPECT_TRUE(tree() == whole);
}

TEST_F(Protection, MovedFilesAreFoundAndServeWithoutCostingParity) {
  make_tree();
  const Tree whole = tree();
  ASSERT_OK(protect());
  fs::create_directories(file("elsewhere"));
  fs::rename(file("large"), file("elsewhere/renamed"));
  fs::rename(file("sub/small20"), file("small"));
  damage("sub/middle", 100, 5000);
  auto report = verify();
  ASSERT_NE(finding(report, "large"), nullptr);
  EXPECT_EQ(finding(report, "large")->kind, FindingKind::moved);
  EXPECT_EQ(finding(report, "large")->found, "elsewhere/renamed");
  EXPECT_EQ(finding(report, "sub/small20")->found, "small");
  report = repair();
  EXPECT_TRUE(finding(report, "sub/middle")->restored);
  EXPECT_FALSE(fs::exists(file("large")));
  // Protecting again takes the new names, and makes no parity.
  const auto again = protect();
  ASSERT_OK(again);
  EXPECT_EQ(again->moved, 2u);
  EXPECT_EQ(again->encoded_bytes, 0u);
  EXPECT_TRUE(verify().sound());
  damage("elsewhere/renamed", 3, 900);
  repair();
  EXPECT_TRUE(read_file(file("elsewhere/renamed")) == whole.at("large"));
}

TEST_F(Protection, UndoingMovesWorksWhereFilesTookEachOthersNames) {
  make_tree();
  const Tree whole = tree();
  ASSERT_OK(protect());
  fs::rename(file("large"), file("t"));
  fs::rename(file("sub/middle"), file("large"));
  fs::rename(file("t"), file("sub/middle"));
  touch("large");
  touch("sub/middle");
  EXPECT_EQ(verify().findings.size(), 2u);
  repair(true);
  EXPECT_TRUE(tree() == whole);
}

TEST_F(Protection, InsertedAndDeletedBytesAreFoundAgain) {
  put("a", random_bytes(1'500'000, 1));
  put("b", random_bytes(500'000, 2));
  const Tree whole = tree();
  ASSERT_OK(protect({.loss_ppm = 20'000}));
  Buffer longer = random_bytes(777, 5);
  append(longer, whole.at("a"));
  replace("a", longer);
  repair();
  EXPECT_TRUE(tree() == whole);
  Buffer shorter = whole.at("a");
  shorter.erase(shorter.begin() + 600'001, shorter.begin() + 601'234);
  replace("a", shorter);
  EXPECT_TRUE(finding(repair(), "a")->restored);
  EXPECT_TRUE(tree() == whole);
}

TEST_F(Protection, OtherCopiesServeWhereParityDoesNot) {
  make_tree();
  const Tree whole = tree();
  ASSERT_OK(protect());
  const std::string mirror = temp_ / "mirror";
  fs::copy(base_, mirror, fs::copy_options::recursive);
  // Each copy has lost another half of the file.
  damage("large", 0, 200'000, 99);
  Buffer other = whole.at("large");
  std::fill(other.begin() + 220'000, other.end(), std::byte{0});
  write_file(mirror + "/large", other);
  fs::remove(file("sub/middle"));
  const auto alone = repair();
  ASSERT_NE(finding(alone, "large"), nullptr);
  EXPECT_FALSE(finding(alone, "large")->restored);
  const auto together = repair(false, {mirror});
  ASSERT_NE(finding(together, "large"), nullptr);
  EXPECT_TRUE(finding(together, "large")->restored);
  EXPECT_TRUE(tree() == whole);
}

TEST_F(Protection, AppendsWithoutMakingOldParityAgain) {
  make_tree();
  ASSERT_OK(protect());
  put("new/one", random_bytes(30'000, 50));
  const auto second = protect();
  ASSERT_OK(second);
  EXPECT_EQ(second->added, 1u);
  EXPECT_EQ(second->encoded_bytes, 30'000u);
  EXPECT_TRUE(verify().sound());
  EXPECT_EQ(list_.sets.size(), 2u);
  damage("new/one", 5, 900);
  damage("large", 5, 900);
  EXPECT_EQ(repair().findings.size(), 2u);
  EXPECT_TRUE(verify().sound());
  // Sets that are small beside what is new are joined to it.
  put("new/two", random_bytes(40'000, 51));
  ASSERT_OK(protect());
  EXPECT_TRUE(verify().sound());
  EXPECT_EQ(list_.sets.size(), 2u);
  // A changed file makes its set anew.
  put("new/one", random_bytes(31'000, 52));
  touch("new/one");
  const auto third = protect();
  ASSERT_OK(third);
  EXPECT_EQ(third->changed, 1u);
  EXPECT_EQ(third->encoded_bytes, 71'000u);
  EXPECT_TRUE(verify().sound());
}

TEST_F(Protection, KeepsWhatIsGoneUntilToldToForget) {
  make_tree();
  const Tree whole = tree();
  ASSERT_OK(protect());
  fs::remove(file("sub/small40"));
  const auto kept = protect();
  ASSERT_OK(kept);
  EXPECT_EQ(kept->missing, 1u);
  EXPECT_EQ(problems_.size(), 1u);
  repair();
  EXPECT_TRUE(tree() == whole);
  fs::remove(file("sub/small40"));
  const auto forgotten = protect({.forget = true});
  ASSERT_OK(forgotten);
  EXPECT_EQ(forgotten->dropped, 1u);
  EXPECT_TRUE(verify().sound());
}

TEST_F(Protection, DamageIsNeverProtectedAnew) {
  make_tree();
  ASSERT_OK(protect());
  damage("large", 9, 9);
  const Buffer before = read_file(protection_);
  put("sub/small9", random_bytes(100, 5));
  touch("sub/small9");
  EXPECT_EQ(error_of(protect()), Errc::corrupt);
  EXPECT_TRUE(read_file(protection_) == before);
  repair();
  EXPECT_OK(protect());
}

TEST_F(Protection, MendsItself) {
  make_tree();
  ASSERT_OK(protect());
  const Buffer whole = read_file(protection_);
  const auto source = open_source(real_sys(), protection_);
  const auto loaded = pack::load_protection(**source, nullptr);
  ASSERT_OK(loaded);
  const auto section = static_cast<std::size_t>(loaded->section_offsets[0]);
  const std::vector<std::pair<std::size_t, std::size_t>> losses = {
      {0, 3000},                    // a root and a shard of the list
      {0, section - 10},            // all of the list in front
      {whole.size() - 5000, 5000},  // a root and shards behind
      {section, 300},               // the head of the section
      {section, whole.size() / 3},  // its checks, and repair symbols
      {whole.size() / 2, 5000},     // repair symbols
      {section - 3, 1},             // padding
  };
  for (const auto& [offset, length] : losses) {
    Buffer bad = whole;
    std::fill_n(bad.begin() + static_cast<std::ptrdiff_t>(offset), length, std::byte{0xEE});
    write_file(protection_, bad);
    EXPECT_TRUE(verify().own_damage) << offset;
    EXPECT_TRUE(repair().own_mended) << offset;
    EXPECT_TRUE(read_file(protection_) == whole) << offset;
  }
  for (const std::size_t cut : {std::size_t{1}, std::size_t{4000}}) {
    write_file(protection_, ByteView(whole).subspan(cut));
    EXPECT_TRUE(repair().own_mended);
    EXPECT_TRUE(read_file(protection_) == whole);
    write_file(protection_, ByteView(whole).first(whole.size() - cut));
    EXPECT_TRUE(repair().own_mended);
    EXPECT_TRUE(read_file(protection_) == whole);
  }
}

TEST_F(Protection, MendsFilesAndItselfTogether) {
  make_tree();
  const Tree files = tree();
  ASSERT_OK(protect({.loss_ppm = 100'000}));
  const Buffer whole = read_file(protection_);
  Buffer bad = whole;
  std::fill_n(bad.begin() + static_cast<std::ptrdiff_t>(bad.size() / 2), 8000, std::byte{0});
  write_file(protection_, bad);
  damage("large", 100, 9000);
  const auto report = repair();
  EXPECT_TRUE(report.own_mended);
  EXPECT_TRUE(read_file(protection_) == whole);
  EXPECT_TRUE(tree() == files);
}

TEST_F(Protection, EveryFlippedByteOfASmallOneIsFoundAndMended) {
  put("a", random_bytes(300, 1));
  ASSERT_OK(protect());
  const Buffer whole = read_file(protection_);
  for (std::size_t i = 0; i < whole.size(); i += 37) {
    Buffer bad = whole;
    bad[i] ^= std::byte{0x10};
    write_file(protection_, bad);
    const auto report = repair();
    EXPECT_TRUE(report.own_damage && report.own_mended) << i;
    ASSERT_TRUE(read_file(protection_) == whole) << i;
  }
}

TEST_F(Protection, AFileThatADiskCannotReadInPlacesIsDamagedNotGone) {
  put("a", random_bytes(300'000, 1));
  ASSERT_OK(protect());
  const auto source = open_source(real_sys(), protection_);
  const auto loaded = pack::load_protection(**source, nullptr);
  list_ = loaded->list;
  FaultySys sys;
  sys.fail_nth(1, EIO, SysOp::pread);
  ExamineGoal goal;
  goal.base = base_;
  const auto report = pack::examine_protection(**source, protection_, *loaded, goal, context(sys), [](const Error&) {});
  ASSERT_OK(report);
  ASSERT_NE(finding(*report, "a"), nullptr);
  EXPECT_EQ(finding(*report, "a")->kind, FindingKind::damaged);
  EXPECT_TRUE(finding(*report, "a")->healable);
}

TEST_F(Protection, RefusesWhatIsNone) {
  make_tree();
  write_file(protection_, random_bytes(5000, 1));
  EXPECT_EQ(error_of(protect()), Errc::exists);
  EXPECT_EQ(error_of(examine({})), Errc::corrupt);
  fs::remove(protection_);
  fs::create_directories(protection_);
  EXPECT_EQ(error_of(protect()), Errc::exists);
  fs::remove(protection_);
  EXPECT_EQ(error_of(protect({.roots = {"nothing"}})), Errc::not_found);
  fs::create_directories(file("bare"));
  EXPECT_EQ(error_of(protect({.roots = {"bare"}})), Errc::usage);
}

TEST_F(Protection, LinksNeverLeadOutside) {
  make_tree();
  ASSERT_OK(protect());
  const std::string outside = temp_ / "outside";
  fs::create_directories(outside);
  fs::rename(base_ + "/sub", temp_ / "kept");
  fs::create_symlink(outside, base_ + "/sub");
  repair();
  EXPECT_TRUE(fs::is_empty(outside));
  // A link in a file's place is no file, and what it leads to stays.
  fs::remove(base_ + "/sub");
  fs::rename(temp_ / "kept", base_ + "/sub");
  write_file(outside + "/target", random_bytes(5, 1));
  fs::remove(file("sub/small3"));
  fs::create_symlink(outside + "/target", file("sub/small3"));
  repair();
  EXPECT_EQ(read_file(outside + "/target").size(), 5u);
}

TEST_F(Protection, NamesThatLeadOutsideAreRefused) {
  ProtectionList list;
  list.loss_ppm = 10'000;
  list.roots = {"."};
  list.files.resize(1);
  list.files[0].hash = hash::blake3({});
  for (const char* path : {"../x", "/etc/x", "a/../../x", "", "a//b", "./a"}) {
    list.files[0].path = path;
    EXPECT_FALSE(pack::parse_list(pack::write_list(list)).has_value()) << path;
  }
  list.files[0].path = "a";
  EXPECT_OK(pack::parse_list(pack::write_list(list)));
  list.roots = {"../x"};
  EXPECT_EQ(error_of(pack::parse_list(pack::write_list(list))), Errc::unsafe);
}

TEST_F(Protection, ListsThatDoNotHoldTogetherAreRefused) {
  ProtectionList good;
  good.loss_ppm = 10'000;
  good.roots = {"."};
  good.sets = {{10, 1000}};
  for (int i = 0; i < 2; ++i) {
    pack::ProtectedFile file;
    file.path = std::string(1, static_cast<char>('a' + i));
    file.size = 5;
    file.offset = i == 0 ? 0 : 5;
    good.files.push_back(file);
  }
  EXPECT_TRUE(pack::parse_list(pack::write_list(good))->files == good.files);
  const auto refused = [&](const auto& change) {
    ProtectionList bad = good;
    change(bad);
    return !pack::parse_list(pack::write_list(bad)).has_value();
  };
  EXPECT_TRUE(refused([](ProtectionList& list) { list.files[1].offset = 4; }));
  EXPECT_TRUE(refused([](ProtectionList& list) { list.files[1].set = 1; }));
  EXPECT_TRUE(refused([](ProtectionList& list) { list.sets[0].data_size = 11; }));
  EXPECT_TRUE(refused([](ProtectionList& list) { list.files[1].path = "a"; }));
  EXPECT_TRUE(refused([](ProtectionList& list) { list.files[0].mode = 0100000; }));
  EXPECT_TRUE(refused([](ProtectionList& list) { list.files[0].mtime_nanoseconds = 1'000'000'000; }));
  EXPECT_TRUE(refused([](ProtectionList& list) { list.files[1].size = 0; }));
  const Buffer raw = pack::write_list(good);
  for (std::size_t keep = 0; keep < raw.size(); ++keep) {
    const Buffer cut = copy_of(ByteView(raw).first(keep));
    EXPECT_FALSE(pack::parse_list(cut).has_value()) << keep;
  }
}

TEST_F(Protection, KilledAtAnyWriteLeavesEachFileOldOrNewAndARepairThatGoesOn) {
  put("a", random_bytes(90'000, 1));
  put("b/c", random_bytes(3000, 2));
  const Tree whole = tree();
  ASSERT_OK(protect({.loss_ppm = 100'000}));
  const Buffer protection = read_file(protection_);
  const auto spoil = [&] {
    damage("a", 1000, 2000);
    fs::remove(file("b/c"));
    Buffer bad = protection;
    bad[50] ^= std::byte{1};
    write_file(protection_, bad);
  };
  spoil();
  const Buffer bad = read_file(file("a"));
  const std::uint64_t killed = sweep_kills(
      kWrites | SysOp::fsync | SysOp::ftruncate | SysOp::renameat | SysOp::linkat | SysOp::futimens | SysOp::fchmod,
      [&](FaultySys& sys) {
        ExamineGoal goal;
        goal.repair = true;
        goal.base = base_;
        const auto source = open_source(sys, protection_);
        const auto loaded = pack::load_protection(**source, nullptr);
        ASSERT_OK(pack::examine_protection(**source, protection_, *loaded, goal, context(sys), [](const Error&) {}));
      },
      [&](std::uint64_t) {
        const Buffer now = read_file(file("a"));
        EXPECT_TRUE(now == bad || now == whole.at("a"));
        if (fs::exists(file("b/c"))) {
          EXPECT_TRUE(read_file(file("b/c")) == whole.at("b/c"));
        }
        const auto report = repair();
        for (const ProtectionFinding& found : report.findings) {
          EXPECT_TRUE(found.restored) << list_.files[found.file].path << " " << static_cast<int>(found.kind);
        }
        // All that a kill may leave behind is a temporary name.
        Tree now_there = tree();
        std::erase_if(now_there, [](const auto& item) { return item.first.ends_with(".tmp"); });
        EXPECT_TRUE(now_there == whole);
        EXPECT_TRUE(read_file(protection_) == protection);
        spoil();
      });
  EXPECT_GT(killed, 3u);
}

}  // namespace
}  // namespace mmh::test
