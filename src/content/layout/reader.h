#pragma once
// What the parsers of layouts share: reading a file piece by piece, and gathering regions. A reader fails once and for
// all: parsers look at ok() where it matters and nowhere else.

#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mmh/content/layout.h"

namespace mmh::content {

/// Reads between two offsets of a file through a small window. Behind the end, where the file cannot be read, and when
/// more was read than any honest header takes, it fails: ok() is false from then on and all values are 0.
class LayoutReader {
 public:
  /// `size`: of the file, of which `file` may be the front only.
  LayoutReader(const RandomAccessSource& file, std::uint64_t size) : file_(file), end_(size) {}
  /// The range must lie inside the one so far; else the reader fails at once.
  void restrict_to(std::uint64_t begin, std::uint64_t end);

  /// A reader of a part, for a parser of its own: when that is done, give it back, so that what it read counts.
  LayoutReader part(std::uint64_t begin, std::uint64_t end) const;
  void give_back(const LayoutReader& part) { read_ = part.read_; }

  bool ok() const { return ok_; }
  void fail() { ok_ = false; }
  std::uint64_t position() const { return position_; }
  std::uint64_t end() const { return end_; }
  std::uint64_t left() const { return end_ - position_; }

  void seek(std::uint64_t position);
  void skip(std::uint64_t count);
  void take(Bytes out);
  std::uint8_t byte();
  /// Up to `count` bytes as text; keeps the first `kept_max`.
  std::string text(std::uint64_t count, std::size_t kept_max);

  template <class T>
  T le() {
    std::array<std::byte, sizeof(T)> bytes{};
    take(bytes);
    return ok_ ? load_le<T>(bytes) : T{};
  }
  template <class T>
  T be() {
    return std::byteswap(le<T>());
  }
  template <class T>
  T number(bool big_endian) {
    return big_endian ? be<T>() : le<T>();
  }

 private:
  static constexpr std::size_t kWindowSize = std::size_t{16} << 10;
  static constexpr std::uint64_t kReadMax = std::uint64_t{512} << 20;

  const RandomAccessSource& file_;
  std::uint64_t end_;
  std::uint64_t position_ = 0;
  std::uint64_t window_begin_ = 0;
  std::uint64_t read_ = 0;
  Buffer window_;
  bool ok_ = true;
};

/// Gathers regions and makes them what find_layout() promises.
class RegionList {
 public:
  RegionList(std::uint64_t file_size, bool names) : file_size_(file_size), names_(names) {}
  bool wants_names() const { return names_; }
  bool full() const { return regions_.size() >= kRegionsMax; }
  /// Drops it where it does not lie in the file. Cuts a size that is no multiple of the element's.
  void add(Region region);
  /// A tensor of that shape, slowest dimension first; dropped where the shape does not take `size` bytes.
  void add_tensor(std::uint64_t offset, std::uint64_t size, ElementType type, std::span<const std::uint64_t> shape,
                  bool big_endian, std::string name);
  std::vector<Region> finish() &&;

 private:
  std::uint64_t file_size_;
  bool names_;
  std::vector<Region> regions_;
};

/// a * b, or nothing where that does not fit.
std::optional<std::uint64_t> product(std::uint64_t a, std::uint64_t b);

/// Bytes of a tensor of that shape; nothing where it is empty, too large to say, or no whole number of blocks.
std::optional<std::uint64_t> tensor_size(ElementType type, std::span<const std::uint64_t> shape);

inline constexpr std::size_t kDimensionsMax = 16;

/// An array of pixels or other elements, of which `channels` stand side by side.
struct Array {
  ElementType type = ElementType::uint8;
  bool big_endian = false;
  std::uint32_t channels = 1;
  std::vector<std::uint64_t> shape = {};  ///< Fastest dimension first, without the channels.
};
/// The array at the reader's position: integers of two dimensions and more are a picture, others a tensor. Dropped
/// where the file does not hold all of it.
void add_array(const LayoutReader& reader, RegionList& regions, Array array);
inline constexpr std::size_t kNameMax = 512;  ///< Bytes of a name that are kept.

// The parsers. Each adds what it finds, up to the first thing it does not understand.
void find_safetensors(LayoutReader& reader, RegionList& regions);
void find_gguf(LayoutReader& reader, RegionList& regions);
/// The array that begins at the reader's position and goes to its end.
void find_npy(LayoutReader& reader, std::string name, RegionList& regions);
void find_in_zip(LayoutReader& reader, RegionList& regions);
void find_onnx(LayoutReader& reader, RegionList& regions);
void find_netpbm(LayoutReader& reader, RegionList& regions);
void find_bmp(LayoutReader& reader, RegionList& regions);
void find_tiff(LayoutReader& reader, RegionList& regions);
void find_dicom(LayoutReader& reader, RegionList& regions);
void find_nifti(LayoutReader& reader, RegionList& regions);
void find_nrrd(LayoutReader& reader, RegionList& regions);
void find_meta_image(LayoutReader& reader, RegionList& regions);
void find_fits(LayoutReader& reader, RegionList& regions);
void find_wav(LayoutReader& reader, RegionList& regions);
void find_aiff(LayoutReader& reader, RegionList& regions);
void find_elf(LayoutReader& reader, RegionList& regions);
void find_raw_picture(LayoutReader& reader, RegionList& regions);
void find_raw_floats(LayoutReader& reader, RegionList& regions);

}  // namespace mmh::content
