#pragma once
// The manifest: entries in path order, in pages that form a Merkle tree over content and metadata alone. Beside the
// hashed
// ("canonical") part each page carries where the content lies, which is not hashed. Format: docs/format/pack.md.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mmh/base/bytes.h"
#include "mmh/base/result.h"
#include "mmh/hash/digest.h"
#include "mmh/tree/entry.h"

namespace mmh::pack {

inline constexpr std::size_t kPageItemsMin = 16;         ///< A page with fewer is the last of its height.
inline constexpr std::size_t kPageItemsMax = 512;        ///< Entries of a leaf, children of an inner page.
inline constexpr std::size_t kLeafBytesMax = 256 << 10;  ///< A leaf is full when its canonical entries reach this.
inline constexpr std::size_t kEntryBytesMax = 1 << 20;   ///< Most canonical bytes of one entry.
inline constexpr unsigned kManifestHeightMax = 16;
/// Most bytes of a regular file: offsets are below 2^63, as POSIX has them.
inline constexpr std::uint64_t kFileSizeMax = ~std::uint64_t{0} >> 1;

/// A run of a file's bytes: in a data block, or a hole.
struct Extent {
  static constexpr std::uint64_t kHole = ~std::uint64_t{0};
  std::uint64_t block = kHole;
  std::uint64_t offset = 0;  ///< In the block's decoded bytes.
  std::uint64_t length = 0;
  bool is_hole() const { return block == kHole; }
  bool operator==(const Extent&) const = default;
};

/// Where a part of a very long extent list is.
struct ExtentList {
  std::uint64_t file_offset;  ///< Of the first extent in it.
  std::uint64_t block;
};
inline constexpr std::size_t kInlineExtentsMax = 4096;    ///< More go to extent-list blocks,
inline constexpr std::size_t kExtentListEntries = 65536;  ///< each holding this many.

/// An entry and where its content is. Exactly one of extents and lists is not empty for a regular file of size > 0.
struct FileRecord {
  tree::Entry entry;
  hash::Digest hash;  ///< BLAKE3 of the content, holes as zeros; regular files only.
  std::vector<Extent> extents;
  std::vector<ExtentList> lists;
};

/// A child as an inner page names it.
struct PageReference {
  std::string first_path;
  std::uint64_t entries = 0;        ///< In the whole subtree.
  std::uint64_t content_bytes = 0;  ///< Sum of regular file sizes in the subtree.
  hash::Digest hash;                ///< Of the child's canonical part.
  std::uint64_t block = 0;          ///< Where the child is; not part of the hash.
};

/// A decoded page: a leaf (height 0) with records, or an inner page with children.
struct ManifestPage {
  unsigned height = 0;
  std::vector<FileRecord> records;
  std::vector<PageReference> children;
  std::uint64_t entries = 0;              ///< In the whole subtree.
  std::uint64_t content_bytes = 0;        ///< Sum of regular file sizes in the subtree.
  hash::Digest hash;                      ///< Of the canonical part, as computed.
  const std::string& first_path() const;  ///< Empty for the one leaf of an empty pack.
  /// Rough memory that the page occupies, in bytes.
  std::size_t memory_bytes() const;
};
/// Errors: corrupt (not canonical, unsorted, path refused by check_path, sizes that contradict each other), unsupported
/// (fields or entry types that this version does not know).
Result<ManifestPage> parse_manifest_page(ByteView raw);

/// The root of a pack: of the top page's hash and totals. Depends on content and metadata only.
hash::Digest manifest_root(const PageReference& top);

/// Cuts a sorted stream of records into pages by a rule that depends on the records alone, and builds the tree above
/// them.
class ManifestBuilder {
 public:
  /// Stores a page (its undecoded bytes) as a block and gives the block's number.
  using StorePage = std::function<Result<std::uint64_t>(ByteView raw)>;
  explicit ManifestBuilder(StorePage store);
  /// Requires: records come in compare_paths order, without duplicates, with metadata and extents as the format has
  /// them; else usage error. Errors: limit (metadata above kEntryBytesMax), and what storing a page returns.
  Result<> add(const FileRecord& record);
  /// Stores what is left; gives the top page. An empty pack has one empty leaf.
  Result<PageReference> finish();
  /// Pages above the leaves; valid after finish().
  unsigned height() const { return static_cast<unsigned>(levels_.size()) - 1; }

 private:
  struct Level {
    Buffer canonical;  // CBOR items, without the head that counts them
    Buffer locations;
    std::uint64_t count = 0;
    PageReference summary;
    PageReference last_child;  // inner pages only
  };
  Result<PageReference> store_page(std::size_t height);
  Result<> add_child(std::size_t height, PageReference child);
  StorePage store_;
  std::vector<Level> levels_;
  std::string last_path_;
  bool any_ = false;
};

/// Extent lists of very large files: raw bytes of an `extents` block. Requires: extents.size() <= kExtentListEntries.
Buffer write_extent_list(std::span<const Extent> extents);
/// Errors: corrupt.
Result<std::vector<Extent>> parse_extent_list(ByteView raw);

}  // namespace mmh::pack
