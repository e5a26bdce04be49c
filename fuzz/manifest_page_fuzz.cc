// A manifest page that is accepted has one encoding: building it again from its records gives the same bytes.

#include "mmh/pack/manifest.h"
#include "pack_fuzz_support.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mmh;
  const ByteView raw = std::as_bytes(std::span(data, size));
  const auto page = pack::parse_manifest_page(raw);
  if (!page) return 0;
  MMH_CHECK(page->height > 0 || page->records.size() == page->entries);
  MMH_CHECK(page->records.size() + page->children.size() <= pack::kPageItemsMax);
  if (page->height > 0) return 0;
  Buffer written;
  std::size_t pages = 0;
  pack::ManifestBuilder builder([&](ByteView stored) -> Result<std::uint64_t> {
    written.assign(stored.begin(), stored.end());
    return pages++;
  });
  for (const pack::FileRecord& record : page->records) MMH_CHECK(builder.add(record).has_value());
  const auto top = builder.finish();
  MMH_CHECK(top.has_value());
  if (pages == 1) {  // the builder may cut where the page was not cut
    MMH_CHECK(std::ranges::equal(written, raw));
    MMH_CHECK(top->hash == page->hash);
  }
  return 0;
}
