// Files whose headers tell where numbers and code are: cut by those regions, given back as they were.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>

#include "api/support.h"
#include "mmh/base/files.h"
#include "mmh/codecs/builtin.h"
#include "mmh/content/planner.h"
#include "mmh/pack/packer.h"
#include "support/process.h"
#include "support/trees.h"

namespace mmh::test {
namespace {

namespace fs = std::filesystem;

struct Tensor {
  std::string type;
  std::size_t element_size;
  Buffer bytes;
};

// The metadata's length moves all tensors, to odd offsets too.
Buffer safetensors(std::string_view metadata, std::span<const Tensor> tensors) {
  std::string header = fmt::format(R"({{"__metadata__":{{"note":"{}"}})", metadata);
  std::size_t end = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::size_t begin = end;
    end += tensors[i].bytes.size();
    header += fmt::format(R"(,"t{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", i, tensors[i].type,
                          tensors[i].bytes.size() / tensors[i].element_size, begin, end);
  }
  header += "}";
  Buffer file(8);
  store_le(Bytes(file), std::uint64_t{header.size()});
  append(file, as_bytes(header));
  for (const Tensor& tensor : tensors) append(file, tensor.bytes);
  return file;
}

std::vector<Tensor> model(std::uint64_t seed) {
  std::vector<Tensor> tensors;
  for (const std::size_t size : {std::size_t{5} << 20, std::size_t{100}, std::size_t{1} << 20, std::size_t{70'004}}) {
    tensors.push_back({"F32", 4, random_bytes(size, ++seed)});
  }
  tensors.push_back({"BF16", 2, random_bytes(2'000'006, ++seed)});
  tensors.push_back({"U8", 1, random_bytes(300'001, ++seed)});
  return tensors;
}

TEST(TypedContent, StoresUnchangedTensorsOnceWhereverTheyStand) {
  const TempDir temp;
  fs::create_directory(temp / "in");
  std::vector<Tensor> tensors = model(1);
  const Buffer first = safetensors("step 1", tensors);
  write_file(temp / "in/a.safetensors", first);
  const std::size_t changed = tensors[2].bytes.size();
  tensors[2].bytes = random_bytes(changed, 99);
  write_file(temp / "in/b.safetensors", safetensors("the step that came after, with a longer note", tensors));
  const auto packed = create_pack({"in"}, temp / "t.mmh", pack_options(temp / "."));
  ASSERT_OK(packed);
  // Bytes that have no type are cut by content, and so are not shared to the last one.
  constexpr std::size_t kUntyped = 400'000;
  EXPECT_LT(packed->pack_bytes, first.size() + changed + kUntyped);
  unpack_all(temp / "t.mmh", temp / "out");
  EXPECT_EQ(compare_trees(temp / "in", temp / "out/in"), "");
}

TEST(TypedContent, ComesBackFromTreesAndTarStreamsWithTheSameRoot) {
  const TempDir temp;
  fs::create_directory(temp / "in");
  // Around the segments of 4 MiB that files are read in, with elements across their borders.
  for (const int delta : {-5, -1, 0, 1, 3, 130'000}) {
    const std::size_t size = (std::size_t{4} << 20) + static_cast<std::size_t>(delta + 8) / 4 * 4;
    const Tensor tensors[] = {{"F32", 4, text_bytes(size, 7)}, {"I64", 8, text_bytes(800'000, 8)}};
    write_file(temp / fmt::format("in/{}.safetensors", delta), safetensors(std::string(16, 'x'), tensors));
  }
  fs::copy_file("/proc/self/exe", temp / "in/program");
  const auto packed = create_pack({"in"}, temp / "t.mmh", pack_options(temp / "."));
  ASSERT_OK(packed);
  unpack_all(temp / "t.mmh", temp / "out");
  EXPECT_EQ(compare_trees(temp / "in", temp / "out/in"), "");

  const auto made = run_process({"tar", "--format=pax", "-C", temp / ".", "-cf", temp / "in.tar", "in"});
  ASSERT_EQ(made.status, 0) << made.err;
  const int fd = ::open((temp / "in.tar").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  const auto from_tar = create_pack_from_tar(fd, {temp / "u.mmh", -1}, pack_options(temp / "."));
  ::close(fd);
  ASSERT_OK(from_tar);
  EXPECT_EQ(from_tar->root, packed->root);
  unpack_all(temp / "u.mmh", temp / "again");
  EXPECT_EQ(compare_trees(temp / "in", temp / "again/in"), "");
}

TEST(TypedContent, KeepsHolesInTensors) {
  const TempDir temp;
  fs::create_directory(temp / "in");
  const Tensor tensors[] = {{"F64", 8, Buffer(std::size_t{13} << 20)}};
  const Buffer file = safetensors("x", tensors);
  const int fd = ::open((temp / "in/sparse").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::ftruncate(fd, static_cast<off_t>(file.size())), 0);
  const Buffer data = text_bytes(300'000, 1);
  ASSERT_EQ(::pwrite(fd, file.data(), 4096, 0), 4096);
  ASSERT_EQ(::pwrite(fd, data.data(), data.size(), (off_t{4} << 20) - 100'000), ssize_t(data.size()));
  ::close(fd);
  const auto packed = create_pack({"in"}, temp / "t.mmh", pack_options(temp / "."));
  ASSERT_OK(packed);
  EXPECT_GT(packed->hole_bytes, 12U << 20);
  unpack_all(temp / "t.mmh", temp / "out");
  EXPECT_EQ(compare_trees(temp / "in", temp / "out/in"), "");
}

// Gives other bytes each time a place is read: a file that is written to meanwhile. Or fewer: one that is cut.
class ChangingSys : public Sys {
 public:
  explicit ChangingSys(std::uint64_t cut_at) : cut_at_(cut_at) {}
  SysResult<std::size_t> pread(int fd, Bytes out, std::uint64_t offset) override {
    auto got = Sys::pread(fd, out, offset);
    constexpr std::uint64_t kHeader = 4096;
    if (offset < kHeader) return got;
    if (offset >= cut_at_) return {0, 0};
    for (std::byte& byte : out.first(got.value)) byte ^= std::byte{++reads_};
    return got;
  }

 private:
  std::uint64_t cut_at_;
  std::atomic<std::uint8_t> reads_ = 0;
};

TEST(TypedContent, IsConsistentWhenAFileChangesWhileItIsRead) {
  constexpr std::uint64_t kNever = ~std::uint64_t{0};
  for (const std::uint64_t cut_at : {kNever, std::uint64_t{8} << 20}) {
    const TempDir temp;
    fs::create_directory(temp / "in");
    const Tensor tensors[] = {{"F32", 4, random_bytes(std::size_t{17} << 20, 5)}};
    write_file(temp / "in/a", safetensors("odd", tensors));
    ChangingSys sys(cut_at);
    std::vector<Error> problems;
    const codec::Registry& registry = codecs::builtin_registry();
    pack::PackerOptions options;
    options.sys = &sys;
    options.registry = &registry;
    options.planner = &content::default_planner(registry);
    options.level = 1;
    options.threads = 2;
    options.problem = [&](const Error& error) { problems.push_back(error); };
    const auto file = AtomicFile::create(real_sys(), temp / "t.mmh", true);
    ASSERT_OK(file);
    tree::WalkOptions walk;
    walk.base = temp / ".";
    walk.roots = {"in"};
    ASSERT_OK(pack::pack_tree(options, walk, **file));
    ASSERT_OK((*file)->commit());
    ASSERT_FALSE(problems.empty());
    EXPECT_EQ(problems[0].code, Errc::changed);

    const auto opened = Pack::open(temp / "t.mmh");
    ASSERT_OK(opened);
    const auto verified = opened->verify(true, {});
    ASSERT_OK(verified);
    EXPECT_TRUE(verified->sound);
  }
}

}  // namespace
}  // namespace mmh::test
