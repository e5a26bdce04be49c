#include "mmh/content/content_type.h"

#include "recompressed.h"

namespace mmh::content {

ContentType content_type(ContentClass content, ByteView head) {
  ContentType type(content);
  type.is_whole = content == ContentClass::compressed && begins_recompressible(head);
  return type;
}

ContentType content_type(const Region& region) {
  ContentType type(region.content);
  using enum ContentClass;
  if (region.content != tensor && region.content != image && region.content != audio && region.content != records) {
    return type;
  }
  type.has_elements = true;
  type.element = region.type;
  type.big_endian = region.big_endian;
  type.channels = region.channels;
  if (region.content == ContentClass::image) {
    type.row_size = region.row_size;
    type.slice_size = region.slice_size;
  }
  return type;
}

}  // namespace mmh::content
