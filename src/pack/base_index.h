#pragma once
// What a base holds, so that the content of a new pack can be coded against it: its chunks by their hashes, its files
// by their paths and likeness, its tensors by their names.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dedup_index.h"
#include "mmh/base/cancel.h"
#include "mmh/base/task_pool.h"
#include "mmh/chunking/sketch.h"
#include "mmh/codec/codec.h"
#include "mmh/pack/reader.h"
#include "segment.h"

namespace mmh::pack {

/// A file of the base; offsets count in the base's content.
struct BaseFile {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

/// Tensors of a file as they are known in other versions of it.
class TensorNames {
 public:
  TensorNames() = default;
  /// `regions`: as find_layout() gives them, with names.
  explicit TensorNames(std::vector<content::Region> regions);
  std::span<const content::Region> regions() const { return regions_; }
  /// Of a region: by its name, or by which of its size it is in the file.
  std::uint64_t name_key(std::size_t region) const { return keys_[region].name; }
  std::uint64_t place_key(std::size_t region) const { return keys_[region].place; }

 private:
  struct Keys {
    std::uint64_t name;  // 0: it has none
    std::uint64_t place;
  };
  std::vector<content::Region> regions_;
  std::vector<Keys> keys_;
};

/// Deterministic: the base's content and metadata decide. Bounded by `memory_max` bytes: what a larger base holds
/// beyond it is not found.
class BaseIndex {
 public:
  BaseIndex(const Reader& base, std::uint64_t memory_max);

  /// Reads all of the base and cuts it as a packer with these sizes would. Errors: those of reading, cancelled.
  Result<> scan(TaskPool& pool, const chunking::ChunkSizes& sizes, const CancelFlag* cancel);

  /// Where the base holds a chunk, as an offset in its content.
  std::optional<std::uint64_t> find_chunk(const hash::Digest& digest, std::uint32_t length) const;
  /// The file of the base that a file is most likely a version of: of the same path, or of one that differs in numbers
  /// only, or one that looks like it (`sketch` may be null), or one of the same name.
  std::optional<BaseFile> version_of(std::string_view path, const chunking::Sketch* sketch) const;
  /// The place in the base of `length` bytes from `offset` of a file on that are tensors: as many bytes of the tensors
  /// of the same name, or place, in `version`, or of the same name and size anywhere. Empty: not all of them have one.
  std::vector<codec::BaseRange> find_tensors(const std::optional<BaseFile>& version, const TensorNames& names,
                                             std::uint64_t offset, std::uint64_t length) const;
  const Reader& base() const { return base_; }

 private:
  struct Found {
    BaseFile file;
    std::int64_t seconds = 0;  // of its modification
    std::uint32_t nanoseconds = 0;
  };
  struct Scanned;

  void add_file(const FileRecord& record, std::uint64_t offset);
  void add_sketch(const chunking::Sketch& sketch, const BaseFile& file);
  void add_tensors(const TensorNames& names, std::uint64_t file_offset);
  void add_pieces(const Segment& segment, std::uint64_t file_offset);
  Result<> scan_long_file(const FileRecord& record, std::uint64_t offset, TaskPool& pool,
                          const chunking::ChunkSizes& sizes, const CancelFlag* cancel);
  Scanned scan_small_files(const std::vector<std::pair<FileRecord, std::uint64_t>>& files,
                           const chunking::ChunkSizes& sizes) const;
  bool has_room() const { return files_.size() + likeness_.size() + tensors_.size() < entries_max_; }

  const Reader& base_;
  const std::size_t entries_max_;  // of the maps below, together
  DedupIndex chunks_;              // blocks stand for offsets in the content
  std::unordered_map<std::uint64_t, Found> files_;
  std::unordered_map<std::uint64_t, BaseFile> likeness_;
  std::unordered_map<std::uint64_t, BaseFile> tensors_;
};

}  // namespace mmh::pack
