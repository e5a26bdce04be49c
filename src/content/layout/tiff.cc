// TIFF and BigTIFF: directories of tags; strips and tiles without compression.

#include <algorithm>

#include "layout/reader.h"

namespace mmh::content {
namespace {

constexpr unsigned kDirectoriesMax = 4096;
constexpr unsigned kTagsMax = 1024;
constexpr std::size_t kPartsMax = std::size_t{1} << 16;  // strips or tiles of one picture

class Tiff {
 public:
  Tiff(LayoutReader& reader, RegionList& regions) : reader_(reader), regions_(regions) {}

  void find() {
    big_endian_ = reader_.byte() == 'M';
    reader_.skip(1);
    constexpr unsigned kBigTiff = 43;
    is_big_ = number<std::uint16_t>() == kBigTiff;
    if (is_big_) reader_.skip(4);
    std::uint64_t last = 0;
    std::uint64_t at = offset();
    // Directories of honest files come in order; going back would make loops possible.
    for (unsigned i = 0; i < kDirectoriesMax && reader_.ok() && at > last && !regions_.full(); ++i) {
      last = at;
      reader_.seek(at);
      at = directory();
    }
  }

 private:
  struct Picture {
    std::uint64_t width = 0, height = 0, channels = 1, compression = 1, planes = 1, format = 1;
    std::uint64_t tile_width = 0;
    std::vector<std::uint64_t> bits{1}, offsets, sizes;
  };

  template <class T>
  T number() {
    return reader_.number<T>(big_endian_);
  }
  std::uint64_t offset() { return is_big_ ? number<std::uint64_t>() : number<std::uint32_t>(); }

  static unsigned size_of(unsigned type) {
    constexpr std::uint8_t kSizes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};
    return type < std::size(kSizes) ? kSizes[type] : 0;
  }

  // The values of the tag whose type comes next.
  std::vector<std::uint64_t> values() {
    const unsigned type = number<std::uint16_t>();
    const std::uint64_t count = offset();
    const std::uint64_t size = size_of(type);
    std::vector<std::uint64_t> numbers;
    if (size == 0 || count > kPartsMax) return numbers;
    if (size * count > (is_big_ ? 8U : 4U)) reader_.seek(offset());
    for (std::uint64_t i = 0; i < count && reader_.ok(); ++i) {
      numbers.push_back(size == 1   ? reader_.byte()
                        : size == 2 ? number<std::uint16_t>()
                        : size == 4 ? number<std::uint32_t>()
                                    : number<std::uint64_t>());
    }
    return numbers;
  }

  // Gives where the next one is.
  std::uint64_t directory() {
    const std::uint64_t tags = is_big_ ? number<std::uint64_t>() : number<std::uint16_t>();
    if (tags > kTagsMax) return 0;
    Picture picture;
    const std::uint64_t begin = reader_.position();
    const std::uint64_t tag_size = is_big_ ? 20 : 12;
    for (std::uint64_t i = 0; i < tags && reader_.ok(); ++i) {
      reader_.seek(begin + i * tag_size);
      const unsigned tag = number<std::uint16_t>();
      const auto take = [&](std::uint64_t& value) {
        if (const auto numbers = values(); !numbers.empty()) value = numbers[0];
      };
      switch (tag) {
        case 256:
          take(picture.width);
          break;
        case 257:
          take(picture.height);
          break;
        case 258:
          picture.bits = values();
          break;
        case 259:
          take(picture.compression);
          break;
        case 273:
        case 324:
          picture.offsets = values();
          break;
        case 277:
          take(picture.channels);
          break;
        case 279:
        case 325:
          picture.sizes = values();
          break;
        case 284:
          take(picture.planes);
          break;
        case 322:
          take(picture.tile_width);
          break;
        case 339:
          take(picture.format);
          break;
        default:
          break;
      }
    }
    if (reader_.ok()) add(picture);
    reader_.seek(std::min(begin + tags * tag_size, reader_.end()));
    return offset();
  }

  std::optional<ElementType> type_of(const Picture& picture) const {
    using enum ElementType;
    constexpr std::uint64_t kSigned = 2;
    constexpr std::uint64_t kFloat = 3;
    const std::uint64_t bits = picture.bits.empty() ? 0 : picture.bits[0];
    if (std::ranges::any_of(picture.bits, [&](std::uint64_t b) { return b != bits; })) return std::nullopt;
    if (picture.format == kFloat) {
      return bits == 16   ? std::optional(fp16)
             : bits == 32 ? std::optional(fp32)
             : bits == 64 ? std::optional(fp64)
                          : std::nullopt;
    }
    switch (bits) {
      case 8:
        return picture.format == kSigned ? int8 : uint8;
      case 16:
        return picture.format == kSigned ? int16 : uint16;
      case 32:
        return picture.format == kSigned ? int32 : uint32;
      default:
        return std::nullopt;
    }
  }

  void add(const Picture& picture) {
    constexpr std::uint64_t kSideMax = std::uint64_t{1} << 24;
    constexpr std::uint64_t kUncompressed = 1;
    constexpr std::uint64_t kSeparate = 2;
    const auto type = type_of(picture);
    if (!type || picture.compression != kUncompressed || picture.channels == 0 || picture.channels > 64) return;
    const std::uint64_t width = picture.tile_width != 0 ? picture.tile_width : picture.width;
    if (width == 0 || width > kSideMax || picture.height == 0 || picture.offsets.size() != picture.sizes.size()) return;
    const std::uint64_t channels = picture.planes == kSeparate ? 1 : picture.channels;
    Region region{.type = *type,
                  .content = ContentClass::image,
                  .big_endian = big_endian_ && element_size(*type) > 1,
                  .channels = static_cast<std::uint32_t>(channels),
                  .row_size = width * channels * element_size(*type)};
    // Strips that follow one another are one region, as long as each is of whole rows.
    for (std::size_t i = 0; i < picture.offsets.size(); ++i) {
      const bool follows = region.size != 0 && region.offset + region.size == picture.offsets[i] &&
                           region.size % region.row_size == 0 && picture.tile_width == 0 && picture.planes != kSeparate;
      if (!follows) {
        if (region.size != 0) regions_.add(region);
        region.offset = picture.offsets[i];
        region.size = 0;
      }
      if (picture.sizes[i] > reader_.end()) return;
      region.size += picture.sizes[i];
    }
    if (region.size != 0) regions_.add(region);
  }

  LayoutReader& reader_;
  RegionList& regions_;
  bool big_endian_ = false;
  bool is_big_ = false;
};

}  // namespace

void find_tiff(LayoutReader& reader, RegionList& regions) { Tiff(reader, regions).find(); }

}  // namespace mmh::content
