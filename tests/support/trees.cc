#include "support/trees.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "mmh/base/check.h"
#include "mmh/base/files.h"
#include "mmh/base/sys.h"
#include "support/seeded.h"

namespace mmh::test {

namespace {

using namespace std::string_literals;

// ---- Making ----

std::string_view pick(Random& random, std::initializer_list<std::string_view> choices) {
  return choices.begin()[random.below(choices.size())];
}

void append_text(Buffer& out, std::string_view text) { append(out, as_bytes(text)); }

Buffer float_samples(std::size_t size, Random& random) {
  // Sums of uniforms are near enough to the bell shape of trained weights.
  Buffer out(size + 4);
  for (std::size_t at = 0; at < size; at += 4) {
    std::int64_t sum = 0;
    for (int i = 0; i < 4; ++i) sum += static_cast<std::int64_t>(random.below(1 << 16)) - (1 << 15);
    const float value = static_cast<float>(sum) / static_cast<float>(1 << 20);
    store_le(Bytes(out).subspan(at, 4), std::bit_cast<std::uint32_t>(value));
  }
  return out;
}

Buffer integer_samples(std::size_t size, Random& random) {
  Buffer out(size + 4);
  std::uint32_t value = 1000;
  for (std::size_t at = 0; at < size; at += 4) {
    value += static_cast<std::uint32_t>(random.below(64));
    store_le(Bytes(out).subspan(at, 4), value);
  }
  return out;
}

Buffer image_samples(std::size_t size, Random& random) {
  Buffer out(size);
  constexpr std::size_t kWidth = 3 * 256;
  for (std::size_t at = 0; at < size; ++at) {
    const auto left = at >= 3 ? std::to_integer<std::uint64_t>(out[at - 3]) : 90;
    const auto above = at >= kWidth ? std::to_integer<std::uint64_t>(out[at - kWidth]) : 90;
    out[at] = static_cast<std::byte>((left + above) / 2 + random.below(5));
  }
  return out;
}

}  // namespace

Buffer sample_bytes(Sample kind, std::size_t size, std::uint64_t seed) {
  Random random(seed ^ 0x5eed'0000 ^ static_cast<std::uint64_t>(kind) << 40);
  Buffer out;
  const auto fill = [&](auto line) {
    while (out.size() < size) append_text(out, line());
  };
  switch (kind) {
    case Sample::text:
      return text_bytes(size, seed);
    case Sample::random:
      return random_bytes(size, seed);
    case Sample::zeros:
      return Buffer(size, std::byte{0});
    case Sample::floats:
      out = float_samples(size, random);
      break;
    case Sample::integers:
      out = integer_samples(size, random);
      break;
    case Sample::image:
      out = image_samples(size, random);
      break;
    case Sample::source:
      fill([&] {
        return fmt::format("{}{} {}_{}({}) {{ return {}; }}\n", std::string(2 * random.below(4), ' '),
                           pick(random, {"int", "void", "static bool", "std::string", "auto"}),
                           pick(random, {"read", "write", "parse", "find", "make"}),
                           pick(random, {"header", "block", "index", "name"}), pick(random, {"", "int n", "bool all"}),
                           random.below(1000));
      });
      break;
    case Sample::json:
      fill([&] {
        return fmt::format("{{\"id\": {}, \"user\": \"{}\", \"score\": {}.{:02}, \"tags\": [\"{}\"]}}\n",
                           random.below(100000), pick(random, {"ann", "bob", "eve", "joe"}), random.below(100),
                           random.below(100), pick(random, {"new", "old", "hot"}));
      });
      break;
    case Sample::log:
      fill([&] {
        return fmt::format("2024-03-{:02}T{:02}:{:02}:{:02}Z {} worker-{} {} {} ms\n", 1 + random.below(28),
                           random.below(24), random.below(60), random.below(60),
                           pick(random, {"INFO", "WARN", "INFO", "ERROR"}), random.below(16),
                           pick(random, {"request served", "cache miss", "connection reset"}), random.below(5000));
      });
      break;
  }
  out.resize(size);
  return out;
}

namespace {

class TreeMaker {
 public:
  TreeMaker(const std::string& root, const TreeSpec& spec) : spec_(spec), random_(spec.seed) {
    MMH_CHECK(::mkdir(root.c_str(), 0755) == 0 || errno == EEXIST);
    root_ = Fd(real_sys(), ::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    MMH_CHECK(root_);
    directories_.push_back("");
  }

  void make() {
    if (spec_.long_path_bytes > 0) add_long_path();
    for (unsigned i = 0; i < spec_.entries; ++i) add_one();
    // Deepest first: making and changing what is inside moves a directory's time.
    std::reverse(made_.begin(), made_.end());
    for (const Made& made : made_) set_metadata(made);
    MMH_CHECK(::fchmod(root_.get(), 0755) == 0);
    const timespec times[2] = {random_time(), random_time()};
    MMH_CHECK(::futimens(root_.get(), times) == 0);
  }

 private:
  enum class Type { file, directory, symlink, fifo };
  struct Made {
    std::string path;
    Type type;
  };
  struct Place {
    Fd parent;
    std::string name;
    std::string path;
  };

  bool chance(unsigned percent) { return random_.below(100) < percent; }

  std::string random_name() {
    if (spec_.odd_names && chance(15)) {
      switch (random_.below(12)) {
        case 0:
          return fmt::format("caf\xc3\xa9 {}", random_.below(100));
        case 1:
          return fmt::format("\xe6\x97\xa5\xe6\x9c\xac{}", random_.below(100));
        case 2:
          return fmt::format("\xff\xfe{}", random_.below(100));
        case 3:
          return fmt::format("latin\xe9{}", random_.below(100));
        case 4:
          return fmt::format("two\nlines{}", random_.below(100));
        case 5:
          return fmt::format("-rf {}", random_.below(100));
        case 6:
          return fmt::format("q'u\"o\\te{}", random_.below(100));
        case 7:
          return fmt::format("\x01\x1b[31m{}", random_.below(100));
        case 8:
          return fmt::format("{:x>255}", random_.below(1000));
        case 9:
          return fmt::format(".hidden{}", random_.below(100));
        case 10:
          return fmt::format("...{}", random_.below(100));
        default:
          return fmt::format("a*?[b]{} ", random_.below(100));
      }
    }
    return fmt::format("{}{}{}", pick(random_, {"data", "model", "readme", "part", "x", "Config", "layer.0."}),
                       random_.below(1000),
                       pick(random_, {"", ".txt", ".json", ".bin", ".c", ".safetensors", ".tar.gz"}));
  }

  Fd open_directory(std::string_view path) {
    Fd at(real_sys(), ::fcntl(root_.get(), F_DUPFD_CLOEXEC, 0));
    while (!path.empty()) {
      const std::string name(path.substr(0, path.find('/')));
      path.remove_prefix(std::min(name.size() + 1, path.size()));
      at = Fd(real_sys(), ::openat(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      MMH_CHECK(at);
    }
    return at;
  }

  Place random_place(bool for_directory) {
    for (;;) {
      const std::string& directory = directories_[random_.below(directories_.size())];
      const auto depth = static_cast<unsigned>(std::count(directory.begin(), directory.end(), '/'));
      if (for_directory && depth + 1 >= spec_.depth_max && !directory.empty()) continue;
      if (spec_.empty_directories && !directory.empty() && kept_empty_.contains(directory)) continue;
      const std::string name = random_name();
      const std::string path = directory.empty() ? name : directory + "/" + name;
      if (!taken_.insert(path).second) continue;
      return {open_directory(directory), name, path};
    }
  }

  void add_one() {
    const std::uint64_t dice = random_.below(100);
    if (dice < 14) return add_directory();
    if (dice < 22 && spec_.symlinks) return add_symlink();
    if (dice < 28 && spec_.hard_links && !files_.empty()) return add_hard_link();
    if (dice < 30 && spec_.fifos) return add_fifo();
    if (dice < 34 && spec_.sparse) return add_sparse();
    add_file();
  }

  void add_directory() {
    const Place place = random_place(true);
    MMH_CHECK(::mkdirat(place.parent.get(), place.name.c_str(), 0755) == 0);
    directories_.push_back(place.path);
    if (spec_.empty_directories && chance(20)) kept_empty_.insert(place.path);
    made_.push_back({place.path, Type::directory});
  }

  void add_symlink() {
    const Place place = random_place(false);
    std::string target;
    switch (random_.below(6)) {
      case 0:
        target = "/nowhere/at/all";
        break;
      case 1:
        target = "../..";
        break;
      case 2:
        target = std::string(900, 'l');
        break;
      case 3:
        target = "\xff not utf-8";
        break;
      case 4:
        target = place.name;
        break;
      default:
        target = files_.empty() ? "." : files_[random_.below(files_.size())].path;
        break;
    }
    MMH_CHECK(::symlinkat(target.c_str(), place.parent.get(), place.name.c_str()) == 0);
    made_.push_back({place.path, Type::symlink});
  }

  void add_hard_link() {
    const std::string& target = files_[random_.below(files_.size())].path;
    const auto slash = target.rfind('/');
    const Fd from = open_directory(slash == std::string::npos ? "" : std::string_view(target).substr(0, slash));
    const std::string name = slash == std::string::npos ? target : target.substr(slash + 1);
    const Place place = random_place(false);
    MMH_CHECK(::linkat(from.get(), name.c_str(), place.parent.get(), place.name.c_str(), 0) == 0);
  }

  void add_fifo() {
    const Place place = random_place(false);
    MMH_CHECK(::mkfifoat(place.parent.get(), place.name.c_str(), 0644) == 0);
    made_.push_back({place.path, Type::fifo});
  }

  Fd create(const Place& place) {
    Fd fd(real_sys(), ::openat(place.parent.get(), place.name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
    MMH_CHECK(fd);
    made_.push_back({place.path, Type::file});
    return fd;
  }

  void add_sparse() {
    const Place place = random_place(false);
    const Fd fd = create(place);
    const std::uint64_t size = 1 + random_.below(4 << 20);
    MMH_CHECK(::ftruncate(fd.get(), static_cast<off_t>(size)) == 0);
    for (std::uint64_t pieces = random_.below(4); pieces > 0; --pieces) {
      const Buffer bytes = random_bytes(1 + random_.below(70000), random_.next());
      const std::uint64_t at = random_.below(size);
      const auto some = ByteView(bytes).first(std::min<std::size_t>(bytes.size(), size - at));
      MMH_CHECK(pwrite_full(real_sys(), fd.get(), some, at) == 0);
    }
  }

  // Sizes spread over all magnitudes, with the edges of blocks and buffers among them.
  std::uint64_t random_size() {
    constexpr std::array<std::uint64_t, 12> kEdges = {0, 0, 1, 2, 511, 512, 513, 4095, 4096, 4097, 65536, 65537};
    std::uint64_t size =
        chance(25) ? kEdges[random_.below(kEdges.size())] : random_.below(std::uint64_t{1} << (4 + random_.below(14)));
    if (chance(4)) size = random_.below(spec_.file_size_bytes_max + 1);
    return std::min({size, spec_.file_size_bytes_max, spec_.total_bytes_max - std::min(total_, spec_.total_bytes_max)});
  }

  Buffer random_content() {
    if (spec_.duplicates && !files_.empty() && chance(15)) {
      const File& earlier = files_[random_.below(files_.size())];
      if (total_ + earlier.size <= spec_.total_bytes_max) {
        Buffer copy = sample_bytes(earlier.kind, earlier.size, earlier.seed);
        if (chance(50) && !copy.empty())
          copy.insert(copy.begin() + static_cast<std::ptrdiff_t>(copy.size() / 2), std::byte{'!'});
        return copy;
      }
    }
    const File file{{}, static_cast<Sample>(random_.below(kSampleCount)), random_size(), random_.next()};
    last_ = file;
    return sample_bytes(file.kind, file.size, file.seed);
  }

  void add_file_at(const Place& place) {
    last_.reset();
    const Buffer content = random_content();
    total_ += content.size();
    const Fd fd = create(place);
    MMH_CHECK(write_full(real_sys(), fd.get(), content) == 0);
    if (last_) {
      last_->path = place.path;
      files_.push_back(*last_);
    }
  }

  void add_file() { add_file_at(random_place(false)); }

  void add_long_path() {
    std::string path;
    while (spec_.long_path_bytes - path.size() > 201) {
      const std::string name(200, static_cast<char>('a' + random_.below(26)));
      const Fd parent = open_directory(path);
      MMH_CHECK(::mkdirat(parent.get(), name.c_str(), 0755) == 0);
      path += path.empty() ? name : "/" + name;
      made_.push_back({path, Type::directory});
    }
    const std::string name(spec_.long_path_bytes - path.size() - (path.empty() ? 0 : 1), 'z');
    add_file_at({open_directory(path), name, path.empty() ? name : path + "/" + name});
  }

  timespec random_time() {
    timespec time{};
    time.tv_sec = static_cast<time_t>(978'307'200 + random_.below(900'000'000));
    time.tv_nsec = static_cast<long>(random_.below(1'000'000'000));
    if (spec_.odd_times && chance(8)) {
      constexpr std::array<std::int64_t, 5> kOdd = {0, -1, -1'000'000'000, 2'147'483'648, 4'102'444'800};
      time.tv_sec = kOdd[random_.below(kOdd.size())];
      time.tv_nsec = chance(50) ? 999'999'999 : 0;
    }
    return time;
  }

  mode_t random_mode(Type type) {
    constexpr std::array<mode_t, 5> kUsual = {0644, 0600, 0755, 0664, 0640};
    constexpr std::array<mode_t, 6> kSpecial = {04755, 02755, 01644, 0444, 06711, 0777};
    const bool root = ::geteuid() == 0;
    if (type == Type::directory) {
      if (!spec_.special_modes || !chance(25)) return chance(70) ? 0755 : 0700;
      constexpr std::array<mode_t, 4> kDirectory = {01777, 02775, 0711, 0555};
      // Others than root could not fill or remove a read-only directory.
      return kDirectory[random_.below(root ? 4 : 3)];
    }
    if (spec_.special_modes && root && chance(4)) return 0;
    return spec_.special_modes && chance(15) ? kSpecial[random_.below(kSpecial.size())]
                                             : kUsual[random_.below(kUsual.size())];
  }

  void set_attributes(const std::string& at, Type type) {
    // Drawn whether or not they can be set, so that the rest of the tree does not depend on the file system.
    const bool some = chance(15), acl = chance(4);
    const Buffer value = random_bytes(random_.below(200), random_.next());
    if (some && spec_.xattrs) {
      if (type == Type::file || type == Type::directory) {
        static_cast<void>(::lsetxattr(at.c_str(), "user.mmh.sample", value.data(), value.size(), 0));
        static_cast<void>(::lsetxattr(at.c_str(), "user.mmh.empty", "", 0, 0));
      } else {
        static_cast<void>(::lsetxattr(at.c_str(), "trusted.mmh.sample", value.data(), value.size(), 0));
      }
    }
    if (acl && spec_.acls && type != Type::symlink) {
      // version 2; owner rw-, user 1234 r--, group r--, mask r--, other r--
      constexpr std::array<unsigned char, 44> kAcl = {2,    0,    0,    0,    0x01, 0,    6,    0,    0xff, 0xff, 0xff,
                                                      0xff, 0x02, 0,    4,    0,    0xd2, 4,    0,    0,    0x04, 0,
                                                      4,    0,    0xff, 0xff, 0xff, 0xff, 0x10, 0,    4,    0,    0xff,
                                                      0xff, 0xff, 0xff, 0x20, 0,    4,    0,    0xff, 0xff, 0xff, 0xff};
      static_cast<void>(::lsetxattr(at.c_str(), "system.posix_acl_access", kAcl.data(), kAcl.size(), 0));
    }
  }

  void set_metadata(const Made& made) {
    const auto slash = made.path.rfind('/');
    const Fd parent = open_directory(slash == std::string::npos ? "" : std::string_view(made.path).substr(0, slash));
    const std::string name = slash == std::string::npos ? made.path : made.path.substr(slash + 1);
    const std::uint64_t uid = random_.below(5), gid = random_.below(5);
    if (spec_.owners && ::geteuid() == 0) {
      constexpr std::array<unsigned, 5> kIds = {0, 0, 1000, 12345, 65534};
      static_cast<void>(::fchownat(parent.get(), name.c_str(), kIds[uid], kIds[gid], AT_SYMLINK_NOFOLLOW));
    }
    const mode_t mode = random_mode(made.type);
    if (made.type != Type::symlink) MMH_CHECK(::fchmodat(parent.get(), name.c_str(), mode, 0) == 0);
    set_attributes(fmt::format("/proc/self/fd/{}/{}", parent.get(), name), made.type);
    const timespec times[2] = {random_time(), random_time()};
    MMH_CHECK(::utimensat(parent.get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
  }

  struct File {
    std::string path;
    Sample kind;
    std::uint64_t size;
    std::uint64_t seed;
  };

  TreeSpec spec_;
  Random random_;
  Fd root_;
  std::vector<std::string> directories_;
  std::set<std::string> kept_empty_;
  std::set<std::string> taken_;
  std::vector<File> files_;
  std::optional<File> last_;
  std::vector<Made> made_;
  std::uint64_t total_ = 0;
};

// ---- Comparing ----

struct Object {
  std::string path;
  struct stat info{};
  std::string link;
  std::map<std::string, std::string> xattrs;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> data;  // runs between holes
  std::uint64_t fingerprint = 0;
  std::string hard_link_of;  // the first path of the same inode
  std::string trouble;       // what could not be read
};

// Enough to tell differing files of a test apart; not for adversaries.
std::uint64_t fingerprint(ByteView bytes, std::uint64_t state) {
  for (const std::byte byte : bytes) state = (state ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3;
  return state;
}

class Scanner {
 public:
  explicit Scanner(const std::string& root) {
    Object object;
    const Fd fd(real_sys(), ::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    MMH_CHECK(fd);
    MMH_CHECK(::fstat(fd.get(), &object.info) == 0);
    read_xattrs(fmt::format("/proc/self/fd/{}/.", fd.get()), object);
    objects_.push_back(std::move(object));
    scan(fd, "");
    std::sort(objects_.begin(), objects_.end(), [](const Object& a, const Object& b) { return a.path < b.path; });
    std::map<std::pair<dev_t, ino_t>, std::string> first;
    for (Object& one : objects_) {
      if (S_ISDIR(one.info.st_mode) || one.info.st_nlink < 2) continue;
      const auto [at, added] = first.try_emplace({one.info.st_dev, one.info.st_ino}, one.path);
      if (!added) one.hard_link_of = at->second;
    }
  }

  std::vector<Object> take() { return std::move(objects_); }

 private:
  void read_xattrs(const std::string& path, Object& object) {
    const auto names = real_sys().llistxattr(path.c_str());
    for (const auto& name : names.value) {
      if (name == "security.selinux") continue;
      object.xattrs[name] = real_sys().lgetxattr(path.c_str(), name.c_str()).value;
    }
  }

  void read_content(const Fd& fd, Object& object) {
    Buffer buffer(1 << 18);
    object.fingerprint = 0xcbf29ce484222325;
    for (;;) {
      const auto got = read_full(real_sys(), fd.get(), buffer);
      if (!got) object.trouble = fmt::format("cannot be read ({})", got.error);
      object.fingerprint = fingerprint(ByteView(buffer).first(got.value), object.fingerprint);
      if (got.value < buffer.size()) break;
    }
    for (off_t at = 0;;) {
      const off_t begin = ::lseek(fd.get(), at, SEEK_DATA);
      if (begin < 0) break;
      at = ::lseek(fd.get(), begin, SEEK_HOLE);
      object.data.emplace_back(begin, at - begin);
    }
  }

  void scan(const Fd& directory, const std::string& prefix) {
    for (const auto& [name, type] : real_sys().list_directory(directory.get()).value) {
      Object object;
      object.path = prefix + name;
      if (::fstatat(directory.get(), name.c_str(), &object.info, AT_SYMLINK_NOFOLLOW) != 0) {
        object.trouble = "cannot be examined";
      }
      read_xattrs(fmt::format("/proc/self/fd/{}/{}", directory.get(), name), object);
      const mode_t kind = object.info.st_mode & S_IFMT;
      if (kind == S_IFLNK) object.link = real_sys().readlinkat(directory.get(), name.c_str()).value;
      Fd fd;
      if (kind == S_IFREG || kind == S_IFDIR) {
        fd = Fd(real_sys(), ::openat(directory.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
        if (!fd) object.trouble = "cannot be opened";
      }
      if (fd && kind == S_IFREG) read_content(fd, object);
      const std::string path = object.path;
      objects_.push_back(std::move(object));
      if (fd && kind == S_IFDIR) scan(fd, path + "/");
    }
  }

  std::vector<Object> objects_;
};

std::string_view type_name(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return "file";
    case S_IFDIR:
      return "directory";
    case S_IFLNK:
      return "symlink";
    case S_IFIFO:
      return "fifo";
    case S_IFCHR:
      return "character device";
    case S_IFBLK:
      return "block device";
    case S_IFSOCK:
      return "socket";
    default:
      return "unknown";
  }
}

std::string show_time(const timespec& time) { return fmt::format("{}.{:09}", time.tv_sec, time.tv_nsec); }

class Comparison {
 public:
  Comparison(std::string a, std::string b, const CompareOptions& options)
      : a_(std::move(a)), b_(std::move(b)), options_(options) {}

  std::string run() {
    const auto left = Scanner(a_).take();
    const auto right = Scanner(b_).take();
    auto a = left.begin();
    auto b = right.begin();
    while (a != left.end() || b != right.end()) {
      if (b == right.end() || (a != left.end() && a->path < b->path)) {
        note(*a++, "only in " + a_);
      } else if (a == left.end() || b->path < a->path) {
        note(*b++, "only in " + b_);
      } else {
        compare(*a++, *b++);
      }
    }
    if (differences_ > kShownMax) text_ += fmt::format("… and {} more\n", differences_ - kShownMax);
    return text_;
  }

 private:
  static constexpr std::size_t kShownMax = 50;

  void note(const Object& object, const std::string& what) {
    if (++differences_ > kShownMax) return;
    text_ += fmt::format("{}: {}\n", object.path.empty() ? "(root)" : display_path(object.path), what);
  }

  template <class T>
  void same(const Object& object, std::string_view what, const T& a, const T& b) {
    if (a != b) note(object, fmt::format("{} {} against {}", what, a, b));
  }

  void compare(const Object& a, const Object& b) {
    if (a.path.empty() && !options_.root) return;
    same(a, "type", type_name(a.info.st_mode), type_name(b.info.st_mode));
    if ((a.info.st_mode & S_IFMT) != (b.info.st_mode & S_IFMT)) return;
    same(a, "trouble", a.trouble, b.trouble);
    if (options_.modes && !S_ISLNK(a.info.st_mode)) {
      same(a, "mode", fmt::format("{:o}", a.info.st_mode & 07777), fmt::format("{:o}", b.info.st_mode & 07777));
    }
    if (options_.owners) {
      same(a, "owner", a.info.st_uid, b.info.st_uid);
      same(a, "group", a.info.st_gid, b.info.st_gid);
    }
    if (options_.times) same(a, "mtime", show_time(a.info.st_mtim), show_time(b.info.st_mtim));
    same(a, "link target", display_path(a.link), display_path(b.link));
    if (options_.hard_links) same(a, "hard link of", display_path(a.hard_link_of), display_path(b.hard_link_of));
    if (S_ISCHR(a.info.st_mode) || S_ISBLK(a.info.st_mode)) same(a, "device", a.info.st_rdev, b.info.st_rdev);
    if (S_ISREG(a.info.st_mode)) compare_content(a, b);
    if (options_.xattrs) compare_xattrs(a, b);
  }

  void compare_content(const Object& a, const Object& b) {
    same(a, "size", a.info.st_size, b.info.st_size);
    if (a.info.st_size == b.info.st_size && a.fingerprint != b.fingerprint) note(a, "content differs");
    if (options_.holes && a.data != b.data) {
      const auto show = [](const auto& runs) {
        std::string text;
        for (const auto& [offset, length] : runs) text += fmt::format("{}+{} ", offset, length);
        return text;
      };
      note(a, fmt::format("data in {}against {}", show(a.data), show(b.data)));
    }
  }

  void compare_xattrs(const Object& a, const Object& b) {
    for (const auto& [name, value] : a.xattrs) {
      const auto other = b.xattrs.find(name);
      if (other == b.xattrs.end()) {
        note(a, fmt::format("xattr {} only in {}", name, a_));
      } else if (other->second != value) {
        note(a, fmt::format("xattr {}: {} against {}", name, display_path(value), display_path(other->second)));
      }
    }
    for (const auto& [name, value] : b.xattrs) {
      if (!a.xattrs.contains(name)) note(a, fmt::format("xattr {} only in {}", name, b_));
    }
  }

  std::string a_, b_;
  CompareOptions options_;
  std::string text_;
  std::size_t differences_ = 0;
};

}  // namespace

void make_tree(const std::string& root, const TreeSpec& spec) { TreeMaker(root, spec).make(); }

std::string compare_trees(const std::string& a, const std::string& b, const CompareOptions& options) {
  return Comparison(a, b, options).run();
}

std::string describe_tree(const std::string& root) {
  std::string text;
  for (const Object& object : Scanner(root).take()) {
    text += fmt::format("{} {:o} {}:{} {} {} \"{}\"", type_name(object.info.st_mode), object.info.st_mode & 07777,
                        object.info.st_uid, object.info.st_gid, S_ISREG(object.info.st_mode) ? object.info.st_size : 0,
                        show_time(object.info.st_mtim), display_path(object.path));
    if (!object.link.empty()) text += fmt::format(" -> \"{}\"", display_path(object.link));
    if (!object.hard_link_of.empty()) text += fmt::format(" = \"{}\"", display_path(object.hard_link_of));
    if (S_ISREG(object.info.st_mode)) text += fmt::format(" {:016x}", object.fingerprint);
    for (const auto& [name, value] : object.xattrs) text += fmt::format(" {}=\"{}\"", name, display_path(value));
    text += object.trouble + "\n";
  }
  return text;
}

std::vector<std::string> list_tree(const std::string& root) {
  std::vector<std::string> paths;
  for (Object& object : Scanner(root).take()) {
    if (!object.path.empty()) paths.push_back(std::move(object.path));
  }
  return paths;
}

}  // namespace mmh::test
