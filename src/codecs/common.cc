#include "common.h"

#include <fmt/format.h>

namespace mmh::codecs {

codec::Encoded encoded(Buffer parameters, Buffer stream) {
  codec::Encoded result;
  result.parameters = std::move(parameters);
  result.streams.push_back(std::move(stream));
  return result;
}

Result<> check_option(const char* name, long long value, long long low, long long high) {
  if (value >= low && value <= high) return {};
  return fail(Errc::usage, fmt::format("{} {} is not between {} and {}", name, value, low, high));
}

Result<> check_no_parameters(ByteView parameters) {
  if (parameters.empty()) return {};
  return fail(Errc::corrupt, fmt::format("{} bytes of parameters where none are known", parameters.size()));
}

}  // namespace mmh::codecs
