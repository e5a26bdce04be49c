#include "mmh/base/bytes.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <new>
#include <vector>

namespace mmh {
namespace {

// Sanitizers see more where every buffer is malloc's.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kHasRegions = false;
#elif defined(__has_feature)
constexpr bool kHasRegions = !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
constexpr bool kHasRegions = true;
#endif

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kPage = 2 * kMiB;

struct Region {
  std::byte* begin = nullptr;
  std::size_t size = 0;
};

// Whole large pages, but for a last one of which less than half would be used.
std::size_t region_size(std::size_t size) {
  const std::size_t rest = size % kPage;
  if (rest == 0) return size;
  return size - rest + (rest > kMiB ? kPage : kMiB);
}

// Regions in use, and freed ones that buffers of nearly their size take over. There are few: what they save is the time
// of the first touch, which malloc saves those that run for long, and in the long run large pages are costly to find.
class Regions {
 public:
  static Regions& get() {
    static Regions* const regions = new Regions;  // outlives every static buffer
    return *regions;
  }

  // nullptr: there is none.
  std::byte* take(std::size_t size) {
    const std::lock_guard lock(mutex_);
    const auto fits = [&](const Region& region) { return region.size >= size && region.size - size <= size / 4; };
    if (const auto found = std::ranges::find_if(free_, fits); found != free_.end()) {
      used_.push_back(*found);
      *found = free_.back();
      free_.pop_back();
    } else {
      if (size > kAllMax - all_) return nullptr;
      std::byte* const begin = map(size);
      if (begin == nullptr) return nullptr;
      used_.push_back({begin, size});
      all_ += size;
    }
    return used_.back().begin;
  }

  // Whether it was taken from here.
  bool give(const std::byte* begin) noexcept {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(used_, begin, &Region::begin);
    if (found == used_.end()) return false;
    free_.push_back(*found);
    *found = used_.back();
    used_.pop_back();
    return true;
  }

 private:
  static constexpr std::size_t kAllMax = 64 * kMiB;

  // Room for all that there can be, because giving back must not fail.
  Regions() {
    used_.reserve(kAllMax / kMiB);
    free_.reserve(kAllMax / kMiB);
  }

  static std::byte* map(std::size_t size) {
    const std::size_t mapped = size + kPage;
    void* const memory = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    auto* const begin = static_cast<std::byte*>(memory);
    const std::size_t before = (kPage - reinterpret_cast<std::uintptr_t>(begin) % kPage) % kPage;
    if (before != 0) munmap(begin, before);
    munmap(begin + before + size, mapped - before - size);
    madvise(begin + before, size, MADV_HUGEPAGE);
    return begin + before;
  }

  std::mutex mutex_;
  std::vector<Region> used_, free_;
  std::size_t all_ = 0;
};

}  // namespace

void* allocate_large(std::size_t size) {
  if (kHasRegions) {
    if (std::byte* const memory = Regions::get().take(region_size(size))) return memory;
  }
  return ::operator new(size);
}

void free_large(void* memory) noexcept {
  if (!kHasRegions || !Regions::get().give(static_cast<std::byte*>(memory))) ::operator delete(memory);
}

}  // namespace mmh
