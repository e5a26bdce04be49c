#pragma once
// Tasks whose results are taken in the order in which they were given out.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "mmh/base/task_pool.h"

namespace mmh::pack {

/// A queue of running tasks. One thread gives them out and takes the results. Destroying it waits for all of them, so
/// they may refer to what lives longer than it.
template <class T>
class OrderedTasks {
 public:
  explicit OrderedTasks(TaskPool& pool) : pool_(pool) {}
  ~OrderedTasks() {
    for (const Item& item : items_) pool_.wait(item.task);
  }
  OrderedTasks(const OrderedTasks&) = delete;
  OrderedTasks& operator=(const OrderedTasks&) = delete;

  /// `cost` is what the task holds until its result is taken, in the caller's own unit.
  void push(std::uint64_t cost, std::function<T()> work) {
    auto result = std::make_shared<T>();
    auto task = pool_.submit([result, work = std::move(work)] { *result = work(); });
    items_.push_back({std::move(task), std::move(result), cost});
    cost_ += cost;
  }
  /// The oldest task's result. Requires: !empty().
  T pop() {
    const Item item = std::move(items_.front());
    items_.pop_front();
    pool_.wait(item.task);
    cost_ -= item.cost;
    return std::move(*item.result);
  }
  bool empty() const { return items_.empty(); }
  std::size_t size() const { return items_.size(); }
  std::uint64_t cost() const { return cost_; }
  /// Enough tasks to keep every thread busy while results are taken.
  bool full() const { return items_.size() >= 2 * std::size_t{pool_.threads()} + 2; }

 private:
  struct Item {
    TaskPool::Handle task;
    std::shared_ptr<T> result;
    std::uint64_t cost;
  };
  TaskPool& pool_;
  std::deque<Item> items_;
  std::uint64_t cost_ = 0;
};

}  // namespace mmh::pack
