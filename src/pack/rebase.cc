#include "mmh/pack/rebase.h"

#include <algorithm>
#include <deque>

#include "mmh/codec/frame.h"
#include "mmh/content/classify.h"
#include "mmh/hash/blake3.h"
#include "mmh/pack/pack_file.h"
#include "ordered_tasks.h"

namespace mmh::pack {

namespace {

// A block that stands alone.
struct Alone {
  Result<Buffer> frame = Buffer();
  bool made_anew = false;
};

class Rebaser {
 public:
  Rebaser(const Reader& pack, const PackerOptions& options) : pack_(pack), options_(options) {}

  Alone make(std::uint64_t number, const BlockInfo& block) const {
    Alone alone;
    alone.frame = pack_.read_stored(number);
    if (!alone.frame || block.type != BlockType::data) return alone;
    const auto needs_base = codec::frame_needs_base(*options_.registry, *alone.frame, block.raw_size);
    alone.made_anew = needs_base && *needs_base;
    if (!needs_base) alone.frame = fail(needs_base.error());
    if (alone.made_anew) alone.frame = make_anew(number);
    return alone;
  }

 private:
  Result<Buffer> make_anew(std::uint64_t number) const {
    MMH_LET(const Buffer raw, pack_.read_block_uncached(number));
    constexpr std::size_t kLookSize = std::size_t{64} << 10;
    const auto content = content::classify(ByteView(raw).first(std::min(raw.size(), kLookSize)), {});
    const codec::Plan plan = options_.planner->plan(raw, content, options_.level);
    return codec::encode_frame(*options_.registry, plan, raw, options_.cancel);
  }

  const Reader& pack_;
  const PackerOptions& options_;
};

}  // namespace

Result<Rebased> rebase(const Reader& pack, const PackerOptions& options, TaskPool& pool, ByteSink& out) {
  MMH_TRY(pack.base());
  const Rebaser rebaser(pack, options);
  MMH_LET(const auto writer, PackFileWriter::create(out));
  Rebased rebased;
  std::uint64_t done = 0;
  std::deque<BlockInfo> waiting;
  OrderedTasks<Alone> tasks(pool);
  const auto take = [&]() -> Result<> {
    const BlockInfo block = waiting.front();
    waiting.pop_front();
    const Alone alone = tasks.pop();
    if (!alone.frame) return fail(alone.frame.error());
    rebased.blocks += alone.made_anew ? 1 : 0;
    MMH_TRY(writer->add_block(block.type, *alone.frame, block.raw_size, hash::blake3(*alone.frame)));
    done += block.raw_size;
    if (options.progress) options.progress(done, 0);
    return {};
  };
  const Trailer& old = pack.trailer();
  for (std::uint64_t number = 0; number < old.block_count; ++number) {
    MMH_TRY(check_cancelled(options.cancel));
    MMH_LET(const BlockInfo block, pack.block_info(number));
    // A block, what it is coded against, and what the coder needs for it.
    const std::uint64_t cost = 8 * block.raw_size;
    while (!tasks.empty() && (tasks.full() || tasks.cost() + cost > options.memory / 2)) MMH_TRY(take());
    waiting.push_back(block);
    tasks.push(cost, [&rebaser, number, block] { return rebaser.make(number, block); });
  }
  while (!tasks.empty()) MMH_TRY(take());
  Trailer trailer;
  trailer.root = old.root;
  trailer.top = old.top;
  trailer.height = old.height;
  trailer.writer = options.writer;
  trailer.libraries = options.libraries;
  trailer.level = old.level;
  MMH_TRY(writer->finish(std::move(trailer)));
  rebased.pack_bytes = writer->bytes_written();
  return rebased;
}

}  // namespace mmh::pack
