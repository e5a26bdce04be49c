#include "mmh/pack/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "mmh/base/cbor.h"
#include "mmh/base/check.h"
#include "mmh/base/checked.h"
#include "mmh/base/files.h"
#include "mmh/codec/frame.h"
#include "mmh/hash/blake3.h"
#include "mmh/pack/format.h"

namespace mmh::pack {

namespace {

constexpr std::string_view kPageContext = "MMH pack 1 manifest page";
constexpr std::string_view kRootContext = "MMH pack 1 root";
constexpr std::uint64_t kLeafCutModulus = 128;
constexpr std::uint64_t kInnerCutModulus = 64;

enum Field : std::uint64_t {
  kPath = 1,
  kType = 2,
  kMode = 3,
  kMtimeSeconds = 4,
  kMtimeNanoseconds = 5,
  kUid = 6,
  kGid = 7,
  kUser = 8,
  kGroup = 9,
  kSize = 10,
  kHash = 11,
  kLink = 12,
  kDevice = 13,
  kXattrs = 14,
};

bool has_link(tree::EntryType type) { return type == tree::EntryType::symlink || type == tree::EntryType::hard_link; }
bool has_device(tree::EntryType type) {
  return type == tree::EntryType::character_device || type == tree::EntryType::block_device;
}
bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

// What both the writer and the reader hold an entry to; says what is wrong, or nothing.
std::string entry_fault(const tree::Entry& entry) {
  if (const auto checked = tree::check_path(entry.path); !checked) return checked.error().what;
  if (entry.mode > 07777) return "mode has bits beyond 07777";
  if (entry.mtime_nanoseconds >= 1'000'000'000) return "modification time has a billion nanoseconds or more";
  if (entry.size > kFileSizeMax) return "size is above 2^63 - 1";
  if (entry.type != tree::EntryType::regular && entry.size != 0) return "size is set, but it is no regular file";
  if (has_link(entry.type)) {
    if (entry.link.empty() || has_nul(entry.link)) return "link target is empty or holds NUL";
    if (entry.type == tree::EntryType::hard_link) {
      if (const auto checked = tree::check_path(entry.link); !checked)
        return "hard link target: " + checked.error().what;
      if (tree::compare_paths(entry.link, entry.path) >= 0) return "hard link target does not come before it";
    }
  } else if (!entry.link.empty()) {
    return "link target is set, but it is no link";
  }
  if (!has_device(entry.type) && (entry.device_major != 0 || entry.device_minor != 0)) {
    return "device numbers are set, but it is no device";
  }
  for (std::size_t i = 0; i < entry.xattrs.size(); ++i) {
    const std::string& name = entry.xattrs[i].first;
    if (name.empty() || has_nul(name)) return "extended attribute has an empty name or one with NUL";
    if (i > 0 && entry.xattrs[i - 1].first >= name) return "extended attributes are not sorted by name";
  }
  return {};
}

// The same for where the content is.
std::string location_fault(const FileRecord& record) {
  if (record.entry.type != tree::EntryType::regular || record.entry.size == 0) {
    return record.extents.empty() && record.lists.empty() ? "" : "content is listed for an entry that has none";
  }
  if (record.lists.empty()) {
    if (record.extents.empty()) return "content is not listed";
    if (record.extents.size() > kInlineExtentsMax) return "too many extents";
    std::uint64_t left = record.entry.size;
    for (const Extent& extent : record.extents) {
      if (extent.length == 0 || extent.length > left) return "extents do not add up to the size";
      if (!extent.is_hole() && !range_within<std::uint64_t>(extent.offset, extent.length, codec::kRawSizeMax)) {
        return "an extent is larger than a block can be";
      }
      left -= extent.length;
    }
    return left == 0 ? "" : "extents do not add up to the size";
  }
  if (!record.extents.empty()) return "content is listed twice";
  std::uint64_t least = 0;
  for (std::size_t i = 0; i < record.lists.size(); ++i) {
    const std::uint64_t offset = record.lists[i].file_offset;
    if ((i == 0) != (offset == 0) || offset < least || offset >= record.entry.size)
      return "extent lists are out of order";
    least = offset + 1;
  }
  return {};
}

void write_entry(CborWriter& out, const FileRecord& record) {
  const tree::Entry& entry = record.entry;
  const bool regular = entry.type == tree::EntryType::regular;
  const bool device = has_device(entry.type);
  const auto count = 6u + (entry.mtime_nanoseconds != 0) + !entry.user.empty() + !entry.group.empty() + 2u * regular +
                     !entry.link.empty() + device + !entry.xattrs.empty();
  out.map(count);
  out.unsigned_integer(kPath);
  out.bytes(as_bytes(entry.path));
  out.unsigned_integer(kType);
  out.unsigned_integer(static_cast<std::uint64_t>(entry.type));
  out.unsigned_integer(kMode);
  out.unsigned_integer(entry.mode);
  out.unsigned_integer(kMtimeSeconds);
  out.integer(entry.mtime_seconds);
  if (entry.mtime_nanoseconds != 0) {
    out.unsigned_integer(kMtimeNanoseconds);
    out.unsigned_integer(entry.mtime_nanoseconds);
  }
  out.unsigned_integer(kUid);
  out.unsigned_integer(entry.uid);
  out.unsigned_integer(kGid);
  out.unsigned_integer(entry.gid);
  if (!entry.user.empty()) {
    out.unsigned_integer(kUser);
    out.bytes(as_bytes(entry.user));
  }
  if (!entry.group.empty()) {
    out.unsigned_integer(kGroup);
    out.bytes(as_bytes(entry.group));
  }
  if (regular) {
    out.unsigned_integer(kSize);
    out.unsigned_integer(entry.size);
    out.unsigned_integer(kHash);
    out.bytes(record.hash.view());
  }
  if (!entry.link.empty()) {
    out.unsigned_integer(kLink);
    out.bytes(as_bytes(entry.link));
  }
  if (device) {
    out.unsigned_integer(kDevice);
    out.array(2);
    out.unsigned_integer(entry.device_major);
    out.unsigned_integer(entry.device_minor);
  }
  if (!entry.xattrs.empty()) {
    out.unsigned_integer(kXattrs);
    out.array(entry.xattrs.size());
    for (const auto& [name, value] : entry.xattrs) {
      out.array(2);
      out.bytes(as_bytes(name));
      out.bytes(as_bytes(value));
    }
  }
}

void write_extent(CborWriter& out, const Extent& extent) {
  out.array(extent.is_hole() ? 1 : 3);
  if (!extent.is_hole()) {
    out.unsigned_integer(extent.block);
    out.unsigned_integer(extent.offset);
  }
  out.unsigned_integer(extent.length);
}

void write_location(CborWriter& out, const FileRecord& record) {
  if (!record.lists.empty()) {
    out.map(1);
    out.unsigned_integer(0);
    out.array(record.lists.size());
    for (const ExtentList& list : record.lists) {
      out.array(2);
      out.unsigned_integer(list.file_offset);
      out.unsigned_integer(list.block);
    }
  } else if (!record.extents.empty()) {
    out.array(record.extents.size());
    for (const Extent& extent : record.extents) write_extent(out, extent);
  } else {
    out.null();
  }
}

Result<std::string> read_string(CborReader& in) {
  MMH_LET(const ByteView value, in.bytes());
  return std::string(as_text(value));
}

Result<std::uint32_t> read_u32(CborReader& in) {
  MMH_LET(const std::uint64_t value, in.unsigned_integer());
  if (value > std::numeric_limits<std::uint32_t>::max()) return fail(Errc::corrupt, "a number is too large");
  return static_cast<std::uint32_t>(value);
}

Result<hash::Digest> read_digest(CborReader& in) {
  MMH_LET(const ByteView value, in.bytes());
  hash::Digest digest;
  if (value.size() != digest.bytes.size()) return fail(Errc::corrupt, "a hash is not 32 bytes long");
  std::memcpy(digest.bytes.data(), value.data(), value.size());
  return digest;
}

Result<> expect_array(CborReader& in, std::uint64_t count) {
  MMH_LET(const std::uint64_t found, in.array());
  if (found != count) return fail(Errc::corrupt, fmt::format("an array has {} items, not {}", found, count));
  return {};
}

Result<> read_xattrs(CborReader& in, tree::Entry& entry) {
  MMH_LET(const std::uint64_t count, in.array());
  if (count == 0) return fail(Errc::corrupt, "an empty list is present");
  for (std::uint64_t i = 0; i < count; ++i) {
    MMH_TRY(expect_array(in, 2));
    MMH_LET(std::string name, read_string(in));
    MMH_LET(std::string value, read_string(in));
    entry.xattrs.emplace_back(std::move(name), std::move(value));
  }
  return {};
}

// Reads the value of one field. Values that the writer leaves out (zero, empty) are refused: one entry, one encoding.
Result<> read_field(CborReader& in, std::uint64_t key, FileRecord& record) {
  tree::Entry& entry = record.entry;
  const auto must_be_set = [](bool set) -> Result<> {
    if (!set) return fail(Errc::corrupt, "a field is present but empty");
    return {};
  };
  switch (key) {
    case kPath: {
      MMH_LET(entry.path, read_string(in));
      return {};
    }
    case kType: {
      MMH_LET(const std::uint64_t type, in.unsigned_integer());
      if (type > static_cast<std::uint64_t>(tree::EntryType::block_device)) {
        return fail(Errc::unsupported, fmt::format("entry type {} is not known to this version", type));
      }
      entry.type = static_cast<tree::EntryType>(type);
      return {};
    }
    case kMode: {
      MMH_LET(entry.mode, read_u32(in));
      return {};
    }
    case kMtimeSeconds: {
      MMH_LET(entry.mtime_seconds, in.integer());
      return {};
    }
    case kMtimeNanoseconds: {
      MMH_LET(entry.mtime_nanoseconds, read_u32(in));
      return must_be_set(entry.mtime_nanoseconds != 0);
    }
    case kUid: {
      MMH_LET(entry.uid, in.unsigned_integer());
      return {};
    }
    case kGid: {
      MMH_LET(entry.gid, in.unsigned_integer());
      return {};
    }
    case kUser: {
      MMH_LET(entry.user, read_string(in));
      return must_be_set(!entry.user.empty());
    }
    case kGroup: {
      MMH_LET(entry.group, read_string(in));
      return must_be_set(!entry.group.empty());
    }
    case kSize: {
      MMH_LET(entry.size, in.unsigned_integer());
      return {};
    }
    case kHash: {
      MMH_LET(record.hash, read_digest(in));
      return {};
    }
    case kLink: {
      MMH_LET(entry.link, read_string(in));
      return must_be_set(!entry.link.empty());
    }
    case kDevice: {
      MMH_TRY(expect_array(in, 2));
      MMH_LET(entry.device_major, read_u32(in));
      MMH_LET(entry.device_minor, read_u32(in));
      return {};
    }
    case kXattrs:
      return read_xattrs(in, entry);
    default:
      return fail(Errc::unsupported, fmt::format("entry field {} is not known to this version", key));
  }
}

Result<> read_entry(CborReader& in, FileRecord& record) {
  const std::size_t before = in.rest().size();
  MMH_LET(const std::uint64_t count, in.map());
  std::uint64_t seen = 0;  // bit n: field n
  std::uint64_t last = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    MMH_LET(const std::uint64_t key, in.unsigned_integer());
    if (key <= last) return fail(Errc::corrupt, "entry fields are out of order");
    MMH_TRY(read_field(in, key, record));
    seen |= std::uint64_t{1} << key;
    last = key;
  }
  const auto bit = [](Field field) { return std::uint64_t{1} << field; };
  const tree::EntryType type = record.entry.type;
  std::uint64_t wanted = bit(kPath) | bit(kType) | bit(kMode) | bit(kMtimeSeconds) | bit(kUid) | bit(kGid);
  if (type == tree::EntryType::regular) wanted |= bit(kSize) | bit(kHash);
  if (has_link(type)) wanted |= bit(kLink);
  if (has_device(type)) wanted |= bit(kDevice);
  const std::uint64_t optional = bit(kMtimeNanoseconds) | bit(kUser) | bit(kGroup) | bit(kXattrs);
  if ((seen & ~optional) != wanted)
    return fail(Errc::corrupt, "entry lacks fields, or has some that its type excludes");
  if (before - in.rest().size() > kEntryBytesMax) return fail(Errc::corrupt, "entry is larger than 1 MiB");
  if (std::string fault = entry_fault(record.entry); !fault.empty()) return fail(Errc::corrupt, std::move(fault));
  return {};
}

Result<Extent> read_extent(CborReader& in) {
  MMH_LET(const std::uint64_t items, in.array());
  if (items != 1 && items != 3) return fail(Errc::corrupt, "an extent has neither one nor three items");
  Extent extent;
  if (items == 3) {
    MMH_LET(extent.block, in.unsigned_integer());
    MMH_LET(extent.offset, in.unsigned_integer());
    if (extent.is_hole()) return fail(Errc::corrupt, "an extent names no block");
  }
  MMH_LET(extent.length, in.unsigned_integer());
  return extent;
}

Result<> read_location(CborReader& in, FileRecord& record) {
  MMH_LET(const CborType type, in.peek());
  if (type == CborType::null) {
    MMH_TRY(in.null());
  } else if (type == CborType::map) {
    MMH_LET(const std::uint64_t pairs, in.map());
    MMH_LET(const std::uint64_t key, in.unsigned_integer());
    if (pairs != 1 || key != 0)
      return fail(Errc::unsupported, "content is listed in a way that this version does not know");
    MMH_LET(const std::uint64_t count, in.array());
    for (std::uint64_t i = 0; i < count; ++i) {
      MMH_TRY(expect_array(in, 2));
      ExtentList list{};
      MMH_LET(list.file_offset, in.unsigned_integer());
      MMH_LET(list.block, in.unsigned_integer());
      record.lists.push_back(list);
    }
    if (count == 0) return fail(Errc::corrupt, "content is not listed");
  } else {
    MMH_LET(const std::uint64_t count, in.array());
    if (count == 0 || count > kInlineExtentsMax) return fail(Errc::corrupt, "content has no extents or too many");
    record.extents.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      MMH_LET(const Extent extent, read_extent(in));
      record.extents.push_back(extent);
    }
  }
  if (std::string fault = location_fault(record); !fault.empty()) return fail(Errc::corrupt, std::move(fault));
  return {};
}

Result<> read_leaf(CborReader& canonical, CborReader& locations, ManifestPage& page) {
  MMH_LET(const std::uint64_t count, canonical.array());
  if (count > kPageItemsMax) return fail(Errc::corrupt, "the page has too many entries");
  if (canonical.rest().size() > kLeafBytesMax + kEntryBytesMax) return fail(Errc::corrupt, "the page is too large");
  MMH_TRY(expect_array(locations, count));
  page.records.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    FileRecord& record = page.records.emplace_back();
    const auto place = [&] {
      return record.entry.path.empty() ? fmt::format("entry {}", i) : display_path(record.entry.path);
    };
    if (auto read = read_entry(canonical, record); !read) return std::move(read).in(place());
    if (auto read = read_location(locations, record); !read) return std::move(read).in(place());
    if (i > 0 && tree::compare_paths(page.records[i - 1].entry.path, record.entry.path) >= 0) {
      return fail(Errc::corrupt, place() + ": entries are not in order of their paths");
    }
    const auto sum = checked_add(page.content_bytes, record.entry.size);
    if (!sum) return fail(Errc::corrupt, "sizes add up to more than 2^64");
    page.content_bytes = *sum;
  }
  page.entries = count;
  return {};
}

Result<> read_inner(CborReader& canonical, CborReader& locations, ManifestPage& page) {
  MMH_LET(const std::uint64_t count, canonical.array());
  if (count == 0 || count > kPageItemsMax) return fail(Errc::corrupt, "the page has no children or too many");
  MMH_TRY(expect_array(locations, count));
  page.children.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    PageReference& child = page.children.emplace_back();
    MMH_TRY(expect_array(canonical, 4));
    MMH_LET(child.first_path, read_string(canonical));
    MMH_LET(child.entries, canonical.unsigned_integer());
    MMH_LET(child.content_bytes, canonical.unsigned_integer());
    MMH_LET(child.hash, read_digest(canonical));
    MMH_LET(child.block, locations.unsigned_integer());
    if (const auto checked = tree::check_path(child.first_path); !checked) {
      return fail(Errc::corrupt, checked.error().what);
    }
    if (i > 0 && tree::compare_paths(page.children[i - 1].first_path, child.first_path) >= 0) {
      return fail(Errc::corrupt, "children are not in order of their paths");
    }
    const auto entries = checked_add(page.entries, child.entries);
    const auto content_bytes = checked_add(page.content_bytes, child.content_bytes);
    if (child.entries == 0 || !entries || !content_bytes)
      return fail(Errc::corrupt, "the counts of a child make no sense");
    page.entries = *entries;
    page.content_bytes = *content_bytes;
  }
  return {};
}

}  // namespace

const std::string& ManifestPage::first_path() const {
  static const std::string none;
  if (!records.empty()) return records.front().entry.path;
  return children.empty() ? none : children.front().first_path;
}

std::size_t ManifestPage::memory_bytes() const {
  std::size_t sum = sizeof *this;
  for (const FileRecord& record : records) {
    const tree::Entry& entry = record.entry;
    sum += sizeof record + entry.path.size() + entry.user.size() + entry.group.size() + entry.link.size();
    for (const auto& [name, value] : entry.xattrs) sum += 2 * sizeof name + name.size() + value.size();
    sum += record.extents.size() * sizeof(Extent) + record.lists.size() * sizeof(ExtentList);
  }
  for (const PageReference& child : children) sum += sizeof child + child.first_path.size();
  return sum;
}

Result<ManifestPage> parse_manifest_page(ByteView raw) {
  CborReader in(raw);
  MMH_TRY(expect_array(in, 2));
  MMH_LET(const ByteView canonical_bytes, in.bytes());
  MMH_LET(const ByteView location_bytes, in.bytes());
  MMH_TRY(in.finish());

  ManifestPage page;
  page.hash = hash::Blake3::derive_key(kPageContext).update(canonical_bytes).finish();
  CborReader canonical(canonical_bytes);
  CborReader locations(location_bytes);
  MMH_TRY(expect_array(canonical, 2));
  MMH_LET(const std::uint64_t height, canonical.unsigned_integer());
  if (height > kManifestHeightMax) return fail(Errc::corrupt, "the page stands too high");
  page.height = static_cast<unsigned>(height);
  MMH_TRY(height == 0 ? read_leaf(canonical, locations, page) : read_inner(canonical, locations, page));
  MMH_TRY(canonical.finish());
  MMH_TRY(locations.finish());
  return page;
}

hash::Digest manifest_root(const PageReference& top) {
  Buffer bytes;
  CborWriter out(bytes);
  out.array(4);
  out.unsigned_integer(kFormatVersion);
  out.bytes(top.hash.view());
  out.unsigned_integer(top.entries);
  out.unsigned_integer(top.content_bytes);
  return hash::Blake3::derive_key(kRootContext).update(bytes).finish();
}

ManifestBuilder::ManifestBuilder(StorePage store) : store_(std::move(store)), levels_(1) {}

Result<> ManifestBuilder::add(const FileRecord& record) {
  const std::string& path = record.entry.path;
  const auto refuse = [&](std::string_view fault) {
    return fail(Errc::usage, fmt::format("{}: cannot be stored: {}", display_path(path), fault));
  };
  if (any_ && tree::compare_paths(last_path_, path) >= 0) return refuse("entries must come in order of their paths");
  if (const std::string fault = entry_fault(record.entry); !fault.empty()) return refuse(fault);
  if (const std::string fault = location_fault(record); !fault.empty()) return refuse(fault);

  Level& leaf = levels_[0];
  const auto content_bytes = checked_add(leaf.summary.content_bytes, record.entry.size);
  if (!content_bytes) return fail(Errc::limit, "the files are larger than 2^64 bytes together");
  const std::size_t before = leaf.canonical.size();
  CborWriter canonical(leaf.canonical);
  write_entry(canonical, record);
  if (leaf.canonical.size() - before > kEntryBytesMax) {
    leaf.canonical.resize(before);
    return fail(Errc::limit, fmt::format("{}: its name and extended attributes take more than {} bytes",
                                         display_path(path), kEntryBytesMax));
  }
  CborWriter locations(leaf.locations);
  write_location(locations, record);
  if (leaf.count == 0) leaf.summary.first_path = path;
  leaf.summary.content_bytes = *content_bytes;
  ++leaf.summary.entries;
  ++leaf.count;
  last_path_ = path;
  any_ = true;

  const bool marked = load_le<std::uint64_t>(hash::blake3(as_bytes(path)).view()) % kLeafCutModulus == 0;
  if ((leaf.count >= kPageItemsMin && marked) || leaf.count == kPageItemsMax ||
      leaf.canonical.size() >= kLeafBytesMax) {
    MMH_LET(PageReference page, store_page(0));
    MMH_TRY(add_child(1, std::move(page)));
  }
  return {};
}

// Stores the page that is being filled at `height` and empties it.
Result<PageReference> ManifestBuilder::store_page(std::size_t height) {
  Level& level = levels_[height];
  Buffer canonical;
  canonical.reserve(level.canonical.size() + 16);
  CborWriter canonical_out(canonical);
  canonical_out.array(2);
  canonical_out.unsigned_integer(height);
  canonical_out.array(level.count);
  append(canonical, level.canonical);
  Buffer locations;
  locations.reserve(level.locations.size() + 16);
  CborWriter locations_out(locations);
  locations_out.array(level.count);
  append(locations, level.locations);
  Buffer raw;
  raw.reserve(canonical.size() + locations.size() + 32);
  CborWriter raw_out(raw);
  raw_out.array(2);
  raw_out.bytes(canonical);
  raw_out.bytes(locations);
  if (raw.size() > codec::kRawSizeMax) {
    return fail(Errc::limit, fmt::format("{}: a manifest page would be larger than {} bytes",
                                         display_path(level.summary.first_path), codec::kRawSizeMax));
  }
  PageReference page = std::move(level.summary);
  page.hash = hash::Blake3::derive_key(kPageContext).update(canonical).finish();
  level = Level{};
  MMH_LET(page.block, store_(raw));
  return page;
}

Result<> ManifestBuilder::add_child(std::size_t height, PageReference child) {
  if (height == levels_.size()) levels_.emplace_back();
  Level& level = levels_[height];
  const auto content_bytes = checked_add(level.summary.content_bytes, child.content_bytes);
  if (!content_bytes) return fail(Errc::limit, "the files are larger than 2^64 bytes together");
  CborWriter canonical(level.canonical);
  canonical.array(4);
  canonical.bytes(as_bytes(child.first_path));
  canonical.unsigned_integer(child.entries);
  canonical.unsigned_integer(child.content_bytes);
  canonical.bytes(child.hash.view());
  CborWriter(level.locations).unsigned_integer(child.block);
  if (level.count == 0) level.summary.first_path = child.first_path;
  level.summary.entries += child.entries;
  level.summary.content_bytes = *content_bytes;
  ++level.count;
  const bool marked = load_le<std::uint64_t>(child.hash.view()) % kInnerCutModulus == 0;
  level.last_child = std::move(child);
  if ((level.count >= kPageItemsMin && marked) || level.count == kPageItemsMax) {
    MMH_LET(PageReference page, store_page(height));
    MMH_TRY(add_child(height + 1, std::move(page)));
  }
  return {};
}

Result<PageReference> ManifestBuilder::finish() {
  for (std::size_t height = 0;; ++height) {
    if (height + 1 == levels_.size()) {
      // A top page with a single child would say nothing that the child does not.
      if (height > 0 && levels_[height].count == 1) {
        PageReference top = std::move(levels_[height].last_child);
        levels_.pop_back();
        return top;
      }
      return store_page(height);
    }
    if (levels_[height].count == 0) continue;
    MMH_LET(PageReference page, store_page(height));
    MMH_TRY(add_child(height + 1, std::move(page)));
  }
}

Buffer write_extent_list(std::span<const Extent> extents) {
  MMH_CHECK(extents.size() <= kExtentListEntries);
  Buffer raw;
  CborWriter out(raw);
  out.array(extents.size());
  for (const Extent& extent : extents) write_extent(out, extent);
  return raw;
}

Result<std::vector<Extent>> parse_extent_list(ByteView raw) {
  CborReader in(raw);
  MMH_LET(const std::uint64_t count, in.array());
  if (count == 0 || count > kExtentListEntries) return fail(Errc::corrupt, "an extent list has no extents or too many");
  std::vector<Extent> extents;
  extents.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    MMH_LET(const Extent extent, read_extent(in));
    if (extent.length == 0 || extent.length > kFileSizeMax ||
        (!extent.is_hole() && !range_within<std::uint64_t>(extent.offset, extent.length, codec::kRawSizeMax))) {
      return fail(Errc::corrupt, "an extent is empty or larger than a block can be");
    }
    extents.push_back(extent);
  }
  MMH_TRY(in.finish());
  return extents;
}

}  // namespace mmh::pack
