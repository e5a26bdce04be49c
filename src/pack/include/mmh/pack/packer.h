#pragma once
// The engine that turns files into a pack: walk, read, chunk, deduplicate, group, compress, hash, write.

#include <functional>
#include <string>
#include <vector>

#include "mmh/base/cancel.h"
#include "mmh/base/files.h"
#include "mmh/base/result.h"
#include "mmh/base/sys.h"
#include "mmh/content/planner.h"
#include "mmh/pack/reader.h"
#include "mmh/tree/tar.h"
#include "mmh/tree/walk.h"

namespace mmh::pack {

/// Trains a dictionary of at most `size_max` bytes from samples laid back to back; empty: none worth having.
using TrainDictionary =
    std::function<Buffer(ByteView samples, std::span<const std::size_t> sample_sizes, std::size_t size_max)>;

/// What the packer is handed. All of it outlives the call.
struct PackerOptions {
  Sys* sys = nullptr;
  const codec::Registry* registry = nullptr;
  const content::Planner* planner = nullptr;
  TrainDictionary train_dictionary;  ///< May be null.
  int level = content::kLevelDefault;
  std::uint64_t block_size = 0;  ///< Most raw bytes of a block; 0: the planner's choice.
  unsigned threads = 1;          ///< Never changes the bytes that come out.
  std::uint64_t memory = std::uint64_t{1} << 30;
  const CancelFlag* cancel = nullptr;
  std::function<void(std::uint64_t bytes, std::uint64_t files)> progress;
  tree::ProblemSink problem;  ///< Told of what was left out or changed while it was read.
  std::string writer;         ///< For the trailer.
  std::vector<std::string> libraries;
  /// Not null: content is coded against this pack too, where that is smaller. New packs only.
  const Reader* base = nullptr;
  std::string base_name;  ///< As BaseName::name.
};

/// Totals of one content class.
struct ClassUse {
  std::uint64_t files = 0;
  std::uint64_t raw_bytes = 0;
  std::uint64_t stored_bytes = 0;
};

struct PackerTotals {
  std::uint64_t entries = 0;  ///< In the resulting pack.
  std::uint64_t files = 0;    ///< Regular files taken by this call.
  std::uint64_t content_bytes = 0;
  std::uint64_t duplicate_bytes = 0;
  std::uint64_t hole_bytes = 0;
  std::uint64_t base_bytes = 0;  ///< Found in the base as they are.
  std::uint64_t written_bytes = 0;
  std::uint64_t pack_bytes = 0;
  hash::Digest root;
  ClassUse classes[content::kContentClassCount];
};

/// Packs what `walk` finds. Memory does not grow with the input: records leave for the manifest as the walk goes on.
Result<PackerTotals> pack_tree(const PackerOptions& options, const tree::WalkOptions& walk, ByteSink& out);
/// Packs the entries of a tar stream. A later entry of the same path wins. Keeps all records in memory until the end.
Result<PackerTotals> pack_tar(const PackerOptions& options, tree::TarReader& tar, ByteSink& out);
/// Writes behind an existing pack what makes it hold `walk`'s entries too. `before_trailer` runs when everything but
/// index and trailers is written, so that the caller can sync.
Result<PackerTotals> append_tree(const PackerOptions& options, const Reader& existing, const tree::WalkOptions& walk,
                                 ByteSink& out, const std::function<Result<>()>& before_trailer);

}  // namespace mmh::pack
