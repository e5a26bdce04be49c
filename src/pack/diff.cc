#include "mmh/pack/diff.h"

#include <memory>
#include <vector>

namespace mmh::pack {

namespace {

// A place in a manifest: at a page that is not opened yet, at a record, or at the end.
class Cursor {
 public:
  explicit Cursor(const Reader& reader)
      : reader_(reader), top_(reader.trailer().top), height_(reader.trailer().height) {}

  bool at_end() const { return !top_ && stack_.empty(); }
  /// The page at the cursor; null at a record or at the end.
  const PageReference* page() const {
    if (top_) return &*top_;
    if (stack_.empty() || stack_.back().page->height == 0) return nullptr;
    return &stack_.back().page->children[stack_.back().next];
  }
  unsigned page_height() const { return top_ ? height_ : stack_.back().page->height - 1; }
  /// Requires: at a record.
  const FileRecord& record() const { return stack_.back().page->records[stack_.back().next]; }

  /// Passes over the page or record at the cursor.
  void skip() {
    if (top_) {
      top_.reset();
      return;
    }
    ++stack_.back().next;
    while (!stack_.empty() && stack_.back().next == stack_.back().size()) {
      stack_.pop_back();
      if (!stack_.empty()) ++stack_.back().next;
    }
  }

  /// Goes to the first thing in the page at the cursor. Requires: page() != nullptr.
  Result<> open() {
    MMH_LET(auto opened, reader_.manifest_page(*page(), page_height()));
    const bool was_top = top_.has_value();
    top_.reset();
    if (opened->entries == 0) {  // only the top page can be empty
      if (!was_top) skip();
      return {};
    }
    stack_.push_back({std::move(opened), 0});
    return {};
  }

 private:
  struct Level {
    std::shared_ptr<const ManifestPage> page;
    std::size_t next;
    std::size_t size() const { return page->height == 0 ? page->records.size() : page->children.size(); }
  };
  const Reader& reader_;
  std::optional<PageReference> top_;  // until it is opened or passed over
  unsigned height_;
  std::vector<Level> stack_;
};

// The first path at or below the cursor. The top page's is not known and comes before all others.
std::string_view first_path(const Cursor& cursor) {
  return cursor.page() != nullptr ? std::string_view(cursor.page()->first_path) : cursor.record().entry.path;
}

}  // namespace

Result<> diff(const Reader& before, const Reader& after, const ChangeSink& sink) {
  Cursor a(before);
  Cursor b(after);
  while (!a.at_end() || !b.at_end()) {
    // What is alone on its side is opened down to its records.
    if (a.at_end() || b.at_end()) {
      Cursor& left = a.at_end() ? b : a;
      if (left.page() != nullptr) {
        MMH_TRY(left.open());
        continue;
      }
      MMH_TRY(a.at_end() ? sink(Change::added, nullptr, &b.record()) : sink(Change::removed, &a.record(), nullptr));
      left.skip();
      continue;
    }
    const int order = tree::compare_paths(first_path(a), first_path(b));
    if (a.page() != nullptr && b.page() != nullptr) {
      if (a.page()->hash == b.page()->hash) {
        a.skip();
        b.skip();
      } else if (a.page_height() != b.page_height()) {
        MMH_TRY(a.page_height() > b.page_height() ? a.open() : b.open());
      } else {
        // The one that begins later may yet meet its equal.
        if (order <= 0) MMH_TRY(a.open());
        if (order >= 0) MMH_TRY(b.open());
      }
      continue;
    }
    if (order < 0) {
      if (a.page() != nullptr) {
        MMH_TRY(a.open());
      } else {
        MMH_TRY(sink(Change::removed, &a.record(), nullptr));
        a.skip();
      }
    } else if (order > 0) {
      if (b.page() != nullptr) {
        MMH_TRY(b.open());
      } else {
        MMH_TRY(sink(Change::added, nullptr, &b.record()));
        b.skip();
      }
    } else if (a.page() != nullptr) {
      MMH_TRY(a.open());
    } else if (b.page() != nullptr) {
      MMH_TRY(b.open());
    } else {
      if (const auto change = compare_records(a.record(), b.record())) MMH_TRY(sink(*change, &a.record(), &b.record()));
      a.skip();
      b.skip();
    }
  }
  return {};
}

}  // namespace mmh::pack
