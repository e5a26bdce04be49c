#pragma once
// A bounded cache of decoded things by number; threads that want the same one at once make it once.

#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "mmh/base/result.h"

namespace mmh::pack {

/// Keeps the values used last, up to a total cost. Thread-safe. A value that is handed out stays alive with its holder.
template <class Value>
class LruCache {
 public:
  using Pointer = std::shared_ptr<const Value>;
  explicit LruCache(std::uint64_t capacity) : capacity_(capacity) {}

  /// The value of `key`: kept, or what another thread is making just now, or made by `load()` (a Result<Value>), whose
  /// cost is `cost(value)`. Errors are not kept. `load` must not ask this cache for the same key.
  template <class Load, class Cost>
  Result<Pointer> get(std::uint64_t key, const Load& load, const Cost& cost) {
    std::unique_lock lock(mutex_);
    if (const auto found = slots_.find(key); found != slots_.end()) return touch(found->second);
    if (const auto found = flights_.find(key); found != flights_.end()) {
      const std::shared_ptr<Flight> flight = found->second;
      landed_.wait(lock, [&] { return flight->result.has_value(); });
      return *flight->result;
    }
    const auto flight = std::make_shared<Flight>();
    flights_.emplace(key, flight);
    lock.unlock();
    Result<Pointer> result = wrap(load());
    const std::uint64_t size = result ? cost(**result) : 0;
    lock.lock();
    flight->result = result;
    flights_.erase(key);
    if (result) keep(key, *result, size);
    lock.unlock();
    landed_.notify_all();
    return result;
  }

  /// The value of `key` where it is kept; null otherwise.
  Pointer peek(std::uint64_t key) {
    const std::lock_guard lock(mutex_);
    const auto found = slots_.find(key);
    return found == slots_.end() ? nullptr : touch(found->second);
  }

 private:
  struct Slot {
    Pointer value;
    std::uint64_t size;
    std::list<std::uint64_t>::iterator place;  // in order_
  };
  struct Flight {
    std::optional<Result<Pointer>> result;  // set once the value is made
  };

  static Result<Pointer> wrap(Result<Value> made) {
    if (!made) return fail(std::move(made).error());
    return std::make_shared<const Value>(*std::move(made));
  }

  Pointer touch(Slot& slot) {
    order_.splice(order_.begin(), order_, slot.place);
    return slot.value;
  }

  void keep(std::uint64_t key, const Pointer& value, std::uint64_t size) {
    if (size > capacity_) return;
    while (used_ > capacity_ - size) {
      const auto oldest = slots_.find(order_.back());
      used_ -= oldest->second.size;
      slots_.erase(oldest);
      order_.pop_back();
    }
    order_.push_front(key);
    slots_.emplace(key, Slot{value, size, order_.begin()});
    used_ += size;
  }

  const std::uint64_t capacity_;
  std::uint64_t used_ = 0;
  std::mutex mutex_;
  std::condition_variable landed_;
  std::list<std::uint64_t> order_;  // newest first
  std::unordered_map<std::uint64_t, Slot> slots_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Flight>> flights_;
};

}  // namespace mmh::pack
