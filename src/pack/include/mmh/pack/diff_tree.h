#pragma once
// What differs between a pack and files on disk.

#include "mmh/base/cancel.h"
#include "mmh/base/sys.h"
#include "mmh/pack/diff.h"
#include "mmh/tree/walk.h"

namespace mmh::pack {

/// Compares the entries of `before` that lie at or below the walk's roots with what the walk finds. Files of equal size
/// are read and hashed. What cannot be read goes to `problem` and counts as unchanged.
Result<> diff_tree(const Reader& before, Sys& sys, const tree::WalkOptions& walk, const tree::ProblemSink& problem,
                   const CancelFlag* cancel, const ChangeSink& sink);

}  // namespace mmh::pack
