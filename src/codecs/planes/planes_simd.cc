#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "planes/planes_simd.cc"
#include <cstring>

#include "mmh/base/simd.h"
#include "planes_kernels.h"
// Must stand after the inclusions that are not repeated and before highway.h.
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mmh::codecs::planes {
namespace HWY_NAMESPACE {

#include "planes_loops-inl.h"

const Kernels* get_kernels() {
  static const Kernels kKernels = {hwy::TargetName(HWY_TARGET), split, join};
  return &kKernels;
}

}  // namespace HWY_NAMESPACE
}  // namespace mmh::codecs::planes
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mmh::codecs::planes {
namespace portable {
#include "planes_loops-inl.h"
}  // namespace portable

const Kernels kPortable = {"portable", portable::split, portable::join};

MMH_KERNELS(kTargets, get_kernels);
const Kernels* best_kernels() { return kTargets.best()(); }
}  // namespace mmh::codecs::planes
#endif
