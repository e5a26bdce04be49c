// ZDICT_trainFromBuffer_fastCover is in zstd's "static" section; the shared library exports it.
#define ZDICT_STATIC_LINKING_ONLY
#include <zdict.h>

#include <numeric>

#include "mmh/base/check.h"
#include "mmh/codecs/builtin.h"

namespace mmh::codecs {

Buffer train_dictionary(ByteView samples, std::span<const std::size_t> sample_sizes, std::size_t size_max) {
  MMH_CHECK(std::accumulate(sample_sizes.begin(), sample_sizes.end(), std::size_t{0}) == samples.size());
  // Fixed, so that the result depends on the samples alone; among the best for Python, C headers and JSON alike. The
  // original COVER takes twenty times as long for a few per cent.
  ZDICT_fastCover_params_t parameters{};
  parameters.k = 1024;
  parameters.d = 8;
  parameters.f = 20;
  parameters.accel = 1;
  parameters.zParams.compressionLevel = 3;
  Buffer dictionary(size_max);
  const std::size_t size =
      ZDICT_trainFromBuffer_fastCover(dictionary.data(), dictionary.size(), samples.data(), sample_sizes.data(),
                                      static_cast<unsigned>(sample_sizes.size()), parameters);
  if (ZDICT_isError(size)) return {};
  dictionary.resize(size);
  return dictionary;
}

}  // namespace mmh::codecs
