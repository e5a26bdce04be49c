#pragma once
// What the tests of trees share: walking into a list, and copying by walk and restore.

#include <string>
#include <vector>

#include "mmh/tree/restore.h"
#include "mmh/tree/walk.h"
#include "support/support.h"
#include "support/trees.h"

namespace mmh::test {

/// Problems told, in order. Any thread, one at a time.
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

/// Options under which everything is kept.
tree::RestoreOptions keep_all(const std::string& target);

/// Runs a shell command and gives its standard output. Fails the test when the command fails.
std::string shell(const std::string& command);
/// Text in single quotes for a shell.
std::string quoted(const std::string& text);

/// The spec, without modes that keep its maker from reading it unless that is root.
TreeSpec readable(TreeSpec spec);

/// Adds what make_tree() leaves out: holes at every place, a hard link to a symlink, and as root device nodes.
void add_odd_objects(const std::string& directory);

}  // namespace mmh::test
