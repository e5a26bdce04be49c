#pragma once
// Recognises further names of a file that the walk has already met.

#include <cstdint>
#include <string>
#include <unordered_map>

#include "mmh/tree/walk.h"

namespace mmh::pack {

/// Remembers files with several names until all of them have been seen. The first name in walk order keeps the content.
class HardLinks {
 public:
  /// Turns `found` into a hard link when its inode was met before.
  void mark(tree::WalkItem& found) {
    tree::Entry& entry = found.entry;
    if (found.links < 2 || entry.type == tree::EntryType::directory) return;
    const auto [known, is_new] = seen_.try_emplace(Inode{found.device, found.inode}, Names{entry.path, found.links});
    if (!is_new) {
      entry.type = tree::EntryType::hard_link;
      entry.link = known->second.first;
      entry.size = 0;
    }
    if (--known->second.left == 0) seen_.erase(known);
  }

 private:
  struct Inode {
    std::uint64_t device, number;
    bool operator==(const Inode&) const = default;
  };
  struct InodeHash {
    std::size_t operator()(const Inode& inode) const {
      return static_cast<std::size_t>((inode.number * 0x9e3779b97f4a7c15) ^ inode.device);
    }
  };
  struct Names {
    std::string first;
    std::uint64_t left;
  };
  std::unordered_map<Inode, Names, InodeHash> seen_;
};

}  // namespace mmh::pack
