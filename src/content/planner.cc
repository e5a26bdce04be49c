#include "mmh/content/planner.h"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <utility>

#include "floats.h"
#include "front.h"
#include "mmh/base/check.h"
#include "mmh/content/periods.h"
#include "predicted.h"
#include "recompressed.h"
#include "records.h"
#include "statistics.h"
#include "text.h"

namespace mmh::content {
namespace {

using codec::CodecId;
using codec::Plan;
using enum ContentClass;

constexpr std::size_t kKiB = std::size_t{1} << 10;
constexpr std::size_t kMiB = std::size_t{1} << 20;

// What a level spends.
struct Effort {
  int zstd;                // level of zstd for a block; where lzma is used, for byte planes only
  int lzma;                // level of LZMA, extreme at the highest of ours; negative: not used
  int trial;               // level of zstd in trials of fronts
  std::size_t pieces;      // of the sample
  std::size_t piece_size;  // in bytes; a multiple of kPieceUnit
  std::size_t trials;      // fronts that get a trial
  unsigned gain_min;       // in 1/1000: what a slower coder must gain to be taken
};

constexpr std::array<Effort, kLevelMax + 1> kEfforts = {{
    {},
    {1, -1, 1, 3, 24 * kKiB, 1, 0},
    {3, -1, 1, 4, 24 * kKiB, 2, 10},
    {5, -1, 1, 4, 48 * kKiB, 2, 10},
    {7, -1, 3, 6, 48 * kKiB, 3, 10},
    {9, -1, 3, 6, 48 * kKiB, 3, 10},
    {12, -1, 3, 8, 48 * kKiB, 4, 5},
    {16, -1, 5, 12, 48 * kKiB, 4, 2},
    {17, 5, 5, 16, 48 * kKiB, 6, 1},
    {19, 9, 7, 16, 48 * kKiB, 6, 0},
}};

// A multiple of every width of an element but those of records, so that each piece of a sample begins as the block
// does.
constexpr std::size_t kPieceUnit = 48;

// The level of zstd from which on looking for records does not take most of the time.
constexpr int kRecordsZstd = 5;

// The level of zstd from which on weights lose the scales of their rows and columns: finding them takes as long as
// coding what is left.
constexpr int kScalesZstd = 5;

// The levels of ours from which on pixels and sound are predicted. Sound unpacks far slower than what lower levels use.
constexpr int kPixelsLevelMin = 3;
constexpr int kSoundLevelMin = 7;

// The level of zstd from which on it is tried on the planes of floats, too.
constexpr int kPatientZstd = 16;

Sample take_sample(ByteView raw, std::size_t pieces, std::size_t piece_size) {
  Sample sample;
  sample.piece_size = piece_size;
  if (raw.size() <= pieces * piece_size) {
    sample.bytes.assign(raw.begin(), raw.end());
    return sample;
  }
  sample.bytes.reserve(pieces * piece_size);
  const std::size_t step = (raw.size() - piece_size) / (pieces - 1) / kPieceUnit * kPieceUnit;
  for (std::size_t i = 0; i < pieces; ++i) append(sample.bytes, raw.subspan(i * step, piece_size));
  return sample;
}

bool is_code(ContentClass content) {
  return content == machine_x86 || content == machine_arm64 || content == machine_riscv || content == machine_other;
}

Plan zstd_plan(int level, std::size_t raw_size) {
  Plan plan;
  plan.codec = CodecId::zstd;
  plan.options.level = level;
  // The whole block as the window: zstd's own choice for a level is smaller than our blocks.
  constexpr unsigned kWindowLogMin = 17;
  plan.options.window_log = std::max(kWindowLogMin, static_cast<unsigned>(std::bit_width(raw_size)));
  return plan;
}

Plan lzma_plan(const Effort& effort, int lc, int pb, std::size_t raw_size) {
  Plan plan;
  plan.codec = CodecId::lzma;
  plan.options.level = effort.lzma;
  plan.options.extreme = effort.lzma == 9;
  plan.options.lc = lc;
  plan.options.lp = 0;
  plan.options.pb = pb;
  constexpr unsigned kWindowLogMin = 12;
  plan.options.window_log = std::max(kWindowLogMin, static_cast<unsigned>(std::bit_width(raw_size)));
  return plan;
}

// Takes down what is weighed for a block, where somebody asks.
class Weighed {
 public:
  Weighed(std::size_t raw_size, std::vector<Candidate>* list) : raw_size_(raw_size), list_(list) {}
  // `size`: bytes that `plan` makes of `of` bytes of the block.
  void add(const Plan& plan, std::size_t size, std::size_t of) const {
    if (list_ != nullptr && of > 0) list_->push_back({plan, std::uint64_t{size} * raw_size_ / of});
  }
  std::size_t raw_size() const { return raw_size_; }
  bool is_asked() const { return list_ != nullptr; }

 private:
  std::size_t raw_size_;
  std::vector<Candidate>* list_;
};

// A field of a block of quantised numbers.
struct Field {
  std::uint16_t size;  // bytes
  bool is_half = false;
};

// The fields of the blocks that ggml defines, in order; nothing for other types.
std::span<const Field> fields_of(ElementType type) {
  using enum ElementType;
  static constexpr Field kQ4_0[] = {{2, true}, {16}};
  static constexpr Field kQ4_1[] = {{2, true}, {2, true}, {16}};
  static constexpr Field kQ5_0[] = {{2, true}, {4}, {16}};
  static constexpr Field kQ5_1[] = {{2, true}, {2, true}, {4}, {16}};
  static constexpr Field kQ8_0[] = {{2, true}, {32}};
  static constexpr Field kQ8_1[] = {{2, true}, {2, true}, {32}};
  static constexpr Field kQ2K[] = {{16}, {64}, {2, true}, {2, true}};
  static constexpr Field kQ3K[] = {{32}, {64}, {12}, {2, true}};
  static constexpr Field kQ4K[] = {{2, true}, {2, true}, {12}, {128}};
  static constexpr Field kQ5K[] = {{2, true}, {2, true}, {12}, {32}, {128}};
  static constexpr Field kQ6K[] = {{128}, {64}, {16}, {2, true}};
  static constexpr Field kQ8K[] = {{4}, {256}, {32}};
  static constexpr Field kIq4Xs[] = {{2, true}, {2}, {4}, {128}};
  static constexpr Field kMxfp4[] = {{1}, {16}};
  static constexpr Field kTq1[] = {{48}, {4}, {2, true}};
  static constexpr Field kTq2[] = {{64}, {2, true}};
  switch (type) {
    case q4_0:
    case iq4_nl:
      return kQ4_0;
    case q4_1:
      return kQ4_1;
    case q5_0:
      return kQ5_0;
    case q5_1:
      return kQ5_1;
    case q8_0:
      return kQ8_0;
    case q8_1:
      return kQ8_1;
    case q2_k:
      return kQ2K;
    case q3_k:
      return kQ3K;
    case q4_k:
      return kQ4K;
    case q5_k:
      return kQ5K;
    case q6_k:
      return kQ6K;
    case q8_k:
      return kQ8K;
    case iq4_xs:
      return kIq4Xs;
    case mxfp4:
      return kMxfp4;
    case tq1_0:
      return kTq1;
    case tq2_0:
      return kTq2;
    default:
      return {};
  }
}

class DefaultPlanner final : public Planner {
 public:
  explicit DefaultPlanner(const codec::Registry& registry) : registry_(registry) {}

  Plan plan(ByteView raw, const ContentType& type, int level) const override {
    return decide(raw, type, level, Weighed(raw.size(), nullptr));
  }

  std::vector<Candidate> candidates(ByteView raw, const ContentType& type, int level) const override {
    std::vector<Candidate> list;
    decide(raw, type, level, Weighed(raw.size(), &list));
    return list;
  }

  Plan plan_from_base(ByteView raw, std::shared_ptr<const codec::BaseReference> base, const ContentType& type,
                      int level) const override {
    MMH_CHECK(level >= kLevelMin && level <= kLevelMax);
    const Effort& effort = kEfforts[static_cast<std::size_t>(level)];
    if (base->bytes.size() == raw.size()) {
      if (const auto number = change_of(type)) return plan_changes(raw, std::move(base), *number, effort);
    }
    Plan plan = zstd_plan(effort.zstd, raw.size() + base->bytes.size());
    plan.codec = CodecId::base_zstd;
    // Long stretches are the same in both, and the tables of low levels do not reach that far back.
    plan.options.long_matches = true;
    constexpr unsigned kWindowLogMax = 27;
    plan.options.window_log = std::min(plan.options.window_log, kWindowLogMax);
    plan.options.base = std::move(base);
    return plan;
  }

  std::size_t block_size(const ContentType& type, int level) const override {
    const ContentClass content = type.content;
    // A file is read by decoding its block from the start: what hardly shrinks is read and matched in small blocks.
    if (content == compressed || content == tensor) return 3 * kMiB;
    if (level >= 8) return 32 * kMiB;
    // Numbers in records take 4 1/4 times their size while they are coded, of which a frame may take 64 MiB.
    return (is_text(content) ? 16 : 15) * kMiB;
  }

 private:
  Plan decide(ByteView raw, const ContentType& type, int level, const Weighed& weighed) const {
    MMH_CHECK(level >= kLevelMin && level <= kLevelMax);
    if (raw.empty() || registry_.find(CodecId::zstd) == nullptr) return {};
    if (level >= (type.content == image ? kPixelsLevelMin : kSoundLevelMin)) {
      if (auto predicted = predicted_plan(registry_, raw, type, level)) {
        if (level >= kSoundLevelMin && predicted->codec == CodecId::raster) {
          // The quick way of lower levels is fast to try, and learns more from slices and colours.
          Plan quick = *predicted;
          quick.options.level = kPixelsLevelMin;
          if (size_of(quick, raw) < size_of(*predicted, raw)) predicted = std::move(quick);
        }
        const auto general = [&] { return decide_general(raw, type, level, weighed); };
        return choose_predicted(raw, type, *predicted, level, general, weighed);
      }
    }
    Plan general = decide_general(raw, type, level, weighed);
    if (auto plan = plan_bit_records(raw, type, general, level, weighed)) return *std::move(plan);
    if (type.content == compressed) {
      if (auto plan = recompressed_plan(registry_, raw, general, back_of_inflated(level), level)) {
        // Where there is something to find without it, such as files that are nearly the same, it must find more.
        if (general.codec == CodecId::stored) return *std::move(plan);
        const std::size_t size = size_of(*plan, raw);
        const std::size_t general_size = size_of(general, raw);
        weighed.add(*plan, size, raw.size());
        return size < general_size ? *std::move(plan) : general;
      }
    }
    return general;
  }

  // Records that are no whole bytes, each made whole bytes, and what is then best for them. Nothing where `general`
  // does as well.
  std::optional<Plan> plan_bit_records(ByteView raw, const ContentType& type, const Plan& general, int level,
                                       const Weighed& weighed) const {
    const codec::Codec* const codec = registry_.find(CodecId::bit_records);
    const bool is_known =
        type.has_elements || is_text(type.content) || is_code(type.content) || type.content == compressed;
    if (codec == nullptr || is_known || kEfforts[static_cast<std::size_t>(level)].zstd < kRecordsZstd)
      return std::nullopt;
    const auto period = find_bit_period(raw);
    if (!period) return std::nullopt;
    Plan plan;
    plan.codec = CodecId::bit_records;
    plan.options.width = period->bits;
    plan.options.phase = period->phase;
    plan.options.big_endian = period->high_first;
    // A look at a part, which begins as all of it does, spares what repeats for other reasons.
    constexpr std::size_t kPartSize = 128 * kKiB;
    ByteView part = raw;
    if (raw.size() > 2 * kPartSize) part = raw.subspan(raw.size() / 2 / period->bits * period->bits, kPartSize);
    const auto look = codec->encode(part, plan.options);
    MMH_CHECK(look.has_value());
    const ByteView widened = look->streams[0];
    std::size_t wide = size_of(zstd_plan(1, widened.size()), widened);
    if (period->bits <= 64) {
      Plan differences;
      differences.codec = CodecId::delta;
      differences.options.width = std::bit_ceil((period->bits + 7) / 8);
      differences.options.integers = true;
      differences.children = {zstd_plan(1, widened.size())};
      wide = std::min(wide, size_of(differences, widened));
    }
    const std::size_t as_it_is = size_of(zstd_plan(1, part.size()), part);
    if (wide + as_it_is / 16 > as_it_is) return std::nullopt;

    const auto encoded = codec->encode(raw, plan.options);
    MMH_CHECK(encoded.has_value());
    const ByteView records = encoded->streams[0];
    plan.children.push_back(decide_general(records, ContentType(binary), level, Weighed(records.size(), nullptr)));
    const std::size_t size = size_of(plan, raw);
    weighed.add(plan, size, raw.size());
    constexpr std::size_t kFew = 128;  // of which one part at least must be saved
    const std::size_t general_size = size_of(general, raw);
    if (size + general_size / kFew > general_size) return std::nullopt;
    return plan;
  }

  // For what was compressed: more than a block holds otherwise, of which nothing is known but that it shrinks.
  Plan back_of_inflated(int level) const {
    const Effort& effort = kEfforts[static_cast<std::size_t>(level)];
    constexpr std::size_t kWindow = 16 * kMiB;
    const bool has_lzma = effort.lzma >= 0 && registry_.find(CodecId::lzma) != nullptr;
    return has_lzma ? lzma_plan(effort, 3, 0, kWindow) : zstd_plan(effort.zstd, kWindow);
  }

  Plan decide_general(ByteView raw, const ContentType& type, int level, const Weighed& weighed) const {
    if (auto plan = plan_swapped(raw, type, level, weighed)) return *std::move(plan);
    const Effort& effort = kEfforts[static_cast<std::size_t>(level)];
    const bool has_lzma = effort.lzma >= 0 && registry_.find(CodecId::lzma) != nullptr;
    if (is_text(type.content)) {
      return or_records(has_lzma ? lzma_plan(effort, 4, 0, raw.size()) : zstd_plan(effort.zstd, raw.size()), raw, type,
                        effort, has_lzma, weighed);
    }
    if (type.content == compressed || looks_incompressible(raw)) return plan_incompressible(raw, effort, weighed);

    const Sample sample = take_sample(raw, effort.pieces, effort.piece_size);
    if (type.content == tensor) {
      if (auto plan = plan_floats(raw, type, sample, effort, weighed)) {
        // Numbers that look like floats and shrink like none may be records.
        if (!type.has_elements && !shrinks_little(*plan, sample)) {
          return or_records(*std::move(plan), raw, type, effort, has_lzma, weighed);
        }
        plan = or_far_matches(*std::move(plan), raw, effort, weighed);
        return or_numbers(*std::move(plan), raw, type, sample, effort, has_lzma, weighed);
      }
      if (type.has_elements) {
        if (auto plan = plan_quants(raw, type.element, effort, weighed)) {
          return or_far_matches(*std::move(plan), raw, effort, weighed);
        }
        if (element_size(type.element) == 1) {
          if (auto plan = plan_bytes(raw, type, sample, effort, has_lzma, weighed)) {
            return or_far_matches(*std::move(plan), raw, effort, weighed);
          }
        }
      }
    }
    const Front front = choose_front(sample, type, effort, weighed);
    Plan plan = choose_back(sample, front, effort, has_lzma, weighed);
    if (type.has_elements) plan = or_numbers(std::move(plan), raw, type, sample, effort, has_lzma, weighed);
    return or_records(std::move(plan), raw, type, effort, has_lzma, weighed);
  }

  // Numbers of a known type whose high bytes come first: what suits them with their bytes in the other order.
  std::optional<Plan> plan_swapped(ByteView raw, const ContentType& type, int level, const Weighed& weighed) const {
    const codec::Codec* const codec = registry_.find(CodecId::byte_swap);
    const std::uint32_t width = type.has_elements ? element_size(type.element) : 0;
    if (codec == nullptr || !type.big_endian || (width != 2 && width != 4 && width != 8)) return std::nullopt;
    Plan plan;
    plan.codec = CodecId::byte_swap;
    plan.options.width = width;
    const auto encoded = codec->encode(raw, plan.options);
    MMH_CHECK(encoded.has_value());
    const ByteView swapped = encoded->streams[0];
    if (swapped.empty()) return std::nullopt;
    ContentType little = type;
    little.big_endian = false;
    plan.children.push_back(decide_general(swapped, little, level, Weighed(swapped.size(), nullptr)));
    if (weighed.is_asked()) weighed.add(plan, size_of(plan, raw), raw.size());
    return plan;
  }

  // `plan`, which knows nothing of rows that come again; or zstd for all of the block, or for each of its planes, where
  // they do and that is less.
  Plan or_far_matches(Plan plan, ByteView raw, const Effort& effort, const Weighed& weighed) const {
    if (!has_far_matches(raw)) return plan;
    std::vector<Plan> others = {zstd_plan(effort.zstd, raw.size())};
    if (plan.codec == CodecId::planes) {
      others.push_back(plan);
      others.back().children.assign(plan.options.width, zstd_plan(effort.zstd, raw.size()));
    }
    std::size_t least = size_of(plan, raw);
    weighed.add(plan, least, raw.size());
    for (Plan& other : others) {
      const std::size_t size = size_of(other, raw);
      weighed.add(other, size, raw.size());
      if (size >= least) continue;
      least = size;
      plan = std::move(other);
    }
    return plan;
  }

  // Whether `plan` leaves more than half, as it does of the noise of weights.
  bool shrinks_little(const Plan& plan, const Sample& sample) const {
    return 2 * size_of(plan, sample.bytes) > sample.bytes.size();
  }

  // `plan`, or one for numbers of a type, or of none that is known, where that does better.
  Plan or_numbers(Plan plan, ByteView raw, const ContentType& type, const Sample& sample, const Effort& effort,
                  bool has_lzma, const Weighed& weighed) const {
    if (type.big_endian || effort.zstd < kRecordsZstd) return plan;
    const bool may_be_noise = type.content == tensor && (!type.has_elements || known_floats(type));
    const bool is_noise = may_be_noise && shrinks_little(plan, sample);
    std::vector<std::size_t> widths = {2, 4, 8};
    std::erase_if(widths, [&](std::size_t width) {
      // Noise may still be of steps or wander, and floats whose type was guessed be of another.
      const bool is_its_own = !type.has_elements || element_size(type.element) == width;
      if (!is_noise) return !is_its_own;
      return !has_step(sample.bytes, width) && !(is_its_own && is_smooth(sample.bytes, width));
    });
    if (widths.empty()) return plan;
    RecordsEffort records = records_effort(effort, has_lzma, weighed);
    if (has_far_matches(raw)) records.proof_size = raw.size();  // which parts do not show
    for (const std::size_t width : widths) {
      if (auto better = plan_numbers(registry_, raw, width, plan, records)) plan = *std::move(better);
    }
    return plan;
  }

  // Whether the differences of numbers tell less than they do themselves.
  static bool is_smooth(ByteView sample, std::size_t width) {
    constexpr std::size_t kEnough = 64 * kKiB;
    sample = sample.first(std::min(sample.size(), kEnough));
    std::array<Histogram, 8> numbers{};
    std::array<Histogram, 8> differences{};
    std::uint64_t last = 0;
    for (; sample.size() >= width; sample = sample.subspan(width)) {
      std::uint64_t number = 0;
      for (std::size_t b = 0; b < width; ++b) number |= std::to_integer<std::uint64_t>(sample[b]) << (8 * b);
      const std::uint64_t difference = number - last;
      last = number;
      for (std::size_t b = 0; b < width; ++b) {
        ++numbers[b][number >> (8 * b) & 0xFF];
        ++differences[b][difference >> (8 * b) & 0xFF];
      }
    }
    std::uint64_t of_numbers = 0;
    std::uint64_t of_differences = 0;
    for (std::size_t b = 0; b < width; ++b) {
      of_numbers += entropy_of(numbers[b]);
      of_differences += entropy_of(differences[b]);
    }
    constexpr std::uint64_t kHalfABit = 128;
    return of_differences + kHalfABit < of_numbers;
  }

  // Whether floats are multiples of a step.
  bool has_step(ByteView sample, std::size_t width) const {
    const codec::Codec* const multiples = registry_.find(CodecId::multiples);
    if (multiples == nullptr || width < 4) return false;
    codec::EncodeOptions options;
    options.width = static_cast<unsigned>(width);
    const auto encoded = multiples->encode(sample, options);
    return encoded && !encoded->streams[0].empty();
  }

  // `plan`, or one for a pattern or for records where that does better.
  Plan or_records(Plan plan, ByteView raw, const ContentType& type, const Effort& effort, bool has_lzma,
                  const Weighed& weighed) const {
    const auto zstd = [&](std::size_t size) { return zstd_plan(effort.zstd, size); };
    if (auto pattern = plan_pattern(registry_, raw, zstd)) {
      const std::size_t size = size_of(*pattern, raw);
      weighed.add(*pattern, size, raw.size());
      if (size < size_of(plan, raw)) return *std::move(pattern);
    }
    if (is_code(type.content) || effort.zstd < kRecordsZstd) return plan;
    const RecordsEffort records = records_effort(effort, has_lzma, weighed);
    if (auto better = plan_records(registry_, raw, type, plan, records)) return *std::move(better);
    return plan;
  }

  // `effort` and `weighed` must outlive it.
  static RecordsEffort records_effort(const Effort& effort, bool has_lzma, const Weighed& weighed) {
    RecordsEffort records{.backs = {}, .gain_min = effort.gain_min, .proof_size = kMiB};
    records.backs.emplace_back([](std::size_t size) { return zstd_plan(1, size); });
    if (effort.zstd > 1) {
      records.backs.emplace_back([level = effort.zstd](std::size_t size) { return zstd_plan(level, size); });
    }
    if (has_lzma) records.backs.emplace_back([&effort](std::size_t size) { return lzma_plan(effort, 3, 0, size); });
    records.weighed = [&weighed](const Plan& made, std::size_t size, std::size_t of) { weighed.add(made, size, of); };
    return records;
  }

  // What changes of a type's elements are taken for.
  struct Number {
    unsigned width;
    unsigned mantissa;  // 0: integers
  };
  static std::optional<Number> change_of(const ContentType& type) {
    using enum ElementType;
    if (!type.has_elements || type.big_endian) return std::nullopt;
    const unsigned width = element_size(type.element);
    switch (type.element) {
      case fp64:
        return Number{width, 52};
      case fp32:
        return Number{width, 23};
      case fp16:
        return Number{width, 10};
      case bf16:
        return Number{width, 7};
      case fp8_e4m3:
        return Number{width, 3};
      case fp8_e5m2:
        return Number{width, 2};
      case int8:
      case int16:
      case int32:
      case int64:
      case uint8:
      case uint16:
      case uint32:
      case uint64:
        return Number{width, 0};
      default:
        return std::nullopt;
    }
  }

  // Changes of numbers, each stream with the coder that does best on the sample, or none.
  Plan plan_changes(ByteView raw, std::shared_ptr<const codec::BaseReference> base, const Number& number,
                    const Effort& effort) const {
    const codec::Codec* const changes = registry_.find(CodecId::base_delta);
    MMH_CHECK(changes != nullptr);
    const Sample sample = take_sample(raw, effort.pieces, effort.piece_size);
    auto part = std::make_shared<codec::BaseReference>();
    part->bytes = take_sample(base->bytes, effort.pieces, effort.piece_size).bytes;
    part->ranges.push_back({0, part->bytes.size()});
    Plan best;
    std::size_t best_size = ~std::size_t{0};
    for (const bool relative : {false, true}) {
      if (relative && number.mantissa == 0) break;
      Plan plan;
      plan.codec = CodecId::base_delta;
      plan.options.width = number.width;
      plan.options.mantissa = number.mantissa;
      plan.options.relative_change = relative;
      plan.options.base = part;
      const auto encoded = changes->encode(sample.bytes, plan.options);
      MMH_CHECK(encoded.has_value());
      std::size_t size = 0;
      for (const Buffer& stream : encoded->streams) {
        const auto [coder, coded] = best_coder(stream, effort);
        plan.children.push_back(coder);
        size += coded;
      }
      if (size >= best_size) continue;
      best_size = size;
      best = std::move(plan);
    }
    best.options.base = std::move(base);
    return best;
  }

  // Of rans, zstd and none; and the bytes that it takes.
  std::pair<Plan, std::size_t> best_coder(ByteView stream, const Effort& effort) const {
    Plan rans;
    rans.codec = CodecId::rans;
    std::pair<Plan, std::size_t> best{rans, size_of(rans, stream)};
    // Nothing is known of a stream that the sample does not have; rans is left out again where it gains nothing.
    if (stream.empty()) return best;
    const Plan zstd = zstd_plan(effort.zstd, stream.size());
    if (const std::size_t size = size_of(zstd, stream); size + best.second / 64 < best.second) best = {zstd, size};
    if (best.second + stream.size() / 128 >= stream.size()) best = {Plan{}, stream.size()};
    return best;
  }

  // `predicting` or what `general` gives, whichever makes less of a picture or of sound. Where a sample leaves that
  // open, or a fast look at all of it finds what a sample cannot show, both are run. Low levels do not ask `general` at
  // all where it has little hope.
  template <class General>
  Plan choose_predicted(ByteView raw, const ContentType& type, const Plan& predicting, int level, General&& general_of,
                        const Weighed& weighed) const {
    const RowSample sample = sample_rows(raw, type);
    const bool is_all = sample.bytes.size() == raw.size();
    // Tables for each context, of which a sample has many and a block few.
    constexpr std::size_t kTable = 96;
    const std::size_t tables = is_all ? 0 : kTable * predicting.children.size();
    std::size_t size = 0;
    for (std::size_t at = 0; at < sample.bytes.size(); at += sample.piece_size) {
      const ByteView piece = ByteView(sample.bytes).subspan(at);
      const std::size_t piece_size = size_of(predicting, piece.first(std::min(sample.piece_size, piece.size())));
      size += piece_size - std::min(piece_size / 2, tables);
    }
    weighed.add(predicting, size, sample.bytes.size());
    const std::uint64_t predicted = std::uint64_t{size} * raw.size() / sample.bytes.size();
    const auto has_nothing_else = [&] { return size_of(zstd_plan(1, raw.size()), raw) > predicted + predicted / 4; };
    if (!is_all && level < kSoundLevelMin) {
      const Plan plain = zstd_plan(kEfforts[static_cast<std::size_t>(level)].trial, sample.bytes.size());
      const std::size_t plain_size = size_of(plain, sample.bytes);
      weighed.add(plain, plain_size, sample.bytes.size());
      if (size + size / 4 < plain_size && has_nothing_else()) return predicting;
    }
    Plan general = general_of();
    const std::size_t general_size = size_of(general, sample.bytes);
    if (is_all) return size < general_size ? predicting : general;
    if (size > general_size + general_size / 32) return general;
    if (size + size / 16 < general_size && has_nothing_else()) return predicting;
    return size_of(predicting, raw) < size_of(general, raw) ? predicting : general;
  }

  // Bytes that `plan` makes of `sample`.
  std::size_t size_of(const Plan& plan, ByteView sample) const { return content::size_of(registry_, plan, sample); }

  // Compressed files share headers and whole stretches, so a fast look at all of the block decides.
  Plan plan_incompressible(ByteView raw, const Effort& effort, const Weighed& weighed) const {
    Plan fast = zstd_plan(1, raw.size());
    if (effort.zstd == fast.options.level) return fast;
    const std::size_t fast_size = size_of(fast, raw);
    weighed.add(fast, fast_size, raw.size());
    if (fast_size + raw.size() / 256 >= raw.size()) return {};
    constexpr int kLevelEnough = 7;
    return zstd_plan(std::min(effort.zstd, kLevelEnough), raw.size());
  }

  static std::optional<FloatGuess> known_floats(const ContentType& type) {
    using enum ElementType;
    const bool is_float = type.element == fp64 || type.element == fp32 || type.element == fp16 || type.element == bf16;
    if (!is_float || type.big_endian) return std::nullopt;
    return FloatGuess{type.element, 0};
  }

  // Floats: planes with the exponents apart, each plane with the coder that does best, or none. Nothing where the block
  // is not of floats, or where there is more to find in it than exponents.
  std::optional<Plan> plan_floats(ByteView raw, const ContentType& type, const Sample& sample, const Effort& effort,
                                  const Weighed& weighed) const {
    const auto guess = type.has_elements ? known_floats(type) : guess_floats(raw);
    if (!guess || guess->big_endian) return std::nullopt;
    Plan plan;
    plan.codec = CodecId::planes;
    plan.options.width = element_size(guess->type);
    // By as many bits as bring the exponent into one byte.
    plan.options.rotate = guess->type == ElementType::fp64 ? 4 : 1;
    plan.options.phase = guess->phase;
    plan.children.resize(plan.options.width);
    // The top of the mantissa of fp16 shares its byte.
    const unsigned scale_step = guess->type == ElementType::fp16 ? 8 : 1;
    plan.children.back() = weights_plan(effort.zstd < kScalesZstd ? 0 : scale_step);
    if (effort.zstd < kScalesZstd) plan.children.back().options.level = kLevelMin;
    auto dense = plan_planes(raw, sample, plan, effort, weighed);
    if (guess->phase != 0) return dense;
    auto sparse = plan_sparse(raw, sample, plan, effort, weighed);
    if (!sparse) return dense;
    const std::size_t rival =
        dense ? size_of(*dense, sample.bytes) : size_to_beat(sample, plain_size_of(sample, effort, weighed));
    return size_of(*sparse, sample.bytes) < rival ? sparse : dense;
  }

  // Floats of which many are zero: where they are, and the others as `planes` has it. Nothing where few are.
  std::optional<Plan> plan_sparse(ByteView raw, const Sample& sample, const Plan& planes, const Effort& effort,
                                  const Weighed& weighed) const {
    const codec::Codec* const sparse = registry_.find(CodecId::sparse);
    if (sparse == nullptr) return std::nullopt;
    Plan plan;
    plan.codec = CodecId::sparse;
    plan.options.width = planes.options.width;
    const auto of_sample = sparse->encode(sample.bytes, plan.options);
    MMH_CHECK(of_sample.has_value());
    constexpr std::size_t kFew = 32;
    const std::size_t kept = of_sample->streams[1].size();
    if (kept + sample.bytes.size() / kFew > sample.bytes.size()) return std::nullopt;
    const auto encoded = sparse->encode(raw, plan.options);
    MMH_CHECK(encoded.has_value());
    const ByteView values = encoded->streams[1];
    plan.children.push_back(best_coder(of_sample->streams[0], effort).first);
    plan.children.emplace_back();
    if (values.empty()) return plan;
    const Sample of_values = take_sample(values, effort.pieces, effort.piece_size);
    auto rest = plan_planes(values, of_values, planes, effort, Weighed(values.size(), nullptr));
    plan.children.back() = rest ? *std::move(rest) : zstd_plan(effort.zstd, values.size());
    weighed.add(plan, size_of(plan, sample.bytes), sample.bytes.size());
    return plan;
  }

  // Numbers of one byte, or of less: by how frequent they are in each stretch, unless they repeat.
  std::optional<Plan> plan_bytes(ByteView raw, const ContentType& type, const Sample& sample, const Effort& effort,
                                 bool has_lzma, const Weighed& weighed) const {
    PlaneTrial trial;
    const Plan special = one_byte_plan(type);
    for_each_piece(raw, sample, effort, [&](ByteView piece) { try_plane(piece, special, effort, trial); });
    if (has_matches(sample.bytes) && trial.zstd[1] < trial.entropy) return std::nullopt;
    Choice choice = best_of(trial, special, raw.size(), effort);
    weighed.add(choice.plan, choice.size, trial.raw);
    if (has_lzma) {
      const Plan lzma = lzma_plan(effort, 3, 0, raw.size());
      const std::size_t size = size_of(lzma, raw);
      weighed.add(lzma, size, raw.size());
      if (size < size_of(choice.plan, raw)) return std::nullopt;
    }
    return std::move(choice.plan);
  }

  // Blocks of quantised numbers: scales apart from the quants.
  std::optional<Plan> plan_quants(ByteView raw, ElementType type, const Effort& effort, const Weighed& weighed) const {
    const auto fields = fields_of(type);
    if (fields.empty() || registry_.find(CodecId::fields) == nullptr) return std::nullopt;
    Plan plan;
    plan.codec = CodecId::fields;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      plan.options.fields[i] = fields[i].size;
      plan.children.push_back(fields[i].is_half ? halves_plan() : weights_plan(0));
    }
    // Where nothing repeats, nothing else finds more.
    if (!has_matches(raw)) return plan;
    const Plan plain = zstd_plan(effort.trial, raw.size());
    const std::size_t size = size_of(plan, raw);
    const std::size_t plain_size = size_of(plain, raw);
    weighed.add(plan, size, raw.size());
    weighed.add(plain, plain_size, raw.size());
    if (size > plain_size) return std::nullopt;
    return plan;
  }

  // Scales of fp16.
  static Plan halves_plan() {
    Plan plan;
    plan.codec = CodecId::planes;
    plan.options.width = 2;
    plan.options.rotate = 1;
    plan.children = {weights_plan(0), weights_plan(8)};
    return plan;
  }

  // fp8 has a scale once its sign is out of the way.
  static Plan one_byte_plan(const ContentType& type) {
    const bool is_e4m3 = type.has_elements && type.element == ElementType::fp8_e4m3;
    const bool is_e5m2 = type.has_elements && type.element == ElementType::fp8_e5m2;
    if (!is_e4m3 && !is_e5m2) return weights_plan(0);
    Plan plan;
    plan.codec = CodecId::planes;
    plan.options.width = 1;
    plan.options.rotate = 1;
    plan.children = {weights_plan(is_e4m3 ? 16 : 8)};
    return plan;
  }

  // Symbols of weights: by stretch, row and column.
  static Plan weights_plan(unsigned scale_step) {
    Plan plan;
    plan.codec = CodecId::scaled;
    plan.options.scale_step = scale_step;
    plan.options.level = kLevelDefault;
    Plan rans;
    rans.codec = CodecId::rans;
    if (scale_step != 0) plan.children = {{}, rans};
    return plan;
  }

  // Fills in what codes each plane; what stands there in place of `rans` stays where that would do. Nothing where
  // something else does better than planes.
  std::optional<Plan> plan_planes(ByteView raw, const Sample& sample, Plan plan, const Effort& effort,
                                  const Weighed& weighed) const {
    const codec::Codec* const planes = registry_.find(CodecId::planes);
    if (planes == nullptr || registry_.find(CodecId::rans) == nullptr || registry_.find(CodecId::scaled) == nullptr)
      return std::nullopt;
    std::vector<PlaneTrial> trials(plan.options.width);
    bool sound = true;
    std::size_t seen = 0;
    for_each_piece(raw, sample, effort, [&](ByteView piece) {
      seen += piece.size();
      const auto encoded = planes->encode(piece, plan.options);
      sound = sound && encoded && encoded->streams.size() == trials.size();
      for (std::size_t s = 0; sound && s < trials.size(); ++s) {
        try_plane(encoded->streams[s], plan.children[s], effort, trials[s]);
      }
    });
    if (!sound) return std::nullopt;
    std::size_t size = 0;
    for (std::size_t s = 0; s < trials.size(); ++s) {
      Choice choice = best_of(trials[s], plan.children[s], raw.size() / trials.size(), effort);
      size += choice.size;
      plan.children[s] = std::move(choice.plan);
    }
    weighed.add(plan, size, seen);
    // Where nothing repeats, nothing else finds more.
    if (has_matches(sample.bytes) && !is_far_below_plain(size, seen, sample, effort, weighed) &&
        size >= size_to_beat(sample, plain_size_of(sample, effort, weighed)) * seen / sample.bytes.size()) {
      return std::nullopt;
    }
    if (std::ranges::all_of(plan.children, [](const Plan& child) { return child.codec == CodecId::stored; })) {
      return Plan();
    }
    return plan;
  }

  // Whether a third of the sample already tells that zstd alone makes more of it than `size` of `seen` bytes.
  bool is_far_below_plain(std::size_t size, std::size_t seen, const Sample& sample, const Effort& effort,
                          const Weighed& weighed) const {
    if (effort.zstd >= kPatientZstd) return false;
    const ByteView part = ByteView(sample.bytes).first(sample.bytes.size() / 3);
    const Plan plain = zstd_plan(effort.trial, sample.bytes.size());
    const std::size_t plain_size = size_of(plain, part);
    if (plain_size * seen < (size + size / 8) * part.size()) return false;
    weighed.add(plain, plain_size, part.size());
    return true;
  }

  // Pieces come from tensors of different statistics, so each is judged alone; who is patient looks at all there is.
  template <class Take>
  static void for_each_piece(ByteView raw, const Sample& sample, const Effort& effort, Take&& take) {
    if (effort.zstd >= kPatientZstd) return take(raw);
    for (std::size_t at = 0; at < sample.bytes.size(); at += sample.piece_size) {
      const ByteView rest = ByteView(sample.bytes).subspan(at);
      take(rest.first(std::min(sample.piece_size, rest.size())));
    }
  }

  // Bytes that pieces of a plane take, in all.
  struct PlaneTrial {
    std::size_t raw = 0;
    std::size_t entropy = 0;            // with an entropy coder
    std::array<std::size_t, 2> zstd{};  // at its lowest level, and at the level's
  };

  struct Choice {
    std::size_t size = 0;  // of what was tried
    Plan plan;
  };

  // What codes a plane of `plane_size` bytes best: `special` (if it is stored: rans), zstd, or nothing.
  Choice best_of(const PlaneTrial& trial, const Plan& special, std::size_t plane_size, const Effort& effort) const {
    // What saves less is stored, which costs no time.
    Choice best{trial.raw - trial.raw / (effort.zstd < kPatientZstd ? 128 : 4096), {}};
    if (trial.entropy < best.size) {
      best = {trial.entropy, special};
      if (best.plan.codec == CodecId::stored) best.plan.codec = CodecId::rans;
    }
    for (std::size_t c = 0; c < trial.zstd.size(); ++c) {
      // One that costs more time must gain more than the least.
      if (trial.zstd[c] + best.size / 64 >= best.size) continue;
      best = {trial.zstd[c], zstd_plan(c == 0 ? 1 : effort.zstd, plane_size)};
    }
    return best;
  }

  void try_plane(ByteView plane, const Plan& special, const Effort& effort, PlaneTrial& trial) const {
    trial.raw += plane.size();
    const bool patient = effort.zstd >= kPatientZstd;
    Plan rans;
    rans.codec = CodecId::rans;
    if (looks_incompressible(plane)) {
      // Samples may miss stretches that are not noise.
      trial.entropy += patient ? size_of(rans, plane) : plane.size();
      for (std::size_t& size : trial.zstd) size += plane.size();
      return;
    }
    trial.entropy += size_of(patient && special.codec != CodecId::stored ? special : rans, plane);
    // zstd has something to find where bytes repeat, if it did so in the pieces before.
    const bool is_hopeless =
        !patient && trial.zstd[0] > trial.entropy + trial.entropy / 16 && trial.raw > 2 * plane.size();
    const bool matches = !is_hopeless && has_matches(plane);
    trial.zstd[0] += matches || patient ? size_of(zstd_plan(1, plane.size()), plane) : plane.size();
    trial.zstd[1] += patient ? size_of(zstd_plan(effort.zstd, plane.size()), plane) : plane.size();
  }

  // Bytes that the sample takes behind `front`. Its parts are coded one by one: zstd gives each its own statistics in a
  // block, but not in a sample, where they are shorter than its blocks. What such statistics take is not counted.
  template <class BackOf>
  std::size_t trial_size(const Front& front, const Sample& sample, BackOf&& back_of) const {
    constexpr std::size_t kStatistics = 32;
    std::size_t size = 0;
    for_each_part(registry_, front, sample, [&](ByteView part) {
      const std::size_t coded = size_of(back_of(part.size()), part);
      size += coded < part.size() ? coded - std::min(coded, kStatistics) : part.size();
    });
    return size;
  }

  // Bytes that the sample takes without a front.
  std::size_t plain_size_of(const Sample& sample, const Effort& effort, const Weighed& weighed) const {
    const std::size_t size = size_of(zstd_plan(effort.trial, sample.bytes.size()), sample.bytes);
    weighed.add(zstd_plan(effort.trial, weighed.raw_size()), size, sample.bytes.size());
    return size;
  }

  // A front must gain more where there are matches that it may break: a sample shows fewer of them than the block has.
  static std::size_t size_to_beat(const Sample& sample, std::size_t plain_size) {
    const std::size_t saved = sample.bytes.size() - std::min(plain_size, sample.bytes.size());
    return plain_size - plain_size / 200 - std::min(saved / 64, plain_size / 16);
  }

  Front choose_front(const Sample& sample, const ContentType& type, const Effort& effort,
                     const Weighed& weighed) const {
    const auto fronts = most_promising(registry_, fronts_for(registry_, type, sample), sample, effort.trials);
    if (fronts.empty()) return {};
    const std::size_t plain_size = plain_size_of(sample, effort, weighed);
    std::size_t best_size = size_to_beat(sample, plain_size);
    Front best;
    for (const Front& front : fronts) {
      const std::size_t size =
          trial_size(front, sample, [&](std::size_t part_size) { return zstd_plan(effort.trial, part_size); });
      weighed.add(plan_of(front, zstd_plan(effort.trial, weighed.raw_size())), size, sample.bytes.size());
      // A branch filter breaks no matches, and gains more in a block than in a sample: targets meet again further away.
      const std::size_t size_max = is_branch(front) ? plain_size - plain_size / 512 : best_size;
      if (size >= size_max) continue;
      best_size = size - size / 256;
      best = front;
    }
    return best;
  }

  // `front`, and behind it what codes best. Byte planes of noisy numbers have few matches to look for: there the
  // fastest level is often as good as any.
  Plan choose_back(const Sample& sample, const Front& front, const Effort& effort, bool has_lzma,
                   const Weighed& weighed) const {
    using BackOf = std::function<Plan(std::size_t)>;
    const auto zstd = [](int level) { return [level](std::size_t size) { return zstd_plan(level, size); }; };
    const auto lzma = [&](int lc, int pb) {
      return [&, lc, pb](std::size_t size) { return lzma_plan(effort, lc, pb, size); };
    };
    std::vector<BackOf> backs;
    if (is_planar(front)) {
      backs.push_back(zstd(1));
      if (effort.zstd > 1) backs.push_back(zstd(effort.zstd));
      if (has_lzma) backs.push_back(lzma(3, 0));
    } else if (has_lzma) {
      backs.push_back(lzma(3, 2));
      backs.push_back(lzma(4, 0));
    } else {
      backs.push_back(zstd(effort.zstd));
    }
    std::size_t best = 0;
    if (backs.size() > 1) {
      std::size_t best_size = ~std::size_t{0};
      for (std::size_t i = 0; i < backs.size(); ++i) {
        const std::size_t size = trial_size(front, sample, backs[i]);
        weighed.add(plan_of(front, backs[i](weighed.raw_size())), size, sample.bytes.size());
        if (i != 0 && size + best_size * effort.gain_min / 1000 >= best_size) continue;
        best = i;
        best_size = size;
      }
    }
    return plan_of(front, backs[best](weighed.raw_size()));
  }

  const codec::Registry& registry_;
};

}  // namespace

const Planner& default_planner(const codec::Registry& registry) {
  // One for each registry: programs have one, tests several.
  static std::mutex mutex;
  static std::map<const codec::Registry*, DefaultPlanner> planners;
  const std::lock_guard lock(mutex);
  return planners.try_emplace(&registry, registry).first->second;
}

}  // namespace mmh::content
