#include "mmh/base/simd.h"

#include <atomic>

#if HWY_ARCH_ARM_A64
#include <sys/auxv.h>
#endif

namespace mmh {
namespace {

std::int64_t find_targets() {
  std::int64_t targets = 0;
#if HWY_ARCH_X86
  // What Highway compiles a target with. The compiler's own check asks the operating system, too.
  __builtin_cpu_init();
  const auto add = [&](std::int64_t target, bool supported) {
    if (supported) targets |= target;
    return supported;
  };
  const bool ssse3 = add(HWY_SSSE3, __builtin_cpu_supports("ssse3") != 0);
  const bool sse4 =
      add(HWY_SSE4, ssse3 && __builtin_cpu_supports("sse4.1") != 0 && __builtin_cpu_supports("sse4.2") != 0 &&
                        __builtin_cpu_supports("aes") != 0 && __builtin_cpu_supports("pclmul") != 0);
  const bool avx2 = add(HWY_AVX2, sse4 && __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
                                      __builtin_cpu_supports("bmi") != 0 && __builtin_cpu_supports("bmi2") != 0 &&
                                      __builtin_cpu_supports("f16c") != 0);
  const bool avx3 =
      add(HWY_AVX3, avx2 && __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
                        __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
                        __builtin_cpu_supports("avx512cd") != 0);
  add(HWY_AVX3_DL, avx3 && __builtin_cpu_supports("avx512vnni") != 0 && __builtin_cpu_supports("vpclmulqdq") != 0 &&
                       __builtin_cpu_supports("avx512vbmi") != 0 && __builtin_cpu_supports("avx512vbmi2") != 0 &&
                       __builtin_cpu_supports("avx512vpopcntdq") != 0 && __builtin_cpu_supports("avx512bitalg") != 0 &&
                       __builtin_cpu_supports("gfni") != 0 && __builtin_cpu_supports("vaes") != 0);
#elif HWY_ARCH_ARM_A64
  constexpr unsigned long kAes = 1UL << 3;  // HWCAP_AES of Linux
  if ((getauxval(AT_HWCAP) & kAes) != 0) targets |= HWY_NEON;
#endif
  return targets;
}

std::atomic<std::int64_t> limit = -1;

}  // namespace

std::int64_t supported_targets() {
  static const std::int64_t targets = find_targets();
  return targets & limit.load(std::memory_order_relaxed);
}

void limit_targets_for_test(std::int64_t targets) { limit.store(targets, std::memory_order_relaxed); }

}  // namespace mmh
