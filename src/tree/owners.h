#pragma once
// Names of users and groups, each looked up once.

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

namespace mmh::tree {

/// Names of ids, remembered; empty for an id without a name. Not thread-safe.
class OwnerNames {
 public:
  const std::string& user(std::uint64_t uid);
  const std::string& group(std::uint64_t gid);

 private:
  std::unordered_map<std::uint64_t, std::string> users_;
  std::unordered_map<std::uint64_t, std::string> groups_;
};

/// Ids of names, remembered; nothing for a name unknown here. Not thread-safe.
class OwnerIds {
 public:
  std::optional<std::uint64_t> user(const std::string& name);
  std::optional<std::uint64_t> group(const std::string& name);

 private:
  std::unordered_map<std::string, std::optional<std::uint64_t>> users_;
  std::unordered_map<std::string, std::optional<std::uint64_t>> groups_;
};

}  // namespace mmh::tree
