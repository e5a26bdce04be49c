#include "branch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "mmh/base/varint.h"

namespace mmh::codecs {

Result<codec::Encoded> BranchCodec::encode(ByteView raw, const codec::EncodeOptions& options) const {
  MMH_TRY(check_option("phase", options.phase, 0, alignment_ - 1));
  Buffer parameters;
  if (options.phase != 0) put_varint(parameters, options.phase);
  Buffer stream = copy_of(raw);
  forward_(Bytes(stream).subspan(std::min<std::size_t>(options.phase, raw.size())));
  return encoded(std::move(parameters), std::move(stream));
}

Result<> BranchCodec::decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                             const codec::DecodeContext&) const {
  std::uint64_t phase = 0;
  if (!parameters.empty()) {
    MMH_LET(phase, take_varint(parameters));
    MMH_TRY(check_no_parameters(parameters));
    if (phase == 0 || phase >= alignment_) {
      return fail(Errc::corrupt, fmt::format("{}: instructions do not begin {} bytes late", name_, phase));
    }
  }
  if (streams[0].size() != raw.size()) {
    return fail(Errc::corrupt, fmt::format("{}: {} bytes for {}", name_, streams[0].size(), raw.size()));
  }
  if (!raw.empty()) std::memcpy(raw.data(), streams[0].data(), raw.size());
  backward_(raw.subspan(std::min(static_cast<std::size_t>(phase), raw.size())));
  return {};
}

}  // namespace mmh::codecs
