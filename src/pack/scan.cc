#include "mmh/pack/scan.h"

#include <algorithm>
#include <array>

#include "mmh/base/checked.h"
#include "mmh/hash/blake3.h"

namespace mmh::pack {

namespace {
constexpr std::uint64_t kWindow = 1 << 20;
constexpr std::uint64_t kHashPiece = 512 << 10;
constexpr std::size_t kSector = 512;

// The whole header at the beginning of `bytes`, which stand at `offset`, of a block that ends within the file.
std::optional<FoundBlock> block_in(ByteView bytes, std::uint64_t offset, std::uint64_t file_size) {
  auto parsed = parse_block_header(bytes);
  if (!parsed || !range_within(offset + kBlockHeaderSize, parsed->stored_size, file_size)) return std::nullopt;
  FoundBlock found{*std::move(parsed), 0};
  found.shift = offset - found.header.offset;
  found.header.offset = offset;
  return found;
}

std::optional<FoundBlock> block_at(const RandomAccessSource& source, std::uint64_t offset) {
  std::array<std::byte, kBlockHeaderSize> bytes;
  if (!range_within<std::uint64_t>(offset, kBlockHeaderSize, source.size()) || !source.read_at(offset, bytes)) {
    return std::nullopt;
  }
  return block_in(bytes, offset, source.size());
}

// The first that begins within [from, to).
std::optional<FoundBlock> next_block(const RandomAccessSource& source, std::uint64_t from, std::uint64_t to,
                                     bool displaced) {
  const std::uint64_t size = source.size();
  if (size < kBlockHeaderSize) return std::nullopt;
  to = std::min(to, size - kBlockHeaderSize + 1);
  Buffer window;
  while (from < to) {
    // The last header that may begin in this window is read whole.
    const std::uint64_t starts = std::min(kWindow, to - from);
    window.resize(starts + kBlockHeaderSize - 1);
    read_readable(source, from, window);
    for (auto at = find_block_magic(window); at && *at < starts; at = find_block_magic(window, *at + 1)) {
      auto found = block_in(ByteView(window).subspan(*at), from + *at, size);
      if (found && (displaced || found->shift == 0)) return found;
    }
    from += starts;
  }
  return std::nullopt;
}
}  // namespace

void read_readable(const RandomAccessSource& source, std::uint64_t offset, Bytes out) {
  if (source.read_at(offset, out)) return;
  while (!out.empty()) {
    const Bytes piece = out.first(std::min<std::size_t>(out.size(), kSector - offset % kSector));
    if (!source.read_at(offset, piece)) std::ranges::fill(piece, std::byte{0});
    offset += piece.size();
    out = out.subspan(piece.size());
  }
}

Result<BlockHeader> block_header_at(const RandomAccessSource& source, std::uint64_t offset) {
  if (!range_within<std::uint64_t>(offset, kBlockHeaderSize, source.size())) {
    return fail(Errc::corrupt, "a block header is cut short");
  }
  std::array<std::byte, kBlockHeaderSize> bytes;
  if (!source.read_at(offset, bytes)) return fail(Errc::corrupt, "a block header cannot be read");
  MMH_LET(const BlockHeader header, parse_block_header(bytes));
  if (header.offset != offset) return fail(Errc::corrupt, "a block header belongs elsewhere");
  if (!range_within(offset + kBlockHeaderSize, header.stored_size, source.size())) {
    return fail(Errc::corrupt, "a block is cut short");
  }
  return header;
}

bool payload_matches(const RandomAccessSource& source, const BlockHeader& header) {
  hash::Blake3 state;
  Buffer piece(std::min(header.stored_size, kHashPiece));
  for (std::uint64_t done = 0; done < header.stored_size; done += piece.size()) {
    piece.resize(std::min(header.stored_size - done, kHashPiece));
    if (!source.read_at(header.offset + kBlockHeaderSize + done, piece)) return false;
    state.update(piece);
  }
  return state.finish() == header.hash;
}

std::optional<BlockHeader> next_block_header(const RandomAccessSource& source, std::uint64_t from, std::uint64_t to) {
  const auto found = next_block(source, from, to, false);
  return found ? std::optional(found->header) : std::nullopt;
}

std::optional<BlockHeader> last_trailer_header(const RandomAccessSource& source, std::uint64_t before) {
  const std::uint64_t size = source.size();
  if (size < kBlockHeaderSize) return std::nullopt;
  before = std::min(before, size - kBlockHeaderSize + 1);
  Buffer window;
  while (before > 0) {
    const std::uint64_t starts = std::min(kWindow, before);
    const std::uint64_t base = before - starts;
    window.resize(starts + kBlockHeaderSize - 1);
    read_readable(source, base, window);
    std::optional<BlockHeader> last;
    for (auto at = find_block_magic(window); at && *at < starts; at = find_block_magic(window, *at + 1)) {
      const auto found = block_in(ByteView(window).subspan(*at), base + *at, size);
      if (found && found->shift == 0 && found->header.type == BlockType::trailer) last = found->header;
    }
    if (last) return last;
    before = base;
  }
  return std::nullopt;
}

bool is_cut_off_append(const RandomAccessSource& source, std::uint64_t from) {
  const std::uint64_t size = source.size();
  while (from < size) {
    std::array<std::byte, kBlockHeaderSize> bytes;
    const auto present =
        Bytes(bytes).first(static_cast<std::size_t>(std::min<std::uint64_t>(size - from, bytes.size())));
    if (!source.read_at(from, present)) return false;
    if (present.size() < bytes.size()) return begins_like_block_or_footer(present);
    const auto header = parse_block_header(present);
    if (!header || header->offset != from) return false;
    if (!range_within(from + kBlockHeaderSize, header->stored_size, size)) return true;
    if (!payload_matches(source, *header)) return false;
    from += kBlockHeaderSize + header->stored_size;
  }
  return true;
}

Result<std::vector<FoundBlock>> scan_blocks(const RandomAccessSource& source, const ProgressSink& progress) {
  const std::uint64_t size = source.size();
  // Real damage wastes at most the damaged blocks' bytes. Headers made to claim the same bytes again and again would
  // make the scan quadratic, so what may be hashed in vain is bounded.
  const std::uint64_t waste_max = 4 * std::min(size, kPackSizeMax / 8) + (std::uint64_t{256} << 20);
  std::uint64_t waste = 0;
  std::vector<FoundBlock> blocks;
  std::uint64_t from = 0;
  for (;;) {
    if (progress) progress(from, size);
    // Behind a whole block the next one usually stands at once.
    auto found = block_at(source, from);
    if (!found) found = next_block(source, from, size, true);
    if (!found) break;
    const BlockHeader& header = found->header;
    if (payload_matches(source, header)) {
      from = header.offset + kBlockHeaderSize + header.stored_size;
      blocks.push_back(*std::move(found));
      continue;
    }
    waste += header.stored_size;
    if (waste > waste_max)
      return fail(Errc::limit, source.name() + ": too many false block headers; not an honest pack");
    from = header.offset + 1;
  }
  if (progress) progress(size, size);
  return blocks;
}

}  // namespace mmh::pack
