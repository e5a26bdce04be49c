// ZIP archives whose members are stored as they are: NumPy's .npz, and what PyTorch saves.

#include <algorithm>
#include <map>

#include "layout/pickle.h"
#include "layout/reader.h"

namespace mmh::content {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kMembersMax = std::size_t{1} << 17;

struct Member {
  std::string name;
  std::uint64_t header = 0;  ///< Where its local header begins.
  std::uint64_t size = 0;
};

struct Directory {
  std::uint64_t begin = 0;
  std::uint64_t size = 0;
};

// The record at the end of the archive, behind which a comment may stand.
std::optional<Directory> find_directory(LayoutReader& reader) {
  constexpr std::uint64_t kRecord = 22;
  constexpr std::uint64_t kLocator = 20;
  const std::uint64_t size = reader.end();
  if (size < kRecord) return std::nullopt;
  const std::uint64_t tail_size = std::min<std::uint64_t>(size, kRecord + 0xFFFF);
  reader.seek(size - tail_size);
  const std::string tail = reader.text(tail_size, static_cast<std::size_t>(tail_size));
  if (!reader.ok()) return std::nullopt;
  std::size_t at = tail.size() - kRecord;
  const auto u16 = [&](std::size_t place) { return load_le<std::uint16_t>(as_bytes(tail).subspan(at + place, 2)); };
  const auto u32 = [&](std::size_t place) { return load_le<std::uint32_t>(as_bytes(tail).subspan(at + place, 4)); };
  while (tail.compare(at, 4, "PK\5\6"sv) != 0 || at + kRecord + u16(20) != tail.size()) {
    if (at-- == 0) return std::nullopt;
  }
  Directory directory{u32(16), u32(12)};
  const std::uint64_t record = size - tail_size + at;
  if (directory.begin == 0xFFFFFFFF || directory.size == 0xFFFFFFFF || u16(10) == 0xFFFF) {
    if (record < kLocator) return std::nullopt;
    reader.seek(record - kLocator);
    if (reader.text(4, 4) != "PK\6\7"sv) return std::nullopt;
    reader.skip(4);
    reader.seek(reader.le<std::uint64_t>());
    if (reader.text(4, 4) != "PK\6\6"sv) return std::nullopt;
    reader.skip(36);
    directory.size = reader.le<std::uint64_t>();
    directory.begin = reader.le<std::uint64_t>();
  }
  if (!reader.ok() || directory.begin > record || directory.size > record - directory.begin) return std::nullopt;
  return directory;
}

// The members that are stored as they are.
std::vector<Member> read_directory(LayoutReader& reader, const Directory& directory) {
  constexpr std::uint16_t kEncrypted = 1;
  constexpr std::uint32_t kElsewhere = 0xFFFFFFFF;
  std::vector<Member> members;
  reader.seek(directory.begin);
  const std::uint64_t end = directory.begin + directory.size;
  while (reader.ok() && reader.position() < end && members.size() < kMembersMax) {
    if (reader.text(4, 4) != "PK\1\2"sv) break;
    reader.skip(4);
    const auto flags = reader.le<std::uint16_t>();
    const auto method = reader.le<std::uint16_t>();
    reader.skip(8);
    std::uint64_t packed = reader.le<std::uint32_t>();
    Member member;
    member.size = reader.le<std::uint32_t>();
    const auto name_size = reader.le<std::uint16_t>();
    const auto extra_size = reader.le<std::uint16_t>();
    const auto comment_size = reader.le<std::uint16_t>();
    reader.skip(8);
    member.header = reader.le<std::uint32_t>();
    member.name = reader.text(name_size, kNameMax);
    const std::uint64_t extra_end = reader.position() + extra_size;
    while (reader.ok() && reader.position() + 4 <= extra_end) {
      const auto id = reader.le<std::uint16_t>();
      const std::uint64_t next = reader.le<std::uint16_t>() + reader.position();
      if (id == 1) {  // ZIP64: those of the fields that are too large for their places
        if (member.size == kElsewhere) member.size = reader.le<std::uint64_t>();
        if (packed == kElsewhere) packed = reader.le<std::uint64_t>();
        if (member.header == kElsewhere) member.header = reader.le<std::uint64_t>();
      }
      if (next > extra_end) break;
      reader.seek(next);
    }
    reader.seek(std::min(extra_end, reader.end()));
    reader.skip(comment_size);
    if (reader.ok() && method == 0 && (flags & kEncrypted) == 0 && packed == member.size) {
      members.push_back(std::move(member));
    }
  }
  return members;
}

// Where the bytes of a member begin.
std::optional<std::uint64_t> data_of(LayoutReader& reader, const Member& member) {
  if (member.header > reader.end()) return std::nullopt;
  reader.seek(member.header);
  if (reader.text(4, 4) != "PK\3\4"sv) return std::nullopt;
  reader.skip(22);
  const std::uint64_t names = std::uint64_t{reader.le<std::uint16_t>()} + reader.le<std::uint16_t>();
  reader.skip(names);
  if (!reader.ok() || member.size > reader.left()) return std::nullopt;
  return reader.position();
}

// Tensors of one storage. Views of the same elements are one region; where they leave a part of the storage out, that
// is a region without rows.
void add_storage(RegionList& regions, std::uint64_t begin, std::uint64_t size, bool big_endian,
                 std::vector<PickledTensor*>& tensors) {
  std::ranges::stable_sort(tensors, {}, &PickledTensor::offset);
  const ElementType type = tensors.front()->type;
  const std::uint64_t unit = element_size(type);
  std::uint64_t done = 0;  // bytes
  const auto fill_to = [&](std::uint64_t end) {
    if (end > done) regions.add({.offset = begin + done, .size = end - done, .type = type, .big_endian = big_endian});
  };
  for (PickledTensor* tensor : tensors) {
    // Rows as they lie in memory: a transposed tensor is taken the other way round.
    const std::size_t rank = tensor->shape.size();
    if (tensor->type != type || tensor->strides.size() != rank) continue;
    std::vector<std::size_t> order(rank);
    for (std::size_t i = 0; i < rank; ++i) order[i] = i;
    std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::size_t i) { return tensor->strides[i]; });
    std::vector<std::uint64_t> shape(rank);
    for (std::size_t i = 0; i < rank; ++i) shape[i] = tensor->shape[order[i]];
    const auto bytes = tensor_size(type, shape);
    const auto offset = product(tensor->offset, unit);
    if (!bytes || !offset || *offset < done || *offset > size || *bytes > size - *offset) continue;
    std::uint64_t step = 1;
    bool dense = true;
    for (std::size_t i = rank; i-- > 0; step *= shape[i]) {
      dense = dense && (shape[i] == 1 || tensor->strides[order[i]] == step);
    }
    if (!dense) continue;
    fill_to(*offset);
    regions.add_tensor(begin + *offset, *bytes, type, shape, big_endian, std::move(tensor->name));
    done = *offset + *bytes;
  }
  fill_to(size);
}

void find_storages(LayoutReader& reader, const std::vector<Member>& members, const Member& pickle,
                   RegionList& regions) {
  const std::string folder = pickle.name.substr(0, pickle.name.size() - "data.pkl"sv.size());
  const auto begin = data_of(reader, pickle);
  if (!begin) return;
  LayoutReader part = reader.part(*begin, *begin + pickle.size);
  std::vector<PickledTensor> tensors = read_pickle(part);
  reader.give_back(part);
  std::map<std::string_view, std::vector<PickledTensor*>> by_storage;
  for (PickledTensor& tensor : tensors) by_storage[tensor.key].push_back(&tensor);

  bool big_endian = false;
  for (const Member& member : members) {
    if (member.name != folder + "byteorder") continue;
    if (const auto at = data_of(reader, member)) big_endian = reader.text(member.size, 8) == "big";
  }
  for (const Member& member : members) {
    if (!member.name.starts_with(folder) || !reader.ok()) continue;
    const std::string_view name = std::string_view(member.name).substr(folder.size());
    if (!name.starts_with("data/")) continue;
    const auto found = by_storage.find(name.substr(5));
    if (found == by_storage.end() || found->second.empty()) continue;
    const auto at = data_of(reader, member);
    if (!at) continue;
    add_storage(regions, *at, member.size, big_endian, found->second);
    found->second.clear();  // a second member of the name stays bytes
  }
}

}  // namespace

void find_in_zip(LayoutReader& reader, RegionList& regions) {
  const auto directory = find_directory(reader);
  if (!directory) return;
  const std::vector<Member> members = read_directory(reader, *directory);
  bool pickled = false;
  for (const Member& member : members) {
    if (!reader.ok() || regions.full()) break;
    if (member.name.ends_with(".npy")) {
      const auto at = data_of(reader, member);
      if (!at) continue;
      LayoutReader part = reader.part(*at, *at + member.size);
      find_npy(part, member.name.substr(0, member.name.size() - 4), regions);
      reader.give_back(part);
    } else if (!pickled && (member.name == "data.pkl" || member.name.ends_with("/data.pkl"))) {
      pickled = true;  // an honest archive has one
      find_storages(reader, members, member, regions);
    }
  }
}

}  // namespace mmh::content
