#pragma once
// From paths as people type them to what the library takes: a directory, and paths beneath it.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mmh/pack.h"

namespace mmh::cli {

/// Where to look, and what for.
struct Sources {
  std::string directory = ".";
  std::vector<std::string> paths;
};

/// Translates paths relative to `directory`: an absolute path is looked up in "/" and stored without it; of ".." only
/// what follows is stored ("../model" as "model"). Errors: usage, when the paths would need different directories.
Result<Sources> resolve_sources(const std::string& directory, const std::vector<std::string>& paths);

/// What a pack of these paths is called when nobody says: "model.mmh" for "./model", the directory's own name for ".".
/// Errors: usage, when there is no obvious name.
Result<std::string> default_output(const std::string& directory, const std::vector<std::string>& paths);

/// Where to protect what is named: beneath `directory`, or, where nobody says, beneath the directory that holds all
/// that is named, so that the protection can lie beside it. Errors: usage, when the paths have no such directory.
Result<Sources> protection_sources(const std::optional<std::string>& directory, const std::vector<std::string>& paths);
/// What a protection of these is called when nobody says: "photos.mmhp" beside "photos"; of several files the name of
/// the directory that holds them, and in it. Errors: usage, io.
Result<std::string> default_protection(const Sources& sources);

/// A path or glob within a pack, without "./" and '/' in front and '/' behind.
std::string entry_pattern(std::string_view text);
bool is_glob(std::string_view text);

/// Which entries of a pack the user named.
class Selection {
 public:
  /// A pattern that is an entry's exact path, or a directory's, stands for that, even if it looks like a glob.
  static Result<Selection> make(const Pack& pack, const std::vector<std::string>& patterns);
  bool takes_all() const { return patterns_.empty(); }
  /// Visits the chosen entries in path order, each once.
  Result<> visit(const Pack& pack, const std::function<Result<bool>(const FileInfo&)>& visitor) const;

 private:
  struct Pattern {
    std::string text;
    bool glob;
  };
  std::vector<Pattern> patterns_;
};

}  // namespace mmh::cli
