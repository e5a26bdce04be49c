#include "base_index.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "mmh/base/files.h"
#include "mmh/content/layout.h"
#include "ordered_tasks.h"

namespace mmh::pack {

namespace {

constexpr std::size_t kBatchFilesMax = 256;
constexpr std::size_t kEntryCost = 80;  // bytes of a map's entry, with its node and bucket
constexpr std::size_t kRangesMax = 64;  // of one chunk: tensors that are smaller are not worth a range each

// FNV-1a. Keys only find candidates; whether a candidate serves is seen by its bytes.
class Key {
 public:
  Key& add(std::string_view text) {
    for (const char c : text) step(static_cast<unsigned char>(c));
    return add(text.size());
  }
  Key& add(std::uint64_t number) {
    for (int i = 0; i < 8; ++i) step(static_cast<unsigned char>(number >> (8 * i)));
    return *this;
  }
  std::uint64_t value() const { return hash_; }

 private:
  void step(unsigned char byte) { hash_ = (hash_ ^ byte) * 0x100000001b3u; }
  std::uint64_t hash_ = 0xcbf29ce484222325u;
};

// What two versions of a path have in common: numbers count steps, days and versions.
std::string without_numbers(std::string_view path) {
  std::string kept;
  for (const char c : path) {
    const bool digit = std::isdigit(static_cast<unsigned char>(c)) != 0;
    if (!digit) {
      kept += c;
    } else if (kept.empty() || kept.back() != '#') {
      kept += '#';
    }
  }
  return kept;
}

// By falling likelihood that two files with the same key are versions of one.
std::array<std::uint64_t, 4> path_keys(std::string_view path) {
  const std::string kept = without_numbers(path);
  const std::string_view view = kept;
  const std::string_view below = view.substr(std::min(view.find('/'), view.size() - 1) + 1);
  const std::string_view name = view.substr(view.rfind('/') + 1);
  return {Key().add(0).add(path).value(), Key().add(1).add(view).value(), Key().add(2).add(below).value(),
          Key().add(3).add(name).value()};
}
constexpr std::size_t kSurePaths = 2;  // of those keys, the ones that count more than likeness

std::uint64_t tensor_key(std::uint64_t file_offset, std::uint64_t key) {
  return Key().add(file_offset).add(key).value();
}
std::uint64_t anywhere_key(std::uint64_t name, std::uint64_t size) {
  return Key().add(~std::uint64_t{0}).add(name).add(size).value();
}

// A file in a pack.
class PackedFile final : public RandomAccessSource {
 public:
  PackedFile(const Reader& reader, const FileRecord& record) : reader_(reader), record_(record) {}
  std::uint64_t size() const override { return record_.entry.size; }
  const std::string& name() const override { return record_.entry.path; }
  Result<> read_at(std::uint64_t offset, Bytes out) const override {
    MMH_LET(const std::size_t got, reader_.read_file(record_, offset, out));
    if (got < out.size()) return fail(Errc::corrupt, "the range ends behind the end");
    return {};
  }

 private:
  const Reader& reader_;
  const FileRecord& record_;
};

}  // namespace

TensorNames::TensorNames(std::vector<content::Region> regions) : regions_(std::move(regions)) {
  std::unordered_map<std::uint64_t, std::uint64_t> counts;
  keys_.reserve(regions_.size());
  for (const content::Region& region : regions_) {
    const auto type = static_cast<std::uint64_t>(region.type);
    const std::uint64_t kind = Key().add(type).add(region.size).value();
    const std::uint64_t which = counts[kind]++;
    keys_.push_back(
        {region.name.empty() ? 0 : Key().add(type).add(region.name).value(), Key().add(kind).add(which).value()});
  }
}

// What files of one batch, or a segment of a long one, gave.
struct BaseIndex::Scanned {
  struct Item {
    std::uint64_t offset = 0;  // of the file
    std::uint64_t size = 0;
    Segment segment;
    TensorNames names;
    std::optional<chunking::Sketch> sketch;
  };
  Buffer bytes;
  std::vector<Item> items;
  std::optional<Error> failure;
};

BaseIndex::BaseIndex(const Reader& base, std::uint64_t memory_max)
    : base_(base),
      entries_max_(static_cast<std::size_t>(memory_max / 2 / kEntryCost)),
      chunks_(static_cast<std::size_t>(memory_max / 2)) {}

void BaseIndex::add_file(const FileRecord& record, std::uint64_t offset) {
  const tree::Entry& entry = record.entry;
  const Found found{{offset, entry.size}, entry.mtime_seconds, entry.mtime_nanoseconds};
  for (const std::uint64_t key : path_keys(entry.path)) {
    if (!has_room()) return;
    // Of several the newest, which is nearest to what comes.
    const auto [known, is_new] = files_.try_emplace(key, found);
    const auto time = [](const Found& file) { return std::pair(file.seconds, file.nanoseconds); };
    if (!is_new && time(found) >= time(known->second)) known->second = found;
  }
}

void BaseIndex::add_sketch(const chunking::Sketch& sketch, const BaseFile& file) {
  for (std::size_t i = 0; i < sketch.super_features.size() && has_room(); ++i) {
    likeness_.try_emplace(chunking::super_feature_key(sketch, i), file);
  }
}

void BaseIndex::add_tensors(const TensorNames& names, std::uint64_t file_offset) {
  for (std::size_t i = 0; i < names.regions().size() && has_room(); ++i) {
    const content::Region& region = names.regions()[i];
    const BaseFile place{file_offset + region.offset, region.size};
    tensors_.try_emplace(tensor_key(file_offset, names.place_key(i)), place);
    if (names.name_key(i) == 0) continue;
    tensors_.try_emplace(tensor_key(file_offset, names.name_key(i)), place);
    tensors_.insert_or_assign(anywhere_key(names.name_key(i), region.size), place);
  }
}

void BaseIndex::add_pieces(const Segment& segment, std::uint64_t file_offset) {
  for (const Piece& piece : segment.pieces) {
    if (piece.hole || chunks_.find(piece.hash)) continue;
    chunks_.insert(piece.hash, {file_offset + segment.file_offset + piece.offset, 0, piece.length});
  }
}

// On any thread.
BaseIndex::Scanned BaseIndex::scan_small_files(const std::vector<std::pair<FileRecord, std::uint64_t>>& files,
                                               const chunking::ChunkSizes& sizes) const {
  Scanned scanned;
  std::size_t total = 0;
  for (const auto& [record, offset] : files) total += static_cast<std::size_t>(record.entry.size);
  scanned.bytes.resize(total);
  Bytes room = scanned.bytes;
  for (const auto& [record, offset] : files) {
    const Bytes data = room.first(static_cast<std::size_t>(record.entry.size));
    room = room.subspan(data.size());
    const PackedFile file(base_, record);
    if (const auto read = file.read_at(0, data); !read) {
      scanned.failure = read.error();
      return scanned;
    }
    Scanned::Item& item = scanned.items.emplace_back();
    item.offset = offset;
    item.size = data.size();
    FileLook look = look_at_file(
        data, record.entry.path, data.size(), sizes.size_max, true,
        [&](content::LayoutFormat format) { return content::find_layout(*memory_source(data, {}), format, true); });
    item.names = TensorNames(std::move(look.regions));
    item.segment.size = data.size();
    item.segment.data = data;
    const tree::DataRun all{0, data.size()};
    analyse_segment(item.segment, {&all, 1}, look.cuts, true, sizes);
    if (wants_sketch(look.type.content, data.size())) item.sketch = chunking::similarity_sketch(data);
  }
  return scanned;
}

Result<> BaseIndex::scan_long_file(const FileRecord& record, std::uint64_t offset, TaskPool& pool,
                                   const chunking::ChunkSizes& sizes, const CancelFlag* cancel) {
  const PackedFile file(base_, record);
  const std::uint64_t size = record.entry.size;
  Buffer head(std::min<std::uint64_t>(size, kLookSize));
  MMH_TRY(file.read_at(0, head));
  FileLook look = look_at_file(head, record.entry.path, size, sizes.size_max, true,
                               [&](content::LayoutFormat format) { return content::find_layout(file, format, true); });
  add_tensors(TensorNames(std::move(look.regions)), offset);
  const tree::DataRun all{0, size};
  OrderedTasks<Scanned> tasks(pool);
  const auto take = [&]() -> Result<> {
    Scanned scanned = tasks.pop();
    if (scanned.failure) return fail(*std::move(scanned.failure));
    add_pieces(scanned.items.front().segment, offset);
    return {};
  };
  for (std::uint64_t at = 0; at < size; at += kSegmentSize) {
    MMH_TRY(check_cancelled(cancel));
    if (tasks.full()) MMH_TRY(take());
    tasks.push(0, [&, at] {
      Scanned scanned;
      const std::uint64_t end = std::min(size, at + kSegmentSize);
      scanned.bytes.resize(static_cast<std::size_t>(std::min(size, look.cuts.free_from(end)) - at));
      if (const auto read = file.read_at(at, scanned.bytes); !read) scanned.failure = read.error();
      Segment& segment = scanned.items.emplace_back().segment;
      segment.file_offset = at;
      segment.size = static_cast<std::size_t>(end - at);
      segment.data = scanned.bytes;
      if (!scanned.failure) analyse_segment(segment, {&all, 1}, look.cuts, false, sizes);
      return scanned;
    });
  }
  while (!tasks.empty()) MMH_TRY(take());
  return {};
}

Result<> BaseIndex::scan(TaskPool& pool, const chunking::ChunkSizes& sizes, const CancelFlag* cancel) {
  using Batch = std::vector<std::pair<FileRecord, std::uint64_t>>;
  Batch batch;
  std::uint64_t batch_bytes = 0;
  std::uint64_t offset = 0;
  OrderedTasks<Scanned> tasks(pool);
  const auto take = [&]() -> Result<> {
    Scanned scanned = tasks.pop();
    if (scanned.failure) return fail(*std::move(scanned.failure));
    for (const Scanned::Item& item : scanned.items) {
      add_pieces(item.segment, item.offset);
      add_tensors(item.names, item.offset);
      if (item.sketch) add_sketch(*item.sketch, {item.offset, item.size});
    }
    return {};
  };
  const auto flush = [&]() -> Result<> {
    if (batch.empty()) return {};
    if (tasks.full()) MMH_TRY(take());
    tasks.push(0, [this, &sizes, files = std::exchange(batch, {})] { return scan_small_files(files, sizes); });
    batch_bytes = 0;
    return {};
  };
  MMH_TRY(base_.visit("", [&](FileRecord&& record) -> Result<bool> {
    MMH_TRY(check_cancelled(cancel));
    const std::uint64_t size = record.entry.size;
    if (record.entry.type != tree::EntryType::regular || size == 0) return true;
    add_file(record, offset);
    if (size > kSegmentSize) {
      MMH_TRY(scan_long_file(record, offset, pool, sizes, cancel));
    } else {
      if (batch.size() == kBatchFilesMax || batch_bytes + size > kSegmentSize) MMH_TRY(flush());
      batch.emplace_back(std::move(record), offset);
      batch_bytes += size;
    }
    offset += size;
    return true;
  }));
  MMH_TRY(flush());
  while (!tasks.empty()) MMH_TRY(take());
  return {};
}

std::optional<std::uint64_t> BaseIndex::find_chunk(const hash::Digest& digest, std::uint32_t length) const {
  const auto found = chunks_.find(digest);
  if (!found || found->length != length) return std::nullopt;
  return found->block;
}

std::optional<BaseFile> BaseIndex::version_of(std::string_view path, const chunking::Sketch* sketch) const {
  const auto keys = path_keys(path);
  const auto by_path = [&](std::size_t first, std::size_t last) -> std::optional<BaseFile> {
    for (std::size_t i = first; i < last; ++i) {
      if (const auto found = files_.find(keys[i]); found != files_.end()) return found->second.file;
    }
    return std::nullopt;
  };
  if (const auto sure = by_path(0, kSurePaths)) return sure;
  if (sketch != nullptr) {
    for (std::size_t i = 0; i < sketch->super_features.size(); ++i) {
      const auto found = likeness_.find(chunking::super_feature_key(*sketch, i));
      if (found != likeness_.end()) return found->second;
    }
  }
  return by_path(kSurePaths, keys.size());
}

std::vector<codec::BaseRange> BaseIndex::find_tensors(const std::optional<BaseFile>& version, const TensorNames& names,
                                                      std::uint64_t offset, std::uint64_t length) const {
  const auto regions = names.regions();
  const std::uint64_t end = offset + length;
  std::vector<codec::BaseRange> ranges;
  auto region = std::ranges::upper_bound(regions, offset, {},
                                         [](const content::Region& each) { return each.offset + each.size; });
  for (; offset < end; ++region) {
    if (region == regions.end() || region->offset > offset || ranges.size() == kRangesMax) return {};
    const auto index = static_cast<std::size_t>(region - regions.begin());
    const std::uint64_t from = offset - region->offset;
    const std::uint64_t until = std::min(end, region->offset + region->size) - region->offset;
    const auto look_up = [&](std::uint64_t key) {
      const auto found = tensors_.find(key);
      return found != tensors_.end() && found->second.size >= until ? &found->second : nullptr;
    };
    const BaseFile* place = nullptr;
    const std::uint64_t name = names.name_key(index);
    if (version && name != 0) place = look_up(tensor_key(version->offset, name));
    if (place == nullptr && version) place = look_up(tensor_key(version->offset, names.place_key(index)));
    if (place == nullptr && name != 0) place = look_up(anywhere_key(name, region->size));
    if (place == nullptr) return {};
    const codec::BaseRange range{place->offset + from, until - from};
    if (!ranges.empty() && ranges.back().offset + ranges.back().length == range.offset) {
      ranges.back().length += range.length;
    } else {
      ranges.push_back(range);
    }
    offset += range.length;
  }
  return ranges;
}

}  // namespace mmh::pack
