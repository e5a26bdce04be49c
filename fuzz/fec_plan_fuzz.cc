// Plans of erasure codes: any set of symbols is refused or, where a plan is made, gives back the block.
//
// Input: scheme (1 byte, odd: RaptorQ), source symbols (2 bytes, little-endian), symbol size (1 byte), then the numbers
// of symbols received, 2 bytes each, the top bit of which moves them far up.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "mmh/base/check.h"
#include "mmh/fec/plan.h"

namespace {

using namespace mmh;
using namespace mmh::fec;

constexpr std::uint32_t kSourceSymbolsMax = 300;  // for speed

std::vector<ByteView> cut(const Buffer& symbols, std::size_t count, std::size_t size) {
  std::vector<ByteView> views;
  for (std::size_t i = 0; i < count; ++i) views.push_back(ByteView(symbols).subspan(i * size, size));
  return views;
}

std::vector<Bytes> cut_mutable(Buffer& symbols, std::size_t count, std::size_t size) {
  std::vector<Bytes> views;
  for (std::size_t i = 0; i < count; ++i) views.push_back(Bytes(symbols).subspan(i * size, size));
  return views;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const ByteView input = std::as_bytes(std::span(data, size));
  const Code code{(data[0] & 1) != 0 ? Scheme::raptorq : Scheme::reed_solomon,
                  load_le<std::uint16_t>(input.subspan(1)) % kSourceSymbolsMax};
  const std::size_t symbol_size = data[3];
  std::vector<std::uint32_t> received;
  for (std::size_t at = 4; at + 2 <= size; at += 2) {
    const std::uint32_t number = load_le<std::uint16_t>(input.subspan(at));
    received.push_back((number & 0x8000) != 0 ? (number & 0x7FFF) * 600 : number);
  }
  std::vector<std::uint32_t> all(code.source_symbols);
  std::iota(all.begin(), all.end(), 0U);
  const Result<Plan> decode = Plan::make(code, received, all);
  if (!decode) return 0;

  Buffer source(code.source_symbols * symbol_size);
  for (std::size_t i = 0; i < source.size(); ++i) source[i] = static_cast<std::byte>(i * 151 + i / 256);
  Buffer sent(received.size() * symbol_size);
  const Result<Plan> encode = Plan::make(code, all, received);
  MMH_CHECK(encode.has_value());
  MMH_CHECK(encode->run(cut(source, all.size(), symbol_size), cut_mutable(sent, received.size(), symbol_size)));
  Buffer back(source.size());
  MMH_CHECK(decode->run(cut(sent, received.size(), symbol_size), cut_mutable(back, all.size(), symbol_size)));
  MMH_CHECK(std::ranges::equal(back, source));
  return 0;
}
