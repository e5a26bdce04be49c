#include "bench_data.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <memory>
#include <vector>

#include "bench_tiers.h"
#include "output.h"

namespace mmh::cli {

namespace {
constexpr std::uint64_t kKilo = 1000, kMega = 1000 * kKilo, kGiga = 1000 * kMega;

constexpr std::array<Tier, 9> kTiers = {{
    {"1MB", kMega, true},
    {"10MB", 10 * kMega, true},
    {"100MB", 100 * kMega, true},
    {"1GB", kGiga, false},
    {"2GB", 2 * kGiga, false},
    {"10GB", 10 * kGiga, false},
    {"50GB", 50 * kGiga, false},
    {"100GB", 100 * kGiga, false},
    {"500GB", 500 * kGiga, false},
}};

/// splitmix64.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t limit) { return next() % limit; }
  std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + below(high - low + 1); }

 private:
  std::uint64_t state_;
};

std::uint64_t mixed(std::uint64_t a, std::uint64_t b) { return Random(a ^ (b * 0xD6E8FEB86659FD93U)).next(); }

/// Words that are used as often as words are (Zipf), and that prefer some followers, so that text shrinks as text does.
class Vocabulary {
 public:
  explicit Vocabulary(std::uint64_t seed) {
    static constexpr std::array<std::string_view, 24> kOnsets = {"b",  "c",  "d",  "f",  "g",  "h",  "l",  "m",
                                                                 "n",  "p",  "r",  "s",  "t",  "v",  "w",  "st",
                                                                 "tr", "pl", "gr", "th", "sh", "ch", "br", "k"};
    static constexpr std::array<std::string_view, 12> kVowels = {"a",  "e",  "i",  "o",  "u",  "ea",
                                                                 "io", "ou", "ai", "ee", "oo", "y"};
    static constexpr std::array<std::string_view, 12> kCodas = {"",  "",   "n",  "r", "s",  "t",
                                                                "l", "nd", "st", "m", "ng", "d"};
    Random random(mixed(seed, 1));
    for (std::string& word : words_) {
      const std::size_t rank = static_cast<std::size_t>(&word - words_.data());
      const std::uint64_t syllables = rank < 40 ? 1 : random.between(1, rank < 600 ? 2 : 4);
      for (std::uint64_t i = 0; i < syllables; ++i) {
        word += kOnsets[random.below(kOnsets.size())];
        word += kVowels[random.below(kVowels.size())];
        word += kCodas[random.below(kCodas.size())];
      }
    }
    // Word i takes a share of about 1 / (i + 3) of the table.
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < kWords; ++i) sum += (std::uint64_t{1} << 32) / (i + 3);
    std::uint64_t reached = 0;
    std::size_t at = 0;
    for (std::uint64_t i = 0; i < kWords; ++i) {
      reached += (std::uint64_t{1} << 32) / (i + 3);
      const std::size_t end = static_cast<std::size_t>(reached * by_use_.size() / sum);
      while (at < end) by_use_[at++] = static_cast<std::uint16_t>(i);
    }
    for (auto& followers : followers_) {
      for (std::uint16_t& follower : followers) follower = any(random);
    }
  }

  std::uint16_t any(Random& random) const { return by_use_[random.next() >> 48]; }
  std::uint16_t follower(std::uint16_t word, Random& random) const {
    const std::uint64_t bits = random.next();
    if ((bits & 15U) < 5) return by_use_[bits >> 48];
    return followers_[word][std::min((bits >> 8) & 7U, (bits >> 16) & 7U)];
  }
  const std::string& word(std::uint16_t index) const { return words_[index]; }
  const std::string& pick(Random& random) const { return words_[any(random)]; }

 private:
  static constexpr std::size_t kWords = 12000;
  std::array<std::string, kWords> words_;
  std::array<std::uint16_t, 65536> by_use_{};
  std::array<std::array<std::uint16_t, 8>, kWords> followers_{};
};

/// Content of one file, made piece by piece.
class Content {
 public:
  virtual ~Content() = default;
  /// Appends some bytes; whoever calls cuts at the file's end. `left`: bytes from here to that end.
  virtual void append(std::string& out, std::uint64_t left) = 0;
};

class TextContent : public Content {
 public:
  TextContent(const Vocabulary& vocabulary, std::uint64_t seed) : vocabulary_(vocabulary), random_(seed) {}
  void append(std::string& out, std::uint64_t) override {
    const std::size_t line_start = out.size();
    std::size_t line_break = line_start;
    const std::uint64_t sentences = random_.between(3, 8);
    for (std::uint64_t s = 0; s < sentences; ++s) {
      const std::uint64_t words = random_.between(5, 22);
      for (std::uint64_t w = 0; w < words; ++w) {
        word_ = vocabulary_.follower(word_, random_);
        const std::size_t at = out.size();
        out += vocabulary_.word(word_);
        if (w == 0) out[at] = static_cast<char>(out[at] - 'a' + 'A');
        if (w + 1 == words) {
          out += random_.below(12) == 0 ? '?' : '.';
        } else if (random_.below(11) == 0) {
          out += ',';
        }
        if (out.size() - line_break > 72) {
          out += '\n';
          line_break = out.size();
        } else {
          out += ' ';
        }
      }
    }
    out += "\n\n";
  }

 private:
  const Vocabulary& vocabulary_;
  Random random_;
  std::uint16_t word_ = 0;
};

class SourceContent : public Content {
 public:
  SourceContent(const Vocabulary& vocabulary, std::uint64_t seed) : vocabulary_(vocabulary), random_(seed) {
    for (std::string& name : names_) {
      name = vocabulary_.pick(random_);
      if (random_.below(2) == 0) name += "_" + vocabulary_.pick(random_);
    }
  }
  void append(std::string& out, std::uint64_t) override {
    if (!started_) {
      started_ = true;
      out +=
          "// Copyright the authors. Licensed under the Apache License, Version 2.0.\n#include <cstdint>\n"
          "#include <string>\n#include <vector>\n\n";
    }
    const auto put = [&](auto&&... parts) { (out.append(parts), ...); };
    put("/// ", vocabulary_.pick(random_), " ", vocabulary_.pick(random_), " ", vocabulary_.pick(random_), " of the ",
        name(), ".\n");
    put("static int ", name(), "(const std::vector<std::string>& ", name(), ", std::size_t ", name(), ") {\n");
    const std::uint64_t lines = random_.between(3, 18);
    for (std::uint64_t i = 0; i < lines; ++i) {
      switch (random_.below(6)) {
        case 0:
          put("  if (", name(), ".size() < ", number(), ") return ", number(), ";\n");
          break;
        case 1:
          put("  const auto ", name(), " = ", name(), "(", name(), ", ", name(), ");\n");
          break;
        case 2:
          put("  for (std::size_t i = 0; i < ", name(), "; ++i) {\n    ", name(), " += ", name(), "[i];\n  }\n");
          break;
        case 3:
          put("  ", name(), "->", name(), " = ", name(), " + ", number(), ";\n");
          break;
        case 4:
          put("  // ", vocabulary_.pick(random_), " ", vocabulary_.pick(random_), " ", vocabulary_.pick(random_), "\n");
          break;
        default:
          put("  EXPECT_EQ(", name(), ".", name(), "(), \"", vocabulary_.pick(random_), "\");\n");
      }
    }
    put("  return ", name(), ";\n}\n\n");
  }

 private:
  const std::string& name() { return names_[std::min(random_.below(names_.size()), random_.below(names_.size()))]; }
  std::string number() { return std::to_string(random_.below(random_.below(4) == 0 ? 100000 : 16)); }
  const Vocabulary& vocabulary_;
  Random random_;
  std::array<std::string, 48> names_;
  bool started_ = false;
};

class JsonContent : public Content {
 public:
  JsonContent(const Vocabulary& vocabulary, std::uint64_t seed) : vocabulary_(vocabulary), random_(seed) {}
  void append(std::string& out, std::uint64_t) override {
    fmt::format_to(
        std::back_inserter(out),
        R"({{"id":{},"uuid":"{:016x}{:016x}","name":"{} {}","active":{},"score":{}.{:03},"tags":["{}","{}"],)"
        R"("created":{},"geo":{{"lat":{}.{:06},"lon":{}.{:06}}}}})"
        "\n",
        id_, random_.next(), random_.next(), vocabulary_.pick(random_), vocabulary_.pick(random_),
        random_.below(3) != 0, random_.below(100), random_.below(1000), vocabulary_.pick(random_),
        vocabulary_.pick(random_), 1'700'000'000 + id_ * 37 + random_.below(30), random_.below(90),
        random_.below(1'000'000), random_.below(180), random_.below(1'000'000));
  }

 private:
  const Vocabulary& vocabulary_;
  Random random_;
  std::uint64_t id_ = 0;
};

class LogContent : public Content {
 public:
  LogContent(const Vocabulary& vocabulary, std::uint64_t seed) : vocabulary_(vocabulary), random_(seed) {
    for (std::string& service : services_) service = vocabulary_.pick(random_);
    for (std::string& path : paths_) path = "/" + vocabulary_.pick(random_) + "/" + vocabulary_.pick(random_);
  }
  void append(std::string& out, std::uint64_t) override {
    milliseconds_ += random_.below(400);
    const std::uint64_t seconds = milliseconds_ / 1000;
    static constexpr std::array<std::string_view, 8> kLevels = {"INFO", "INFO",  "INFO", "INFO",
                                                                "INFO", "DEBUG", "WARN", "ERROR"};
    const std::string& service = services_[random_.below(services_.size())];
    fmt::format_to(std::back_inserter(out), "2024-05-{:02}T{:02}:{:02}:{:02}.{:03}Z {:<5} [{}] ",
                   1 + seconds / 86400 % 28, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60, milliseconds_ % 1000,
                   kLevels[random_.below(kLevels.size())], service);
    switch (random_.below(4)) {
      case 0:
        fmt::format_to(std::back_inserter(out), "GET {} from 10.{}.{}.{} status=200 bytes={} took={}ms\n",
                       paths_[random_.below(paths_.size())], random_.below(4), random_.below(256), random_.below(256),
                       random_.below(50000), random_.below(300));
        break;
      case 1:
        fmt::format_to(std::back_inserter(out), "request {:016x} queued behind {} others\n", random_.next(),
                       random_.below(20));
        break;
      case 2:
        fmt::format_to(std::back_inserter(out), "cache {} hit ratio {}.{}% over {} keys\n",
                       services_[random_.below(services_.size())], random_.below(100), random_.below(10),
                       random_.below(100000));
        break;
      default:
        fmt::format_to(std::back_inserter(out), "user {} did {} with {}\n", random_.below(5000),
                       vocabulary_.pick(random_), paths_[random_.below(paths_.size())]);
    }
  }

 private:
  const Vocabulary& vocabulary_;
  Random random_;
  std::array<std::string, 12> services_;
  std::array<std::string, 40> paths_;
  std::uint64_t milliseconds_ = 0;
};

/// A PPM photograph: smooth shapes with sensor noise.
class ImageContent : public Content {
 public:
  explicit ImageContent(std::uint64_t seed) : seed_(seed), random_(seed) {}
  void append(std::string& out, std::uint64_t left) override {
    if (width_ == 0) {
      while ((width_ + 16) * (width_ + 16) * 9 / 4 < left) width_ += 16;  // 3 bytes a pixel, 4 to 3
      width_ = std::max<std::uint64_t>(width_, 16);
      fmt::format_to(std::back_inserter(out), "P6\n{} {}\n255\n", width_,
                     std::max<std::uint64_t>(left / (3 * width_), 1));
      return;
    }
    for (std::uint64_t x = 0; x < width_; x += kCell) {
      std::array<std::int64_t, 3> from{}, to{};
      for (unsigned channel = 0; channel < 3; ++channel) {
        from[channel] = column(x / kCell, channel);
        to[channel] = column(x / kCell + 1, channel);
      }
      const std::uint64_t end = std::min<std::uint64_t>(kCell, width_ - x);
      for (std::uint64_t i = 0; i < end; ++i) {
        const std::uint64_t noise = random_.next();
        for (unsigned channel = 0; channel < 3; ++channel) {
          const std::int64_t smooth =
              (from[channel] * static_cast<std::int64_t>(kCell - i) + to[channel] * static_cast<std::int64_t>(i)) /
              static_cast<std::int64_t>(kCell);
          const auto grain = static_cast<std::int64_t>(std::popcount((noise >> (channel * 8)) & 0xFFU)) - 4;
          out += static_cast<char>(std::clamp<std::int64_t>(smooth + grain / 2, 0, 255));
        }
      }
    }
    ++row_;
  }

 private:
  static constexpr std::uint64_t kCell = 64;
  // Brightness of a corner's column at this row.
  std::int64_t column(std::uint64_t cell, unsigned channel) const {
    const auto corner = [&](std::uint64_t y) {
      const std::uint64_t luminance = mixed(seed_, cell * 100'003 + y) % 200;
      return static_cast<std::int64_t>(luminance + mixed(seed_ + channel, cell * 100'003 + y) % 40);
    };
    const auto part = static_cast<std::int64_t>(row_ % kCell);
    return (corner(row_ / kCell) * (static_cast<std::int64_t>(kCell) - part) + corner(row_ / kCell + 1) * part) /
           static_cast<std::int64_t>(kCell);
  }
  std::uint64_t seed_;
  Random random_;
  std::uint64_t width_ = 0, row_ = 0;
};

/// A safetensors file: bell-shaped weights as bfloat16, float32 or int8, a scale of its own for every 4,096 of them.
class TensorContent : public Content {
 public:
  explicit TensorContent(std::uint64_t seed) : random_(seed) {
    static constexpr std::array<Kind, 8> kKinds = {Kind::bf16, Kind::bf16, Kind::bf16, Kind::bf16,
                                                   Kind::f32,  Kind::f32,  Kind::f32,  Kind::i8};
    kind_ = kKinds[random_.below(kKinds.size())];
  }
  void append(std::string& out, std::uint64_t left) override {
    if (!started_) {
      started_ = true;
      append_header(out, left);
      return;
    }
    // The scale is a float with a full mantissa, so that products have one, too.
    const float scale = static_cast<float>(random_.between(1U << 22, 1U << 24)) / static_cast<float>(1ULL << 52);
    const std::size_t at = out.size();
    out.resize(at + kRun * width());
    for (std::size_t i = 0; i < kRun; ++i) {
      const std::uint64_t bits = random_.next();
      // The sum of four uniform numbers is close to a normal distribution, of standard deviation 37,837.
      const auto sum = static_cast<std::int32_t>((bits & 0xFFFFU) + ((bits >> 16) & 0xFFFFU) +
                                                 ((bits >> 32) & 0xFFFFU) + (bits >> 48)) -
                       131'070;
      char* const place = out.data() + at + i * width();
      if (kind_ == Kind::i8) {
        *place = static_cast<char>(std::clamp(sum / 1024, -127, 127));
        continue;
      }
      const auto fine = sum * 64 + static_cast<std::int32_t>((bits * 0x9E3779B97F4A7C15U) >> 58);
      const auto pattern = std::bit_cast<std::uint32_t>(static_cast<float>(fine) * scale);
      if (kind_ == Kind::f32) {
        std::memcpy(place, &pattern, sizeof pattern);
      } else {
        const auto rounded = static_cast<std::uint16_t>((pattern + 0x7FFFU + ((pattern >> 16) & 1U)) >> 16);
        std::memcpy(place, &rounded, sizeof rounded);
      }
    }
  }

 private:
  enum class Kind { bf16, f32, i8 };
  static constexpr std::size_t kRun = 4096;
  std::size_t width() const { return kind_ == Kind::f32 ? 4 : kind_ == Kind::bf16 ? 2 : 1; }

  void append_header(std::string& out, std::uint64_t size) {
    static constexpr std::uint64_t kHeader = 2040;
    if (size < 2 * kHeader) return;
    const std::string_view type = kind_ == Kind::f32 ? "F32" : kind_ == Kind::bf16 ? "BF16" : "I8";
    const std::uint64_t content = size - 8 - kHeader, layers = 12;
    std::string header = "{";
    for (std::uint64_t i = 0; i < layers; ++i) {
      const std::uint64_t unit = width();
      const std::uint64_t begin = content / layers * i / unit * unit;
      const std::uint64_t end = i + 1 == layers ? content / unit * unit : content / layers * (i + 1) / unit * unit;
      header += fmt::format(R"({}"model.layers.{}.mlp.weight":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                            i == 0 ? "" : ",", i, type, (end - begin) / unit, begin, end);
    }
    header += "}";
    header.resize(kHeader, ' ');
    const std::uint64_t length = kHeader;
    out.append(reinterpret_cast<const char*>(&length), sizeof length);
    out += header;
  }

  Random random_;
  Kind kind_;
  bool started_ = false;
};

/// A tar archive of text and source files.
class ArchiveContent : public Content {
 public:
  ArchiveContent(const Vocabulary& vocabulary, std::uint64_t seed) : vocabulary_(vocabulary), random_(seed) {}
  void append(std::string& out, std::uint64_t left) override {
    std::uint64_t size = random_.between(500, 60'000);
    if (left < 4096) {
      out.append(static_cast<std::size_t>(left), '\0');
      return;
    }
    size = std::min<std::uint64_t>(size, left - 2048);
    append_header(out, size);
    const std::size_t start = out.size();
    std::unique_ptr<Content> member;
    if (random_.below(2) == 0) {
      member = std::make_unique<TextContent>(vocabulary_, random_.next());
    } else {
      member = std::make_unique<SourceContent>(vocabulary_, random_.next());
    }
    while (out.size() - start < size) member->append(out, size);
    out.resize(start + static_cast<std::size_t>(size));
    out.append((512 - size % 512) % 512, '\0');
  }

 private:
  void append_header(std::string& out, std::uint64_t size) {
    std::string header(512, '\0');
    const auto put = [&](std::size_t offset, std::string_view text) { text.copy(header.data() + offset, text.size()); };
    put(0, fmt::format("archive/{}/{}-{}.txt", vocabulary_.pick(random_), vocabulary_.pick(random_), ++members_));
    put(100, "0000644");
    put(108, "0001750");
    put(116, "0001750");
    put(124, fmt::format("{:011o}", size));
    put(136, fmt::format("{:011o}", 1'700'000'000 + members_ * 61));
    put(148, "        ");
    put(156, "0");
    put(257, std::string_view("ustar\00000", 8));
    unsigned sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    put(148, fmt::format("{:06o}", sum));
    header[154] = '\0';
    out += header;
  }
  const Vocabulary& vocabulary_;
  Random random_;
  std::uint64_t members_ = 0;
};

class NoiseContent : public Content {
 public:
  explicit NoiseContent(std::uint64_t seed) : random_(seed) {}
  void append(std::string& out, std::uint64_t) override {
    std::array<std::uint64_t, 512> words;
    for (std::uint64_t& word : words) word = random_.next();
    out.append(reinterpret_cast<const char*>(words.data()), sizeof words);
  }

 private:
  Random random_;
};

enum class Kind { text, source, json, image, tensor, log, archive, noise };

struct KindSpec {
  Kind kind;
  std::string_view folder, extension;
  unsigned percent;
  std::uint64_t size_min, size_max;
};

constexpr std::array<KindSpec, 8> kKinds = {{
    {Kind::text, "text", "txt", 10, 10 * kKilo, 2 * kMega},
    {Kind::source, "source", "cc", 15, kKilo, 64 * kKilo},
    {Kind::json, "records", "json", 10, 4 * kKilo, 4 * kMega},
    {Kind::image, "images", "ppm", 12, 200 * kKilo, 6 * kMega},
    {Kind::tensor, "models", "safetensors", 25, kMega, 256 * kMega},
    {Kind::log, "logs", "log", 12, 256 * kKilo, 64 * kMega},
    {Kind::archive, "archives", "tar", 6, 100 * kKilo, 32 * kMega},
    {Kind::noise, "media", "bin", 10, 50 * kKilo, 8 * kMega},
}};

std::unique_ptr<Content> make_content(Kind kind, const Vocabulary& vocabulary, std::uint64_t seed) {
  switch (kind) {
    case Kind::text:
      return std::make_unique<TextContent>(vocabulary, seed);
    case Kind::source:
      return std::make_unique<SourceContent>(vocabulary, seed);
    case Kind::json:
      return std::make_unique<JsonContent>(vocabulary, seed);
    case Kind::image:
      return std::make_unique<ImageContent>(seed);
    case Kind::tensor:
      return std::make_unique<TensorContent>(seed);
    case Kind::log:
      return std::make_unique<LogContent>(vocabulary, seed);
    case Kind::archive:
      return std::make_unique<ArchiveContent>(vocabulary, seed);
    case Kind::noise:
      break;
  }
  return std::make_unique<NoiseContent>(seed);
}

class DataWriter {
 public:
  DataWriter(const std::string& directory, std::uint64_t bytes, std::uint64_t seed,
             const std::function<void(std::uint64_t, std::uint64_t)>& progress, const CancelFlag* cancel)
      : directory_(directory),
        bytes_(bytes),
        seed_(seed),
        progress_(progress),
        cancel_(cancel),
        vocabulary_(std::make_unique<Vocabulary>(seed)) {}

  Result<GeneratedData> run() {
    std::uint64_t left = bytes_;
    for (const KindSpec& spec : kKinds) {
      // What rounding leaves goes to the last kind.
      const std::uint64_t share = &spec == &kKinds.back() ? left : bytes_ / 100 * spec.percent;
      left -= share;
      MMH_TRY(write_kind(spec, share));
    }
    return written_;
  }

 private:
  Result<> write_kind(const KindSpec& spec, std::uint64_t share) {
    // Beyond 10 GB files grow with the tier, so that their number stays within some hundred thousand.
    const std::uint64_t growth = std::max<std::uint64_t>(1, bytes_ / (10 * kGiga));
    Random random(mixed(seed_, 100 + static_cast<std::uint64_t>(spec.kind)));
    struct Made {
      std::uint64_t seed, size;
    };
    std::vector<Made> earlier;
    for (std::uint64_t number = 0; share > 0; ++number) {
      Made file{random.next(), file_size(spec, random, growth, share)};
      // Copies of a file in several places are common in source trees.
      if (spec.kind == Kind::source && earlier.size() >= 16 && random.below(16) == 0) {
        const Made& copied = earlier[random.below(earlier.size())];
        if (copied.size <= share) file = copied;
      }
      if (earlier.size() < 256) earlier.push_back(file);
      MMH_TRY(write_file(spec, number, file.seed, file.size));
      share -= file.size;
    }
    return {};
  }

  // As many files in each doubling of size as in any other; the last one takes what is left.
  static std::uint64_t file_size(const KindSpec& spec, Random& random, std::uint64_t growth, std::uint64_t share) {
    std::uint64_t low = spec.size_min * growth;
    unsigned doublings = 0;
    while (low << (doublings + 1) <= spec.size_max * growth) ++doublings;
    low <<= random.below(doublings + 1);
    const std::uint64_t size = random.between(low, 2 * low - 1);
    return size + spec.size_min * growth / 2 > share ? share : std::min(size, std::max(share / 3, spec.size_min));
  }

  Result<> write_file(const KindSpec& spec, std::uint64_t number, std::uint64_t seed, std::uint64_t size) {
    constexpr std::uint64_t kFilesInFolder = 200;
    const std::string folder = fmt::format("{}/{}", directory_, spec.folder);
    const std::string subfolder = fmt::format("{}/{:03}", folder, number / kFilesInFolder);
    if (number == 0) MMH_TRY(make_directory(folder));
    if (number % kFilesInFolder == 0) MMH_TRY(make_directory(subfolder));
    const std::string path = fmt::format("{}/{:06}.{}", subfolder, number, spec.extension);
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) return fail(errno_error(errno, fmt::format("cannot make '{}'", printable(path))));
    const Result<> filled = fill(fd, path, *make_content(spec.kind, *vocabulary_, seed), size);
    ::close(fd);
    MMH_TRY(filled);
    ++written_.files;
    return {};
  }

  Result<> fill(int fd, const std::string& path, Content& content, std::uint64_t size) {
    constexpr std::size_t kPiece = std::size_t{1} << 20;
    std::uint64_t left = size;
    while (left > 0) {
      MMH_TRY(check_cancelled(cancel_));
      buffer_.clear();
      while (buffer_.size() < std::min<std::uint64_t>(left, kPiece)) content.append(buffer_, left - buffer_.size());
      if (buffer_.size() > left) buffer_.resize(static_cast<std::size_t>(left));
      if (const int error = write_all(fd, buffer_)) {
        return fail(errno_error(error, fmt::format("cannot write '{}'", printable(path))));
      }
      left -= buffer_.size();
      written_.bytes += buffer_.size();
      if (progress_) progress_(written_.bytes, written_.files);
    }
    return {};
  }

  static Result<> make_directory(const std::string& path) {
    if (::mkdir(path.c_str(), 0755) == 0) return {};
    return fail(errno_error(errno, fmt::format("cannot make directory '{}'", printable(path))));
  }

  const std::string& directory_;
  const std::uint64_t bytes_, seed_;
  const std::function<void(std::uint64_t, std::uint64_t)>& progress_;
  const CancelFlag* cancel_;
  std::unique_ptr<Vocabulary> vocabulary_;  // too large for the stack
  std::string buffer_;
  GeneratedData written_;
};
}  // namespace

std::span<const Tier> tiers() { return kTiers; }

Result<GeneratedData> generate_data(const std::string& directory, std::uint64_t bytes, std::uint64_t seed,
                                    const std::function<void(std::uint64_t, std::uint64_t)>& progress,
                                    const CancelFlag* cancel) {
  return DataWriter(directory, bytes, seed, progress, cancel).run();
}

}  // namespace mmh::cli
