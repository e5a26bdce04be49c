#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "scaled/scaled_simd.cc"
#include "mmh/base/simd.h"
#include "scaled_kernels.h"
// Must stand after the inclusions that are not repeated and before highway.h.
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mmh::codecs::scaled {
namespace HWY_NAMESPACE {

#include "scaled_loops-inl.h"

const Kernels* get_kernels() {
  static const Kernels kKernels = {hwy::TargetName(HWY_TARGET), move, move_all, add, add_pieces, range, correlate};
  return &kKernels;
}

}  // namespace HWY_NAMESPACE
}  // namespace mmh::codecs::scaled
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mmh::codecs::scaled {
namespace portable {
#include "scaled_loops-inl.h"
}  // namespace portable

const Kernels kPortable = {"portable",           portable::move,  portable::move_all, portable::add,
                           portable::add_pieces, portable::range, portable::correlate};

MMH_KERNELS(kTargets, get_kernels);
const Kernels* best_kernels() { return kTargets.best()(); }
}  // namespace mmh::codecs::scaled
#endif
