#include "mmh/content/layout.h"

#include <algorithm>
#include <array>

#include "layout/reader.h"
#include "magic.h"
#include "mmh/base/check.h"

namespace mmh::content {
namespace {

using namespace std::string_view_literals;

struct ElementInfo {
  std::string_view name;
  std::uint32_t size;
  std::uint32_t count;
};
constexpr std::array<ElementInfo, kElementTypeCount> kElements = {{
    {"fp64", 8, 1},      {"fp32", 4, 1},       {"fp16", 2, 1},     {"bf16", 2, 1},     {"fp8_e4m3", 1, 1},
    {"fp8_e5m2", 1, 1},  {"int8", 1, 1},       {"int16", 2, 1},    {"int24", 3, 1},    {"int32", 4, 1},
    {"int64", 8, 1},     {"uint8", 1, 1},      {"uint16", 2, 1},   {"uint32", 4, 1},   {"uint64", 8, 1},
    {"bool", 1, 1},      {"int4", 1, 2},       {"q4_0", 18, 32},   {"q4_1", 20, 32},   {"q5_0", 22, 32},
    {"q5_1", 24, 32},    {"q8_0", 34, 32},     {"q8_1", 36, 32},   {"q2_k", 84, 256},  {"q3_k", 110, 256},
    {"q4_k", 144, 256},  {"q5_k", 176, 256},   {"q6_k", 210, 256}, {"q8_k", 292, 256}, {"iq2_xxs", 66, 256},
    {"iq2_xs", 74, 256}, {"iq3_xxs", 98, 256}, {"iq1_s", 50, 256}, {"iq4_nl", 18, 32}, {"iq3_s", 110, 256},
    {"iq2_s", 82, 256},  {"iq4_xs", 136, 256}, {"iq1_m", 56, 256}, {"tq1_0", 54, 256}, {"tq2_0", 66, 256},
    {"mxfp4", 17, 32},
}};
const ElementInfo& info_of(ElementType type) { return kElements[static_cast<std::size_t>(type)]; }

std::vector<Region> find_in(const RandomAccessSource& file, std::uint64_t size, LayoutFormat format, bool names) {
  LayoutReader reader(file, size);
  RegionList regions(size, names);
  using enum LayoutFormat;
  switch (format) {
    case safetensors:
      find_safetensors(reader, regions);
      break;
    case gguf:
      find_gguf(reader, regions);
      break;
    case npy:
      find_npy(reader, {}, regions);
      break;
    case zip:
      find_in_zip(reader, regions);
      break;
    case onnx:
      find_onnx(reader, regions);
      break;
    case netpbm:
      find_netpbm(reader, regions);
      break;
    case bmp:
      find_bmp(reader, regions);
      break;
    case tiff:
      find_tiff(reader, regions);
      break;
    case dicom:
      find_dicom(reader, regions);
      break;
    case nifti:
      find_nifti(reader, regions);
      break;
    case nrrd:
      find_nrrd(reader, regions);
      break;
    case meta_image:
      find_meta_image(reader, regions);
      break;
    case fits:
      find_fits(reader, regions);
      break;
    case wav:
      find_wav(reader, regions);
      break;
    case aiff:
      find_aiff(reader, regions);
      break;
    case elf:
      find_elf(reader, regions);
      break;
    case raw_floats:
      find_raw_floats(reader, regions);
      break;
    case raw_picture:
      find_raw_picture(reader, regions);
      break;
  }
  return std::move(regions).finish();
}

}  // namespace

std::string_view element_name(ElementType type) { return info_of(type).name; }
std::uint32_t element_size(ElementType type) { return info_of(type).size; }
std::uint32_t element_count(ElementType type) { return info_of(type).count; }

std::string_view format_name(LayoutFormat format) {
  using enum LayoutFormat;
  switch (format) {
    case safetensors:
      return "safetensors";
    case gguf:
      return "GGUF";
    case npy:
      return "NumPy";
    case zip:
      return "zip of tensors";
    case onnx:
      return "ONNX";
    case netpbm:
      return "netpbm";
    case bmp:
      return "BMP";
    case tiff:
      return "TIFF";
    case dicom:
      return "DICOM";
    case nifti:
      return "NIfTI";
    case nrrd:
      return "NRRD";
    case meta_image:
      return "MetaImage";
    case fits:
      return "FITS";
    case wav:
      return "WAV";
    case aiff:
      return "AIFF";
    case elf:
      return "ELF";
    case raw_floats:
      return "raw floats";
    case raw_picture:
      return "raw picture";
  }
  MMH_CHECK(false);
}

std::optional<LayoutFormat> layout_format(ByteView head, std::uint64_t file_size, ContentClass content) {
  using enum LayoutFormat;
  if (head.size() < 16 || file_size < head.size()) return std::nullopt;
  const auto has = [&](std::string_view bytes, std::size_t at = 0) {
    return head.size() >= at + bytes.size() && as_text(head.subspan(at, bytes.size())) == bytes;
  };
  switch (std::to_integer<char>(head[0])) {
    case '\x7F':
      if (has("\x7F\x45LF")) return elf;
      break;
    case 'G':
      if (has("GGUF")) return gguf;
      break;
    case '\x93':
      if (has("\x93NUMPY")) return npy;
      break;
    case 'P':
      if (has("PK\3\4")) return zip;
      if ((has("5", 1) || has("6", 1) || has("7", 1) || has("F", 1) || has("f", 1)) && (has("\n", 2) || has(" ", 2))) {
        return netpbm;
      }
      break;
    case 'B':
      if (has("BM")) return bmp;
      break;
    case 'N':
      if (is_nrrd(head)) return nrrd;
      break;
    case 'I':
      if (has("II*\0"sv) || has("II+\0"sv)) return tiff;
      break;
    case 'M':
      if (has("MM\0*"sv) || has("MM\0+"sv)) return tiff;
      break;
    case 'R':
      if ((has("RIFF") || has("RF64")) && has("WAVE", 8)) return wav;
      break;
    case 'S':
      if (has("SIMPLE  =")) return fits;
      break;
    case 'F':
      if (has("FORM") && has("AIFF", 8)) return aiff;
      break;
    case '\x08':
      if (is_onnx(head)) return onnx;
      // DICOM without a preamble: an element of group 8.
      if (has("\x08\0"sv) && head[3] == std::byte{0} && load_le<std::uint32_t>(head.subspan(4)) < 64) return dicom;
      break;
    default:
      break;
  }
  const auto header = load_le<std::uint64_t>(head);
  if (has("{\"", 8) && header >= 2 && header <= file_size - 8) return safetensors;
  if (has("DICM", 128)) return dicom;
  if (is_nifti(head)) return nifti;
  if (is_meta_image(head)) return meta_image;
  if (content == ContentClass::tensor) return raw_floats;
  if (content == ContentClass::image) return raw_picture;
  return std::nullopt;
}

std::vector<Region> find_layout(const RandomAccessSource& file, LayoutFormat format, bool names) {
  return find_in(file, file.size(), format, names);
}

std::vector<Region> find_layout(ByteView head, std::uint64_t file_size, LayoutFormat format, bool names) {
  return find_in(*memory_source(head, {}), std::max<std::uint64_t>(file_size, head.size()), format, names);
}

std::vector<Region> coarse_layout(std::vector<Region> regions, std::uint64_t size_min) {
  std::vector<Region> coarse;
  for (Region& region : regions) {
    if (!coarse.empty()) {
      Region& last = coarse.back();
      const bool same = last.type == region.type && last.content == region.content &&
                        last.big_endian == region.big_endian && last.channels == region.channels;
      if (same && last.offset + last.size == region.offset && (last.size < size_min || region.size < size_min)) {
        last.size += region.size;
        if (last.row_size != region.row_size) last.row_size = 0;
        if (last.slice_size != region.slice_size) last.slice_size = 0;
        if (last.inner_size != region.inner_size) last.inner_size = 0;
        continue;
      }
    }
    coarse.push_back(std::move(region));
  }
  std::erase_if(coarse, [&](const Region& region) { return region.size < size_min; });
  return coarse;
}

Stretch stretch_at(std::span<const Region> regions, std::uint64_t offset) {
  const auto next =
      std::ranges::upper_bound(regions, offset, {}, [](const Region& region) { return region.offset + region.size; });
  if (next == regions.end()) return {nullptr, UINT64_MAX};
  if (next->offset > offset) return {nullptr, next->offset};
  return {&*next, next->offset + next->size};
}

std::uint64_t cut_unit(const Region& region) {
  constexpr std::uint64_t kRowMax = std::uint64_t{8} << 10;
  const std::uint64_t one = element_size(region.type);
  if (region.content == ContentClass::tensor) return one;
  if (region.content == ContentClass::image && region.row_size != 0 && region.row_size <= kRowMax)
    return region.row_size;
  return one * region.channels;
}

}  // namespace mmh::content
