#include <fmt/format.h>

#include <array>
#include <optional>

#include "../record_fields.h"
#include "../table.h"
#include "mmh/base/varint.h"

namespace mmh::codecs {
namespace {

using codec::DecodeContext;
using codec::Encoded;
using codec::EncodeOptions;
using codec::Field;
using codec::RecordLayout;
using codec::RecordSchema;
using codec::Signature;

// Streams that are always there.
constexpr std::size_t kControl = 0;       // for each record the number of its schema, or that of schemas: a literal
constexpr std::size_t kLiteralSizes = 1;  // varints
constexpr std::size_t kLiterals = 2;
constexpr std::size_t kFirst = 3;

constexpr std::size_t kSchemasMax = 64;
constexpr std::size_t kFieldsMax = 64;  // of one schema
constexpr std::size_t kFieldStreamsMax = codec::kCodecStreamsMax - kFirst;

// Longer ones are literals, so that looking for an end in vain takes no more than so many bytes.
constexpr std::size_t kRecordMax = std::size_t{64} << 10;

// Which of the two ways the parameters say how records follow each other.
constexpr std::uint64_t kAdaptive = 0;  // by the control stream
constexpr std::uint64_t kGiven = 1;     // one schema, again and again

struct Program {
  bool is_given = false;
  std::uint64_t head_size = 0;     // given
  std::uint64_t record_count = 0;  // given
  std::vector<RecordSchema> schemas;
};

Result<Program> parse(ByteView parameters) {
  Program program;
  MMH_LET(const std::uint64_t mode, take_varint(parameters));
  if (mode > kGiven) return fail(Errc::corrupt, fmt::format("records: mode {}", mode));
  program.is_given = mode == kGiven;
  if (program.is_given) {
    MMH_LET(program.head_size, take_varint(parameters));
    MMH_LET(program.record_count, take_varint(parameters));
  }
  MMH_LET(const std::uint64_t schema_count, take_varint(parameters));
  if (schema_count > kSchemasMax || (program.is_given && schema_count != 1)) {
    return fail(Errc::corrupt, fmt::format("records: {} schemas", schema_count));
  }
  for (std::uint64_t i = 0; i < schema_count; ++i) {
    RecordSchema& schema = program.schemas.emplace_back();
    MMH_LET(const std::uint64_t field_count, take_varint(parameters));
    if (field_count < 1 || field_count > kFieldsMax) {
      return fail(Errc::corrupt, fmt::format("records: a schema of {} fields", field_count));
    }
    for (std::uint64_t f = 0; f < field_count; ++f) {
      MMH_LET(Field field, take_field(parameters));
      MMH_LET(const std::uint64_t stream, take_varint(parameters));
      if (stream >= kFieldStreamsMax) return fail(Errc::corrupt, fmt::format("records: stream {}", stream));
      field.stream = static_cast<std::uint32_t>(stream);
      schema.fields.push_back(field);
    }
  }
  MMH_TRY(check_no_parameters(parameters));
  return program;
}

std::size_t stream_count(std::span<const RecordSchema> schemas) {
  std::size_t count = kFirst;
  for (const RecordSchema& schema : schemas) {
    for (const Field& field : schema.fields) count = std::max(count, kFirst + field.stream + 1);
  }
  return count;
}

// Where the last field alone ends with some byte, a record ends with the first such byte; else anywhere.
std::optional<std::uint8_t> end_of(const RecordSchema& schema) {
  const Field& last = schema.fields.back();
  if (last.kind != Field::Kind::terminated) return std::nullopt;
  const auto same = [&](const Field& field) {
    return field.kind == Field::Kind::terminated && field.terminator == last.terminator;
  };
  if (std::ranges::count_if(schema.fields, same) != 1) return std::nullopt;
  return last.terminator;
}

// The width of a record, where it is always the same and each field has a stream of its own; else 0.
std::size_t plain_width(const RecordSchema& schema) {
  std::size_t width = 0;
  std::uint64_t seen = 0;
  for (const Field& field : schema.fields) {
    if (field.kind != Field::Kind::fixed || (seen >> field.stream & 1) != 0) return 0;
    seen |= std::uint64_t{1} << field.stream;
    width += field.width;
  }
  return width;
}

// Moves `count` fields of `width` bytes between places so far apart.
void copy_fields(const std::byte* from, std::size_t from_step, std::byte* to, std::size_t to_step, std::size_t width,
                 std::size_t count) {
  const auto copy = [&](auto size) {
    for (std::size_t i = 0; i < count; ++i) std::memcpy(to + i * to_step, from + i * from_step, size);
  };
  switch (width) {
    case 1:
      return copy(std::integral_constant<std::size_t, 1>{});
    case 2:
      return copy(std::integral_constant<std::size_t, 2>{});
    case 3:
      return copy(std::integral_constant<std::size_t, 3>{});
    case 4:
      return copy(std::integral_constant<std::size_t, 4>{});
    case 8:
      return copy(std::integral_constant<std::size_t, 8>{});
    default:
      return copy(width);
  }
}

// Cuts a block into records as they come.
class Splitter {
 public:
  explicit Splitter(const RecordLayout& layout)
      : schemas_(layout.schemas), streams_(stream_count(schemas_)), head_size_(layout.head_size) {
    for (const RecordSchema& schema : schemas_) {
      const auto end = end_of(schema);
      ends_.push_back(end ? static_cast<int>(*end) : kNoEnd);
    }
  }

  // False where so many records are found, and so short, that the result would outgrow its bound.
  bool split(ByteView raw) {
    std::size_t literal = std::min(head_size_, raw.size());  // bytes since the last record
    std::size_t at = literal;
    while (at < raw.size()) {
      const std::size_t size = take_record(raw.subspan(at), raw.subspan(at - literal, literal));
      if (size != 0) {
        literal = 0;
        at += size;
        continue;
      }
      const std::size_t skipped = skip(raw.subspan(at));
      literal += skipped;
      at += skipped;
    }
    put_literal(raw.last(literal));
    return is_regular() || streams_[kControl].size() + streams_[kLiteralSizes].size() <= raw.size() / 8 + 64;
  }

  // Whether there is one schema and nothing between its records.
  bool is_regular() const { return literals_inside_ == 0 && schemas_.size() == 1; }
  std::size_t record_count() const { return record_count_; }
  std::size_t head_size() const { return first_literal_; }
  std::vector<Buffer>& streams() { return streams_; }

 private:
  static constexpr int kNoEnd = -1;

  void put_literal(ByteView literal) {
    if (literal.empty()) return;
    streams_[kControl].push_back(static_cast<std::byte>(schemas_.size()));
    put_varint(streams_[kLiteralSizes], literal.size());
    append(streams_[kLiterals], literal);
  }

  // Appends the record at the front of `rest`, and before it the literal, and returns its size; 0: there is none.
  std::size_t take_record(ByteView rest, ByteView literal) {
    const ByteView near = rest.first(std::min(rest.size(), kRecordMax));
    for (std::size_t s = 0; s < schemas_.size(); ++s) {
      const RecordSchema& schema = schemas_[s];
      if (schema.repeat != 0 && s != turn_) continue;
      if (rest.size() < schema.signature.size() ||
          !std::equal(schema.signature.begin(), schema.signature.end(), rest.begin())) {
        continue;
      }
      ByteView within = near;
      if (ends_[s] != kNoEnd) {
        const void* const end = std::memchr(near.data(), ends_[s], near.size());
        if (end == nullptr) continue;
        within = near.first(static_cast<std::size_t>(static_cast<const std::byte*>(end) - rest.data()) + 1);
      }
      std::array<std::size_t, kFieldsMax> sizes;
      std::size_t size = 0;
      std::size_t f = 0;
      for (; f < schema.fields.size(); ++f) {
        sizes[f] = field_size(schema.fields[f], within.subspan(size));
        if (sizes[f] == 0) break;
        size += sizes[f];
      }
      if (f != schema.fields.size() || (ends_[s] != kNoEnd && size != within.size())) continue;
      if (record_count_ == 0) {
        first_literal_ = literal.size();
      } else {
        literals_inside_ += literal.size();
      }
      put_literal(literal);
      streams_[kControl].push_back(static_cast<std::byte>(s));
      ++record_count_;
      if (schema.repeat != 0 && ++taken_ == schema.repeat) {
        ++turn_;
        taken_ = 0;
      }
      const std::byte* from = rest.data();
      for (f = 0; f < schema.fields.size(); ++f) {
        Buffer& stream = streams_[kFirst + schema.fields[f].stream];
        append(stream, ByteView(from, sizes[f]));
        from += sizes[f];
      }
      return size;
    }
    return 0;
  }

  // Bytes to the next place where a record may begin. Requires: rest is not empty.
  std::size_t skip(ByteView rest) const {
    if (!schemas_.empty() && ends_[0] != kNoEnd) {
      const void* const end = std::memchr(rest.data(), ends_[0], rest.size());
      if (end == nullptr) return rest.size();
      return static_cast<std::size_t>(static_cast<const std::byte*>(end) - rest.data()) + 1;
    }
    if (schemas_.size() == 1 && !schemas_[0].signature.empty()) {
      const Buffer& signature = schemas_[0].signature;
      const void* const next = memmem(rest.data() + 1, rest.size() - 1, signature.data(), signature.size());
      if (next == nullptr) return rest.size();
      return static_cast<std::size_t>(static_cast<const std::byte*>(next) - rest.data());
    }
    return schemas_.empty() ? rest.size() : 1;
  }

  std::span<const RecordSchema> schemas_;
  std::vector<int> ends_;
  std::vector<Buffer> streams_;
  std::size_t head_size_;
  std::size_t record_count_ = 0;
  std::size_t turn_ = 0;   // the schema that is to come, where they come in a row
  std::size_t taken_ = 0;  // of it
  std::size_t first_literal_ = 0;
  std::size_t literals_inside_ = 0;  // bytes between records
};

class Records final : public codec::Codec {
 public:
  codec::CodecId id() const override { return codec::CodecId::records; }
  std::string_view name() const override { return "records"; }
  std::string_view purpose() const override { return "records and lines: the fields of each kind in a stream"; }

  Result<Signature> signature(ByteView parameters) const override {
    MMH_LET(const Program program, parse(parameters));
    Signature signature;
    signature.stream_count = stream_count(program.schemas);
    std::array<std::uint32_t, codec::kCodecStreamsMax> widths{};  // 0: none yet; 1: bytes
    for (const RecordSchema& schema : program.schemas) {
      for (const Field& field : schema.fields) {
        std::uint32_t& width = widths[kFirst + field.stream];
        const bool agrees = field.kind == Field::Kind::fixed && (width == 0 || width == field.width);
        width = agrees ? field.width : 1;
      }
    }
    for (std::size_t i = kFirst; i < signature.stream_count; ++i) {
      if (widths[i] > 1) signature.coded[i] = {.kind = codec::StreamKind::records, .width = widths[i]};
    }
    return signature;
  }

  Result<Encoded> encode(ByteView raw, const EncodeOptions& options) const override {
    static const RecordLayout kNothing;
    const RecordLayout& layout = options.layout == nullptr ? kNothing : *options.layout;
    MMH_TRY(check(layout));
    if (layout.schemas.size() == 1 && layout.schemas[0].signature.empty() && layout.schemas[0].repeat == 0) {
      if (const std::size_t width = plain_width(layout.schemas[0]); width != 0) {
        return encode_plain(raw, layout, width);
      }
    }
    Splitter splitter(layout);
    Encoded result;
    if (!splitter.split(raw)) {
      put_program(result.parameters, layout.schemas);
      result.streams.resize(stream_count(layout.schemas));
      result.streams[kControl].push_back(static_cast<std::byte>(layout.schemas.size()));
      put_varint(result.streams[kLiteralSizes], raw.size());
      result.streams[kLiterals] = copy_of(raw);
      return result;
    }
    result.streams = std::move(splitter.streams());
    if (splitter.is_regular() && splitter.record_count() != 0) {
      put_given(result.parameters, splitter.head_size(), splitter.record_count(), layout.schemas);
      result.streams[kControl].clear();
      result.streams[kLiteralSizes].clear();
    } else {
      put_program(result.parameters, layout.schemas);
    }
    return result;
  }

  Result<> decode(ByteView parameters, std::span<const ByteView> streams, Bytes raw,
                  const DecodeContext&) const override {
    MMH_LET(const Program program, parse(parameters));
    std::array<ByteView, codec::kCodecStreamsMax> in;
    std::ranges::copy(streams, in.begin());
    const std::size_t count = streams.size();
    Bytes rest = raw;
    if (!program.is_given) {
      while (!in[kControl].empty()) {
        const auto number = std::to_integer<std::size_t>(in[kControl][0]);
        in[kControl] = in[kControl].subspan(1);
        if (number < program.schemas.size()) {
          if (!take_record(program.schemas[number], in, rest)) return cut_short();
          continue;
        }
        if (number != program.schemas.size()) {
          return fail(Errc::corrupt, fmt::format("records: no schema {}", number));
        }
        MMH_LET(const std::uint64_t size, take_varint(in[kLiteralSizes]));
        if (size == 0 || !take_literal(size, in[kLiterals], rest)) return cut_short();
      }
    } else {
      if (!take_literal(program.head_size, in[kLiterals], rest)) return cut_short();
      const RecordSchema& schema = program.schemas[0];
      if (const std::size_t width = plain_width(schema); width != 0) {
        if (!take_plain(program, width, in, rest)) return cut_short();
      } else {
        for (std::uint64_t i = 0; i < program.record_count; ++i) {
          if (!take_record(schema, in, rest)) return cut_short();
        }
      }
      if (!take_literal(in[kLiterals].size(), in[kLiterals], rest)) return cut_short();
    }
    if (!rest.empty()) return cut_short();
    for (std::size_t i = 0; i < count; ++i) {
      if (!in[i].empty()) return fail(Errc::corrupt, fmt::format("records: {} bytes left over", in[i].size()));
    }
    return {};
  }

  std::size_t decode_memory_max(std::size_t) const override { return std::size_t{256} << 10; }
  std::size_t encode_memory_max(std::size_t raw_size, const EncodeOptions&) const override {
    return 4 * raw_size + (std::size_t{256} << 10);
  }

 private:
  static std::unexpected<Error> cut_short() { return fail(Errc::corrupt, "records: sizes that do not fit"); }

  static Result<> check(const RecordLayout& layout) {
    MMH_TRY(check_option("records: schemas", static_cast<long long>(layout.schemas.size()), 0, kSchemasMax));
    for (const RecordSchema& schema : layout.schemas) {
      MMH_TRY(check_option("records: fields", static_cast<long long>(schema.fields.size()), 1, kFieldsMax));
      for (const Field& field : schema.fields) {
        MMH_TRY(check_field("records", field));
        MMH_TRY(check_option("records: stream", field.stream, 0, kFieldStreamsMax - 1));
      }
    }
    return {};
  }

  static void put_schemas(Buffer& parameters, std::span<const RecordSchema> schemas) {
    put_varint(parameters, schemas.size());
    for (const RecordSchema& schema : schemas) {
      put_varint(parameters, schema.fields.size());
      for (const Field& field : schema.fields) {
        put_field(parameters, field);
        put_varint(parameters, field.stream);
      }
    }
  }
  static void put_program(Buffer& parameters, std::span<const RecordSchema> schemas) {
    put_varint(parameters, kAdaptive);
    put_schemas(parameters, schemas);
  }
  static void put_given(Buffer& parameters, std::size_t head_size, std::size_t record_count,
                        std::span<const RecordSchema> schemas) {
    put_varint(parameters, kGiven);
    put_varint(parameters, head_size);
    put_varint(parameters, record_count);
    put_schemas(parameters, schemas);
  }

  // The same as what a Splitter makes of it, faster.
  static Encoded encode_plain(ByteView raw, const RecordLayout& layout, std::size_t width) {
    const RecordSchema& schema = layout.schemas[0];
    Encoded result;
    result.streams.resize(stream_count(layout.schemas));
    const std::size_t head_size = std::min(layout.head_size, raw.size());
    const ByteView body = raw.subspan(head_size);
    const std::size_t count = body.size() / width;
    put_given(result.parameters, head_size, count, layout.schemas);
    result.streams[kLiterals] = copy_of(raw.first(head_size));
    append(result.streams[kLiterals], body.subspan(count * width));
    std::size_t offset = 0;
    for (const Field& field : schema.fields) {
      Buffer& stream = result.streams[kFirst + field.stream];
      stream.resize(count * field.width);
      copy_fields(body.data() + offset, width, stream.data(), field.width, field.width, count);
      offset += field.width;
    }
    return result;
  }

  static bool take_literal(std::uint64_t size, ByteView& literals, Bytes& rest) {
    if (size > literals.size() || size > rest.size()) return false;
    copy_bytes(literals.first(static_cast<std::size_t>(size)), rest);
    literals = literals.subspan(static_cast<std::size_t>(size));
    rest = rest.subspan(static_cast<std::size_t>(size));
    return true;
  }

  static bool take_record(const RecordSchema& schema, std::array<ByteView, codec::kCodecStreamsMax>& in, Bytes& rest) {
    for (const Field& field : schema.fields) {
      ByteView& stream = in[kFirst + field.stream];
      const std::size_t size = field_size(field, stream);
      if (size == 0 || size > rest.size()) return false;
      copy_field(rest.data(), stream.data(), size);
      stream = stream.subspan(size);
      rest = rest.subspan(size);
    }
    return true;
  }

  static bool take_plain(const Program& program, std::size_t width, std::array<ByteView, codec::kCodecStreamsMax>& in,
                         Bytes& rest) {
    if (program.record_count > rest.size() / width) return false;
    const auto count = static_cast<std::size_t>(program.record_count);
    std::size_t offset = 0;
    for (const Field& field : program.schemas[0].fields) {
      ByteView& stream = in[kFirst + field.stream];
      if (stream.size() < count * field.width) return false;
      copy_fields(stream.data(), field.width, rest.data() + offset, width, field.width, count);
      stream = stream.subspan(count * field.width);
      offset += field.width;
    }
    rest = rest.subspan(count * width);
    return true;
  }
};

}  // namespace

const codec::Codec& records_codec() {
  static const Records codec;
  return codec;
}

}  // namespace mmh::codecs
