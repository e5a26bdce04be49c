#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <optional>

#include "../common.h"
#include "../table.h"
#include "libjxl.h"
#include "members.h"
#include "mmh/base/check.h"
#include "mmh/base/varint.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;

constexpr int kEffortMin = 1;
constexpr int kEffortMax = 9;
constexpr std::size_t kStreams = 3;      // members, other bytes, JPEG XL
constexpr std::size_t kMemberMin = 512;  // bytes; smaller ones gain nothing

// What libjxl was seen to take, for what stays in proportion to the picture and what does not.
constexpr std::size_t kEncodeBytesPerPixel = 30;
constexpr std::size_t kDecodeBytesPerPixel = 10;
constexpr std::size_t kFixedMemory = std::size_t{24} << 20;

// What the pictures of all threads weigh together is no more than the largest one may: libjxl takes far more memory
// than other coders do for a block.
class Admission {
 public:
  explicit Admission(std::uint64_t weight) : weight_(weight) {
    std::unique_lock lock(gate().mutex);
    gate().left.wait(lock, [&] { return gate().inside == 0 || gate().inside + weight_ <= kWeightMax; });
    gate().inside += weight_;
  }
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;
  ~Admission() {
    {
      const std::lock_guard lock(gate().mutex);
      gate().inside -= weight_;
    }
    gate().left.notify_all();
  }

 private:
  static constexpr std::uint64_t kWeightMax = kEncodeBytesPerPixel * kJpegPixelsMax;
  struct Gate {
    std::mutex mutex;
    std::condition_variable left;
    std::uint64_t inside = 0;
  };
  static Gate& gate() {
    static Gate gate;
    return gate;
  }
  std::uint64_t weight_;
};

// libjxl's allocations, as far as it asks here for them: those of 0.7 are mostly its own.
class BoundedMemory {
 public:
  explicit BoundedMemory(std::size_t size_max) : left_(size_max) {}
  JxlMemoryManager manager() { return {.opaque = this, .alloc = allocate, .free = release}; }

 private:
  static constexpr std::size_t kHead = alignof(std::max_align_t);

  static void* allocate(void* opaque, std::size_t size) {
    auto& self = *static_cast<BoundedMemory*>(opaque);
    std::size_t left = self.left_.load();
    do {
      if (size > left || left - size < kHead) return nullptr;
    } while (!self.left_.compare_exchange_weak(left, left - size - kHead));
    auto* const address = static_cast<std::byte*>(std::malloc(size + kHead));
    if (address == nullptr) return nullptr;
    std::memcpy(address, &size, sizeof size);
    return address + kHead;
  }
  static void release(void* opaque, void* address) {
    if (address == nullptr) return;
    std::byte* const begin = static_cast<std::byte*>(address) - kHead;
    std::size_t size = 0;
    std::memcpy(&size, begin, sizeof size);
    static_cast<BoundedMemory*>(opaque)->left_.fetch_add(size + kHead);
    std::free(begin);
  }

  std::atomic<std::size_t> left_;
};

struct Destroy {
  void operator()(JxlEncoder* encoder) const { jxl->JxlEncoderDestroy(encoder); }
  void operator()(JxlDecoder* decoder) const { jxl->JxlDecoderDestroy(decoder); }
  const LibJxl* jxl;
};

// The JPEG XL form of a JPEG file; empty where libjxl has none or none that is smaller.
Buffer to_jxl(const LibJxl& jxl, ByteView jpeg, int effort) {
  const std::unique_ptr<JxlEncoder, Destroy> encoder(jxl.JxlEncoderCreate(nullptr), {&jxl});
  if (encoder == nullptr) return {};
  JxlEncoderFrameSettings* const settings = jxl.JxlEncoderFrameSettingsCreate(encoder.get(), nullptr);
  if (settings == nullptr || jxl.JxlEncoderUseContainer(encoder.get(), JXL_TRUE) != JXL_ENC_SUCCESS ||
      jxl.JxlEncoderStoreJPEGMetadata(encoder.get(), JXL_TRUE) != JXL_ENC_SUCCESS ||
      jxl.JxlEncoderFrameSettingsSetOption(settings, JXL_ENC_FRAME_SETTING_EFFORT, effort) != JXL_ENC_SUCCESS ||
      jxl.JxlEncoderAddJPEGFrame(settings, u8(jpeg), jpeg.size()) != JXL_ENC_SUCCESS) {
    return {};
  }
  jxl.JxlEncoderCloseInput(encoder.get());
  Buffer out(jpeg.size());
  std::uint8_t* next = u8(Bytes(out));
  std::size_t left = out.size();
  if (jxl.JxlEncoderProcessOutput(encoder.get(), &next, &left) != JXL_ENC_SUCCESS) return {};
  out.resize(out.size() - left);
  return out;
}

std::unexpected<Error> damaged() { return fail(Errc::corrupt, "jpeg: a picture is damaged or of another size"); }

// Fills `jpeg` with the file that `coded` stands for.
Result<> from_jxl(const LibJxl& jxl, ByteView coded, Bytes jpeg) {
  const std::uint64_t pixels_max = jpeg_pixels_max(jpeg.size());
  BoundedMemory memory(kFixedMemory + kDecodeBytesPerPixel * static_cast<std::size_t>(pixels_max));
  std::optional<Admission> admission;
  const JxlMemoryManager manager = memory.manager();
  const std::unique_ptr<JxlDecoder, Destroy> decoder(jxl.JxlDecoderCreate(&manager), {&jxl});
  if (decoder == nullptr) return fail(Errc::limit, "no memory for the decoder");
  if (jxl.JxlDecoderSubscribeEvents(
          decoder.get(), JXL_DEC_BASIC_INFO | JXL_DEC_JPEG_RECONSTRUCTION | JXL_DEC_FULL_IMAGE) != JXL_DEC_SUCCESS ||
      jxl.JxlDecoderSetInput(decoder.get(), u8(coded), coded.size()) != JXL_DEC_SUCCESS) {
    return damaged();
  }
  jxl.JxlDecoderCloseInput(decoder.get());
  bool has_place = false;
  bool is_whole = false;
  for (;;) {
    switch (jxl.JxlDecoderProcessInput(decoder.get())) {
      case JXL_DEC_BASIC_INFO: {
        JxlBasicInfo info;
        if (jxl.JxlDecoderGetBasicInfo(decoder.get(), &info) != JXL_DEC_SUCCESS) return damaged();
        const std::uint64_t pixels = std::uint64_t{info.xsize} * info.ysize;
        if (info.have_animation != JXL_FALSE || pixels > pixels_max || admission) return damaged();
        admission.emplace(kDecodeBytesPerPixel * pixels);
        break;
      }
      case JXL_DEC_JPEG_RECONSTRUCTION:
        if (has_place || jxl.JxlDecoderSetJPEGBuffer(decoder.get(), u8(jpeg), jpeg.size()) != JXL_DEC_SUCCESS) {
          return damaged();
        }
        has_place = true;
        break;
      case JXL_DEC_FULL_IMAGE:
        if (is_whole || !has_place || jxl.JxlDecoderReleaseJPEGBuffer(decoder.get()) != 0) return damaged();
        is_whole = true;
        break;
      case JXL_DEC_SUCCESS:
        if (!is_whole) return damaged();
        return {};
      default:
        return damaged();
    }
  }
}

class Jpeg final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::jpeg; }
  std::string_view name() const override { return "jpeg"; }
  std::string_view purpose() const override { return "JPEG pictures, taken apart and coded anew; efforts 1..9"; }

  Result<codec::Signature> signature(ByteView) const override {
    codec::Signature signature;
    signature.stream_count = kStreams;
    return signature;
  }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    MMH_TRY(check_option("jpeg level", options.level, kEffortMin, kEffortMax));
    Encoded result;
    result.streams.resize(kStreams);
    Buffer& members = result.streams[0];
    Buffer& others = result.streams[1];
    Buffer& pictures = result.streams[2];
    std::size_t done = 0;
    for (auto found = next_jpeg(raw, 0); found; found = next_jpeg(raw, found->offset + found->size)) {
      MMH_TRY(check_cancelled(options.cancel));
      MMH_LET(const LibJxl* const jxl, libjxl_to_encode());
      const ByteView file = raw.subspan(found->offset, found->size);
      const Buffer picture = encode_file(*jxl, file, *found, options.level);
      if (picture.empty()) continue;
      put_varint(members, found->offset - done);
      put_varint(members, found->size);
      put_varint(members, picture.size());
      append(others, raw.subspan(done, found->offset - done));
      append(pictures, picture);
      done = found->offset + found->size;
    }
    append(others, raw.subspan(done));
    return result;
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    MMH_TRY(check_no_parameters(parameters));
    ByteView members = streams[0];
    ByteView others = streams[1];
    ByteView pictures = streams[2];
    while (!members.empty()) {
      MMH_LET(const std::uint64_t gap, take_varint(members));
      MMH_LET(const std::uint64_t size, take_varint(members));
      MMH_LET(const std::uint64_t coded, take_varint(members));
      if (gap > others.size() || gap > raw.size() || size > raw.size() - gap || size < kMemberMin ||
          coded > pictures.size()) {
        return fail(Errc::corrupt, "jpeg: a picture lies outside the block");
      }
      MMH_LET(const LibJxl* const jxl, libjxl());
      copy_bytes(others.first(static_cast<std::size_t>(gap)), raw);
      others = others.subspan(static_cast<std::size_t>(gap));
      raw = raw.subspan(static_cast<std::size_t>(gap));
      MMH_TRY(
          from_jxl(*jxl, pictures.first(static_cast<std::size_t>(coded)), raw.first(static_cast<std::size_t>(size))));
      pictures = pictures.subspan(static_cast<std::size_t>(coded));
      raw = raw.subspan(static_cast<std::size_t>(size));
    }
    if (others.size() != raw.size() || !pictures.empty()) {
      return fail(Errc::corrupt, "jpeg: the streams do not make up the block");
    }
    copy_bytes(others, raw);
    return {};
  }

  std::size_t decode_memory_max(std::size_t raw_size) const override {
    return kFixedMemory + 2 * raw_size + kDecodeBytesPerPixel * static_cast<std::size_t>(jpeg_pixels_max(raw_size));
  }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions&) const override {
    return kFixedMemory + 4 * raw_size + kEncodeBytesPerPixel * static_cast<std::size_t>(jpeg_pixels_max(raw_size));
  }

 private:
  // Empty where the file is better left as it is.
  static Buffer encode_file(const LibJxl& jxl, ByteView file, const JpegMember& member, int effort) {
    if (file.size() < kMemberMin || member.pixels > jpeg_pixels_max(file.size())) return {};
    Buffer picture;
    {
      const Admission admission(kEncodeBytesPerPixel * member.pixels);
      picture = to_jxl(jxl, file, effort);
    }
    if (picture.empty() || picture.size() + picture.size() / 64 >= file.size()) return {};
    Buffer back(file.size());
    if (!from_jxl(jxl, picture, back) || !std::ranges::equal(back, file)) return {};
    return picture;
  }
};

}  // namespace

const codec::Codec& jpeg_codec() {
  static const Jpeg codec;
  return codec;
}

}  // namespace mmh::codecs
