#pragma once
// The sizes that `mmh bench` knows.

#include <cstdint>
#include <span>
#include <string_view>

namespace mmh::cli {

struct Tier {
  std::string_view name;
  std::uint64_t bytes;
  bool by_default;  ///< Runs when no tier is named.
};

/// Smallest first.
std::span<const Tier> tiers();

}  // namespace mmh::cli
