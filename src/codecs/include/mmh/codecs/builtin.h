#pragma once
// The codecs that ship with MMH.

#include <string>
#include <vector>

#include "mmh/codec/registry.h"

namespace mmh::codecs {

/// All of them. Lives as long as the program.
const codec::Registry& builtin_registry();

/// Name and version of each compression library in use ("zstd 1.5.4"); pack bytes depend on these.
std::vector<std::string> library_versions();

/// Trains a zstd dictionary (fast COVER) of at most `size_max` bytes from samples laid back to back. Empty when the
/// samples give none. Deterministic.
Buffer train_dictionary(ByteView samples, std::span<const std::size_t> sample_sizes, std::size_t size_max);

}  // namespace mmh::codecs
