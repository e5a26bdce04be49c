#include "streams.h"

#include <string_view>

namespace mmh::codecs::inflated {
namespace {

using namespace std::string_view_literals;

constexpr unsigned kDeflate = 8;

unsigned byte_at(ByteView in, std::size_t at) { return std::to_integer<unsigned>(in[at]); }
std::uint32_t load_be32(ByteView in, std::size_t at) {
  return byte_at(in, at) << 24 | byte_at(in, at + 1) << 16 | byte_at(in, at + 2) << 8 | byte_at(in, at + 3);
}
bool has(ByteView in, std::size_t at, std::string_view bytes) {
  return in.size() - at >= bytes.size() && as_text(in.subspan(at, bytes.size())) == bytes;
}

// The data of a PNG picture's IDAT chunks, without the two bytes of zlib's header.
std::optional<Found> in_png(ByteView in, std::size_t at) {
  constexpr std::size_t kChunkHead = 8;
  constexpr std::size_t kChunkEnd = 4;  // its checksum
  Found found;
  found.is_picture = true;
  at += 8;
  while (in.size() - at >= kChunkHead) {
    const std::size_t size = load_be32(in, at);
    const bool is_data = has(in, at + 4, "IDAT"sv);
    if (!is_data && !found.pieces.empty()) break;
    at += kChunkHead;
    if (is_data) found.pieces.push_back({at, std::min(size, in.size() - at)});
    if (size > in.size() - at || in.size() - at - size < kChunkEnd) break;
    at += size + kChunkEnd;
  }
  constexpr std::size_t kZlibHead = 2;
  if (found.pieces.empty() || found.pieces[0].size <= kZlibHead) return std::nullopt;
  Piece& first = found.pieces[0];
  const unsigned method = byte_at(in, first.offset);
  const unsigned flags = byte_at(in, first.offset + 1);
  if ((method & 15) != kDeflate || (method << 8 | flags) % 31 != 0 || (flags & 0x20) != 0) return std::nullopt;
  found.window_bits = 8 + (method >> 4);
  first.offset += kZlibHead;
  first.size -= kZlibHead;
  return found;
}

// Behind the header of a gzip member.
std::optional<std::size_t> behind_gzip_header(ByteView in, std::size_t at) {
  constexpr std::size_t kHead = 10;
  if (in.size() - at < kHead) return std::nullopt;
  const unsigned flags = byte_at(in, at + 3);
  if (flags > 31) return std::nullopt;
  at += kHead;
  if ((flags & 4) != 0) {
    if (in.size() - at < 2) return std::nullopt;
    const std::size_t size = 2 + (byte_at(in, at) | byte_at(in, at + 1) << 8);
    if (size > in.size() - at) return std::nullopt;
    at += size;
  }
  for (const unsigned text : {8u, 16u}) {
    if ((flags & text) == 0) continue;
    while (at < in.size() && in[at] != std::byte{0}) ++at;
    if (at == in.size()) return std::nullopt;
    ++at;
  }
  if ((flags & 2) != 0) at += 2;
  if (at >= in.size()) return std::nullopt;
  return at;
}

// Behind the header of a zip member that is deflated.
std::optional<std::size_t> behind_zip_header(ByteView in, std::size_t at) {
  constexpr std::size_t kHead = 30;
  if (in.size() - at <= kHead || byte_at(in, at + 8) != kDeflate || byte_at(in, at + 9) != 0) return std::nullopt;
  const std::size_t names =
      byte_at(in, at + 26) + (byte_at(in, at + 27) << 8) + byte_at(in, at + 28) + (byte_at(in, at + 29) << 8);
  if (names >= in.size() - at - kHead) return std::nullopt;
  return at + kHead + names;
}

std::optional<Found> begins(ByteView in, std::size_t at) {
  std::optional<std::size_t> begin;
  switch (byte_at(in, at)) {
    case 0x89:
      return has(in, at, "\x89PNG\r\n\x1A\n"sv) ? in_png(in, at) : std::nullopt;
    case 0x1F:
      if (has(in, at, "\x1F\x8B\x08"sv)) begin = behind_gzip_header(in, at);
      break;
    case 'P':
      if (has(in, at, "PK\3\4"sv)) begin = behind_zip_header(in, at);
      break;
    default:
      break;
  }
  if (!begin) return std::nullopt;
  Found found;
  found.pieces.push_back({*begin, in.size() - *begin});
  return found;
}

}  // namespace

std::optional<Found> next_stream(ByteView bytes, std::size_t from) {
  for (std::size_t at = from; at < bytes.size(); ++at) {
    if (auto found = begins(bytes, at)) return found;
  }
  return std::nullopt;
}

}  // namespace mmh::codecs::inflated
