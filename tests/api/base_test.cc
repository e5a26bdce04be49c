// Packs that are coded against another: smaller, the same content and root, and nothing without the right base.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "api/support.h"
#include "mmh/base/files.h"
#include "support/trees.h"

namespace mmh::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

struct Tensor {
  std::string name;
  std::string type;
  std::size_t element_size;
  Buffer bytes;
};

Buffer safetensors(std::span<const Tensor> tensors) {
  std::string header = "{";
  std::size_t end = 0;
  for (const Tensor& tensor : tensors) {
    const std::size_t begin = end;
    end += tensor.bytes.size();
    header += fmt::format(R"({}"{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", begin == 0 ? "" : ",",
                          tensor.name, tensor.type, tensor.bytes.size() / tensor.element_size, begin, end);
  }
  header += "}";
  Buffer file(8);
  store_le(Bytes(file), std::uint64_t{header.size()});
  append(file, as_bytes(header));
  for (const Tensor& tensor : tensors) append(file, tensor.bytes);
  return file;
}

// Weights of one scale, with noise to the last bit.
Tensor weights(const std::string& name, std::size_t count, std::uint64_t seed) {
  Tensor tensor{name, "F32", 4, Buffer(count * 4)};
  Random random(seed);
  for (std::size_t i = 0; i < count; ++i) {
    const auto noise = static_cast<std::int64_t>(random.below(2'000'001)) - 1'000'000;
    const float value = static_cast<float>(noise) * 1.37e-7f;
    std::memcpy(tensor.bytes.data() + 4 * i, &value, sizeof value);
  }
  return tensor;
}

// As a training step does: each value by about `size`.
void train(Tensor& tensor, float size, std::uint64_t seed) {
  Random random(seed);
  for (std::size_t i = 0; i < tensor.bytes.size() / 4; ++i) {
    float value = 0;
    std::memcpy(&value, tensor.bytes.data() + 4 * i, sizeof value);
    value += size * (static_cast<float>(random.below(2001)) / 1000.0f - 1.0f);
    std::memcpy(tensor.bytes.data() + 4 * i, &value, sizeof value);
  }
}

class Bases : public testing::Test {
 protected:
  std::string at(std::string_view name) const { return temp_ / name; }
  void put(std::string_view name, ByteView bytes) const {
    fs::create_directories(fs::path(at(name)).parent_path());
    write_file(at(name), bytes);
  }
  void put_model(std::string_view name, std::span<const Tensor> tensors) const { put(name, safetensors(tensors)); }
  PackSummary pack(const std::string& directory, const std::string& output, const std::string& base = {},
                   unsigned threads = 2) const {
    PackOptions options = pack_options(at("."), threads);
    if (!base.empty()) options.base = at(base);
    const auto summary = create_pack({directory}, at(output), options);
    EXPECT_OK(summary);
    return summary ? *summary : PackSummary();
  }
  // Packs with and without the base; what comes back is the same, under the same root. Gives both sizes.
  std::pair<std::uint64_t, std::uint64_t> check_against(const std::string& directory, const std::string& base) const {
    const PackSummary alone = pack(directory, "alone.mmh");
    const PackSummary against = pack(directory, "against.mmh", base);
    EXPECT_EQ(against.root, alone.root);
    unpack_all(at("against.mmh"), at("out"));
    EXPECT_EQ(compare_trees(at(directory), at("out/" + directory)), "");
    const auto opened = Pack::open(at("against.mmh"));
    EXPECT_OK(opened);
    if (opened) {
      const auto verified = opened->verify(true, {});
      EXPECT_OK(verified);
      EXPECT_TRUE(verified && verified->sound);
    }
    fs::remove_all(at("out"));
    const std::pair sizes{against.pack_bytes, alone.pack_bytes};
    fs::remove(at("alone.mmh"));
    fs::remove(at("against.mmh"));
    return sizes;
  }

  TempDir temp_;
};

TEST_F(Bases, UnchangedFilesTakeNearlyNothing) {
  put("a/noise", random_bytes(9'000'000, 1));
  put("a/text", text_bytes(300'000, 2));
  put("a/empty", {});
  for (int i = 0; i < 300; ++i) put(fmt::format("a/small/{}", i), random_bytes(static_cast<std::size_t>(i * 7), 3));
  pack("a", "a.mmh");
  fs::rename(at("a"), at("b"));
  const auto [against, alone] = check_against("b", "a.mmh");
  EXPECT_LT(against, 30'000u) << alone;
}

TEST_F(Bases, EditsInsertionsAndMovesTakeWhatTheyChange) {
  Buffer text = text_bytes(3'000'000, 1);
  Buffer noise = random_bytes(5'000'000, 2);
  put("v1/data/text.txt", text);
  put("v1/data/noise.bin", noise);
  put("v1/config.json", as_bytes(R"({"steps": 100, "rate": 0.1})"));
  pack("v1", "v1.mmh");
  const Buffer inserted = text_bytes(1000, 3);
  text.insert(text.begin() + 1'000'000, inserted.begin(), inserted.end());
  text.erase(text.begin() + 2'000'000, text.begin() + 2'000'500);
  for (std::size_t i = 0; i < noise.size(); i += 100'000) noise[i] ^= std::byte{1};
  put("v2/data/text.txt", text);
  put("v2/moved/elsewhere.bin", noise);
  put("v2/config.json", as_bytes(R"({"steps": 200, "rate": 0.1})"));
  const auto [against, alone] = check_against("v2", "v1.mmh");
  EXPECT_LT(against, 40'000u) << alone;
}

TEST_F(Bases, TrainedTensorsAreStoredAsTheirChange) {
  std::vector<Tensor> model{weights("embedding", 300'000, 1), weights("bias", 100, 2), weights("head", 500'001, 3)};
  put_model("step-1/model.safetensors", model);
  pack("step-1", "1.mmh");
  for (Tensor& tensor : model) train(tensor, 1e-6f, 7);
  put_model("step-2/model.safetensors", model);
  const auto [small, alone] = check_against("step-2", "1.mmh");
  EXPECT_LT(small, alone / 2);
  train(model[0], 1e-6f, 8);
  put_model("step-3/model.safetensors", model);
  EXPECT_LT(check_against("step-3", "1.mmh").first, alone * 6 / 10);
}

TEST_F(Bases, TensorsThatAreAddedRemovedRenamedReorderedAreFound) {
  std::vector<Tensor> model;
  for (unsigned i = 0; i < 6; ++i) model.push_back(weights(fmt::format("layer.{}", i), 60'000, i));
  put_model("v/model.safetensors", model);
  pack("v", "v.mmh");
  std::swap(model[0], model[4]);                                       // reordered
  model[1].name = "renamed";                                           // unchanged under another name
  model.erase(model.begin() + 2);                                      // removed
  model.push_back(weights("added", 20'000, 99));                       // added
  for (const std::size_t i : {0u, 2u, 3u}) train(model[i], 1e-6f, i);  // changed
  fs::remove_all(at("v"));
  put_model("v/model.safetensors", model);
  const auto [against, alone] = check_against("v", "v.mmh");
  // Three of 60,000 changed by about 8 bits each, one of 20,000 is new.
  EXPECT_LT(against, 3 * 60'000 * 3 / 2 + 20'000 * 4 + 20'000) << alone;
}

TEST_F(Bases, WhatHasNothingInCommonTakesNoMore) {
  put("a/x.bin", random_bytes(500'000, 1));
  put("a/model.safetensors", safetensors(std::vector{weights("w", 100'000, 1)}));
  pack("a", "a.mmh");
  put("b/x.bin", text_bytes(700'000, 2));
  put("b/model.safetensors", safetensors(std::vector{weights("w", 100'000, 5)}));
  const auto [against, alone] = check_against("b", "a.mmh");
  EXPECT_LE(against, alone + alone / 100 + 600);
}

TEST_F(Bases, APackThatDoesNotNeedItsBaseStandsAlone) {
  put("a/x", random_bytes(100'000, 1));
  pack("a", "a.mmh");
  put("b/y", random_bytes(200'000, 2));
  pack("b", "b.mmh", "a.mmh");
  fs::remove(at("a.mmh"));
  EXPECT_FALSE(Pack::open(at("b.mmh"))->info().has_base);
  unpack_all(at("b.mmh"), at("out"));
}

TEST_F(Bases, MissingWrongAndDamagedBasesAreNamed) {
  put("a/x", random_bytes(400'000, 1));
  put("c/x", random_bytes(400'000, 9));
  const PackSummary base = pack("a", "a.mmh");
  pack("c", "c.mmh");
  pack("a", "b.mmh", "a.mmh");
  const auto error_of_reading = [&](const RunOptions& options = {}) {
    const auto opened = Pack::open(at("b.mmh"), options);
    EXPECT_OK(opened);
    EXPECT_OK(opened->list("", [](const FileInfo&) -> Result<bool> { return true; }));
    EXPECT_TRUE(opened->verify(false, {})->sound);
    UnpackOptions unpacking = unpack_options(at("out"));
    EXPECT_FALSE(opened->unpack(unpacking).has_value());
    EXPECT_FALSE(opened->verify(true, {}).has_value());
    const auto read = opened->stream("a/x", [](ByteView) -> Result<> { return {}; });
    EXPECT_FALSE(read.has_value());
    return read ? Error{Errc::usage, ""} : read.error();
  };
  fs::create_directory(at("elsewhere"));
  fs::rename(at("a.mmh"), at("elsewhere/old.mmh"));
  const Error missing = error_of_reading();
  EXPECT_EQ(missing.code, Errc::not_found);
  EXPECT_THAT(missing.what, HasSubstr("a.mmh"));
  EXPECT_THAT(missing.what, HasSubstr("--base"));
  const auto chain = Pack::open(at("b.mmh"))->bases();
  ASSERT_EQ(chain.size(), 1u);
  EXPECT_EQ(chain[0].name, "a.mmh");
  EXPECT_EQ(chain[0].root, base.root);
  EXPECT_FALSE(chain[0].missing.empty());

  RunOptions wrong;
  wrong.bases = {at("c.mmh")};
  const Error other = error_of_reading(wrong);
  EXPECT_EQ(other.code, Errc::not_found);
  EXPECT_THAT(other.what, HasSubstr("c.mmh is not it"));
  fs::copy(at("c.mmh"), at("a.mmh"));
  EXPECT_THAT(error_of_reading().what, HasSubstr("a.mmh is not it"));

  RunOptions right;
  right.bases = {at("c.mmh"), at("elsewhere/old.mmh")};
  Buffer back;
  EXPECT_OK(Pack::open(at("b.mmh"), right)->stream("a/x", [&](ByteView piece) -> Result<> {
    append(back, piece);
    return {};
  }));
  EXPECT_EQ(back, read_file(at("a/x")));

  Buffer damaged = read_file(at("elsewhere/old.mmh"));
  std::ranges::fill(Bytes(damaged).subspan(10'000, 1000), std::byte{0});
  write_file(at("a.mmh"), damaged);
  const auto verified = Pack::open(at("b.mmh"))->verify(true, {});
  ASSERT_OK(verified);
  EXPECT_FALSE(verified->sound);
  EXPECT_THAT(verified->files_damaged, testing::Contains("a/x"));
}

TEST_F(Bases, AnyPackOfTheSameRootServesAsTheBase) {
  put("a/x", text_bytes(400'000, 1));
  put("a/y", random_bytes(400'000, 2));
  pack("a", "a.mmh");
  pack("a", "b.mmh", "a.mmh");
  fs::remove(at("a.mmh"));
  PackOptions other = pack_options(at("."));
  other.level = 8;
  other.block_size = 64 << 10;
  other.parity_ppm = 10'000;
  ASSERT_OK(create_pack({"a"}, at("a.mmh"), other));
  unpack_all(at("b.mmh"), at("out"));
  EXPECT_EQ(compare_trees(at("a"), at("out/a")), "");
}

TEST_F(Bases, ChainsWorkUpToTheirLimitAndRebaseEndsThem) {
  Buffer text = text_bytes(200'000, 1);
  std::vector<Tensor> model{weights("w", 50'000, 1)};
  std::string last;
  for (unsigned i = 0; i < 16; ++i) {
    text[1000 * i] ^= std::byte{1};
    train(model[0], 1e-6f, i);
    put("m/text", text);
    put_model("m/model.safetensors", model);
    const std::string name = fmt::format("{}.mmh", i);
    pack("m", name, last);
    last = name;
  }
  unpack_all(at(last), at("out"));
  EXPECT_EQ(compare_trees(at("m"), at("out/m")), "");
  EXPECT_EQ(Pack::open(at(last))->bases().size(), 15u);
  EXPECT_EQ(Pack::open(at(last))->bases().back().path, at("0.mmh"));
  PackOptions longer = pack_options(at("."));
  longer.base = at(last);
  EXPECT_EQ(error_of(create_pack({"m"}, at("too-long.mmh"), longer)), Errc::limit);

  const Hash root = Pack::open(at(last))->info().root;
  RebaseOptions apart;
  apart.output = at("apart.mmh");
  const auto rebased = rebase_pack(at(last), apart);
  ASSERT_OK(rebased);
  EXPECT_GT(rebased->blocks, 0u);
  EXPECT_EQ(rebased->root, root);
  EXPECT_TRUE(Pack::open(at(last))->info().has_base);
  ASSERT_OK(rebase_pack(at(last), {}));
  for (unsigned i = 0; i < 15; ++i) fs::remove(at(fmt::format("{}.mmh", i)));
  for (const std::string& name : {last, std::string("apart.mmh")}) {
    const auto opened = Pack::open(at(name));
    EXPECT_FALSE(opened->info().has_base);
    EXPECT_EQ(opened->info().root, root);
    EXPECT_TRUE(opened->verify(true, {})->sound);
  }
  EXPECT_EQ(read_file(at(last)), read_file(at("apart.mmh")));
  EXPECT_EQ(rebase_pack(at(last), {})->blocks, 0u);
}

TEST_F(Bases, APackThatIsItsOwnBaseIsRefused) {
  put("a/x", random_bytes(400'000, 1));
  pack("a", "a.mmh");
  pack("a", "b.mmh", "a.mmh");
  // Its root is that of its base, as the content is the same.
  fs::remove(at("a.mmh"));
  fs::rename(at("b.mmh"), at("a.mmh"));
  const auto opened = Pack::open(at("a.mmh"));
  ASSERT_OK(opened);
  EXPECT_FALSE(opened->stream("a/x", [](ByteView) -> Result<> { return {}; }).has_value());
  EXPECT_FALSE(opened->bases().empty());
}

TEST_F(Bases, BytesAreTheSameFromAnyNumberOfThreads) {
  put("a/noise", random_bytes(3'000'000, 1));
  std::vector<Tensor> model{weights("w", 900'000, 1), weights("v", 300'000, 2)};
  put_model("a/model.safetensors", model);
  for (int i = 0; i < 100; ++i) put(fmt::format("a/s/{}.txt", i), text_bytes(static_cast<std::size_t>(i * 100), 5));
  pack("a", "a.mmh");
  train(model[1], 1e-5f, 1);
  put_model("a/model.safetensors", model);
  for (int i = 0; i < 100; i += 3) put(fmt::format("a/s/{}.txt", i), text_bytes(static_cast<std::size_t>(i * 101), 5));
  pack("a", "1.mmh", "a.mmh", 1);
  const Buffer expected = read_file(at("1.mmh"));
  for (const unsigned threads : {2u, 7u}) {
    pack("a", "n.mmh", "a.mmh", threads);
    EXPECT_EQ(read_file(at("n.mmh")), expected) << threads;
    fs::remove(at("n.mmh"));
  }
}

TEST_F(Bases, TheNewPackDoesNotReplaceItsBase) {
  put("a/x", random_bytes(100'000, 1));
  pack("a", "a.mmh");
  PackOptions options = pack_options(at("."));
  options.base = at("a.mmh");
  options.force = true;
  EXPECT_EQ(error_of(create_pack({"a"}, at("a.mmh"), options)), Errc::usage);
  EXPECT_TRUE(Pack::open(at("a.mmh"))->verify(true, {})->sound);
}

TEST_F(Bases, AppendingKeepsTheBase) {
  put("a/x", random_bytes(400'000, 1));
  pack("a", "a.mmh");
  pack("a", "b.mmh", "a.mmh");
  put("more/y", random_bytes(100'000, 2));
  ASSERT_OK(append_to_pack(at("b.mmh"), {"more"}, pack_options(at("."))));
  EXPECT_TRUE(Pack::open(at("b.mmh"))->info().has_base);
  unpack_all(at("b.mmh"), at("out"));
  EXPECT_EQ(compare_trees(at("a"), at("out/a")), "");
  EXPECT_EQ(compare_trees(at("more"), at("out/more")), "");
  PackOptions with_base = pack_options(at("."));
  with_base.base = at("a.mmh");
  EXPECT_EQ(error_of(append_to_pack(at("b.mmh"), {"more"}, with_base)), Errc::usage);
}

TEST_F(Bases, ParityRepairAndSalvageWorkOnPacksWithBases) {
  put("a/x", random_bytes(700'000, 1));
  pack("a", "a.mmh");
  put("a/y", random_bytes(300'000, 2));
  PackOptions options = pack_options(at("."));
  options.base = at("a.mmh");
  options.parity_ppm = 50'000;
  ASSERT_OK(create_pack({"a"}, at("b.mmh"), options));
  const Buffer whole = read_file(at("b.mmh"));
  Buffer damaged = whole;
  std::ranges::fill(Bytes(damaged).subspan(5'000, 2'000), std::byte{0});
  write_file(at("b.mmh"), damaged);
  unpack_all(at("b.mmh"), at("out"));
  EXPECT_EQ(compare_trees(at("a"), at("out/a")), "");
  ASSERT_OK(repair_pack(at("b.mmh"), {}));
  EXPECT_EQ(read_file(at("b.mmh")), whole);
  const auto rebased = rebase_pack(at("b.mmh"), {});
  ASSERT_OK(rebased);
  EXPECT_EQ(Pack::open(at("b.mmh"))->info().parity.loss_ppm, 50'000u);

  // Without trailers nothing names the base: it is taken on trust, and each file's hash tells.
  pack("a", "c.mmh", "a.mmh");
  Buffer cut = read_file(at("c.mmh"));
  cut.resize(cut.size() - 900);
  write_file(at("c.mmh"), cut);
  RunOptions given;
  given.bases = {at("a.mmh")};
  const auto salvaged = Pack::salvage(at("c.mmh"), given);
  ASSERT_OK(salvaged);
  const auto summary = salvaged->unpack(unpack_options(at("salvaged")));
  ASSERT_OK(summary);
  EXPECT_EQ(read_file(at("salvaged/a/x")), read_file(at("a/x")));
}

TEST_F(Bases, TarStreamsAndSparseFilesAreCodedAgainstABaseToo) {
  put("a/x", random_bytes(6'000'000, 1));
  pack("a", "a.mmh");
  fs::resize_file(at("a/x"), 60'000'000);
  const auto [against, alone] = check_against("a", "a.mmh");
  EXPECT_LT(against, 20'000u) << alone;
}

}  // namespace
}  // namespace mmh::test
