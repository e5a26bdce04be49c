#include "arguments.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "text.h"

namespace mmh::cli {

namespace {
// Edits (insert, delete, replace, swap of neighbours) between two words: optimal string alignment.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

std::string see_help(const CommandSpec& command) { return fmt::format("see `mmh help {}`", command.name); }

std::unexpected<Error> unknown_option(const CommandSpec& command, std::string_view shown, std::string_view name) {
  std::vector<std::string_view> names;
  for_each_option(command, [&](const OptionSpec& option) { names.push_back(option.name); });
  const auto meant = closest(name, names);
  return fail(Errc::usage, fmt::format("{}: unknown option '{}'; {}", command.name, printable(shown),
                                       meant ? fmt::format("did you mean '--{}'?", *meant) : see_help(command)));
}

const OptionSpec* find_option(const CommandSpec& command, std::string_view name) {
  const OptionSpec* found = nullptr;
  for_each_option(command, [&](const OptionSpec& option) {
    if (option.name == name) found = &option;
  });
  return found;
}

const OptionSpec* find_letter(const CommandSpec& command, char letter) {
  const OptionSpec* found = nullptr;
  for_each_option(command, [&](const OptionSpec& option) {
    if (option.letter == letter || (option.digits && letter >= '1' && letter <= '9')) found = &option;
  });
  return found;
}
}  // namespace

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::optional<std::string_view> closest(std::string_view word, std::span<const std::string_view> candidates) {
  constexpr std::size_t kWordMax = 64;  // the cost is quadratic, and nothing of ours is longer
  if (word.empty() || word.size() > kWordMax) return std::nullopt;
  std::optional<std::string_view> best;
  std::size_t best_cost = word.size() / 3 + 2;
  for (const std::string_view candidate : candidates) {
    // A beginning of at least three letters counts as one edit.
    const bool begins = word.size() >= 3 && candidate.starts_with(word);
    const std::size_t cost = begins ? 1 : edit_distance(word, candidate);
    if (cost < best_cost && cost < candidate.size()) {
      best = candidate;
      best_cost = cost;
    }
  }
  return best;
}

Result<Arguments> Arguments::parse(const CommandSpec& command, std::span<const std::string> words) {
  Arguments parsed(command);
  bool options_end = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (options_end || word == "-" || !word.starts_with('-')) {
      parsed.operands_.emplace_back(word);
      continue;
    }
    if (word == "--") {
      options_end = true;
      continue;
    }
    const auto next_word = [&](const OptionSpec& option, std::string_view shown) -> Result<std::string> {
      if (i + 1 < words.size()) return words[++i];
      return fail(Errc::usage,
                  fmt::format("{}: option '{}' needs a value: {}", command.name, shown, option.placeholder));
    };
    if (word.starts_with("--")) {
      const std::size_t equals = std::min(word.find('='), word.size());
      const std::string_view shown = word.substr(0, equals);
      const OptionSpec* const option = find_option(command, shown.substr(2));
      if (option == nullptr) return unknown_option(command, shown, shown.substr(2));
      std::string value;
      if (option->kind == ValueKind::none) {
        if (equals < word.size()) {
          return fail(Errc::usage, fmt::format("{}: option '{}' takes no value", command.name, shown));
        }
      } else if (equals < word.size()) {
        value = word.substr(equals + 1);
      } else {
        MMH_LET(value, next_word(*option, shown));
      }
      MMH_TRY(parsed.add(*option, shown, std::move(value)));
      continue;
    }
    // "-output x" is a dash forgotten, not "-o utput".
    if (word.size() > 2 && find_option(command, word.substr(1, word.find('=') - 1)) != nullptr) {
      return unknown_option(command, word, word.substr(1));
    }
    for (std::size_t at = 1; at < word.size(); ++at) {
      const char letter = word[at];
      const std::string shown = std::string("-") + letter;
      const OptionSpec* const option = find_letter(command, letter);
      if (option == nullptr) {
        return unknown_option(command, at == 1 ? word : std::string_view(shown), word.substr(1));
      }
      if (option->kind == ValueKind::none) {
        MMH_TRY(parsed.add(*option, shown, {}));
      } else if (option->digits && letter >= '1' && letter <= '9') {
        MMH_TRY(parsed.add(*option, shown, std::string(1, letter)));
      } else if (at + 1 < word.size()) {
        MMH_TRY(parsed.add(*option, shown, std::string(word.substr(at + 1))));
        break;
      } else {
        MMH_LET(std::string value, next_word(*option, shown));
        MMH_TRY(parsed.add(*option, shown, std::move(value)));
      }
    }
  }
  return parsed;
}

Result<> Arguments::add(const OptionSpec& option, std::string_view shown, std::string value) {
  const auto refuse = [&](std::string_view why) {
    return fail(Errc::usage, fmt::format("{}: option '{}': {}", command_->name, shown, why));
  };
  Value kept{std::move(value), 0};
  Result<std::uint64_t> number{0};
  switch (option.kind) {
    case ValueKind::none:
      break;
    case ValueKind::text:
      if (kept.text.empty()) return refuse(fmt::format("{} is empty", option.placeholder));
      break;
    case ValueKind::choice: {
      const auto choices = split(option.choices, '|');
      if (std::find(choices.begin(), choices.end(), kept.text) == choices.end()) {
        const auto meant = closest(kept.text, choices);
        return refuse(fmt::format("'{}' is none of {}{}", printable(kept.text), fmt::join(choices, ", "),
                                  meant ? fmt::format("; did you mean '{}'?", *meant) : ""));
      }
      break;
    }
    case ValueKind::number:
      number = parse_number(kept.text);
      break;
    case ValueKind::size:
      number = parse_size(kept.text);
      break;
    case ValueKind::duration:
      number = parse_duration(kept.text);
      break;
    case ValueKind::share:
      number = parse_share(kept.text);
      break;
  }
  if (!number) return refuse(number.error().what);
  kept.number = *number;
  if (option.kind >= ValueKind::number && (kept.number < option.min || kept.number > option.max)) {
    const auto shown_bound = [&](std::uint64_t bound) {
      return option.kind == ValueKind::size    ? format_size(bound)
             : option.kind == ValueKind::share ? format_share(bound)
                                               : fmt::format("{}", bound);
    };
    return refuse(
        option.max == UINT64_MAX
            ? fmt::format("'{}' is too small; at least {}", kept.text, shown_bound(option.min))
            : fmt::format("'{}' is not from {} to {}", kept.text, shown_bound(option.min), shown_bound(option.max)));
  }
  std::vector<Value>& values = values_[option.id];
  if (!option.repeats) values.clear();
  values.push_back(std::move(kept));
  return {};
}

std::optional<std::string> Arguments::text(OptionId id) const {
  const auto found = values_.find(id);
  if (found == values_.end()) return std::nullopt;
  return found->second.back().text;
}

std::vector<std::string> Arguments::texts(OptionId id) const {
  std::vector<std::string> texts;
  if (const auto found = values_.find(id); found != values_.end()) {
    for (const Value& value : found->second) texts.push_back(value.text);
  }
  return texts;
}

std::optional<std::uint64_t> Arguments::number(OptionId id) const {
  const auto found = values_.find(id);
  if (found == values_.end()) return std::nullopt;
  return found->second.back().number;
}

}  // namespace mmh::cli
