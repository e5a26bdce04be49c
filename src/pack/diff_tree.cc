#include "mmh/pack/diff_tree.h"

#include <fmt/format.h>

#include "hard_links.h"
#include "mmh/base/files.h"
#include "mmh/hash/blake3.h"
#include "segment.h"

namespace mmh::pack {

namespace {

/// Yields the records of a walk, files hashed only on demand.
class TreeSide {
 public:
  TreeSide(Sys& sys, const tree::WalkOptions& options, const tree::ProblemSink& problem, const CancelFlag* cancel)
      : sys_(sys), options_(options), problem_(problem), cancel_(cancel), buffer_(kSegmentSize) {}

  Result<> open() {
    MMH_LET(walker_, tree::Walker::open(sys_, options_, problem_));
    return advance();
  }
  const std::optional<tree::WalkItem>& current() const { return current_; }
  Result<> advance() {
    MMH_TRY(check_cancelled(cancel_));
    MMH_LET(current_, walker_->next());
    if (current_) hard_links_.mark(*current_);
    return {};
  }

  /// The current object as a record. `expected`: what a file's hash is worth computing for, by its size; others get no
  /// hash. Nothing when the object cannot be read.
  Result<std::optional<FileRecord>> record(std::optional<std::uint64_t> expected_size) {
    tree::WalkItem& item = *current_;
    FileRecord record;
    const auto read =
        item.entry.type == tree::EntryType::regular ? read_file(record, expected_size) : read_attributes();
    if (!read) {
      if (read.error().code == Errc::cancelled) return fail(read.error());
      problem_(read.error());
      return std::nullopt;
    }
    record.entry = item.entry;
    return record;
  }

 private:
  Result<> read_attributes() {
    if (current_->entry.type == tree::EntryType::hard_link) return {};
    return tree::read_xattrs(sys_, *current_, options_);
  }

  Result<> read_file(FileRecord& record, std::optional<std::uint64_t> expected_size) {
    tree::WalkItem& item = *current_;
    MMH_LET(const tree::OpenedFile file, tree::open_file(sys_, item, options_));
    const std::uint64_t size = item.entry.size;
    if (size != expected_size) return {};
    hash::Blake3 hasher;
    for (std::uint64_t at = 0; at < size;) {
      MMH_TRY(check_cancelled(cancel_));
      const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(size - at, buffer_.size()));
      const auto got = read_segment(sys_, file.fd.get(), file.runs, at, Bytes(buffer_).first(part));
      if (!got || got.value == 0) {
        return fail(
            errno_error(got.error, fmt::format("{}: cannot read at offset {}", display_path(item.entry.path), at)));
      }
      hasher.update(ByteView(buffer_).first(got.value));
      at += got.value;
    }
    record.hash = hasher.finish();
    return {};
  }

  Sys& sys_;
  const tree::WalkOptions& options_;
  const tree::ProblemSink& problem_;
  const CancelFlag* cancel_;
  std::unique_ptr<tree::Walker> walker_;
  std::optional<tree::WalkItem> current_;
  HardLinks hard_links_;
  Buffer buffer_;
};

std::string root_prefix(std::string_view root) {
  for (;;) {
    if (root.starts_with("./")) {
      root.remove_prefix(2);
    } else if (root.starts_with('/')) {
      root.remove_prefix(1);
    } else if (root.ends_with('/')) {
      root.remove_suffix(1);
    } else {
      return std::string(root == "." ? "" : root);
    }
  }
}

bool in_scope(std::string_view path, std::span<const std::string> roots) {
  return std::ranges::any_of(roots, [&](const std::string& root) {
    return root.empty() || path == root || (path.starts_with(root) && path[root.size()] == '/');
  });
}

}  // namespace

Result<> diff_tree(const Reader& before, Sys& sys, const tree::WalkOptions& walk, const tree::ProblemSink& problem,
                   const CancelFlag* cancel, const ChangeSink& sink) {
  std::vector<std::string> roots;
  for (const std::string& root : walk.roots) roots.push_back(root_prefix(root));
  TreeSide tree(sys, walk, problem, cancel);
  MMH_TRY(tree.open());
  const auto take_added = [&]() -> Result<> {
    MMH_LET(const auto record, tree.record(std::nullopt));
    if (record) MMH_TRY(sink(Change::added, nullptr, &*record));
    return tree.advance();
  };
  MMH_TRY(before.visit("", [&](FileRecord&& old) -> Result<bool> {
    if (!in_scope(old.entry.path, roots)) return true;
    while (tree.current() && tree::compare_paths(tree.current()->entry.path, old.entry.path) < 0) MMH_TRY(take_added());
    if (!tree.current() || tree.current()->entry.path != old.entry.path) {
      MMH_TRY(sink(Change::removed, &old, nullptr));
      return true;
    }
    MMH_LET(const auto now, tree.record(old.entry.size));
    if (now) {
      if (const auto change = compare_records(old, *now)) MMH_TRY(sink(*change, &old, &*now));
    }
    MMH_TRY(tree.advance());
    return true;
  }));
  while (tree.current()) MMH_TRY(take_added());
  return {};
}

}  // namespace mmh::pack
