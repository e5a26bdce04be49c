#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "acl_text.h"
#include "mmh/tree/tar.h"
#include "tar_format.h"

namespace mmh::tree {

namespace {

using namespace tar;

constexpr std::size_t kBufferSize = 64 << 10;
constexpr std::size_t kXattrRecordMax = 1 << 20;

using Block = std::array<std::byte, kBlockSize>;

void put_text(Block& block, const Field& field, std::string_view text) {
  std::memcpy(block.data() + field.offset, text.data(), std::min(text.size(), field.size));
}

// Octal digits and a NUL. Requires: value <= octal_max(field).
void put_octal(Block& block, const Field& field, std::uint64_t value) {
  for (std::size_t i = field.size - 1; i-- > 0; value >>= 3) {
    block[field.offset + i] = static_cast<std::byte>('0' + (value & 7));
  }
}

constexpr std::uint64_t octal_max(const Field& field) { return (std::uint64_t{1} << 3 * (field.size - 1)) - 1; }

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0; });
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text[0]);
    const std::size_t size = first < 0x80   ? 1
                             : first < 0xc2 ? 0
                             : first < 0xe0 ? 2
                             : first < 0xf0 ? 3
                             : first < 0xf5 ? 4
                                            : 0;
    if (size == 0 || size > text.size()) return false;
    for (std::size_t i = 1; i < size; ++i) {
      if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return false;
    }
    if (size > 2) {
      const auto second = static_cast<unsigned char>(text[1]);
      const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
      const bool surrogate_or_beyond = (first == 0xed && second >= 0xa0) || (first == 0xf4 && second >= 0x90);
      if (overlong || surrogate_or_beyond) return false;
    }
    text.remove_prefix(size);
  }
  return true;
}

// One record of an extended header: its own length in decimal, which counts itself.
void put_record(std::string& records, std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;  // ' ', '=' and '\n'
  std::size_t size = rest;
  while (fmt::formatted_size("{}", size) + rest != size) size = fmt::formatted_size("{}", size) + rest;
  records += fmt::format("{} ", size);
  records += key;
  records += '=';
  records += value;
  records += '\n';
}

// Keys end at the first '='; GNU tar quotes it in attribute names like this.
std::string quoted_key(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '=' || c == '%') {
      out += c == '=' ? "%3D" : "%25";
    } else {
      out += c;
    }
  }
  return out;
}

class TarWriterImpl final : public TarWriter {
 public:
  explicit TarWriterImpl(ByteSink& out) : out_(out) { buffer_.reserve(kBufferSize); }

  Result<> begin(const Entry& entry) override {
    MMH_TRY(end_entry());
    MMH_TRY(check_path(entry.path));
    const std::string path = entry.type == EntryType::directory ? entry.path + '/' : entry.path;
    Block block{};
    std::string records;
    put_path(block, records, path);
    if (entry.type == EntryType::symlink || entry.type == EntryType::hard_link) {
      if (entry.link.size() > kLink.size) put_record(records, "linkpath", entry.link);
      put_text(block, kLink, entry.link);
    }
    put_octal(block, kMode, entry.mode & 07777U);
    put_number(block, kUid, records, "uid", entry.uid);
    put_number(block, kGid, records, "gid", entry.gid);
    left_ = entry.type == EntryType::regular ? entry.size : 0;
    padding_ = padding_of(left_);
    put_number(block, kSize, records, "size", left_);
    put_mtime(block, records, entry);
    put_name(block, kUser, records, "uname", entry.user);
    put_name(block, kGroup, records, "gname", entry.group);
    const bool is_device = entry.type == EntryType::character_device || entry.type == EntryType::block_device;
    put_number(block, kDeviceMajor, records, "SCHILY.devmajor", is_device ? entry.device_major : 0);
    put_number(block, kDeviceMinor, records, "SCHILY.devminor", is_device ? entry.device_minor : 0);
    MMH_TRY(put_xattrs(records, entry));
    if (!records.empty()) MMH_TRY(write_extended(entry, records));
    constexpr char kTypes[] = {'0', '5', '2', '1', '6', '3', '4'};  // by EntryType
    return write_header(block, kTypes[static_cast<std::size_t>(entry.type)]);
  }

  Result<> write(ByteView content) override {
    if (content.size() > left_) return fail(Errc::usage, "more content than the size of the tar entry");
    left_ -= content.size();
    return put(content);
  }

  Result<> finish() override {
    MMH_TRY(end_entry());
    const Block zeros{};
    MMH_TRY(put(zeros));
    MMH_TRY(put(zeros));
    while (written_ % kRecordSize != 0) MMH_TRY(put(zeros));
    return flush();
  }

 private:
  Result<> end_entry() {
    if (left_ != 0) return fail(Errc::usage, fmt::format("{} bytes of the last tar entry are missing", left_));
    const Block zeros{};
    const std::size_t padding = padding_;
    padding_ = 0;
    return put(ByteView(zeros).first(padding));
  }

  // Into the header where it fits, in two parts if need be, else into a record.
  static void put_path(Block& block, std::string& records, std::string_view path) {
    if (path.size() <= kName.size) return put_text(block, kName, path);
    const std::size_t earliest = path.size() - kName.size - 1;
    const std::size_t slash = path.find('/', earliest);
    if (slash <= kPrefix.size && slash + 1 < path.size()) {
      put_text(block, kPrefix, path.substr(0, slash));
      return put_text(block, kName, path.substr(slash + 1));
    }
    put_record(records, "path", path);
    put_text(block, kName, path);
  }

  static void put_number(Block& block, const Field& field, std::string& records, std::string_view key,
                         std::uint64_t value) {
    const bool fits = value <= octal_max(field);
    if (!fits) put_record(records, key, fmt::format("{}", value));
    put_octal(block, field, fits ? value : 0);
  }

  static void put_name(Block& block, const Field& field, std::string& records, std::string_view key,
                       std::string_view name) {
    const bool fits = name.size() < field.size && is_ascii(name);
    if (!fits) put_record(records, key, name);
    put_text(block, field, name.substr(0, fits ? name.size() : 0));
  }

  static void put_mtime(Block& block, std::string& records, const Entry& entry) {
    const std::int64_t seconds = entry.mtime_seconds;
    const std::uint32_t nanoseconds = entry.mtime_nanoseconds;
    const bool fits = seconds >= 0 && static_cast<std::uint64_t>(seconds) <= octal_max(kMtime);
    put_octal(block, kMtime, fits ? static_cast<std::uint64_t>(seconds) : 0);
    if (fits && nanoseconds == 0) return;
    // A time is a decimal number: -1 s + 0.25 s is "-0.75".
    std::string text;
    if (seconds >= 0 || nanoseconds == 0) {
      text = fmt::format("{}.{:09}", seconds, nanoseconds);
    } else {
      text = fmt::format("-{}.{:09}", -(seconds + 1), 1'000'000'000 - nanoseconds);
    }
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
    put_record(records, "mtime", text);
  }

  static Result<> put_xattrs(std::string& records, const Entry& entry) {
    for (const auto& [name, value] : entry.xattrs) {
      const bool is_access = name == "system.posix_acl_access";
      if (is_access || name == "system.posix_acl_default") {
        if (const auto text = acl_to_text(value)) {
          put_record(records, is_access ? "SCHILY.acl.access" : "SCHILY.acl.default", *text);
          continue;
        }
      }
      if (name.size() + value.size() > kXattrRecordMax) {
        return fail(Errc::limit, fmt::format("extended attribute of {} bytes", name.size() + value.size()));
      }
      put_record(records, "SCHILY.xattr." + quoted_key(name), value);
    }
    return {};
  }

  Result<> write_extended(const Entry& entry, std::string& records) {
    // Records are UTF-8 unless this says otherwise. bsdtar heeds it, and GNU tar warns that it does not know it; so
    // only where it is needed.
    if (!is_utf8(entry.path) || !is_utf8(entry.link) || !is_utf8(entry.user) || !is_utf8(entry.group)) {
      std::string first;
      put_record(first, "hdrcharset", "BINARY");
      records.insert(0, first);
    }
    Block block{};
    const std::size_t slash = entry.path.rfind('/');
    const std::string name = "PaxHeaders/" + entry.path.substr(slash == std::string::npos ? 0 : slash + 1);
    put_text(block, kName, std::string_view(name).substr(0, kName.size - 1));
    put_octal(block, kMode, 0644);
    put_octal(block, kUid, 0);
    put_octal(block, kGid, 0);
    put_octal(block, kSize, records.size());
    put_octal(block, kMtime, 0);
    MMH_TRY(write_header(block, 'x'));
    MMH_TRY(put(as_bytes(records)));
    const Block zeros{};
    return put(ByteView(zeros).first(padding_of(records.size())));
  }

  Result<> write_header(Block& block, char type) {
    block[kType.offset] = static_cast<std::byte>(type);
    put_text(block, kMagic, std::string_view("ustar\00000", 8));
    // Six digits, a NUL and a space.
    put_octal(block, {kChecksum.offset, 7, kChecksum.name}, static_cast<std::uint64_t>(sums_of(block).of_unsigned));
    block[kChecksum.offset + 7] = std::byte{' '};
    return put(block);
  }

  Result<> put(ByteView bytes) {
    written_ += bytes.size();
    if (buffer_.size() + bytes.size() > kBufferSize) MMH_TRY(flush());
    if (bytes.size() >= kBufferSize) return out_.write(bytes);
    append(buffer_, bytes);
    return {};
  }

  Result<> flush() {
    if (buffer_.empty()) return {};
    auto written = out_.write(buffer_);
    buffer_.clear();
    return written;
  }

  ByteSink& out_;
  Buffer buffer_;
  std::uint64_t written_ = 0;
  std::uint64_t left_ = 0;   // content still to come
  std::size_t padding_ = 0;  // behind that content
};

}  // namespace

std::unique_ptr<TarWriter> TarWriter::open(ByteSink& out) { return std::make_unique<TarWriterImpl>(out); }

}  // namespace mmh::tree
