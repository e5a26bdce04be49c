#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "api/support.h"
#include "support/trees.h"

namespace mmh::test {
namespace {

namespace fs = std::filesystem;

// A small pack with every kind of block in it, and the content it must give back or refuse.
class Damage : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(temp_ / "in/sub");
    write_file(temp_ / "in/text", text_bytes(1500, 1));
    write_file(temp_ / "in/sub/noise", random_bytes(700, 2));
    write_file(temp_ / "in/empty", {});
    fs::create_symlink("text", temp_ / "in/link");
    ASSERT_OK(create_pack({"in"}, temp_ / "t.mmh", pack_options(temp_ / ".")));
    write_file(temp_ / "in/sub/later", text_bytes(300, 3));
    ASSERT_OK(append_to_pack(temp_ / "t.mmh", {"in/sub/later"}, pack_options(temp_ / ".")));
    pack_ = read_file(temp_ / "t.mmh");
    content_ = {{"in/text", read_file(temp_ / "in/text")},
                {"in/sub/noise", read_file(temp_ / "in/sub/noise")},
                {"in/sub/later", read_file(temp_ / "in/sub/later")},
                {"in/empty", Buffer()}};
  }

  // Whatever was done to the pack: what reads at all reads right, unless an older generation answers.
  void expect_right_or_refused(const Pack& pack, std::size_t place) {
    for (const auto& [path, bytes] : content_) {
      Buffer got;
      const auto streamed = pack.stream(path, [&](ByteView piece) -> Result<> {
        append(got, piece);
        return {};
      });
      if (streamed) {
        EXPECT_TRUE(got == bytes) << path << " with damage at " << place;
      }
    }
  }

  TempDir temp_;
  Buffer pack_;
  std::vector<std::pair<std::string, Buffer>> content_;
};

TEST_F(Damage, EveryFlippedByteIsFoundAndNeverDelivered) {
  const std::string path = temp_ / "bad.mmh";
  RunOptions run;
  run.threads = 1;
  for (std::size_t i = 0; i < pack_.size(); ++i) {
    Buffer bad = pack_;
    bad[i] ^= std::byte{1} << (i % 8);
    write_file(path, bad);
    const auto opened = Pack::open(path, run);
    if (!opened) continue;
    const auto verified = opened->verify(i % 16 == 0, run);
    if (verified) {
      EXPECT_FALSE(verified->sound) << "byte " << i;
    }
    expect_right_or_refused(*opened, i);
  }
}

TEST_F(Damage, EveryTruncationIsFoundAndNeverDelivered) {
  const std::string path = temp_ / "bad.mmh";
  RunOptions run;
  run.threads = 1;
  for (std::size_t keep = 0; keep < pack_.size(); ++keep) {
    write_file(path, ByteView(pack_).first(keep));
    const auto opened = Pack::open(path, run);
    if (!opened) {
      EXPECT_EQ(opened.error().code, Errc::corrupt) << keep;
      continue;
    }
    // An older generation may be whole; then the rest is reported as what a cut-off append left.
    if (opened->info().superseded_bytes == 0 && opened->info().warning.empty()) {
      const auto verified = opened->verify(false, run);
      if (verified && verified->sound) {
        EXPECT_EQ(opened->info().generation, 0u) << keep;
      }
    }
    expect_right_or_refused(*opened, keep);
  }
}

TEST_F(Damage, UnpackDeliversTheRestAndNamesWhatIsLost) {
  fs::remove_all(temp_ / "in");
  fs::create_directories(temp_ / "in");
  for (int i = 0; i < 20; ++i)
    write_file(temp_ / ("in/noise" + std::to_string(i)), random_bytes(300'000, static_cast<std::uint64_t>(i)));
  PackOptions options = pack_options(temp_ / ".");
  options.block_size = 256 << 10;
  options.force = true;
  ASSERT_OK(create_pack({"in"}, temp_ / "t.mmh", options));
  Buffer bad = read_file(temp_ / "t.mmh");
  bad[bad.size() / 3] ^= std::byte{0x40};
  write_file(temp_ / "t.mmh", bad);
  const auto opened = Pack::open(temp_ / "t.mmh");
  ASSERT_OK(opened);
  const auto verified = opened->verify(false, {});
  ASSERT_OK(verified);
  EXPECT_FALSE(verified->sound);
  EXPECT_FALSE(verified->files_damaged.empty());
  Warnings warnings;
  UnpackOptions unpack = unpack_options(temp_ / "out");
  unpack.observer = &warnings;
  const auto summary = opened->unpack(unpack);
  ASSERT_OK(summary);
  EXPECT_GT(summary->damaged, 0u);
  EXPECT_EQ(summary->damaged, verified->files_damaged_count);
  EXPECT_EQ(summary->files + summary->damaged, 20u);
  for (const std::string& path : list_tree(temp_ / "out/in")) {
    EXPECT_TRUE(read_file(temp_ / ("out/in/" + path)) == read_file(temp_ / ("in/" + path))) << path;
  }
}

TEST_F(Damage, ATarStreamNeverHasWrongContent) {
  const auto opened = Pack::open(temp_ / "t.mmh");
  ASSERT_OK(opened);
  const auto tar_of = [&](const Pack& pack) -> Result<Buffer> {
    const int out = ::open((temp_ / "t.tar").c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0644);
    auto written = pack.write_tar(out, unpack_options(".", 1));
    ::close(out);
    if (!written) return fail(written.error());
    return read_file(temp_ / "t.tar");
  };
  const Buffer right = tar_of(*opened).value();
  std::size_t refused = 0;
  for (std::size_t i = 100; i < pack_.size() / 2; i += 31) {
    Buffer bad = pack_;
    bad[i] ^= std::byte{4};
    write_file(temp_ / "bad.mmh", bad);
    const auto damaged = Pack::open(temp_ / "bad.mmh");
    if (!damaged) continue;
    const auto tar = tar_of(*damaged);
    if (tar && damaged->info().generation == opened->info().generation) {
      EXPECT_TRUE(*tar == right) << i;
    }
    if (!tar) ++refused;
  }
  EXPECT_GT(refused, 0u);
}

}  // namespace
}  // namespace mmh::test
