#pragma once
// The planner picks a codec graph for a block.

#include <memory>
#include <vector>

#include "mmh/codec/frame.h"
#include "mmh/content/content_type.h"

namespace mmh::content {

inline constexpr int kLevelMin = 1;
inline constexpr int kLevelDefault = 5;
inline constexpr int kLevelMax = 9;

/// A plan that was weighed for a block, and the bytes that it would make of the block, going by a sample of it.
struct Candidate {
  codec::Plan plan;
  std::uint64_t predicted = 0;
};

/// Chooses plans. Stateless; any thread. Deterministic: block, type and level decide, never a clock.
class Planner {
 public:
  virtual ~Planner() = default;
  /// The plan for `raw`, a block of content of one type, at `level` (1..9): tries candidates on samples and weighs
  /// size against a fixed cost model of each codec's speed.
  virtual codec::Plan plan(ByteView raw, const ContentType& type, int level) const = 0;
  /// What plan() weighs for the block. Empty: it needs no trial.
  virtual std::vector<Candidate> candidates(ByteView raw, const ContentType& type, int level) const = 0;
  /// The plan for `raw` against `base`, its bytes in the base as far as they are known: numbers that stand in the place
  /// of as many bytes there as their change, all else by matches. Whether it beats plan() is for the caller to see.
  virtual codec::Plan plan_from_base(ByteView raw, std::shared_ptr<const codec::BaseReference> base,
                                     const ContentType& type, int level) const = 0;
  /// Raw bytes that a block of this type should hold at `level`; at most codec::kRawSizeMax.
  virtual std::size_t block_size(const ContentType& type, int level) const = 0;
};

/// The planner over the built-in codecs.
const Planner& default_planner(const codec::Registry& registry);

}  // namespace mmh::content
