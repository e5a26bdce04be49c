#include "text.h"

#include <algorithm>
#include <array>

namespace mmh::content {
namespace {

using enum ContentClass;

constexpr bool is_control(unsigned byte) {
  return (byte < 32 && !(byte >= '\b' && byte <= '\r') && byte != 27) || byte == 127;
}

struct Extension {
  std::string_view name;
  ContentClass content;
};
// Names without a dot in front are whole file names.
constexpr auto kExtensions = std::to_array<Extension>({
    {".adoc", text},    {".asm", source},  {".awk", source},   {".bash", source},  {".bat", source},
    {".c", source},     {".cc", source},   {".cfg", source},   {".cjs", source},   {".clj", source},
    {".cmake", source}, {".conf", source}, {".cpp", source},   {".cs", source},    {".css", source},
    {".csv", log},      {".cts", source},  {".cu", source},    {".cxx", source},   {".d", source},
    {".dart", source},  {".diff", source}, {".el", source},    {".erl", source},   {".ex", source},
    {".f", source},     {".f90", source},  {".geojson", json}, {".go", source},    {".gql", source},
    {".h", source},     {".hh", source},   {".hpp", source},   {".hs", source},    {".htm", markup},
    {".html", markup},  {".hxx", source},  {".idl", source},   {".inc", source},   {".ini", source},
    {".ipynb", json},   {".java", source}, {".jl", source},    {".js", source},    {".json", json},
    {".jsonl", json},   {".jsx", source},  {".kt", source},    {".lisp", source},  {".log", log},
    {".lua", source},   {".m", source},    {".m4", source},    {".map", json},     {".md", text},
    {".mjs", source},   {".mk", source},   {".ml", source},    {".mm", source},    {".ndjson", json},
    {".nim", source},   {".pas", source},  {".patch", source}, {".php", source},   {".pl", source},
    {".pm", source},    {".po", text},     {".pp", source},    {".proto", source}, {".ps1", source},
    {".py", source},    {".pyi", source},  {".pyx", source},   {".r", source},     {".rb", source},
    {".rs", source},    {".rst", text},    {".s", source},     {".sass", source},  {".scala", source},
    {".scm", source},   {".scss", source}, {".sh", source},    {".sql", source},   {".svg", markup},
    {".swift", source}, {".tcl", source},  {".tex", text},     {".toml", source},  {".ts", source},
    {".tsv", log},      {".tsx", source},  {".txt", text},     {".v", source},     {".vb", source},
    {".vhd", source},   {".vim", source},  {".vtt", log},      {".xhtml", markup}, {".xml", markup},
    {".xsd", markup},   {".xsl", markup},  {".yaml", source},  {".yml", source},   {".zig", source},
});
static_assert(std::ranges::is_sorted(kExtensions, {}, &Extension::name));

std::optional<ContentClass> class_by_name(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || name.size() - dot > 8) return std::nullopt;
  char lower[8];
  std::size_t size = 0;
  for (const char c : name.substr(dot)) lower[size++] = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  const std::string_view extension(lower, size);
  const auto found = std::ranges::lower_bound(kExtensions, extension, {}, &Extension::name);
  if (found == kExtensions.end() || found->name != extension) return std::nullopt;
  return found->content;
}

char first_mark(ByteView head) {
  std::string_view text_head = as_text(head.first(std::min<std::size_t>(head.size(), 256)));
  if (text_head.starts_with("\xEF\xBB\xBF")) text_head.remove_prefix(3);
  const std::size_t at = text_head.find_first_not_of(" \t\r\n");
  return at == std::string_view::npos ? ' ' : text_head[at];
}

}  // namespace

bool is_text(ContentClass content) {
  return content == text || content == source || content == markup || content == json || content == log;
}

// RFC 3629, without the surrogates and overlong forms of three and four bytes: data that has those is no other
// encoding.
void count_high(ByteView piece, HighBytes& high) {
  const auto is_tail = [&](std::size_t i) { return (piece[i] & std::byte{0xC0}) == std::byte{0x80}; };
  std::size_t i = 0;
  while (i < piece.size() && i < 3 && is_tail(i)) ++i;
  high.valid += i;
  high.all += i;
  while (i < piece.size()) {
    const auto lead = std::to_integer<unsigned>(piece[i]);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    std::size_t good = 1;
    while (good < length && i + good < piece.size() && is_tail(i + good)) ++good;
    const bool cut_off = i + good == piece.size();
    high.all += good;
    if (length != 0 && (good == length || cut_off)) high.valid += good;
    i += good;
  }
}

bool may_be_text(const Histogram& counts) {
  std::uint64_t control = 0;
  for (unsigned b = 0; b < 128; ++b) {
    if (is_control(b)) control += counts[b];
  }
  const std::uint64_t all = total(counts);
  return all != 0 && std::uint64_t{counts[0]} * 500 <= all && control * 100 <= all;
}

std::optional<ContentClass> class_of_text(const Histogram& counts, const HighBytes& high_bytes, ByteView head,
                                          std::string_view path) {
  std::uint64_t all = 0;
  std::uint64_t control = 0;
  std::uint64_t high = 0;
  for (unsigned b = 0; b < 128; ++b) {
    all += counts[b];
    if (is_control(b)) control += counts[b];
  }
  for (unsigned b = 128; b < 256; ++b) high += counts[b];
  all += high;
  if (!may_be_text(counts)) return std::nullopt;

  const auto sum = [&](std::string_view bytes) {
    std::uint64_t n = 0;
    for (const char c : bytes) n += counts[static_cast<std::uint8_t>(c)];
    return n;
  };
  std::uint64_t letters = 0;
  for (unsigned b = 0; b < 26; ++b) letters += counts['a' + b] + counts['A' + b];
  std::uint64_t digits = 0;
  for (unsigned b = '0'; b <= '9'; ++b) digits += counts[b];

  if (high != 0 && high_bytes.valid * 50 < high_bytes.all * 49) {
    // Encodings of eight bits and of two bytes: no control characters at all, and words or lines.
    const bool has_words = (letters + digits) * 10 >= all && sum(" \n\r\t") * 100 >= all;
    if (control != 0 || all < 128 || !has_words) return std::nullopt;
  }

  const std::uint64_t tags = sum("<>");
  const std::uint64_t quotes = sum("\"");
  const std::uint64_t lines = sum("\n");
  const std::uint64_t separators = sum(",;|\t");
  const std::uint64_t marks = sum("(){}[];=_*&#$@\\+|<>/");
  const char first = first_mark(head);

  // What the content itself shows beyond doubt.
  if (first == '<' && tags * 40 >= all) return markup;
  if ((first == '{' || first == '[') && sum(":,") * 64 >= all &&
      (quotes * 40 >= all || (digits * 3 >= all && first == '[')) && sum(";=()") * 50 < all) {
    return json;
  }
  if (const auto by_name = class_by_name(path)) return by_name;
  if (first == '#' && head.size() > 2 && as_text(head).starts_with("#!")) return source;
  if (tags * 20 >= all) return markup;
  if (digits * 4 >= all || (lines != 0 && separators * 14 >= all && separators >= 2 * lines && sum("(){}=") * 50 < all))
    return log;
  if (marks * 18 >= all) return source;
  return text;
}

}  // namespace mmh::content
