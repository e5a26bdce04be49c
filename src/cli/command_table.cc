#include "command_table.h"

#include <array>

#include "commands.h"
#include "mmh/protect.h"

namespace mmh::cli {

namespace {
// Shared by several commands; what is said once here reads the same everywhere.
constexpr OptionSpec kDirectoryIn = {.id = OptionId::directory,
                                     .letter = 'C',
                                     .name = "directory",
                                     .kind = ValueKind::text,
                                     .placeholder = "DIR",
                                     .fallback = ".",
                                     .help = "Look for each PATH in DIR, as tar does.",
                                     .completes = Completes::directories};
constexpr OptionSpec kLevel = {.id = OptionId::level,
                               .name = "level",
                               .kind = ValueKind::number,
                               .placeholder = "N",
                               .fallback = "5",
                               .help = "From 1 (fast) to 9 (small); -1 to -9 say the same.",
                               .min = kLevelMin,
                               .max = kLevelMax,
                               .digits = true};
static_assert(kLevelDefault == 5);
constexpr OptionSpec kExclude = {.id = OptionId::exclude,
                                 .name = "exclude",
                                 .kind = ValueKind::text,
                                 .placeholder = "GLOB",
                                 .help = "Leave out what matches GLOB, and all below it.",
                                 .repeats = true};
constexpr OptionSpec kInclude = {.id = OptionId::include,
                                 .name = "include",
                                 .kind = ValueKind::text,
                                 .placeholder = "GLOB",
                                 .help = "Take only files that match GLOB.",
                                 .repeats = true};
constexpr OptionSpec kFollow = {
    .id = OptionId::follow, .letter = 'L', .name = "follow", .help = "Take what symlinks point to, not the links."};
constexpr OptionSpec kOneFileSystem = {
    .id = OptionId::one_file_system, .letter = 'x', .name = "one-file-system", .help = "Do not cross mount points."};
constexpr OptionSpec kNoXattrs = {
    .id = OptionId::no_xattrs, .name = "no-xattrs", .help = "Ignore extended attributes and ACLs."};
constexpr OptionSpec kFilesFrom = {.id = OptionId::files_from,
                                   .name = "files-from",
                                   .kind = ValueKind::text,
                                   .placeholder = "FILE",
                                   .help = "Take further paths from FILE, one a line; - is standard input.",
                                   .completes = Completes::files};
constexpr OptionSpec kNullIn = {
    .id = OptionId::null, .letter = '0', .name = "null", .help = "Paths of --files-from end with a zero byte."};
constexpr OptionSpec kBlockSize = {.id = OptionId::block_size,
                                   .name = "block-size",
                                   .kind = ValueKind::size,
                                   .placeholder = "SIZE",
                                   .fallback = "by level",
                                   .help =
                                       "Most bytes compressed together. Smaller: single files read faster, "
                                       "the pack is larger.",
                                   .min = 1};
constexpr OptionSpec kParity = {.id = OptionId::parity,
                                .name = "parity",
                                .kind = ValueKind::share,
                                .placeholder = "P%",
                                .fallback = "1%",
                                .help = "Bear the loss of any P % of the pack, up to 50%; 0 is no parity.",
                                .max = kParityMax};
static_assert(kParityDefault == 10'000);
constexpr OptionSpec kBase = {.id = OptionId::base,
                              .name = "base",
                              .kind = ValueKind::text,
                              .placeholder = "PACK",
                              .fallback = "beside the pack",
                              .help = "Where the base is of a pack that was made with --base.",
                              .completes = Completes::files,
                              .repeats = true};
constexpr OptionSpec kNumericOwner = {
    .id = OptionId::numeric_owner, .name = "numeric-owner", .help = "Use user and group numbers, not names."};

constexpr OptionSpec kPackOptions[] = {
    {.id = OptionId::output,
     .letter = 'o',
     .name = "output",
     .kind = ValueKind::text,
     .placeholder = "FILE",
     .fallback = "NAME.mmh, here",
     .help = "Write the pack to FILE; - is standard output.",
     .completes = Completes::files},
    {.id = OptionId::force, .letter = 'f', .name = "force", .help = "Replace FILE if it exists."},
    kDirectoryIn,
    kLevel,
    kExclude,
    kInclude,
    kFilesFrom,
    kNullIn,
    kFollow,
    kOneFileSystem,
    kNoXattrs,
    {.id = OptionId::tar_in,
     .name = "tar",
     .kind = ValueKind::text,
     .placeholder = "FILE",
     .help = "Take the entries of a tar archive instead of PATHs; - is standard input.",
     .completes = Completes::files},
    {.id = OptionId::base,
     .name = "base",
     .kind = ValueKind::text,
     .placeholder = "PACK",
     .help = "Store only what differs from PACK, an older version. The new pack cannot be read without it.",
     .completes = Completes::files},
    kBlockSize,
    kParity,
};

constexpr Example kPackExamples[] = {
    {"mmh pack ./model -o model.mmh", "The directory, stored under model/."},
    {"mmh pack -9 --exclude '*.tmp' src docs -o work.mmh", "Two trees, as small as possible, without temporary files."},
    {"mmh pack -C /srv/data . -o data.mmh", "What is in /srv/data, without a leading directory."},
    {"mmh pack --parity 5% model -o model.mmh", "Any 5 % of the pack may be lost, and comes back."},
    {"mmh pack --base step1.mmh step2 -o step2.mmh", "The next checkpoint, as the difference from the last one."},
    {"mmh pack --tar - -o old.mmh < old.tar", "A tar archive's entries, as they are."},
    {"mmh pack dir -o - | ssh host mmh unpack -", "Straight to another machine."},
};
constexpr Status kPackStatuses[] = {Status::warnings, Status::io,    Status::permission, Status::not_found,
                                    Status::exists,   Status::limit, Status::no_space,   Status::unsafe};

constexpr OptionSpec kAppendOptions[] = {
    kDirectoryIn, kLevel, kExclude, kInclude, kFilesFrom, kNullIn, kFollow, kOneFileSystem, kNoXattrs, kBlockSize,
};
constexpr Example kAppendExamples[] = {
    {"mmh append model.mmh model/config.json", "Replace one file, or add it."},
    {"mmh append photos.mmh -C /mnt/camera DCIM", "Add a directory."},
};
constexpr Status kAppendStatuses[] = {Status::warnings,   Status::damage,    Status::io,
                                      Status::permission, Status::not_found, Status::unsupported,
                                      Status::limit,      Status::no_space,  Status::unsafe};

constexpr OptionSpec kListOptions[] = {
    {.id = OptionId::long_format, .letter = 'l', .name = "long", .help = "Show mode, owner, size and time."},
    {.id = OptionId::hash, .name = "hash", .help = "Show each file's BLAKE3 hash, as b3sum prints it."},
    {.id = OptionId::human, .letter = 'H', .name = "human", .help = "Sizes such as 51.2 MiB."},
    kNumericOwner,
    {.id = OptionId::null, .letter = '0', .name = "null", .help = "End each line with a zero byte."},
};
constexpr Example kListExamples[] = {
    {"mmh list -l model.mmh", "Everything, in detail."},
    {"mmh list model.mmh model/tokenizer '*.json'", "What is below a directory, and all JSON files."},
};
constexpr Status kReadStatuses[] = {Status::damage,    Status::io,          Status::permission,
                                    Status::not_found, Status::unsupported, Status::limit};

constexpr Status kVerifyStatuses[] = {Status::warnings,  Status::damage,      Status::io,    Status::permission,
                                      Status::not_found, Status::unsupported, Status::limit, Status::healable};
constexpr Status kRepairStatuses[] = {Status::warnings,  Status::damage, Status::io,          Status::permission,
                                      Status::not_found, Status::exists, Status::unsupported, Status::limit,
                                      Status::no_space,  Status::unsafe};

constexpr OptionSpec kProtectedIn = {.id = OptionId::directory,
                                     .letter = 'C',
                                     .name = "directory",
                                     .kind = ValueKind::text,
                                     .placeholder = "DIR",
                                     .fallback = "where it lies",
                                     .help = "Where the files of a protection are.",
                                     .completes = Completes::directories};
constexpr OptionSpec kRepairOptions[] = {
    {.id = OptionId::output,
     .letter = 'o',
     .name = "output",
     .kind = ValueKind::text,
     .placeholder = "FILE",
     .help = "Write the healed pack to FILE, and leave PACK as it is; of a protection, restore files beneath the "
             "directory FILE.",
     .completes = Completes::files},
    {.id = OptionId::force, .letter = 'f', .name = "force", .help = "Replace FILE if it exists."},
    {.id = OptionId::from,
     .name = "from",
     .kind = ValueKind::text,
     .placeholder = "PATH",
     .help = "Take good bytes from another copy of the pack, or from the files or directories that were packed or "
             "protected; they may be damaged too.",
     .completes = Completes::files,
     .repeats = true},
    kProtectedIn,
    {.id = OptionId::undo, .name = "undo", .help = "Of a protection: bring back what was changed or moved as well."},
};
constexpr Example kRepairExamples[] = {
    {"mmh repair model.mmh", "Mend it where it is."},
    {"mmh repair /media/cd/model.mmh -o model.mmh", "The original cannot be written, or shall stay as it is."},
    {"mmh repair model.mmh --from mirror/model.mmh", "Two damaged copies often make one that is whole."},
    {"mmh repair model.mmh --from ./model", "Beyond parity, what was packed brings lost blocks back."},
    {"mmh repair photos.mmhp", "Bring back damaged and missing files that were protected."},
};
constexpr OptionSpec kProtectOptions[] = {
    {.id = OptionId::output,
     .letter = 'o',
     .name = "output",
     .kind = ValueKind::text,
     .placeholder = "FILE",
     .fallback = "NAME.mmhp, beside it",
     .help = "Write the protection to FILE; one that exists is brought up to date.",
     .completes = Completes::files},
    {.id = OptionId::directory,
     .letter = 'C',
     .name = "directory",
     .kind = ValueKind::text,
     .placeholder = "DIR",
     .fallback = "what holds them all",
     .help = "Look for each PATH in DIR, and keep it relative to DIR.",
     .completes = Completes::directories},
    {.id = OptionId::parity,
     .name = "parity",
     .kind = ValueKind::share,
     .placeholder = "P%",
     .fallback = "5%, or as it was",
     .help = "Bear the loss of any P % of the files, up to 50%.",
     .min = 1,
     .max = kParityMax},
    kExclude,
    kInclude,
    kFilesFrom,
    kNullIn,
    kOneFileSystem,
    {.id = OptionId::forget, .name = "forget", .help = "Protect files no more that are gone."},
};
static_assert(kProtectParityDefault == 50'000);
constexpr Example kProtectExamples[] = {
    {"mmh protect photos", "Writes photos.mmhp beside the directory; again, it takes in what is new."},
    {"mmh protect --parity 10% disk.iso", "Any 10 % of the file may be lost."},
    {"mmh protect -C /srv -o /backup/srv.mmhp data mail", "The protection lies elsewhere; verify it with -C /srv."},
};
constexpr Status kProtectStatuses[] = {Status::warnings,   Status::damage,    Status::io,
                                       Status::permission, Status::not_found, Status::exists,
                                       Status::limit,      Status::no_space,  Status::unsafe};
constexpr Example kParityExamples[] = {
    {"mmh parity set 10% model.mmh", "Add parity, or change it."},
    {"mmh parity set 0 model.mmh", "Remove it."},
};

constexpr OptionSpec kRebaseOptions[] = {
    {.id = OptionId::output,
     .letter = 'o',
     .name = "output",
     .kind = ValueKind::text,
     .placeholder = "FILE",
     .help = "Write the new pack to FILE, and leave PACK as it is.",
     .completes = Completes::files},
    {.id = OptionId::force, .letter = 'f', .name = "force", .help = "Replace FILE if it exists."},
    kBase,
};
constexpr Example kRebaseExamples[] = {
    {"mmh rebase step2.mmh", "From now on it needs no other pack."},
    {"mmh rebase step2.mmh --base old/step1.mmh -o alone.mmh", "The base is elsewhere; the original stays."},
};

constexpr OptionSpec kVerifyOptions[] = {
    {.id = OptionId::deep, .name = "deep", .help = "Also decode everything and check every file's content hash."},
    kProtectedIn,
    kBase,
};
constexpr Example kVerifyExamples[] = {
    {"mmh verify photos.mmhp", "Compare protected files with what they were."},
    {"mmh verify model.mmh", "Check every stored byte."},
    {"mmh verify --deep *.mmh", "Check what the bytes decode to as well."},
};

constexpr OptionSpec kCatOptions[] = {
    {.id = OptionId::offset,
     .name = "offset",
     .kind = ValueKind::size,
     .placeholder = "SIZE",
     .fallback = "0",
     .help = "Begin SIZE bytes into the file."},
    {.id = OptionId::length,
     .name = "length",
     .kind = ValueKind::size,
     .placeholder = "SIZE",
     .fallback = "all",
     .help = "Write at most SIZE bytes."},
    kBase,
};
constexpr Example kCatExamples[] = {
    {"mmh cat model.mmh model/config.json", "One file; only its blocks are read."},
    {"mmh cat --offset 1G --length 4K model.mmh model/weights.bin | xxd", "A part of a large one."},
};

constexpr OptionSpec kUnpackOptions[] = {
    {.id = OptionId::directory,
     .letter = 'C',
     .name = "directory",
     .kind = ValueKind::text,
     .placeholder = "DIR",
     .fallback = ".",
     .help = "Unpack into DIR, which is made if missing.",
     .completes = Completes::directories},
    {.id = OptionId::strip_components,
     .name = "strip-components",
     .kind = ValueKind::number,
     .placeholder = "N",
     .fallback = "0",
     .help = "Drop the first N directories of each path.",
     .max = 4096},
    {.id = OptionId::overwrite,
     .name = "overwrite",
     .kind = ValueKind::choice,
     .placeholder = "WHEN",
     .fallback = "never",
     .help = "Replace files that exist: never, ask, always, or newer (only older files).",
     .choices = "never|ask|always|newer"},
    kExclude,
    {.id = OptionId::permissions,
     .letter = 'p',
     .name = "permissions",
     .help = "Keep all mode bits: those that the umask clears, set-uid, set-gid, sticky (the default for root)."},
    {.id = OptionId::no_permissions,
     .name = "no-same-permissions",
     .help = "Take set-uid, set-gid, sticky and what the umask clears away (the default, but for root)."},
    {.id = OptionId::same_owner, .name = "same-owner", .help = "Keep owners (the default for root)."},
    {.id = OptionId::no_same_owner,
     .name = "no-same-owner",
     .help = "Everything belongs to who unpacks (the default, but for root)."},
    kNumericOwner,
    {.id = OptionId::devices, .name = "devices", .help = "Make device nodes and FIFOs, which are left out otherwise."},
    kNoXattrs,
    {.id = OptionId::salvage,
     .name = "salvage",
     .help = "Unpack what is left of a pack that is damaged beyond parity, its index rebuilt if it is gone."},
    kBase,
    {.id = OptionId::tar_out, .name = "tar", .help = "Write a tar archive to standard output; unpack nothing."},
};
constexpr Example kUnpackExamples[] = {
    {"mmh unpack model.mmh -C out", "Everything, into out/."},
    {"mmh unpack model.mmh model/tokenizer '*.json'", "A directory, and all JSON files."},
    {"mmh unpack --tar x.mmh > x.tar", "Back to tar."},
    {"mmh unpack --salvage broken.mmh -C out", "Everything that still verifies; the rest is named."},
    {"curl -s https://example.org/x.mmh | mmh unpack", "From a pipe."},
};
constexpr Status kUnpackStatuses[] = {Status::warnings,  Status::damage, Status::io,          Status::permission,
                                      Status::not_found, Status::exists, Status::unsupported, Status::limit,
                                      Status::no_space,  Status::unsafe};

constexpr OptionSpec kInfoOptions[] = {
    {.id = OptionId::graph,
     .name = "graph",
     .help = "Show what codecs the blocks of PACK are made by, or those that hold the PATHs that follow it."},
    kBase,
};
constexpr Example kInfoExamples[] = {
    {"mmh info model.mmh", "Root, sizes, codecs, and what each type of file shrank to."},
    {"mmh info --json model.mmh | jq -r .root", "The root alone."},
    {"mmh info --graph model.mmh model/weights.bin", "How one file is compressed."},
};

constexpr OptionSpec kDiffOptions[] = {
    kDirectoryIn, kExclude, kInclude, kFollow, kOneFileSystem, kNoXattrs,
};
constexpr Example kDiffExamples[] = {
    {"mmh diff monday.mmh tuesday.mmh", "What changed between two packs."},
    {"mmh diff model.mmh ./model", "What changed on disk since `mmh pack ./model`."},
};
constexpr Status kDiffStatuses[] = {Status::warnings,  Status::damage,      Status::io,    Status::permission,
                                    Status::not_found, Status::unsupported, Status::limit, Status::unsafe};

constexpr OptionSpec kBenchOptions[] = {
    {.id = OptionId::data,
     .name = "data",
     .kind = ValueKind::text,
     .placeholder = "DIR",
     .help = "Measure your own files instead of the tiers.",
     .completes = Completes::directories},
    kLevel,
    {.id = OptionId::seed,
     .name = "seed",
     .kind = ValueKind::number,
     .placeholder = "N",
     .fallback = "1",
     .help = "Generate other data of the same kind."},
    {.id = OptionId::work,
     .name = "work",
     .kind = ValueKind::text,
     .placeholder = "DIR",
     .fallback = "$TMPDIR or /tmp",
     .help = "Where data, pack and unpacked files lie while it runs.",
     .completes = Completes::directories},
    {.id = OptionId::time,
     .name = "time",
     .kind = ValueKind::duration,
     .placeholder = "LIMIT",
     .fallback = "10m",
     .help = "Ask before a tier that would take longer, going by the speed just measured."},
    {.id = OptionId::yes, .letter = 'y', .name = "yes", .help = "Do not ask."},
    {.id = OptionId::compare,
     .name = "compare",
     .kind = ValueKind::text,
     .placeholder = "FILE",
     .help = "Show the change against an earlier `mmh bench --json > FILE`.",
     .completes = Completes::files},
};
constexpr Example kBenchExamples[] = {
    {"mmh bench", "The tiers up to 100MB."},
    {"mmh bench 1GB 10GB --work /mnt/fast", "Larger ones, on a disk of your choice."},
    {"mmh bench --data ./model -9", "Your own files."},
    {"mmh bench --json > before.json; mmh bench --compare before.json", "Before and after a change."},
};
constexpr Status kBenchStatuses[] = {Status::warnings,  Status::damage, Status::io,      Status::permission,
                                     Status::not_found, Status::limit,  Status::no_space};

constexpr OptionSpec kAnalyzeOptions[] = {
    kLevel,
    {.id = OptionId::svg,
     .name = "svg",
     .help = "Write a picture instead: entropy, types of content and codecs along the file."},
};
constexpr Example kAnalyzeExamples[] = {
    {"mmh analyze model.safetensors", "What it is, and what each way of coding it makes of it."},
    {"mmh analyze --svg disk.img > disk.svg", "The same as a picture."},
};
constexpr Status kAnalyzeStatuses[] = {Status::io, Status::permission, Status::not_found, Status::limit};

constexpr Example kCodecsExamples[] = {{"mmh codecs", "One line for each codec."}};
constexpr Example kVersionExamples[] = {{"mmh version", "Pack bytes depend on the libraries it names."}};
constexpr OptionSpec kHelpOptions[] = {
    {.id = OptionId::man, .name = "man", .help = "Print the manual page's source (roff)."},
    {.id = OptionId::markdown, .name = "markdown", .help = "Print the reference of all commands in Markdown."},
};
constexpr Example kHelpExamples[] = {
    {"mmh help pack", "All about one command."},
    {"mmh help --man pack | man -l -", "The same as a manual page."},
};
constexpr Example kCompletionsExamples[] = {
    {"mmh completions bash > ~/.local/share/bash-completion/completions/mmh", "For bash."},
    {"mmh completions zsh > ~/.zfunc/_mmh", "For zsh, with ~/.zfunc in $fpath."},
    {"mmh completions fish > ~/.config/fish/completions/mmh.fish", "For fish."},
};

const CommandSpec kCommands[] = {
    {.name = "pack",
     .summary = "Pack files and directories into one .mmh file",
     .usage = "PATH...",
     .description =
         "Files are stored under the path you name, without a leading / or ../. Links, owners, modes, times, extended "
         "attributes and holes are kept. Equal content is stored once. The pack appears under its name only when it is "
         "whole and synced to disk; a file that cannot be read is reported and left out.",
     .operands = Operands::paths,
     .options = kPackOptions,
     .examples = kPackExamples,
     .statuses = kPackStatuses,
     .synonyms = "create compress archive add c zip save",
     .runs_long = true,
     .speaks_json = true,
     .handler = run_pack},
    {.name = "append",
     .summary = "Add files to a pack, or replace them",
     .usage = "PACK PATH...",
     .description = "Writes only what is new, behind what the pack already holds. An entry of the same path is "
                    "replaced. Stopped at "
                    "any point, the pack stays as it was.",
     .operands = Operands::pack_then_paths,
     .options = kAppendOptions,
     .examples = kAppendExamples,
     .statuses = kAppendStatuses,
     .synonyms = "update replace insert",
     .runs_long = true,
     .speaks_json = true,
     .handler = run_append},
    {.name = "list",
     .summary = "List what a pack holds",
     .usage = "PACK [PATH|GLOB]...",
     .description = "Prints one path a line, sorted. A PATH stands for itself and all below it.",
     .operands = Operands::pack_then_entries,
     .options = kListOptions,
     .examples = kListExamples,
     .statuses = kReadStatuses,
     .synonyms = "ls show tree contents files",
     .runs_long = false,
     .speaks_json = true,
     .handler = run_list},
    {.name = "verify",
     .summary = "Check every stored byte of a pack",
     .usage = "PACK...",
     .description = "Reads the whole pack and compares every block with its hash. Damage is reported by place, and by "
                    "the files that it touches. The exit status says whether the pack is sound (0), damaged but "
                    "healable by its parity (12), or damaged beyond parity (3). Of a protection, all its files are "
                    "compared; where they were only changed or moved since, the status is 1.",
     .operands = Operands::packs,
     .options = kVerifyOptions,
     .examples = kVerifyExamples,
     .statuses = kVerifyStatuses,
     .synonyms = "test check validate scrub fsck",
     .runs_long = true,
     .speaks_json = true,
     .handler = run_verify},
    {.name = "repair",
     .summary = "Mend a damaged pack from parity, copies or originals",
     .usage = "PACK...",
     .description =
         "Finds out what is lost, makes it again, and checks the result against the pack's own hashes before anything "
         "is written. Bytes that were inserted or deleted, and a cut-off beginning or end, are mended too. In place, "
         "only damaged bytes are written, so that a repair may be stopped at any point and run again. Each range that "
         "is mended has its line. `mmh repair` of a sound pack does nothing.\n"
         "Originals serve where their content is what the pack names by its hash; their names do not matter. Where "
         "this "
         "version of mmh does not make the very same stored bytes of it, a new pack of the same root can be written "
         "with -o.",
     .operands = Operands::packs,
     .options = kRepairOptions,
     .examples = kRepairExamples,
     .statuses = kRepairStatuses,
     .synonyms = "heal fix mend recover",
     .runs_long = true,
     .speaks_json = true,
     .handler = run_repair},
    {.name = "parity",
     .summary = "Add, change or remove the parity of a pack",
     .usage = "set P% PACK...",
     .description = "Works on an existing pack without packing again; a damaged one is refused. Stopped at any point, "
                    "the pack and its old parity stay valid until the new parity is whole.",
     .operands = Operands::packs,
     .options = {},
     .examples = kParityExamples,
     .statuses = kRepairStatuses,
     .synonyms = "redundancy ecc",
     .runs_long = true,
     .speaks_json = true,
     .handler = run_parity},
    {.name = "protect",
     .summary = "Make parity for any files, beside them",
     .usage = "FILE|DIR...",
     .description =
         "Writes a protection: a file from which `mmh verify` tells what of the files is damaged, missing, moved or "
         "changed, and `mmh repair` brings it back. The files stay as they are. Run again, it takes in new and changed "
         "files, and keeps the parity of what is as it was; files that are gone stay protected. Only contents, modes "
         "and times of regular files are kept. `mmh list` and `mmh info` show what a protection holds.",
     .operands = Operands::paths,
     .options = kProtectOptions,
     .examples = kProtectExamples,
     .statuses = kProtectStatuses,
     .synonyms = "par2 par snapraid guard",
     .runs_long = true,
     .speaks_json = true,
     .handler = run_protect},
    {.name = "rebase",
     .summary = "Make a pack that needs a base stand alone",
     .usage = "PACK",
     .description =
         "A pack that was made with --base holds only what differs from its base. This stores all of it: content and "
         "root stay the same, and the base is no longer needed. Packing the files again gives a smaller pack. In "
         "place, the old pack is replaced when the new one is whole.",
     .operands = Operands::packs,
     .options = kRebaseOptions,
     .examples = kRebaseExamples,
     .statuses = kRepairStatuses,
     .synonyms = "standalone flatten consolidate full",
     .runs_long = true,
     .speaks_json = true,
     .handler = run_rebase},
    {.name = "cat",
     .summary = "Write a file of a pack to standard output",
     .usage = "PACK PATH...",
     .description =
         "Reads only the blocks that hold the file, and checks them. Damage is mended on the way where the pack "
         "has parity.",
     .operands = Operands::pack_then_entries,
     .options = kCatOptions,
     .examples = kCatExamples,
     .statuses = kReadStatuses,
     .synonyms = "print read get dump",
     .runs_long = false,
     .speaks_json = true,
     .handler = run_cat},
    {.name = "unpack",
     .summary = "Restore files from a pack",
     .usage = "[PACK] [PATH|GLOB]...",
     .description = "Restores everything, or only the PATHs (with all below) and GLOBs named. Without PACK, or with -, "
                    "the pack comes "
                    "from standard input. Every byte is checked; nothing is ever written outside DIR.",
     .operands = Operands::pack_then_entries,
     .options = kUnpackOptions,
     .examples = kUnpackExamples,
     .statuses = kUnpackStatuses,
     .synonyms = "extract x restore decompress unzip expand",
     .runs_long = true,
     .speaks_json = true,
     .handler = run_unpack},
    {.name = "info",
     .summary = "Show a pack's root, sizes, codecs and ratios",
     .usage = "PACK... | --graph PACK [PATH]...",
     .description = "The root is the hash of all content and metadata: equal roots mean equal trees, whatever the "
                    "level, threads or "
                    "version they were packed with.",
     .operands = Operands::packs,
     .options = kInfoOptions,
     .examples = kInfoExamples,
     .statuses = kReadStatuses,
     .synonyms = "stat stats status about inspect",
     .runs_long = false,
     .speaks_json = true,
     .handler = run_info},
    {.name = "diff",
     .summary = "Show what changed between two packs, or a pack and files",
     .usage = "PACK PACK|PATH...",
     .description =
         "Compares by content. Each line is a letter and a path: A added, D removed, M content changed, T type "
         "changed, "
         "m only metadata changed (mode, owner, time, attributes). PATHs are taken as `mmh pack` takes them.",
     .operands = Operands::pack_then_paths,
     .options = kDiffOptions,
     .examples = kDiffExamples,
     .statuses = kDiffStatuses,
     .synonyms = "compare cmp changes",
     .runs_long = true,
     .speaks_json = true,
     .handler = run_diff},
    {.name = "analyze",
     .summary = "Show what a file is made of, and how it would be packed",
     .usage = "FILE...",
     .description =
         "Measures entropy along the file, looks for periods and for the parts that its header names, and codes up to "
         "32 blocks in each way that packing weighs: what a sample of the block predicted, and what came of all of it.",
     .operands = Operands::paths,
     .options = kAnalyzeOptions,
     .examples = kAnalyzeExamples,
     .statuses = kAnalyzeStatuses,
     .synonyms = "inspect entropy guess explain",
     .runs_long = true,
     .speaks_json = true,
     .handler = run_analyze},
    {.name = "bench",
     .summary = "Measure speed, ratio and memory on this machine",
     .usage = "[TIER]...",
     .description =
         "Generates a seeded mix of text, source, JSON, images, float tensors, logs, archives and incompressible data, "
         "packs it, verifies it, unpacks it, and compares the result byte for byte. Every figure is measured.\n"
         "Tiers: 1MB 10MB 100MB 1GB 2GB 10GB 50GB 100GB 500GB, or all. A tier that needs more disk or time than there "
         "is "
         "says so first.",
     .operands = Operands::tiers,
     .options = kBenchOptions,
     .examples = kBenchExamples,
     .statuses = kBenchStatuses,
     .synonyms = "benchmark measure speed",
     .runs_long = true,
     .speaks_json = true,
     .handler = run_bench},
    {.name = "codecs",
     .summary = "List the codecs that this build can decode",
     .usage = "",
     .description = "",
     .operands = Operands::none,
     .options = {},
     .examples = kCodecsExamples,
     .statuses = {},
     .synonyms = "formats methods",
     .runs_long = false,
     .speaks_json = true,
     .handler = run_codecs},
    {.name = "version",
     .summary = "Show the versions of mmh and its libraries",
     .usage = "",
     .description = "`mmh --version` says the same.",
     .operands = Operands::none,
     .options = {},
     .examples = kVersionExamples,
     .statuses = {},
     .synonyms = "",
     .runs_long = false,
     .speaks_json = true,
     .handler = run_version},
    {.name = "help",
     .summary = "Explain a command",
     .usage = "[COMMAND]",
     .description = "`mmh COMMAND --help` says the same.",
     .operands = Operands::command,
     .options = kHelpOptions,
     .examples = kHelpExamples,
     .statuses = {},
     .synonyms = "man usage",
     .runs_long = false,
     .speaks_json = false,
     .handler = run_help},
    {.name = "completions",
     .summary = "Print completions for a shell",
     .usage = "bash|zsh|fish",
     .description = "",
     .operands = Operands::shell,
     .options = {},
     .examples = kCompletionsExamples,
     .statuses = {},
     .synonyms = "completion",
     .runs_long = false,
     .speaks_json = false,
     .handler = run_completions},
};

constexpr OptionSpec kDamageOptions[] = {
    {.id = OptionId::at,
     .name = "at",
     .kind = ValueKind::text,
     .placeholder = "PLACE",
     .help = "What exactly to damage, instead of random pieces: OFFSET, OFFSET+LENGTH, or a part of a whole pack.",
     .repeats = true},
    {.id = OptionId::within,
     .name = "within",
     .kind = ValueKind::text,
     .placeholder = "PLACE",
     .fallback = "the whole file",
     .help = "Where random pieces may lie.",
     .repeats = true},
    {.id = OptionId::count,
     .name = "count",
     .kind = ValueKind::text,
     .placeholder = "N|P%",
     .fallback = "1",
     .help = "Random pieces (of swaps: pairs), which never overlap; P%: as many as lie in that share of the file."},
    {.id = OptionId::size,
     .name = "size",
     .kind = ValueKind::text,
     .placeholder = "SIZE|P%",
     .fallback = "1 of a flip, else 4K",
     .help = "Bytes of a piece, of what is inserted or cut off; P%: that share of the file."},
    {.id = OptionId::align,
     .name = "align",
     .kind = ValueKind::size,
     .placeholder = "SIZE",
     .fallback = "1",
     .help = "Random pieces begin at multiples of SIZE, as sectors do.",
     .min = 1},
    {.id = OptionId::front, .name = "front", .help = "Truncate the beginning, not the end."},
    {.id = OptionId::seed,
     .name = "seed",
     .kind = ValueKind::number,
     .placeholder = "N",
     .fallback = "0",
     .help = "Decides all that is random; the same seed does the same damage."},
    {.id = OptionId::output,
     .letter = 'o',
     .name = "output",
     .kind = ValueKind::text,
     .placeholder = "COPY",
     .help = "Write a damaged copy, and leave FILE as it is.",
     .completes = Completes::files},
    {.id = OptionId::force, .letter = 'f', .name = "force", .help = "Replace COPY if it exists."},
};
constexpr Example kDamageExamples[] = {
    {"mmh damage overwrite --size 1% model.mmh -o bad.mmh", "A random piece of 1 % of the file."},
    {"mmh damage zero --count 12 --size 4K --align 4K x.mmh", "Twelve scattered sectors, in place."},
    {"mmh damage flip --at header --at trailer.1 x.mmh", "A bit of each byte of two parts."},
    {"mmh damage drop --at 1M+100 x.mmh", "A hundred bytes; what follows moves up."},
};
constexpr Status kDamageStatuses[] = {Status::damage,    Status::io,     Status::permission,
                                      Status::not_found, Status::exists, Status::no_space};

constexpr CommandSpec kHiddenCommands[] = {
    {.name = "damage",
     .summary = "Damage a file on purpose, to test what survives it",
     .usage = "flip|zero|overwrite|drop|insert|truncate|swap FILE",
     .description =
         "For developers. flip: one bit of each byte; zero: zeros instead; overwrite: random bytes instead; drop: "
         "bytes "
         "removed, what follows moves up; insert: random bytes added; truncate: an end cut off; swap: pieces "
         "exchanged. Prints what was done.\n"
         "Parts of a whole pack: header, data, dictionary, extents, manifest, index, trailer, footer; of its parity "
         "head, anchors, checks, repair; parity is all four. NAME is all of that name, NAME.0 the first.",
     .operands = Operands::paths,
     .options = kDamageOptions,
     .examples = kDamageExamples,
     .statuses = kDamageStatuses,
     .synonyms = "",
     .runs_long = false,
     .speaks_json = true,
     .handler = run_damage},
};

constexpr OptionSpec kLongRunOptions[] = {
    {.id = OptionId::threads,
     .letter = 'T',
     .name = "threads",
     .kind = ValueKind::number,
     .placeholder = "N",
     .fallback = "one for each processor",
     .help = "Use N threads. Results are the same with any number.",
     .min = 1,
     .max = 1024},
    {.id = OptionId::memory,
     .letter = 'M',
     .name = "memory",
     .kind = ValueKind::size,
     .placeholder = "SIZE",
     .fallback = "1G",
     .help = "Use about SIZE of memory at most; 128M is the least.",
     .min = kMemoryMin},
    {.id = OptionId::quiet,
     .letter = 'q',
     .name = "quiet",
     .help = "No progress, no summary; warnings and errors only."},
    {.id = OptionId::no_progress, .name = "no-progress", .help = "No progress line."},
};
static_assert(kMemoryMin == std::uint64_t{128} << 20);
constexpr OptionSpec kJson = {.id = OptionId::json, .name = "json", .help = "Print JSON Lines instead of text."};
constexpr OptionSpec kHelp = {.id = OptionId::help, .letter = 'h', .name = "help", .help = "Show this help."};
static_assert(kMemoryDefault == std::uint64_t{1} << 30);
}  // namespace

std::span<const CommandSpec> commands() { return kCommands; }
std::span<const CommandSpec> hidden_commands() { return kHiddenCommands; }

const CommandSpec* find_command(std::string_view name) {
  for (const std::span<const CommandSpec> table : {commands(), hidden_commands()}) {
    for (const CommandSpec& command : table) {
      if (command.name == name) return &command;
    }
  }
  return nullptr;
}

std::span<const OptionSpec> long_run_options() { return kLongRunOptions; }
const OptionSpec& json_option() { return kJson; }
const OptionSpec& help_option() { return kHelp; }

}  // namespace mmh::cli
