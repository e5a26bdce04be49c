// Runs a fuzz target without libFuzzer: over every file below the folders given, then over forms of it that are cut
// short or have one bit flipped (all of them for small files, an even sample for large ones). It passes when nothing
// crashes.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;

constexpr std::size_t kVariantsMax = 256;  // per file and kind: keeps the whole run within seconds

void run(const Input& input) {
  // An exact-size copy, so that a sanitizer sees reads behind the end.
  const Input exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

void run_variants(const Input& input) {
  const std::size_t step = std::max<std::size_t>(1, input.size() / kVariantsMax);
  for (std::size_t at = 0; at < input.size(); at += step) {
    run(Input(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(at)));
    Input flipped = input;
    flipped[at] = static_cast<std::uint8_t>(flipped[at] ^ (1U << (at % 8)));
    run(flipped);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t files = 0;
  run({});
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) continue;  // a target without regressions has no such folder
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      const Input input{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
      std::printf("%s (%zu bytes)\n", entry.path().c_str(), input.size());
      std::fflush(stdout);  // names the culprit when the next line never comes
      run(input);
      run_variants(input);
      ++files;
    }
  }
  std::printf("%zu files, no crash\n", files);
  return 0;
}
