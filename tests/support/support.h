#pragma once
// What tests share: seeded bytes, temporary folders, result assertions.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "mmh/base/bytes.h"
#include "mmh/base/result.h"

namespace mmh::test {

/// splitmix64: the same sequence everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  /// Uniform enough in [0, limit). Requires: limit > 0.
  std::uint64_t below(std::uint64_t limit) { return next() % limit; }

 private:
  std::uint64_t state_;
};

/// Incompressible bytes.
Buffer random_bytes(std::size_t size, std::uint64_t seed);
/// Words with a skewed distribution: compressible like text.
Buffer text_bytes(std::size_t size, std::uint64_t seed);

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
