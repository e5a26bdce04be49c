#pragma once
// Numbers, sizes and times as people write and read them.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mmh/pack.h"

namespace mmh::cli {

/// "512 B", "51.2 MiB": powers of 1024.
std::string format_size(std::uint64_t bytes);
/// "1,234,567".
std::string format_count(std::uint64_t count);
/// "1 file", "1,234 files".
std::string format_count(std::uint64_t count, std::string_view singular, std::string_view plural);
/// "3.41x"; "-" where nothing is stored.
std::string format_ratio(std::uint64_t raw_bytes, std::uint64_t stored_bytes);
/// "212 MB/s": powers of 1000, as compressors report it; "-" where no time passed.
std::string format_speed(std::uint64_t bytes, double seconds);
/// "0:05", "1:02:03".
std::string format_clock(double seconds);
/// "45 s", "12 min", "3.4 h", "2.1 days".
std::string format_span(double seconds);
/// "2024-05-17 09:30", local time.
std::string format_local_time(std::int64_t seconds);
/// "2024-05-17T07:30:00.000000001Z".
std::string format_utc_time(std::int64_t seconds, std::uint32_t nanoseconds);
/// "-rw-r--r--", as ls prints it.
std::string format_mode(FileType type, std::uint32_t mode);
std::string_view type_name(FileType type);

/// Bytes: a whole number, with K, M, G, T or P (also KiB and so on) for powers of 1024. Errors: usage.
Result<std::uint64_t> parse_size(std::string_view text);
/// Parts per million: a number with at most four decimals and a per cent sign, or 0. Errors: usage.
Result<std::uint64_t> parse_share(std::string_view text);
/// printable(), in quotes where a shell needs them: for commands that are advised.
std::string shell_word(std::string_view text);
/// "1 %", "0.5 %": of parts per million.
std::string format_share(std::uint64_t ppm);
/// "survives any 51.2 MiB lost in one piece, or any 152 sectors of 4.0 KiB, scattered (824 that spare its checks)".
/// Nothing is rounded up.
std::string format_promise(const ParityInfo& parity);
/// Seconds: a whole number with s, m, h or d. Errors: usage.
Result<std::uint64_t> parse_duration(std::string_view text);
/// Errors: usage.
Result<std::uint64_t> parse_number(std::string_view text);

/// Breaks `text` into lines of at most `width` columns.
std::vector<std::string> wrap(std::string_view text, std::size_t width);
/// Columns that UTF-8 text takes on a terminal, where every character takes one.
std::size_t columns_of(std::string_view text);

/// A plain table: the first column left-aligned, the others right-aligned.
class Table {
 public:
  explicit Table(std::vector<std::string> heading) { add(std::move(heading)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool has_rows() const { return rows_.size() > 1; }
  std::string str(std::string_view indent = {}) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace mmh::cli
