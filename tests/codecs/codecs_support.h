#pragma once
// What the tests of the codecs share: every codec in every mode that takes its own path, and data of several kinds.

#include <string>
#include <vector>

#include "mmh/codec/frame.h"

namespace mmh::test {

/// A codec and options under which it takes a path of its own.
struct Variant {
  std::string name;
  codec::CodecId id;
  codec::EncodeOptions options;
  bool slow = false;  ///< Spared some of the longest inputs.
};
/// A layout of schemas without signatures.
std::shared_ptr<const codec::RecordLayout> layout_of(std::vector<std::vector<codec::Field>> schemas,
                                                     std::size_t head_size = 0);

/// At least one for each codec of the table.
const std::vector<Variant>& variants();
const codec::Codec& codec_of(const Variant& variant);

/// The dictionary that the variants with one use, and a context that hands it out.
std::shared_ptr<const codec::Dictionary> test_dictionary();
codec::DecodeContext context_with_dictionary();

/// The options of a variant for `raw`: with ranges of a base where its codec needs one. And the context that decodes
/// it.
codec::EncodeOptions options_for(const Variant& variant, ByteView raw);
codec::DecodeContext decode_context(const Variant& variant, ByteView raw);

/// Integer differences of width 2, split into planes, then `last`.
codec::Plan image_plan(codec::Plan last);

enum class DataKind { zeros, text, noise, ramp, records, branches, periodic, decimals, short_decimals, ticks, figures };
inline constexpr DataKind kDataKinds[] = {DataKind::zeros,    DataKind::text,     DataKind::noise,
                                          DataKind::ramp,     DataKind::records,  DataKind::branches,
                                          DataKind::periodic, DataKind::decimals, DataKind::short_decimals,
                                          DataKind::ticks,    DataKind::figures};
std::string_view name_of(DataKind kind);
Buffer make_data(DataKind kind, std::size_t size);

}  // namespace mmh::test
