#pragma once
// What is compressed already, by a method whose work can be done again bit for bit: it is taken back, and done better.

#include <optional>

#include "mmh/base/bytes.h"
#include "mmh/codec/frame.h"

namespace mmh::content {

/// Whether a file that begins with `head` is of a kind that can be taken apart.
bool begins_recompressible(ByteView head);

/// The plan that takes apart what it can of `raw`, codes what comes out as `content` says and does the rest as
/// `general` says. Nothing where `raw` holds nothing of the kind, or where `level`, ours, is too low for it: that packs
/// and unpacks far slower than storing it.
std::optional<codec::Plan> recompressed_plan(const codec::Registry& registry, ByteView raw, codec::Plan general,
                                             codec::Plan content, int level);

}  // namespace mmh::content
