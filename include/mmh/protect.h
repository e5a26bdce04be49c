#pragma once
// Protections: parity of any files, in one file beside them.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "mmh/common.h"
#include "mmh/pack.h"

namespace mmh {

/// Parity of a new protection, in parts per million of the protected bytes.
inline constexpr std::uint32_t kProtectParityDefault = 50'000;

struct ProtectOptions : RunOptions {
  std::string directory = ".";       ///< Paths are resolved and kept relative to it.
  std::vector<std::string> exclude;  ///< Globs; what matches is left out, with all below it.
  std::vector<std::string> include;  ///< Not empty: only files that match.
  bool one_file_system = false;
  std::optional<std::uint32_t> parity_ppm;  ///< Nothing: as the protection has it, or kProtectParityDefault.
  bool forget = false;                      ///< Protect files no more that are gone.
};

struct ProtectSummary {
  std::uint64_t files = 0;             ///< Protected now,
  std::uint64_t bytes = 0;             ///< and their bytes.
  std::uint64_t added = 0;             ///< Files that were not protected before.
  std::uint64_t changed = 0;           ///< Files whose content is another than before.
  std::uint64_t moved = 0;             ///< Files that have another path than before.
  std::uint64_t dropped = 0;           ///< Files that are protected no more.
  std::uint64_t missing = 0;           ///< Files that are gone and still protected.
  std::uint64_t encoded_bytes = 0;     ///< Of files that parity was made for by this call.
  std::uint64_t protection_bytes = 0;  ///< Size of the protection.
  bool up_to_date = false;             ///< There was nothing to do.
};

/// Protects the regular files at `paths` and below: makes the protection `output`, or brings it up to date. Of what is
/// as it was the parity is kept; files that were moved are found by their content. Files that are gone stay protected
/// unless told otherwise. Links and special files are left out. Errors: usage (no files), not_found, exists (`output`
/// is something else), corrupt (the protection, or a file that it has to be made anew from, is damaged: repair it
/// first), changed (a file changed while it was read), limit, permission, io, no_space, cancelled.
Result<ProtectSummary> protect_files(const std::vector<std::string>& paths, const std::string& output,
                                     const ProtectOptions& options);

/// Whether a file begins or ends as a protection does, or, where neither can be told, is called *.mmhp and no pack.
bool is_protection(const std::string& path);

/// One set of files that are protected together.
struct ProtectedSetInfo {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  ParityInfo parity;
};
struct ProtectionInfo {
  std::uint32_t loss_ppm = 0;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t protection_bytes = 0;
  std::vector<std::string> roots;  ///< What was named.
  std::vector<ProtectedSetInfo> sets;
};
/// Errors: corrupt (no protection, or its list is lost), not_found, io.
Result<ProtectionInfo> protection_info(const std::string& path);
/// Visits the protected files in path order. The visitor returns false to stop.
Result<> list_protection(const std::string& path, const std::function<Result<bool>(const FileInfo&)>& visitor);

enum class ProtectedFileState : std::uint8_t {
  damaged,  ///< Other bytes than were protected, under an unchanged time.
  missing,  ///< Gone.
  moved,    ///< Gone, but its content is under another name.
  changed,  ///< Other bytes, written later: no damage.
};
/// A protected file that is not as it was.
struct ProtectedFileFinding {
  std::string path;
  ProtectedFileState state = ProtectedFileState::damaged;
  std::string found;      ///< Where its content was found, whole; empty: nowhere.
  bool healable = false;  ///< Whether all of its content can be had.
  bool restored = false;
};

struct ProtectionSummary {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::vector<ProtectedFileFinding> findings;  ///< In path order.
  bool protection_damaged = false;             ///< The protection itself is damaged,
  bool protection_healable = true;
  bool protection_mended = false;  ///< and was mended.
  std::uint64_t restored = 0;      ///< Files brought back.
  /// Files that are damaged or missing (after a repair: still), and whether all of them can be brought back.
  std::uint64_t damaged = 0;
  std::uint64_t hopeless = 0;  ///< Those of them that cannot be brought back.
  std::uint64_t changed = 0;   ///< Files that were changed or moved and left so.
  bool sound() const { return findings.empty() && !protection_damaged; }
};

struct ProtectionOptions : RunOptions {
  std::string directory;          ///< Where the protected files are; empty: where the protection is.
  std::vector<std::string> from;  ///< Files and directories that may hold good bytes besides.
};
/// Compares all files, and the protection itself, with what was protected. Errors: corrupt (no protection, or its list
/// is lost), permission, not_found, io, cancelled.
Result<ProtectionSummary> verify_protection(const std::string& path, const ProtectionOptions& options);

struct ProtectionRepairOptions : ProtectionOptions {
  bool undo = false;   ///< Also bring back what was changed or moved.
  std::string output;  ///< Restore files beneath this directory and leave all others as they are; empty: in place.
  bool force = false;  ///< Replace files that are there.
  std::function<void(const ProtectedFileFinding&)> restored;  ///< Told of each file that came back.
};
/// Brings back what is damaged or missing, and mends the protection. A file takes its name when its whole content was
/// compared with its hash; mode, time, and of one that was there owner and attributes are kept. Nothing outside the
/// directory is written. Killed at any point, each file is the old or the new one. Errors: as verify_protection(),
/// no_space.
Result<ProtectionSummary> repair_protection(const std::string& path, const ProtectionRepairOptions& options);

}  // namespace mmh
