#pragma once
// What a Plan is, for each scheme.

#include <cstddef>
#include <span>

#include "mmh/fec/plan.h"

namespace mmh::fec {

struct Kernels;

class Plan::Implementation {
 public:
  Implementation() = default;
  virtual ~Implementation() = default;
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;

  std::size_t received_count = 0;
  std::size_t wanted_count = 0;

  /// Requires: as many pointers as the counts, each to `size` bytes.
  virtual Result<> run(const Kernels& kernels, std::span<const std::byte* const> received,
                       std::span<std::byte* const> wanted, std::size_t size) const = 0;
  virtual std::size_t memory_bytes() const = 0;
  virtual std::size_t scratch_bytes() const = 0;
};

using ImplementationResult = Result<std::shared_ptr<const Plan::Implementation>>;

/// Both require: k > 0 and within the scheme's range, the numbers of symbols too, `received` without repetition.
/// Errors: corrupt, as Plan::make().
ImplementationResult make_reed_solomon(std::uint32_t k, std::span<const std::uint32_t> received,
                                       std::span<const std::uint32_t> wanted);

ImplementationResult make_raptorq(std::uint32_t k, std::span<const std::uint32_t> received,
                                  std::span<const std::uint32_t> wanted);

}  // namespace mmh::fec
