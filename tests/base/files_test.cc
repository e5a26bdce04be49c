#include "mmh/base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include "support/faulty_sys.h"
#include "support/support.h"
#include "support/trees.h"

namespace mmh {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::FaultySys;
using test::SysOp;
using test::TempDir;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t kHuge = ~std::uint64_t{0};

std::string read_range(const RandomAccessSource& source, std::uint64_t offset, std::size_t size) {
  Buffer out(size);
  const auto result = source.read_at(offset, out);
  return result ? std::string(as_text(out)) : "error: " + std::string(errc_name(result.error().code));
}

void expect_source_of_ten_digits(const RandomAccessSource& source) {
  EXPECT_EQ(source.size(), 10u);
  EXPECT_EQ(read_range(source, 0, 10), "0123456789");
  EXPECT_EQ(read_range(source, 3, 4), "3456");
  EXPECT_EQ(read_range(source, 10, 0), "");
  EXPECT_EQ(read_range(source, 10, 1), "error: corrupt");
  EXPECT_EQ(read_range(source, 9, 2), "error: corrupt");
  EXPECT_EQ(read_range(source, kHuge, 2), "error: corrupt");
  EXPECT_EQ(read_range(source, kHuge >> 1, 2), "error: corrupt");
}

TEST(Source, ReadsAFileAndNothingBeyondIt) {
  const TempDir dir;
  test::write_file(dir / "x", as_bytes("0123456789"));
  expect_source_of_ten_digits(*open_source(real_sys(), dir / "x").value());
}

TEST(Source, ReadsMemoryAndNothingBeyondIt) {
  const auto source = memory_source(as_bytes("0123456789"), "memory");
  expect_source_of_ten_digits(*source);
  EXPECT_EQ(source->name(), "memory");
  EXPECT_EQ(read_range(*memory_source({}, "empty"), 0, 0), "");
}

TEST(Source, ReadsOnAfterShortReads) {
  const TempDir dir;
  test::write_file(dir / "x", as_bytes("0123456789"));
  FaultySys sys;
  sys.shorten(1);
  expect_source_of_ten_digits(*open_source(sys, dir / "x").value());
}

TEST(Source, TellsThatTheFileBecameShorter) {
  const TempDir dir;
  test::write_file(dir / "x", as_bytes("0123456789"));
  const auto source = open_source(real_sys(), dir / "x").value();
  fs::resize_file(dir / "x", 4);
  Buffer out(5);
  EXPECT_EQ(error_of(source->read_at(2, out)), Errc::changed);
}

TEST(Source, NamesFileAndOffsetOfAReadError) {
  const TempDir dir;
  test::write_file(dir / "x\n", as_bytes("0123456789"));
  FaultySys sys;
  const auto source = open_source(sys, dir / "x\n").value();
  sys.fail_nth(1, EIO, SysOp::pread);
  Buffer out(5);
  const auto result = source->read_at(2, out);
  EXPECT_EQ(error_of(result), Errc::io);
  EXPECT_THAT(result.error().what, HasSubstr("x\\x0a: cannot read at offset 2"));
}

TEST(Source, RefusesDirectoriesAndWhatIsNotThere) {
  const TempDir dir;
  EXPECT_EQ(error_of(open_source(real_sys(), dir.path())), Errc::usage);
  EXPECT_EQ(error_of(open_source(real_sys(), dir / "x")), Errc::not_found);
}

TEST(Source, OpeningReportsEveryFault) {
  const TempDir dir;
  test::write_file(dir / "x", as_bytes("0123456789"));
  EXPECT_EQ(test::sweep_faults(EIO, test::kEveryOp,
                               [&](FaultySys& sys, std::uint64_t n) {
                                 const auto source = open_source(sys, dir / "x");
                                 EXPECT_EQ(source.has_value(), !sys.faulted()) << n;
                               }),
            2u);
}

class Spool : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* const old = std::getenv("TMPDIR");
    if (old != nullptr) old_ = old;
    ::setenv("TMPDIR", dir_.path().c_str(), 1);
    test::write_file(input_ / "x", content_);
  }
  void TearDown() override {
    if (old_.empty()) {
      ::unsetenv("TMPDIR");
    } else {
      ::setenv("TMPDIR", old_.c_str(), 1);
    }
  }

  Result<std::unique_ptr<RandomAccessSource>> spool(Sys& sys) {
    const Fd fd(real_sys(), ::open((input_ / "x").c_str(), O_RDONLY | O_CLOEXEC));
    return spool_source(sys, fd.get(), "input");
  }

  std::string old_;
  TempDir dir_, input_;
  Buffer content_ = test::random_bytes(3'000'000, 4);
};

TEST_F(Spool, KeepsEveryByteInAFileWithoutAName) {
  FaultySys sys;
  sys.shorten(65537);
  const auto source = spool(sys).value();
  Buffer back(content_.size());
  ASSERT_EQ(source->size(), content_.size());
  EXPECT_OK(source->read_at(0, back));
  EXPECT_EQ(back, content_);
  EXPECT_THAT(test::list_tree(dir_.path()), IsEmpty());
}

TEST_F(Spool, IsWholeOrAnErrorAndLeavesNothingWhicheverOperationFails) {
  const auto faults = test::sweep_faults(EIO, test::kEveryOp, [&](FaultySys& sys, std::uint64_t n) {
    sys.record();
    const auto source = spool(sys);
    if (source) {
      EXPECT_EQ(source.value()->size(), content_.size()) << n;
    }
    EXPECT_THAT(test::list_tree(dir_.path()), IsEmpty()) << sys.log_text();
  });
  EXPECT_GE(faults, 7u);
}

TEST_F(Spool, UsesANameForAMomentWhereUnnamedFilesAreLacking) {
  FaultySys sys;
  sys.fail_nth(1, EOPNOTSUPP, SysOp::openat);
  EXPECT_EQ(spool(sys).value()->size(), content_.size());
  EXPECT_EQ(sys.count(SysOp::unlinkat), 1u);
  EXPECT_THAT(test::list_tree(dir_.path()), IsEmpty());
}

TEST_F(Spool, SaysWhatToDoWhenTheTemporaryDiskIsFull) {
  FaultySys sys;
  sys.limit_space(1'500'000);
  const auto source = spool(sys);
  EXPECT_EQ(error_of(source), Errc::no_space);
  EXPECT_THAT(source.error().what, HasSubstr("TMPDIR"));
}

TEST_F(Spool, StopsOnRequest) {
  CancelFlag cancel;
  cancel.set();
  const Fd fd(real_sys(), ::open((input_ / "x").c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(error_of(spool_source(real_sys(), fd.get(), "input", &cancel)), Errc::cancelled);
}

TEST_F(Spool, TakesInANamedPipe) {
  ASSERT_EQ(::mkfifo((input_ / "pipe").c_str(), 0600), 0);
  std::jthread writer([&] { test::write_file(input_ / "pipe", content_); });
  const auto source = open_source(real_sys(), input_ / "pipe").value();
  Buffer back(content_.size());
  ASSERT_EQ(source->size(), content_.size());
  EXPECT_OK(source->read_at(0, back));
  EXPECT_EQ(back, content_);
}

TEST(FullTransfers, StopAtTheEndOfTheFile) {
  const TempDir dir;
  test::write_file(dir / "x", as_bytes("0123456789"));
  FaultySys sys;
  sys.shorten(3);
  const Fd fd(sys, sys.openat(AT_FDCWD, (dir / "x").c_str(), O_RDONLY, 0).value);
  Buffer out(20);
  const auto at = pread_full(sys, fd.get(), out, 4);
  EXPECT_EQ(at.value, 6u);
  EXPECT_EQ(at.error, 0);
  const auto sequential = read_full(sys, fd.get(), out);
  EXPECT_EQ(sequential.value, 10u);
  EXPECT_EQ(as_text(ByteView(out).first(10)), "0123456789");
}

TEST(FullTransfers, StopWaitingForAStalledPipeWhenCancelled) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Fd read_end(real_sys(), ends[0]);
  const Fd write_end(real_sys(), ends[1]);
  ASSERT_EQ(::write(write_end.get(), "12", 2), 2);
  CancelFlag cancel;
  const std::jthread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    cancel.set();
  });
  Buffer out(10);
  const auto got = read_full(real_sys(), read_end.get(), out, &cancel);
  EXPECT_EQ(got.error, ECANCELED);
  EXPECT_EQ(errno_error(got.error, "read").code, Errc::cancelled);
}

TEST(FullTransfers, TellHowFarTheyGotBeforeAnError) {
  const TempDir dir;
  test::write_file(dir / "x", as_bytes("0123456789"));
  FaultySys sys;
  sys.shorten(4);
  sys.fail_nth(2, EIO, SysOp::pread);
  const Fd fd(sys, sys.openat(AT_FDCWD, (dir / "x").c_str(), O_RDONLY, 0).value);
  Buffer out(10);
  const auto got = pread_full(sys, fd.get(), out, 0);
  EXPECT_EQ(got.error, EIO);
  EXPECT_EQ(got.value, 4u);
}

TEST(FullTransfers, WriteEveryByteAtItsPlace) {
  const TempDir dir;
  FaultySys sys;
  sys.shorten(3);
  {
    const Fd fd(sys, sys.openat(AT_FDCWD, (dir / "x").c_str(), O_CREAT | O_WRONLY, 0600).value);
    EXPECT_EQ(pwrite_full(sys, fd.get(), as_bytes("56789"), 5), 0);
    EXPECT_EQ(write_full(sys, fd.get(), as_bytes("01234")), 0);
  }
  EXPECT_EQ(as_text(test::read_file(dir / "x")), "0123456789");
}

TEST(FullTransfers, TakeAWriteWithoutProgressForAnError) {
  class Stuck : public Sys {
    SysResult<std::size_t> write(int, ByteView) override { return {0, 0}; }
    SysResult<std::size_t> pwrite(int, ByteView, std::uint64_t) override { return {0, 0}; }
  } sys;
  EXPECT_EQ(write_full(sys, 1, as_bytes("x")), EIO);
  EXPECT_EQ(pwrite_full(sys, 1, as_bytes("x"), 0), EIO);
  EXPECT_EQ(write_full(sys, 1, {}), 0);
}

TEST(FdSink, WritesToADescriptorItDoesNotOwn) {
  const TempDir dir;
  FaultySys sys;
  const Fd fd(sys, sys.openat(AT_FDCWD, (dir / "x").c_str(), O_CREAT | O_WRONLY, 0600).value);
  EXPECT_OK(fd_sink(sys, fd.get(), "output")->write(as_bytes("abc")));
  EXPECT_EQ(sys.count(SysOp::close), 0u);
  sys.fail_nth(1, EPIPE, SysOp::write);
  const auto result = fd_sink(sys, fd.get(), "output")->write(as_bytes("abc"));
  EXPECT_EQ(error_of(result), Errc::io);
  EXPECT_THAT(result.error().what, HasSubstr("output: cannot write"));
}

TEST(DisplayPath, ShowsWhatIsPrintableAndEscapesTheRest) {
  constexpr std::pair<std::string_view, std::string_view> kShown[] = {
      {"", ""},
      {"a/b c.txt", "a/b c.txt"},
      {"caf\u00e9 \u65e5\u672c \U0001f600", "caf\u00e9 \u65e5\u672c \U0001f600"},
      {"back\\slash", "back\\\\slash"},
      {"two\nlines\t", "two\\x0alines\\x09"},
      {"\x1b[31m", "\\x1b[31m"},
      {"\x7f", "\\x7f"},
      {"latin\xe9", "latin\\xe9"},
      {"\xff\xfe", "\\xff\\xfe"},
      {"\xc0\xaf", "\\xc0\\xaf"},
      {"cut\xe6\x97", "cut\\xe6\\x97"},
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
      {"\u0085", "\\xc2\\x85"},                     // C1 control
      {"\u202egpj.exe", "\\xe2\\x80\\xaegpj.exe"},  // right-to-left override
      {"\u2066", "\\xe2\\x81\\xa6"},
      {"\u200b", "\\xe2\\x80\\x8b"},  // zero width
  };
  for (const auto& [path, shown] : kShown) EXPECT_EQ(display_path(path), shown);
}

}  // namespace
}  // namespace mmh
