// Whether each codec stays within the memory that it states. Replaces malloc of this program, libraries included, with
// one that counts. Sanitizers have their own malloc, so under them there is nothing to test.
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <thread>

#include "codecs/codecs_support.h"
#include "mmh/codec/frame.h"
#include "mmh/codecs/builtin.h"
#include "support/support.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define MMH_COUNT_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MMH_COUNT_MALLOC 0
#endif
#endif
#ifndef MMH_COUNT_MALLOC
#define MMH_COUNT_MALLOC 1
#endif

namespace {

std::atomic<std::int64_t> live{0};
std::atomic<std::int64_t> peak{0};

[[maybe_unused]] void* counted(void* address) {
  if (address != nullptr) {
    const std::int64_t now = live.fetch_add(static_cast<std::int64_t>(malloc_usable_size(address))) +
                             static_cast<std::int64_t>(malloc_usable_size(address));
    std::int64_t highest = peak.load();
    while (now > highest && !peak.compare_exchange_weak(highest, now)) {
    }
  }
  return address;
}
[[maybe_unused]] void uncount(void* address) {
  if (address != nullptr) live.fetch_sub(static_cast<std::int64_t>(malloc_usable_size(address)));
}

}  // namespace

#if MMH_COUNT_MALLOC
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* address, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* address);

void* malloc(std::size_t size) { return counted(__libc_malloc(size)); }
void* calloc(std::size_t count, std::size_t size) { return counted(__libc_calloc(count, size)); }
void* realloc(void* address, std::size_t size) {
  uncount(address);
  return counted(__libc_realloc(address, size));
}
void* memalign(std::size_t alignment, std::size_t size) { return counted(__libc_memalign(alignment, size)); }
void* aligned_alloc(std::size_t alignment, std::size_t size) { return memalign(alignment, size); }
int posix_memalign(void** place, std::size_t alignment, std::size_t size) {
  *place = memalign(alignment, size);
  return *place == nullptr ? ENOMEM : 0;
}
void free(void* address) {
  uncount(address);
  __libc_free(address);
}
}
#endif

namespace mmh::test {
namespace {

using codec::Encoded;

constexpr std::size_t kNoise = std::size_t{64} << 10;  // spans, messages, what the allocator rounds up

// Bytes that `work` allocates at most, on a thread of its own so that no context is there already.
template <class Work>
std::size_t peak_of(Work work) {
  std::int64_t most = 0;
  std::jthread([&] {
    const std::int64_t before = live.load();
    peak.store(before);
    work();
    most = peak.load() - before;
  }).join();
  return static_cast<std::size_t>(most);
}

class CodecMemory : public testing::TestWithParam<Variant> {
 protected:
  void SetUp() override {
    if (!MMH_COUNT_MALLOC) GTEST_SKIP() << "a sanitizer owns malloc";
  }
};

TEST_P(CodecMemory, EncodingStaysWithinWhatItStates) {
  const codec::Codec& codec = codec_of(GetParam());
  for (const DataKind kind : {DataKind::text, DataKind::noise, DataKind::zeros}) {
    for (const std::size_t size : {std::size_t{1000}, std::size_t{100'000}, std::size_t{4} << 20}) {
      if (size > 1'000'000 && kind != DataKind::zeros) continue;
      const Buffer raw = make_data(kind, size);
      const codec::EncodeOptions options = options_for(GetParam(), raw);
      const std::size_t used = peak_of([&] { EXPECT_OK(codec.encode(raw, options)); });
      const std::size_t stated = codec.encode_memory_max(size, options) + kNoise;
      EXPECT_LE(used, stated) << name_of(kind) << " " << size;
    }
  }
}

TEST_P(CodecMemory, DecodingStaysWithinWhatItStates) {
  const codec::Codec& codec = codec_of(GetParam());
  for (const DataKind kind : {DataKind::text, DataKind::noise, DataKind::zeros}) {
    for (const std::size_t size : {1'000u, 100'000u, 1'000'000u}) {
      if (size > 100'000 && kind != DataKind::zeros) continue;
      const Buffer raw = make_data(kind, size);
      const Encoded encoded = codec.encode(raw, options_for(GetParam(), raw)).value();
      const std::vector<ByteView> streams(encoded.streams.begin(), encoded.streams.end());
      Buffer back(size);
      const codec::DecodeContext context = decode_context(GetParam(), raw);
      const std::size_t used = peak_of([&] { EXPECT_OK(codec.decode(encoded.parameters, streams, back, context)); });
      EXPECT_LE(used, codec.decode_memory_max(size) + kNoise) << name_of(kind) << " " << size;
    }
  }
}

TEST_P(CodecMemory, HostileStreamsStayWithinIt) {
  const codec::Codec& codec = codec_of(GetParam());
  const Buffer raw = make_data(DataKind::text, 600);
  const Encoded whole = codec.encode(raw, options_for(GetParam(), raw)).value();
  const codec::DecodeContext context = decode_context(GetParam(), raw);
  Buffer back(raw.size());
  for (std::size_t bit = 0; bit < 8 * std::min<std::size_t>(whole.streams[0].size(), 24); ++bit) {
    Encoded flipped = whole;
    flipped.streams[0][bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    const std::vector<ByteView> streams(flipped.streams.begin(), flipped.streams.end());
    const std::size_t used =
        peak_of([&] { static_cast<void>(codec.decode(whole.parameters, streams, back, context)); });
    EXPECT_LE(used, codec.decode_memory_max(raw.size()) + kNoise) << bit;
  }
}

INSTANTIATE_TEST_SUITE_P(Table, CodecMemory, testing::ValuesIn(variants()),
                         [](const auto& param_info) { return param_info.param.name; });

TEST(FrameMemory, PlanStaysWithinWhatItStates) {
  if (!MMH_COUNT_MALLOC) GTEST_SKIP() << "a sanitizer owns malloc";
  const codec::Registry& registry = codecs::builtin_registry();
  const Buffer raw = make_data(DataKind::ramp, std::size_t{4} << 20);
  const codec::Plan plan = image_plan({.codec = codec::CodecId::lzma, .options = {.level = 6}});
  Buffer frame;
  EXPECT_LE(peak_of([&] { frame = encode_frame(registry, plan, raw).value(); }),
            encode_memory_max(registry, plan, raw.size()) + kNoise);
  Buffer back(raw.size());
  EXPECT_LE(peak_of([&] { EXPECT_OK(decode_frame(registry, frame, back)); }),
            decode_memory_max(registry, raw.size()) + kNoise);
}

}  // namespace
}  // namespace mmh::test
