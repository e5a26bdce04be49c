#include "mmh/base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "mmh/base/checked.h"

namespace mmh {

namespace {

constexpr std::size_t kSpoolBufferSize = 1 << 20;

class FileSource final : public RandomAccessSource {
 public:
  FileSource(Sys& sys, Fd fd, std::uint64_t size, std::string name)
      : sys_(sys), fd_(std::move(fd)), size_(size), name_(std::move(name)) {}
  std::uint64_t size() const override { return size_; }
  const std::string& name() const override { return name_; }
  Result<> read_at(std::uint64_t offset, Bytes out) const override {
    const auto got = pread_full(sys_, fd_.get(), out, offset);
    if (!got) return fail(errno_error(got.error, fmt::format("{}: cannot read at offset {}", display_path(name_), offset)));
    if (got.value < out.size()) {
      return fail(Errc::corrupt, fmt::format("{}: ends at offset {}, {} bytes short of what is recorded",
                                             display_path(name_), offset + got.value, out.size() - got.value));
    }
    return {};
  }

 private:
  Sys& sys_;
  Fd fd_;
  std::uint64_t size_;
  std::string name_;
};

class MemorySource final : public RandomAccessSource {
 public:
  MemorySource(ByteView bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}
  std::uint64_t size() const override { return bytes_.size(); }
  const std::string& name() const override { return name_; }
  Result<> read_at(std::uint64_t offset, Bytes out) const override {
    if (!range_within<std::uint64_t>(offset, out.size(), bytes_.size())) {
      return fail(Errc::corrupt, fmt::format("{}: ends before offset {}", display_path(name_), offset + out.size()));
    }
    std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return {};
  }

 private:
  ByteView bytes_;
  std::string name_;
};

class FdSink final : public ByteSink {
 public:
  FdSink(Sys& sys, int fd, std::string name) : sys_(sys), fd_(fd), name_(std::move(name)) {}
  Result<> write(ByteView bytes) override {
    if (const int error = write_full(sys_, fd_, bytes)) return fail(errno_error(error, name_ + ": cannot write"));
    return {};
  }

 private:
  Sys& sys_;
  int fd_;
  std::string name_;
};

std::string temporary_directory() {
  const char* const chosen = std::getenv("TMPDIR");
  return chosen != nullptr && *chosen != '\0' ? chosen : "/tmp";
}

// Opens a file that vanishes when it is closed.
SysResult<int> open_unnamed(Sys& sys, const std::string& directory) {
  auto opened = sys.openat(AT_FDCWD, directory.c_str(), O_TMPFILE | O_RDWR | O_EXCL, 0600);
  if (opened || (opened.error != EOPNOTSUPP && opened.error != EISDIR)) return opened;
  const std::string path = fmt::format("{}/.mmh-spool-{}.tmp", directory, ::getpid());
  opened = sys.openat(AT_FDCWD, path.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600);
  if (opened) sys.unlinkat(AT_FDCWD, path.c_str(), 0);
  return opened;
}

}  // namespace

Result<std::unique_ptr<RandomAccessSource>> open_source(Sys& sys, const std::string& path) {
  const auto opened = sys.openat(AT_FDCWD, path.c_str(), O_RDONLY);
  if (!opened) return fail(errno_error(opened.error, display_path(path) + ": cannot open"));
  Fd fd(sys, opened.value);
  const auto info = sys.fstat(fd.get());
  if (!info) return fail(errno_error(info.error, display_path(path) + ": cannot stat"));
  if (S_ISDIR(info.value.st_mode)) return fail(Errc::usage, display_path(path) + ": is a directory, not a file");
  auto size = static_cast<std::uint64_t>(info.value.st_size);
  if (S_ISBLK(info.value.st_mode)) {
    const auto end = sys.lseek(fd.get(), 0, SEEK_END);
    if (!end) return fail(errno_error(end.error, display_path(path) + ": cannot find its size"));
    size = end.value;
  } else if (!S_ISREG(info.value.st_mode)) {
    return spool_source(sys, fd.get(), path);
  }
  return std::make_unique<FileSource>(sys, std::move(fd), size, path);
}

std::unique_ptr<RandomAccessSource> memory_source(ByteView bytes, std::string name) {
  return std::make_unique<MemorySource>(bytes, std::move(name));
}

Result<std::unique_ptr<RandomAccessSource>> spool_source(Sys& sys, int fd, std::string name) {
  const std::string directory = temporary_directory();
  const auto opened = open_unnamed(sys, directory);
  if (!opened) {
    return fail(errno_error(opened.error, display_path(directory) + ": cannot make a temporary file for " + name));
  }
  Fd spool(sys, opened.value);
  Buffer buffer(kSpoolBufferSize);
  std::uint64_t size = 0;
  for (;;) {
    const auto got = read_full(sys, fd, buffer);
    if (!got) return fail(errno_error(got.error, fmt::format("{}: cannot read at offset {}", name, size)));
    if (const int error = write_full(sys, spool.get(), ByteView(buffer).first(got.value))) {
      return fail(errno_error(error, fmt::format("{}: cannot spool {} (choose another place with TMPDIR)",
                                                 display_path(directory), name)));
    }
    size += got.value;
    if (got.value < buffer.size()) break;
  }
  return std::make_unique<FileSource>(sys, std::move(spool), size, std::move(name));
}

std::unique_ptr<ByteSink> fd_sink(Sys& sys, int fd, std::string name) {
  return std::make_unique<FdSink>(sys, fd, std::move(name));
}

SysResult<std::size_t> pread_full(Sys& sys, int fd, Bytes out, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < out.size()) {
    const auto got = sys.pread(fd, out.subspan(done), offset + done);
    if (!got) return {done, got.error};
    if (got.value == 0) break;
    done += got.value;
  }
  return {done, 0};
}

SysResult<std::size_t> read_full(Sys& sys, int fd, Bytes out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const auto got = sys.read(fd, out.subspan(done));
    if (!got) return {done, got.error};
    if (got.value == 0) break;
    done += got.value;
  }
  return {done, 0};
}

int write_full(Sys& sys, int fd, ByteView in) {
  while (!in.empty()) {
    const auto put = sys.write(fd, in);
    if (!put) return put.error;
    if (put.value == 0) return EIO;
    in = in.subspan(put.value);
  }
  return 0;
}

int pwrite_full(Sys& sys, int fd, ByteView in, std::uint64_t offset) {
  while (!in.empty()) {
    const auto put = sys.pwrite(fd, in, offset);
    if (!put) return put.error;
    if (put.value == 0) return EIO;
    in = in.subspan(put.value);
    offset += put.value;
  }
  return 0;
}

namespace {
// The size of the UTF-8 sequence at the front of `text` if it is well-formed and printable, else 0.
std::size_t printable_prefix(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = at(0);
  if (first >= 0x20 && first < 0x7f) return first == '\\' ? 0 : 1;
  std::size_t size = 0;
  std::uint32_t value = 0;
  if (first >= 0xc2 && first < 0xe0) {
    size = 2;
    value = first & 0x1f;
  } else if (first >= 0xe0 && first < 0xf0) {
    size = 3;
    value = first & 0x0f;
  } else if (first >= 0xf0 && first < 0xf5) {
    size = 4;
    value = first & 0x07;
  } else {
    return 0;
  }
  if (text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
    value = value << 6 | (at(i) & 0x3f);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kLeast[size] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return 0;
  // C1 controls and directional overrides could make a terminal show something else.
  if (value < 0xa0 || (value >= 0x202a && value <= 0x202e) || (value >= 0x2066 && value <= 0x2069)) return 0;
  return size;
}
}  // namespace

std::string display_path(std::string_view path) {
  std::string shown;
  shown.reserve(path.size());
  while (!path.empty()) {
    if (const std::size_t size = printable_prefix(path); size > 0) {
      shown += path.substr(0, size);
      path.remove_prefix(size);
    } else if (path[0] == '\\') {
      shown += "\\\\";
      path.remove_prefix(1);
    } else {
      shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(path[0]));
      path.remove_prefix(1);
    }
  }
  return shown;
}

}  // namespace mmh
