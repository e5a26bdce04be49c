// tar streams: what is read is well-formed, and reads the same after it was written again.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "mmh/base/check.h"
#include "mmh/tree/tar.h"

namespace {

using namespace mmh;
using namespace mmh::tree;

constexpr std::size_t kBlockSize = 512;
constexpr std::size_t kContentMax = 64 << 10;  // read of each member

class BufferSink final : public ByteSink {
 public:
  Result<> write(ByteView more) override {
    append(bytes, more);
    return {};
  }
  Buffer bytes;
};

// Gives the bytes in parts of sizes that fit nothing.
TarReader::ReadBytes source_of(ByteView bytes) {
  return [bytes](Bytes out) mutable -> Result<std::size_t> {
    const std::size_t part = std::min({out.size(), bytes.size(), std::size_t{1000}});
    std::copy_n(bytes.begin(), part, out.begin());
    bytes = bytes.subspan(part);
    return part;
  };
}

bool is_acl(const std::string& name) { return name.starts_with("system.posix_acl_"); }

void check_again(const Entry& entry, ByteView content) {
  BufferSink sink;
  const auto writer = TarWriter::open(sink);
  // An attribute may be longer than the writer takes.
  if (!writer->begin(entry)) return;
  MMH_CHECK(writer->write(content).has_value());
  MMH_CHECK(writer->finish().has_value());
  const auto reader = TarReader::open(source_of(sink.bytes));
  const auto again = reader->next();
  MMH_CHECK(again.has_value() && again->has_value());
  Entry back = **again;
  MMH_CHECK(back.path == entry.path && back.type == entry.type && back.mode == entry.mode && back.link == entry.link);
  MMH_CHECK(back.uid == entry.uid && back.gid == entry.gid && back.user == entry.user && back.group == entry.group);
  MMH_CHECK(back.mtime_seconds == entry.mtime_seconds && back.mtime_nanoseconds == entry.mtime_nanoseconds);
  MMH_CHECK(back.size == entry.size);
  MMH_CHECK(back.device_major == entry.device_major && back.device_minor == entry.device_minor);
  // ACLs come back in the kernel's order.
  std::erase_if(back.xattrs, [](const auto& xattr) { return is_acl(xattr.first); });
  auto xattrs = entry.xattrs;
  std::erase_if(xattrs, [](const auto& xattr) { return is_acl(xattr.first); });
  MMH_CHECK(back.xattrs == xattrs);
  std::vector<std::byte> read(content.size() + 1);
  const auto got = reader->read(read);
  MMH_CHECK(got.has_value() && *got == content.size() && std::equal(content.begin(), content.end(), read.begin()));
}

void read_all(ByteView stream) {
  const auto reader = TarReader::open(source_of(stream));
  std::vector<std::byte> content(kContentMax);
  for (;;) {
    const auto next = reader->next();
    if (!next || !*next) return;
    const Entry& entry = **next;
    MMH_CHECK(check_path(entry.path).has_value());
    MMH_CHECK(entry.mtime_nanoseconds < 1'000'000'000 && entry.mode <= 07777);
    MMH_CHECK(entry.type == EntryType::regular || entry.size == 0);
    MMH_CHECK(std::is_sorted(entry.xattrs.begin(), entry.xattrs.end()));
    if (entry.type == EntryType::hard_link) MMH_CHECK(check_path(entry.link).has_value());
    std::uint64_t end = 0;
    for (const DataRun& run : reader->runs()) {
      MMH_CHECK(run.length > 0 && run.offset >= end && run.offset <= entry.size &&
                run.length <= entry.size - run.offset);
      end = run.offset + run.length;
    }
    const auto got = reader->read(content);
    if (!got) return;
    MMH_CHECK(*got == std::min<std::uint64_t>(entry.size, content.size()));
    if (entry.size <= 4096) check_again(entry, ByteView(content).first(*got));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input = std::as_bytes(std::span(data, size));
  read_all(input);
  // Again with right checksums, which chance would not find.
  std::vector<std::byte> summed(input.begin(), input.end());
  for (std::size_t at = 0; at + kBlockSize <= summed.size(); at += kBlockSize) {
    const Bytes block = Bytes(summed).subspan(at, kBlockSize);
    if (std::all_of(block.begin(), block.end(), [](std::byte b) { return b == std::byte{0}; })) continue;
    const Bytes field = block.subspan(148, 8);
    std::fill(field.begin(), field.end(), std::byte{' '});
    unsigned sum = 0;
    for (const std::byte byte : block) sum += std::to_integer<unsigned>(byte);
    char digits[8];
    std::snprintf(digits, sizeof digits, "%06o", sum);
    std::copy_n(std::as_bytes(std::span(digits)).begin(), 7, field.begin());
  }
  read_all(summed);
  return 0;
}
