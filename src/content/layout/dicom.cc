// DICOM: a list of elements (a tag, a length, a value), with or without its preamble and file header; several such
// lists one behind the other. Only pixels without compression are of interest, in little-endian lists.

#include "layout/reader.h"

namespace mmh::content {
namespace {

using namespace std::string_view_literals;

constexpr std::uint32_t kUndefined = 0xFFFFFFFF;

constexpr std::uint32_t tag_of(std::uint32_t group, std::uint32_t element) { return group << 16 | element; }

struct Element {
  std::uint32_t tag = 0;
  std::uint32_t size = 0;
  bool is_sequence = false;
};

struct Image {
  std::uint64_t rows = 0, columns = 0, channels = 1, bits = 0, is_signed = 0, planar = 0;
};

class Dicom {
 public:
  Dicom(LayoutReader& reader, RegionList& regions) : reader_(reader), regions_(regions) {}

  void find() {
    if (reader_.left() > 132) {
      reader_.skip(128);
      if (reader_.text(4, 4) != "DICM"sv) reader_.seek(0);
    }
    is_explicit_ = true;
    in_header_ = reader_.position() != 0;
    if (!in_header_) guess_explicit();
    while (reader_.ok() && reader_.left() >= 8 && !regions_.full()) {
      const Element element = next();
      if (!reader_.ok() || !take(element)) return;
    }
  }

 private:
  // Without a header only a look tells whether elements name their types.
  void guess_explicit() {
    const std::uint64_t at = reader_.position();
    reader_.skip(4);
    const std::string type = reader_.text(2, 2);
    is_explicit_ = type.size() == 2 && type[0] >= 'A' && type[0] <= 'Z' && type[1] >= 'A' && type[1] <= 'Z';
    reader_.seek(at);
  }

  Element next() {
    Element element;
    // Behind the header its list may be written in the other way.
    if (in_header_) {
      const std::uint64_t at = reader_.position();
      if (reader_.le<std::uint16_t>() != 2) {
        in_header_ = false;
        is_explicit_ = explicit_behind_header_;
      }
      reader_.seek(at);
    }
    const std::uint32_t group = reader_.le<std::uint16_t>();
    element.tag = tag_of(group, reader_.le<std::uint16_t>());
    constexpr std::uint32_t kItems = 0xFFFE;  // no types there, ever
    if (!is_explicit_ || group == kItems) {
      element.size = reader_.le<std::uint32_t>();
      element.is_sequence = element.size == kUndefined;
      return element;
    }
    const std::string type = reader_.text(2, 2);
    element.is_sequence = type == "SQ";
    static constexpr std::string_view kLong[] = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ",
                                                 "SV", "UC", "UN", "UR", "UT", "UV"};
    bool is_long = false;
    for (const std::string_view name : kLong) is_long = is_long || name == type;
    if (is_long) {
      reader_.skip(2);
      element.size = reader_.le<std::uint32_t>();
    } else {
      element.size = reader_.le<std::uint16_t>();
    }
    return element;
  }

  // False: nothing behind it can be read.
  bool take(const Element& element) {
    constexpr unsigned kDepthMax = 64;
    const std::uint64_t begin = reader_.position();
    switch (element.tag) {
      case tag_of(0xFFFE, 0xE000):  // an item: what it holds follows
        if (element.size == kUndefined) ++depth_;
        return depth_ <= kDepthMax;
      case tag_of(0xFFFE, 0xE00D):  // the end of an item, of a sequence
      case tag_of(0xFFFE, 0xE0DD):
        if (depth_ > 0) --depth_;
        return true;
      case tag_of(0x7FE0, 0x0010):
        if (element.size == kUndefined) return false;  // compressed
        if (depth_ == 0) add(begin, element.size);
        break;
      case tag_of(0x0002, 0x0010): {
        const std::string syntax = reader_.text(element.size, 64);
        const std::string_view name = std::string_view(syntax).substr(0, syntax.find('\0'));
        explicit_behind_header_ = name != "1.2.840.10008.1.2"sv;
        if (explicit_behind_header_ && name != "1.2.840.10008.1.2.1"sv) return false;
        break;
      }
      case tag_of(0x0028, 0x0002):
        number(image_.channels);
        break;
      case tag_of(0x0028, 0x0006):
        number(image_.planar);
        break;
      case tag_of(0x0028, 0x0010):
        number(image_.rows);
        break;
      case tag_of(0x0028, 0x0011):
        number(image_.columns);
        break;
      case tag_of(0x0028, 0x0100):
        number(image_.bits);
        break;
      case tag_of(0x0028, 0x0103):
        number(image_.is_signed);
        break;
      default:
        if (element.size == kUndefined) {
          ++depth_;
          return depth_ <= kDepthMax;
        }
    }
    reader_.seek(begin);
    reader_.skip(element.size);
    return true;
  }

  // Those of pictures in sequences (thumbnails) do not count.
  void number(std::uint64_t& value) {
    const auto read = reader_.le<std::uint16_t>();
    if (depth_ == 0) value = read;
  }

  void add(std::uint64_t begin, std::uint64_t size) {
    using enum ElementType;
    if (image_.rows == 0 || image_.columns == 0 || image_.channels == 0 || image_.channels > 64) return;
    std::optional<ElementType> type;
    if (image_.bits == 8) type = image_.is_signed != 0 ? int8 : uint8;
    if (image_.bits == 16) type = image_.is_signed != 0 ? int16 : uint16;
    if (image_.bits == 32) type = image_.is_signed != 0 ? int32 : uint32;
    if (!type) return;
    const std::uint64_t channels = image_.planar != 0 ? 1 : image_.channels;
    const std::uint64_t row = image_.columns * channels * element_size(*type);
    // Frames, and the pictures of a series in files of their own, are slices of one body.
    const std::uint64_t slice = row * image_.rows;
    regions_.add({.offset = begin,
                  .size = size - size % row,
                  .type = *type,
                  .content = ContentClass::image,
                  .channels = static_cast<std::uint32_t>(channels),
                  .row_size = row,
                  .slice_size = slice});
  }

  LayoutReader& reader_;
  RegionList& regions_;
  Image image_;
  bool is_explicit_ = true;
  bool in_header_ = false;
  bool explicit_behind_header_ = true;
  unsigned depth_ = 0;
};

}  // namespace

void find_dicom(LayoutReader& reader, RegionList& regions) { Dicom(reader, regions).find(); }

}  // namespace mmh::content
