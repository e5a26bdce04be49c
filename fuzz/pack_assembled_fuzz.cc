// A pack whose hashes are all right, around blocks that are what the input says: each is one byte of type, two of
// length, and that many raw bytes. The last manifest page is the top.

#include "mmh/hash/blake3.h"
#include "mmh/pack/pack_file.h"
#include "pack_fuzz_support.h"

namespace {

using namespace mmh;

class MemorySink : public ByteSink {
 public:
  Result<> write(ByteView in) override {
    append(bytes, in);
    return {};
  }
  Buffer bytes;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteView in = std::as_bytes(std::span(data, size));
  MemorySink sink;
  const auto writer = pack::PackFileWriter::create(sink);
  MMH_CHECK(writer.has_value());
  pack::Trailer trailer;
  while (in.size() >= 3) {
    const auto type = static_cast<pack::BlockType>(1 + std::to_integer<unsigned>(in[0]) % 4);
    const ByteView raw = in.subspan(3, std::min<std::size_t>(load_le<std::uint16_t>(in.subspan(1)), in.size() - 3));
    in = in.subspan(3 + raw.size());
    Buffer frame(1, std::byte{0});
    append(frame, raw);
    const auto number = (*writer)->add_block(type, frame, raw.size(), hash::blake3(frame));
    MMH_CHECK(number.has_value());
    if (type != pack::BlockType::manifest) continue;
    trailer.top.block = *number;
    if (const auto page = pack::parse_manifest_page(raw)) {
      trailer.top.hash = page->hash;
      trailer.top.entries = page->entries;
      trailer.top.content_bytes = page->content_bytes;
      trailer.height = page->height;
    }
  }
  trailer.root = pack::manifest_root(trailer.top);
  MMH_CHECK((*writer)->finish(std::move(trailer)).has_value());
  fuzz::use_pack(sink.bytes);
  return 0;
}
