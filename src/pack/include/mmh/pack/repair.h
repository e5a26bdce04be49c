#pragma once
// Packs with parity: writing the section behind a pack, finding it, and the healed image of a damaged file.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mmh/pack/parity.h"

namespace mmh::pack {

/// Writes what follows a whole pack of pack.size() bytes: the section and a footer that names the pack's trailers
/// again. Errors: corrupt (no whole pack), usage, limit, io, no_space, cancelled.
Result<ParityHead> write_pack_parity(const RandomAccessSource& pack, std::uint32_t loss_ppm,
                                     const ParityContext& context, ByteSink& out);

/// Writes a section and a footer behind `pack`, the first bytes of a file of `file_size`, in place of what stands
/// there. Where that is a section, the new one is first written whole behind it: killed at any point, one of both is
/// valid. Errors: as write_pack_parity().
Result<ParityHead> replace_pack_parity(const RandomAccessSource& pack, std::uint64_t file_size, std::uint32_t loss_ppm,
                                       const ParityContext& context, int fd);

/// Puts `generation`, what an append wrote to stand at the end of `pack`, behind it, and then parity of both, in place
/// of the section that stands there; `pack` is the first bytes of a file of `file_size`. First that section is written
/// anew behind the place of all that comes: killed at any point, the file is the old pack with parity that is whole, or
/// the new one. Neither source may read what is overwritten. Gives the bytes of the new section and footer. Errors: as
/// write_pack_parity(); the file is then the old pack, where that can still be written.
Result<std::uint64_t> append_with_parity(const RandomAccessSource& pack, const RandomAccessSource& generation,
                                         std::uint64_t file_size, std::uint32_t loss_ppm, const ParityContext& context,
                                         int fd);

/// The section that ends a file, where its last head and the footer behind it are whole. Costs two reads.
std::optional<ParityHead> pack_parity(const RandomAccessSource& source);

/// A pack with parity as it was before it was damaged.
class HealedPack : public RandomAccessSource {
 public:
  /// Finds the section in `file` or, where it is lost there, in `others`: copies of the file, damaged or not, which may
  /// also give good bytes. Looks at all symbols. Errors: not_found (no parity), corrupt, limit, io, cancelled.
  static Result<std::unique_ptr<HealedPack>> open(const RandomAccessSource& file,
                                                  std::vector<const RandomAccessSource*> others,
                                                  const ParityContext& context);

  virtual const ParityHead& head() const = 0;
  virtual const ParityReport& report() const = 0;
  /// Whether bytes stand elsewhere in the file than they should, so that it cannot be mended where it is.
  virtual bool displaced() const = 0;
  /// Whether all that is lost can be made again.
  virtual Result<bool> can_heal() = 0;
  /// Makes it. From then on the image is whole. Errors: corrupt (beyond parity; the report says where, and
  /// what is not there can be read), and as ParityHealer::heal().
  virtual Result<> heal() = 0;
};

/// What differs between a file and its healed image, told and written range by range.
struct Mended {
  std::uint64_t ranges = 0;
  std::uint64_t bytes = 0;
};
/// Writes the image into the file that it was made from, where the two differ, and cuts off or adds what is too much or
/// missing at the end. Only damaged bytes are written, each once and right: killed at any point, the file is no worse.
/// `told` gets each range. Requires: the image is whole (of a HealedPack: heal() was done, !displaced()). Errors: io,
/// no_space, cancelled.
Result<Mended> write_healed_in_place(const RandomAccessSource& image, const RandomAccessSource& file, int fd,
                                     const ParityContext& context, const std::function<void(ByteRange)>& told);
/// Writes the whole image to `out`; `told` gets what differs from `file`.
Result<Mended> write_healed(const RandomAccessSource& image, const RandomAccessSource& file,
                            const ParityContext& context, ByteSink& out, const std::function<void(ByteRange)>& told);

}  // namespace mmh::pack
