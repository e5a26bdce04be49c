#pragma once
// Codec programs as people read them.

#include <string>
#include <vector>

#include "mmh/codec/frame.h"

namespace mmh {

/// "planes(stored, rans)": the codecs of a frame from the block's side; "stored" where there are none. `nodes`: as
/// codec::describe_frame() gives them.
std::string program_of(const std::vector<codec::NodeInfo>& nodes);

/// "transpose:4(zstd:9)": the same of a plan, with what tells two plans of the same codecs apart.
std::string program_of(const codec::Plan& plan);

}  // namespace mmh
