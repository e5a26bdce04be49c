#include "mmh/base/task_pool.h"

#include <pthread.h>
#include <sched.h>

#include "mmh/base/check.h"

namespace mmh {

namespace {
std::vector<std::size_t> allowed_processors() {
  std::vector<std::size_t> allowed;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) allowed.push_back(cpu);
    }
  }
  return allowed;
}

// A hint: failure is harmless.
void bind(pthread_t thread, const std::vector<std::size_t>& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const std::size_t cpu : cpus) CPU_SET(cpu, &set);
  static_cast<void>(pthread_setaffinity_np(thread, sizeof set, &set));
}
}  // namespace

unsigned available_processors() {
  const auto count = allowed_processors().size();
  return count == 0 ? 1 : static_cast<unsigned>(count);
}

TaskPool::TaskPool(unsigned threads) {
  MMH_CHECK(threads >= 1);
  const auto cpus = allowed_processors();
  const bool use_all = threads > 1 && threads == cpus.size();
  for (unsigned i = 1; i < threads; ++i) {
    workers_.emplace_back([this] { work_loop(); });
    if (use_all) bind(workers_.back().native_handle(), std::vector{cpus[i]});
  }
  if (use_all) {
    caller_processors_ = cpus;
    bind(pthread_self(), std::vector{cpus[0]});
  }
}

TaskPool::~TaskPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    queue_.clear();
  }
  changed_.notify_all();
  if (!caller_processors_.empty()) bind(pthread_self(), caller_processors_);
}

TaskPool::Handle TaskPool::submit(std::function<void()> work) {
  auto task = std::make_shared<Task>();
  task->work_ = std::move(work);
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(task);
  }
  changed_.notify_one();
  return task;
}

void TaskPool::run(std::unique_lock<std::mutex>& lock, const Handle& task) {
  task->state_ = Task::State::running;
  lock.unlock();
  task->work_();
  task->work_ = nullptr;
  lock.lock();
  task->state_ = Task::State::done;
  changed_.notify_all();
}

void TaskPool::wait(const Handle& task) {
  std::unique_lock lock(mutex_);
  while (task->state_ != Task::State::done) {
    if (queue_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const Handle next = std::move(queue_.front());
    queue_.pop_front();
    run(lock, next);
  }
}

void TaskPool::work_loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (!queue_.empty()) {
      const Handle next = std::move(queue_.front());
      queue_.pop_front();
      run(lock, next);
    } else if (stopping_) {
      return;
    } else {
      changed_.wait(lock);
    }
  }
}

}  // namespace mmh
