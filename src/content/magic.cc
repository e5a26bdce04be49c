#include "magic.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace mmh::content {
namespace {

using enum ContentClass;
using namespace std::string_view_literals;

struct Magic {
  std::string_view bytes;
  ContentClass content;
};

constexpr auto kMagics = std::to_array<Magic>({
    // Compressed streams and archives.
    {"\x1F\x8B\x08"sv, compressed},
    {"\xFD\x37zXZ\0"sv, compressed},
    {"\x28\xB5\x2F\xFD"sv, compressed},
    {"\x04\x22\x4D\x18"sv, compressed},
    {"BZh"sv, compressed},
    {"7z\xBC\xAF\x27\x1C"sv, compressed},
    {"Rar!\x1A\x07"sv, compressed},
    {"LZIP"sv, compressed},
    {"\x89LZO"sv, compressed},
    {"MSCF\0\0\0\0"sv, compressed},
    {"hsqs"sv, compressed},
    {"xar!"sv, compressed},
    {"MSWIM\0\0\0"sv, compressed},
    // Pictures, sound and film.
    {"\x89PNG\r\n\x1A\n"sv, compressed},
    {"\xFF\xD8\xFF"sv, compressed},
    {"GIF8"sv, compressed},
    {"\0\0\0\x0CJXL \r\n\x87\n"sv, compressed},
    {"\0\0\0\x0CjP  \r\n\x87\n"sv, compressed},
    {"OggS\0"sv, compressed},
    {"fLaC\0\0\0"sv, compressed},
    {"ID3"sv, compressed},
    {"\x1A\x45\xDF\xA3"sv, compressed},
    {"FLV\x01"sv, compressed},
    {"wvpk"sv, compressed},
    {"wOFF"sv, compressed},
    {"wOF2"sv, compressed},
    {"BPG\xFB"sv, compressed},
    {"qoif"sv, compressed},
    // Raster pictures as they are.
    {"II*\0"sv, image},
    {"MM\0*"sv, image},
    {"8BPS\0\x01"sv, image},
    {"\x76\x2F\x31\x01"sv, image},
    {"SIMPLE  ="sv, image},
    {".snd"sv, audio},
    // Machine code.
    {"\0asm"sv, machine_other},
    {"\xCA\xFE\xBA\xBE\0\0\0"sv, machine_other},
    {"dex\n03"sv, machine_other},
    {"BC\xC0\xDE"sv, machine_other},
    // Tensors.
    {"\x93NUMPY"sv, tensor},
    {"GGUF"sv, tensor},
    {"\x89HDF\r\n\x1A\n"sv, tensor},
    {"ggjt"sv, tensor},
    // Databases and tables.
    {"SQLite format 3\0"sv, records},
    {"PAR1"sv, compressed},
    {"ARROW1\0\0"sv, records},
    {"\xD4\xC3\xB2\xA1"sv, records},
    {"\xA1\xB2\xC3\xD4"sv, records},
    {"\x0A\x0D\x0D\x0A"sv, records},
    {"TZif"sv, records},
    {"\xDE\x12\x04\x95"sv, records},
    {"\x95\x04\x12\xDE"sv, records},
    {"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"sv, records},
    {"\0\x01\0\0\0"sv, binary},
    {"OTTO\0"sv, binary},
});

constexpr std::uint8_t first_byte(const Magic& magic) { return static_cast<std::uint8_t>(magic.bytes[0]); }

// The magics ordered by their first bytes, and where those of each first byte begin.
struct Index {
  std::array<Magic, kMagics.size()> magics = kMagics;
  std::array<std::uint8_t, 257> begin{};
};
constexpr Index kIndex = [] {
  Index index;
  std::sort(index.magics.begin(), index.magics.end(),
            [](const Magic& a, const Magic& b) { return first_byte(a) < first_byte(b); });
  for (const Magic& magic : index.magics) ++index.begin[first_byte(magic) + 1];
  for (std::size_t i = 1; i < index.begin.size(); ++i) {
    index.begin[i] = static_cast<std::uint8_t>(index.begin[i] + index.begin[i - 1]);
  }
  return index;
}();

bool has(ByteView head, std::string_view bytes, std::size_t offset = 0) {
  return head.size() >= offset + bytes.size() && as_text(head.subspan(offset, bytes.size())) == bytes;
}

template <class T>
T load_be(ByteView in) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>(value << 8 | std::to_integer<T>(in[i]));
  return value;
}

ContentClass machine_of_elf(ByteView head) {
  const bool big_endian = head[5] == std::byte{2};
  const auto number = [&](std::size_t at) {
    return big_endian ? load_be<std::uint16_t>(head.subspan(at, 2)) : load_le<std::uint16_t>(head.subspan(at, 2));
  };
  constexpr std::uint16_t kRelocatable = 1;
  if (number(16) == kRelocatable) return machine_other;
  switch (number(18)) {
    case 3:
    case 62:
      return machine_x86;
    case 183:
      return machine_arm64;
    case 243:
      return machine_riscv;
    default:
      return machine_other;
  }
}

std::optional<ContentClass> machine_of_pe(ByteView head) {
  const std::uint64_t at = load_le<std::uint32_t>(head.subspan(0x3C, 4));
  if (at > head.size() || head.size() - at < 6 || !has(head, "PE\0\0"sv, static_cast<std::size_t>(at))) {
    return std::nullopt;
  }
  switch (load_le<std::uint16_t>(head.subspan(static_cast<std::size_t>(at) + 4, 2))) {
    case 0x014C:
    case 0x8664:
      return machine_x86;
    case 0xAA64:
      return machine_arm64;
    case 0x5032:
    case 0x5064:
      return machine_riscv;
    default:
      return machine_other;
  }
}

std::optional<ContentClass> machine_of_mach_o(ByteView head) {
  if (head.size() >= 8 && (has(head, "\xCF\xFA\xED\xFE"sv) || has(head, "\xCE\xFA\xED\xFE"sv))) {
    switch (load_le<std::uint32_t>(head.subspan(4, 4))) {
      case 7:
      case 0x01000007:
        return machine_x86;
      case 0x0100000C:
        return machine_arm64;
      default:
        return machine_other;
    }
  }
  return std::nullopt;
}

// ZIP, judged by its first entry that holds anything: what is deflated there will not shrink, what is stored may.
std::optional<ContentClass> class_of_zip(ByteView head) {
  constexpr std::size_t kHeaderSize = 30;
  constexpr std::size_t kEntriesMax = 16;
  std::size_t at = 0;
  for (std::size_t entry = 0; entry < kEntriesMax && head.size() - at >= kHeaderSize; ++entry) {
    const ByteView header = head.subspan(at);
    if (!has(header, "PK\3\4"sv)) break;
    if (load_le<std::uint16_t>(header.subspan(8, 2)) != 0) return compressed;
    const std::uint32_t size = load_le<std::uint32_t>(header.subspan(18, 4));
    if (size != 0) break;
    const std::size_t next =
        kHeaderSize + load_le<std::uint16_t>(header.subspan(26, 2)) + load_le<std::uint16_t>(header.subspan(28, 2));
    if (next > header.size()) break;
    at += next;
  }
  return std::nullopt;
}

// safetensors: the size of a JSON header, then the header.
bool is_safetensors(ByteView head) {
  if (head.size() < 16) return false;
  const auto size = load_le<std::uint64_t>(head);
  return size >= 2 && size < (std::uint64_t{100} << 20) && has(head, "{\""sv, 8);
}

// MP4, QuickTime, HEIF and AVIF: a first box of type "ftyp".
bool is_iso_media(ByteView head) { return has(head, "ftyp"sv, 4) && head[0] == std::byte{0}; }

bool is_bitmap(ByteView head) {
  return has(head, "BM"sv) && head.size() >= 30 && load_le<std::uint32_t>(head.subspan(6, 4)) == 0 &&
         load_le<std::uint16_t>(head.subspan(26, 2)) == 1;
}

// dBase tables: a version, a date, the number of records, and the sizes of a header of 32 bytes for each field and of a
// record.
bool is_dbase(ByteView head) {
  if (head.size() < 64) return false;
  const auto byte = [&](std::size_t at) { return std::to_integer<unsigned>(head[at]); };
  const auto header_size = load_le<std::uint16_t>(head.subspan(8, 2));
  return (byte(0) & 0x07) == 3 && byte(2) >= 1 && byte(2) <= 12 && byte(3) >= 1 && byte(3) <= 31 && header_size >= 65 &&
         (header_size - 1) % 32 <= 8 && load_le<std::uint16_t>(head.subspan(10, 2)) >= 2 &&
         (header_size > head.size() || byte(header_size - std::size_t{1}) == 0x0D);
}

// PBM, PGM, PPM and PAM in their binary forms.
bool is_portable_map(ByteView head) {
  return head.size() >= 3 && head[0] == std::byte{'P'} && head[1] >= std::byte{'4'} && head[1] <= std::byte{'7'} &&
         (head[2] == std::byte{'\n'} || head[2] == std::byte{' '});
}

// The header of an MPEG audio frame without a checksum, layer III, of valid bit and sample rates.
bool is_mpeg_audio(ByteView head) {
  const auto rates = std::to_integer<unsigned>(head[2]);
  return head[0] == std::byte{0xFF} && (head[1] == std::byte{0xFB} || head[1] == std::byte{0xF3}) &&
         (rates >> 4) != 0 && (rates >> 4) != 15 && ((rates >> 2) & 3) != 3;
}

constexpr std::size_t kTextHeaderMax = 4096;

}  // namespace

// ONNX: a protobuf message has no magic. The version of the format comes first, then a few short texts, then the graph,
// which begins with a node.
bool is_onnx(ByteView head) {
  constexpr unsigned kVersionMax = 32;
  const auto byte = [&](std::size_t at) { return at < head.size() ? std::to_integer<unsigned>(head[at]) : 0; };
  if (byte(0) != 0x08 || byte(1) == 0 || byte(1) > kVersionMax) return false;
  std::size_t at = 2;
  for (int field = 0; field < 8; ++field) {
    const unsigned key = byte(at);
    if (key == 0x28) {  // the model's version: a number
      for (++at; byte(at) >= 0x80; ++at) {
      }
      ++at;
    } else if (key == 0x12 || key == 0x1A || key == 0x22 || key == 0x32 ||
               key == 0x42) {  // texts; the operators' version
      if (byte(at + 1) >= 0x80) return false;
      at += 2 + byte(at + 1);
    } else {
      if (key != 0x3A) return false;
      for (++at; byte(at) >= 0x80; ++at) {
      }
      return byte(at + 1) == 0x0A;
    }
  }
  return false;
}

bool is_nifti(ByteView head) {
  // The size of the header, in either order of bytes, and what names version and kind.
  if (has(head, "\x5C\1\0\0"sv) || has(head, "\0\0\1\x5C"sv)) return has(head, "n+1\0"sv, 344);
  if (has(head, "\x1C\2\0\0"sv) || has(head, "\0\0\2\x1C"sv)) return has(head, "n+2\0\r\n\x1A\n"sv, 4);
  return false;
}

bool is_nrrd(ByteView head) {
  if (!has(head, "NRRD000"sv)) return false;
  const std::string_view text = as_text(head.first(std::min(head.size(), kTextHeaderMax)));
  const std::string_view header = text.substr(0, text.find("\n\n"));
  return header.contains("\nencoding: raw") && !header.contains("\ndata file:") && !header.contains("\ndatafile:");
}

bool is_meta_image(ByteView head) {
  if (!has(head, "ObjectType ="sv) && !has(head, "NDims ="sv) && !has(head, "Comment ="sv)) return false;
  const std::string_view text = as_text(head.first(std::min(head.size(), kTextHeaderMax)));
  const std::size_t end = text.find("\nElementDataFile = LOCAL");
  return end != std::string_view::npos && !text.substr(0, end).contains("\nCompressedData = True");
}

std::optional<ContentClass> class_by_magic(ByteView head) {
  if (head.size() < 4) return std::nullopt;
  const auto first = std::to_integer<std::uint8_t>(head[0]);
  switch (first) {
    case 0x7F:
      if (has(head, "\x7F\x45LF"sv) && head.size() >= 20) return machine_of_elf(head);
      break;
    case 'M':
      if (has(head, "MZ"sv) && head.size() >= 0x40) {
        if (const auto machine = machine_of_pe(head)) return machine;
      }
      break;
    case 0xCE:
    case 0xCF:
      if (const auto machine = machine_of_mach_o(head)) return machine;
      break;
    case '!':
      if (has(head, "!<arch>\n"sv)) return machine_other;
      break;
    case 'R':
      if (has(head, "RIFF"sv) && has(head, "WAVE"sv, 8)) return audio;
      if (has(head, "RIFF"sv) && (has(head, "WEBP"sv, 8) || has(head, "AVI "sv, 8))) return compressed;
      break;
    case 'F':
      if (has(head, "FORM"sv) && (has(head, "AIFF"sv, 8) || has(head, "AIFC"sv, 8))) return audio;
      break;
    case 'B':
      if (is_bitmap(head)) return image;
      break;
    case 'P':
      if (is_portable_map(head)) return image;
      if (has(head, "PK\3\4"sv)) return class_of_zip(head);
      break;
    case 0xFF:
      if (is_mpeg_audio(head)) return compressed;
      break;
    default:
      break;
  }
  for (std::size_t i = kIndex.begin[first]; i < kIndex.begin[first + std::size_t{1}]; ++i) {
    if (has(head, kIndex.magics[i].bytes)) return kIndex.magics[i].content;
  }
  if (is_iso_media(head)) return compressed;
  if (head.size() >= 16 && has(head, "\r\r\n"sv, 1)) return machine_other;  // Python byte code
  if (is_safetensors(head) || has(head, "TFL3"sv, 4) || is_onnx(head)) return tensor;
  if (has(head, "DICM"sv, 128) || is_nifti(head) || is_nrrd(head) || is_meta_image(head)) return image;
  if (is_dbase(head)) return records;
  return std::nullopt;
}

std::optional<TarMember> first_tar_member(ByteView head) {
  constexpr std::size_t kBlock = 512;
  while (head.size() > kBlock && has(head, "ustar"sv, 257)) {
    const std::string_view name = as_text(head.first(100));
    std::uint64_t size = 0;
    for (const char digit : as_text(head.subspan(124, 12))) {
      if (digit == ' ' && size == 0) continue;
      if (digit < '0' || digit > '7') break;
      size = size * 8 + static_cast<unsigned>(digit - '0');
    }
    const bool is_file = head[156] == std::byte{'0'} || head[156] == std::byte{0};
    head = head.subspan(kBlock);
    if (is_file && size != 0) {
      return TarMember{head.first(static_cast<std::size_t>(std::min<std::uint64_t>(size, head.size()))),
                       name.substr(0, name.find('\0'))};
    }
    // Long names and the like stand in members of their own.
    const std::uint64_t padded = (size + kBlock - 1) / kBlock * kBlock;
    if (padded >= head.size()) break;
    head = head.subspan(static_cast<std::size_t>(padded));
  }
  return std::nullopt;
}

}  // namespace mmh::content
