#pragma once
// Numbers that are whole multiples of one step, as decimals and scaled readings are: the step, how a number becomes a
// multiplier, and how that becomes the number again. Integer arithmetic throughout: the same on every machine.

#include <bit>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "mmh/base/bytes.h"

namespace mmh::codecs::multiples {

__extension__ using Wide = unsigned __int128;

/// Binary floats of IEEE 754, by the unsigned integer of their width.
template <class T>
struct Float {
  static constexpr unsigned kPrecision = sizeof(T) == 4 ? 24 : 53;  ///< Bits of the mantissa, the hidden one included.
  static constexpr unsigned kExponentMax = sizeof(T) == 4 ? 255 : 2047;
  static constexpr int kBias =
      (sizeof(T) == 4 ? 127 : 1023) + static_cast<int>(kPrecision) - 1;  ///< Of whole mantissas.
  static constexpr unsigned kSignShift = 8 * sizeof(T) - 1;
  static constexpr T kHidden = T{1} << (kPrecision - 1);
};

/// A normal float: mantissa x 2^exponent.
struct Parts {
  bool negative = false;
  std::uint64_t mantissa = 0;  ///< With its hidden bit; 0: zero.
  int exponent = 0;
};
/// Nothing for subnormal numbers, infinities and those that are no numbers.
template <class T>
std::optional<Parts> parts_of(T bits) {
  using F = Float<T>;
  const bool negative = bits >> F::kSignShift != 0;
  const auto exponent = static_cast<unsigned>(bits >> (F::kPrecision - 1)) & F::kExponentMax;
  const T mantissa = bits & (F::kHidden - 1);
  if (exponent == F::kExponentMax || (exponent == 0 && mantissa != 0)) return std::nullopt;
  if (exponent == 0) return Parts{negative, 0, 0};
  return Parts{negative, mantissa | F::kHidden, static_cast<int>(exponent) - F::kBias};
}

/// The step of floats: mantissa x 2^exponent.
struct FloatStep {
  std::uint64_t mantissa = 0;  ///< At least 2^63.
  int exponent = 0;            ///< -4096..4096.
};

/// The float nearest to `multiplier` steps (half-way: the even one), as bits; 0 where no normal float is.
template <class T>
T multiple(FloatStep step, std::int64_t multiplier) {
  using F = Float<T>;
  if (multiplier == 0) return 0;
  const T sign = multiplier < 0 ? T{1} << F::kSignShift : T{0};
  const std::uint64_t size =
      multiplier < 0 ? 0 - static_cast<std::uint64_t>(multiplier) : static_cast<std::uint64_t>(multiplier);
  const Wide product = Wide{size} * step.mantissa;  // at least 2^63, so there is something to round away
  const auto high = static_cast<std::uint64_t>(product >> 64);
  const int width = high != 0 ? 128 - std::countl_zero(high) : 64;
  const int shift = width - static_cast<int>(F::kPrecision);
  auto mantissa = static_cast<std::uint64_t>(product >> shift);
  const Wide rest = product & ((Wide{1} << shift) - 1);
  const Wide half = Wide{1} << (shift - 1);
  mantissa += rest > half || (rest == half && (mantissa & 1) != 0) ? 1 : 0;
  const int exponent = shift + step.exponent + F::kBias;
  if (exponent < 1 || exponent >= static_cast<int>(F::kExponentMax) - 1) return 0;
  // A mantissa that was rounded up to the next power of two carries into the exponent.
  return sign | static_cast<T>((static_cast<std::uint64_t>(exponent - 1) << (F::kPrecision - 1)) + mantissa);
}

/// The multiplier nearest to a number; nothing where it has more than 62 bits.
inline std::optional<std::int64_t> multiplier_of(FloatStep step, const Parts& number) {
  if (number.mantissa == 0) return 0;
  const int shift = number.exponent - step.exponent;
  if (shift < 0) return 0;  // less than half of a step
  const int width = 64 - std::countl_zero(number.mantissa);
  if (width + shift > 125) return std::nullopt;
  const Wide quotient = ((Wide{number.mantissa} << shift) + step.mantissa / 2) / step.mantissa;
  if (quotient >> 62 != 0) return std::nullopt;
  const auto size = static_cast<std::int64_t>(quotient);
  return number.negative ? -size : size;
}

/// The step of integers: they are offset + multiplier x size.
struct IntegerStep {
  std::uint64_t size = 0;  ///< At least 2, less than half of what an integer holds.
  std::uint64_t offset = 0;
};
/// The multiplier of an integer, taken for one with a sign; nothing where it is no multiple.
template <class T>
std::optional<std::int64_t> multiplier_of(IntegerStep step, T value) {
  const auto distance = static_cast<std::make_signed_t<T>>(static_cast<T>(value - static_cast<T>(step.offset)));
  const auto size = static_cast<std::make_signed_t<T>>(step.size);
  if (distance % size != 0) return std::nullopt;
  return distance / size;
}

/// The step of which nearly all floats (of 4 or 8 bytes) seem to be multiples, by a sample; nothing where there is none
/// or it saves little.
std::optional<FloatStep> find_float_step(ByteView raw, std::size_t width);
/// The same of integers.
std::optional<IntegerStep> find_integer_step(ByteView raw, std::size_t width);

}  // namespace mmh::codecs::multiples
