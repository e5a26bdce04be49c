// Protections of arbitrary bytes. The first byte chooses: the rest is a whole file, or a list of files behind its
// hashes.

#include <algorithm>
#include <array>

#include "mmh/base/check.h"
#include "mmh/pack/protection.h"
#include "protection_format.h"

namespace {

using namespace mmh;

void load(ByteView bytes) {
  const auto source = memory_source(bytes, "fuzz.mmhp");
  const auto loaded = pack::load_protection(*source, nullptr);
  if (!loaded) return;
  static TaskPool pool(1);
  const pack::ParityContext context{
      .sys = &real_sys(), .pool = &pool, .memory = 64 << 20, .cancel = nullptr, .progress = {}};
  static_cast<void>(pack::check_protection(*source, *loaded, context));
  for (std::size_t set = 0; set < loaded->list.sets.size(); ++set) {
    static_cast<void>(pack::section_head(*source, *loaded, set, true));
  }
}

void parse(ByteView bytes) {
  const auto list = pack::parse_list(bytes);
  if (!list) return;
  for (const pack::ProtectedFile& file : list->files) MMH_CHECK(tree::check_path(file.path).has_value());
  // Another writer may share less of a path with the one before it, so only what is read again is the same.
  const auto again = pack::parse_list(pack::write_list(*list));
  MMH_CHECK(again.has_value() && again->files == list->files && again->sets == list->sets);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView rest = std::as_bytes(std::span(data, size)).subspan(1);
  if (data[0] % 2 == 0) {
    load(rest);
  } else {
    parse(rest);
  }
  return 0;
}
