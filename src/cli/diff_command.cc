// mmh diff.
#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <utility>

#include "commands.h"
#include "entry_json.h"
#include "paths.h"
#include "text.h"

namespace mmh::cli {

namespace {
bool is_directory(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

ChangeKind reversed(ChangeKind kind) {
  if (kind == ChangeKind::added) return ChangeKind::removed;
  if (kind == ChangeKind::removed) return ChangeKind::added;
  return kind;
}

struct ChangeWords {
  char letter;
  std::string_view name;   // in a change
  std::string_view count;  // in the summary
  Color color;
};

ChangeWords words_of(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::added:
      return {'A', "added", "added", Color::green};
    case ChangeKind::removed:
      return {'D', "removed", "removed", Color::red};
    case ChangeKind::content:
      return {'M', "content", "content_changed", Color::yellow};
    case ChangeKind::metadata:
      return {'m', "metadata", "metadata_changed", Color::yellow};
    case ChangeKind::type:
      return {'T', "type", "type_changed", Color::yellow};
  }
  return {'?', "unknown", "unknown", Color::yellow};
}

class ChangePrinter {
 public:
  explicit ChangePrinter(Session& session, bool reverse)
      : session_(session), reverse_(reverse), printable_names_(session.out.is_terminal()) {}

  Result<> operator()(ChangeKind kind, const FileInfo* before, const FileInfo* after) {
    MMH_TRY(check_cancelled(&session_.cancel));
    if (reverse_) {
      kind = reversed(kind);
      std::swap(before, after);
    }
    ++counts_[static_cast<std::size_t>(kind)];
    const ChangeWords words = words_of(kind);
    const std::string& path = after != nullptr ? after->path : before->path;
    if (session_.reporter.json()) {
      JsonObject object("change");
      object.add("change", words.name).add_path("path", path);
      const auto add_side = [&](std::string_view name, const FileInfo* file) {
        if (file == nullptr) return;
        JsonObject side;
        add_entry(side, *file);
        object.add(name, side);
      };
      add_side("before", before);
      add_side("after", after);
      session_.reporter.json_line(object);
    } else if (!session_.reporter.quiet()) {
      session_.reporter.finish();
      session_.out.write(fmt::format("{} {}\n", session_.reporter.colored(words.color, std::string(1, words.letter)),
                                     printable_names_ ? printable(path) : path));
    }
    return session_.out.check();
  }

  bool any() const { return total() > 0; }
  JsonObject json_summary() const {
    JsonObject object("summary");
    object.add("command", "diff");
    for (std::size_t i = 0; i < counts_.size(); ++i) object.add(words_of(static_cast<ChangeKind>(i)).count, counts_[i]);
    return object;
  }

 private:
  std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : counts_) sum += count;
    return sum;
  }
  Session& session_;
  const bool reverse_, printable_names_;
  std::array<std::uint64_t, 5> counts_{};
};

// A file that opens as a pack is one; one that does not, and is not called one, is an ordinary file to compare with.
Result<std::optional<Pack>> open_if_pack(Session& session, const std::string& path) {
  if (path != "-" && is_directory(path)) return std::nullopt;
  Result<Pack> pack = session.open_pack(path);
  if (pack) return std::optional<Pack>(*std::move(pack));
  if (pack.error().code == Errc::corrupt && path != "-" && !path.ends_with(".mmh")) return std::nullopt;
  return fail(pack.error());
}

Result<> diff_with_files(Session& session, const Pack& pack, const std::vector<std::string>& paths,
                         ChangePrinter& printer) {
  const Arguments& arguments = session.arguments;
  PackOptions options;
  static_cast<RunOptions&>(options) = session.run_options();
  MMH_LET(Sources sources, resolve_sources(arguments.text(OptionId::directory).value_or("."), paths));
  options.directory = sources.directory;
  options.exclude = arguments.texts(OptionId::exclude);
  options.include = arguments.texts(OptionId::include);
  options.follow = arguments.has(OptionId::follow);
  options.one_file_system = arguments.has(OptionId::one_file_system);
  options.xattrs = !arguments.has(OptionId::no_xattrs);
  return diff(pack, sources.paths, options, std::ref(printer));
}
}  // namespace

Result<Status> run_diff(Session& session) {
  const auto& operands = session.arguments.operands();
  if (operands.size() < 2) return fail(Errc::usage, "name two packs, or a pack and files: mmh diff PACK PACK|PATH...");
  const bool in_directory = session.arguments.has(OptionId::directory);
  const bool reverse = operands.size() == 2 && is_directory(operands[0]) && !is_directory(operands[1]);
  ChangePrinter printer(session, reverse);
  MMH_LET(const Pack first, session.open_pack(operands[reverse ? 1 : 0]));
  std::vector<std::string> others(operands.begin() + 1, operands.end());
  if (reverse) others = {operands[0]};
  std::optional<Pack> second;
  if (others.size() == 1 && !in_directory) {
    MMH_LET(second, open_if_pack(session, others.front()));
  }
  MMH_TRY(second ? diff(first, *second, std::ref(printer)) : diff_with_files(session, first, others, printer));
  session.reporter.json_line(printer.json_summary());
  return printer.any() || session.reporter.warnings() > 0 ? Status::warnings : Status::success;
}

}  // namespace mmh::cli
