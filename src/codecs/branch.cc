#include "branch.h"

#include <fmt/format.h>

#include <cstring>

namespace mmh::codecs {

Result<codec::Encoded> BranchCodec::encode(ByteView raw, const codec::EncodeOptions&) const {
  Buffer stream = copy_of(raw);
  forward_(stream);
  return encoded({}, std::move(stream));
}

Result<> BranchCodec::decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                             const codec::DecodeContext&) const {
  MMH_TRY(check_no_parameters(parameters));
  if (streams[0].size() != raw.size()) {
    return fail(Errc::corrupt, fmt::format("{}: {} bytes for {}", name_, streams[0].size(), raw.size()));
  }
  if (!raw.empty()) std::memcpy(raw.data(), streams[0].data(), raw.size());
  backward_(raw);
  return {};
}

}  // namespace mmh::codecs
