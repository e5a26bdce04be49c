#include "json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace mmh::cli {

namespace {
template <class Items, class Print>
std::string json_array(const Items& items, Print print) {
  std::string text = "[";
  for (const auto& item : items) {
    if (text.size() > 1) text += ',';
    text += print(item);
  }
  return text + "]";
}

bool is_utf8(std::string_view text) {
  try {
    static_cast<void>(nlohmann::json(text).dump());
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}
}  // namespace

std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

JsonObject& JsonObject::add_seconds(std::string_view name, double seconds) {
  return add_raw(name, fmt::format("{:.3f}", seconds));
}

JsonObject& JsonObject::add_per_cent(std::string_view name, double per_cent) {
  return add_raw(name, fmt::format("{:.1f}", per_cent));
}

JsonObject& JsonObject::add(std::string_view name, const std::vector<JsonObject>& objects) {
  return add_raw(name, json_array(objects, [](const JsonObject& object) { return object.str(); }));
}

JsonObject& JsonObject::add(std::string_view name, const std::vector<std::string>& texts) {
  return add_raw(name, json_array(texts, [](const std::string& text) { return json_string(text); }));
}

JsonObject& JsonObject::add_path(std::string_view name, std::string_view path) {
  add(name, path);
  if (is_utf8(path)) return *this;
  std::string hex;
  for (const char c : path) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return add(std::string(name) + "_hex", hex);
}

JsonObject& JsonObject::add_raw(std::string_view name, std::string_view value) {
  if (!members_.empty()) members_ += ',';
  members_ += json_string(name);
  members_ += ':';
  members_ += value;
  return *this;
}

}  // namespace mmh::cli
