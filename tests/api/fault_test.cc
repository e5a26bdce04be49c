// The packing engine and the extractor on a file system that fails.

#include <fcntl.h>

#include <cerrno>
#include <filesystem>

#include "api/support.h"
#include "mmh/base/files.h"
#include "mmh/codecs/builtin.h"
#include "mmh/content/planner.h"
#include "mmh/pack/extract.h"
#include "mmh/pack/packer.h"
#include "mmh/pack/reader.h"
#include "mmh/tree/restore.h"
#include "support/faulty_sys.h"
#include "support/trees.h"

namespace mmh::test {
namespace {

namespace fs = std::filesystem;

const TreeSpec kSmallTree{
    .seed = 3, .entries = 12, .file_size_bytes_max = 20'000, .total_bytes_max = 100'000, .long_path_bytes = 0};

Result<pack::PackerTotals> pack_through(Sys& sys, const std::string& directory, const std::string& output,
                                        std::vector<Error>& problems) {
  const codec::Registry& registry = codecs::builtin_registry();
  pack::PackerOptions options;
  options.sys = &sys;
  options.registry = &registry;
  options.planner = &content::default_planner(registry);
  options.level = 1;
  options.memory = kMemoryMin;
  options.problem = [&](const Error& error) { problems.push_back(error); };
  MMH_LET(const auto file, AtomicFile::create(sys, output, true));
  tree::WalkOptions walk;
  walk.base = directory;
  walk.roots = {"in"};
  MMH_LET(const auto totals, pack::pack_tree(options, walk, *file));
  MMH_TRY(file->commit());
  return totals;
}

Result<pack::ExtractTotals> extract_through(Sys& sys, const std::string& file, const std::string& target,
                                            std::vector<Error>& problems) {
  MMH_LET(auto source, open_source(sys, file));
  MMH_LET(const auto reader, pack::Reader::open(std::move(source), codecs::builtin_registry()));
  const tree::ProblemSink problem = [&](const Error& error) { problems.push_back(error); };
  tree::RestoreOptions restore;
  restore.target = target;
  restore.permissions = restore.owners = restore.devices = true;
  MMH_LET(const auto restorer, tree::Restorer::open(sys, restore, problem));
  pack::ExtractOptions options;
  options.problem = problem;
  return pack::extract(*reader, *restorer, options);
}

bool holds_temporary(const std::string& directory) {
  for (const std::string& path : list_tree(directory)) {
    if (path.find(".mmh-") != std::string::npos) return true;
  }
  return false;
}

class Faults : public testing::TestWithParam<int> {
 protected:
  TempDir temp_;
};

TEST_P(Faults, PackingSucceedsNamesWhatItLeftOutOrLeavesNothing) {
  make_tree(temp_ / "in", kSmallTree);
  fs::create_directory(temp_ / "out");
  const std::string output = temp_ / "out/t.mmh";
  std::vector<Error> none;
  ASSERT_OK(pack_through(real_sys(), temp_ / ".", output, none));
  const Buffer whole = read_file(output);
  const std::uint64_t faults = sweep_faults(GetParam(), kEveryOp, [&](FaultySys& sys, std::uint64_t n) {
    write_file(output, as_bytes("older"));
    std::vector<Error> problems;
    const auto packed = pack_through(sys, temp_ / ".", output, problems);
    const Buffer now = read_file(output);
    if (!packed) {
      EXPECT_FALSE(packed.error().what.empty());
      EXPECT_TRUE(as_text(now) == "older" || now == whole) << "fault " << n;
    } else if (now != whole) {
      // Left out, and said so; or the fault hit an optional call (attributes, holes) whose absence shows in the bytes.
      EXPECT_FALSE(problems.empty()) << "fault " << n << "\n" << sys.log_text();
      const auto opened = Pack::open(output);
      ASSERT_OK(opened);
      EXPECT_TRUE(opened->verify(true, {})->sound);
    }
  });
  EXPECT_GT(faults, 50u);
}

TEST_P(Faults, UnpackingRestoresExactlyOrNamesWhatItCouldNot) {
  make_tree(temp_ / "in", kSmallTree);
  std::vector<Error> none;
  ASSERT_OK(pack_through(real_sys(), temp_ / ".", temp_ / "t.mmh", none));
  const std::uint64_t faults = sweep_faults(GetParam(), kEveryOp, [&](FaultySys& sys, std::uint64_t n) {
    const std::string target = temp_ / ("out" + std::to_string(n));
    std::vector<Error> problems;
    const auto extracted = extract_through(sys, temp_ / "t.mmh", target, problems);
    if (extracted && problems.empty()) {
      EXPECT_EQ(compare_trees(temp_ / "in", target + "/in"), "") << "fault " << n;
    }
    if (fs::exists(target)) {
      // Whatever stands under a final name is whole.
      for (const std::string& path : list_tree(target)) {
        const fs::path restored = fs::path(target) / path;
        if (fs::symlink_status(restored).type() != fs::file_type::regular) continue;
        if (path.find(".mmh-") != std::string::npos) continue;
        EXPECT_TRUE(read_file(restored.string()) == read_file(temp_ / path)) << path << ", fault " << n;
      }
      fs::remove_all(target);
    }
  });
  EXPECT_GT(faults, 50u);
}

INSTANTIATE_TEST_SUITE_P(Errors, Faults, testing::Values(EIO, ENOSPC));

TEST(FaultsOfSize, ShortReadsAndWritesChangeNothing) {
  const TempDir temp;
  make_tree(temp / "in", kSmallTree);
  std::vector<Error> problems;
  ASSERT_OK(pack_through(real_sys(), temp / ".", temp / "t.mmh", problems));
  FaultySys slow;
  slow.shorten(7);
  ASSERT_OK(pack_through(slow, temp / ".", temp / "u.mmh", problems));
  EXPECT_TRUE(read_file(temp / "t.mmh") == read_file(temp / "u.mmh"));
  ASSERT_OK(extract_through(slow, temp / "u.mmh", temp / "out", problems));
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(compare_trees(temp / "in", temp / "out/in"), "");
}

TEST(FaultsOfSize, AFullDiskLeavesNothingAndSaysSo) {
  const TempDir temp;
  fs::create_directories(temp / "in");
  fs::create_directories(temp / "out");
  write_file(temp / "in/noise", random_bytes(300'000, 1));
  for (const std::uint64_t space : {0u, 1u, 1000u, 200'000u, 300'000u}) {
    FaultySys full;
    full.limit_space(space);
    std::vector<Error> problems;
    EXPECT_EQ(error_of(pack_through(full, temp / ".", temp / "out/t.mmh", problems)), Errc::no_space);
    EXPECT_TRUE(list_tree(temp / "out").empty());
  }
}

TEST(Kills, PackingLeavesNoPartialFileUnderItsName) {
  const TempDir temp;
  make_tree(temp / "in", kSmallTree);
  fs::create_directory(temp / "out");
  const std::string output = temp / "out/t.mmh";
  std::vector<Error> none;
  ASSERT_OK(pack_through(real_sys(), temp / ".", output, none));
  const Buffer whole = read_file(output);
  fs::remove(output);
  const std::uint64_t kills = sweep_kills(
      kEveryOp,
      [&](FaultySys& sys) {
        std::vector<Error> problems;
        static_cast<void>(pack_through(sys, temp / ".", output, problems));
      },
      [&](std::uint64_t n) {
        if (fs::exists(output)) {
          EXPECT_TRUE(read_file(output) == whole) << "kill " << n;
        }
        for (const std::string& path : list_tree(temp / "out")) fs::remove(temp / ("out/" + path));
      });
  EXPECT_GT(kills, 50u);
}

TEST(Kills, UnpackingLeavesNoPartialFileUnderItsName) {
  const TempDir temp;
  make_tree(temp / "in", kSmallTree);
  std::vector<Error> none;
  ASSERT_OK(pack_through(real_sys(), temp / ".", temp / "t.mmh", none));
  sweep_kills(
      kEveryOp,
      [&](FaultySys& sys) {
        std::vector<Error> problems;
        static_cast<void>(extract_through(sys, temp / "t.mmh", temp / "out", problems));
      },
      [&](std::uint64_t n) {
        if (!fs::exists(temp / "out")) return;
        for (const std::string& path : list_tree(temp / "out")) {
          const fs::path restored = fs::path(temp / "out") / path;
          if (fs::symlink_status(restored).type() != fs::file_type::regular) continue;
          if (path.find(".mmh-") != std::string::npos) continue;  // named so that it is known for what it is
          EXPECT_TRUE(read_file(restored.string()) == read_file(temp / path)) << path << ", kill " << n;
        }
        fs::remove_all(temp / "out");
      });
}

TEST(FaultsOfSize, LeaveNoTemporariesBehindAFailedUnpack) {
  const TempDir temp;
  fs::create_directories(temp / "in");
  write_file(temp / "in/noise", random_bytes(300'000, 1));
  std::vector<Error> problems;
  ASSERT_OK(pack_through(real_sys(), temp / ".", temp / "t.mmh", problems));
  FaultySys full;
  full.limit_space(100'000);
  EXPECT_EQ(error_of(extract_through(full, temp / "t.mmh", temp / "out", problems)), Errc::no_space);
  EXPECT_FALSE(holds_temporary(temp / "out"));
  EXPECT_FALSE(fs::exists(temp / "out/in/noise"));
}

}  // namespace
}  // namespace mmh::test
