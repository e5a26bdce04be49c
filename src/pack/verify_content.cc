#include "verify_content.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "mmh/pack/scan.h"
#include "zeros.h"

namespace mmh::pack {

namespace {

constexpr std::uint64_t kCollectedMax = 96 << 20;  // bytes of file descriptions
constexpr std::uint64_t kDecodedMax = 128 << 20;   // bytes of decoded blocks whose turn has not come
constexpr std::uint64_t kSmallFile = 8 << 20;      // up to here a file is hashed by one task

Result<> hash_zeros(hash::Blake3& hasher, std::uint64_t length, const CancelFlag* cancel) {
  for (std::uint64_t steps = 0; length > 0; ++steps) {
    if (steps % 1024 == 0) MMH_TRY(check_cancelled(cancel));
    const ByteView part = zeros(length);
    hasher.update(part);
    length -= part.size();
  }
  return {};
}

bool stops(const Error& error) { return error.code == Errc::unsupported || error.code == Errc::cancelled; }

}  // namespace

void ContentCheck::add(OrdinalRecord item) {
  FileRecord& record = item.record;
  std::uint64_t holes = 0;
  bool ascending = record.lists.empty();
  std::uint64_t last = 0;
  for (const Extent& extent : record.extents) {
    if (extent.is_hole()) {
      holes += extent.length;
      continue;
    }
    ascending = ascending && extent.block >= last;
    last = extent.block;
  }
  if (ascending && record.extents.size() == 1 && holes == 0) {
    const Extent& extent = record.extents[0];
    pieces_.push_back({extent.block, item.ordinal, static_cast<std::uint32_t>(extent.offset),
                       static_cast<std::uint32_t>(extent.length), record.hash});
    memory_ += sizeof(Piece);
  } else if (ascending && holes < record.entry.size && holes <= kSmallFile) {
    memory_ += sizeof(Span) + record.extents.size() * (sizeof(Extent) + sizeof(Use));
    spans_.push_back({item.ordinal, record.hash, std::move(record.extents), 0, nullptr, false});
  } else {
    memory_ += sizeof item + record.entry.path.size() + record.extents.size() * sizeof(Extent) +
               record.lists.size() * sizeof(ExtentList);
    others_.push_back(std::move(item));
  }
}

bool ContentCheck::full() const { return memory_ >= kCollectedMax; }

Result<> ContentCheck::check() {
  MMH_TRY(decode_blocks());
  MMH_TRY(check_others());
  pieces_.clear();
  spans_.clear();
  others_.clear();
  memory_ = 0;
  all_decoded_ = true;
  return {};
}

Result<> ContentCheck::decode_blocks() {
  std::ranges::sort(pieces_, {}, [](const Piece& piece) { return std::pair(piece.block, piece.offset); });
  std::vector<Use> uses;
  for (std::size_t i = 0; i < spans_.size(); ++i) {
    std::uint64_t last = Extent::kHole;
    for (const Extent& extent : spans_[i].extents) {
      if (extent.is_hole() || extent.block == last) continue;
      uses.push_back({extent.block, i});
      last = extent.block;
    }
  }
  std::ranges::sort(uses, {}, [](const Use& use) { return std::pair(use.block, use.span); });

  struct Pending {
    std::uint64_t number;
    std::span<const Piece> pieces;
    std::span<const Use> uses;
  };
  std::deque<Pending> pending;
  OrderedTasks<Decoded> tasks(state_.pool);
  const auto take = [&]() -> Result<> {
    Decoded decoded = tasks.pop();
    const Pending front = pending.front();
    pending.pop_front();
    return take_block(front.number, front.pieces, front.uses, std::move(decoded));
  };
  auto piece = pieces_.cbegin();
  auto use = uses.cbegin();
  for (std::uint64_t number = 0; number < state_.sound.size(); ++number) {
    MMH_TRY(check_cancelled(state_.cancel));
    const auto first_piece = piece;
    while (piece != pieces_.cend() && piece->block == number) ++piece;
    const auto first_use = use;
    while (use != uses.cend() && use->block == number) ++use;
    if (!state_.sound[number] || (all_decoded_ && first_piece == piece && first_use == use)) continue;
    MMH_LET(const BlockInfo block, reader_.block_info(number));
    if (block.type != BlockType::data) continue;
    while (!tasks.empty() && (tasks.full() || tasks.cost() + block.raw_size > kDecodedMax)) MMH_TRY(take());
    const Pending next{number, {first_piece, piece}, {first_use, use}};
    pending.push_back(next);
    tasks.push(block.raw_size, [this, next]() -> Decoded {
      Decoded decoded;
      if (auto stopped = check_cancelled(state_.cancel); !stopped) {
        decoded.raw = fail(stopped.error());
        return decoded;
      }
      decoded.raw = reader_.read_block_uncached(next.number);
      if (!decoded.raw) return decoded;
      for (const Piece& item : next.pieces) {
        if (hash::blake3(ByteView(*decoded.raw).subspan(item.offset, item.length)) != item.hash) {
          decoded.damaged.push_back(item.ordinal);
        }
      }
      if (next.uses.empty()) decoded.raw = Buffer();
      return decoded;
    });
  }
  while (!tasks.empty()) MMH_TRY(take());
  for (const Span& span : spans_) {
    if (span.failed || span.next != span.extents.size()) damaged_.push_back(span.ordinal);
  }
  return {};
}

Result<> ContentCheck::take_block(std::uint64_t number, std::span<const Piece> pieces, std::span<const Use> uses,
                                  Decoded decoded) {
  MMH_TRY(check_cancelled(state_.cancel));
  MMH_LET(const BlockInfo block, reader_.block_info(number));
  if (!all_decoded_) {
    ++state_.report.blocks_checked;
    state_.checked(block.stored_size);
  }
  if (!decoded.raw) {
    if (stops(decoded.raw.error())) return fail(decoded.raw.error());
    state_.sound[number] = false;
    state_.damage(block.offset, kBlockHeaderSize + block.stored_size, decode_fault(number, decoded.raw.error()));
    for (const Piece& piece : pieces) damaged_.push_back(piece.ordinal);
    for (const Use& use : uses) spans_[use.span].failed = true;
    return {};
  }
  state_.report.files_checked += pieces.size();
  damaged_.insert(damaged_.end(), decoded.damaged.begin(), decoded.damaged.end());
  for (const Use& use : uses) MMH_TRY(advance(spans_[use.span], number, *decoded.raw));
  return {};
}

// Hashes what of the file lies in `block`, and the holes around it.
Result<> ContentCheck::advance(Span& span, std::uint64_t block, ByteView raw) {
  if (span.failed) return {};
  if (!span.hasher) span.hasher = std::make_unique<hash::Blake3>();
  for (; span.next < span.extents.size(); ++span.next) {
    const Extent& extent = span.extents[span.next];
    if (extent.is_hole()) {
      MMH_TRY(hash_zeros(*span.hasher, extent.length, state_.cancel));
    } else if (extent.block == block) {
      span.hasher->update(raw.subspan(extent.offset, extent.length));
    } else {
      return {};
    }
  }
  ++state_.report.files_checked;
  span.failed = span.hasher->finish() != span.hash;
  span.hasher.reset();
  return {};
}

std::string ContentCheck::decode_fault(std::uint64_t number, const Error& error) const {
  const std::string name = fmt::format("block {} (data)", number);
  const auto frame = reader_.read_stored(number);
  if (!frame && frame.error().code == Errc::corrupt) return name + ": stored bytes do not match their hash";
  const std::string what = state_.bare(error);
  const std::size_t detail = what.find("cannot be decoded");
  return fmt::format("{}: {}", name, detail == std::string::npos ? what : what.substr(detail));
}

Result<> ContentCheck::check_others() {
  // By their first blocks, so that neighbours find them in the reader's cache.
  std::ranges::stable_sort(others_, {}, [](const OrdinalRecord& item) {
    return item.record.extents.empty() ? std::uint64_t{0} : item.record.extents.front().block;
  });
  OrderedTasks<Result<bool>> tasks(state_.pool);
  std::deque<std::uint64_t> ordinals;
  const auto judge = [&](std::uint64_t ordinal, const Result<bool>& matches) -> Result<> {
    if (!matches && stops(matches.error())) return fail(matches.error());
    ++state_.report.files_checked;
    if (!matches || !*matches) damaged_.push_back(ordinal);
    return {};
  };
  const auto take = [&]() -> Result<> {
    const Result<bool> matches = tasks.pop();
    const std::uint64_t ordinal = ordinals.front();
    ordinals.pop_front();
    return judge(ordinal, matches);
  };
  for (const OrdinalRecord& item : others_) {
    MMH_TRY(check_cancelled(state_.cancel));
    if (item.record.entry.size > kSmallFile) {
      MMH_TRY(judge(item.ordinal, matches_by_tasks(item.record)));
      continue;
    }
    if (tasks.full()) MMH_TRY(take());
    ordinals.push_back(item.ordinal);
    tasks.push(0, [this, &item] { return matches_here(item.record); });
  }
  while (!tasks.empty()) MMH_TRY(take());
  return {};
}

// On any thread, through the reader's cache.
Result<bool> ContentCheck::matches_here(const FileRecord& record) const {
  hash::Blake3 hasher;
  MMH_TRY(reader_.visit_extents(record, 0, [&](std::uint64_t, const Extent& extent) -> Result<bool> {
    MMH_TRY(check_cancelled(state_.cancel));
    if (extent.is_hole()) {
      MMH_TRY(hash_zeros(hasher, extent.length, state_.cancel));
      return true;
    }
    MMH_LET(const BlockData raw, reader_.read_block(extent.block));
    hasher.update(ByteView(*raw).subspan(extent.offset, extent.length));
    return true;
  }));
  return hasher.finish() == record.hash;
}

// Blocks are decoded ahead by tasks and hashed here in order.
Result<bool> ContentCheck::matches_by_tasks(const FileRecord& record) {
  struct Waiting {
    Extent extent;
    bool next_block;  // it begins with the block of the oldest task
  };
  OrderedTasks<Result<BlockData>> tasks(state_.pool);
  std::deque<Waiting> waiting;
  std::uint64_t last_block = Extent::kHole;
  BlockData raw;
  hash::Blake3 hasher;
  const auto take = [&]() -> Result<> {
    const Waiting front = waiting.front();
    waiting.pop_front();
    MMH_TRY(check_cancelled(state_.cancel));
    if (front.extent.is_hole()) return hash_zeros(hasher, front.extent.length, state_.cancel);
    if (front.next_block) {
      MMH_LET(raw, tasks.pop());
    }
    hasher.update(ByteView(*raw).subspan(front.extent.offset, front.extent.length));
    return {};
  };
  MMH_TRY(reader_.visit_extents(record, 0, [&](std::uint64_t, const Extent& extent) -> Result<bool> {
    const bool next_block = !extent.is_hole() && extent.block != last_block;
    if (next_block) {
      MMH_LET(const BlockInfo block, reader_.block_info(extent.block));
      while (!tasks.empty() && (tasks.full() || tasks.cost() + block.raw_size > kDecodedMax)) MMH_TRY(take());
      tasks.push(block.raw_size, [this, number = extent.block] { return reader_.read_block(number); });
      last_block = extent.block;
    }
    waiting.push_back({extent, next_block});
    return true;
  }));
  while (!waiting.empty()) MMH_TRY(take());
  return hasher.finish() == record.hash;
}

Result<std::string> ContentCheck::path_of(std::uint64_t ordinal) const {
  PageReference reference = reader_.trailer().top;
  for (unsigned height = reader_.trailer().height;; --height) {
    MMH_LET(const auto page, reader_.manifest_page(reference, height));
    if (height == 0) return page->records.at(ordinal).entry.path;
    for (const PageReference& child : page->children) {
      if (ordinal < child.entries) {
        reference = child;
        break;
      }
      ordinal -= child.entries;
    }
  }
}

Result<> ContentCheck::report_damaged_files() {
  if (damaged_.empty()) return {};
  std::ranges::sort(damaged_);
  for (const std::uint64_t ordinal : damaged_) {
    if (state_.report.files_damaged.size() == kDamageListMax) {
      ++state_.report.files_damaged_count;
      continue;
    }
    MMH_LET(std::string path, path_of(ordinal));
    state_.damaged_file(std::move(path));
  }
  std::ranges::sort(state_.report.files_damaged,
                    [](const std::string& a, const std::string& b) { return tree::compare_paths(a, b) < 0; });
  return {};
}

}  // namespace mmh::pack
