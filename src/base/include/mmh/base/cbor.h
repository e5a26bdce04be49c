#pragma once
// Canonical CBOR: RFC 8949 section 4.2.1 (core deterministic encoding), the subset that MMH formats use: unsigned and
// negative integers, byte strings, text strings, arrays, maps, false, true, null. No tags, floats or indefinite
// lengths.

#include <cstdint>
#include <string_view>

#include "mmh/base/bytes.h"
#include "mmh/base/result.h"

namespace mmh {

/// Appends canonical CBOR to a buffer. The caller keeps map keys in canonical order: ascending unsigned integers, or
/// strings ordered by length, then bytes; none twice.
class CborWriter {
 public:
  explicit CborWriter(Buffer& out) : out_(out) {}
  void unsigned_integer(std::uint64_t value) { head(0, value); }
  void integer(std::int64_t value);
  void bytes(ByteView value);
  void text(std::string_view value);  ///< Requires: is_utf8(value). Names of files and users are bytes().
  void array(std::uint64_t count) { head(4, count); }  ///< `count` items follow.
  void map(std::uint64_t count) { head(5, count); }    ///< `count` pairs of key and value follow.
  void boolean(bool value) { head(7, value ? 21 : 20); }
  void null() { head(7, 22); }

 private:
  void head(unsigned major, std::uint64_t value);
  Buffer& out_;
};

enum class CborType : std::uint8_t { unsigned_integer, negative_integer, bytes, text, array, map, boolean, null };

/// Reads canonical CBOR in place. Views point into the input. Errors of every call: corrupt (cut short, not canonical,
/// or not of the type asked for); then the reader stands anywhere. Whoever reads a map key by key checks their order.
class CborReader {
 public:
  explicit CborReader(ByteView in) : in_(in) {}
  Result<CborType> peek() const;
  Result<std::uint64_t> unsigned_integer();
  Result<std::int64_t> integer();
  Result<ByteView> bytes();
  Result<std::string_view> text();
  /// Number of items that follow; never more than the bytes that are left.
  Result<std::uint64_t> array();
  /// Number of pairs that follow; never more than half of the bytes that are left.
  Result<std::uint64_t> map();
  Result<bool> boolean();
  Result<> null();
  /// Passes over one item of any type, at most 16 levels deep. Checks all of it, the order of map keys included.
  Result<> skip();
  /// Errors: corrupt unless everything was read.
  Result<> finish() const;
  ByteView rest() const { return in_; }

 private:
  struct Head {
    unsigned major;
    std::uint64_t value;
  };
  Result<Head> take_head();
  Result<Head> take_head(unsigned major, std::string_view wanted);
  Result<ByteView> take_string(unsigned major, std::string_view wanted);
  Result<> skip_nested(unsigned depth);
  Result<> skip_pairs(std::uint64_t pairs, unsigned depth);
  ByteView in_;
};

}  // namespace mmh
