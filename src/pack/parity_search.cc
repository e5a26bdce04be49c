#include "parity_search.h"

#include <algorithm>
#include <map>

#include "mmh/base/checked.h"
#include "mmh/hash/blake3.h"
#include "mmh/pack/scan.h"

namespace mmh::pack {

namespace {

constexpr std::uint64_t kWindow = 1 << 20;
constexpr std::uint64_t kPartMax = 8 << 20;
constexpr unsigned kFilterBits = 20;

std::uint32_t filter_bit(std::uint32_t weak) { return weak * 0x85EBCA6Bu >> (32 - kFilterBits); }

}  // namespace

Result<> search_parts(const RandomAccessSource& source, const CancelFlag* cancel,
                      const std::function<Result<>(const FoundPart&)>& visit) {
  const std::uint64_t size = source.size();
  std::uint64_t waste = 4 * std::min(size, kPackSizeMax / 8) + (std::uint64_t{256} << 20);
  Buffer window;
  Buffer payload;
  for (std::uint64_t from = 0; from < size; from += kWindow) {
    MMH_TRY(check_cancelled(cancel));
    const std::uint64_t starts = std::min(kWindow, size - from);
    window.resize(static_cast<std::size_t>(std::min(starts + kBlockHeaderSize - 1, size - from)));
    read_readable(source, from, window);
    for (auto at = find_block_magic(window); at && *at < starts; at = find_block_magic(window, *at + 1)) {
      const auto header = parse_block_header(ByteView(window).subspan(*at));
      if (!header || header->type != BlockType::parity || header->stored_size < kParityPrefixSize ||
          header->stored_size > kPartMax || !range_within(from + *at + kBlockHeaderSize, header->stored_size, size)) {
        continue;
      }
      if (header->stored_size > waste) return fail(Errc::limit, "too many false block headers; not an honest file");
      waste -= header->stored_size;
      payload.resize(static_cast<std::size_t>(header->stored_size));
      if (!source.read_at(from + *at + kBlockHeaderSize, payload)) continue;
      if (parse_prefix(payload).part == ParityPart::repair) continue;
      if (hash::blake3(payload) != header->hash) continue;
      MMH_TRY(visit({from + *at, header->offset, payload}));
    }
  }
  return {};
}

std::vector<ParityHead> find_parity_heads(const RandomAccessSource& source) {
  struct Found {
    ParityHead head;
    bool true_place;
  };
  std::map<ParityId, Found> heads;
  std::vector<ParityId> order;
  const auto searched = search_parts(source, nullptr, [&](const FoundPart& part) -> Result<> {
    auto head = parse_head(part.payload);
    if (!head && part.payload.size() >= kParityShardLead && parse_prefix(part.payload).part == ParityPart::checks) {
      head = parse_head(part.payload.subspan(kParityPrefixSize, kParityHeadSize));
    }
    if (!head) return {};
    const auto [at, fresh] = heads.try_emplace(head->id, Found{*head, false});
    if (fresh) order.push_back(head->id);
    at->second.true_place |= part.place == part.offset;
    return {};
  });
  static_cast<void>(searched);  // what was found until then serves
  std::vector<ParityHead> list;
  for (const bool true_place : {true, false}) {
    // Of several the last one is the newest.
    for (auto id = order.rbegin(); id != order.rend(); ++id) {
      if (heads.at(*id).true_place == true_place) list.push_back(heads.at(*id).head);
    }
  }
  return list;
}

std::uint32_t SymbolSearch::weak_of(std::uint64_t symbol) const {
  return load_le<std::uint32_t>(table_.subspan(symbol * kParityCheckSize + kParityStrongSize));
}

std::uint64_t SymbolSearch::size_of(std::uint64_t symbol) const {
  return symbol < layout_.source_symbols() ? layout_.source_size(symbol) : layout_.symbol_size;
}

void SymbolSearch::want(std::uint64_t symbol) {
  // A short one cannot be told from the beginning of others.
  if (size_of(symbol) < kParityWeakWindow) return;
  const std::uint32_t weak = weak_of(symbol);
  if (filter_.empty()) filter_.resize((1u << kFilterBits) / 64);
  const std::uint32_t bit = filter_bit(weak);
  filter_[bit / 64] |= std::uint64_t{1} << bit % 64;
  wanted_.emplace(weak, symbol);
}

// Bytes matched at `place`.
std::optional<std::uint64_t> SymbolSearch::match(const RandomAccessSource& source, std::uint64_t place,
                                                 std::uint32_t weak,
                                                 const std::function<void(std::uint64_t, std::uint64_t)>& found) {
  auto [begin, end] = wanted_.equal_range(weak);
  std::optional<hash::Digest> whole;
  std::uint64_t matched = 0;
  for (auto at = begin; at != end;) {
    const std::uint64_t symbol = at->second;
    const std::uint64_t size = size_of(symbol);
    if (!range_within(place, size, source.size())) {
      ++at;
      continue;
    }
    hash::Digest digest;
    if (size == layout_.symbol_size && whole) {
      digest = *whole;
    } else {
      symbol_.resize(static_cast<std::size_t>(size));
      if (!source.read_at(place, symbol_)) {
        ++at;
        continue;
      }
      digest = hash::blake3(symbol_);
      hashed_ += size;
      if (size == layout_.symbol_size) whole = digest;
    }
    if (std::memcmp(digest.bytes.data(), table_.data() + symbol * kParityCheckSize, kParityStrongSize) != 0) {
      ++at;
      continue;
    }
    matched = std::max(matched, size);
    found(symbol, place);
    at = wanted_.erase(at);
  }
  if (matched == 0) return std::nullopt;
  return matched;
}

Result<> SymbolSearch::search(const RandomAccessSource& source, ByteRange range, const CancelFlag* cancel,
                              const std::function<void(std::uint64_t, std::uint64_t)>& found) {
  const std::uint64_t end = std::min(range.offset + range.length, source.size());
  const std::uint64_t hash_max = 16 * source.size() + (std::uint64_t{64} << 20);
  Buffer window;
  std::uint64_t at = range.offset;
  while (!wanted_.empty() && at < end && end - at >= kParityWeakWindow && hashed_ < hash_max) {
    MMH_TRY(check_cancelled(cancel));
    const std::uint64_t base = at;
    window.resize(static_cast<std::size_t>(std::min(kWindow, end - base)));
    read_readable(source, base, window);
    std::uint32_t weak = WeakHash::of(ByteView(window).first(kParityWeakWindow));
    std::optional<std::uint64_t> skip;
    for (std::size_t i = 0;;) {
      const std::uint32_t bit = filter_bit(weak);
      if ((filter_[bit / 64] >> bit % 64 & 1) != 0 && wanted_.contains(weak)) {
        skip = match(source, base + i, weak, found);
        if (skip) {
          at = base + i + *skip;
          break;
        }
        if (hashed_ >= hash_max) return {};
      }
      if (i + kParityWeakWindow == window.size()) break;
      weak = WeakHash::roll(weak, window[i], window[i + kParityWeakWindow]);
      ++i;
    }
    if (!skip) at = base + window.size() - kParityWeakWindow + 1;
  }
  return {};
}

}  // namespace mmh::pack
