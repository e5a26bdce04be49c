#pragma once
// What lines of text consist of, found by statistics. Integer arithmetic throughout: the same data give the same
// layouts.

#include <optional>
#include <vector>

#include "mmh/codec/codec.h"

namespace mmh::content {

/// What lines of `raw`, a text, may end with: line feeds or, where those are rare, brackets.
std::vector<char> ends_of_lines(ByteView raw);

/// About `size` bytes of `raw` in whole lines, from all over it. `end`: what lines end with.
Buffer lines_from(ByteView raw, std::size_t size, char end);

/// Layouts of fields of text, each of which ends with `terminator`: by the marks that nearly all have.
std::vector<codec::RecordLayout> layouts_of_text(ByteView data, std::uint8_t terminator);

/// Layouts of lines: of several kinds, which their first words tell; of one length, with fields under each other; of
/// a number each.
std::vector<codec::RecordLayout> layouts_of_lines(ByteView lines, char end);

/// The layout of records of `width` bytes of text under each other, at least one of which is cut by spaces; else
/// nothing. Requires: data begins with a record.
std::optional<codec::RecordLayout> layout_of_columns_of_text(ByteView data, std::size_t width);

}  // namespace mmh::content
