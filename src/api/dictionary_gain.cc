#include "dictionary_gain.h"

#include <algorithm>
#include <vector>

#include "mmh/codec/frame.h"
#include "mmh/codecs/builtin.h"

namespace mmh {

namespace {

constexpr std::size_t kBlocksTriedMax = 64;
constexpr std::size_t kRawSizeMax = std::size_t{256} << 10;  // larger blocks are packed without a dictionary
constexpr int kTrialLevel = 9;

using codec::Dictionary;

Result<Buffer> decode(const pack::Reader& reader, std::uint64_t number, const codec::DecodeContext& context) {
  MMH_LET(const pack::BlockInfo block, reader.block_info(number));
  MMH_LET(const Buffer stored, reader.read_stored(number));
  Buffer raw(block.raw_size);
  MMH_TRY(codec::decode_frame(codecs::builtin_registry(), stored, raw, context));
  return raw;
}

Result<std::size_t> size_with(ByteView raw, std::shared_ptr<const Dictionary> dictionary) {
  codec::Plan plan;
  plan.codec = codec::CodecId::zstd;
  plan.options.level = kTrialLevel;
  plan.options.dictionary = std::move(dictionary);
  MMH_LET(const Buffer frame, codec::encode_frame(codecs::builtin_registry(), plan, raw));
  return frame.size();
}

}  // namespace

Result<DictionaryTotals> dictionary_totals(const pack::Reader& reader) {
  DictionaryTotals totals;
  std::vector<std::uint64_t> small_blocks;
  for (std::uint64_t number = 0; number < reader.trailer().block_count; ++number) {
    MMH_LET(const pack::BlockInfo block, reader.block_info(number));
    if (block.type == pack::BlockType::dictionary) {
      ++totals.dictionaries;
      totals.stored_bytes += block.stored_size;
    } else if (block.type == pack::BlockType::data && block.raw_size <= kRawSizeMax) {
      small_blocks.push_back(number);
    }
  }
  if (totals.dictionaries == 0) return totals;
  std::shared_ptr<const Dictionary> used;
  codec::DecodeContext context;
  context.dictionary = [&](std::uint64_t number) -> Result<std::shared_ptr<const Dictionary>> {
    MMH_LET(const pack::BlockInfo block, reader.block_info(number));
    if (block.type != pack::BlockType::dictionary || block.raw_size > codec::kRawSizeMax) {
      return fail(Errc::corrupt, "a frame names a block as its dictionary that is none");
    }
    MMH_LET(Buffer bytes, decode(reader, number, {}));
    used = std::make_shared<const Dictionary>(Dictionary{number, std::move(bytes)});
    return used;
  };
  const std::size_t tried = std::min(small_blocks.size(), kBlocksTriedMax);
  for (std::size_t i = 0; i < tried; ++i) {
    used = nullptr;
    MMH_LET(const Buffer raw, decode(reader, small_blocks[i * small_blocks.size() / tried], context));
    if (used == nullptr) continue;
    MMH_LET(const std::size_t with, size_with(raw, used));
    MMH_LET(const std::size_t without, size_with(raw, nullptr));
    ++totals.blocks_tried;
    totals.tried_bytes_with += with;
    totals.tried_bytes_without += without;
  }
  return totals;
}

}  // namespace mmh
