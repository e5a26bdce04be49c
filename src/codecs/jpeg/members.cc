#include "members.h"

#include <cstring>

namespace mmh::codecs {
namespace {

constexpr std::byte kMark{0xFF};
constexpr unsigned kStart = 0xD8;
constexpr unsigned kEnd = 0xD9;
constexpr unsigned kScan = 0xDA;
constexpr unsigned kRestart = 0xD0;  // and the seven behind it

unsigned load_be16(ByteView in) { return std::to_integer<unsigned>(in[0]) << 8 | std::to_integer<unsigned>(in[1]); }

// The next mark at `at` or behind it; the size of `bytes` where there is none.
std::size_t find_mark(ByteView bytes, std::size_t at) {
  if (at >= bytes.size()) return bytes.size();
  const void* const found = std::memchr(bytes.data() + at, std::to_integer<int>(kMark), bytes.size() - at);
  return found == nullptr ? bytes.size()
                          : static_cast<std::size_t>(static_cast<const std::byte*>(found) - bytes.data());
}

// Behind the entropy-coded bytes that begin at `at`: the marker that ends them.
std::size_t skip_coded(ByteView bytes, std::size_t at) {
  for (;;) {
    at = find_mark(bytes, at);
    if (at + 1 >= bytes.size()) return bytes.size();
    const auto marker = std::to_integer<unsigned>(bytes[at + 1]);
    if (marker != 0 && (marker & ~7u) != kRestart) return at;
    at += 2;
  }
}

// The file that begins at `at`, where its first marker stands; `at` is then behind what was looked at.
std::optional<JpegMember> read_jpeg(ByteView bytes, std::size_t& at) {
  const std::size_t begin = at;
  JpegMember member{.offset = begin};
  bool has_scan = false;
  at += 2;
  while (at + 1 < bytes.size() && bytes[at] == kMark) {
    const auto marker = std::to_integer<unsigned>(bytes[at + 1]);
    if (marker == 0xFF) {  // a fill byte
      ++at;
      continue;
    }
    at += 2;
    if (marker == kEnd) {
      member.size = at - begin;
      if (!has_scan || member.pixels == 0) return std::nullopt;
      return member;
    }
    if (marker < 0xC0 || (marker & ~7u) == kRestart || marker == kStart || bytes.size() - at < 2) return std::nullopt;
    const std::size_t size = load_be16(bytes.subspan(at));
    if (size < 2 || size > bytes.size() - at) return std::nullopt;
    const bool is_frame = marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (is_frame) {
      constexpr std::size_t kFrameSize = 8;
      if (marker > 0xC2 || size < kFrameSize || member.pixels != 0 || bytes[at + 2] != std::byte{8})
        return std::nullopt;
      member.pixels = std::uint64_t{load_be16(bytes.subspan(at + 3))} * load_be16(bytes.subspan(at + 5));
    }
    at += size;
    if (marker == kScan) {
      has_scan = true;
      at = skip_coded(bytes, at);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<JpegMember> next_jpeg(ByteView bytes, std::size_t from) {
  // Beginnings without an end, one inside the other, are not all followed.
  std::size_t budget = 8 * bytes.size();
  for (std::size_t at = find_mark(bytes, from); at + 3 < bytes.size(); at = find_mark(bytes, at + 1)) {
    if (std::to_integer<unsigned>(bytes[at + 1]) != kStart || bytes[at + 2] != kMark) continue;
    std::size_t end = at;
    if (const auto member = read_jpeg(bytes, end)) return member;
    if (end - at > budget) break;
    budget -= end - at;
  }
  return std::nullopt;
}

}  // namespace mmh::codecs
