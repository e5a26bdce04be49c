#include "dedup_index.h"

#include <bit>

namespace mmh::pack {

namespace {
constexpr std::size_t kSlotsMin = 1024;
constexpr unsigned kSampleBitsMax = 60;
}  // namespace

// While the table grows, the old and the new one exist side by side: together 1.5 times the new one.
DedupIndex::DedupIndex(std::size_t memory_max)
    : slots_max_(std::max(kSlotsMin, std::bit_floor(memory_max * 2 / 3 / sizeof(Slot)))), slots_(kSlotsMin) {}

bool DedupIndex::sampled(const hash::Digest& digest, unsigned bits) {
  const auto word = load_le<std::uint64_t>(digest.view().subspan(16));
  return (word & ((std::uint64_t{1} << bits) - 1)) == 0;
}

std::optional<ChunkPlace> DedupIndex::find(const hash::Digest& digest) const {
  if (!sampled(digest, sample_bits_)) return std::nullopt;
  std::uint64_t key[3];
  std::memcpy(key, digest.bytes.data(), sizeof key);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = key[0] & mask;; i = (i + 1) & mask) {
    const Slot& slot = slots_[i];
    if (slot.length == 0) return std::nullopt;
    if (slot.key[0] == key[0] && slot.key[1] == key[1] && slot.key[2] == key[2]) {
      return ChunkPlace{slot.block, slot.offset, slot.length};
    }
  }
}

void DedupIndex::insert(const hash::Digest& digest, const ChunkPlace& place) {
  if (!sampled(digest, sample_bits_)) return;
  while ((used_ + 1) * 4 > slots_.size() * 3) {
    if (slots_.size() < slots_max_) {
      rebuild(slots_.size() * 2);
    } else if (sample_bits_ < kSampleBitsMax) {
      ++sample_bits_;
      rebuild(slots_.size());
    } else {
      return;
    }
  }
  if (!sampled(digest, sample_bits_)) return;
  Slot slot{{}, place.block, place.offset, place.length};
  std::memcpy(slot.key, digest.bytes.data(), sizeof slot.key);
  place_slot(slot);
}

void DedupIndex::place_slot(const Slot& slot) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t i = slot.key[0] & mask;
  while (slots_[i].length != 0) i = (i + 1) & mask;
  slots_[i] = slot;
  ++used_;
}

void DedupIndex::rebuild(std::size_t slots) {
  std::vector<Slot> old(slots);
  old.swap(slots_);
  used_ = 0;
  for (const Slot& slot : old) {
    if (slot.length != 0 && (slot.key[2] & ((std::uint64_t{1} << sample_bits_) - 1)) == 0) place_slot(slot);
  }
}

}  // namespace mmh::pack
