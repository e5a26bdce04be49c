#include "protected_files.h"

#include <fcntl.h>

#include <algorithm>

#include "mmh/base/check.h"
#include "mmh/base/checked.h"
#include "mmh/hash/blake3.h"
#include "ordered_tasks.h"

namespace mmh::pack {

namespace {

constexpr std::size_t kPiece = 1 << 20;
constexpr std::uint64_t kLarge = 4 << 20;
constexpr std::size_t kTogether = 32;
constexpr std::size_t kOpenMax = 64;

Error read_error(int error, const std::string& path) {
  return errno_error(error, display_path(path) + ": cannot read");
}
Error shorter(const std::string& path) {
  return {Errc::changed, display_path(path) + ": became shorter while it was read"};
}

// What a task that looks at some files brings: a large one is only opened.
struct Looked {
  Result<HashedFile> file = fail(Errc::io, "");
  Fd large;
};

Looked look_at(Sys& sys, int directory, const std::string& path, std::size_t index, const SeenBytes& seen) {
  Looked looked;
  auto opened = open_regular(sys, directory, path);
  if (!opened) {
    looked.file = fail(std::move(opened).error());
    return looked;
  }
  HashedFile file;
  file.stamp = stamp_of(opened->info);
  if (file.stamp.size >= kLarge) {
    looked.large = std::move(opened->fd);
    looked.file = file;
    return looked;
  }
  static thread_local Buffer content;
  content.resize(static_cast<std::size_t>(file.stamp.size));
  const auto got = pread_full(sys, opened->fd.get(), content, 0);
  if (got && got.value == content.size()) {
    file.hash = hash::blake3(content);
    looked.file = file;
    if (seen) seen(index, 0, content);
  } else {
    looked.file = fail(got ? shorter(path) : read_error(got.error, path));
  }
  return looked;
}

}  // namespace

Result<OpenedRegular> open_regular(Sys& sys, int directory, const std::string& path) {
  const auto opened = sys.openat_beneath(directory, path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (!opened) {
    if (opened.error == ELOOP || opened.error == EXDEV || opened.error == ENOTDIR || opened.error == ENXIO) {
      return fail(Errc::not_found, display_path(path) + ": something else stands there, or a link leads there");
    }
    return fail(errno_error(opened.error, display_path(path) + ": cannot open"));
  }
  OpenedRegular file;
  file.fd = Fd(sys, opened.value);
  const auto info = sys.fstat(opened.value);
  if (!info) return fail(read_error(info.error, path));
  if (!S_ISREG(info.value.st_mode)) return fail(Errc::not_found, display_path(path) + ": is not a regular file");
  file.info = info.value;
  return file;
}

Result<Fd> open_directory(Sys& sys, const std::string& path) {
  const auto opened = sys.openat(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY);
  if (!opened) return fail(errno_error(opened.error, display_path(path) + ": cannot open the directory"));
  return Fd(sys, opened.value);
}

FileStamp stamp_of(const struct stat& info) {
  return {static_cast<std::uint64_t>(info.st_size),         info.st_mtim.tv_sec,
          static_cast<std::uint32_t>(info.st_mtim.tv_nsec), info.st_ctim.tv_sec,
          static_cast<std::uint32_t>(info.st_ctim.tv_nsec), static_cast<std::uint32_t>(info.st_mode & 07777)};
}

namespace {

// A piece of a large file: a subtree of its hash, or the bytes of the last piece.
struct Piece {
  hash::ChainingValue subtree{};
  Buffer tail;
};

}  // namespace

Result<hash::Digest> hash_pieces(std::uint64_t size, const ParityContext& context,
                                 const std::function<void(std::uint64_t)>& progress,
                                 const std::function<Result<>(std::uint64_t, Bytes)>& fill) {
  hash::Blake3 state;
  OrderedTasks<Result<Piece>> tasks(*context.pool);
  const auto take = [&]() -> Result<> {
    MMH_LET(const Piece piece, tasks.pop());
    if (piece.tail.empty()) {
      state.push_subtree(piece.subtree, kPiece);
    } else {
      state.update(piece.tail);
    }
    if (progress) progress(piece.tail.empty() ? kPiece : piece.tail.size());
    return {};
  };
  for (std::uint64_t offset = 0; offset < size; offset += kPiece) {
    MMH_TRY(check_cancelled(context.cancel));
    if (tasks.full()) MMH_TRY(take());
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, size - offset));
    tasks.push(0, [&fill, size, offset, length]() -> Result<Piece> {
      static thread_local Buffer buffer;
      buffer.resize(length);
      MMH_TRY(fill(offset, buffer));
      // What is all of an input is no subtree.
      if (length == kPiece && size > kPiece) return Piece{hash::blake3_subtree(buffer, offset), {}};
      return Piece{{}, copy_of(buffer)};
    });
  }
  while (!tasks.empty()) MMH_TRY(take());
  return state.finish();
}

Result<> hash_files(int directory, std::size_t count, const std::function<const std::string&(std::size_t)>& path,
                    const ParityContext& context, const std::function<void(std::uint64_t)>& progress,
                    const std::function<Result<>(std::size_t, Result<HashedFile>)>& told, const SeenBytes& seen) {
  Sys& sys = *context.sys;
  OrderedTasks<std::vector<Looked>> tasks(*context.pool);
  std::size_t next = 0;
  std::size_t done = 0;
  while (done < count) {
    MMH_TRY(check_cancelled(context.cancel));
    while (next < count && !tasks.full()) {
      const std::size_t begin = next;
      next = std::min(count, next + kTogether);
      tasks.push(0, [&sys, &path, &seen, directory, begin, end = next] {
        std::vector<Looked> looked;
        for (std::size_t i = begin; i < end; ++i) looked.push_back(look_at(sys, directory, path(i), i, seen));
        return looked;
      });
    }
    std::vector<Looked> batch = tasks.pop();
    for (Looked& looked : batch) {
      const std::size_t index = done++;
      if (looked.large) {
        const std::uint64_t size = looked.file->stamp.size;
        const int fd = looked.large.get();
        auto digest = hash_pieces(size, context, progress, [&](std::uint64_t offset, Bytes out) -> Result<> {
          const auto got = pread_full(sys, fd, out, offset);
          if (!got) return fail(read_error(got.error, path(index)));
          if (got.value < out.size()) return fail(shorter(path(index)));
          if (seen) seen(index, offset, out);
          return {};
        });
        if (!digest && digest.error().code == Errc::cancelled) return fail(digest.error());
        if (digest) {
          looked.file->hash = *digest;
        } else {
          looked.file = fail(digest.error());
        }
        looked.large.reset();
      } else if (looked.file && progress) {
        progress(looked.file->stamp.size);
      }
      MMH_TRY(told(index, std::move(looked.file)));
    }
  }
  return {};
}

void FileSequence::add(int directory, std::string path, std::uint64_t size) {
  if (size == 0) return;
  parts_.push_back({size_, size, directory, std::move(path), nullptr});
  size_ += size;
}

void FileSequence::add(std::shared_ptr<const Fd> file, std::uint64_t size) {
  if (size == 0) return;
  parts_.push_back({size_, size, -1, {}, std::move(file)});
  size_ += size;
}

void FileSequence::add_gap(std::uint64_t size) { add(std::shared_ptr<const Fd>(), size); }

Result<std::shared_ptr<const Fd>> FileSequence::opened(std::size_t part) const {
  const Part& wanted = parts_[part];
  if (wanted.file) return wanted.file;
  if (wanted.path.empty()) return fail(Errc::not_found, name_ + ": a file is missing");
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(open_, part, [](const auto& item) { return item.first; });
    if (found != open_.end()) {
      open_.splice(open_.begin(), open_, found);
      return open_.front().second;
    }
  }
  MMH_LET(OpenedRegular file, open_regular(sys_, wanted.directory, wanted.path));
  auto fd = std::make_shared<const Fd>(std::move(file.fd));
  const std::lock_guard lock(mutex_);
  open_.emplace_front(part, fd);
  if (open_.size() > kOpenMax) open_.pop_back();
  return fd;
}

Result<> FileSequence::read_at(std::uint64_t offset, Bytes out) const {
  if (!range_within<std::uint64_t>(offset, out.size(), size_)) {
    return fail(Errc::corrupt, name_ + ": the range ends behind the end");
  }
  auto part = static_cast<std::size_t>(
      std::ranges::upper_bound(parts_, offset, {}, [](const Part& item) { return item.offset; }) - parts_.begin());
  while (!out.empty()) {
    MMH_CHECK(part > 0);
    const Part& from = parts_[part - 1];
    const std::uint64_t begin = offset - from.offset;
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), from.size - begin));
    MMH_LET(const auto file, opened(part - 1));
    const auto got = pread_full(sys_, file->get(), out.first(length), begin);
    if (!got) return fail(read_error(got.error, from.path));
    if (got.value < length) return fail(Errc::changed, display_path(from.path) + ": is shorter than it was");
    out = out.subspan(length);
    offset += length;
    ++part;
  }
  return {};
}

}  // namespace mmh::pack
