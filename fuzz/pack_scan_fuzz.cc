// Salvage by scanning: what is found is whole, in order, and does not overlap.

#include "mmh/hash/blake3.h"
#include "mmh/pack/scan.h"
#include "pack_fuzz_support.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mmh;
  const ByteView bytes = std::as_bytes(std::span(data, size));
  const auto source = memory_source(bytes, "fuzz.mmh");
  const auto blocks = pack::scan_blocks(*source);
  if (!blocks) return 0;
  std::uint64_t end = 0;
  for (const auto& [block, shift] : *blocks) {
    MMH_CHECK(block.offset >= end);
    end = block.offset + pack::kBlockHeaderSize + block.stored_size;
    MMH_CHECK(end <= size);
    MMH_CHECK(hash::blake3(bytes.subspan(block.offset + pack::kBlockHeaderSize, block.stored_size)) == block.hash);
  }
  if (size > 0) pack::is_cut_off_append(*source, size / 2);
  pack::last_trailer_header(*source, size);
  return 0;
}
