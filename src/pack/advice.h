#pragma once

#include <string_view>

namespace mmh::pack {

/// Ends every message about damage that a reader meets.
inline constexpr std::string_view kVerifyAdvice = "; run mmh verify to see what is damaged";

}  // namespace mmh::pack
