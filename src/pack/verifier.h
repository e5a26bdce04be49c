#pragma once
// The parts of a verification: stored bytes, manifest, content. They share one state and run one after another.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "advice.h"
#include "mmh/base/files.h"
#include "mmh/pack/verify.h"

namespace mmh::pack {

/// What the parts share. The coordinating thread alone writes it; tasks may read `sound` while nothing writes.
struct Verification {
  const Reader& reader;
  TaskPool& pool;
  const bool deep;
  const std::function<void(std::uint64_t, std::uint64_t)>& progress;
  const CancelFlag* cancel;

  VerifyReport report;
  std::vector<bool> sound;  ///< By block number: stands where the index says, and nothing wrong is known of it.

  void damage(std::uint64_t offset, std::uint64_t length, std::string what) {
    ++report.damage_count;
    if (report.damage.size() < kDamageListMax) report.damage.push_back({offset, length, std::move(what)});
  }
  /// A reader's message without the pack's name and the advice to run this.
  std::string bare(const Error& error) const {
    std::string_view what = error.what;
    const std::string name = display_path(reader.source().name()) + ": ";
    if (what.starts_with(name)) what.remove_prefix(name.size());
    if (what.ends_with(kVerifyAdvice)) what.remove_suffix(kVerifyAdvice.size());
    return std::string(what);
  }
  void damaged_file(std::string path) {
    ++report.files_damaged_count;
    if (report.files_damaged.size() < kDamageListMax) report.files_damaged.push_back(std::move(path));
  }
  void checked(std::uint64_t bytes) {
    report.bytes_checked += bytes;
    if (progress) progress(report.bytes_checked, reader.pack_size());
  }
};

/// Walks from block to block and checks all stored bytes. With `deep`, payloads of data blocks are left to the decoding
/// pass, which hashes them anyway.
Result<> verify_stored(Verification& state);

/// Checks the manifest tree, and with `deep` all content.
Result<> verify_manifest(Verification& state);

}  // namespace mmh::pack
