#include "mmh/pack/pack_file.h"

#include <fmt/format.h>

#include <limits>

#include "mmh/base/cbor.h"
#include "mmh/base/check.h"
#include "mmh/codec/frame.h"
#include "mmh/hash/blake3.h"

namespace mmh::pack {

namespace {

enum Key : std::uint64_t {
  kVersion = 1,
  kFeatures = 2,
  kRoot = 3,
  kTop = 4,
  kBlockCount = 5,
  kIndex = 6,
  kGeneration = 7,
  kPrevious = 8,
  kWriter = 9,
  kLibraries = 10,
  kLevel = 11,
  kBase = 12,
};

constexpr std::size_t kSmallFrame = 64 << 10;  // up to here one write of a copy beats two writes

void write_place(CborWriter& out, const BlockInfo& block) {
  out.unsigned_integer(block.offset);
  out.unsigned_integer(block.stored_size);
  out.unsigned_integer(block.raw_size);
  out.bytes(block.hash.view());
}

Result<hash::Digest> read_digest(CborReader& in) {
  MMH_LET(const ByteView value, in.bytes());
  hash::Digest digest;
  if (value.size() != digest.bytes.size()) return fail(Errc::corrupt, "a hash is not 32 bytes long");
  std::memcpy(digest.bytes.data(), value.data(), value.size());
  return digest;
}

Result<> expect_array(CborReader& in, std::uint64_t count) {
  MMH_LET(const std::uint64_t found, in.array());
  if (found != count) return fail(Errc::corrupt, fmt::format("an array has {} items, not {}", found, count));
  return {};
}

Result<> read_place(CborReader& in, BlockInfo& block) {
  MMH_LET(block.offset, in.unsigned_integer());
  MMH_LET(block.stored_size, in.unsigned_integer());
  MMH_LET(block.raw_size, in.unsigned_integer());
  MMH_LET(block.hash, read_digest(in));
  if (block.stored_size > kStoredSizeMax || block.raw_size > codec::kRawSizeMax || block.offset < kHeaderSize ||
      block.offset > kPackSizeMax - kBlockHeaderSize - block.stored_size) {
    return fail(Errc::corrupt, "a block lies where none can be");
  }
  return {};
}

Result<> read_top(CborReader& in, Trailer& trailer) {
  MMH_TRY(expect_array(in, 5));
  MMH_LET(trailer.top.block, in.unsigned_integer());
  MMH_LET(trailer.top.hash, read_digest(in));
  MMH_LET(trailer.top.entries, in.unsigned_integer());
  MMH_LET(trailer.top.content_bytes, in.unsigned_integer());
  MMH_LET(const std::uint64_t height, in.unsigned_integer());
  if (height > kManifestHeightMax) return fail(Errc::corrupt, "the manifest is too high");
  trailer.height = static_cast<unsigned>(height);
  return {};
}

Result<> read_index(CborReader& in, Trailer& trailer) {
  MMH_LET(const std::uint64_t pages, in.array());
  for (std::uint64_t i = 0; i < pages; ++i) {
    MMH_TRY(expect_array(in, 5));
    IndexPage page;
    page.block.type = BlockType::index;
    MMH_LET(page.first_number, in.unsigned_integer());
    MMH_TRY(read_place(in, page.block));
    if (page.first_number != i * kIndexPageEntries) return fail(Errc::corrupt, "index pages are out of order");
    trailer.index.push_back(page);
  }
  return {};
}

Result<BaseName> read_base(CborReader& in) {
  BaseName base;
  MMH_TRY(expect_array(in, 2));
  MMH_LET(base.root, read_digest(in));
  MMH_LET(const ByteView name, in.bytes());
  base.name = base_name_of(as_text(name));
  if (base.name.size() != name.size()) return fail(Errc::corrupt, "the base has a name that no file can have");
  return base;
}

Result<> read_key(CborReader& in, std::uint64_t key, Trailer& trailer) {
  switch (key) {
    case kVersion: {
      MMH_LET(const std::uint64_t version, in.unsigned_integer());
      if (version != kFormatVersion) {
        return fail(Errc::unsupported,
                    fmt::format("pack format {} is not known to this version of MMH, which reads format "
                                "{}; a newer version may read it",
                                version, kFormatVersion));
      }
      return {};
    }
    case kFeatures: {
      MMH_LET(trailer.features, in.unsigned_integer());
      if (const std::string missing = missing_features(trailer.features); !missing.empty()) {
        return fail(Errc::unsupported, fmt::format("the pack needs what this version of MMH lacks: {}; a newer version "
                                                   "may read it",
                                                   missing));
      }
      return {};
    }
    case kRoot: {
      MMH_LET(trailer.root, read_digest(in));
      return {};
    }
    case kTop:
      return read_top(in, trailer);
    case kBlockCount: {
      MMH_LET(trailer.block_count, in.unsigned_integer());
      return {};
    }
    case kIndex:
      return read_index(in, trailer);
    case kGeneration: {
      MMH_LET(trailer.generation, in.unsigned_integer());
      return {};
    }
    case kPrevious: {
      MMH_LET(trailer.previous_trailer, in.unsigned_integer());
      return {};
    }
    case kWriter: {
      MMH_LET(trailer.writer, in.text());
      return {};
    }
    case kLibraries: {
      MMH_LET(const std::uint64_t count, in.array());
      for (std::uint64_t i = 0; i < count; ++i) {
        MMH_LET(const std::string_view library, in.text());
        trailer.libraries.emplace_back(library);
      }
      return {};
    }
    case kLevel: {
      MMH_LET(const std::int64_t level, in.integer());
      if (level < std::numeric_limits<int>::min() || level > std::numeric_limits<int>::max()) {
        return fail(Errc::corrupt, "the level is out of range");
      }
      trailer.level = static_cast<int>(level);
      return {};
    }
    case kBase: {
      MMH_LET(trailer.base, read_base(in));
      return {};
    }
    default:
      return in.skip();
  }
}

}  // namespace

std::string base_name_of(std::string_view name) {
  const bool refused = name.size() > kBaseNameMax || name == "." || name == ".." ||
                       name.find_first_of(std::string_view("/\0", 2)) != std::string_view::npos;
  return refused ? std::string() : std::string(name);
}

Buffer write_index_page(std::uint64_t first_number, std::span<const BlockInfo> blocks) {
  MMH_CHECK(blocks.size() <= kIndexPageEntries);
  Buffer raw;
  CborWriter out(raw);
  out.array(2);
  out.unsigned_integer(first_number);
  out.array(blocks.size());
  for (const BlockInfo& block : blocks) {
    out.array(5);
    out.unsigned_integer(static_cast<std::uint64_t>(block.type));
    write_place(out, block);
  }
  return raw;
}

Result<std::vector<BlockInfo>> parse_index_page(ByteView raw, std::uint64_t first_number) {
  CborReader in(raw);
  MMH_TRY(expect_array(in, 2));
  MMH_LET(const std::uint64_t first, in.unsigned_integer());
  if (first != first_number) {
    return fail(Errc::corrupt, fmt::format("the page begins with block {}, not {}", first, first_number));
  }
  MMH_LET(const std::uint64_t count, in.array());
  if (count == 0 || count > kIndexPageEntries) return fail(Errc::corrupt, "the page has no entries or too many");
  std::vector<BlockInfo> blocks(count);
  for (BlockInfo& block : blocks) {
    MMH_TRY(expect_array(in, 5));
    MMH_LET(const std::uint64_t type, in.unsigned_integer());
    block.type = static_cast<BlockType>(type);
    if (type == 0 || type > 0xffff || block.type == BlockType::index || block.type == BlockType::trailer) {
      return fail(Errc::corrupt, "a block is of a type that has no number");
    }
    MMH_TRY(read_place(in, block));
  }
  MMH_TRY(in.finish());
  return blocks;
}

Buffer write_trailer(const Trailer& trailer) {
  Buffer raw;
  CborWriter out(raw);
  out.map(trailer.base ? 12 : 11);
  out.unsigned_integer(kVersion);
  out.unsigned_integer(trailer.version);
  out.unsigned_integer(kFeatures);
  out.unsigned_integer(trailer.features);
  out.unsigned_integer(kRoot);
  out.bytes(trailer.root.view());
  out.unsigned_integer(kTop);
  out.array(5);
  out.unsigned_integer(trailer.top.block);
  out.bytes(trailer.top.hash.view());
  out.unsigned_integer(trailer.top.entries);
  out.unsigned_integer(trailer.top.content_bytes);
  out.unsigned_integer(trailer.height);
  out.unsigned_integer(kBlockCount);
  out.unsigned_integer(trailer.block_count);
  out.unsigned_integer(kIndex);
  out.array(trailer.index.size());
  for (const IndexPage& page : trailer.index) {
    out.array(5);
    out.unsigned_integer(page.first_number);
    write_place(out, page.block);
  }
  out.unsigned_integer(kGeneration);
  out.unsigned_integer(trailer.generation);
  out.unsigned_integer(kPrevious);
  out.unsigned_integer(trailer.previous_trailer);
  out.unsigned_integer(kWriter);
  out.text(trailer.writer);
  out.unsigned_integer(kLibraries);
  out.array(trailer.libraries.size());
  for (const std::string& library : trailer.libraries) out.text(library);
  out.unsigned_integer(kLevel);
  out.integer(trailer.level);
  if (trailer.base) {
    out.unsigned_integer(kBase);
    out.array(2);
    out.bytes(trailer.base->root.view());
    out.bytes(as_bytes(trailer.base->name));
  }
  return raw;
}

Result<Trailer> parse_trailer(ByteView raw) {
  CborReader in(raw);
  MMH_LET(const std::uint64_t count, in.map());
  Trailer trailer;
  std::uint64_t last = 0;
  unsigned known = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    MMH_LET(const std::uint64_t key, in.unsigned_integer());
    if (key <= last) return fail(Errc::corrupt, "trailer fields are out of order");
    MMH_TRY(read_key(in, key, trailer));
    if (key <= kLevel) ++known;
    last = key;
  }
  MMH_TRY(in.finish());
  if (known != kLevel) return fail(Errc::corrupt, "the trailer lacks fields");
  if (trailer.base.has_value() != ((trailer.features & kFeatureBase) != 0)) {
    return fail(Errc::corrupt, "the trailer contradicts itself about a base");
  }
  const std::uint64_t pages =
      trailer.block_count / kIndexPageEntries + (trailer.block_count % kIndexPageEntries != 0 ? 1 : 0);
  if (trailer.index.size() != pages || trailer.top.block >= trailer.block_count) {
    return fail(Errc::corrupt, "the trailer contradicts itself");
  }
  return trailer;
}

Result<std::unique_ptr<PackFileWriter>> PackFileWriter::create(ByteSink& sink, bool may_need_base) {
  std::unique_ptr<PackFileWriter> writer(new PackFileWriter(sink));
  Buffer header(kHeaderSize);
  write_header(PackHeader{.features = may_need_base ? std::uint64_t{kFeatureBase} : 0}, header);
  MMH_TRY(sink.write(header));
  writer->offset_ = kHeaderSize;
  return writer;
}

std::unique_ptr<PackFileWriter> PackFileWriter::resume(ByteSink& sink, std::uint64_t size, const Trailer& old_trailer,
                                                       std::uint64_t old_trailer_offset,
                                                       std::vector<BlockInfo> tail_blocks) {
  MMH_CHECK(tail_blocks.size() == old_trailer.block_count % kIndexPageEntries);
  std::unique_ptr<PackFileWriter> writer(new PackFileWriter(sink));
  writer->offset_ = size;
  writer->next_number_ = old_trailer.block_count;
  writer->pending_ = std::move(tail_blocks);
  writer->index_ = old_trailer.index;
  if (!writer->pending_.empty()) writer->index_.pop_back();
  writer->generation_ = old_trailer.generation + 1;
  writer->previous_trailer_ = old_trailer_offset;
  writer->base_ = old_trailer.base;
  return writer;
}

Result<BlockInfo> PackFileWriter::write_block(BlockType type, std::uint64_t number, ByteView frame,
                                              std::uint64_t raw_size, const hash::Digest& hash) {
  if (frame.size() > kStoredSizeMax || raw_size > codec::kRawSizeMax) {
    return fail(Errc::limit, fmt::format("a block of {} stored and {} raw bytes is larger than the pack format allows",
                                         frame.size(), raw_size));
  }
  if (offset_ > kPackSizeMax - kStoredSizeMax - 2 * kBlockHeaderSize) {
    return fail(Errc::limit, "the pack is larger than 2^63 bytes");
  }
  const BlockHeader header{type, number, offset_, frame.size(), raw_size, hash};
  Buffer bytes(kBlockHeaderSize);
  write_block_header(header, bytes);
  const bool together = frame.size() <= kSmallFrame;
  if (together) append(bytes, frame);
  MMH_TRY(sink_.write(bytes));
  if (!together) MMH_TRY(sink_.write(frame));
  offset_ += kBlockHeaderSize + frame.size();
  return BlockInfo{type, header.offset, header.stored_size, raw_size, hash};
}

Result<std::uint64_t> PackFileWriter::add_block(BlockType type, ByteView frame, std::uint64_t raw_size,
                                                const hash::Digest& hash) {
  MMH_CHECK(type != BlockType::index && type != BlockType::trailer);
  MMH_LET(BlockInfo block, write_block(type, next_number_, frame, raw_size, hash));
  pending_.push_back(block);
  const std::uint64_t number = next_number_++;
  if (pending_.size() == kIndexPageEntries) MMH_TRY(flush_index_page());
  return number;
}

Result<> PackFileWriter::flush_index_page() {
  const std::uint64_t first_number = next_number_ - pending_.size();
  const Buffer raw = write_index_page(first_number, pending_);
  // Stored as they are: nearly all of a page is hashes. No codec is needed for that.
  MMH_LET(const Buffer frame, codec::encode_frame(codec::Registry({}), codec::Plan{}, raw));
  MMH_LET(const BlockInfo block, write_block(BlockType::index, kUnnumbered, frame, raw.size(), hash::blake3(frame)));
  index_.push_back({first_number, block});
  pending_.clear();
  return {};
}

Result<Trailer> PackFileWriter::finish(Trailer trailer) {
  if (!pending_.empty()) MMH_TRY(flush_index_page());
  trailer.version = kFormatVersion;
  trailer.base = base_;
  trailer.features = base_ ? std::uint64_t{kFeatureBase} : 0;
  trailer.block_count = next_number_;
  trailer.index = std::move(index_);
  trailer.generation = generation_;
  trailer.previous_trailer = previous_trailer_;
  const Buffer raw = write_trailer(trailer);
  if (raw.size() > codec::kRawSizeMax) return fail(Errc::limit, "the pack has too many blocks");

  // One write: a killed append leaves either no trailer or, but for a write torn in two, all of it.
  const hash::Digest digest = hash::blake3(raw);
  Footer footer;
  Buffer tail;
  tail.reserve(2 * (kBlockHeaderSize + raw.size()) + kFooterSize);
  for (std::uint64_t& place : footer.trailers) {
    place = offset_ + tail.size();
    tail.resize(tail.size() + kBlockHeaderSize);
    write_block_header({BlockType::trailer, kUnnumbered, place, raw.size(), raw.size(), digest},
                       Bytes(tail).last(kBlockHeaderSize));
    append(tail, raw);
  }
  footer.offset = offset_ + tail.size();
  tail.resize(tail.size() + kFooterSize);
  write_footer(footer, Bytes(tail).last(kFooterSize));
  MMH_TRY(sink_.write(tail));
  offset_ += tail.size();
  return trailer;
}

}  // namespace mmh::pack
