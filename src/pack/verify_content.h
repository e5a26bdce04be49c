#pragma once
// The deep part of a verification: decodes every data block and hashes every file.

#include <cstdint>
#include <memory>
#include <vector>

#include "mmh/base/bytes.h"
#include "mmh/hash/blake3.h"
#include "mmh/hash/digest.h"
#include "ordered_tasks.h"
#include "verifier.h"

namespace mmh::pack {

/// A record and its position among all entries, by which its path is found again.
struct OrdinalRecord {
  std::uint64_t ordinal;
  FileRecord record;
};

/// Collects files, then goes through the data blocks in file order, each decoded once, and hashes the files in them.
/// Files whose content does not come in that order are hashed afterwards. Memory is bounded: full() asks for a check()
/// in between.
class ContentCheck {
 public:
  explicit ContentCheck(Verification& state) : state_(state), reader_(state.reader) {}

  /// Requires: a regular file of size > 0 whose extents lie within data blocks.
  void add(OrdinalRecord item);
  bool full() const;
  /// Checks all that was collected. The first call decodes every data block, later ones those that are needed.
  Result<> check();
  /// Names the files that were found damaged, in path order. Call once, last.
  Result<> report_damaged_files();

 private:
  // A file that is one run of one block.
  struct Piece {
    std::uint64_t block;
    std::uint64_t ordinal;
    std::uint32_t offset;
    std::uint32_t length;
    hash::Digest hash;
  };
  // A file whose extents name blocks in ascending order.
  struct Span {
    std::uint64_t ordinal;
    hash::Digest hash;
    std::vector<Extent> extents;
    std::size_t next = 0;
    std::unique_ptr<hash::Blake3> hasher;  // from its first block to its last
    bool failed = false;
  };
  struct Use {
    std::uint64_t block;
    std::size_t span;
  };
  // What came of decoding one block.
  struct Decoded {
    Result<Buffer> raw = Buffer();
    std::vector<std::uint64_t> damaged;  // ordinals of pieces
  };

  Result<> decode_blocks();
  Result<> take_block(std::uint64_t number, std::span<const Piece> pieces, std::span<const Use> uses, Decoded decoded);
  Result<> advance(Span& span, std::uint64_t block, ByteView raw);
  std::string decode_fault(std::uint64_t number, const Error& error) const;
  Result<> check_others();
  Result<bool> matches_here(const FileRecord& record) const;
  Result<bool> matches_by_tasks(const FileRecord& record);
  Result<std::string> path_of(std::uint64_t ordinal) const;

  Verification& state_;
  const Reader& reader_;
  std::vector<Piece> pieces_;
  std::vector<Span> spans_;
  std::vector<OrdinalRecord> others_;
  std::uint64_t memory_ = 0;  // roughly what the above occupy
  bool all_decoded_ = false;
  std::vector<std::uint64_t> damaged_;  // ordinals
};

}  // namespace mmh::pack
