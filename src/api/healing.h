#pragma once
// Opening packs whose parity mends what is read.

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "convert.h"
#include "mmh/pack/reader.h"
#include "mmh/pack/repair.h"

namespace mmh {

/// The first bytes of a file.
class SourceFront final : public RandomAccessSource {
 public:
  SourceFront(const RandomAccessSource& source, std::uint64_t size) : source_(source), size_(size) {}
  std::uint64_t size() const override { return size_; }
  const std::string& name() const override { return source_.name(); }
  Result<> read_at(std::uint64_t offset, Bytes out) const override { return source_.read_at(offset, out); }

 private:
  const RandomAccessSource& source_;
  std::uint64_t size_;
};

/// What the work on parity of one call needs: threads for as long as it lives.
class ParityWork {
 public:
  /// `stage`: what the observer is told. The options outlive it.
  ParityWork(const RunOptions& options, std::string_view stage, Observer* observer);
  const pack::ParityContext& context() const { return context_; }
  TaskPool& pool() { return pool_; }

 private:
  TaskPool pool_;
  pack::ParityContext context_;
};

ParityInfo to_parity_info(const pack::ParityHead& head);

/// Reads a file; once asked to, mends it in memory. Thread-safe.
class Healing {
 public:
  Healing(const RandomAccessSource& file, const RunOptions& options) : file_(file), options_(options) {}
  /// Healed bytes, where they can be had even if others cannot. The first call looks at the whole file. Errors:
  /// corrupt, not_found (no parity).
  Result<> read(std::uint64_t offset, Bytes out);
  /// The healed file, which the object keeps. Errors: as HealedPack::open() and heal().
  Result<const pack::HealedPack*> image();

 private:
  Result<> prepare();
  Result<> prepared();  // mutex_ is held
  const RandomAccessSource& file_;
  const RunOptions options_;
  std::mutex mutex_;
  std::optional<Result<>> prepared_;
  std::unique_ptr<pack::HealedPack> image_;
  bool whole_ = false;
};

/// What a verification of a file finds about its parity.
struct Healability {
  bool healable = false;
  std::uint64_t data_size = 0;
  std::vector<pack::ByteRange> damaged;  ///< Of the data.
  std::vector<pack::ByteRange> hopeless;
};
/// Errors: not_found (no parity), io, cancelled.
Result<Healability> examine(const RandomAccessSource& file, const RunOptions& options);

}  // namespace mmh
