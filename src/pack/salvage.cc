#include "mmh/pack/salvage.h"

#include <algorithm>
#include <map>

#include "mmh/codec/frame.h"
#include "mmh/hash/blake3.h"
#include "mmh/pack/pack_file.h"
#include "mmh/pack/scan.h"

namespace mmh::pack {

namespace {

class BufferSink final : public ByteSink {
 public:
  explicit BufferSink(Buffer& out) : out_(out) {}
  Result<> write(ByteView bytes) override {
    append(out_, bytes);
    return {};
  }

 private:
  Buffer& out_;
};

struct PathOrder {
  bool operator()(const std::string& a, const std::string& b) const { return tree::compare_paths(a, b) < 0; }
};
using Records = std::map<std::string, FileRecord, PathOrder>;

Result<Buffer> stored_frame(ByteView raw) { return codec::encode_frame(codec::Registry({}), codec::Plan{}, raw); }

// The entries of a manifest page, if it is a leaf that can be read; newer ones replace older ones.
void take_records(const RandomAccessSource& file, const codec::Registry& registry, const BlockHeader& block,
                  Records& records) {
  Buffer frame(static_cast<std::size_t>(block.stored_size));
  Buffer raw(static_cast<std::size_t>(block.raw_size));
  if (!file.read_at(block.offset + kBlockHeaderSize, frame)) return;
  if (!codec::decode_frame(registry, frame, raw, {})) return;
  auto page = parse_manifest_page(raw);
  if (!page || page->height != 0) return;
  for (FileRecord& record : page->records) records.insert_or_assign(record.entry.path, std::move(record));
}

}  // namespace

Result<Rebuilt> rebuild(const RandomAccessSource& file, const codec::Registry& registry, std::optional<BaseName> base) {
  MMH_LET(const std::vector<BlockHeader> found, scan_blocks(file));
  // Numbers come from outside: one that is far above the number of blocks would cost memory for nothing.
  const std::uint64_t number_max = 64 * std::uint64_t{found.size()} + 4096;
  std::uint64_t count = 0;
  for (const BlockHeader& block : found) {
    if (block.number < number_max) count = std::max(count, block.number + 1);
  }
  Rebuilt rebuilt;
  rebuilt.blocks = found.size();
  // A block that is lost is one without any content.
  std::vector<BlockInfo> blocks(count, BlockInfo{BlockType::data, kHeaderSize, 0, 0, {}});
  std::vector<bool> known(count);
  Records records;
  for (const BlockHeader& block : found) {
    if (block.number >= count || block.type == BlockType::index || block.type == BlockType::trailer) continue;
    blocks[block.number] = {block.type, block.offset, block.stored_size, block.raw_size, block.hash};
    known[block.number] = true;
    if (block.type == BlockType::manifest) take_records(file, registry, block, records);
  }
  rebuilt.lost = static_cast<std::uint64_t>(std::ranges::count(known, false));
  rebuilt.entries = records.size();
  if (records.empty()) {
    return fail(Errc::corrupt, display_path(file.name()) + ": no list of entries is left; nothing can be salvaged");
  }

  BufferSink sink(rebuilt.tail);
  Trailer old;
  old.block_count = count;
  old.base = std::move(base);
  for (std::uint64_t first = 0; first + kIndexPageEntries <= count; first += kIndexPageEntries) {
    const Buffer raw = write_index_page(first, std::span(blocks).subspan(first, kIndexPageEntries));
    MMH_LET(const Buffer frame, stored_frame(raw));
    const BlockHeader header{BlockType::index, kUnnumbered, file.size() + rebuilt.tail.size(),
                             frame.size(),     raw.size(),  hash::blake3(frame)};
    Buffer bytes(kBlockHeaderSize);
    write_block_header(header, bytes);
    append(rebuilt.tail, bytes);
    append(rebuilt.tail, frame);
    old.index.push_back({first, {BlockType::index, header.offset, header.stored_size, header.raw_size, header.hash}});
  }
  std::vector<BlockInfo> tail_blocks(blocks.end() - static_cast<std::ptrdiff_t>(count % kIndexPageEntries),
                                     blocks.end());
  if (!tail_blocks.empty()) old.index.emplace_back();
  const auto writer = PackFileWriter::resume(sink, file.size() + rebuilt.tail.size(), old, 0, std::move(tail_blocks));
  ManifestBuilder builder([&](ByteView raw) -> Result<std::uint64_t> {
    MMH_LET(const Buffer frame, stored_frame(raw));
    return writer->add_block(BlockType::manifest, frame, raw.size(), hash::blake3(frame));
  });
  for (const auto& [path, record] : records) MMH_TRY(builder.add(record));
  Trailer trailer;
  MMH_LET(trailer.top, builder.finish());
  trailer.height = builder.height();
  trailer.root = manifest_root(trailer.top);
  MMH_LET(trailer, writer->finish(std::move(trailer)));
  return rebuilt;
}

}  // namespace mmh::pack
