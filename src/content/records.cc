#include "records.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string>

#include "front.h"
#include "line_layout.h"
#include "mmh/base/check.h"
#include "record_layout.h"
#include "statistics.h"
#include "text.h"

namespace mmh::content {
namespace {

using codec::CodecId;
using codec::Field;
using codec::Plan;
using codec::RecordLayout;

constexpr std::size_t kTransposeMax = 64;
constexpr std::size_t kFirstField = 3;  // the streams of records before those of its fields

constexpr std::size_t kNodesEnough = codec::kNodesMax - 2;

// A plan, and what it makes of the sample.
struct Choice {
  Plan plan;
  std::size_t size = 0;
};

struct Compared {
  Choice choice;
  std::size_t rival_size;  // of the same bytes
};

std::size_t nodes_of(const Plan& plan) {
  std::size_t nodes = plan.codec == CodecId::stored ? 0 : 1;
  for (const Plan& child : plan.children) nodes += nodes_of(child);
  return nodes;
}

// At most, for what a codec does not shrink is stored without it.
std::size_t stored_streams_of(const Plan& plan) {
  if (plan.children.empty()) return 1;
  std::size_t streams = 0;
  for (const Plan& child : plan.children) streams += stored_streams_of(child);
  return streams;
}

// The smallest of the plans that take so many codecs, for each number of them for which there is one.
class Choices {
 public:
  explicit Choices(Choice first) { all_.push_back(std::move(first)); }

  void add(Choice other) {
    const std::size_t nodes = nodes_of(other.plan);
    const auto at = std::ranges::find_if(all_, [&](const Choice& one) { return nodes_of(one.plan) > nodes; });
    if (at != all_.begin() && std::prev(at)->size <= other.size) return;
    const auto place = all_.insert(at, std::move(other));
    const std::size_t size = place->size;
    const auto behind = std::next(place);
    all_.erase(behind, std::find_if(behind, all_.end(), [&](const Choice& one) { return one.size < size; }));
    if (place != all_.begin() && nodes_of(std::prev(place)->plan) == nodes) all_.erase(std::prev(place));
  }

  const Choice& best() const { return all_.back(); }
  // By number of codecs, the smallest last.
  const std::vector<Choice>& all() const { return all_; }

 private:
  std::vector<Choice> all_;
};

// The middle of a block: whole units, the first as far from its beginning as many of them.
ByteView stretch(ByteView raw, std::size_t size, std::size_t unit) {
  size = std::min(size, raw.size()) / unit * unit;
  return raw.subspan((raw.size() - size) / 2 / unit * unit, size);
}

// The end of a block, from a whole unit on.
ByteView end_of(ByteView raw, std::size_t size, std::size_t unit) {
  return raw.subspan((raw.size() - std::min(size, raw.size())) / unit * unit);
}

// All of a block, or its beginning, its middle and its end: `size` bytes in all, about.
std::vector<ByteView> proof_of(ByteView raw, std::size_t size, std::size_t unit) {
  const std::size_t part = size / 3;
  if (raw.size() <= size + part) return {raw};
  return {raw.first(part), stretch(raw, part, unit), end_of(raw, part, unit)};
}

// Looks into records, and into the fields of records, as long as that pays.
class Search {
 public:
  Search(const codec::Registry& registry, const RecordsEffort& effort, std::size_t raw_size, bool quick)
      : registry_(registry), effort_(effort), raw_size_(raw_size), quick_(quick) {}

  // Records of one width, from the front of the view on. `depth`: how often they may be cut into fields; below 0 they
  // are no multiples and no text either.
  Choices fixed(ByteView view, std::size_t width, int depth) const {
    Choices choices(back(view));
    if (view.size() < 4 * width) return choices;
    if (const auto front = best_front(view, width)) {
      const Buffer coded = run(*front, view);
      Choice behind = back(coded);
      choices.add({plan_of(*front, std::move(behind.plan)), behind.size + kNodeSize * front->size()});
    }
    const Field field{.kind = Field::Kind::fixed, .width = static_cast<std::uint32_t>(width)};
    if (width >= 2) add_tokens(choices, view, field);
    if (depth < 0) return choices;
    add_decimals(choices, view, field);
    if (has_high_bytes_first(view, width)) add_swapped(choices, view, width, depth);
    if (width == 4 || width == 8) {
      for (const bool integers : {false, true}) add_multiples(choices, view, width, integers);
    }
    if (depth > 0 && width > 1) {
      if (const auto layout = layout_of_fixed(view, width, kFieldsMax, registry_.find(CodecId::multiples))) {
        add_split(choices, view, *layout, depth - 1);
      }
      if (const auto layout = layout_of_columns_of_text(view, width)) add_split(choices, view, *layout, depth - 1);
    }
    return choices;
  }

  // Fields that end themselves.
  Choices ragged(ByteView view, const Field& field, int depth) const {
    Choices choices(back(view));
    if (view.size() < kLeast) return choices;
    add_tokens(choices, view, field);
    add_decimals(choices, view, field);
    if (depth > 0 && field.kind == Field::Kind::terminated) {
      for (const RecordLayout& layout : layouts_of_text(view, field.terminator)) {
        add_split(choices, view, layout, depth - 1);
      }
    }
    return choices;
  }

  // The fields of a layout, each with what suits it.
  Choices split(ByteView view, const RecordLayout& layout, int depth) const {
    Choices choices({.plan = {}, .size = view.size()});
    add_split(choices, view, layout, depth);
    return choices;
  }

  // Columns that make up `raw`, and the least that one of `rivals` makes of them; sizes are those of all of it, going
  // by a sample of each.
  Compared columns(ByteView raw, const std::vector<Column>& columns, std::span<const Plan* const> rivals) const {
    std::vector<std::size_t> rival_sizes(rivals.size());
    Choice all{.plan = {.codec = CodecId::records}, .size = 0};
    all.plan.options.layout = std::make_shared<const RecordLayout>(layout_of_columns(columns));
    all.plan.children.resize(kFirstField);
    all.plan.children[0] = {.codec = CodecId::rans};
    for (const Column& column : columns) {
      const ByteView sample = stretch(raw.first(column.size), kColumnSample, column.width);
      raw = raw.subspan(column.size);
      Choice choice = fixed(sample, column.width, 0).best();
      all.size += choice.size * column.size / sample.size();
      for (std::size_t i = 0; i < rivals.size(); ++i) {
        rival_sizes[i] += size_of(*rivals[i], sample) * column.size / sample.size();
      }
      all.plan.children.push_back(std::move(choice.plan));
    }
    return {.choice = std::move(all), .rival_size = std::ranges::min(rival_sizes)};
  }

 private:
  static constexpr std::size_t kColumnSample = std::size_t{512} << 10;
  static constexpr std::size_t kNodeSize = 6;  // bytes in a frame, about
  static constexpr std::size_t kLeast = 256;
  static constexpr std::size_t kFieldsMax = 24;

  // Whole splits, of all the codecs that a frame may have and of fewer: what gains least for its codecs goes first.
  void add_split(Choices& choices, ByteView view, const RecordLayout& layout, int depth) const {
    Plan plan{.codec = CodecId::records};
    plan.options.layout = std::make_shared<const RecordLayout>(layout);
    const auto encoded = registry_.find(CodecId::records)->encode(view, plan.options);
    if (!encoded) return;
    // Nothing: fields of several kinds share the stream.
    std::array<std::optional<Field>, codec::kCodecStreamsMax> fields;
    std::uint64_t seen = 0;
    for (const codec::RecordSchema& schema : layout.schemas) {
      for (const Field& field : schema.fields) {
        const std::size_t s = kFirstField + field.stream;
        const bool agrees =
            (seen >> s & 1) == 0 || (fields[s] && fields[s]->kind == field.kind && fields[s]->width == field.width &&
                                     fields[s]->terminator == field.terminator);
        fields[s] = agrees ? std::optional(field) : std::nullopt;
        seen |= std::uint64_t{1} << s;
      }
    }
    struct Child {
      Choices choices;
      std::size_t at;  // the one that is taken
    };
    std::vector<Child> children;
    std::size_t size = encoded->parameters.size() + kNodeSize;
    std::size_t nodes = 1;
    std::size_t streams = 0;
    for (std::size_t s = 0; s < encoded->streams.size(); ++s) {
      const Buffer& stream = encoded->streams[s];
      const std::optional<Field>& field = fields[s];
      Choices of = !field                              ? Choices(back(stream))
                   : field->kind == Field::Kind::fixed ? fixed(stream, field->width, depth)
                                                       : ragged(stream, *field, depth);
      size += of.best().size;
      nodes += nodes_of(of.best().plan);
      streams += stored_streams_of(of.best().plan);
      const std::size_t last = of.all().size() - 1;
      children.push_back({.choices = std::move(of), .at = last});
    }
    for (const std::size_t part : {1U, 2U, 4U}) {
      while (nodes > kNodesEnough / part || streams > codec::kStreamsMax / part) {
        Child* least = nullptr;
        std::size_t loss = 0;
        std::size_t saved = 0;
        for (Child& child : children) {
          if (child.at == 0) continue;
          const Choice& now = child.choices.all()[child.at];
          const Choice& then = child.choices.all()[child.at - 1];
          const std::size_t loss_of = then.size - now.size;
          const std::size_t saved_of = nodes_of(now.plan) - nodes_of(then.plan);
          if (least != nullptr && loss_of * saved >= loss * saved_of) continue;
          least = &child;
          loss = loss_of;
          saved = saved_of;
        }
        if (least == nullptr) return;
        streams -= stored_streams_of(least->choices.all()[least->at].plan);
        streams += stored_streams_of(least->choices.all()[--least->at].plan);
        size += loss;
        nodes -= saved;
      }
      plan.children.clear();
      for (const Child& child : children) plan.children.push_back(child.choices.all()[child.at].plan);
      choices.add({.plan = plan, .size = size});
    }
  }

  std::size_t size_of(const Plan& plan, ByteView view) const { return content::size_of(registry_, plan, view); }

  // The best of the general codecs, of an entropy coder, and of none.
  Choice back(ByteView view) const {
    Choice best{.plan = {}, .size = view.size() - view.size() / 128};
    if (view.size() < 16) return best;
    Plan rans{.codec = CodecId::rans};
    const auto consider = [&](const Plan& trial, Plan plan, unsigned gain_min) {
      const std::size_t size = size_of(trial, view);
      if (size + best.size * gain_min / 1000 < best.size) best = {.plan = std::move(plan), .size = size};
    };
    consider(rans, rans, 0);
    for (const BackOf& of : effort_.backs) {
      consider(of(view.size()), of(raw_size_), effort_.gain_min);
      if (quick_) break;
    }
    return best;
  }

  Buffer run(const Front& front, ByteView view) const { return planes_of(registry_, front, view).coded; }

  // Of differences and byte planes, what leaves the least entropy.
  std::optional<Front> best_front(ByteView view, std::size_t width) const {
    std::vector<Front> fronts;
    const auto stage = [](CodecId id, std::size_t stage_width, bool integers) {
      Stage made{.codec = id, .options = {}};
      made.options.width = static_cast<unsigned>(stage_width);
      made.options.integers = integers;
      return made;
    };
    const bool has_planes = width >= 2 && width <= kTransposeMax;
    const auto add = [&](Front front) {
      if (has_planes) front.push_back(stage(CodecId::transpose, width, false));
      if (!front.empty()) fronts.push_back(std::move(front));
    };
    add({});
    add({stage(CodecId::delta, width, false)});
    if (width == 2 || width == 4 || width == 8) add({stage(CodecId::delta, width, true)});
    auto best =
        most_promising(registry_, std::move(fronts), Sample{.bytes = copy_of(view), .piece_size = view.size()}, 1);
    if (best.empty()) return std::nullopt;
    return std::move(best[0]);
  }

  // Whether numbers of `width` bytes are rather big-endian: the first bytes tell less than the last.
  static bool has_high_bytes_first(ByteView view, std::size_t width) {
    if (width != 2 && width != 4 && width != 8) return false;
    Histogram first{};
    Histogram last{};
    for (std::size_t i = 0; i + width <= view.size(); i += width) {
      ++first[std::to_integer<std::size_t>(view[i])];
      ++last[std::to_integer<std::size_t>(view[i + width - 1])];
    }
    constexpr unsigned kBit = 256;
    return entropy_of(first) + kBit < entropy_of(last);
  }

  // Big-endian numbers as little-endian ones.
  void add_swapped(Choices& choices, ByteView view, std::size_t width, int depth) const {
    const codec::Codec* const codec = registry_.find(CodecId::byte_swap);
    if (codec == nullptr) return;
    Plan plan{.codec = CodecId::byte_swap};
    plan.options.width = static_cast<unsigned>(width);
    const auto encoded = codec->encode(view, plan.options);
    MMH_CHECK(encoded.has_value());
    const Choices swapped = fixed(encoded->streams[0], width, depth);
    for (const Choice& choice : swapped.all()) {
      plan.children = {choice.plan};
      choices.add({.plan = plan, .size = choice.size + kNodeSize});
    }
  }

  // Numbers as multiples of a step.
  void add_multiples(Choices& choices, ByteView view, std::size_t width, bool integers) const {
    Plan plan{.codec = CodecId::multiples};
    plan.options.width = static_cast<unsigned>(width);
    plan.options.integers = integers;
    const codec::Codec* const codec = registry_.find(CodecId::multiples);
    if (codec == nullptr) return;
    const auto encoded = codec->encode(view, plan.options);
    if (!encoded || encoded->streams[0].empty()) return;
    Choice corrections = back(encoded->streams[1]);
    const Choice exceptions = back(encoded->streams[2]);
    // Of a block of which the step is not to be found, they are all of it.
    plan.children = {{}, std::move(corrections.plan), effort_.backs.back()(raw_size_)};
    const Choices all_multipliers = fixed(encoded->streams[0], width, -1);
    for (const Choice& multipliers : all_multipliers.all()) {
      plan.children[0] = multipliers.plan;
      // Several more steps to code and to decode are worth a gain that shows.
      const std::size_t size = multipliers.size + corrections.size + exceptions.size + 3 * kNodeSize;
      choices.add({.plan = plan, .size = size + size / 64});
    }
  }

  // Text as the numbers that it is.
  void add_decimals(Choices& choices, ByteView view, Field field) const {
    const codec::Codec* const codec = registry_.find(CodecId::decimals);
    if (codec == nullptr) return;
    Plan plan{.codec = CodecId::decimals};
    plan.options.token = field;
    // The narrowest that takes all that can be a number, with room for larger ones elsewhere in the block.
    std::optional<codec::Encoded> found;
    bool has_room = false;
    for (const unsigned width : {1U, 2U, 4U, 8U}) {
      codec::EncodeOptions options = plan.options;
      options.width = width;
      auto encoded = codec->encode(view, options);
      if (!encoded) return;
      if (encoded->streams[0].empty()) continue;
      if (found && encoded->streams[2].size() >= found->streams[2].size() && has_room) break;
      has_room = has_room_above(encoded->streams[0], width);
      plan.options.width = width;
      found = *std::move(encoded);
    }
    if (!found || found->streams[2].size() > view.size() / 4) return;
    Choice kinds = back(found->streams[1]);
    Choice texts = back(found->streams[2]);
    if (found->streams[1].empty()) kinds.plan = {.codec = CodecId::rans};
    plan.children = {{}, std::move(kinds.plan), effort_.backs.back()(raw_size_)};
    Choices all_numbers = fixed(found->streams[0], plan.options.width, -1);
    if (plan.options.width >= 4) add_multiples(all_numbers, found->streams[0], plan.options.width, true);
    for (const Choice& numbers : all_numbers.all()) {
      plan.children[0] = numbers.plan;
      choices.add({.plan = plan, .size = numbers.size + kinds.size + texts.size + 3 * kNodeSize});
    }
  }

  // Whether all of `numbers`, which have a sign, could be four times as large.
  static bool has_room_above(ByteView numbers, std::size_t width) {
    for (std::size_t i = width - 1; i < numbers.size(); i += width) {
      const auto high = static_cast<std::int8_t>(numbers[i]);
      if (high >= 32 || high < -32) return false;
    }
    return true;
  }

  void add_tokens(Choices& choices, ByteView view, Field field) const {
    Plan plan{.codec = CodecId::tokens};
    plan.options.token = field;
    const codec::Codec* const codec = registry_.find(CodecId::tokens);
    auto encoded = codec->encode(view, plan.options);
    if (!encoded || encoded->streams[1].empty()) return;
    // A block has more tokens than a sample, and their numbers must not outgrow the plan for them.
    constexpr std::size_t kFew = 64;
    if (plan.options.width == 1 && encoded->streams[0].size() > kFew * view.size() / encoded->streams[1].size()) {
      plan.options.width = 2;
      encoded = codec->encode(view, plan.options);
      if (!encoded || encoded->streams[1].empty()) return;
    }
    const auto signature = codec->signature(encoded->parameters);
    MMH_CHECK(signature.has_value());
    Choice dictionary = back(encoded->streams[0]);
    plan.children = {std::move(dictionary.plan), {}};
    const Choices all_numbers = fixed(encoded->streams[1], signature->coded[1].width, -1);
    for (const Choice& numbers : all_numbers.all()) {
      plan.children[1] = numbers.plan;
      choices.add({.plan = plan, .size = dictionary.size + numbers.size + 2 * kNodeSize});
    }
  }

  const codec::Registry& registry_;
  const RecordsEffort& effort_;
  const std::size_t raw_size_;
  const bool quick_;
};

constexpr std::size_t kSampleSize = std::size_t{192} << 10;
constexpr int kDepthMax = 2;
constexpr std::size_t kLeastBlock = std::size_t{4} << 10;

bool has_all_codecs(const codec::Registry& registry) {
  constexpr std::array kNeeded = {CodecId::records, CodecId::tokens, CodecId::rans, CodecId::delta, CodecId::transpose};
  return std::ranges::all_of(kNeeded, [&](CodecId id) { return registry.find(id) != nullptr; });
}

// Parts of a block may have steps that all of it has not.
bool has_steps(const Plan& plan) {
  return plan.codec == CodecId::multiples || std::ranges::any_of(plan.children, has_steps);
}

std::size_t size_of(const codec::Registry& registry, const Plan& plan, const std::vector<ByteView>& parts) {
  std::size_t size = 0;
  for (const ByteView part : parts) size += content::size_of(registry, plan, part);
  return size;
}

// What a plan must gain on parts of a block: one in so many bytes. Of lines, it is more that comes again far back,
// where parts do not show it.
constexpr std::size_t kGain = 100;
constexpr std::size_t kGainOfLines = 24;

// `plan`, if it makes one in `gain_of` less of parts of the block than `rival`.
std::optional<Plan> proven(const codec::Registry& registry, Plan plan, const Plan& rival, ByteView raw,
                           std::vector<ByteView> parts, const RecordsEffort& effort, std::size_t gain_of) {
  if (plan.children.empty()) return std::nullopt;  // coders alone are the planner's to weigh, on more of the block
  if (has_steps(plan)) parts = {raw};
  const std::size_t rival_size = size_of(registry, rival, parts);
  const std::size_t size = size_of(registry, plan, parts);
  if (effort.weighed != nullptr) {
    std::size_t raw_size = 0;
    for (const ByteView part : parts) raw_size += part.size();
    effort.weighed(plan, size, raw_size);
  }
  if (size + rival_size / gain_of >= rival_size) return std::nullopt;
  return plan;
}

}  // namespace

std::optional<Plan> plan_pattern(const codec::Registry& registry, ByteView raw, const BackOf& back) {
  const codec::Codec* const pattern = registry.find(CodecId::pattern);
  if (pattern == nullptr) return std::nullopt;
  Plan plan{.codec = CodecId::pattern};
  const auto encoded = pattern->encode(raw.first(std::min(raw.size(), kSampleSize)), plan.options);
  if (!encoded || encoded->streams[0].empty()) return std::nullopt;
  // The pattern itself may hold anything, and exceptions may come later.
  plan.children = {back(raw.size()), back(raw.size()), back(raw.size())};
  return plan;
}

std::optional<Plan> plan_numbers(const codec::Registry& registry, ByteView raw, std::size_t width, const Plan& rival,
                                 const RecordsEffort& effort) {
  if (!has_all_codecs(registry) || raw.size() < kLeastBlock) return std::nullopt;
  const Search search(registry, effort, raw.size(), false);
  const ByteView sample = stretch(raw, kSampleSize, width);
  Choice best = search.fixed(sample, width, 0).best();
  std::size_t unit = width;
  // Rows of an array: numbers of several kinds take turns.
  for (const std::size_t row : record_widths(sample)) {
    if (row == width || row % width != 0) continue;
    Choice rows = search.fixed(stretch(raw, kSampleSize, row), row, 1).best();
    if (rows.size + rows.size / 64 >= best.size || nodes_of(rows.plan) > kNodesEnough) continue;
    best = std::move(rows);
    unit = row;
  }
  return proven(registry, std::move(best.plan), rival, raw, proof_of(raw, effort.proof_size, unit), effort, kGain);
}

std::optional<Plan> plan_records(const codec::Registry& registry, ByteView raw, const ContentType& type,
                                 const Plan& rival, const RecordsEffort& effort) {
  if (!has_all_codecs(registry)) return std::nullopt;
  const ContentClass content = type.content;
  if (raw.size() < kLeastBlock || type.has_elements) return std::nullopt;
  struct Lines {
    Buffer all;
    Buffer few;
  };
  struct Candidate {
    std::size_t width = 0;  // of records; 0: the layout says
    RecordLayout layout;
    std::shared_ptr<const Lines> lines = nullptr;  // a sample, where it is of lines
    std::size_t unit() const { return std::max<std::size_t>(width, 1); }
  };
  std::vector<Candidate> candidates;
  // What looks like a picture or sound may be numbers that wander.
  const bool may_be_numbers = content == ContentClass::image || content == ContentClass::audio;
  const int depth_max = may_be_numbers ? 0 : kDepthMax;
  const std::size_t gain_of = is_text(content) ? kGainOfLines : kGain;
  if (is_text(content)) {
    for (const char end : ends_of_lines(raw)) {
      const auto lines = std::make_shared<Lines>();
      lines->all = lines_from(raw, kSampleSize, end);
      lines->few = lines_from(lines->all, kSampleSize / 4, end);
      const auto offer = [&](std::vector<RecordLayout> layouts) {
        for (RecordLayout& layout : layouts) candidates.push_back({0, std::move(layout), lines});
      };
      offer(layouts_of_text(lines->all, static_cast<std::uint8_t>(end)));
      offer(layouts_of_lines(lines->all, end));
    }
  } else if (may_be_numbers) {
    for (const std::size_t width : {4U, 8U}) candidates.push_back({.width = width, .layout = {}});
  } else {
    const ByteView sample = stretch(raw, kSampleSize, 1);
    for (const std::size_t width : record_widths(sample)) candidates.push_back({.width = width, .layout = {}});
    for (RecordLayout& layout : layouts_of_tagged(sample))
      candidates.push_back({.width = 0, .layout = std::move(layout)});
  }
  const auto sample_of = [&](const Candidate& candidate, bool quick) -> ByteView {
    if (candidate.lines != nullptr) return quick ? candidate.lines->few : candidate.lines->all;
    return stretch(raw, quick ? kSampleSize / 4 : kSampleSize, candidate.unit());
  };
  const auto try_out = [&](const Candidate& candidate, bool quick, int depth) {
    const Search search(registry, effort, raw.size(), quick);
    const ByteView sample = sample_of(candidate, quick);
    return candidate.width != 0 ? search.fixed(sample, candidate.width, depth).best()
                                : search.split(sample, candidate.layout, depth).best();
  };
  // Looking at one in all ways takes as long as looking at all in passing.
  std::optional<Candidate> candidate;
  Choice best{.plan = {}, .size = ~std::size_t{0}};
  for (Candidate& other : candidates) {
    Choice choice = try_out(other, true, std::min(depth_max, 1));
    if (choice.size >= best.size) continue;
    best = std::move(choice);
    candidate = std::move(other);
  }
  const std::size_t unit = candidate ? candidate->unit() : 1;
  if (candidate) {
    // What does not win in passing hardly does by looking closer, nor what does well nowhere else.
    const ByteView sample = sample_of(*candidate, true);
    const Plan plain = effort.backs[0](sample.size());
    const std::size_t plain_size = size_of(registry, plain, sample);
    const std::vector<ByteView> ends = {raw.first(std::min(raw.size(), sample.size())),
                                        end_of(raw, sample.size(), unit)};
    const std::size_t all_plain = plain_size + size_of(registry, plain, ends);
    if (best.size >= plain_size - plain_size / (is_text(content) ? gain_of : 64) ||
        best.size + size_of(registry, best.plan, ends) > all_plain + all_plain / 16) {
      candidate.reset();
    }
  }
  best = candidate ? try_out(*candidate, false, depth_max) : Choice();
  // What matches a whole block holds, a sample does not show; nor what else there is than in its middle.
  std::vector<ByteView> proof = proof_of(raw, effort.proof_size, unit);
  if (const std::vector<Column> columns = is_text(content) || may_be_numbers ? std::vector<Column>() : columns_of(raw);
      !columns.empty()) {
    const std::array<const Plan*, 2> rivals = {&rival, &best.plan};
    auto [choice, least] = Search(registry, effort, raw.size(), false).columns(raw, columns, rivals);
    if (choice.size + least / 8 < least && nodes_of(choice.plan) <= kNodesEnough) {
      best = std::move(choice);
      proof = {raw};  // columns are all of it
    }
  }
  return proven(registry, std::move(best.plan), rival, raw, std::move(proof), effort, gain_of);
}

}  // namespace mmh::content
