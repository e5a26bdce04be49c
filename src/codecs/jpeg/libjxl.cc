#include "libjxl.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <string>

namespace mmh::codecs {
namespace {

struct Loaded {
  LibJxl functions;
  std::string fault;  // empty: none
};

Loaded load() {
  Loaded loaded;
  void* const library = dlopen(MMH_JXL_SONAME, RTLD_NOW | RTLD_LOCAL);  // for as long as the process runs
  const auto find = [&]<class Function>(Function& function, const char* name) {
    void* const address = library == nullptr ? nullptr : dlsym(library, name);
    if (address != nullptr) {
      function = reinterpret_cast<Function>(address);
    } else if (loaded.fault.empty()) {
      const char* const fault = dlerror();
      loaded.fault = fault == nullptr ? name : fault;
    }
  };
#define MMH_JXL_FIND(name) find(loaded.functions.name, #name);
  MMH_JXL_FUNCTIONS(MMH_JXL_FIND)
#undef MMH_JXL_FIND
  return loaded;
}

}  // namespace

Result<const LibJxl*> libjxl() {
  static const Loaded loaded = load();
  if (loaded.fault.empty()) return &loaded.functions;
  return fail(Errc::unsupported, fmt::format("JPEG pictures need {}, which cannot be loaded ({}): install it",
                                             MMH_JXL_SONAME, loaded.fault));
}

Result<const LibJxl*> libjxl_to_encode() {
  MMH_LET(const LibJxl* const jxl, libjxl());
  const std::uint32_t version = jxl->JxlEncoderVersion();
  if (version == kJxlVersion) return jxl;
  return fail(Errc::unsupported,
              fmt::format("{} is of version {}, this program of {}", MMH_JXL_SONAME, version, kJxlVersion));
}

}  // namespace mmh::codecs
