// Layouts of symbols: whatever passes the check is free of overflow, and choosing gives layouts that pass.
//
// Input: scheme (1 byte), then symbol size, blocks, repair symbols (4 bytes each, little-endian), data size (8 bytes).

#include <cstddef>
#include <cstdint>

#include "mmh/base/check.h"
#include "mmh/fec/interleave.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mmh;
  using namespace mmh::fec;
  if (size < 21) return 0;
  const ByteView input = std::as_bytes(std::span(data, size));
  const Interleaving layout{static_cast<Scheme>(data[0]), load_le<std::uint32_t>(input.subspan(1)),
                            load_le<std::uint32_t>(input.subspan(5)), load_le<std::uint32_t>(input.subspan(9)),
                            load_le<std::uint64_t>(input.subspan(13))};
  if (check_interleaving(layout, std::uint64_t{1} << 40)) {
    MMH_CHECK(layout.symbols() >= layout.source_symbols());
    MMH_CHECK(layout.source_size(layout.source_symbols() - 1) >= 1);
    MMH_CHECK(layout.source_size(layout.source_symbols() - 1) <= layout.symbol_size);
    for (const std::uint64_t symbol : {std::uint64_t{0}, layout.source_symbols() - 1, layout.symbols() - 1}) {
      const SymbolPlace place = place_of(layout, symbol);
      MMH_CHECK(place.block < layout.blocks);
      MMH_CHECK(place.symbol < layout.source_symbols(place.block) + layout.repair_symbols);
      MMH_CHECK(symbol_at(layout, place) == symbol);
    }
    MMH_CHECK(layout.source_symbols(0) - layout.source_symbols(layout.blocks - 1) <= 1);
    MMH_CHECK(contiguous_loss_max(layout) <= layout.symbols() * layout.symbol_size);
  }
  const Protection protection{.data_size = layout.data_size,
                              .loss_ppm = layout.symbol_size,
                              .other_bytes = layout.blocks,
                              .other_bytes_per_symbol = data[0],
                              .block_bytes_max = layout.repair_symbols};
  if (const auto chosen = choose_interleaving(protection)) {
    MMH_CHECK(check_interleaving(*chosen, protection.block_bytes_max).has_value());
  }
  return 0;
}
