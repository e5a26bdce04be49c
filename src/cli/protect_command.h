#pragma once
// What commands that take packs do with a protection of files.

#include "commands.h"

namespace mmh::cli {

Result<Status> verify_protected(Session& session, const std::string& path);
Result<Status> repair_protected(Session& session, const std::string& path);
Result<> show_protection(Session& session, const std::string& path);

}  // namespace mmh::cli
