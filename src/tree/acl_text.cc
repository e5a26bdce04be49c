#include "acl_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <tuple>
#include <vector>

#include "mmh/base/bytes.h"

namespace mmh::tree {

namespace {

// linux/posix_acl_xattr.h: a version of 4 bytes, then entries of tag (2), permissions (2), id (4), little-endian.
constexpr std::uint32_t kVersion = 2;
constexpr std::size_t kHeaderSize = 4;
constexpr std::size_t kEntrySize = 8;
constexpr std::uint32_t kNoId = 0xffffffff;
constexpr std::size_t kEntriesMax = 8000;  // of what fits an attribute of 64 KiB
enum Tag : std::uint16_t { kUserObject = 1, kUser = 2, kGroupObject = 4, kGroup = 8, kMask = 16, kOther = 32 };

struct AclEntry {
  std::uint16_t tag;
  std::uint16_t permissions;
  std::uint32_t id;
};

std::string_view trimmed(std::string_view text) {
  const std::size_t start = text.find_first_not_of(" \t");
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(" \t\r") - start + 1);
}

std::optional<std::uint16_t> parse_permissions(std::string_view text) {
  if (text.empty() || text.size() > 3) return std::nullopt;
  std::uint16_t permissions = 0;
  for (const char c : text) {
    if (c == 'r') {
      permissions |= 4;
    } else if (c == 'w') {
      permissions |= 2;
    } else if (c == 'x') {
      permissions |= 1;
    } else if (c != '-') {
      return std::nullopt;
    }
  }
  return permissions;
}

std::optional<std::uint32_t> parse_id(std::string_view text) {
  std::uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || id == kNoId) return std::nullopt;
  return id;
}

std::optional<AclEntry> parse_entry(std::string_view text, OwnerIds& ids) {
  std::array<std::string_view, 4> fields;
  std::size_t count = 0;
  for (;; ++count) {
    if (count == fields.size()) return std::nullopt;
    const std::size_t colon = text.find(':');
    fields[count] = trimmed(text.substr(0, colon));
    if (colon == std::string_view::npos) break;
    text.remove_prefix(colon + 1);
  }
  ++count;
  const std::string_view tag = fields[0];
  // "mask:rwx" and "other:rwx" leave out the empty name.
  const bool is_mask = tag == "mask" || tag == "m";
  const bool is_other = tag == "other" || tag == "o";
  const bool short_form = count == 2 && (is_mask || is_other);
  if (!short_form && count < 3) return std::nullopt;
  const std::string_view name = short_form ? std::string_view() : fields[1];
  const auto permissions = parse_permissions(short_form ? fields[1] : fields[2]);
  if (!permissions) return std::nullopt;
  if (is_mask || is_other) {
    if (!name.empty()) return std::nullopt;
    return AclEntry{is_mask ? kMask : kOther, *permissions, kNoId};
  }
  const bool is_user = tag == "user" || tag == "u";
  if (!is_user && tag != "group" && tag != "g") return std::nullopt;
  if (name.empty()) return AclEntry{is_user ? kUserObject : kGroupObject, *permissions, kNoId};
  std::optional<std::uint32_t> id = count == 4 ? parse_id(fields[3]) : parse_id(name);
  if (!id) {
    const auto known = is_user ? ids.user(std::string(name)) : ids.group(std::string(name));
    if (!known || *known >= kNoId) return std::nullopt;
    id = static_cast<std::uint32_t>(*known);
  }
  return AclEntry{is_user ? kUser : kGroup, *permissions, *id};
}

}  // namespace

std::optional<std::string> acl_from_text(std::string_view text, OwnerIds& ids) {
  std::vector<AclEntry> entries;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(",\n"), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = trimmed(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    for (const std::string_view prefix : {"default:", "d:"}) {
      if (line.starts_with(prefix)) line.remove_prefix(prefix.size());
    }
    const auto entry = parse_entry(line, ids);
    if (!entry || entries.size() == kEntriesMax) return std::nullopt;
    entries.push_back(*entry);
  }
  if (entries.empty()) return std::nullopt;
  std::stable_sort(entries.begin(), entries.end(),
                   [](const AclEntry& a, const AclEntry& b) { return std::tie(a.tag, a.id) < std::tie(b.tag, b.id); });
  Buffer value(kHeaderSize + entries.size() * kEntrySize);
  store_le(value, kVersion);
  Bytes rest = Bytes(value).subspan(kHeaderSize);
  for (const AclEntry& entry : entries) {
    store_le(rest, entry.tag);
    store_le(rest.subspan(2), entry.permissions);
    store_le(rest.subspan(4), entry.id);
    rest = rest.subspan(kEntrySize);
  }
  return std::string(as_text(value));
}

std::optional<std::string> acl_to_text(std::string_view value) {
  ByteView rest = as_bytes(value);
  if (rest.size() < kHeaderSize || (rest.size() - kHeaderSize) % kEntrySize != 0) return std::nullopt;
  if (load_le<std::uint32_t>(rest) != kVersion) return std::nullopt;
  std::string text;
  for (rest = rest.subspan(kHeaderSize); !rest.empty(); rest = rest.subspan(kEntrySize)) {
    const AclEntry entry{load_le<std::uint16_t>(rest), load_le<std::uint16_t>(rest.subspan(2)),
                         load_le<std::uint32_t>(rest.subspan(4))};
    if (entry.permissions > 7) return std::nullopt;
    if (!text.empty()) text += ',';
    switch (entry.tag) {
      case kUserObject:
        text += "user::";
        break;
      case kUser:
        text += fmt::format("user:{}:", entry.id);
        break;
      case kGroupObject:
        text += "group::";
        break;
      case kGroup:
        text += fmt::format("group:{}:", entry.id);
        break;
      case kMask:
        text += "mask::";
        break;
      case kOther:
        text += "other::";
        break;
      default:
        return std::nullopt;
    }
    text += (entry.permissions & 4) != 0 ? 'r' : '-';
    text += (entry.permissions & 2) != 0 ? 'w' : '-';
    text += (entry.permissions & 1) != 0 ? 'x' : '-';
  }
  if (text.empty()) return std::nullopt;
  return text;
}

}  // namespace mmh::tree
