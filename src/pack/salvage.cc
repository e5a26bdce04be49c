#include "mmh/pack/salvage.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include "mmh/base/checked.h"
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
void take_records(const RandomAccessSource& file, const codec::Registry& registry, const BlockInfo& block,
                  Records& records) {
  Buffer frame(static_cast<std::size_t>(block.stored_size));
  Buffer raw(static_cast<std::size_t>(block.raw_size));
  if (!file.read_at(block.offset + kBlockHeaderSize, frame)) return;
  if (!codec::decode_frame(registry, frame, raw, {})) return;
  auto page = parse_manifest_page(raw);
  if (!page || page->height != 0) return;
  for (FileRecord& record : page->records) records.insert_or_assign(record.entry.path, std::move(record));
}

// The newest trailer among the blocks, if any is left.
std::optional<Trailer> last_trailer(const RandomAccessSource& file, std::span<const FoundBlock> found) {
  for (auto block = found.rbegin(); block != found.rend(); ++block) {
    if (block->header.type != BlockType::trailer) continue;
    Buffer raw(static_cast<std::size_t>(block->header.stored_size));
    if (!file.read_at(block->header.offset + kBlockHeaderSize, raw)) continue;
    if (auto trailer = parse_trailer(raw)) return *std::move(trailer);
  }
  return std::nullopt;
}

bool is_numbered(const BlockHeader& block) {
  return block.type != BlockType::index && block.type != BlockType::trailer && block.number != kUnnumbered;
}

// Tells the blocks of a pack from those of packs that are stored in it, as files, which a scan finds where the block
// around them is damaged.
class OnePack {
 public:
  OnePack(const RandomAccessSource& file, std::span<const FoundBlock> found) : file_(file) {
    // Blocks that moved together have one shift.
    std::map<std::uint64_t, std::vector<const FoundBlock*>> groups;
    std::map<std::uint64_t, std::uint64_t> bytes;
    std::uint64_t shift_of_trailer = 0;
    for (const FoundBlock& block : found) {
      groups[block.shift].push_back(&block);
      bytes[block.shift] += block.header.stored_size;
      // The last one is not in a stored pack, unless the end is lost.
      if (block.header.type == BlockType::trailer) shift_of_trailer = block.shift;
    }
    std::vector<std::uint64_t> order;
    for (const auto& [shift, group] : groups) order.push_back(shift);
    std::ranges::sort(order, std::ranges::greater{}, [&](std::uint64_t shift) {
      return std::tuple(shift == 0, shift == shift_of_trailer, bytes[shift], shift);
    });
    for (const std::uint64_t shift : order) take(shift, groups[shift]);
  }

  /// By number.
  const std::map<std::uint64_t, const FoundBlock*>& blocks() const { return blocks_; }
  /// Whether the entries of a manifest page are surely those of this pack.
  bool trusts(const FoundBlock& block) const { return !doubtful_.contains(block.shift); }

 private:
  void take(std::uint64_t shift, const std::vector<const FoundBlock*>& group) {
    const bool fits = !begins_behind_others(shift) && std::ranges::all_of(group, [&](const FoundBlock* block) {
      return !is_numbered(block->header) || stands_in_order(*block);
    });
    if (!fits) doubtful_.insert(shift);
    for (const FoundBlock* block : group) {
      if (is_numbered(block->header)) blocks_.try_emplace(block->header.number, block);
    }
  }

  // Numbers ascend with offsets, those where blocks were written and those where they stand.
  bool stands_in_order(const FoundBlock& block) const {
    const auto before = [](const FoundBlock& a, const FoundBlock& b) {
      return a.header.offset < b.header.offset &&
             a.header.offset - a.shift + kBlockHeaderSize + a.header.stored_size <= b.header.offset - b.shift;
    };
    const auto next = blocks_.lower_bound(block.header.number);
    if (next != blocks_.end() && (next->first == block.header.number || !before(block, *next->second))) return false;
    return next == blocks_.begin() || before(*std::prev(next)->second, block);
  }

  // A pack that begins behind blocks of this one is stored in it.
  bool begins_behind_others(std::uint64_t shift) const {
    std::array<std::byte, kHeaderSize> bytes;
    if (shift == 0 || !range_within<std::uint64_t>(shift, kHeaderSize, file_.size())) return false;
    if (!file_.read_at(shift, bytes) || !parse_header(bytes)) return false;
    return std::ranges::any_of(blocks_, [&](const auto& block) { return block.second->header.offset < shift; });
  }

  const RandomAccessSource& file_;
  std::map<std::uint64_t, const FoundBlock*> blocks_;
  std::set<std::uint64_t> doubtful_;  // shifts
};

// What an index that can be read, at least in part, says of the blocks.
std::vector<std::optional<BlockInfo>> listed_blocks(const Reader* known, std::uint64_t most) {
  std::vector<std::optional<BlockInfo>> listed(known == nullptr ? 0 : std::min(most, known->trailer().block_count));
  for (std::uint64_t number = 0; number < listed.size(); ++number) {
    if (const auto info = known->block_info(number)) listed[number] = *info;
  }
  return listed;
}

// What is left of a pack.
struct Left {
  std::vector<BlockInfo> blocks;  ///< By number; where they stand.
  Records records;
  std::uint64_t lost = 0;
  std::optional<BaseName> base;
};

BlockInfo info_of(const BlockHeader& block) {
  return {block.type, block.offset, block.stored_size, block.raw_size, block.hash};
}

Left left_of(const RandomAccessSource& file, const codec::Registry& registry, const Reader* known,
             std::span<const FoundBlock> found) {
  // Numbers come from outside: one that is far above the number of blocks would cost memory for nothing.
  const std::uint64_t number_max = 64 * std::uint64_t{found.size()} + 4096;
  // What the index lists settles which block is meant; the rest is told apart by how it stands.
  const auto listed = listed_blocks(known, number_max);
  std::map<std::uint64_t, const FoundBlock*> in_index;
  std::vector<FoundBlock> possible;
  for (const FoundBlock& block : found) {
    const BlockHeader& header = block.header;
    if (is_numbered(header) && header.number < listed.size() && listed[header.number]) {
      if (header.type != listed[header.number]->type || header.hash != listed[header.number]->hash) continue;
      in_index.try_emplace(header.number, &block);
    }
    possible.push_back(block);
  }
  const OnePack pack(file, possible);

  std::uint64_t count = listed.size();
  for (const auto& [number, block] : pack.blocks()) {
    if (number < number_max) count = std::max(count, number + 1);
  }
  // A block that is lost is one without any content.
  Left left{.blocks{count, BlockInfo{BlockType::data, kHeaderSize, 0, 0, {}}}, .records{}, .lost = 0, .base{}};
  Records before;
  for (std::uint64_t number = 0; number < count; ++number) {
    BlockInfo& block = left.blocks[number];
    const auto scanned = pack.blocks().find(number);
    bool trusted = true;
    if (const auto at = in_index.find(number); at != in_index.end()) {
      block = info_of(at->second->header);
    } else if (number < listed.size() && listed[number]) {
      // Perhaps only its header is damaged, or parity brings it back.
      block = *listed[number];
      trusted = false;
      if (!known->read_stored(number)) ++left.lost;
    } else if (scanned != pack.blocks().end()) {
      block = info_of(scanned->second->header);
      trusted = pack.trusts(*scanned->second);
    } else {
      ++left.lost;
      continue;
    }
    if (block.type != BlockType::manifest || !trusted) continue;
    take_records(file, registry, block, number < listed.size() ? before : left.records);
  }
  // The manifest that the index belongs to is newer than pages from before it, and older than those from behind.
  Records listed_records;
  const bool complete = known != nullptr && known->visit("", [&](FileRecord&& record) -> Result<bool> {
    listed_records.insert_or_assign(record.entry.path, std::move(record));
    return true;
  });
  left.records.merge(listed_records);
  if (!complete) left.records.merge(before);
  if (known != nullptr) {
    left.base = known->trailer().base;
  } else if (const auto trailer = last_trailer(file, found)) {
    left.base = trailer->base;
  }
  return left;
}

}  // namespace

Result<Rebuilt> rebuild(const RandomAccessSource& file, const codec::Registry& registry, const Reader* known,
                        std::optional<BaseName> base) {
  MMH_LET(const std::vector<FoundBlock> found, scan_blocks(file));
  Left left = left_of(file, registry, known, found);
  if (left.records.empty()) {
    return fail(Errc::corrupt, display_path(file.name()) + ": no list of entries is left; nothing can be salvaged");
  }
  Rebuilt rebuilt;
  rebuilt.blocks = found.size();
  rebuilt.lost = left.lost;
  rebuilt.entries = left.records.size();
  // No index names a block where the header of a pack stands.
  std::vector<BlockInfo>& blocks = left.blocks;
  if (std::ranges::any_of(blocks, [](const BlockInfo& block) { return block.offset < kHeaderSize; })) {
    rebuilt.front = kHeaderSize;
    for (BlockInfo& block : blocks) block.offset += kHeaderSize;
  }
  const std::uint64_t begin = rebuilt.front + file.size();

  BufferSink sink(rebuilt.tail);
  const std::uint64_t count = blocks.size();
  Trailer old;
  old.block_count = count;
  old.base = left.base ? std::move(left.base) : std::move(base);
  for (std::uint64_t first = 0; first + kIndexPageEntries <= count; first += kIndexPageEntries) {
    const Buffer raw = write_index_page(first, std::span(blocks).subspan(first, kIndexPageEntries));
    MMH_LET(const Buffer frame, stored_frame(raw));
    const BlockHeader header{BlockType::index, kUnnumbered, begin + rebuilt.tail.size(),
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
  const auto writer = PackFileWriter::resume(sink, begin + rebuilt.tail.size(), old, 0, std::move(tail_blocks));
  ManifestBuilder builder([&](ByteView raw) -> Result<std::uint64_t> {
    MMH_LET(const Buffer frame, stored_frame(raw));
    return writer->add_block(BlockType::manifest, frame, raw.size(), hash::blake3(frame));
  });
  for (const auto& [path, record] : left.records) MMH_TRY(builder.add(record));
  Trailer trailer;
  MMH_LET(trailer.top, builder.finish());
  trailer.height = builder.height();
  trailer.root = manifest_root(trailer.top);
  MMH_LET(trailer, writer->finish(std::move(trailer)));
  return rebuilt;
}

}  // namespace mmh::pack
