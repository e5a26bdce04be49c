#include "json.h"

#include <filesystem>
#include <set>

#include "cli_support.h"

namespace mmh::cli {
namespace {

using ::testing::HasSubstr;

TEST(JsonObject, KeepsItsOrderAndEscapes) {
  const std::string text = JsonObject("x")
                               .add("text", "a\"b\n")
                               .add("yes", true)
                               .add("count", 7)
                               .add_seconds("seconds", 1.5)
                               .add("list", std::vector<std::string>{"a", "b"})
                               .add("object", JsonObject().add("a", -1))
                               .str();
  EXPECT_EQ(text,
            R"({"type":"x","text":"a\"b\n","yes":true,"count":7,"seconds":1.500,"list":["a","b"],"object":{"a":-1}})");
}

TEST(JsonObject, PathsThatAreNotUtf8AreExactInHexadecimal) {
  EXPECT_EQ(JsonObject().add_path("path", "a\xff").str(), "{\"path\":\"a\xEF\xBF\xBD\",\"path_hex\":\"61ff\"}");
  EXPECT_EQ(JsonObject().add_path("path", "\xC3\xA4").str(), "{\"path\":\"\xC3\xA4\"}");
}

class JsonTest : public CliTest {};

void collect_names(const nlohmann::json& value, std::set<std::string>& names) {
  if (value.is_object()) {
    for (const auto& [name, member] : value.items()) {
      names.insert(name);
      collect_names(member, names);
    }
  }
  if (value.is_array()) {
    for (const auto& item : value) collect_names(item, names);
  }
}

TEST_F(JsonTest, EveryMemberOfEveryCommandIsDocumented) {
  make_model();
  std::filesystem::create_hard_link(path("model/config.json"), path("model/hard"));
  write("model/odd\xff", "x");
  std::string all = mmh_ok({"pack", "--json", "model"});
  std::filesystem::remove(path("model/weights.bin"));
  write("model/config.json", "{}");
  const std::vector<std::vector<std::string>> commands = {
      {"append", "--json", "model.mmh", "model/config.json"},
      {"list", "--json", "model.mmh"},
      {"verify", "--json", "--deep", "model.mmh"},
      {"unpack", "--json", "model.mmh", "-C", "out"},
      {"unpack", "--json", "model.mmh", "-C", "out"},
      {"info", "--json", "model.mmh"},
      {"diff", "--json", "model.mmh", "model"},
      {"codecs", "--json"},
      {"version", "--json"},
      {"list", "--json", "missing.mmh"},
      {"bench", "--json", "1MB", "-1"},
  };
  for (const auto& words : commands) {
    const auto result = mmh(words);
    EXPECT_EQ(result.err, "") << words.front();
    all += result.out;
  }
  all += mmh_ok({"damage", "--json", "flip", "--at", "5000", "model.mmh"});
  all += mmh({"verify", "--json", "model.mmh"}).out;
  all += mmh_ok({"protect", "--json", "model"});
  all += mmh_ok({"info", "--json", "model.mmhp"});
  std::filesystem::remove(path("model/hard"));
  all += mmh({"verify", "--json", "model.mmhp"}).out;
  std::filesystem::rename(path("model/config.json"), path("model/moved"));
  all += mmh({"repair", "--json", "model.mmhp"}).out;
  std::set<std::string> members, types;
  for (const auto& line : json_lines(all)) {
    collect_names(line, members);
    types.insert(line["type"]);
  }
  const std::string document(as_text(test::read_file(std::string(MMH_SOURCE_DIR) + "/docs/json.md")));
  for (const std::string& name : members) EXPECT_THAT(document, HasSubstr("`" + name + "`"));
  for (const std::string& type : types) EXPECT_THAT(document, HasSubstr("## " + type + "\n"));
}

}  // namespace
}  // namespace mmh::cli
