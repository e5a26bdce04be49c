// Files that are compressed already: packed smaller, and given back bit for bit.

#include <filesystem>

#include "api/support.h"
#include "mmh/base/files.h"
#include "support/process.h"
#include "support/trees.h"

namespace mmh::test {
namespace {

namespace fs = std::filesystem;

Buffer picture(const std::string& name) { return read_file(std::string(MMH_TEST_DATA) + "/jpeg/" + name + ".jpg"); }

TEST(Recompressed, PicturesAreStoredSmallerAndComeBack) {
  const TempDir temp;
  fs::create_directory(temp / "in");
  std::size_t total = 0;
  for (const std::string name : {"exif", "grey", "progressive", "restart"}) {
    const Buffer file = picture(name);
    total += file.size();
    write_file(temp / ("in/" + name + ".jpg"), file);
    // One more under another name takes no room.
    write_file(temp / ("in/copy of " + name + ".jpeg"), file);
  }
  PackOptions options = pack_options(temp / ".");
  options.level = 1;
  const auto plain = create_pack({"in"}, temp / "plain.mmh", options);
  ASSERT_OK(plain);
  options.level = 7;
  const auto packed = create_pack({"in"}, temp / "t.mmh", options);
  ASSERT_OK(packed);
  EXPECT_EQ(packed->root, plain->root);
  EXPECT_LT(packed->pack_bytes + total / 10, plain->pack_bytes);
  unpack_all(temp / "t.mmh", temp / "out");
  EXPECT_EQ(compare_trees(temp / "in", temp / "out/in"), "");
}

TEST(Recompressed, PicturesThatAreNearlyTheSameAreStoredOnce) {
  const TempDir temp;
  fs::create_directory(temp / "in");
  // The same picture with and without metadata, with something behind it, and cut short.
  Buffer trailing = picture("baseline");
  append(trailing, as_bytes("and something behind its end"));
  Buffer cut = picture("baseline");
  cut.resize(cut.size() / 2);
  write_file(temp / "in/a.jpg", picture("baseline"));
  write_file(temp / "in/b.jpg", picture("exif"));
  write_file(temp / "in/c.jpg", trailing);
  write_file(temp / "in/d.jpg", cut);
  PackOptions options = pack_options(temp / ".");
  options.level = 7;
  const auto packed = create_pack({"in"}, temp / "t.mmh", options);
  ASSERT_OK(packed);
  EXPECT_LT(packed->pack_bytes, picture("exif").size() + 2000);
  unpack_all(temp / "t.mmh", temp / "out");
  EXPECT_EQ(compare_trees(temp / "in", temp / "out/in"), "");
}

TEST(Recompressed, DeflatedFilesAreStoredSmallerAndComeBack) {
  const TempDir temp;
  fs::create_directory(temp / "in");
  std::size_t total = 0;
  for (const std::string name : {"levels.gz", "members.zip", "picture.png"}) {
    const Buffer file = read_file(std::string(MMH_TEST_DATA) + "/deflate/" + name);
    total += file.size();
    write_file(temp / ("in/" + name), file);
  }
  PackOptions options = pack_options(temp / ".");
  options.level = 1;
  const auto plain = create_pack({"in"}, temp / "plain.mmh", options);
  ASSERT_OK(plain);
  for (const int level : {7, 9}) {
    options.level = level;
    const std::string path = temp / (std::to_string(level) + ".mmh");
    const auto packed = create_pack({"in"}, path, options);
    ASSERT_OK(packed);
    EXPECT_EQ(packed->root, plain->root);
    EXPECT_LT(packed->pack_bytes, plain->pack_bytes - total / 3) << level;
    const std::string out = temp / ("out" + std::to_string(level));
    unpack_all(path, out);
    EXPECT_EQ(compare_trees(temp / "in", out + "/in"), "");
  }
}

TEST(Recompressed, FilesOfManySegmentsComeBack) {
  const TempDir temp;
  fs::create_directory(temp / "in");
  // A comment of the length that takes the picture across several segments of 4 MiB; the picture stands behind it.
  const Buffer whole = picture("restart");
  Buffer file(whole.begin(), whole.begin() + 2);
  for (std::uint64_t i = 0; i < 150; ++i) {
    const unsigned char head[] = {0xFF, 0xFE, 0xFF, 0xFF};
    append(file, std::as_bytes(std::span(head)));
    append(file, random_bytes(65'533, i));
  }
  append(file, ByteView(whole).subspan(2));
  write_file(temp / "in/large.jpg", file);
  write_file(temp / "in/small.jpg", picture("grey"));
  PackOptions options = pack_options(temp / ".");
  options.level = 7;
  const auto packed = create_pack({"in"}, temp / "t.mmh", options);
  ASSERT_OK(packed);
  options.threads = 1;
  const auto again = create_pack({"in"}, temp / "u.mmh", options);
  ASSERT_OK(again);
  EXPECT_EQ(read_file(temp / "t.mmh"), read_file(temp / "u.mmh"));
  unpack_all(temp / "t.mmh", temp / "out");
  EXPECT_EQ(compare_trees(temp / "in", temp / "out/in"), "");
}

}  // namespace
}  // namespace mmh::test
