#pragma once
// What the dictionaries of a pack gain.

#include "mmh/pack.h"
#include "mmh/pack/reader.h"

namespace mmh {

/// Counts the dictionaries among all blocks and tries what a sample of the blocks that use one would take without.
/// Nothing counted where the pack has none, which costs no reading beyond the index.
Result<DictionaryTotals> dictionary_totals(const pack::Reader& reader);

}  // namespace mmh
