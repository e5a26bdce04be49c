#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <map>

#include "acl_text.h"
#include "mmh/base/checked.h"
#include "mmh/base/files.h"
#include "mmh/tree/tar.h"
#include "tar_format.h"

namespace mmh::tree {

namespace {

using namespace tar;

constexpr std::size_t kBufferSize = 64 << 10;
// Extended headers hold attributes and sparse maps; more than this has no honest use.
constexpr std::uint64_t kExtendedSizeMax = 32 << 20;
constexpr std::uint64_t kLongNameSizeMax = 64 << 10;
constexpr std::size_t kRunsMax = 1 << 21;

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

struct Time {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
};

// What extended headers say about an entry; what they leave out stays empty.
struct Records {
  std::optional<std::string> path, link, user, group;
  std::optional<std::uint64_t> size, uid, gid, device_major, device_minor;
  std::optional<Time> mtime;
  std::map<std::string, std::string> xattrs;
  // GNU.sparse.*
  std::optional<std::string> sparse_name;
  std::optional<std::uint64_t> sparse_size;
  bool sparse_map_in_data = false;
  std::vector<DataRun> sparse_runs;
  std::optional<std::uint64_t> sparse_offset;  // of the pair being read
};

// What GNU tar says in entries of their own before the one they belong to.
struct LongNames {
  std::optional<std::string> path, link;
};

std::string_view compression_of(ByteView start) {
  struct Magic {
    std::string_view bytes;
    std::string_view program;
  };
  constexpr Magic kMagics[] = {{"\x1f\x8b", "gzip"},
                               {"\x28\xb5\x2f\xfd", "zstd"},
                               {"\xfd\x37zXZ", "xz"},
                               {"BZh", "bzip2"},
                               {"\x04\x22\x4d\x18", "lz4"}};
  for (const Magic& magic : kMagics) {
    if (as_text(start).starts_with(magic.bytes)) return magic.program;
  }
  return {};
}

std::optional<std::uint64_t> parse_decimal(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  return value;
}

// "-12.5" is 13 seconds before 1970 and half a second after that.
std::optional<Time> parse_time(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const std::size_t dot = std::min(text.find('.'), text.size());
  const auto whole = parse_decimal(text.substr(0, dot));
  if (!whole) return std::nullopt;
  std::string_view fraction = text.substr(std::min(dot + 1, text.size()));
  std::int64_t nanoseconds = 0;
  std::int64_t unit = kNanosecondsPerSecond / 10;
  for (const char digit : fraction) {
    if (digit < '0' || digit > '9') return std::nullopt;
    nanoseconds += (digit - '0') * unit;
    unit /= 10;
  }
  auto seconds = static_cast<std::int64_t>(*whole);
  if (negative) {
    seconds = -seconds;
    if (nanoseconds > 0) {
      if (seconds == std::numeric_limits<std::int64_t>::min()) return std::nullopt;
      seconds -= 1;
      nanoseconds = kNanosecondsPerSecond - nanoseconds;
    }
  }
  return Time{seconds, static_cast<std::uint32_t>(nanoseconds)};
}

// Undoes the quoting of GNU tar: %3D and %25.
std::string unquoted_key(std::string_view key) {
  std::string out;
  while (!key.empty()) {
    if (key.starts_with("%3D") || key.starts_with("%25")) {
      out += key[1] == '3' ? '=' : '%';
      key.remove_prefix(3);
    } else {
      out += key[0];
      key.remove_prefix(1);
    }
  }
  return out;
}

// A text field: up to its first NUL.
std::string_view text_of(ByteView block, const Field& field) {
  const std::string_view text = as_text(block.subspan(field.offset, field.size));
  return text.substr(0, text.find('\0'));
}

enum class Dialect { v7, ustar, gnu, star };

Dialect dialect_of(ByteView block) {
  const std::string_view magic = as_text(block.subspan(kMagic.offset, kMagic.size));
  if (magic == "ustar  " + std::string(1, '\0')) return Dialect::gnu;
  if (!magic.starts_with(std::string_view("ustar\0", 6))) return Dialect::v7;
  // Star keeps times where POSIX has the end of the prefix.
  return as_text(block.subspan(508, 4)) == std::string_view("tar\0", 4) ? Dialect::star : Dialect::ustar;
}

class TarReaderImpl final : public TarReader {
 public:
  explicit TarReaderImpl(ReadBytes read)
      : read_(std::move(read)),
        storage_(std::make_unique_for_overwrite<std::byte[]>(kBufferSize)),
        buffer_(storage_.get(), kBufferSize) {}

  Result<std::optional<Entry>> next() override;
  Result<std::size_t> read(Bytes out) override;
  const std::vector<DataRun>& runs() const override { return runs_; }

 private:
  using Block = std::array<std::byte, kBlockSize>;

  // Input.
  Result<std::size_t> fill();
  Result<std::size_t> take_some(Bytes out);
  Result<> take(Bytes out);
  Result<> discard(std::uint64_t size);
  Result<bool> take_block(Block& block);
  Result<std::string> take_text(std::uint64_t size, std::uint64_t size_max, std::string_view what);
  Result<> drain();

  // Headers.
  std::unexpected<Error> fail_here(Errc code, std::string_view what) const {
    return fail(code, fmt::format("tar stream, offset {}: {}", header_offset_, what));
  }
  std::unexpected<Error> fail_cut() const {
    return fail(Errc::corrupt, fmt::format("tar stream: cut short at offset {}", offset_));
  }
  Result<> check_header(const Block& block) const;
  Result<std::int64_t> number(ByteView field, const char* name) const;
  Result<std::uint64_t> count(ByteView field, const char* name) const;
  Result<> parse_records(std::string_view text, Records& records);
  Result<> parse_record(std::string_view key, std::string_view value, Records& records);
  Result<std::optional<Entry>> take_entry(const Block& block, Records& records, const LongNames& names, bool extended);
  Result<> set_type(const Block& block, Dialect dialect, Entry& entry);
  Result<std::string> normalised(std::string_view path, bool may_be_root) const;
  Result<bool> link_has_content(const Block& block, bool extended);

  // Sparse files.
  Result<> add_run(std::vector<DataRun>& runs, std::uint64_t offset, std::uint64_t length) const;
  Result<> take_old_gnu_map(const Block& block);
  Result<> take_map_from_data();
  Result<> check_runs(std::uint64_t size) const;

  ReadBytes read_;
  std::unique_ptr<std::byte[]> storage_;
  Bytes buffer_;
  std::size_t begin_ = 0, end_ = 0;  // of what buffer_ holds
  std::uint64_t offset_ = 0;         // of the next byte to take
  std::uint64_t header_offset_ = 0;
  bool any_header_ = false;
  bool ended_ = false;
  OwnerIds ids_;
  Records global_;

  // The current entry.
  std::uint64_t stored_left_ = 0;  // its bytes still in the stream
  std::size_t padding_ = 0;        // behind them
  std::uint64_t size_ = 0;         // holes included; 0 unless a regular file
  std::uint64_t position_ = 0;
  std::vector<DataRun> runs_;
  std::size_t run_ = 0;  // the first that does not end before position_
};

// ---- input ----

// Makes sure that something is buffered; how much is, 0 at the end.
Result<std::size_t> TarReaderImpl::fill() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
    MMH_LET(end_, read_(buffer_));
    if (end_ > buffer_.size()) return fail(Errc::usage, "tar stream: more bytes were read than asked for");
  }
  return end_ - begin_;
}

Result<std::size_t> TarReaderImpl::take_some(Bytes out) {
  std::size_t got = 0;
  if (begin_ == end_ && out.size() >= buffer_.size()) {
    MMH_LET(got, read_(out));
  } else {
    MMH_LET(const std::size_t buffered, fill());
    got = std::min(buffered, out.size());
    std::memcpy(out.data(), buffer_.data() + begin_, got);
    begin_ += got;
  }
  offset_ += got;
  return got;
}

Result<> TarReaderImpl::take(Bytes out) {
  while (!out.empty()) {
    MMH_LET(const std::size_t got, take_some(out));
    if (got == 0) return fail_cut();
    out = out.subspan(got);
  }
  return {};
}

Result<> TarReaderImpl::discard(std::uint64_t size) {
  while (size > 0) {
    MMH_LET(const std::size_t buffered, fill());
    if (buffered == 0) return fail_cut();
    const auto passed = static_cast<std::size_t>(std::min<std::uint64_t>(buffered, size));
    begin_ += passed;
    offset_ += passed;
    size -= passed;
  }
  return {};
}

// False at the end of the stream.
Result<bool> TarReaderImpl::take_block(Block& block) {
  MMH_LET(const std::size_t buffered, fill());
  if (buffered == 0) return false;
  MMH_TRY(take(block));
  return true;
}

// Content of a header that describes the next one. Memory grows with what really arrives.
Result<std::string> TarReaderImpl::take_text(std::uint64_t size, std::uint64_t size_max, std::string_view what) {
  if (size > size_max)
    return fail_here(Errc::limit, fmt::format("{} of {} bytes; at most {} are read", what, size, size_max));
  std::string text;
  for (std::uint64_t left = size; left > 0;) {
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(left, kBufferSize));
    const std::size_t start = text.size();
    text.resize(start + part);
    MMH_TRY(take(std::as_writable_bytes(std::span(text)).subspan(start)));
    left -= part;
  }
  MMH_TRY(discard(padding_of(size)));
  return text;
}

// Reads on to the end, so that a program that writes into our pipe does not fail.
Result<> TarReaderImpl::drain() {
  for (;;) {
    MMH_LET(const std::size_t buffered, fill());
    if (buffered == 0) return {};
    begin_ = end_;
  }
}

// ---- headers ----

Result<> TarReaderImpl::check_header(const Block& block) const {
  const Sums sums = sums_of(block);
  const auto stated = number(ByteView(block).subspan(kChecksum.offset, kChecksum.size), kChecksum.name);
  if (stated && (*stated == sums.of_unsigned || *stated == sums.of_signed)) return {};
  if (any_header_)
    return fail_here(Errc::corrupt, "the header's checksum differs; the archive is damaged from here on");
  if (const std::string_view program = compression_of(block); !program.empty()) {
    return fail(Errc::corrupt, fmt::format("this is not a tar stream but one compressed by {0}; decompress it first "
                                           "({0} -dc FILE | ...)",
                                           program));
  }
  return fail(Errc::corrupt, "this is not a tar stream");
}

// A number in octal digits, or in binary when the first byte says so (GNU, star).
Result<std::int64_t> TarReaderImpl::number(ByteView field, const char* name) const {
  const auto refuse = [&](std::string_view why) { return fail_here(Errc::corrupt, fmt::format("{} {}", name, why)); };
  const auto lead = std::to_integer<unsigned>(field[0]);
  if (lead == 0x80 || lead == 0xff) {
    std::int64_t value = lead == 0xff ? -1 : 0;
    for (const std::byte byte : field.subspan(1)) {
      if (value > std::numeric_limits<std::int64_t>::max() >> 8 ||
          value < std::numeric_limits<std::int64_t>::min() >> 8) {
        return refuse("is too large");
      }
      value = static_cast<std::int64_t>(static_cast<std::uint64_t>(value) << 8 | std::to_integer<std::uint64_t>(byte));
    }
    return value;
  }
  const std::string_view text = as_text(field);
  std::size_t at = 0;
  while (at < text.size() && text[at] == ' ') ++at;
  std::int64_t value = 0;  // 12 octal digits cannot overflow it
  while (at < text.size() && text[at] >= '0' && text[at] <= '7') value = value << 3 | (text[at++] - '0');
  if (at < text.size() && text[at] != ' ' && text[at] != '\0') return refuse("is not a number");
  return value;
}

Result<std::uint64_t> TarReaderImpl::count(ByteView field, const char* name) const {
  MMH_LET(const std::int64_t value, number(field, name));
  if (value < 0) return fail_here(Errc::corrupt, fmt::format("{} is negative", name));
  return static_cast<std::uint64_t>(value);
}

// Records of an extended header: "LENGTH KEY=VALUE\n", LENGTH counting all of that.
Result<> TarReaderImpl::parse_records(std::string_view text, Records& records) {
  while (!text.empty()) {
    const auto refuse = [&] { return fail_here(Errc::corrupt, "extended header with a malformed record"); };
    std::size_t size = 0;
    const auto [digits_end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
    if (error != std::errc() || size > text.size()) return refuse();
    std::string_view record = text.substr(0, size);
    const auto digits = static_cast<std::size_t>(digits_end - text.data());
    if (record.size() < digits + 3 || record[digits] != ' ' || record.back() != '\n') return refuse();
    record.remove_prefix(digits + 1);
    record.remove_suffix(1);
    const std::size_t equals = record.find('=');
    if (equals == std::string_view::npos || equals == 0) return refuse();
    MMH_TRY(parse_record(record.substr(0, equals), record.substr(equals + 1), records));
    text.remove_prefix(size);
  }
  return {};
}

Result<> TarReaderImpl::parse_record(std::string_view key, std::string_view value, Records& records) {
  const auto refuse = [&] {
    return fail_here(Errc::corrupt, fmt::format("extended header: {} makes no sense", display_path(key)));
  };
  const auto take_name = [&](std::optional<std::string>& into) -> Result<> {
    if (value.find('\0') != std::string_view::npos) return refuse();
    into.reset();
    if (!value.empty()) into.emplace(value);  // an empty value takes back an earlier one
    return {};
  };
  const auto take_count = [&](std::optional<std::uint64_t>& into) -> Result<> {
    into = value.empty() ? std::nullopt : parse_decimal(value);
    if (!into && !value.empty()) return refuse();
    return {};
  };
  if (key == "path") return take_name(records.path);
  if (key == "linkpath") return take_name(records.link);
  if (key == "uname") return take_name(records.user);
  if (key == "gname") return take_name(records.group);
  if (key == "size") return take_count(records.size);
  if (key == "uid") return take_count(records.uid);
  if (key == "gid") return take_count(records.gid);
  if (key == "SCHILY.devmajor") return take_count(records.device_major);
  if (key == "SCHILY.devminor") return take_count(records.device_minor);
  if (key == "mtime") {
    records.mtime = value.empty() ? std::nullopt : parse_time(value);
    if (!records.mtime && !value.empty()) return refuse();
    return {};
  }
  constexpr std::string_view kXattr = "SCHILY.xattr.";
  if (key.starts_with(kXattr)) {
    std::string name = unquoted_key(key.substr(kXattr.size()));
    if (name.empty() || name.find('\0') != std::string::npos) return refuse();
    records.xattrs[std::move(name)] = value;
    return {};
  }
  if (key == "RHT.security.selinux") {
    records.xattrs["security.selinux"] = value;
    return {};
  }
  if (key == "SCHILY.acl.access" || key == "SCHILY.acl.default") {
    if (auto acl = acl_from_text(value, ids_)) {
      records.xattrs[key.ends_with("access") ? "system.posix_acl_access" : "system.posix_acl_default"] =
          *std::move(acl);
    }
    return {};
  }
  if (key == "GNU.sparse.name") return take_name(records.sparse_name);
  if (key == "GNU.sparse.size" || key == "GNU.sparse.realsize") return take_count(records.sparse_size);
  if (key == "GNU.sparse.major") {
    records.sparse_map_in_data = value == "1";
    if (value != "0" && value != "1") return fail_here(Errc::unsupported, "sparse file of an unknown version");
    return {};
  }
  if (key == "GNU.sparse.offset") return take_count(records.sparse_offset);
  if (key == "GNU.sparse.numbytes") {
    const auto length = parse_decimal(value);
    if (!length || !records.sparse_offset) return refuse();
    MMH_TRY(add_run(records.sparse_runs, *records.sparse_offset, *length));
    records.sparse_offset.reset();
    return {};
  }
  if (key == "GNU.sparse.map") {
    records.sparse_runs.clear();
    while (!value.empty()) {
      std::array<std::uint64_t, 2> pair{};
      for (std::uint64_t& part : pair) {
        const std::size_t comma = std::min(value.find(','), value.size());
        const auto parsed = parse_decimal(value.substr(0, comma));
        if (!parsed) return refuse();
        part = *parsed;
        value.remove_prefix(std::min(comma + 1, value.size()));
      }
      MMH_TRY(add_run(records.sparse_runs, pair[0], pair[1]));
    }
  }
  return {};
}

// A path as the walk gives it: relative, no "." components. Empty for the root of all if that is allowed.
Result<std::string> TarReaderImpl::normalised(std::string_view path, bool may_be_root) const {
  std::string out;
  std::string_view rest = path;
  while (!rest.empty()) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view component = rest.substr(0, slash);
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    if (component.empty() || component == ".") continue;
    if (component == "..") {
      return fail_here(Errc::unsafe, fmt::format("\"{}\" has a \"..\" component", display_path(path.substr(0, 200))));
    }
    if (!out.empty()) out += '/';
    out += component;
  }
  if (out.size() > kPathSizeMax) {
    return fail_here(Errc::limit, fmt::format("path of {} bytes; at most {} are allowed", out.size(), kPathSizeMax));
  }
  if (out.empty() && !may_be_root) return fail_here(Errc::corrupt, "empty path");
  return out;
}

Result<std::optional<Entry>> TarReaderImpl::next() {
  if (ended_) return std::nullopt;
  MMH_TRY(discard(stored_left_));
  MMH_TRY(discard(padding_));
  stored_left_ = padding_ = 0;
  Records records;
  LongNames names;
  bool extended = false;
  for (;;) {
    header_offset_ = offset_;
    size_ = position_ = 0;
    runs_.clear();
    run_ = 0;
    Block block;
    MMH_LET(const bool more, take_block(block));
    if (!more && !any_header_) return fail(Errc::corrupt, "this is not a tar stream: it is empty");
    if (!more) {
      return fail_here(Errc::corrupt,
                       "ends without the blocks of zeros that end an archive; it was cut short "
                       "(if not, append 1024 zero bytes)");
    }
    if (std::all_of(block.begin(), block.end(), [](std::byte b) { return b == std::byte{0}; })) {
      if (extended) return fail_here(Errc::corrupt, "the entry that an extended header belongs to is missing");
      MMH_LET(const bool second, take_block(block));
      if (second && std::any_of(block.begin(), block.end(), [](std::byte b) { return b != std::byte{0}; })) {
        return fail_here(Errc::corrupt, "a block of zeros where a header should be");
      }
      ended_ = true;
      MMH_TRY(drain());
      return std::nullopt;
    }
    MMH_TRY(check_header(block));
    any_header_ = true;
    const char type = static_cast<char>(block[kType.offset]);
    const bool describes_next = type == 'x' || type == 'X' || type == 'g' || type == 'L' || type == 'K';
    const bool passed_over = type == 'V' || type == 'A' || type == 'I';  // a volume's label; Solaris ACL, inode
    if (!describes_next && !passed_over) {
      MMH_LET(std::optional<Entry> entry, take_entry(block, records, names, extended));
      if (entry) return entry;
      records = {};
      names = {};
      extended = false;
      continue;
    }
    MMH_LET(const std::uint64_t size, count(ByteView(block).subspan(kSize.offset, kSize.size), kSize.name));
    if (passed_over) {
      MMH_TRY(discard(size));
      MMH_TRY(discard(padding_of(size)));
    } else if (type == 'g') {
      MMH_LET(const std::string text, take_text(size, kExtendedSizeMax, "global extended header"));
      MMH_TRY(parse_records(text, global_));
      // Only what POSIX gives a meaning for many files.
      global_.xattrs.clear();
      global_.sparse_runs.clear();
      global_.sparse_runs.shrink_to_fit();
    } else if (type == 'x' || type == 'X') {
      MMH_LET(const std::string text, take_text(size, kExtendedSizeMax, "extended header"));
      records = {};
      MMH_TRY(parse_records(text, records));
      extended = true;
    } else {
      MMH_LET(std::string text, take_text(size, kLongNameSizeMax, "long name"));
      text.resize(std::min(text.find('\0'), text.size()));
      (type == 'L' ? names.path : names.link) = std::move(text);
    }
  }
}

Result<> TarReaderImpl::set_type(const Block& block, Dialect dialect, Entry& entry) {
  switch (static_cast<char>(block[kType.offset])) {
    case '1':
      entry.type = EntryType::hard_link;
      break;
    case '2':
      entry.type = EntryType::symlink;
      break;
    case '3':
      entry.type = EntryType::character_device;
      break;
    case '4':
      entry.type = EntryType::block_device;
      break;
    case '5':
    case 'D':
      entry.type = EntryType::directory;
      break;
    case '6':
      entry.type = EntryType::fifo;
      break;
    case 'M':
      return fail_here(Errc::unsupported, "continues a file of another volume; join the volumes first");
    case 'N':
      return fail_here(Errc::unsupported, "long names of GNU tar before 1990 are not read");
    case 'S':
      if (dialect != Dialect::gnu) return fail_here(Errc::unsupported, "sparse file of star's own format");
      break;
    default:
      break;  // POSIX: a type that is not known is a regular file
  }
  return {};
}

// Whether a hard link is followed by the file's content, which POSIX allows and old archives only seem to have.
Result<bool> TarReaderImpl::link_has_content(const Block& block, bool extended) {
  const Dialect dialect = dialect_of(block);
  if (dialect == Dialect::gnu || dialect == Dialect::v7) return false;
  if (extended) return true;
  // Plain ustar: what follows is a header if it adds up as one.
  if (end_ - begin_ < kBlockSize) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    while (end_ < kBlockSize) {
      MMH_LET(const std::size_t got, read_(buffer_.subspan(end_)));
      if (got == 0) return false;
      end_ += got;
    }
  }
  const ByteView following = buffer_.subspan(begin_, kBlockSize);
  if (std::all_of(following.begin(), following.end(), [](std::byte b) { return b == std::byte{0}; })) return false;
  const Sums sums = sums_of(following);
  const auto stated = number(following.subspan(kChecksum.offset, kChecksum.size), kChecksum.name);
  return !stated || (*stated != sums.of_unsigned && *stated != sums.of_signed);
}

// Nothing for the root directory itself, which has no path.
Result<std::optional<Entry>> TarReaderImpl::take_entry(const Block& block, Records& records, const LongNames& names,
                                                       bool extended) {
  const ByteView view(block);
  const auto field = [&](const Field& at) { return view.subspan(at.offset, at.size); };
  const Dialect dialect = dialect_of(block);
  const bool has_names = dialect != Dialect::v7;
  Entry entry;
  MMH_TRY(set_type(block, dialect, entry));

  std::string path;
  if (records.sparse_name) {
    path = *records.sparse_name;
  } else if (records.path) {
    path = *records.path;
  } else if (names.path) {
    path = *names.path;
  } else if (global_.path) {
    path = *global_.path;
  } else {
    if (dialect == Dialect::ustar) path = text_of(block, kPrefix);
    if (dialect == Dialect::star) path = text_of(block, {kPrefix.offset, 131, kPrefix.name});
    if (!path.empty()) path += '/';
    path += text_of(block, kName);
  }
  // Before there was a type for directories, their names ended with a slash.
  if (entry.type == EntryType::regular && path.ends_with('/')) entry.type = EntryType::directory;
  MMH_LET(entry.path, normalised(path, entry.type == EntryType::directory));

  MMH_LET(const std::int64_t mode, number(field(kMode), kMode.name));
  entry.mode = static_cast<std::uint32_t>(mode) & 07777U;
  const auto owner = [&](const std::optional<std::uint64_t>& own, const std::optional<std::uint64_t>& global,
                         const Field& at) -> Result<std::uint64_t> {
    if (own) return *own;
    if (global) return *global;
    MMH_LET(const std::int64_t id, number(field(at), at.name));
    return id < 0 ? static_cast<std::uint32_t>(id) : static_cast<std::uint64_t>(id);
  };
  MMH_LET(entry.uid, owner(records.uid, global_.uid, kUid));
  MMH_LET(entry.gid, owner(records.gid, global_.gid, kGid));
  const auto name = [&](const std::optional<std::string>& own, const std::optional<std::string>& global,
                        const Field& at) {
    if (own) return *own;
    if (global) return *global;
    return has_names ? std::string(text_of(block, at)) : std::string();
  };
  entry.user = name(records.user, global_.user, kUser);
  entry.group = name(records.group, global_.group, kGroup);
  if (const auto& mtime = records.mtime ? records.mtime : global_.mtime) {
    entry.mtime_seconds = mtime->seconds;
    entry.mtime_nanoseconds = mtime->nanoseconds;
  } else {
    MMH_LET(entry.mtime_seconds, number(field(kMtime), kMtime.name));
  }
  if (entry.type == EntryType::character_device || entry.type == EntryType::block_device) {
    const auto device = [&](const std::optional<std::uint64_t>& own, const Field& at) -> Result<std::uint32_t> {
      MMH_LET(const std::uint64_t value, own ? Result<std::uint64_t>(*own) : count(field(at), at.name));
      if (value > std::numeric_limits<std::uint32_t>::max())
        return fail_here(Errc::corrupt, "device number is too large");
      return static_cast<std::uint32_t>(value);
    };
    MMH_LET(entry.device_major, device(records.device_major, kDeviceMajor));
    MMH_LET(entry.device_minor, device(records.device_minor, kDeviceMinor));
  }
  if (entry.type == EntryType::symlink || entry.type == EntryType::hard_link) {
    entry.link = records.link   ? *records.link
                 : names.link   ? *names.link
                 : global_.link ? *global_.link
                                : std::string(text_of(block, kLink));
    if (entry.type == EntryType::hard_link) {
      MMH_LET(entry.link, normalised(entry.link, false));
    } else if (entry.link.empty() || entry.link.size() > kPathSizeMax) {
      return fail_here(Errc::corrupt, display_path(entry.path) + ": symbolic link whose target is empty or too long");
    }
  }
  entry.xattrs.assign(std::make_move_iterator(records.xattrs.begin()), std::make_move_iterator(records.xattrs.end()));

  std::uint64_t stored = 0;
  if (records.size || global_.size) {
    stored = records.size ? *records.size : *global_.size;
  } else {
    MMH_LET(stored, count(field(kSize), kSize.name));
  }
  if (stored > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) - kBlockSize) {
    return fail_here(Errc::corrupt, "size is too large");
  }
  const char type = static_cast<char>(block[kType.offset]);
  // Links and nodes have no content, whatever their size field says; a directory of an incremental archive has a list.
  if (type >= '2' && type <= '6') stored = 0;
  if (type == '1' && stored > 0) {
    MMH_LET(const bool follows, link_has_content(block, extended));
    if (!follows) stored = 0;
  }
  stored_left_ = stored;
  padding_ = padding_of(stored);
  if (entry.type == EntryType::regular) {
    size_ = stored;
    const bool sparse_records = records.sparse_size.has_value();
    if (type == 'S') {
      MMH_TRY(take_old_gnu_map(block));
    } else if (sparse_records) {
      size_ = *records.sparse_size;
      if (records.sparse_map_in_data) {
        MMH_TRY(take_map_from_data());
      } else {
        runs_ = std::move(records.sparse_runs);
      }
    }
    if (type == 'S' || sparse_records) {
      MMH_TRY(check_runs(size_));
    } else if (size_ > 0) {
      runs_.push_back({0, size_});
    }
    entry.size = size_;
  }
  if (entry.path.empty()) {
    MMH_TRY(discard(stored_left_));
    MMH_TRY(discard(padding_));
    stored_left_ = padding_ = 0;
    return std::nullopt;
  }
  return entry;
}

// ---- sparse files ----

Result<> TarReaderImpl::add_run(std::vector<DataRun>& runs, std::uint64_t offset, std::uint64_t length) const {
  if (length == 0) return {};  // only says how long the file is
  if (runs.size() == kRunsMax)
    return fail_here(Errc::limit, fmt::format("sparse file of more than {} parts", kRunsMax));
  runs.push_back({offset, length});
  return {};
}

Result<> TarReaderImpl::take_old_gnu_map(const Block& block) {
  const auto take_part = [&](const Block& from, const Field& map) -> Result<> {
    for (std::size_t at = map.offset; at < map.offset + map.size; at += kSparseEntrySize) {
      const ByteView pair = ByteView(from).subspan(at, kSparseEntrySize);
      if (pair[0] == std::byte{0}) break;
      MMH_LET(const std::uint64_t offset, count(pair.first(12), map.name));
      MMH_LET(const std::uint64_t length, count(pair.subspan(12), map.name));
      MMH_TRY(add_run(runs_, offset, length));
    }
    return {};
  };
  MMH_LET(size_, count(ByteView(block).subspan(kSparseRealSize.offset, kSparseRealSize.size), kSparseRealSize.name));
  MMH_TRY(take_part(block, kSparseMap));
  bool more = block[kSparseContinues.offset] != std::byte{0};
  while (more) {
    Block further;
    MMH_TRY(take(further));
    MMH_TRY(take_part(further, kSparseMoreMap));
    more = further[kSparseMoreContinues.offset] != std::byte{0};
  }
  return {};
}

// Version 1.0: decimal numbers, each on a line of its own, at the front of the content: how many pairs, then the pairs.
Result<> TarReaderImpl::take_map_from_data() {
  Block block;
  std::size_t at = kBlockSize;
  const auto take_number = [&]() -> Result<std::uint64_t> {
    std::string digits;
    for (;;) {
      if (at == kBlockSize) {
        if (stored_left_ < kBlockSize) return fail_here(Errc::corrupt, "sparse map is longer than the content");
        MMH_TRY(take(block));
        stored_left_ -= kBlockSize;
        at = 0;
      }
      const char c = static_cast<char>(block[at++]);
      if (c == '\n') break;
      constexpr std::size_t kDigitsMax = 20;
      if (digits.size() == kDigitsMax) return fail_here(Errc::corrupt, "sparse map is malformed");
      digits += c;
    }
    const auto value = parse_decimal(digits);
    if (!value) return fail_here(Errc::corrupt, "sparse map is malformed");
    return *value;
  };
  MMH_LET(const std::uint64_t pairs, take_number());
  for (std::uint64_t i = 0; i < pairs; ++i) {
    MMH_LET(const std::uint64_t offset, take_number());
    MMH_LET(const std::uint64_t length, take_number());
    MMH_TRY(add_run(runs_, offset, length));
  }
  return {};
}

// The runs must be in order, within the file, and just what is stored.
Result<> TarReaderImpl::check_runs(std::uint64_t size) const {
  std::uint64_t end = 0;
  std::uint64_t stored = 0;
  for (const DataRun& run : runs_) {
    if (run.offset < end || !range_within(run.offset, run.length, size)) {
      return fail_here(Errc::corrupt, "sparse map is out of order or beyond the end of the file");
    }
    end = run.offset + run.length;
    stored += run.length;
  }
  if (stored != stored_left_) {
    return fail_here(Errc::corrupt, fmt::format("sparse map of {} bytes, but {} are stored", stored, stored_left_));
  }
  return {};
}

Result<std::size_t> TarReaderImpl::read(Bytes out) {
  std::size_t done = 0;
  while (done < out.size() && position_ < size_) {
    const Bytes rest = out.subspan(done);
    const bool in_run = run_ < runs_.size() && runs_[run_].offset <= position_;
    const std::uint64_t end = in_run                ? runs_[run_].offset + runs_[run_].length
                              : run_ < runs_.size() ? runs_[run_].offset
                                                    : size_;
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(rest.size(), end - position_));
    if (in_run) {
      MMH_TRY(take(rest.first(part)));
      stored_left_ -= part;
    } else {
      std::memset(rest.data(), 0, part);
    }
    done += part;
    position_ += part;
    if (in_run && position_ == end) ++run_;
  }
  return done;
}

}  // namespace

std::unique_ptr<TarReader> TarReader::open(ReadBytes read) { return std::make_unique<TarReaderImpl>(std::move(read)); }

}  // namespace mmh::tree
