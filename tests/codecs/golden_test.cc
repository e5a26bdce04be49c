// Frames written once and kept: what was packed stays readable.
//
// MMH_WRITE_GOLDEN=1 adds frames that are missing, of a codec or a variant that is new; it never replaces one.

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "codecs/codecs_support.h"
#include "mmh/codec/frame.h"
#include "mmh/codecs/builtin.h"
#include "support/support.h"

namespace mmh::test {
namespace {

using codec::CodecId;

Buffer raw_of(const Variant& variant) {
  if (variant.id == CodecId::jpeg) return read_file(MMH_TEST_DATA "/jpeg/progressive.jpg");
  if (variant.id == CodecId::inflated) return read_file(MMH_TEST_DATA "/deflate/members.zip");
  if (variant.id == CodecId::multiples) {
    if (variant.options.integers) return make_data(DataKind::ticks, 20'000);
    return make_data(variant.options.width == 8 ? DataKind::decimals : DataKind::short_decimals, 20'000);
  }
  if (variant.id == CodecId::decimals) {
    if (variant.options.token.kind == codec::Field::Kind::terminated) return make_data(DataKind::figures, 20'000);
    std::string table;
    for (std::int64_t i = 0; i < 2500; ++i) table += fmt::format("{:8}", i * i % 7919 * 31 - 900);
    return copy_of(std::as_bytes(std::span(table)));
  }
  return make_data(DataKind::periodic, 20'000);
}

std::string path_of(const Variant& variant) { return MMH_TEST_DATA "/frames/" + variant.name + ".frame"; }

std::vector<Variant> kept_variants() {
  std::vector<Variant> kept = variants();
  // Deflate without compression makes nothing smaller, so no frame has it.
  std::erase_if(kept, [](const Variant& variant) { return variant.name == "deflate_0"; });
  return kept;
}

Buffer write_frame(const Variant& variant) {
  const Buffer raw = raw_of(variant);
  codec::Plan plan{.codec = variant.id, .options = options_for(variant, raw)};
  const auto encoded = codec_of(variant).encode(raw, plan.options);
  EXPECT_OK(encoded);
  if (!encoded) return {};
  const bool is_coder = variant.id < CodecId::delta || variant.id == CodecId::rans;
  if (!is_coder) plan.children.assign(encoded->streams.size(), {.codec = CodecId::zstd, .options = {.level = 19}});
  const auto frame = codec::encode_frame(codecs::builtin_registry(), plan, raw);
  EXPECT_OK(frame);
  return frame ? *frame : Buffer();
}

class Golden : public testing::TestWithParam<Variant> {};

TEST_P(Golden, FramesStayReadable) {
  const Variant& variant = GetParam();
  if (std::getenv("MMH_WRITE_GOLDEN") != nullptr && !std::filesystem::exists(path_of(variant))) {
    write_file(path_of(variant), write_frame(variant));
  }
  const Buffer frame = read_file(path_of(variant));
  const Buffer raw = raw_of(variant);
  const auto used = codec::frame_codecs(codecs::builtin_registry(), frame, raw.size());
  ASSERT_OK(used);
  EXPECT_THAT(*used, testing::Contains(variant.id)) << "the frame does not show the codec";
  Buffer back(raw.size());
  ASSERT_OK(codec::decode_frame(codecs::builtin_registry(), frame, back, decode_context(variant, raw)));
  EXPECT_TRUE(back == raw);
}

INSTANTIATE_TEST_SUITE_P(Frames, Golden, testing::ValuesIn(kept_variants()),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace mmh::test
