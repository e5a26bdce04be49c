#pragma once
// Records, binary ones and lines of text: finds what they consist of, and what suits each of their fields.

#include <functional>
#include <optional>
#include <vector>

#include "mmh/codec/frame.h"
#include "mmh/content/content_type.h"

namespace mmh::content {

/// A general codec for a stream of so many bytes.
using BackOf = std::function<codec::Plan(std::size_t size)>;

/// What looking for records may use.
struct RecordsEffort {
  std::vector<BackOf> backs;   ///< By rank: a later one must gain more than `gain_min`. Not empty.
  unsigned gain_min = 0;       ///< In 1/1000.
  std::size_t proof_size = 0;  ///< Bytes of the block, from its two ends and its middle, on which the plan must win.
  /// Told of a plan and the bytes that it makes of so many bytes of the block.
  std::function<void(const codec::Plan& plan, std::size_t size, std::size_t of)> weighed = nullptr;
};

/// The plan for `raw` where it begins with data that repeat, with `back` for what is left; else nothing.
std::optional<codec::Plan> plan_pattern(const codec::Registry& registry, ByteView raw, const BackOf& back);

/// The plan for `raw`, little-endian numbers of 2, 4 or 8 bytes or rows of them, or nothing where `rival` does as well.
std::optional<codec::Plan> plan_numbers(const codec::Registry& registry, ByteView raw, std::size_t width,
                                        const codec::Plan& rival, const RecordsEffort& effort);

/// The plan for `raw`, a block of records or lines, or nothing where `rival` does as well, or none are found.
std::optional<codec::Plan> plan_records(const codec::Registry& registry, ByteView raw, const ContentType& type,
                                        const codec::Plan& rival, const RecordsEffort& effort);

}  // namespace mmh::content
