#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <optional>

#include "mmh/base/checked.h"
#include "mmh/hash/blake3.h"
#include "mmh/pack/scan.h"
#include "ordered_tasks.h"
#include "verifier.h"

namespace mmh::pack {

namespace {

// A piece stays in the processor's second-level cache between the copy from the page cache and the hash. Large blocks
// are hashed by several threads, as subtrees of one piece each.
constexpr std::uint64_t kPiece = 256 << 10;
constexpr std::uint64_t kTask = 4 << 20;

// Some bytes of a block, hashed: whole pieces as subtrees, and what is left over at the block's end as it is.
struct Hashed {
  std::vector<hash::ChainingValue> pieces;
  Buffer rest;
  hash::Digest digest;  // where the task covers the whole block
  std::optional<Error> error;
};

Hashed hash_whole(const RandomAccessSource& source, std::uint64_t offset, std::uint64_t size) {
  static thread_local Buffer buffer(kPiece);
  Hashed result;
  hash::Blake3 state;
  for (std::uint64_t done = 0; done < size;) {
    const Bytes piece = Bytes(buffer).first(static_cast<std::size_t>(std::min(size - done, kPiece)));
    if (auto read = source.read_at(offset + done, piece); !read) {
      result.error = std::move(read).error();
      return result;
    }
    state.update(piece);
    done += piece.size();
  }
  result.digest = state.finish();
  return result;
}

// Hashes [begin, end) of a block whose payload is at `payload`. `begin` is a multiple of kTask.
Hashed hash_part(const RandomAccessSource& source, std::uint64_t payload, std::uint64_t begin, std::uint64_t end) {
  static thread_local Buffer buffer(kPiece);
  Hashed result;
  for (; begin < end; begin += kPiece) {
    const bool full = end - begin >= kPiece;
    if (!full) result.rest.resize(static_cast<std::size_t>(end - begin));
    const Bytes piece = full ? Bytes(buffer) : Bytes(result.rest);
    if (auto read = source.read_at(payload + begin, piece); !read) {
      result.error = std::move(read).error();
      return result;
    }
    if (full) result.pieces.push_back(hash::blake3_subtree(piece, begin));
  }
  return result;
}

// What the index says stands somewhere.
struct Known {
  std::uint64_t offset;
  std::uint64_t number;  // of a block, or kIndexPage and the number of an index page
};
constexpr std::uint64_t kIndexPage = std::uint64_t{1} << 63;

// A block whose payload is being hashed.
struct Check {
  BlockHeader block;
  std::string name;
  bool listed = false;  // by the index
  bool header_damaged = false;
  std::uint64_t taken = 0;  // results of its tasks
  std::optional<Error> error;
  hash::Blake3 state;
  std::optional<hash::Digest> digest;
};

std::string name_of(const BlockHeader& block) {
  if (block.number == kUnnumbered) return std::string(block_type_name(block.type));
  return fmt::format("block {} ({})", block.number, block_type_name(block.type));
}

class StoredWalk {
 public:
  explicit StoredWalk(Verification& state)
      : state_(state), reader_(state.reader), source_(state.reader.source()), tasks_(state.pool) {}

  Result<> run() {
    check_header();
    MMH_TRY(list_known());
    MMH_TRY(walk());
    while (!checks_.empty()) MMH_TRY(take_result());
    for (const auto& [page, what] : lost_index_pages_) report_lost_index_page(page, what);
    check_end();
    return {};
  }

 private:
  void check_header() {
    std::array<std::byte, kHeaderSize> bytes;
    const auto read = source_.read_at(0, bytes);
    const auto header = read ? parse_header(bytes) : Result<PackHeader>(fail(read.error()));
    if (!header) state_.damage(0, kHeaderSize, header.error().what);
    state_.checked(kHeaderSize);
  }

  // Lists what the index says, in order of places. An index page that cannot be had is remembered.
  Result<> list_known() {
    const Trailer& trailer = reader_.trailer();
    state_.sound.assign(trailer.block_count, false);
    for (std::size_t i = 0; i < trailer.index.size(); ++i) {
      MMH_TRY(check_cancelled(state_.cancel));
      const IndexPage& page = trailer.index[i];
      known_.push_back({page.block.offset, kIndexPage | i});
      const std::uint64_t end = std::min(trailer.block_count, page.first_number + kIndexPageEntries);
      for (std::uint64_t number = page.first_number; number < end; ++number) {
        const auto block = reader_.block_info(number);
        if (!block) {
          if (block.error().code == Errc::unsupported) return fail(block.error());
          lost_index_pages_.emplace_back(i, state_.bare(block.error()));
          break;
        }
        known_.push_back({block->offset, number});
      }
    }
    std::ranges::sort(known_, {}, &Known::offset);
    return {};
  }

  Result<BlockHeader> expected(const Known& known) const {
    if ((known.number & kIndexPage) != 0) {
      const BlockInfo& block = reader_.trailer().index[known.number & ~kIndexPage].block;
      return BlockHeader{BlockType::index, kUnnumbered, block.offset, block.stored_size, block.raw_size, block.hash};
    }
    MMH_LET(const BlockInfo block, reader_.block_info(known.number));
    return BlockHeader{block.type, known.number, block.offset, block.stored_size, block.raw_size, block.hash};
  }

  static std::uint64_t end_of(const BlockHeader& block) { return block.offset + kBlockHeaderSize + block.stored_size; }

  Result<> walk() {
    const std::uint64_t end = reader_.pack_size();
    std::uint64_t place = kHeaderSize;
    while (place < end) {
      MMH_TRY(check_cancelled(state_.cancel));
      for (; next_ < known_.size() && known_[next_].offset < place; ++next_) {
        MMH_LET(const BlockHeader block, expected(known_[next_]));
        state_.damage(block.offset, 0, name_of(block) + ": the index says it begins inside another block");
      }
      const auto found = block_header_at(source_, place);
      const bool whole = found && end_of(*found) <= end;
      if (next_ < known_.size() && known_[next_].offset == place) {
        const Known& known = known_[next_++];
        MMH_LET(const BlockHeader block, expected(known));
        if (end_of(block) <= end) {
          MMH_TRY(check_block(block, known.number, !whole || *found != block));
          place = end_of(block);
          continue;
        }
        state_.damage(place, 0, name_of(block) + ": the index says it ends behind the pack");
      }
      if (whole) {
        MMH_TRY(check_unlisted(*found));
        place = end_of(*found);
      } else if (const auto footer = footer_at(place)) {
        check_footer(*footer, place + kFooterSize == end);
        place += kFooterSize;
      } else {
        pass_gap(place, end);
      }
    }
    for (; next_ < known_.size(); ++next_) {
      MMH_LET(const BlockHeader block, expected(known_[next_]));
      state_.damage(block.offset, 0, name_of(block) + ": the index says it begins behind the pack");
    }
    return {};
  }

  Result<> check_block(const BlockHeader& block, std::uint64_t number, bool header_damaged) {
    const bool numbered = (number & kIndexPage) == 0;
    if (numbered && state_.deep && block.type == BlockType::data) {
      state_.sound[number] = true;
      if (header_damaged) state_.damage(block.offset, kBlockHeaderSize, name_of(block) + ": its header is damaged");
      state_.checked(kBlockHeaderSize);
      return {};
    }
    return hash_payload(block, true, header_damaged);
  }

  // A whole block that the index of the newest trailer does not list.
  Result<> check_unlisted(const BlockHeader& block) {
    const std::uint64_t listed = reader_.trailer().block_count;
    if (block.type == BlockType::trailer) {
      trailers_[0] = trailers_[1];
      trailers_[1] = block;
    } else if (block.number != kUnnumbered && (block.number >= listed || reader_.block_info(block.number))) {
      state_.damage(block.offset, kBlockHeaderSize + block.stored_size,
                    name_of(block) + ": the index does not list it");
    }
    return hash_payload(block, false, false);
  }

  std::optional<Footer> footer_at(std::uint64_t place) const {
    std::array<std::byte, kFooterSize> bytes;
    if (!range_within<std::uint64_t>(place, bytes.size(), source_.size()) || !source_.read_at(place, bytes)) {
      return std::nullopt;
    }
    const auto footer = parse_footer(bytes);
    return footer && footer->offset == place ? std::optional(*footer) : std::nullopt;
  }

  void check_footer(const Footer& footer, bool last) {
    // Where a trailer before it is damaged, that is reported already.
    const bool fits = footer.trailers[0] == trailers_[0].offset && footer.trailers[1] == trailers_[1].offset &&
                      trailers_[0].hash == trailers_[1].hash;
    if (!fits && !gap_) state_.damage(footer.offset, kFooterSize, "the footer names trailers that are not there");
    gap_ = false;
    footer_seen_ = last;
    state_.checked(kFooterSize);
  }

  // Neither a block nor a footer can be made out at `place`: goes on where the next one can, or is said to be.
  void pass_gap(std::uint64_t& place, std::uint64_t end) {
    const std::uint64_t limit = next_ < known_.size() ? std::min(end, known_[next_].offset) : end;
    const auto found = next_block_header(source_, place + 1, limit);
    const std::uint64_t resume = found ? found->offset : limit;
    state_.damage(place, resume - place, "no whole block header or footer stands here");
    state_.checked(resume - place);
    gap_ = true;
    place = resume;
  }

  Result<> hash_payload(const BlockHeader& block, bool listed, bool header_damaged) {
    Check& check = checks_.emplace_back();
    check.block = block;
    check.name = name_of(block);
    check.listed = listed;
    check.header_damaged = header_damaged;
    const std::uint64_t payload = block.offset + kBlockHeaderSize;
    for (std::uint64_t task = 0; task < tasks_of(block); ++task) {
      while (tasks_.full()) MMH_TRY(take_result());
      const std::uint64_t begin = task * kTask;
      const std::uint64_t end = std::min(block.stored_size, begin + kTask);
      const bool alone = tasks_of(block) == 1;
      tasks_.push(end - begin, [&source = source_, cancel = state_.cancel, payload, begin, end, alone] {
        if (cancel != nullptr && cancel->is_set()) return Hashed{};
        return alone ? hash_whole(source, payload, end) : hash_part(source, payload, begin, end);
      });
    }
    return {};
  }

  static std::uint64_t tasks_of(const BlockHeader& block) {
    return std::max<std::uint64_t>(1, (block.stored_size + kTask - 1) / kTask);
  }

  // Takes the oldest task's result; with a block's last one the block is judged.
  Result<> take_result() {
    MMH_TRY(check_cancelled(state_.cancel));
    Check& check = checks_.front();
    Hashed hashed = tasks_.pop();
    if (hashed.error && !check.error) check.error = std::move(hashed.error);
    if (tasks_of(check.block) == 1) {
      check.digest = hashed.digest;
    } else {
      for (const hash::ChainingValue& value : hashed.pieces) check.state.push_subtree(value, kPiece);
      check.state.update(hashed.rest);
    }
    if (++check.taken < tasks_of(check.block)) return check_cancelled(state_.cancel);
    // A task that saw the cancellation has hashed nothing.
    MMH_TRY(check_cancelled(state_.cancel));
    judge(check);
    checks_.pop_front();
    return {};
  }

  void judge(const Check& check) {
    const BlockHeader& block = check.block;
    const std::uint64_t size = kBlockHeaderSize + block.stored_size;
    const bool matches = !check.error && (check.digest ? *check.digest : check.state.finish()) == block.hash;
    ++state_.report.blocks_checked;
    state_.checked(size);
    if (check.error) {
      state_.damage(block.offset, size, fmt::format("{}: cannot be read: {}", check.name, state_.bare(*check.error)));
    } else if (!matches) {
      state_.damage(block.offset, size,
                    check.name + (check.header_damaged ? ": header and stored bytes are damaged"
                                                       : ": stored bytes do not match their hash"));
    } else if (check.header_damaged) {
      state_.damage(block.offset, kBlockHeaderSize, check.name + ": its header is damaged, its content is whole");
    }
    if (matches && check.listed && block.number != kUnnumbered) state_.sound[block.number] = true;
    if (!matches && block.type == BlockType::index) damaged_index_pages_.push_back(block.offset);
  }

  // An index page whose stored bytes are whole, yet it is not what it should be.
  void report_lost_index_page(std::size_t number, const std::string& what) {
    const BlockInfo& block = reader_.trailer().index[number].block;
    if (std::ranges::find(damaged_index_pages_, block.offset) != damaged_index_pages_.end()) return;
    state_.damage(block.offset, kBlockHeaderSize + block.stored_size, what);
  }

  void check_end() {
    const std::uint64_t end = reader_.pack_size();
    const std::uint64_t trailing = source_.size() - std::min(end, source_.size());
    if (!footer_seen_) {
      state_.damage(end, std::min<std::uint64_t>(trailing, kFooterSize), "the footer is missing or damaged");
    } else if (trailing > 0) {
      state_.report.trailing_bytes = trailing;
      if (!is_cut_off_append(source_, end)) {
        state_.damage(end, trailing, "bytes behind the end of the pack: a damaged append, or not part of it at all");
      }
    }
  }

  Verification& state_;
  const Reader& reader_;
  const RandomAccessSource& source_;
  std::vector<Known> known_;
  std::size_t next_ = 0;  // in known_
  std::vector<std::pair<std::size_t, std::string>> lost_index_pages_;
  std::vector<std::uint64_t> damaged_index_pages_;  // offsets
  BlockHeader trailers_[2];                         // the last two seen
  bool gap_ = false;                                // since the last footer
  bool footer_seen_ = false;                        // at the very end
  std::deque<Check> checks_;                        // the front one owns the oldest tasks
  OrderedTasks<Hashed> tasks_;
};

}  // namespace

Result<> verify_stored(Verification& state) { return StoredWalk(state).run(); }

}  // namespace mmh::pack
