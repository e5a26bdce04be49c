// Trees: walking, opening and restoring many small files (in $TMPDIR or /tmp), tar streams, globs.

#include <benchmark/benchmark.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "mmh/tree/glob.h"
#include "mmh/tree/restore.h"
#include "mmh/tree/tar.h"
#include "mmh/tree/walk.h"

namespace mmh {
namespace {

using namespace tree;
namespace fs = std::filesystem;

constexpr int kDirectories = 20;
constexpr int kFilesEach = 100;
constexpr int kObjects = kDirectories * (kFilesEach + 1);
constexpr std::size_t kFileSize = 700;

class SampleTree {
 public:
  SampleTree() {
    std::string pattern = (fs::temp_directory_path() / "mmh-tree-bench-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) return;
    root_ = pattern;
    for (int d = 0; d < kDirectories; ++d) {
      const fs::path directory = root_ / "from" / ("directory" + std::to_string(d));
      fs::create_directories(directory);
      for (int f = 0; f < kFilesEach; ++f) {
        std::ofstream(directory / ("file_of_usual_length_" + std::to_string(f) + ".txt"))
            << std::string(kFileSize, 'x');
      }
    }
  }
  ~SampleTree() { fs::remove_all(root_); }
  SampleTree(const SampleTree&) = delete;
  SampleTree& operator=(const SampleTree&) = delete;
  std::string from() const { return (root_ / "from").string(); }
  std::string to() const { return (root_ / "to").string(); }

 private:
  fs::path root_;
};

// The number of objects walked; 0 on any trouble.
template <class Use>
int walk(const std::string& base, Use use) {
  bool trouble = false;
  WalkOptions options;
  options.base = base;
  options.roots = {"."};
  auto walker = Walker::open(real_sys(), options, [&](const Error&) { trouble = true; });
  if (!walker) return 0;
  int count = 0;
  for (;;) {
    auto item = (*walker)->next();
    if (!item) return 0;
    if (!*item) break;
    if (!use(**item)) return 0;
    ++count;
  }
  return trouble ? 0 : count;
}

void walk_tree(benchmark::State& state) {
  const SampleTree tree;
  if (walk(tree.from(), [](const WalkItem&) { return true; }) != kObjects) return state.SkipWithError("wrong walk");
  for (auto _ : state) benchmark::DoNotOptimize(walk(tree.from(), [](const WalkItem&) { return true; }));
  state.SetItemsProcessed(state.iterations() * kObjects);
}
BENCHMARK(walk_tree)->Unit(benchmark::kMillisecond);

void walk_and_open(benchmark::State& state) {
  const SampleTree tree;
  const auto open = [](WalkItem& item) {
    if (item.entry.type != EntryType::regular) return read_xattrs(real_sys(), item, {}).has_value();
    const auto file = open_file(real_sys(), item, {});
    return file && item.entry.size == kFileSize;
  };
  if (walk(tree.from(), open) != kObjects) return state.SkipWithError("wrong walk");
  for (auto _ : state) benchmark::DoNotOptimize(walk(tree.from(), open));
  state.SetItemsProcessed(state.iterations() * kObjects);
}
BENCHMARK(walk_and_open)->Unit(benchmark::kMillisecond);

void restore_files(benchmark::State& state) {
  const SampleTree tree;
  const Buffer content(kFileSize, std::byte{'x'});
  const auto restore = [&] {
    RestoreOptions options;
    options.target = tree.to();
    auto restorer = Restorer::open(real_sys(), options, [](const Error&) {});
    if (!restorer) return false;
    Entry entry;
    entry.mode = 0644;
    entry.mtime_seconds = 1'000'000'000;
    entry.size = kFileSize;
    for (int d = 0; d < kDirectories; ++d) {
      for (int f = 0; f < kFilesEach; ++f) {
        entry.path = "directory" + std::to_string(d) + "/file_of_usual_length_" + std::to_string(f) + ".txt";
        if (const auto written = (*restorer)->write_file(entry, content); !written || !*written) return false;
      }
    }
    return (*restorer)->finish().has_value();
  };
  if (!restore() || walk(tree.to(), [](const WalkItem&) { return true; }) != kObjects) {
    return state.SkipWithError("wrong tree");
  }
  for (auto _ : state) {
    state.PauseTiming();
    fs::remove_all(tree.to());
    state.ResumeTiming();
    if (!restore()) return state.SkipWithError("cannot restore");
  }
  state.SetItemsProcessed(state.iterations() * kDirectories * kFilesEach);
}
BENCHMARK(restore_files)->Unit(benchmark::kMillisecond);

class BufferSink final : public ByteSink {
 public:
  Result<> write(ByteView more) override {
    append(bytes, more);
    return {};
  }
  Buffer bytes;
};

constexpr int kMembers = 1000;

bool write_tar(BufferSink& sink, std::size_t size) {
  const auto tar = TarWriter::open(sink);
  const Buffer content(size, std::byte{'x'});
  Entry entry;
  entry.mode = 0644;
  entry.mtime_seconds = 1'000'000'000;
  entry.mtime_nanoseconds = 123'456'789;
  entry.user = entry.group = "somebody";
  entry.size = size;
  for (int i = 0; i < kMembers; ++i) {
    entry.path = "directory/file_of_usual_length_" + std::to_string(i) + ".txt";
    if (!tar->begin(entry) || !tar->write(content)) return false;
  }
  return tar->finish().has_value();
}

// Reads all members; how many there are, 0 on any trouble.
int read_tar(ByteView stream, Bytes buffer) {
  const auto tar = TarReader::open([&](Bytes out) -> Result<std::size_t> {
    const std::size_t part = std::min(out.size(), stream.size());
    std::copy_n(stream.begin(), part, out.begin());
    stream = stream.subspan(part);
    return part;
  });
  for (int count = 0;; ++count) {
    auto entry = tar->next();
    if (!entry) return 0;
    if (!*entry) return count;
    const auto got = tar->read(buffer);
    if (!got || *got != (*entry)->size) return 0;
  }
}

void tar_write(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  BufferSink sink;
  Buffer buffer(size + 1);
  if (!write_tar(sink, size) || read_tar(sink.bytes, buffer) != kMembers) return state.SkipWithError("wrong stream");
  for (auto _ : state) {
    sink.bytes.clear();
    benchmark::DoNotOptimize(write_tar(sink, size));
  }
  state.SetItemsProcessed(state.iterations() * kMembers);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(sink.bytes.size()));
}
BENCHMARK(tar_write)->Arg(700)->Arg(64 << 10)->Unit(benchmark::kMillisecond);

void tar_read(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  BufferSink sink;
  Buffer buffer(size + 1);
  if (!write_tar(sink, size) || read_tar(sink.bytes, buffer) != kMembers) return state.SkipWithError("wrong stream");
  for (auto _ : state) benchmark::DoNotOptimize(read_tar(sink.bytes, buffer));
  state.SetItemsProcessed(state.iterations() * kMembers);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(sink.bytes.size()));
}
BENCHMARK(tar_read)->Arg(700)->Arg(64 << 10)->Unit(benchmark::kMillisecond);

void glob(benchmark::State& state) {
  constexpr std::string_view kPath = "models/llama/weights/model-00001-of-00004.safetensors";
  struct Case {
    std::string_view pattern;
    bool matches;
  };
  constexpr Case kCases[] = {
      {"*.safetensors", true}, {"models/**/*-of-*", true}, {"*.[ch]", false}, {"models/*/weights/*.gguf", false}};
  const auto all_right = [&] {
    return std::all_of(std::begin(kCases), std::end(kCases),
                       [&](const Case& one) { return glob_match(one.pattern, kPath) == one.matches; });
  };
  if (!all_right()) return state.SkipWithError("wrong match");
  for (auto _ : state) benchmark::DoNotOptimize(all_right());
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(std::size(kCases)));
}
BENCHMARK(glob);

}  // namespace
}  // namespace mmh
