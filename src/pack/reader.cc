#include "mmh/pack/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>

#include "advice.h"
#include "lru_cache.h"
#include "mmh/base/checked.h"
#include "mmh/hash/blake3.h"
#include "mmh/pack/scan.h"
#include "zeros.h"

namespace mmh::pack {

namespace {

constexpr std::uint64_t kPageCacheBytes = 32 << 20;
constexpr std::uint64_t kIndexCacheBytes = 16 << 20;
constexpr std::uint64_t kListCacheBytes = 16 << 20;
constexpr std::uint64_t kDictionaryCacheBytes = 16 << 20;

// Whether `path` is `prefix` or below it.
bool is_under(std::string_view path, std::string_view prefix) {
  return prefix.empty() || (path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/'));
}

class PackReader final : public Reader {
 public:
  PackReader(std::unique_ptr<RandomAccessSource> source, const codec::Registry& registry, ReaderOptions options)
      : source_(std::move(source)),
        registry_(registry),
        name_(display_path(source_->name())),
        heal_(std::move(options.heal)),
        open_base_(std::move(options.open_base)),
        blocks_(options.cache_bytes) {}

  Result<> start();

  const Trailer& trailer() const override { return trailer_; }
  std::uint64_t trailer_offset() const override { return trailer_offset_; }
  std::uint64_t pack_size() const override { return pack_size_; }
  const RandomAccessSource& source() const override { return *source_; }
  const std::string& warning() const override { return warning_; }

  Result<std::optional<FileRecord>> find(std::string_view path) const override;
  Result<> visit(std::string_view prefix, const std::function<Result<bool>(FileRecord&&)>& visitor) const override;
  Result<std::vector<Extent>> extents_of(const FileRecord& record) const override;
  Result<> visit_extents(const FileRecord& record, std::uint64_t from,
                         const std::function<Result<bool>(std::uint64_t, const Extent&)>& visitor) const override;
  Result<std::shared_ptr<const ManifestPage>> manifest_page(const PageReference& reference,
                                                            unsigned height) const override;

  Result<std::shared_ptr<const Reader>> base() const override;
  Result<> read_content(std::uint64_t offset, Bytes out) const override;

  Result<BlockInfo> block_info(std::uint64_t number) const override;
  Result<Buffer> read_stored(std::uint64_t number) const override;
  Result<Buffer> peek_stored(std::uint64_t number, std::size_t size) const override;
  Result<BlockData> read_block(std::uint64_t number) const override;
  Result<Buffer> read_block_uncached(std::uint64_t number) const override;

  Result<std::size_t> read_file(const FileRecord& record, std::uint64_t offset, Bytes out) const override;
  Result<> stream_file(const FileRecord& record, const std::function<Result<>(ByteView)>& sink) const override;

 private:
  bool read(std::uint64_t offset, Bytes out);
  Result<std::optional<Trailer>> trailer_at(const BlockHeader& header);
  Result<> use_trailer(std::uint64_t offset, Trailer trailer);
  std::optional<Footer> footer_at(std::uint64_t offset);
  Result<bool> open_by_footer();
  Result<bool> open_by_scan();
  bool lies_inside_block(std::uint64_t offset);
  void find_end(const BlockHeader& header);
  void warn(std::string_view text);

  Result<Buffer> read_front(const BlockInfo& block, std::uint64_t size, std::string_view place) const;
  Result<Buffer> read_payload(const BlockInfo& block, std::string_view place) const;
  Result<Buffer> decode(const BlockInfo& block, ByteView frame, std::string_view place, bool with_dictionary) const;
  Result<Buffer> read_typed(std::uint64_t number, BlockType type) const;
  Result<std::shared_ptr<const codec::Dictionary>> dictionary(std::uint64_t number) const;
  Result<std::shared_ptr<const Reader>> open_base() const;
  Result<std::uint64_t> read_content_of_page(const PageReference& reference, unsigned height, std::uint64_t offset,
                                             Bytes out) const;
  Result<ManifestPage> load_page(std::uint64_t number) const;
  Result<> check_page(const ManifestPage& page, const PageReference& reference, unsigned height) const;
  Result<> check_bound(const ManifestPage& page, std::uint64_t number, std::string_view bound) const;
  Result<bool> visit_page(const PageReference& reference, unsigned height, std::string_view prefix,
                          std::string_view bound, const std::function<Result<bool>(FileRecord&&)>& visitor) const;
  Result<std::shared_ptr<const std::vector<Extent>>> extent_list(std::uint64_t number) const;
  Result<BlockData> data_of(const Extent& extent, const FileRecord& record) const;

  std::unexpected<Error> damaged(std::string_view place, std::string_view what) const {
    return fail(Errc::corrupt, fmt::format("{}: {}: {}{}", name_, place, what, kVerifyAdvice));
  }
  static std::string block_place(std::uint64_t number, const BlockInfo& block) {
    return fmt::format("block {} at {:#x}", number, block.offset);
  }

  const std::unique_ptr<RandomAccessSource> source_;
  const codec::Registry& registry_;
  const std::string name_;
  const std::function<Result<>(std::uint64_t, Bytes)> heal_;
  const std::function<Result<std::shared_ptr<const Reader>>(const BaseName&)> open_base_;
  mutable std::mutex base_mutex_;
  mutable std::optional<Result<std::shared_ptr<const Reader>>> base_;  // what the first call of base() gave
  Trailer trailer_;
  std::uint64_t trailer_offset_ = 0;
  std::uint64_t pack_size_ = 0;
  std::string warning_;
  std::optional<Error> read_error_;  // the first one while opening
  mutable LruCache<Buffer> blocks_;
  mutable LruCache<ManifestPage> pages_{kPageCacheBytes};
  mutable LruCache<std::vector<BlockInfo>> index_{kIndexCacheBytes};
  mutable LruCache<std::vector<Extent>> lists_{kListCacheBytes};
  mutable LruCache<codec::Dictionary> dictionaries_{kDictionaryCacheBytes};
};

void PackReader::warn(std::string_view text) {
  if (!warning_.empty()) warning_ += "; ";
  warning_ += text;
}

// What cannot be read is as good as damaged; when nothing else helps, the reason is told.
bool PackReader::read(std::uint64_t offset, Bytes out) {
  auto done = source_->read_at(offset, out);
  const bool ok = done.has_value();
  if (!ok && !read_error_) read_error_ = std::move(done).error();
  return ok;
}

// The trailer behind `header`; nothing when its bytes are damaged. Errors: unsupported.
Result<std::optional<Trailer>> PackReader::trailer_at(const BlockHeader& header) {
  if (header.type != BlockType::trailer) return std::nullopt;
  Buffer payload(header.stored_size);
  if (!read(header.offset + kBlockHeaderSize, payload) || hash::blake3(payload) != header.hash) return std::nullopt;
  auto trailer = parse_trailer(payload);
  if (trailer) return *std::move(trailer);
  if (trailer.error().code == Errc::corrupt) return std::nullopt;
  return fail(std::move(trailer).in(name_).error());
}

Result<> PackReader::use_trailer(std::uint64_t offset, Trailer trailer) {
  if (manifest_root(trailer.top) != trailer.root) {
    return fail(Errc::corrupt,
                fmt::format("{}: the trailer at {:#x}: its root is not that of its manifest; the pack was "
                            "not made by a sound writer",
                            name_, offset));
  }
  trailer_ = std::move(trailer);
  trailer_offset_ = offset;
  return {};
}

std::optional<Footer> PackReader::footer_at(std::uint64_t offset) {
  std::array<std::byte, kFooterSize> bytes;
  if (!range_within<std::uint64_t>(offset, kFooterSize, source_->size()) || !read(offset, bytes)) return std::nullopt;
  const auto footer = parse_footer(bytes);
  return footer && footer->offset == offset ? std::optional(*footer) : std::nullopt;
}

// False: no whole trailer stands where a footer says.
Result<bool> PackReader::open_by_footer() {
  const std::uint64_t size = source_->size();
  if (size < kHeaderSize + kFooterSize) return false;
  const auto footer = footer_at(size - kFooterSize);
  if (!footer) return false;
  for (const std::uint64_t place : footer->trailers) {
    if (const auto header = block_header_at(*source_, place)) {
      MMH_LET(std::optional<Trailer> trailer, trailer_at(*header));
      if (trailer) {
        MMH_TRY(use_trailer(place, *std::move(trailer)));
        pack_size_ = size;
        return true;
      }
    }
    warn(fmt::format("the trailer copy at {:#x} is damaged", place));
  }
  return false;
}

// Whether the chain of block headers from the first block on passes over `offset`: what looks like a trailer there is
// then content of a stored file. A chain that breaks before says nothing.
bool PackReader::lies_inside_block(std::uint64_t offset) {
  std::uint64_t place = kHeaderSize;
  while (place < offset) {
    if (const auto header = block_header_at(*source_, place)) {
      place += kBlockHeaderSize + header->stored_size;
    } else if (footer_at(place)) {
      place += kFooterSize;
    } else {
      return false;
    }
  }
  return place > offset;
}

Result<bool> PackReader::open_by_scan() {
  // Each candidate's payload is read, so how much may be read in vain is bounded: honest packs have few candidates.
  const std::uint64_t waste_max = std::min(source_->size(), kPackSizeMax / 2) + (std::uint64_t{128} << 20);
  std::uint64_t waste = 0;
  std::uint64_t before = source_->size();
  while (const auto header = last_trailer_header(*source_, before)) {
    before = header->offset;
    MMH_LET(std::optional<Trailer> trailer, trailer_at(*header));
    if (trailer && !lies_inside_block(header->offset)) {
      MMH_TRY(use_trailer(header->offset, *std::move(trailer)));
      find_end(*header);
      return true;
    }
    waste += kBlockHeaderSize + header->stored_size;
    if (waste > waste_max) return fail(Errc::limit, name_ + ": too many false trailers; not an honest pack");
  }
  return false;
}

// Where the pack of a trailer that was found by scanning ends: behind its copy and the footer, as far as they follow.
void PackReader::find_end(const BlockHeader& header) {
  pack_size_ = header.offset + kBlockHeaderSize + header.stored_size;
  if (const auto copy = block_header_at(*source_, pack_size_);
      copy && copy->type == BlockType::trailer && copy->hash == header.hash && payload_matches(*source_, *copy)) {
    pack_size_ += kBlockHeaderSize + copy->stored_size;
  }
  if (!footer_at(pack_size_)) {
    warn("the footer is missing or damaged");
    return;
  }
  pack_size_ += kFooterSize;
  // Parity belongs to the pack where it is whole: its blocks, and the footer again.
  std::uint64_t end = pack_size_;
  for (;;) {
    const auto block = block_header_at(*source_, end);
    if (!block || block->type != BlockType::parity) break;
    end += kBlockHeaderSize + block->stored_size;
  }
  if (end != pack_size_ && footer_at(end)) pack_size_ = end + kFooterSize;
  if (pack_size_ == source_->size()) return;
  const std::uint64_t behind = source_->size() - pack_size_;
  warn(fmt::format(
      "{} not in use, behind the end of the pack: an append was cut short, or the end of the file is damaged",
      behind == 1 ? "1 byte is" : fmt::format("{} bytes are", behind)));
}

Result<> PackReader::start() {
  std::array<std::byte, kHeaderSize> bytes{};
  const Bytes present = Bytes(bytes).first(std::min<std::uint64_t>(source_->size(), kHeaderSize));
  const auto header = read(0, present) ? parse_header(present) : Result<PackHeader>(fail(Errc::corrupt, ""));
  if (!header && header.error().code != Errc::corrupt) {
    return fail(header.error().code, fmt::format("{}: {}", name_, header.error().what));
  }
  MMH_LET(bool found, open_by_footer());
  if (!found) {
    MMH_LET(found, open_by_scan());
  }
  if (!found) {
    if (read_error_) return fail(*read_error_);
    if (!begins_like_pack(present)) return fail(Errc::corrupt, name_ + ": not an MMH pack");
    return fail(Errc::corrupt, name_ +
                                   ": no whole trailer is left: the pack was cut short, or its end is badly damaged; "
                                   "use another copy");
  }
  if (!header) warn("the header at the front is damaged");
  if (!warning_.empty()) warning_ = fmt::format("{}: {}", name_, warning_);
  return {};
}

Result<BlockInfo> PackReader::block_info(std::uint64_t number) const {
  if (number >= trailer_.block_count) {
    return damaged(fmt::format("block {}", number), fmt::format("the pack has only {} blocks", trailer_.block_count));
  }
  const std::uint64_t page_number = number / kIndexPageEntries;
  const auto load = [&]() -> Result<std::vector<BlockInfo>> {
    const IndexPage& page = trailer_.index[page_number];
    const std::string place = fmt::format("index page {} at {:#x}", page_number, page.block.offset);
    MMH_LET(const Buffer frame, read_payload(page.block, place));
    MMH_LET(const Buffer raw, decode(page.block, frame, place, false));
    auto blocks = parse_index_page(raw, page.first_number);
    if (!blocks) return damaged(place, blocks.error().what);
    const std::uint64_t wanted = std::min(kIndexPageEntries, trailer_.block_count - page.first_number);
    if (blocks->size() != wanted) return damaged(place, fmt::format("lists {} blocks, not {}", blocks->size(), wanted));
    return blocks;
  };
  MMH_LET(const auto blocks, index_.get(page_number, load, [](const std::vector<BlockInfo>& made) {
    return made.size() * sizeof(BlockInfo);
  }));
  return (*blocks)[number % kIndexPageEntries];
}

Result<Buffer> PackReader::read_front(const BlockInfo& block, std::uint64_t size, std::string_view place) const {
  if (block.offset > trailer_offset_ ||
      !range_within(block.offset + kBlockHeaderSize, block.stored_size, trailer_offset_)) {
    return damaged(place, "it is said to end behind the trailer");
  }
  Buffer front(std::min(size, block.stored_size));
  MMH_TRY(source_->read_at(block.offset + kBlockHeaderSize, front));
  return front;
}

Result<Buffer> PackReader::read_payload(const BlockInfo& block, std::string_view place) const {
  auto payload = read_front(block, block.stored_size, place);
  if (payload && hash::blake3(*payload) == block.hash) return payload;
  const bool within = range_within(block.offset + kBlockHeaderSize, block.stored_size, trailer_offset_);
  if (heal_ && within) {
    Buffer healed(block.stored_size);
    if (heal_(block.offset + kBlockHeaderSize, healed) && hash::blake3(healed) == block.hash) return healed;
  }
  if (!payload) return payload;
  return damaged(place, "stored bytes do not match their hash");
}

Result<Buffer> PackReader::decode(const BlockInfo& block, ByteView frame, std::string_view place,
                                  bool with_dictionary) const {
  codec::DecodeContext context;
  if (with_dictionary) {
    context.dictionary = [this](std::uint64_t number) { return dictionary(number); };
    context.base = [this](std::uint64_t offset, Bytes out) -> Result<> {
      MMH_LET(const auto content, base());
      if (content == nullptr) return fail(Errc::corrupt, "refers to a base, and the pack names none");
      return content->read_content(offset, out).in("its base");
    };
  }
  Buffer raw(block.raw_size);
  if (auto decoded = codec::decode_frame(registry_, frame, raw, context); !decoded) {
    return fail(decoded.error().code, fmt::format("{}: {}: cannot be decoded: {}", name_, place, decoded.error().what));
  }
  return raw;
}

Result<Buffer> PackReader::read_stored(std::uint64_t number) const {
  MMH_LET(const BlockInfo block, block_info(number));
  return read_payload(block, block_place(number, block));
}

Result<Buffer> PackReader::peek_stored(std::uint64_t number, std::size_t size) const {
  MMH_LET(const BlockInfo block, block_info(number));
  return read_front(block, size, block_place(number, block));
}

Result<Buffer> PackReader::read_block_uncached(std::uint64_t number) const {
  MMH_LET(const BlockInfo block, block_info(number));
  const std::string place = block_place(number, block);
  MMH_LET(const Buffer frame, read_payload(block, place));
  return decode(block, frame, place, block.type != BlockType::dictionary);
}

Result<BlockData> PackReader::read_block(std::uint64_t number) const {
  return blocks_.get(
      number, [&] { return read_block_uncached(number); }, [](const Buffer& made) { return made.size() + 64; });
}

Result<Buffer> PackReader::read_typed(std::uint64_t number, BlockType type) const {
  MMH_LET(const BlockInfo block, block_info(number));
  if (block.type != type) {
    return damaged(block_place(number, block),
                   fmt::format("{} expected, {} found", block_type_name(type), block_type_name(block.type)));
  }
  return read_block_uncached(number);
}

Result<std::shared_ptr<const codec::Dictionary>> PackReader::dictionary(std::uint64_t number) const {
  const auto load = [&]() -> Result<codec::Dictionary> {
    MMH_LET(Buffer bytes, read_typed(number, BlockType::dictionary));
    return codec::Dictionary{number, std::move(bytes)};
  };
  return dictionaries_.get(number, load, [](const codec::Dictionary& made) { return made.bytes.size() + 64; });
}

Result<std::shared_ptr<const Reader>> PackReader::open_base() const {
  const BaseName& wanted = *trailer_.base;
  const auto lacks = [&](Errc code, std::string_view why) {
    return fail(code, fmt::format("{}: needs its base {}, the pack with root {}: {}", name_, display_path(wanted.name),
                                  wanted.root.hex().substr(0, 16), why));
  };
  if (!open_base_) return lacks(Errc::not_found, "none is to be had here");
  auto opened = open_base_(wanted);
  if (!opened) return lacks(opened.error().code, opened.error().what);
  if ((*opened)->trailer().root != wanted.root) return lacks(Errc::not_found, "another pack was given");
  return opened;
}

Result<std::shared_ptr<const Reader>> PackReader::base() const {
  if (!trailer_.base) return nullptr;
  const std::lock_guard lock(base_mutex_);
  if (!base_) base_ = open_base();
  return *base_;
}

// Reads from `offset` of the page's content on; the bytes read, fewer than asked for at the page's end.
Result<std::uint64_t> PackReader::read_content_of_page(const PageReference& reference, unsigned height,
                                                       std::uint64_t offset, Bytes out) const {
  MMH_LET(const auto page, manifest_page(reference, height));
  std::uint64_t done = 0;
  std::uint64_t begin = 0;  // of the item, in the page's content
  const auto reaches = [&](std::uint64_t size) { return offset + done < begin + size && done < out.size(); };
  for (const FileRecord& record : page->records) {
    if (reaches(record.entry.size)) {
      MMH_LET(const std::size_t got, read_file(record, offset + done - begin, out.subspan(done)));
      done += got;
    }
    begin += record.entry.size;
  }
  for (const PageReference& child : page->children) {
    if (reaches(child.content_bytes)) {
      MMH_LET(const std::uint64_t got,
              read_content_of_page(child, height - 1, offset + done - begin, out.subspan(done)));
      done += got;
    }
    begin += child.content_bytes;
  }
  return done;
}

Result<> PackReader::read_content(std::uint64_t offset, Bytes out) const {
  if (!range_within<std::uint64_t>(offset, out.size(), trailer_.top.content_bytes)) {
    return damaged("content", fmt::format("{} bytes at {} are said to be among {}", out.size(), offset,
                                          trailer_.top.content_bytes));
  }
  MMH_LET(const std::uint64_t got, read_content_of_page(trailer_.top, trailer_.height, offset, out));
  if (got != out.size()) return damaged("content", "the manifest does not list as much as it says");
  return {};
}

Result<ManifestPage> PackReader::load_page(std::uint64_t number) const {
  MMH_LET(const Buffer raw, read_typed(number, BlockType::manifest));
  auto page = parse_manifest_page(raw);
  if (!page && page.error().code == Errc::corrupt) {
    return damaged(fmt::format("manifest page in block {}", number), page.error().what);
  }
  return std::move(page).in(fmt::format("{}: manifest page in block {}", name_, number));
}

Result<> PackReader::check_page(const ManifestPage& page, const PageReference& reference, unsigned height) const {
  // The trailer does not repeat the first path of all.
  const bool path_fits = reference.first_path.empty() || page.first_path() == reference.first_path;
  if (page.hash != reference.hash || page.height != height || page.entries != reference.entries ||
      page.content_bytes != reference.content_bytes || !path_fits) {
    return damaged(fmt::format("manifest page in block {}", reference.block), "it is not the page that belongs there");
  }
  return {};
}

// Whether all of the page comes before `bound`, the first path of what follows it (empty: nothing follows).
Result<> PackReader::check_bound(const ManifestPage& page, std::uint64_t number, std::string_view bound) const {
  if (bound.empty()) return {};
  const std::string& last = page.height == 0 ? page.records.back().entry.path : page.children.back().first_path;
  if (tree::compare_paths(last, bound) < 0) return {};
  return damaged(fmt::format("manifest page in block {}", number), "it overlaps the page behind it");
}

Result<std::shared_ptr<const ManifestPage>> PackReader::manifest_page(const PageReference& reference,
                                                                      unsigned height) const {
  MMH_LET(auto page, pages_.get(
                         reference.block, [&] { return load_page(reference.block); },
                         [](const ManifestPage& made) { return made.memory_bytes(); }));
  MMH_TRY(check_page(*page, reference, height));
  return page;
}

Result<std::optional<FileRecord>> PackReader::find(std::string_view path) const {
  PageReference reference = trailer_.top;
  std::string bound;
  for (unsigned height = trailer_.height;; --height) {
    MMH_LET(const auto page, manifest_page(reference, height));
    MMH_TRY(check_bound(*page, reference.block, bound));
    if (height == 0) {
      const auto found = std::ranges::lower_bound(
          page->records, path, [](std::string_view a, std::string_view b) { return tree::compare_paths(a, b) < 0; },
          [](const FileRecord& record) { return std::string_view(record.entry.path); });
      if (found == page->records.end() || found->entry.path != path) return std::nullopt;
      return *found;
    }
    const auto next = std::ranges::upper_bound(
        page->children, path, [](std::string_view a, std::string_view b) { return tree::compare_paths(a, b) < 0; },
        [](const PageReference& child) { return std::string_view(child.first_path); });
    if (next == page->children.begin()) return std::nullopt;
    if (next != page->children.end()) bound = next->first_path;
    reference = *std::prev(next);
  }
}

// False: the visitor has stopped, or all that is left comes behind `prefix`.
Result<bool> PackReader::visit_page(const PageReference& reference, unsigned height, std::string_view prefix,
                                    std::string_view bound,
                                    const std::function<Result<bool>(FileRecord&&)>& visitor) const {
  if (height == 0 && prefix.empty() && pages_.peek(reference.block) == nullptr) {
    // A visit of everything would only push useful pages out of the cache, and may keep the records.
    MMH_LET(ManifestPage page, load_page(reference.block));
    MMH_TRY(check_page(page, reference, height));
    MMH_TRY(check_bound(page, reference.block, bound));
    for (FileRecord& record : page.records) {
      MMH_LET(const bool go_on, visitor(std::move(record)));
      if (!go_on) return false;
    }
    return true;
  }
  MMH_LET(const auto page, manifest_page(reference, height));
  MMH_TRY(check_bound(*page, reference.block, bound));
  for (const FileRecord& record : page->records) {
    if (!is_under(record.entry.path, prefix)) {
      if (tree::compare_paths(record.entry.path, prefix) < 0) continue;
      return false;
    }
    MMH_LET(const bool go_on, visitor(FileRecord(record)));
    if (!go_on) return false;
  }
  for (std::size_t i = 0; i < page->children.size(); ++i) {
    const PageReference& child = page->children[i];
    const bool last = i + 1 == page->children.size();
    const std::string_view end = last ? bound : std::string_view(page->children[i + 1].first_path);
    if (!last && tree::compare_paths(end, prefix) <= 0) continue;  // all of the child comes before the prefix
    if (!is_under(child.first_path, prefix) && tree::compare_paths(child.first_path, prefix) > 0) return false;
    MMH_LET(const bool go_on, visit_page(child, height - 1, prefix, end, visitor));
    if (!go_on) return false;
  }
  return true;
}

Result<> PackReader::visit(std::string_view prefix, const std::function<Result<bool>(FileRecord&&)>& visitor) const {
  MMH_LET([[maybe_unused]] const bool more, visit_page(trailer_.top, trailer_.height, prefix, {}, visitor));
  return {};
}

Result<std::shared_ptr<const std::vector<Extent>>> PackReader::extent_list(std::uint64_t number) const {
  const auto load = [&]() -> Result<std::vector<Extent>> {
    MMH_LET(const Buffer raw, read_typed(number, BlockType::extents));
    auto extents = parse_extent_list(raw);
    if (!extents) return damaged(fmt::format("extent list in block {}", number), extents.error().what);
    return extents;
  };
  return lists_.get(number, load, [](const std::vector<Extent>& made) { return made.size() * sizeof(Extent); });
}

Result<> PackReader::visit_extents(const FileRecord& record, std::uint64_t from,
                                   const std::function<Result<bool>(std::uint64_t, const Extent&)>& visitor) const {
  // Gives the extents of one list, which cover [begin, end) of the file.
  const auto visit_list = [&](std::span<const Extent> extents, std::uint64_t begin, std::uint64_t end) -> Result<bool> {
    for (const Extent& extent : extents) {
      if (extent.length > end - begin) break;
      if (begin + extent.length > from) {
        MMH_LET(const bool go_on, visitor(begin, extent));
        if (!go_on) return false;
      }
      begin += extent.length;
    }
    if (begin != end) return damaged(display_path(record.entry.path), "its extents do not add up to its size");
    return true;
  };
  if (from >= record.entry.size) return {};
  if (record.lists.empty()) {
    MMH_LET([[maybe_unused]] const bool more, visit_list(record.extents, 0, record.entry.size));
    return {};
  }
  const auto after = std::ranges::upper_bound(record.lists, from, {}, &ExtentList::file_offset);
  for (std::size_t i = static_cast<std::size_t>(after - record.lists.begin()) - 1; i < record.lists.size(); ++i) {
    MMH_LET(const auto extents, extent_list(record.lists[i].block));
    const std::uint64_t end = i + 1 < record.lists.size() ? record.lists[i + 1].file_offset : record.entry.size;
    MMH_LET(const bool go_on, visit_list(*extents, record.lists[i].file_offset, end));
    if (!go_on) return {};
  }
  return {};
}

Result<std::vector<Extent>> PackReader::extents_of(const FileRecord& record) const {
  if (record.lists.empty()) return record.extents;
  std::vector<Extent> all;
  MMH_TRY(visit_extents(record, 0, [&](std::uint64_t, const Extent& extent) -> Result<bool> {
    all.push_back(extent);
    return true;
  }));
  return all;
}

// The block that holds an extent, known to be long enough.
Result<BlockData> PackReader::data_of(const Extent& extent, const FileRecord& record) const {
  MMH_LET(const BlockInfo block, block_info(extent.block));
  if (block.type != BlockType::data || !range_within(extent.offset, extent.length, block.raw_size)) {
    return damaged(display_path(record.entry.path),
                   fmt::format("its content is said to lie where {} has none", block_place(extent.block, block)));
  }
  return read_block(extent.block);
}

Result<std::size_t> PackReader::read_file(const FileRecord& record, std::uint64_t offset, Bytes out) const {
  if (record.entry.type != tree::EntryType::regular) {
    return fail(Errc::usage, display_path(record.entry.path) + ": is not a regular file");
  }
  if (offset >= record.entry.size) return std::size_t{0};
  out = out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), record.entry.size - offset)));
  if (out.empty()) return std::size_t{0};
  const std::uint64_t end = offset + out.size();
  MMH_TRY(visit_extents(record, offset, [&](std::uint64_t place, const Extent& extent) -> Result<bool> {
    const std::uint64_t first = std::max(place, offset);
    const std::uint64_t last = std::min(place + extent.length, end);
    const Bytes target = out.subspan(first - offset, last - first);
    if (extent.is_hole()) {
      std::ranges::fill(target, std::byte{0});
    } else {
      MMH_LET(const BlockData data, data_of(extent, record));
      std::memcpy(target.data(), data->data() + extent.offset + (first - place), target.size());
    }
    return place + extent.length < end;
  }));
  return out.size();
}

Result<> PackReader::stream_file(const FileRecord& record, const std::function<Result<>(ByteView)>& sink) const {
  if (record.entry.type != tree::EntryType::regular) {
    return fail(Errc::usage, display_path(record.entry.path) + ": is not a regular file");
  }
  hash::Blake3 state;
  BlockData held_block;  // keeps `held` alive
  ByteView held;
  const auto push = [&](ByteView piece) -> Result<> {
    if (!held.empty()) MMH_TRY(sink(held));
    state.update(piece);
    held = piece;
    return {};
  };
  MMH_TRY(visit_extents(record, 0, [&](std::uint64_t, const Extent& extent) -> Result<bool> {
    if (extent.is_hole()) {
      for (std::uint64_t left = extent.length; left > 0; left -= held.size()) {
        MMH_TRY(push(zeros(left)));
      }
      return true;
    }
    BlockData data;
    MMH_LET(data, data_of(extent, record));
    MMH_TRY(push(ByteView(*data).subspan(extent.offset, extent.length)));
    held_block = std::move(data);
    return true;
  }));
  if (state.finish() != record.hash) {
    return damaged(display_path(record.entry.path), "the content does not match its hash");
  }
  return held.empty() ? Result<>() : sink(held);
}

}  // namespace

Result<std::unique_ptr<Reader>> Reader::open(std::unique_ptr<RandomAccessSource> source,
                                             const codec::Registry& registry, ReaderOptions options) {
  auto reader = std::make_unique<PackReader>(std::move(source), registry, std::move(options));
  MMH_TRY(reader->start());
  return reader;
}

}  // namespace mmh::pack
