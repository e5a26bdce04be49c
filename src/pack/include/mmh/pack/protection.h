#pragma once
// Protections: parity of files, in one file beside them. Format and promise: docs/format/protection.md.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mmh/pack/parity.h"
#include "mmh/tree/walk.h"

namespace mmh::pack {

inline constexpr std::uint64_t kProtectedFilesMax = std::uint64_t{1} << 21;

/// A file as it was when it was protected.
struct ProtectedFile {
  std::string path;  ///< Beneath the directory of the protection, as tree::check_path() has it.
  std::uint64_t size = 0;
  std::int64_t mtime_seconds = 0;
  std::uint32_t mtime_nanoseconds = 0;
  std::uint32_t mode = 0;    ///< 07777.
  hash::Digest hash;         ///< BLAKE3 of the content.
  std::uint32_t set = 0;     ///< Which set protects it; 0 for an empty file.
  std::uint64_t offset = 0;  ///< Where its content begins in the set's bytes.
  bool operator==(const ProtectedFile&) const = default;
};

/// Files that are protected together: their contents one after another are the data of a detached parity section.
struct ProtectedSet {
  std::uint64_t data_size = 0;
  std::uint64_t section_size = 0;
  bool operator==(const ProtectedSet&) const = default;
};

/// What a protection protects.
struct ProtectionList {
  std::uint32_t loss_ppm = 0;
  std::vector<std::string> roots;    ///< What was named when the files were protected: files, directories, or ".".
  std::vector<ProtectedSet> sets;    ///< In the order of their sections.
  std::vector<ProtectedFile> files;  ///< In tree::compare_paths() order. Those of each set fill its data exactly.
};

/// Whether the file begins or ends as a protection does. Two reads.
bool looks_like_protection(const RandomAccessSource& source);

/// A protection's list and where its sections are, however damaged the rest is.
struct LoadedProtection {
  ProtectionList list;
  std::vector<std::uint64_t> section_offsets;
  std::uint64_t stored_size = 0;  ///< Of the whole file as it was written.
};
/// Errors: corrupt (no protection, or its list is lost), unsupported (a newer version), limit, io, cancelled.
Result<LoadedProtection> load_protection(const RandomAccessSource& source, const CancelFlag* cancel);

/// What the section of a set says of itself; `search`: wherever in the file it stands. Nothing where it is lost.
std::optional<ParityHead> section_head(const RandomAccessSource& source, const LoadedProtection& loaded,
                                       std::size_t set, bool search);

/// How files are found and protected.
struct ProtectGoal {
  std::string base = ".";               ///< Directory that paths are relative to.
  std::vector<std::string> roots = {};  ///< Beneath it.
  std::vector<std::string> exclude = {};
  std::vector<std::string> include = {};
  bool one_file_system = false;
  std::optional<std::uint32_t> loss_ppm = {};  ///< Nothing: as it was, or `loss_ppm_default`.
  std::uint32_t loss_ppm_default = 50'000;
  bool forget = false;  ///< Files that are gone are protected no more.
};

struct ProtectTotals {
  std::uint64_t files = 0;          ///< Protected now,
  std::uint64_t bytes = 0;          ///< and their bytes.
  std::uint64_t added = 0;          ///< Files that were not protected before.
  std::uint64_t changed = 0;        ///< Files whose content is another than before.
  std::uint64_t moved = 0;          ///< Files that have another path than before.
  std::uint64_t dropped = 0;        ///< Files that are protected no more.
  std::uint64_t missing = 0;        ///< Files that are gone, and still protected.
  std::uint64_t encoded_bytes = 0;  ///< Bytes of files that parity was made for in this call.
  std::uint64_t stored_bytes = 0;   ///< Of the protection.
  bool written = false;             ///< False: it was up to date.
};

/// Protects files: makes `output`, or brings it up to date. Sets all of whose files are as they were keep their parity.
/// The file appears under its name when it is whole and synced; killed before, the old one stays. Errors: usage (no
/// files), not_found (no root), exists (`output` is something else), corrupt (a protected file, or the protection, is
/// damaged: repair first), changed (a file changed while it was read), limit, permission, io, no_space, cancelled.
Result<ProtectTotals> protect(const std::string& output, const ProtectGoal& goal, const ParityContext& context,
                              const tree::ProblemSink& problems);

enum class FindingKind : std::uint8_t {
  damaged,  ///< Other bytes than were protected, under an unchanged time.
  missing,  ///< Gone.
  moved,    ///< Gone, but its content was found under another name.
  changed,  ///< Other bytes, written later: not damage.
};

/// A protected file that is not as it was.
struct ProtectionFinding {
  std::size_t file = 0;  ///< Of the list.
  FindingKind kind = FindingKind::damaged;
  std::string found;     ///< Where its content was found, whole; empty: nowhere.
  bool healable = true;  ///< Whether all of its content can be had.
  bool restored = false;
};

struct ProtectionReport {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::vector<ProtectionFinding> findings;  ///< In path order.
  bool own_damage = false;                  ///< The protection itself is damaged,
  bool own_mended = false;                  ///< and was written anew.
  bool own_healable = true;
  bool sound() const { return findings.empty() && !own_damage; }
};

struct ExamineGoal {
  std::string base = ".";              ///< Where the protected files are.
  std::vector<std::string> from = {};  ///< Files and directories that may hold good bytes besides.
  bool repair = false;                 ///< Restore files, and mend the protection.
  bool undo = false;                   ///< Also files that were changed or moved.
  std::string target;                  ///< Where files are restored beneath; empty: in `base`.
  bool replace = false;                ///< Files that are in `target`; those in `base` always are.
  std::function<void(const ProtectionFinding&, const ProtectedFile&)> restored;
};

/// Compares the files with what was protected, finds out what parity can bring back, and brings it back if asked to.
/// A file is replaced when its new content was compared with its hash, with mode, time and, of one that was there,
/// owner and attributes; nothing outside the directory is touched. Killed at any point, each file is the old or the new
/// one. `path` is where `source` lies, and is written anew where it is to be mended. Errors: permission, io, no_space,
/// cancelled.
Result<ProtectionReport> examine_protection(const RandomAccessSource& source, const std::string& path,
                                            const LoadedProtection& loaded, const ExamineGoal& goal,
                                            const ParityContext& context, const tree::ProblemSink& problems);

}  // namespace mmh::pack
