#include "codecs/codecs_support.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "mmh/base/check.h"
#include "mmh/codecs/builtin.h"
#include "support/seeded.h"

namespace mmh::test {
namespace {

using codec::Branch;
using codec::CodecId;
using codec::EncodeOptions;
using codec::Field;

std::vector<Variant> make_variants() {
  std::vector<Variant> all;
  for (const int level : {-5, 1, 3, 9, 13, 16, 22}) {
    all.push_back({"zstd" + std::string(level < 0 ? "_fast" : "_") + std::to_string(std::abs(level)), CodecId::zstd,
                   EncodeOptions{.level = level}, level > 9});
  }
  all.push_back({"zstd_window_10", CodecId::zstd, {.level = 3, .window_log = 10}});
  all.push_back({"zstd_window_27_long", CodecId::zstd, {.level = 3, .window_log = 27, .long_matches = true}});
  all.push_back({"zstd_dictionary", CodecId::zstd, {.level = 3, .dictionary = test_dictionary()}});
  all.push_back({"zstd_dictionary_19", CodecId::zstd, {.level = 19, .dictionary = test_dictionary()}, true});
  all.push_back({"lz4_fast", CodecId::lz4, {.level = -8}});
  all.push_back({"lz4_1", CodecId::lz4, {.level = 1}});
  all.push_back({"lz4_hc_3", CodecId::lz4, {.level = 3}});
  all.push_back({"lz4_hc_12", CodecId::lz4, {.level = 12}, true});
  for (const int quality : {0, 1, 5, 9}) {
    all.push_back({"brotli_" + std::to_string(quality), CodecId::brotli, EncodeOptions{.level = quality}, quality > 5});
  }
  all.push_back({"brotli_11_text", CodecId::brotli, {.level = 11, .text = true}, true});
  all.push_back({"brotli_window_10", CodecId::brotli, {.level = 5, .window_log = 10}});
  all.push_back({"brotli_window_26", CodecId::brotli, {.level = 5, .window_log = 26}});
  all.push_back({"lzma_0", CodecId::lzma, {.level = 0}});
  all.push_back({"lzma_6", CodecId::lzma, {.level = 6}, true});
  all.push_back({"lzma_9_extreme_text", CodecId::lzma, {.level = 9, .text = true, .extreme = true}, true});
  all.push_back({"lzma_window_12", CodecId::lzma, {.level = 1, .window_log = 12}, true});
  all.push_back({"lzma_lc0_lp4_pb4", CodecId::lzma, {.level = 1, .lc = 0, .lp = 4, .pb = 4}, true});
  all.push_back({"lzma_lc4", CodecId::lzma, {.level = 1, .lc = 4, .lp = 0, .pb = 0}, true});
  all.push_back({"lzma_x86", CodecId::lzma, {.level = 1, .branch = Branch::x86}, true});
  all.push_back(
      {"lzma_arm64_delta_256", CodecId::lzma, {.level = 1, .branch = Branch::arm64, .delta_distance = 256}, true});
  all.push_back({"lzma_delta_1", CodecId::lzma, {.level = 1, .delta_distance = 1}, true});
  for (const int level : {0, 1, 6, 12}) {
    all.push_back({"deflate_" + std::to_string(level), CodecId::deflate, EncodeOptions{.level = level}, level > 9});
  }
  for (const unsigned distance : {1u, 2u, 3u, 4u, 8u, 32u, 1000u, 65535u}) {
    all.push_back({"delta_bytes_" + std::to_string(distance), CodecId::delta, EncodeOptions{.width = distance}});
  }
  for (const unsigned width : {1u, 2u, 4u, 8u}) {
    all.push_back(
        {"delta_integers_" + std::to_string(width), CodecId::delta, EncodeOptions{.width = width, .integers = true}});
    all.push_back({"delta_integers_" + std::to_string(width) + "_three_apart", CodecId::delta,
                   EncodeOptions{.width = width, .integers = true, .delta_distance = 3 * width}});
    all.push_back({"delta_integers_" + std::to_string(width) + "_begun_before", CodecId::delta,
                   EncodeOptions{.width = width, .integers = true, .phase = width - 1}});
  }
  for (const unsigned width : {2u, 3u, 4u, 5u, 8u, 12u, 16u, 31u, 64u}) {
    all.push_back({"transpose_" + std::to_string(width), CodecId::transpose, EncodeOptions{.width = width}});
  }
  for (const unsigned width : {1u, 2u, 3u, 8u}) {
    all.push_back({"run_length_" + std::to_string(width), CodecId::run_length, EncodeOptions{.width = width}});
    all.push_back({"palette_" + std::to_string(width), CodecId::palette, EncodeOptions{.width = width}});
  }
  for (const unsigned width : {1u, 2u, 4u, 8u}) {
    all.push_back({"bit_pack_" + std::to_string(width), CodecId::bit_pack, EncodeOptions{.width = width}});
    all.push_back({"bit_planes_" + std::to_string(width), CodecId::bit_planes, EncodeOptions{.width = width}});
    all.push_back({"byte_swap_" + std::to_string(width), CodecId::byte_swap, EncodeOptions{.width = width}});
    all.push_back({"zigzag_" + std::to_string(width), CodecId::zigzag, EncodeOptions{.width = width}});
    all.push_back({"xor_delta_" + std::to_string(width), CodecId::xor_delta, EncodeOptions{.width = width}});
  }
  all.push_back({"pattern", CodecId::pattern, {}});
  const Field text{.kind = Field::Kind::terminated, .terminator = ' '};
  const Field line{.kind = Field::Kind::terminated, .terminator = '\n', .stream = 1};
  const Field string{.kind = Field::Kind::prefixed, .stream = 2};
  all.push_back({"records_none", CodecId::records, {}});
  all.push_back(
      {"records_fixed", CodecId::records, {.layout = layout_of({{{.width = 4}, {.width = 20, .stream = 1}}})}});
  all.push_back({"records_fixed_behind_a_head",
                 CodecId::records,
                 {.layout = layout_of({{{.width = 1}, {.width = 2, .stream = 3}, {.width = 8, .stream = 1}}}, 5)}});
  all.push_back({"records_in_one_stream", CodecId::records, {.layout = layout_of({{{.width = 3}, {.width = 3}}})}});
  all.push_back({"records_lines", CodecId::records, {.layout = layout_of({{text, text, line}, {text, line}})}});
  all.push_back({"records_words", CodecId::records, {.layout = layout_of({{text}})}});
  all.push_back({"records_strings", CodecId::records, {.layout = layout_of({{string, {.width = 2}}})}});
  auto marked =
      std::make_shared<codec::RecordLayout>(*layout_of({{{.width = 6}, string}, {{.width = 9, .stream = 1}}}));
  marked->schemas[0].signature = {std::byte{0xe8}};
  marked->schemas[1].signature = {std::byte{0}, std::byte{0}};
  all.push_back({"records_marked", CodecId::records, {.layout = marked}});
  for (const unsigned width : {1u, 2u, 4u, 7u, 24u}) {
    all.push_back({"tokens_" + std::to_string(width), CodecId::tokens, {.token = {.width = width}}});
  }
  all.push_back({"tokens_words", CodecId::tokens, {.token = text}});
  all.push_back({"tokens_strings_numbers_of_four", CodecId::tokens, {.width = 4, .token = string}});
  for (const unsigned width : {1u, 2u, 3u, 4u, 5u, 8u, 16u}) {
    all.push_back({"planes_" + std::to_string(width), CodecId::planes, EncodeOptions{.width = width}});
  }
  for (const unsigned width : {1u, 2u, 4u, 8u}) {
    all.push_back(
        {"decimals_" + std::to_string(width), CodecId::decimals, EncodeOptions{.width = width, .token = line}});
  }
  all.push_back({"decimals_under_each_other", CodecId::decimals, {.width = 4, .token = {.width = 8}}});
  all.push_back({"planes_fp8", CodecId::planes, {.width = 1, .rotate = 1}});
  all.push_back({"planes_bf16", CodecId::planes, {.width = 2, .rotate = 1}});
  all.push_back({"planes_fp32_phase_3", CodecId::planes, {.width = 4, .rotate = 1, .phase = 3}});
  all.push_back({"planes_fp64", CodecId::planes, {.width = 8, .rotate = 4, .phase = 1}});
  all.push_back({"rans", CodecId::rans, {}});
  all.push_back({"rans_section_12", CodecId::rans, {.window_log = 12}});
  all.push_back({"rans_section_18", CodecId::rans, {.window_log = 18}});
  all.push_back({"scaled", CodecId::scaled, {.scale_step = 1}});
  all.push_back({"scaled_coarse", CodecId::scaled, {.level = 1}});
  all.push_back({"scaled_8_small", CodecId::scaled, {.level = 9, .scale_step = 8}});
  all.push_back({"scaled_without_scales", CodecId::scaled, {}});
  all.push_back({"fields_q8_0", CodecId::fields, {.fields = {2, 32}}});
  all.push_back({"fields_q4_k", CodecId::fields, {.fields = {2, 2, 12, 128}}});
  all.push_back({"fields_8", CodecId::fields, {.fields = {1, 3, 1, 16, 64, 7, 4, 1}}});
  all.push_back({"raster_8", CodecId::raster, {.width = 1, .row_size = 64, .contexts = 16}});
  all.push_back({"raster_16", CodecId::raster, {.width = 2, .row_size = 100, .contexts = 5}});
  all.push_back({"raster_8_patient", CodecId::raster, {.level = 7, .width = 1, .row_size = 64, .contexts = 16}});
  all.push_back({"raster_16_patient", CodecId::raster, {.level = 7, .width = 2, .row_size = 100, .contexts = 5}});
  all.push_back({"raster_quick_signed_big_endian",
                 CodecId::raster,
                 {.level = 5, .width = 2, .row_size = 50, .contexts = 4, .big_endian = true, .is_signed = true}});
  all.push_back(
      {"raster_quick_slices", CodecId::raster, {.width = 1, .row_size = 20, .slice_size = 140, .contexts = 8}});
  all.push_back({"raster_quick_colour_slices",
                 CodecId::raster,
                 {.width = 2, .row_size = 36, .slice_size = 108, .channels = 3, .contexts = 9}});
  all.push_back(
      {"raster_quick_many_channels", CodecId::raster, {.width = 2, .row_size = 4000, .channels = 7, .contexts = 31}});
  all.push_back({"raster_16_signed_big_endian",
                 CodecId::raster,
                 {.level = 9, .width = 2, .row_size = 50, .contexts = 4, .big_endian = true, .is_signed = true}});
  all.push_back(
      {"raster_colour", CodecId::raster, {.level = 5, .width = 1, .row_size = 61, .channels = 3, .contexts = 30}});
  all.push_back({"raster_colour_blended",
                 CodecId::raster,
                 {.level = 9, .width = 1, .row_size = 6, .channels = 3, .contexts = 2}});
  all.push_back({"raster_many_channels",
                 CodecId::raster,
                 {.level = 7, .width = 2, .row_size = 4000, .channels = 7, .contexts = 31}});
  all.push_back({"audio_8", CodecId::audio, {.width = 1, .contexts = 1}, true});
  all.push_back(
      {"audio_16_stereo", CodecId::audio, {.width = 2, .channels = 2, .contexts = 16, .is_signed = true}, true});
  all.push_back({"audio_16_long",
                 CodecId::audio,
                 {.level = 9, .width = 2, .channels = 8, .contexts = 3, .big_endian = true, .is_signed = true},
                 true});
  all.push_back({"audio_24", CodecId::audio, {.width = 3, .contexts = 4, .is_signed = true}, true});
  all.push_back(
      {"audio_24_big_endian", CodecId::audio, {.level = 7, .width = 3, .channels = 2, .big_endian = true}, true});
  all.push_back({"inflated", CodecId::inflated, {}});
  all.push_back({"jpeg", CodecId::jpeg, {.level = 3}});
  all.push_back({"branch_x86", CodecId::branch_x86, {}});
  all.push_back({"branch_arm64", CodecId::branch_arm64, {}});
  all.push_back({"branch_arm64_phase_3", CodecId::branch_arm64, {.phase = 3}});
  for (const unsigned width : {1u, 2u, 4u, 8u}) {
    all.push_back({"sparse_" + std::to_string(width), CodecId::sparse, EncodeOptions{.width = width}});
  }
  for (const unsigned bits : {4u, 9u, 12u, 33u, 64u, 65u, 251u, 4096u}) {
    all.push_back({"bit_records_" + std::to_string(bits), CodecId::bit_records, EncodeOptions{.width = bits}});
  }
  for (const unsigned width : {4u, 8u}) {
    all.push_back({"multiples_" + std::to_string(width), CodecId::multiples, EncodeOptions{.width = width}});
    all.push_back({"multiples_integers_" + std::to_string(width), CodecId::multiples,
                   EncodeOptions{.width = width, .integers = true}});
  }
  all.push_back({"bit_records_12_high_first", CodecId::bit_records, {.width = 12, .phase = 5, .big_endian = true}});
  all.push_back({"bit_records_251_high_first", CodecId::bit_records, {.width = 251, .phase = 250, .big_endian = true}});
  all.push_back({"branch_riscv", CodecId::branch_riscv, {}});
  all.push_back({"branch_riscv_phase_1", CodecId::branch_riscv, {.phase = 1}});
  all.push_back({"base_copy", CodecId::base_copy, {}});
  all.push_back({"base_zstd_3", CodecId::base_zstd, {.level = 3, .window_log = 22}});
  all.push_back({"base_zstd_19_long", CodecId::base_zstd, {.level = 19, .window_log = 27, .long_matches = true}, true});
  for (const unsigned width : {1u, 2u, 4u, 8u}) {
    all.push_back({"base_delta_" + std::to_string(width), CodecId::base_delta, EncodeOptions{.width = width}});
  }
  all.push_back({"base_delta_bf16", CodecId::base_delta, {.width = 2, .mantissa = 7}});
  all.push_back({"base_delta_fp32", CodecId::base_delta, {.width = 4, .mantissa = 23}});
  all.push_back(
      {"base_delta_fp32_relative", CodecId::base_delta, {.width = 4, .mantissa = 23, .relative_change = true}});
  all.push_back({"base_delta_fp64", CodecId::base_delta, {.width = 8, .mantissa = 52}});
  return all;
}

Buffer ramp(std::size_t size) {
  Buffer bytes(size);
  Random random(7);
  std::uint16_t value = 1000;
  for (std::size_t i = 0; i < size; ++i) {
    if (i % 2 == 0) value = static_cast<std::uint16_t>(value + random.below(7) - 3);
    bytes[i] = static_cast<std::byte>(i % 2 == 0 ? value : value >> 8);
  }
  return bytes;
}

// 24-byte records: a counter, a float-like field, a flag.
Buffer records(std::size_t size) {
  Buffer bytes(size);
  Random random(8);
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t field = i % 24;
    const std::size_t row = i / 24;
    bytes[i] = static_cast<std::byte>(field < 4    ? row >> (8 * field)
                                      : field < 8  ? random.next()
                                      : field == 8 ? row & 1
                                                   : 0);
  }
  return bytes;
}

// Dense in what the branch filters look for, at every alignment and with every kind of operand.
Buffer branches(std::size_t size) {
  constexpr std::uint8_t kUsual[] = {0xe8, 0xe9, 0x0f, 0x80, 0x8f, 0x00, 0xff, 0x94,
                                     0x97, 0x90, 0xb0, 0xf0, 0x01, 0xfe, 0x7f};
  Buffer bytes(size);
  Random random(9);
  for (std::byte& byte : bytes) {
    const std::uint64_t draw = random.next();
    byte = static_cast<std::byte>(draw % 8 == 0 ? draw >> 32 : kUsual[(draw >> 8) % std::size(kUsual)]);
  }
  return bytes;
}

// Lines of figures with two digits behind the point, of which a few are none.
Buffer figures(std::size_t size) {
  Random random(11);
  std::string lines;
  while (lines.size() < size) {
    const std::int64_t number = static_cast<std::int64_t>(random.below(9000)) - 1000;
    if (random.below(50) == 0) {
      lines += random.below(2) == 0 ? "n/a\n" : "-0.00\n";
    } else {
      lines += fmt::format("{}{}.{:02}\n", number < 0 ? "-" : "", std::abs(number) / 100, std::abs(number) % 100);
    }
  }
  return copy_of(std::as_bytes(std::span(lines)).first(size));
}

// 251 bytes again and again, of a narrow range, with now and then another one.
Buffer periodic(std::size_t size) {
  const Buffer unit = random_bytes(251, 10);
  Buffer bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = i % 5000 == 700 ? std::byte{0x80} : unit[i % unit.size()] & std::byte{0x1f};
  }
  return bytes;
}

}  // namespace

const std::vector<Variant>& variants() {
  static const std::vector<Variant> all = make_variants();
  return all;
}

std::shared_ptr<const codec::RecordLayout> layout_of(std::vector<std::vector<Field>> schemas, std::size_t head_size) {
  auto layout = std::make_shared<codec::RecordLayout>();
  layout->head_size = head_size;
  for (std::vector<Field>& fields : schemas) layout->schemas.push_back({.signature = {}, .fields = std::move(fields)});
  return layout;
}

const codec::Codec& codec_of(const Variant& variant) {
  const codec::Codec* const codec = codecs::builtin_registry().find(variant.id);
  MMH_CHECK(codec != nullptr);
  return *codec;
}

std::shared_ptr<const codec::Dictionary> test_dictionary() {
  static const auto dictionary =
      std::make_shared<const codec::Dictionary>(codec::Dictionary{.block = 12345, .bytes = text_bytes(5000, 77)});
  return dictionary;
}

namespace {
constexpr std::size_t kBaseSize = std::size_t{1} << 23;
constexpr std::size_t kBaseMiddle = kBaseSize / 2;

const Buffer& base_content() {
  static const Buffer content = make_data(DataKind::records, kBaseSize);
  return content;
}

// From the middle of the base on, in two ranges, the second of which begins before the first.
codec::BaseReference cut_reference(std::size_t size) {
  codec::BaseReference reference;
  if (size == 0) return reference;
  reference.ranges.push_back({kBaseMiddle, size - size / 3});
  if (size / 3 > 0) reference.ranges.push_back({kBaseMiddle - 1000, size / 3});
  for (const auto& range : reference.ranges) {
    append(reference.bytes, ByteView(base_content()).subspan(range.offset, range.length));
  }
  return reference;
}
}  // namespace

codec::EncodeOptions options_for(const Variant& variant, ByteView raw) {
  codec::EncodeOptions options = variant.options;
  if (!codec_of(variant).needs_base()) return options;
  codec::BaseReference reference = cut_reference(raw.size());
  options.base = std::make_shared<const codec::BaseReference>(std::move(reference));
  return options;
}

codec::DecodeContext decode_context(const Variant& variant, ByteView raw) {
  codec::DecodeContext context = context_with_dictionary();
  context.base = [copied = variant.id == CodecId::base_copy, raw = Buffer(raw.begin(), raw.end())](
                     std::uint64_t offset, Bytes out) -> Result<> {
    ByteView content = base_content();
    if (copied) {
      const std::size_t first = raw.size() - raw.size() / 3;
      content = offset == kBaseMiddle ? ByteView(raw).first(first) : ByteView(raw).subspan(first);
      offset = 0;
    }
    if (offset > content.size() || out.size() > content.size() - offset) return fail(Errc::corrupt, "outside the base");
    std::ranges::copy(content.subspan(offset, out.size()), out.begin());
    return {};
  };
  return context;
}

codec::DecodeContext context_with_dictionary() {
  return {.dictionary = [](std::uint64_t block) -> Result<std::shared_ptr<const codec::Dictionary>> {
    if (block != test_dictionary()->block) return fail(Errc::corrupt, "no such dictionary");
    return test_dictionary();
  }};
}

codec::Plan image_plan(codec::Plan last) {
  codec::Plan planes{.codec = CodecId::transpose, .options = {.width = 2}};
  planes.children.push_back(std::move(last));
  codec::Plan differences{.codec = CodecId::delta, .options = {.width = 2, .integers = true}};
  differences.children.push_back(std::move(planes));
  return differences;
}

namespace {
// Numbers, of which a few are anything, and a part of one more at the end.
template <class Make>
Buffer numbers(std::size_t size, Make make) {
  Random random(9);
  using T = decltype(make(random));
  Buffer bytes(size + sizeof(T));
  for (std::size_t i = 0; i < bytes.size() / sizeof(T); ++i) {
    const T number = make(random);
    std::memcpy(bytes.data() + i * sizeof(T), &number, sizeof(T));
    if (random.below(40) == 0) std::ranges::copy(random_bytes(sizeof(T), random.next()), bytes.data() + i * sizeof(T));
  }
  bytes.resize(size);
  return bytes;
}
}  // namespace

std::string_view name_of(DataKind kind) {
  switch (kind) {
    case DataKind::zeros:
      return "zeros";
    case DataKind::text:
      return "text";
    case DataKind::noise:
      return "noise";
    case DataKind::ramp:
      return "ramp";
    case DataKind::records:
      return "records";
    case DataKind::branches:
      return "branches";
    case DataKind::periodic:
      return "periodic";
    case DataKind::decimals:
      return "decimals";
    case DataKind::short_decimals:
      return "short_decimals";
    case DataKind::ticks:
      return "ticks";
    case DataKind::figures:
      return "figures";
  }
  return "";
}

Buffer make_data(DataKind kind, std::size_t size) {
  switch (kind) {
    case DataKind::zeros: {
      Buffer bytes(size);
      std::ranges::fill(bytes, std::byte{0});
      return bytes;
    }
    case DataKind::text:
      return text_bytes(size, 5);
    case DataKind::noise:
      return random_bytes(size, 6);
    case DataKind::ramp:
      return ramp(size);
    case DataKind::records:
      return records(size);
    case DataKind::branches:
      return branches(size);
    case DataKind::periodic:
      return periodic(size);
    case DataKind::decimals:
      return numbers(size, [](Random& random) { return static_cast<double>(random.below(100'000)) / 100 - 300; });
    case DataKind::short_decimals:
      return numbers(size, [](Random& random) { return static_cast<float>(random.below(10'000)) / 10; });
    case DataKind::ticks:
      return numbers(size, [](Random& random) { return static_cast<std::uint32_t>(700 * random.below(1 << 20) + 17); });
    case DataKind::figures:
      return figures(size);
  }
  return {};
}

}  // namespace mmh::test
