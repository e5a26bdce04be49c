#include "quick.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "../elements.h"
#include "predictors.h"

namespace mmh::codecs {
namespace {

enum class Predictor : unsigned { left, above, mean, median, slope, plane };

template <class T>
constexpr std::int32_t kTop = static_cast<T>(~T{0});

template <Predictor kPredictor>
std::int32_t predict(std::int32_t w, std::int32_t n, std::int32_t nw, [[maybe_unused]] std::int32_t ne) {
  using enum Predictor;
  if constexpr (kPredictor == left) return w;
  if constexpr (kPredictor == above) return n;
  if constexpr (kPredictor == mean) return mean_of(w, n);
  if constexpr (kPredictor == median) return median_of(w, n, nw);
  if constexpr (kPredictor == slope) return slope_of(w, n, nw, ne);
  if constexpr (kPredictor == plane) return w + n - nw;
}

template <class T>
std::int32_t clamped(std::int32_t value) {
  const std::int32_t raised = value < 0 ? 0 : value;
  return raised > kTop<T> ? kTop<T> : raised;
}

// Elements at the front, whose neighbours are zeros where there are none.
template <class T, Predictor kPredictor>
std::int32_t guess_at_front(const std::byte* values, std::size_t i, std::size_t row, std::size_t channels) {
  const auto at = [&](std::size_t back) { return back > i ? 0 : std::int32_t{element<T>(values, i - back)}; };
  return clamped<T>(predict<kPredictor>(at(channels), at(row), at(row + channels), at(row - channels)));
}

// `here`: the first of the elements, all neighbours of which exist.
template <class T, Predictor kPredictor, bool kHasSlices>
struct Neighbours {
  const std::byte* here;
  std::ptrdiff_t row, channels, slice;

  std::int32_t at(std::ptrdiff_t i) const {
    T value;
    std::memcpy(&value, here + i * static_cast<std::ptrdiff_t>(sizeof(T)), sizeof value);
    return value;
  }
  // What it is or, with slices, by how much it differs.
  std::int32_t known(std::ptrdiff_t i) const { return kHasSlices ? at(i) - at(i - slice) : at(i); }
  std::int32_t guess(std::ptrdiff_t i) const {
    return from(i, predict<kPredictor>(known(i - channels), known(i - row), known(i - row - channels),
                                       known(i - row + channels)));
  }
  std::int32_t from(std::ptrdiff_t i, std::int32_t plain) const {
    return clamped<T>(kHasSlices ? plain + at(i - slice) : plain);
  }
};

template <class T, Predictor kPredictor, bool kHasSlices>
void miss(const Neighbours<T, kPredictor, kHasSlices>& neighbours, std::size_t count,
          std::uint16_t* __restrict missed) {
  for (std::ptrdiff_t i = 0; i < static_cast<std::ptrdiff_t>(count); ++i) {
    missed[i] = static_cast<T>(neighbours.at(i) - neighbours.guess(i));
  }
}

template <class T, Predictor kPredictor, bool kHasSlices>
void restore(const Neighbours<T, kPredictor, kHasSlices>& neighbours, std::size_t count, const std::uint16_t* missed,
             std::byte* values) {
  const auto size = static_cast<std::ptrdiff_t>(count);
  if (neighbours.channels != 1) {
    for (std::ptrdiff_t i = 0; i < size; ++i) {
      set_element(values, static_cast<std::size_t>(i), static_cast<T>(neighbours.guess(i) + missed[i]));
    }
    return;
  }
  // The neighbour to the left stays in a register, and need not come back through memory.
  std::int32_t w = neighbours.known(-1);
  std::int32_t nw = neighbours.known(-neighbours.row - 1);
  std::int32_t n = neighbours.known(-neighbours.row);
  for (std::ptrdiff_t i = 0; i < size; ++i) {
    const std::int32_t ne = neighbours.known(i - neighbours.row + 1);
    const auto value = static_cast<T>(neighbours.from(i, predict<kPredictor>(w, n, nw, ne)) + missed[i]);
    set_element(values, static_cast<std::size_t>(i), value);
    w = kHasSlices ? value - neighbours.at(i - neighbours.slice) : value;
    nw = n;
    n = ne;
  }
}

// Calls `front` for the elements at the front of the picture, `rest` for stretches of others, with how to guess them.
template <class T, Predictor kPredictor, class Front, class Rest>
void for_stretches(const std::byte* values, const QuickShape& shape, std::size_t begin, std::size_t end, Front&& front,
                   Rest&& rest) {
  const std::size_t reach = shape.row + shape.channels;
  for (; begin < std::min(end, reach); ++begin) {
    front(begin, guess_at_front<T, kPredictor>(values, begin, shape.row, shape.channels));
  }
  const auto stretch = [&]<bool kHasSlices>(std::size_t until, std::bool_constant<kHasSlices>) {
    if (begin >= until) return;
    const Neighbours<T, kPredictor, kHasSlices> neighbours{.here = values + begin * sizeof(T),
                                                           .row = static_cast<std::ptrdiff_t>(shape.row),
                                                           .channels = static_cast<std::ptrdiff_t>(shape.channels),
                                                           .slice = static_cast<std::ptrdiff_t>(shape.slice)};
    rest(begin, until - begin, neighbours);
    begin = until;
  };
  stretch(shape.slice == 0 ? end : std::min(end, shape.slice + reach), std::false_type());
  stretch(end, std::true_type());
}

template <class With>
void with_kind(const QuickShape& shape, With&& with) {
  const auto predictors = [&]<class T, unsigned... kPredictors>(T, std::integer_sequence<unsigned, kPredictors...>) {
    ((shape.predictor == kPredictors
          ? with(T{}, std::integral_constant<Predictor, static_cast<Predictor>(kPredictors)>())
          : void()),
     ...);
  };
  constexpr auto kAll = std::make_integer_sequence<unsigned, kQuickPredictorCount>();
  if (shape.width == 1) {
    predictors(std::uint8_t{}, kAll);
  } else {
    predictors(std::uint16_t{}, kAll);
  }
}

// Calls `with` with each element of a second or third channel, first or last first.
template <class With>
void for_colours(const QuickShape& shape, std::size_t begin, std::size_t count, bool backwards, With&& with) {
  for (std::size_t k = 0; k < count; ++k) {
    const std::size_t i = backwards ? count - 1 - k : k;
    const std::size_t channel = (begin + i) % shape.row % shape.channels;
    if (i > 0 && (channel == 1 || channel == 2)) with(i);
  }
}

}  // namespace

void quick_misses(const std::byte* values, const QuickShape& shape, std::size_t begin,
                  std::span<std::uint16_t> missed) {
  const auto bits = static_cast<unsigned>(8 * shape.width);
  with_kind(shape, [&]<class T, Predictor kPredictor>(T, std::integral_constant<Predictor, kPredictor>) {
    for_stretches<T, kPredictor>(
        values, shape, begin, begin + missed.size(),
        [&](std::size_t i, std::int32_t guess) { missed[i - begin] = static_cast<T>(element<T>(values, i) - guess); },
        [&](std::size_t from, std::size_t count, const auto& neighbours) {
          miss(neighbours, count, missed.data() + (from - begin));
        });
  });
  if (shape.colour) {
    for_colours(shape, begin, missed.size(), true,
                [&](std::size_t i) { missed[i] = static_cast<std::uint16_t>(missed[i] - missed[i - 1]); });
  }
  for (std::uint16_t& miss : missed) miss = static_cast<std::uint16_t>(fold(miss, bits));
}

void quick_values(std::span<std::uint16_t> missed, const QuickShape& shape, std::size_t begin, std::byte* values) {
  for (std::uint16_t& miss : missed) miss = static_cast<std::uint16_t>(unfold(miss));
  if (shape.colour) {
    for_colours(shape, begin, missed.size(), false,
                [&](std::size_t i) { missed[i] = static_cast<std::uint16_t>(missed[i] + missed[i - 1]); });
  }
  with_kind(shape, [&]<class T, Predictor kPredictor>(T, std::integral_constant<Predictor, kPredictor>) {
    for_stretches<T, kPredictor>(
        values, shape, begin, begin + missed.size(),
        [&](std::size_t i, std::int32_t guess) { set_element(values, i, static_cast<T>(guess + missed[i - begin])); },
        [&](std::size_t from, std::size_t count, const auto& neighbours) {
          restore(neighbours, count, missed.data() + (from - begin), values + from * sizeof(T));
        });
  });
}

void QuickContexts::find(const std::uint16_t* missed, std::size_t index, std::span<std::uint8_t> streams) const {
  std::array<std::uint16_t, kRunMax> places;
  const std::size_t count = streams.size();
  for (std::size_t i = 0; i < count; ++i) {
    places[i] = static_cast<std::uint16_t>(contexts_.place_of(activity(missed + i, row_, channels_)));
  }
  for (std::size_t i = 0; i < count; ++i) streams[i] = contexts_.at(places[i]);
  if (groups_ == 1) return;
  std::size_t column = index % static_cast<std::size_t>(row_);
  for (std::uint8_t& stream : streams) {
    stream = static_cast<std::uint8_t>(stream + column % groups_ * contexts_.count());
    if (++column == static_cast<std::size_t>(row_)) column = 0;
  }
}

}  // namespace mmh::codecs
