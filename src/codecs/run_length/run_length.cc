#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "../elements.h"
#include "../table.h"
#include "mmh/base/varint.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;
using codec::Signature;

constexpr std::size_t kWidthMax = 16;
constexpr std::size_t kRunBytesMin = 8;  // shorter runs cost as much as they save

std::size_t run_min(std::size_t width) { return std::max<std::size_t>(2, (kRunBytesMin + width - 1) / width); }

// Where the bytes from `begin` on stop being equal to those `width` before them. Requires: begin >= width.
std::size_t end_of_run(ByteView raw, std::size_t begin, std::size_t width) {
  const std::byte* const data = raw.data();
  std::size_t i = begin;
  for (; i + 8 <= raw.size(); i += 8) {
    std::uint64_t here;
    std::uint64_t before;
    std::memcpy(&here, data + i, 8);
    std::memcpy(&before, data + i - width, 8);
    if (here != before) return i + static_cast<std::size_t>(std::countr_zero(here ^ before)) / 8;
  }
  while (i < raw.size() && data[i] == data[i - width]) ++i;
  return i;
}

// The next element from `i` on, a multiple of `width`, at which a run may begin: most data has none, and is passed over
// eight bytes at a time.
std::size_t skip_to_run(ByteView raw, std::size_t i, std::size_t width) {
  const std::size_t checked =
      std::min<std::size_t>(8, (run_min(width) - 1) * width);  // equal bytes that a run begins with
  const std::uint64_t mask = ~std::uint64_t{0} >> (64 - 8 * checked);
  while (i + width + 8 <= raw.size()) {
    std::uint64_t here;
    std::uint64_t next;
    std::memcpy(&here, raw.data() + i, 8);
    std::memcpy(&next, raw.data() + i + width, 8);
    const std::uint64_t differing = (here ^ next) & mask;
    if (differing == 0) return i;
    // No run holds the last byte that differs and its successor.
    const auto last = static_cast<std::size_t>(63 - std::countl_zero(differing)) / 8;
    i += (last / width + 1) * width;
  }
  return i;
}

class RunLength final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::run_length; }
  std::string_view name() const override { return "run_length"; }
  std::string_view purpose() const override { return "runs of one element, each stored once"; }

  Result<Signature> signature(ByteView parameters) const override {
    MMH_LET(const Elements elements, take_elements(parameters, 1, kWidthMax));
    Signature signature;
    signature.stream_count = 2;
    signature.coded[0] = {.kind = codec::StreamKind::records, .width = static_cast<std::uint32_t>(elements.width)};
    return signature;
  }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    MMH_TRY(check_option("run_length width", options.width, 1, kWidthMax));
    const std::size_t width = options.width;
    Encoded result;
    put_elements(result.parameters, width, raw);
    result.streams.resize(2);
    Buffer& values = result.streams[0];
    Buffer& lengths = result.streams[1];
    const ByteView whole = raw.first(raw.size() / width * width);
    values.reserve(whole.size());
    std::size_t literals = 0;  // where the elements that are not yet written begin
    for (std::size_t i = skip_to_run(whole, 0, width); i + width < whole.size(); i = skip_to_run(whole, i, width)) {
      const std::size_t count = (end_of_run(whole, i + width, width) - i) / width;
      if (count < run_min(width)) {
        i += std::max<std::size_t>(1, count) * width;
        continue;
      }
      put_varint(lengths, (i - literals) / width);
      put_varint(lengths, count - run_min(width));
      append(values, whole.subspan(literals, i + width - literals));
      i += count * width;
      literals = i;
    }
    append(values, whole.subspan(literals));
    return result;
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    MMH_LET(const Elements elements, take_elements(parameters, 1, kWidthMax));
    MMH_LET(const std::size_t all, place_tail(elements, raw));
    const std::size_t width = elements.width;
    Bytes out = raw.first(all * width);
    ByteView values = streams[0];
    ByteView lengths = streams[1];
    while (!lengths.empty()) {
      MMH_LET(const std::uint64_t literals, take_varint(lengths));
      MMH_LET(const std::uint64_t more, take_varint(lengths));
      const std::size_t room = out.size() / width;
      if (literals >= values.size() / width || literals > room || more > room ||
          room - literals < more + run_min(width)) {
        return fail(Errc::corrupt, "run_length: a run that is too long");
      }
      const std::size_t bytes = static_cast<std::size_t>(literals) * width;
      const std::size_t run = (static_cast<std::size_t>(more) + run_min(width)) * width;
      std::memcpy(out.data(), values.data(), bytes + width);
      fill(out.subspan(bytes, run), width);
      out = out.subspan(bytes + run);
      values = values.subspan(bytes + width);
    }
    if (values.size() != out.size()) {
      return fail(Errc::corrupt, fmt::format("run_length: {} bytes for {}", values.size(), out.size()));
    }
    copy_bytes(values, out);
    return {};
  }

  std::size_t decode_memory_max(std::size_t) const override { return 0; }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions&) const override { return 2 * raw_size; }

 private:
  // Repeats the first element: what is done is copied behind itself, twice as much each time.
  static void fill(Bytes run, std::size_t width) {
    if (width == 1) {
      std::memset(run.data(), std::to_integer<int>(run[0]), run.size());
      return;
    }
    for (std::size_t done = width; done < run.size();) {
      const std::size_t more = std::min(done, run.size() - done);
      std::memcpy(run.data() + done, run.data(), more);
      done += more;
    }
  }
};

}  // namespace

const codec::Codec& run_length_codec() {
  static const RunLength codec;
  return codec;
}

}  // namespace mmh::codecs
