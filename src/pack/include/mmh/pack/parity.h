#pragma once
// Parity over a sequence of bytes: a section that brings back what is lost of the bytes, and of itself.
// Format and promise: docs/format/parity.md. Knows nothing of packs but the form of their blocks.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mmh/base/cancel.h"
#include "mmh/base/files.h"
#include "mmh/base/result.h"
#include "mmh/base/sys.h"
#include "mmh/base/task_pool.h"
#include "mmh/fec/interleave.h"
#include "mmh/hash/digest.h"

namespace mmh::pack {

inline constexpr std::uint32_t kParityPpmMax = 500'000;  ///< Parity for the loss of more than half is refused.
/// Bytes of a loss in one piece that any section bears, however small the data: a sector of a disk.
inline constexpr std::uint64_t kParityLossMin = 4096;

/// What a disk loses at once.
inline constexpr std::uint64_t kParitySector = 4096;

/// What to protect, and how well.
struct ParityGoal {
  std::uint64_t data_size = 0;       ///< At least 1.
  std::uint64_t section_offset = 0;  ///< Where the section is to stand in its file.
  std::uint32_t loss_ppm = 0;        ///< Parts per million that may be lost in one piece: 1 to kParityPpmMax.
  /// The section stands in another file than the data: loss_ppm is of the data alone. Else it follows the data, and
  /// loss_ppm is of data, section and footer together.
  bool detached = false;
  std::uint64_t anchor_bytes = 0;  ///< Bytes of the anchors, encoded: see anchors_size().
};

/// Where everything is: fixed by a ParityGoal through integers alone.
struct ParityLayout {
  ParityGoal goal;
  fec::Interleaving symbols{};  ///< Data and repair symbols.
  fec::Interleaving checks{};   ///< The table of checks, as shards.

  friend bool operator==(const ParityLayout& a, const ParityLayout& b) {
    return a.symbols == b.symbols && a.checks == b.checks && a.goal.section_offset == b.goal.section_offset &&
           a.goal.anchor_bytes == b.goal.anchor_bytes;
  }
  std::uint64_t section_size() const;
  // All below are offsets in the file that holds the section.
  std::uint64_t head_offset(unsigned copy) const;     ///< Of the block of a head; copy 0 or 1.
  std::uint64_t anchors_offset(unsigned copy) const;  ///< Of the block of the anchors.
  std::uint64_t shard_offset(std::uint64_t shard) const;
  std::uint64_t repair_block_offset(std::uint64_t block) const;
  std::uint64_t repair_blocks() const;
  std::uint64_t symbols_per_repair_block() const;
  std::uint64_t repair_alignment() const;  ///< Repair symbols begin on multiples of it.
  /// Of repair symbol 0, 1, ... (symbol source_symbols() + index of `symbols`).
  std::uint64_t repair_offset(std::uint64_t index) const;
  std::uint64_t end_offset() const { return goal.section_offset + section_size(); }

  /// The promise: bytes of one piece that may be lost, wherever it is.
  std::uint64_t one_piece_max() const { return fec::contiguous_loss_max(symbols); }
  /// Sectors of kParitySector bytes, on multiples of that, that may be lost wherever they are in data and section.
  std::uint64_t scattered_max() const;
  /// The same where none of them holds checks: sectors of spared_sector() bytes, on multiples of that.
  std::uint64_t scattered_symbols_max() const { return fec::scattered_loss_max(symbols, kParitySector); }
  std::uint64_t spared_sector() const;
};

/// Errors: usage (nothing to protect, loss_ppm), limit.
Result<ParityLayout> plan_parity(const ParityGoal& goal);

/// Bytes that are kept twice more, as they are, since whoever opens the data needs them first.
struct ParityAnchor {
  std::uint64_t offset = 0;  ///< In the data.
  Buffer bytes;
};
std::uint64_t anchors_size(std::span<const ParityAnchor> anchors);

/// What long work on parity is handed; outlives the call.
struct ParityContext {
  Sys* sys = nullptr;
  TaskPool* pool = nullptr;
  std::uint64_t memory = std::uint64_t{1} << 30;  ///< Bytes to use, roughly.
  const CancelFlag* cancel = nullptr;
  /// Told of bytes done of bytes in all; may be null.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress;
};

/// What a section says of itself.
struct ParityHead {
  std::array<std::byte, 16> id{};  ///< Names the section in each of its blocks.
  ParityLayout layout;
  hash::Digest table_hash;  ///< BLAKE3 of the table of checks.
  hash::Digest subject;     ///< What is protected, in the caller's own terms.
};

/// Checks of those symbols that whoever reads the data meets whole, so that it need not be read once more for them.
class SeenChecks {
 public:
  explicit SeenChecks(const fec::Interleaving& symbols);
  static std::uint64_t memory_bytes(const fec::Interleaving& symbols);
  /// Takes bytes of the data from `offset` on. Any thread, with bytes that no other call brings.
  void see(std::uint64_t offset, ByteView bytes);
  /// Bytes that are not what was seen after all.
  void forget(std::uint64_t offset, std::uint64_t length);
  const fec::Interleaving& symbols() const { return symbols_; }
  bool has(std::uint64_t symbol) const { return has_[symbol] != 0; }
  /// Requires: has(symbol).
  ByteView check(std::uint64_t symbol) const;

 private:
  fec::Interleaving symbols_;
  Buffer checks_;
  std::vector<std::uint8_t> has_;  // not bits: threads write neighbours
};

/// Makes the section for `data` (its first goal.data_size bytes) and writes it to `out`, front to back. The same bytes
/// whatever threads and memory. `seen`: of this very data and layout; may be null. Errors: usage (anchors of another
/// size than planned), io, no_space, cancelled.
Result<ParityHead> write_parity(const RandomAccessSource& data, const ParityLayout& layout,
                                std::span<const ParityAnchor> anchors, const hash::Digest& subject,
                                const ParityContext& context, ByteSink& out, const SeenChecks* seen = nullptr);

/// The head whose block stands at `offset`. Errors: corrupt (none there).
Result<ParityHead> parity_head_at(const RandomAccessSource& source, std::uint64_t offset);
/// The head in front of the footer-sized tail that ends the file at `end`, where it is whole.
std::optional<ParityHead> parity_head_before(const RandomAccessSource& source, std::uint64_t end);
/// All heads that are whole anywhere, each section once, those that stand where they say first. Reads the whole file.
std::vector<ParityHead> find_parity_heads(const RandomAccessSource& source);

/// A run of bytes.
struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  bool operator==(const ByteRange&) const = default;
};

/// What was found of a protected file.
struct ParityReport {
  std::uint64_t symbols = 0;        ///< Of data and repair.
  std::uint64_t data_lost = 0;      ///< Symbols of the data that are nowhere.
  std::uint64_t repair_lost = 0;    ///< Repair symbols that are nowhere.
  std::uint64_t displaced = 0;      ///< Symbols found elsewhere in the file than they belong.
  std::uint64_t copied = 0;         ///< Symbols found in another copy.
  std::uint64_t checks_lost = 0;    ///< Symbols whose check is lost; they count as lost.
  std::vector<ByteRange> damaged;   ///< Of the data, not where it belongs; ascending, whole symbols.
  std::vector<ByteRange> hopeless;  ///< Of those, what parity cannot bring back; filled by plan() and heal().
  bool healable() const { return hopeless.empty(); }
};

/// Finds out what is damaged of data that a section protects, and brings it back. Not thread-safe, but read_data() is
/// once heal() has returned.
class ParityHealer {
 public:
  virtual ~ParityHealer() = default;
  /// A healer for the section that `head` describes. `data` is read where the data's bytes should be, `section` where
  /// the section should be; both may be the same file. `others`: where else good bytes may be found: copies of the
  /// data, damaged or not. All outlive the healer. Errors: corrupt, limit, io.
  static Result<std::unique_ptr<ParityHealer>> open(const RandomAccessSource& data, const RandomAccessSource& section,
                                                    const ParityHead& head,
                                                    std::vector<const RandomAccessSource*> others,
                                                    const ParityContext& context);

  virtual const ParityHead& head() const = 0;
  /// What is known of the data already: locate() does not read those symbols again. Of the same symbols; outlives the
  /// call of locate().
  virtual void use(const SeenChecks& seen) = 0;
  /// Looks at every symbol where it belongs, then for those that are not there in the rest of all sources.
  virtual Result<> locate() = 0;
  /// Looks for what is still lost at all offsets of one more source, which outlives the healer. Needs locate(); whoever
  /// had a plan() asks again.
  virtual Result<> search_in(const RandomAccessSource& source) = 0;
  /// Whether what is lost can be made again, without making it: fills the report's `hopeless`. Needs locate().
  virtual Result<> plan() = 0;
  /// Makes what is lost, compares every symbol with its check, and keeps it in memory or an unnamed temporary file.
  /// What cannot be made is in the report's `hopeless`. Needs locate().
  virtual Result<> heal() = 0;
  virtual const ParityReport& report() const = 0;
  /// Healed bytes of the data. Errors: corrupt (hopeless), io.
  virtual Result<> read_data(std::uint64_t offset, Bytes out) const = 0;
  /// The bytes of the anchors that are whole in the section.
  virtual const std::vector<ParityAnchor>& anchors() const = 0;
  /// Writes the section as it was made. Needs heal() with nothing hopeless. Errors: corrupt, io.
  virtual Result<> write_section(ByteSink& out) const = 0;
};

}  // namespace mmh::pack
