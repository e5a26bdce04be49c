#pragma once
// What the codecs that refer to a base share: the ranges of its content in a node's parameters.

#include <vector>

#include "common.h"

namespace mmh::codecs {

/// Appends `count *(distance length)`, varints; the distance from the end of the range before (0 for the first) to the
/// offset, zigzag. Requires: ranges that take_ranges() accepts.
void put_ranges(Buffer& parameters, std::span<const codec::BaseRange> ranges);

/// Reads them, all that is left of the parameters. Errors: corrupt (more than kBaseRangesMax, an empty one, one
/// that ends at 2^63 or behind, more than codec::kRawSizeMax bytes together).
Result<std::vector<codec::BaseRange>> take_ranges(ByteView parameters);

std::size_t total_length(std::span<const codec::BaseRange> ranges);

/// Fills `out` with the bytes of the ranges. Requires: out.size() == total_length(ranges). Errors: unsupported (no base
/// is to be had), and what reading the base returns.
Result<> read_ranges(std::span<const codec::BaseRange> ranges, const codec::DecodeContext& context, Bytes out);

/// Errors: usage, unless the options name a base, and as many bytes of it as its ranges say.
Result<> check_base(const codec::EncodeOptions& options);
/// Errors: usage, unless the options name ranges of a base of `size` bytes.
Result<> check_base_ranges(const codec::EncodeOptions& options, std::size_t size);

}  // namespace mmh::codecs
