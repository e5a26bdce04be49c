#include "lanes.h"

#include <algorithm>
#include <span>
#include <tuple>
#include <utility>

namespace mmh::pack {

namespace {

// Below this, a type's remainder shares a block with other remainders: a block of its own would cost more than it
// gains.
constexpr std::size_t kRemainderMax = std::size_t{128} << 10;
// A whole block is read for one small file: those of tiny files end sooner.
constexpr std::size_t kBlockChunksMax = 6144;
constexpr std::size_t kTypedRemainderMax = std::size_t{16} << 10;

// Files of a lane that are remembered to find likeness by; then it begins anew.
constexpr std::size_t kRememberedMax = std::size_t{1} << 16;
constexpr std::size_t kVersionsMax = 8;  // of one name, one of each group

std::string_view name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::uint32_t extension_key(std::string_view path) {
  const auto name = name_of(path);
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || name.size() - dot > 10) return 0;
  // FNV-1a: any fixed order of extensions serves, as long as equal ones meet.
  std::uint32_t hash = 2166136261u;
  for (const char c : name.substr(dot)) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

// Behind the chunks of the file that one of them begins, and their bytes.
std::pair<std::size_t, std::size_t> file_from(std::span<const WaitingChunk> chunks, std::size_t at) {
  const std::uint64_t file = chunks[at].key.file;
  std::size_t size = 0;
  for (; at < chunks.size() && chunks[at].key.file == file; ++at) size += chunks[at].data.size();
  return {at, size};
}

}  // namespace

std::optional<std::uint64_t> Lanes::Lane::find_group(std::string_view name, const chunking::Sketch* sketch) const {
  if (sketch != nullptr) {
    for (std::size_t i = 0; i < sketch->super_features.size(); ++i) {
      const auto found = group_of_feature.find(chunking::super_feature_key(*sketch, i));
      if (found != group_of_feature.end()) return found->second;
    }
  }
  const auto versions = versions_of_name.find(std::string(name));
  if (versions == versions_of_name.end()) return std::nullopt;
  for (const Version& version : versions->second) {
    const bool is_known = sketch != nullptr && version.sketch;
    if (!is_known || chunking::have_common_feature(*sketch, *version.sketch)) return version.group;
  }
  return std::nullopt;
}

void Lanes::Lane::remember(std::string_view name, const chunking::Sketch* sketch, std::uint64_t group) {
  if (++remembered > kRememberedMax) forget();
  std::vector<Version>& versions = versions_of_name[std::string(name)];
  if (versions.size() < kVersionsMax && std::ranges::find(versions, group, &Version::group) == versions.end()) {
    versions.push_back({group, sketch == nullptr ? std::nullopt : std::optional(*sketch)});
  }
  if (sketch == nullptr) return;
  for (std::size_t i = 0; i < sketch->super_features.size(); ++i) {
    group_of_feature.try_emplace(chunking::super_feature_key(*sketch, i), group);
  }
}

void Lanes::Lane::forget() {
  group_of_feature.clear();
  versions_of_name.clear();
  remembered = 0;
}

LikenessKey Lanes::key_for(const content::ContentType& type, std::string_view path, const chunking::Sketch* sketch) {
  Lane& lane = lanes_[{BaseUse::none, type}];
  const std::string_view name = name_of(path);
  LikenessKey key{extension_key(path), 0, ++files_, 0};
  key.group = lane.find_group(name, sketch).value_or(key.file);
  lane.remember(name, sketch, key.group);
  return key;
}

void Lanes::add(const content::ContentType& type, WaitingChunk chunk) {
  chunk.key.sequence = ++sequence_;
  if (chunk.owner->waiting_chunks++ == 0) held_bytes_ += chunk.owner->bytes.size();
  Lane& lane = lanes_[{chunk.use, type}];
  lane.bytes += chunk.data.size();
  lane.chunks.push_back(std::move(chunk));
  ++waiting_;
}

void Lanes::release(const WaitingChunk& chunk) {
  if (--chunk.owner->waiting_chunks == 0) held_bytes_ -= chunk.owner->bytes.size();
  --waiting_;
}

std::vector<BlockContent> Lanes::cut(const LaneKey& key, Lane& lane, std::size_t block_size, bool all) {
  const auto& [use, type] = key;
  std::ranges::sort(lane.chunks, {}, &WaitingChunk::key);
  std::vector<BlockContent> blocks;
  BlockContent block{type, {}, 0, use};
  std::size_t ranges = 0;
  std::size_t begin = 0;     // of the block that is being filled
  std::size_t file_end = 0;  // behind the chunks of the file at hand
  bool together = false;     // whether they stay together
  for (std::size_t i = 0; i < lane.chunks.size(); ++i) {
    std::size_t size = lane.chunks[i].data.size();
    ranges += lane.chunks[i].base.size();
    std::size_t room = block_size;
    if (i < file_end) {
      if (together) room = block.size + size;
    } else if (type.is_whole) {
      std::size_t file_size = 0;
      std::tie(file_end, file_size) = file_from(lane.chunks, i);
      together = file_size <= whole_max_;
      if (together) size = file_size;
    }
    const bool full = block.size + size > room || i - begin == kBlockChunksMax || ranges > codec::kBaseRangesMax;
    if (full && block.size > 0) {
      block.chunks.assign(std::make_move_iterator(lane.chunks.begin() + static_cast<std::ptrdiff_t>(begin)),
                          std::make_move_iterator(lane.chunks.begin() + static_cast<std::ptrdiff_t>(i)));
      blocks.push_back(std::exchange(block, BlockContent{type, {}, 0, use}));
      begin = i;
      ranges = lane.chunks[i].base.size();
    }
    block.size += lane.chunks[i].data.size();
  }
  if ((all || blocks.empty()) && block.size > 0) {
    block.chunks.assign(std::make_move_iterator(lane.chunks.begin() + static_cast<std::ptrdiff_t>(begin)),
                        std::make_move_iterator(lane.chunks.end()));
    blocks.push_back(std::move(block));
    begin = lane.chunks.size();
  }
  lane.chunks.erase(lane.chunks.begin(), lane.chunks.begin() + static_cast<std::ptrdiff_t>(begin));
  for (const BlockContent& taken : blocks) {
    lane.bytes -= taken.size;
    for (const WaitingChunk& chunk : taken.chunks) release(chunk);
  }
  if (lane.chunks.empty()) lane.forget();
  return blocks;
}

std::vector<BlockContent> Lanes::take_largest(const BlockSizeOf& block_size_of) {
  const auto largest = std::ranges::max_element(lanes_, {}, [](const auto& lane) { return lane.second.bytes; });
  std::vector<BlockContent> blocks = cut(largest->first, largest->second, block_size_of(largest->first.second), false);
  if (largest->second.chunks.empty()) lanes_.erase(largest);
  return blocks;
}

// Small remainders of one use, together.
std::vector<BlockContent> Lanes::take_remainders(BaseUse use, const BlockSizeOf& block_size_of) {
  Lane mixed;
  content::ContentType mixed_type;
  std::uint64_t largest = 0;
  for (auto lane = lanes_.begin(); lane != lanes_.end();) {
    const content::ContentType type = lane->first.second;
    Lane& waiting = lane->second;
    // Numbers change by little only beside those that they were, and what is taken as a whole has a codec of its own.
    const bool alone = type.is_whole || (use == BaseUse::changed && type.has_elements);
    if (lane->first.first != use || alone ||
        waiting.bytes >= (type.has_elements ? kTypedRemainderMax : kRemainderMax)) {
      ++lane;
      continue;
    }
    if (waiting.bytes > largest) {
      largest = waiting.bytes;
      mixed_type = type;
    }
    // Only what stands alone keeps its elements: those of others begin anywhere.
    if (!mixed.chunks.empty()) mixed_type = content::ContentType(mixed_type.content);
    std::ranges::move(waiting.chunks, std::back_inserter(mixed.chunks));
    mixed.bytes += waiting.bytes;
    lane = lanes_.erase(lane);
  }
  return cut({use, mixed_type}, mixed, block_size_of(mixed_type), true);
}

std::vector<BlockContent> Lanes::take_all(const BlockSizeOf& block_size_of) {
  std::vector<BlockContent> blocks = take_remainders(BaseUse::none, block_size_of);
  for (const BaseUse use : {BaseUse::copied, BaseUse::changed}) {
    std::ranges::move(take_remainders(use, block_size_of), std::back_inserter(blocks));
  }
  for (auto& [key, lane] : lanes_) {
    std::ranges::move(cut(key, lane, block_size_of(key.second), true), std::back_inserter(blocks));
  }
  lanes_.clear();
  // Largest first, so that threads finish together.
  std::ranges::stable_sort(blocks, std::ranges::greater{}, &BlockContent::size);
  return blocks;
}

}  // namespace mmh::pack
