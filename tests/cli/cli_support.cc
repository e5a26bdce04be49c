#include "cli_support.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

namespace mmh::cli {

std::string program() { return MMH_PROGRAM; }

void CliTest::write(std::string_view name, std::string_view content) const {
  const std::filesystem::path target = path(name);
  std::filesystem::create_directories(target.parent_path());
  test::write_file(target.string(), as_bytes(content));
}

std::string CliTest::read(std::string_view name) const { return std::string(as_text(test::read_file(path(name)))); }

bool CliTest::exists(std::string_view name) const {
  return std::filesystem::exists(std::filesystem::symlink_status(path(name)));
}

std::vector<std::string> CliTest::names(std::string_view folder) const {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(path(folder))) {
    found.push_back(entry.path().filename().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

void CliTest::make_model() const {
  write("model/config.json", "{\"layers\": 2}\n");
  write("model/weights.bin", as_text(test::random_bytes(20'000, 1)));
  write("model/notes/read me.txt", as_text(test::text_bytes(30'000, 2)));
  write("model/notes/copy.txt", as_text(test::text_bytes(30'000, 2)));
  std::filesystem::create_symlink("config.json", path("model/link"));
}

test::ProcessResult CliTest::mmh(std::vector<std::string> words, std::string input, Environment environment) const {
  test::ProcessOptions options;
  words.insert(words.begin(), program());
  options.argv = std::move(words);
  options.input = std::move(input);
  options.environment = std::move(environment);
  options.directory = path(".");
  return test::run_process(std::move(options));
}

std::string CliTest::mmh_ok(std::vector<std::string> words, std::string input) const {
  const std::string first = words.empty() ? "" : words.front();
  const test::ProcessResult result = mmh(std::move(words), std::move(input));
  EXPECT_EQ(status_of(result), Status::success) << first << ": " << result.err;
  EXPECT_EQ(result.err, "") << first;
  return result.out;
}

test::ProcessResult CliTest::shell(const std::string& command) const {
  test::ProcessOptions options;
  options.argv = {"bash", "-c", command};
  options.environment = {{"MMH", program()}};
  options.directory = path(".");
  return test::run_process(std::move(options));
}

std::vector<nlohmann::json> json_lines(const std::string& text) {
  std::vector<nlohmann::json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    nlohmann::json parsed = nlohmann::json::parse(line, nullptr, false);
    EXPECT_TRUE(parsed.is_object()) << line;
    if (parsed.is_object()) lines.push_back(std::move(parsed));
  }
  return lines;
}

nlohmann::json line_of_type(const std::string& text, std::string_view type) {
  for (nlohmann::json& line : json_lines(text)) {
    if (line["type"] == type) return std::move(line);
  }
  return nullptr;
}

}  // namespace mmh::cli
