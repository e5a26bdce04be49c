#include "mmh/pack/refill.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "mmh/base/checked.h"
#include "mmh/content/classify.h"
#include "mmh/content/content_type.h"
#include "mmh/hash/blake3.h"
#include "mmh/pack/format.h"
#include "mmh/tree/walk.h"
#include "spool.h"

namespace mmh::pack {

namespace {

constexpr std::size_t kHashPiece = 1 << 20;
constexpr std::size_t kHeadSize = 64 << 10;
constexpr std::size_t kNamedMax = 20;
constexpr unsigned kMissesMax = 4;

/// Content that is wanted: a file of the manifest, and where one like it lies.
struct Wanted {
  std::string path;  ///< In the pack.
  std::uint64_t size = 0;
  hash::Digest hash;
  std::string original;  ///< Empty: none was found.
};

/// A run of a lost block's raw bytes, and where it lies in a file.
struct Piece {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::size_t file = 0;
  std::uint64_t file_offset = 0;
};

struct LostBlock {
  std::uint64_t number = 0;
  BlockInfo info;
  std::vector<Piece> pieces;
  std::optional<std::uint64_t> slot;  ///< In the spool: block header and stored bytes.
  bool filled = false;                ///< From originals, though not bit for bit.
};

class PatchedSource final : public RandomAccessSource {
 public:
  explicit PatchedSource(const RandomAccessSource& base) : base_(base), size_(base.size()) {}
  void add(std::uint64_t offset, std::uint64_t length, std::uint64_t slot) {
    patches_.insert_or_assign(offset, Patch{length, slot});
    size_ = std::max(size_, offset + length);
  }
  Spool& spool() { return spool_; }

  std::uint64_t size() const override { return size_; }
  const std::string& name() const override { return base_.name(); }
  Result<> read_at(std::uint64_t offset, Bytes out) const override {
    if (!range_within<std::uint64_t>(offset, out.size(), size_)) {
      return fail(Errc::corrupt, display_path(name()) + ": the range ends behind the end");
    }
    while (!out.empty()) {
      auto next = patches_.upper_bound(offset);
      std::uint64_t length = out.size();
      if (next != patches_.end()) length = std::min(length, next->first - offset);
      const bool patched = next != patches_.begin() && offset < std::prev(next)->first + std::prev(next)->second.length;
      if (patched) {
        const auto& [begin, patch] = *std::prev(next);
        length = std::min(length, begin + patch.length - offset);
        MMH_TRY(spool_.read_at(patch.slot + (offset - begin), out.first(static_cast<std::size_t>(length))));
      } else {
        MMH_TRY(base_.read_at(offset, out.first(static_cast<std::size_t>(length))));
      }
      offset += length;
      out = out.subspan(static_cast<std::size_t>(length));
    }
    return {};
  }

 private:
  struct Patch {
    std::uint64_t length;
    std::uint64_t slot;
  };
  const RandomAccessSource& base_;
  std::uint64_t size_;
  std::map<std::uint64_t, Patch> patches_;
  Spool spool_;
};

class Refiller final : public Refill {
 public:
  Refiller(const Reader& reader, const RefillContext& context)
      : reader_(reader), context_(context), patched_(reader.source()) {}

  Result<> run(const RefillSources& sources) {
    MMH_TRY(find_lost());
    if (lost_.empty()) return {};
    std::uint64_t bytes = 0;
    for (const LostBlock& block : lost_) bytes += kBlockHeaderSize + block.info.stored_size;
    MMH_LET(patched_.spool(), Spool::make(*context_.sys, bytes, context_.memory / 8, "lost blocks"));
    for (LostBlock& block : lost_) MMH_TRY(look_in_copies(block, sources.copies));
    if (std::ranges::all_of(lost_, [](const LostBlock& block) { return block.slot.has_value(); })) return {};
    MMH_TRY(find_pieces());
    MMH_TRY(find_originals(sources.originals));
    MMH_TRY(load_dictionaries());
    for (LostBlock& block : lost_) {
      MMH_TRY(check_cancelled(context_.cancel));
      if (!block.slot && block.info.type == BlockType::data) MMH_TRY(remake(block));
    }
    name_missing();
    return {};
  }

  std::uint64_t lost() const override { return lost_.size(); }
  std::uint64_t exact() const override {
    return static_cast<std::uint64_t>(
        std::ranges::count_if(lost_, [](const LostBlock& block) { return block.slot.has_value(); }));
  }
  std::uint64_t missing() const override {
    return static_cast<std::uint64_t>(
        std::ranges::count_if(lost_, [](const LostBlock& block) { return !block.slot && !block.filled; }));
  }
  const std::vector<std::string>& files_missing() const override { return files_missing_; }
  const RandomAccessSource& patched() const override { return patched_; }

  Result<> write_pack(ByteSink& out) const override {
    MMH_LET(const auto writer, PackFileWriter::create(out));
    const Trailer& old = reader_.trailer();
    auto lost = lost_.begin();
    for (std::uint64_t number = 0; number < old.block_count; ++number) {
      MMH_TRY(check_cancelled(context_.cancel));
      MMH_LET(const BlockInfo info, reader_.block_info(number));
      Buffer frame;
      if (lost != lost_.end() && lost->number == number) {
        MMH_LET(frame, frame_of(*lost));
        ++lost;
      } else {
        MMH_LET(frame, reader_.read_stored(number));
      }
      MMH_TRY(writer->add_block(info.type, frame, info.raw_size, hash::blake3(frame)));
    }
    Trailer trailer;
    trailer.root = old.root;
    trailer.top = old.top;
    trailer.height = old.height;
    trailer.writer = old.writer;
    trailer.libraries = old.libraries;
    trailer.level = old.level;
    MMH_TRY(writer->finish(std::move(trailer)));
    return {};
  }

 private:
  Result<> find_lost() {
    const std::uint64_t count = reader_.trailer().block_count;
    for (std::uint64_t number = 0; number < count; ++number) {
      MMH_TRY(check_cancelled(context_.cancel));
      const auto stored = reader_.read_stored(number);
      if (stored) continue;
      if (stored.error().code != Errc::corrupt && stored.error().code != Errc::io) return fail(stored.error());
      LostBlock block;
      block.number = number;
      MMH_LET(block.info, reader_.block_info(number));
      lost_.push_back(std::move(block));
    }
    return {};
  }

  Result<> keep(LostBlock& block, ByteView frame) {
    Buffer header(kBlockHeaderSize);
    const BlockInfo& info = block.info;
    write_block_header({info.type, block.number, info.offset, info.stored_size, info.raw_size, info.hash}, header);
    block.slot = used_;
    MMH_TRY(patched_.spool().write_at(used_, header));
    MMH_TRY(patched_.spool().write_at(used_ + kBlockHeaderSize, frame));
    patched_.add(info.offset, kBlockHeaderSize + info.stored_size, used_);
    used_ += kBlockHeaderSize + info.stored_size;
    return {};
  }

  Result<> look_in_copies(LostBlock& block, const std::vector<const RandomAccessSource*>& copies) {
    Buffer frame(static_cast<std::size_t>(block.info.stored_size));
    for (const RandomAccessSource* copy : copies) {
      const std::uint64_t offset = block.info.offset + kBlockHeaderSize;
      if (!range_within<std::uint64_t>(offset, frame.size(), copy->size()) || !copy->read_at(offset, frame)) continue;
      if (hash::blake3(frame) == block.info.hash) return keep(block, frame);
    }
    return {};
  }

  LostBlock* lost_at(std::uint64_t number) {
    const auto at = std::ranges::lower_bound(lost_, number, {}, &LostBlock::number);
    return at != lost_.end() && at->number == number ? &*at : nullptr;
  }

  // Which files lie in the lost blocks, and where.
  Result<> find_pieces() {
    return reader_
        .visit("",
               [&](FileRecord&& record) -> Result<bool> {
                 if (record.entry.type != tree::EntryType::regular) return true;
                 std::optional<std::size_t> file;
                 MMH_TRY(reader_.visit_extents(
                     record, 0, [&](std::uint64_t file_offset, const Extent& extent) -> Result<bool> {
                       LostBlock* const block = extent.is_hole() ? nullptr : lost_at(extent.block);
                       if (block == nullptr || block->slot) return true;
                       if (!file) {
                         file = files_.size();
                         files_.push_back({record.entry.path, record.entry.size, record.hash, {}});
                       }
                       block->pieces.push_back({extent.offset, extent.length, *file, file_offset});
                       return true;
                     }));
                 return true;
               })
        .in("the list of files is damaged as well, so that originals are of no use");
  }

  Result<> find_originals(const std::vector<std::string>& originals) {
    std::unordered_multimap<hash::Digest, std::size_t, hash::DigestHash> wanted;
    std::set<std::uint64_t> sizes;
    for (std::size_t i = 0; i < files_.size(); ++i) {
      wanted.emplace(files_[i].hash, i);
      sizes.insert(files_[i].size);
    }
    const auto take = [&](const std::string& path, std::uint64_t size) -> Result<> {
      if (!sizes.contains(size)) return {};
      const auto source = open_source(*context_.sys, path);
      if (!source) return {};
      const auto digest = hash_of(**source);
      if (!digest) return digest.error().code == Errc::cancelled ? Result<>(fail(digest.error())) : Result<>();
      const auto [begin, end] = wanted.equal_range(*digest);
      for (auto at = begin; at != end; ++at) files_[at->second].original = path;
      return {};
    };
    for (const std::string& original : originals) {
      tree::WalkOptions walk;
      walk.base = original;
      walk.roots = {"."};
      walk.xattrs = false;
      walk.cancel = context_.cancel;
      const auto info = context_.sys->fstatat(AT_FDCWD, original.c_str(), 0);
      if (!info) return fail(errno_error(info.error, display_path(original)));
      if (!S_ISDIR(info.value.st_mode)) {
        MMH_TRY(take(original, static_cast<std::uint64_t>(info.value.st_size)));
        continue;
      }
      MMH_LET(const auto walker, tree::Walker::open(*context_.sys, walk, [](const Error&) {}));
      for (;;) {
        MMH_LET(const auto item, walker->next());
        if (!item) break;
        if (item->entry.type == tree::EntryType::regular) {
          MMH_TRY(take(original + "/" + item->entry.path, item->entry.size));
        }
      }
    }
    return {};
  }

  Result<hash::Digest> hash_of(const RandomAccessSource& file) const {
    hash::Blake3 state;
    Buffer piece;
    for (std::uint64_t at = 0; at < file.size(); at += piece.size()) {
      MMH_TRY(check_cancelled(context_.cancel));
      piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kHashPiece, file.size() - at)));
      MMH_TRY(file.read_at(at, piece));
      state.update(piece);
    }
    return state.finish();
  }

  Result<> load_dictionaries() {
    const Trailer& trailer = reader_.trailer();
    dictionaries_.push_back(nullptr);
    for (std::uint64_t number = 0; number < trailer.block_count; ++number) {
      MMH_LET(const BlockInfo info, reader_.block_info(number));
      if (info.type != BlockType::dictionary) continue;
      auto bytes = reader_.read_block_uncached(number);
      if (bytes) {
        dictionaries_.push_back(
            std::make_shared<const codec::Dictionary>(codec::Dictionary{number, *std::move(bytes)}));
      }
    }
    return {};
  }

  // The raw bytes of a block; nothing where originals are lacking. Bytes that no file names any more are zeros, and
  // `whole` is false.
  Result<std::optional<Buffer>> raw_of(const LostBlock& block, bool& whole) const {
    Buffer raw(static_cast<std::size_t>(block.info.raw_size));
    std::ranges::fill(raw, std::byte{0});
    std::map<std::uint64_t, std::uint64_t> done;  // ends by beginnings
    std::vector<Piece> pieces = block.pieces;
    std::ranges::sort(pieces, [](const Piece& a, const Piece& b) { return a.file < b.file; });
    std::unique_ptr<RandomAccessSource> source;
    std::size_t open = files_.size();
    for (const Piece& piece : pieces) {
      if (!range_within<std::uint64_t>(piece.offset, piece.length, raw.size())) {
        return fail(Errc::corrupt, "an extent lies outside its block");
      }
      const std::string& original = files_[piece.file].original;
      if (original.empty()) continue;
      if (open != piece.file) {
        MMH_LET(source, open_source(*context_.sys, original));
        open = piece.file;
      }
      MMH_TRY(source->read_at(piece.file_offset, Bytes(raw).subspan(piece.offset, piece.length)));
      std::uint64_t& end = done[piece.offset];
      end = std::max(end, piece.offset + piece.length);
    }
    const auto covered = [&](std::uint64_t from, std::uint64_t to) {
      std::uint64_t at = from;
      for (const auto& [begin, end] : done) {
        if (begin > at) break;
        at = std::max(at, end);
      }
      return at >= to;
    };
    for (const Piece& piece : pieces) {
      if (!files_[piece.file].original.empty()) continue;
      // Another file may have had the same bytes.
      const auto behind = done.upper_bound(piece.offset);
      const bool had = behind != done.begin() && std::prev(behind)->second >= piece.offset + piece.length;
      if (!had) return std::optional<Buffer>();
    }
    whole = covered(0, raw.size());
    return std::optional<Buffer>(std::move(raw));
  }

  // What the packer may have taken the block for, the likeliest first.
  std::vector<content::ContentType> types_of(const LostBlock& block) const {
    std::vector<content::ContentType> types;
    const auto add = [&](const content::ContentType& type) {
      if (std::ranges::find(types, type) == types.end()) types.push_back(type);
    };
    const auto first = std::ranges::min_element(block.pieces, {}, &Piece::offset);
    if (first != block.pieces.end() && !files_[first->file].original.empty()) {
      const auto source = open_source(*context_.sys, files_[first->file].original);
      if (source) {
        Buffer head(static_cast<std::size_t>(std::min<std::uint64_t>(kHeadSize, (*source)->size())));
        if ((*source)->read_at(0, head)) {
          const content::ContentClass content = content::classify(head, files_[first->file].path);
          if (const auto format = content::layout_format(head, (*source)->size(), content)) {
            const std::vector<content::Region> regions = content::find_layout(**source, *format);
            const content::Stretch stretch = content::stretch_at(regions, first->file_offset);
            if (stretch.region != nullptr) add(content::content_type(*stretch.region));
          }
          add(content);
        }
      }
    }
    for (std::size_t i = 0; i < content::kContentClassCount; ++i) add(static_cast<content::ContentClass>(i));
    return types;
  }

  Result<> remake(LostBlock& block) {
    bool whole = false;
    MMH_LET(const auto raw, raw_of(block, whole));
    if (!raw) return {};
    block.filled = true;
    if (!whole || misses_ == kMissesMax || reader_.trailer().libraries != context_.libraries) return {};
    for (const content::ContentType& type : types_of(block)) {
      codec::Plan plan = context_.planner->plan(*raw, type, reader_.trailer().level);
      const bool takes_dictionary = plan.codec == codec::CodecId::zstd && plan.children.empty();
      for (const auto& dictionary : dictionaries_) {
        if (dictionary != nullptr && !takes_dictionary) break;
        plan.options.dictionary = dictionary;
        MMH_LET(const Buffer frame, codec::encode_frame(*context_.registry, plan, *raw, context_.cancel));
        if (frame.size() == block.info.stored_size && hash::blake3(frame) == block.info.hash) {
          misses_ = 0;
          return keep(block, frame);
        }
      }
    }
    ++misses_;
    return {};
  }

  Result<Buffer> frame_of(const LostBlock& block) const {
    if (block.slot) {
      Buffer frame(static_cast<std::size_t>(block.info.stored_size));
      MMH_TRY(patched_.read_at(block.info.offset + kBlockHeaderSize, frame));
      return frame;
    }
    bool whole = false;
    MMH_LET(const auto raw, raw_of(block, whole));
    if (!raw) return fail(Errc::corrupt, fmt::format("block {} is lost", block.number));
    const codec::Plan plan = context_.planner->plan(*raw, types_of(block).front(), reader_.trailer().level);
    return codec::encode_frame(*context_.registry, plan, *raw, context_.cancel);
  }

  void name_missing() {
    std::set<std::string> names;
    for (const LostBlock& block : lost_) {
      if (block.slot || block.filled) continue;
      for (const Piece& piece : block.pieces) {
        if (files_[piece.file].original.empty() && names.size() < kNamedMax) names.insert(files_[piece.file].path);
      }
    }
    files_missing_.assign(names.begin(), names.end());
  }

  const Reader& reader_;
  const RefillContext context_;
  std::vector<LostBlock> lost_;  // by number
  std::vector<Wanted> files_;
  std::vector<std::shared_ptr<const codec::Dictionary>> dictionaries_;  // none first
  PatchedSource patched_;
  std::uint64_t used_ = 0;
  unsigned misses_ = 0;  // blocks in a row that could not be made again bit for bit
  std::vector<std::string> files_missing_;
};

}  // namespace

Result<std::unique_ptr<Refill>> Refill::open(const Reader& reader, const RefillSources& sources,
                                             const RefillContext& context) {
  auto refill = std::make_unique<Refiller>(reader, context);
  MMH_TRY(refill->run(sources));
  return refill;
}

}  // namespace mmh::pack
