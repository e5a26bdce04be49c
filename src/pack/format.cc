#include "mmh/pack/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "mmh/base/check.h"
#include "mmh/base/checked.h"
#include "mmh/codec/frame.h"
#include "mmh/hash/blake3.h"

namespace mmh::pack {

namespace {

// Each magic opens with a byte or letters that text tools leave alone, and ends so that line-end conversion breaks it.
constexpr std::array<unsigned char, 8> kHeaderMagic{0x89, 'M', 'M', 'H', 0x0D, 0x0A, 0x1A, 0x0A};
constexpr std::array<unsigned char, 8> kBlockMagic{'M', 'M', 'H', 'B', 0xF1, 0x0D, 0x0A, 0x1A};
constexpr std::array<unsigned char, 8> kFooterMagic{'M', 'M', 'H', 'E', 0xF2, 0x0D, 0x0A, 0x1A};

bool starts_with(ByteView in, const std::array<unsigned char, 8>& magic) {
  return in.size() >= magic.size() && std::memcmp(in.data(), magic.data(), magic.size()) == 0;
}

// As far as there are bytes.
bool begins_like(ByteView in, const std::array<unsigned char, 8>& magic) {
  return std::memcmp(in.data(), magic.data(), std::min(in.size(), magic.size())) == 0;
}

// The last `check_size` bytes of a fixed structure are the head of the hash of what stands before them.
void write_check(Bytes structure, std::size_t check_size) {
  const std::size_t covered = structure.size() - check_size;
  const hash::Digest digest = hash::blake3(structure.first(covered));
  std::memcpy(structure.data() + covered, digest.bytes.data(), check_size);
}

bool check_holds(ByteView structure, std::size_t check_size) {
  const std::size_t covered = structure.size() - check_size;
  const hash::Digest digest = hash::blake3(structure.first(covered));
  return std::memcmp(structure.data() + covered, digest.bytes.data(), check_size) == 0;
}

bool all_zero(ByteView in) {
  return std::all_of(in.begin(), in.end(), [](std::byte value) { return value == std::byte{0}; });
}

}  // namespace

std::string missing_features(std::uint64_t features) {
  std::string names;
  const std::uint64_t missing = features & ~kFeaturesKnown;
  for (unsigned bit = 0; bit < 64; ++bit) {
    const std::uint64_t flag = std::uint64_t{1} << bit;
    if ((missing & flag) == 0) continue;
    if (!names.empty()) names += ", ";
    if (flag == kFeatureEncryption) {
      names += "encryption (bit 0)";
    } else {
      names += fmt::format("bit {}", bit);
    }
  }
  return names;
}

std::string_view block_type_name(BlockType type) {
  switch (type) {
    case BlockType::data:
      return "data";
    case BlockType::dictionary:
      return "dictionary";
    case BlockType::extents:
      return "extent list";
    case BlockType::manifest:
      return "manifest page";
    case BlockType::index:
      return "index page";
    case BlockType::trailer:
      return "trailer";
    case BlockType::parity:
      return "parity";
    case BlockType::signature:
      return "signature";
    case BlockType::key:
      return "key";
  }
  return "unknown type";
}

void write_header(const PackHeader& header, Bytes out) {
  MMH_CHECK(out.size() == kHeaderSize);
  std::ranges::fill(out, std::byte{0});
  std::memcpy(out.data(), kHeaderMagic.data(), kHeaderMagic.size());
  store_le<std::uint32_t>(out.subspan(8), header.version);
  store_le<std::uint32_t>(out.subspan(12), kHeaderSize);
  store_le<std::uint64_t>(out.subspan(16), header.features);
  write_check(out, 16);
}

Result<PackHeader> parse_header(ByteView in) {
  if (!starts_with(in, kHeaderMagic))
    return fail(Errc::corrupt, "not an MMH pack: it does not begin with the magic bytes");
  if (in.size() < kHeaderSize) return fail(Errc::corrupt, "the pack header is cut short");
  in = in.first(kHeaderSize);
  if (!check_holds(in, 16)) return fail(Errc::corrupt, "the pack header is damaged: its check does not match");
  PackHeader header;
  header.version = load_le<std::uint32_t>(in.subspan(8));
  header.features = load_le<std::uint64_t>(in.subspan(16));
  if (header.version != kFormatVersion) {
    return fail(Errc::unsupported,
                fmt::format("pack format {} is not known to this version of MMH, which reads format {}; "
                            "a newer version may read it",
                            header.version, kFormatVersion));
  }
  if (const std::string missing = missing_features(header.features); !missing.empty()) {
    return fail(Errc::unsupported,
                fmt::format("the pack needs what this version of MMH lacks: {}; a newer version may read it", missing));
  }
  if (load_le<std::uint32_t>(in.subspan(12)) != kHeaderSize || !all_zero(in.subspan(24, 24))) {
    return fail(Errc::corrupt, "the pack header contradicts itself");
  }
  return header;
}

void write_block_header(const BlockHeader& header, Bytes out) {
  MMH_CHECK(out.size() == kBlockHeaderSize);
  std::memcpy(out.data(), kBlockMagic.data(), kBlockMagic.size());
  store_le<std::uint16_t>(out.subspan(8), static_cast<std::uint16_t>(header.type));
  store_le<std::uint16_t>(out.subspan(10), 0);
  store_le<std::uint32_t>(out.subspan(12), 0);
  store_le<std::uint64_t>(out.subspan(16), header.number);
  store_le<std::uint64_t>(out.subspan(24), header.offset);
  store_le<std::uint64_t>(out.subspan(32), header.stored_size);
  store_le<std::uint64_t>(out.subspan(40), header.raw_size);
  std::memcpy(out.data() + 48, header.hash.bytes.data(), header.hash.bytes.size());
  write_check(out, 8);
}

Result<BlockHeader> parse_block_header(ByteView in) {
  if (in.size() < kBlockHeaderSize) return fail(Errc::corrupt, "a block header is cut short");
  in = in.first(kBlockHeaderSize);
  if (!starts_with(in, kBlockMagic)) return fail(Errc::corrupt, "no block begins here");
  if (!check_holds(in, 8)) return fail(Errc::corrupt, "a block header is damaged: its check does not match");
  BlockHeader header;
  header.type = static_cast<BlockType>(load_le<std::uint16_t>(in.subspan(8)));
  header.number = load_le<std::uint64_t>(in.subspan(16));
  header.offset = load_le<std::uint64_t>(in.subspan(24));
  header.stored_size = load_le<std::uint64_t>(in.subspan(32));
  header.raw_size = load_le<std::uint64_t>(in.subspan(40));
  std::memcpy(header.hash.bytes.data(), in.data() + 48, header.hash.bytes.size());
  const bool numbered = header.type != BlockType::index && header.type != BlockType::trailer;
  if (load_le<std::uint16_t>(in.subspan(8)) == 0 || !all_zero(in.subspan(10, 6)) ||
      header.stored_size > kStoredSizeMax || header.raw_size > codec::kRawSizeMax ||
      header.offset > kPackSizeMax - kBlockHeaderSize - header.stored_size ||
      (!numbered && header.number != kUnnumbered)) {
    return fail(Errc::corrupt, "a block header contradicts itself");
  }
  return header;
}

std::optional<std::size_t> find_block_magic(ByteView in, std::size_t from) {
  if (from >= in.size()) return std::nullopt;
  const void* const found = ::memmem(in.data() + from, in.size() - from, kBlockMagic.data(), kBlockMagic.size());
  if (found == nullptr) return std::nullopt;
  return static_cast<std::size_t>(static_cast<const std::byte*>(found) - in.data());
}

bool begins_like_pack(ByteView in) { return !in.empty() && begins_like(in, kHeaderMagic); }

bool begins_like_block_or_footer(ByteView in) { return begins_like(in, kBlockMagic) || begins_like(in, kFooterMagic); }

void write_footer(const Footer& footer, Bytes out) {
  MMH_CHECK(out.size() == kFooterSize);
  std::ranges::fill(out, std::byte{0});
  std::memcpy(out.data(), kFooterMagic.data(), kFooterMagic.size());
  store_le<std::uint64_t>(out.subspan(8), footer.offset);
  store_le<std::uint64_t>(out.subspan(16), footer.trailers[0]);
  store_le<std::uint64_t>(out.subspan(24), footer.trailers[1]);
  write_check(out, 16);
}

Result<Footer> parse_footer(ByteView in) {
  if (in.size() < kFooterSize) return fail(Errc::corrupt, "the footer is cut short");
  in = in.first(kFooterSize);
  if (!starts_with(in, kFooterMagic)) return fail(Errc::corrupt, "no footer stands here");
  if (!check_holds(in, 16)) return fail(Errc::corrupt, "the footer is damaged: its check does not match");
  Footer footer;
  footer.offset = load_le<std::uint64_t>(in.subspan(8));
  footer.trailers[0] = load_le<std::uint64_t>(in.subspan(16));
  footer.trailers[1] = load_le<std::uint64_t>(in.subspan(24));
  if (footer.offset > kPackSizeMax - kFooterSize || footer.trailers[0] >= footer.trailers[1] ||
      footer.trailers[1] >= footer.offset || !all_zero(in.subspan(32, 16))) {
    return fail(Errc::corrupt, "the footer contradicts itself");
  }
  return footer;
}

}  // namespace mmh::pack
