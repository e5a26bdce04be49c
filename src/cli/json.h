#pragma once
// JSON Lines, as docs/json.md describes them.

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mmh::cli {

/// A JSON string literal; bytes that are not UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

/// Builds one object, members in the order added.
class JsonObject {
 public:
  JsonObject() = default;
  explicit JsonObject(std::string_view type) { add("type", type); }

  JsonObject& add(std::string_view name, std::string_view text) { return add_raw(name, json_string(text)); }
  JsonObject& add(std::string_view name, const char* text) { return add(name, std::string_view(text)); }
  JsonObject& add(std::string_view name, bool value) { return add_raw(name, value ? "true" : "false"); }
  template <std::integral T>
  JsonObject& add(std::string_view name, T value) {
    return add_raw(name, std::to_string(value));
  }
  /// With three digits behind the point: seconds.
  JsonObject& add_seconds(std::string_view name, double seconds);
  /// With one digit behind the point.
  JsonObject& add_per_cent(std::string_view name, double per_cent);
  JsonObject& add(std::string_view name, const JsonObject& object) { return add_raw(name, object.str()); }
  JsonObject& add(std::string_view name, const std::vector<JsonObject>& objects);
  JsonObject& add(std::string_view name, const std::vector<std::string>& texts);
  /// A path: as text, and where it is not UTF-8 also exactly, in hexadecimal, as NAME_hex.
  JsonObject& add_path(std::string_view name, std::string_view path);
  std::string str() const { return "{" + members_ + "}"; }

 private:
  JsonObject& add_raw(std::string_view name, std::string_view value);
  std::string members_;
};

}  // namespace mmh::cli
