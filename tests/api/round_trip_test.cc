#include <fcntl.h>
#include <rapidcheck.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <optional>
#include <tuple>

#include "api/support.h"
#include "support/process.h"
#include "support/trees.h"

namespace mmh::test {
namespace {

namespace fs = std::filesystem;

TEST(RoundTrip, KeepsARandomTreeExactly) {
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    const TempDir temp;
    make_tree(temp / "in", {.seed = seed, .entries = 300});
    const auto packed = create_pack({"in"}, temp / "t.mmh", pack_options(temp / "."));
    ASSERT_OK(packed);
    unpack_all(temp / "t.mmh", temp / "out");
    EXPECT_EQ(compare_trees(temp / "in", temp / "out/in", {.root = true}), "") << "seed " << seed;
  }
}

TEST(RoundTrip, BytesDependOnNeitherThreadsNorRun) {
  const TempDir temp;
  make_tree(temp / "in", {.seed = 7, .entries = 400, .total_bytes_max = 24 << 20});
  for (const int level : {1, 5, 7}) {
    std::map<unsigned, Buffer> packs;
    for (const unsigned threads : {1u, 2u, 7u}) {
      PackOptions options = pack_options(temp / ".", threads);
      options.level = level;
      options.force = true;
      options.memory = kMemoryMin;
      ASSERT_OK(create_pack({"in"}, temp / "t.mmh", options));
      packs[threads] = read_file(temp / "t.mmh");
    }
    EXPECT_TRUE(packs[1] == packs[2]) << "level " << level;
    EXPECT_TRUE(packs[1] == packs[7]) << "level " << level;
  }
}

TEST(RoundTrip, RootDependsOnContentAndMetadataOnly) {
  const TempDir temp;
  make_tree(temp / "in", {.seed = 11, .entries = 120});
  std::vector<Hash> roots;
  for (const int level : {1, 4, 9}) {
    PackOptions options = pack_options(temp / ".", static_cast<unsigned>(level));
    options.level = level;
    options.block_size = level == 4 ? 64 << 10 : 0;
    options.force = true;
    const auto packed = create_pack({"in"}, temp / "t.mmh", options);
    ASSERT_OK(packed);
    roots.push_back(packed->root);
  }
  EXPECT_EQ(roots[0], roots[1]);
  EXPECT_EQ(roots[0], roots[2]);

  ASSERT_EQ(::chmod((temp / "in").c_str(), 0711), 0);
  const auto changed = create_pack({"in"}, temp / "u.mmh", pack_options(temp / "."));
  ASSERT_OK(changed);
  EXPECT_NE(changed->root, roots[0]);
}

TEST(RoundTrip, HoldsFilesOfEverySizeAroundItsBoundaries) {
  constexpr std::size_t kKiB = 1024;
  constexpr std::size_t kMiB = 1024 * kKiB;
  const TempDir temp;
  fs::create_directory(temp / "in");
  std::uint64_t seed = 0;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, kKiB, 16 * kKiB, 64 * kKiB, 256 * kKiB, 4 * kMiB, 8 * kMiB, 13 * kMiB}) {
    for (const int delta : {-1, 0, 1}) {
      if (size == 0 && delta < 0) continue;
      const std::size_t exact = size + static_cast<std::size_t>(delta);
      ++seed;
      write_file(temp / ("in/text" + std::to_string(exact)), text_bytes(exact, seed));
      write_file(temp / ("in/random" + std::to_string(exact)), random_bytes(exact, seed));
    }
  }
  ASSERT_OK(create_pack({"in"}, temp / "t.mmh", pack_options(temp / ".")));
  unpack_all(temp / "t.mmh", temp / "out");
  EXPECT_EQ(compare_trees(temp / "in", temp / "out/in"), "");
}

TEST(RoundTrip, StoresDuplicatesOnce) {
  const TempDir temp;
  fs::create_directory(temp / "in");
  const Buffer content = random_bytes(6 << 20, 1);
  for (const char* name : {"a", "b", "c"}) write_file(temp / (std::string("in/") + name), content);
  Buffer shifted = random_bytes(1000, 2);
  append(shifted, content);
  write_file(temp / "in/shifted", shifted);
  const auto packed = create_pack({"in"}, temp / "t.mmh", pack_options(temp / "."));
  ASSERT_OK(packed);
  EXPECT_LT(packed->pack_bytes, content.size() * 5 / 4);
  unpack_all(temp / "t.mmh", temp / "out");
  EXPECT_EQ(compare_trees(temp / "in", temp / "out/in"), "");
}

TEST(RoundTrip, NeverGrowsIncompressibleDataByMoreThanHeaders) {
  const TempDir temp;
  fs::create_directory(temp / "in");
  write_file(temp / "in/noise", random_bytes(32 << 20, 5));
  for (const int level : {1, 5, 9}) {
    PackOptions options = pack_options(temp / ".");
    options.level = level;
    options.force = true;
    const auto packed = create_pack({"in"}, temp / "t.mmh", options);
    ASSERT_OK(packed);
    EXPECT_LT(packed->pack_bytes, (32u << 20) + 4096) << "level " << level;
  }
}

TEST(RoundTrip, KeepsHoles) {
  const TempDir temp;
  fs::create_directory(temp / "in");
  const int fd = ::open((temp / "in/sparse").c_str(), O_CREAT | O_WRONLY, 0644);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::ftruncate(fd, off_t{300} << 20), 0);
  const Buffer data = text_bytes(100'000, 1);
  ASSERT_EQ(::pwrite(fd, data.data(), data.size(), off_t{120} << 20), ssize_t(data.size()));
  ::close(fd);
  const auto packed = create_pack({"in"}, temp / "t.mmh", pack_options(temp / "."));
  ASSERT_OK(packed);
  EXPECT_GT(packed->hole_bytes, 290u << 20);
  EXPECT_LT(packed->pack_bytes, 200'000u);
  unpack_all(temp / "t.mmh", temp / "out");
  struct stat info{};
  ASSERT_EQ(::stat((temp / "out/in/sparse").c_str(), &info), 0);
  EXPECT_LT(info.st_blocks * 512, 1 << 20);
  EXPECT_EQ(compare_trees(temp / "in", temp / "out/in"), "");
}

TEST(RoundTrip, GivesBackATarStream) {
  const TempDir temp;
  make_tree(temp / "in", {.seed = 21, .entries = 150, .sparse = false});
  const auto made = run_process({"tar", "-C", temp / ".", "--format=pax", "--xattrs", "-cf", temp / "in.tar", "in"});
  ASSERT_EQ(made.status, 0) << made.err;
  const int tar = ::open((temp / "in.tar").c_str(), O_RDONLY);
  const auto packed = create_pack_from_tar(tar, {temp / "t.mmh", -1}, pack_options("."));
  ::close(tar);
  ASSERT_OK(packed);
  unpack_all(temp / "t.mmh", temp / "out");
  EXPECT_EQ(compare_trees(temp / "in", temp / "out/in", {.xattrs = false}), "");

  const auto opened = Pack::open(temp / "t.mmh");
  ASSERT_OK(opened);
  const int back = ::open((temp / "back.tar").c_str(), O_CREAT | O_WRONLY, 0644);
  ASSERT_OK(opened->write_tar(back, unpack_options(".")));
  ::close(back);
  fs::create_directory(temp / "tarred");
  const auto extracted = run_process({"tar", "-C", temp / "tarred", "--xattrs", "-xpf", temp / "back.tar"});
  ASSERT_EQ(extracted.status, 0) << extracted.err;
  EXPECT_EQ(compare_trees(temp / "in", temp / "tarred/in", {.xattrs = false}), "");
}

TEST(RoundTrip, TakesLongAndSparseFilesFromATarStreamWithoutWarning) {
  const TempDir temp;
  fs::create_directory(temp / "in");
  write_file(temp / "in/long", random_bytes(9 << 20, 5));
  write_file(temp / "in/sparse", as_bytes("data"));
  fs::resize_file(temp / "in/sparse", 20 << 20);
  const auto made = run_process({"tar", "-C", temp / ".", "-S", "--format=posix", "-cf", temp / "in.tar", "in"});
  ASSERT_EQ(made.status, 0) << made.err;
  const int tar = ::open((temp / "in.tar").c_str(), O_RDONLY);
  Warnings warnings;
  PackOptions options = pack_options(".");
  options.observer = &warnings;
  const auto packed = create_pack_from_tar(tar, {temp / "t.mmh", -1}, options);
  ::close(tar);
  ASSERT_OK(packed);
  EXPECT_TRUE(warnings.all.empty()) << warnings.all[0].what;
  unpack_all(temp / "t.mmh", temp / "out");
  EXPECT_EQ(compare_trees(temp / "in", temp / "out/in"), "");
}

TEST(RoundTrip, ATarStreamIsTheSameWithAnyThreadsAndMemory) {
  const TempDir temp;
  make_tree(temp / "in", {.seed = 22, .entries = 300, .total_bytes_max = 24 << 20});
  PackOptions packing = pack_options(temp / ".");
  packing.block_size = 64 << 10;
  ASSERT_OK(create_pack({"in"}, temp / "t.mmh", packing));
  std::map<unsigned, Buffer> streams;
  for (const unsigned threads : {1u, 2u, 7u}) {
    UnpackOptions options = unpack_options(".", threads);
    options.memory = kMemoryMin;
    const auto opened = Pack::open(temp / "t.mmh", options);
    ASSERT_OK(opened);
    const int out = ::open((temp / "t.tar").c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0644);
    const auto summary = opened->write_tar(out, options);
    ::close(out);
    ASSERT_OK(summary);
    EXPECT_EQ(summary->entries, opened->info().entries);
    EXPECT_EQ(summary->bytes, opened->info().content_bytes);
    streams[threads] = read_file(temp / "t.tar");
  }
  EXPECT_TRUE(streams[1] == streams[2]);
  EXPECT_TRUE(streams[1] == streams[7]);
}

TEST(RoundTrip, TakesTheLastOfEqualTarNamesAndLinksThatSortFirst) {
  const TempDir temp;
  fs::create_directory(temp / "one");
  fs::create_directory(temp / "two");
  write_file(temp / "one/z", as_bytes("old"));
  fs::create_hard_link(temp / "one/z", temp / "one/b");
  write_file(temp / "two/y", as_bytes("first"));
  const auto tar = [&](std::vector<std::string> more) {
    std::vector<std::string> argv = {"tar", "-f", temp / "t.tar"};
    argv.insert(argv.end(), more.begin(), more.end());
    const auto ran = run_process(argv);
    ASSERT_EQ(ran.status, 0) << ran.err;
  };
  tar({"-c", "-C", temp / "one", "z", "b"});
  tar({"-r", "-C", temp / "two", "y"});
  write_file(temp / "two/y", as_bytes("second"));
  tar({"-r", "-C", temp / "two", "y"});
  const int fd = ::open((temp / "t.tar").c_str(), O_RDONLY);
  const auto packed = create_pack_from_tar(fd, {temp / "t.mmh", -1}, pack_options("."));
  ::close(fd);
  ASSERT_OK(packed);
  EXPECT_EQ(packed->entries, 3u);
  unpack_all(temp / "t.mmh", temp / "out");
  EXPECT_EQ(as_text(read_file(temp / "out/y")), "second");
  EXPECT_EQ(as_text(read_file(temp / "out/z")), "old");
  EXPECT_TRUE(fs::equivalent(temp / "out/z", temp / "out/b"));
}

TEST(RoundTrip, StreamsThroughAPipe) {
  const TempDir temp;
  make_tree(temp / "in", {.seed = 31, .entries = 60});
  const int out = ::open((temp / "stream").c_str(), O_CREAT | O_WRONLY, 0644);
  ASSERT_OK(create_pack({"in"}, out, pack_options(temp / ".")));
  ::close(out);
  const int in = ::open((temp / "stream").c_str(), O_RDONLY);
  const auto opened = Pack::open_stream(in);
  ::close(in);
  ASSERT_OK(opened);
  ASSERT_OK(opened->unpack(unpack_options(temp / "out")));
  EXPECT_EQ(compare_trees(temp / "in", temp / "out/in"), "");
}

TEST(RoundTrip, OwnersAndPermissionsAreKeptByDefaultOnlyForRoot) {
  const TempDir temp;
  const bool root = ::geteuid() == 0;
  fs::create_directory(temp / "in");
  const std::string tool = temp / "in/tool";
  write_file(tool, as_bytes("x"));
  if (root) {
    ASSERT_EQ(::chown(tool.c_str(), 1234, 4321), 0);
  }
  ASSERT_EQ(::chmod(tool.c_str(), 04777), 0);
  ASSERT_OK(create_pack({"in"}, temp / "t.mmh", pack_options(temp / ".")));
  const auto opened = Pack::open(temp / "t.mmh");
  ASSERT_OK(opened);

  const mode_t umask = ::umask(022);
  int runs = 0;
  const auto restored = [&](std::optional<bool> permissions, std::optional<bool> owners) {
    UnpackOptions options = unpack_options(temp / std::to_string(++runs));
    options.permissions = permissions;
    options.owners = owners;
    EXPECT_OK(opened->unpack(options));
    struct stat st{};
    EXPECT_EQ(::stat((options.directory + "/in/tool").c_str(), &st), 0);
    return std::tuple(st.st_uid, st.st_gid, st.st_mode & 07777U);
  };
  const std::tuple all(root ? 1234U : ::geteuid(), root ? 4321U : ::getegid(), 04777U);
  const std::tuple nothing(::geteuid(), ::getegid(), 0755U);
  EXPECT_EQ(restored({}, {}), root ? all : nothing);
  EXPECT_EQ(restored(true, true), all);
  EXPECT_EQ(restored(false, false), nothing);
  // A set-uid bit must not come to whoever happens to unpack: it goes with the owner.
  EXPECT_EQ(restored(true, false), std::tuple(::geteuid(), ::getegid(), root ? 0777U : 04777U));
  EXPECT_EQ(restored(false, true), std::tuple(std::get<0>(all), std::get<1>(all), 0755U));
  ::umask(umask);
}

TEST(RoundTrip, UnpacksOnlyWhatIsAskedFor) {
  const TempDir temp;
  fs::create_directories(temp / "in/a/deep");
  fs::create_directories(temp / "in/b");
  write_file(temp / "in/a/one.txt", as_bytes("1"));
  write_file(temp / "in/a/deep/two.bin", as_bytes("2"));
  write_file(temp / "in/b/three.txt", as_bytes("3"));
  fs::create_hard_link(temp / "in/a/one.txt", temp / "in/b/link.txt");
  ASSERT_OK(create_pack({"in"}, temp / "t.mmh", pack_options(temp / ".")));
  const auto opened = Pack::open(temp / "t.mmh");
  ASSERT_OK(opened);

  UnpackOptions options = unpack_options(temp / "subtree");
  options.patterns = {"in/a"};
  options.strip_components = 1;
  ASSERT_OK(opened->unpack(options));
  EXPECT_EQ(list_tree(temp / "subtree"), (std::vector<std::string>{"a", "a/deep", "a/deep/two.bin", "a/one.txt"}));

  options = unpack_options(temp / "glob");
  options.patterns = {"*.txt"};
  options.exclude = {"three.*"};
  ASSERT_OK(opened->unpack(options));
  EXPECT_EQ(list_tree(temp / "glob"),
            (std::vector<std::string>{"in", "in/a", "in/a/one.txt", "in/b", "in/b/link.txt"}));

  // The file that a link names is not wanted, but the link's content is.
  options = unpack_options(temp / "link");
  options.patterns = {"in/b/link.txt", "in/absent"};
  Warnings warnings;
  options.observer = &warnings;
  const auto summary = opened->unpack(options);
  ASSERT_OK(summary);
  EXPECT_EQ(as_text(read_file(temp / "link/in/b/link.txt")), "1");
  ASSERT_EQ(warnings.all.size(), 1u);
  EXPECT_EQ(warnings.all[0].code, Errc::not_found);
}

TEST(RoundTrip, ReadsAnyRangeOfAFile) {
  const TempDir temp;
  fs::create_directory(temp / "in");
  const Buffer content = text_bytes(9'000'000, 3);
  write_file(temp / "in/big", content);
  PackOptions pack = pack_options(temp / ".");
  pack.block_size = 256 << 10;
  ASSERT_OK(create_pack({"in"}, temp / "t.mmh", pack));
  const auto opened = Pack::open(temp / "t.mmh");
  ASSERT_OK(opened);
  Random random(4);
  for (int i = 0; i < 50; ++i) {
    const std::size_t offset = random.below(content.size() + 10);
    Buffer out(random.below(700'000));
    const auto got = opened->read("in/big", offset, out);
    ASSERT_OK(got);
    const std::size_t expected = offset >= content.size() ? 0 : std::min(out.size(), content.size() - offset);
    ASSERT_EQ(*got, expected);
    EXPECT_TRUE(std::ranges::equal(ByteView(out).first(expected),
                                   ByteView(content).subspan(std::min(offset, content.size()), expected)));
  }
}

TEST(RoundTrip, SmallBlocksShareADictionary) {
  const TempDir temp;
  fs::create_directory(temp / "in");
  for (unsigned i = 0; i < 1500; ++i) {
    const std::string json = "{\"identifier\": " + std::to_string(i * 7919 % 10007) +
                             ", \"kind\": \"measurement\", \"station\": \"north-" + std::to_string(i % 17) +
                             "\", \"temperature\": " + std::to_string(i * 31 % 400) + "}\n";
    write_file(temp / ("in/" + std::to_string(i) + ".json"), as_bytes(json));
  }
  PackOptions options = pack_options(temp / ".");
  options.block_size = 4096;
  const auto packed = create_pack({"in"}, temp / "t.mmh", options);
  ASSERT_OK(packed);
  unpack_all(temp / "t.mmh", temp / "out");
  EXPECT_EQ(compare_trees(temp / "in", temp / "out/in"), "");

  const auto opened = Pack::open(temp / "t.mmh");
  ASSERT_OK(opened);
  const auto statistics = opened->statistics();
  ASSERT_OK(statistics);
  EXPECT_EQ(statistics->dictionaries.dictionaries, 1U);
  EXPECT_GT(statistics->dictionaries.blocks_tried, 20U);
  EXPECT_LT(statistics->dictionaries.tried_bytes_with, statistics->dictionaries.tried_bytes_without);
}

TEST(RoundTrip, PropertyAnySmallSetOfFiles) {
  EXPECT_TRUE(rc::check("files come back as they were",
                        [](const std::map<std::uint16_t, std::vector<std::uint8_t>>& files, std::uint8_t level_seed) {
                          const TempDir temp;
                          fs::create_directory(temp / "in");
                          for (const auto& [name, content] : files) {
                            write_file(temp / ("in/" + std::to_string(name)), std::as_bytes(std::span(content)));
                          }
                          PackOptions options = pack_options(temp / ".");
                          options.level = 1 + level_seed % 9;
                          RC_ASSERT(create_pack({"in"}, temp / "t.mmh", options).has_value());
                          const auto opened = Pack::open(temp / "t.mmh");
                          RC_ASSERT(opened.has_value());
                          RC_ASSERT(opened->unpack(unpack_options(temp / "out")).has_value());
                          RC_ASSERT(compare_trees(temp / "in", temp / "out/in") == "");
                        }));
}

TEST(RoundTrip, DiffTellsWhatChanged) {
  const TempDir temp;
  fs::create_directories(temp / "in/d");
  for (const char* name : {"same", "content", "mode", "gone", "d/type"}) {
    write_file(temp / (std::string("in/") + name), as_bytes("before"));
  }
  ASSERT_OK(create_pack({"in"}, temp / "a.mmh", pack_options(temp / ".")));
  const auto keep_time = fs::last_write_time(temp / "in");
  write_file(temp / "in/content", as_bytes("AFTER!"));
  ASSERT_EQ(::chmod((temp / "in/mode").c_str(), 0600), 0);
  fs::remove(temp / "in/gone");
  fs::remove(temp / "in/d/type");
  fs::create_symlink("x", temp / "in/d/type");
  write_file(temp / "in/new", as_bytes("new"));
  fs::last_write_time(temp / "in", keep_time);
  ASSERT_OK(create_pack({"in"}, temp / "b.mmh", pack_options(temp / ".")));

  const auto before = Pack::open(temp / "a.mmh");
  const auto after = Pack::open(temp / "b.mmh");
  ASSERT_OK(before);
  ASSERT_OK(after);
  std::vector<std::pair<ChangeKind, std::string>> seen;
  const ChangeVisitor visitor = [&](ChangeKind kind, const FileInfo* old_info, const FileInfo* new_info) -> Result<> {
    seen.emplace_back(kind, (old_info != nullptr ? old_info : new_info)->path);
    return {};
  };
  ASSERT_OK(diff(*before, *after, visitor));
  const std::vector<std::pair<ChangeKind, std::string>> expected = {
      {ChangeKind::content, "in/content"}, {ChangeKind::metadata, "in/d"},    {ChangeKind::type, "in/d/type"},
      {ChangeKind::removed, "in/gone"},    {ChangeKind::metadata, "in/mode"}, {ChangeKind::added, "in/new"}};
  EXPECT_EQ(seen, expected);

  seen.clear();
  ASSERT_OK(diff(*before, {"in"}, pack_options(temp / "."), visitor));
  EXPECT_EQ(seen, expected);
  seen.clear();
  ASSERT_OK(diff(*after, {"in"}, pack_options(temp / "."), visitor));
  EXPECT_TRUE(seen.empty());
}

TEST(RoundTrip, RefusesWhatIsNotThere) {
  const TempDir temp;
  EXPECT_EQ(error_of(create_pack({"absent"}, temp / "t.mmh", pack_options(temp / "."))), Errc::not_found);
  EXPECT_FALSE(fs::exists(temp / "t.mmh"));
  write_file(temp / "t.mmh", as_bytes("precious"));
  write_file(temp / "file", as_bytes("x"));
  EXPECT_EQ(error_of(create_pack({"file"}, temp / "t.mmh", pack_options(temp / "."))), Errc::exists);
  EXPECT_EQ(as_text(read_file(temp / "t.mmh")), "precious");
  EXPECT_EQ(error_of(Pack::open(temp / "t.mmh")), Errc::corrupt);
  EXPECT_EQ(error_of(Pack::open(temp / "absent")), Errc::not_found);
}

}  // namespace
}  // namespace mmh::test
