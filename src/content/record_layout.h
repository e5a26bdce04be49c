#pragma once
// What records consist of, found by statistics. Integer arithmetic throughout: the same data give the same layouts.

#include <optional>
#include <vector>

#include "mmh/codec/codec.h"

namespace mmh::content {

/// Widths in bytes (2..4096) of which the data may be records, best first; none where nothing comes back.
std::vector<std::size_t> record_widths(ByteView data);

/// How records of one width are best cut into at most `fields_max` fields; nothing where one field is as good. The
/// layout may let records begin up to 7 bytes late. `multiples`: the codec of that name, which tells numbers that are
/// multiples of a step; may be null. Requires: data begins with a record.
std::optional<codec::RecordLayout> layout_of_fixed(ByteView data, std::size_t width, std::size_t fields_max,
                                                   const codec::Codec* multiples);

/// A stretch of numbers of one width.
struct Column {
  std::size_t size = 0;
  std::size_t width = 1;
};
/// The columns that stand one behind the other in the data and make it up, 2 to 8; none where it is of one piece.
/// Borders are about right.
std::vector<Column> columns_of(ByteView data);
/// The layout that gives each of them a stream.
codec::RecordLayout layout_of_columns(const std::vector<Column>& columns);

/// Layouts of records of several lengths, which say their length at a fixed place, or which begin alike.
std::vector<codec::RecordLayout> layouts_of_tagged(ByteView data);

}  // namespace mmh::content
