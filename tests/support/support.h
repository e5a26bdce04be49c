#pragma once
// What tests share: seeded bytes (seeded.h), temporary folders, result assertions.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "mmh/base/bytes.h"
#include "mmh/base/result.h"
#include "support/seeded.h"

namespace mmh::test {

/// A folder that is removed when the object goes.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::string operator/(std::string_view name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

void write_file(const std::string& path, ByteView bytes);
Buffer read_file(const std::string& path);

/// The error code of a result; fails the test (and gives Errc::usage) when it holds a value.
template <class T>
Errc error_of(const Result<T>& result) {
  EXPECT_FALSE(result.has_value());
  return result.has_value() ? Errc::usage : result.error().code;
}

}  // namespace mmh::test

/// The expression's Result<> must hold a value; prints the error otherwise.
#define ASSERT_OK(...)                                                    \
  do {                                                                    \
    const auto& mmh_ok_result = (__VA_ARGS__);                            \
    ASSERT_TRUE(mmh_ok_result.has_value()) << mmh_ok_result.error().what; \
  } while (false)
#define EXPECT_OK(...)                                                    \
  do {                                                                    \
    const auto& mmh_ok_result = (__VA_ARGS__);                            \
    EXPECT_TRUE(mmh_ok_result.has_value()) << mmh_ok_result.error().what; \
  } while (false)
