// mmh damage.
#include <fmt/format.h>

#include <array>

#include "commands.h"
#include "mmh/damage.h"
#include "text.h"

namespace mmh::cli {

namespace {
constexpr std::array<std::string_view, 7> kKinds = {"flip", "zero", "overwrite", "drop", "insert", "truncate", "swap"};

Result<DamageKind> parse_kind(const std::string& text) {
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    if (text == kKinds[i]) return static_cast<DamageKind>(i);
  }
  const auto meant = closest(text, kKinds);
  return fail(Errc::usage, fmt::format("there is no damage '{}'{}", printable(text),
                                       meant ? fmt::format("; did you mean '{}'?", *meant) : ""));
}

// OFFSET, OFFSET+LENGTH, NAME or NAME.N.
Result<DamagePlace> parse_place(const std::string& text) {
  DamagePlace place;
  const bool is_part = !text.empty() && text.front() >= 'a' && text.front() <= 'z';
  const auto mark = text.find(is_part ? '.' : '+');
  const std::string first = text.substr(0, mark);
  if (is_part) {
    place.part = first;
  } else {
    MMH_LET(place.offset, parse_size(first));
  }
  if (mark == std::string::npos) return place;
  const std::string second = text.substr(mark + 1);
  if (is_part) {
    MMH_LET(place.number, parse_number(second));
  } else {
    MMH_LET(place.length, parse_size(second));
  }
  return place;
}

Result<std::vector<DamagePlace>> parse_places(const std::vector<std::string>& texts) {
  std::vector<DamagePlace> places;
  for (const std::string& text : texts) {
    MMH_LET(places.emplace_back(), parse_place(text));
  }
  return places;
}

bool is_share(const std::string& text) { return text.ends_with('%'); }

Result<std::uint32_t> parse_damage_share(const std::string& text) {
  MMH_LET(const std::uint64_t ppm, parse_share(text));
  if (ppm == 0 || ppm > 1'000'000) return fail(Errc::usage, "a share is above 0% and at most 100%");
  return static_cast<std::uint32_t>(ppm);
}

Result<DamageOptions> damage_options(Session& session) {
  const Arguments& arguments = session.arguments;
  DamageOptions options;
  options.cancel = &session.cancel;
  MMH_LET(options.kind, parse_kind(arguments.operands()[0]));
  MMH_LET(options.at, parse_places(arguments.texts(OptionId::at)));
  MMH_LET(options.within, parse_places(arguments.texts(OptionId::within)));
  if (const auto count = arguments.text(OptionId::count)) {
    if (is_share(*count)) {
      MMH_LET(options.share_ppm, parse_damage_share(*count));
    } else {
      MMH_LET(options.count, parse_number(*count));
    }
  }
  if (const auto size = arguments.text(OptionId::size)) {
    if (is_share(*size)) {
      MMH_LET(options.size_ppm, parse_damage_share(*size));
    } else {
      MMH_LET(options.size, parse_size(*size));
    }
  }
  options.align = arguments.number(OptionId::align).value_or(1);
  options.front = arguments.has(OptionId::front);
  options.seed = arguments.number(OptionId::seed).value_or(0);
  options.output = arguments.text(OptionId::output).value_or("");
  options.force = arguments.has(OptionId::force);
  return options;
}
}  // namespace

Result<Status> run_damage(Session& session) {
  const auto& operands = session.arguments.operands();
  if (operands.size() != 2) return fail(Errc::usage, "say what damage, and to which file: mmh damage flip FILE");
  MMH_LET(const DamageOptions options, damage_options(session));
  const std::string& path = operands[1];
  MMH_LET(const DamageSummary summary, damage_file(path, options));
  const std::string_view kind = kKinds[static_cast<std::size_t>(options.kind)];
  for (const DamageDone& done : summary.done) {
    session.reporter.json_line(JsonObject("piece")
                                   .add("kind", kind)
                                   .add("offset", done.offset)
                                   .add("removed", done.removed)
                                   .add("added", done.added));
    if (session.reporter.json()) continue;
    const std::uint64_t bytes = std::max(done.removed, done.added);
    session.out.write(
        fmt::format("{}: {} {} {} at {}\n", printable(path), kind, bytes, bytes == 1 ? "byte" : "bytes", done.offset));
  }
  session.reporter.json_line(JsonObject("summary")
                                 .add("command", "damage")
                                 .add_path("path", path)
                                 .add("kind", kind)
                                 .add("pieces", summary.done.size())
                                 .add("size_before", summary.size_before)
                                 .add("size_after", summary.size_after));
  return Status::success;
}

}  // namespace mmh::cli
