// What every codec of the table must do, in every mode that takes a path of its own.
#include <algorithm>
#include <set>
#include <thread>

#include "codecs/codecs_support.h"
#include "mmh/codecs/builtin.h"
#include "support/support.h"

namespace mmh::test {
namespace {

using codec::Encoded;

class CodecConformance : public testing::TestWithParam<Variant> {
 protected:
  const codec::Codec& codec() const { return codec_of(GetParam()); }

  std::vector<DataKind> kinds() const {
    if (GetParam().slow) return {DataKind::zeros, DataKind::text, DataKind::branches};
    return {std::begin(kDataKinds), std::end(kDataKinds)};
  }

  Encoded encode(ByteView raw) const {
    raw_.assign(raw.begin(), raw.end());
    Result<Encoded> encoded = codec().encode(raw, options_for(GetParam(), raw));
    if (!encoded) {
      ADD_FAILURE() << encoded.error().what;
      return {};
    }
    const Result<codec::Signature> signature = codec().signature(encoded->parameters);
    EXPECT_TRUE(signature.has_value()) << signature.error().what;
    EXPECT_EQ(encoded->streams.size(), signature->stream_count);
    EXPECT_EQ(raw.size() % signature->raw.width, 0u);
    for (std::size_t i = 0; i < signature->stream_count; ++i) {
      EXPECT_EQ(encoded->streams[i].size() % signature->coded[i].width, 0u) << "stream " << i;
    }
    return *std::move(encoded);
  }

  // Decodes into a buffer of its own, so that a sanitizer sees what runs over, with guards for builds without one.
  Result<Buffer> decode(const Encoded& encoded, std::size_t raw_size) const {
    constexpr std::size_t kGuard = 64;
    constexpr std::byte kMark{0xa5};
    Buffer memory(raw_size + kGuard);
    std::ranges::fill(memory, kMark);
    std::vector<ByteView> streams(encoded.streams.begin(), encoded.streams.end());
    const Result<> outcome =
        codec().decode(encoded.parameters, streams, Bytes(memory).first(raw_size), decode_context(GetParam(), raw_));
    EXPECT_TRUE(std::ranges::all_of(ByteView(memory).last(kGuard), [](std::byte byte) { return byte == kMark; }))
        << "wrote behind the end";
    if (!outcome) return fail(outcome.error());
    memory.resize(raw_size);
    return memory;
  }

  void expect_round_trip(DataKind kind, std::size_t size) const {
    const Buffer raw = make_data(kind, size);
    const Result<Buffer> back = decode(encode(raw), size);
    ASSERT_TRUE(back.has_value()) << name_of(kind) << " " << size << ": " << back.error().what;
    ASSERT_TRUE(std::ranges::equal(*back, raw)) << name_of(kind) << " " << size;
  }

 private:
  mutable Buffer raw_;  // what was encoded last, which a base may have to hold
};

TEST_P(CodecConformance, RoundTripsEveryLengthTo300) {
  for (const DataKind kind : kinds()) {
    for (std::size_t size = 0; size <= 300; ++size) ASSERT_NO_FATAL_FAILURE(expect_round_trip(kind, size));
  }
}

TEST_P(CodecConformance, RoundTripsAroundBoundaries) {
  for (const DataKind kind : kinds()) {
    for (const std::size_t boundary : {4096u, 65536u, 131072u}) {
      if (GetParam().slow && boundary > 65536) continue;
      for (const std::size_t size : {boundary - 1, boundary, boundary + 1}) {
        ASSERT_NO_FATAL_FAILURE(expect_round_trip(kind, size));
      }
    }
  }
}

TEST_P(CodecConformance, RoundTripsOneMebibyte) {
  for (const DataKind kind : kinds()) {
    if (GetParam().slow && kind != DataKind::zeros) continue;
    ASSERT_NO_FATAL_FAILURE(expect_round_trip(kind, std::size_t{1} << 20));
  }
}

TEST_P(CodecConformance, RefusesEveryTruncation) {
  for (const DataKind kind : {DataKind::text, DataKind::noise}) {
    const Buffer raw = make_data(kind, 1031);
    const Encoded whole = encode(raw);
    for (std::size_t i = 0; i < whole.streams.size(); ++i) {
      for (std::size_t keep = 0; keep < whole.streams[i].size(); ++keep) {
        Encoded cut = whole;
        cut.streams[i] = Buffer(whole.streams[i].begin(), whole.streams[i].begin() + static_cast<std::ptrdiff_t>(keep));
        ASSERT_EQ(error_of(decode(cut, raw.size())), Errc::corrupt) << name_of(kind) << ", " << keep << " bytes kept";
      }
    }
  }
}

TEST_P(CodecConformance, RefusesBytesBehindTheEnd) {
  for (const DataKind kind : {DataKind::text, DataKind::noise, DataKind::zeros}) {
    const Buffer raw = make_data(kind, 1031);
    const Encoded whole = encode(raw);
    for (const std::byte extra : {std::byte{0}, std::byte{1}, std::byte{0xff}}) {
      for (const std::size_t count : {1u, 2u, 5u, 100u}) {
        for (std::size_t i = 0; i < whole.streams.size(); ++i) {
          Encoded longer = whole;
          longer.streams[i].insert(longer.streams[i].end(), count, extra);
          EXPECT_EQ(error_of(decode(longer, raw.size())), Errc::corrupt) << name_of(kind) << " " << count;
        }
      }
    }
    for (std::size_t i = 0; i < whole.streams.size(); ++i) {
      if (whole.streams[i].empty()) continue;
      Encoded twice = whole;
      append(twice.streams[i], whole.streams[i]);
      EXPECT_EQ(error_of(decode(twice, raw.size())), Errc::corrupt) << name_of(kind) << ", stream " << i;
    }
  }
}

TEST_P(CodecConformance, RefusesEveryBitFlipOrStaysWithinTheOutput) {
  for (const DataKind kind : {DataKind::text, DataKind::records}) {
    const Buffer raw = make_data(kind, 517);
    const Encoded whole = encode(raw);
    for (std::size_t i = 0; i < whole.streams.size(); ++i) {
      for (std::size_t bit = 0; bit < 8 * whole.streams[i].size(); ++bit) {
        Encoded flipped = whole;
        flipped.streams[i][bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
        const Result<Buffer> back = decode(flipped, raw.size());
        ASSERT_EQ(back ? Errc::corrupt : back.error().code, Errc::corrupt);
      }
    }
  }
}

TEST_P(CodecConformance, RefusesFlippedParametersOrStaysWithinTheOutput) {
  const Buffer raw = make_data(DataKind::text, 517);
  const Encoded whole = encode(raw);
  for (std::size_t bit = 0; bit < 8 * whole.parameters.size(); ++bit) {
    Encoded flipped = whole;
    flipped.parameters[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    // What reads frames gives a codec as many streams as its parameters ask for.
    const auto signature = codec().signature(flipped.parameters);
    if (signature && signature->stream_count != flipped.streams.size()) continue;
    const Result<Buffer> back = decode(flipped, raw.size());
    ASSERT_EQ(back ? Errc::corrupt : back.error().code, Errc::corrupt);
  }
}

TEST_P(CodecConformance, RefusesLongerAndOtherParameters) {
  const Buffer raw = make_data(DataKind::text, 517);
  const Encoded whole = encode(raw);
  Encoded longer = whole;
  longer.parameters.push_back(std::byte{0});
  EXPECT_EQ(error_of(decode(longer, raw.size())), Errc::corrupt);
  Encoded endless = whole;
  endless.parameters.assign(20, std::byte{0xff});
  EXPECT_EQ(error_of(decode(endless, raw.size())), Errc::corrupt);
}

// An LZMA stream has no end of its own: behind its last byte the decoder may find a byte or two more to make up, which
// the hash of the block then refuses.
TEST_P(CodecConformance, RefusesAnotherRawSize) {
  for (const DataKind kind : {DataKind::text, DataKind::noise, DataKind::zeros}) {
    const Buffer raw = make_data(kind, 1031);
    const Encoded whole = encode(raw);
    for (const std::size_t size : {0u, 1u, 515u, 1030u, 1032u, 1063u, 2062u, 70'000u}) {
      const Result<Buffer> back = decode(whole, size);
      if (back && GetParam().id == codec::CodecId::lzma && size > raw.size()) continue;
      EXPECT_EQ(error_of(back), Errc::corrupt) << name_of(kind) << " as " << size;
    }
  }
}

TEST_P(CodecConformance, RefusesNoise) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Encoded noise = encode(make_data(DataKind::text, 1000));
    noise.streams[0] = random_bytes(100, seed);
    const Result<Buffer> back = decode(noise, 1000);
    EXPECT_EQ(back ? Errc::corrupt : back.error().code, Errc::corrupt);
  }
}

TEST_P(CodecConformance, EncodesTheSameTwiceWithOthersBetween) {
  const Buffer raw = make_data(DataKind::records, 30'000);
  const Buffer other = make_data(DataKind::text, 3'000);
  const Encoded first = encode(raw);
  for (const Variant& between : variants()) {
    if (!between.slow) ASSERT_OK(codec_of(between).encode(other, options_for(between, other)));
  }
  const Encoded second = encode(raw);
  EXPECT_EQ(second.parameters, first.parameters);
  EXPECT_EQ(second.streams, first.streams);
}

TEST_P(CodecConformance, EncodesTheSameFromFourThreads) {
  const Buffer raw = make_data(DataKind::records, 30'000);
  const Encoded expected = encode(raw);
  std::vector<Encoded> found(4);
  {
    std::vector<std::jthread> threads;
    for (Encoded& slot : found)
      threads.emplace_back([&] { slot = *codec().encode(raw, options_for(GetParam(), raw)); });
  }
  for (const Encoded& encoded : found) {
    EXPECT_EQ(encoded.parameters, expected.parameters);
    EXPECT_EQ(encoded.streams, expected.streams);
    EXPECT_OK(decode(encoded, raw.size()));
  }
}

TEST_P(CodecConformance, StaysWithinTheCodedSizeThatBudgetsStandOn) {
  for (const DataKind kind : kDataKinds) {
    for (const std::size_t size : {0u, 1u, 100u, 4096u, 100'000u}) {
      if (GetParam().slow && size > 4096) continue;
      const Encoded encoded = encode(make_data(kind, size));
      std::size_t coded_size = 0;
      for (const Buffer& stream : encoded.streams) coded_size += stream.size();
      EXPECT_LE(coded_size, codec().coded_size_max(size)) << name_of(kind) << " " << size;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Table, CodecConformance, testing::ValuesIn(variants()),
                         [](const auto& param_info) { return param_info.param.name; });

TEST(CodecTable, EveryCodecIsUnderTest) {
  std::set<codec::CodecId> tested;
  for (const Variant& variant : variants()) tested.insert(variant.id);
  for (const codec::Codec* codec : codecs::builtin_registry().all()) {
    EXPECT_TRUE(tested.contains(codec->id())) << codec->name();
  }
}

TEST(CodecTable, IdsAndNamesOnDiskNeverChange) {
  std::vector<std::pair<unsigned, std::string_view>> found;
  for (const codec::Codec* codec : codecs::builtin_registry().all()) {
    found.emplace_back(static_cast<unsigned>(codec->id()), codec->name());
    EXPECT_FALSE(codec->purpose().empty());
  }
  EXPECT_THAT(found,
              testing::ElementsAre(
                  testing::Pair(1, "zstd"), testing::Pair(2, "lz4"), testing::Pair(3, "brotli"),
                  testing::Pair(4, "lzma"), testing::Pair(5, "deflate"), testing::Pair(16, "delta"),
                  testing::Pair(17, "transpose"), testing::Pair(18, "branch_x86"), testing::Pair(19, "branch_arm64"),
                  testing::Pair(20, "rans"), testing::Pair(21, "planes"), testing::Pair(22, "pattern"),
                  testing::Pair(23, "run_length"), testing::Pair(24, "palette"), testing::Pair(25, "bit_pack"),
                  testing::Pair(26, "bit_planes"), testing::Pair(27, "zigzag"), testing::Pair(28, "xor_delta"),
                  testing::Pair(29, "scaled"), testing::Pair(30, "fields"), testing::Pair(31, "branch_riscv"),
                  testing::Pair(32, "records"), testing::Pair(33, "tokens"), testing::Pair(34, "raster"),
                  testing::Pair(35, "audio"), testing::Pair(36, "jpeg"), testing::Pair(37, "inflated"),
                  testing::Pair(38, "sparse"), testing::Pair(39, "bit_records"), testing::Pair(40, "multiples"),
                  testing::Pair(41, "decimals"), testing::Pair(42, "byte_swap"), testing::Pair(48, "base_copy"),
                  testing::Pair(49, "base_delta"), testing::Pair(50, "base_zstd")));
}

TEST(CodecTable, NamesTheLibrariesThatDecideStoredBytes) {
  EXPECT_THAT(
      codecs::library_versions(),
      testing::ElementsAre(testing::MatchesRegex("zstd [0-9.]+"), testing::MatchesRegex("lz4 [0-9.]+"),
                           testing::MatchesRegex("brotli [0-9.]+"), testing::MatchesRegex("liblzma [0-9.]+"),
                           testing::MatchesRegex("libdeflate [0-9.]+"), testing::MatchesRegex("libjxl [0-9.]+")));
}

struct BadOptions {
  std::string name;
  codec::CodecId id;
  codec::EncodeOptions options;
};
TEST(Lzma, StopsWhenCancelled) {
  const Buffer raw = make_data(DataKind::text, 100'000);
  CancelFlag cancel;
  codec::EncodeOptions options{.level = 6, .cancel = &cancel};
  const codec::Codec* const lzma = codecs::builtin_registry().find(codec::CodecId::lzma);
  ASSERT_OK(lzma->encode(raw, options));
  cancel.set();
  EXPECT_EQ(error_of(lzma->encode(raw, options)), Errc::cancelled);
}

class CodecOptions : public testing::TestWithParam<BadOptions> {};

TEST_P(CodecOptions, OutOfRangeIsAUsageError) {
  const Buffer raw = make_data(DataKind::text, 100);
  EXPECT_EQ(error_of(codecs::builtin_registry().find(GetParam().id)->encode(raw, GetParam().options)), Errc::usage);
}

std::shared_ptr<const codec::BaseReference> empty_reference() { return std::make_shared<codec::BaseReference>(); }

INSTANTIATE_TEST_SUITE_P(
    Table, CodecOptions,
    testing::Values(
        BadOptions{"zstd_level_high", codec::CodecId::zstd, {.level = 23}},
        BadOptions{"zstd_level_low", codec::CodecId::zstd, {.level = -6}},
        BadOptions{"zstd_window_low", codec::CodecId::zstd, {.window_log = 9}},
        BadOptions{"zstd_window_high", codec::CodecId::zstd, {.window_log = 28}},
        BadOptions{"lz4_level_high", codec::CodecId::lz4, {.level = 13}},
        BadOptions{"lz4_level_low", codec::CodecId::lz4, {.level = -65}},
        BadOptions{"brotli_level_high", codec::CodecId::brotli, {.level = 12}},
        BadOptions{"brotli_level_low", codec::CodecId::brotli, {.level = -1}},
        BadOptions{"brotli_window_low", codec::CodecId::brotli, {.window_log = 9}},
        BadOptions{"brotli_window_high", codec::CodecId::brotli, {.window_log = 28}},
        BadOptions{"lzma_level_high", codec::CodecId::lzma, {.level = 10}},
        BadOptions{"lzma_window_low", codec::CodecId::lzma, {.window_log = 11}},
        BadOptions{"lzma_window_high", codec::CodecId::lzma, {.window_log = 28}},
        BadOptions{"lzma_context_bits", codec::CodecId::lzma, {.lc = 3, .lp = 2}},
        BadOptions{"lzma_position_bits", codec::CodecId::lzma, {.pb = 5}},
        BadOptions{"lzma_delta_distance", codec::CodecId::lzma, {.delta_distance = 257}},
        BadOptions{"deflate_level_high", codec::CodecId::deflate, {.level = 13}},
        BadOptions{"raster_width_3", codec::CodecId::raster, {.width = 3, .row_size = 30}},
        BadOptions{"raster_no_rows", codec::CodecId::raster, {}},
        BadOptions{"raster_half_a_pixel", codec::CodecId::raster, {.width = 2, .row_size = 31}},
        BadOptions{"raster_rows_of_a_pixel", codec::CodecId::raster, {.row_size = 3, .channels = 3}},
        BadOptions{"raster_rows_too_long", codec::CodecId::raster, {.row_size = 131'073}},
        BadOptions{"raster_no_contexts", codec::CodecId::raster, {.row_size = 30, .contexts = 0}},
        BadOptions{"raster_contexts_high", codec::CodecId::raster, {.row_size = 30, .contexts = 32}},
        BadOptions{"audio_width_4", codec::CodecId::audio, {.width = 4}},
        BadOptions{"audio_channels_9", codec::CodecId::audio, {.channels = 9}},
        BadOptions{"audio_contexts_17", codec::CodecId::audio, {.contexts = 17}},
        BadOptions{"jpeg_level_low", codec::CodecId::jpeg, {}},
        BadOptions{"jpeg_level_high", codec::CodecId::jpeg, {.level = 10}},
        BadOptions{"delta_width_zero", codec::CodecId::delta, {.width = 0}},
        BadOptions{"delta_width_high", codec::CodecId::delta, {.width = 65536}},
        BadOptions{"delta_integers_of_three", codec::CodecId::delta, {.width = 3, .integers = true}},
        BadOptions{"delta_distance_cuts", codec::CodecId::delta, {.width = 4, .integers = true, .delta_distance = 6}},
        BadOptions{"delta_phase_high", codec::CodecId::delta, {.width = 2, .integers = true, .phase = 2}},
        BadOptions{"branch_arm64_phase", codec::CodecId::branch_arm64, {.phase = 4}},
        BadOptions{"branch_riscv_phase", codec::CodecId::branch_riscv, {.phase = 2}},
        BadOptions{"branch_x86_phase", codec::CodecId::branch_x86, {.phase = 1}},
        BadOptions{"run_length_width_high", codec::CodecId::run_length, {.width = 17}},
        BadOptions{"bit_records_width_low", codec::CodecId::bit_records, {.width = 3}},
        BadOptions{"bit_records_width_high", codec::CodecId::bit_records, {.width = 4097}},
        BadOptions{"bit_records_phase", codec::CodecId::bit_records, {.width = 12, .phase = 12}},
        BadOptions{"multiples_width", codec::CodecId::multiples, {.width = 2}},
        BadOptions{"decimals_width", codec::CodecId::decimals, {.width = 3}},
        BadOptions{"decimals_field_of_no_bytes", codec::CodecId::decimals, {.token = {.width = 0}}},
        BadOptions{"byte_swap_width", codec::CodecId::byte_swap, {.width = 3}},
        BadOptions{"sparse_width", codec::CodecId::sparse, {.width = 3}},
        BadOptions{"palette_width_high", codec::CodecId::palette, {.width = 9}},
        BadOptions{"bit_pack_width", codec::CodecId::bit_pack, {.width = 3}},
        BadOptions{"bit_planes_width", codec::CodecId::bit_planes, {.width = 3}},
        BadOptions{"zigzag_width", codec::CodecId::zigzag, {.width = 0}},
        BadOptions{"xor_delta_width", codec::CodecId::xor_delta, {.width = 16}},
        BadOptions{"records_without_fields", codec::CodecId::records, {.layout = layout_of({{}})}},
        BadOptions{"records_field_of_no_bytes", codec::CodecId::records, {.layout = layout_of({{{.width = 0}}})}},
        BadOptions{"records_field_too_wide", codec::CodecId::records, {.layout = layout_of({{{.width = 65537}}})}},
        BadOptions{"records_stream_high", codec::CodecId::records, {.layout = layout_of({{{.stream = 29}}})}},
        BadOptions{"tokens_of_no_bytes", codec::CodecId::tokens, {.token = {.width = 0}}},
        BadOptions{"tokens_numbers_of_three", codec::CodecId::tokens, {.width = 3}},
        BadOptions{"planes_width_low", codec::CodecId::planes, {.width = 0}},
        BadOptions{"planes_width_high", codec::CodecId::planes, {.width = 17}},
        BadOptions{"planes_rotation_high", codec::CodecId::planes, {.width = 2, .rotate = 16}},
        BadOptions{"planes_rotation_of_three", codec::CodecId::planes, {.width = 3, .rotate = 1}},
        BadOptions{"planes_phase_high", codec::CodecId::planes, {.width = 4, .phase = 4}},
        BadOptions{"rans_section_low", codec::CodecId::rans, {.window_log = 11}},
        BadOptions{"rans_section_high", codec::CodecId::rans, {.window_log = 21}},
        BadOptions{"base_copy_without_base", codec::CodecId::base_copy, {}},
        BadOptions{"base_delta_without_base", codec::CodecId::base_delta, {}},
        BadOptions{"base_zstd_without_base", codec::CodecId::base_zstd, {.window_log = 20}},
        BadOptions{"base_delta_of_no_bytes", codec::CodecId::base_delta, {.base = empty_reference()}},
        BadOptions{"base_zstd_window", codec::CodecId::base_zstd, {.window_log = 28, .base = empty_reference()}},
        BadOptions{"transpose_width_low", codec::CodecId::transpose, {.width = 1}},
        BadOptions{"transpose_width_high", codec::CodecId::transpose, {.width = 65}}),
    [](const auto& param_info) { return param_info.param.name; });

}  // namespace
}  // namespace mmh::test
