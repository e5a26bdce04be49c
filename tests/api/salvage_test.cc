#include <algorithm>
#include <filesystem>
#include <set>

#include "api/support.h"
#include "support/trees.h"

namespace mmh::test {
namespace {

namespace fs = std::filesystem;

Buffer joined(std::initializer_list<ByteView> parts) {
  Buffer all;
  for (const ByteView part : parts) append(all, part);
  return all;
}

class Salvage : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(temp_ / "in/sub");
    write_file(temp_ / "in/a", random_bytes(50'000, 1));
    write_file(temp_ / "in/b", random_bytes(50'000, 2));
    write_file(temp_ / "in/sub/c", random_bytes(50'000, 3));
    write_file(temp_ / "in/empty", {});
    options_.block_size = 16 << 10;
  }

  Buffer packed(std::uint32_t parity_ppm) {
    options_.parity_ppm = parity_ppm;
    options_.force = true;
    EXPECT_OK(create_pack({"in"}, path_, options_));
    return read_file(path_);
  }

  // Salvages a file of such bytes; gives the names delivered. All must be right, and the others named.
  std::set<std::string> salvaged(ByteView bytes) {
    write_file(path_, bytes);
    const std::string out = temp_ / "out";
    fs::remove_all(out);
    Warnings warnings;
    UnpackOptions options = unpack_options(out);
    options.observer = &warnings;
    const auto pack = Pack::salvage(path_, options);
    if (!pack) return {pack.error().what};
    const auto summary = pack->unpack(options);
    EXPECT_OK(summary);
    std::set<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(out)) {
      if (!entry.is_regular_file()) continue;
      const std::string name = fs::relative(entry.path(), out);
      EXPECT_TRUE(read_file(out + "/" + name) == read_file(temp_ / name)) << name;
      names.insert(name);
    }
    EXPECT_EQ(summary->files, names.size());
    EXPECT_OK(pack->list("", [&](const FileInfo& info) -> Result<bool> {
      const bool named = std::ranges::any_of(
          warnings.all, [&](const Error& warning) { return warning.what.find(info.path) != std::string::npos; });
      EXPECT_TRUE(info.type != FileType::regular || names.contains(info.path) || named) << info.path;
      return true;
    }));
    return names;
  }

  TempDir temp_;
  const std::string path_ = temp_ / "t.mmh";
  PackOptions options_ = pack_options(temp_ / ".");
  const std::set<std::string> all_{"in/a", "in/b", "in/empty", "in/sub/c"};
};

TEST_F(Salvage, DeliversAllBlocksBehindWhatWasCutOffInFront) {
  for (const std::uint32_t parity : {0u, 20'000u}) {
    const Buffer whole = packed(parity);
    for (const std::size_t cut : {1uz, 63uz, 64uz}) EXPECT_EQ(salvaged(ByteView(whole).subspan(cut)), all_) << cut;
    const std::set<std::string> without_first{"in/b", "in/empty", "in/sub/c"};
    for (const std::size_t cut : {100uz, 200uz, 1000uz}) {
      EXPECT_EQ(salvaged(ByteView(whole).subspan(cut)), parity == 0 ? without_first : all_) << cut;
    }
    EXPECT_EQ(salvaged(ByteView(whole).subspan(40'000)), without_first);
    EXPECT_EQ(salvaged(ByteView(whole).subspan(60'000)), (std::set<std::string>{"in/empty", "in/sub/c"}));
  }
}

TEST_F(Salvage, DeliversAllBlocksBehindWhatWasInserted) {
  for (const std::uint32_t parity : {0u, 20'000u}) {
    const Buffer whole = packed(parity);
    for (const std::size_t size : {1uz, 100uz, 100'000uz}) {
      EXPECT_EQ(salvaged(joined({random_bytes(size, size), whole})), all_) << size;
      const ByteView front = ByteView(whole).first(80'000);
      const std::set<std::string> without_middle{"in/a", "in/empty", "in/sub/c"};
      EXPECT_EQ(salvaged(joined({front, random_bytes(size, size), ByteView(whole).subspan(front.size())})),
                parity == 0 ? without_middle : all_)
          << size;
    }
  }
}

TEST_F(Salvage, FindsBlocksThatMovedInFrontOfAnIndexThatDidNot) {
  const Buffer whole = packed(0);
  const ByteView view(whole);
  // Inserted in the first file, cut out of the last: what stands behind is in its place.
  const Buffer moved =
      joined({view.first(20'000), random_bytes(500, 1), view.subspan(20'000, 110'000), view.subspan(130'500)});
  EXPECT_EQ(salvaged(moved), (std::set<std::string>{"in/b", "in/empty"}));
}

TEST_F(Salvage, BothEndsMayBeLost) {
  const Buffer whole = packed(0);
  // The index, the trailers and the footer take less than 2000 bytes, with the manifest in front of them.
  const auto names = salvaged(ByteView(whole).subspan(100, whole.size() - 100 - 1000));
  EXPECT_EQ(names, (std::set<std::string>{"in/b", "in/empty", "in/sub/c"}));
}

TEST_F(Salvage, TakesNoPackStoredInThePackForPartOfIt) {
  const Buffer inner = packed(0);
  fs::create_directories(temp_ / "stored");
  write_file(temp_ / "stored/inner.mmh", inner);
  write_file(temp_ / "stored/other", random_bytes(50'000, 9));
  PackOptions options = pack_options(temp_ / ".");
  options.force = true;
  ASSERT_OK(create_pack({"stored"}, path_, options));
  const Buffer outer = read_file(path_);
  const std::set<std::string> both{"stored/inner.mmh", "stored/other"};
  EXPECT_EQ(salvaged(outer), both);
  // A flip in the block that holds all of it, at the front cut off, and with no trailer.
  Buffer bad = outer;
  bad[120'000] ^= std::byte{1};
  for (const std::size_t cut : {0uz, 1uz, 64uz}) {
    for (const std::size_t tail : {0uz, 700uz}) {
      const ByteView left = ByteView(bad).subspan(cut, bad.size() - cut - tail);
      for (const std::string& name : salvaged(left)) EXPECT_FALSE(name.starts_with("in/")) << name << cut << tail;
    }
  }
}

TEST_F(Salvage, GivesTheNewestOfAppendedPacks) {
  packed(0);
  write_file(temp_ / "in/a", random_bytes(30'000, 11));
  write_file(temp_ / "in/new", random_bytes(30'000, 12));
  ASSERT_OK(append_to_pack(path_, {"in"}, options_));
  const Buffer appended = read_file(path_);
  std::set<std::string> names = all_;
  names.insert("in/new");
  EXPECT_EQ(salvaged(ByteView(appended).subspan(1)), names);
  EXPECT_EQ(salvaged(joined({random_bytes(10, 1), appended})), names);
  // The front moved, and the newest trailers are gone.
  EXPECT_EQ(salvaged(ByteView(appended).subspan(1, appended.size() - 200)), names);
}

TEST_F(Salvage, TakesAnyBytes) {
  EXPECT_EQ(salvaged({}).size(), 1u);
  EXPECT_EQ(salvaged(random_bytes(10'000, 1)).size(), 1u);
}

}  // namespace
}  // namespace mmh::test
