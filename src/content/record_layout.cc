#include "record_layout.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>

#include "statistics.h"

namespace mmh::content {
namespace {

using codec::Field;
using codec::RecordLayout;
using codec::RecordSchema;

constexpr std::size_t kKiB = 1024;
constexpr std::uint64_t kSymbolCost = 6;    // bits that the statistics of one value cost
constexpr std::uint64_t kStreamCost = 160;  // bits that a stream of its own costs

std::uint8_t byte_at(ByteView data, std::size_t i) { return std::to_integer<std::uint8_t>(data[i]); }

// In bits, of bytes with statistics of their own.
std::uint64_t cost_of(const Histogram& counts) {
  const auto symbols = std::ranges::count_if(counts, [](std::uint32_t count) { return count != 0; });
  return (std::uint64_t{entropy_of(counts)} * total(counts) >> 8) + kSymbolCost * static_cast<std::uint64_t>(symbols);
}

// In bits, of values each of which is counted: what their numbers take.
template <class Counts>
std::uint64_t cost_of_numbers(const Counts& counts, std::size_t count) {
  std::uint64_t sum = 0;  // in 1/65536
  for (const std::uint32_t n : counts) sum += n > 1 ? std::uint64_t{n} * log2_fixed(n) : 0;
  const std::uint64_t all =
      count * std::uint64_t{log2_fixed(static_cast<std::uint32_t>(std::max<std::size_t>(count, 1)))};
  return all > sum ? (all - sum) >> 16 : 0;
}

// Values and how often each came. Open addressing; cleared for each use.
class Counter {
 public:
  explicit Counter(std::size_t count_max) : slots_(std::bit_ceil(2 * count_max + 2)) {}
  void clear() {
    std::ranges::fill(slots_, Slot{});
    counts_.clear();
  }
  void add(std::uint64_t value) {
    std::size_t slot = static_cast<std::size_t>(value * 0x9e3779b97f4a7c15 >> 32) & (slots_.size() - 1);
    while (slots_[slot].place != 0 && slots_[slot].value != value) slot = (slot + 1) & (slots_.size() - 1);
    if (slots_[slot].place == 0) {
      counts_.push_back(0);
      slots_[slot] = {.value = value, .place = static_cast<std::uint32_t>(counts_.size())};
    }
    ++counts_[slots_[slot].place - 1];
  }
  const std::vector<std::uint32_t>& counts() const { return counts_; }

 private:
  struct Slot {
    std::uint64_t value = 0;
    std::uint32_t place = 0;  // 0: free
  };
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> counts_;
};

// ---- Records of one width

std::uint64_t cost_of_column(ByteView data, std::size_t width, std::size_t column, bool differences) {
  Histogram counts{};
  std::uint8_t before = 0;
  for (std::size_t i = column; i < data.size(); i += width) {
    const std::uint8_t value = byte_at(data, i);
    ++counts[static_cast<std::uint8_t>(differences ? value - before : value)];
    before = value;
  }
  return cost_of(counts);
}

std::uint64_t cost_of_columns(ByteView data, std::size_t width) {
  std::uint64_t cost = 0;
  for (std::size_t c = 0; c < width; ++c) {
    cost += std::min(cost_of_column(data, width, c, false), cost_of_column(data, width, c, true));
  }
  return cost;
}

// Differences of little-endian integers, as byte planes.
template <class T>
std::uint64_t cost_of_integers(ByteView data, std::size_t width, std::size_t column) {
  std::array<Histogram, sizeof(T)> planes{};
  T before = 0;
  for (std::size_t i = column; i + sizeof(T) <= data.size(); i += width) {
    const T value = load_le<T>(data.subspan(i, sizeof(T)));
    const T difference = static_cast<T>(value - before);
    before = value;
    using Signed = std::make_signed_t<T>;
    const T coded = static_cast<T>(static_cast<T>(difference << 1) ^
                                   static_cast<T>(static_cast<Signed>(difference) >> (8 * sizeof(T) - 1)));
    for (std::size_t p = 0; p < sizeof(T); ++p) ++planes[p][static_cast<std::uint8_t>(coded >> (8 * p))];
  }
  std::uint64_t cost = 0;
  for (const Histogram& plane : planes) cost += cost_of(plane);
  return cost;
}

// Numbers of 4 or 8 bytes as multiples of a step; nothing where there is no step.
std::optional<std::uint64_t> cost_of_multiples(const codec::Codec& multiples, ByteView data, std::size_t width,
                                               std::size_t column, std::size_t size) {
  Buffer numbers(data.size() / width * size);
  for (std::size_t i = 0; i < data.size() / width; ++i) {
    std::ranges::copy(data.subspan(i * width + column, size), numbers.begin() + static_cast<std::ptrdiff_t>(i * size));
  }
  std::optional<std::uint64_t> least;
  for (const bool integers : {false, true}) {
    codec::EncodeOptions options;
    options.width = static_cast<unsigned>(size);
    options.integers = integers;
    const auto encoded = multiples.encode(numbers, options);
    if (!encoded || encoded->streams[0].empty()) continue;
    const ByteView multipliers = encoded->streams[0];
    const std::uint64_t differences = size == 4 ? cost_of_integers<std::uint32_t>(multipliers, size, 0)
                                                : cost_of_integers<std::uint64_t>(multipliers, size, 0);
    const std::uint64_t cost = std::min(differences, cost_of_columns(multipliers, size)) +
                               cost_of_column(encoded->streams[1], 1, 0, false) + 8 * encoded->streams[2].size();
    least = std::min(cost, least.value_or(cost));
  }
  return least;
}

constexpr std::array<std::size_t, 13> kTokenWidths = {2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 32};

}  // namespace

std::vector<std::size_t> record_widths(ByteView data) {
  constexpr std::size_t kWidthMax = 4096;
  constexpr std::size_t kCompared = 16 * kKiB;
  data = data.first(std::min(data.size(), kCompared + kWidthMax + 32 * kKiB));
  if (data.size() < 2 * kKiB) return {};
  const std::size_t compared = std::min(kCompared, data.size() / 2);
  const std::size_t width_max = std::min(kWidthMax, data.size() - compared);
  std::vector<std::uint32_t> equal(width_max + 2);
  for (std::size_t lag = 1; lag <= width_max; ++lag) {
    equal[lag] = count_equal(data.first(compared), data.subspan(lag, compared));
  }
  std::uint64_t all = std::accumulate(equal.begin(), equal.end(), std::uint64_t{0});
  const std::uint64_t mean = all / width_max;
  std::vector<std::size_t> peaks;
  for (std::size_t lag = 2; lag <= width_max; ++lag) {
    if (equal[lag] > equal[lag - 1] && equal[lag] >= equal[lag + 1] && equal[lag] > mean + compared / 128)
      peaks.push_back(lag);
  }
  std::ranges::stable_sort(peaks, [&](std::size_t a, std::size_t b) { return equal[a] > equal[b]; });
  std::vector<std::size_t> candidates;
  if (!peaks.empty()) {
    // The first lag that does nearly as well is the width; its multiples do no better.
    for (const unsigned share : {95U, 85U, 70U}) {
      const std::uint64_t enough = mean + (equal[peaks[0]] - mean) * share / 100;
      std::size_t least = width_max;
      for (const std::size_t peak : peaks) {
        if (equal[peak] >= enough) least = std::min(least, peak);
      }
      candidates.push_back(least);
    }
    for (std::size_t i = 0; i < std::min<std::size_t>(peaks.size(), 3); ++i) candidates.push_back(peaks[i]);
  }
  for (const std::size_t width : {2U, 4U, 8U}) candidates.push_back(width);
  std::ranges::sort(candidates);
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());

  Histogram counts{};
  count_bytes(data, counts);
  std::uint64_t least = cost_of(counts);
  least -= least / 32;
  struct Judged {
    std::uint64_t cost;
    std::size_t width;
  };
  std::vector<Judged> judged;
  for (const std::size_t width : candidates) {
    const std::uint64_t cost = cost_of_columns(data, width);
    if (cost < least) judged.push_back({.cost = cost, .width = width});
  }
  std::ranges::stable_sort(judged, {}, &Judged::cost);
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < std::min<std::size_t>(judged.size(), 2); ++i) widths.push_back(judged[i].width);
  return widths;
}

std::optional<RecordLayout> layout_of_fixed(ByteView data, std::size_t width, std::size_t fields_max,
                                            const codec::Codec* multiples) {
  constexpr std::size_t kLooked = 48 * kKiB;
  constexpr std::size_t kWidthMax = 1024;
  constexpr std::size_t kFieldMax = 64;
  const std::size_t count = std::min(data.size(), std::max(kLooked, 64 * width)) / width;
  if (width < 2 || width > kWidthMax || count < 16) return std::nullopt;
  data = data.first(count * width);

  // What a field costs that begins at each byte of a record, by its width; the record is a ring until the best place
  // to begin is known.
  struct Candidate {
    std::size_t width;
    std::uint64_t cost;
  };
  std::vector<std::vector<Candidate>> candidates(width);
  std::vector<std::uint64_t> hashes(count);
  Counter counter(count);
  std::vector<std::uint64_t> costs(width);
  for (std::size_t c = 0; c < width; ++c) {
    const ByteView from = data.subspan(c, data.size() - width);  // one record less, so that none runs over
    costs[c] = std::min(cost_of_column(from, width, 0, false), cost_of_column(from, width, 0, true));
  }
  // The low byte of a multiple of a step is all but noise, and its high byte is not.
  const auto may_be_multiple = [&](std::size_t c, std::size_t size) {
    constexpr std::size_t kRecordMax = 256;
    constexpr std::uint64_t kBits = 5;  // of a byte
    return multiples != nullptr && width <= kRecordMax && size <= width && costs[c] > kBits * count &&
           costs[(c + size - 1) % width] < kBits * count;
  };
  for (std::size_t c = 0; c < width; ++c) {
    const ByteView from = data.subspan(c, data.size() - width);
    std::vector<Candidate>& here = candidates[c];
    here.push_back({1, costs[c]});
    for (const std::size_t size : {4U, 8U}) {
      if (!may_be_multiple(c, size)) continue;
      if (const auto cost = cost_of_multiples(*multiples, from, width, 0, size)) here.push_back({size, *cost});
    }
    if (width >= 2) here.push_back({2, cost_of_integers<std::uint16_t>(from, width, 0)});
    if (width >= 4) here.push_back({4, cost_of_integers<std::uint32_t>(from, width, 0)});
    if (width >= 8) here.push_back({8, cost_of_integers<std::uint64_t>(from, width, 0)});
    std::ranges::fill(hashes, 0);
    std::size_t done = 0;
    for (const std::size_t token : kTokenWidths) {
      if (token > width) break;
      counter.clear();
      for (std::size_t i = 0; i + 1 < count; ++i) {
        std::uint64_t& hash = hashes[i];
        for (std::size_t b = done; b < token; ++b)
          hash = (hash ^ byte_at(data, i * width + c + b)) * 0x9e3779b97f4a7c15 + 1;
        counter.add(hash);
      }
      done = token;
      const std::size_t unique = counter.counts().size();
      if (unique * 2 > count) break;  // and wider ones are no fewer
      here.push_back({token, cost_of_numbers(counter.counts(), count) + unique * kSymbolCost * (token + 1)});
    }
  }

  struct Step {
    std::uint64_t cost = ~std::uint64_t{0};
    std::size_t field = 0;
  };
  std::uint64_t least = ~std::uint64_t{0};
  std::size_t head_size = 0;
  std::vector<std::size_t> fields;
  for (std::size_t begin = 0; begin < std::min<std::size_t>(width, 8); ++begin) {
    std::vector<Step> steps(width + 1);
    steps[0].cost = 0;
    for (std::size_t c = 0; c < width; ++c) {
      for (const Candidate& candidate : candidates[(begin + c) % width]) {
        if (c + candidate.width > width) continue;
        Step& to = steps[c + candidate.width];
        const std::uint64_t cost = steps[c].cost + candidate.cost + kStreamCost;
        if (cost < to.cost) to = {.cost = cost, .field = candidate.width};
      }
    }
    if (steps[width].cost >= least) continue;
    least = steps[width].cost;
    head_size = begin;
    fields.clear();
    for (std::size_t c = width; c > 0; c -= steps[c].field) fields.push_back(steps[c].field);
    std::ranges::reverse(fields);
  }

  // Too many are joined, narrow ones first.
  while (fields.size() > fields_max) {
    std::size_t best = fields.size();
    std::size_t narrowest = ~std::size_t{0};
    for (std::size_t f = 0; f + 1 < fields.size(); ++f) {
      const std::size_t joined = fields[f] + fields[f + 1];
      if (joined < narrowest && (joined <= kFieldMax || width > kFieldMax * fields_max)) {
        narrowest = joined;
        best = f;
      }
    }
    if (best == fields.size()) return std::nullopt;
    fields[best] += fields[best + 1];
    fields.erase(fields.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
  if (fields.size() < 2) return std::nullopt;

  RecordLayout layout{.head_size = head_size};
  RecordSchema& schema = layout.schemas.emplace_back();
  for (const std::size_t field : fields) {
    schema.fields.push_back({.kind = Field::Kind::fixed,
                             .width = static_cast<std::uint32_t>(field),
                             .stream = static_cast<std::uint32_t>(schema.fields.size())});
  }
  return layout;
}

// ---- Columns one behind the other

std::vector<Column> columns_of(ByteView data) {
  constexpr std::size_t kWindows = 96;
  constexpr std::size_t kWindow = 4 * kKiB;
  constexpr std::size_t kColumnsMax = 8;
  constexpr std::size_t kWindowsMin = 3;
  if (data.size() < kWindows * kWindow / 2) return {};
  const std::size_t step = data.size() / kWindows / 8 * 8;
  struct Run {
    std::size_t kind;
    std::size_t windows;
  };
  std::vector<Run> runs;
  for (std::size_t i = 0; i < kWindows; ++i) {
    const ByteView window = data.subspan(i * step, std::min(kWindow, step));
    const auto as_bytes_of = [&](std::size_t width) {
      std::uint64_t cost = 0;
      for (std::size_t c = 0; c < width; ++c) cost += cost_of_column(window, width, c, false);
      return cost;
    };
    // By kind: bytes, then each width as it is and as differences.
    const std::array<std::uint64_t, 7> costs = {as_bytes_of(1),
                                                as_bytes_of(2),
                                                cost_of_integers<std::uint16_t>(window, 2, 0),
                                                as_bytes_of(4),
                                                cost_of_integers<std::uint32_t>(window, 4, 0),
                                                as_bytes_of(8),
                                                cost_of_integers<std::uint64_t>(window, 8, 0)};
    const auto kind = static_cast<std::size_t>(std::ranges::min_element(costs) - costs.begin());
    if (runs.empty() || runs.back().kind != kind) runs.push_back({.kind = kind, .windows = 0});
    ++runs.back().windows;
  }
  // What is too short to be a column belongs to the one before.
  std::vector<Run> columns;
  for (const Run& run : runs) {
    if (!columns.empty() && (run.windows < kWindowsMin || columns.back().kind == run.kind)) {
      columns.back().windows += run.windows;
    } else {
      columns.push_back(run);
    }
  }
  if (columns.size() < 2 || columns.size() > kColumnsMax) return {};
  if (runs.size() > 2 * columns.size()) return {};  // of all sorts, rather than of columns
  std::vector<Column> found;
  std::size_t rest = data.size();
  for (const Run& column : columns) {
    const std::size_t size = &column == &columns.back() ? rest : column.windows * step;
    found.push_back({.size = size, .width = std::size_t{1} << (column.kind + 1) / 2});
    rest -= size;
  }
  return found;
}

RecordLayout layout_of_columns(const std::vector<Column>& columns) {
  constexpr std::uint32_t kPiece = 4096;
  RecordLayout layout;
  const auto add = [&](std::size_t width, std::size_t count, std::size_t stream) {
    if (width == 0 || count == 0) return;
    RecordSchema schema{.repeat = count};
    schema.fields.push_back({.width = static_cast<std::uint32_t>(width), .stream = static_cast<std::uint32_t>(stream)});
    layout.schemas.push_back(std::move(schema));
  };
  for (std::size_t i = 0; i < columns.size(); ++i) {
    add(kPiece, columns[i].size / kPiece, i);
    add(columns[i].size % kPiece, 1, i);
  }
  return layout;
}

// ---- Records that say how long they are, or begin alike

namespace {

// Where a record says how long it is.
struct LengthRule {
  std::size_t at;     // bytes before the length
  std::size_t width;  // of it
  bool big_endian;
  bool all;  // whether the length counts the bytes up to and with itself
};

constexpr std::size_t kTaggedMax = 1024;  // bytes of a record

// The size of the record at the front; 0: none.
std::size_t tagged_size(const LengthRule& rule, ByteView data) {
  const std::size_t head = rule.at + rule.width;
  if (data.size() < head) return 0;
  const ByteView at = data.subspan(rule.at);
  std::uint32_t length = byte_at(at, 0);
  if (rule.width == 2) {
    const auto number = load_le<std::uint16_t>(at);
    length = rule.big_endian ? __builtin_bswap16(number) : number;
  } else if (rule.width == 4) {
    const auto number = load_le<std::uint32_t>(at);
    length = rule.big_endian ? __builtin_bswap32(number) : number;
  }
  if (length > kTaggedMax) return 0;
  const std::size_t size = rule.all ? length : head + length;
  return size < head || size < 4 || size > data.size() ? 0 : size;
}

struct Tag {
  std::string head;
  std::size_t size;
  auto operator<=>(const Tag&) const = default;
};

// The records of a rule, counted by how they begin; empty: the data are not of such records.
std::map<Tag, std::uint32_t> follow(const LengthRule& rule, ByteView data) {
  constexpr std::size_t kStarts = 512;
  constexpr std::size_t kRecordsMin = 64;
  // Records of at least 6 bytes need fewer; looking at more finds chains of empty ones.
  std::size_t steps_left = data.size() / 4;
  std::vector<bool> is_lost(data.size() + 1);  // what begins there does not reach the end
  for (std::size_t start = 0; start < std::min(kStarts, data.size()); ++start) {
    std::size_t at = start;
    while (!is_lost[at]) {
      const std::size_t size = tagged_size(rule, data.subspan(at));
      if (size == 0) break;
      if (steps_left-- == 0) return {};
      at += size;
    }
    if (is_lost[at] || data.size() - at > kTaggedMax) {
      const std::size_t end = at;
      for (at = start; at != end; at += tagged_size(rule, data.subspan(at))) is_lost[at] = true;
      is_lost[end] = true;
      continue;
    }
    at = start;
    std::size_t records = 0;
    std::map<Tag, std::uint32_t> tags;
    while (const std::size_t size = tagged_size(rule, data.subspan(at))) {
      ++tags[{std::string(as_text(data.subspan(at, rule.at + rule.width))), size}];
      ++records;
      at += size;
      // Where most records begin in ways of their own, the length is none.
      if (records % kRecordsMin == 0 && tags.size() * 4 > records) break;
    }
    if (data.size() - at <= kTaggedMax && records >= kRecordsMin && tags.size() * 4 <= records &&
        (data.size() - start) / records >= 6) {
      return tags;
    }
  }
  return {};
}

std::optional<RecordLayout> layout_by_length(ByteView data) {
  constexpr std::size_t kSchemasMax = 16;
  std::int64_t least = 0;
  std::optional<RecordLayout> best;
  for (const std::size_t at : {0U, 1U, 2U, 4U}) {
    for (const std::size_t width : {1U, 2U, 4U}) {
      for (const bool big_endian : {false, true}) {
        if (width == 1 && big_endian) continue;
        for (const bool all : {false, true}) {
          const auto tags = follow({at, width, big_endian, all}, data);
          if (tags.size() < 2) continue;
          std::vector<std::uint32_t> counts;
          std::size_t records = 0;
          for (const auto& [tag, count] : tags) {
            counts.push_back(count);
            records += count;
          }
          // What the heads of records take as their kinds, less what they take as bytes of few values.
          constexpr std::size_t kTagCost = 64;
          constexpr std::size_t kHeadGain = 2;  // bits of a byte
          const auto cost = static_cast<std::int64_t>(cost_of_numbers(counts, records) + tags.size() * kTagCost) -
                            static_cast<std::int64_t>(records * (at + width) * kHeadGain);
          if (cost >= least) continue;
          least = cost;
          std::vector<std::pair<std::uint32_t, const Tag*>> order;
          for (const auto& [tag, count] : tags) order.emplace_back(count, &tag);
          std::ranges::stable_sort(order, [](const auto& a, const auto& b) { return a.first > b.first; });
          RecordLayout layout;
          for (const auto& [count, tag] : order) {
            if (layout.schemas.size() == kSchemasMax || count < 8) break;
            RecordSchema& schema = layout.schemas.emplace_back();
            schema.signature = copy_of(as_bytes(tag->head));
            schema.fields.push_back({.kind = Field::Kind::fixed,
                                     .width = static_cast<std::uint32_t>(tag->size),
                                     .stream = static_cast<std::uint32_t>(layout.schemas.size() - 1)});
          }
          if (!layout.schemas.empty()) best = std::move(layout);
        }
      }
    }
  }
  return best;
}

// What stands behind fields of different lengths is alike where it is in step, and not where it is out of step. What
// 16 bytes take, two by two.
std::uint64_t cost_in_step(const std::vector<ByteView>& records, const std::vector<std::size_t>& places,
                           Counter& counter) {
  std::uint64_t cost = 0;
  for (std::size_t offset = 0; offset < 16; offset += 2) {
    counter.clear();
    for (std::size_t i = 0; i < records.size(); ++i) {
      const std::size_t at = places[i] + offset;
      constexpr std::uint64_t kEnd = 1U << 16;
      counter.add(at + 2 <= records[i].size() ? load_le<std::uint16_t>(records[i].subspan(at, 2)) : kEnd);
    }
    cost += cost_of_numbers(counter.counts(), records.size());
  }
  return cost;
}

struct Grammar {
  std::vector<Field> fields;
  std::uint64_t gain = 0;  // bits by which the records are more alike in step
};

// The fields of records that begin alike: bytes, and strings behind their lengths.
Grammar grammar_of(const std::vector<ByteView>& records) {
  constexpr std::size_t kFieldsMax = 16;
  constexpr std::size_t kFixedMax = 64;
  Grammar grammar;
  std::vector<std::size_t> places(records.size(), 0);
  const std::size_t odd_max = records.size() / 50;
  Counter counter(records.size());
  const auto add = [&](Field field) {
    field.stream = static_cast<std::uint32_t>(grammar.fields.size());
    grammar.fields.push_back(field);
  };
  while (grammar.fields.size() < kFieldsMax) {
    std::vector<std::size_t> left;
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (records[i].size() > places[i]) left.push_back(records[i].size() - places[i]);
    }
    if (left.size() + odd_max < records.size()) break;
    std::ranges::nth_element(left, left.begin() + static_cast<std::ptrdiff_t>(odd_max / 2));
    const std::size_t least = left[odd_max / 2];

    // The first place where being in step is worth an eighth of a bit for each two bytes.
    const std::uint64_t gain_min = records.size();
    std::uint64_t gain = 0;
    std::size_t k = 0;
    std::vector<std::size_t> after(records.size());
    std::vector<std::size_t> out_of_step(records.size());
    for (; k < std::min(least, kFixedMax); ++k) {
      std::size_t odd = 0;
      std::uint64_t sum = 0;
      std::array<std::uint32_t, 256> lengths{};
      for (std::size_t i = 0; i < records.size(); ++i) {
        const std::size_t at = places[i] + k;
        const std::size_t length = at < records[i].size() ? byte_at(records[i], at) : 0;
        after[i] = at + 1 + length;
        odd += after[i] > records[i].size();
        ++lengths[length];
        sum += length;
      }
      const std::uint32_t most = *std::ranges::max_element(lengths);
      if (odd > odd_max || sum < 2 * records.size() || most * std::size_t{10} > records.size() * 9) continue;
      const auto mean = static_cast<std::size_t>(sum / records.size());
      for (std::size_t i = 0; i < records.size(); ++i) out_of_step[i] = places[i] + k + 1 + mean;
      const std::uint64_t in = cost_in_step(records, after, counter);
      const std::uint64_t out = cost_in_step(records, out_of_step, counter);
      if (out < in + gain_min) continue;
      gain = out - in;
      break;
    }
    if (gain == 0) {
      if (least > 0) add({.kind = Field::Kind::fixed, .width = static_cast<std::uint32_t>(least)});
      break;
    }
    if (k > 0) add({.kind = Field::Kind::fixed, .width = static_cast<std::uint32_t>(k)});
    add({.kind = Field::Kind::prefixed});
    grammar.gain += gain;
    places = after;
  }
  return grammar;
}

// Records that begin with the same two bytes, and of which some fields say how long they are.
std::vector<RecordLayout> layouts_by_marker(ByteView data) {
  constexpr std::size_t kLayoutsMax = 3;
  constexpr std::size_t kMarkersMax = 12;
  constexpr std::size_t kRecordsMin = 48;
  constexpr std::size_t kRecordsEnough = 400;
  data = data.first(std::min(data.size(), 64 * kKiB));
  // The places of each pair, one pair after the other.
  std::vector<std::uint32_t> ends(1U << 16);
  for (std::size_t i = 0; i + 2 <= data.size(); ++i) ++ends[load_le<std::uint16_t>(data.subspan(i, 2))];
  std::exclusive_scan(ends.begin(), ends.end(), ends.begin(), std::uint32_t{0});
  std::vector<std::uint32_t> places(data.size());
  for (std::size_t i = 0; i + 2 <= data.size(); ++i) {
    places[ends[load_le<std::uint16_t>(data.subspan(i, 2))]++] = static_cast<std::uint32_t>(i);
  }
  const auto places_of = [&](std::size_t pair) {
    const std::uint32_t first = pair == 0 ? 0 : ends[pair - 1];
    return std::span(places).subspan(first, ends[pair] - first);
  };
  struct Marker {
    std::uint64_t unevenness;  // of the distances, to their mean
    std::uint16_t pair;
  };
  std::vector<Marker> markers;
  for (std::size_t pair = 0; pair < ends.size(); ++pair) {
    const auto at = places_of(pair);
    if (at.size() < std::max(kRecordsMin, data.size() / 1024) || at.size() > data.size() / 12) continue;
    const std::size_t gaps = at.size() - 1;
    const std::size_t mean = (at.back() - at.front()) / gaps;
    if (mean * gaps * 8 < data.size() * 7) continue;  // not all over
    std::uint64_t off = 0;
    for (std::size_t i = 1; i < at.size(); ++i) {
      const std::size_t gap = at[i] - at[i - 1];
      off += gap > mean ? gap - mean : mean - gap;
    }
    const std::uint64_t unevenness = off * 1000 / (mean * gaps);
    if (unevenness < 400) markers.push_back({.unevenness = unevenness, .pair = static_cast<std::uint16_t>(pair)});
  }
  std::ranges::stable_sort(markers, {}, &Marker::unevenness);
  if (markers.size() > kMarkersMax) markers.resize(kMarkersMax);

  struct Found {
    std::uint64_t gain;  // for 1024 records
    RecordLayout layout;
  };
  std::vector<Found> found;
  for (const Marker& marker : markers) {
    std::vector<ByteView> records;
    const auto at = places_of(marker.pair);
    for (std::size_t i = 1; i < at.size() && records.size() < kRecordsEnough; ++i) {
      records.push_back(data.subspan(at[i - 1], at[i] - at[i - 1]));
    }
    Grammar grammar = grammar_of(records);
    if (grammar.gain == 0) continue;
    RecordSchema schema;
    schema.signature = {static_cast<std::byte>(marker.pair & 0xFF), static_cast<std::byte>(marker.pair >> 8)};
    schema.fields = std::move(grammar.fields);
    found.push_back(
        {.gain = grammar.gain * kKiB / records.size(), .layout = {.head_size = 0, .schemas = {std::move(schema)}}});
  }
  std::ranges::stable_sort(found, [](const Found& a, const Found& b) { return a.gain > b.gain; });
  std::vector<RecordLayout> layouts;
  for (std::size_t i = 0; i < std::min(kLayoutsMax, found.size()); ++i) layouts.push_back(std::move(found[i].layout));
  return layouts;
}

}  // namespace

std::vector<RecordLayout> layouts_of_tagged(ByteView data) {
  data = data.first(std::min(data.size(), 96 * kKiB));
  std::vector<RecordLayout> layouts = layouts_by_marker(data);
  if (auto layout = layout_by_length(data)) layouts.push_back(*std::move(layout));
  return layouts;
}

}  // namespace mmh::content
