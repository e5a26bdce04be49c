#include "mmh/pack/manifest.h"

#include <rapidcheck.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "mmh/base/cbor.h"
#include "mmh/codec/frame.h"
#include "mmh/hash/blake3.h"
#include "pack/pack_support.h"

namespace mmh::pack {
namespace {

using test::error_of;
using test::make_directory;
using test::make_file;
using test::make_hard_link;
using test::make_symlink;
using tree::EntryType;

// RapidCheck takes its seed from the environment, and a random one where that has none.
const int seeded = setenv("RC_PARAMS", "seed=20240602 max_success=60", 0);

// Builds a manifest and keeps its pages.
struct Built {
  std::vector<Buffer> pages;
  PageReference top;
  unsigned height = 0;
};

Built build(const std::vector<FileRecord>& records, std::uint64_t first_block = 0) {
  Built built;
  ManifestBuilder builder([&](ByteView raw) -> Result<std::uint64_t> {
    built.pages.emplace_back(raw.begin(), raw.end());
    return first_block + built.pages.size() - 1;
  });
  for (const FileRecord& record : records) EXPECT_OK(builder.add(record));
  const auto top = builder.finish();
  EXPECT_OK(top);
  built.top = *top;
  built.height = builder.height();
  return built;
}

// All records below a page, in order, every page checked against what names it.
void collect(const Built& built, const PageReference& reference, unsigned height, std::vector<FileRecord>& out) {
  const auto page = parse_manifest_page(built.pages.at(reference.block));
  ASSERT_OK(page);
  EXPECT_EQ(page->hash, reference.hash);
  EXPECT_EQ(page->height, height);
  EXPECT_EQ(page->entries, reference.entries);
  EXPECT_EQ(page->content_bytes, reference.content_bytes);
  EXPECT_EQ(page->first_path(), reference.first_path);
  out.insert(out.end(), page->records.begin(), page->records.end());
  for (const PageReference& child : page->children) collect(built, child, height - 1, out);
}

std::vector<FileRecord> records_of(const Built& built) {
  std::vector<FileRecord> records;
  collect(built, built.top, built.height, records);
  return records;
}

// One leaf with these records, as the builder writes it.
Buffer leaf_of(const std::vector<FileRecord>& records) {
  const Built built = build(records);
  EXPECT_EQ(built.pages.size(), 1u);
  return built.pages.at(0);
}

bool same(const FileRecord& a, const FileRecord& b) {
  const tree::Entry &x = a.entry, &y = b.entry;
  return x.path == y.path && x.type == y.type && x.mode == y.mode && x.mtime_seconds == y.mtime_seconds &&
         x.mtime_nanoseconds == y.mtime_nanoseconds && x.uid == y.uid && x.gid == y.gid && x.user == y.user &&
         x.group == y.group && x.size == y.size && x.link == y.link && x.device_major == y.device_major &&
         x.device_minor == y.device_minor && x.xattrs == y.xattrs && a.hash == b.hash && a.extents == b.extents &&
         a.lists.size() == b.lists.size();
}

FileRecord random_record(test::Random& random, std::string path) {
  const auto name = [&] { return std::string(random.below(6), static_cast<char>('a' + random.below(26))); };
  FileRecord record;
  tree::Entry& entry = record.entry;
  entry.path = std::move(path);
  entry.type = std::array{EntryType::regular, EntryType::regular, EntryType::directory,
                          EntryType::symlink, EntryType::fifo,    EntryType::block_device}[random.below(6)];
  entry.mode = static_cast<std::uint32_t>(random.below(010000));
  entry.mtime_seconds = static_cast<std::int64_t>(random.next()) >> random.below(64);
  entry.mtime_nanoseconds = random.below(2) == 0 ? 0 : static_cast<std::uint32_t>(random.below(1'000'000'000));
  entry.uid = random.next() >> random.below(64);
  entry.gid = random.next() >> random.below(64);
  entry.user = name();
  entry.group = name();
  if (entry.type == EntryType::symlink) entry.link = "../" + name();
  if (entry.type == EntryType::block_device) {
    entry.device_major = static_cast<std::uint32_t>(random.next());
    entry.device_minor = static_cast<std::uint32_t>(random.next());
  }
  std::set<std::string> names;
  for (std::uint64_t i = random.below(3); i > 0; --i) names.insert("user." + name());
  for (const std::string& attribute : names) entry.xattrs.emplace_back(attribute, name());
  if (entry.type == EntryType::regular) {
    record.hash = test::digest_of(as_bytes(entry.path));
    for (std::uint64_t i = random.below(4); i > 0; --i) {
      Extent extent{random.below(1000), random.below(1 << 20), 1 + random.below(1 << 20)};
      if (random.below(3) == 0) extent = {Extent::kHole, 0, 1 + (random.next() >> 8)};
      entry.size += extent.length;
      record.extents.push_back(extent);
    }
  }
  return record;
}

std::vector<FileRecord> random_records(test::Random& random, std::size_t count) {
  std::set<std::string> paths;
  while (paths.size() < count) {
    std::string path;
    for (std::uint64_t depth = random.below(4) + 1; depth > 0; --depth) {
      if (!path.empty()) path += '/';
      for (std::uint64_t i = random.below(3) + 1; i > 0; --i) path += static_cast<char>(' ' + 1 + random.below(200));
    }
    if (tree::check_path(path)) paths.insert(path);
  }
  std::vector<FileRecord> records;
  for (const std::string& path : paths) records.push_back(random_record(random, path));
  std::ranges::sort(records, [](const FileRecord& a, const FileRecord& b) {
    return tree::compare_paths(a.entry.path, b.entry.path) < 0;
  });
  return records;
}

std::vector<FileRecord> numbered_files(std::size_t count) {
  std::vector<FileRecord> records;
  for (std::size_t i = 0; i < count; ++i) {
    FileRecord record =
        make_file("f" + std::string(7 - std::to_string(i).size(), '0') + std::to_string(i), as_bytes("x"));
    record.extents = {{i, 0, 1}};
    records.push_back(std::move(record));
  }
  return records;
}

TEST(Manifest, RandomRecordsRoundTrip) {
  EXPECT_TRUE(rc::check([](std::uint64_t seed) {
    test::Random random(seed);
    const auto records = random_records(random, random.below(1500));
    const Built built = build(records);
    const auto back = records_of(built);
    RC_ASSERT(back.size() == records.size());
    for (std::size_t i = 0; i < records.size(); ++i) RC_ASSERT(same(back[i], records[i]));
    RC_ASSERT(built.top.entries == records.size());
  }));
}

TEST(Manifest, RootDependsOnContentAndMetadataOnly) {
  EXPECT_TRUE(rc::check([](std::uint64_t seed) {
    test::Random random(seed);
    auto records = random_records(random, 1 + random.below(600));
    const Built before = build(records);
    auto moved = records;
    for (FileRecord& record : moved) {
      if (record.entry.size > 0) record.extents = {{Extent::kHole, 0, record.entry.size}};
    }
    const Built after = build(moved, 1000);
    RC_ASSERT(manifest_root(before.top) == manifest_root(after.top));

    FileRecord& any = records[random.below(records.size())];
    any.entry.mtime_nanoseconds = (any.entry.mtime_nanoseconds + 1) % 1'000'000'000;
    RC_ASSERT(manifest_root(build(records).top) != manifest_root(before.top));
  }));
}

// The cuts follow the records alone: a small change leaves nearly all pages as they were, wherever it is.
TEST(Manifest, AChangeTouchesFewPages) {
  const auto records = numbered_files(20'000);
  const auto pages_of = [](const Built& built) {
    std::set<hash::Digest> pages;
    for (const Buffer& page : built.pages) pages.insert(test::digest_of(page));
    return pages;
  };
  const auto before = pages_of(build(records));
  for (const std::size_t at : {std::size_t{0}, records.size() / 2, records.size() - 1}) {
    auto changed = records;
    changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(at));
    const Built built = build(changed);
    std::size_t fresh = 0;
    for (const hash::Digest& page : pages_of(built)) fresh += before.contains(page) ? 0u : 1u;
    EXPECT_LE(fresh, built.height + 3u) << at;  // a leaf that loses its mark runs into the next one or two
    EXPECT_GT(built.pages.size(), 100u);
  }
}

TEST(Manifest, PagesStayWithinTheirBounds) {
  const Built built = build(numbered_files(20'000));
  EXPECT_GE(built.height, 1u);
  for (const Buffer& raw : built.pages) {
    const auto page = parse_manifest_page(raw);
    ASSERT_OK(page);
    EXPECT_LE(page->records.size() + page->children.size(), kPageItemsMax);
  }
}

TEST(Manifest, LargeEntriesMakeSmallPages) {
  std::vector<FileRecord> records;
  for (char name = 'a'; name < 'k'; ++name) {
    records.push_back(make_directory(std::string(1, name)));
    records.back().entry.xattrs = {{"user.large", std::string(200 << 10, name)}};
  }
  const Built built = build(records);
  EXPECT_EQ(built.pages.size(), 6u);  // two entries each, and the page above
  EXPECT_EQ(records_of(built).size(), records.size());
}

TEST(Manifest, AnEmptyPackHasOneEmptyLeaf) {
  const Built built = build({});
  EXPECT_EQ(built.height, 0u);
  ASSERT_EQ(built.pages.size(), 1u);
  EXPECT_EQ(built.top.entries, 0u);
  EXPECT_TRUE(records_of(built).empty());
}

// Where the records end just behind a cut, the page above would have a single child.
TEST(Manifest, TheTopPageNeverHasASingleChild) {
  const std::size_t first_page = parse_manifest_page(build(numbered_files(2000)).pages.at(0))->records.size();
  EXPECT_EQ(build(numbered_files(first_page)).height, 0u);
  EXPECT_EQ(build(numbered_files(first_page + 1)).height, 1u);
  for (std::size_t count = 0; count <= 1100; count += 11) {
    const Built built = build(numbered_files(count));
    const auto top = parse_manifest_page(built.pages.at(built.top.block));
    ASSERT_OK(top);
    EXPECT_NE(top->children.size(), 1u) << count;
    EXPECT_EQ(top->height, built.height) << count;
  }
}

TEST(Manifest, RefusesRecordsThatCannotBeStored) {
  const auto refused = [](const FileRecord& record) {
    ManifestBuilder builder([](ByteView) -> Result<std::uint64_t> { return 0; });
    return error_of(builder.add(record));
  };
  const auto file = [](std::uint64_t size, std::vector<Extent> extents) {
    FileRecord record = make_file("f", {});
    record.entry.size = size;
    record.extents = std::move(extents);
    return record;
  };
  EXPECT_EQ(refused(make_directory("a/../b")), Errc::usage);
  EXPECT_EQ(refused(make_symlink("a", "")), Errc::usage);
  EXPECT_EQ(refused(make_hard_link("a", "b")), Errc::usage);  // comes after it
  EXPECT_EQ(refused(file(5, {})), Errc::usage);
  EXPECT_EQ(refused(file(5, {{0, 0, 4}})), Errc::usage);
  EXPECT_EQ(refused(file(5, {{0, 0, 4}, {0, 4, 2}})), Errc::usage);
  EXPECT_EQ(refused(file(5, {{0, codec::kRawSizeMax, 5}})), Errc::usage);
  EXPECT_EQ(refused(file(0, {{0, 0, 0}})), Errc::usage);
  FileRecord large = make_directory("a");
  large.entry.xattrs = {{"user.a", std::string(kEntryBytesMax, 'x')}};
  EXPECT_EQ(refused(large), Errc::limit);
}

TEST(Manifest, RefusesRecordsOutOfOrder) {
  for (const auto& [first, second] : {std::pair{"b", "a"}, {"a", "a"}, {"a.b", "a/b"}}) {
    ManifestBuilder builder([](ByteView) -> Result<std::uint64_t> { return 0; });
    ASSERT_OK(builder.add(make_directory(first)));
    EXPECT_EQ(error_of(builder.add(make_directory(second))), Errc::usage) << first << ' ' << second;
  }
}

TEST(Manifest, PassesOnWhatStoringAPageReturns) {
  ManifestBuilder builder([](ByteView) -> Result<std::uint64_t> { return fail(Errc::no_space, "full"); });
  ASSERT_OK(builder.add(make_directory("a")));
  EXPECT_EQ(error_of(builder.finish()), Errc::no_space);
}

TEST(ManifestPageTest, RefusesEveryTruncationAndMostFlips) {
  const Buffer raw = leaf_of({make_directory("d"), make_file("d/f", as_bytes("abc"), {{1, 2, 3}})});
  const auto hash = parse_manifest_page(raw)->hash;
  for (std::size_t keep = 0; keep < raw.size(); ++keep) {
    const Buffer cut(raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(keep));
    EXPECT_EQ(error_of(parse_manifest_page(cut)), Errc::corrupt) << keep;
  }
  std::size_t silent = 0;
  for (std::size_t bit = 0; bit < raw.size() * 8; ++bit) {
    Buffer flipped = raw;
    flipped[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    const auto page = parse_manifest_page(flipped);
    if (page && page->hash == hash) ++silent;
  }
  EXPECT_LE(silent, 16u);  // the two numbers of where the content lies, which the hash leaves out
}

// A page written field by field, so that each can be wrong.
struct ForgedEntry {
  std::string path = "p";
  std::uint64_t type = 0;
  std::uint64_t mode = 0644;
  std::optional<std::uint64_t> nanoseconds = {};
  std::optional<std::string> user = {};
  std::optional<std::uint64_t> size = 0;
  bool with_hash = true;
  std::size_t hash_size = 32;
  std::optional<std::string> link = {};
  std::optional<std::uint64_t> extra_key = {};
};

void forge(CborWriter& out, const ForgedEntry& entry) {
  out.map(6u + entry.nanoseconds.has_value() + entry.user.has_value() + entry.size.has_value() + entry.with_hash +
          entry.link.has_value() + entry.extra_key.has_value());
  out.unsigned_integer(1);
  out.bytes(as_bytes(entry.path));
  for (const auto& [key, value] : {std::pair<std::uint64_t, std::uint64_t>{2, entry.type}, {3, entry.mode}, {4, 0}}) {
    out.unsigned_integer(key);
    out.unsigned_integer(value);
  }
  if (entry.nanoseconds) {
    out.unsigned_integer(5);
    out.unsigned_integer(*entry.nanoseconds);
  }
  out.unsigned_integer(6);
  out.unsigned_integer(0);
  out.unsigned_integer(7);
  out.unsigned_integer(0);
  if (entry.user) {
    out.unsigned_integer(8);
    out.bytes(as_bytes(*entry.user));
  }
  if (entry.size) {
    out.unsigned_integer(10);
    out.unsigned_integer(*entry.size);
  }
  if (entry.with_hash) {
    out.unsigned_integer(11);
    out.bytes(Buffer(entry.hash_size));
  }
  if (entry.link) {
    out.unsigned_integer(12);
    out.bytes(as_bytes(*entry.link));
  }
  if (entry.extra_key) {
    out.unsigned_integer(*entry.extra_key);
    out.unsigned_integer(1);
  }
}

Buffer page_of(const Buffer& canonical, const Buffer& locations) {
  Buffer raw;
  CborWriter out(raw);
  out.array(2);
  out.bytes(canonical);
  out.bytes(locations);
  return raw;
}

Buffer forged_leaf(const std::vector<ForgedEntry>& entries, std::uint64_t height = 0) {
  Buffer canonical, locations;
  CborWriter out(canonical), where(locations);
  out.array(2);
  out.unsigned_integer(height);
  out.array(entries.size());
  where.array(entries.size());
  for (const ForgedEntry& entry : entries) {
    forge(out, entry);
    where.null();
  }
  return page_of(canonical, locations);
}

TEST(HostilePage, RefusesForgedEntries) {
  ASSERT_OK(parse_manifest_page(forged_leaf({ForgedEntry{}})));
  const auto fault = [](const ForgedEntry& entry) { return error_of(parse_manifest_page(forged_leaf({entry}))); };
  for (const std::string path : {"", "/etc/passwd", "..", "a/../b", "a//b", "a/", "./a"}) {
    EXPECT_EQ(fault({.path = path}), Errc::corrupt) << path;
  }
  EXPECT_EQ(fault({.path = std::string("a\0b", 3)}), Errc::corrupt);
  EXPECT_EQ(fault({.path = std::string(4097, 'a')}), Errc::corrupt);
  EXPECT_EQ(fault({.type = 7}), Errc::unsupported);
  EXPECT_EQ(fault({.mode = 010000}), Errc::corrupt);
  EXPECT_EQ(fault({.nanoseconds = 0}), Errc::corrupt);  // a default that is written: a second encoding
  EXPECT_EQ(fault({.nanoseconds = 1'000'000'000}), Errc::corrupt);
  EXPECT_EQ(fault({.user = ""}), Errc::corrupt);
  EXPECT_EQ(fault({.size = {}}), Errc::corrupt);
  EXPECT_EQ(fault({.size = std::uint64_t{1} << 63}), Errc::corrupt);
  EXPECT_EQ(fault({.size = 1}), Errc::corrupt);  // no extents
  EXPECT_EQ(fault({.with_hash = false}), Errc::corrupt);
  EXPECT_EQ(fault({.hash_size = 31}), Errc::corrupt);
  EXPECT_EQ(fault({.link = "x"}), Errc::corrupt);
  EXPECT_EQ(fault({.extra_key = 15}), Errc::unsupported);
  EXPECT_EQ(fault({.extra_key = 5}), Errc::corrupt);                             // keys descend
  EXPECT_EQ(fault({.type = 1}), Errc::corrupt);                                  // a directory with a size
  EXPECT_EQ(fault({.type = 2, .size = {}, .with_hash = false}), Errc::corrupt);  // a symlink without target
  EXPECT_EQ(fault({.type = 3, .size = {}, .with_hash = false, .link = "../x"}), Errc::corrupt);
  EXPECT_EQ(fault({.type = 3, .size = {}, .with_hash = false, .link = "q"}), Errc::corrupt);  // names a later entry
}

TEST(HostilePage, RefusesUnsortedAndDuplicateEntries) {
  EXPECT_OK(parse_manifest_page(forged_leaf({{.path = "a"}, {.path = "a/b"}, {.path = "a.b"}})));
  EXPECT_EQ(error_of(parse_manifest_page(forged_leaf({{.path = "b"}, {.path = "a"}}))), Errc::corrupt);
  EXPECT_EQ(error_of(parse_manifest_page(forged_leaf({{.path = "a"}, {.path = "a"}}))), Errc::corrupt);
}

TEST(HostilePage, RefusesTooManyEntries) {
  std::vector<ForgedEntry> entries(kPageItemsMax + 1);
  for (std::size_t i = 0; i < entries.size(); ++i) entries[i].path = std::to_string(10'000 + i);
  EXPECT_EQ(error_of(parse_manifest_page(forged_leaf(entries))), Errc::corrupt);
  entries.pop_back();
  EXPECT_OK(parse_manifest_page(forged_leaf(entries)));
}

TEST(HostilePage, RefusesCountsWithoutItems) {
  for (const std::uint64_t claimed : {std::uint64_t{5}, std::uint64_t{1} << 32, ~std::uint64_t{0}}) {
    Buffer canonical, locations;
    CborWriter out(canonical), where(locations);
    out.array(2);
    out.unsigned_integer(0);
    out.array(claimed);
    where.array(claimed);
    EXPECT_EQ(error_of(parse_manifest_page(page_of(canonical, locations))), Errc::corrupt) << claimed;
  }
}

TEST(HostilePage, RefusesForgedExtents) {
  const auto fault = [](auto write) {
    Buffer canonical, locations;
    CborWriter out(canonical), where(locations);
    out.array(2);
    out.unsigned_integer(0);
    out.array(1);
    forge(out, {.size = 100});
    where.array(1);
    write(where);
    return error_of(parse_manifest_page(page_of(canonical, locations)));
  };
  const auto extents = [&](const std::vector<std::vector<std::uint64_t>>& list) {
    return fault([&](CborWriter& out) {
      out.array(list.size());
      for (const auto& extent : list) {
        out.array(extent.size());
        for (const std::uint64_t number : extent) out.unsigned_integer(number);
      }
    });
  };
  EXPECT_EQ(extents({}), Errc::corrupt);
  EXPECT_EQ(extents({{1, 0, 99}}), Errc::corrupt);
  EXPECT_EQ(extents({{1, 0, 101}}), Errc::corrupt);
  EXPECT_EQ(extents({{1, 0, 60}, {1, 60, 60}}), Errc::corrupt);
  EXPECT_EQ(extents({{100}, {0}}), Errc::corrupt);
  EXPECT_EQ(extents({{1, 100}}), Errc::corrupt);
  EXPECT_EQ(extents({{1, codec::kRawSizeMax - 99, 100}}), Errc::corrupt);
  EXPECT_EQ(extents({{1, ~std::uint64_t{0}, 100}}), Errc::corrupt);
  EXPECT_EQ(extents({{Extent::kHole, 0, 100}}), Errc::corrupt);
  EXPECT_EQ(extents({{~std::uint64_t{0}}, {101}}), Errc::corrupt);
  EXPECT_EQ(extents(std::vector<std::vector<std::uint64_t>>(kInlineExtentsMax + 1, {1})), Errc::corrupt);
  EXPECT_EQ(fault([](CborWriter& out) { out.null(); }), Errc::corrupt);
  EXPECT_EQ(fault([](CborWriter& out) { out.text("x"); }), Errc::corrupt);
  const auto lists = [&](std::uint64_t key, const std::vector<std::pair<std::uint64_t, std::uint64_t>>& places) {
    return fault([&](CborWriter& out) {
      out.map(1);
      out.unsigned_integer(key);
      out.array(places.size());
      for (const auto& [offset, block] : places) {
        out.array(2);
        out.unsigned_integer(offset);
        out.unsigned_integer(block);
      }
    });
  };
  EXPECT_EQ(lists(0, {}), Errc::corrupt);
  EXPECT_EQ(lists(0, {{1, 0}}), Errc::corrupt);
  EXPECT_EQ(lists(0, {{0, 0}, {0, 1}}), Errc::corrupt);
  EXPECT_EQ(lists(0, {{0, 0}, {100, 1}}), Errc::corrupt);
  EXPECT_EQ(lists(1, {{0, 0}}), Errc::unsupported);
}

struct ForgedChild {
  std::string first_path;
  std::uint64_t entries = 1;
  std::uint64_t content_bytes = 0;
};

Buffer forged_inner(std::uint64_t height, const std::vector<ForgedChild>& children) {
  Buffer canonical, locations;
  CborWriter out(canonical), where(locations);
  out.array(2);
  out.unsigned_integer(height);
  out.array(children.size());
  where.array(children.size());
  for (const ForgedChild& child : children) {
    out.array(4);
    out.bytes(as_bytes(child.first_path));
    out.unsigned_integer(child.entries);
    out.unsigned_integer(child.content_bytes);
    out.bytes(Buffer(32));
    where.unsigned_integer(0);
  }
  return page_of(canonical, locations);
}

TEST(HostilePage, RefusesForgedChildren) {
  const auto fault = [](std::uint64_t height, const std::vector<ForgedChild>& children) {
    return error_of(parse_manifest_page(forged_inner(height, children)));
  };
  ASSERT_OK(parse_manifest_page(forged_inner(1, {{"a"}, {"b"}})));
  EXPECT_EQ(fault(kManifestHeightMax + 1, {{"a"}}), Errc::corrupt);
  EXPECT_EQ(fault(~std::uint64_t{0}, {{"a"}}), Errc::corrupt);
  EXPECT_EQ(fault(1, {}), Errc::corrupt);
  EXPECT_EQ(fault(1, {{"b"}, {"a"}}), Errc::corrupt);
  EXPECT_EQ(fault(1, {{"a"}, {"a"}}), Errc::corrupt);
  EXPECT_EQ(fault(1, {{"../a"}}), Errc::corrupt);
  EXPECT_EQ(fault(1, {{"a", 0}}), Errc::corrupt);
  EXPECT_EQ(fault(1, {{"a", ~std::uint64_t{0}}, {"b", 2}}), Errc::corrupt);
  EXPECT_EQ(fault(1, {{"a", 1, ~std::uint64_t{0}}, {"b", 1, 1}}), Errc::corrupt);
}

TEST(HostilePage, RefusesBytesBehindTheItems) {
  for (const int part : {0, 1, 2}) {
    Buffer canonical, locations;
    CborWriter out(canonical), where(locations);
    out.array(2);
    out.unsigned_integer(0);
    out.array(0);
    where.array(0);
    if (part == 0) out.null();
    if (part == 1) where.null();
    Buffer raw = page_of(canonical, locations);
    if (part == 2) raw.push_back(std::byte{0xf6});
    EXPECT_EQ(error_of(parse_manifest_page(raw)), Errc::corrupt) << part;
  }
}

TEST(ExtentList, RoundTripsAndRefusesNonsense) {
  const std::vector<Extent> extents = {{5, 6, 7}, {Extent::kHole, 0, std::uint64_t{1} << 40}, {0, 0, 1}};
  const Buffer raw = write_extent_list(extents);
  const auto parsed = parse_extent_list(raw);
  ASSERT_OK(parsed);
  EXPECT_EQ(*parsed, extents);
  for (std::size_t keep = 0; keep < raw.size(); ++keep) {
    const Buffer cut(raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(keep));
    EXPECT_EQ(error_of(parse_extent_list(cut)), Errc::corrupt) << keep;
  }
  EXPECT_EQ(error_of(parse_extent_list(write_extent_list({}))), Errc::corrupt);
  EXPECT_EQ(error_of(parse_extent_list(write_extent_list(std::vector{Extent{1, 2, 0}}))), Errc::corrupt);
  EXPECT_EQ(error_of(parse_extent_list(write_extent_list(std::vector{Extent{1, codec::kRawSizeMax, 1}}))),
            Errc::corrupt);
}

}  // namespace
}  // namespace mmh::pack
