#include "analysis_svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "text.h"

namespace mmh::cli {

namespace {

// In pixels.
constexpr double kWidth = 960, kLeft = 48, kRight = 16;
constexpr double kPlot = kWidth - kLeft - kRight;
constexpr double kCurveTop = 44, kCurveHeight = 160;
constexpr double kBandHeight = 22, kBandGap = 10;
constexpr double kTypesTop = kCurveTop + kCurveHeight + 34;
constexpr double kProgramsTop = kTypesTop + kBandHeight + kBandGap;
constexpr double kLegendTop = kProgramsTop + kBandHeight + 28;
constexpr double kLineHeight = 18;

constexpr std::array<std::string_view, 10> kColors = {"#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#b07aa1",
                                                      "#76b7b2", "#edc948", "#9c755f", "#ff9da7", "#7f7f7f"};

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// The names that appear, in order of appearance, with a colour each.
class Legend {
 public:
  explicit Legend(std::size_t first_color) : first_color_(first_color) {}
  std::string_view color_of(const std::string& name) {
    auto found = std::ranges::find(names_, name);
    if (found == names_.end()) found = names_.insert(names_.end(), name);
    return kColors[(static_cast<std::size_t>(found - names_.begin()) + first_color_) % kColors.size()];
  }
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::size_t first_color_;
  std::vector<std::string> names_;
};

std::string text_at(double x, double y, std::string_view anchor, std::string_view text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor, escaped(text));
}

std::string box(double x, double y, double width, double height, std::string_view color, std::string_view title) {
  return fmt::format(
      "<rect x=\"{:.2f}\" y=\"{:.1f}\" width=\"{:.2f}\" height=\"{:.1f}\" fill=\"{}\"><title>{}</title></rect>\n", x, y,
      width, height, color, escaped(title));
}

}  // namespace

std::string analysis_svg(std::string_view title, const Analysis& analysis) {
  const auto x_of = [&](std::uint64_t offset) {
    return kLeft + kPlot * static_cast<double>(offset) / static_cast<double>(std::max<std::uint64_t>(analysis.size, 1));
  };
  const auto y_of = [](double bits) { return kCurveTop + kCurveHeight * (1 - bits / 8); };

  std::string body =
      text_at(kLeft, 22, "start",
              fmt::format("{}: {}, {}, {:.2f} bits a byte", title, format_size(analysis.size),
                          analysis.format.empty() ? analysis.content : analysis.format, analysis.entropy));
  for (int bits = 0; bits <= 8; bits += 2) {
    body += fmt::format("<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#ddd\"/>\n", kLeft,
                        kWidth - kRight, y_of(bits), y_of(bits));
    body += text_at(kLeft - 6, y_of(bits) + 4, "end", std::to_string(bits));
  }
  std::string curve;
  for (const EntropyPoint& point : analysis.points) {
    curve += fmt::format("{:.2f},{:.2f} {:.2f},{:.2f} ", x_of(point.offset), y_of(point.bits),
                         x_of(point.offset + point.size), y_of(point.bits));
  }
  body += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"#333\" stroke-width=\"1.5\"/>\n", curve);
  for (const std::uint64_t quarter : {0U, 1U, 2U, 3U, 4U}) {
    const std::uint64_t offset = analysis.size / 4 * quarter;
    const std::string_view anchor = quarter == 0 ? "start" : quarter == 4 ? "end" : "middle";
    body += text_at(x_of(offset), kCurveTop + kCurveHeight + 16, anchor,
                    format_size(quarter == 4 ? analysis.size : offset));
  }

  Legend types(0);
  Legend programs(3);
  body += text_at(kLeft - 6, kTypesTop + 15, "end", "type");
  body += text_at(kLeft - 6, kProgramsTop + 15, "end", "codec");
  for (const CodedBlock& block : analysis.blocks) {
    const double width = std::max(x_of(block.offset + block.size) - x_of(block.offset), 0.75);
    const std::string note = fmt::format("{} at {}: {}, {} -> {}", block.type, format_size(block.offset), block.program,
                                         format_size(block.size), format_size(block.stored_bytes));
    body += box(x_of(block.offset), kTypesTop, width, kBandHeight, types.color_of(block.type), note);
    body += box(x_of(block.offset), kProgramsTop, width, kBandHeight, programs.color_of(block.program), note);
  }
  double y = kLegendTop;
  const auto explain = [&](Legend& legend, double x) {
    double line = kLegendTop;
    for (const std::string& name : legend.names()) {
      body += box(x, line - 10, 12, 12, legend.color_of(name), name);
      body += text_at(x + 18, line, "start", name);
      line += kLineHeight;
    }
    y = std::max(y, line);
  };
  explain(types, kLeft);
  explain(programs, kLeft + kPlot / 3);
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" "
      "fill=\"white\"/>\n{2}</svg>\n",
      kWidth, y + 8, body);
}

}  // namespace mmh::cli
