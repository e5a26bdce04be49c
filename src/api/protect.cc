// Protections of files: making, listing, verifying, repairing.

#include "mmh/protect.h"

#include <fcntl.h>

#include <array>

#include "healing.h"
#include "mmh/base/files.h"
#include "mmh/pack/format.h"
#include "mmh/pack/protection.h"

namespace mmh {

namespace {

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

ProtectedFileFinding to_finding(const pack::ProtectionFinding& finding, const pack::ProtectedFile& file) {
  return {.path = file.path,
          .state = static_cast<ProtectedFileState>(finding.kind),
          .found = finding.found,
          .healable = finding.healable,
          .restored = finding.restored};
}

ProtectionSummary summarize(const pack::ProtectionReport& report, const pack::ProtectionList& list) {
  ProtectionSummary summary;
  summary.files = report.files;
  summary.bytes = report.bytes;
  summary.protection_damaged = report.own_damage;
  summary.protection_healable = report.own_healable;
  summary.protection_mended = report.own_mended;
  for (const pack::ProtectionFinding& finding : report.findings) {
    summary.findings.push_back(to_finding(finding, list.files[finding.file]));
    if (finding.restored) {
      ++summary.restored;
    } else if (finding.kind == pack::FindingKind::damaged || finding.kind == pack::FindingKind::missing) {
      ++summary.damaged;
      if (!finding.healable) ++summary.hopeless;
    } else {
      ++summary.changed;
    }
  }
  return summary;
}

Result<ProtectionSummary> examine(const std::string& path, const ProtectionOptions& options, pack::ExamineGoal goal,
                                  std::string_view stage,
                                  const std::function<void(const ProtectedFileFinding&)>& restored) {
  MMH_TRY(check_run_options(options));
  MMH_LET(const auto source, open_source(real_sys(), path));
  goal.base = options.directory.empty() ? directory_of(path) : options.directory;
  goal.from = options.from;
  if (restored) {
    goal.restored = [&restored](const pack::ProtectionFinding& finding, const pack::ProtectedFile& file) {
      restored(to_finding(finding, file));
    };
  }
  ParityWork work(options, stage, options.observer);
  Reporter reporter(options.observer);
  MMH_LET(const pack::LoadedProtection loaded, pack::load_protection(*source, options.cancel));
  MMH_LET(const pack::ProtectionReport report,
          pack::examine_protection(*source, path, loaded, goal, work.context(), reporter.problem_sink()));
  return summarize(report, loaded.list);
}

}  // namespace

Result<ProtectSummary> protect_files(const std::vector<std::string>& paths, const std::string& output,
                                     const ProtectOptions& options) {
  MMH_TRY(check_run_options(options));
  if (options.parity_ppm && *options.parity_ppm == 0) {
    return fail(Errc::usage, "a protection without parity would protect nothing");
  }
  if (options.parity_ppm && *options.parity_ppm > kParityMax) {
    return fail(Errc::usage, "parity for the loss of more than 50 % is not made; keep a second copy");
  }
  const pack::ProtectGoal goal{.base = options.directory,
                               .roots = paths,
                               .exclude = options.exclude,
                               .include = options.include,
                               .one_file_system = options.one_file_system,
                               .loss_ppm = options.parity_ppm,
                               .loss_ppm_default = kProtectParityDefault,
                               .forget = options.forget};
  ParityWork work(options, "protect", options.observer);
  Reporter reporter(options.observer);
  MMH_LET(const pack::ProtectTotals totals, pack::protect(output, goal, work.context(), reporter.problem_sink()));
  return ProtectSummary{.files = totals.files,
                        .bytes = totals.bytes,
                        .added = totals.added,
                        .changed = totals.changed,
                        .moved = totals.moved,
                        .dropped = totals.dropped,
                        .missing = totals.missing,
                        .encoded_bytes = totals.encoded_bytes,
                        .protection_bytes = totals.stored_bytes,
                        .up_to_date = !totals.written};
}

bool is_protection(const std::string& path) {
  const auto info = real_sys().fstatat(AT_FDCWD, path.c_str(), 0);
  if (!info || !S_ISREG(info.value.st_mode)) return false;
  const auto source = open_source(real_sys(), path);
  if (!source) return false;
  if (pack::looks_like_protection(**source)) return true;
  std::array<std::byte, pack::kHeaderSize> front;
  return path.ends_with(".mmhp") && !((*source)->read_at(0, front) && pack::begins_like_pack(front));
}

Result<ProtectionInfo> protection_info(const std::string& path) {
  MMH_LET(const auto source, open_source(real_sys(), path));
  MMH_LET(const pack::LoadedProtection loaded, pack::load_protection(*source, nullptr));
  ProtectionInfo info;
  info.loss_ppm = loaded.list.loss_ppm;
  info.files = loaded.list.files.size();
  info.protection_bytes = source->size();
  info.roots = loaded.list.roots;
  info.sets.resize(loaded.list.sets.size());
  for (const pack::ProtectedFile& file : loaded.list.files) {
    info.bytes += file.size;
    if (file.size > 0) ++info.sets[file.set].files;
  }
  for (std::size_t set = 0; set < info.sets.size(); ++set) {
    info.sets[set].bytes = loaded.list.sets[set].data_size;
    if (const auto head = pack::section_head(*source, loaded, set, false)) {
      info.sets[set].parity = to_parity_info(*head);
    }
  }
  return info;
}

Result<> list_protection(const std::string& path, const std::function<Result<bool>(const FileInfo&)>& visitor) {
  MMH_LET(const auto source, open_source(real_sys(), path));
  MMH_LET(const pack::LoadedProtection loaded, pack::load_protection(*source, nullptr));
  for (const pack::ProtectedFile& file : loaded.list.files) {
    FileInfo info;
    info.path = file.path;
    info.mode = file.mode;
    info.mtime_seconds = file.mtime_seconds;
    info.mtime_nanoseconds = file.mtime_nanoseconds;
    info.size = file.size;
    info.hash = file.hash.bytes;
    MMH_LET(const bool more, visitor(info));
    if (!more) break;
  }
  return {};
}

Result<ProtectionSummary> verify_protection(const std::string& path, const ProtectionOptions& options) {
  return examine(path, options, {}, "verify", nullptr);
}

Result<ProtectionSummary> repair_protection(const std::string& path, const ProtectionRepairOptions& options) {
  pack::ExamineGoal goal;
  goal.repair = true;
  goal.undo = options.undo;
  goal.target = options.output;
  goal.replace = options.force;
  return examine(path, options, std::move(goal), "repair", options.restored);
}

}  // namespace mmh
