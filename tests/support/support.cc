#include "support/support.h"

#include <cstdlib>
#include <fstream>

#include "mmh/base/check.h"

namespace mmh::test {

std::uint64_t Random::next() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

Buffer random_bytes(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  Buffer bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::byte>(random.next());
  return bytes;
}

Buffer text_bytes(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  Buffer bytes;
  bytes.reserve(size + 16);
  while (bytes.size() < size) {
    // Low ranks are frequent, as in natural text.
    Random word(random.below(1 + random.below(1 + random.below(4000))));
    for (std::uint64_t letters = 2 + word.below(8); letters > 0; --letters) {
      bytes.push_back(static_cast<std::byte>('a' + word.below(26)));
    }
    bytes.push_back(random.below(12) == 0 ? std::byte{'\n'} : std::byte{' '});
  }
  bytes.resize(size);
  return bytes;
}

TempDir::TempDir() {
  std::string name = std::filesystem::temp_directory_path() / "mmh-test-XXXXXX";
  MMH_CHECK(::mkdtemp(name.data()) != nullptr);
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void write_file(const std::string& path, ByteView bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  MMH_CHECK(out.good());
}

Buffer read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  MMH_CHECK(in.good());
  Buffer bytes(static_cast<std::size_t>(in.tellg()));
  in.seekg(0);
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  MMH_CHECK(in.good());
  return bytes;
}

}  // namespace mmh::test
