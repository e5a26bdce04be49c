#pragma once
// Blocks of a pack that are lost, filled again from other copies of the pack and from the files that were packed.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mmh/base/cancel.h"
#include "mmh/content/planner.h"
#include "mmh/pack/reader.h"

namespace mmh::pack {

/// Where lost blocks are looked for. All of it outlives the call, or the Refill that is made with it.
struct RefillSources {
  std::vector<const RandomAccessSource*> copies = {};  ///< Of the pack, damaged or not.
  /// Files and directories that hold what was packed, in any order and under any names.
  std::vector<std::string> originals = {};
};

struct RefillContext {
  Sys* sys = nullptr;
  const codec::Registry* registry = nullptr;
  const content::Planner* planner = nullptr;
  std::vector<std::string> libraries = {};  ///< On which the planner's bytes depend.
  std::uint64_t memory = std::uint64_t{1} << 30;
  const CancelFlag* cancel = nullptr;
};

/// What is lost of a pack, and what brings it back. Files from which content is taken have the very hash that the
/// manifest names. Not thread-safe.
class Refill {
 public:
  /// Finds the blocks that `reader` cannot give, and fills them as far as `sources` go. Reads all of the pack, and all
  /// originals whose size is that of a file that is touched. Memory: the extents that lie in lost blocks, and a part of
  /// context.memory. Errors: corrupt (the list of files is damaged too), io, no_space, cancelled.
  static Result<std::unique_ptr<Refill>> open(const Reader& reader, const RefillSources& sources,
                                              const RefillContext& context);
  virtual ~Refill() = default;

  /// Blocks that the reader cannot give.
  virtual std::uint64_t lost() const = 0;
  /// Of those: blocks whose stored bytes were made again, bit for bit.
  virtual std::uint64_t exact() const = 0;
  /// Blocks that remain lost.
  virtual std::uint64_t missing() const = 0;
  /// Paths of files that lie in them, at most 20.
  virtual const std::vector<std::string>& files_missing() const = 0;

  /// The pack's file with the blocks of exact() in it. Outlived by the Refill.
  virtual const RandomAccessSource& patched() const = 0;
  /// Writes a pack of the same root: the blocks of the old one, and in the places of those that were lost new ones of
  /// the same content. Requires: missing() == 0. Errors: corrupt (an original changed meanwhile), io, no_space.
  virtual Result<> write_pack(ByteSink& out) const = 0;
};

}  // namespace mmh::pack
