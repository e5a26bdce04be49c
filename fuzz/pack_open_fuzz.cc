// A reader on arbitrary bytes. Hashes stop nearly every change; pack_assembled goes behind them.

#include "pack_fuzz_support.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mmh::fuzz::use_pack(std::as_bytes(std::span(data, size)));
  return 0;
}
