#pragma once
// What the tests of trees share: walking into a list, copying by walk and restore, asking the system's own tools.

#include <optional>
#include <string>
#include <vector>

#include "mmh/tree/restore.h"
#include "mmh/tree/walk.h"
#include "support/support.h"

namespace mmh::test {

/// Problems told, as "code: message".
class Problems {
 public:
  tree::ProblemSink sink() {
    return [this](const Error& error) {
      codes.push_back(error.code);
      messages.push_back(error.what);
    };
  }
  std::vector<Errc> codes;
  std::vector<std::string> messages;
};

/// Everything a walk yields. Fails the test on an error.
std::vector<tree::WalkItem> walk_all(Sys& sys, tree::WalkOptions options, Problems& problems);
/// The paths alone.
std::vector<std::string> walk_paths(tree::WalkOptions options, Problems& problems);

/// Walks and restores, the way a pack and its extraction would: xattrs, data runs and hard links included.
Result<> copy_tree(Sys& sys, const tree::WalkOptions& from, const tree::RestoreOptions& to, Problems& problems);

/// One line per object beneath `directory`, sorted: path, type, mode, owner, size, mtime in ns, link target, device,
/// content digest of small files, xattrs; hard links by the first of their names.
std::vector<std::string> describe_tree(const std::string& directory);

/// Runs a shell command; its standard output, or nothing when it fails.
std::optional<std::string> shell(const std::string& command);
/// Whether a program is installed.
bool has_program(const std::string& name);
/// Text in single quotes for a shell.
std::string quoted(const std::string& text);

/// A tree of everything: modes, times in ns, xattrs, ACLs, sparse and empty files, links, odd names; nodes when root.
void make_rich_tree(const std::string& directory);

}  // namespace mmh::test
