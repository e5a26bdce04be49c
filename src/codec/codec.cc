#include "mmh/codec/codec.h"

#include <fmt/format.h>

namespace mmh::codec {

std::string to_string(StreamType type) {
  switch (type.kind) {
    case StreamKind::bytes:
      return "bytes";
    case StreamKind::records:
      return fmt::format("records of {} bytes", type.width);
    case StreamKind::numbers:
      return fmt::format("numbers of {} bytes", type.width);
    case StreamKind::bits:
      return "bits";
  }
  return "";
}

Result<Signature> Codec::signature(ByteView) const { return Signature{}; }

}  // namespace mmh::codec
