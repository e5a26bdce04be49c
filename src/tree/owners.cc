#include "owners.h"

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <utility>
#include <vector>

namespace mmh::tree {

namespace {

// A hostile name service could ask for ever more.
constexpr std::size_t kRecordSizeMax = 1 << 20;
// Archives may name any number of owners.
constexpr std::size_t kNamesMax = 1 << 16;

// Calls a getXXX_r function with a buffer that grows as it asks; `use` sees the record found.
template <class Record, class Call, class Use>
void with_record(Call call, Use use) {
  std::vector<char> buffer(1024);
  for (;;) {
    Record record{};
    Record* found = nullptr;
    const int error = call(&record, buffer.data(), buffer.size(), &found);
    if (error == ERANGE && buffer.size() < kRecordSizeMax) {
      buffer.resize(2 * buffer.size());
      continue;
    }
    if (error == 0 && found != nullptr) use(*found);
    return;
  }
}

}  // namespace

const std::string& OwnerNames::user(std::uint64_t uid) {
  const auto [at, added] = users_.try_emplace(uid);
  if (added) {
    with_record<passwd>([&](auto... rest) { return ::getpwuid_r(static_cast<uid_t>(uid), rest...); },
                        [&](const passwd& record) { at->second = record.pw_name; });
  }
  return at->second;
}

const std::string& OwnerNames::group(std::uint64_t gid) {
  const auto [at, added] = groups_.try_emplace(gid);
  if (added) {
    with_record<::group>([&](auto... rest) { return ::getgrgid_r(static_cast<gid_t>(gid), rest...); },
                         [&](const ::group& record) { at->second = record.gr_name; });
  }
  return at->second;
}

std::optional<std::uint64_t> OwnerIds::user(const std::string& name) {
  if (name.empty()) return std::nullopt;
  if (users_.size() >= kNamesMax) users_.clear();
  const auto [at, added] = users_.try_emplace(name);
  if (added) {
    with_record<passwd>([&](auto... rest) { return ::getpwnam_r(name.c_str(), rest...); },
                        [&](const passwd& record) { at->second = record.pw_uid; });
  }
  return at->second;
}

std::optional<std::uint64_t> OwnerIds::group(const std::string& name) {
  if (name.empty()) return std::nullopt;
  if (groups_.size() >= kNamesMax) groups_.clear();
  const auto [at, added] = groups_.try_emplace(name);
  if (added) {
    with_record<::group>([&](auto... rest) { return ::getgrnam_r(name.c_str(), rest...); },
                         [&](const ::group& record) { at->second = record.gr_gid; });
  }
  return at->second;
}

}  // namespace mmh::tree
