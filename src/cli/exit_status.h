#pragma once
// Exit statuses: documented, stable, one for each kind of outcome.

#include <span>
#include <string_view>

#include "mmh/common.h"

namespace mmh::cli {

enum class Status : int {
  success = 0,
  warnings = 1,
  usage = 2,
  damage = 3,
  io = 4,
  permission = 5,
  not_found = 6,
  exists = 7,
  unsupported = 8,
  limit = 9,
  no_space = 10,
  unsafe = 11,
  healable = 12,
  internal = 70,
  interrupted = 130,
  broken_pipe = 141,
};

struct StatusSpec {
  Status status;
  std::string_view meaning;
};

/// Every status, in rising order.
std::span<const StatusSpec> statuses();
std::string_view status_meaning(Status status);
/// The status that a command ends with when it fails for this reason.
Status status_of(Errc code);

}  // namespace mmh::cli
