#include "protection_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "mmh/base/cbor.h"
#include "mmh/base/check.h"
#include "mmh/base/checked.h"
#include "mmh/hash/blake3.h"
#include "mmh/pack/scan.h"
#include "ordered_tasks.h"
#include "parity_search.h"
#include "parity_symbols.h"

namespace mmh::pack {

namespace {

constexpr std::uint32_t kProtectionVersion = 1;
constexpr std::uint64_t kAlignment = 4096;
constexpr std::uint64_t kRootBlock = kBlockHeaderSize + kProtectionRootSize;
constexpr std::uint64_t kSetsMax = 256;
constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 50;
constexpr std::uint64_t kPathBytesMax = std::uint64_t{1} << 28;
constexpr std::size_t kPiece = 1 << 20;
constexpr std::uint64_t kSectionMin = 2 * (kBlockHeaderSize + kParityHeadSize);
constexpr std::uint32_t kModeMask = 07777;
constexpr std::uint32_t kNanosecondsMax = 999'999'999;

std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) { return (value + unit - 1) / unit * unit; }

std::unexpected<Error> damaged(std::string_view what) {
  return fail(Errc::corrupt, fmt::format("the protection's {}", what));
}

Result<std::uint64_t> read_up_to(CborReader& in, std::uint64_t most, std::string_view what) {
  MMH_LET(const std::uint64_t value, in.unsigned_integer());
  if (value > most) return damaged(fmt::format("{} is out of range", what));
  return value;
}

Result<> expect_array(CborReader& in, std::uint64_t count) {
  MMH_LET(const std::uint64_t there, in.array());
  if (there != count) return damaged("list has an item of another shape");
  return {};
}

Result<ProtectedFile> read_file(CborReader& in, std::string_view before, std::size_t sets) {
  MMH_TRY(expect_array(in, 9));
  ProtectedFile file;
  MMH_LET(const std::uint64_t shared, in.unsigned_integer());
  MMH_LET(const ByteView rest, in.bytes());
  if (shared > before.size()) return damaged("list has a path that begins nowhere");
  file.path = std::string(before.substr(0, static_cast<std::size_t>(shared))) + std::string(as_text(rest));
  MMH_TRY(tree::check_path(file.path));
  MMH_LET(file.size, read_up_to(in, kBytesMax, "list has a size that"));
  MMH_LET(file.mtime_seconds, in.integer());
  MMH_LET(const std::uint64_t nanoseconds, read_up_to(in, kNanosecondsMax, "list has a time that"));
  file.mtime_nanoseconds = static_cast<std::uint32_t>(nanoseconds);
  MMH_LET(const std::uint64_t mode, read_up_to(in, kModeMask, "list has a mode that"));
  file.mode = static_cast<std::uint32_t>(mode);
  MMH_LET(const ByteView digest, in.bytes());
  if (digest.size() != file.hash.bytes.size()) return damaged("list has a hash of another size");
  std::memcpy(file.hash.bytes.data(), digest.data(), digest.size());
  MMH_LET(const std::uint64_t set, in.unsigned_integer());
  MMH_LET(file.offset, read_up_to(in, kBytesMax, "list has an offset that"));
  if (file.size == 0 ? set != 0 || file.offset != 0 : set >= sets) {
    return damaged("list has a file that is nowhere");
  }
  file.set = static_cast<std::uint32_t>(set);
  return file;
}

// The files of each set lie side by side, without a gap.
Result<> check_sets(const ProtectionList& list) {
  std::vector<std::vector<std::pair<std::uint64_t, std::uint64_t>>> ranges(list.sets.size());
  for (const ProtectedFile& file : list.files) {
    if (file.size > 0) ranges[file.set].emplace_back(file.offset, file.size);
  }
  for (std::size_t set = 0; set < list.sets.size(); ++set) {
    std::ranges::sort(ranges[set]);
    std::uint64_t at = 0;
    for (const auto& [offset, size] : ranges[set]) {
      if (offset != at) return damaged("list has files that do not adjoin");
      at += size;  // each below 2^50, and at most 2^21 of them, but none begins behind 2^50
    }
    if (at != list.sets[set].data_size) return damaged("list has a set of another size");
  }
  return {};
}

}  // namespace

// ---- layout ----

std::uint64_t ProtectionLayout::shard_offset(std::uint64_t shard) const {
  const std::uint64_t source = shards.source_symbols();
  return shard < source ? kRootBlock + shard * shard_block() : repair_shards + (shard - source) * shard_block();
}

Result<ProtectionLayout> lay_out_protection(std::uint64_t list_size, std::span<const ProtectedSet> sets) {
  if (list_size == 0 || list_size > kProtectionListMax) return fail(Errc::limit, "too long a list of protected files");
  ProtectionLayout layout;
  layout.shards = shards_of(list_size);
  layout.shards_end = kRootBlock + layout.shards.source_symbols() * layout.shard_block();
  std::uint64_t at = layout.shards_end;
  for (const ProtectedSet& set : sets) {
    at = round_up(at, kAlignment);
    layout.sections.push_back(at);
    if (set.section_size < kSectionMin || set.section_size > kBytesMax) return damaged("list has an impossible set");
    at += set.section_size;
    if (at > kBytesMax) return fail(Errc::limit, "a protection of more than 2^50 bytes");
  }
  layout.repair_shards = at;
  layout.size = at + layout.shards.repair_symbols_total() * layout.shard_block() + kRootBlock;
  return layout;
}

// ---- structures ----

Buffer write_root(ProtectionRoot& root) {
  Buffer out(kProtectionRootSize);
  std::ranges::fill(out, std::byte{0});
  const Bytes bytes(out);
  store_le<std::uint32_t>(bytes.subspan(16), static_cast<std::uint32_t>(ParityPart::root));
  store_le<std::uint32_t>(bytes.subspan(20), kProtectionVersion);
  store_le<std::uint64_t>(bytes.subspan(24), root.list_size);
  store_le<std::uint64_t>(bytes.subspan(32), root.file_size);
  store_le<std::uint32_t>(bytes.subspan(40), root.loss_ppm);
  std::memcpy(out.data() + 96, root.list_hash.bytes.data(), 32);
  const hash::Digest id = hash::blake3(ByteView(out).subspan(16));
  std::memcpy(out.data(), id.bytes.data(), root.id.size());
  std::memcpy(root.id.data(), id.bytes.data(), root.id.size());
  return out;
}

Result<ProtectionRoot> parse_root(ByteView in) {
  if (in.size() != kProtectionRootSize) return damaged("root is of another size");
  const hash::Digest id = hash::blake3(in.subspan(16));
  if (std::memcmp(id.bytes.data(), in.data(), 16) != 0 ||
      load_le<std::uint32_t>(in.subspan(16)) != static_cast<std::uint32_t>(ParityPart::root)) {
    return damaged("root is damaged");
  }
  if (load_le<std::uint32_t>(in.subspan(20)) != kProtectionVersion) {
    return fail(Errc::unsupported, "the protection is of a newer version; a newer mmh reads it");
  }
  ProtectionRoot root;
  std::memcpy(root.id.data(), in.data(), root.id.size());
  root.list_size = load_le<std::uint64_t>(in.subspan(24));
  root.file_size = load_le<std::uint64_t>(in.subspan(32));
  root.loss_ppm = load_le<std::uint32_t>(in.subspan(40));
  std::memcpy(root.list_hash.bytes.data(), in.data() + 96, 32);
  if (root.list_size == 0 || root.list_size > kProtectionListMax || root.file_size > 2 * kBytesMax ||
      root.loss_ppm == 0 || root.loss_ppm > kParityPpmMax) {
    return damaged("root is out of range");
  }
  return root;
}

Buffer write_list(const ProtectionList& list) {
  Buffer raw;
  CborWriter out(raw);
  out.array(3);
  out.array(list.roots.size());
  for (const std::string& root : list.roots) out.bytes(as_bytes(root));
  out.array(list.sets.size());
  for (const ProtectedSet& set : list.sets) {
    out.array(2);
    out.unsigned_integer(set.data_size);
    out.unsigned_integer(set.section_size);
  }
  out.array(list.files.size());
  std::string_view before;
  for (const ProtectedFile& file : list.files) {
    const std::size_t shorter = std::min(before.size(), file.path.size());
    const auto shared = static_cast<std::size_t>(
        std::mismatch(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(shorter), file.path.begin()).first -
        before.begin());
    out.array(9);
    out.unsigned_integer(shared);
    out.bytes(as_bytes(std::string_view(file.path).substr(shared)));
    out.unsigned_integer(file.size);
    out.integer(file.mtime_seconds);
    out.unsigned_integer(file.mtime_nanoseconds);
    out.unsigned_integer(file.mode);
    out.bytes(file.hash.view());
    out.unsigned_integer(file.set);
    out.unsigned_integer(file.offset);
    before = file.path;
  }
  return raw;
}

Result<ProtectionList> parse_list(ByteView raw) {
  CborReader in(raw);
  ProtectionList list;
  MMH_TRY(expect_array(in, 3));
  MMH_LET(const std::uint64_t roots, in.array());
  for (std::uint64_t i = 0; i < roots; ++i) {
    MMH_LET(const ByteView root, in.bytes());
    list.roots.emplace_back(as_text(root));
    if (list.roots.back() != ".") MMH_TRY(tree::check_path(list.roots.back()));
  }
  MMH_LET(const std::uint64_t sets, in.array());
  if (sets > kSetsMax) return damaged("list has too many sets");
  for (std::uint64_t i = 0; i < sets; ++i) {
    MMH_TRY(expect_array(in, 2));
    ProtectedSet set;
    MMH_LET(set.data_size, read_up_to(in, kBytesMax, "list has a set that"));
    MMH_LET(set.section_size, read_up_to(in, kBytesMax, "list has a set that"));
    if (set.data_size == 0) return damaged("list has an empty set");
    list.sets.push_back(set);
  }
  MMH_LET(const std::uint64_t files, in.array());
  if (files > kProtectedFilesMax) return fail(Errc::limit, "the protection lists more than 2^21 files");
  std::uint64_t path_bytes = 0;
  for (std::uint64_t i = 0; i < files; ++i) {
    const std::string_view before = list.files.empty() ? std::string_view() : list.files.back().path;
    MMH_LET(ProtectedFile file, read_file(in, before, list.sets.size()));
    if (!list.files.empty() && tree::compare_paths(before, file.path) >= 0) {
      return damaged("list is not in the order of its paths");
    }
    path_bytes += file.path.size();
    if (path_bytes > kPathBytesMax) return fail(Errc::limit, "the protection lists more than 256 MiB of paths");
    list.files.push_back(std::move(file));
  }
  MMH_TRY(in.finish());
  MMH_TRY(check_sets(list));
  return list;
}

std::vector<std::size_t> files_of_set(const ProtectionList& list, std::size_t set) {
  std::vector<std::size_t> files;
  for (std::size_t i = 0; i < list.files.size(); ++i) {
    if (list.files[i].size > 0 && list.files[i].set == set) files.push_back(i);
  }
  std::ranges::sort(files, {}, [&](std::size_t file) { return list.files[file].offset; });
  return files;
}

hash::Digest set_subject(const ProtectionList& list, std::size_t set) {
  hash::Blake3 state;
  for (const std::size_t file : files_of_set(list, set)) state.update(list.files[file].hash.view());
  return state.finish();
}

// ---- writing ----

Result<> write_protection(const ProtectionList& list, const std::function<Result<>(std::size_t, ByteSink&)>& section,
                          ByteSink& out) {
  const Buffer raw = write_list(list);
  MMH_LET(const ProtectionLayout layout, lay_out_protection(raw.size(), list.sets));
  ProtectionRoot root;
  root.list_size = raw.size();
  root.file_size = layout.size;
  root.loss_ppm = list.loss_ppm;
  root.list_hash = hash::blake3(raw);
  const Buffer payload = write_root(root);
  const std::size_t size = layout.shards.symbol_size;
  const std::uint64_t source = layout.shards.source_symbols();
  const auto put_shard = [&](std::uint64_t shard, ByteView content) {
    Buffer bytes(kParityPrefixSize);
    write_prefix({root.id, ParityPart::list, static_cast<std::uint32_t>(shard)}, bytes);
    append(bytes, content);
    return out.write(parity_block(layout.shard_offset(shard), bytes));
  };
  MMH_TRY(out.write(parity_block(0, payload)));
  Buffer shard(size);
  for (std::uint64_t i = 0; i < source; ++i) {
    std::ranges::fill(shard, std::byte{0});
    std::memcpy(shard.data(), raw.data() + i * size, layout.shards.source_size(i));
    MMH_TRY(put_shard(i, shard));
  }
  std::uint64_t at = layout.shards_end;
  for (std::size_t set = 0; set < list.sets.size(); ++set) {
    const Buffer zeros(static_cast<std::size_t>(layout.sections[set] - at), std::byte{0});
    MMH_TRY(out.write(zeros));
    MMH_TRY(section(set, out));
    at = layout.sections[set] + list.sets[set].section_size;
  }
  MMH_LET(const Buffer repair, make_check_shards(layout.shards, raw));
  for (std::uint64_t i = source; i < layout.shards.symbols(); ++i) {
    MMH_TRY(put_shard(i, ByteView(repair).subspan((i - source) * size, size)));
  }
  return out.write(parity_block(layout.size - kRootBlock, payload));
}

// ---- loading ----

namespace {

std::optional<ProtectionRoot> root_at(const RandomAccessSource& source, std::uint64_t offset) {
  const auto header = block_header_at(source, offset);
  if (!header || header->type != BlockType::parity || header->stored_size != kProtectionRootSize) return std::nullopt;
  Buffer payload(kProtectionRootSize);
  if (!source.read_at(offset + kBlockHeaderSize, payload) || hash::blake3(payload) != header->hash) return std::nullopt;
  auto root = parse_root(payload);
  if (!root) return std::nullopt;
  return *std::move(root);
}

std::vector<ProtectionRoot> quick_roots(const RandomAccessSource& source) {
  std::vector<ProtectionRoot> roots;
  if (auto root = root_at(source, 0)) roots.push_back(*root);
  if (source.size() >= kRootBlock) {
    auto root = root_at(source, source.size() - kRootBlock);
    if (root && (roots.empty() || roots[0].id != root->id)) roots.push_back(*root);
  }
  return roots;
}

// The shard that a block's payload holds, where it is one of this root's.
std::optional<std::uint32_t> shard_in(ByteView payload, const ProtectionRoot& root, const fec::Interleaving& shards) {
  if (payload.size() != kParityPrefixSize + shards.symbol_size) return std::nullopt;
  const ParityPrefix prefix = parse_prefix(payload);
  if (prefix.id != root.id || prefix.part != ParityPart::list || prefix.index >= shards.symbols()) return std::nullopt;
  return prefix.index;
}

bool shard_stands_at(const RandomAccessSource& source, std::uint64_t offset, std::uint32_t index,
                     const ProtectionRoot& root, const fec::Interleaving& shards, Buffer& payload) {
  const auto header = block_header_at(source, offset);
  if (!header || header->type != BlockType::parity || header->stored_size != payload.size()) return false;
  return source.read_at(offset + kBlockHeaderSize, payload) && hash::blake3(payload) == header->hash &&
         shard_in(payload, root, shards) == index;
}

Result<LoadedProtection> load_list(const RandomAccessSource& source, const ProtectionRoot& root,
                                   const CancelFlag* cancel) {
  // Either half of the shards is enough, and no root alone makes anybody take memory.
  if (source.size() < root.list_size / 2) return damaged("list of files is lost");
  const fec::Interleaving shards = shards_of(root.list_size);
  const std::size_t size = shards.symbol_size;
  Buffer all(shards.symbols() * size);
  std::ranges::fill(all, std::byte{0});
  std::vector<bool> have(shards.symbols());
  ProtectionLayout layout;
  layout.shards = shards;
  const std::uint64_t behind = shards.repair_symbols_total() * layout.shard_block() + kRootBlock;
  if (root.file_size < behind) return damaged("root is out of range");
  layout.repair_shards = root.file_size - behind;
  const auto take = [&](std::uint32_t index, ByteView payload) {
    if (have[index]) return;
    std::memcpy(all.data() + index * size, payload.data() + kParityPrefixSize, size);
    have[index] = true;
  };
  Buffer payload(kParityPrefixSize + size);
  const auto take_all = [&](std::uint64_t begin, std::uint64_t end) -> Result<> {
    for (std::uint64_t i = begin; i < end; ++i) {
      MMH_TRY(check_cancelled(cancel));
      const auto index = static_cast<std::uint32_t>(i);
      if (shard_stands_at(source, layout.shard_offset(i), index, root, shards, payload)) take(index, payload);
    }
    return {};
  };
  const auto complete = [&] {
    const auto end = have.begin() + static_cast<std::ptrdiff_t>(shards.source_symbols());
    return std::find(have.begin(), end, false) == end;
  };
  MMH_TRY(take_all(0, shards.source_symbols()));
  if (!complete()) {
    MMH_TRY(take_all(shards.source_symbols(), shards.symbols()));
    MMH_TRY(complete_shards(shards, all, have));
  }
  if (!complete()) {
    // Where everything has moved, the shards still say what they are.
    MMH_TRY(search_parts(source, cancel, [&](const FoundPart& part) -> Result<> {
      if (const auto index = shard_in(part.payload, root, shards)) take(*index, part.payload);
      return {};
    }));
    MMH_TRY(complete_shards(shards, all, have));
  }
  const ByteView raw = ByteView(all).first(static_cast<std::size_t>(root.list_size));
  if (!complete() || hash::blake3(raw) != root.list_hash) return damaged("list of files is lost");
  LoadedProtection loaded;
  MMH_LET(loaded.list, parse_list(raw));
  loaded.list.loss_ppm = root.loss_ppm;
  MMH_LET(ProtectionLayout whole, lay_out_protection(root.list_size, loaded.list.sets));
  if (whole.size != root.file_size) return damaged("root is out of range");
  loaded.section_offsets = std::move(whole.sections);
  loaded.stored_size = whole.size;
  return loaded;
}

}  // namespace

bool looks_like_protection(const RandomAccessSource& source) { return !quick_roots(source).empty(); }

Result<LoadedProtection> load_protection(const RandomAccessSource& source, const CancelFlag* cancel) {
  std::vector<ProtectionRoot> roots = quick_roots(source);
  std::optional<Error> newer;
  if (roots.empty()) {
    MMH_TRY(search_parts(source, cancel, [&](const FoundPart& part) -> Result<> {
      if (part.payload.size() != kProtectionRootSize) return {};
      auto root = parse_root(part.payload);
      if (root) roots.push_back(*root);
      if (!root && root.error().code == Errc::unsupported) newer = root.error();
      return {};
    }));
  }
  if (roots.empty() && newer) return fail(*newer);
  Result<LoadedProtection> loaded = fail(Errc::corrupt, "is no protection of files, or too little of one is left");
  for (const ProtectionRoot& root : roots) {
    loaded = load_list(source, root, cancel);
    if (loaded) return loaded;
  }
  return std::move(loaded).in(display_path(source.name()));
}

std::optional<ParityHead> section_head(const RandomAccessSource& source, const LoadedProtection& loaded,
                                       std::size_t set, bool search) {
  const ProtectedSet& wanted = loaded.list.sets[set];
  const hash::Digest subject = set_subject(loaded.list, set);
  const auto fits = [&](const ParityHead& head) {
    return head.subject == subject && head.layout.goal.detached && head.layout.goal.section_offset == 0 &&
           head.layout.goal.data_size == wanted.data_size && head.layout.section_size() == wanted.section_size;
  };
  const SourceWindow window(source, loaded.section_offsets[set]);
  for (const std::uint64_t offset : {std::uint64_t{0}, wanted.section_size - kBlockHeaderSize - kParityHeadSize}) {
    auto head = parity_head_at(window, offset);
    if (head && fits(*head)) return *std::move(head);
  }
  if (!search) return std::nullopt;
  for (const ParityHead& head : find_parity_heads(source)) {
    if (fits(head)) return head;
  }
  return std::nullopt;
}

// ---- checking ----

namespace {

bool block_is_whole(const RandomAccessSource& source, std::uint64_t offset, const BlockHeader& header) {
  static thread_local Buffer piece;
  piece.resize(kPiece);
  hash::Blake3 state;
  for (std::uint64_t done = 0; done < header.stored_size;) {
    const Bytes part = Bytes(piece).first(std::min<std::uint64_t>(kPiece, header.stored_size - done));
    if (!source.read_at(offset + kBlockHeaderSize + done, part)) return false;
    state.update(part);
    done += part.size();
  }
  return state.finish() == header.hash;
}

// Whether the blocks of a section follow each other and each is whole.
Result<bool> section_is_whole(const RandomAccessSource& window, std::uint64_t size, const hash::Digest& subject,
                              const ParityContext& context) {
  const auto head = parity_head_at(window, 0);
  if (!head || head->subject != subject || head->layout.section_size() != size) return false;
  OrderedTasks<bool> tasks(*context.pool);
  bool whole = true;
  for (std::uint64_t at = 0; at < size && whole;) {
    MMH_TRY(check_cancelled(context.cancel));
    const auto header = block_header_at(window, at);
    if (!header || header->offset != at || header->type != BlockType::parity ||
        !range_within(at, kBlockHeaderSize + header->stored_size, size)) {
      return false;
    }
    if (tasks.full()) whole = tasks.pop();
    tasks.push(0, [&window, at, header = *header] { return block_is_whole(window, at, header); });
    at += kBlockHeaderSize + header->stored_size;
  }
  while (!tasks.empty()) whole = tasks.pop() && whole;
  return whole;
}

bool is_zero(const RandomAccessSource& source, std::uint64_t begin, std::uint64_t end) {
  Buffer bytes(static_cast<std::size_t>(end - begin));
  return source.read_at(begin, bytes) &&
         std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; });
}

}  // namespace

Result<ProtectionState> check_protection(const RandomAccessSource& source, const LoadedProtection& loaded,
                                         const ParityContext& context) {
  const ProtectionList& list = loaded.list;
  ProtectionState state;
  const auto front = root_at(source, 0);
  const auto back = source.size() < kRootBlock ? std::nullopt : root_at(source, source.size() - kRootBlock);
  state.frame = front && back && front->id == back->id && source.size() == loaded.stored_size;
  if (front && state.frame) {
    MMH_LET(const ProtectionLayout layout, lay_out_protection(front->list_size, list.sets));
    Buffer payload(kParityPrefixSize + layout.shards.symbol_size);
    for (std::uint64_t i = 0; i < layout.shards.symbols() && state.frame; ++i) {
      state.frame = shard_stands_at(source, layout.shard_offset(i), static_cast<std::uint32_t>(i), *front,
                                    layout.shards, payload);
    }
    std::uint64_t at = layout.shards_end;
    for (std::size_t set = 0; set < list.sets.size(); ++set) {
      state.frame = state.frame && is_zero(source, at, layout.sections[set]);
      at = layout.sections[set] + list.sets[set].section_size;
    }
  }
  for (std::size_t set = 0; set < list.sets.size(); ++set) {
    const SourceWindow window(source, loaded.section_offsets[set]);
    MMH_LET(const bool whole, section_is_whole(window, list.sets[set].section_size, set_subject(list, set), context));
    state.sections.push_back(whole);
  }
  return state;
}

}  // namespace mmh::pack
