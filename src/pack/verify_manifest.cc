#include <fmt/format.h>

#include <deque>
#include <optional>

#include "mmh/base/checked.h"
#include "mmh/base/files.h"
#include "mmh/hash/blake3.h"
#include "ordered_tasks.h"
#include "verifier.h"
#include "verify_content.h"

namespace mmh::pack {

namespace {

struct Fault {
  std::string path;
  std::string what;  // empty: only its blocks are damaged, which is reported already
};

// What one leaf page gave.
struct Leaf {
  std::optional<Error> lost;
  std::vector<Fault> faults;
  std::vector<OrdinalRecord> content;  // with deep: files whose content is still to be hashed
};

class ManifestWalk {
 public:
  explicit ManifestWalk(Verification& state)
      : state_(state), reader_(state.reader), content_(state), empty_hash_(hash::blake3({})), leaves_(state.pool) {}

  Result<> run() {
    const Trailer& trailer = reader_.trailer();
    MMH_TRY(walk(trailer.top, trailer.height, {}, 0));
    MMH_TRY(take_leaves());
    if (!state_.deep) return {};
    MMH_TRY(content_.check());
    return content_.report_damaged_files();
  }

 private:
  struct Pending {
    PageReference reference;
    std::uint64_t first_ordinal;
  };

  // `bound`: the first path of what follows; empty: nothing does.
  Result<> walk(const PageReference& reference, unsigned height, const std::string& bound, std::uint64_t ordinal) {
    MMH_TRY(check_cancelled(state_.cancel));
    if (height == 0) {
      if (leaves_.full()) MMH_TRY(take_leaf());
      if (content_.full()) {
        MMH_TRY(take_leaves());  // tasks read state that the content check writes
        MMH_TRY(content_.check());
      }
      pending_.push_back({reference, ordinal});
      leaves_.push(1, [this, reference, bound, ordinal] { return check_leaf(reference, bound, ordinal); });
      return {};
    }
    const auto page = reader_.manifest_page(reference, height);
    if (!page) return lose(reference, page.error());
    if (!comes_before(**page, bound)) return lose(reference, Error{Errc::corrupt, "it overlaps the page behind it"});
    const std::vector<PageReference>& children = (*page)->children;
    for (std::size_t i = 0; i < children.size(); ++i) {
      const bool last = i + 1 == children.size();
      MMH_TRY(walk(children[i], height - 1, last ? bound : children[i + 1].first_path, ordinal));
      ordinal += children[i].entries;
    }
    return {};
  }

  static bool comes_before(const ManifestPage& page, std::string_view bound) {
    if (bound.empty()) return true;
    const std::string& last = page.height == 0 ? page.records.back().entry.path : page.children.back().first_path;
    return tree::compare_paths(last, bound) < 0;
  }

  Result<> lose(const PageReference& reference, const Error& error) {
    if (error.code == Errc::unsupported) return fail(error);
    const auto block = reader_.block_info(reference.block);
    std::string what = state_.bare(error);
    if (reference.block < state_.sound.size() && !state_.sound[reference.block]) {
      what = fmt::format("manifest page in block {} is damaged", reference.block);
    }
    state_.damage(block ? block->offset : 0, block ? kBlockHeaderSize + block->stored_size : 0,
                  fmt::format("{}: {} entries from \"{}\" on cannot be listed", what, reference.entries,
                              display_path(reference.first_path)));
    state_.report.files_damaged_count += reference.entries;
    return {};
  }

  Result<> take_leaves() {
    while (!leaves_.empty()) MMH_TRY(take_leaf());
    return {};
  }

  Result<> take_leaf() {
    MMH_TRY(check_cancelled(state_.cancel));
    Leaf leaf = leaves_.pop();
    const Pending pending = std::move(pending_.front());
    pending_.pop_front();
    if (leaf.lost) return lose(pending.reference, *leaf.lost);
    for (Fault& fault : leaf.faults) {
      if (!fault.what.empty()) {
        const auto block = reader_.block_info(pending.reference.block);
        state_.damage(block ? block->offset : 0, block ? kBlockHeaderSize + block->stored_size : 0,
                      fmt::format("{}: {}", display_path(fault.path), fault.what));
      }
      state_.damaged_file(std::move(fault.path));
    }
    for (OrdinalRecord& record : leaf.content) content_.add(std::move(record));
    return {};
  }

  // On any thread.
  Leaf check_leaf(const PageReference& reference, const std::string& bound, std::uint64_t ordinal) const {
    Leaf leaf;
    if (state_.cancel != nullptr && state_.cancel->is_set()) return leaf;
    const auto page = reader_.manifest_page(reference, 0);
    if (!page) {
      leaf.lost = page.error();
      return leaf;
    }
    if (!comes_before(**page, bound)) {
      leaf.lost = Error{Errc::corrupt, "it overlaps the page behind it"};
      return leaf;
    }
    for (const FileRecord& record : (*page)->records) {
      if (auto fault = fault_of(record)) {
        leaf.faults.push_back({record.entry.path, *std::move(fault)});
      } else if (state_.deep && record.entry.size > 0) {
        leaf.content.push_back({ordinal, record});
      }
      ++ordinal;
    }
    return leaf;
  }

  // Nothing: all is well as far as can be seen without the content. Empty: a block it needs is damaged.
  std::optional<std::string> fault_of(const FileRecord& record) const {
    if (record.entry.type == tree::EntryType::hard_link) return hard_link_fault(record);
    if (record.entry.type != tree::EntryType::regular) return std::nullopt;
    if (record.entry.size == 0 && record.hash != empty_hash_) return "its hash is not that of an empty file";
    return content_fault(record);
  }

  std::optional<std::string> hard_link_fault(const FileRecord& record) const {
    const auto target = reader_.find(record.entry.link);
    if (!target) return "";  // lost with a page, which is reported
    if (!*target) return "is a hard link to an entry that does not exist";
    const tree::EntryType type = (*target)->entry.type;
    if (type == tree::EntryType::directory || type == tree::EntryType::hard_link) {
      return "is a hard link to what cannot have one";
    }
    const auto fault = content_fault(**target);
    return fault ? std::optional<std::string>("") : std::nullopt;
  }

  std::optional<std::string> content_fault(const FileRecord& record) const {
    std::optional<std::string> fault;
    for (const ExtentList& list : record.lists) {
      if (list.block >= state_.sound.size() || !state_.sound[list.block]) return "";
    }
    const auto visited = reader_.visit_extents(record, 0, [&](std::uint64_t, const Extent& extent) -> Result<bool> {
      if (extent.is_hole()) return true;
      if (extent.block >= state_.sound.size()) {
        fault = fmt::format("its content is said to lie in block {}, which does not exist", extent.block);
      } else if (const auto block = reader_.block_info(extent.block); !block) {
        fault = "";
      } else if (block->type != BlockType::data || !range_within(extent.offset, extent.length, block->raw_size)) {
        fault = fmt::format("its content is said to lie where block {} has none", extent.block);
      } else if (!state_.sound[extent.block]) {
        fault = "";
      }
      return !fault;
    });
    if (!visited) return state_.bare(visited.error());
    return fault;
  }

  Verification& state_;
  const Reader& reader_;
  ContentCheck content_;
  const hash::Digest empty_hash_;
  std::deque<Pending> pending_;
  OrderedTasks<Leaf> leaves_;
};

}  // namespace

Result<> verify_manifest(Verification& state) { return ManifestWalk(state).run(); }

}  // namespace mmh::pack
