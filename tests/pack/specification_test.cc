// The worked example of docs/format/pack.md, byte for byte.

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "pack/pack_support.h"

namespace mmh::pack {
namespace {

Buffer example_pack() {
  test::MemorySink sink;
  auto writer = PackFileWriter::create(sink);
  EXPECT_OK(writer);
  const auto add = [&](BlockType type, ByteView raw) -> Result<std::uint64_t> {
    Buffer frame(1, std::byte{0});  // stored
    append(frame, raw);
    return (*writer)->add_block(type, frame, raw.size(), test::digest_of(frame));
  };
  FileRecord record;
  record.entry.path = "hi";
  record.entry.mode = 0644;
  record.entry.mtime_seconds = 1'700'000'000;
  record.entry.uid = 1000;
  record.entry.gid = 1000;
  record.entry.user = "ada";
  record.entry.group = "ada";
  record.entry.size = 6;
  record.hash = test::digest_of(as_bytes("hello\n"));
  record.extents = {{*add(BlockType::data, as_bytes("hello\n")), 0, 6}};
  ManifestBuilder builder([&](ByteView raw) { return add(BlockType::manifest, raw); });
  EXPECT_OK(builder.add(record));
  Trailer trailer;
  trailer.top = *builder.finish();
  trailer.root = manifest_root(trailer.top);
  trailer.writer = "mmh 0.1.0";
  trailer.level = 5;
  EXPECT_OK((*writer)->finish(trailer));
  return sink.bytes;
}

// What stands in the lines "0040  4d 4d 48 42  comment" of the example.
Buffer documented_bytes() {
  std::ifstream in(MMH_SOURCE_DIR "/docs/format/pack.md");
  Buffer bytes;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("```")) inside = line == "```hex";
    if (!inside || line.starts_with("```") || line.starts_with(";") || line.empty()) continue;
    const std::size_t end = std::min(line.find("  ", 6), line.size());
    EXPECT_EQ(std::strtoul(line.c_str(), nullptr, 16), bytes.size()) << line;
    std::istringstream pairs(line.substr(6, end - 6));
    for (unsigned value; pairs >> std::hex >> value;) bytes.push_back(static_cast<std::byte>(value));
  }
  return bytes;
}

TEST(Specification, WorkedExampleIsWhatTheWriterWrites) {
  const Buffer real = example_pack();
  std::string dump;
  for (std::size_t i = 0; i < real.size(); ++i) {
    if (i % 16 == 0) dump += fmt::format("\n{:04x} ", i);
    dump += fmt::format(" {:02x}", std::to_integer<unsigned>(real[i]));
  }
  EXPECT_EQ(documented_bytes(), real) << dump;
}

TEST(Specification, WorkedExampleReads) {
  const Buffer bytes = documented_bytes();
  const auto reader = test::open_bytes(bytes);
  ASSERT_OK(reader);
  const auto record = (*reader)->find("hi");
  ASSERT_OK(record);
  ASSERT_TRUE(record->has_value());
  Buffer content(6);
  ASSERT_OK((*reader)->read_file(**record, 0, content));
  EXPECT_EQ(as_text(content), "hello\n");
}

}  // namespace
}  // namespace mmh::pack
