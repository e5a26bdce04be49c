#include "mmh/base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "mmh/base/checked.h"
#include "mmh/base/utf8.h"
#include "temporary_name.h"

namespace mmh {

namespace {

constexpr std::size_t kSpoolBufferSize = 1 << 20;

std::unexpected<Error> range_error(const std::string& name, std::uint64_t size, std::uint64_t offset,
                                   std::size_t wanted) {
  return fail(Errc::corrupt, fmt::format("{}: ends at offset {}, but {} bytes are recorded at offset {}",
                                         display_path(name), size, wanted, offset));
}

class FileSource final : public RandomAccessSource {
 public:
  FileSource(Sys& sys, Fd fd, std::uint64_t size, std::string name)
      : sys_(sys), fd_(std::move(fd)), size_(size), name_(std::move(name)) {}
  std::uint64_t size() const override { return size_; }
  const std::string& name() const override { return name_; }
  Result<> read_at(std::uint64_t offset, Bytes out) const override {
    if (!range_within<std::uint64_t>(offset, out.size(), size_)) return range_error(name_, size_, offset, out.size());
    const auto got = pread_full(sys_, fd_.get(), out, offset);
    if (!got)
      return fail(errno_error(got.error, fmt::format("{}: cannot read at offset {}", display_path(name_), offset)));
    if (got.value < out.size()) {
      return fail(Errc::changed, fmt::format("{}: became shorter while it was read: ended at offset {} instead of {}",
                                             display_path(name_), offset + got.value, size_));
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
      return range_error(name_, bytes_.size(), offset, out.size());
    }
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
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
    if (const int error = write_full(sys_, fd_, bytes)) {
      return fail(errno_error(error, display_path(name_) + ": cannot write"));
    }
    return {};
  }

 private:
  Sys& sys_;
  int fd_;
  std::string name_;
};

// Not /tmp where there is a choice: it is memory on many systems, and what is spooled may be larger than that.
std::string temporary_directory() {
  const char* const chosen = std::getenv("TMPDIR");
  if (chosen != nullptr && *chosen != '\0') return chosen;
  return ::access("/var/tmp", W_OK | X_OK) == 0 ? "/var/tmp" : "/tmp";
}

// Opens a file that vanishes when it is closed.
SysResult<int> open_unnamed(Sys& sys, const std::string& directory) {
  auto opened = sys.openat(AT_FDCWD, directory.c_str(), O_TMPFILE | O_RDWR | O_EXCL, 0600);
  if (opened) return opened;
  // Whatever the reason was, it either does not hold for a file with a name or comes back as its error.
  opened.error = with_temporary_name("spool", [&](const std::string& name) {
    const std::string path = fmt::format("{}/{}", directory, name);
    opened = sys.openat(AT_FDCWD, path.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600);
    if (opened) sys.unlinkat(AT_FDCWD, path.c_str(), 0);
    return opened.error;
  });
  return opened;
}

// False: cancelled first. A signal may come just before poll(), so it waits only for a while at a time. Files and
// descriptors that cannot be polled are for read() to judge.
bool wait_readable(int fd, const CancelFlag& cancel) {
  constexpr int kMilliseconds = 100;
  while (!cancel.is_set()) {
    pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&waiting, 1, kMilliseconds);
    if (ready > 0 || (ready < 0 && errno != EINTR)) return true;
  }
  return false;
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

std::unique_ptr<RandomAccessSource> file_source(Sys& sys, Fd fd, std::uint64_t size, std::string name) {
  return std::make_unique<FileSource>(sys, std::move(fd), size, std::move(name));
}

std::unique_ptr<RandomAccessSource> memory_source(ByteView bytes, std::string name) {
  return std::make_unique<MemorySource>(bytes, std::move(name));
}

Result<Fd> temporary_file(Sys& sys, std::string_view purpose) {
  const std::string directory = temporary_directory();
  const auto opened = open_unnamed(sys, directory);
  if (!opened) {
    return fail(errno_error(opened.error,
                            fmt::format("{}: cannot make a temporary file for {} (choose another place with TMPDIR)",
                                        display_path(directory), purpose)));
  }
  return Fd(sys, opened.value);
}

Result<std::unique_ptr<RandomAccessSource>> spool_source(Sys& sys, int fd, std::string name, const CancelFlag* cancel) {
  const std::string directory = temporary_directory();
  MMH_LET(Fd spool, temporary_file(sys, display_path(name)));
  Buffer buffer(kSpoolBufferSize);
  std::uint64_t size = 0;
  for (;;) {
    const auto got = read_full(sys, fd, buffer, cancel);
    if (!got)
      return fail(errno_error(got.error, fmt::format("{}: cannot read at offset {}", display_path(name), size)));
    if (const int error = write_full(sys, spool.get(), ByteView(buffer).first(got.value))) {
      return fail(errno_error(error, fmt::format("{}: cannot spool {} (choose another place with TMPDIR)",
                                                 display_path(directory), display_path(name))));
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

SysResult<std::size_t> read_full(Sys& sys, int fd, Bytes out, const CancelFlag* cancel) {
  std::size_t done = 0;
  while (done < out.size()) {
    if (cancel != nullptr && !wait_readable(fd, *cancel)) return {done, ECANCELED};
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
// Controls and directional overrides could make a terminal show something else than the name.
bool is_printable(std::uint32_t character) {
  if (character < 0x20 || (character >= 0x7f && character < 0xa0)) return false;
  return !(character >= 0x200b && character <= 0x200f) && !(character >= 0x2028 && character <= 0x202e) &&
         !(character >= 0x2066 && character <= 0x2069) && character != 0x61c && character != 0xfeff;
}
}  // namespace

std::string display_path(std::string_view path) {
  std::string shown;
  shown.reserve(path.size());
  while (!path.empty()) {
    const auto character = first_utf8_character(path);
    const std::size_t size = std::max<std::size_t>(character.size, 1);
    for (const char byte : path.substr(0, size)) {
      if (character.value == '\\') {
        shown += "\\\\";
      } else if (character.size > 0 && is_printable(character.value)) {
        shown += byte;
      } else {
        shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
      }
    }
    path.remove_prefix(size);
  }
  return shown;
}

}  // namespace mmh
