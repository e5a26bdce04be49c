#include "line_layout.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace mmh::content {
namespace {

using codec::Field;
using codec::RecordLayout;
using codec::RecordSchema;

constexpr std::size_t kStreamsMax = 28;  // of fields

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

bool is_mark(char c) { return static_cast<unsigned char>(c) < 128 && !is_digit(c) && !is_letter(c); }

// Whether so many of `all` are nearly all of them.
bool nearly_all(std::size_t count, std::size_t all) { return count * 100 >= all * 92; }

// Takes tokens off the front of a text, each with a terminator behind it that is not part of it.
class Tokens {
 public:
  Tokens(std::string_view text, char terminator) : text_(text), terminator_(terminator) {}
  std::optional<std::string_view> next() {
    const std::size_t end = text_.find(terminator_);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view token = text_.substr(0, end);
    text_.remove_prefix(end + 1);
    return token;
  }

 private:
  std::string_view text_;
  char terminator_;
};

// From all over, so that a stretch of other lines does not decide.
std::vector<std::string_view> sample_of(ByteView data, char terminator, std::size_t count) {
  constexpr std::size_t kParts = 4;
  std::vector<std::string_view> sample;
  for (std::size_t part = 0; part < kParts; ++part) {
    Tokens tokens(as_text(data.subspan(part * (data.size() / kParts))), terminator);
    static_cast<void>(tokens.next());  // one that began before
    for (std::size_t i = 0; i < count / kParts; ++i) {
      const auto token = tokens.next();
      if (!token) break;
      sample.push_back(*token);
    }
  }
  return sample;
}

// Whether the mark at `at` is the point or the sign of a number.
bool is_of_number(std::string_view token, std::size_t at) {
  const char before = at == 0 ? ' ' : token[at - 1];
  const char behind = at + 1 == token.size() ? ' ' : token[at + 1];
  if (token[at] == '.') return is_digit(before) && is_digit(behind);
  return token[at] == '-' && is_mark(before) && (is_digit(behind) || behind == '.');
}

// Which marks count.
enum class Marks { all, but_of_numbers };

// The marks that nearly all begin with, whatever stands between them.
std::string common_marks(const std::vector<std::string_view>& tokens, Marks which) {
  std::vector<std::string> marks;
  for (const std::string_view token : tokens) {
    std::string& of = marks.emplace_back();
    for (std::size_t at = 0; at < token.size(); ++at) {
      if (is_mark(token[at]) && (which == Marks::all || !is_of_number(token, at))) of.push_back(token[at]);
    }
  }
  std::string prefix;
  std::vector<const std::string*> agreeing;
  for (const std::string& of : marks) agreeing.push_back(&of);
  while (prefix.size() < kStreamsMax) {
    std::array<std::uint32_t, 256> counts{};
    for (const std::string* of : agreeing) {
      if (of->size() > prefix.size()) ++counts[static_cast<unsigned char>((*of)[prefix.size()])];
    }
    const auto most = std::ranges::max_element(counts);
    if (!nearly_all(*most, tokens.size())) break;
    const char mark = static_cast<char>(most - counts.begin());
    std::erase_if(agreeing,
                  [&](const std::string* of) { return of->size() <= prefix.size() || (*of)[prefix.size()] != mark; });
    prefix.push_back(mark);
  }
  return prefix;
}

Field terminated(char end, std::size_t stream) {
  return {.kind = Field::Kind::terminated,
          .terminator = static_cast<std::uint8_t>(end),
          .stream = static_cast<std::uint32_t>(stream)};
}

// The first word, marks before it and the one behind it included; empty where there is none.
std::string_view first_word(std::string_view line) {
  constexpr std::size_t kSizeMax = 40;
  line = line.substr(0, kSizeMax);
  const auto word = std::ranges::find_if_not(line, is_mark);
  if (word == line.end() || !is_letter(*word)) return {};
  const auto end = std::find_if(word, line.end(), is_mark);
  if (end == line.end()) return {};
  return line.substr(0, static_cast<std::size_t>(end - line.begin()) + 1);
}

// Lines whose kind their first words tell: each kind has fields of its own.
std::optional<RecordLayout> layout_by_first_word(const std::vector<std::string_view>& lines, char end, Marks which) {
  constexpr std::size_t kKindsMax = 12;
  std::map<std::string_view, std::vector<std::string_view>> kinds;
  for (const std::string_view line : lines) {
    const std::string_view word = first_word(line);
    if (!word.empty()) kinds[word].push_back(line.substr(word.size()));
  }
  std::erase_if(kinds, [&](const auto& kind) { return kind.second.size() * 50 < lines.size(); });
  std::size_t covered = 0;
  for (const auto& [word, rests] : kinds) covered += rests.size();
  if (kinds.empty() || kinds.size() > kKindsMax || covered * 10 < lines.size() * 6) return std::nullopt;

  std::vector<std::string> ends;
  for (const auto& [word, rests] : kinds) ends.push_back(common_marks(rests, which) + end);
  const auto streams = [&](std::size_t of_words) {
    std::size_t count = of_words;
    for (const std::string& of : ends) count += of.size();
    return count;
  };
  // In a stream of its own, a word takes next to nothing: which kind of line it is is known already. Where there are no
  // streams for that, words share one.
  const bool is_shared = streams(kinds.size()) > kStreamsMax;
  // What there are no streams for stays with the rest of the line.
  while (streams(is_shared ? 1 : kinds.size()) > kStreamsMax) {
    std::string& longest = *std::ranges::max_element(ends, {}, &std::string::size);
    longest.erase(longest.size() - 2, 1);
  }
  RecordLayout layout;
  std::size_t stream = is_shared ? 1 : 0;
  std::size_t kind = 0;
  for (const auto& [word, rests] : kinds) {
    RecordSchema& schema = layout.schemas.emplace_back();
    schema.signature = copy_of(std::as_bytes(std::span(word)));
    schema.fields.push_back({.width = static_cast<std::uint32_t>(word.size()),
                             .stream = is_shared ? 0 : static_cast<std::uint32_t>(stream++)});
    for (const char of : ends[kind]) schema.fields.push_back(terminated(of, stream++));
    ++kind;
  }
  return layout;
}

// Where rows of text of one length are cut, into less than `fields_max`: before spaces that all have in the same place
// and, with `at_marks`, behind other marks.
std::vector<Field> fields_under_each_other(const std::vector<std::string_view>& rows, bool at_marks,
                                           std::size_t fields_max) {
  const std::size_t width = rows[0].size();
  std::vector<Field> fields;
  std::size_t from = 0;
  bool was_space = true;
  const auto cut = [&](std::size_t to) {
    if (to == from) return;
    fields.push_back(
        {.width = static_cast<std::uint32_t>(to - from), .stream = static_cast<std::uint32_t>(fields.size())});
    from = to;
  };
  for (std::size_t at = 0; at < width && fields.size() + 2 < fields_max; ++at) {
    std::array<std::uint32_t, 128> counts{};
    for (const std::string_view row : rows) {
      if (const auto byte = static_cast<unsigned char>(row[at]); byte < 128) ++counts[byte];
    }
    const auto most = std::ranges::max_element(counts);
    const char mark = static_cast<char>(most - counts.begin());
    const bool is_common = *most * std::size_t{50} >= rows.size() * 49 && is_mark(mark);
    const bool is_space = is_common && mark == ' ';
    if (is_space && !was_space) cut(at);
    was_space = is_space;
    if (!at_marks || !is_common || is_space || mark == '.' || mark == '-') continue;
    fields.push_back(terminated(mark, fields.size()));
    from = at + 1;
    was_space = true;
  }
  cut(width);
  return fields;
}

// Lines of one length, or of a few.
std::optional<RecordLayout> layout_of_even_lines(const std::vector<std::string_view>& lines, char end) {
  constexpr std::size_t kWidthMin = 8;
  constexpr std::size_t kWidthMax = 1024;
  constexpr std::size_t kKindsMax = 6;
  std::map<std::size_t, std::vector<std::string_view>> by_width;
  for (const std::string_view line : lines) {
    if (line.size() >= kWidthMin && line.size() <= kWidthMax) by_width[line.size()].push_back(line);
  }
  std::erase_if(by_width, [&](const auto& kind) { return kind.second.size() * 20 < lines.size(); });
  std::size_t covered = 0;
  for (const auto& [width, rows] : by_width) covered += rows.size();
  if (by_width.empty() || by_width.size() > kKindsMax || covered * 10 < lines.size() * 6) return std::nullopt;
  RecordLayout layout;
  std::size_t stream = 0;
  std::size_t left = by_width.size();
  for (const auto& [width, rows] : by_width) {
    RecordSchema& schema = layout.schemas.emplace_back();
    schema.fields = fields_under_each_other(rows, true, (kStreamsMax - stream) / left--);
    for (Field& field : schema.fields) field.stream = static_cast<std::uint32_t>(stream++);
    schema.fields.push_back(terminated(end, stream++));
  }
  if (layout.schemas.size() == 1 && layout.schemas[0].fields.size() < 3) return std::nullopt;
  return layout;
}

// Lines that are a number each.
std::optional<RecordLayout> layout_of_numbers(const std::vector<std::string_view>& lines, char end) {
  const auto numbers = std::ranges::count_if(
      lines, [](std::string_view line) { return line.find_first_not_of("0123456789.- ") == std::string_view::npos; });
  if (!nearly_all(static_cast<std::size_t>(numbers), lines.size())) return std::nullopt;
  RecordLayout layout;
  layout.schemas.emplace_back().fields.push_back(terminated(end, 0));
  return layout;
}

}  // namespace

Buffer lines_from(ByteView raw, std::size_t size, char end) {
  constexpr std::size_t kParts = 6;
  if (raw.size() <= size) return copy_of(raw);
  Buffer lines;
  lines.reserve(size);
  for (std::size_t part = 0; part < kParts; ++part) {
    std::string_view text = as_text(raw.subspan((raw.size() - size / kParts) / (kParts - 1) * part, size / kParts));
    if (part != 0) text.remove_prefix(std::min(text.size(), text.find(end) + 1));
    text = text.substr(0, text.rfind(end) + 1);
    append(lines, std::as_bytes(std::span(text)));
  }
  return lines;
}

std::vector<char> ends_of_lines(ByteView raw) {
  constexpr std::size_t kSampleSize = std::size_t{64} << 10;
  constexpr std::size_t kLong = 400;
  constexpr std::size_t kShort = 8;
  const std::size_t size = std::min(raw.size(), kSampleSize);
  const std::string_view sample = as_text(raw.subspan((raw.size() - size) / 2, size));
  const auto mean_of = [&](char end) {
    const auto count = static_cast<std::size_t>(std::ranges::count(sample, end));
    return sample.size() / std::max<std::size_t>(count, 1);
  };
  if (mean_of('\n') <= kLong) return {'\n'};
  std::vector<char> ends;
  for (const char end : std::string_view("}])>")) {
    if (const std::size_t mean = mean_of(end); mean >= kShort && mean <= kLong) ends.push_back(end);
  }
  return ends;
}

std::vector<RecordLayout> layouts_of_text(ByteView data, std::uint8_t terminator) {
  constexpr std::size_t kTokensMax = 400;
  constexpr std::size_t kTokensMin = 24;
  const std::vector<std::string_view> tokens = sample_of(data, static_cast<char>(terminator), kTokensMax);
  if (tokens.size() < kTokensMin) return {};
  std::vector<std::string> found;  // the ends of the fields before the last
  const auto offer = [&](std::string ends) {
    if (ends.empty() || ends.size() >= kStreamsMax || std::ranges::find(found, ends) != found.end()) return;
    found.push_back(std::move(ends));
  };
  for (const Marks which : {Marks::all, Marks::but_of_numbers}) offer(common_marks(tokens, which));
  // A separator that nearly all have as often.
  for (const char separator : std::string_view("\t,;| \":=")) {
    std::map<std::size_t, std::size_t> counts;
    for (const std::string_view token : tokens)
      ++counts[static_cast<std::size_t>(std::ranges::count(token, separator))];
    const auto most = std::ranges::max_element(counts, {}, [](const auto& entry) { return entry.second; });
    if (most->first > 0 && most->second * 100 >= tokens.size() * 90) offer(std::string(most->first, separator));
  }
  // Words at the front, then the rest of the line.
  std::vector<std::size_t> spaces;
  for (const std::string_view token : tokens)
    spaces.push_back(static_cast<std::size_t>(std::ranges::count(token, ' ')));
  std::ranges::sort(spaces);
  offer(std::string(std::min<std::size_t>(spaces[tokens.size() / 50], 12), ' '));

  std::vector<RecordLayout> layouts;
  for (const std::string& ends : found) {
    RecordSchema& schema = layouts.emplace_back().schemas.emplace_back();
    for (const char end : ends + static_cast<char>(terminator)) {
      schema.fields.push_back(terminated(end, schema.fields.size()));
    }
  }
  return layouts;
}

std::vector<RecordLayout> layouts_of_lines(ByteView data, char end) {
  constexpr std::size_t kLinesMax = 1200;
  constexpr std::size_t kLinesMin = 24;
  const std::vector<std::string_view> lines = sample_of(data, end, kLinesMax);
  if (lines.size() < kLinesMin) return {};
  std::vector<RecordLayout> layouts;
  for (const Marks which : {Marks::all, Marks::but_of_numbers}) {
    if (auto layout = layout_by_first_word(lines, end, which)) layouts.push_back(*std::move(layout));
  }
  if (auto layout = layout_of_even_lines(lines, end)) layouts.push_back(*std::move(layout));
  if (auto layout = layout_of_numbers(lines, end)) layouts.push_back(*std::move(layout));
  return layouts;
}

std::optional<RecordLayout> layout_of_columns_of_text(ByteView data, std::size_t width) {
  constexpr std::size_t kWidthMin = 8;
  constexpr std::size_t kRowsMin = 24;
  constexpr std::size_t kRowsMax = 400;
  if (width < kWidthMin || data.size() / width < kRowsMin) return std::nullopt;
  std::vector<std::string_view> rows;
  std::size_t odd = 0;
  for (; rows.size() < kRowsMax && data.size() >= width; data = data.subspan(width)) {
    rows.push_back(as_text(data.first(width)));
    odd += static_cast<std::size_t>(
        std::ranges::count_if(rows.back(), [](char c) { return static_cast<unsigned char>(c) < ' '; }));
  }
  if (odd * 16 > rows.size() * width) return std::nullopt;
  RecordLayout layout;
  RecordSchema& schema = layout.schemas.emplace_back();
  schema.fields = fields_under_each_other(rows, false, kStreamsMax);
  if (schema.fields.size() < 2) return std::nullopt;
  return layout;
}

}  // namespace mmh::content
