#include "text.h"

#include "support/support.h"

namespace mmh::cli {
namespace {

TEST(Text, SizesHaveOneDigitBehindThePointAndPowersOf1024) {
  EXPECT_EQ(format_size(0), "0 B");
  EXPECT_EQ(format_size(999), "999 B");
  EXPECT_EQ(format_size(1024), "1.0 KiB");
  EXPECT_EQ(format_size(53'687'091), "51.2 MiB");
  EXPECT_EQ(format_size(UINT64_MAX), "16.0 EiB");
  EXPECT_EQ(format_size((std::uint64_t{1} << 20) - 1), "1.0 MiB") << "not 1024.0 KiB";
}

TEST(Text, CountsHaveSeparators) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1,000");
  EXPECT_EQ(format_count(1'234'567), "1,234,567");
  EXPECT_EQ(format_count(1, "file", "files"), "1 file");
  EXPECT_EQ(format_count(2, "file", "files"), "2 files");
}

TEST(Text, RatiosAndSpeedsOfNothingAreDashes) {
  EXPECT_EQ(format_ratio(341, 100), "3.41x");
  EXPECT_EQ(format_ratio(1, 0), "-");
  EXPECT_EQ(format_speed(212'000'000, 1), "212 MB/s");
  EXPECT_EQ(format_speed(1'500'000, 1), "1.5 MB/s");
  EXPECT_EQ(format_speed(1, 0), "-");
}

TEST(Text, TimesAreReadable) {
  EXPECT_EQ(format_clock(5), "0:05");
  EXPECT_EQ(format_clock(3723), "1:02:03");
  EXPECT_EQ(format_span(45), "45 s");
  EXPECT_EQ(format_span(12 * 60), "12 min");
  EXPECT_EQ(format_span(4 * 3600), "4.0 h");
  EXPECT_EQ(format_utc_time(0, 1), "1970-01-01T00:00:00.000000001Z");
  EXPECT_EQ(format_utc_time(-1, 0), "1969-12-31T23:59:59.000000000Z");
  EXPECT_FALSE(format_utc_time(INT64_MAX, 0).empty()) << "a time that no calendar holds must not stop anything";
}

TEST(Text, ModesLookAsInLs) {
  EXPECT_EQ(format_mode(FileType::regular, 0644), "-rw-r--r--");
  EXPECT_EQ(format_mode(FileType::directory, 01777), "drwxrwxrwt");
  EXPECT_EQ(format_mode(FileType::regular, 04755), "-rwsr-xr-x");
  EXPECT_EQ(format_mode(FileType::regular, 06644), "-rwSr-Sr--");
  EXPECT_EQ(format_mode(FileType::symlink, 0777), "lrwxrwxrwx");
}

TEST(Text, SizesAreReadWithAndWithoutUnits) {
  EXPECT_EQ(parse_size("0"), 0U);
  EXPECT_EQ(parse_size("64K"), 65536U);
  EXPECT_EQ(parse_size("64KiB"), 65536U);
  EXPECT_EQ(parse_size("256M"), std::uint64_t{256} << 20);
  EXPECT_EQ(parse_size("1G"), std::uint64_t{1} << 30);
  EXPECT_EQ(parse_size("16383P"), std::uint64_t{16383} << 50);
}

TEST(Text, RefusesSizesThatMakeNoSense) {
  for (const std::string_view text :
       {"", "K", "-1", "1.5G", "1X", "1GB", "16384P", "99999999999999999999", " 1", "1 K"}) {
    EXPECT_EQ(test::error_of(parse_size(text)), Errc::usage) << text;
  }
}

TEST(Text, DurationsNeedAUnit) {
  EXPECT_EQ(parse_duration("90s"), 90U);
  EXPECT_EQ(parse_duration("2h"), 7200U);
  EXPECT_EQ(test::error_of(parse_duration("90")), Errc::usage);
}

TEST(Text, WrapsAtWordsAndKeepsLongOnes) {
  EXPECT_EQ(wrap("one two three", 7), (std::vector<std::string>{"one two", "three"}));
  EXPECT_EQ(wrap("abcdefghij k", 4), (std::vector<std::string>{"abcdefghij", "k"}));
  EXPECT_TRUE(wrap("", 10).empty());
}

TEST(Text, TablesAlign) {
  Table table({"name", "size"});
  table.add({"a", "1"});
  table.add({"longer", "1,000"});
  EXPECT_EQ(table.str(), "name     size\na           1\nlonger  1,000\n");
}

TEST(ShellWord, QuotesWhatAShellWouldTakeApart) {
  EXPECT_EQ(shell_word("dir/x-1.mmh"), "dir/x-1.mmh");
  EXPECT_EQ(shell_word("a b"), "'a b'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word(""), "''");
}

TEST(FormatPromise, RoundsNothingUp) {
  ParityInfo parity;
  parity.one_piece_bytes = 1'030'132;  // 1005.99 KiB
  parity.sector_bytes = 4096;
  parity.sectors = 1;
  parity.sectors_without_checks = 1;
  parity.spared_sector_bytes = 4096;
  EXPECT_EQ(format_promise(parity), "survives any 1005.9 KiB lost in one piece, or any 1 sector of 4.0 KiB, scattered");
  parity.sectors_without_checks = 64;
  parity.spared_sector_bytes = 16'384;
  EXPECT_EQ(
      format_promise(parity),
      "survives any 1005.9 KiB lost in one piece, or any 1 sector of 4.0 KiB, scattered (64 of 16.0 KiB that spare "
      "its checks)");
  parity.one_piece_bytes = (1 << 20) - 1;
  EXPECT_THAT(format_promise(parity), testing::HasSubstr("1023.9 KiB"));
}

}  // namespace
}  // namespace mmh::cli
