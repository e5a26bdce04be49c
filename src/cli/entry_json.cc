#include "entry_json.h"

#include <fmt/format.h>

#include "text.h"

namespace mmh::cli {

void add_entry(JsonObject& object, const FileInfo& file, bool owners) {
  object.add_path("path", file.path)
      .add("entry_type", type_name(file.type))
      .add("mode", fmt::format("{:04o}", file.mode))
      .add("mtime", format_utc_time(file.mtime_seconds, file.mtime_nanoseconds));
  if (owners) object.add("uid", file.uid).add("gid", file.gid).add("user", file.user).add("group", file.group);
  if (file.type == FileType::regular) object.add("size", file.size);
  if (file.hash) object.add("hash", to_hex(*file.hash));
  if (file.type == FileType::symlink || file.type == FileType::hard_link) object.add_path("link", file.link);
  if (file.type == FileType::character_device || file.type == FileType::block_device) {
    object.add("device_major", file.device_major).add("device_minor", file.device_minor);
  }
  if (!file.xattrs.empty()) {
    std::vector<JsonObject> items;
    for (const auto& [name, value] : file.xattrs) {
      items.push_back(JsonObject().add_path("name", name).add("size", value.size()));
    }
    object.add("xattrs", items);
  }
}

void add_promise(JsonObject& object, const ParityInfo& parity) {
  object.add("parity_bytes", parity.stored_bytes)
      .add("survives_one_piece_bytes", parity.one_piece_bytes)
      .add("survives_sectors", parity.sectors)
      .add("sector_bytes", parity.sector_bytes)
      .add("survives_sectors_without_checks", parity.sectors_without_checks)
      .add("spared_sector_bytes", parity.spared_sector_bytes);
}

}  // namespace mmh::cli
