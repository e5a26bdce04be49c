// Packs written once and kept: what was packed stays readable, to the last byte.
//
// Beside each pack stands what it holds: its root, then a line for each entry. MMH_WRITE_GOLDEN=1 makes those that are
// missing; it never replaces one.

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "api/support.h"
#include "support/trees.h"

namespace mmh::test {
namespace {

namespace fs = std::filesystem;

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte > 0x20 && byte < 0x7f && c != '\\';
    result += plain ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return result;
}

std::string description_of(const Pack& pack) {
  std::string text = fmt::format("root {}\n", to_hex(pack.info().root));
  EXPECT_OK(pack.list("", [&](const FileInfo& file) -> Result<bool> {
    text += fmt::format("{} {:04o} {}.{:09} {} {} {}", static_cast<unsigned>(file.type), file.mode, file.mtime_seconds,
                        file.mtime_nanoseconds, file.size, file.hash ? to_hex(*file.hash) : "-", escaped(file.path));
    if (!file.link.empty()) text += " -> " + escaped(file.link);
    for (const auto& [name, value] : file.xattrs) text += " " + escaped(name) + "=" + escaped(value);
    text += "\n";
    return true;
  }));
  return text;
}

std::string data(const std::string& name) { return MMH_TEST_DATA "/packs/" + name; }

struct Made {
  std::string name;
  void (*make)(const std::string& directory, const std::string& pack);
};

void pack(const std::string& directory, const std::string& file, const PackOptions& options) {
  ASSERT_OK(create_pack({directory}, file, options));
}

TreeSpec small_tree(std::uint64_t seed) {
  TreeSpec spec;
  spec.seed = seed;
  spec.entries = 40;
  spec.file_size_bytes_max = 8'000;
  spec.total_bytes_max = 40'000;
  spec.long_path_bytes = 300;
  return spec;
}

// A tree of everything that a file system keeps, with parity.
void make_tree_pack(const std::string& at, const std::string& file) {
  make_tree(at + "/tree", small_tree(1));
  PackOptions options = pack_options(at);
  options.level = 5;
  options.parity_ppm = 20'000;
  pack("tree", file, options);
}

// Two generations.
void make_appended_pack(const std::string& at, const std::string& file) {
  make_tree(at + "/first", small_tree(4));
  make_tree(at + "/second", small_tree(6));
  const PackOptions options = pack_options(at);
  pack("first", file, options);
  ASSERT_OK(append_to_pack(file, {"second"}, options));
}

// Compressed files, taken out of their compression.
void make_recompressed_pack(const std::string& at, const std::string& file) {
  fs::copy(MMH_TEST_DATA "/deflate", at + "/files");
  fs::copy(MMH_TEST_DATA "/jpeg/progressive.jpg", at + "/files/picture.jpg");
  PackOptions options = pack_options(at);
  options.level = 7;
  pack("files", file, options);
}

void put_numbers(const std::string& file, std::uint64_t seed, std::size_t changed) {
  Buffer bytes = sample_bytes(Sample::floats, 60'000, seed);
  for (std::size_t i = 0; i < changed; ++i) bytes[i * 401 % bytes.size()] ^= std::byte{1};
  write_file(file, bytes);
}

// Weights, and the same a little later.
void make_base_pack(const std::string& at, const std::string& file) {
  fs::create_directories(at + "/model");
  put_numbers(at + "/model/weights.bin", 7, 0);
  write_file(at + "/model/notes.txt", sample_bytes(Sample::text, 3'000, 8));
  pack("model", file, pack_options(at));
}
void make_based_pack(const std::string& at, const std::string& file) {
  fs::create_directories(at + "/model");
  put_numbers(at + "/model/weights.bin", 7, 100);
  write_file(at + "/model/notes.txt", sample_bytes(Sample::text, 3'100, 8));
  PackOptions options = pack_options(at);
  options.base = data("base.mmh");
  pack("model", file, options);
}

class GoldenPacks : public testing::TestWithParam<Made> {};

TEST_P(GoldenPacks, StayReadable) {
  const std::string file = data(GetParam().name + ".mmh");
  const std::string description = data(GetParam().name + ".txt");
  if (std::getenv("MMH_WRITE_GOLDEN") != nullptr && !fs::exists(file)) {
    const TempDir temp;
    ASSERT_NO_FATAL_FAILURE(GetParam().make(temp / ".", file));
    const auto made = Pack::open(file);
    ASSERT_OK(made);
    write_file(description, as_bytes(description_of(*made)));
  }
  const auto opened = Pack::open(file);
  ASSERT_OK(opened);
  const Buffer expected = read_file(description);
  EXPECT_EQ(description_of(*opened), as_text(expected));
  const auto verified = opened->verify(true, {});
  ASSERT_OK(verified);
  EXPECT_TRUE(verified->sound);
}

INSTANTIATE_TEST_SUITE_P(Packs, GoldenPacks,
                         testing::Values(Made{"tree", make_tree_pack}, Made{"appended", make_appended_pack},
                                         Made{"recompressed", make_recompressed_pack}, Made{"base", make_base_pack},
                                         Made{"based", make_based_pack}),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace mmh::test
