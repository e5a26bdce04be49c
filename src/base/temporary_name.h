#pragma once
// Names for files that have one only for a while.

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>

namespace mmh {

/// Calls `claim` with `.NAME.mmh-PID.tmp`, then with `.NAME.mmh-PID-N.tmp`, until it gives anything but EEXIST, and
/// gives that. Claiming must be exclusive (O_EXCL, link): process numbers repeat among containers that share a
/// directory.
template <class Claim>
int with_temporary_name(std::string_view name, Claim claim) {
  constexpr std::size_t kNameSizeMax = 200;  // leaves room below the 255 bytes of a file name
  constexpr unsigned kTriesMax = 1000;
  if (name.size() > kNameSizeMax) {
    name = name.substr(0, kNameSizeMax);
    // Some file systems take nothing but UTF-8: do not cut through a character.
    while (!name.empty() && (static_cast<unsigned char>(name.back()) & 0x80) != 0) name.remove_suffix(1);
  }
  int error = EEXIST;
  for (unsigned i = 0; error == EEXIST && i < kTriesMax; ++i) {
    const std::string number = i == 0 ? "" : fmt::format("-{}", i);
    error = claim(fmt::format(".{}.mmh-{}{}.tmp", name, ::getpid(), number));
  }
  return error;
}

}  // namespace mmh
