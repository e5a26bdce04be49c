#include "parity_format.h"

#include <algorithm>

#include "mmh/base/cbor.h"
#include "mmh/base/check.h"
#include "mmh/base/checked.h"
#include "mmh/hash/blake3.h"
#include "mmh/pack/scan.h"

namespace mmh::pack {

namespace {

constexpr std::uint32_t kMillion = 1'000'000;
constexpr std::uint32_t kParityVersion = 1;
constexpr std::uint64_t kShardSizeMax = 4096;
constexpr std::uint64_t kShardsOfGroup = 120;
constexpr std::uint64_t kDetachedFlag = 1;
// Sums of so many rows are fast: slices of all of them fit the second-level cache.
constexpr std::uint64_t kRowsFast = 10'400;
constexpr std::uint64_t kRowsMax = 16'640;
constexpr std::uint32_t kSymbolSizeMin = 4096;
constexpr std::uint32_t kSymbolSizeUsual = 64 << 10;
constexpr std::uint64_t kSymbolsMax = std::uint64_t{1} << 23;
constexpr std::uint32_t kReedSolomonRows = 240;
// Of the data, what shards of checks may take beyond those that bring back as many: one part in so many.
constexpr std::uint64_t kChecksShare = 1024;
constexpr std::uint64_t kDataSizeMax = std::uint64_t{1} << 50;

std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) { return (value + unit - 1) / unit * unit; }
std::uint64_t divide_up(std::uint64_t value, std::uint64_t unit) { return (value + unit - 1) / unit; }

// Shards of each group of checks that the loss of one sector takes.
std::uint64_t shards_hit(const fec::Interleaving& checks) {
  const std::uint64_t neighbours = (kParitySector - 2) / check_block_size(checks) + 2;
  return divide_up(neighbours, checks.blocks);
}

fec::Interleaving checks_of(const fec::Interleaving& symbols) {
  fec::Interleaving checks = shards_of(symbols.symbols() * kParityCheckSize);
  // Enough to bear as many lost sectors as the symbols do, as far as that is cheap.
  const std::uint64_t source = checks.repair_symbols;
  const std::uint64_t wanted = fec::scattered_loss_max(symbols, kParitySector) * shards_hit(checks);
  const std::uint64_t cheap = source + symbols.data_size / kChecksShare / (checks.blocks * check_block_size(checks));
  const std::uint64_t most = std::min(cheap, fec::kReedSolomonSymbolsMax - source);
  checks.repair_symbols = static_cast<std::uint32_t>(std::max(source, std::min(wanted, most)));
  return checks;
}

// Bytes that the layout must be able to lose in one piece.
std::uint64_t loss_of(const ParityLayout& layout) {
  const ParityGoal& goal = layout.goal;
  const std::uint64_t whole = goal.detached ? goal.data_size : layout.end_offset() + kFooterSize;
  __extension__ using Wide = unsigned __int128;
  const auto share = static_cast<std::uint64_t>((Wide{whole} * goal.loss_ppm + kMillion - 1) / kMillion);
  return std::max(share, kParityLossMin);
}

ParityLayout with_repair(ParityLayout layout, std::uint32_t repair) {
  layout.symbols.repair_symbols = repair;
  // Beside a file the checks are not what its lost sectors take.
  layout.checks =
      layout.goal.detached ? shards_of(layout.symbols.symbols() * kParityCheckSize) : checks_of(layout.symbols);
  return layout;
}

// The layout with the fewest repair symbols, up to `most`, that suffice.
std::optional<ParityLayout> least_repair(ParityLayout layout, std::uint32_t most) {
  const auto suffices = [](const ParityLayout& tried) { return tried.one_piece_max() >= loss_of(tried); };
  if (!suffices(with_repair(layout, most))) return std::nullopt;
  std::uint32_t low = 1;
  std::uint32_t high = most;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (suffices(with_repair(layout, middle))) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return with_repair(layout, high);
}

std::optional<ParityLayout> plan_reed_solomon(const ParityGoal& goal) {
  std::optional<ParityLayout> best;
  // A sector holds a whole number of symbols.
  for (std::uint32_t size = fec::kSymbolSizeUnit; size <= kParitySector; size *= 2) {
    if (divide_up(goal.data_size, size) > kReedSolomonRows) continue;
    ParityLayout layout{goal, {}, {}};
    layout.symbols = {fec::Scheme::reed_solomon, size, 1, 0, goal.data_size};
    const auto most = static_cast<std::uint32_t>(fec::kReedSolomonSymbolsMax - layout.symbols.source_symbols());
    const auto tried = least_repair(layout, most);
    if (tried && (!best || tried->section_size() < best->section_size())) best = tried;
  }
  return best;
}

std::optional<ParityLayout> plan_raptorq(const ParityGoal& goal) {
  std::uint64_t size = kSymbolSizeMin;
  while (size < kSymbolSizeUsual && divide_up(goal.data_size, size) > kRowsFast) size *= 2;
  while (divide_up(goal.data_size, size) > kSymbolsMax) size *= 2;
  const std::uint64_t count = divide_up(goal.data_size, size);
  const std::uint64_t blocks = count <= kRowsMax ? 1 : divide_up(count, kRowsFast);
  ParityLayout layout{goal, {}, {}};
  layout.symbols = {fec::Scheme::raptorq, static_cast<std::uint32_t>(size), static_cast<std::uint32_t>(blocks), 0,
                    goal.data_size};
  return least_repair(layout, 4 * layout.symbols.source_symbols(0) + 100);
}

}  // namespace

fec::Interleaving shards_of(std::uint64_t bytes) {
  const std::uint64_t size = std::min(kShardSizeMax, round_up(bytes, fec::kSymbolSizeUnit));
  const std::uint64_t shards = divide_up(bytes, size);
  // Neighbours belong to different groups, so that a sector takes one shard of each at most.
  const std::uint64_t groups = std::max(divide_up(shards, kShardsOfGroup), std::min<std::uint64_t>(shards, 2));
  // As many repair shards as shards: either half of them brings all back.
  return {fec::Scheme::reed_solomon, static_cast<std::uint32_t>(size), static_cast<std::uint32_t>(groups),
          static_cast<std::uint32_t>(divide_up(shards, groups)), bytes};
}

std::uint64_t ParityLayout::symbols_per_repair_block() const {
  return std::max<std::uint64_t>(1, kParityRepairBlockMax / symbols.symbol_size);
}

std::uint64_t ParityLayout::repair_blocks() const {
  return divide_up(symbols.repair_symbols_total(), symbols_per_repair_block());
}

std::uint64_t ParityLayout::anchors_offset(unsigned copy) const {
  const std::uint64_t block = goal.anchor_bytes == 0 ? 0 : kBlockHeaderSize + kParityPrefixSize + goal.anchor_bytes;
  if (copy == 0) return goal.section_offset + kBlockHeaderSize + kParityHeadSize;
  return shard_offset(checks.symbols() - 1) + check_block_size(checks) + (copy - 1) * block;
}

std::uint64_t ParityLayout::head_offset(unsigned copy) const {
  return copy == 0 ? goal.section_offset : anchors_offset(2);
}

std::uint64_t ParityLayout::shard_offset(std::uint64_t shard) const {
  const std::uint64_t block = check_block_size(checks);
  const std::uint64_t anchors = goal.anchor_bytes == 0 ? 0 : kBlockHeaderSize + kParityPrefixSize + goal.anchor_bytes;
  const std::uint64_t front = anchors_offset(0) + anchors;
  const std::uint64_t source = checks.source_symbols();
  if (shard < source) return front + shard * block;
  return repair_block_offset(repair_blocks()) + (shard - source) * block;
}

std::uint64_t ParityLayout::repair_alignment() const {
  return goal.detached && symbols.symbol_size % kParitySector == 0 ? kParitySector : symbols.symbol_size;
}

std::uint64_t ParityLayout::repair_block_offset(std::uint64_t block) const {
  const std::uint64_t shards = checks.source_symbols() * check_block_size(checks);
  const std::uint64_t anchors = goal.anchor_bytes == 0 ? 0 : kBlockHeaderSize + kParityPrefixSize + goal.anchor_bytes;
  const std::uint64_t front = anchors_offset(0) + anchors + shards;
  if (block == 0) return front;
  const std::uint64_t size = symbols.symbol_size;
  const std::uint64_t first = round_up(front + kBlockHeaderSize + kParityPrefixSize, repair_alignment());
  const std::uint64_t lead = round_up(kBlockHeaderSize + kParityPrefixSize, repair_alignment());
  const std::uint64_t before = std::min(block * symbols_per_repair_block(), symbols.repair_symbols_total());
  return first + before * size + (block - 1) * lead;
}

std::uint64_t ParityLayout::repair_offset(std::uint64_t index) const {
  const std::uint64_t block = index / symbols_per_repair_block();
  const std::uint64_t size = symbols.symbol_size;
  return round_up(repair_block_offset(block) + kBlockHeaderSize + kParityPrefixSize, repair_alignment()) +
         index % symbols_per_repair_block() * size;
}

std::uint64_t ParityLayout::section_size() const {
  return head_offset(1) + kBlockHeaderSize + kParityHeadSize - goal.section_offset;
}

std::uint64_t ParityLayout::scattered_max() const {
  const std::uint64_t of_symbols = scattered_symbols_max();
  if (goal.detached) return of_symbols;  // no sector of the data holds checks
  const std::uint64_t of_checks = checks.repair_symbols / shards_hit(checks);
  // One sector is one piece, too.
  return std::max<std::uint64_t>(1, std::min(of_symbols, of_checks));
}

std::uint64_t ParityLayout::spared_sector() const {
  // A whole symbol is lost as easily as a part of it. Beside a file, symbols do not begin where its sectors do.
  return goal.detached ? kParitySector : std::max<std::uint64_t>(kParitySector, symbols.symbol_size);
}

Result<ParityLayout> plan_parity(const ParityGoal& goal) {
  if (goal.data_size == 0) return fail(Errc::usage, "nothing to protect");
  if (goal.loss_ppm == 0 || goal.loss_ppm > kParityPpmMax) {
    return fail(Errc::usage, "parity is for the loss of more than nothing and at most 50 %");
  }
  if (goal.data_size > kDataSizeMax || goal.section_offset > kDataSizeMax || goal.anchor_bytes > kStoredSizeMax / 2) {
    return fail(Errc::limit, "more bytes than parity can protect");
  }
  auto layout = plan_reed_solomon(goal);
  if (!layout) layout = plan_raptorq(goal);
  if (!layout) return fail(Errc::limit, "no layout bears such a loss");
  return *layout;
}

// ---- structures ----

void write_prefix(const ParityPrefix& prefix, Bytes out) {
  MMH_CHECK(out.size() >= kParityPrefixSize);
  std::memcpy(out.data(), prefix.id.data(), prefix.id.size());
  store_le<std::uint32_t>(out.subspan(16), static_cast<std::uint32_t>(prefix.part));
  store_le<std::uint32_t>(out.subspan(20), prefix.index);
}

ParityPrefix parse_prefix(ByteView in) {
  ParityPrefix prefix;
  std::memcpy(prefix.id.data(), in.data(), prefix.id.size());
  prefix.part = static_cast<ParityPart>(load_le<std::uint32_t>(in.subspan(16)));
  prefix.index = load_le<std::uint32_t>(in.subspan(20));
  return prefix;
}

Buffer write_head(ParityHead& head) {
  Buffer out(kParityHeadSize);
  std::ranges::fill(out, std::byte{0});
  const Bytes bytes(out);
  const ParityLayout& layout = head.layout;
  store_le<std::uint32_t>(bytes.subspan(16), static_cast<std::uint32_t>(ParityPart::head));
  store_le<std::uint32_t>(bytes.subspan(20), kParityVersion);
  store_le<std::uint64_t>(bytes.subspan(24), layout.goal.data_size);
  store_le<std::uint64_t>(bytes.subspan(32), layout.goal.section_offset);
  store_le<std::uint64_t>(bytes.subspan(40), layout.section_size());
  store_le<std::uint32_t>(bytes.subspan(48), layout.goal.loss_ppm);
  store_le<std::uint32_t>(bytes.subspan(52), layout.goal.detached ? kDetachedFlag : 0);
  store_le<std::uint32_t>(bytes.subspan(56), static_cast<std::uint32_t>(layout.symbols.scheme));
  store_le<std::uint32_t>(bytes.subspan(60), layout.symbols.symbol_size);
  store_le<std::uint32_t>(bytes.subspan(64), layout.symbols.blocks);
  store_le<std::uint32_t>(bytes.subspan(68), layout.symbols.repair_symbols);
  store_le<std::uint32_t>(bytes.subspan(72), layout.checks.symbol_size);
  store_le<std::uint32_t>(bytes.subspan(76), layout.checks.blocks);
  store_le<std::uint64_t>(bytes.subspan(80), layout.goal.anchor_bytes);
  store_le<std::uint32_t>(bytes.subspan(88), layout.checks.repair_symbols);
  std::memcpy(out.data() + 96, head.table_hash.bytes.data(), 32);
  std::memcpy(out.data() + 128, head.subject.bytes.data(), 32);
  const hash::Digest id = hash::blake3(ByteView(out).subspan(16));
  std::memcpy(out.data(), id.bytes.data(), head.id.size());
  std::memcpy(head.id.data(), id.bytes.data(), head.id.size());
  return out;
}

Result<ParityHead> parse_head(ByteView in) {
  const auto damaged = [] { return fail(Errc::corrupt, "the head of the parity is damaged"); };
  if (in.size() != kParityHeadSize) return damaged();
  const hash::Digest id = hash::blake3(in.subspan(16));
  if (std::memcmp(id.bytes.data(), in.data(), 16) != 0) return damaged();
  if (load_le<std::uint32_t>(in.subspan(16)) != static_cast<std::uint32_t>(ParityPart::head)) return damaged();
  if (load_le<std::uint32_t>(in.subspan(20)) != kParityVersion) {
    return fail(Errc::unsupported, "the parity is of a newer version");
  }
  ParityHead head;
  std::memcpy(head.id.data(), in.data(), head.id.size());
  ParityGoal& goal = head.layout.goal;
  goal.data_size = load_le<std::uint64_t>(in.subspan(24));
  goal.section_offset = load_le<std::uint64_t>(in.subspan(32));
  goal.loss_ppm = load_le<std::uint32_t>(in.subspan(48));
  const auto flags = load_le<std::uint32_t>(in.subspan(52));
  goal.detached = (flags & kDetachedFlag) != 0;
  goal.anchor_bytes = load_le<std::uint64_t>(in.subspan(80));
  fec::Interleaving& symbols = head.layout.symbols;
  const auto scheme = load_le<std::uint32_t>(in.subspan(56));
  if (scheme > 2 || goal.loss_ppm == 0 || goal.loss_ppm > kParityPpmMax || (flags & ~kDetachedFlag) != 0)
    return damaged();
  symbols.scheme = static_cast<fec::Scheme>(scheme);
  symbols.symbol_size = load_le<std::uint32_t>(in.subspan(60));
  symbols.blocks = load_le<std::uint32_t>(in.subspan(64));
  symbols.repair_symbols = load_le<std::uint32_t>(in.subspan(68));
  symbols.data_size = goal.data_size;
  if (goal.data_size > kDataSizeMax || goal.section_offset > kDataSizeMax || goal.anchor_bytes > kStoredSizeMax / 2) {
    return damaged();
  }
  MMH_TRY(fec::check_interleaving(symbols, ~std::uint64_t{0}));
  if (symbols.source_symbols() > kSymbolsMax || symbols.repair_symbols_total() > 8 * kSymbolsMax) return damaged();
  fec::Interleaving& checks = head.layout.checks;
  checks = shards_of(symbols.symbols() * kParityCheckSize);
  const auto repair_shards = load_le<std::uint32_t>(in.subspan(88));
  if (repair_shards < checks.repair_symbols || repair_shards > fec::kReedSolomonSymbolsMax) return damaged();
  checks.repair_symbols = repair_shards;
  MMH_TRY(fec::check_interleaving(checks, ~std::uint64_t{0}));
  if (load_le<std::uint32_t>(in.subspan(72)) != checks.symbol_size ||
      load_le<std::uint32_t>(in.subspan(76)) != checks.blocks ||
      load_le<std::uint64_t>(in.subspan(40)) != head.layout.section_size()) {
    return damaged();
  }
  std::memcpy(head.table_hash.bytes.data(), in.data() + 96, 32);
  std::memcpy(head.subject.bytes.data(), in.data() + 128, 32);
  return head;
}

Buffer write_anchors(std::span<const ParityAnchor> anchors) {
  Buffer raw;
  if (anchors.empty()) return raw;
  CborWriter out(raw);
  out.array(anchors.size());
  for (const ParityAnchor& anchor : anchors) {
    out.array(2);
    out.unsigned_integer(anchor.offset);
    out.bytes(anchor.bytes);
  }
  return raw;
}

std::uint64_t anchors_size(std::span<const ParityAnchor> anchors) { return write_anchors(anchors).size(); }

Result<std::vector<ParityAnchor>> parse_anchors(ByteView raw, std::uint64_t data_size) {
  CborReader in(raw);
  std::vector<ParityAnchor> anchors;
  MMH_LET(const std::uint64_t count, in.array());
  for (std::uint64_t i = 0; i < count; ++i) {
    MMH_LET(const std::uint64_t fields, in.array());
    if (fields != 2) return fail(Errc::corrupt, "an anchor of the parity is not a pair");
    ParityAnchor anchor;
    MMH_LET(anchor.offset, in.unsigned_integer());
    MMH_LET(const ByteView bytes, in.bytes());
    if (!range_within<std::uint64_t>(anchor.offset, bytes.size(), data_size)) {
      return fail(Errc::corrupt, "an anchor of the parity lies behind the data");
    }
    anchor.bytes = copy_of(bytes);
    anchors.push_back(std::move(anchor));
  }
  MMH_TRY(in.finish());
  return anchors;
}

Buffer parity_block(std::uint64_t offset, ByteView payload) {
  Buffer block(kBlockHeaderSize);
  write_block_header({BlockType::parity, kUnnumbered, offset, payload.size(), payload.size(), hash::blake3(payload)},
                     block);
  append(block, payload);
  return block;
}

std::uint32_t WeakHash::of(ByteView bytes) {
  std::uint32_t hash = 0;
  for (std::size_t i = 0; i < kParityWeakWindow; ++i) {
    hash = hash * kFactor + value(i < bytes.size() ? bytes[i] : std::byte{0});
  }
  return hash;
}

void write_check(ByteView symbol, Bytes out) {
  const hash::Digest digest = hash::blake3(symbol);
  std::memcpy(out.data(), digest.bytes.data(), kParityStrongSize);
  store_le(out.subspan(kParityStrongSize), WeakHash::of(symbol));
}

bool matches_check(ByteView symbol, ByteView check) {
  const hash::Digest digest = hash::blake3(symbol);
  return std::memcmp(digest.bytes.data(), check.data(), kParityStrongSize) == 0;
}

// ---- finding heads ----

Result<ParityHead> parity_head_at(const RandomAccessSource& source, std::uint64_t offset) {
  MMH_LET(const BlockHeader header, block_header_at(source, offset));
  if (header.type != BlockType::parity || header.stored_size != kParityHeadSize) {
    return fail(Errc::corrupt, "no head of parity stands here");
  }
  Buffer payload(kParityHeadSize);
  MMH_TRY(source.read_at(offset + kBlockHeaderSize, payload));
  if (hash::blake3(payload) != header.hash) return fail(Errc::corrupt, "the head of the parity is damaged");
  return parse_head(payload);
}

std::optional<ParityHead> parity_head_before(const RandomAccessSource& source, std::uint64_t end) {
  constexpr std::uint64_t kTail = kBlockHeaderSize + kParityHeadSize;
  if (end < kTail) return std::nullopt;
  auto head = parity_head_at(source, end - kTail);
  if (!head || head->layout.end_offset() != end) return std::nullopt;
  return *std::move(head);
}

}  // namespace mmh::pack
