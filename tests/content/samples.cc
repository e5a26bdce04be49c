#include "samples.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "support/seeded.h"
#include "support/trees.h"

namespace mmh::test {
namespace {

using content::ContentClass;

template <class T>
void put(Buffer& out, T value) {
  std::byte bytes[sizeof(T)];
  store_le(Bytes(bytes), value);
  append(out, bytes);
}

void put_text(Buffer& out, std::string_view text) { append(out, as_bytes(text)); }

// Near enough to the bell shape, of deviation 1.
double bell(Random& random) {
  double sum = 0;
  for (int i = 0; i < 12; ++i) sum += static_cast<double>(random.below(1 << 20)) / (1 << 20);
  return sum - 6;
}

Buffer text_file(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  Buffer out;
  bool begins = true;
  for (std::size_t line = 0; out.size() < size;) {
    const std::uint64_t rank = random.below(1 + random.below(1 + random.below(3000)));
    Random letters(rank);
    std::string word;
    for (std::uint64_t i = 0; i < 2 + rank % 4 + rank / 500; ++i) {
      word += "etaoinshrdlucmfwypvbgk"[letters.below(22) * letters.below(22) / 22];
    }
    if (begins) word[0] = static_cast<char>(word[0] - 32);
    begins = random.below(12) == 0;
    word += begins ? ". " : random.below(9) == 0 ? ", " : " ";
    line += word.size();
    if (line > 72) {
      word.back() = '\n';
      line = 0;
    }
    put_text(out, word);
  }
  return out;
}

// Words of two-byte characters, as Greek and Cyrillic in UTF-8.
Buffer cyrillic_file(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  Buffer out;
  while (out.size() < size) {
    Random letters(random.below(1 + random.below(2000)));
    for (std::uint64_t i = 0; i < 2 + letters.below(8); ++i) {
      const unsigned letter = 0x430 + static_cast<unsigned>(letters.below(32));
      put(out, static_cast<std::uint8_t>(0xC0 | letter >> 6));
      put(out, static_cast<std::uint8_t>(0x80 | (letter & 0x3F)));
    }
    put_text(out, random.below(12) == 0 ? ".\n" : " ");
  }
  return out;
}

Buffer source_file(std::size_t size, std::uint64_t seed) { return sample_bytes(Sample::source, size, seed); }
Buffer json_file(std::size_t size, std::uint64_t seed) { return sample_bytes(Sample::json, size, seed); }
Buffer log_file(std::size_t size, std::uint64_t seed) { return sample_bytes(Sample::log, size, seed); }
Buffer noise_file(std::size_t size, std::uint64_t seed) { return random_bytes(size, seed); }

Buffer csv_file(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  Buffer out;
  put_text(out, "id,name,price,stock\n");
  while (out.size() < size) {
    put_text(out, fmt::format("{},item{},{}.{:02},{}\n", random.below(100000), random.below(500), random.below(900),
                              random.below(100), random.below(50)));
  }
  return out;
}

// The same with names in an encoding of two bytes for each letter, all above 127.
Buffer two_byte_csv_file(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  Buffer out;
  while (out.size() < size) {
    Random letters(random.below(400));
    for (std::uint64_t i = 0; i < 4 + 2 * letters.below(4); ++i) {
      put(out, static_cast<std::uint8_t>(0xA4 + letters.below(70)));
    }
    put_text(out, fmt::format(",{},{},{}\n", random.below(1300), random.below(1300), 4000 + random.below(5000)));
  }
  return out;
}

Buffer dbase_file(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  Buffer out;
  for (const unsigned byte : {3U, 125U, 11U, 22U, 0U, 16U, 0U, 0U, 97U, 0U, 36U, 0U}) {
    put(out, static_cast<std::uint8_t>(byte));
  }
  out.resize(96);
  put_text(out, "\r");
  while (out.size() < size) {
    put_text(out, fmt::format(" {:<20}{:15.4f}", fmt::format("name{}", random.below(500)),
                              static_cast<double>(random.below(10'000'000)) / 10'000));
  }
  return out;
}

Buffer xml_file(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  Buffer out;
  put_text(out, "<?xml version=\"1.0\"?>\n<list>\n");
  while (out.size() < size) {
    put_text(out, fmt::format("  <item id=\"{}\"><name>thing {}</name><kind>{}</kind></item>\n", random.below(10000),
                              random.below(300), random.below(9)));
  }
  return out;
}

// Little-endian floats of `width` bytes with a bell shape, tensor by tensor of another scale; the `skip` first bytes of
// the first are cut off.
template <std::size_t kWidth, bool kBrain = false, std::size_t kSkip = 0>
Buffer tensor_file(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  Buffer out;
  double scale = 0.02;
  for (std::size_t i = 0; out.size() < size + kSkip; ++i) {
    if (i % 2304 == 2303) scale = 0.005 * static_cast<double>(1 + random.below(20));
    const double value = bell(random) * scale;
    if constexpr (kWidth == 8) {
      put(out, value);
    } else if constexpr (kWidth == 4) {
      put(out, static_cast<float>(value));
    } else if constexpr (kBrain) {
      put(out, static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(static_cast<float>(value)) >> 16));
    } else {
      const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
      const auto exponent = static_cast<int>((bits >> 23) & 0xFF) - 127 + 15;
      const unsigned sign = bits >> 16 & 0x8000;
      put(out, static_cast<std::uint16_t>(
                   exponent <= 0 ? sign : sign | static_cast<unsigned>(exponent) << 10 | (bits >> 13 & 0x3FF)));
    }
  }
  out.erase(out.begin(), out.begin() + kSkip);
  return out;
}

// Grey pictures of 512 x N pixels: a few soft shapes and the noise of a sensor. `bits` of each sample.
template <unsigned kBits, unsigned kNoise>
Buffer grey_file(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  Buffer out;
  const double x_scale = 20 + static_cast<double>(random.below(40));
  const double y_scale = 20 + static_cast<double>(random.below(40));
  const double top = 0.8 * (1 << kBits);
  for (std::size_t i = 0; out.size() < size; ++i) {
    const double x = static_cast<double>(i % 512);
    const double y = static_cast<double>(i / 512);
    const double value = top / 2 + top / 4 * (std::sin(x / x_scale) + std::cos((x + y) / y_scale)) +
                         static_cast<double>(random.below(kNoise));
    if constexpr (kBits > 8) {
      put(out, static_cast<std::uint16_t>(value));
    } else {
      put(out, static_cast<std::uint8_t>(value));
    }
  }
  return out;
}

Buffer colour_file(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  Buffer out;
  for (std::size_t i = 0; out.size() < size; ++i) {
    const double x = static_cast<double>(i % 640);
    const double y = static_cast<double>(i / 640);
    for (int channel = 0; channel < 3; ++channel) {
      const double value = 120 + 50 * std::sin((x + 20 * channel) / 60) + 40 * std::cos(y / (40 + 10 * channel));
      put(out, static_cast<std::uint8_t>(value + static_cast<double>(random.below(6))));
    }
  }
  return out;
}

// 16-bit stereo sound: a few tones and some noise.
Buffer sound_file(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  Buffer out;
  const double tone = 0.01 + static_cast<double>(random.below(100)) / 4000;
  for (std::size_t i = 0; out.size() < size; ++i) {
    for (int channel = 0; channel < 2; ++channel) {
      const double at = static_cast<double>(i) * tone;
      const double value = 6000 * std::sin(at) + 2500 * std::sin(2.7 * at + channel) + 80 * bell(random);
      put(out, static_cast<std::int16_t>(value));
    }
  }
  return out;
}

// Records of a counter, flags, a value of a narrow range and a name.
Buffer record_file(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  Buffer out;
  for (std::uint32_t i = 0; out.size() < size; ++i) {
    put(out, 1'000'000 + i);
    put(out, static_cast<std::uint16_t>(random.below(4)));
    put(out, static_cast<std::uint16_t>(0xFFFF));
    put(out, static_cast<std::uint32_t>(random.below(5000)));
    put_text(out, fmt::format("{:<12}", fmt::format("name{}", random.below(3000))));
  }
  return out;
}

// A table of measurements: time, place and two counts, 20 bytes each.
Buffer measurement_file(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  Buffer out;
  std::uint64_t time = 1'700'000'000'000;
  while (out.size() < size) {
    time += 900 + random.below(200);
    put(out, time);
    put(out, static_cast<std::uint32_t>(random.below(64)));
    put(out, static_cast<std::uint32_t>(20'000 + random.below(600)));
    put(out, static_cast<std::uint32_t>(random.below(3)));
  }
  return out;
}

// 32-bit numbers that grow by small steps: offsets, an index.
Buffer index_file(std::size_t size, std::uint64_t seed) { return sample_bytes(Sample::integers, size, seed); }

// Tagged fields of varying length, as serialised objects are.
Buffer object_file(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  Buffer out;
  while (out.size() < size) {
    put(out, static_cast<std::uint8_t>(0x08 + 8 * random.below(4)));
    put(out, static_cast<std::uint8_t>(random.below(256)));
    put(out, static_cast<std::uint8_t>(0x12));
    Random letters(random.below(700));
    const std::uint64_t length = 3 + letters.below(20);
    put(out, static_cast<std::uint8_t>(length));
    for (std::uint64_t i = 0; i < length; ++i) put(out, static_cast<std::uint8_t>('a' + letters.below(26)));
    put(out, static_cast<std::uint8_t>(0x1D));
    put(out, static_cast<std::uint32_t>(random.below(100'000)));
  }
  return out;
}

}  // namespace

const std::vector<Kind>& kinds() {
  using enum ContentClass;
  static const std::vector<Kind> all{
      {"text", text, text_file},
      {"cyrillic", text, cyrillic_file},
      {"source", source, source_file},
      {"xml", markup, xml_file},
      {"json", json, json_file},
      {"log", log, log_file},
      {"csv", log, csv_file},
      {"csv of two-byte letters", log, two_byte_csv_file},
      {"dbase", records, dbase_file},
      {"fp64", tensor, tensor_file<8>},
      {"fp32", tensor, tensor_file<4>},
      {"fp32 +3", tensor, tensor_file<4, false, 3>},
      {"fp16", tensor, tensor_file<2>},
      {"bf16", tensor, tensor_file<2, true>},
      {"bf16 +1", tensor, tensor_file<2, true, 1>},
      {"grey8", image, grey_file<8, 6>},
      {"grey12", image, grey_file<12, 40>},
      {"grey16", image, grey_file<16, 300>},
      {"rgb", image, colour_file},
      {"pcm16", audio, sound_file},
      {"records", records, record_file},
      {"measured", records, measurement_file},
      {"index", records, index_file},
      {"objects", binary, object_file},
      {"noise", compressed, noise_file},
  };
  return all;
}

std::vector<CorpusFile> corpus_files() {
  using enum ContentClass;
  const char* const folder = std::getenv("MMH_CORPORA");
  if (folder == nullptr || *folder == '\0') return {};
  return {{"canterbury/alice29.txt", text},
          {"canterbury/asyoulik.txt", text},
          {"canterbury/cp.html", markup},
          {"canterbury/fields.c", source},
          {"canterbury/grammar.lsp", source},
          {"canterbury/kennedy.xls", records},
          {"canterbury/lcet10.txt", text},
          {"canterbury/plrabn12.txt", text},
          {"canterbury/ptt5", binary},
          {"canterbury/sum", machine_other},
          {"canterbury/xargs.1", text},
          {"silesia/dickens", text},
          {"silesia/mr", image},
          {"silesia/nci", log},
          {"silesia/ooffice", machine_x86},
          {"silesia/osdb", binary},
          {"silesia/reymont", text},
          {"silesia/samba", text},
          {"silesia/x-ray", image},
          {"silesia/xml", markup},
          {"models/faceres-deep.bf16.bin", tensor},
          {"models/faceres-deep.fp32.bin", tensor},
          {"models/handskeleton.fp32.bin", tensor},
          {"models/movenet-thunder.fp16.bin", tensor},
          {"models/ppocrv4_rec.fp32.onnx", tensor}};
}

Buffer read_corpus_file(std::string_view path, std::size_t size_max) {
  std::ifstream in(std::string(std::getenv("MMH_CORPORA")) + "/" + std::string(path), std::ios::binary);
  Buffer bytes(size_max);
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size_max));
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  return bytes;
}

}  // namespace mmh::test
