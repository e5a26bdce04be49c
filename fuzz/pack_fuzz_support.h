#pragma once
// Goes through everything that a reader offers, within bounds that keep one input quick.

#include "mmh/base/check.h"
#include "mmh/codec/registry.h"
#include "mmh/pack/reader.h"
#include "mmh/pack/verify.h"

namespace mmh::fuzz {

inline const codec::Registry& no_codecs() {
  static const codec::Registry registry({});
  return registry;
}

inline void read_record(const pack::Reader& reader, const pack::FileRecord& record) {
  Buffer out(4096);
  for (const std::uint64_t offset : {std::uint64_t{0}, record.entry.size / 2, record.entry.size - 1}) {
    if (const auto got = reader.read_file(record, offset, out)) MMH_CHECK(*got <= out.size());
  }
  if (record.entry.size <= (1 << 20)) {
    std::uint64_t given = 0;
    const auto streamed = reader.stream_file(record, [&](ByteView piece) -> Result<> {
      given += piece.size();
      return {};
    });
    MMH_CHECK(!streamed || given == record.entry.size);
  }
}

inline void use_pack(ByteView bytes) {
  const auto opened = pack::Reader::open(memory_source(bytes, "fuzz.mmh"), no_codecs(), {.cache_bytes = 1 << 20});
  if (!opened) return;
  const pack::Reader& reader = **opened;
  MMH_CHECK(reader.pack_size() <= bytes.size());
  int left = 200;
  std::string last;
  const auto visited = reader.visit("", [&](pack::FileRecord&& record) -> Result<bool> {
    const std::string path = record.entry.path;
    MMH_CHECK(last.empty() || tree::compare_paths(last, path) < 0);
    last = path;
    // What a visit shows a search may still refuse (a page beside it may be damaged), but never find as another.
    if (const auto found = reader.find(path)) MMH_CHECK(!*found || (*found)->entry.path == path);
    read_record(reader, record);
    return --left > 0;
  });
  static_cast<void>(visited);
  for (std::uint64_t number = 0; number < std::min<std::uint64_t>(reader.trailer().block_count, 64); ++number) {
    if (const auto block = reader.read_block(number)) MMH_CHECK((*block)->size() <= codec::kRawSizeMax);
  }
  TaskPool pool(1);
  const bool deep = reader.trailer().top.content_bytes <= (4 << 20);
  const auto report = pack::verify(reader, pool, deep, {}, nullptr);
  MMH_CHECK(!report || report->bytes_checked <= reader.pack_size());
}

}  // namespace mmh::fuzz
