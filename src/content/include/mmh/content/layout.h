#pragma once
// Where in a file what is: tensors, pictures, sound and records, with the type of their elements and the length of
// their rows, and machine code. Found in the file's own headers, or, where it has none, by statistics.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mmh/base/files.h"
#include "mmh/content/classify.h"

namespace mmh::content {

/// What one element of a region is. On disk nowhere.
enum class ElementType : std::uint8_t {
  fp64,
  fp32,
  fp16,
  bf16,
  fp8_e4m3,
  fp8_e5m2,
  int8,
  int16,
  int24,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  boolean,
  int4,  ///< Two to a byte.
  // Blocks of quantised numbers with their scales, as GGUF has them.
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q8_1,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  q8_k,
  iq2_xxs,
  iq2_xs,
  iq3_xxs,
  iq1_s,
  iq4_nl,
  iq3_s,
  iq2_s,
  iq4_xs,
  iq1_m,
  tq1_0,
  tq2_0,
  mxfp4,
};
inline constexpr std::size_t kElementTypeCount = static_cast<std::size_t>(ElementType::mxfp4) + 1;

/// "fp32", "q4_k".
std::string_view element_name(ElementType type);
/// Bytes that belong together: of one number, or of one block of quantised ones.
std::uint32_t element_size(ElementType type);
/// Numbers in those bytes: 1, 2 (int4), or of a block.
std::uint32_t element_count(ElementType type);

/// A run of a file's bytes of one class that are elements of one type, from the first byte of an element to the last of
/// another.
struct Region {
  std::uint64_t offset = 0;  ///< In the file; of any alignment.
  std::uint64_t size = 0;    ///< Bytes; a multiple of the element's, padding of picture rows included.
  ElementType type = ElementType::uint8;
  ContentClass content = ContentClass::tensor;
  bool big_endian = false;
  std::uint32_t channels = 1;  ///< Elements that stand side by side for one pixel, one moment or one record.
  /// Bytes from one row to the next: of a picture, of a tensor's first dimension; of sound those of a moment. 0:
  /// unknown.
  std::uint64_t row_size = 0;
  std::uint64_t slice_size = 0;  ///< Bytes from one picture to the next one that is like it. 0: unknown.
  std::uint64_t inner_size = 0;  ///< Bytes of a run along a tensor's last dimension. 0: unknown.
  std::string name = {};         ///< Of a tensor; empty unless asked for.
};

/// What find_layout() can read.
enum class LayoutFormat : std::uint8_t {
  safetensors,
  gguf,
  npy,
  zip,  ///< .npz and PyTorch's .pt, .pth and .bin.
  onnx,
  netpbm,
  bmp,
  tiff,
  dicom,
  wav,
  aiff,
  elf,
  nifti,  ///< Version 1 or 2, header and data in one file.
  nrrd,
  meta_image,
  fits,
  raw_floats,   ///< No header: floats as far as the file goes.
  raw_picture,  ///< 8- or 16-bit pixels, behind a short header that names width and height, or none.
};

/// "safetensors", "raw floats".
std::string_view format_name(LayoutFormat format);

/// The format that the first bytes of a file promise, or nothing, which takes a few comparisons. `head`: from the front
/// on, at best the 64 KiB that classify() got; `content`: what it said, which decides about formats without a magic.
std::optional<LayoutFormat> layout_format(ByteView head, std::uint64_t file_size, ContentClass content);

inline constexpr std::size_t kRegionsMax = std::size_t{1} << 18;  ///< Further ones are left out.

/// The regions of a file: ordered, inside the file, none overlapping another. Bytes between them are of no known type.
/// Headers that promise what the file does not hold lose those regions; nothing is executed, and time (bytes read),
/// memory and recursion are bounded whatever the file says. Unreadable parts hold no regions.
/// `names`: whether to keep the tensors' names.
std::vector<Region> find_layout(const RandomAccessSource& file, LayoutFormat format, bool names = false);

/// The same for a file of `file_size` bytes that is read once from front to back: what its head alone tells. Nothing
/// for formats that keep their index at the end (zip). Regions may reach, and lie, behind the head.
std::vector<Region> find_layout(ByteView head, std::uint64_t file_size, LayoutFormat format, bool names = false);

/// The layout for cutting chunks: regions side by side that are of the same elements and one of which is below
/// `size_min` are joined (rows that differ become unknown), then those still below it are left out, for a chunk must
/// not be tiny.
std::vector<Region> coarse_layout(std::vector<Region> regions, std::uint64_t size_min);

/// The region that a byte of a file is in, or null, and where that region or gap ends (a gap at the end: UINT64_MAX).
struct Stretch {
  const Region* region = nullptr;
  std::uint64_t end = 0;
};
/// O(log regions). `regions`: as find_layout() gives them.
Stretch stretch_at(std::span<const Region> regions, std::uint64_t offset);

/// Bytes of which the parts of a region should be multiples: an element, what sounds at one moment, a pixel, or a row
/// of a picture where rows are short.
std::uint64_t cut_unit(const Region& region);

}  // namespace mmh::content
