#include "mmh/base/error.h"

#include <cerrno>
#include <set>

#include "mmh/base/cancel.h"
#include "mmh/base/check.h"
#include "mmh/base/checked.h"
#include "support/support.h"

namespace mmh {
namespace {

using test::error_of;

Result<int> half(int value) {
  if (value % 2 != 0) return fail(Errc::usage, "odd");
  return value / 2;
}

Result<int> quarter(int value) {
  MMH_LET(const int once, half(value).in("first"));
  MMH_LET(const int twice, half(once).in("second"));
  return twice;
}

Result<> check_quarter(int value) {
  MMH_TRY(quarter(value).in("check"));
  return {};
}

TEST(Result, PassesValuesThrough) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_OK(check_quarter(12));
}

TEST(Result, ErrorsGatherTheirPlaceOnTheWayUp) {
  EXPECT_EQ(quarter(3).error().what, "first: odd");
  EXPECT_EQ(quarter(2).error().what, "second: odd");
  EXPECT_EQ(check_quarter(2).error().what, "check: second: odd");
  EXPECT_EQ(error_of(check_quarter(2)), Errc::usage);
}

TEST(Errors, EveryCodeHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (unsigned code = 1; code <= static_cast<unsigned>(Errc::cancelled); ++code) {
    names.insert(errc_name(static_cast<Errc>(code)));
  }
  EXPECT_EQ(names.size(), static_cast<unsigned>(Errc::cancelled));
}

TEST(Errors, OfTheSystemGetTheCodeThatTheUserCanActUpon) {
  EXPECT_EQ(errno_error(ENOENT, "x").code, Errc::not_found);
  EXPECT_EQ(errno_error(EEXIST, "x").code, Errc::exists);
  EXPECT_EQ(errno_error(EACCES, "x").code, Errc::permission);
  EXPECT_EQ(errno_error(EROFS, "x").code, Errc::permission);
  EXPECT_EQ(errno_error(ENOSPC, "x").code, Errc::no_space);
  EXPECT_EQ(errno_error(EDQUOT, "x").code, Errc::no_space);
  EXPECT_EQ(errno_error(EMFILE, "x").code, Errc::limit);
  EXPECT_EQ(errno_error(EOPNOTSUPP, "x").code, Errc::unsupported);
  EXPECT_EQ(errno_error(EIO, "x").code, Errc::io);
  EXPECT_EQ(errno_error(12345, "x").code, Errc::io);
  EXPECT_EQ(errno_error(EIO, "a.mmh: cannot read").what, "a.mmh: cannot read: Input/output error");
}

TEST(Check, StopsTheProgramAndSaysWhere) {
  EXPECT_DEATH(MMH_CHECK(1 + 1 == 3), "internal error at .*error_test.cc:[0-9]+: 1 \\+ 1 == 3");
}

TEST(CancelFlag, StopsOnceItIsSet) {
  CancelFlag flag;
  EXPECT_OK(check_cancelled(nullptr));
  EXPECT_OK(check_cancelled(&flag));
  flag.set();
  EXPECT_EQ(error_of(check_cancelled(&flag)), Errc::cancelled);
}

TEST(Checked, TellsOverflow) {
  EXPECT_EQ(checked_add<std::uint8_t>(200, 55), 255);
  EXPECT_EQ(checked_add<std::uint8_t>(200, 56), std::nullopt);
  EXPECT_EQ(checked_mul<std::int32_t>(1 << 16, 1 << 14), 1 << 30);
  EXPECT_EQ(checked_mul<std::int32_t>(1 << 16, 1 << 15), std::nullopt);
}

TEST(Checked, RangesAtTheEdgesDoNotWrap) {
  constexpr std::uint64_t kMax = ~std::uint64_t{0};
  EXPECT_TRUE(range_within<std::uint64_t>(0, 0, 0));
  EXPECT_TRUE(range_within<std::uint64_t>(3, 2, 5));
  EXPECT_TRUE(range_within<std::uint64_t>(5, 0, 5));
  EXPECT_FALSE(range_within<std::uint64_t>(6, 0, 5));
  EXPECT_FALSE(range_within<std::uint64_t>(3, 3, 5));
  EXPECT_FALSE(range_within<std::uint64_t>(3, kMax, 5));
  EXPECT_FALSE(range_within<std::uint64_t>(kMax, kMax, 5));
}

}  // namespace
}  // namespace mmh
