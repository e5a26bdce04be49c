#pragma once
// Shorthands for tests of the public API.

#include <string>
#include <vector>

#include "mmh/pack.h"
#include "support/support.h"

namespace mmh::test {

/// Keeps what an operation warned of.
class Warnings : public Observer {
 public:
  void warning(const Error& error) override { all.push_back(error); }
  std::vector<Error> all;
};

inline PackOptions pack_options(const std::string& directory, unsigned threads = 2) {
  PackOptions options;
  options.directory = directory;
  options.threads = threads;
  options.level = 3;
  options.parity_ppm = 0;  // parity has tests of its own
  return options;
}

inline UnpackOptions unpack_options(const std::string& directory, unsigned threads = 2) {
  UnpackOptions options;
  options.directory = directory;
  options.threads = threads;
  options.devices = true;
  options.permissions = true;
  return options;
}

/// Unpacks all of a pack; the test fails on any problem.
inline void unpack_all(const std::string& pack, const std::string& directory, unsigned threads = 2) {
  Warnings warnings;
  UnpackOptions options = unpack_options(directory, threads);
  options.observer = &warnings;
  const auto opened = Pack::open(pack);
  ASSERT_OK(opened);
  const auto summary = opened->unpack(options);
  ASSERT_OK(summary);
  EXPECT_EQ(summary->problems, 0u) << (warnings.all.empty() ? "" : warnings.all[0].what);
}

}  // namespace mmh::test
