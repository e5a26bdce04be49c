#include "pack/pack_support.h"

#include <algorithm>

#include "mmh/base/check.h"
#include "mmh/codec/frame.h"
#include "mmh/hash/blake3.h"

namespace mmh::test {

const codec::Registry& no_codecs() {
  static const codec::Registry registry({});
  return registry;
}

hash::Digest digest_of(ByteView bytes) { return hash::blake3(bytes); }

pack::FileRecord make_directory(std::string path) {
  pack::FileRecord record;
  record.entry.path = std::move(path);
  record.entry.type = tree::EntryType::directory;
  record.entry.mode = 0755;
  return record;
}

pack::FileRecord make_symlink(std::string path, std::string target) {
  pack::FileRecord record;
  record.entry.path = std::move(path);
  record.entry.type = tree::EntryType::symlink;
  record.entry.mode = 0777;
  record.entry.link = std::move(target);
  return record;
}

pack::FileRecord make_hard_link(std::string path, std::string target) {
  pack::FileRecord record = make_symlink(std::move(path), std::move(target));
  record.entry.type = tree::EntryType::hard_link;
  return record;
}

pack::FileRecord make_file(std::string path, ByteView content, std::vector<pack::Extent> extents) {
  pack::FileRecord record;
  record.entry.path = std::move(path);
  record.entry.mode = 0644;
  record.entry.mtime_seconds = 1'700'000'000;
  record.entry.uid = 1000;
  record.entry.gid = 1000;
  record.entry.size = content.size();
  record.hash = digest_of(content);
  record.extents = std::move(extents);
  return record;
}

PackMaker::PackMaker() {
  auto writer = pack::PackFileWriter::create(sink_);
  MMH_CHECK(writer.has_value());
  writer_ = *std::move(writer);
}

PackMaker::PackMaker(const Buffer& bytes, const pack::Reader& existing) {
  append(sink_.bytes, ByteView(bytes).first(existing.pack_size()));
  const pack::Trailer& old = existing.trailer();
  std::vector<pack::BlockInfo> tail;
  for (std::uint64_t n = old.block_count - old.block_count % pack::kIndexPageEntries; n < old.block_count; ++n) {
    const auto block = existing.block_info(n);
    MMH_CHECK(block.has_value());
    tail.push_back(*block);
  }
  writer_ = pack::PackFileWriter::resume(sink_, sink_.bytes.size(), old, existing.trailer_offset(), std::move(tail));
}

std::uint64_t PackMaker::add_frame(ByteView frame, std::uint64_t raw_size, pack::BlockType type) {
  const auto number = writer_->add_block(type, frame, raw_size, digest_of(frame));
  MMH_CHECK(number.has_value());
  return *number;
}

std::uint64_t PackMaker::add_block(ByteView raw, pack::BlockType type) {
  const auto frame = codec::encode_frame(no_codecs(), codec::Plan{}, raw);
  MMH_CHECK(frame.has_value());
  return add_frame(*frame, raw.size(), type);
}

void PackMaker::add(pack::FileRecord record) { records_.push_back(std::move(record)); }

void PackMaker::add_file(const std::string& path, ByteView content) {
  std::vector<pack::Extent> extents;
  if (!content.empty()) extents.push_back({add_block(content), 0, content.size()});
  add(make_file(path, content, std::move(extents)));
}

pack::Trailer PackMaker::finish() {
  std::ranges::sort(records_, [](const pack::FileRecord& a, const pack::FileRecord& b) {
    return tree::compare_paths(a.entry.path, b.entry.path) < 0;
  });
  pack::ManifestBuilder builder(
      [&](ByteView raw) -> Result<std::uint64_t> { return add_block(raw, pack::BlockType::manifest); });
  for (const pack::FileRecord& record : records_) {
    const auto added = builder.add(record);
    if (!added) ADD_FAILURE() << added.error().what;
  }
  const auto top = builder.finish();
  MMH_CHECK(top.has_value());
  return finish(*top, builder.height());
}

pack::Trailer PackMaker::finish(const pack::PageReference& top, unsigned height) {
  pack::Trailer trailer;
  trailer.top = top;
  trailer.root = pack::manifest_root(top);
  trailer.height = height;
  trailer.writer = "mmh test";
  trailer.libraries = {"none 1.0"};
  trailer.level = 5;
  const auto written = writer_->finish(std::move(trailer));
  MMH_CHECK(written.has_value());
  return *written;
}

Result<std::unique_ptr<pack::Reader>> open_bytes(ByteView bytes, pack::ReaderOptions options) {
  return pack::Reader::open(memory_source(bytes, "x.mmh"), no_codecs(), options);
}

namespace {
void fill_sample(PackMaker& maker, Sample& sample) {
  const Buffer text = text_bytes(300, 1);
  const Buffer noise = random_bytes(200, 2);
  const std::uint64_t first = maker.add_block(text);
  const std::uint64_t second = maker.add_block(noise);
  const auto keep = [&](const std::string& path, Buffer content, std::vector<pack::Extent> extents) {
    maker.add(make_file(path, content, std::move(extents)));
    sample.contents[path] = std::move(content);
  };
  const auto slice = [](const Buffer& from, std::size_t offset, std::size_t size) {
    const ByteView view = ByteView(from).subspan(offset, size);
    return Buffer(view.begin(), view.end());
  };
  maker.add(make_directory("d"));
  keep("d/a.txt", slice(text, 0, 120), {{first, 0, 120}});
  keep("d/empty", {}, {});
  Buffer across = slice(text, 120, 180);
  append(across, ByteView(noise).first(50));
  keep("d/across", std::move(across), {{first, 120, 180}, {second, 0, 50}});
  Buffer sparse(1000, std::byte{0});
  std::memcpy(sparse.data() + 400, noise.data() + 50, 100);
  keep("d/sparse", std::move(sparse),
       {{pack::Extent::kHole, 0, 400}, {second, 50, 100}, {pack::Extent::kHole, 0, 500}});
  Buffer shuffled = slice(noise, 150, 50);  // blocks in descending order: hashed through the reader's cache
  append(shuffled, ByteView(text).first(10));
  keep("d/shuffled", std::move(shuffled), {{second, 150, 50}, {first, 0, 10}});
  maker.add(make_symlink("d/link", "a.txt"));
  maker.add(make_hard_link("d/other name", "d/a.txt"));
  pack::FileRecord device;
  device.entry.path = "null";
  device.entry.type = tree::EntryType::character_device;
  device.entry.device_major = 1;
  device.entry.device_minor = 3;
  maker.add(device);
  pack::FileRecord rich = make_file("rich", {});
  rich.entry.user = "ada";
  rich.entry.group = "staff";
  rich.entry.mtime_seconds = -5;
  rich.entry.mtime_nanoseconds = 999'999'999;
  rich.entry.xattrs = {{"user.a", std::string("\0\1", 2)}, {"user.b", ""}};
  maker.add(rich);
  sample.contents["rich"] = {};
}
}  // namespace

Sample sample_pack() {
  Sample sample;
  PackMaker maker;
  fill_sample(maker, sample);
  maker.finish();
  sample.bytes = maker.bytes();
  return sample;
}

Sample sample_pack_appended() {
  Sample sample = sample_pack();
  const auto reader = open_bytes(sample.bytes);
  MMH_CHECK(reader.has_value());
  PackMaker maker(sample.bytes, **reader);
  const auto visited = (*reader)->visit("", [&](pack::FileRecord&& record) -> Result<bool> {
    if (record.entry.path != "d/a.txt" && record.entry.path != "d/other name") maker.add(std::move(record));
    return true;
  });
  MMH_CHECK(visited.has_value());
  for (const std::string path : {"d/a.txt", "zebra"}) {
    sample.contents[path] = text_bytes(90, path.size());
    maker.add_file(path, sample.contents[path]);
  }
  maker.finish();
  sample.bytes = maker.bytes();
  return sample;
}

std::set<std::string> read_all(const pack::Reader& reader, const Sample& sample) {
  std::set<std::string> unreadable;
  for (const auto& [path, content] : sample.contents) {
    const auto record = reader.find(path);
    if (!record || !*record) {
      unreadable.insert(path);
      continue;
    }
    Buffer streamed;
    const auto stream = reader.stream_file(**record, [&](ByteView piece) -> Result<> {
      append(streamed, piece);
      return {};
    });
    Buffer read((*record)->entry.size);
    const auto count = reader.read_file(**record, 0, read);
    EXPECT_TRUE(!stream || streamed == content) << path;
    EXPECT_TRUE(!count || read == content) << path;
    if (!stream || !count) unreadable.insert(path);
  }
  return unreadable;
}

}  // namespace mmh::test
