#include "spool.h"

#include "mmh/base/check.h"
#include "mmh/base/checked.h"

namespace mmh::pack {

Result<Spool> Spool::make(Sys& sys, std::uint64_t size, std::uint64_t memory, std::string_view purpose) {
  Spool spool;
  spool.sys_ = &sys;
  spool.size_ = size;
  if (size <= memory) {
    spool.memory_.resize(static_cast<std::size_t>(size));
  } else {
    MMH_LET(spool.file_, temporary_file(sys, purpose));
  }
  return spool;
}

Result<> Spool::write_at(std::uint64_t offset, ByteView bytes) {
  MMH_CHECK(range_within<std::uint64_t>(offset, bytes.size(), size_));
  if (bytes.empty()) return {};
  if (!file_) {
    std::memcpy(memory_.data() + offset, bytes.data(), bytes.size());
    return {};
  }
  if (const int error = pwrite_full(*sys_, file_.get(), bytes, offset)) {
    return fail(errno_error(error, "cannot write to a temporary file (choose another place with TMPDIR)"));
  }
  return {};
}

Result<> Spool::read_at(std::uint64_t offset, Bytes out) const {
  MMH_CHECK(range_within<std::uint64_t>(offset, out.size(), size_));
  if (out.empty()) return {};
  if (!file_) {
    std::memcpy(out.data(), memory_.data() + offset, out.size());
    return {};
  }
  const auto got = pread_full(*sys_, file_.get(), out, offset);
  if (!got) return fail(errno_error(got.error, "cannot read a temporary file"));
  if (got.value < out.size()) return fail(Errc::io, "a temporary file became shorter");
  return {};
}

}  // namespace mmh::pack
