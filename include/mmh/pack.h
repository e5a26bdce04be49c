#pragma once
// Packs: create, append to, open, list, read, verify, unpack.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mmh/common.h"

namespace mmh {

inline constexpr int kLevelMin = 1;
inline constexpr int kLevelDefault = 5;
inline constexpr int kLevelMax = 9;
inline constexpr std::uint64_t kBlockSizeMin = std::uint64_t{4} << 10;
inline constexpr std::uint64_t kBlockSizeMax = std::uint64_t{64} << 20;

/// Parity, in parts per million of the file that may be lost.
inline constexpr std::uint32_t kParityDefault = 10'000;
inline constexpr std::uint32_t kParityMax = 500'000;

/// How files are found and packed.
struct PackOptions : RunOptions {
  std::string directory = ".";       ///< Paths are resolved beneath it (tar's -C).
  std::vector<std::string> exclude;  ///< Globs; what matches is left out, with all below it.
  std::vector<std::string> include;  ///< Not empty: only files that match, with the directories above them.
  bool follow = false;               ///< Take what symlinks point to.
  bool one_file_system = false;
  bool xattrs = true;
  int level = kLevelDefault;     ///< 1 (fast) to 9 (small).
  std::uint64_t block_size = 0;  ///< Most raw bytes of a block; 0: by level. Smaller: faster reads of single files.
  bool force = false;            ///< Replace an existing output.
  /// How much of the pack may be lost and is made again from parity; 0: no parity. Appending keeps what the pack has.
  std::uint32_t parity_ppm = kParityDefault;
  /// A pack against which content is coded: what it holds is not stored again, and what is like it is stored as the
  /// change. The new pack needs it for ever after, or until rebase_pack(). New packs only.
  std::string base;
};

/// Bytes before and after, of one content class ("text", "tensor"…).
struct ClassTotals {
  std::string name;
  std::uint64_t files = 0;
  std::uint64_t raw_bytes = 0;  ///< Content that was compressed (duplicates not counted).
  std::uint64_t stored_bytes = 0;
};

/// What came of packing.
struct PackSummary {
  std::uint64_t entries = 0;
  std::uint64_t files = 0;            ///< Regular files.
  std::uint64_t content_bytes = 0;    ///< Sum of their sizes.
  std::uint64_t duplicate_bytes = 0;  ///< Content found before and stored once.
  std::uint64_t hole_bytes = 0;
  std::uint64_t base_bytes = 0;     ///< Found in the base as they are.
  std::uint64_t pack_bytes = 0;     ///< Size of the pack (after an append: of the whole).
  std::uint64_t written_bytes = 0;  ///< Bytes written by this call.
  std::uint64_t problems = 0;       ///< Warnings given: objects left out or changed while they were read.
  Hash root{};
  std::vector<ClassTotals> classes;  ///< Only those that occur.
};

/// Packs `paths` into a new file, which appears under `output` only when it is whole and synced. Files that cannot be
/// read and paths that do not exist are reported to the observer and left out. Errors: exists, not_found (none of the
/// paths exists), no_space, io, cancelled…
Result<PackSummary> create_pack(const std::vector<std::string>& paths, const std::string& output,
                                const PackOptions& options);
/// The same, written front to back to a descriptor that the caller owns.
Result<PackSummary> create_pack(const std::vector<std::string>& paths, int output_fd, const PackOptions& options);

/// Where create_pack_from_tar() writes: a path, or a descriptor when the path is empty.
struct Output {
  std::string path;
  int fd = -1;
};
/// Packs the entries of a tar stream read from `tar_fd` as they are. A later entry of the same path replaces an earlier
/// one.
Result<PackSummary> create_pack_from_tar(int tar_fd, const Output& output, const PackOptions& options);

/// Adds `paths` to an existing pack or replaces entries of the same path, without rewriting old blocks. Killed at any
/// point, the old pack stays valid. A pack with parity is verified first, and mended where it is damaged; new parity of
/// the same share takes the place of the old one. Errors: corrupt (damaged beyond parity), and as create_pack().
Result<PackSummary> append_to_pack(const std::string& pack, const std::vector<std::string>& paths,
                                   const PackOptions& options);

enum class FileType : std::uint8_t { regular, directory, symlink, hard_link, fifo, character_device, block_device };

/// One entry of a pack.
struct FileInfo {
  std::string path;
  FileType type = FileType::regular;
  std::uint32_t mode = 0;  ///< 07777.
  std::int64_t mtime_seconds = 0;
  std::uint32_t mtime_nanoseconds = 0;
  std::uint64_t uid = 0, gid = 0;
  std::string user, group;
  std::uint64_t size = 0;
  std::optional<Hash> hash;  ///< Of a regular file's content; none where diff had no need to read the file.
  std::string link;          ///< Target of a symlink or hard link.
  std::uint32_t device_major = 0, device_minor = 0;
  std::vector<std::pair<std::string, std::string>> xattrs;
};

/// What parity promises.
struct ParityInfo {
  std::uint32_t loss_ppm = 0;         ///< As it was asked for; 0: there is no parity.
  std::uint64_t stored_bytes = 0;     ///< Of the parity itself.
  std::uint64_t one_piece_bytes = 0;  ///< That many bytes of one piece may be lost, wherever it is.
  std::uint64_t sector_bytes = 0;     ///< Or sectors of this size,
  std::uint64_t sectors = 0;          ///< this many, scattered over the whole file;
  /// this many where none of them holds the checks, which tell what is damaged: some 0.1 % of the file. Those may be
  /// larger: of `spared_sector_bytes`.
  std::uint64_t sectors_without_checks = 0;
  std::uint64_t spared_sector_bytes = 0;
};

/// A pack that another one is coded against.
struct BaseInfo {
  std::string name;  ///< What its file was called.
  Hash root{};
  std::string path;              ///< Where it was found; empty: it was not, see `missing`.
  std::uint64_t pack_bytes = 0;  ///< Of its file.
  std::string missing;           ///< Why it is not to be had.
};

/// A pack's totals.
struct PackInfo {
  std::string name;
  Hash root{};
  std::uint32_t format_version = 0;
  std::uint64_t pack_bytes = 0;
  std::uint64_t superseded_bytes = 0;  ///< Behind the newest footer: what a killed append left.
  std::uint64_t entries = 0;
  std::uint64_t content_bytes = 0;
  std::uint64_t blocks = 0;
  std::uint64_t generation = 0;  ///< Times appended to.
  int level = 0;
  std::string writer;
  std::vector<std::string> libraries;
  ParityInfo parity;
  bool has_base = false;  ///< It cannot be read without its base: Pack::bases().
  std::string warning;    ///< What was odd at opening; empty: nothing.
};

/// Bytes that one codec graph ("zstd", "delta+zstd") holds.
struct CodecTotals {
  std::string graph;
  std::uint64_t blocks = 0;
  std::uint64_t raw_bytes = 0;
  std::uint64_t stored_bytes = 0;
};

/// Blocks that are made by one program: the codecs from the block's side, each with what its streams are made by, as in
/// "planes(stored, rans)"; a codec all of whose streams are stored stands alone.
struct ProgramTotals {
  std::string program;
  std::uint64_t blocks = 0;
  std::uint64_t raw_bytes = 0;
  std::uint64_t stored_bytes = 0;
};

/// Dictionaries that small blocks share, and what a sample of at most 64 such blocks takes with and without, both tried
/// anew at one level of zstd.
struct DictionaryTotals {
  std::uint64_t dictionaries = 0, stored_bytes = 0;
  std::uint64_t blocks_tried = 0, tried_bytes_with = 0, tried_bytes_without = 0;
};

/// Totals that need a pass over the whole pack's index and manifest.
struct PackStatistics {
  std::uint64_t files = 0, directories = 0, symlinks = 0, hard_links = 0, others = 0;
  std::uint64_t data_raw_bytes = 0, data_stored_bytes = 0, manifest_stored_bytes = 0, index_stored_bytes = 0;
  DictionaryTotals dictionaries;
  std::vector<CodecTotals> codecs;  ///< Largest first.
  std::vector<ClassTotals> types;   ///< By file name extension: content bytes, and their share of stored bytes.
};

struct DamagedRange {
  std::uint64_t offset = 0, length = 0;
  std::string what;
};

struct VerifySummary {
  bool sound = false;
  bool healable = false;  ///< Not sound, but parity brings back every byte: repair_pack().
  std::uint64_t bytes = 0, blocks = 0, files = 0;
  std::vector<DamagedRange> damage;  ///< Bounded; damage_count counts all.
  std::uint64_t damage_count = 0;
  std::vector<std::string> files_damaged;
  std::uint64_t files_damaged_count = 0;
};

enum class OverwritePolicy : std::uint8_t { never, ask, always, newer };

struct UnpackOptions : RunOptions {
  std::string directory = ".";        ///< Made when missing.
  std::vector<std::string> patterns;  ///< Paths (with all below) or globs; empty: everything.
  std::vector<std::string> exclude;
  unsigned strip_components = 0;
  OverwritePolicy overwrite = OverwritePolicy::never;
  std::function<bool(std::string_view path)> ask;  ///< For OverwritePolicy::ask.
  /// Keep set-uid, set-gid, sticky, ACLs and what the umask would clear. Nothing: if root.
  std::optional<bool> permissions;
  std::optional<bool> owners;  ///< Keep owners, where the system lets us. Nothing: if root.
  bool numeric_owners = false;
  bool devices = false;  ///< Make device nodes and FIFOs.
  bool xattrs = true;
};

struct UnpackSummary {
  std::uint64_t entries = 0, files = 0, bytes = 0;
  std::uint64_t kept = 0;      ///< Existing files left as they were.
  std::uint64_t problems = 0;  ///< Entries not restored, each reported to the observer.
  std::uint64_t damaged = 0;   ///< Of those: content that did not verify.
};

/// A pack opened for reading. Cheap to open: O(log n) pages. Thread-safe.
class Pack {
 public:
  /// Damage that parity can mend is mended while reading, in memory only; the observer of `options` is told.
  /// Errors: not_found, corrupt, unsupported (says what this build lacks), io.
  static Result<Pack> open(const std::string& path, const RunOptions& options = {});
  /// From a pipe: copied into an unnamed temporary file first ($TMPDIR).
  static Result<Pack> open_stream(int fd, const RunOptions& options = {});
  /// A pack that is damaged beyond parity: what is left of it. Where its index or manifest is gone, both are rebuilt
  /// from the blocks that are found by scanning; the observer is told. What is lost is named when it is asked for.
  /// Errors: corrupt (nothing is left), and as open().
  static Result<Pack> salvage(const std::string& path, const RunOptions& options = {});
  Pack(Pack&&) noexcept;
  Pack& operator=(Pack&&) noexcept;
  ~Pack();

  const PackInfo& info() const;
  Result<PackStatistics> statistics() const;
  /// The programs of all data blocks, or of those that hold the file at `path`, largest first. Errors: not_found, usage
  /// (not a regular file), corrupt.
  Result<std::vector<ProgramTotals>> programs(std::optional<std::string_view> path = std::nullopt) const;

  /// The base, its base and so on, as far as they are found; empty: the pack stands alone.
  std::vector<BaseInfo> bases() const;

  /// The entry at a path; nothing when there is none.
  Result<std::optional<FileInfo>> find(std::string_view path) const;
  /// Visits the entry at `prefix` and all below it, in order ("" for all). The visitor returns false to stop.
  Result<> list(std::string_view prefix, const std::function<Result<bool>(const FileInfo&)>& visitor) const;
  /// Up to out.size() bytes of a file from `offset`; hard links are followed. Errors: not_found, corrupt.
  Result<std::size_t> read(std::string_view path, std::uint64_t offset, Bytes out) const;
  /// A whole file in order; its hash is checked before the last piece is handed over.
  Result<> stream(std::string_view path, const std::function<Result<>(ByteView)>& sink) const;

  /// Checks every stored byte; `deep` also decodes everything and checks each file's content hash.
  Result<VerifySummary> verify(bool deep, const RunOptions& options) const;
  Result<UnpackSummary> unpack(const UnpackOptions& options) const;
  /// Writes the entries (those that match `patterns`, when given) as a pax tar stream.
  Result<UnpackSummary> write_tar(int fd, const UnpackOptions& options) const;

 private:
  struct State;
  explicit Pack(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
  friend struct PackAccess;
};

/// Adds parity to a pack, changes it, or removes it (`loss_ppm` 0), without packing again. Refuses a damaged pack.
/// Killed at any point, the pack and its old parity stay valid until the new parity is whole. Errors: corrupt (damaged:
/// repair it first), usage, not_found, permission, io, no_space, limit.
Result<ParityInfo> set_parity(const std::string& pack, std::uint32_t loss_ppm, const RunOptions& options = {});

struct RepairOptions : RunOptions {
  std::string output;  ///< Write the healed pack here and leave the original as it is; empty: in place.
  bool force = false;  ///< Replace an existing output.
  /// Where good bytes may be found: other copies of the pack, damaged or not, and the files or directories that were
  /// packed, under whatever names.
  std::vector<std::string> from;
  /// Told of each range that is mended, in order.
  std::function<void(std::uint64_t offset, std::uint64_t length)> mended;
};

struct RepairSummary {
  bool was_sound = false;    ///< Nothing had to be mended.
  std::uint64_t ranges = 0;  ///< Ranges that were mended,
  std::uint64_t bytes = 0;   ///< and their bytes, in whole sectors of 512.
  std::uint64_t pack_bytes = 0;
  bool moved = false;  ///< Bytes had been inserted or deleted: the file was written anew.
  /// Blocks that the originals gave back, bit for bit; or `anew`: a pack of other bytes and the same root was written.
  std::uint64_t refilled_blocks = 0;
  bool anew = false;
  Hash root{};
};
/// Mends a pack from its parity, from copies and from what was packed. Where originals have the right content, but this
/// build does not make the same stored bytes of it, a new pack can be written (RepairOptions::output). Nothing is
/// written before the healed pack was verified against its own hashes, and it is verified again afterwards. In place,
/// only damaged bytes are written: killed at any point, the file is no worse. Errors: corrupt (beyond parity: the
/// message says how much), not_found (no parity), and those of files.
Result<RepairSummary> repair_pack(const std::string& pack, const RepairOptions& options);

struct RebaseOptions : RunOptions {
  std::string output;  ///< Write the new pack here and leave the original as it is; empty: in place.
  bool force = false;  ///< Replace an existing output.
};

struct RebaseSummary {
  std::uint64_t blocks = 0;  ///< Made anew; 0: the pack needed no base.
  std::uint64_t pack_bytes_before = 0;
  std::uint64_t pack_bytes = 0;
  Hash root{};  ///< As it was.
};
/// Makes a pack that needs no base: the same entries and content, the same root and share of parity. Other blocks stay
/// as they are. Errors: not_found (a base is not to be had), corrupt, and those of files.
Result<RebaseSummary> rebase_pack(const std::string& pack, const RebaseOptions& options);

enum class ChangeKind : std::uint8_t { added, removed, content, metadata, type };
using ChangeVisitor = std::function<Result<>(ChangeKind, const FileInfo* before, const FileInfo* after)>;
/// What changed from `before` to `after`, in path order, by content.
Result<> diff(const Pack& before, const Pack& after, const ChangeVisitor& visitor);
/// The same against files on disk: `paths` as create_pack() would take them, read and hashed.
Result<> diff(const Pack& before, const std::vector<std::string>& paths, const PackOptions& options,
              const ChangeVisitor& visitor);

/// One codec that this build can decode.
struct CodecInfo {
  std::uint32_t id;
  std::string name;
  std::string purpose;
  std::uint32_t since_format;  ///< The first version of the pack format that has it.
};
std::vector<CodecInfo> list_codecs();

/// Whether `pattern` (a glob as --exclude takes it) matches `path` or a directory above it.
bool matches(std::string_view pattern, std::string_view path);

}  // namespace mmh
