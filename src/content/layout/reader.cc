#include "layout/reader.h"

#include <algorithm>

#include "floats.h"

namespace mmh::content {

void LayoutReader::restrict_to(std::uint64_t begin, std::uint64_t end) {
  if (begin > end || end > end_) return fail();
  position_ = begin;
  end_ = end;
}

LayoutReader LayoutReader::part(std::uint64_t begin, std::uint64_t end) const {
  LayoutReader part(file_, end_);
  part.read_ = read_;
  part.ok_ = ok_;
  part.restrict_to(begin, end);
  return part;
}

void LayoutReader::seek(std::uint64_t position) {
  if (position > end_) return fail();
  position_ = position;
}

void LayoutReader::skip(std::uint64_t count) {
  if (count > left()) return fail();
  position_ += count;
}

void LayoutReader::take(Bytes out) {
  if (out.size() > left() || position_ + out.size() > file_.size()) fail();
  while (ok_ && !out.empty()) {
    if (position_ < window_begin_ || position_ >= window_begin_ + window_.size()) {
      const std::uint64_t begin = position_ / kWindowSize * kWindowSize;
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kWindowSize, file_.size() - begin));
      read_ += size;
      window_.resize(size);
      window_begin_ = begin;
      if (read_ > kReadMax || !file_.read_at(begin, window_)) {
        window_.clear();
        return fail();
      }
    }
    const auto at = static_cast<std::size_t>(position_ - window_begin_);
    const std::size_t part = std::min(out.size(), window_.size() - at);
    std::copy_n(window_.begin() + static_cast<std::ptrdiff_t>(at), part, out.begin());
    out = out.subspan(part);
    position_ += part;
  }
}

std::uint8_t LayoutReader::byte() { return le<std::uint8_t>(); }

std::string LayoutReader::text(std::uint64_t count, std::size_t kept_max) {
  if (count > left()) fail();
  if (!ok_) return {};
  std::string kept(static_cast<std::size_t>(std::min<std::uint64_t>(count, kept_max)), '\0');
  take(std::as_writable_bytes(std::span(kept)));
  skip(count - kept.size());
  return ok_ ? kept : std::string();
}

std::optional<std::uint64_t> product(std::uint64_t a, std::uint64_t b) {
  std::uint64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) return std::nullopt;
  return result;
}

std::optional<std::uint64_t> tensor_size(ElementType type, std::span<const std::uint64_t> shape) {
  std::uint64_t count = 1;
  for (const std::uint64_t dimension : shape) {
    if (__builtin_mul_overflow(count, dimension, &count)) return std::nullopt;
  }
  const std::uint64_t unit = element_count(type);
  if (count == 0 || (count % unit != 0 && type != ElementType::int4)) return std::nullopt;
  return product(count / unit + (count % unit != 0), element_size(type));
}

void RegionList::add(Region region) {
  region.size -= region.size % element_size(region.type);
  if (full() || region.size == 0 || region.offset > file_size_ || region.size > file_size_ - region.offset) return;
  if (!names_) region.name.clear();
  regions_.push_back(std::move(region));
}

void RegionList::add_tensor(std::uint64_t offset, std::uint64_t size, ElementType type,
                            std::span<const std::uint64_t> shape, bool big_endian, std::string name) {
  if (tensor_size(type, shape) != size) return;
  Region region{.offset = offset, .size = size, .type = type, .big_endian = big_endian, .name = std::move(name)};
  // A lone dimension is one row.
  if (!shape.empty()) {
    region.row_size = shape.size() == 1 ? size : size / shape.front();
    region.inner_size = (shape.back() + element_count(type) - 1) / element_count(type) * element_size(type);
  }
  add(std::move(region));
}

void add_array(const LayoutReader& reader, RegionList& regions, Array array) {
  std::erase(array.shape, std::uint64_t{1});
  std::ranges::reverse(array.shape);
  if (array.channels > 1) array.shape.push_back(array.channels);
  const auto size = tensor_size(array.type, array.shape);
  if (!reader.ok() || !size || *size > reader.left()) return;
  const std::uint64_t width = element_size(array.type);
  const bool big_endian = array.big_endian && width > 1;
  using enum ElementType;
  const bool is_float = array.type == fp32 || array.type == fp64;
  const std::size_t sides = array.shape.size() - (array.channels > 1 ? 1 : 0);
  if (is_float || sides < 2) {
    return regions.add_tensor(reader.position(), *size, array.type, array.shape, big_endian, {});
  }
  const std::uint64_t row = array.shape[sides - 1] * array.channels * width;
  regions.add({.offset = reader.position(),
               .size = *size,
               .type = array.type,
               .content = ContentClass::image,
               .big_endian = big_endian,
               .channels = array.channels,
               .row_size = row,
               .slice_size = sides > 2 ? row * array.shape[sides - 2] : 0});
}

std::vector<Region> RegionList::finish() && {
  std::ranges::stable_sort(regions_, {}, &Region::offset);
  std::uint64_t end = 0;
  std::erase_if(regions_, [&](const Region& region) {
    if (region.offset < end) return true;
    end = region.offset + region.size;
    return false;
  });
  return std::move(regions_);
}

void find_raw_floats(LayoutReader& reader, RegionList& regions) {
  constexpr std::uint64_t kHeadMax = std::uint64_t{64} << 10;
  Buffer head(static_cast<std::size_t>(std::min(reader.end(), kHeadMax)));
  reader.take(head);
  const auto guess = reader.ok() ? guess_floats(head) : std::nullopt;
  if (!guess) return;
  regions.add({.offset = guess->phase,
               .size = reader.end() - guess->phase,
               .type = guess->type,
               .big_endian = guess->big_endian});
}

}  // namespace mmh::content
