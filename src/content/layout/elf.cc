// ELF, 64 bits, little-endian: its sections, by their own headers. Machine code, strings and tables of records shrink
// better apart. Source: System V ABI, "Object Files"; LSB 5.0 for .eh_frame_hdr.

#include <array>

#include "layout/reader.h"

namespace mmh::content {
namespace {

constexpr std::size_t kSectionsMax = 4096;
constexpr std::size_t kNamesMax = std::size_t{256} << 10;

enum SectionType : std::uint32_t {
  kProgramBits = 1,
  kSymbols = 2,
  kStrings = 3,
  kRelocations = 4,
  kNoBits = 8,
  kDynamicSymbols = 11
};
constexpr std::uint64_t kExecutable = 4;

struct Section {
  std::uint32_t name = 0;
  std::uint32_t type = 0;
  std::uint64_t flags = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

Section read_section(LayoutReader& reader) {
  Section section;
  section.name = reader.le<std::uint32_t>();
  section.type = reader.le<std::uint32_t>();
  section.flags = reader.le<std::uint64_t>();
  reader.skip(8);
  section.offset = reader.le<std::uint64_t>();
  section.size = reader.le<std::uint64_t>();
  reader.skip(24);
  return section;
}

ContentClass machine_class(std::uint16_t machine) {
  constexpr std::uint16_t kX86 = 3, kX86_64 = 62, kArm64 = 183, kRiscv = 243;
  if (machine == kX86 || machine == kX86_64) return ContentClass::machine_x86;
  if (machine == kRiscv) return ContentClass::machine_riscv;
  return machine == kArm64 ? ContentClass::machine_arm64 : ContentClass::machine_other;
}

// Sections whose content the header of the section does not tell.
struct NamedTable {
  std::string_view name;
  ElementType element;
  std::uint32_t channels;
  std::uint64_t header;  // bytes before the first record
};
constexpr std::array<NamedTable, 5> kTables = {{
    {".eh_frame_hdr", ElementType::int32, 2, 12},
    {".data.rel.ro", ElementType::uint64, 1, 0},
    {".got", ElementType::uint64, 1, 0},
    {".got.plt", ElementType::uint64, 1, 0},
    {".init_array", ElementType::uint64, 1, 0},
}};

std::string_view name_at(std::string_view names, std::size_t offset) {
  if (offset >= names.size()) return {};
  names.remove_prefix(offset);
  return names.substr(0, names.find('\0'));
}

}  // namespace

void find_elf(LayoutReader& reader, RegionList& regions) {
  constexpr std::uint32_t kWide = 2, kLittleEndian = 1, kSectionSize = 64;
  reader.seek(4);
  if (reader.byte() != kWide || reader.byte() != kLittleEndian) return;
  reader.seek(18);
  const ContentClass machine = machine_class(reader.le<std::uint16_t>());
  reader.seek(40);
  const auto table = reader.le<std::uint64_t>();
  reader.seek(58);
  const auto section_size = reader.le<std::uint16_t>();
  const auto count = reader.le<std::uint16_t>();
  const auto names_index = reader.le<std::uint16_t>();
  if (!reader.ok() || section_size != kSectionSize || count > kSectionsMax) return;

  reader.seek(table);
  std::vector<Section> sections;
  for (unsigned i = 0; i < count && reader.ok(); ++i) sections.push_back(read_section(reader));
  if (!reader.ok() || names_index >= sections.size()) return;
  reader.seek(sections[names_index].offset);
  const std::string names = reader.text(std::min<std::uint64_t>(sections[names_index].size, kNamesMax), kNamesMax);
  if (!reader.ok()) return;

  const auto add = [&](const Section& section, ContentClass content, ElementType element, std::uint32_t channels,
                       std::uint64_t header) {
    if (section.size <= header || section.offset > reader.end()) return;
    const std::uint64_t unit = std::uint64_t{element_size(element)} * channels;
    Region region;
    region.offset = section.offset + header;
    region.size = (section.size - header) / unit * unit;
    region.type = element;
    region.content = content;
    region.channels = channels;
    regions.add(std::move(region));
  };
  for (const Section& section : sections) {
    using enum ContentClass;
    using enum ElementType;
    switch (section.type) {
      case kSymbols:
      case kDynamicSymbols:
      case kRelocations:
        add(section, records, uint64, 3, 0);
        break;
      case kStrings:
        add(section, text, uint8, 1, 0);
        break;
      case kNoBits:
        break;
      default: {
        if ((section.flags & kExecutable) != 0) {
          add(section, machine, uint8, 1, 0);
          break;
        }
        const std::string_view name = name_at(names, section.name);
        const auto known = std::ranges::find(kTables, name, &NamedTable::name);
        if (known != kTables.end()) {
          add(section, records, known->element, known->channels, known->header);
        } else {
          add(section, binary, uint8, 1, 0);
        }
      }
    }
  }
}

}  // namespace mmh::content
