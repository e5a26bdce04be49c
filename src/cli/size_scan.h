#pragma once
// How much there is to pack, found out beside the packing, so that progress can show what is left.

#include <memory>
#include <thread>

#include "mmh/pack.h"
#include "paths.h"
#include "reporter.h"

namespace mmh::cli {

/// Adds up file sizes in a thread of its own and tells the reporter the sum; does nothing where nobody sees progress.
/// An estimate for display: files that cannot be looked at are passed over in silence, the packer reports them.
class SizeScan {
 public:
  SizeScan(Reporter& reporter, const Sources& sources, const PackOptions& options);

 private:
  std::jthread thread_;
};

}  // namespace mmh::cli
