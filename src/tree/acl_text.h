#pragma once
// POSIX ACLs between the kernel's form, as extended attributes hold it, and the text of tar's SCHILY.acl records.

#include <optional>
#include <string>
#include <string_view>

#include "owners.h"

namespace mmh::tree {

/// The value of system.posix_acl_access or _default for a text such as
/// "user::rwx,user:ann:r-x:1000,group::r-x,other::---". An id that follows a name counts before the name. Nothing when
/// the text is malformed or names someone unknown here.
std::optional<std::string> acl_from_text(std::string_view text, OwnerIds& ids);

/// The text of an attribute's value, with ids as numbers. Nothing when the value is malformed.
std::optional<std::string> acl_to_text(std::string_view value);

}  // namespace mmh::tree
