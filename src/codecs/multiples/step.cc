#include "step.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "../elements.h"

namespace mmh::codecs::multiples {
namespace {

constexpr std::size_t kSampled = 1024;  // numbers looked at
constexpr std::size_t kLeast = 48;      // and least, to find anything
constexpr unsigned kSavedMin = 6;       // bits of the mantissa that the multipliers must do without
constexpr std::size_t kNearlyAll = 16;  // of which one may be no multiple

template <class T>
std::vector<T> sample_of(ByteView raw) {
  const std::size_t count = raw.size() / sizeof(T);
  std::vector<T> sample(std::min(count, kSampled));
  for (std::size_t i = 0; i < sample.size(); ++i) sample[i] = element<T>(raw.data(), i * count / sample.size());
  return sample;
}

// ---- floats

struct Fit {
  std::vector<std::int64_t> multipliers;
  std::size_t exact = 0;  // numbers that need no correction
};

// Nothing unless nearly all numbers are multiples of few bits, or one unit in the last place off.
template <class T>
std::optional<Fit> fit_of(FloatStep step, std::span<const T> sample) {
  Fit fit;
  std::size_t misses_left = sample.size() / kNearlyAll;
  for (const T bits : sample) {
    const auto parts = parts_of(bits);
    const auto multiplier = parts ? multiplier_of(step, *parts) : std::nullopt;
    const auto size = static_cast<std::uint64_t>(multiplier ? std::abs(*multiplier) : 0);
    const bool is_short = multiplier && static_cast<unsigned>(std::bit_width(size)) + kSavedMin <= Float<T>::kPrecision;
    const T correction = is_short ? static_cast<T>(bits - multiple<T>(step, *multiplier)) : T{0};
    if (is_short && static_cast<T>(correction + 1) <= 2) {
      fit.multipliers.push_back(*multiplier);
      fit.exact += correction == 0 ? 1 : 0;
    } else if (misses_left-- == 0) {
      return std::nullopt;
    }
  }
  return fit;
}

FloatStep normal(Wide mantissa, int exponent) {
  while (mantissa >> 64 != 0) {
    // Rounded once the last bit goes.
    mantissa = mantissa >> 65 != 0 ? mantissa >> 1 : (mantissa + 1) >> 1;
    ++exponent;
  }
  const int shift = std::countl_zero(static_cast<std::uint64_t>(mantissa));
  return {static_cast<std::uint64_t>(mantissa) << shift, exponent - shift};
}

FloatStep power_of_ten(int power) {
  Wide ten = 1;
  for (int i = 0; i < std::abs(power); ++i) ten *= 10;
  return power >= 0 ? normal(ten, 0) : normal((Wide{1} << 126) / ten, -126);
}

// Decimals: the largest power of ten of which they are multiples, times what those multipliers have in common.
template <class T>
std::optional<FloatStep> decimal_step(std::span<const T> sample) {
  constexpr int kPowerMax = 3;
  constexpr int kPowerMin = -12;
  for (int power = kPowerMax; power >= kPowerMin; --power) {
    const FloatStep step = power_of_ten(power);
    const auto fit = fit_of(step, sample);
    if (!fit) continue;
    std::int64_t common = 0;
    for (const std::int64_t multiplier : fit->multipliers) common = std::gcd(common, multiplier);
    if (common == 0) return std::nullopt;  // zeros
    const FloatStep larger = normal(Wide{step.mantissa} * static_cast<std::uint64_t>(common), step.exponent);
    return fit_of(larger, sample) ? larger : step;
  }
  return std::nullopt;
}

// What two numbers are multiples of, each of which is off by two at most: Euclid's algorithm as far as the errors
// allow. In 1/2^kFraction.
constexpr unsigned kFraction = 32;
std::optional<Wide> common_step(std::uint64_t a, std::uint64_t b) {
  if (a < b) std::swap(a, b);
  const Wide sum = Wide{a} + b;
  // Remainders are differences of multiples of a and of b; how many times each has gone in bounds the error.
  std::array<std::uint64_t, 2> of_a = {1, 0};
  std::array<std::uint64_t, 2> of_b = {0, 1};
  constexpr std::uint64_t kCofactorMax = std::uint64_t{1} << 30;
  while (b != 0) {
    const std::uint64_t quotient = a / b;
    if (quotient > kCofactorMax) return std::nullopt;
    const std::uint64_t next_a = of_a[0] + quotient * of_a[1];
    const std::uint64_t next_b = of_b[0] + quotient * of_b[1];
    if (next_a > kCofactorMax || next_b > kCofactorMax) return std::nullopt;
    const std::uint64_t error = 2 * (next_a + next_b);
    const std::uint64_t rest = a % b;
    const bool is_over = b - rest <= error;  // a hair below the next multiple
    if (rest <= error || is_over) {
      if (b / 8 <= error) return std::nullopt;
      const std::uint64_t times = next_a + next_b + (is_over ? of_a[1] + of_b[1] : 0);
      return (sum << kFraction) / times;
    }
    a = std::exchange(b, rest);
    of_a = {of_a[1], next_a};
    of_b = {of_b[1], next_b};
  }
  return std::nullopt;
}

// Any step: what the gaps between numbers have in common, most often.
template <class T>
std::optional<FloatStep> general_step(std::span<const T> sample) {
  std::vector<Parts> numbers;
  for (const T bits : sample) {
    if (const auto parts = parts_of(bits); parts && parts->mantissa != 0) numbers.push_back(*parts);
  }
  if (numbers.size() < kLeast) return std::nullopt;
  // In units of the last place of the largest, but for a few that are larger still.
  std::ranges::sort(numbers, {}, &Parts::exponent);
  const int unit = numbers[numbers.size() - 1 - numbers.size() / 8].exponent;
  constexpr int kShiftMax = 60;
  std::erase_if(numbers,
                [&](const Parts& number) { return number.exponent > unit || number.exponent < unit - kShiftMax; });
  std::vector<std::uint64_t> sizes;
  for (const Parts& number : numbers) sizes.push_back(number.mantissa >> (unit - number.exponent));
  std::ranges::sort(sizes);
  std::vector<std::uint64_t> gaps;
  constexpr std::uint64_t kGapMin = 32;
  for (std::size_t i = 1; i < sizes.size(); ++i) {
    if (sizes[i] - sizes[i - 1] >= kGapMin) gaps.push_back(sizes[i] - sizes[i - 1]);
  }
  std::vector<Wide> steps;
  for (std::size_t i = 1; i < gaps.size(); ++i) {
    if (const auto common = common_step(gaps[i - 1], gaps[i])) steps.push_back(*common);
  }
  // Most pairs agree on the step, some have more in common.
  std::ranges::sort(steps);
  std::size_t most = 0;
  Wide step = 0;
  for (std::size_t i = 0, end = 0; i < steps.size(); ++i) {
    while (end < steps.size() && steps[end] - steps[i] <= steps[i] >> 8) ++end;
    if (end - i <= most) continue;
    most = end - i;
    step = steps[i + most / 2];
  }
  if (most * 8 < gaps.size() || most < kLeast / 8) return std::nullopt;
  // All numbers together tell it best.
  constexpr int kFine = 8;  // bits of a unit
  Wide sum = 0;
  Wide times = 0;
  for (const Parts& number : numbers) {
    const Wide size = Wide{number.mantissa} << kFine >> (unit - number.exponent);
    sum += size;
    times += ((size << (kFraction - kFine)) + step / 2) / step;
  }
  if (times == 0) return std::nullopt;
  constexpr int kShift = 54;
  static_assert(kSampled <= 1 << 10, "or the sum of mantissas outgrows its bits");
  return normal((sum << kShift) / times, unit - kFine - kShift);
}

template <class T>
std::optional<FloatStep> float_step(ByteView raw) {
  const std::vector<T> all = sample_of<T>(raw);
  if (all.size() < kLeast) return std::nullopt;
  // A few tell that there is nothing, mostly.
  const std::span<const T> few = std::span(all).first(kLeast);
  if (auto step = decimal_step<T>(few)) {
    step = decimal_step<T>(all);
    if (step) return step;
  }
  const auto found = general_step<T>(all);
  if (!found) return std::nullopt;
  // The step may well have been a float itself.
  std::optional<FloatStep> best;
  std::size_t exact = 0;
  for (const unsigned bits : {64U, 53U, 24U}) {
    const Wide half = bits == 64 ? 0 : Wide{1} << (63 - bits);
    const FloatStep step = normal((found->mantissa + half) >> (64 - bits) << (64 - bits), found->exponent);
    const auto fit = fit_of<T>(step, all);
    if (!fit || (best && fit->exact <= exact)) continue;
    best = step;
    exact = fit->exact;
  }
  return best;
}

// ---- integers

template <class T>
std::optional<IntegerStep> integer_step(ByteView raw) {
  using Signed = std::make_signed_t<T>;
  std::vector<T> sample = sample_of<T>(raw);
  if (sample.size() < kLeast) return std::nullopt;
  std::ranges::sort(sample, {}, [](T value) { return static_cast<Signed>(value); });
  std::vector<T> gaps;
  for (std::size_t i = 1; i < sample.size(); ++i) {
    if (sample[i] != sample[i - 1]) gaps.push_back(static_cast<T>(sample[i] - sample[i - 1]));
  }
  if (gaps.size() < kLeast / 2) return std::nullopt;
  std::vector<T> steps;
  for (std::size_t i = 1; i < gaps.size(); ++i) steps.push_back(std::gcd(gaps[i - 1], gaps[i]));
  std::ranges::sort(steps);
  std::size_t most = 0;
  T size = 0;
  for (std::size_t i = 0; i < steps.size();) {
    const std::size_t begin = i;
    while (i < steps.size() && steps[i] == steps[begin]) ++i;
    if (i - begin <= most) continue;
    most = i - begin;
    size = steps[begin];
  }
  // The top of an integer that changes little takes no room anyway, so that small steps save enough to be worth it.
  constexpr T kSizeMin = 3;
  if (size < kSizeMin || std::has_single_bit(size)) return std::nullopt;
  if (size > std::numeric_limits<T>::max() / 2) return std::nullopt;
  const auto offset = static_cast<T>(static_cast<Signed>(sample[sample.size() / 2]) % static_cast<Signed>(size));
  std::size_t misses = 0;
  for (const T value : sample) misses += multiplier_of<T>({size, offset}, value) ? 0U : 1U;
  if (misses > sample.size() / kNearlyAll) return std::nullopt;
  return IntegerStep{size, offset};
}

}  // namespace

std::optional<FloatStep> find_float_step(ByteView raw, std::size_t width) {
  return width == 4 ? float_step<std::uint32_t>(raw) : float_step<std::uint64_t>(raw);
}

std::optional<IntegerStep> find_integer_step(ByteView raw, std::size_t width) {
  return width == 4 ? integer_step<std::uint32_t>(raw) : integer_step<std::uint64_t>(raw);
}

}  // namespace mmh::codecs::multiples
