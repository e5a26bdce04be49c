#pragma once
// Small codecs for the tests of frames, which know no real one.

#include "mmh/codec/frame.h"

namespace mmh::test {

inline constexpr codec::CodecId kRunLength{100};  ///< Pairs of count and byte. One stream.
inline constexpr codec::CodecId kDeal{101};       ///< Bytes dealt in turn to as many streams as kDealStreams.
inline constexpr codec::CodecId kXor{102};      ///< Every byte xor its one parameter byte (options.width). One stream.
inline constexpr codec::CodecId kSwell{103};    ///< Every byte twice. One stream.
inline constexpr codec::CodecId kFan{104};      ///< Bytes dealt in turn to as many streams as options.width says.
inline constexpr codec::CodecId kNumbers{105};  ///< Numbers of options.width bytes, as they are. One stream.
inline constexpr std::size_t kDealStreams = 3;

const codec::Registry& toy_registry();
/// How often any toy codec was asked to decode, on this thread.
int toy_decodes();

/// A plan, and what to do to each of its streams.
codec::Plan toy_plan(codec::CodecId codec, std::vector<codec::Plan> children = {});

}  // namespace mmh::test
