#include "paths.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "arguments.h"

namespace mmh::cli {

namespace {
struct Source {
  std::string directory;
  std::string path;
};

Source resolve(const std::string& directory, std::string_view path) {
  const bool absolute = path.starts_with('/');
  const auto components = split(path, '/');
  // What stands before the last ".." only says where to look: "a/../b" is b in a/.., wherever a leads.
  std::size_t first = components.size();
  while (first > 0 && components[first - 1] != "..") --first;
  if (absolute && first == 0) return {directory, std::string(path)};  // the library looks it up in "/"
  std::string base = absolute ? "/" : directory;
  for (std::size_t i = 0; i < first; ++i) {
    if (components[i] == ".") continue;
    if (base == ".") {
      base = components[i];
    } else {
      if (!base.ends_with('/')) base += '/';
      base += components[i];
    }
  }
  std::string rest;
  for (std::size_t i = first; i < components.size(); ++i) {
    if (components[i] == ".") continue;
    if (!rest.empty()) rest += '/';
    rest += components[i];
  }
  return {std::move(base), rest.empty() ? "." : std::move(rest)};
}

bool lies_in(std::string_view path, std::string_view directory) {
  return directory.empty() || path == directory ||
         (path.starts_with(directory) && path.substr(directory.size()).starts_with('/'));
}
}  // namespace

Result<Sources> resolve_sources(const std::string& directory, const std::vector<std::string>& paths) {
  Sources sources;
  for (const std::string& path : paths) {
    if (path.empty()) return fail(Errc::usage, "a path is empty");
    Source source = resolve(directory, path);
    if (!sources.paths.empty() && source.directory != sources.directory) {
      return fail(Errc::usage,
                  fmt::format("'{}' lies in '{}', the paths before it in '{}'; name one directory with -C, or pack one "
                              "part and `mmh append` the other",
                              printable(path), printable(source.directory), printable(sources.directory)));
    }
    sources.directory = std::move(source.directory);
    sources.paths.push_back(std::move(source.path));
  }
  return sources;
}

namespace {
// The last name of a path in a directory, where it has none the directory's own.
Result<std::string> own_name(const std::string& directory, std::filesystem::path path) {
  while (!path.has_filename() && path.has_relative_path()) path = path.parent_path();
  if (path == "." || path.filename() == ".") {
    std::error_code error;
    path = std::filesystem::canonical(std::filesystem::path(directory) / path, error);
    if (error) {
      return fail(errno_error(error.value(), fmt::format("cannot find directory '{}'", printable(directory))));
    }
  }
  return path.filename().string();
}

// A path as the directory that holds it, and its name there; one that ends in "." or ".." is a directory's content.
Source beside(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  if (name.empty() || name == "." || name == "..") return {std::string(path), "."};
  if (slash == std::string_view::npos) return {".", std::string(name)};
  return {slash == 0 ? "/" : std::string(path.substr(0, slash)), std::string(name)};
}
}  // namespace

Result<std::string> default_output(const std::string& directory, const std::vector<std::string>& paths) {
  const auto no_name = [] { return fail(Errc::usage, "name the pack with -o FILE"); };
  if (paths.size() != 1) return no_name();
  const Source source = resolve(directory, paths.front());
  // The name stands at the end of the path, or is that of the directory where the path ends in "." or "..".
  MMH_LET(const std::string name, own_name(source.directory, source.path));
  if (name.empty()) return no_name();
  return name + ".mmh";
}

Result<Sources> protection_sources(const std::optional<std::string>& directory, const std::vector<std::string>& paths) {
  if (!directory) {
    Sources sources;
    bool together = true;
    for (const std::string& path : paths) {
      if (path.empty()) return fail(Errc::usage, "a path is empty");
      Source source = beside(path);
      together = together && (sources.paths.empty() || source.directory == sources.directory);
      sources.directory = std::move(source.directory);
      sources.paths.push_back(std::move(source.path));
    }
    if (together) return sources;
  }
  for (const std::string& path : paths) {
    if (path.starts_with('/')) {
      return fail(Errc::usage,
                  fmt::format("'{}' and the others have no directory in common; protect them apart, or name "
                              "them beneath one directory with -C",
                              printable(path)));
    }
  }
  return resolve_sources(directory.value_or("."), paths);
}

Result<std::string> default_protection(const Sources& sources) {
  MMH_LET(const std::string name,
          own_name(sources.directory, sources.paths.size() == 1 ? sources.paths.front() : std::string(".")));
  if (name.empty()) return fail(Errc::usage, "name the protection with -o FILE");
  std::string file = name + ".mmhp";
  if (sources.directory == ".") return file;
  return sources.directory + (sources.directory.ends_with('/') ? "" : "/") + file;
}

std::string entry_pattern(std::string_view text) {
  for (;;) {
    if (text.starts_with("./")) {
      text.remove_prefix(2);
    } else if (text.starts_with('/')) {
      text.remove_prefix(1);
    } else {
      break;
    }
  }
  while (text.ends_with('/')) text.remove_suffix(1);
  return text == "." ? std::string() : std::string(text);
}

bool is_glob(std::string_view text) { return text.find_first_of("*?[\\") != std::string_view::npos; }

Result<Selection> Selection::make(const Pack& pack, const std::vector<std::string>& patterns) {
  Selection selection;
  bool everything = false;
  for (const std::string& given : patterns) {
    const std::string text = entry_pattern(given);
    if (text.empty()) {
      everything = true;
      continue;
    }
    bool found = false;
    const auto stop_at_first = [&](const FileInfo&) -> Result<bool> {
      found = true;
      return false;
    };
    MMH_TRY(pack.list(text, stop_at_first));
    if (!found && is_glob(text)) {
      MMH_TRY(pack.list("", [&](const FileInfo& file) -> Result<bool> {
        found = matches(text, file.path);
        return !found;
      }));
      if (found) {
        selection.patterns_.push_back({text, true});
        continue;
      }
    }
    if (!found) {
      return fail(Errc::not_found, fmt::format("{}: nothing in it is called '{}'; `mmh list` shows what there is",
                                               printable(pack.info().name), printable(given)));
    }
    selection.patterns_.push_back({text, false});
  }
  if (everything) selection.patterns_.clear();
  return selection;
}

Result<> Selection::visit(const Pack& pack, const std::function<Result<bool>(const FileInfo&)>& visitor) const {
  if (patterns_.size() == 1 && !patterns_.front().glob) return pack.list(patterns_.front().text, visitor);
  return pack.list("", [&](const FileInfo& file) -> Result<bool> {
    const bool chosen = takes_all() || std::any_of(patterns_.begin(), patterns_.end(), [&](const Pattern& pattern) {
                          return pattern.glob ? matches(pattern.text, file.path) : lies_in(file.path, pattern.text);
                        });
    return chosen ? visitor(file) : Result<bool>(true);
  });
}

}  // namespace mmh::cli
