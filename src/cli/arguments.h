#pragma once
// Command lines, parsed by the table, as GNU tools parse theirs: options anywhere, combined letters, --name=value,
// "--".

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "command_table.h"

namespace mmh::cli {

/// The words behind a command's name, sorted out. Values have the kind and range that the table demands.
class Arguments {
 public:
  /// Errors: usage, with a suggestion where a word looks like a typo.
  static Result<Arguments> parse(const CommandSpec& command, std::span<const std::string> words);

  const CommandSpec& command() const { return *command_; }
  const std::vector<std::string>& operands() const { return operands_; }
  bool has(OptionId id) const { return values_.contains(id); }
  /// The last value given.
  std::optional<std::string> text(OptionId id) const;
  /// All values given, in order.
  std::vector<std::string> texts(OptionId id) const;
  /// The last value of a number, size or duration.
  std::optional<std::uint64_t> number(OptionId id) const;

 private:
  struct Value {
    std::string text;
    std::uint64_t number = 0;
  };
  explicit Arguments(const CommandSpec& command) : command_(&command) {}
  Result<> add(const OptionSpec& option, std::string_view shown, std::string value);

  const CommandSpec* command_;
  std::vector<std::string> operands_;
  std::map<OptionId, std::vector<Value>> values_;
};

/// The candidate that `word` is most likely a misspelling of; nothing when none is close.
std::optional<std::string_view> closest(std::string_view word, std::span<const std::string_view> candidates);
/// The parts of `text` between separators.
std::vector<std::string_view> split(std::string_view text, char separator);

}  // namespace mmh::cli
