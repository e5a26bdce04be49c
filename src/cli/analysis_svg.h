#pragma once
// A picture of an analysis.

#include <string>
#include <string_view>

#include "mmh/analyze.h"

namespace mmh::cli {

/// An SVG document: entropy along the file as a curve, and below it what types of content it is made of and what codecs
/// they get.
std::string analysis_svg(std::string_view title, const Analysis& analysis);

}  // namespace mmh::cli
