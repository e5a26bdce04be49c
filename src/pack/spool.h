#pragma once
// Bytes kept for a while: in memory while they are few, else in a file without a name.

#include <cstdint>

#include "mmh/base/files.h"

namespace mmh::pack {

/// A store of a size that is known from the start. Reading may go on in many threads while nothing writes.
class Spool {
 public:
  Spool() = default;
  /// Takes memory for at most `memory` bytes, and a temporary file for more.
  static Result<Spool> make(Sys& sys, std::uint64_t size, std::uint64_t memory, std::string_view purpose);
  std::uint64_t size() const { return size_; }
  Result<> write_at(std::uint64_t offset, ByteView bytes);
  Result<> read_at(std::uint64_t offset, Bytes out) const;

 private:
  Sys* sys_ = nullptr;
  std::uint64_t size_ = 0;
  Buffer memory_;
  Fd file_;
};

/// Fills a spool from its beginning. Errors: corrupt (what is written is larger), no_space, io.
class SpoolWriter final : public ByteSink {
 public:
  explicit SpoolWriter(Spool& spool) : spool_(spool) {}
  Result<> write(ByteView bytes) override {
    if (bytes.size() > spool_.size() - offset_) return fail(Errc::corrupt, "the section is larger than it says");
    MMH_TRY(spool_.write_at(offset_, bytes));
    offset_ += bytes.size();
    return {};
  }
  bool full() const { return offset_ == spool_.size(); }

 private:
  Spool& spool_;
  std::uint64_t offset_ = 0;
};

}  // namespace mmh::pack
