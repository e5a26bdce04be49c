#include "mmh/tree/tar.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <functional>
#include <map>
#include <set>

#include "mmh/base/files.h"
#include "support/process.h"
#include "support/trees.h"
#include "tree_support.h"

namespace mmh::tree {
namespace {

using test::compare_trees;
using test::error_of;
using test::Problems;
using test::quoted;
using test::shell;
using test::TempDir;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Gives out `bytes`, at most `part_max` at a time.
TarReader::ReadBytes bytes_source(ByteView bytes, std::size_t part_max = ~std::size_t{0}) {
  return [bytes, part_max](Bytes out) mutable -> Result<std::size_t> {
    const std::size_t part = std::min({out.size(), bytes.size(), part_max});
    std::copy_n(bytes.begin(), part, out.begin());
    bytes = bytes.subspan(part);
    return part;
  };
}

struct Member {
  Entry entry;
  std::string content;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> runs;
};

// Everything in a stream; content only of what is smaller than `content_max`.
Result<std::vector<Member>> read_all(ByteView stream, std::size_t content_max = 1 << 20, std::size_t part_max = 100) {
  const auto tar = TarReader::open(bytes_source(stream, part_max));
  std::vector<Member> members;
  for (;;) {
    MMH_LET(auto entry, tar->next());
    if (!entry) return members;
    Member member{*std::move(entry), {}, {}};
    for (const DataRun& run : tar->runs()) member.runs.emplace_back(run.offset, run.length);
    if (member.entry.type == EntryType::regular && member.entry.size < content_max) {
      Buffer content(member.entry.size + 1);
      MMH_LET(const std::size_t got, tar->read(content));
      member.content = as_text(ByteView(content).first(got));
      if (got != member.entry.size) return fail(Errc::usage, "content of another size");
    }
    members.push_back(std::move(member));
  }
}

Result<> restore_tar(const std::string& archive, const std::string& target, Problems& problems) {
  MMH_LET(const auto source, open_source(real_sys(), archive));
  std::uint64_t at = 0;
  const auto tar = TarReader::open([&](Bytes out) -> Result<std::size_t> {
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), source->size() - at));
    MMH_TRY(source->read_at(at, out.first(part)));
    at += part;
    return part;
  });
  RestoreOptions options = test::keep_all(target);
  options.overwrite = Overwrite::always;
  MMH_LET(const auto restorer, Restorer::open(real_sys(), options, problems.sink()));
  Buffer buffer(10'000);
  for (;;) {
    MMH_LET(const auto entry, tar->next());
    if (!entry) break;
    if (entry->type != EntryType::regular) {
      MMH_TRY(restorer->make(*entry));
      continue;
    }
    const std::vector<DataRun> runs = tar->runs();
    MMH_LET(const auto file, restorer->begin_file(*entry));
    std::uint64_t offset = 0;
    std::size_t run = 0;
    for (;;) {
      MMH_LET(const std::size_t got, tar->read(buffer));
      if (got == 0) break;
      // What lies in a hole is not written.
      while (run < runs.size() && runs[run].offset + runs[run].length <= offset) ++run;
      if (run < runs.size() && runs[run].offset < offset + got) {
        MMH_TRY(file->write_at(offset, ByteView(buffer).first(got)));
      }
      offset += got;
    }
    MMH_TRY(file->commit());
  }
  return restorer->finish();
}

class BufferSink final : public ByteSink {
 public:
  Result<> write(ByteView more) override {
    append(bytes, more);
    return {};
  }
  Buffer bytes;
};

// Writes a tree as tar, the way `mmh unpack --tar` does.
Result<> write_tree(const WalkOptions& options, ByteSink& out) {
  Problems problems;
  MMH_LET(const auto walker, Walker::open(real_sys(), options, problems.sink()));
  const auto tar = TarWriter::open(out);
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> first_names;
  for (;;) {
    MMH_LET(auto item, walker->next());
    if (!item) break;
    Entry& entry = item->entry;
    if (item->links > 1 && entry.type != EntryType::directory) {
      const auto [first, added] = first_names.try_emplace({item->device, item->inode}, entry.path);
      if (!added) {
        entry.type = EntryType::hard_link;
        entry.link = first->second;
      }
    }
    if (entry.type != EntryType::regular) {
      if (entry.type != EntryType::hard_link) MMH_TRY(read_xattrs(real_sys(), *item, options));
      MMH_TRY(tar->begin(entry));
      continue;
    }
    MMH_LET(const OpenedFile file, open_file(real_sys(), *item, options));
    Buffer content(entry.size);
    if (!pread_full(real_sys(), file.fd.get(), content, 0)) return fail(Errc::io, "read");
    MMH_TRY(tar->begin(entry));
    MMH_TRY(tar->write(content));
  }
  return tar->finish();
}

class TarTree : public testing::Test {
 protected:
  void SetUp() override {
    test::make_tree(temp_ / "from", test::readable({.seed = 21, .entries = 80, .total_bytes_max = 1 << 20}));
    test::add_odd_objects(temp_ / "from");
    // libarchive 3.6 does not write or read fractions of seconds before 1970 as POSIX has them.
    test::make_tree(temp_ / "plain",
                    test::readable({.seed = 22, .entries = 80, .total_bytes_max = 1 << 20, .odd_times = false}));
    test::add_odd_objects(temp_ / "plain");
  }
  static std::string program_of(const std::string& way) { return way.substr(0, way.find(' ')); }
  static std::string tree_for(const std::string& way) { return program_of(way) == "bsdtar" ? "plain" : "from"; }
  TempDir temp_;
};

TEST_F(TarTree, EveryFormatReadsAsTarItselfExtractsIt) {
  const std::vector<std::string> ways = {
      "tar --format=gnu",
      "tar --format=oldgnu",
      "tar --format=ustar",
      "tar --format=v7",
      "tar --format=posix --xattrs --xattrs-include='*' --acls",
      "tar --format=posix --sparse --sparse-version=0.0",
      "tar --format=posix --sparse --sparse-version=0.1",
      "tar --format=posix --sparse --sparse-version=1.0 --xattrs --acls",
      "tar --format=gnu --sparse",
      "bsdtar --format=pax",
      "bsdtar --format=gnutar",
      "bsdtar --format=ustar",
      "bsdtar --format=v7tar",
  };
  std::set<std::string> missing;
  for (const std::string& way : ways) {
    if (!test::program_exists(program_of(way))) {
      missing.insert(program_of(way));
      continue;
    }
    const std::string tree = tree_for(way);
    SCOPED_TRACE(way);
    const std::string here = "cd " + quoted(temp_.path()) + " && ";
    shell(here + "rm -rf tar.* && mkdir tar.theirs");
    // Formats that cannot keep a path leave it out and say so.
    shell(here + way + " -cf tar.archive " + tree + " ./" + tree + "/sparse 2>tar.said; true");
    // GNU tar takes the order of bsdtar's archives ill, and loses times of directories.
    shell(here + "cd tar.theirs && " + program_of(way) + " -xpf ../tar.archive --same-owner --xattrs --acls" +
          (program_of(way) == "tar" ? " --xattrs-include='*'" : ""));
    Problems problems;
    ASSERT_OK(restore_tar(temp_ / "tar.archive", temp_ / "tar.ours", problems));
    EXPECT_THAT(problems.messages, IsEmpty());
    EXPECT_EQ(compare_trees(temp_ / "tar.theirs", temp_ / "tar.ours"), "");
    const bool keeps_all = way.find("--acls") != std::string::npos || way == "bsdtar --format=pax";
    if (keeps_all) {
      EXPECT_EQ(compare_trees(temp_ / tree, temp_ / ("tar.ours/" + tree), {.root = true}), "");
    }
    if (way.find("--sparse") != std::string::npos) {
      struct stat st{};
      ASSERT_EQ(::stat((temp_ / ("tar.ours/" + tree + "/sparse")).c_str(), &st), 0);
      EXPECT_LT(st.st_blocks * 512, 100'000) << "holes were lost";
    }
  }
  if (!missing.empty()) GTEST_SKIP() << "not installed: " << testing::PrintToString(missing);
}

TEST_F(TarTree, WhatItWritesOthersExtractEqual) {
  const std::vector<std::string> ways = {"tar -xpf ../archive.tar --same-owner --xattrs --xattrs-include='*' --acls",
                                         "bsdtar -xpf ../archive.tar --xattrs --acls --same-owner"};
  std::set<std::string> missing;
  for (const std::string& way : ways) {
    if (!test::program_exists(program_of(way))) {
      missing.insert(program_of(way));
      continue;
    }
    SCOPED_TRACE(way);
    const std::string tree = tree_for(way);
    BufferSink sink;
    ASSERT_OK(write_tree({.base = temp_.path(), .roots = {tree}}, sink));
    EXPECT_EQ(sink.bytes.size() % 10240, 0U);
    test::write_file(temp_ / "archive.tar", sink.bytes);
    shell("cd " + quoted(temp_.path()) + " && rm -rf theirs && mkdir theirs && cd theirs && " + way);
    EXPECT_EQ(compare_trees(temp_ / tree, temp_ / ("theirs/" + tree), {.root = true}), "");
    Problems problems;
    ASSERT_OK(restore_tar(temp_ / "archive.tar", temp_ / "ours", problems));
    EXPECT_EQ(compare_trees(temp_ / tree, temp_ / ("ours/" + tree), {.root = true}), "");
    // tar finds nothing to complain about but the record that bsdtar needs for names that are not UTF-8.
    EXPECT_EQ(shell("tar -tf " + quoted(temp_ / "archive.tar") + " 2>&1 >/dev/null | grep -v hdrcharset || true"), "");
  }
  if (!missing.empty()) GTEST_SKIP() << "not installed: " << testing::PrintToString(missing);
}

TEST_F(TarTree, WritesTheSameBytesEveryTime) {
  BufferSink once;
  BufferSink again;
  ASSERT_OK(write_tree({.base = temp_.path(), .roots = {"from"}}, once));
  ASSERT_OK(write_tree({.base = temp_.path(), .roots = {"from"}}, again));
  EXPECT_TRUE(once.bytes == again.bytes);
}

// ---- headers made by hand ----

struct Header {
  std::string name = "file";
  char type = '0';
  std::string size = "00000000000";
  std::string link = {};
  std::string magic = std::string(
      "ustar\000"
      "00",
      8);
  std::string mode = "0000644";
  std::string uid = "0000001";
  std::string mtime = "00000000007";
  std::string prefix = {};
};

std::string block_of(const Header& header) {
  std::string block(512, '\0');
  const auto put = [&](std::size_t at, const std::string& text) { block.replace(at, text.size(), text); };
  put(0, header.name);
  put(100, header.mode);
  put(108, header.uid);
  put(116, "0000002");
  put(124, header.size);
  put(136, header.mtime);
  block[156] = header.type;
  put(157, header.link);
  put(257, header.magic);
  put(345, header.prefix);
  return block;
}

std::string summed(std::string block, bool as_signed = false) {
  block.replace(148, 8, 8, ' ');
  long sum = 0;
  for (const char c : block) sum += as_signed ? static_cast<signed char>(c) : static_cast<unsigned char>(c);
  block.replace(148, 8, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
  return block;
}

std::string octal(std::uint64_t value) { return fmt::format("{:011o}", value); }

std::string padded(std::string text) {
  text.resize((text.size() + 511) / 512 * 512);
  return text;
}

std::string member(Header header, const std::string& content = {}) {
  if (!content.empty()) header.size = octal(content.size());
  return summed(block_of(header)) + padded(content);
}

std::string record(const std::string& key, const std::string& value) {
  const std::string rest = " " + key + "=" + value + "\n";
  std::size_t size = rest.size();
  while (std::to_string(size).size() + rest.size() != size) size = std::to_string(size).size() + rest.size();
  return std::to_string(size) + rest;
}

const std::string kEnd(1024, '\0');

Result<std::vector<Member>> read_stream(const std::string& stream) { return read_all(as_bytes(stream)); }

// The only member of a stream; fails the test if there is not just one.
Member only(const std::string& members) {
  auto all = read_stream(members + kEnd);
  EXPECT_TRUE(all.has_value()) << all.error().what;
  if (!all || all->size() != 1) {
    ADD_FAILURE() << "not one member";
    return {};
  }
  return all->front();
}

Errc refusal(const std::string& members) { return error_of(read_stream(members + kEnd)); }

TEST(TarReader, ReadsThePlainFields) {
  const Member found = only(member({.name = "dir/file"}, "content"));
  EXPECT_EQ(found.entry.path, "dir/file");
  EXPECT_EQ(found.entry.type, EntryType::regular);
  EXPECT_EQ(found.entry.mode, 0644U);
  EXPECT_EQ(found.entry.uid, 1U);
  EXPECT_EQ(found.entry.gid, 2U);
  EXPECT_EQ(found.entry.mtime_seconds, 7);
  EXPECT_EQ(found.content, "content");
  EXPECT_EQ(only(member({.name = "b", .prefix = "a"})).entry.path, "a/b");
  EXPECT_EQ(only(member({.name = "b", .magic = std::string("ustar  \0", 8), .prefix = "a"})).entry.path, "b");
}

TEST(TarReader, NormalisesNamesAsTheWalkDoes) {
  EXPECT_EQ(only(member({.name = "/a//./b/"})).entry.path, "a/b");
  EXPECT_EQ(only(member({.name = "/a//./b/"})).entry.type, EntryType::directory);
  EXPECT_EQ(only(member({.name = "./", .type = '5'}) + member({.name = "./a"})).entry.path, "a");
  EXPECT_EQ(only(member({.name = "a", .type = '1', .link = "./b"})).entry.link, "b");
  EXPECT_EQ(only(member({.name = "a", .type = '2', .link = "../../b"})).entry.link, "../../b");
  EXPECT_EQ(refusal(member({.name = "../a"})), Errc::unsafe);
  EXPECT_EQ(refusal(member({.name = "a/.."})), Errc::unsafe);
  EXPECT_EQ(refusal(member({.name = "a", .type = '1', .link = "../b"})), Errc::unsafe);
  EXPECT_EQ(refusal(member({.name = ""})), Errc::corrupt);
  EXPECT_EQ(refusal(member({.name = "a", .type = '2'})), Errc::corrupt);
}

TEST(TarReader, ReadsBinaryNumbers) {
  EXPECT_EQ(
      only(member({.mtime = std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12)})).entry.mtime_seconds,
      -2);
  EXPECT_EQ(only(member({.uid = std::string("\x80\0\0\1\0\0\0\0", 8)})).entry.uid, std::uint64_t{1} << 32);
  // 0xffff…fe as nobody of old systems: a 32-bit id.
  EXPECT_EQ(only(member({.uid = std::string("\xff\xff\xff\xff\xff\xff\xff\xfe", 8)})).entry.uid, 0xfffffffeU);
  EXPECT_EQ(refusal(member({.mtime = "\x80" + std::string(11, '\xff')})), Errc::corrupt);
  EXPECT_EQ(refusal(member({.size = std::string(12, '\xff')})), Errc::corrupt);
  EXPECT_EQ(refusal(member({.uid = "12x"})), Errc::corrupt);
  EXPECT_EQ(only(member({.uid = "    12 "})).entry.uid, 10U);
  EXPECT_EQ(only(member({.uid = ""})).entry.uid, 0U);
}

TEST(TarReader, TakesSignedChecksums) {
  EXPECT_EQ(only(summed(block_of({.name = "\xff\xfe"}), true)).entry.path, "\xff\xfe");
  EXPECT_EQ(only(summed(block_of({.name = "\xff\xfe"}), false)).entry.path, "\xff\xfe");
}

TEST(TarReader, RefusesDamagedHeadersWithTheirOffset) {
  std::string stream = member({.name = "a"}, "content") + member({.name = "b"}) + kEnd;
  stream[1024 + 3] = 'x';
  const auto refused = read_stream(stream);
  EXPECT_EQ(error_of(refused), Errc::corrupt);
  EXPECT_THAT(refused.error().what, HasSubstr("offset 1024"));
}

TEST(TarReader, SaysWhatIsNotATarStream) {
  const auto message = [](const std::string& start) {
    const auto refused = read_stream(padded(start) + kEnd);
    EXPECT_EQ(error_of(refused), Errc::corrupt);
    return refused.error().what;
  };
  EXPECT_THAT(message("\x28\xb5\x2f\xfd..."), HasSubstr("zstd -dc"));
  EXPECT_THAT(message("hello"), HasSubstr("not a tar stream"));
  EXPECT_EQ(error_of(read_stream("")), Errc::corrupt);
  EXPECT_EQ(error_of(read_stream("short")), Errc::corrupt);
  EXPECT_THAT(*read_stream(kEnd), IsEmpty());
}

TEST(TarReader, RefusesEveryTruncation) {
  const std::string stream = member({.name = "x", .type = 'x'}, record("path", "long")) +
                             member({}, std::string(700, 'c')) + member({.name = "d/", .type = '5'});
  const std::string whole = stream + kEnd;
  ASSERT_TRUE(read_stream(whole).has_value());
  for (std::size_t size = 0; size < stream.size() + 512; ++size) {
    EXPECT_EQ(error_of(read_stream(whole.substr(0, size))), Errc::corrupt) << size;
  }
  // One block of zeros at the very end is enough.
  EXPECT_TRUE(read_stream(whole.substr(0, stream.size() + 512)).has_value());
  EXPECT_EQ(error_of(read_stream(stream + std::string(512, '\0') + member({}) + kEnd)), Errc::corrupt);
  // What follows the end is nobody's.
  EXPECT_EQ(read_stream(whole + "anything").value().size(), 2U);
}

TEST(TarReader, AppliesExtendedHeaders) {
  const std::string records = record("path", "p/\xc3\xa4") + record("uid", "5000000000") + record("mtime", "-1.25") +
                              record("uname", "ann") + record("SCHILY.xattr.user.a%3Db%25", std::string("v\0w", 3)) +
                              record("comment", "ignored") + record("size", "3");
  const Member found = only(member({.name = "x", .type = 'x'}, records) + summed(block_of({})) + padded("abc"));
  EXPECT_EQ(found.entry.path, "p/\xc3\xa4");
  EXPECT_EQ(found.entry.uid, 5'000'000'000U);
  EXPECT_EQ(found.entry.mtime_seconds, -2);
  EXPECT_EQ(found.entry.mtime_nanoseconds, 750'000'000U);
  EXPECT_EQ(found.entry.user, "ann");
  EXPECT_THAT(found.entry.xattrs, ElementsAre(std::pair("user.a=b%", std::string("v\0w", 3))));
  EXPECT_EQ(found.content, "abc");
}

TEST(TarReader, GlobalHeadersCountLessThanTheEntrysOwn) {
  const std::string global = member({.name = "g", .type = 'g'}, record("uname", "all") + record("mtime", "9.5"));
  const auto all =
      read_stream(global + member({.name = "a"}) + member({.name = "x", .type = 'x'}, record("uname", "one")) +
                  member({.name = "b"}) + member({.name = "c"}) + kEnd);
  ASSERT_OK(all);
  ASSERT_EQ(all->size(), 3U);
  EXPECT_EQ(all->at(0).entry.user, "all");
  EXPECT_EQ(all->at(0).entry.mtime_seconds, 9);
  EXPECT_EQ(all->at(1).entry.user, "one");
  EXPECT_EQ(all->at(2).entry.user, "all");
}

TEST(TarReader, RefusesMalformedRecords) {
  for (const std::string& records :
       {std::string("5 a=b\n"), std::string("99 a=b\n"), std::string("x a=b\n"), std::string("6 a=bc"),
        std::string("4 =\n"), std::string("5 ab\n"), std::string("0 a=b\n"), std::string("18446744073709551617 a=b\n"),
        record("size", "-1"), record("size", "x"), record("mtime", "1.x"), record("uid", "99999999999999999999"),
        record("path", std::string("a\0b", 3)), record("GNU.sparse.numbytes", "5"), record("SCHILY.xattr.", "v")}) {
    EXPECT_EQ(refusal(member({.name = "x", .type = 'x'}, records) + member({})), Errc::corrupt) << records;
  }
  EXPECT_EQ(refusal(member({.name = "x", .type = 'x'}, record("path", "a/../b")) + member({})), Errc::unsafe);
  EXPECT_EQ(refusal(member({.name = "x", .type = 'x'}, record("path", std::string(4097, 'a'))) + member({})),
            Errc::limit);
  // An extended header that belongs to nothing.
  EXPECT_EQ(refusal(member({.name = "x", .type = 'x'}, record("path", "a"))), Errc::corrupt);
}

TEST(TarReader, BelievesNoSizeWithoutTheBytes) {
  for (const char type : {'x', 'g', 'L', 'K'}) {
    EXPECT_EQ(refusal(member({.type = type, .size = "77777777777"})), Errc::limit) << type;
    EXPECT_EQ(refusal(member({.type = type, .size = octal(60'000)})), Errc::corrupt) << type;
  }
  EXPECT_EQ(refusal(member({.size = "77777777777"})), Errc::corrupt);
  EXPECT_EQ(refusal(member({.size = std::string("\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12)})), Errc::corrupt);
}

TEST(TarReader, ReadsLongNamesOfGnuTar) {
  const std::string name(300, 'n');
  const std::string magic("ustar  \0", 8);
  const Member found =
      only(member({.type = 'L', .magic = magic}, name + '\0') + member({.type = 'K', .magic = magic}, name + "/t") +
           member({.name = "cut", .type = '2', .link = "cut", .magic = magic}));
  EXPECT_EQ(found.entry.path, name);
  EXPECT_EQ(found.entry.link, name + "/t");
}

TEST(TarReader, PassesOverContentThatLinksOnlySeemToHave) {
  const std::string v7(8, '\0');
  const std::string after = member({.name = "after"}, "x");
  // Old archives give the size of the target, POSIX allows the content itself.
  EXPECT_EQ(
      read_stream(member({.type = '1', .size = "00000000005", .link = "a", .magic = v7}) + after + kEnd).value().size(),
      2U);
  EXPECT_EQ(read_stream(member({.type = '1', .size = "00000000005", .link = "a"}) + after + kEnd).value().size(), 2U);
  EXPECT_EQ(read_stream(member({.type = '1', .size = "00000000005", .link = "a"}) + kEnd).value().size(), 1U);
  EXPECT_EQ(read_stream(member({.type = '1', .link = "a"}, "content") + after + kEnd).value().size(), 2U);
  EXPECT_EQ(read_stream(member({.type = '5', .size = "00000000005"}) + after + kEnd).value().size(), 2U);
  EXPECT_EQ(read_stream(member({.type = 'V'}) + after + kEnd).value().size(), 1U);
}

TEST(TarReader, RefusesWhatItCannotRead) {
  EXPECT_EQ(refusal(member({.type = 'M'})), Errc::unsupported);
  EXPECT_EQ(refusal(member({.type = 'S'})), Errc::unsupported);
  EXPECT_EQ(only(member({.type = '7'}, "contiguous")).content, "contiguous");
  EXPECT_EQ(only(member({.type = 'Z'}, "unknown")).content, "unknown");
}

std::string sparse_1_0(const std::string& map, const std::string& data, std::uint64_t size) {
  return member({.name = "x", .type = 'x'}, record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0") +
                                                record("GNU.sparse.name", "real") +
                                                record("GNU.sparse.realsize", std::to_string(size))) +
         member({.name = "GNUSparseFile.0/real"}, padded(map) + data);
}

TEST(TarReader, ReadsSparseFiles) {
  std::string content(2000, '\0');
  content.replace(512, 3, "abc");
  content.replace(1990, 10, "0123456789");
  const Member found = only(sparse_1_0("3\n512\n3\n1990\n10\n2000\n0\n", "abc0123456789", 2000));
  EXPECT_EQ(found.entry.path, "real");
  EXPECT_EQ(found.entry.size, 2000U);
  EXPECT_EQ(found.content, content);
  EXPECT_THAT(found.runs, ElementsAre(std::pair(512, 3), std::pair(1990, 10)));
  const Member hole = only(sparse_1_0("1\n100000000000\n0\n", "", 100'000'000'000));
  EXPECT_EQ(hole.entry.size, 100'000'000'000U);
  EXPECT_THAT(hole.runs, IsEmpty());
}

TEST(TarReader, RefusesSparseMapsThatDoNotFit) {
  for (const std::string map :
       {"2\n512\n3\n100\n10\n", "2\n512\n3\n514\n10\n", "1\n1995\n13\n", "1\n9223372036854775807\n13\n", "1\n0\n12\n",
        "1\n0\n14\n", "9\n0\n13\n", "x\n", "18446744073709551615\n"}) {
    EXPECT_EQ(refusal(sparse_1_0(map, "abc0123456789", 2000)), Errc::corrupt) << map;
  }
}

TEST(TarReader, ReadsAclTexts) {
  const auto acl = [](const std::string& text) {
    const Member found = only(member({.name = "x", .type = 'x'}, record("SCHILY.acl.access", text)) + member({}));
    std::string hex;
    for (const auto& [name, value] : found.entry.xattrs) {
      EXPECT_EQ(name, "system.posix_acl_access");
      for (const char c : value) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
    }
    return hex;
  };
  const std::string expected =
      "02000000"
      "01000700ffffffff"
      "0200050000000000"
      "02000600e8030000"
      "04000500ffffffff"
      "10000700ffffffff"
      "20000000ffffffff";
  EXPECT_EQ(acl("user::rwx,user:1000:rw-,user:root:r-x,group::r-x,mask::rwx,other::---"), expected);
  EXPECT_EQ(acl("user::rwx\nuser:nobody here:rw-:1000 # comment\ngroup::r-x\nuser:root:r-x\nmask:rwx\nother:---\n"),
            expected);
  // What makes no sense is left out, as tar does it.
  for (const std::string text :
       {"", "user::rwxx", "user", "nonsense::rwx", "user:no such user:rwx", "user::a", "other:x:rwx", "user:1:r:2:3"}) {
    EXPECT_EQ(acl(text), "") << text;
  }
}

// ---- the writer ----

Member round_trip(const Entry& entry, const std::string& content = {}) {
  BufferSink sink;
  const auto tar = TarWriter::open(sink);
  EXPECT_OK(tar->begin(entry));
  EXPECT_OK(tar->write(as_bytes(content)));
  EXPECT_OK(tar->finish());
  auto all = read_all(sink.bytes);
  EXPECT_TRUE(all.has_value() && all->size() == 1);
  return all && all->size() == 1 ? all->front() : Member{};
}

Entry sample() {
  Entry entry;
  entry.path = "a/b";
  entry.mode = 0644;
  return entry;
}

TEST(TarWriter, KeepsPathsOfEveryLength) {
  for (const std::size_t size : {1U, 99U, 100U, 101U, 155U, 156U, 255U, 256U, 257U, 4096U}) {
    for (const std::size_t component : {40U, 100U, 101U, 155U, 200U}) {
      Entry entry = sample();
      entry.path = std::string(size, 'n');
      for (std::size_t i = component; i + 1 < size; i += component + 1) entry.path[i] = '/';
      EXPECT_EQ(round_trip(entry).entry.path, entry.path) << size << ' ' << component;
      entry.type = EntryType::directory;
      EXPECT_EQ(round_trip(entry).entry.path, entry.path) << size << ' ' << component;
      entry.type = EntryType::hard_link;
      entry.link = entry.path;
      EXPECT_EQ(round_trip(entry).entry.link, entry.path) << size << ' ' << component;
    }
  }
}

TEST(TarWriter, KeepsExtremeNumbers) {
  Entry entry = sample();
  entry.uid = 07777777;
  EXPECT_EQ(round_trip(entry).entry.uid, entry.uid);
  entry.uid = 010000000;
  entry.gid = 0xffffffff;
  entry.user = std::string(40, 'u');
  entry.group = "gr\xc3\xbc";
  for (const auto& [seconds, nanoseconds] :
       std::vector<std::pair<std::int64_t, std::uint32_t>>{{0, 0},
                                                           {0, 1},
                                                           {-1, 0},
                                                           {-1, 999'999'999},
                                                           {-1, 1},
                                                           {077777777777, 0},
                                                           {0100000000000, 5},
                                                           {-5'000'000'000, 120'000'000}}) {
    entry.mtime_seconds = seconds;
    entry.mtime_nanoseconds = nanoseconds;
    const Entry back = round_trip(entry).entry;
    EXPECT_EQ(back.mtime_seconds, seconds);
    EXPECT_EQ(back.mtime_nanoseconds, nanoseconds) << seconds;
    EXPECT_EQ(back.uid, entry.uid);
    EXPECT_EQ(back.gid, entry.gid);
    EXPECT_EQ(back.user, entry.user);
    EXPECT_EQ(back.group, entry.group);
  }
  entry.type = EntryType::block_device;
  entry.device_major = 4095;
  entry.device_minor = 0xfffffff;
  const Entry back = round_trip(entry).entry;
  EXPECT_EQ(back.device_major, 4095U);
  EXPECT_EQ(back.device_minor, 0xfffffffU);
}

TEST(TarWriter, WritesSizesBeyondOctal) {
  BufferSink sink;
  const auto tar = TarWriter::open(sink);
  Entry entry = sample();
  entry.size = std::uint64_t{1} << 40;
  ASSERT_OK(tar->begin(entry));
  // Not a TiB for a test: the header is written out with the first large piece.
  ASSERT_OK(tar->write(Buffer(1 << 20)));
  const auto reader = TarReader::open(bytes_source(sink.bytes));
  const auto found = reader->next();
  ASSERT_OK(found);
  EXPECT_EQ((*found)->size, entry.size);
}

TEST(TarWriter, KeepsAttributesOfAnyBytes) {
  Entry entry = sample();
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  entry.xattrs = {{"system.posix_acl_access", "not an ACL"}, {"user.a=b%3D\n\xff", all}, {"user.empty", ""}};
  EXPECT_EQ(round_trip(entry).entry.xattrs, entry.xattrs);
}

TEST(TarWriter, WantsJustTheContentItWasPromised) {
  BufferSink sink;
  const auto tar = TarWriter::open(sink);
  Entry entry = sample();
  entry.size = 5;
  ASSERT_OK(tar->begin(entry));
  EXPECT_EQ(error_of(tar->write(as_bytes("123456"))), Errc::usage);
  ASSERT_OK(tar->write(as_bytes("1234")));
  EXPECT_EQ(error_of(tar->begin(entry)), Errc::usage);
  EXPECT_EQ(error_of(tar->finish()), Errc::usage);
  ASSERT_OK(tar->write(as_bytes("5")));
  ASSERT_OK(tar->finish());
  entry.path = "../x";
  EXPECT_EQ(error_of(tar->begin(entry)), Errc::unsafe);
}

}  // namespace
}  // namespace mmh::tree
