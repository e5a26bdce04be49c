#include "text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ctime>
#include <limits>

namespace mmh::cli {

namespace {
struct Unit {
  std::string_view suffix;
  std::uint64_t factor;
};
constexpr std::array<Unit, 5> kSizeUnits = {{
    {"K", std::uint64_t{1} << 10},
    {"M", std::uint64_t{1} << 20},
    {"G", std::uint64_t{1} << 30},
    {"T", std::uint64_t{1} << 40},
    {"P", std::uint64_t{1} << 50},
}};
constexpr std::array<Unit, 4> kTimeUnits = {{{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}}};

struct Quantity {
  std::uint64_t number;
  std::string_view unit;
};

Result<Quantity> split_quantity(std::string_view text, std::string_view example) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) return fail(Errc::usage, fmt::format("'{}' is too large", text));
  if (error != std::errc{}) {
    return fail(Errc::usage, fmt::format("'{}' is not a whole number, such as {}", printable(text), example));
  }
  return Quantity{number, text.substr(static_cast<std::size_t>(end - text.data()))};
}

Result<std::uint64_t> scale(const Quantity& quantity, std::uint64_t factor, std::string_view text) {
  std::uint64_t scaled = 0;
  if (__builtin_mul_overflow(quantity.number, factor, &scaled)) {
    return fail(Errc::usage, fmt::format("'{}' is too large", text));
  }
  return scaled;
}

std::tm broken_down(std::int64_t seconds, bool local) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  if ((local ? ::localtime_r(&time, &parts) : ::gmtime_r(&time, &parts)) == nullptr) parts = std::tm{};
  return parts;
}

enum class Rounding : std::uint8_t { nearest, down };

std::string with_unit(double value, double step, std::span<const std::string_view> units,
                      Rounding rounding = Rounding::nearest) {
  std::size_t unit = 0;
  // 999.95 and above would print as 1000.0.
  const double limit = rounding == Rounding::nearest ? step - 0.05 : step;
  while (unit + 1 < units.size() && value >= limit) {
    value /= step;
    ++unit;
  }
  if (rounding == Rounding::down) value = std::floor(value * 10) / 10;
  return unit == 0 ? fmt::format("{:.0f} {}", value, units[0]) : fmt::format("{:.1f} {}", value, units[unit]);
}

constexpr std::array<std::string_view, 7> kBinaryUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
}  // namespace

std::string format_size(std::uint64_t bytes) { return with_unit(static_cast<double>(bytes), 1024, kBinaryUnits); }

std::string format_count(std::uint64_t count) {
  std::string digits = fmt::format("{}", count);
  for (std::size_t end = digits.size(); end > 3; end -= 3) digits.insert(end - 3, 1, ',');
  return digits;
}

std::string format_count(std::uint64_t count, std::string_view singular, std::string_view plural) {
  return fmt::format("{} {}", format_count(count), count == 1 ? singular : plural);
}

std::string format_ratio(std::uint64_t raw_bytes, std::uint64_t stored_bytes) {
  if (stored_bytes == 0) return "-";
  return fmt::format("{:.2f}x", static_cast<double>(raw_bytes) / static_cast<double>(stored_bytes));
}

std::string format_speed(std::uint64_t bytes, double seconds) {
  if (seconds <= 0) return "-";
  const double speed = static_cast<double>(bytes) / 1e6 / seconds;
  return speed < 99.95 ? fmt::format("{:.1f} MB/s", speed) : fmt::format("{:.0f} MB/s", speed);
}

std::string format_clock(double seconds) {
  const auto whole = static_cast<std::uint64_t>(std::clamp(seconds + 0.5, 0.0, 1e15));
  const std::uint64_t hours = whole / 3600, minutes = whole / 60 % 60;
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60);
  return fmt::format("{}:{:02}", minutes, whole % 60);
}

std::string format_span(double seconds) {
  if (seconds < 90) return fmt::format("{:.0f} s", seconds);
  if (seconds < 90 * 60) return fmt::format("{:.0f} min", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{:.1f} h", seconds / 3600);
  return fmt::format("{:.1f} days", seconds / 86400);
}

std::string format_local_time(std::int64_t seconds) {
  const std::tm parts = broken_down(seconds, true);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}", parts.tm_year + std::int64_t{1900}, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min);
}

std::string format_utc_time(std::int64_t seconds, std::uint32_t nanoseconds) {
  const std::tm parts = broken_down(seconds, false);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", parts.tm_year + std::int64_t{1900}, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, nanoseconds);
}

std::string format_mode(FileType type, std::uint32_t mode) {
  std::string text = "?rwxrwxrwx";
  switch (type) {
    case FileType::regular:
      text[0] = '-';
      break;
    case FileType::directory:
      text[0] = 'd';
      break;
    case FileType::symlink:
      text[0] = 'l';
      break;
    case FileType::hard_link:
      text[0] = 'h';
      break;
    case FileType::fifo:
      text[0] = 'p';
      break;
    case FileType::character_device:
      text[0] = 'c';
      break;
    case FileType::block_device:
      text[0] = 'b';
      break;
  }
  for (unsigned bit = 0; bit < 9; ++bit) {
    if ((mode & (0400U >> bit)) == 0) text[bit + 1] = '-';
  }
  if ((mode & 04000U) != 0) text[3] = text[3] == 'x' ? 's' : 'S';
  if ((mode & 02000U) != 0) text[6] = text[6] == 'x' ? 's' : 'S';
  if ((mode & 01000U) != 0) text[9] = text[9] == 'x' ? 't' : 'T';
  return text;
}

std::string_view type_name(FileType type) {
  switch (type) {
    case FileType::regular:
      return "file";
    case FileType::directory:
      return "directory";
    case FileType::symlink:
      return "symlink";
    case FileType::hard_link:
      return "hard_link";
    case FileType::fifo:
      return "fifo";
    case FileType::character_device:
      return "character_device";
    case FileType::block_device:
      return "block_device";
  }
  return "unknown";
}

Result<std::uint64_t> parse_size(std::string_view text) {
  MMH_LET(const Quantity quantity, split_quantity(text, "64K, 256M or 1G"));
  if (quantity.unit.empty() || quantity.unit == "B") return quantity.number;
  for (const Unit& unit : kSizeUnits) {
    if (quantity.unit == unit.suffix || quantity.unit == std::string(unit.suffix) + "iB") {
      return scale(quantity, unit.factor, text);
    }
  }
  return fail(Errc::usage, fmt::format("'{}' is not a size; write it as 64K, 256M or 1G", printable(text)));
}

Result<std::uint64_t> parse_share(std::string_view text) {
  constexpr std::uint64_t kOfPercent = 10'000;
  if (text == "0") return std::uint64_t{0};
  const auto wrong = [&] {
    return fail(Errc::usage, fmt::format("'{}' is not a share; write it as 1%, 0.5% or 0", printable(text)));
  };
  std::string_view number = text;
  if (!number.ends_with('%')) return wrong();
  number.remove_suffix(1);
  const std::size_t point = std::min(number.find('.'), number.size());
  const std::string_view whole = number.substr(0, point);
  const std::string_view decimals = point < number.size() ? number.substr(point + 1) : std::string_view();
  const auto digits = [](std::string_view part) {
    return std::ranges::all_of(part, [](char letter) { return letter >= '0' && letter <= '9'; });
  };
  if (whole.empty() || whole.size() > 3 || decimals.size() > 4 || !digits(whole) || !digits(decimals) ||
      (point < number.size() && decimals.empty())) {
    return wrong();
  }
  std::uint64_t ppm = 0;
  for (const char letter : whole) ppm = 10 * ppm + static_cast<std::uint64_t>(letter - '0');
  ppm *= kOfPercent;
  std::uint64_t unit = kOfPercent;
  for (const char letter : decimals) {
    unit /= 10;
    ppm += unit * static_cast<std::uint64_t>(letter - '0');
  }
  return ppm;
}

std::string shell_word(std::string_view text) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_./+:,@%=-").contains(c) || static_cast<unsigned char>(c) >= 0x80;
  };
  std::string word = printable(text);
  if (!word.empty() && std::ranges::all_of(word, is_plain)) return word;
  for (std::size_t at = 0; (at = word.find('\'', at)) != std::string::npos; at += 4) word.replace(at, 1, "'\\''");
  return "'" + word + "'";
}

std::string format_share(std::uint64_t ppm) {
  std::string text = fmt::format("{}.{:04}", ppm / 10'000, ppm % 10'000);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text + " %";
}

std::string format_promise(const ParityInfo& parity) {
  std::string text =
      fmt::format("survives any {} lost in one piece, or any {} of {}, scattered",
                  with_unit(static_cast<double>(parity.one_piece_bytes), 1024, kBinaryUnits, Rounding::down),
                  format_count(parity.sectors, "sector", "sectors"), format_size(parity.sector_bytes));
  const bool larger = parity.spared_sector_bytes > parity.sector_bytes;
  if (parity.sectors_without_checks > parity.sectors || larger) {
    text += fmt::format(" ({}{} that {} its checks)", format_count(parity.sectors_without_checks),
                        larger ? " of " + format_size(parity.spared_sector_bytes) : "",
                        parity.sectors_without_checks == 1 ? "spares" : "spare");
  }
  return text;
}

Result<std::uint64_t> parse_duration(std::string_view text) {
  MMH_LET(const Quantity quantity, split_quantity(text, "90s, 10m or 2h"));
  for (const Unit& unit : kTimeUnits) {
    if (quantity.unit == unit.suffix) return scale(quantity, unit.factor, text);
  }
  return fail(Errc::usage, fmt::format("'{}' is not a length of time; write it as 90s, 10m or 2h", printable(text)));
}

Result<std::uint64_t> parse_number(std::string_view text) {
  MMH_LET(const Quantity quantity, split_quantity(text, "4"));
  if (!quantity.unit.empty()) return fail(Errc::usage, fmt::format("'{}' is not a whole number", printable(text)));
  return quantity.number;
}

std::vector<std::string> wrap(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  std::string line;
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, space);
    text.remove_prefix(std::min(space + 1, text.size()));
    if (!line.empty() && columns_of(line) + 1 + columns_of(word) > width) {
      lines.push_back(std::move(line));
      line.clear();
    }
    if (!line.empty()) line += ' ';
    line += word;
  }
  if (!line.empty()) lines.push_back(std::move(line));
  return lines;
}

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string Table::str(std::string_view indent) const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns_of(row[i]));
  }
  std::string text;
  for (const auto& row : rows_) {
    text += indent;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - columns_of(row[i]), ' ');
      if (i == 0) {
        text += row[i];
        if (row.size() > 1) text += padding;
      } else {
        text += "  ";
        text += padding;
        text += row[i];
      }
    }
    text += '\n';
  }
  return text;
}

}  // namespace mmh::cli
