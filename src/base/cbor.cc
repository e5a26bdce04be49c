#include "mmh/base/cbor.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "mmh/base/check.h"
#include "mmh/base/utf8.h"

namespace mmh {

namespace {
constexpr unsigned kDepthMax = 16;
std::unexpected<Error> cut_short() { return fail(Errc::corrupt, "CBOR is cut short"); }

template <class T>
Result<> passed(Result<T> item) {
  if (!item) return fail(std::move(item).error());
  return {};
}
}  // namespace

void CborWriter::head(unsigned major, std::uint64_t value) {
  const auto put = [&](unsigned info, unsigned size) {
    std::array<std::byte, 9> bytes;
    bytes[0] = static_cast<std::byte>(major << 5 | info);
    for (unsigned i = 0; i < size; ++i) bytes[1 + i] = static_cast<std::byte>(value >> (8 * (size - 1 - i)));
    append(out_, ByteView(bytes).first(1 + size));
  };
  if (value < 24) {
    put(static_cast<unsigned>(value), 0);
  } else if (value <= 0xff) {
    put(24, 1);
  } else if (value <= 0xffff) {
    put(25, 2);
  } else if (value <= 0xffffffff) {
    put(26, 4);
  } else {
    put(27, 8);
  }
}

void CborWriter::integer(std::int64_t value) {
  if (value >= 0) {
    head(0, static_cast<std::uint64_t>(value));
  } else {
    head(1, ~static_cast<std::uint64_t>(value));
  }
}

void CborWriter::bytes(ByteView value) {
  head(2, value.size());
  append(out_, value);
}

void CborWriter::text(std::string_view value) {
  MMH_CHECK(is_utf8(value));
  head(3, value.size());
  append(out_, as_bytes(value));
}

Result<CborType> CborReader::peek() const {
  if (in_.empty()) return cut_short();
  const auto first = std::to_integer<unsigned>(in_[0]);
  switch (first >> 5) {
    case 0:
      return CborType::unsigned_integer;
    case 1:
      return CborType::negative_integer;
    case 2:
      return CborType::bytes;
    case 3:
      return CborType::text;
    case 4:
      return CborType::array;
    case 5:
      return CborType::map;
    default:
      break;
  }
  if (first == 0xf4 || first == 0xf5) return CborType::boolean;
  if (first == 0xf6) return CborType::null;
  return fail(Errc::corrupt, "CBOR item is of a type that is not used here");
}

Result<CborReader::Head> CborReader::take_head() {
  if (in_.empty()) return cut_short();
  const auto first = std::to_integer<unsigned>(in_[0]);
  const unsigned major = first >> 5;
  const unsigned info = first & 31;
  if (info < 24) {
    in_ = in_.subspan(1);
    return Head{major, info};
  }
  if (info > 27 || major == 7) return fail(Errc::corrupt, "CBOR item is not canonical");
  const unsigned size = 1u << (info - 24);
  if (in_.size() < 1 + size) return cut_short();
  std::uint64_t value = 0;
  for (unsigned i = 0; i < size; ++i) value = value << 8 | std::to_integer<std::uint64_t>(in_[1 + i]);
  const std::uint64_t least = info == 24 ? 24 : std::uint64_t{1} << (8 * (size / 2));
  if (value < least) return fail(Errc::corrupt, "CBOR integer is not in its shortest form");
  in_ = in_.subspan(1 + size);
  return Head{major, value};
}

Result<CborReader::Head> CborReader::take_head(unsigned major, std::string_view wanted) {
  if (in_.empty()) return cut_short();
  if (std::to_integer<unsigned>(in_[0]) >> 5 != major) {
    return fail(Errc::corrupt, "CBOR item is not " + std::string(wanted));
  }
  return take_head();
}

Result<ByteView> CborReader::take_string(unsigned major, std::string_view wanted) {
  MMH_LET(const Head head, take_head(major, wanted));
  if (head.value > in_.size()) return cut_short();
  const ByteView value = in_.first(head.value);
  in_ = in_.subspan(head.value);
  return value;
}

Result<std::uint64_t> CborReader::unsigned_integer() {
  MMH_LET(const Head head, take_head(0, "an unsigned integer"));
  return head.value;
}

Result<std::int64_t> CborReader::integer() {
  MMH_LET(const Head head, take_head());
  if (head.major > 1) return fail(Errc::corrupt, "CBOR item is not an integer");
  if (head.value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return fail(Errc::corrupt, "CBOR integer is too large");
  }
  const auto magnitude = static_cast<std::int64_t>(head.value);
  return head.major == 0 ? magnitude : -1 - magnitude;
}

Result<ByteView> CborReader::bytes() { return take_string(2, "a byte string"); }

Result<std::string_view> CborReader::text() {
  MMH_LET(const ByteView value, take_string(3, "a text string"));
  if (!is_utf8(as_text(value))) return fail(Errc::corrupt, "CBOR text string is not UTF-8");
  return as_text(value);
}

Result<std::uint64_t> CborReader::array() {
  MMH_LET(const Head head, take_head(4, "an array"));
  if (head.value > in_.size()) return cut_short();
  return head.value;
}

Result<std::uint64_t> CborReader::map() {
  MMH_LET(const Head head, take_head(5, "a map"));
  if (head.value > in_.size() / 2) return cut_short();
  return head.value;
}

Result<bool> CborReader::boolean() {
  MMH_LET(const Head head, take_head(7, "a boolean"));
  if (head.value != 20 && head.value != 21) return fail(Errc::corrupt, "CBOR item is not a boolean");
  return head.value == 21;
}

Result<> CborReader::null() {
  MMH_LET(const Head head, take_head(7, "null"));
  if (head.value != 22) return fail(Errc::corrupt, "CBOR item is not null");
  return {};
}

Result<> CborReader::skip() { return skip_nested(0); }

Result<> CborReader::skip_nested(unsigned depth) {
  if (depth == kDepthMax) return fail(Errc::corrupt, "CBOR is nested too deep");
  MMH_LET(const CborType type, peek());
  switch (type) {
    case CborType::unsigned_integer:
    case CborType::negative_integer:
      return passed(take_head());
    case CborType::bytes:
      return passed(bytes());
    case CborType::text:
      return passed(text());
    case CborType::boolean:
    case CborType::null:
      in_ = in_.subspan(1);
      return {};
    case CborType::array: {
      MMH_LET(const std::uint64_t items, array());
      for (std::uint64_t i = 0; i < items; ++i) MMH_TRY(skip_nested(depth + 1));
      return {};
    }
    case CborType::map: {
      MMH_LET(const std::uint64_t pairs, map());
      return skip_pairs(pairs, depth + 1);
    }
  }
  MMH_CHECK(false);
}

Result<> CborReader::skip_pairs(std::uint64_t pairs, unsigned depth) {
  ByteView last;
  for (std::uint64_t i = 0; i < pairs; ++i) {
    const ByteView from = in_;
    MMH_TRY(skip_nested(depth));
    const ByteView key = from.first(from.size() - in_.size());
    // RFC 8949 section 4.2.1: keys ascend by the bytes of their encodings.
    if (!std::ranges::lexicographical_compare(last, key)) {
      return fail(Errc::corrupt, "CBOR map keys are out of order");
    }
    last = key;
    MMH_TRY(skip_nested(depth));
  }
  return {};
}

Result<> CborReader::finish() const {
  if (!in_.empty()) return fail(Errc::corrupt, "CBOR is followed by other bytes");
  return {};
}

}  // namespace mmh
