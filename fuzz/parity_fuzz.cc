// Parity sections of arbitrary bytes. The first byte chooses: the rest is a file that may hold a section; or a head,
// behind its hashes, and the data and section that it is to belong to.

#include <algorithm>

#include "mmh/base/check.h"
#include "mmh/hash/blake3.h"
#include "mmh/pack/format.h"
#include "mmh/pack/parity.h"
#include "mmh/pack/repair.h"

namespace {

using namespace mmh;

constexpr std::size_t kHeadSize = 192;
constexpr std::uint64_t kWorkMax = 4 << 20;

pack::ParityContext context() {
  static TaskPool pool(1);
  pack::ParityContext made;
  made.sys = &real_sys();
  made.pool = &pool;
  made.memory = 64 << 20;
  return made;
}

void heal_pack(ByteView bytes) {
  const auto source = memory_source(bytes, "fuzz.mmh");
  const auto image = pack::HealedPack::open(*source, {}, context());
  if (!image || !(*image)->heal() || (*image)->size() > kWorkMax) return;
  Buffer healed((*image)->size());
  MMH_CHECK((*image)->read_at(0, healed).has_value());
}

void heal_assembled(ByteView bytes) {
  if (bytes.size() < kHeadSize) return;
  Buffer payload = copy_of(bytes.first(kHeadSize));
  const hash::Digest id = hash::blake3(ByteView(payload).subspan(16));
  std::copy_n(id.bytes.begin(), 16, payload.begin());
  Buffer file(pack::kBlockHeaderSize);
  pack::write_block_header(
      {pack::BlockType::parity, pack::kUnnumbered, 0, payload.size(), payload.size(), hash::blake3(payload)}, file);
  append(file, payload);
  const auto head = pack::parity_head_at(*memory_source(file, "fuzz"), 0);
  if (!head) return;
  const auto& symbols = head->layout.symbols;
  if (symbols.symbols() > 4096 || symbols.symbols() * symbols.symbol_size > kWorkMax) return;
  const auto data = memory_source(bytes.subspan(kHeadSize), "fuzz");
  const auto healer = pack::ParityHealer::open(*data, *data, *head, {}, context());
  if (!healer || !(*healer)->locate() || !(*healer)->plan()) return;
  const bool healable = (*healer)->report().healable();
  if (!(*healer)->heal()) return;
  MMH_CHECK(!(*healer)->report().healable() || healable);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView rest = std::as_bytes(std::span(data, size)).subspan(1);
  if (data[0] % 2 == 0) {
    heal_pack(rest);
  } else {
    heal_assembled(rest);
  }
  return 0;
}
